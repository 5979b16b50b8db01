/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In front of the UDP port that WireGuard listens on. What is no WireGuard message by its first
 * bytes and its length (whitepaper 5.4) ends here, and so do handshake initiations beyond what
 * WireGuard itself takes from one source when it is under load (ratelimiter.c: 20 a second, five
 * at once, by IPv4 address or IPv6 /64): each costs it a Diffie-Hellman.
 *
 * Nothing but type 1 is limited. So whoever sends initiations, under whatever source, hurts
 * no session that is up, whose data is type 4, nor a handshake that this machine begins, whose
 * answers are types 2 and 3.
 *
 * An endpoint that WireGuard knows, by address and port, has a bucket of its own. The egress
 * program learns it: WireGuard answers an initiation (type 2) when it has authenticated it, and
 * begins a handshake (type 1) with those it knows. So a flood under a peer's address, from a
 * neighbour behind the same NAT or spoofed, does not delay what the peer begins.
 *
 * What remains: who spoofs the very address and port of a peer, at more than 20 a second, delays
 * what that peer begins; its session goes on until it is due for another key, and this machine
 * then begins in its place, when it has something to send. A peer that has changed its address or
 * port is one of its prefix until it has been answered there once. So is one that is answered
 * through a device which is no LAN device.
 */
#ifndef BPF_LIB_GUARD_H
#define BPF_LIB_GUARD_H

#include <linux/udp.h>

#include "lib/maps.h"
#include "lib/pkt.h"
#include "lib/route.h"

#define GUARD_PER_SECOND 20
#define GUARD_BURST      5

enum wg_message { WG_INITIATION = 1, WG_RESPONSE, WG_COOKIE, WG_DATA };

/*
 * Bytes of UDP payload, whitepaper 5.4.2, 5.4.3, 5.4.7, 5.4.6. The shortest data message carries
 * nothing; others are padded to a multiple of 16, but not beyond the MTU (send.c,
 * calculate_skb_padding), so that any length above may come.
 */
#define WG_INITIATION_SIZE 148
#define WG_RESPONSE_SIZE   92
#define WG_COOKIE_SIZE     64
#define WG_KEEPALIVE_SIZE  32

struct wg_header {
	__u8 type; /* enum wg_message */
	__u8 reserved[3];
};

/* Toward the tunnel's port on this machine; what is forwarded to that port elsewhere is not. */
static __always_inline bool guard_concerns(const struct pkt *pkt, const struct tp_device *device)
{
	const struct tp_route *dst;

	if (pkt->key.proto != IPPROTO_UDP || pkt->fragment ||
	    pkt->key.dport != pkt->limits->tunnel_port)
		return false;
	if (addr_same(&pkt->key.dst, pkt->v6 ? &device->addr6 : &device->addr4))
		return true;
	dst = route_find(pkt->generation, &pkt->key.dst);
	return dst && dst->kind == TP_ROUTE_HOST;
}

static __always_inline bool wg_is_well_formed(const struct wg_header *header, __u32 length)
{
	if (header->reserved[0] | header->reserved[1] | header->reserved[2])
		return false;
	switch (header->type) {
	case WG_INITIATION: return length == WG_INITIATION_SIZE;
	case WG_RESPONSE: return length == WG_RESPONSE_SIZE;
	case WG_COOKIE: return length == WG_COOKIE_SIZE;
	case WG_DATA: return length >= WG_KEEPALIVE_SIZE;
	default: return false;
	}
}

/* Jiffies in which a token comes back. */
static __always_inline __u64 guard_cost(const struct pkt *pkt)
{
	return pkt->limits->second / GUARD_PER_SECOND ?: 1;
}

/* A token bucket as one number: when it will be full. A lost race costs a token too many. */
static __always_inline bool guard_take_token(const struct pkt *pkt, __u64 *full)
{
	__u64 cost = guard_cost(pkt), seen = *full;
	__u64 from = seen > pkt->now ? seen : pkt->now;

	if (from - pkt->now > cost * (GUARD_BURST - 1))
		return false;
	__sync_val_compare_and_swap(full, seen, from + cost);
	return true;
}

/* By where it says that it comes from: an endpoint that is known, or else a prefix. */
static __always_inline bool guard_admits(const struct pkt *pkt)
{
	struct tp_endpoint from = { .addr = pkt->key.src, .port = pkt->key.sport };
	__u64 *full = bpf_map_lookup_elem(&tp_guard_known, &from), next;

	if (full)
		return guard_take_token(pkt, full);
	if (pkt->v6)
		__builtin_memset(from.addr.bytes + 8, 0, 8);
	full = bpf_map_lookup_elem(&tp_guard, &from.addr);
	if (full)
		return guard_take_token(pkt, full);
	next = pkt->now + guard_cost(pkt);
	/* no room is no reason to refuse: WireGuard limits too */
	bpf_map_update_elem(&tp_guard, &from.addr, &next, BPF_ANY);
	return true;
}

/* GO_ON, or why WireGuard need not see it. Parsing has seen to the UDP header. */
static __always_inline int guard(struct pkt *pkt)
{
	const struct udphdr *udp = hook_ptr(pkt, pkt->l4, sizeof(*udp));
	__u32 length = udp ? bpf_ntohs(udp->len) - sizeof(*udp) : 0;
	struct wg_header header;

	if (length < sizeof(header) ||
	    hook_load(pkt, pkt->l4 + sizeof(*udp), &header, sizeof(header)) ||
	    !wg_is_well_formed(&header, length))
		return TP_R_wg_malformed;
	if (header.type == WG_INITIATION && !guard_admits(pkt))
		return TP_R_wg_limited;
	return GO_ON;
}

#endif
