// SPDX-License-Identifier: GPL-2.0-only
#include "model/probes.h"

#include <errno.h>
#include <netinet/in.h>

#include "model/layout.h"

/* So many packets for one assertion, and every corner with every other; beyond, each one once. */
#define PRODUCT_MAX 256

struct corners {
	ARRAY_OF(struct addr);
};

/* What one assertion names in one family; ports as in layout.h. */
struct space {
	struct corners src, dst, ports;
};

static void space_free(struct space *space)
{
	array_clear(&space->src);
	array_clear(&space->dst);
	array_clear(&space->ports);
}

static int add_corner(struct corners *corners, const struct addr *addr)
{
	struct addr *corner = array_add(corners);

	if (!corner)
		return -ENOMEM;
	*corner = *addr;
	return 0;
}

static int add_range(struct corners *corners, const struct addr_range *range)
{
	int r = add_corner(corners, &range->first);

	if (!r && !addr_is_equal(&range->first, &range->last))
		r = add_corner(corners, &range->last);
	return r;
}

static int add_set(struct corners *corners, const struct policy_set *set, bool v4)
{
	const struct addr_range *range;
	int r = 0;

	array_for_each(range, &set->ranges)
		if (!r && addr_is_v4(&range->first) == v4)
			r = add_range(corners, range);
	return r;
}

/*
 * No packet of the family has the others: the other family's ICMP is malformed, and an extension
 * header (RFC 8200 4, RFC 4302) is walked over to what is behind it.
 */
static bool is_carried(uint8_t proto, bool v4)
{
	if (v4)
		return proto != IPPROTO_ICMPV6;
	return proto != IPPROTO_ICMP && proto != IPPROTO_HOPOPTS && proto != IPPROTO_ROUTING &&
	       proto != IPPROTO_FRAGMENT && proto != IPPROTO_AH && proto != IPPROTO_DSTOPTS;
}

static int add_ports(struct corners *corners, const struct config_assertion *assertion, bool v4)
{
	const struct config_match *match;
	int r = 0;

	array_for_each(match, &assertion->ports) {
		struct addr_range range = layout_port_range(match, v4);

		if (!r && is_carried(layout_proto(&range.first), v4))
			r = add_range(corners, &range);
	}
	return r;
}

static int space_build(struct space *space, const struct policy *policy,
		       const struct policy_assertion *assertion, bool v4)
{
	int r = add_set(&space->src, &policy->sets.items[assertion->src], v4);

	if (!r)
		r = add_set(&space->dst, &policy->sets.items[assertion->dst], v4);
	return r ? r : add_ports(&space->ports, assertion->config, v4);
}

static int add_probe(const struct layout *layout, struct tables *tables, const struct addr *src,
		     const struct addr *dst, const struct addr *port)
{
	struct probe *probe = array_add(&tables->probes);

	if (!probe)
		return -ENOMEM;
	probe->packet.src = *src;
	probe->packet.dst = *dst;
	probe->packet.proto = layout_proto(port);
	probe->packet.port = layout_port(port);
	probe->accept = layout_decide(layout, &probe->packet, &probe->rule);
	return 0;
}

static int add_product(const struct layout *layout, struct tables *tables,
		       const struct space *space)
{
	const struct addr *src, *dst, *port;
	int r = 0;

	array_for_each(src, &space->src)
		array_for_each(dst, &space->dst)
			array_for_each(port, &space->ports)
				if (!r)
					r = add_probe(layout, tables, src, dst, port);
	return r;
}

/* The shorter lists begin anew where they end. */
static int add_each(const struct layout *layout, struct tables *tables, const struct space *space)
{
	size_t src = space->src.count, dst = space->dst.count, ports = space->ports.count;
	size_t longest = src > dst ? src : dst, i;
	int r = 0;

	if (ports > longest)
		longest = ports;
	for (i = 0; !r && i < longest; i++)
		r = add_probe(layout, tables, &space->src.items[i % src],
			      &space->dst.items[i % dst], &space->ports.items[i % ports]);
	return r;
}

static bool is_small(const struct space *space)
{
	return space->src.count <= PRODUCT_MAX && space->dst.count <= PRODUCT_MAX &&
	       space->src.count * space->dst.count * space->ports.count <= PRODUCT_MAX;
}

static int add_space(const struct layout *layout, struct tables *tables, const struct space *space)
{
	if (!space->src.count || !space->dst.count || !space->ports.count)
		return 0; /* nothing in this family */
	return is_small(space) ? add_product(layout, tables, space)
			       : add_each(layout, tables, space);
}

static int add_assertion(const struct layout *layout, const struct policy *policy,
			 const struct policy_assertion *assertion, struct tables *tables)
{
	int r = 0, v4;

	for (v4 = 1; !r && v4 >= 0; v4--) {
		struct space space = { 0 };

		r = space_build(&space, policy, assertion, v4);
		if (!r)
			r = add_space(layout, tables, &space);
		space_free(&space);
	}
	return r;
}

int probes_build(const struct policy *policy, struct tables *tables)
{
	const struct policy_assertion *assertion;
	struct layout layout = { 0 };
	int r;

	if (!policy->assertions.count)
		return 0;
	r = layout_build(tables, &layout);
	array_for_each(assertion, &policy->assertions)
		if (!r)
			r = add_assertion(&layout, policy, assertion, tables);
	layout_free(&layout);
	return r;
}
