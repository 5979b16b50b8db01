// SPDX-License-Identifier: GPL-2.0-only
#include "model/decide.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/layout.h"

/* The lowest rule in all four vectors, or DECIDE_NO_GRANT. `with` NULL: in the first three. */
static uint32_t first_rule(const struct tp_rule_bits *a, const struct tp_rule_bits *b,
			   const struct tp_rule_bits *c, const struct tp_rule_bits *with)
{
	uint64_t left = a->summary & b->summary & c->summary & (with ? with->summary : ~0ULL);

	for (; left; left &= left - 1) {
		int word = __builtin_ctzll(left);
		uint64_t bits = a->words[word] & b->words[word] & c->words[word];

		if (with)
			bits &= with->words[word];
		if (bits)
			return (uint32_t)(word * 64 + __builtin_ctzll(bits));
	}
	return DECIDE_NO_GRANT;
}

bool decide_classes(const struct tables *tables, uint32_t src, uint32_t dst, uint32_t port,
		    uint32_t *rule)
{
	const struct tp_rule_bits *classes = tables->classes.items;
	uint32_t found;

	found = first_rule(&classes[src], &classes[dst], &classes[port], &classes[TP_CLASS_DENY]);
	if (found != DECIDE_NO_GRANT) {
		*rule = found;
		return false;
	}

	*rule = first_rule(&classes[src], &classes[dst], &classes[port], NULL);
	return *rule != DECIDE_NO_GRANT;
}

static int sample_set(const struct pieces *pieces, const struct ranges *ranges, bool v4,
		      struct samples *out)
{
	const struct addr_range *range;
	int r = 0;

	array_for_each(range, ranges)
		if (!r && addr_is_v4(&range->first) == v4)
			r = pieces_sample(pieces, range, out);
	samples_finish(out);
	return r;
}

/* ICMP has another number in each family; nothing else does. */
static uint8_t family_proto(uint8_t proto, bool v4)
{
	return proto == IPPROTO_ICMP && !v4 ? IPPROTO_ICMPV6 : proto;
}

/* "*" is every port that a packet may have, which 0 is not; without ports it is 0 alone. */
static struct addr_range port_range(const struct config_match *match, uint8_t proto)
{
	uint16_t first = 0, last = 0;

	if (match->has_ports) {
		first = match->port_min;
		last = match->port_max;
	} else if (layout_has_ports(proto)) {
		first = 1;
		last = UINT16_MAX;
	}
	return (struct addr_range){ layout_port_addr(proto, first), layout_port_addr(proto, last) };
}

static int sample_ports(const struct pieces *pieces, const struct config_assertion *assertion,
			bool v4, struct samples *out)
{
	const struct config_match *match;
	int r = 0;

	array_for_each(match, &assertion->ports) {
		struct addr_range range = port_range(match, family_proto(match->proto, v4));

		if (!r)
			r = pieces_sample(pieces, &range, out);
	}
	samples_finish(out);
	return r;
}

/* What one assertion says about one family. */
struct space {
	const struct layout *layout;
	const struct policy_assertion *assertion;
	bool v4;
	struct samples src, dst, ports;
};

static void space_free(struct space *space)
{
	array_clear(&space->src);
	array_clear(&space->dst);
	array_clear(&space->ports);
}

static int space_build(struct space *space)
{
	const struct policy_assertion *assertion = space->assertion;
	const struct policy_set *sets = space->layout->policy->sets.items;
	bool v4 = space->v4;
	int r;

	r = sample_set(&space->layout->src[v4], &sets[assertion->src].ranges, v4, &space->src);
	if (!r)
		r = sample_set(&space->layout->dst[v4], &sets[assertion->dst].ranges, v4,
			       &space->dst);
	if (!r)
		r = sample_ports(&space->layout->ports, assertion->config, v4, &space->ports);
	return r;
}

static void packet_of(const struct sample *src, const struct sample *dst, const struct sample *port,
		      struct decide_packet *out)
{
	out->proto = port->addr.bytes[0];
	out->src = src->addr;
	out->dst = dst->addr;
	out->port = (uint16_t)(port->addr.bytes[2] << 8 | port->addr.bytes[3]);
}

/* Looks for a packet that breaks the assertion; true when there is one. */
static bool find_counter_example(const struct space *space, struct decide_packet *packet,
				 uint32_t *rule)
{
	const struct sample *src, *dst, *port;

	array_for_each(src, &space->src) {
		array_for_each(dst, &space->dst) {
			array_for_each(port, &space->ports) {
				if (decide_classes(&space->layout->tables, src->class_id,
						   dst->class_id, port->class_id,
						   rule) == space->assertion->accept)
					continue;
				packet_of(src, dst, port, packet);
				return true;
			}
		}
	}
	return false;
}

static int fail(struct decide_result *out, const struct layout *layout,
		const struct policy_assertion *assertion, const struct decide_packet *packet,
		uint32_t rule)
{
	struct decide_failure *failure = array_add(&out->failed);
	char text[DECIDE_PACKET_TEXT_SIZE];

	if (!failure)
		return -ENOMEM;

	failure->place = assertion->config->place;
	failure->packet = *packet;
	failure->grant = DECIDE_NO_GRANT;
	failure->counter_example = mem_copy_string(decide_packet_put(text, packet));
	if (rule == DECIDE_NO_GRANT) {
		failure->message =
			mem_format("\"%s\" must be accepted from \"%s\", but no grant "
				   "allows %s",
				   assertion->config->text, assertion->test->src.text, text);
	} else {
		failure->grant = layout->tables.rules.items[rule].grant;
		failure->message = mem_format(
			"\"%s\" must be %s from \"%s\", but $.grants[%u] %s %s",
			assertion->config->text, assertion->accept ? "accepted" : "denied",
			assertion->test->src.text, failure->grant,
			assertion->accept ? "denies" : "allows", text);
	}
	return failure->message && failure->counter_example ? 0 : -ENOMEM;
}

static int decide_assertion(const struct layout *layout, const struct policy_assertion *assertion,
			    struct decide_result *out)
{
	struct decide_packet packet;
	bool failed = false;
	uint32_t rule;
	int r = 0, v4;

	for (v4 = 1; !r && !failed && v4 >= 0; v4--) {
		struct space space = { .layout = layout, .assertion = assertion, .v4 = v4 };

		r = space_build(&space);
		if (!r)
			failed = find_counter_example(&space, &packet, &rule);
		space_free(&space);
	}
	if (r)
		return r;
	if (failed)
		return fail(out, layout, assertion, &packet, rule);
	out->passed++;
	return 0;
}

int decide_tests(const struct policy *policy, struct decide_result *out)
{
	struct decide_result result = { 0 };
	struct layout layout = { 0 };
	const struct policy_assertion *assertion;
	int r;

	r = layout_build(policy, &layout);
	array_for_each(assertion, &policy->assertions)
		if (!r)
			r = decide_assertion(&layout, assertion, &result);
	layout_free(&layout);

	if (r)
		decide_result_free(&result);
	else
		*out = result;
	return r;
}

void decide_result_free(struct decide_result *result)
{
	struct decide_failure *failure;

	array_for_each(failure, &result->failed) {
		free(failure->message);
		free(failure->counter_example);
	}
	array_clear(&result->failed);
	result->passed = 0;
}

static const char *proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return "tcp";
	case IPPROTO_UDP: return "udp";
	case IPPROTO_SCTP: return "sctp";
	case IPPROTO_ICMP: return "icmp";
	case IPPROTO_ICMPV6: return "icmpv6";
	default: return NULL;
	}
}

const char *decide_packet_put(char *buf, const struct decide_packet *packet)
{
	struct endpoint to = { .addr = packet->dst, .port = packet->port };
	char src[ADDR_TEXT_SIZE], dst[ENDPOINT_TEXT_SIZE], number[16];
	const char *name = proto_name(packet->proto);

	snprintf(number, sizeof(number), "proto:%u", packet->proto);
	addr_put(src, &packet->src);
	if (layout_has_ports(packet->proto))
		endpoint_put(dst, &to);
	else
		addr_put(dst, &packet->dst);
	snprintf(buf, DECIDE_PACKET_TEXT_SIZE, "%s %s -> %s", name ? name : number, src, dst);
	return buf;
}
