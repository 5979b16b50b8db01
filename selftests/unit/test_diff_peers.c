// SPDX-License-Identifier: GPL-2.0-only
/* What a plan does to WireGuard's peers: as little as it can, and nothing to others'. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pair.h"
#include "test.h"
#include "values.h"

static int key_order(const void *a, const void *b)
{
	const struct state_peer *x = a, *y = b;

	return memcmp(x->public_key.bytes, y->public_key.bytes, KEY_SIZE);
}

/* On the device is a peer that the policy does not name. */
static void find_unwanted(struct pair *pair, const struct key *public_key)
{
	struct state *have = &pair->have.want;
	struct state_peer *added = array_add(&have->tunnel.peers);

	REQUIRE(added);
	added->public_key = *public_key;
	qsort(have->tunnel.peers.items, have->tunnel.peers.count, sizeof(*added), key_order);
	CHECK_INT(state_tell_peers(have), 0);
}

/* p gives its address to q and keeps its route. */
static void move_address(struct state *want, struct state_peer **p, struct state_peer **q)
{
	*p = pair_peer(want, "p");
	*q = pair_peer(want, "q");
	REQUIRE(*p && *q && (*p)->allowed_ips.count == 2);
	value_add_prefix(*q, "100.80.0.2/32");
	qsort((*q)->allowed_ips.items, 2, sizeof(struct prefix),
	      (int (*)(const void *, const void *))prefix_compare);
	(*p)->allowed_ips.count = 1;
}

/* The plan's only op, which sets a peer. */
static struct peer_change only_change(struct pair *pair)
{
	struct peer_change change = { 0 };
	struct plan plan = { 0 };
	struct err err;

	CHECK_INT(plan_build(&pair->want.want, &pair->have.want, &plan, &err), 0);
	CHECK_INT(plan.ops.count, 1);
	if (plan.ops.count) {
		CHECK_INT(plan.ops.items[0].kind, OP_PEER_SET);
		change = plan.ops.items[0].args.change;
	}
	plan_free(&plan);
	return change;
}

/* The kernel takes it from the old owner, which needs no message. */
TEST(an_allowed_ip_moves_by_one_op)
{
	struct state_peer *p, *q;
	struct peer_change change;
	struct pair pair;

	REQUIRE(pair_build(&pair));
	move_address(&pair.want.want, &p, &q);
	change = only_change(&pair);
	REQUIRE(change.want);
	CHECK(change.want == q);
	CHECK(!change.owned && !change.endpoint);
	CHECK(!peer_change_psk(&change) && !peer_change_keepalive(&change));
	CHECK(peer_change_has(&change, &p->allowed_ips.items[0]) == true);
	CHECK(!peer_change_has(&change, &pair_peer(&pair.have.want, "q")->allowed_ips.items[0]));
	pair_free(&pair);
}

TEST(who_gains_goes_first_though_it_sorts_last)
{
	struct state_peer *p, *q;
	struct pair pair;

	REQUIRE(pair_build(&pair));
	move_address(&pair.want.want, &p, &q);
	p->keepalive = 7;
	pair_check(&pair, "add: set peer q allowed-ips 100.80.0.2/32,100.80.0.3/32 keepalive 0\n"
			  "add: set peer p allowed-ips 10.1.0.0/24 keepalive 7\n");
	pair_free(&pair);
}

TEST(an_allowed_ip_that_nobody_is_to_have_is_dropped_alone)
{
	const struct state_peer *had;
	struct peer_change *change;
	struct plan plan = { 0 };
	struct pair pair;
	struct err err;

	REQUIRE(pair_build(&pair));
	pair_peer(&pair.want.want, "p")->allowed_ips.count = 1;
	had = pair_peer(&pair.have.want, "p");
	CHECK_INT(plan_build(&pair.want.want, &pair.have.want, &plan, &err), 0);
	REQUIRE(plan.ops.count == 1 && plan.ops.items[0].kind == OP_PEER_SET);
	change = &plan.ops.items[0].args.change;
	CHECK(!peer_change_has(change, &change->want->allowed_ips.items[0]));
	CHECK(!peer_change_drops(change, &had->allowed_ips.items[0]));
	CHECK(peer_change_drops(change, &had->allowed_ips.items[1]));
	plan_free(&plan);
	pair_free(&pair);
}

/* p gains one, gives one to q and loses one. */
TEST(what_another_peer_is_to_have_is_not_dropped)
{
	const struct peer_change *change;
	const struct state_peer *had;
	struct state_peer *p, *q;
	struct plan plan = { 0 };
	struct pair pair;
	struct err err;

	REQUIRE(pair_build(&pair));
	move_address(&pair.want.want, &p, &q);
	p->allowed_ips.count = 0;
	value_add_prefix(p, "10.7.0.0/24");
	CHECK_INT(plan_build(&pair.want.want, &pair.have.want, &plan, &err), 0);
	REQUIRE(plan.ops.count == 3);
	CHECK(plan.ops.items[0].args.change.want == p && !plan.ops.items[0].args.change.owned);
	CHECK(plan.ops.items[1].args.change.want == q && !plan.ops.items[1].args.change.owned);
	change = &plan.ops.items[2].args.change;
	had = pair_peer(&pair.have.want, "p");
	CHECK(change->want == p);
	CHECK(peer_change_drops(change, &had->allowed_ips.items[0]));  /* its route */
	CHECK(!peer_change_drops(change, &had->allowed_ips.items[1])); /* its address, now q's */
	plan_free(&plan);
	pair_free(&pair);
}

/* p's route leads where a longer one is to lead to q: until q has that, p keeps its own. */
TEST(what_is_dropped_goes_last_and_what_is_gained_first)
{
	struct state_peer *p, *q;
	struct pair pair;

	REQUIRE(pair_build(&pair));
	p = pair_peer(&pair.want.want, "p");
	q = pair_peer(&pair.want.want, "q");
	REQUIRE(p && q);
	p->allowed_ips.count = 0;
	value_add_prefix(p, "10.7.0.0/24");
	value_add_prefix(q, "10.1.0.128/25");
	qsort(q->allowed_ips.items, 2, sizeof(struct prefix),
	      (int (*)(const void *, const void *))prefix_compare);
	pair_check(&pair, "add: set peer p allowed-ips 10.7.0.0/24 keepalive 0\n"
			  "add: set peer q allowed-ips 10.1.0.128/25,100.80.0.3/32 keepalive 0\n"
			  "add: set peer p allowed-ips 10.7.0.0/24 keepalive 0\n");
	pair_free(&pair);
}

/* Both drop and gain: what is gained goes first, then what is dropped. */
TEST(who_gains_and_drops_is_set_twice_where_others_gain)
{
	struct state_peer *p, *q;
	struct pair pair;

	REQUIRE(pair_build(&pair));
	p = pair_peer(&pair.want.want, "p");
	q = pair_peer(&pair.want.want, "q");
	REQUIRE(p && q);
	p->allowed_ips.count = 0;
	value_add_prefix(p, "10.7.0.0/24");
	q->allowed_ips.count = 0;
	value_add_prefix(q, "10.1.0.128/25");
	pair_check(&pair, "add: set peer p allowed-ips 10.7.0.0/24 keepalive 0\n"
			  "add: set peer q allowed-ips 10.1.0.128/25 keepalive 0\n"
			  "add: set peer p allowed-ips 10.7.0.0/24 keepalive 0\n"
			  "add: set peer q allowed-ips 10.1.0.128/25 keepalive 0\n");
	pair_free(&pair);
}

/* Left by a command that was killed between two messages: as good as ours. */
TEST(a_drain_that_is_left_is_removed)
{
	char want[128], text[KEY_TEXT_SIZE];
	struct pair pair;

	REQUIRE(pair_build(&pair));
	find_unwanted(&pair, &state_drain_key);
	snprintf(want, sizeof(want), "remove: remove peer %s\n", key_put(text, &state_drain_key));
	pair_check(&pair, want);
	pair_free(&pair);
}

TEST(a_change_of_one_setting_sets_that_alone)
{
	struct peer_change change;
	struct pair pair;

	REQUIRE(pair_build(&pair));
	pair_peer(&pair.want.want, "q")->preshared_key = value_key(1);
	change = only_change(&pair);
	REQUIRE(change.want);
	CHECK(peer_change_psk(&change) && !peer_change_keepalive(&change));
	CHECK(!change.endpoint && !change.owned);
	CHECK(!peer_change_has(&change, &change.want->allowed_ips.items[0]));
	pair_free(&pair);
}

/* ---- endpoints ---- */

static void roam(struct pair *pair, int64_t latest_handshake)
{
	struct state_peer *p = pair_peer(&pair->have.want, "p");

	p->endpoint.port = 6000;
	p->latest_handshake = latest_handshake;
}

TEST(a_roamed_peer_is_left_where_it_is)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	roam(&pair, 1799999999);
	pair_check(&pair, "");
	roam(&pair, 0); /* it never answered from there */
	pair_check(&pair, "add: set peer p allowed-ips 10.1.0.0/24,100.80.0.2/32 "
			  "endpoint 203.0.113.5:5000 keepalive 0\n");
	pair_free(&pair);
}

TEST(an_edit_of_something_else_leaves_a_roamed_peer_where_it_is)
{
	struct plan plan = { 0 };
	struct pair pair;
	struct err err;

	REQUIRE(pair_build(&pair));
	roam(&pair, 1799999999);
	pair.want.want.policy_hash[0] = pair.have.want.policy_hash[0] + 1;
	CHECK_INT(plan_build(&pair.want.want, &pair.have.want, &plan, &err), 0);
	REQUIRE(plan.ops.count == 1);
	CHECK_INT(plan.ops.items[0].kind, OP_POLICY_NOTE);
	plan_free(&plan);
	pair_free(&pair);
}

TEST(a_change_of_keepalive_keeps_the_roamed_endpoint)
{
	struct peer_change change;
	struct pair pair;

	REQUIRE(pair_build(&pair));
	roam(&pair, 1);
	pair_peer(&pair.want.want, "p")->keepalive = 25;
	change = only_change(&pair);
	REQUIRE(change.want);
	CHECK(!change.endpoint && peer_change_keepalive(&change));
	pair_free(&pair);
}

/* Its row is told last, or a crash in between would hide that the endpoint is still to be set. */
TEST(another_endpoint_in_the_file_is_set_and_then_noted)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	roam(&pair, 1799999999);
	pair_peer(&pair.want.want, "p")->said++;
	pair.want.want.peer_info.items[0].info.endpoint++;
	pair_check(&pair, "add: set peer p allowed-ips 10.1.0.0/24,100.80.0.2/32 "
			  "endpoint 203.0.113.5:5000 keepalive 0\n"
			  "add: set peer-info 1 p\n");
	pair_free(&pair);
}

/* ---- whose ---- */

TEST(a_foreign_peer_stays)
{
	struct key last;
	struct pair pair;

	memset(last.bytes, 0xff, KEY_SIZE);
	REQUIRE(pair_build(&pair));
	find_unwanted(&pair, &last);
	CHECK(!pair.have.want.tunnel.peers.items[2].ours);
	CHECK(pair.have.want.tunnel.peers.items[0].ours &&
	      pair.have.want.tunnel.peers.items[1].ours);
	pair_check(&pair, "");
	pair_free(&pair);
}

/* The row outlives the peer: a crash before the peer is removed must not make it foreign. */
TEST(a_former_peer_goes_and_then_its_row)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	pair.want.want.tunnel.peers.count--;
	pair.want.want.peer_info.count--;
	{
		AUTO_FREE char *text = NULL;
		struct plan plan = { 0 };
		struct err err;

		CHECK_INT(plan_build(&pair.want.want, &pair.have.want, &plan, &err), 0);
		REQUIRE(plan.ops.count == 2);
		CHECK_INT(plan.ops.items[0].kind, OP_PEER_REMOVE);
		CHECK_INT(plan.ops.items[1].kind, OP_PEER_INFO_REMOVE);
		text = plan_text(&plan);
		CHECK_TEXT(strrchr(text, ':'), ": remove peer-info 2\n");
		plan_free(&plan);
	}
	pair.want.want.tunnel.peers.count++;
	pair_free(&pair);
}

TEST(a_new_peer_has_its_row_first)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	memmove(pair.have.want.peer_info.items, pair.have.want.peer_info.items + 1,
		sizeof(*pair.have.want.peer_info.items));
	pair.have.want.peer_info.count--;
	{
		struct state_peer *p = pair_peer(&pair.have.want, "p");
		size_t at = (size_t)(p - pair.have.want.tunnel.peers.items);

		array_clear(&p->allowed_ips);
		if (!at)
			*p = pair.have.want.tunnel.peers.items[1];
		pair.have.want.tunnel.peers.count--;
	}
	pair_check(&pair, "add: set peer-info 1 p\n"
			  "add: add peer p allowed-ips 10.1.0.0/24,100.80.0.2/32 "
			  "endpoint 203.0.113.5:5000 keepalive 0\n");
	pair_free(&pair);
}

/* ---- numbers: who is given one begins to be counted ---- */

/* Of all rows that are set, peers' and routes', as many go to another owner. */
static void check_hands(struct pair *pair, int wanted)
{
	struct plan plan = { 0 };
	const struct op *op;
	struct err err;
	int found = 0, rows = 0;

	CHECK_INT(plan_build(&pair->want.want, &pair->have.want, &plan, &err), 0);
	array_for_each(op, &plan.ops) {
		if (op->kind != OP_PEER_INFO_SET && op->kind != OP_ROUTE_INFO_SET)
			continue;
		rows++;
		found += op->changes_hands;
	}
	CHECK(rows > 0);
	CHECK_INT(found, wanted);
	plan_free(&plan);
}

TEST(a_number_of_another_peer_or_route_changes_hands)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	REQUIRE(pair.have.want.peer_info.count && pair.have.want.route_info.count);
	pair.have.want.peer_info.items[0].info.public_key[0] ^= 1;
	check_hands(&pair, 1);
	pair.have.want.route_info.items[0].prefix.len--;
	check_hands(&pair, 2);
	pair_free(&pair);
}

TEST(a_number_stays_with_its_owner_whatever_else_its_row_says)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	REQUIRE(pair.have.want.route_info.count);
	pair.have.want.route_info.items[0].approved ^= 1;
	check_hands(&pair, 0);
	pair.have.want.object_hash[0] ^= 1; /* new programs: every row is set again */
	check_hands(&pair, 0);
	pair_free(&pair);
}

TEST(a_new_number_is_nobodys)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	pair.have.want.peer_info.count = 0;
	check_hands(&pair, 0);
	pair_free(&pair);
}
