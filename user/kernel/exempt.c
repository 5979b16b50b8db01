// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/exempt.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_netns.h"
#include "kernel/netns_walk.h"

#define NAMED "/run/netns"

/* One search: what is looked for, and what has been found. */
struct search {
	struct netns_walk walk;
	const struct exempt_rule *rules;
	size_t count;
	struct netns_id *ids; /* one a rule that names a namespace; else zero */
	struct exempt_rows *out;
};

static bool has_device(const char *glob)
{
	struct if_nameindex *devices = if_nameindex(), *device;
	bool found = false;

	for (device = devices; !found && device && device->if_index; device++)
		found = !fnmatch(glob, device->if_name, 0);
	if_freenameindex(devices);
	return found;
}

/* From inside the namespace. NULL: no rule is about it. */
static const struct exempt_rule *find_rule(const struct search *search, const struct netns_id *id)
{
	for (size_t i = 0; i < search->count; i++) {
		const struct exempt_rule *rule = &search->rules[i];

		if (rule->why == TP_EXEMPT_INTERFACE ? has_device(rule->what)
						     : netns_id_is_equal(&search->ids[i], id))
			return rule;
	}
	return NULL;
}

/* Cut to what fits: it is for people. */
static void put_text(char out[TP_NAME_SIZE], const char *text)
{
	size_t length = strnlen(text, TP_NAME_SIZE - 1);

	memcpy(out, text, length);
}

static int add_row(struct search *search, const struct exempt_rule *rule, const char *name)
{
	struct exempt_row *row = array_add(search->out);

	if (!row)
		return -ENOMEM;
	row->cookie = bpf_netns_cookie();
	row->exempt.why = rule->why;
	put_text(row->exempt.what, rule->what);
	put_text(row->exempt.netns, name);
	return 0;
}

static int look_inside(void *data, const struct netns_id *id, const char *name)
{
	struct search *search = data;
	const struct exempt_rule *rule = find_rule(search, id);

	return rule ? add_row(search, rule, name) : 0;
}

static const char *put_path(char out[PATH_MAX], const struct exempt_rule *rule)
{
	if (rule->why == TP_EXEMPT_PID)
		snprintf(out, PATH_MAX, "/proc/%s/ns/net", rule->what);
	else
		snprintf(out, PATH_MAX, "%s%s", rule->what[0] == '/' ? "" : NAMED "/", rule->what);
	return out;
}

/* Those that are named, first; those that a device decides have to be searched for. */
static int search_all(struct search *search)
{
	bool by_device = false;
	size_t i;
	int r = 0;

	for (i = 0; i < search->count; i++) {
		char path[PATH_MAX];

		if (search->rules[i].why == TP_EXEMPT_INTERFACE)
			by_device = true;
		else
			netns_identify(put_path(path, &search->rules[i]), &search->ids[i]);
	}
	for (i = 0; !r && i < search->count; i++) {
		const struct exempt_rule *rule = &search->rules[i];
		char path[PATH_MAX];

		if (search->ids[i].inode)
			r = netns_walk_path(&search->walk, put_path(path, rule),
					    rule->why == TP_EXEMPT_PID ? "" : rule->what);
	}
	if (!r && by_device)
		r = netns_walk_named(&search->walk);
	return r || !by_device ? r : netns_walk_processes(&search->walk);
}

int exempt_find(const struct exempt_rule *rules, size_t count, struct exempt_rows *out,
		struct err *err)
{
	AUTO_FREE struct netns_id *ids = mem_alloc(count, sizeof(*ids));
	struct search search = { .rules = rules, .count = count, .ids = ids, .out = out };
	int r;

	search.walk = (struct netns_walk){ .visit = look_inside, .data = &search, .home = -1 };
	r = ids ? netns_walk_open(&search.walk) : -ENOMEM;
	if (!r)
		r = search_all(&search);
	netns_walk_close(&search.walk);
	if (r)
		return err_sys(err, r, "look for network namespaces to exempt");
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), exempt_compare);
	return 0;
}
