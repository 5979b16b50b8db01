/* SPDX-License-Identifier: GPL-2.0-only */
/* What others on this machine send out of a LAN device: does it use a port that NAT has given? */
#ifndef BPF_LIB_FOREIGN_H
#define BPF_LIB_FOREIGN_H

#include "lib/fast.h"
#include "lib/learn.h"
#include "lib/nat.h"
#include "lib/parse.h"

/* Source address and protocol; returns where the ports are, if anywhere. 0: not in this packet. */
static __always_inline __u32 peek_ipv4(const struct pkt *pkt, struct tp_nat_in_key *key)
{
	const struct iphdr *ip = hook_ptr(pkt, pkt->l2_len, sizeof(*ip));

	if (!ip || (ip->frag_off & bpf_htons(IP_OFFSET)))
		return 0;
	key->proto = ip->protocol;
	addr_set_v4(&key->outside, ip->saddr);
	return pkt->l2_len + ip->ihl * 4;
}

static __always_inline __u32 peek_ipv6(const struct pkt *pkt, struct tp_nat_in_key *key)
{
	const struct ipv6hdr *ip = hook_ptr(pkt, pkt->l2_len, sizeof(*ip));

	if (!ip)
		return 0;
	key->proto = ip->nexthdr; /* behind extension headers nobody looks */
	__builtin_memcpy(&key->outside, &ip->saddr, sizeof(key->outside));
	return pkt->l2_len + sizeof(*ip);
}

/* Where a packet of whoever is sent from; returns where its ports are, 0: it has none. */
static __always_inline __u32 peek_source(const struct pkt *pkt, struct tp_nat_in_key *key)
{
	const __u8 *first = hook_ptr(pkt, pkt->l2_len, 1);
	bool v6 = first && *first >> 4 == 6;
	__u32 l4 = v6 ? peek_ipv6(pkt, key) : peek_ipv4(pkt, key);

	if (!l4 || (key->proto != IPPROTO_TCP && key->proto != IPPROTO_UDP))
		return 0;
	return hook_load(pkt, l4, &key->port, sizeof(key->port)) ? 0 : l4;
}

/*
 * On its way to a LAN, and it did not come through the tunnel: other people's, and not looked at
 * but for the source port. A port of the SNAT range, which this machine's own sockets are not
 * given by default, costs a lookup; only one that a mapping stands on goes on to nat_retire. What
 * this machine itself sends from the tunnel's port tells the guard whom WireGuard knows.
 */
static __always_inline int fast_foreign(struct pkt *pkt, bool own)
{
	struct tp_nat_in_key key = {};
	__u32 l4 = peek_source(pkt, &key);

	if (!l4)
		return TP_R_not_ours;
	if (key.port == pkt->limits->tunnel_port && own && key.proto == IPPROTO_UDP)
		learn_endpoint(pkt, l4, !addr_is_mapped(&key.outside));
	if (!nat_port_in_range(pkt->limits, bpf_ntohs(key.port)))
		return TP_R_not_ours;
	return bpf_map_lookup_elem(&tp_nat_in, &key) ? GO_SLOW : TP_R_not_ours;
}

#endif
