/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet on its way through the stages: what was read from it and what was decided. */
#ifndef BPF_LIB_PKT_H
#define BPF_LIB_PKT_H

#include <linux/in.h>
#include <linux/types.h>
#include <linux/stddef.h>
#include <stdbool.h>

#include <towpath/abi.h>
#include <towpath/flow.h>
#include <towpath/reason.h>
#include <towpath/route.h>

#include "lib/addr.h"

/* A stage returns this to go on, or the reason to stop at. */
#define GO_ON TP_R_none

/* Or what is no reason, and negative: another program goes on, with the packet untouched. */
enum go {
	GO_SLOW = -1,
	GO_ERROR = -2,  /* an ICMP error */
	GO_ANSWER = -3, /* the sender must hear that it goes no further */
	GO_OPEN = -4,   /* of no flow: may it open one? */
	GO_SERVE = -5,  /* to a service, and allowed: which backend? */
};

#define L2_NONE     0 /* a device without link header: the tunnel */
#define L2_ETHERNET 14

struct pkt {
	void *ctx;        /* of the hook, see hook_*.h */
	__u64 now;        /* jiffies64 */
	__u64 generation; /* of the policy, read once */
	__u64 nonce;      /* tp_state's */
	struct tp_limits *limits;
	__u32 tunnel_ifindex;
	__u32 len; /* of the IP packet, as its header says; a GSO packet's is larger */

	struct tp_flow_key key; /* addresses, ports, protocol, side */

	__u16 l2_len;  /* where the IP header begins: L2_* of the device it is on */
	__u16 l4;      /* offset of the transport header */
	__u16 headers; /* bytes of the IP and the TCP or UDP header, options included; 0: other */
	__u16 mss;     /* TCP with SYN: how far behind l4 the value of its MSS option is; 0: none */
	bool v6;
	bool has_addrs; /* key.src and key.dst are filled */
	bool options;   /* IPv4 options: judged here, sent on by the stack */
	bool whole;     /* may not be split: IPv6, or DF */
	bool out;       /* met on its way out of a device */
	__u8 ttl;
	__u8 tcp_flags; /* byte 13 of the TCP header */
	__u8 icmp_type;
	bool authenticated; /* IPv6: AH in front of the transport header, which covers addresses */
	bool fragment;      /* one of several; an atomic one (RFC 6946) is an ordinary packet */
	__u8 frag_way;      /* enum tp_frag_way */
	__u16 frag_offset;  /* bytes; 0: the first one, with the transport header */
	__u16 frag_end;     /* where it ends, counted alike */
	__be32 frag_id;
	union {
		struct { /* TCP, host byte order */
			__u32 seq;
			__u32 ack;
		};
		struct { /* a later fragment: the flow of its first */
			__u32 frag_slot;
			__u32 frag_slot_gen;
		};
	};
};

/* A mapping that a flow holds. */
struct nat_hold {
	__u32 id;
	__be16 port;
	__u16 pad;
};

/* A decision for the first packet of a flow. */
struct verdict {
	__u32 rule;    /* that decided; TP_RULE_NONE: none; TP_RULE_OWN: none was asked */
	__u32 peer[2]; /* as in tp_flow_state */
	__u32 route;
	__u16 mtu;        /* toward the member that it goes to, 0: the tunnel's */
	__u16 back_mtu;   /* the same toward the one that it comes from */
	__u8 out_side;    /* enum tp_side of the answers; 0: this machine's own, as it came */
	__u8 snat;        /* enum tp_snat */
	__u8 mid_flow;    /* 1: a connection to this machine that began before */
	__u8 by_answerer; /* 1: the packet at hand was sent by the other side */
	__u8 logged;      /* 1: the grants refuse it and only count that */
	__u8 to_service;  /* 1: its backend tells how it is carried: admit_backend */
	__u8 local_vip;   /* 1: this machine may answer for the destination itself */
	__u64 expires_at;
	struct tp_addr snat_addr;
	__u32 src_class; /* or TP_CLASS_UNTOLD */
	__u32 dst_class;
};

/*
 * The packet that an ICMP error quotes. Offsets: l3 and l4 from the packet's start, the others from
 * l4, and 0 where there is no such field or nothing to keep right.
 */
struct quote {
	struct tp_flow_key key; /* as it was sent; side is left to the reader */
	__u16 l3;
	__u16 l4;
	__u16 sport;
	__u16 dport; /* 0: no ports; of an echo both are the identifier */
	__u16 check;
	bool v6;
	bool pseudo; /* check covers the addresses */
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#endif
