/* SPDX-License-Identifier: GPL-2.0-only */
/* Who owns an address, and how a packet toward it is carried. */
#ifndef TOWPATH_ROUTE_H
#define TOWPATH_ROUTE_H

#include <linux/types.h>
#include <towpath/addr.h>
#include <towpath/layout.h>

enum tp_route_kind {
	TP_ROUTE_NONE = 0,      /* a barrier: as if there were no row */
	TP_ROUTE_MESH = 1,      /* reached through the tunnel: a member's address or its routes */
	TP_ROUTE_LAN = 2,       /* advertised by this node: reached through a LAN device */
	TP_ROUTE_SELF = 3,      /* a mesh address of this node */
	TP_ROUTE_HOST = 4,      /* another address of this node inside a prefix it advertises */
	TP_ROUTE_BROADCAST = 5, /* of a prefix that a device of this node is on; IPv4 only */
	TP_ROUTE_SERVICE = 6,   /* the address of a service: it is carried as its backend's is */
};

enum tp_route_flags {
	/*
	 * 0.0.0.0/0 or ::/0. Only traffic from the tunnel may use it, and it owns no source
	 * address on a LAN: or every packet from the internet would be a spoofed mesh source.
	 */
	TP_ROUTE_EXIT = 1 << 0,
	/* a load balancer of this machine itself may answer for it: see local_vip.h */
	TP_ROUTE_LOCAL_VIP = 1 << 1,
	/* of NONE: an address of this node in no prefix that it advertises, a service's backend */
	TP_ROUTE_OWN = 1 << 2,
};

enum tp_snat {
	TP_SNAT_NONE = 0,
	TP_SNAT_MASQUERADE = 1, /* the egress device's address, from tp_devices */
	TP_SNAT_ADDRESS = 2,    /* snat_addr */
};

/* Value of tp_hosts and of tp_routes. */
struct tp_route {
	__u32 id;    /* index into tp_route_info and tp_route_stats; 0 for a member's address */
	__u32 peer;  /* MESH: index into tp_peer_info and tp_peer_stats; else 0 */
	__u8 kind;   /* enum tp_route_kind */
	__u8 snat;   /* enum tp_snat; LAN only */
	__u16 mtu;   /* MESH: bytes of IP packet toward it, 0 = the tunnel's */
	__u32 flags; /* enum tp_route_flags */
	__u64 expires_at; /* MESH: jiffies64 after which the peer is refused; 0 = never */
	struct tp_addr snat_addr;
	/* what tp_src and tp_dst say of all addresses whose row this is */
	__u32 src_class;
	__u32 dst_class;
};

/* What a device is to us. Value of tp_devices, keyed by ifindex. */
enum tp_device_role {
	TP_DEV_TUNNEL = 1,
	TP_DEV_LAN = 2,
};

enum tp_device_flags {
	TP_DEV_JUDGE = 1 << 0, /* the grants judge what goes from here to another LAN device */
	/*
	 * XDP does not see CHECKSUM_PARTIAL: a packet that was never on a wire leaves corrupt when
	 * it is rewritten. So it rewrites where the driver runs it, or where the policy insists.
	 */
	TP_DEV_XDP_FORCED = 1 << 1, /* by the policy */
	TP_DEV_XDP_NATIVE = 1 << 2, /* noted on attaching: the driver runs the program */
	/* the kernel might prefer a temporary IPv6 address here: masquerade as addr6 */
	TP_DEV_KEEP_ADDR6 = 1 << 3,
};

struct tp_device {
	__u8 role;       /* enum tp_device_role */
	__u8 made_qdisc; /* 1: the clsact qdisc is ours and `down` removes it */
	__u16 mtu;       /* bytes of IP packet */
	__u8 mac[6];
	__u16 flags; /* enum tp_device_flags */
	/* what to masquerade as where the kernel does not tell, mapped; zero = none, refuse */
	struct tp_addr addr4;
	struct tp_addr addr6;
};

/*
 * Names for people and for `status`; the programs never read these. A WireGuard peer whose key has
 * a row is ours: it goes when the policy no longer names it. Others on the device stay.
 */
struct tp_peer_info {
	char name[TP_NAME_SIZE];
	__u8 public_key[TP_KEY_SIZE];
	__u64 key_expiry; /* seconds since the epoch, 0 = never */
	__u8 is_node;     /* 1: runs towpath; 0: a plain client */
	__u8 in_use;      /* 0: the row is free */
	__u16 via;        /* row of the node that it is reached through; 0: directly */
	__u32 endpoint;   /* a hash of what the policy said of it; 0 = nothing */
};

enum tp_route_state {
	TP_ROUTE_UNAPPROVED = 0,
	TP_ROUTE_ACTIVE = 1,
	TP_ROUTE_STANDBY = 2,
	TP_ROUTE_CONFLICT = 3,
	TP_ROUTE_DOWN = 4,
};

struct tp_route_info {
	struct tp_prefix prefix;
	__u8 state; /* enum tp_route_state */
	__u8 approved;
	__u8 snat; /* enum tp_snat */
	__u8 in_use;
	char node[TP_NAME_SIZE];
	struct tp_addr snat_addr;
	char reason[120]; /* why it is in this state, for people */
};

_Static_assert(sizeof(struct tp_route) == 48, "no hole");
_Static_assert(sizeof(struct tp_device) == 44, "no hole");
_Static_assert(TP_PEER_MAX <= 1 << 16, "a row's number fits `via`");
_Static_assert(sizeof(struct tp_peer_info) == 112, "no hole");
_Static_assert(sizeof(struct tp_route_info) == 224, "no hole");

#endif
