/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stages need of a tc program: access to bytes, checksum helpers, ways out. A packet
 * pointer dies with every helper that may move the packet, so each use asks anew.
 */
#ifndef BPF_LIB_HOOK_TC_H
#define BPF_LIB_HOOK_TC_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/pkt.h"

static __always_inline struct __sk_buff *hook_skb(const struct pkt *pkt)
{
	return pkt->ctx;
}

/* What the frame says that it holds, tags aside. */
static __always_inline __be16 hook_ether_type(const struct pkt *pkt)
{
	return hook_skb(pkt)->protocol;
}

/* Bytes from the IP header on, as they are in memory. */
static __always_inline __u32 hook_ip_len(const struct pkt *pkt)
{
	return hook_skb(pkt)->len - pkt->l2_len;
}

/*
 * Payload bytes of each segment that a super-packet will be cut into; 0: it is a plain packet. Of
 * SCTP it is 0xffff (GSO_BY_FRAGS): each has its own size, and as large as that none fits.
 */
static __always_inline __u32 hook_gso_size(const struct pkt *pkt)
{
	return hook_skb(pkt)->gso_size;
}

static __always_inline bool hook_is_gso(const struct pkt *pkt)
{
	return hook_skb(pkt)->gso_segs > 1 || hook_gso_size(pkt);
}

#define VLAN_NUMBER_MASK 0x0fff

/*
 * Tagged for a VLAN, so it belongs to another device. Number 0 only tells a priority (802.1Q 9.6):
 * then the frame is this device's. The kernel has taken the outer tag off by now in any case.
 */
static __always_inline bool hook_is_of_a_vlan(const struct __sk_buff *skb)
{
	return skb->vlan_present && (skb->vlan_tci & VLAN_NUMBER_MASK);
}

/* A priority is for the link it came by; on a tunnel the tag would become bytes of the packet. */
static __always_inline long hook_untag(const struct pkt *pkt)
{
	return hook_skb(pkt)->vlan_present ? bpf_skb_vlan_pop(hook_skb(pkt)) : 0;
}

static __always_inline bool is_ip(const struct __sk_buff *skb)
{
	return skb->protocol == bpf_htons(ETH_P_IP) || skb->protocol == bpf_htons(ETH_P_IPV6);
}

/* A frame on a LAN device that holds a packet for this machine to look at, by what is around it. */
static __always_inline int lan_frame(const struct __sk_buff *skb)
{
	if (!is_ip(skb) || hook_is_of_a_vlan(skb))
		return TP_R_not_ip;
	if (skb->pkt_type != PACKET_HOST)
		return skb->pkt_type == PACKET_OTHERHOST ? TP_R_other_host : TP_R_local_scope;
	return GO_ON;
}

/*
 * Where the packet begins and ends now. Written out, because clang 19 keeps the address of the
 * field for the next time, and the verifier lets nobody read through a moved context pointer.
 */
static __always_inline void *hook_data(const struct __sk_buff *skb)
{
	void *data;

	asm volatile("%0 = *(u32 *)(%1 + %2)"
		     : "=r"(data)
		     : "r"(skb), "i"(offsetof(struct __sk_buff, data)));
	return data;
}

static __always_inline void *hook_data_end(const struct __sk_buff *skb)
{
	void *end;

	asm volatile("%0 = *(u32 *)(%1 + %2)"
		     : "=r"(end)
		     : "r"(skb), "i"(offsetof(struct __sk_buff, data_end)));
	return end;
}

/*
 * Nothing but zeros, in a way that the verifier does not see through: two reads of one field are
 * two numbers to it.
 */
static __always_inline __u64 hook_unknown_zero(const struct pkt *pkt)
{
	__u64 zero, again;

	asm volatile("%0 = *(u32 *)(%2 + %3)\n"
		     "%1 = *(u32 *)(%2 + %3)\n"
		     "%0 ^= %1\n"
		     "%1 = %0\n"
		     "%1 <<= 32\n"
		     "%0 |= %1"
		     : "=&r"(zero), "=&r"(again)
		     : "r"(hook_skb(pkt)), "i"(offsetof(struct __sk_buff, len)));
	return zero;
}

#define HOOK_OFFSET_MASK 0x1fff /* headers end far before; the verifier's limit is 64 KiB */

/* length bytes at offset, linear and writable, or NULL: the packet ends before. */
static __always_inline void *hook_ptr(const struct pkt *pkt, __u32 offset, __u32 length)
{
	struct __sk_buff *skb = hook_skb(pkt);
	void *at;

	offset &= HOOK_OFFSET_MASK; /* changes nothing, but tells the verifier */
	at = hook_data(skb) + offset;
	if (at + length <= hook_data_end(skb))
		return at;
	if (bpf_skb_pull_data(skb, offset + length))
		return NULL;

	at = hook_data(skb) + offset;
	return at + length <= hook_data_end(skb) ? at : NULL;
}

/* What a global function is given instead of a struct pkt. */
#define HOOK_CONTEXT struct __sk_buff

static __always_inline long hook_load_from(HOOK_CONTEXT *ctx, __u32 offset, void *to, __u32 length)
{
	return bpf_skb_load_bytes(ctx, offset, to, length);
}

static __always_inline long hook_load(const struct pkt *pkt, __u32 offset, void *to, __u32 length)
{
	return hook_load_from(hook_skb(pkt), offset, to, length);
}

/* Bytes into the packet; checksums are the caller's business. */
static __always_inline long hook_store(const struct pkt *pkt, __u32 offset, const void *from,
				       __u32 length)
{
	return bpf_skb_store_bytes(hook_skb(pkt), offset, from, length, 0);
}

/*
 * Transport checksum at offset: from and to are two bytes of port (or identifier). Right for
 * CHECKSUM_PARTIAL too, where the ports are not summed up yet: no BPF_F_PSEUDO_HDR.
 */
static __always_inline long hook_csum_port(const struct pkt *pkt, __u32 offset, __be16 from,
					   __be16 to, __u64 flags)
{
	return bpf_l4_csum_replace(hook_skb(pkt), offset, from, to, flags | sizeof(from));
}

/*
 * The same for a change of address, given as a difference of 32-bit sums. What a device summed up
 * of the whole packet loses as much, which is right for IPv4 alone (BPF_F_IPV6, which tells the
 * kernel, came with Linux 6.16): see rewrite_sum.
 */
static __always_inline long hook_csum_addr(const struct pkt *pkt, __u32 offset, __u32 difference,
					   __u64 flags)
{
	return bpf_l4_csum_replace(hook_skb(pkt), offset, 0, difference, flags | BPF_F_PSEUDO_HDR);
}

/*
 * The same for bytes behind the pseudo header. A checksum that a device is to finish
 * (CHECKSUM_PARTIAL) does not have them yet, and stays as it is.
 */
static __always_inline long hook_csum_finish(const struct pkt *pkt, __u32 offset, __u32 difference)
{
	return bpf_l4_csum_replace(hook_skb(pkt), offset, 0, difference, 0);
}

/*
 * What a device summed up of the whole packet (CHECKSUM_COMPLETE), when something in it changes
 * that no checksum of its own makes up for. The device that it is redirected to may take it over.
 */
static __always_inline void hook_csum_whole(const struct pkt *pkt, __u32 difference)
{
	bpf_csum_update(hook_skb(pkt), difference); /* fails where no device did */
}

#define HOOK_CSUM_UDP BPF_F_MARK_MANGLED_0 /* 0 means "no checksum" in UDP */

/*
 * Room for an Ethernet header in front of a packet of the tunnel, with its EtherType: without it
 * the kernel drops what is redirected to an Ethernet device. The TTL is already lower.
 */
static __always_inline long hook_push_ethernet(struct pkt *pkt)
{
	struct ethhdr *eth;

	if (pkt->l2_len == L2_ETHERNET)
		return 0;
	if (bpf_skb_change_head(hook_skb(pkt), sizeof(*eth), 0))
		return -1;

	pkt->l2_len = L2_ETHERNET;
	eth = hook_ptr(pkt, 0, sizeof(*eth));
	if (!eth)
		return -1;
	__builtin_memset(eth, 0, sizeof(*eth));
	eth->h_proto = pkt->v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	return 0;
}

static __always_inline long hook_set_macs(struct pkt *pkt, const __u8 *dmac, const __u8 *smac)
{
	struct ethhdr *eth = hook_ptr(pkt, 0, sizeof(*eth));

	if (!eth)
		return -1;
	__builtin_memcpy(eth->h_dest, dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, smac, ETH_ALEN);
	return 0;
}

/* Bytes of our own making into the packet: a checksum that came with the skb learns of them. */
static __always_inline long hook_store_summed(const struct pkt *pkt, __u32 offset, const void *from,
					      __u32 length)
{
	return bpf_skb_store_bytes(hook_skb(pkt), offset, from, length, BPF_F_RECOMPUTE_CSUM);
}

/* The frame, if it is one, names who sent it. */
static __always_inline bool hook_has_unicast_sender(const struct pkt *pkt)
{
	struct ethhdr eth;

	if (pkt->l2_len == L2_NONE)
		return true;
	return !hook_load(pkt, 0, &eth, sizeof(eth)) && !(eth.h_source[0] & 1);
}

/*
 * Makes the frame one to its sender: the packet ends behind `keep` bytes, and has `room` for
 * other headers in front of it. It is then no GSO packet any more.
 */
static __always_inline long hook_turn_round(const struct pkt *pkt, __u32 keep, __u32 room)
{
	struct __sk_buff *skb = hook_skb(pkt);
	struct ethhdr eth;

	if (bpf_skb_change_tail(skb, pkt->l2_len + keep, 0) ||
	    (room && bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, 0)))
		return -1;
	if (pkt->l2_len == L2_NONE)
		return 0;
	if (hook_load(pkt, 0, &eth, sizeof(eth)))
		return -1;
	return hook_store(pkt, offsetof(struct ethhdr, h_dest), eth.h_source, ETH_ALEN) ||
	       hook_store(pkt, offsetof(struct ethhdr, h_source), eth.h_dest, ETH_ALEN);
}

/*
 * What we redirect passes the egress program of the device it leaves by, which would look the
 * flow up once more. The packet's control buffer survives the redirect and nothing else: the
 * stack overwrites it, for what it forwards and for what it sends. So a number that nobody
 * outside can know, put there, is proof that the ingress program has seen the packet. The egress
 * program runs first and wipes it out, lest the next program learn it.
 */
static __always_inline void hook_mark(const struct pkt *pkt)
{
	hook_skb(pkt)->cb[0] = (__u32)pkt->nonce;
	hook_skb(pkt)->cb[1] = (__u32)(pkt->nonce >> 32);
}

static __always_inline bool hook_take_mark(const struct pkt *pkt)
{
	struct __sk_buff *skb = hook_skb(pkt);

	if (!pkt->nonce || skb->cb[0] != (__u32)pkt->nonce ||
	    skb->cb[1] != (__u32)(pkt->nonce >> 32))
		return false;
	skb->cb[0] = 0;
	skb->cb[1] = 0;
	return true;
}

/* What the functions that redirect return when they will. */
#define HOOK_REDIRECT TC_ACT_REDIRECT

static __always_inline int hook_redirect(const struct pkt *pkt, __u32 ifindex)
{
	hook_mark(pkt);
	return bpf_redirect(ifindex, 0);
}

/* next_hop NULL: the kernel looks the route up once more. */
static __always_inline int hook_redirect_neigh(const struct pkt *pkt, __u32 ifindex,
					       struct bpf_redir_neigh *next_hop)
{
	hook_mark(pkt);
	return bpf_redirect_neigh(ifindex, next_hop, next_hop ? sizeof(*next_hop) : 0, 0);
}

#define HOOK_HANDED 0x7460 /* of tc_index; its lower bits are Cilium's */

/* In by the device; see hand_over.h. */
static __always_inline int hook_hand_over(const struct pkt *pkt, __u32 ifindex)
{
	hook_skb(pkt)->tc_index = HOOK_HANDED;
	return bpf_redirect(ifindex, BPF_F_INGRESS);
}

static __always_inline bool hook_has_handed_mark(const struct pkt *pkt)
{
	return hook_skb(pkt)->tc_index == HOOK_HANDED;
}

static __always_inline void hook_wipe_handed_mark(const struct pkt *pkt)
{
	hook_skb(pkt)->tc_index = 0;
}

#endif
