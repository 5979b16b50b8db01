// SPDX-License-Identifier: GPL-2.0-only
/*
 * A node that has nothing to set up yet. Its key is new, and the policy does not know it, or the
 * policy is of other nodes: the daemon looks again when the policy or the key changes. Or it is
 * booting, and its LAN is not there: then also when the kernel tells of the network.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/run.h"

/* Where this node's private key is, or would be if the policy listed it. */
static const char *key_path(const struct run *run, const struct pipeline *p)
{
	const char *name = run->args->node;
	const struct policy_member *self = name ? policy_find_self(p->policy, name, NULL) : NULL;

	return self ? self->node->tunnel.private_key_file : p->config->tunnel.private_key_file;
}

static int make_directory(const char *path, struct err *err)
{
	AUTO_FREE char *directory = mem_copy_string(path);
	char *slash = directory ? strrchr(directory, '/') : NULL;

	if (!directory)
		return err_set(err, -ENOMEM, "out of memory");
	if (!slash || slash == directory)
		return 0;
	*slash = '\0';
	return file_make_dirs(directory, 0700, err);
}

/* A key that is lost later is not replaced: the policy names the old one. */
int run_make_key(struct run *run, struct pipeline *p)
{
	const char *path = key_path(run, p);
	char text[KEY_TEXT_SIZE];
	struct key key, public_key;
	int r;

	if (run->good || access(path, F_OK) == 0 || errno != ENOENT || run_is_live(run))
		return EXIT_DONE;
	r = make_directory(path, &p->failure);
	if (!r) {
		key_generate(&key);
		r = key_write_file(path, &key, &p->failure);
		key_derive_public(&key, &public_key);
		key_wipe(&key);
	}
	if (r)
		return EXIT_FAILED;
	log_info("made a private key, %s; public key: %s", path, key_put(text, &public_key));
	return EXIT_DONE;
}

static int put_public_key(char text[KEY_TEXT_SIZE], const char *path, struct err *err)
{
	struct key key, public_key;
	int r = key_read_file(path, &key, err);

	if (r)
		return r;
	key_derive_public(&key, &public_key);
	key_wipe(&key);
	key_put(text, &public_key);
	return 0;
}

/* What the failure of p stands for; false: for nothing that is waited for. */
static bool find_wait(const struct pipeline *p, enum running_wait *out)
{
	/* with self found, the code is the kernel's and means something else */
	bool stranger = p->policy && !p->self;

	if (p->lacks_network)
		*out = RUNNING_WAIT_NETWORK;
	else if (stranger && p->failure.code == -ESRCH)
		*out = RUNNING_WAIT_LISTED;
	else if (stranger && p->failure.code == -EKEYREJECTED)
		*out = RUNNING_WAIT_KEY;
	else
		return false;
	return true;
}

static char *waiting_text(const struct run *run, const struct pipeline *p, enum running_wait wait)
{
	const char *name = run->args->node;
	char public_key[KEY_TEXT_SIZE];
	struct err err;

	if (wait == RUNNING_WAIT_NETWORK)
		return mem_copy_string(p->failure.text);
	if (put_public_key(public_key, key_path(run, p), &err))
		return NULL;
	if (wait == RUNNING_WAIT_LISTED)
		return mem_format("the policy does not list node \"%s\": nothing is set up here; "
				  "its public key: %s",
				  name, public_key);
	return mem_format("the policy has not the public key of this node%s%s%s: %s",
			  name ? " (\"" : "", name ? name : "", name ? "\")" : "", public_key);
}

/* What may end it is watched. */
static void watch_for_end(struct run *run, const struct pipeline *p, enum running_wait wait)
{
	if (wait != RUNNING_WAIT_NETWORK) {
		run_watch_key(run, key_path(run, p));
	} else if (p->self) {
		run_netns_follow(run, p);
		kernel_watch_others(&run->kernel, p->facts.asks_behind);
	}
}

bool run_wait(struct run *run, const struct pipeline *p)
{
	AUTO_FREE char *why = NULL;
	enum running_wait wait;

	if (run->good || !find_wait(p, &wait) || run_is_live(run))
		return false;
	why = waiting_text(run, p, wait);
	if (!why)
		return false;
	watch_for_end(run, p, wait);
	if (!run->running.waiting || strcmp(run->running.waiting, why) != 0)
		log_line(wait == RUNNING_WAIT_LISTED ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
			 "%s; waiting", why);
	free(run->running.waiting);
	run->running.waiting = TAKE(why);
	run->running.wait = wait;
	return true;
}

void run_wait_over(struct run *run)
{
	free(TAKE(run->running.waiting));
}

enum look run_look_again(struct run *run)
{
	uint64_t before[RUNNING_RESULTS];
	int status;

	memcpy(before, run->running.reloads, sizeof(before));
	status = run_load(run);
	run_say_news(run);
	if (!run->lacks_network)
		return status == EXIT_DONE ? LOOK_MENDED : LOOK_FAILED;
	memcpy(run->running.reloads, before, sizeof(before)); /* nobody had asked for it */
	return LOOK_WAITS;
}
