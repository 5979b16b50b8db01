// SPDX-License-Identifier: GPL-2.0-only
/* Packets of conversations, old and new, and their fragments. */
#include <string.h>

#include "model_parts.h"

#define PORT_MIN   16384
#define PORT_MAX   29999
#define MTU_TUNNEL 1420

static bool is_link_local_v4(const uint8_t *v4)
{
	return v4[0] == 169 && v4[1] == 254;
}

bool is_link_scope(const struct wire *w)
{
	const uint8_t *dst = w->dst.addr;

	if (w->family == V4)
		return dst[12] >> 4 == 14 || !memcmp(dst + 12, "\xff\xff\xff\xff", 4) ||
		       is_link_local_v4(dst + 12) || is_link_local_v4(w->src.addr + 12);
	if (w->family == V6)
		return dst[0] == 0xff || (dst[0] == 0xfe && (dst[1] & 0xc0) == 0x80) ||
		       (w->src.addr[0] == 0xfe && (w->src.addr[1] & 0xc0) == 0x80) ||
		       (w->proto == IPPROTO_ICMPV6 && w->icmp_type >= 133 && w->icmp_type <= 137 &&
			w->ttl == 255);
	return true; /* neither family: not IP */
}

/* Of neighbours and listeners: what the stack is left with from the tunnel, unjudged. */
bool is_discovery(const struct wire *w)
{
	uint8_t type = w->icmp_type;

	if (w->family != V6 || w->proto != IPPROTO_ICMPV6 || w->dst.addr[0] != 0xff)
		return false;
	return (type >= 133 && type <= 137 && w->ttl == 255) || (type >= 130 && type <= 132) ||
	       type == 143;
}

static bool is_of_mesh(enum place_kind kind)
{
	return kind == PLACE_MESH || kind == PLACE_EXPIRED || kind == PLACE_SELF;
}

bool lan_may_pass(const struct judged *j)
{
	bool answers;

	if (is_link_scope(&j->in))
		return true;
	if (is_of_mesh(model_place(j->in.src.addr, j->in.family)))
		return false;
	if (!is_of_mesh(model_place(j->in.dst.addr, j->in.family)))
		return true;
	if (!j->valid)
		return false;
	/* what is granted and needs the stack: options, TTL, size */
	return j->in.error || talk_find(&j->in, j->side, &answers) || model_grants(&j->in);
}

const char *compare_translated(const struct judged *j, const struct end *src, const struct end *dst)
{
	uint8_t in[FRAME_MAX], out[FRAME_MAX];

	if (j->out.length != j->in.length || j->out_size < j->out.length)
		return "its length changed";
	if (memcmp(j->out.src.addr, src->addr, 16) || memcmp(j->out.dst.addr, dst->addr, 16))
		return "it left with other addresses than it should";
	if (!j->in.offset && j->in.ports &&
	    (j->out.src.port != src->port || j->out.dst.port != dst->port))
		return "it left with other ports than it should";
	if (!j->in.offset && wire_check_at(&j->in) &&
	    wire_sum(j->out_ip, &j->out) != wire_sum(j->in_ip, &j->in))
		return "its checksum is not as right as it was";

	memcpy(in, j->in_ip, j->in.length);
	memcpy(out, j->out_ip, j->in.length);
	wire_blank(in, &j->in);
	wire_blank(out, &j->out);
	return memcmp(in, out, j->in.length) ? "bytes changed that had no reason to" : NULL;
}

static bool may_open(const struct wire *w)
{
	if (w->proto == IPPROTO_TCP)
		return (w->tcp_flags & (SYN | ACK | RST | FIN)) == SYN;
	if (w->proto == (w->family == V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return w->query;
	return true;
}

static enum tp_side side_toward(enum place_kind kind)
{
	if (kind == PLACE_MESH)
		return TP_SIDE_TUNNEL;
	return kind == PLACE_MASQUERADED || kind == PLACE_PLAIN ? TP_SIDE_LAN : 0;
}

/* The rules of RFC 4787 REQ-1, REQ-3 and REQ-2 about the port that NAT chose. */
static const char *check_mapping(const struct judged *j, const struct talk *talk)
{
	const struct talk *other;

	if (model_place(j->out.src.addr, j->out.family) != PLACE_HOST)
		return "it left with a source address that is not the LAN device's";
	if (!j->in.ports)
		return "it left translated, and has no port to tell its answers by";
	if (j->out.src.port < PORT_MIN || j->out.src.port > PORT_MAX)
		return "it left with a port that is not in the range";
	other = talk_of_mapping(talk, false);
	if (other && other->out_src.port != talk->out_src.port)
		return "one inside port has two outside ports";
	other = talk_of_mapping(talk, true);
	if (other && !end_is(&other->src, &talk->src))
		return "two inside ports share one outside port";
	return NULL;
}

static void note_train(const struct judged *j, const struct end *src, const struct end *dst)
{
	struct train train = { j->side, j->in, *src, *dst };

	if (j->in.fragment)
		train_add(&train);
}

/* Whether the stack was to forward it, not to answer it: then a conversation has begun. */
static bool stack_forwards_it(const struct judged *j)
{
	bool whole = j->in.family == V6 || j->in_ip[6] & 0x40;

	return j->in.ttl > 1 && !(whole && j->in.length > MTU_TUNNEL);
}

/* It comes by the egress program again, if it goes to a LAN. */
static const char *judge_new_to_stack(const struct judged *j, const struct talk *talk)
{
	j->counts->delivered++;
	if (!talk->out_side || (talk->out_side == TP_SIDE_TUNNEL && stack_forwards_it(j))) {
		talk_add(talk);
		note_train(j, &talk->out_src, &talk->out_dst);
	}
	if (j->out.ttl != j->in.ttl)
		return "handed to the stack: the TTL changed";
	return j->unchanged ? NULL : compare_translated(j, &j->in.src, &j->in.dst);
}

/* A packet that no conversation knows was let through: may it open one? */
static const char *judge_new(const struct judged *j, bool to_stack)
{
	enum place_kind from = model_place(j->in.src.addr, j->in.family);
	enum place_kind to = model_place(j->in.dst.addr, j->in.family);
	struct talk talk = { .family = j->in.family,
			     .proto = j->in.proto,
			     .side = j->side,
			     .out_side = side_toward(to),
			     .src = j->in.src,
			     .dst = j->in.dst,
			     .out_src = j->in.src,
			     .out_dst = j->in.dst };
	bool masqueraded = j->side == TP_SIDE_TUNNEL && to == PLACE_MASQUERADED;
	const char *wrong;

	if (j->side == TP_SIDE_TUNNEL ? from != PLACE_MESH : is_of_mesh(from))
		return "let through: its source does not belong there";
	if (!may_open(&j->in))
		return "let through: it cannot open a conversation";
	if (!model_grants(&j->in))
		return "let through: no grant allows it";
	if (to_stack)
		return judge_new_to_stack(j, &talk);
	if (masqueraded) {
		talk.out_src = j->out.src;
		if (j->in.query) /* the identifier is both ports */
			talk.out_dst.port = j->out.dst.port;
		wrong = check_mapping(j, &talk);
		if (wrong)
			return wrong;
	}
	wrong = compare_translated(j, &talk.out_src, &talk.out_dst);
	if (wrong)
		return wrong;
	talk_add(&talk);
	j->counts->opened++;
	return NULL;
}

/* A SYN on a conversation that is closing begins another one, and NAT may choose anew. */
static bool is_reopened(const struct judged *j, const struct talk *talk)
{
	return talk->closing && may_open(&j->in) && j->in.proto == IPPROTO_TCP;
}

static const char *judge_old(const struct judged *j, struct talk *talk, bool answers, bool to_stack)
{
	const struct end *src = answers ? &talk->dst : &talk->out_src;
	const struct end *dst = answers ? &talk->src : &talk->out_dst;
	bool later = to_stack && !answers; /* translated when the stack is done with it */
	bool translated = !end_is(&talk->src, &talk->out_src);
	struct talk again;
	const char *wrong;

	talk->closing |= j->in.proto == IPPROTO_TCP && j->in.tcp_flags & (FIN | RST);
	if (to_stack && j->unchanged && !(answers && translated)) {
		note_train(j, src, dst); /* the rest may need no help */
		return NULL;
	}
	if (to_stack && j->out.ttl != j->in.ttl)
		return "handed to the stack: the TTL changed";
	wrong = compare_translated(j, later ? &talk->src : src, later ? &talk->dst : dst);
	if (wrong)
		return wrong;
	note_train(j, src, dst);
	*(answers ? &j->counts->answered : &j->counts->went_on) += 1;
	if (j->in.proto == IPPROTO_TCP && may_open(&j->in)) {
		again = *talk; /* it may have begun anew: now it is the youngest */
		talk_add(&again);
	}
	return NULL;
}

void note_passed(const struct judged *j)
{
	bool answers;
	struct talk *talk = j->valid && !j->in.error ? talk_find(&j->in, j->side, &answers) : NULL;

	if (talk)
		note_train(j, answers ? &talk->dst : &talk->out_src,
			   answers ? &talk->src : &talk->out_dst);
	else if (j->valid && !j->in.error && !j->in.offset && may_open(&j->in) &&
		 model_place(j->in.dst.addr, j->in.family) == PLACE_MESH && model_grants(&j->in))
		judge_new(j, true);
}

const char *judge_known(const struct judged *j, bool to_stack)
{
	bool answers = false;
	struct talk *talk = j->in.error ? NULL : talk_find(&j->in, j->side, &answers);
	const char *wrong = NULL;

	if (j->in.error) /* to_stack: about what ends here or is the stack's; else see judge_error
			  */
		return j->unchanged ? NULL : "handed to the stack: an error that was changed";
	if (talk)
		wrong = judge_old(j, talk, answers, to_stack);
	if (talk && !(wrong && is_reopened(j, talk)))
		return wrong;

	wrong = judge_new(j, to_stack);
	if (!wrong && (!to_stack || j->unchanged))
		note_train(j, &j->out.src, &j->out.dst);
	return wrong;
}

const char *judge_later_fragment(const struct judged *j)
{
	const struct train *train = train_find(&j->in, j->side);
	const char *wrong;

	if (!train)
		return "sent: a fragment of nothing that was let through";
	wrong = compare_translated(j, &train->out_src, &train->out_dst);
	j->counts->fragments += !wrong;
	return wrong;
}

/* Out of a LAN device goes only what was let in, and as the conversation has it. */
const char *judge_leaving(const struct judged *j)
{
	const struct end *src, *dst;
	const char *wrong = NULL;
	bool answers;
	struct talk *talk = talk_find(&j->in, j->side, &answers);

	if (talk) {
		src = answers ? &talk->dst : &talk->out_src;
		dst = answers ? &talk->src : &talk->out_dst;
		wrong = compare_translated(j, src, dst);
	}
	if (!talk || (wrong && is_reopened(j, talk))) { /* begun on its way to the stack */
		src = &j->out.src;
		dst = &j->out.dst;
		wrong = judge_new(j, false);
	}
	if (wrong)
		return wrong;
	note_train(j, src, dst);
	j->counts->left++;
	return NULL;
}
