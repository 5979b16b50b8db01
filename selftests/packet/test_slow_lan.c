// SPDX-License-Identifier: GPL-2.0-only
/* What the stack must finish between two LANs: as from the mesh, and nobody else's packets hurt. */
#include "pieces.h"
#include "policies.h"
#include "rows.h"

#define NOPS V4_OPTIONS("\1\1\1\0")

#define LARGER .payload_size = 1600

/* On its way out the stack has taken one off. */
#define HOP .ttl = 63

/* Both LANs may open to each other, and each is translated on the other. */
#define LAN1_TO_LAN0                                  \
	GRANT("198.51.100.0/24", "192.0.2.0/24", "*") \
	", " GRANT("2001:db8:31::/64", "2001:db8:30::/64", "*")
#define JUDGED_BOTH POLICY_JUDGED(MASQUERADE, LAN0_TO_LAN1 ", " LAN1_TO_LAN0, "")

static void allow_nothing(void)
{
	rig_switch(POLICY_JUDGED(MASQUERADE, "", ""));
}

static const struct row rows[] = {
	{ .name = "between_lans_options_are_translated_on_the_way_out",
	  .policy = JUDGED_MASQ,
	  .only = V4,
	  .steps = {
		  { FROM_LAN, udp("host", 20000, "beyond", 53, NOPS), passes(ip_options),
		    .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP, NOPS),
		    passes_as(translated, udp("lan1", 20000, "beyond", 53, HOP, NOPS)),
		    .flows = 1 },
		  { FROM_LAN1, udp("beyond", 53, "lan1", 20000, NOPS),
		    passes_as(ip_options, udp("beyond", 53, "host", 20000, NOPS)), .flows = 1 },
		  { INTO_LAN_FROM_LAN1, udp("beyond", 53, "host", 20000, HOP, NOPS),
		    passes(judged), .flows = 1 },
		  { FROM_LAN, udp("host", 20000, "beyond", 53),
		    sends(LAN1, "beyond", udp("lan1", 20000, "beyond", 53, HOP)), .flows = 1 },
		  { FROM_LAN, udp("host", 20000, "beyond", 53, NOPS), passes(ip_options),
		    .flows = 1 },
	  } },
	{ .name = "between_lans_whatever_the_stack_finishes_is_translated",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host", 20000, "beyond", 53),
		    resolves(LAN1, udp("lan1", 20000, "beyond", 53, HOP)), .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP),
		    passes_as(translated, udp("lan1", 20000, "beyond", 53, HOP)), .flows = 1 },
		  { FROM_LAN, tcp(SYN, "host", 20001, "beyond", 80),
		    resolves(LAN1, tcp(SYN, "lan1", 20001, "beyond", 80, HOP)), .flows = 2 },
		  { INTO_LAN1_FROM_LAN, tcp(ACK, "host", 20001, "beyond", 80, .tos = 0xbb, HOP),
		    passes_as(translated,
			      tcp(ACK, "lan1", 20001, "beyond", 80, .tos = 0xbb, HOP)),
		    .flows = 2 },
		  { FROM_LAN, ping("host", "beyond", 20002),
		    resolves(LAN1, ping("lan1", "beyond", 20002, HOP)), .flows = 3 },
		  { INTO_LAN1_FROM_LAN, ping("host", "beyond", 20002, HOP),
		    passes_as(translated, ping("lan1", "beyond", 20002, HOP)), .flows = 3 },
		  { INTO_LAN_FROM_LAN1, pong("beyond", "host", 20002, HOP), passes(judged),
		    .flows = 3 },
	  } },
	{ .name = "between_lans_what_is_too_big_is_cut_and_translated",
	  .policy = JUDGED_MASQ,
	  .only = V4,
	  .steps = {
		  { FROM_LAN, udp("host", 20000, "beyond", 53, LARGER), passes(too_big),
		    .flows = 1 },
		  { INTO_LAN1_FROM_LAN,
		    udp("host", 20000, "beyond", 53, HOP, LARGER, PIECE(0, 1480)),
		    passes_as(translated,
			      udp("lan1", 20000, "beyond", 53, HOP, LARGER, PIECE(0, 1480))),
		    .flows = 1 },
		  { INTO_LAN1_FROM_LAN,
		    udp("host", 20000, "beyond", 53, HOP, LARGER, PIECE(1480, 0)),
		    passes_as(translated,
			      udp("lan1", 20000, "beyond", 53, HOP, LARGER, PIECE(1480, 0))),
		    .flows = 1 },
		  { FROM_LAN, udp("host", 20000, "beyond", 53, .frag = DF, LARGER),
		    passes(too_big), .flows = 1 },
	  } },
	{ .name = "between_lans_fragments_are_translated_on_the_way_out",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host", 20000, "beyond", 53),
		    resolves(LAN1, udp("lan1", 20000, "beyond", 53, HOP)), .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP, LAST),
		    drops(unjudged), .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP, FIRST),
		    passes_as(translated, udp("lan1", 20000, "beyond", 53, HOP, FIRST)),
		    .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP, MIDDLE),
		    passes_as(translated, udp("lan1", 20000, "beyond", 53, HOP, MIDDLE)),
		    .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP, LAST),
		    passes_as(translated, udp("lan1", 20000, "beyond", 53, HOP, LAST)),
		    .flows = 1 },
	  } },
	{ .name = "between_lans_nothing_leaves_with_its_own_source",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP), drops(unjudged) },
		  { INTO_LAN1_FROM_LAN, ip(132, "host", "beyond", HOP), drops(unjudged) },
		  { FROM_LAN, udp("host", 20000, "beyond", 53),
		    resolves(LAN1, udp("lan1", 20000, "beyond", 53, HOP)), .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("host", 20001, "beyond", 53, HOP), drops(unjudged),
		    .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP), drops(unjudged),
		    .flows = 1, .before = allow_nothing },
	  } },
	{ .name = "between_lans_what_is_not_translated_passes",
	  .policy = JUDGED_ROUTED,
	  .steps = {
		  { FROM_LAN, udp("host", 20000, "beyond", 53),
		    resolves(LAN1, udp("host", 20000, "beyond", 53, HOP)), .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP), passes(judged),
		    .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP, FIRST),
		    passes(judged), .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP, LAST),
		    passes(judged), .flows = 1 },
		  { INTO_LAN_FROM_LAN1, udp("beyond", 53, "host", 20000, HOP), passes(judged),
		    .flows = 1 },
		  /* another NAT's, say: nothing was to be translated */
		  { INTO_LAN1_FROM_LAN, udp("host", 1, "beyond", 53, HOP), passes(not_ours),
		    .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("host", 1, "beyond", 53, HOP, .id = 7, LAST),
		    passes(not_ours), .flows = 1 },
	  } },
	/* each opens from the port that the other opens to: the stack's packet may be either's */
	{ .name = "between_lans_what_may_be_an_answer_is_not_guessed",
	  .policy = JUDGED_BOTH,
	  .steps = {
		  { FROM_LAN, udp("host", 20000, "beyond", 20001),
		    resolves(LAN1, udp("lan1", 20000, "beyond", 20001, HOP)), .flows = 1 },
		  { FROM_LAN1, udp("beyond", 20001, "host", 20000),
		    resolves(LAN0, udp("lan", 20001, "host", 20000, HOP)), .flows = 2 },
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 20001, HOP),
		    drops(nat_options), .flows = 2 },
	  } },
	{ .name = "other_peoples_packets_between_judged_lans_pass",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { INTO_LAN1_FROM_LAN, udp("host", 1, "elsewhere", 53, HOP), passes(not_ours) },
		  { INTO_LAN1_FROM_LAN, tcp(ACK, "host", 1, "elsewhere", 80, HOP),
		    passes(not_ours) },
		  { INTO_LAN1_FROM_LAN, ip(47, "host", "elsewhere", HOP), passes(not_ours) },
		  { INTO_LAN1_FROM_LAN, udp("host", 1, "elsewhere", 53, HOP, LAST),
		    passes(not_ours) },
		  { INTO_LAN1_FROM_LAN, udp("host", 1, "elsewhere", 53, HOP, .cut = 4),
		    passes(not_ours) },
		  /* what another NAT of this machine lets leave as this machine */
		  { INTO_LAN1_FROM_LAN, udp("lan1", 1, "beyond", 53, HOP), passes(not_ours) },
		  { INTO_LAN1_FROM_LAN, udp("lan1", 1, "beyond", 53, HOP, LAST),
		    passes(not_ours) },
	  } },
	/* where LANs are not judged nobody asks what goes between them */
	{ .name = "between_other_lans_everything_passes",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP), passes(not_ours) },
		  { INTO_LAN1_FROM_LAN, udp("host", 20000, "beyond", 53, HOP, LAST),
		    passes(not_ours) },
	  } },
	/* a port that a mapping stands on is still this machine's when it uses it itself */
	{ .name = "between_judged_lans_a_mapped_port_is_given_up",
	  .policy = JUDGED_MASQ,
	  .steps = {
		  { FROM_LAN, udp("host", 20000, "beyond", 53),
		    resolves(LAN1, udp("lan1", 20000, "beyond", 53, HOP)), .flows = 1 },
		  { INTO_LAN1_FROM_LAN, udp("lan1", 20000, "elsewhere", 53, HOP),
		    passes(nat_port_lost), .flows = 1 },
	  } },
};
ROWS(rows)
