// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel says of a device, built here as the kernel builds it. */
#include "kernel/wg_codec.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <string.h>

#include "kernel/nl.h"
#include "kernel/nl_attr.h"
#include "mutate.h"
#include "test.h"
#include "values.h"

#define FAMILY 0x1d
#define NAME   "wg0"

static struct nlmsghdr *begin_answer(union nl_message *buf)
{
	struct genlmsghdr header = { .cmd = WG_CMD_GET_DEVICE, .version = 1 };

	return nl_put_header(buf, sizeof(*buf), FAMILY, NLM_F_MULTI, &header, sizeof(header));
}

static void put_allowed_ip(struct nlmsghdr *msg, uint16_t family, const void *bytes, size_t length,
			   uint8_t mask)
{
	struct nlattr *nest = mnl_attr_nest_start(msg, 0);

	mnl_attr_put_u8(msg, WGALLOWEDIP_A_CIDR_MASK, mask);
	mnl_attr_put_u16(msg, WGALLOWEDIP_A_FAMILY, family);
	mnl_attr_put(msg, WGALLOWEDIP_A_IPADDR, length, bytes);
	mnl_attr_nest_end(msg, nest);
}

static void put_kernel_peer(struct nlmsghdr *msg, const struct key *public_key)
{
	struct nlattr *peer = mnl_attr_nest_start(msg, 0);
	struct key psk = value_key(0x40);
	struct sockaddr_in endpoint = { .sin_family = AF_INET, .sin_port = htons(4242) };
	int64_t handshake[2] = { 1700000000, 999 };
	struct nlattr *ips;

	memcpy(&endpoint.sin_addr, (const uint8_t[]){ 192, 0, 2, 7 }, 4);
	mnl_attr_put(msg, WGPEER_A_PUBLIC_KEY, KEY_SIZE, public_key->bytes);
	mnl_attr_put(msg, WGPEER_A_PRESHARED_KEY, KEY_SIZE, psk.bytes);
	mnl_attr_put(msg, WGPEER_A_LAST_HANDSHAKE_TIME, sizeof(handshake), handshake);
	mnl_attr_put_u16(msg, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, 25);
	mnl_attr_put_u64(msg, WGPEER_A_TX_BYTES, 1000);
	mnl_attr_put_u64(msg, WGPEER_A_RX_BYTES, 2000);
	mnl_attr_put_u32(msg, WGPEER_A_PROTOCOL_VERSION, 1);
	mnl_attr_put(msg, WGPEER_A_ENDPOINT, sizeof(endpoint), &endpoint);
	ips = mnl_attr_nest_start(msg, WGPEER_A_ALLOWEDIPS);
	put_allowed_ip(msg, AF_INET, (const uint8_t[]){ 10, 0, 0, 0 }, 4, 8);
	mnl_attr_nest_end(msg, ips);
	mnl_attr_nest_end(msg, peer);
}

/* As the kernel goes on with a peer that did not fit the message before. */
static void put_continuation(struct nlmsghdr *msg, const struct key *public_key, uint8_t net)
{
	struct nlattr *peer = mnl_attr_nest_start(msg, 0);
	uint8_t bytes[4] = { net, 0, 0, 0 };
	struct nlattr *ips;

	mnl_attr_put(msg, WGPEER_A_PUBLIC_KEY, KEY_SIZE, public_key->bytes);
	ips = mnl_attr_nest_start(msg, WGPEER_A_ALLOWEDIPS);
	put_allowed_ip(msg, AF_INET, bytes, sizeof(bytes), 8);
	mnl_attr_nest_end(msg, ips);
	mnl_attr_nest_end(msg, peer);
}

static void put_first_answer(union nl_message *buf)
{
	struct nlmsghdr *msg = begin_answer(buf);
	struct key private_key = value_key(0x70);
	struct key public_key = value_key(0x10);
	struct nlattr *peers;

	mnl_attr_put_u16(msg, WGDEVICE_A_LISTEN_PORT, 51820);
	mnl_attr_put_u32(msg, WGDEVICE_A_FWMARK, 0);
	mnl_attr_put_u32(msg, WGDEVICE_A_IFINDEX, 9);
	mnl_attr_put_strz(msg, WGDEVICE_A_IFNAME, NAME);
	mnl_attr_put(msg, WGDEVICE_A_PRIVATE_KEY, KEY_SIZE, private_key.bytes);
	peers = mnl_attr_nest_start(msg, WGDEVICE_A_PEERS);
	put_kernel_peer(msg, &public_key);
	mnl_attr_nest_end(msg, peers);
}

TEST(merges_a_peer_that_goes_on_in_the_next_message)
{
	struct key first = value_key(0x10), second = value_key(0x30);
	struct key private_key = value_key(0x70), psk = value_key(0x40);
	struct state_tunnel tunnel = { 0 };
	const struct state_peer *peer;
	union nl_message buf;
	struct nlattr *peers;

	put_first_answer(&buf);
	CHECK_INT(wg_read_device(&buf.header, &tunnel), 0);
	begin_answer(&buf);
	peers = mnl_attr_nest_start(&buf.header, WGDEVICE_A_PEERS);
	put_continuation(&buf.header, &first, 11);
	put_continuation(&buf.header, &second, 12);
	mnl_attr_nest_end(&buf.header, peers);
	CHECK_INT(wg_read_device(&buf.header, &tunnel), 0);

	CHECK_INT(tunnel.listen_port, 51820);
	CHECK_INT(tunnel.ifindex, 9);
	CHECK(key_is_equal(&tunnel.private_key, &private_key));
	REQUIRE(tunnel.peers.count == 2);

	peer = &tunnel.peers.items[0];
	CHECK(key_is_equal(&peer->public_key, &first));
	CHECK(key_is_equal(&peer->preshared_key, &psk));
	CHECK_ENDPOINT(peer->endpoint, "192.0.2.7:4242");
	CHECK_INT(peer->keepalive, 25);
	CHECK_INT(peer->latest_handshake, 1700000000);
	CHECK_INT(peer->tx_bytes, 1000);
	CHECK_INT(peer->rx_bytes, 2000);
	REQUIRE(peer->allowed_ips.count == 2);
	CHECK_PREFIX(peer->allowed_ips.items[0], "10.0.0.0/8");
	CHECK_PREFIX(peer->allowed_ips.items[1], "11.0.0.0/8");

	CHECK(key_is_equal(&tunnel.peers.items[1].public_key, &second));
	CHECK_INT(tunnel.peers.items[1].allowed_ips.count, 1);
	state_tunnel_clear(&tunnel);
}

static int read_one_allowed_ip(uint16_t family, size_t length, uint8_t mask)
{
	static const uint8_t zero[16];
	struct key key = value_key(0x10);
	struct state_tunnel tunnel = { 0 };
	union nl_message buf;
	struct nlmsghdr *msg = begin_answer(&buf);
	struct nlattr *peers = mnl_attr_nest_start(msg, WGDEVICE_A_PEERS);
	struct nlattr *peer = mnl_attr_nest_start(msg, 0);
	struct nlattr *ips;
	int r;

	mnl_attr_put(msg, WGPEER_A_PUBLIC_KEY, KEY_SIZE, key.bytes);
	ips = mnl_attr_nest_start(msg, WGPEER_A_ALLOWEDIPS);
	put_allowed_ip(msg, family, zero, length, mask);
	mnl_attr_nest_end(msg, ips);
	mnl_attr_nest_end(msg, peer);
	mnl_attr_nest_end(msg, peers);

	r = wg_read_device(msg, &tunnel);
	state_tunnel_clear(&tunnel);
	return r;
}

TEST(refuses_allowed_ips_that_cannot_be)
{
	CHECK_INT(read_one_allowed_ip(AF_INET, 4, 32), 0);
	CHECK_INT(read_one_allowed_ip(AF_INET6, 16, 128), 0);
	CHECK_INT(read_one_allowed_ip(AF_INET, 4, 33), -EBADMSG);
	CHECK_INT(read_one_allowed_ip(AF_INET6, 16, 129), -EBADMSG);
	CHECK_INT(read_one_allowed_ip(AF_INET, 16, 32), -EBADMSG);
	CHECK_INT(read_one_allowed_ip(AF_INET6, 4, 32), -EBADMSG);
	CHECK_INT(read_one_allowed_ip(AF_UNIX, 4, 32), -EBADMSG);
}

static int read_one_attribute(uint16_t type, size_t length)
{
	static const uint8_t zero[64];
	struct key key = value_key(0x10);
	struct state_tunnel tunnel = { 0 };
	union nl_message buf;
	struct nlmsghdr *msg = begin_answer(&buf);
	struct nlattr *peers = mnl_attr_nest_start(msg, WGDEVICE_A_PEERS);
	struct nlattr *peer = mnl_attr_nest_start(msg, 0);
	int r;

	mnl_attr_put(msg, WGPEER_A_PUBLIC_KEY, KEY_SIZE, key.bytes);
	mnl_attr_put(msg, type, length, zero);
	mnl_attr_nest_end(msg, peer);
	mnl_attr_nest_end(msg, peers);

	r = wg_read_device(msg, &tunnel);
	state_tunnel_clear(&tunnel);
	return r;
}

TEST(refuses_attributes_of_another_size)
{
	CHECK_INT(read_one_attribute(WGPEER_A_PRESHARED_KEY, 32), 0);
	CHECK_INT(read_one_attribute(WGPEER_A_PRESHARED_KEY, 31), -EBADMSG);
	CHECK_INT(read_one_attribute(WGPEER_A_RX_BYTES, 4), -EBADMSG);
	CHECK_INT(read_one_attribute(WGPEER_A_TX_BYTES, 9), -EBADMSG);
	CHECK_INT(read_one_attribute(WGPEER_A_LAST_HANDSHAKE_TIME, 8), -EBADMSG);
	CHECK_INT(read_one_attribute(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, 4), -EBADMSG);
	CHECK_INT(read_one_attribute(WGPEER_A_ENDPOINT, 28), -EBADMSG); /* family 0 */
	CHECK_INT(read_one_attribute(WGPEER_A_PUBLIC_KEY, 31), -EBADMSG);
	CHECK_INT(read_one_attribute(60, 7), 0); /* of a newer kernel */
}

static void read_damaged(const struct nlmsghdr *msg)
{
	struct state_tunnel tunnel = { 0 };

	wg_read_device(msg, &tunnel);
	state_tunnel_clear(&tunnel);
}

TEST(survives_damaged_answers)
{
	union nl_message buf;

	put_first_answer(&buf);
	CHECK(mutate_message(&buf.header, read_damaged) > 2000);
}
