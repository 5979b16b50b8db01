// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/rt_rule.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "kernel/nl.h"
#include "kernel/rt_codec.h"
#include "towpath/layout.h"

static int take_rule(const struct nlmsghdr *msg, void *data)
{
	struct rt_rules *rules = data;
	struct state_rule *added;
	struct state_rule rule;
	int r = rt_read_rule(msg, &rule);

	if (r)
		return r == -ENOENT || r == -EAFNOSUPPORT ? 0 : r;
	added = array_add(rules);
	if (!added)
		return -ENOMEM;
	*added = rule;
	return 0;
}

static void forget_rules(void *data)
{
	struct rt_rules *rules = data;

	array_clear(rules);
}

static int lacks_rules(bool v6, struct err *err)
{
	return err_set(err, -EOPNOTSUPP, "this kernel has no policy routing for IPv%d (%s)",
		       v6 ? 6 : 4,
		       v6 ? "CONFIG_IPV6_MULTIPLE_TABLES" : "CONFIG_IP_MULTIPLE_TABLES");
}

/* Of both families, whose ever they are; -EOPNOTSUPP: the kernel has none for any. */
static int dump(struct nl *nl, const struct nl_reader *reader, struct err *err)
{
	union nl_message buf;
	struct nlmsghdr *msg = rt_put_rule_dump(&buf, sizeof(buf), AF_UNSPEC);
	int r = msg ? nl_dump(nl, msg, reader, err) : err_sys(err, -EMSGSIZE, "netlink");

	if (r == -EOPNOTSUPP)
		lacks_rules(false, err);
	return r ? err_wrap(err, r, "list rules of policy routing") : 0;
}

int rt_dump_rules(struct nl *nl, struct rt_rules *out, struct err *err)
{
	const struct nl_reader reader = { .read = take_rule, .restart = forget_rules, .data = out };

	return dump(nl, &reader, err);
}

struct tables_dump {
	uint32_t priority;
	struct rt_tables *out;
};

static bool is_known(const struct rt_tables *tables, const struct rt_table *table)
{
	const struct rt_table *known;

	array_for_each(known, tables)
		if (known->family == table->family && known->id == table->id)
			return true;
	return false;
}

/* Those that each machine has a rule for, the last of them for nothing; and ours. */
static bool is_everybodys(uint32_t table)
{
	return table == RT_TABLE_LOCAL || table == RT_TABLE_MAIN || table == RT_TABLE_DEFAULT ||
	       table == TP_RT_TABLE;
}

static int take_table(const struct nlmsghdr *msg, void *data)
{
	struct tables_dump *dump = data;
	struct rt_table table, *added;
	int r = rt_read_table(msg, &table);

	if (r)
		return r == -ENOENT || r == -EAFNOSUPPORT ? 0 : r;
	if (table.priority <= dump->priority || is_everybodys(table.id) ||
	    is_known(dump->out, &table))
		return 0;
	added = array_add(dump->out);
	if (!added)
		return -ENOMEM;
	*added = table;
	return 0;
}

static void forget_tables(void *data)
{
	array_clear(((struct tables_dump *)data)->out);
}

int rt_dump_tables_behind(struct nl *nl, uint32_t priority, struct rt_tables *out, struct err *err)
{
	struct tables_dump tables = { .priority = priority, .out = out };
	const struct nl_reader reader = { .read = take_table,
					  .restart = forget_tables,
					  .data = &tables };
	int r = dump(nl, &reader, err);

	return r == -EOPNOTSUPP ? 0 : r;
}

static int request(struct nl *nl, struct nlmsghdr *msg, struct err *err)
{
	return msg ? nl_request(nl, msg, err) : err_sys(err, -EMSGSIZE, "netlink");
}

int rt_add_rule(struct nl *nl, const struct state_rule *rule, struct err *err)
{
	union nl_message buf;
	int r = request(nl, rt_put_rule_add(&buf, sizeof(buf), rule), err);

	if (!r || r == -EEXIST) /* adding twice is how we converge */
		return 0;
	if (r == -EAFNOSUPPORT)
		r = lacks_rules(rule->v6, err);
	return err_wrap(err, r, "add the rule at %u for IPv%d", rule->priority, rule->v6 ? 6 : 4);
}

int rt_remove_rule(struct nl *nl, const struct state_rule *rule, struct err *err)
{
	union nl_message buf;
	int r = request(nl, rt_put_rule_remove(&buf, sizeof(buf), rule), err);

	if (!r || r == -ENOENT) /* gone is what was wanted */
		return 0;
	return err_wrap(err, r, "remove the rule at %u for IPv%d", rule->priority,
			rule->v6 ? 6 : 4);
}
