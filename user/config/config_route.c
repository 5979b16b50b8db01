// SPDX-License-Identifier: GPL-2.0-only
/* "routes": how an advertised prefix is carried. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

#define LEN_UNKNOWN 255 /* of a route whose key is no prefix: nothing is held against it */

static bool is_known(const struct config_route *route)
{
	return route->prefix.len != LEN_UNKNOWN;
}

static void read_snat_address(struct reader *reader, const struct value *value, const char *text,
			      struct config_route *route)
{
	if (!read_addr_text(reader, value, text, &route->snat_addr))
		return;
	route->snat = SNAT_ADDRESS;
	if (is_known(route) && addr_is_v4(&route->snat_addr) != prefix_is_v4(&route->prefix))
		read_error(reader, value, "%s is not of the same family as its route", QUOTE(text));
}

static READ_FUNCTION(read_snat)
{
	static const char *const words[] = { "masquerade", "none" };
	const char *text = read_nonempty(reader, value);
	struct config_route *route = out;

	(void)field;
	if (!text)
		return;
	if (strpbrk(text, ".:"))
		read_snat_address(reader, value, text, route);
	else if (!strcmp(text, words[0]))
		route->snat = SNAT_MASQUERADE;
	else if (!strcmp(text, words[1]))
		route->snat = SNAT_NONE;
	else
		read_error_meant(reader, value, nearest_word(text, words, ARRAY_SIZE(words)),
				 "%s is not \"masquerade\", \"none\" or an address", QUOTE(text));
}

static READ_FUNCTION(read_translate)
{
	const char *text = read_nonempty(reader, value);
	struct config_route *route = out;
	struct prefix *translate = &route->translate;
	char shown[PREFIX_TEXT_SIZE];

	(void)field;
	if (!text || !read_prefix_text(reader, value, text, translate))
		return;
	route->translate_set = true;
	if (!is_known(route))
		return;

	prefix_put(shown, &route->prefix);
	if (prefix_is_v4(translate) != prefix_is_v4(&route->prefix))
		read_error(reader, value, "%s is not of the same family as %s", QUOTE(text), shown);
	else if (translate->len != route->prefix.len)
		read_error(reader, value, "%s is not of the same length as %s", QUOTE(text), shown);
	else if (prefix_is_equal(translate, &route->prefix))
		read_error(reader, value, "%s is the route itself; leave translate out",
			   QUOTE(text));
}

static void read_vip(struct reader *reader, const struct value *value, struct config_route *route)
{
	const char *text = read_nonempty(reader, value);
	char shown[PREFIX_TEXT_SIZE];
	struct addr_range range;
	struct addr_range *added;

	if (!text || !read_range_text(reader, value, text, &range))
		return;
	if (is_known(route) && (!prefix_has_addr(&route->prefix, &range.first) ||
				!prefix_has_addr(&route->prefix, &range.last)))
		read_error(reader, value, "%s is not within %s", QUOTE(text),
			   prefix_put(shown, &route->prefix));

	added = array_add(&route->local_vips);
	if (!added)
		read_no_memory(reader);
	else
		*added = range;
}

static READ_FUNCTION(read_local_vips)
{
	(void)field;
	if (!read_is_list(reader, value, READ_LIST_MAX, "entries"))
		return;
	for (struct value item = value_first(value); item.json; value_next(&item))
		read_vip(reader, &item, out);
}

static const char *const local_modes[] = {
	[LOCAL_PREFER_LOCAL] = "prefer-local",
	[LOCAL_PREFER_MESH] = "prefer-mesh",
	NULL,
};

#define AT(member) .offset = offsetof(struct config_route, member)

const struct field route_fields[] = {
	FIELD("via", read_texts, AT(via), .check = check_name),
	FIELD("snat", read_snat),
	FIELD("translate", read_translate, .nullable = true),
	FIELD("local", read_word, AT(local), .words = local_modes),
	FIELD("local_vips", read_local_vips),
	FIELD("probe", read_route_probe, AT(probe)),
	{ .key = NULL },
};

static void read_route(struct reader *reader, const struct value *value, void *out)
{
	struct config *config = out;
	struct config_route *route = array_add(&config->routes);

	if (!route) {
		read_no_memory(reader);
		return;
	}

	route->place = value_place(reader, value);
	route->probe.place = value_place_below(reader, value, "probe");
	route->prefix.len = LEN_UNKNOWN;
	read_prefix_key(reader, value, &reader->routes, &route->prefix);
	read_object(reader, value, route_fields, route);
}

READ_FUNCTION(read_routes)
{
	static const struct map map = { READ_LIST_MAX, "routes", NULL, read_route };

	(void)field;
	read_map(reader, value, &map, out);
}
