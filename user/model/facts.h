/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the machine is like apart from towpath: input of the model, found by kernel/observe.c or
 * read from a golden file. Nothing here is of our making.
 */
#ifndef TP_MODEL_FACTS_H
#define TP_MODEL_FACTS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/array.h"
#include "model/intern.h"
#include "secret/key.h"
#include "model/services.h"
#include "towpath/layout.h"

/* The XDP program on a device. */
struct facts_xdp {
	uint32_t program; /* its id; 0: there is none */
	bool native;      /* the driver or the card runs it, not the generic code in the kernel */
	char name[16];    /* for people; "unnamed" when the kernel does not tell */
};

struct facts_link {
	char name[IF_NAMESIZE];
	uint32_t ifindex;
	uint32_t mtu;
	bool up;
	bool loopback;
	bool ethernet; /* ARPHRD_ETHER */
	bool ours;     /* alias names this instance: we made it */
	char kind[16]; /* IFLA_INFO_KIND: "veth", "tun", "wireguard", …; "" = none */
	/*
	 * Something on a bus is behind it: a card, or virtio. Not so with veth, tun, bridges, VLANs
	 * and the like.
	 */
	bool hardware;
	struct facts_xdp xdp; /* somebody else's */
	uint8_t mac[6];
};

struct facts_addr {
	uint32_t ifindex;
	struct addr addr;
	uint8_t len; /* of the connected prefix, in the 16-byte form */
	/* those with TP_RTPROT are ours and do not appear here */
	bool temporary;  /* IFA_F_TEMPORARY or IFA_F_DEPRECATED or IFA_F_TENTATIVE: not for SNAT */
	bool link_scope; /* RT_SCOPE_LINK or narrower */
};

struct facts_route {
	struct prefix prefix;
	uint32_t ifindex;    /* 0: blackhole and the like, or multipath */
	struct addr gateway; /* zero: connected */
	struct addr prefsrc; /* zero: none */
	uint32_t metric;
	uint32_t table;   /* 0: main; TP_RT_TABLE: somebody's among those of the mesh */
	uint8_t protocol; /* RTPROT_*; TP_RTPROT: of another instance */
	uint8_t type;     /* RTN_* */
};

#define FACTS_ROUTE_LEADS 1 /* RTN_UNICAST: somewhere, unlike a blackhole */

/* A sysctl's value, path below /proc/sys with slashes ("net/ipv4/conf/eth0/forwarding"). */
struct facts_sysctl {
	char path[96];
	int32_t value;
};

/* Which tp_peer_info row a public key already has, so that counters keep their owner. */
struct facts_id {
	struct key public_key;
	uint32_t id;
};

/* Which tp_route_info row a (prefix, node) already has. */
struct facts_route_id {
	struct prefix prefix;
	uint32_t node; /* number of its name in facts.nodes */
	uint32_t id;
};

/* Which tp_backends row a service already has. */
struct facts_service_id {
	char name[TP_NAME_SIZE];
	uint32_t id;
};

/* A backend that was found dead, which outlives the daemon that found it. */
struct facts_dead {
	char service[TP_NAME_SIZE];
	struct tp_addr backend;
};

/* How the kernel can run a program before those of others. */
enum facts_order {
	FACTS_ORDER_UNKNOWN, /* nobody needs it, or it could not be found out */
	FACTS_ORDER_FIRST,   /* in the cgroup itself, BPF_F_PREORDER */
	FACTS_ORDER_BELOW,   /* in the cgroups below alone */
	FACTS_ORDER_SHUT,    /* another's lets none run beside it, and nobody but probes needs it */
};

/* The cgroup that the policy's socket load balancer belongs in. */
struct facts_cgroup {
	uint64_t id; /* 0: the policy wants none */
	char path[TP_CGROUP_SIZE];
	enum facts_order order;
	bool holds_us; /* and none below it does */
};

/* What a DNS name of an endpoint resolved to; looked up in cmd/. */
struct facts_host {
	char *host;
	struct addr addr; /* zero: did not resolve */
	bool pending;     /* it is still being looked up; its peer is told when it is known */
};

/* A preshared key file that was read. */
struct facts_secret {
	char *path;
	struct key key;
};

/*
 * Where a peer that WireGuard has no more was last seen, under that word of the policy (see
 * state_peer.said).
 */
struct facts_seen {
	struct key public_key;
	struct endpoint endpoint;
	uint32_t said;
};

struct facts {
	ARRAY_OF(struct facts_link) links;
	ARRAY_OF(struct facts_addr) addrs;
	ARRAY_OF(struct facts_route) routes; /* main table, and what others put into ours */
	/*
	 * Of tables that are asked only where ours has nothing, whichever packets their rules are
	 * for; no default routes.
	 */
	ARRAY_OF(struct facts_route) behind;
	bool asks_behind; /* there are such tables */
	ARRAY_OF(struct facts_sysctl) sysctls;
	ARRAY_OF(struct facts_id) peer_ids;
	ARRAY_OF(struct facts_route_id) route_ids;
	struct intern nodes; /* names of route_ids, without a NUL */
	ARRAY_OF(struct facts_service_id) service_ids;
	ARRAY_OF(struct facts_dead) dead;
	struct exempt_rows exempt; /* network namespaces that the policy exempts, as far as found */
	struct facts_cgroup cgroup;
	bool sockets_unknown;  /* neither of these could be found out */
	bool closes_sockets;   /* the kernel can close sockets of others for us */
	uint64_t netns_cookie; /* of the one that towpath runs in */
	ARRAY_OF(struct facts_host) hosts;
	ARRAY_OF(struct facts_secret) secrets;
	ARRAY_OF(struct facts_seen) seen; /* sorted by key */
	bool kernel_wireguard;            /* genetlink family "wireguard" is there */
	bool force_forwarding;            /* net.ipv6.conf.*.force_forwarding exists (6.17) */
	int64_t now;                      /* seconds since the epoch */
	uint64_t jiffies;                 /* jiffies64 at `now` */
	uint32_t hz;                      /* jiffies in a second */
	struct key private_key;           /* this node's; wiped by facts_free */
	bool private_key_set;
	uint8_t object_hash[HASH_SIZE]; /* of the embedded BPF object */
};

/* Wipes the keys and empties it; the struct itself is the caller's. NULL is fine. */
void facts_free(struct facts *facts);

const struct facts_link *facts_find_link(const struct facts *facts, const char *name);
/* NULL when nobody knows. */
const struct facts_seen *facts_find_seen(const struct facts *facts, const struct key *public_key);
const struct facts_link *facts_find_ifindex(const struct facts *facts, uint32_t ifindex);
/* Whether a device of this machine has the address. */
bool facts_has_addr(const struct facts *facts, const struct addr *addr);

/* Longest route to addr, lowest metric among equals; NULL when none. */
const struct facts_route *facts_find_route(const struct facts *facts, const struct addr *addr);

#endif
