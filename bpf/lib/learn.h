/* SPDX-License-Identifier: GPL-2.0-only */
/* What this machine sends from the tunnel's port tells the guard whom WireGuard knows: guard.h. */
#ifndef BPF_LIB_LEARN_H
#define BPF_LIB_LEARN_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "lib/guard.h"
#include "lib/maps.h"
#include "lib/parse.h"

/* Where to, and to which port; false: it is cut off. */
static __always_inline bool learn_destination(const struct pkt *pkt, __u32 l4, bool v6,
					      struct tp_endpoint *to)
{
	__be32 v4 = 0;

	if (hook_load(pkt, l4 + offsetof(struct udphdr, dest), &to->port, sizeof(to->port)))
		return false;
	if (v6)
		return !hook_load(pkt, pkt->l2_len + offsetof(struct ipv6hdr, daddr), &to->addr,
				  sizeof(to->addr));
	if (hook_load(pkt, pkt->l2_len + offsetof(struct iphdr, daddr), &v4, sizeof(v4)))
		return false;
	addr_set_v4(&to->addr, v4);
	return true;
}

/*
 * An initiation or a response goes to whom WireGuard knows. Cookies (type 3) go to anybody, and
 * data, of which there is much, where one of the other two has gone before.
 */
static __noinline void learn_endpoint(const struct pkt *pkt, __u32 l4, bool v6)
{
	struct {
		struct udphdr udp;
		struct wg_header wg;
	} head;
	struct tp_endpoint to = {};
	__u64 full = 0;

	if (hook_load(pkt, l4, &head, sizeof(head)) ||
	    (head.wg.type != WG_INITIATION && head.wg.type != WG_RESPONSE) ||
	    !wg_is_well_formed(&head.wg, bpf_ntohs(head.udp.len) - sizeof(head.udp)))
		return;
	/* a look keeps the oldest from giving way; what is there keeps its bucket */
	if (learn_destination(pkt, l4, v6, &to) && !bpf_map_lookup_elem(&tp_guard_known, &to))
		bpf_map_update_elem(&tp_guard_known, &to, &full, BPF_NOEXIST);
}

#endif
