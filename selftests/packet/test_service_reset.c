// SPDX-License-Identifier: GPL-2.0-only
/* TCP to a service that belongs to no flow, as when its backend was removed: the client hears it.
 */
#include "pieces.h"
#include "policies.h"
#include "rows.h"
#include "services.h"
#include "state.h"
#include "test.h"

#define FROM_PHONE(flags, ...)  FROM_TUNNEL, tcp(flags, "phone", 20000, "vip", 80, ##__VA_ARGS__)
#define FROM_HOST(flags, ...)   FROM_LAN, tcp(flags, "host2", 20000, "vip", 80, ##__VA_ARGS__)
#define PHONE_HEARS(flags, ...) resets(TUNNEL0, flags, "phone", 20000, ##__VA_ARGS__)
#define HOST_HEARS(flags, ...)  resets(LAN0, flags, "host2", 20000, ##__VA_ARGS__)

#define NOT_GRANTED POLICY(MASQUERADE, TO_LAN, BY_HOSTS) /* served, but for nobody */

static void no_more_answers(void)
{
	state_set_answers(true);
}

static const struct row rows[] = {
	{ .name = "a_segment_of_no_connection_is_reset",
	  .policy = SERVED_MASQ,
	  .steps = {
		  { FROM_PHONE(ACK), PHONE_HEARS(RST), .flows = 0 },
		  { FROM_HOST(ACK), HOST_HEARS(RST), .flows = 0 },
		  { FROM_PHONE(ACK, .seq = 5000, .ack = 70000), PHONE_HEARS(RST, .seq = 70000),
		    .flows = 0 },
		  { FROM_HOST(FIN | ACK, .ack = 9, .payload = "odd"), HOST_HEARS(RST, .seq = 9),
		    .flows = 0 },
		  { FROM_PHONE(ACK, .payload = "", .tos = 0xbb, .frag = DF, .ttl = 1),
		    PHONE_HEARS(RST), .flows = 0 },
		  { FROM_HOST(ACK, .payload_size = 1400), HOST_HEARS(RST), .flows = 0 },
		  { FROM_HOST(ACK, .payload = "", .trailer = 6), HOST_HEARS(RST), .flows = 0 },
		  { FROM_PHONE(ACK, TCP_OPTIONS("\1\1\1\1")), PHONE_HEARS(RST), .flows = 0 },
	  } },
	/* RFC 9293 3.10.7.1: with the number behind all that it takes up */
	{ .name = "without_an_acknowledgment_the_reset_has_one",
	  .policy = SERVED_MASQ,
	  .steps = {
		  { FROM_PHONE(0, .seq = 3), PHONE_HEARS(RST | ACK, .no_seq = true, .ack = 10),
		    .flows = 0 },
		  { FROM_HOST(0, TCP_OPTIONS("\1\1\1\1"), .trailer = 6),
		    HOST_HEARS(RST | ACK, .no_seq = true, .ack = 7), .flows = 0 },
		  { FROM_HOST(FIN, .payload = ""),
		    HOST_HEARS(RST | ACK, .no_seq = true, .ack = 1), .flows = 0 },
	  } },
	{ .name = "a_super_packet_is_reset_once",
	  .policy = SERVED_MASQ,
	  .steps = {
		  { FROM_HOST(ACK, .payload_size = 1400, .ack = 7), HOST_HEARS(RST, .seq = 7),
		    .flows = 0, .gso_size = 700 },
	  } },
	{ .name = "nothing_is_reset_for_a_reset_or_a_second_syn",
	  .policy = SERVED_MASQ,
	  .steps = {
		  { FROM_PHONE(RST), drops(invalid), .flows = 0 },
		  { FROM_PHONE(RST | ACK), drops(invalid), .flows = 0 },
		  { FROM_HOST(RST | FIN | ACK), drops(invalid), .flows = 0 },
		  { FROM_PHONE(SYN | ACK), drops(invalid), .flows = 0 },
		  { FROM_HOST(SYN | FIN), drops(invalid), .flows = 0 },
	  } },
	{ .name = "who_may_not_ask_hears_nothing",
	  .policy = NOT_GRANTED,
	  .steps = {
		  { FROM_PHONE(ACK), drops(acl), .flows = 0 },
		  { FROM_HOST(ACK), drops(acl), .flows = 0 },
		  { FROM_TUNNEL, tcp(ACK, "expired", 20000, "vip", 80), drops(peer_expired),
		    .flows = 0 },
		  { FROM_TUNNEL, tcp(ACK, "vip", 80, "phone", 20000), drops(spoof), .flows = 0 },
	  } },
	{ .name = "what_is_no_service_is_silent",
	  .policy = ADDRESS_GRANTED,
	  .steps = {
		  { FROM_TUNNEL, tcp(ACK, "phone", 20000, "vip", 81), drops(invalid),
		    .flows = 0 },
		  { FROM_TUNNEL, tcp(ACK, "phone", 20000, "vip", 53), drops(invalid),
		    .flows = 0 },
		  { FROM_PHONE(ACK), PHONE_HEARS(RST), .flows = 0 },
	  } },
	{ .name = "a_host_on_a_lan_is_no_service",
	  .policy = OPEN_MASQ,
	  .steps = {
		  { FROM_TUNNEL, tcp(ACK, "phone", 20000, "host", 80), drops(invalid),
		    .flows = 0 },
	  } },
	{ .name = "a_fragment_is_not_reset",
	  .policy = SERVED_MASQ,
	  .steps = {
		  { FROM_PHONE(ACK, FIRST), drops(invalid), .flows = 0 },
		  { FROM_HOST(ACK, FIRST), drops(invalid), .flows = 0 },
	  } },
	{ .name = "nor_is_what_has_options",
	  .policy = SERVED_MASQ,
	  .only = V4,
	  .steps = {
		  { FROM_PHONE(ACK, V4_OPTIONS("\1\1\1\0")), drops(invalid), .flows = 0 },
	  } },
	{ .name = "nor_is_what_has_extension_headers",
	  .policy = SERVED_MASQ,
	  .only = V6,
	  .steps = {
		  { FROM_PHONE(ACK, EXT(60, "\6\0\1\4\0\0\0\0")), drops(invalid), .flows = 0 },
	  } },
	{ .name = "a_connection_that_goes_on_is_not_reset",
	  .policy = SERVED_MASQ,
	  .steps = {
		  ESTABLISHED,
		  { FROM_TUNNEL, tcp(ACK, "phone", 20001, "vip", 80),
		    resets(TUNNEL0, RST, "phone", 20001), .flows = 1 },
		  { FROM_PHONE(ACK),
		    sends(LAN0, "host", tcp(ACK, "lan", 20000, "host", 80, .ttl = 63)),
		    .flows = 1 },
	  } },
	{ .name = "resets_have_a_limit",
	  .policy = SERVED_MASQ,
	  .steps = {
		  { FROM_PHONE(ACK), drops(answer_limit), .flows = 0, .before = no_more_answers },
		  { FROM_HOST(ACK), drops(answer_limit), .flows = 0 },
	  } },
};
ROWS(rows)
