// SPDX-License-Identifier: GPL-2.0-only
/* ICMP errors: about conversations of ours, translated; and those that the programs send. */
#include <string.h>

#include "model_parts.h"

#define ICMP_HEADER 8

static void put_addr(uint8_t *ip, enum family family, const struct end *src, const struct end *dst)
{
	if (family == V4) {
		memcpy(ip + 12, src->addr + 12, 4);
		memcpy(ip + 16, dst->addr + 12, 4);
	} else {
		memcpy(ip + 8, src->addr, 16);
		memcpy(ip + 24, dst->addr, 16);
	}
}

static void put_ports(uint8_t *ip, const struct wire *w, const struct end *src,
		      const struct end *dst)
{
	uint8_t *at = ip + w->l4;

	if (w->query || w->reply) {
		at[4] = (uint8_t)(src->port >> 8);
		at[5] = (uint8_t)src->port;
	} else if (w->ports) {
		at[0] = (uint8_t)(src->port >> 8);
		at[1] = (uint8_t)src->port;
		at[2] = (uint8_t)(dst->port >> 8);
		at[3] = (uint8_t)dst->port;
	}
}

/* The quoted packet's own checksums, which a translation may touch: compared by what they say. */
static void blank_quote_checks(uint8_t *ip, size_t size, const struct wire *w)
{
	size_t at = wire_check_at(w);

	if (w->family == V4)
		memset(ip + 10, 0, 2);
	if (at && at + 2 <= size)
		memset(ip + at, 0, 2);
}

/* Swapped: the conversation as the packet that the error speaks of travels it. */
static void flip(struct wire *w)
{
	struct end end = w->src;
	bool query = w->query;

	w->src = w->dst;
	w->dst = end;
	w->query = w->reply;
	w->reply = query;
}

static const char *compare_quote(const struct judged *j, const struct wire *quote,
				 const struct end *src, const struct end *dst)
{
	size_t in_at = j->in.l4 + ICMP_HEADER, size = j->in.length - in_at;
	uint8_t want[FRAME_MAX], got[FRAME_MAX];

	if (j->out.length != j->in.length || j->out.l4 != j->in.l4)
		return "an error's length changed";
	memcpy(want, j->in_ip + in_at, size);
	memcpy(got, j->out_ip + in_at, size);
	put_addr(want, quote->family, src, dst);
	put_ports(want, quote, src, dst);
	blank_quote_checks(want, size, quote);
	blank_quote_checks(got, size, quote);
	if (memcmp(want, got, size))
		return "an error's quote is not what its receiver sent";
	if (memcmp(j->in_ip + j->in.l4, j->out_ip + j->in.l4, 2) ||
	    memcmp(j->in_ip + j->in.l4 + 4, j->out_ip + j->in.l4 + 4, 4))
		return "an error's type, code or data changed";
	return NULL;
}

/* The checksum of an error must be right: its receiver drops it silently if not. */
static const char *check_sums(const struct judged *j, const struct wire *quote)
{
	const uint8_t *inner = j->out_ip + j->in.l4 + ICMP_HEADER;

	if (wire_sum(j->out_ip, &j->out) != 0xffff)
		return "an error left with a wrong checksum";
	if (quote->family == V4 && !wire_header_is_right(inner, quote))
		return "an error's quoted header left with a wrong checksum";
	return NULL;
}

/* RFC 5508 REQ-5: out of the inside no address shows but the translator's. */
static const uint8_t *outer_source(const struct judged *j, const struct talk *talk, bool answers)
{
	bool translated = !end_is(&talk->src, &talk->out_src);

	return translated && !answers ? talk->out_src.addr : j->in.src.addr;
}

const char *judge_error(const struct judged *j)
{
	size_t at = j->in.l4 + ICMP_HEADER;
	const struct end *src, *dst;
	struct wire quote, about;
	struct talk *talk;
	bool answers;
	const char *wrong;

	if (j->in.length < at || !wire_read_quote(j->in_ip + at, j->in.length - at, &quote))
		return "sent: an error that quotes nothing";
	about = quote;
	flip(&about); /* the error travels against the packet that it quotes */
	talk = talk_find(&about, j->side, &answers);
	if (!talk)
		return "sent: an error about no conversation";
	/* `about` goes as the error does; what it quotes was sent by whom the error goes to */
	src = answers ? &talk->src : &talk->out_dst;
	dst = answers ? &talk->dst : &talk->out_src;
	wrong = compare_quote(j, &quote, src, dst);
	if (!wrong && memcmp(j->out.dst.addr, src->addr, 16))
		wrong = "an error went to somebody else than whom it is about";
	if (!wrong && memcmp(j->out.src.addr, outer_source(j, talk, answers), 16))
		wrong = "an error came from somebody else than it should";
	if (!wrong && !j->unchanged)
		wrong = check_sums(j, &quote);
	j->counts->errors += !wrong;
	return wrong;
}

/* "Too big" and "time exceeded" that the program itself answers with, where the stack cannot. */
const char *judge_answer(const struct judged *j)
{
	const uint8_t *inner = j->out_ip + j->out.l4 + ICMP_HEADER;
	size_t quoted = j->out.length - j->out.l4 - ICMP_HEADER;
	bool answers;

	if (!j->valid || j->in.offset)
		return "answered: to a packet that must not be answered";
	if (!talk_find(&j->in, j->side, &answers))
		return "answered: to a packet of no conversation";
	if (memcmp(j->out.dst.addr, j->in.src.addr, 16))
		return "answered: to somebody else than its sender";
	if (quoted > j->in.length || memcmp(inner, j->in_ip, quoted))
		return "answered: the quote is not what was sent";
	if (wire_sum(j->out_ip, &j->out) != 0xffff)
		return "answered: with a wrong checksum";
	return NULL;
}
