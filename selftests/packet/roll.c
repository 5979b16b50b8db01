// SPDX-License-Identifier: GPL-2.0-only
#include "roll.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "model.h"
#include "roll_parts.h"
#include "rows.h"

static uint64_t random_state;

void roll_seed(uint32_t seed)
{
	random_state = seed * 0x9e3779b97f4a7c15ULL + 1;
}

/* xorshift64*, Vigna 2016. */
uint32_t roll(uint32_t sides)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dULL) >> 33) % sides;
}

#define PICK(list) (list)[roll(sizeof(list) / sizeof((list)[0]))]

/* Names of places.h that occur in each family. */
static const char *const senders[] = { "phone",   "phone",  "phone",  "tablet", "tablet", "branch",
				       "expired", "remote", "nobody", "host",   "self" };
static const char *const targets[] = { "host",   "host",      "host2",  "ghost",       "far",
				       "beyond", "lan",       "tablet", "phone",       "self",
				       "away",   "elsewhere", "hole",   "unreachable", "remote" };
static const char *const lan_senders[] = { "host", "host",  "host2",     "router",
					   "far",  "phone", "elsewhere", "beyond" };
static const char *const lan_targets[] = { "phone", "phone",   "tablet", "lan",      "self",
					   "host2", "expired", "beyond", "elsewhere" };

static uint8_t roll_flags(void)
{
	static const uint8_t flags[] = {
		SYN, SYN, SYN, SYN, SYN | ACK, ACK, ACK, FIN | ACK, RST, 0
	};

	return PICK(flags);
}

static int roll_port(void)
{
	return (int)roll(8) ? (int)roll(60) + 1 : (int)roll(65536);
}

static int roll_ttl(void)
{
	return roll(30) ? 64 : (int)roll(3) - 1;
}

static const char mss[] = { 2, 4, 0x05, (char)0xb4 };

/* What is between two ends, of a protocol; decoration included. */
static struct packet roll_between(const char *src, const char *dst, int sport, int dport)
{
	struct packet p = { .src = src, .dst = dst, .sport = sport, .dport = dport };

	p.ttl = roll_ttl();
	p.tos = roll(4) ? 0 : (uint8_t)roll(256);
	p.payload_size = roll(4) ? 0 : roll(1480) + 1;
	switch (roll(12)) {
	case 0:
	case 1:
	case 2:
	case 3:
		p.proto = IPPROTO_TCP;
		p.tcp_flags = roll_flags();
		p.tcp_options = mss;
		p.options_size = roll(2) ? sizeof(mss) : 0;
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		p.proto = IPPROTO_UDP;
		p.udp_unsummed = !roll(8);
		break;
	case 8:
	case 9:
		p.proto = IPPROTO_ICMP;
		p.echo = roll(4) ? REQUEST : REPLY;
		break;
	case 10:
		p.proto = IPPROTO_ICMP;
		p.icmp4[0] = (uint8_t)roll(20);
		p.icmp6[0] = (uint8_t)(roll(2) ? roll(6) : 126 + roll(14));
		break;
	default: p.proto = roll(2) ? 47 : 132;
	}
	return p;
}

static size_t put(struct rolled *rolled, const struct packet *p, enum family family)
{
	static const struct ports none;

	rolled->size = row_frame(rolled->hook, p, family, &none, rolled->frame);
	return rolled->size;
}

static void roll_stranger(struct rolled *rolled, enum family family)
{
	struct packet p;

	rolled->hook = roll(3) ? FROM_TUNNEL : FROM_LAN;
	if (rolled->hook == FROM_TUNNEL)
		p = roll_between(PICK(senders), PICK(targets), roll_port(), roll_port());
	else
		p = roll_between(PICK(lan_senders), PICK(lan_targets), roll_port(),
				 roll(2) ? roll_port() : 16384 + (int)roll(13616));
	put(rolled, &p, family);
}

/* The text of an end of a conversation; each of the four has its own buffer. */
static const char *end_text(const struct end *end, int which)
{
	static char texts[4][ADDR_TEXT_SIZE];
	struct addr addr;

	memcpy(addr.bytes, end->addr, 16);
	return addr_put(texts[which], &addr);
}

static int talk_proto(const struct talk *talk)
{
	return talk->proto == IPPROTO_ICMPV6 ? IPPROTO_ICMP : talk->proto;
}

static void decorate(struct packet *p, const struct talk *talk, bool answer)
{
	p->proto = talk_proto(talk);
	p->ttl = roll_ttl();
	p->payload_size = roll(4) ? 0 : roll(1480) + 1;
	p->udp_unsummed = p->proto == IPPROTO_UDP && !roll(8);
	if (p->proto == IPPROTO_TCP) {
		p->tcp_flags = roll_flags();
		p->tcp_options = mss;
		p->options_size = sizeof(mss);
	}
	if (p->proto == IPPROTO_ICMP) {
		p->echo = answer ? REPLY : REQUEST;
		p->sport = answer ? p->dport : p->sport;
	}
}

/* A packet of a conversation, one way or the other, as it enters. */
static struct packet of_talk(const struct talk *talk, bool answer)
{
	const struct end *src = answer ? &talk->out_dst : &talk->src;
	const struct end *dst = answer ? &talk->out_src : &talk->dst;
	struct packet p = { .src = end_text(src, 0),
			    .dst = end_text(dst, 1),
			    .sport = src->port,
			    .dport = dst->port };

	decorate(&p, talk, answer);
	return p;
}

static enum hook hook_of(enum tp_side side)
{
	return side == TP_SIDE_TUNNEL ? FROM_TUNNEL : FROM_LAN;
}

static void roll_known(struct rolled *rolled, enum family family, const struct talk *talk)
{
	bool answer = talk->out_side && roll(2);
	struct packet p = of_talk(talk, answer);

	if (!roll(16)) /* the right port at the wrong host */
		p.src = answer ? "host2" : "tablet";
	rolled->hook = hook_of(answer ? talk->out_side : talk->side);
	put(rolled, &p, family);
}

/* An error about a packet of the conversation that was seen on the side it comes from. */
static void roll_error(struct rolled *rolled, enum family family, const struct talk *talk)
{
	static const uint8_t types4[] = { 3, 3, 11, 12 }, types6[] = { 1, 2, 3, 4 };
	bool to_opener = roll(2) || !talk->out_side;
	const struct end *src = to_opener ? &talk->out_src : &talk->out_dst;
	const struct end *dst = to_opener ? &talk->out_dst : &talk->out_src;
	static const struct ports none;
	struct packet error = {}, quoted = { .src = end_text(src, 2), .sport = src->port };
	uint8_t quote[FRAME_MAX];
	size_t size;

	if (!to_opener) { /* what the opener got: its own ends */
		dst = &talk->src;
		src = &talk->dst;
		quoted.src = end_text(src, 2);
		quoted.sport = src->port;
	}
	quoted.dst = end_text(dst, 3);
	quoted.dport = dst->port;
	decorate(&quoted, talk, !to_opener);
	size = packet_put(&quoted, family, &none, quote);
	if (roll(2))
		size = (family == V4 ? 28 : 48);

	error.proto = IPPROTO_ICMP;
	error.icmp4[0] = PICK(types4);
	error.icmp6[0] = PICK(types6);
	error.src = to_opener ? (roll(2) ? end_text(&talk->out_dst, 0) : "router")
			      : end_text(&talk->src, 0);
	error.dst = end_text(src, 1);
	error.payload_size = size;
	rolled->hook = hook_of(to_opener ? talk->out_side : talk->side);
	put(rolled, &error, family);
	roll_put_payload(rolled, family, quote, size);
}

void roll_packet(struct rolled *rolled, enum family family)
{
	const struct talk *talk = NULL;

	if (model_talks())
		talk = model_talk(roll((uint32_t)model_talks()));
	if (!talk || !roll(3))
		roll_stranger(rolled, family);
	else if (roll(4))
		roll_known(rolled, family, talk);
	else
		roll_error(rolled, family, talk);
	rolled->mutated = !roll(2);
	if (rolled->mutated)
		roll_damage(rolled, family);
}
