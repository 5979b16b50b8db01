// SPDX-License-Identifier: GPL-2.0-only
/*
 * The compiled tables against a second opinion: a naive evaluator that walks the grants, and a
 * longest-prefix match that does nothing clever either.
 */
#include <endian.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "fixture.h"
#include "model/compile.h"
#include "model/decide.h"
#include "test.h"

/* ---- the naive evaluator ----------------------------------------------------------------- */

static bool sets_have(const struct policy *policy, const uint32_t *sets, size_t count,
		      const struct addr *addr)
{
	const struct addr_range *range;
	size_t i;

	for (i = 0; i < count; i++)
		array_for_each(range, &policy->sets.items[sets[i]].ranges)
			if (addr_is_v4(&range->first) == addr_is_v4(addr) &&
			    addr_compare(&range->first, addr) <= 0 &&
			    addr_compare(addr, &range->last) <= 0)
				return true;
	return false;
}

static bool match_has(const struct config_match *match, uint8_t proto, uint16_t port)
{
	if (match->any)
		return true;
	if (match->both && proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return false;
	if (!match->both && match->proto == IPPROTO_ICMP && proto == IPPROTO_ICMPV6)
		return true;
	if (!match->both && match->proto != proto)
		return false;
	return !match->has_ports || (match->port_min <= port && port <= match->port_max);
}

static bool rule_has(const struct policy *policy, const struct policy_rule *rule,
		     const struct decide_packet *packet)
{
	const struct config_match *match;

	if (!sets_have(policy, rule->src.items, rule->src.count, &packet->src) ||
	    !sets_have(policy, rule->dst.items, rule->dst.count, &packet->dst))
		return false;
	array_for_each(match, &rule->matches)
		if (match_has(match, packet->proto, packet->port))
			return true;
	return false;
}

static bool is_allowed(const struct policy *policy, const struct decide_packet *packet)
{
	const struct policy_rule *rule;
	bool allowed = false;

	array_for_each(rule, &policy->rules) {
		if (!rule_has(policy, rule, packet))
			continue;
		if (rule->deny)
			return false;
		allowed = true;
	}
	return allowed;
}

/* ---- what the data path does ------------------------------------------------------------- */

/* By bits alone, as the kernel's trie has it: no idea of families. */
static bool bits_match(const void *a, const void *b, unsigned int length)
{
	const uint8_t *x = a, *y = b;
	unsigned int whole = length / 8, rest = length % 8;

	if (memcmp(x, y, whole) != 0)
		return false;
	return !rest || !((x[whole] ^ y[whole]) >> (8 - rest));
}

static uint32_t match_addr(const struct class_row *rows, size_t count, const struct addr *addr)
{
	uint32_t class_id = TP_CLASS_NONE;
	int longest = -1;
	size_t i;

	for (i = 0; i < count; i++) {
		if (rows[i].prefix.len <= longest ||
		    !bits_match(&rows[i].prefix.addr, addr, rows[i].prefix.len))
			continue;
		longest = rows[i].prefix.len;
		class_id = rows[i].class_id;
	}
	return class_id;
}

static uint32_t match_port(const struct tables *tables, uint8_t proto, uint16_t port)
{
	struct tp_port_key key = { .proto = proto, .port = htobe16(port) };
	uint32_t class_id = TP_CLASS_NONE;
	const struct port_row *row;
	int longest = -1;

	array_for_each(row, &tables->ports) {
		if ((int)row->key.prefix_len <= longest ||
		    !bits_match(&row->key.proto, &key.proto, row->key.prefix_len))
			continue;
		longest = (int)row->key.prefix_len;
		class_id = row->class_id;
	}
	return class_id;
}

static bool is_passed(const struct tables *tables, const struct decide_packet *packet)
{
	uint32_t rule;

	return decide_classes(tables,
			      match_addr(tables->src.items, tables->src.count, &packet->src),
			      match_addr(tables->dst.items, tables->dst.count, &packet->dst),
			      match_port(tables, packet->proto, packet->port), &rule);
}

/* ---- random policies and packets ---------------------------------------------------------- */

static uint32_t random_state;

/* xorshift: the same cases on every machine */
static uint32_t any(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % below;
}

/* Few bits, at the edges of everything: prefixes nest and touch often. */
static void put_selector(FILE *out)
{
	static const char *const names[] = { "*",     "*",     "a",           "p",
					     "q",     "tag:t", "::/0",        "0.0.0.0/0",
					     "::/80", "::/16", "::-::1:0:0:5" };
	unsigned int a = any(4), b = any(248);

	switch (any(7)) {
	case 0: fprintf(out, "\"10.0.%u.%u\"", a, b); break;
	case 1: fprintf(out, "\"10.0.%u.0/%u\"", a & 2, 23 + any(2)); break;
	case 2: fprintf(out, "\"10.0.%u.%u-10.0.%u.%u\"", a, b, a + any(3), 255 - any(8)); break;
	case 3: fprintf(out, "\"fd00::%x:0/%u\"", a, 112); break;
	case 4: fprintf(out, "\"fd00::%x:%x-fd00::%x:ffff\"", a, b, a + any(2)); break;
	default: fprintf(out, "\"%s\"", names[any(ARRAY_SIZE(names))]);
	}
}

static void put_match(FILE *out)
{
	static const char *const fixed[] = { "*", "tcp:*", "udp:*", "icmp:*", "proto:47", "53" };
	unsigned int low = 1 + any(70), high = low + 1 + any(3000);

	switch (any(4)) {
	case 0: fprintf(out, "\"tcp:%u-%u\"", low, high); break;
	case 1: fprintf(out, "\"%u-%u\"", low, high); break;
	case 2: fprintf(out, "\"udp:%u\"", low); break;
	default: fprintf(out, "\"%s\"", fixed[any(ARRAY_SIZE(fixed))]);
	}
}

static void put_list(FILE *out, const char *key, void (*put)(FILE *out))
{
	unsigned int i, count = 1 + any(3);

	fprintf(out, "\"%s\": [", key);
	for (i = 0; i < count; i++) {
		put(out);
		fprintf(out, ",");
	}
	fprintf(out, "],");
}

static char *random_policy(void)
{
	unsigned int i, count = 1 + any(90);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "{ \"version\": 1, \"nodes\": { \"a\": { \"public_key\": \"@a@\","
		     "\"addresses\": [\"10.0.0.1\", \"fd00::1\"], \"tags\": [\"tag:t\"] } },"
		     "\"peers\": { \"p\": { \"public_key\": \"@p@\","
		     "\"addresses\": [\"10.0.0.2\"], \"tags\": [\"tag:t\"] },"
		     "\"q\": { \"public_key\": \"@q@\", \"addresses\": [\"fd00::3\"] } },"
		     "\"grants\": [");
	for (i = 0; i < count; i++) {
		fprintf(out, "{ \"action\": \"%s\",", any(4) ? "accept" : "deny");
		put_list(out, "src", put_selector);
		put_list(out, "dst", put_selector);
		put_list(out, "ip", put_match);
		fprintf(out, "},");
	}
	fprintf(out, "] }");
	fclose(out);
	return text;
}

static struct addr random_addr(bool v4)
{
	static const char *const edges[] = {
		"::", "::1:0:0:0", "::1:0:0:5", "::1:0:0:6", "::fffe:ffff:ffff", "1::", "ffff::"
	};
	char text[ADDR_TEXT_SIZE];
	struct addr addr = { 0 };

	if (v4)
		snprintf(text, sizeof(text), "10.0.%u.%u", any(5), any(256));
	else if (any(4))
		snprintf(text, sizeof(text), "fd00::%x:%x", any(5), any(300));
	else
		snprintf(text, sizeof(text), "%s", edges[any(ARRAY_SIZE(edges))]);
	CHECK(!addr_read(text, &addr));
	return addr;
}

static void random_packet(struct decide_packet *packet)
{
	static const uint8_t protos[] = { 1, 6, 6, 6, 17, 17, 47, 58, 132, 0 };
	bool v4 = any(2);

	packet->proto = protos[any(ARRAY_SIZE(protos))];
	packet->src = random_addr(v4);
	packet->dst = random_addr(v4);
	packet->port = 0;
	if (packet->proto == IPPROTO_TCP || packet->proto == IPPROTO_UDP)
		packet->port = (uint16_t)(any(2) ? any(80) : any(65536));
}

/* Returns how many packets were allowed: a comparison of nothing but refusals shows little. */
static unsigned int compare_packets(const struct policy *policy, const struct tables *tables,
				    unsigned int count)
{
	char text[DECIDE_PACKET_TEXT_SIZE];
	struct decide_packet packet;
	unsigned int i, allowed = 0;

	for (i = 0; i < count; i++) {
		bool want, got;

		random_packet(&packet);
		want = is_allowed(policy, &packet);
		got = is_passed(tables, &packet);
		allowed += want;
		if (want != got)
			test_check(false, __FILE__, __LINE__, "%s is %s",
				   decide_packet_put(text, &packet), got ? "passed" : "refused");
	}
	return allowed;
}

TEST(judges_random_packets_as_the_grants_say)
{
	enum { POLICIES = 100, PACKETS = 1000 };
	unsigned int i, allowed = 0;

	random_state = 20240607;
	for (i = 0; i < POLICIES; i++) {
		AUTO_FREE char *text = random_policy();
		AUTO_FREE char *lines = NULL;
		struct tables tables = { 0 };
		struct fixture f;
		int r = fixture_policy(&f, text);

		lines = fixture_lines(&f.problems);
		if (!test_check(!r, __FILE__, __LINE__, "%s", lines)) {
			fixture_free(&f);
			continue;
		}
		r = compile_rules(f.policy, &tables);
		CHECK_INT(r, 0);
		allowed += compare_packets(f.policy, &tables, PACKETS);
		tables_free(&tables);
		fixture_free(&f);
	}
	CHECK(allowed > POLICIES * PACKETS / 20);
	CHECK(allowed < POLICIES * PACKETS * 19 / 20);
}

/* ---- particulars --------------------------------------------------------------------------- */

#define ONE_NODE                                                           \
	"{ \"version\": 1, \"nodes\": { \"a\": { \"public_key\": \"@a@\"," \
	" \"addresses\": [\"100.80.0.1\", \"fd7a:70::1\"] } }, \"grants\": ["

static bool passes(const struct tables *tables, uint8_t proto, const char *src, const char *dst,
		   uint16_t port)
{
	struct decide_packet packet = { .proto = proto, .port = port };

	CHECK(!addr_read(src, &packet.src));
	CHECK(!addr_read(dst, &packet.dst));
	return is_passed(tables, &packet);
}

TEST(ipv6_default_route_never_means_ipv4)
{
	struct tables tables = { 0 };
	const struct class_row *row;
	unsigned int barriers = 0;
	struct fixture f;
	int r = fixture_policy(&f, ONE_NODE "{ \"src\": [\"::/0\"], \"dst\": [\"::/0\"] } ] }");

	REQUIRE(!r);
	r = compile_rules(f.policy, &tables);
	CHECK_INT(r, 0);
	CHECK(passes(&tables, IPPROTO_TCP, "2001:db8::1", "2001:db8::2", 80));
	CHECK(!passes(&tables, IPPROTO_TCP, "192.0.2.1", "192.0.2.2", 80));
	array_for_each(row, &tables.src)
		barriers += row->class_id == TP_CLASS_NONE && row->prefix.len == 96;
	CHECK_INT(barriers, 1);
	tables_free(&tables);
	fixture_free(&f);
}

TEST(icmp_is_both_protocols)
{
	struct tables tables = { 0 };
	struct fixture f;
	int r = fixture_policy(&f, ONE_NODE "{ \"src\": [\"*\"], \"dst\": [\"*\"],"
					    " \"ip\": [\"icmp:*\"] } ] }");

	REQUIRE(!r);
	r = compile_rules(f.policy, &tables);
	CHECK_INT(r, 0);
	CHECK(passes(&tables, IPPROTO_ICMP, "100.80.0.1", "100.80.0.1", 0));
	CHECK(passes(&tables, IPPROTO_ICMPV6, "fd7a:70::1", "fd7a:70::1", 0));
	CHECK(!passes(&tables, IPPROTO_TCP, "100.80.0.1", "100.80.0.1", 0));
	tables_free(&tables);
	fixture_free(&f);
}

TEST(deny_wins_over_every_accept)
{
	struct tables tables = { 0 };
	struct fixture f;
	int r = fixture_policy(&f, ONE_NODE
			       "{ \"action\": \"deny\", \"src\": [\"a\"], \"dst\": [\"10.0.0.1\"],"
			       "  \"ip\": [\"tcp:22\"] },"
			       "{ \"src\": [\"*\"], \"dst\": [\"10.0.0.0/8\"] },"
			       "{ \"src\": [\"a\"], \"dst\": [\"10.0.0.1\"] } ] }");

	REQUIRE(!r);
	r = compile_rules(f.policy, &tables);
	CHECK_INT(r, 0);
	CHECK(!passes(&tables, IPPROTO_TCP, "100.80.0.1", "10.0.0.1", 22));
	CHECK(passes(&tables, IPPROTO_TCP, "100.80.0.1", "10.0.0.1", 23));
	CHECK(passes(&tables, IPPROTO_TCP, "100.80.0.1", "10.0.0.2", 22));
	tables_free(&tables);
	fixture_free(&f);
}

TEST(hashes_the_same_policy_alike_at_any_time)
{
	static const char text[] =
		"{ \"version\": 1, \"nodes\": { \"a\": { \"public_key\": \"@a@\","
		" \"addresses\": [\"100.80.0.1\"] } }, \"peers\": { \"p\": {"
		" \"public_key\": \"@p@\", \"addresses\": [\"100.80.0.2\"],"
		" \"key_expiry\": \"2027-05-14T00:00:00Z\" } }, \"grants\": [] }";
	uint8_t hash[HASH_SIZE];
	uint64_t expires_at;
	struct fixture f;
	int r = fixture_policy(&f, text);

	REQUIRE(!r);
	r = fixture_want(&f, "clock 1800000000 4300000000 250\n", "a");
	REQUIRE(!r);
	memcpy(hash, f.want.tables.hash, sizeof(hash));
	expires_at = f.want.tables.routes.items[1].route.expires_at;
	CHECK_INT(expires_at, 4300000000ULL + (1810252800ULL - 1800000000ULL) * 250);

	r = fixture_want(&f, "clock 1800000007 4300001801 250\n", "a");
	REQUIRE(!r);
	CHECK(f.want.tables.routes.items[1].route.expires_at != expires_at);
	CHECK_BYTES(f.want.tables.hash, HASH_SIZE, hash, sizeof(hash));
	fixture_free(&f);
}

/* ---- size ---------------------------------------------------------------------------------- */

static char *large_policy(unsigned int peers, unsigned int grants)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	unsigned int i;

	fprintf(out, "{ \"version\": 1, \"nodes\": { \"a\": { \"public_key\": \"@a@\","
		     " \"addresses\": [\"100.64.0.1\"] } }, \"peers\": {");
	for (i = 0; i < peers; i++)
		fprintf(out,
			"\"p%u\": { \"public_key\": \"@p%u@\", \"addresses\":"
			" [\"100.80.%u.%u\", \"fd7a:70::%x\"], \"tags\": [\"tag:t%u\"] },",
			i, i, i * 2 >> 8, i * 2 & 255, i * 2 + 1, i % 50);
	fprintf(out, "}, \"grants\": [");
	for (i = 0; i < grants; i++)
		fprintf(out,
			"{ \"src\": [\"tag:t%u\", \"p%u\", \"*\"], \"dst\": [\"*\","
			" \"10.%u.%u.0/24\", \"10.%u.%u.128/25\"], \"ip\": [\"tcp:%u-%u\"] },",
			i % 50, i % peers, i >> 8, i & 255, i >> 8, i & 255, i + 1, i + 1000);
	fprintf(out, "] }");
	fclose(out);
	return text;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* No limit in time, which is the machine's; but a square somewhere would not end. */
TEST(compiles_ten_thousand_peers_and_all_grants)
{
	AUTO_FREE char *text = large_policy(10000, TP_RULE_MAX);
	struct tables tables = { 0 };
	struct fixture f;
	double begin;
	int r = fixture_policy(&f, text);

	REQUIRE(!r);
	begin = seconds();
	r = compile_rules(f.policy, &tables);
	CHECK_INT(r, 0);
	printf("  %zu rules, %zu+%zu rows, %zu classes in %.2f s\n", tables.rules.count,
	       tables.src.count, tables.dst.count, tables.classes.count, seconds() - begin);
	CHECK_INT(tables.rules.count, TP_RULE_MAX);
	CHECK(tables.src.count >= 20000);
	tables_free(&tables);
	fixture_free(&f);
}
