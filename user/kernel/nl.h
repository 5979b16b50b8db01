/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A netlink socket: one question at a time, and the kernel's own words when it refuses.
 *
 * Whatever fails leaves err as "<what the kernel says> (<errno in words>)", for the caller to
 * wrap with what it was doing.
 */
#ifndef TP_KERNEL_NL_H
#define TP_KERNEL_NL_H

#include <linux/netlink.h>
#include <stdint.h>

#include "base/err.h"

#define NL_MESSAGE_SIZE 16384

/* Room for a message that we send, aligned as netlink wants it. */
union nl_message {
	struct nlmsghdr header;
	char bytes[NL_MESSAGE_SIZE];
};

struct nl;

/* Who takes the messages of an answer. */
struct nl_reader {
	/* 0 or a negative errno, which becomes the result once the answer has ended. */
	int (*read)(const struct nlmsghdr *msg, void *data);
	/* The dump begins again: forget what read was given. NULL where there is no dump. */
	void (*restart)(void *data);
	void *data;
};

/* bus is NETLINK_ROUTE or NETLINK_GENERIC. Belongs to the netns the caller is in now. */
int nl_open(int bus, struct nl **out, struct err *err);
void nl_close(struct nl *nl); /* NULL is fine */

/* For AUTO_NL struct nl *nl = NULL; */
void nl_close_ptr(struct nl **nl);
#define AUTO_NL __attribute__((cleanup(nl_close_ptr)))

/* Sends msg and waits until the kernel has done it. Sets sequence number and flags of msg. */
int nl_request(struct nl *nl, struct nlmsghdr *msg, struct err *err);
/* The same, for a request that is answered with one message. */
int nl_get(struct nl *nl, struct nlmsghdr *msg, const struct nl_reader *reader, struct err *err);
/*
 * Everything there is. Begins again when the tables changed meanwhile or a part was lost, and
 * gives up with -EAGAIN when they never stand still, with -ENOBUFS when the kernel has no memory.
 */
int nl_dump(struct nl *nl, struct nlmsghdr *msg, const struct nl_reader *reader, struct err *err);

/* The number of a generic netlink family; -ENOENT when the kernel has none (loads modules). */
int nl_genl_family(struct nl *nl, const char *name, uint16_t *family, struct err *err);

#endif
