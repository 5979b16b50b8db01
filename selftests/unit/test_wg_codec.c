// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/wg_codec.h"

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <stdio.h>
#include <string.h>

#include "kernel/nl.h"
#include "kernel/nl_attr.h"
#include "test.h"
#include "values.h"

#define FAMILY 0x1d
#define NAME   "wg0"

/* A peer that is not there yet. */
#define MADE(peer) \
	(&(const struct peer_change){ .want = (peer), .endpoint = (peer)->endpoint.port })

/* Of one peer, *done as wg_peers has it; its count when it is through. */
static struct nlmsghdr *put_peer(void *buf, size_t size, const struct peer_change *change,
				 size_t *done)
{
	struct wg_peers peers = { .changes = &change, .count = 1, .done = *done };
	struct nlmsghdr *msg = wg_put_peers(buf, size, FAMILY, NAME, &peers);

	*done = peers.at ? change->want->allowed_ips.count : peers.done;
	return msg;
}

static struct state_peer make_peer(const char *endpoint)
{
	struct state_peer peer = { .public_key = value_key(0x10),
				   .preshared_key = value_key(0x40),
				   .keepalive = 25 };

	CHECK_INT(endpoint_read(endpoint, &peer.endpoint), 0);
	return peer;
}

static void check_peer(const struct state_peer *got, const struct state_peer *want)
{
	CHECK(key_is_equal(&got->public_key, &want->public_key));
	CHECK(key_is_equal(&got->preshared_key, &want->preshared_key));
	CHECK(endpoint_is_equal(&got->endpoint, &want->endpoint));
	CHECK_INT(got->keepalive, want->keepalive);
	CHECK_INT(got->latest_handshake, want->latest_handshake);
	CHECK_INT(got->rx_bytes, want->rx_bytes);
	CHECK_INT(got->tx_bytes, want->tx_bytes);
	CHECK_BYTES(got->allowed_ips.items, got->allowed_ips.count * sizeof(struct prefix),
		    want->allowed_ips.items, want->allowed_ips.count * sizeof(struct prefix));
}

/* The flags of the one peer in a message that sets it, 0 when it has none. */
static uint32_t flags_of(const struct nlmsghdr *msg)
{
	const struct nlattr *device[WGDEVICE_A_MAX + 1];
	const struct nlattr *peer[WGPEER_A_MAX + 1];
	uint32_t flags = 0;

	nl_attrs_of_message(msg, sizeof(struct genlmsghdr), device, WGDEVICE_A_MAX);
	CHECK(!device[WGDEVICE_A_FLAGS]); /* nothing ever replaces all peers */
	if (device[WGDEVICE_A_PEERS]) {
		nl_attrs_of_nest(mnl_attr_get_payload(device[WGDEVICE_A_PEERS]), peer,
				 WGPEER_A_MAX);
		nl_attr_u32(peer[WGPEER_A_FLAGS], &flags);
	}
	return flags;
}

/* clang-format off */
#define GENL_HEADER(command)							\
	FAMILY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (command), 1, 0, 0,		\
	8, 0, WGDEVICE_A_IFNAME, 0, 'w', 'g', '0', 0
#define KEY_BYTES(first)							\
	(first), (first) + 1, (first) + 2, (first) + 3, (first) + 4, (first) + 5, (first) + 6,	\
	(first) + 7, (first) + 8, (first) + 9, (first) + 10, (first) + 11, (first) + 12,	\
	(first) + 13, (first) + 14, (first) + 15, (first) + 16, (first) + 17, (first) + 18,	\
	(first) + 19, (first) + 20, (first) + 21, (first) + 22, (first) + 23, (first) + 24,	\
	(first) + 25, (first) + 26, (first) + 27, (first) + 28, (first) + 29, (first) + 30,	\
	(first) + 31
/* clang-format on */

TEST(sets_key_and_port_in_these_bytes)
{
	static const uint8_t want[] = { 72, 0, 0, 0, GENL_HEADER(WG_CMD_SET_DEVICE),
					/* private key */
					36, 0, WGDEVICE_A_PRIVATE_KEY, 0, KEY_BYTES(0x10),
					/* port 51820 */
					6, 0, WGDEVICE_A_LISTEN_PORT, 0, 0x6c, 0xca, 0, 0 };
	struct key key = value_key(0x10);
	union nl_message buf;

	REQUIRE(wg_put_device(&buf, sizeof(buf), FAMILY, NAME, &key, 51820));
	CHECK_BYTES(buf.bytes, buf.header.nlmsg_len, want, sizeof(want));
}

TEST(sets_a_key_and_leaves_the_port)
{
	static const uint8_t want[] = { 64, 0, 0, 0, GENL_HEADER(WG_CMD_SET_DEVICE),
					/* private key */
					36, 0, WGDEVICE_A_PRIVATE_KEY, 0, KEY_BYTES(0x10) };
	struct key key = value_key(0x10);
	union nl_message buf;

	REQUIRE(wg_put_device(&buf, sizeof(buf), FAMILY, NAME, &key, 0));
	CHECK_BYTES(buf.bytes, buf.header.nlmsg_len, want, sizeof(want));
}

TEST(removes_a_peer_in_these_bytes)
{
	static const uint8_t want[] = { 80, 0, 0, 0, GENL_HEADER(WG_CMD_SET_DEVICE),
					/* peers, nested */
					52, 0, WGDEVICE_A_PEERS, 0x80,
					/* one peer, nested */
					48, 0, 0, 0x80, 36, 0, WGPEER_A_PUBLIC_KEY, 0,
					KEY_BYTES(0x20), 8, 0, WGPEER_A_FLAGS, 0,
					WGPEER_F_REMOVE_ME, 0, 0, 0 };
	struct key key = value_key(0x20);
	union nl_message buf;

	REQUIRE(wg_put_peer_removal(&buf, sizeof(buf), FAMILY, NAME, &key));
	CHECK_BYTES(buf.bytes, buf.header.nlmsg_len, want, sizeof(want));
}

TEST(asks_for_a_device_in_these_bytes)
{
	static const uint8_t want[] = { 28, 0, 0, 0, GENL_HEADER(WG_CMD_GET_DEVICE) };
	union nl_message buf;

	REQUIRE(wg_put_get(&buf, sizeof(buf), FAMILY, NAME));
	CHECK_BYTES(buf.bytes, buf.header.nlmsg_len, want, sizeof(want));
}

/* What sets a peer is spelt like what the kernel says of one. */
static void check_reads_back(struct state_peer *peer)
{
	struct state_tunnel tunnel = { 0 };
	union nl_message buf;
	size_t done = 0;

	REQUIRE(put_peer(&buf, sizeof(buf), MADE(peer), &done));
	CHECK_INT(done, peer->allowed_ips.count);
	CHECK_INT(flags_of(&buf.header), WGPEER_F_REPLACE_ALLOWEDIPS);

	CHECK_INT(wg_read_device(&buf.header, &tunnel), 0);
	CHECK_TEXT(tunnel.name, NAME);
	REQUIRE(tunnel.peers.count == 1);
	check_peer(&tunnel.peers.items[0], peer);
	state_tunnel_clear(&tunnel);
}

TEST(reads_back_a_link_local_endpoint_with_its_zone)
{
	struct state_peer peer = make_peer("[fe80::1]:5000");

	peer.endpoint.zone = 3;
	check_reads_back(&peer);
}

TEST(reads_back_a_peer_behind_ipv4)
{
	struct state_peer peer = make_peer("192.0.2.1:51820");

	value_add_prefix(&peer, "192.0.2.0/24");
	value_add_prefix(&peer, "2001:db8::/32");
	value_add_prefix(&peer, "0.0.0.0/0");
	value_add_prefix(&peer, "::/0");
	value_add_prefix(&peer, "198.51.100.1/32");
	check_reads_back(&peer);
	array_clear(&peer.allowed_ips);
}

TEST(reads_back_a_peer_behind_ipv6_without_allowed_ips)
{
	struct state_peer peer = make_peer("[2001:db8::1]:1");

	check_reads_back(&peer);
}

TEST(leaves_a_roamed_endpoint_alone_but_clears_psk_and_keepalive)
{
	struct state_peer peer = { .public_key = value_key(0x10) };
	const struct nlattr *device[WGDEVICE_A_MAX + 1];
	const struct nlattr *attrs[WGPEER_A_MAX + 1];
	struct key psk = value_key(1);
	uint16_t keepalive = 1;
	union nl_message buf;
	size_t done = 0;

	REQUIRE(put_peer(&buf, sizeof(buf), MADE(&peer), &done));
	nl_attrs_of_message(&buf.header, sizeof(struct genlmsghdr), device, WGDEVICE_A_MAX);
	REQUIRE(device[WGDEVICE_A_PEERS]);
	nl_attrs_of_nest(mnl_attr_get_payload(device[WGDEVICE_A_PEERS]), attrs, WGPEER_A_MAX);

	CHECK(!attrs[WGPEER_A_ENDPOINT]);
	CHECK(nl_attr_bytes(attrs[WGPEER_A_PRESHARED_KEY], psk.bytes, KEY_SIZE));
	CHECK(key_is_zero(&psk));
	CHECK(nl_attr_u16(attrs[WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL], &keepalive));
	CHECK_INT(keepalive, 0);
}

TEST(splits_3000_allowed_ips_and_replaces_only_once)
{
	struct state_peer peer = make_peer("192.0.2.1:51820");
	struct state_tunnel tunnel = { 0 };
	size_t done = 0, messages = 0;
	union nl_message buf;
	char text[64];

	for (int i = 0; i < 1500; i++) {
		snprintf(text, sizeof(text), "10.%d.%d.0/24", i / 256, i % 256);
		value_add_prefix(&peer, text);
		snprintf(text, sizeof(text), "2001:db8:%x::/48", i);
		value_add_prefix(&peer, text);
	}

	while (done < peer.allowed_ips.count) {
		size_t before = done;

		REQUIRE(put_peer(&buf, sizeof(buf), MADE(&peer), &done));
		REQUIRE(done > before);
		CHECK(buf.header.nlmsg_len <= sizeof(buf));
		CHECK_INT(flags_of(&buf.header),
			  messages ? WGPEER_F_UPDATE_ONLY : WGPEER_F_REPLACE_ALLOWEDIPS);
		CHECK_INT(wg_read_device(&buf.header, &tunnel), 0);
		messages++;
	}

	CHECK(messages > 1 && messages < 12);
	REQUIRE(tunnel.peers.count == 1);
	check_peer(&tunnel.peers.items[0], &peer);
	state_tunnel_clear(&tunnel);
	array_clear(&peer.allowed_ips);
}

/* Whether the allowed IPs of the one peer in a message end where their nest does. */
static bool has_whole_allowed_ips(const struct nlmsghdr *msg)
{
	const struct nlattr *device[WGDEVICE_A_MAX + 1];
	const struct nlattr *peer[WGPEER_A_MAX + 1];
	const struct nlattr *nest, *attr;
	size_t length = 0;

	nl_attrs_of_message(msg, sizeof(struct genlmsghdr), device, WGDEVICE_A_MAX);
	nl_attrs_of_nest(mnl_attr_get_payload(device[WGDEVICE_A_PEERS]), peer, WGPEER_A_MAX);
	nest = peer[WGPEER_A_ALLOWEDIPS];
	mnl_attr_for_each_nested(attr, nest)
		length += MNL_ALIGN(mnl_attr_get_len(attr));
	return length == mnl_attr_get_payload_len(nest);
}

TEST(puts_whole_allowed_ips_into_messages_of_any_size)
{
	struct state_peer peer = make_peer("192.0.2.1:51820");
	size_t with_fewer = 0;
	union nl_message buf;

	value_add_prefix(&peer, "192.0.2.0/24");
	value_add_prefix(&peer, "2001:db8::/32");
	value_add_prefix(&peer, "198.51.100.0/24");
	for (size_t size = 0; size < 400; size++) {
		size_t done = 0;

		if (!put_peer(&buf, size, MADE(&peer), &done))
			continue;
		CHECK(buf.header.nlmsg_len <= size);
		CHECK(has_whole_allowed_ips(&buf.header));
		with_fewer += done < peer.allowed_ips.count;
	}
	CHECK(with_fewer > 60);
	array_clear(&peer.allowed_ips);
}

TEST(gives_up_when_a_message_has_no_room)
{
	struct state_peer peer = make_peer("192.0.2.1:51820");
	struct key key = value_key(0x10);
	size_t done = 0, size = 0;
	union nl_message buf;

	CHECK(!wg_put_device(&buf, 71, FAMILY, NAME, &key, 1));
	CHECK(!wg_put_peer_removal(&buf, 79, FAMILY, NAME, &key));
	CHECK(!wg_put_get(&buf, 27, FAMILY, NAME));

	value_add_prefix(&peer, "192.0.2.0/24");
	while (!put_peer(&buf, size, MADE(&peer), &done)) {
		CHECK_INT(done, 0);
		REQUIRE(++size < sizeof(buf));
	}
	CHECK_INT(done, 1);
	CHECK_INT(buf.header.nlmsg_len, size);
	array_clear(&peer.allowed_ips);
}

TEST(puts_many_peers_into_few_messages_and_begins_each_once)
{
	struct peer_change changes[300] = { 0 };
	const struct peer_change *list[300];
	static struct state_peer peers[300];
	struct wg_peers cursor = { .changes = list, .count = 300 };
	struct state_tunnel tunnel = { 0 };
	size_t messages = 0;
	union nl_message buf;
	char text[64];

	for (int i = 0; i < 300; i++) {
		peers[i].public_key = value_key(7);
		memcpy(peers[i].public_key.bytes, &i, sizeof(i));
		for (int j = 0; j < (i == 100 ? 900 : 2); j++) {
			snprintf(text, sizeof(text), "10.%d.%d.%d/32", i / 256, i % 256, j % 256);
			if (j > 255)
				snprintf(text, sizeof(text), "2001:db8::%x/128", j);
			value_add_prefix(&peers[i], text);
		}
		changes[i].want = &peers[i];
		list[i] = &changes[i];
	}
	while (wg_peers_left(&cursor)) {
		REQUIRE(wg_put_peers(&buf, sizeof(buf), FAMILY, NAME, &cursor));
		CHECK_INT(wg_read_device(&buf.header, &tunnel), 0);
		messages++;
	}

	CHECK(messages > 2 && messages < 10);
	REQUIRE(tunnel.peers.count == 300);
	for (int i = 0; i < 300; i++) {
		check_peer(&tunnel.peers.items[i], &peers[i]);
		array_clear(&peers[i].allowed_ips);
	}
	state_tunnel_clear(&tunnel);
}

TEST(a_change_is_sent_without_what_is_the_same)
{
	static const uint8_t want[] = { 112, 0, 0, 0, GENL_HEADER(WG_CMD_SET_DEVICE),
					/* peers, one peer, both nested */
					84, 0, WGDEVICE_A_PEERS, 0x80, 80, 0, 0, 0x80, 36, 0,
					WGPEER_A_PUBLIC_KEY, 0, KEY_BYTES(0x10), 8, 0,
					WGPEER_A_FLAGS, 0, WGPEER_F_UPDATE_ONLY, 0, 0, 0,
					/* the allowed IP that is new */
					32, 0, WGPEER_A_ALLOWEDIPS, 0x80, 28, 0, 0, 0x80, 6, 0,
					WGALLOWEDIP_A_FAMILY, 0, 2, 0, 0, 0, 8, 0,
					WGALLOWEDIP_A_IPADDR, 0, 192, 0, 2, 0, 5, 0,
					WGALLOWEDIP_A_CIDR_MASK, 0, 24, 0, 0, 0 };
	struct state_peer old = make_peer("192.0.2.1:51820"), new = make_peer("192.0.2.1:51820");
	const struct peer_change change = { .want = &new, .have = &old };
	union nl_message buf;
	size_t done = 0;

	value_add_prefix(&old, "10.0.0.0/8");
	value_add_prefix(&new, "10.0.0.0/8");
	value_add_prefix(&new, "192.0.2.0/24");
	REQUIRE(put_peer(&buf, sizeof(buf), &change, &done));
	CHECK_BYTES(buf.bytes, buf.header.nlmsg_len, want, sizeof(want));
	array_clear(&old.allowed_ips);
	array_clear(&new.allowed_ips);
}

TEST(an_endpoint_is_sent_alone)
{
	static const uint8_t want[] = { 100,
					0,
					0,
					0,
					GENL_HEADER(WG_CMD_SET_DEVICE),
					72,
					0,
					WGDEVICE_A_PEERS,
					0x80,
					68,
					0,
					0,
					0x80,
					36,
					0,
					WGPEER_A_PUBLIC_KEY,
					0,
					KEY_BYTES(0x10),
					8,
					0,
					WGPEER_A_FLAGS,
					0,
					WGPEER_F_UPDATE_ONLY,
					0,
					0,
					0,
					20,
					0,
					WGPEER_A_ENDPOINT,
					0,
					2,
					0,
					0x13,
					0x88,
					192,
					0,
					2,
					1,
					0,
					0,
					0,
					0,
					0,
					0,
					0,
					0 };
	struct state_peer peer = make_peer("192.0.2.1:5000");
	union nl_message buf;

	REQUIRE(wg_put_endpoint(&buf, sizeof(buf), FAMILY, NAME, &peer.public_key, &peer.endpoint));
	CHECK_BYTES(buf.bytes, buf.header.nlmsg_len, want, sizeof(want));
}
