// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/exempts.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

/* Takes the word, which is NULL when memory is out. */
static int add(struct exempts *exempts, enum tp_exempt_why why, char *what)
{
	struct exempt_rule *rule = what ? array_add(exempts) : NULL;

	if (!rule) {
		free(what);
		return -ENOMEM;
	}
	*rule = (struct exempt_rule){ why, what };
	return 0;
}

static int add_entry(struct exempts *exempts, const struct config_exempt *entry)
{
	if (entry->netns)
		return add(exempts, TP_EXEMPT_NETNS, mem_copy_string(entry->netns));
	if (entry->interface)
		return add(exempts, TP_EXEMPT_INTERFACE, mem_copy_string(entry->interface));
	return add(exempts, TP_EXEMPT_PID, mem_format("%u", entry->pid));
}

int exempts_read(const struct policy *policy, const struct policy_member *self, struct exempts *out)
{
	const struct config_exempt *entry;
	int r = 0;

	if (self->node->tunnel.netns)
		r = add(out, TP_EXEMPT_TUNNEL, mem_copy_string(self->node->tunnel.netns));
	array_for_each(entry, &policy->config->socket_lb.exempt)
		if (!r)
			r = add_entry(out, entry);
	return r;
}

void exempts_free(struct exempts *exempts)
{
	struct exempt_rule *rule;

	array_for_each(rule, exempts)
		free(rule->what);
	array_clear(exempts);
}

int exempts_find(const struct policy *policy, const struct policy_member *self,
		 struct exempt_rows *out, struct err *err)
{
	struct exempts exempts = { 0 };
	int r = exempts_read(policy, self, &exempts);

	if (r)
		r = err_sys(err, r, "look for network namespaces to exempt");
	else if (exempts.count)
		r = exempt_find(exempts.items, exempts.count, out, err);
	exempts_free(&exempts);
	return r;
}
