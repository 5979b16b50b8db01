// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/rt_filter.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "kernel/nl.h"

/* A dump answers one message for each priority and one for each filter; both mean "not empty". */
static int count_filter(const struct nlmsghdr *msg, void *data)
{
	int *count = data;

	if (msg->nlmsg_type == RTM_NEWTFILTER)
		(*count)++;
	return 0;
}

static void restart(void *data)
{
	*(int *)data = 0;
}

static int count_of_parent(struct nl *nl, uint32_t ifindex, uint32_t parent, struct err *err)
{
	union nl_message msg;
	struct nlmsghdr *header = mnl_nlmsg_put_header(msg.bytes);
	struct tcmsg *tc;
	int count = 0, r;
	const struct nl_reader reader = { count_filter, restart, &count };

	header->nlmsg_type = RTM_GETTFILTER;
	tc = mnl_nlmsg_put_extra_header(header, sizeof(*tc));
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = parent;
	r = nl_dump(nl, header, &reader, err);
	return r ? r : count;
}

int rt_filter_count(uint32_t ifindex, struct err *err)
{
	static const uint32_t parents[] = { TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
					    TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS) };
	AUTO_NL struct nl *nl = NULL;
	int total = 0, r;
	size_t i;

	r = nl_open(NETLINK_ROUTE, &nl, err);
	for (i = 0; !r && i < ARRAY_SIZE(parents); i++) {
		int count = count_of_parent(nl, ifindex, parents[i], err);

		if (count < 0)
			r = count;
		else
			total += count;
	}
	return r ? err_wrap(err, r, "list tc filters") : total;
}
