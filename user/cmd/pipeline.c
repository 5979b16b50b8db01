// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/pipeline.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/gather.h"
#include "cmd/home.h"
#include "kernel/bpf_fs_put.h"
#include "kernel/bpf_repin.h"
#include "kernel/bpf_rows.h"
#include "kernel/bpf_size.h"
#include "kernel/bpf_xdp.h"
#include "kernel/observe.h"
#include "model/unserved.h"
#include "model/want.h"
#include "report/check.h"

void pipeline_start(struct pipeline *p, const struct args *args)
{
	memset(p, 0, sizeof(*p));
	p->args = args;
	p->netns = NETNS_HOME;
	p->file = args->operand_count ? args->operands[0] : NULL;
}

void pipeline_end(struct pipeline *p)
{
	plan_free(&p->plan);
	state_free(&p->want);
	state_free(&p->have);
	facts_free(&p->facts);
	key_wipe(&p->private_key);
	bpf_close(&p->bpf);
	netns_close(&p->netns);
	free(p->netns_noted);
	decide_result_free(&p->tests);
	policy_free(p->policy);
	config_free(p->config);
	free(p->text);
	problems_free(&p->errors);
	problems_free(&p->warnings);
	problems_free(&p->unserved);
}

int pipeline_leave(struct pipeline *p, const struct err *err)
{
	p->failure = *err;
	if (!p->silent)
		log_error("%s: %s", p->args->command->name, err->text);
	if (err->code == -EOPNOTSUPP || err->code == -ENOSYS || err->code == -EPROTO)
		return EXIT_LACKING;
	return EXIT_FAILED;
}

static int out_of_memory(struct pipeline *p)
{
	struct err err;

	err_set(&err, -ENOMEM, "%s: out of memory", p->file);
	return pipeline_leave(p, &err);
}

static int refuse(struct pipeline *p, int status, const struct problems *problems)
{
	if (!p->quiet)
		check_print_problems(stderr, p->file, "", problems);
	return status;
}

static int read_config(struct pipeline *p)
{
	struct err err;
	int r = p->text ? 0 : file_read(p->file, POLICY_FILE_MAX, &p->text, &p->length, &err);

	if (r)
		return pipeline_leave(p, &err);
	r = config_read(p->text, p->length, &p->config, &p->errors);
	malloc_trim(0); /* the parser's tree is gone: small pieces, and what follows is large */
	if (r == -ENOMEM)
		return out_of_memory(p);
	return r ? refuse(p, EXIT_POLICY, &p->errors) : EXIT_DONE;
}

static int build_policy(struct pipeline *p)
{
	int r = policy_build(p->config, &p->policy, &p->errors);

	if (r == -ENOMEM)
		return out_of_memory(p);
	if (r)
		return refuse(p, EXIT_POLICY, &p->errors);
	if (policy_warnings(p->policy, &p->warnings) ||
	    policy_key_warnings(p->policy, time(NULL), &p->warnings) ||
	    unserved_notes(p->config, &p->warnings))
		return out_of_memory(p);
	return EXIT_DONE;
}

static int run_tests(struct pipeline *p)
{
	const struct decide_failure *failure;

	if (decide_tests(p->policy, &p->tests))
		return out_of_memory(p);
	p->tests_run = true;
	if (!p->tests.failed.count)
		return EXIT_DONE;
	if (!p->quiet)
		array_for_each(failure, &p->tests.failed)
			fprintf(stderr, "%s: %s: %s\n", p->file, failure->place, failure->message);
	return EXIT_TEST;
}

static int check_served(struct pipeline *p)
{
	if (unserved_list(p->config, &p->unserved))
		return out_of_memory(p);
	return p->unserved.count ? refuse(p, EXIT_LACKING, &p->unserved) : EXIT_DONE;
}

int pipeline_read_policy(struct pipeline *p)
{
	int status = read_config(p);

	if (status == EXIT_DONE)
		status = build_policy(p);
	if (status == EXIT_DONE)
		status = run_tests(p);
	if (status == EXIT_DONE)
		status = check_served(p);
	if (!p->quiet)
		check_print_problems(stderr, p->file, "warning: ", &p->warnings);
	return status;
}

int pipeline_find_self(struct pipeline *p)
{
	struct err err;

	if (gather_self(p->policy, p->args->node, p->keys, &p->private_key, &p->self, &err))
		return pipeline_leave(p, &err);
	return EXIT_DONE;
}

static bool is_marked(const struct facts *facts, const char *name)
{
	const struct facts_link *link = facts_find_link(facts, name);

	return link && link->ours;
}

/*
 * The mark decides, not the map, which is written last. With a policy, a marked device that it
 * does not want goes first, so that the plan removes it.
 */
static void tunnel_name(const struct pipeline *p, char out[IF_NAMESIZE])
{
	const char *expected = p->self ? p->self->node->tunnel.interface : p->have.tunnel.name;
	const char *stray = home_find_marked(&p->facts, expected);

	if (!p->self && is_marked(&p->facts, expected))
		stray = NULL; /* `down` takes strays by themselves */
	snprintf(out, IF_NAMESIZE, "%s", stray ? stray : expected);
}

static int observe_have(struct pipeline *p, const struct rt_routes *ours, struct err *err)
{
	char tunnel[IF_NAMESIZE];
	int r = 0;

	if (p->bpf_found)
		r = bpf_read_rows(&p->bpf, &p->have, err);
	if (p->home_gone)
		home_forget(&p->have);
	tunnel_name(p, tunnel);
	if (!r && tunnel[0])
		r = observe_net(&p->have, ours, p->args->instance, tunnel, err);
	if (!r && state_tell_peers(&p->have))
		r = err_set(err, -ENOMEM, "out of memory");
	if (!r)
		r = observe_lan_addresses(&p->have, err);
	if (!r && p->bpf_found)
		r = bpf_read_attachments(&p->bpf, &p->facts, &p->have, err);
	return r ? r : observe_rules(&p->have, err);
}

static int open_bpf(struct pipeline *p, bool make, struct err *err)
{
	int r = bpf_open(&p->bpf, p->args->bpffs, p->args->instance, make, err);

	p->bpf_found = !r;
	p->bpf.abi = p->removing                ? BPF_ABI_ANY
		     : p->self || p->takes_over ? BPF_ABI_KEPT
						: BPF_ABI_OURS;
	return r == -ENOENT && !make ? 0 : r; /* no bpffs: nothing of ours can be there */
}

/* First of all, or what is read would be as if half of it had never been set up. */
static int find_unpinned(struct pipeline *p, bool mend, struct err *err)
{
	size_t count;
	int r = 0;

	if (!p->bpf_found)
		return 0;
	mend = mend || p->removing;
	if (mend)
		r = bpf_fs_clear_new(p->bpf.bpffs, p->args->instance, err);
	if (r)
		return r;
	if (bpf_read_unpinned(&p->bpf, &p->have))
		return err_set(err, -ENOMEM, "out of memory");
	p->bpf.have = &p->have;
	count = p->have.unpinned.count;
	if (!count || !mend)
		return 0;
	r = bpf_repin(&p->bpf, &p->have, err);
	if (!r)
		log_warn("%s: pins of %zu maps were deleted; pinned anew", p->args->command->name,
			 count);
	return r;
}

static int observe_inside(struct pipeline *p, struct err *err)
{
	struct rt_routes ours = {};
	int r = netns_enter(&p->netns, err);

	if (r)
		return r;
	r = observe_facts(&p->facts, &ours, p->args->instance, err);
	if (!r)
		r = home_check(p, err);
	if (!r)
		r = observe_have(p, &ours, err);
	array_clear(&ours);
	if (!r)
		bpf_xdp_leave_foreign(&p->have, &p->facts);
	if (!r && bpf_fill_ids(&p->have, &p->facts))
		r = err_set(err, -ENOMEM, "out of memory");
	netns_leave(&p->netns);
	return r;
}

static int observe_sockets(struct pipeline *p, struct err *err)
{
	int r = gather_sockets(p->policy, p->self, &p->facts, err);

	if (!r || !p->repairs)
		return r;
	p->sockets = *err;
	p->facts.sockets_unknown = true;
	return 0;
}

int pipeline_observe(struct pipeline *p, bool make)
{
	struct err err;
	int r = open_bpf(p, make, &err);

	if (!r)
		r = find_unpinned(p, make, &err);
	if (!r)
		r = home_find(p, &err);
	if (!r)
		r = observe_inside(p, &err);
	if (!r && p->self) {
		p->facts.private_key = p->private_key;
		p->facts.private_key_set = true;
		r = gather_facts(p->policy, p->self, p->names, p->keys, &p->facts, &err);
	}
	if (!r && p->self)
		r = observe_sockets(p, &err);
	if (!r && p->seen && seen_tell(p->seen, &p->have, &p->facts))
		r = err_set(&err, -ENOMEM, "out of memory");
	return r ? pipeline_leave(p, &err) : EXIT_DONE;
}

/* They are left alone, which whoever reads the plan must know: they are on our device. */
static void warn_foreign(const struct pipeline *p)
{
	const struct state_tunnel *tunnel = &p->have.tunnel;
	const struct state_peer *peer, *first = NULL;
	char key[KEY_TEXT_SIZE];
	size_t count = 0;

	array_for_each(peer, &tunnel->peers)
		if (!peer->ours && !state_find_peer(&p->want, &peer->public_key) && !count++)
			first = peer;
	if (count)
		log_warn("%s: %zu foreign peer%s on %s, left alone: %s%s", p->args->command->name,
			 count, count > 1 ? "s" : "", tunnel->name,
			 key_put(key, &first->public_key), count > 1 ? ", …" : "");
}

static void ask_for_tc(struct pipeline *p)
{
	struct state_attachment *attachment;

	array_for_each(attachment, &p->want.attachments)
		attachment->tc = p->args->tc_attach;
}

int pipeline_plan(struct pipeline *p)
{
	struct problems warnings = {};
	struct err err;
	int r = want_build(p->policy, p->self, &p->facts, &p->want,
			   p->quiet ? &p->warnings : &warnings, &err);

	p->lacks_network = r == -ENODEV;
	check_print_problems(stderr, p->file, "warning: ", &warnings);
	problems_free(&warnings);
	ask_for_tc(p);
	if (!r && p->bpf_found)
		r = bpf_check_sizes(&p->bpf, &p->want, &err);
	if (!r)
		r = plan_build(&p->want, &p->have, &p->plan, &err);
	if (!r && !p->silent)
		warn_foreign(p);
	return r ? pipeline_leave(p, &err) : EXIT_DONE;
}
