/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rtnetlink messages from and to our structs. Pure: no socket here.
 *
 * The put functions return the message, which begins at buf, or NULL when size is too small. buf
 * is aligned as struct nlmsghdr. The read functions return 0, -EBADMSG when the message is not
 * what it claims to be, or -EAFNOSUPPORT for an object that our form cannot hold (another
 * family, an IPv4-mapped IPv6 address), which the caller passes over.
 */
#ifndef TP_KERNEL_RT_CODEC_H
#define TP_KERNEL_RT_CODEC_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/facts.h"
#include "model/state.h"

#define RT_ALIAS_SIZE 256 /* IFALIASZ */

struct rt_link {
	struct facts_link facts; /* ours and xdp.name are not filled */
	char alias[RT_ALIAS_SIZE];
	uint32_t group;
};

struct rt_addr {
	struct facts_addr facts;
	uint8_t family;
	uint8_t protocol; /* TP_RTPROT: we put it on a LAN device */
	uint32_t flags;   /* IFA_F_* */
};

struct rt_route {
	struct facts_route facts;
	uint32_t table;
	uint32_t mtu; /* locked; 0: none, or not locked */
	uint8_t family;
};

/* Where a packet would leave. */
struct rt_path {
	uint32_t ifindex;
	struct addr source;  /* zero: the kernel has none to offer */
	struct addr gateway; /* zero: the destination is on the link */
	bool local;          /* it is an address of this machine */
};

/* What to change of a link; zeroed members are left as they are. */
struct rt_link_change {
	const char *alias;
	bool reset_group; /* to 0 */
	uint32_t mtu;
	bool up;
};

struct nlmsghdr *rt_put_link_dump(void *buf, size_t size);
struct nlmsghdr *rt_put_link_get(void *buf, size_t size, const char *name);
struct nlmsghdr *rt_put_link_add(void *buf, size_t size, const char *name, const char *kind,
				 uint32_t group);
struct nlmsghdr *rt_put_link_change(void *buf, size_t size, uint32_t ifindex,
				    const struct rt_link_change *change);
/* Adds to a link's message, which may be NULL: the device is made in, or moved to, that netns. */
struct nlmsghdr *rt_put_link_netns(struct nlmsghdr *msg, size_t size, int netns_fd);
struct nlmsghdr *rt_put_link_remove(void *buf, size_t size, uint32_t ifindex);

struct nlmsghdr *rt_put_addr_dump(void *buf, size_t size);
/* addr as a host prefix on a device. */
struct nlmsghdr *rt_put_addr_add(void *buf, size_t size, uint32_t ifindex, const struct addr *addr);
/*
 * The same on a LAN device, marked as ours: answered for, and never chosen as a source by the
 * kernel itself.
 */
struct nlmsghdr *rt_put_lan_addr_add(void *buf, size_t size, uint32_t ifindex,
				     const struct addr *addr);
struct nlmsghdr *rt_put_addr_remove(void *buf, size_t size, uint32_t ifindex,
				    const struct addr *addr);

struct nlmsghdr *rt_put_route_dump(void *buf, size_t size, uint8_t family, uint32_t table);
/* flags: NLM_F_EXCL or NLM_F_REPLACE beside the NLM_F_CREATE that is always there. */
struct nlmsghdr *rt_put_route_add(void *buf, size_t size, uint32_t ifindex,
				  const struct state_route *route, uint16_t flags);
struct nlmsghdr *rt_put_route_remove(void *buf, size_t size, uint32_t ifindex,
				     const struct state_route *route);
struct nlmsghdr *rt_put_route_lookup(void *buf, size_t size, const struct addr *to);

/* A table that a rule leads packets to, be it all of them or some; not for l3mdev. */
struct rt_table {
	uint8_t family;
	uint32_t id;
	uint32_t priority; /* of the rule; the lower, the earlier */
};

/* Rules for all packets of a family, with our protocol. */
struct nlmsghdr *rt_put_rule_dump(void *buf, size_t size, uint8_t family);
struct nlmsghdr *rt_put_rule_add(void *buf, size_t size, const struct state_rule *rule);
struct nlmsghdr *rt_put_rule_remove(void *buf, size_t size, const struct state_rule *rule);

int rt_read_link(const struct nlmsghdr *msg, struct rt_link *out);
int rt_read_addr(const struct nlmsghdr *msg, struct rt_addr *out);
int rt_read_route(const struct nlmsghdr *msg, struct rt_route *out);
/* -ENOENT for one that is not ours. */
int rt_read_rule(const struct nlmsghdr *msg, struct state_rule *out);
/* Whose ever rule it is; -ENOENT for one that leads to no table. */
int rt_read_table(const struct nlmsghdr *msg, struct rt_table *out);
/* The answer to a lookup. */
int rt_read_path(const struct nlmsghdr *msg, struct rt_path *out);

#endif
