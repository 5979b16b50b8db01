/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stages need of an XDP program; the other one is hook_tc.h. A frame is as it came off
 * the wire: its checksums are complete, so that they are edited in place, and nothing moves it.
 *
 * What XDP cannot see, and so must be kept away by where it is attached and allowed to rewrite
 * (TP_DEV_XDP_*): that a checksum is not in the packet yet, that a packet is a GSO packet, and a
 * VLAN tag that the hardware has taken off. Only the first part of a frame in several buffers
 * is here; hook_is_whole tells.
 */
#ifndef BPF_LIB_HOOK_XDP_H
#define BPF_LIB_HOOK_XDP_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/csum.h"
#include "lib/pkt.h"

/* What a global function is given instead of a struct pkt. */
#define HOOK_CONTEXT struct xdp_md

/* What hook_redirect returns when it will. */
#define HOOK_REDIRECT XDP_REDIRECT

#define HOOK_CSUM_UDP 1 /* 0 means "no checksum" in UDP */

static __always_inline struct xdp_md *hook_xdp(const struct pkt *pkt)
{
	return pkt->ctx;
}

/*
 * Where the frame begins and ends. Written out for the reason that hook_tc.h gives.
 */
static __always_inline void *hook_data(const struct xdp_md *xdp)
{
	void *data;

	asm volatile("%0 = *(u32 *)(%1 + %2)"
		     : "=r"(data)
		     : "r"(xdp), "i"(offsetof(struct xdp_md, data)));
	return data;
}

static __always_inline void *hook_data_end(const struct xdp_md *xdp)
{
	void *end;

	asm volatile("%0 = *(u32 *)(%1 + %2)"
		     : "=r"(end)
		     : "r"(xdp), "i"(offsetof(struct xdp_md, data_end)));
	return end;
}

#define HOOK_OFFSET_MASK 0x1fff /* headers end far before; the verifier's limit is 64 KiB */

static __always_inline void *hook_ptr_from(HOOK_CONTEXT *ctx, __u32 offset, __u32 length)
{
	void *at = hook_data(ctx) + (offset & HOOK_OFFSET_MASK);

	return at + length <= hook_data_end(ctx) ? at : NULL;
}

/* length bytes at offset, or NULL: the first buffer ends before. */
static __always_inline void *hook_ptr(const struct pkt *pkt, __u32 offset, __u32 length)
{
	return hook_ptr_from(hook_xdp(pkt), offset, length);
}

/* What the frame says that it holds; what is tagged never comes here. */
static __always_inline __be16 hook_ether_type(const struct pkt *pkt)
{
	const struct ethhdr *eth = hook_ptr(pkt, 0, sizeof(*eth));

	return eth ? eth->h_proto : 0;
}

/* Of the first buffer. */
static __always_inline __u64 hook_linear_len(HOOK_CONTEXT *ctx)
{
	__u64 length = hook_data_end(ctx) - hook_data(ctx);

	barrier_var(length); /* or it becomes arithmetic of 32 bits, which pointers may not do */
	return length;
}

/* Bytes from the IP header on, of the first buffer. */
static __always_inline __u32 hook_ip_len(const struct pkt *pkt)
{
	return hook_linear_len(hook_xdp(pkt)) - pkt->l2_len;
}

static __always_inline bool hook_is_whole(HOOK_CONTEXT *ctx)
{
	return bpf_xdp_get_buff_len(ctx) == hook_linear_len(ctx);
}

static __always_inline __u32 hook_gso_size(const struct pkt *pkt)
{
	return 0;
}

static __always_inline bool hook_is_gso(const struct pkt *pkt)
{
	return false;
}

/* length is a constant */
static __always_inline long hook_load_from(HOOK_CONTEXT *ctx, __u32 offset, void *to, __u32 length)
{
	const void *from = hook_ptr_from(ctx, offset, length);

	if (!from)
		return -1;
	__builtin_memcpy(to, from, length);
	return 0;
}

static __always_inline long hook_load(const struct pkt *pkt, __u32 offset, void *to, __u32 length)
{
	return hook_load_from(hook_xdp(pkt), offset, to, length);
}

/* Bytes into the packet; checksums are the caller's business. */
static __always_inline long hook_store(const struct pkt *pkt, __u32 offset, const void *from,
				       __u32 length)
{
	void *to = hook_ptr(pkt, offset, length);

	if (!to)
		return -1;
	__builtin_memcpy(to, from, length);
	return 0;
}

static __always_inline long hook_csum(const struct pkt *pkt, __u32 offset, __u64 difference,
				      __u64 flags)
{
	__u16 *check = hook_ptr(pkt, offset, sizeof(*check));

	if (!check)
		return -1;
	if ((flags & HOOK_CSUM_UDP) && !*check)
		return 0;
	*check = csum_apply(*check, difference);
	if ((flags & HOOK_CSUM_UDP) && !*check)
		*check = 0xffff; /* RFC 768 */
	return 0;
}

/* Transport checksum at offset: from and to are two bytes of port (or identifier). */
static __always_inline long hook_csum_port(const struct pkt *pkt, __u32 offset, __be16 from,
					   __be16 to, __u64 flags)
{
	return hook_csum(pkt, offset, (__u64)(__u16)~from + to, flags);
}

/* The same for a change of address, given as a difference of 32-bit sums. */
static __always_inline long hook_csum_addr(const struct pkt *pkt, __u32 offset, __u32 difference,
					   __u64 flags)
{
	return hook_csum(pkt, offset, difference, flags);
}

/* No device has summed up what is not a skb yet. */
static __always_inline void hook_csum_whole(const struct pkt *pkt, __u32 difference)
{
}

/* What is tagged is tc's. */
static __always_inline long hook_untag(const struct pkt *pkt)
{
	return 0;
}

/* Nothing comes here without one. */
static __always_inline long hook_push_ethernet(struct pkt *pkt)
{
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

static __always_inline int hook_redirect(const struct pkt *pkt, __u32 ifindex)
{
	return bpf_redirect(ifindex, 0);
}

/* XDP has no neighbour resolution: whatever needs it goes to tc. */
static __always_inline int hook_redirect_neigh(const struct pkt *pkt, __u32 ifindex,
					       struct bpf_redir_neigh *next_hop)
{
	return XDP_ABORTED;
}

/* Nor does it hand anything over, or see what the skb is marked with that has been. */
static __always_inline int hook_hand_over(const struct pkt *pkt, __u32 ifindex)
{
	return XDP_ABORTED;
}

static __always_inline bool hook_has_handed_mark(const struct pkt *pkt)
{
	return false;
}

static __always_inline void hook_wipe_handed_mark(const struct pkt *pkt)
{
}

#endif
