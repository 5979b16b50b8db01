/* SPDX-License-Identifier: GPL-2.0-only */
/* Which of a LAN's packets concern us: the rest is other people's, whatever is wrong with it. */
#ifndef BPF_LIB_LAN_H
#define BPF_LIB_LAN_H

#include "lib/admit.h"
#include "lib/route.h"
#include "lib/scope.h"

/* It goes to the mesh or, where that is judged, to another LAN. */
static __always_inline bool lan_is_ours(const struct pkt *pkt, __u32 ingress)
{
	const struct tp_route *dst;

	if (!pkt->has_addrs)
		return false;
	dst = route_find(pkt->generation, &pkt->key.dst);
	if (!dst || !lan_route_is_ours(dst, true))
		return false;
	return dst->kind != TP_ROUTE_LAN || lan_is_judged(ingress);
}

/* It claims to come from the mesh. */
static __always_inline bool lan_is_spoofed(const struct pkt *pkt)
{
	const struct tp_route *src;

	src = pkt->has_addrs ? route_find(pkt->generation, &pkt->key.src) : NULL;
	return src && route_is_mesh_source(src);
}

/* False: all that from_lan could say of it is "not ours", and it need not be asked. */
static __always_inline bool lan_concerns_us(const struct pkt *pkt, __u32 ingress)
{
	return lan_is_ours(pkt, ingress) || (pkt->has_addrs && scope_is_local(pkt)) ||
	       lan_is_spoofed(pkt);
}

#endif
