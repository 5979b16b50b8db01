// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/try_before.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/pipeline.h"
#include "cmd/saved.h"
#include "cmd/snapshot.h"
#include "cmd/steps.h"

void try_before_free(struct try_before *before)
{
	struct facts_host *host;

	free(before->text);
	gather_keys_free(&before->keys);
	array_for_each(host, &before->hosts)
		free(host->host);
	array_clear(&before->hosts);
	array_clear(&before->seen.peers);
	*before = (struct try_before){ 0 };
}

/* Lends the text to p, until take_back. */
static void lend(struct try_before *before, struct pipeline *p)
{
	p->file = "the policy before";
	p->text = TAKE(before->text);
	p->length = before->length;
	p->unattended = true;
	p->keys = &before->keys;
}

static void take_back(struct try_before *before, struct pipeline *p)
{
	before->text = TAKE(p->text);
	pipeline_end(p);
}

/* ---- finding it out ---- */

/* What is in force has the keys that WireGuard knows, whatever is in the files by now. */
static int note_keys(struct gather_keys *keys, const struct policy *policy,
		     const struct state *have)
{
	const struct policy_member *member;

	keys->private_key = have->tunnel.private_key;
	array_for_each(member, &policy->members) {
		const struct state_peer *peer = state_find_peer(have, member->public_key);
		struct facts_secret *added;

		if (!member->preshared_key_file || !peer || key_is_zero(&peer->preshared_key))
			continue;
		added = array_add(&keys->secrets);
		if (!added)
			return -ENOMEM;
		added->key = peer->preshared_key;
		added->path = mem_copy_string(member->preshared_key_file);
		if (!added->path)
			return -ENOMEM;
	}
	return 0;
}

/* All keys, those from files among them, and the addresses of names. */
static void keep_facts(struct try_before *before, struct facts *facts)
{
	gather_keys_free(&before->keys);
	before->keys.private_key = facts->private_key;
	memcpy(&before->keys.secrets, &facts->secrets, sizeof(facts->secrets));
	memcpy(&before->hosts, &facts->hosts, sizeof(facts->hosts));
	memset(&facts->secrets, 0, sizeof(facts->secrets));
	memset(&facts->hosts, 0, sizeof(facts->hosts));
}

/* Whatever would keep it from being put back is to be heard of while nothing has been touched. */
static int walk(struct try_before *before, const struct args *args, const struct state *have,
		struct err *err)
{
	struct pipeline p;
	int status, r = 0;

	pipeline_start(&p, args);
	lend(before, &p);
	p.quiet = p.silent = true;
	status = pipeline_read_policy(&p);
	if (status == EXIT_DONE && note_keys(&before->keys, p.policy, have)) {
		err_set(&p.failure, -ENOMEM, "out of memory");
		status = EXIT_FAILED;
	}
	if (status == EXIT_DONE)
		status = pipeline_find_self(&p);
	if (status == EXIT_DONE)
		status = pipeline_observe(&p, false);
	if (status == EXIT_DONE)
		status = pipeline_plan(&p);
	if (status == EXIT_DONE && seen_note(&before->seen, &p.want, &p.have)) {
		err_set(&p.failure, -ENOMEM, "out of memory");
		status = EXIT_FAILED;
	}
	if (status == EXIT_DONE)
		keep_facts(before, &p.facts);
	else
		r = err_set(err, -EIO, "the policy in force could not be put back: %s",
			    p.failure.code ? p.failure.text : "it is not valid any more");
	take_back(before, &p);
	return r;
}

int try_before_read(struct try_before *before, const struct args *args, struct err *err)
{
	struct snapshot snapshot;
	int status = snapshot_take(&snapshot, args, NULL, true);
	int r = 0;

	if (status == EXIT_DONE && snapshot.p.have.generation) {
		r = saved_read(args, snapshot.p.have.policy_hash, &before->text, &before->length,
			       err);
		if (r == -ENOENT)
			err_set(err, r,
				"the policy in force is not kept here, so it could not be put "
				"back; apply that one first");
		if (!r)
			r = walk(before, args, &snapshot.p.have, err);
	} else if (status != EXIT_DONE && status != EXIT_NOT_RUNNING) {
		r = err_set(err, -EIO, "%s", snapshot.p.failure.text);
	}
	snapshot_free(&snapshot);
	return r;
}

/* ---- putting it back ---- */

static enum gather_answer find_host(const void *data, const struct policy_member *member,
				    struct addr *out)
{
	const struct try_before *before = data;
	const struct facts_host *host;

	array_for_each(host, &before->hosts) {
		if (strcmp(host->host, member->endpoint->host) != 0 || addr_is_zero(&host->addr))
			continue;
		*out = host->addr;
		return GATHER_FOUND;
	}
	return GATHER_NONE;
}

static int put_back_policy(struct try_before *before, const struct args *args)
{
	const struct gather_names names = { .find = find_host, .data = before };
	struct pipeline p;
	int status;

	pipeline_start(&p, args);
	lend(before, &p);
	p.names = &names;
	p.seen = &before->seen;
	status = pipeline_read_policy(&p);
	if (status == EXIT_DONE)
		status = apply_all(&p);
	take_back(before, &p);
	return status;
}

static int put_back_nothing(const struct args *args)
{
	struct pipeline p;
	int status;

	pipeline_start(&p, args);
	p.removing = true;
	status = down_all(&p);
	pipeline_end(&p);
	return status == EXIT_NOT_RUNNING ? EXIT_DONE : status;
}

int try_before_put_back(struct try_before *before, const struct args *args)
{
	log_info("putting back what was in force");
	return before->text ? put_back_policy(before, args) : put_back_nothing(args);
}
