// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/rt_monitor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "towpath/layout.h"

/* Nothing that we read is beyond the first attributes; a link with all its VFs is longer. */
#define RECEIVE_SIZE 8192
/* At one go: who else waits in the loop shall have a turn. */
#define READ_MAX 256

static const int groups[] = {
	RTNLGRP_LINK,         RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_RULE,
	RTNLGRP_IPV6_RULE,    RTNLGRP_IPV4_ROUTE,  RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_NETCONF,
	RTNLGRP_IPV6_NETCONF, RTNLGRP_TC,          RTNLGRP_NSID,
};

/*
 * What another table gets or loses is dropped before it wakes us, unless that matters. A filter
 * reads in network byte order, netlink writes in the machine's; in a notification there is one
 * message.
 */
static int filter_tables(int fd, bool others)
{
	const uint32_t type = offsetof(struct nlmsghdr, nlmsg_type);
	const uint32_t table = NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_table);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, type),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, table),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RT_TABLE_MAIN, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TP_RT_TABLE, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RT_TABLE_LOCAL, 0, others ? 1 : 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int join(int fd)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };

	if (filter_tables(fd, false) || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])))
			return -errno;
	return 0;
}

int rt_monitor_open(int *fd, struct err *err)
{
	AUTO_CLOSE int opened =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int r = opened < 0 ? -errno : join(opened);

	if (r)
		return err_sys(err, r, "listen for changes of the network");
	*fd = mem_take_fd(&opened);
	return 0;
}

int rt_monitor_set_others(int fd, bool others, struct err *err)
{
	return filter_tables(fd, others) ? err_sys(err, -errno, "choose what the kernel tells") : 0;
}

static unsigned int read_messages(const struct nlmsghdr *msg, int left)
{
	unsigned int changes = 0;

	for (; mnl_nlmsg_ok(msg, left); msg = mnl_nlmsg_next(msg, &left))
		changes |= rt_read_change(msg);
	return changes;
}

unsigned int rt_monitor_read(int fd)
{
	union {
		struct nlmsghdr header;
		char bytes[RECEIVE_SIZE];
	} received;
	unsigned int changes = 0;
	int i;

	for (i = 0; i < READ_MAX; i++) {
		struct sockaddr_nl from = { 0 };
		socklen_t length = sizeof(from);
		ssize_t n = recvfrom(fd, &received, sizeof(received), MSG_TRUNC,
				     (struct sockaddr *)&from, &length);

		if (n < 0 && errno == ENOBUFS)
			changes |= RT_CHANGE_LOST;
		else if (n < 0 && errno != EINTR)
			break; /* EAGAIN: that was all */
		else if (n > (ssize_t)sizeof(received))
			changes |= RT_CHANGE_LINK; /* nothing else is that long */
		else if (n > 0 && !from.nl_pid)    /* another process may send to us */
			changes |= read_messages(&received.header, (int)n);
	}
	return changes;
}
