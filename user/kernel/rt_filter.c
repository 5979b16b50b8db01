// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/rt_filter.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
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

static const uint32_t parents[] = {
	[RT_FILTER_INGRESS] = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
	[RT_FILTER_EGRESS] = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS),
};

static struct nlmsghdr *put_request(union nl_message *msg, uint32_t ifindex, uint32_t parent)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(msg->bytes);
	struct tcmsg *tc;

	header->nlmsg_type = RTM_GETTFILTER;
	tc = mnl_nlmsg_put_extra_header(header, sizeof(*tc));
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = parent;
	return header;
}

static int count_of_parent(struct nl *nl, uint32_t ifindex, uint32_t parent, struct err *err)
{
	union nl_message msg;
	int count = 0, r;
	const struct nl_reader reader = { count_filter, restart, &count };

	r = nl_dump(nl, put_request(&msg, ifindex, parent), &reader, err);
	return r ? r : count;
}

int rt_filter_count(uint32_t ifindex, struct err *err)
{
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

struct ahead {
	uint16_t priority; /* of ours */
	uint32_t handle;
	uint16_t first; /* of somebody's that the dump has shown; 0: none */
	bool met;       /* ours, behind which nothing counts */
};

/* In the order that packets meet them. Handle 0 stands for all of one priority. */
static int note_ahead(const struct nlmsghdr *msg, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(msg);
	struct ahead *ahead = data;
	uint16_t priority;

	if (msg->nlmsg_type != RTM_NEWTFILTER || mnl_nlmsg_get_payload_len(msg) < sizeof(*tc))
		return 0;
	priority = (uint16_t)(TC_H_MAJ(tc->tcm_info) >> 16);
	if (!tc->tcm_handle || ahead->met)
		return 0;
	if (priority == ahead->priority && tc->tcm_handle == ahead->handle)
		ahead->met = true;
	else if (!ahead->first)
		ahead->first = priority;
	return 0;
}

static void restart_ahead(void *data)
{
	struct ahead *ahead = data;

	ahead->first = 0;
	ahead->met = false;
}

int rt_filter_ahead(uint32_t ifindex, enum rt_filter_way way, uint16_t priority, uint32_t handle,
		    struct err *err)
{
	struct ahead ahead = { .priority = priority, .handle = handle };
	const struct nl_reader reader = { note_ahead, restart_ahead, &ahead };
	AUTO_NL struct nl *nl = NULL;
	union nl_message msg;
	struct nlmsghdr *header = put_request(&msg, ifindex, parents[way]);
	int r = nl_open(NETLINK_ROUTE, &nl, err);

	mnl_attr_put_u32(header, TCA_CHAIN,
			 0); /* into the others only a filter of this one leads */
	if (!r)
		r = nl_dump(nl, header, &reader, err);
	if (r)
		return err_wrap(err, r, "list tc filters");
	return ahead.met ? ahead.first : 0;
}
