// SPDX-License-Identifier: GPL-2.0-only
#include "fault.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool is_netlink(int fd)
{
	int domain = 0;
	socklen_t size = sizeof(domain);

	return !REAL(getsockopt)(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) && domain == AF_NETLINK;
}

/* Of the dump that is being read; one question is asked at a time. */
static struct {
	unsigned long count;
	bool spoiled; /* its turn */
	bool lost;    /* its ENOBUFS was given */
} dump;

static bool netlink_is(const char *what, int fd)
{
	const char *wanted = getenv("FAULT_NETLINK");

	return wanted && !strcmp(wanted, what) && is_netlink(fd);
}

/* A signal came, and the call is to be made again. */
static bool is_interrupted(const char *name, int fd)
{
	static bool again;

	if (!netlink_is("signal", fd))
		return false;
	again = !again;
	if (again) {
		fault_note(name, true);
		errno = EINTR;
	}
	return again;
}

static void begin_dump(const struct nlmsghdr *header, size_t length)
{
	bool always = getenv("FAULT_NETLINK_ALWAYS");

	if (length < sizeof(*header))
		return;
	dump.lost = false;
	dump.spoiled =
		(header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP && (++dump.count % 2 || always);
}

/* The kernel had no memory for the next part, which stays where it is. */
static bool is_lost(int fd)
{
	if (!dump.spoiled || !((!dump.lost && netlink_is("lost", fd)) || netlink_is("starved", fd)))
		return false;
	dump.lost = true;
	fault_note("lost", true);
	errno = ENOBUFS;
	return true;
}

static void mark_interrupted(int fd, const struct msghdr *message, ssize_t length)
{
	struct nlmsghdr *header = message->msg_iov->iov_base;
	int left = (int)length;

	if (!dump.spoiled || !netlink_is("interrupted", fd))
		return;
	for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left))
		header->nlmsg_flags |= NLM_F_DUMP_INTR;
	fault_note("interrupted", true);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t length;

	if (fault_is_next("recvmsg") || is_interrupted("recvmsg", fd) || is_lost(fd))
		return -1;
	length = REAL(recvmsg)(fd, message, flags);
	if (length > 0)
		mark_interrupted(fd, message, length);
	return length;
}

/* The message, if it is one to that protocol of netlink. */
static const struct nlmsghdr *message_to(int wanted, int fd, const void *data, size_t length)
{
	int domain = 0, protocol = 0;
	socklen_t size = sizeof(int);

	return length >= sizeof(struct nlmsghdr) &&
			       !REAL(getsockopt)(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) &&
			       domain == AF_NETLINK &&
			       !REAL(getsockopt)(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) &&
			       protocol == wanted
		       ? data
		       : NULL;
}

/* A family of generic netlink may have the same number. */
static bool is_about_rules(int fd, const void *data, size_t length)
{
	const struct nlmsghdr *header = message_to(NETLINK_ROUTE, fd, data, length);

	return header && header->nlmsg_type >= RTM_NEWRULE && header->nlmsg_type <= RTM_GETRULE;
}

/* RTM_NEW... and RTM_SET...: of four types each, the first and the last. */
static bool is_addition(int fd, const void *data, size_t length)
{
	const struct nlmsghdr *header = message_to(NETLINK_ROUTE, fd, data, length);

	return header && header->nlmsg_type >= RTM_BASE &&
	       (header->nlmsg_type % 4 == 0 || header->nlmsg_type % 4 == 3);
}

/* By the kernel's generic netlink, or in the words of a userspace implementation. */
static bool is_about_peers(int fd, const void *data, size_t length)
{
	static const char words[] = "set=1";
	const struct nlmsghdr *header = message_to(NETLINK_GENERIC, fd, data, length);

	if (header)
		return header->nlmsg_type > GENL_ID_CTRL && length >= NLMSG_LENGTH(GENL_HDRLEN) &&
		       ((const struct genlmsghdr *)NLMSG_DATA(header))->cmd == WG_CMD_SET_DEVICE;
	return length >= strlen(words) && !memcmp(data, words, strlen(words));
}

/* What is sent would put something back, and is not to. */
static bool is_held(int fd, const void *data, size_t length)
{
	if (!getenv("FAULT_HELD") || !fault_is_now() ||
	    (!is_addition(fd, data, length) && !is_about_peers(fd, data, length)))
		return false;
	errno = EPERM;
	return true;
}

/* The way of libbpf to netlink, and ours to a userspace WireGuard. */
ssize_t send(int fd, const void *data, size_t length, int flags)
{
	if (fault_is_next("send") || is_held(fd, data, length))
		return -1;
	return REAL(send)(fd, data, length, flags);
}

/* libmnl's way to netlink. */
ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to,
	       socklen_t to_length)
{
	if (fault_is_next("sendto") || is_interrupted("sendto", fd) || is_held(fd, data, length))
		return -1;
	if (is_netlink(fd))
		begin_dump(data, length);
	if (getenv("FAULT_NO_RULES") && is_about_rules(fd, data, length)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return REAL(sendto)(fd, data, length, flags, to, to_length);
}
