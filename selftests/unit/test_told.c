// SPDX-License-Identifier: GPL-2.0-only
/* The pieces of the routes must say what the routes and the classes say. */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "model/classify.h"
#include "test.h"

#define POLICY_TEXT                                                                            \
	"{ \"version\": 1, \"nodes\": {"                                                       \
	"  \"a\": { \"public_key\": \"@a@\", \"addresses\": [\"100.80.0.1\", \"fd7a:70::1\"]," \
	"    \"advertise_routes\": [\"10.10.30.0/24\", \"fd10:30::/64\", \"0.0.0.0/0\","       \
	"    \"::/0\"] },"                                                                     \
	"  \"b\": { \"public_key\": \"@b@\", \"addresses\": [\"100.80.0.2\", \"fd7a:70::2\"]," \
	"    \"endpoint\": \"198.18.0.1:1\","                                                  \
	"    \"advertise_routes\": [\"10.9.0.0/16\", \"10.9.8.0/24\", \"fd09::/48\"] } },"     \
	"\"peers\": { \"p\": { \"public_key\": \"@p@\","                                       \
	"  \"addresses\": [\"100.80.0.10\", \"fd7a:70::10\"] } },"                             \
	"\"auto_approvers\": { \"routes\": { \"10.0.0.0/8\": [\"a\", \"b\"],"                  \
	"  \"fd00::/8\": [\"a\", \"b\"] }, \"exit_node\": [\"a\"] },"                          \
	"\"grants\": ["                                                                        \
	"  { \"src\": [\"p\"], \"dst\": [\"10.9.0.0/16\", \"fd09::/48\"] },"                   \
	"  { \"src\": [\"10.9.0.0/17\", \"fd09::/49\"], \"dst\": [\"b\", \"10.10.30.53\"] },"  \
	"  { \"src\": [\"*\"], \"dst\": [\"10.9.8.0/24\", \"fd10:30::20-fd10:30::2f\"] },"     \
	"  { \"action\": \"deny\", \"src\": [\"*\"], \"dst\": [\"8.8.8.8\", \"2001:db8::1\"] } ] }"

#define FACTS                                                                                      \
	"link lan0 index 2 mtu 1500 mac 02:00:00:00:00:02 up hardware\n"                           \
	"addr lan0 10.10.30.1/24\naddr lan0 fd10:30::1/64\nkernel-wireguard\n"                     \
	"route 10.10.30.0/24 dev lan0 src 10.10.30.1\nroute 0.0.0.0/0 via 10.10.30.254 dev lan0\n" \
	"route ::/0 via fe80::1 dev lan0\n"                                                        \
	"clock 1800000000 4300000000 250\n"

/* The longest row that holds the address, NULL: none. */
static const struct class_row *find_class(const struct class_row *rows, size_t count,
					  const struct addr *addr)
{
	const struct class_row *found = NULL;
	size_t i;

	for (i = 0; i < count; i++)
		if (prefix_has_addr(&rows[i].prefix, addr) &&
		    (!found || rows[i].prefix.len > found->prefix.len))
			found = &rows[i];
	return found;
}

/* Of two rows with one prefix the last, as it is in a table. */
static const struct route_row *find_route(const struct route_row *rows, size_t count,
					  const struct addr *addr)
{
	const struct route_row *found = NULL;
	size_t i;

	for (i = 0; i < count; i++)
		if (prefix_has_addr(&rows[i].prefix, addr) &&
		    (!found || rows[i].prefix.len >= found->prefix.len))
			found = &rows[i];
	return found;
}

static void check_class(uint32_t told, const struct class_row *row, const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];
	uint32_t class_id = row ? row->class_id : TP_CLASS_NONE;

	test_check(told == class_id, __FILE__, __LINE__, "%s: told %u, the table has %u",
		   addr_put(text, addr), told, class_id);
}

/* The tables of a node, and its routes in pieces. */
struct cut {
	struct fixture f;
	const struct tables *tables;
	struct route_pieces pieces;
};

static void cut_make(struct cut *cut)
{
	memset(cut, 0, sizeof(*cut));
	REQUIRE(!fixture_policy(&cut->f, POLICY_TEXT));
	REQUIRE(!fixture_want(&cut->f, FACTS, "a"));
	cut->tables = &cut->f.want.tables;
	REQUIRE(!tables_cut_routes(cut->tables, &cut->pieces));
}

static void cut_free(struct cut *cut)
{
	array_clear(&cut->pieces);
	fixture_free(&cut->f);
}

static const struct route_piece *find_piece(const struct cut *cut, const struct addr *addr)
{
	const struct route_piece *piece, *found = NULL;

	array_for_each(piece, &cut->pieces)
		if (prefix_has_addr(&piece->prefix, addr) &&
		    (!found || piece->prefix.len > found->prefix.len))
			found = piece;
	return found;
}

static void check_addr(const struct cut *cut, const struct addr *addr)
{
	const struct tables *tables = cut->tables;
	const struct route_row *route =
		find_route(tables->routes.items, tables->routes.count, addr);
	const struct route_piece *piece = find_piece(cut, addr);

	if (!route) {
		CHECK(!piece);
		return;
	}
	if (!CHECK(piece && &tables->routes.items[piece->route] == route) ||
	    route->route.kind == TP_ROUTE_NONE)
		return;
	check_class(piece->src_class, find_class(tables->src.items, tables->src.count, addr), addr);
	check_class(piece->dst_class, find_class(tables->dst.items, tables->dst.count, addr), addr);
}

static void check_ends(const struct cut *cut, const struct prefix *prefix)
{
	struct addr_range range = prefix_range(prefix);

	check_addr(cut, &range.first);
	check_addr(cut, &range.last);
}

static void check_rows(const struct cut *cut, const struct class_row *rows, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		check_ends(cut, &rows[i].prefix);
}

TEST(a_piece_tells_what_the_tables_say)
{
	const struct route_piece *piece;
	const struct route_row *row;
	struct cut cut;

	cut_make(&cut);
	check_rows(&cut, cut.tables->src.items, cut.tables->src.count);
	check_rows(&cut, cut.tables->dst.items, cut.tables->dst.count);
	array_for_each(row, &cut.tables->routes)
		check_ends(&cut, &row->prefix);
	array_for_each(piece, &cut.pieces)
		check_ends(&cut, &piece->prefix);
	cut_free(&cut);
}

static size_t count_pieces(const struct cut *cut, const char *prefix)
{
	const struct route_piece *piece;
	struct prefix wanted;
	size_t count = 0;

	if (!CHECK_INT(prefix_read(prefix, &wanted), 0))
		exit(2);
	array_for_each(piece, &cut->pieces)
		count += prefix_is_equal(&piece->prefix, &wanted);
	return count;
}

TEST(a_route_is_cut_where_grants_divide_it)
{
	static const char *const once[] = { "100.80.0.10/32", "fd7a:70::10/128", "10.9.0.0/16",
					    "fd09::/48",      "10.9.0.0/17",     "fd09::/49",
					    "10.9.8.0/24",    "10.10.30.53/32",  "fd10:30::20/124",
					    "8.8.8.8/32",     "2001:db8::1/128" };
	struct cut cut;
	size_t i;

	cut_make(&cut);
	for (i = 0; i < sizeof(once) / sizeof(once[0]); i++)
		CHECK_INT((int)count_pieces(&cut, once[i]), 1);
	for (i = 1; i < cut.pieces.count; i++)
		CHECK(classify_prefix_compare(&cut.pieces.items[i - 1].prefix,
					      &cut.pieces.items[i].prefix) < 0);
	cut_free(&cut);
}
