/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flows. A flow is in one slot of tp_flow_state, and has one entry in tp_flows per direction, which
 * only finds the slot: what a packet is compared with is the key there. A program that ends a flow
 * marks its slot dead, by moving the generation on. Its entries go when the slot is buried, or when
 * a younger flow wants their key. But the slot itself is given to another flow only after
 * TP_FLOW_QUIET_MS: whoever has found a flow in it may go on reading until then.
 */
#ifndef TOWPATH_FLOW_H
#define TOWPATH_FLOW_H

#include <linux/types.h>
#include <towpath/addr.h>

#define TP_FLOW_QUIET_MS 1000 /* far above an RCU grace period */
#define TP_HALF_OPEN_MS  3000 /* what nobody has answered for so long goes when room is short */

enum tp_side {
	TP_SIDE_TUNNEL = 1, /* entered through the tunnel */
	TP_SIDE_LAN = 2,    /* entered through a LAN device */
	TP_SIDE_OWN = 3,    /* sent by this machine: what answers for a service (own_answer.h) */
};

/* The packet as it enters, unchanged. Key of tp_flows; compared as five words of 64 bits. */
struct tp_flow_key {
	struct tp_addr src;
	struct tp_addr dst;
	__be16 sport; /* ICMP and ICMPv6 echo: the identifier, in both */
	__be16 dport;
	__u8 proto;  /* IPPROTO_* */
	__u8 side;   /* enum tp_side */
	__u8 answer; /* 1: an echo reply; a request with that identifier is none */
	__u8 pad;
} __attribute__((aligned(8)));

enum tp_flow_flags {
	TP_FLOW_REPLY = 1 << 0,   /* entry of the direction that answers */
	TP_FLOW_SRC_NAT = 1 << 1, /* src and sport are rewritten */
	TP_FLOW_DST_NAT = 1 << 2, /* dst and dport are rewritten */
	TP_FLOW_LOCAL = 1 << 3,   /* ends at this machine: to the stack, TTL untouched */
	TP_FLOW_NEIGH = 1 << 4,   /* MACs not known yet: redirect through neighbour resolution */
	TP_FLOW_L3_OUT = 1 << 5,  /* egress device has no Ethernet header */
	TP_FLOW_XDP = 1 << 6,     /* egress device takes what XDP redirects */
	TP_FLOW_HANDED = 1 << 7,  /* to a local VIP: into the device, as if it came from there */
};

/* Value of tp_flows: the key is this way of the flow in this slot. */
struct tp_flow_ref {
	__u32 slot;     /* index into tp_flow_state */
	__u32 slot_gen; /* whose entry it is (bpf/lib/claim.h); even: it goes */
	__u32 way;      /* enum tp_flow_end */
	__u32 pad;
};

/* What becomes of the packets of one direction. */
struct tp_flow {
	__u32 policy_gen; /* generation that judged it; 32 bits of tp_state.generation */
	__u32 checked;    /* jiffies, low 32 bits, when the next hop was looked up */
	__u32 ifindex;    /* egress device; 0 with TP_FLOW_LOCAL */
	__u16 flags;      /* enum tp_flow_flags */
	__u16 mtu;        /* of the way out, bytes of IP packet */
	__u8 dmac[6];
	__u8 smac[6];
	__be16 sport; /* what the fields become; equal to the key's where not rewritten */
	__be16 dport;
	struct tp_addr src;
	struct tp_addr dst;
	/* last, where a cache line ends: the next packet of a settled flow does not ask */
	__u32 slot;     /* the one that it is in */
	__u32 slot_gen; /* equals tp_flow_state[slot].gen while the flow is alive */
};

/* What a flow is and how far it has come: which of tp_limits.timeout it may be silent for. */
enum tp_flow_kind {
	TP_FLOW_TCP_OPENING = 0,
	TP_FLOW_TCP_ESTABLISHED = 1, /* both SYNs were seen and acknowledged */
	TP_FLOW_TCP_CLOSING = 2,     /* RST, or FIN both ways */
	TP_FLOW_UDP = 3,
	TP_FLOW_ICMP = 4,
	TP_FLOW_OTHER = 5,
};

/* What one end of a TCP connection has sent. */
enum tp_flow_tcp {
	TP_TCP_SYN = 1 << 0,
	TP_TCP_ACKED = 1 << 2, /* the acknowledgment of the other's SYN */
	TP_TCP_FIN = 1 << 4,
	TP_TCP_RST = 1 << 6,
};

#define TP_FLOW_KIND_ROOM 8 /* an index that is masked needs no test */

/* In place of the rule that allowed a flow. */
#define TP_RULE_OWN    (~0U) /* this machine's own socket opened it: none was asked */
#define TP_RULE_LOGGED (~1U) /* none allows it, `"enforce": "log"` does */
#define TP_RULE_NONE   (~2U) /* of no flow: what tp_tc_judge says where none matches */

/* The two ends of a flow, and the direction that each of them sends in. */
enum tp_flow_end { TP_OPENER = 0, TP_ANSWERER = 1 };

/* What belongs to one direction. */
struct tp_flow_way {
	__u64 packets;
	__u64 bytes;
	__u32 syn_next;         /* TCP: the number that acknowledges its SYN */
	__u32 acked;            /* TCP: the last number it acknowledged */
	struct tp_flow_key key; /* of its packets; the opener's is what a new policy judges again */
	struct tp_flow to;      /* and what becomes of them */
	__u64 pad[3];
};

/*
 * Value of tp_flow_state: a flow. A packet touches three lines of the cache: the first, which both
 * directions share, is read by all and written once a jiffy; the others are its direction's own.
 * So two CPUs that carry a flow, each in one direction, do not take lines from each other.
 */
struct tp_flow_state {
	__u32 gen;        /* odd: in use; even: free or dead */
	__u8 kind;        /* enum tp_flow_kind */
	__u8 tcp;         /* enum tp_flow_tcp of the opener; one to the left the answerer's */
	__u8 ways;        /* bit per enum tp_flow_end: packets of which way are of this flow */
	__u8 snat;        /* enum tp_snat of the route that took it */
	__u32 rule;       /* rule that allowed it; TP_RULE_OWN, TP_RULE_LOGGED: none did, and why */
	__u32 route;      /* tp_route_info index, 0 = none */
	__u32 peer[2];    /* tp_peer_info index of opener and answerer, 0 = not a member */
	__u64 seen;       /* jiffies64 of the last packet */
	__u64 expires_at; /* jiffies64, from the peer's key_expiry; 0 = never */
	__u64 died;       /* jiffies64 when marked dead */
	/*
	 * The mappings it holds, by id (see struct tp_nat_in); 0: none. [0] is the opener's, which
	 * is sent answers at the answerer's key.dst; [1] is the one that a hairpin was sent to, at
	 * the opener's key.dst.
	 */
	__u32 mapping[2];
	__u64 pad2;
	struct tp_flow_way way[2]; /* by enum tp_flow_end */
};

/*
 * The one row of tp_slot_cursor. Slots below fresh have been used at least once; those that are
 * free again wait in tp_free_slots. hand is where the sweep, a few slots a new flow, goes on.
 */
struct tp_slot_cursor {
	__u32 fresh;
	__u32 hand;
	__u32 live;     /* slots in use */
	__u32 hurried;  /* jiffies, low 32 bits, of the last long step of the sweep */
	__u32 mappings; /* the last id that a NAT mapping was given */
	__u32 refused;  /* jiffies, low 32 bits, of the last flow without a slot or port; 0: none */
};

/* Value of tp_half_open: a flow that was half-open when it began (bpf/lib/half_open.h). */
struct tp_half_open {
	__u32 slot;
	__u32 slot_gen; /* as in tp_flow */
	__u32 born;     /* jiffies, low 32 bits */
};

/* Key of tp_nat_out: RFC 4787 REQ-1, endpoint-independent. */
struct tp_nat_out_key {
	struct tp_addr inside;
	struct tp_addr outside; /* the SNAT address */
	__be16 port;            /* inside port or echo identifier */
	__u8 proto;
	__u8 pad;
};

/* Where to find the mapping: it is the row of tp_nat_in with this id. */
struct tp_nat_out {
	__be16 port; /* outside */
	__u16 pad;
	__u32 id;
};

/* Key of tp_nat_in. Inserting it with BPF_NOEXIST is how a port is allocated. */
struct tp_nat_in_key {
	struct tp_addr outside;
	__be16 port;
	__u8 proto;
	__u8 pad;
};

/*
 * A mapping. The upper half of `users` is its id, which no other mapping of this time has: ids come
 * again after 2^32 of them. Who joins it changes the word by compare-and-swap, so that nobody
 * counts on a row that was given to another one behind his back. The last flow takes the row along.
 */
struct tp_nat_in {
	struct tp_addr inside;
	__be16 port;
	__u16 pad[3];
	__u64 users; /* id, TP_NAT_* flags, number of flows */
};

#define TP_NAT_FLOWS   0x3fffffffULL
#define TP_NAT_RETIRED (1ULL << 30) /* no new flows: something else sends from this port */
#define TP_NAT_DEAD    (1ULL << 31) /* being deleted */

/* Where a fragment was met: enum tp_side, and this on its way out of the device. */
enum tp_frag_way {
	TP_FRAG_OUT = 1 << 7,
};

/* Key of tp_frags: one fragmented datagram, as it is at that place (RFC 791, RFC 8200 4.5). */
struct tp_frag_key {
	struct tp_addr src;
	struct tp_addr dst;
	__be32 id;
	__u8 proto; /* IPv4; 0 in IPv6, where only the first fragment's counts */
	__u8 way;   /* enum tp_frag_way */
	__u16 pad;
};

/* What its first fragment said, and the flow that this one belongs to. */
struct tp_frag {
	__u32 slot;
	__u32 slot_gen; /* 0: of two flows at once, so of none */
	__u32 seen;     /* jiffies, low 32 bits */
	__be16 sport;
	__be16 dport;
	__u16 end;   /* of the first fragment's payload: no other begins before */
	__u8 proto;  /* of the transport header */
	__u8 answer; /* as in tp_flow_key */
};

_Static_assert(sizeof(struct tp_flow_key) == 40, "no hole");
_Static_assert(sizeof(struct tp_flow) == 72, "no hole");
_Static_assert(sizeof(struct tp_flow_ref) == 16, "no hole");
_Static_assert(sizeof(struct tp_flow_way) == 160, "no hole");
_Static_assert(sizeof(struct tp_flow_state) == 6 * 64, "whole lines of the cache");
_Static_assert(sizeof(struct tp_slot_cursor) == 24, "no hole");
_Static_assert(sizeof(struct tp_half_open) == 12, "no hole");
_Static_assert(sizeof(struct tp_nat_out_key) == 36, "no hole");
_Static_assert(sizeof(struct tp_nat_in_key) == 20, "no hole");
_Static_assert(sizeof(struct tp_nat_in) == 32, "no hole");
_Static_assert(sizeof(struct tp_frag_key) == 40, "no hole");
_Static_assert(sizeof(struct tp_frag) == 20, "no hole");

#endif
