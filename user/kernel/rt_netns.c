// SPDX-License-Identifier: GPL-2.0-only
/* Links that are to be in another network namespace. */
#include <errno.h>
#include <linux/netlink.h>

#include "kernel/nl.h"
#include "kernel/rt.h"

/* NULL: it did not fit. */
static int request(struct nl *nl, struct nlmsghdr *msg, int netns_fd, struct err *err)
{
	msg = rt_put_link_netns(msg, sizeof(union nl_message), netns_fd);
	return msg ? nl_request(nl, msg, err) : err_sys(err, -EMSGSIZE, "netlink");
}

int rt_add_link_into(struct nl *nl, int netns_fd, const char *name, const char *kind,
		     struct err *err)
{
	union nl_message buf;
	struct nlmsghdr *msg = rt_put_link_add(&buf, sizeof(buf), name, kind, RT_GROUP_UNFINISHED);
	int r = request(nl, msg, netns_fd, err);

	return r ? err_wrap(err, r, "create %s device %s in another network namespace", kind, name)
		 : 0;
}

int rt_move_link(struct nl *nl, const struct rt_link *link, int netns_fd, struct err *err)
{
	const struct rt_link_change nothing = { 0 };
	union nl_message buf;
	struct nlmsghdr *msg = rt_put_link_change(&buf, sizeof(buf), link->facts.ifindex, &nothing);
	int r = request(nl, msg, netns_fd, err);

	return r ? err_wrap(err, r, "move device %s to its network namespace", link->facts.name)
		 : 0;
}
