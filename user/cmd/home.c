// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/home.h"

#include <errno.h>
#include <string.h>

#include "kernel/bpf_netns.h"
#include "kernel/bpf_rows.h"

/* A device with our mark, whatever a policy or a map calls it: a crash may have left only that. */
const char *home_find_marked(const struct facts *facts, const char *but)
{
	const struct facts_link *link;

	array_for_each(link, &facts->links)
		if (link->ours && strcmp(link->name, but) != 0)
			return link->name;
	return NULL;
}

/* Devices and sysctls of a namespace that is gone are not those of the same name here. */
void home_forget(struct state *have)
{
	struct state_sysctl *sysctl;

	array_for_each(sysctl, &have->sysctls)
		sysctl->saved = false;
	have->devices.count = 0;
}

static int refuse_netns(const struct pipeline *p, struct err *err)
{
	if (p->home_gone)
		return err_set(err, -EXDEV,
			       "instance %s was set up in network namespace %s, which is gone; "
			       "`towpath apply` or `run` will set it up in a new one, `towpath "
			       "down` removes what is left",
			       p->args->instance, p->netns_noted);
	if (!p->self && netns_is_home(&p->netns))
		return err_set(err, -EXDEV,
			       "instance %s is set up in network namespace %s, which lives on "
			       "without that name; run this inside it",
			       p->args->instance, p->netns_noted);
	return err_set(err, -EXDEV,
		       "instance %s is set up in network namespace %s; run `towpath down` before "
		       "it is set up in another one",
		       p->args->instance, p->netns_noted);
}

int home_check(struct pipeline *p, struct err *err)
{
	enum bpf_home home = BPF_HOME_HERE;
	int r = p->bpf_found ? bpf_find_home(&p->bpf, &home, err) : 0;

	p->home_gone = home == BPF_HOME_GONE && !home_find_marked(&p->facts, "");
	if (r || home == BPF_HOME_HERE || (p->home_gone && p->removing))
		return r;
	if (p->netns_noted)
		return refuse_netns(p, err);
	if (p->home_gone)
		return err_set(err, -EXDEV,
			       "instance %s was set up in a network namespace that is gone; run "
			       "`towpath down` first",
			       p->args->instance);
	return err_set(err, -EXDEV,
		       "instance %s is set up in another network namespace; run this there, or "
		       "use --instance",
		       p->args->instance);
}

/* Before anything else is read: nothing in maps of another version is where we would look. */
static int check_abi(const struct pipeline *p, struct err *err)
{
	struct tp_state state;
	int r = p->bpf_found ? bpf_read_state(&p->bpf, &state, err) : 0;

	return r == -ENOENT ? 0 : r;
}

/* One that is noted and not there any more: home_check says what there is to say. */
int home_find(struct pipeline *p, struct err *err)
{
	const char *name;
	int r = check_abi(p, err);

	if (!r && p->bpf_found)
		r = bpf_fs_read_netns(p->bpf.bpffs, p->args->instance, &p->netns_noted, err);
	name = p->self ? p->self->node->tunnel.netns : p->netns_noted;
	if (r || !name)
		return r;
	r = netns_open(name, &p->netns, err);
	p->lacks_network = r == -ENOENT && p->self;
	return r == -ENOENT && !p->self ? 0 : r;
}

static bool has_gone(struct pipeline *p)
{
	enum bpf_home home = BPF_HOME_HERE;
	struct err err;
	int r = bpf_open(&p->bpf, p->args->bpffs, p->args->instance, false, &err);

	p->bpf_found = !r;
	if (r || home_find(p, &err) || !p->netns_noted || netns_enter(&p->netns, &err))
		return false;
	r = bpf_find_home(&p->bpf, &home, &err);
	netns_leave(&p->netns);
	return !r && home == BPF_HOME_GONE;
}

bool home_is_gone(const struct args *args)
{
	struct pipeline p;
	bool gone;

	pipeline_start(&p, args);
	gone = has_gone(&p);
	pipeline_end(&p);
	return gone;
}
