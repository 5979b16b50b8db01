/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The transport header: ports, flags, ICMP type, into struct pkt. Whatever comes before it has been
 * walked over (parse.h), and is all there.
 */
#ifndef BPF_LIB_PARSE_L4_H
#define BPF_LIB_PARSE_L4_H

#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "lib/mss.h"
#include "lib/scope.h"

/* linux/icmp.h drags in userspace headers */
#define ICMP_ECHOREPLY 0
#define ICMP_ECHO      8

#define ICMP_NO_ECHO bpf_htons(1) /* "destination port" beside a "source port" of 0 */

#define ND_ROUTER_SOLICIT 133 /* RFC 4861: 133..137 are neighbour discovery */
#define ND_REDIRECT       137
#define MLD_QUERY         130 /* RFC 2710, 3810: 130..132 and 143 */
#define MLD_DONE          132
#define MLD2_REPORT       143

/* Bytes from the transport header on; never negative, parse_ipv* saw to it. */
static __always_inline __u32 parse_l4_len(const struct pkt *pkt)
{
	return pkt->len + pkt->l2_len - pkt->l4;
}

static __always_inline int parse_tcp(struct pkt *pkt)
{
	struct tcphdr *tcp;

	if (parse_l4_len(pkt) < sizeof(*tcp))
		return TP_R_malformed;
	tcp = hook_ptr(pkt, pkt->l4, sizeof(*tcp));
	if (!tcp || tcp->doff * 4 < (int)sizeof(*tcp) || tcp->doff * 4 > parse_l4_len(pkt))
		return TP_R_malformed;

	pkt->key.sport = tcp->source;
	pkt->key.dport = tcp->dest;
	pkt->seq = bpf_ntohl(tcp->seq);
	pkt->ack = bpf_ntohl(tcp->ack_seq);
	pkt->tcp_flags = ((__u8 *)tcp)[13];
	pkt->headers = pkt->l4 - pkt->l2_len + tcp->doff * 4;
	if (pkt->tcp_flags & TCP_SYN)
		pkt->mss = mss_find(pkt->ctx, pkt->l4, tcp->doff * 4);
	return GO_ON;
}

static __always_inline int parse_udp(struct pkt *pkt)
{
	struct udphdr *udp;

	if (parse_l4_len(pkt) < sizeof(*udp))
		return TP_R_malformed;
	udp = hook_ptr(pkt, pkt->l4, sizeof(*udp));
	if (!udp || bpf_ntohs(udp->len) < sizeof(*udp))
		return TP_R_malformed;
	/* a GSO packet's length field is that of one segment, a fragment's that of the whole */
	if (bpf_ntohs(udp->len) > parse_l4_len(pkt) && !pkt->fragment)
		return TP_R_malformed;

	pkt->key.sport = udp->source;
	pkt->key.dport = udp->dest;
	pkt->headers = pkt->l4 - pkt->l2_len + sizeof(*udp);
	return GO_ON;
}

#define SCTP_HEADER 12 /* RFC 9260 3.1; linux/sctp.h has its chunks alone */

/* Ports to judge it and to tell its flows apart by; its CRC32c forbids us to change them. */
static __always_inline int parse_sctp(struct pkt *pkt)
{
	__be16 *ports;

	if (parse_l4_len(pkt) < SCTP_HEADER)
		return TP_R_malformed;
	ports = hook_ptr(pkt, pkt->l4, 2 * sizeof(*ports));
	if (!ports)
		return TP_R_malformed;

	pkt->key.sport = ports[0];
	pkt->key.dport = ports[1];
	return GO_ON;
}

static __always_inline bool icmp_is_query(const struct pkt *pkt)
{
	if (pkt->v6)
		return pkt->icmp_type == ICMPV6_ECHO_REQUEST;
	return pkt->icmp_type == ICMP_ECHO;
}

static __always_inline bool icmp_is_reply(const struct pkt *pkt)
{
	if (pkt->v6)
		return pkt->icmp_type == ICMPV6_ECHO_REPLY;
	return pkt->icmp_type == ICMP_ECHOREPLY;
}

/*
 * Neighbour discovery has hop limit 255 (RFC 4861 7.1), or it came through a router; multicast
 * listener discovery goes to a group. The type alone proves nothing.
 */
static __always_inline bool icmp_is_local(const struct pkt *pkt)
{
	bool group = v6_is_multicast(&pkt->key.dst);
	__u8 type = pkt->icmp_type;

	if (!pkt->v6)
		return false;
	if (type >= ND_ROUTER_SOLICIT && type <= ND_REDIRECT)
		return pkt->ttl == 255 && (group || pkt->key.side == TP_SIDE_LAN);
	return group && ((type >= MLD_QUERY && type <= MLD_DONE) || type == MLD2_REPORT);
}

/*
 * ICMP and ICMPv6 share the first eight bytes. Of an echo the identifier is both ports; all else
 * gets two that differ, and hits no flow: 0 and 0 would be those of an echo with identifier 0.
 */
static __always_inline int parse_icmp(struct pkt *pkt)
{
	struct icmp6hdr *icmp;

	if (parse_l4_len(pkt) < sizeof(*icmp))
		return TP_R_malformed;
	icmp = hook_ptr(pkt, pkt->l4, sizeof(*icmp));
	if (!icmp)
		return TP_R_malformed;

	pkt->icmp_type = icmp->icmp6_type;
	if (icmp_is_local(pkt))
		return TP_R_local_scope;
	if (icmp_is_query(pkt) || icmp_is_reply(pkt)) {
		pkt->key.sport = icmp->icmp6_identifier;
		pkt->key.dport = icmp->icmp6_identifier;
		pkt->key.answer = icmp_is_reply(pkt);
	} else {
		pkt->key.dport = ICMP_NO_ECHO;
	}
	return GO_ON;
}

static __always_inline bool proto_is_icmp(const struct pkt *pkt)
{
	return pkt->key.proto == (pkt->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/*
 * Its ports, or the identifier of an echo, may be changed. SCTP has ports too, but a checksum that
 * takes no difference; what ICMP there is besides echoes hits no flow.
 */
static __always_inline bool proto_is_translatable(const struct pkt *pkt)
{
	return pkt->key.proto == IPPROTO_TCP || pkt->key.proto == IPPROTO_UDP || proto_is_icmp(pkt);
}

static __always_inline int parse_l4(struct pkt *pkt)
{
	if (pkt->frag_offset)
		return GO_ON; /* lib/frag.h knows what the first one said */
	if (pkt->key.proto == IPPROTO_TCP)
		return parse_tcp(pkt);
	if (pkt->key.proto == IPPROTO_UDP)
		return parse_udp(pkt);
	if (proto_is_icmp(pkt))
		return parse_icmp(pkt);
	if (pkt->key.proto == IPPROTO_SCTP)
		return parse_sctp(pkt);
	/* the other family's ICMP means nothing here, and a grant on ICMP must not let it by */
	if (pkt->key.proto == (pkt->v6 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return TP_R_malformed;
	return GO_ON;
}

#endif
