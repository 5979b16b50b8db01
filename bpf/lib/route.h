/* SPDX-License-Identifier: GPL-2.0-only */
/* Who owns an address, and the next hop toward it. */
#ifndef BPF_LIB_ROUTE_H
#define BPF_LIB_ROUTE_H

#include "lib/maps.h"
#include "lib/pkt.h"

#ifndef AF_INET
#define AF_INET 2
#endif
#ifndef AF_INET6
#define AF_INET6 10
#endif

static __always_inline void *route_look_up(void *outer, __u32 slot, const void *key)
{
	void *table = bpf_map_lookup_elem(outer, &slot);

	return table ? bpf_map_lookup_elem(table, key) : NULL;
}

/* The longest row for addr in the live tables, be it a barrier. */
static __always_inline struct tp_route *route_row(__u64 generation, const struct tp_addr *addr)
{
	struct tp_prefix prefix = { .prefix_len = 128, .addr = *addr };
	__u32 slot = generation & 1;
	struct tp_route *route;

	if (!generation)
		return NULL;
	route = route_look_up(&tp_hosts, slot, &prefix.addr);
	return route ? route : route_look_up(&tp_routes, slot, &prefix);
}

/* The same, or NULL: a barrier counts as none. */
static __always_inline struct tp_route *route_find(__u64 generation, const struct tp_addr *addr)
{
	struct tp_route *route = route_row(generation, addr);

	return route && route->kind != TP_ROUTE_NONE ? route : NULL;
}

static __always_inline bool route_is_expired(const struct tp_route *route, __u64 now)
{
	return route->expires_at && now >= route->expires_at;
}

static __always_inline void fib_put_addrs(struct bpf_fib_lookup *fib, const struct pkt *pkt,
					  const struct tp_addr *src, const struct tp_addr *dst)
{
	if (pkt->v6) {
		fib->family = AF_INET6;
		__builtin_memcpy(fib->ipv6_src, src, sizeof(*src));
		__builtin_memcpy(fib->ipv6_dst, dst, sizeof(*dst));
	} else {
		fib->family = AF_INET;
		fib->ipv4_src = addr_word(src, 3);
		fib->ipv4_dst = addr_word(dst, 3);
	}
}

/* What an answer of bpf_fib_lookup other than "found" means for the packet. */
static __always_inline int fib_reason(long answer)
{
	switch (answer) {
	case BPF_FIB_LKUP_RET_SUCCESS:
	case BPF_FIB_LKUP_RET_FRAG_NEEDED: /* the next hop is there all the same */
	case BPF_FIB_LKUP_RET_NO_NEIGH: return GO_ON;
	case BPF_FIB_LKUP_RET_BLACKHOLE: return TP_R_blackhole;
	/* by a device that is none of ours, and so past the translation */
	case BPF_FIB_LKUP_RET_UNSUPP_LWT: return TP_R_no_route;
	default: return TP_R_stack_route;
	}
}

/* Flags and a result of bpf_fib_lookup that headers of Linux 6.1 do not have. */
#define FIB_SKIP_NEIGH (1U << 2)
#define FIB_SOURCE     (1U << 4) /* fib's source becomes what the kernel would send from */
#define FIB_NO_SOURCE  9

/*
 * The way to dst as this machine's own routing table has it. The source must be the one before
 * translation: policy rules may select on it. length: see route_next_hop; 0 asks for no MTU.
 */
static __always_inline long route_lookup(struct pkt *pkt, const struct tp_addr *src,
					 const struct tp_addr *dst, __u32 ingress, __u32 flags,
					 __u32 length, struct bpf_fib_lookup *fib)
{
	__builtin_memset(fib, 0, sizeof(*fib));
	fib->ifindex = ingress;
	fib->tot_len = length < 0xffff ? length : 0xffff;
	fib->l4_protocol = pkt->key.proto;
	fib->sport = pkt->key.sport;
	fib->dport = pkt->key.dport;
	fib_put_addrs(fib, pkt, src, dst);
	return bpf_fib_lookup(pkt->ctx, fib, sizeof(*fib), flags);
}

/* Of a GSO packet, which is larger, each segment's. */
static __always_inline __u32 route_packet_len(const struct pkt *pkt)
{
	__u32 gso_size = hook_gso_size(pkt);

	return gso_size ? pkt->headers + gso_size : pkt->len;
}

/* A length that fits everywhere: a lookup with one tells the MTU of the route. */
#define FIB_TELL_MTU 1

/*
 * Next hop through a LAN device. fib->mtu_result: what the kernel knows of the way beyond the MTU
 * of its device, locked or learned; 0: nothing. Where the neighbour is not known it tells that
 * only of what is too large. Never BPF_FIB_LKUP_RET_FRAG_NEEDED, whose fib is half filled.
 */
static __noinline long route_next_hop(struct pkt *pkt, const struct tp_addr *src,
				      const struct tp_addr *dst, __u32 ingress,
				      struct bpf_fib_lookup *fib)
{
	__u32 ifindex;
	long answer;

	if (!pkt || !src || !dst || !fib)
		return BPF_FIB_LKUP_RET_NOT_FWDED;
	answer = route_lookup(pkt, src, dst, ingress, 0, FIB_TELL_MTU, fib);
	if (answer != BPF_FIB_LKUP_RET_NO_NEIGH)
		return answer;

	ifindex = fib->ifindex;
	answer = route_lookup(pkt, src, dst, ingress, 0, route_packet_len(pkt), fib);
	if (answer == BPF_FIB_LKUP_RET_NO_NEIGH)
		fib->mtu_result = 0; /* still the length that we gave */
	if (answer != BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return answer;
	fib->ifindex = ifindex;
	return BPF_FIB_LKUP_RET_NO_NEIGH;
}

/* The gateway that fib named, for neighbour resolution: its family may differ from the packet's. */
static __always_inline void route_gateway(const struct bpf_fib_lookup *fib,
					  struct bpf_redir_neigh *next_hop)
{
	__builtin_memset(next_hop, 0, sizeof(*next_hop));
	next_hop->nh_family = fib->family;
	if (fib->family == AF_INET6)
		__builtin_memcpy(next_hop->ipv6_nh, fib->ipv6_dst, sizeof(next_hop->ipv6_nh));
	else
		next_hop->ipv4_nh = fib->ipv4_dst;
}

static __always_inline struct tp_device *device_find(__u32 ifindex, __u8 role)
{
	struct tp_device *device = bpf_map_lookup_elem(&tp_devices, &ifindex);

	return device && device->role == role ? device : NULL;
}

/* Toward a member, whose own MTU may be smaller (0: it has none). */
static __always_inline __u16 tunnel_mtu(const struct pkt *pkt, __u16 peer_mtu)
{
	struct tp_device *device = device_find(pkt->tunnel_ifindex, TP_DEV_TUNNEL);
	__u16 mtu = device ? device->mtu : 0;

	return peer_mtu && peer_mtu < mtu ? peer_mtu : mtu;
}

/* What comes in by this device and goes to another LAN needs a grant. */
static __always_inline bool lan_is_judged(__u32 ifindex)
{
	const struct tp_device *device = device_find(ifindex, TP_DEV_LAN);

	return device && (device->flags & TP_DEV_JUDGE);
}

#endif
