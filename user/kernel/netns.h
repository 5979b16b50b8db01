/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The network namespace of tunnel.netns, beside the one that towpath was started in. All that
 * belongs to the tunnel's device is done inside; only what makes the device stands outside, so
 * that WireGuard's UDP socket does.
 */
#ifndef TP_KERNEL_NETNS_H
#define TP_KERNEL_NETNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Two descriptors, or -1 and -1: the device is where we are, and to enter does nothing. */
struct netns {
	int home;
	int there;
};

#define NETNS_HOME ((struct netns){ .home = -1, .there = -1 })

/* name: below /run/netns, or an absolute path. -ENOENT when no namespace is there (any more). */
int netns_open(const char *name, struct netns *out, struct err *err);
void netns_close(struct netns *netns);
bool netns_is_home(const struct netns *netns);

/* The calling thread; each is undone by the other. */
int netns_enter(const struct netns *netns, struct err *err);
void netns_leave(const struct netns *netns);

/* Another namespace of that name has another; compared while something holds the first one. */
struct netns_id {
	uint64_t device;
	uint64_t inode; /* 0: there is none */
};

void netns_identify(const char *name, struct netns_id *out);

#endif
