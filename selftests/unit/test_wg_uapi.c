// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/wg_uapi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mutate.h"
#include "test.h"
#include "values.h"

#define HEX_A "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
#define HEX_B "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
#define HEX_0 "0000000000000000000000000000000000000000000000000000000000000000"

/* A peer that is not there yet. */
#define MADE(peer) \
	(&(const struct peer_change){ .want = (peer), .endpoint = (peer)->endpoint.port })

static char *put_peer(const struct peer_change *change)
{
	return wg_uapi_put_peers(&change, 1);
}

TEST(uapi_sets_key_and_port)
{
	struct key key = value_key(0xa0);
	char *text = wg_uapi_put_device(&key, 51820);

	CHECK_TEXT(text, "set=1\nprivate_key=" HEX_A "\nlisten_port=51820\n\n");
	wg_uapi_free(text);

	text = wg_uapi_put_device(&key, 0);
	CHECK_TEXT(text, "set=1\nprivate_key=" HEX_A "\n\n");
	wg_uapi_free(text);
}

TEST(uapi_sets_one_peer_and_replaces_only_its_allowed_ips)
{
	struct state_peer peer = { .public_key = value_key(0xa0),
				   .preshared_key = value_key(0xb0),
				   .keepalive = 25 };
	char *text;

	CHECK_INT(endpoint_read("[2001:db8::1]:51820", &peer.endpoint), 0);
	value_add_prefix(&peer, "10.0.0.0/8");
	value_add_prefix(&peer, "::/0");
	text = put_peer(MADE(&peer));

	CHECK_TEXT(text, "set=1\npublic_key=" HEX_A "\npreshared_key=" HEX_B
			 "\nendpoint=[2001:db8::1]:51820\npersistent_keepalive_interval=25\n"
			 "replace_allowed_ips=true\nallowed_ip=10.0.0.0/8\nallowed_ip=::/0\n\n");
	wg_uapi_free(text);
	array_clear(&peer.allowed_ips);
}

TEST(uapi_leaves_a_roamed_endpoint_alone)
{
	struct state_peer peer = { .public_key = value_key(0xa0) };
	char *text = put_peer(MADE(&peer));

	CHECK_TEXT(text, "set=1\npublic_key=" HEX_A "\npreshared_key=" HEX_0
			 "\npersistent_keepalive_interval=0\nreplace_allowed_ips=true\n\n");
	wg_uapi_free(text);
}

TEST(uapi_sends_what_differs_of_several_peers_at_once)
{
	struct state_peer old = { .public_key = value_key(0xa0) };
	struct state_peer changed = old, new = { .public_key = value_key(0xb0) };
	const struct peer_change a = { .want = &changed, .have = &old };
	const struct peer_change b = { .want = &new };
	const struct peer_change *changes[] = { &a, &b };
	char *text;

	value_add_prefix(&old, "10.0.0.0/8");
	value_add_prefix(&changed, "10.0.0.0/8");
	value_add_prefix(&changed, "2001:db8::/32");
	text = wg_uapi_put_peers(changes, 2);
	CHECK_TEXT(text, "set=1\npublic_key=" HEX_A "\nupdate_only=true\nallowed_ip=2001:db8::/32\n"
			 "public_key=" HEX_B "\npreshared_key=" HEX_0
			 "\npersistent_keepalive_interval=0\nreplace_allowed_ips=true\n\n");
	wg_uapi_free(text);
	array_clear(&old.allowed_ips);
	array_clear(&changed.allowed_ips);
}

#define HEX_DRAIN "746f777061746820647261696e7320616c6c6f77656420495073206279206974"

TEST(uapi_drops_what_is_to_be_nobodys_and_leaves_the_rest)
{
	struct state_peer old = { .public_key = value_key(0xa0) }, changed = old, other = old;
	struct prefixes owned = { 0 };
	const struct peer_change change = { .want = &changed, .have = &old, .owned = &owned };
	char *text;

	value_add_prefix(&old, "10.0.0.0/8");  /* stays */
	value_add_prefix(&old, "10.1.0.0/16"); /* is to be another's */
	value_add_prefix(&old, "2001:db8::/32");
	value_add_prefix(&changed, "10.0.0.0/8");
	value_add_prefix(&other, "10.0.0.0/8");
	value_add_prefix(&other, "10.1.0.0/16");
	owned.items = other.allowed_ips.items;
	owned.count = other.allowed_ips.count;
	text = put_peer(&change);
	CHECK_TEXT(text, "set=1\npublic_key=" HEX_A "\nupdate_only=true\n"
			 "public_key=" HEX_DRAIN "\nallowed_ip=2001:db8::/32\n"
			 "public_key=" HEX_DRAIN "\nremove=true\n\n");
	wg_uapi_free(text);
	array_clear(&old.allowed_ips);
	array_clear(&changed.allowed_ips);
	array_clear(&other.allowed_ips);
}

TEST(uapi_sets_an_endpoint_alone)
{
	struct state_peer peer = { .public_key = value_key(0xa0) };
	char *text;

	CHECK_INT(endpoint_read("[2001:db8::1]:51820", &peer.endpoint), 0);
	text = wg_uapi_put_endpoint(&peer.public_key, &peer.endpoint);
	CHECK_TEXT(text, "set=1\npublic_key=" HEX_A
			 "\nupdate_only=true\nendpoint=[2001:db8::1]:51820\n\n");
	wg_uapi_free(text);
}

TEST(uapi_removes_one_peer)
{
	struct key key = value_key(0xb0);
	char *text = wg_uapi_put_peer_removal(&key);

	CHECK_TEXT(text, "set=1\npublic_key=" HEX_B "\nremove=true\n\n");
	wg_uapi_free(text);
}

TEST(uapi_has_room_for_the_longest_lines)
{
	struct state_peer peer = { .public_key = value_key(0xa0), .keepalive = UINT16_MAX };
	char line[PREFIX_TEXT_SIZE + 32];
	const char *found;
	char *text;
	size_t count = 0;

	CHECK_INT(endpoint_read("[2001:db8:1111:2222:3333:4444:5555:6666]:65535", &peer.endpoint),
		  0);
	for (int i = 0; i < 3000; i++) {
		snprintf(line, sizeof(line), "2001:db8:1111:2222:3333:4444:5555:%x/128",
			 0x6000 + i);
		value_add_prefix(&peer, line);
	}

	text = put_peer(MADE(&peer));
	REQUIRE(text);
	for (found = text; (found = strstr(found, "allowed_ip=")); found++)
		count++;
	CHECK_INT(count, 3000);
	CHECK_TEXT(text + strlen(text) - strlen(":6bb7/128\n\n"), ":6bb7/128\n\n");
	wg_uapi_free(text);
	array_clear(&peer.allowed_ips);
}

/* As wireguard-go answers. */
static const char answer[] = "private_key=" HEX_A "\n"
			     "listen_port=51820\n"
			     "fwmark=1\n"
			     "public_key=" HEX_B "\n"
			     "preshared_key=" HEX_A "\n"
			     "protocol_version=1\n"
			     "endpoint=192.0.2.7:4242\n"
			     "last_handshake_time_sec=1700000000\n"
			     "last_handshake_time_nsec=5\n"
			     "tx_bytes=18446744073709551615\n"
			     "rx_bytes=42\n"
			     "persistent_keepalive_interval=25\n"
			     "allowed_ip=10.0.0.0/8\n"
			     "allowed_ip=fd00::1/128\n"
			     "public_key=" HEX_A "\n"
			     "preshared_key=" HEX_0 "\n"
			     "endpoint=[fe80::1%3]:51821\n"
			     "allowed_ip=0.0.0.0/0\n"
			     "errno=0\n\n";

TEST(uapi_reads_an_answer)
{
	struct key a = value_key(0xa0);
	struct key b = value_key(0xb0);
	struct state_tunnel tunnel = { 0 };
	const struct state_peer *peer;

	CHECK_INT(wg_uapi_read(answer, strlen(answer), &tunnel), 0);
	CHECK(key_is_equal(&tunnel.private_key, &a));
	CHECK_INT(tunnel.listen_port, 51820);
	REQUIRE(tunnel.peers.count == 2);

	peer = &tunnel.peers.items[0];
	CHECK(key_is_equal(&peer->public_key, &b));
	CHECK(key_is_equal(&peer->preshared_key, &a));
	CHECK_ENDPOINT(peer->endpoint, "192.0.2.7:4242");
	CHECK_INT(peer->latest_handshake, 1700000000);
	CHECK(peer->tx_bytes == UINT64_MAX);
	CHECK_INT(peer->rx_bytes, 42);
	CHECK_INT(peer->keepalive, 25);
	CHECK_INT(peer->allowed_ips.count, 2);
	CHECK_PREFIX(peer->allowed_ips.items[0], "10.0.0.0/8");
	CHECK_PREFIX(peer->allowed_ips.items[1], "fd00::1/128");

	peer = &tunnel.peers.items[1];
	CHECK(key_is_zero(&peer->preshared_key));
	CHECK_ENDPOINT(peer->endpoint, "[fe80::1%3]:51821");
	CHECK_INT(peer->allowed_ips.count, 1);
	CHECK_PREFIX(peer->allowed_ips.items[0], "0.0.0.0/0");
	state_tunnel_clear(&tunnel);
}

TEST(uapi_reads_zones_that_are_names)
{
	static const struct {
		const char *endpoint, *want;
	} rows[] = {
		{ "[fe80::1%lo]:1", "[fe80::1%1]:1" }, /* of all namespaces the first device */
		{ "[fe80::1%no-such]:1", "[fe80::1]:1" },
		{ "[fe80::1%4294967295]:1", "[fe80::1%4294967295]:1" },
		{ "[fe80::1%4294967296]:1", "[fe80::1]:1" },
		{ "[fe80::1%]:1", "[fe80::1]:1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *text = mem_format("public_key=" HEX_B "\nendpoint=%s\nerrno=0\n\n",
						  rows[i].endpoint);
		struct state_tunnel tunnel = { 0 };

		CHECK_INT(wg_uapi_read(text, strlen(text), &tunnel), 0);
		REQUIRE(tunnel.peers.count == 1);
		CHECK_ENDPOINT(tunnel.peers.items[0].endpoint, rows[i].want);
		state_tunnel_clear(&tunnel);
	}
}

TEST(uapi_reads_back_what_it_sets)
{
	struct state_peer peer = { .public_key = value_key(0xa0),
				   .preshared_key = value_key(0xb0),
				   .keepalive = 7 };
	struct state_tunnel tunnel = { 0 };
	char *request;
	char *text;

	CHECK_INT(endpoint_read("[fe80::7]:51820", &peer.endpoint), 0);
	peer.endpoint.zone = 4;
	value_add_prefix(&peer, "192.0.2.0/24");
	request = put_peer(MADE(&peer));
	REQUIRE(request);

	/* the lines of a request are those of an answer, but for its end */
	text = mem_format("%.*serrno=0\n\n", (int)strlen(request) - 1, request);
	CHECK_INT(wg_uapi_read(text, strlen(text), &tunnel), 0);
	REQUIRE(tunnel.peers.count == 1);
	CHECK(key_is_equal(&tunnel.peers.items[0].public_key, &peer.public_key));
	CHECK(key_is_equal(&tunnel.peers.items[0].preshared_key, &peer.preshared_key));
	CHECK(endpoint_is_equal(&tunnel.peers.items[0].endpoint, &peer.endpoint));
	CHECK_INT(tunnel.peers.items[0].keepalive, 7);
	CHECK_PREFIX(tunnel.peers.items[0].allowed_ips.items[0], "192.0.2.0/24");

	free(text);
	wg_uapi_free(request);
	state_tunnel_clear(&tunnel);
	array_clear(&peer.allowed_ips);
}

static int read_text(const char *text)
{
	struct state_tunnel tunnel = { 0 };
	int r = wg_uapi_read(text, strlen(text), &tunnel);

	state_tunnel_clear(&tunnel);
	return r;
}

TEST(uapi_errors_become_errnos_of_either_sign)
{
	CHECK_INT(read_text("errno=0\n\n"), 0);
	CHECK_INT(read_text("errno=22\n\n"), -EINVAL);
	CHECK_INT(read_text("errno=-98\n\n"), -EADDRINUSE);
}

TEST(uapi_refuses_what_is_no_answer)
{
	static const char *const bad[] = {
		"",
		"\n",
		"errno=0",
		"errno\n\n",
		"errno=4096\n\n",
		"errno=--1\n\n",
		"errno=x\n\n",
		"listen_port=1\n\n",
		"listen_port=65536\nerrno=0\n\n",
		"private_key=00\nerrno=0\n\n",
		"public_key=" HEX_A "0\nerrno=0\n\n",
		"public_key=g" HEX_A "\nerrno=0\n\n",
		"allowed_ip=10.0.0.0/8\nerrno=0\n\n",
		"preshared_key=" HEX_A "\nerrno=0\n\n",
		"public_key=" HEX_A "\nallowed_ip=10.0.0.0/33\nerrno=0\n\n",
		"public_key=" HEX_A "\nendpoint=[::1\nerrno=0\n\n",
		"public_key=" HEX_A "\nlast_handshake_time_sec=-1\nerrno=0\n\n",
		"errno=0\nlisten_port=1\n\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		test_check(read_text(bad[i]) == -EBADMSG, __FILE__, __LINE__, "takes row %zu: %s",
			   i, bad[i]);
}

TEST(uapi_refuses_a_line_without_end)
{
	char text[2000];

	memset(text, 'a', sizeof(text));
	text[5] = '=';
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = '\0';
	CHECK_INT(read_text(text), -EBADMSG);
}

TEST(uapi_passes_over_what_it_does_not_know)
{
	CHECK_INT(read_text("moon_phase=full\nerrno=0\n\n"), 0);
}

static void read_damaged(const void *bytes, size_t length)
{
	struct state_tunnel tunnel = { 0 };

	wg_uapi_read(bytes, length, &tunnel);
	state_tunnel_clear(&tunnel);
}

TEST(uapi_survives_damaged_answers)
{
	CHECK(mutate_bytes(answer, strlen(answer), read_damaged) > 5000);
}
