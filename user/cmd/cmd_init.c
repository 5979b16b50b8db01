// SPDX-License-Identifier: GPL-2.0-only
/* A first policy: this machine as a node, its LAN as a route, one peer that may reach it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/pipeline.h"
#include "config/config.h"
#include "kernel/observe.h"
#include "report/first.h"

#define POLICY_DIR  "/etc/towpath"
#define POLICY_FILE POLICY_DIR "/policy.json"
#define PEER_NAME   "phone"

struct init {
	const char *policy_file, *peer;
	char node[CONFIG_NAME_MAX + 1];
	char *key_file, *peer_key_file; /* owned */
	bool key_made, peer_key_made;
	struct facts facts;
	struct first first;
	struct first_text text;
};

/* ---- what it is called ---- */

/* The host's name up to its first dot, or "gateway" where that cannot be a node's name. */
static void take_hostname(char out[CONFIG_NAME_MAX + 1])
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_-";
	char name[HOST_NAME_MAX + 1] = "";
	size_t length;

	(void)gethostname(name, sizeof(name)); /* "" then, which is no name */
	name[sizeof(name) - 1] = '\0';
	name[strcspn(name, ".")] = '\0';
	length = strlen(name);
	if (!length || length > CONFIG_NAME_MAX || strspn(name, allowed) != length)
		snprintf(name, sizeof(name), "gateway");
	memcpy(out, name, strlen(name) + 1); /* it fits: length was looked at */
}

static int take_names(struct init *init, const struct args *args, struct err *err)
{
	init->policy_file = args->out ? args->out : POLICY_FILE;
	init->peer = args->peer ? args->peer : PEER_NAME;
	if (args->node && strlen(args->node) > CONFIG_NAME_MAX)
		return err_set(err, -EINVAL, "--node: a name has at most %d characters",
			       CONFIG_NAME_MAX);
	if (args->node)
		snprintf(init->node, sizeof(init->node), "%s", args->node);
	else
		take_hostname(init->node);
	if (!strcmp(init->node, init->peer))
		return err_set(err, -EINVAL,
			       "\"%s\" cannot name this machine and the peer: --peer NAME",
			       init->peer);
	init->key_file = mem_copy_string(args->key ? args->key : KEY_FILE);
	if (init->key_file)
		init->peer_key_file = mem_format(
			"%.*s%s.key", (int)(strrchr(init->key_file, '/') + 1 - init->key_file),
			init->key_file, init->peer);
	return init->peer_key_file ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* ---- the files ---- */

/* Only says early what writing would say late, when keys have been made. */
static int refuse_existing(const struct init *init, struct err *err)
{
	if (access(init->policy_file, F_OK))
		return 0;
	return err_set(err, -EEXIST, "%s is there already and stays as it is; --out FILE",
		       init->policy_file);
}

/* A key that is there is used: it may be in other policies. */
static int take_key(const char *path, struct key *public_key, bool *made, struct err *err)
{
	struct key private_key;
	int r;

	key_generate(&private_key);
	r = key_write_file(path, &private_key, err);
	*made = !r;
	if (r == -EEXIST)
		r = key_read_file(path, &private_key, err);
	if (!r)
		key_derive_public(&private_key, public_key);
	key_wipe(&private_key);
	return r;
}

static int take_keys(struct init *init, const struct args *args, struct err *err)
{
	int r = args->key ? 0 : file_make_dirs(KEY_DIR, 0700, err);

	if (!r)
		r = take_key(init->key_file, &init->text.node_key, &init->key_made, err);
	if (!r)
		r = take_key(init->peer_key_file, &init->text.peer_key, &init->peer_key_made, err);
	return r;
}

/* What is written is what `check` accepts, or it is not written. */
static int write_checked(const struct init *init, const struct args *args, char *text)
{
	struct pipeline p;
	int status;

	pipeline_start(&p, args);
	p.file = init->policy_file;
	p.text = text; /* now the pipeline's */
	p.length = strlen(text);
	status = pipeline_read_policy(&p);
	if (status == EXIT_DONE) {
		struct err err;

		if ((!args->out && file_make_dirs(POLICY_DIR, 0755, &err)) ||
		    file_write(init->policy_file, p.text, p.length, 0644, FILE_NEW, &err)) {
			log_error("init: %s", err.text);
			status = EXIT_FAILED;
		}
	}
	pipeline_end(&p);
	return status;
}

/* ---- in order ---- */

static int look_around(struct init *init, const struct args *args, struct err *err)
{
	uint8_t random[FIRST_RANDOM_BYTES];
	int r = observe_facts(&init->facts, NULL, args->instance, err);

	if (r)
		return r;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_sys(err, -errno, "get random bytes");
	return first_find(&init->facts, args->lan, random, &init->first, err);
}

static void say_file(const char *what, const char *path, bool made)
{
	printf("%-8s %s%s\n", what, path, made ? "" : " (was there)");
}

static void say_next(const struct init *init)
{
	const struct prefix *route;
	char text[PREFIX_TEXT_SIZE];

	say_file("policy", init->policy_file, true);
	say_file("key", init->key_file, init->key_made);
	say_file("peer key", init->peer_key_file, init->peer_key_made);
	printf("\nNode \"%s\" with", init->node);
	array_for_each(route, &init->first.routes)
		printf(" %s", prefix_put(text, route));
	printf(" on %s; peer \"%s\" may reach it.\n\n", init->first.lan, init->peer);
	printf("Next: look at \"endpoint\" in the policy, then\n"
	       "  towpath apply %s --try 60\n"
	       "  towpath confirm\n",
	       init->policy_file);
}

static char *put_text(struct init *init, struct err *err)
{
	char *text;

	init->text.first = &init->first;
	init->text.node = init->node;
	init->text.peer = init->peer;
	init->text.key_file = init->key_file;
	text = first_policy(&init->text);
	if (!text)
		err_set(err, -ENOMEM, "out of memory");
	return text;
}

static int do_init(struct init *init, const struct args *args)
{
	char *text = NULL;
	struct err err;
	int status;
	int r = take_names(init, args, &err);

	if (!r)
		r = refuse_existing(init, &err);
	if (!r)
		r = look_around(init, args, &err);
	if (!r)
		r = take_keys(init, args, &err);
	if (!r)
		text = put_text(init, &err);
	if (!text) {
		log_error("init: %s", err.text);
		return EXIT_FAILED;
	}
	status = write_checked(init, args, text);
	if (status == EXIT_DONE)
		say_next(init);
	return status;
}

int cmd_init(const struct args *args)
{
	struct init init = { 0 };
	int status = do_init(&init, args);

	facts_free(&init.facts);
	first_free(&init.first);
	free(init.key_file);
	free(init.peer_key_file);
	return status;
}
