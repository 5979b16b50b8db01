// SPDX-License-Identifier: GPL-2.0-only
#include "report/status_routes.h"

#include <string.h>

#include "facts_text.h"
#include "test.h"
#include "values.h"

#define NOW 1800000000

/* This node, a peer that carries 10.20.0.0/16 and is well, and the kernel route for it. */
struct scene {
	struct facts facts;
	struct state have;
	struct status status;
	struct status_routes routes;
	struct state_peer *peer;
	struct tp_peer_info *peer_info;
	struct route_info_row *info;
};

#define LAN                                                       \
	"link lo index 1 mtu 65536 up loopback\n"                 \
	"link lan0 index 2 mtu 1500 mac 02:00:00:00:00:02 up\n"   \
	"link towpath0 index 9 mtu 1420 up ours kind wireguard\n" \
	"addr lan0 10.10.30.1/24\nroute 10.10.30.0/24 dev lan0\n" \
	"route 0.0.0.0/0 via 10.10.30.254 dev lan0\n"

static void add_kernel_route(struct scene *scene, const char *prefix)
{
	struct state_route *route = array_add(&scene->have.routes);

	REQUIRE(route);
	*route = value_route(prefix, NULL);
}

static void add_peer(struct scene *scene)
{
	struct peer_info_row *row = array_add(&scene->have.peer_info);

	scene->peer = array_add(&scene->have.tunnel.peers);
	REQUIRE(row && scene->peer);
	scene->peer_info = &row->info;
	row->id = 1;
	strcpy(row->info.name, "there");
	scene->peer->public_key = value_key(7);
	memcpy(row->info.public_key, scene->peer->public_key.bytes, KEY_SIZE);
	scene->peer->endpoint.addr = value_addr("203.0.113.5");
	scene->peer->endpoint.port = 51820;
	scene->peer->keepalive = 25;
	scene->peer->latest_handshake = NOW - 100;
	value_add_prefix(scene->peer, "10.20.0.0/16");
	value_add_prefix(scene->peer, "100.80.0.2/32");
}

static void add_info(struct scene *scene, enum tp_route_state state)
{
	struct route_info_row *row = array_add(&scene->have.route_info);

	REQUIRE(row);
	CHECK_INT(prefix_read("10.20.0.0/16", &row->prefix), 0);
	scene->info = row;
	row->id = 1;
	row->state = (uint8_t)state;
	CHECK_INT(state_add_text(&scene->have, "there", &row->node), 0);
	CHECK_INT(state_add_text(&scene->have, "as applied", &row->reason), 0);
}

static void scene_make(struct scene *scene, const char *facts, enum tp_route_state state)
{
	memset(scene, 0, sizeof(*scene));
	REQUIRE(facts_text_read(facts, &scene->facts) == 0);
	scene->have.tunnel.exists = true;
	strcpy(scene->have.tunnel.name, "towpath0");
	strcpy(scene->have.node, "here");
	add_kernel_route(scene, "10.20.0.0/16");
	add_kernel_route(scene, "100.80.0.2/32");
	add_peer(scene);
	add_info(scene, state);
	scene->status = (struct status){ .have = &scene->have, .now = NOW };
}

static void scene_free(struct scene *scene)
{
	status_routes_free(&scene->routes);
	facts_free(&scene->facts);
	state_free(&scene->have);
}

/* problem: how the only one begins, NULL: there is none */
static void check_now(struct scene *scene, enum tp_route_state state, const char *reason,
		      const char *problem)
{
	const struct status_problems *problems = &scene->routes.problems;
	const struct status_problems *lost = &scene->routes.lost;

	status_routes_free(&scene->routes);
	CHECK_INT(status_routes_build(&scene->status, &scene->facts, &scene->routes), 0);
	REQUIRE(scene->routes.count == 1);
	CHECK_INT(scene->routes.items[0].state, state);
	CHECK_TEXT(scene->routes.items[0].reason, reason);
	CHECK_INT(problems->count + lost->count, problem ? 1 : 0);
	if (problem && problems->count + lost->count)
		CHECK_TEXT((problems->count ? problems : lost)->items[0].what, problem);
}

TEST(a_route_is_what_apply_found_while_nothing_changes)
{
	struct scene scene;

	scene_make(&scene, LAN, TP_ROUTE_ACTIVE);
	check_now(&scene, TP_ROUTE_ACTIVE, "as applied", NULL);
	scene_free(&scene);
	scene_make(&scene, LAN, TP_ROUTE_STANDBY);
	check_now(&scene, TP_ROUTE_STANDBY, "as applied", NULL);
	scene_free(&scene);
}

TEST(a_route_is_down_when_its_carrier_is)
{
	struct scene scene;

	scene_make(&scene, LAN, TP_ROUTE_ACTIVE);
	scene.peer->latest_handshake = NOW - 181;
	check_now(&scene, TP_ROUTE_DOWN, "there has not answered for 181 s", NULL);
	scene.peer->latest_handshake = 0;
	check_now(&scene, TP_ROUTE_DOWN, "there has never answered", NULL);
	scene.peer->endpoint.port = 0;
	check_now(&scene, TP_ROUTE_DOWN, "there has not called yet, and has no endpoint", NULL);
	scene.peer_info->key_expiry = NOW;
	check_now(&scene, TP_ROUTE_DOWN, "the key of there has expired", NULL);
	scene_free(&scene);
}

/* Without a keepalive WireGuard shakes hands only when there is something to send. */
TEST(silence_is_no_sign_of_death_without_a_keepalive)
{
	struct scene scene;

	scene_make(&scene, LAN, TP_ROUTE_ACTIVE);
	scene.peer->keepalive = 0;
	scene.peer->latest_handshake = NOW - 5000;
	check_now(&scene, TP_ROUTE_ACTIVE, "as applied", NULL);
	scene.peer->latest_handshake = 0;
	check_now(&scene, TP_ROUTE_ACTIVE, "as applied", NULL);
	scene_free(&scene);
}

TEST(a_lan_that_has_come_since_is_a_conflict)
{
	struct scene scene;

	scene_make(&scene, LAN "route 10.20.0.0/16 dev lan0 metric 600\n", TP_ROUTE_ACTIVE);
	check_now(&scene, TP_ROUTE_CONFLICT,
		  "kernel route 10.20.0.0/16 dev lan0 metric 600 holds it",
		  "10.20.0.0/16 of there is in force, and is to be held back: kernel route "
		  "10.20.0.0/16 dev lan0 metric 600 holds it");
	scene_free(&scene);
}

TEST(a_lan_that_has_gone_since_holds_nothing_back)
{
	struct scene scene;

	scene_make(&scene, LAN, TP_ROUTE_CONFLICT);
	check_now(&scene, TP_ROUTE_CONFLICT, "as applied",
		  "nothing holds 10.20.0.0/16 of there back any more");
	scene_free(&scene);
}

TEST(a_kernel_route_that_is_gone_is_missed)
{
	struct scene scene;

	scene_make(&scene, LAN, TP_ROUTE_ACTIVE);
	array_clear(&scene.have.routes);
	check_now(&scene, TP_ROUTE_DOWN, "its kernel route is gone",
		  "2 kernel routes into the tunnel are gone, the first 10.20.0.0/16");
	scene.have.tunnel.exists = false; /* and that is said elsewhere */
	check_now(&scene, TP_ROUTE_ACTIVE, "as applied", NULL);
	scene_free(&scene);
}

TEST(a_route_to_a_member_and_one_in_our_place_are_named)
{
	struct scene scene;

	scene_make(&scene, LAN "route 100.80.0.2/32 dev lan0 metric 5\n", TP_ROUTE_ACTIVE);
	scene.have.routes.count--;
	check_now(&scene, TP_ROUTE_ACTIVE, "as applied",
		  "100.80.0.2 is a mesh address, but a route of this machine's own, 100.80.0.2/32 "
		  "dev lan0 metric 5, is to the same: it is left alone");
	scene_free(&scene);

	scene_make(&scene, LAN "route 10.99.0.0/16 dev lan0 proto 4 metric 4000000116\n",
		   TP_ROUTE_ACTIVE);
	check_now(&scene, TP_ROUTE_ACTIVE, "as applied",
		  "a route of protocol 4, 10.99.0.0/16 dev lan0 metric 4000000116, has the metric "
		  "of towpath's: it is left alone");
	scene_free(&scene);
}
