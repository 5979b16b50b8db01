/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a program was done with a packet. One list makes the enum, the names in `towpath status`
 * and the table in docs/counters.md. tp_drops is indexed by it.
 */
#ifndef TOWPATH_REASON_H
#define TOWPATH_REASON_H

enum tp_verdict {
	TP_STACK = 0,   /* to the kernel stack: TC_ACT_UNSPEC */
	TP_FORWARD = 1, /* out of the device the program chose */
	TP_DROP = 2,
};

/* X(name, verdict, what it means) */
/* clang-format off */
#define TP_REASONS(X) \
	X(none,           STACK,   "never counted: the stage goes on") \
	X(forward,        FORWARD, "known flow, redirected to a known neighbour") \
	X(forward_neigh,  FORWARD, "redirected through the kernel's neighbour resolution") \
	X(answered,       FORWARD, "too big or TTL used up: turned into an ICMP error about it") \
	X(deliver,        STACK,   "judged and allowed, addressed to this machine") \
	X(own,            STACK,   "sent by this machine's own sockets") \
	X(judged,         STACK,   "already judged on its way in") \
	X(translated,     STACK,   "finished by the stack, then translated on its way out") \
	X(not_ip,         STACK,   "neither IPv4 nor IPv6: ARP, LLDP and the like") \
	X(not_ours,       STACK,   "neither from nor to the mesh") \
	X(local_scope,    STACK,   "link-local, multicast, broadcast or neighbour discovery") \
	X(other_host,     STACK,   "frame addressed to another machine") \
	X(ip_options,     STACK,   "IPv4 options: judged, and forwarded by the stack") \
	X(ttl_exceeded,   STACK,   "TTL or hop limit used up: the stack answers") \
	X(too_big,        STACK,   "larger than the next link: the stack answers or fragments") \
	X(stack_route,    STACK,   "the route is one that the stack must answer for") \
	X(nat_port_lost,  STACK,   "this machine itself sends from a mapped port") \
	X(malformed,      DROP,    "header, length or option is not valid") \
	X(martian,        DROP,    "an address that may not appear on a wire") \
	X(spoof,          DROP,    "source address does not belong where the packet came from") \
	X(acl,            DROP,    "no grant allows it, or a deny refuses it") \
	X(invalid,        DROP,    "TCP that does not begin with SYN and belongs to no flow") \
	X(icmp_unrelated, DROP,    "ICMP reply or error that belongs to no allowed flow") \
	X(answer_limit,   DROP,    "an ICMP error or a RST was due, and too many went before") \
	X(unanswered,     DROP,    "TTL used up or too big, and no error may be sent about it") \
	X(frag_unknown,   DROP,    "fragment that cannot be tied to a judged flow") \
	X(no_route,       DROP,    "no active route to the destination") \
	X(blackhole,      DROP,    "a blackhole route") \
	X(ct_full,        DROP,    "flow table full, or the insert failed") \
	X(clash,          DROP,    "another flow has, or is being given, a key that it needs") \
	X(nat_full,       DROP,    "no free SNAT port") \
	X(nat_proto,      DROP,    "protocol that SNAT cannot translate, or behind AH") \
	X(nat_options,    DROP,    "needs the stack and a translation that it cannot get there") \
	X(nat_no_address, DROP,    "egress device has no address of this family to leave with") \
	X(peer_expired,   DROP,    "key_expiry of the peer has passed") \
	X(unjudged,       DROP,    "on its way out of the tunnel or a LAN without a verdict") \
	X(rewrite,        DROP,    "the kernel refused a packet edit") \
	X(wg_malformed,   DROP,    "to the tunnel's UDP port, but no WireGuard message") \
	X(wg_limited,     DROP,    "more handshake initiations than one source may send") \
	X(no_program,     DROP,    "the program behind a tail call is missing") \
	X(no_policy,      DROP,    "no policy is loaded") \
	X(internal,       DROP,    "a lookup that cannot fail has failed") \
	X(no_backend,     DROP,    "to a service without a healthy backend: its sender is told") \
	X(no_service,     DROP,    "to a service's address, but to no port that is served here") \
	X(handed_over,    FORWARD, "to a local VIP: into the LAN device, as if it came by it") \
	X(reset,          DROP,    "TCP of no flow to a service: its sender gets a RST")
/* clang-format on */

enum tp_reason {
#define TP_REASON_ENUM(name, verdict, text) TP_R_##name,
	TP_REASONS(TP_REASON_ENUM)
#undef TP_REASON_ENUM
		TP_REASON_COUNT
};

#endif
