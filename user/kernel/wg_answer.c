// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel says of a device: the reading half of wg_codec.h. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <string.h>

#include "kernel/nl_attr.h"
#include "kernel/wg_codec.h"

/* What __kernel_timespec is in the answer, also for 32-bit programs. */
struct handshake_time {
	int64_t seconds;
	int64_t nanoseconds;
};

static bool read_sockaddr(const struct nlattr *attr, struct endpoint *out)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	if (nl_attr_bytes(attr, &v4, sizeof(v4)) && v4.sin_family == AF_INET) {
		out->port = ntohs(v4.sin_port);
		return !nl_addr_read(AF_INET, &v4.sin_addr, &out->addr);
	}
	if (nl_attr_bytes(attr, &v6, sizeof(v6)) && v6.sin6_family == AF_INET6) {
		out->port = ntohs(v6.sin6_port);
		out->zone = v6.sin6_scope_id;
		/* a mapped address is IPv4 spelt otherwise, and our form of it */
		memcpy(out->addr.bytes, &v6.sin6_addr, sizeof(out->addr.bytes));
		return true;
	}
	return false;
}

static int read_allowed_ip(const struct nlattr *nest, struct prefix *out)
{
	const struct nlattr *attrs[WGALLOWEDIP_A_MAX + 1];
	uint16_t family = 0;
	uint8_t len = 0;
	uint8_t first_bit;

	nl_attrs_of_nest(nest, attrs, WGALLOWEDIP_A_MAX);
	if (!nl_attr_u16(attrs[WGALLOWEDIP_A_FAMILY], &family) ||
	    !nl_attr_u8(attrs[WGALLOWEDIP_A_CIDR_MASK], &len) ||
	    !nl_attr_addr(attrs[WGALLOWEDIP_A_IPADDR], family, &out->addr))
		return -EBADMSG;

	first_bit = family == AF_INET ? ADDR_MAPPED_BITS : 0;
	if (len > 128 - first_bit)
		return -EBADMSG;

	out->len = (uint8_t)(first_bit + len);
	return 0;
}

static int read_allowed_ips(const struct nlattr *nest, struct state_peer *peer)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		struct prefix prefix;
		struct prefix *added;
		int r = read_allowed_ip(attr, &prefix);

		if (r)
			return r;
		added = array_add(&peer->allowed_ips);
		if (!added)
			return -ENOMEM;
		*added = prefix;
	}

	return 0;
}

/* Absent is fine: the kernel leaves out what it has said before. Present and wrong is not. */
static int read_peer_settings(const struct nlattr **attrs, struct state_peer *peer)
{
	struct handshake_time time = { 0 };
	const struct nlattr *psk = attrs[WGPEER_A_PRESHARED_KEY];
	const struct nlattr *keepalive = attrs[WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL];
	const struct nlattr *endpoint = attrs[WGPEER_A_ENDPOINT];
	const struct nlattr *handshake = attrs[WGPEER_A_LAST_HANDSHAKE_TIME];
	const struct nlattr *rx = attrs[WGPEER_A_RX_BYTES];
	const struct nlattr *tx = attrs[WGPEER_A_TX_BYTES];

	if ((psk && !nl_attr_bytes(psk, peer->preshared_key.bytes, KEY_SIZE)) ||
	    (keepalive && !nl_attr_u16(keepalive, &peer->keepalive)) ||
	    (endpoint && !read_sockaddr(endpoint, &peer->endpoint)) ||
	    (handshake && !nl_attr_bytes(handshake, &time, sizeof(time))) ||
	    (rx && !nl_attr_u64(rx, &peer->rx_bytes)) || (tx && !nl_attr_u64(tx, &peer->tx_bytes)))
		return -EBADMSG;

	if (handshake)
		peer->latest_handshake = time.seconds;
	return 0;
}

/* The last peer if it is this one, which the message before began; else a new one. */
static struct state_peer *peer_of(struct state_tunnel *tunnel, const struct key *public_key)
{
	struct state_peer *peer;

	if (tunnel->peers.count) {
		peer = &tunnel->peers.items[tunnel->peers.count - 1];
		if (key_is_equal(&peer->public_key, public_key))
			return peer;
	}

	peer = array_add(&tunnel->peers);
	if (peer)
		peer->public_key = *public_key;
	return peer;
}

static int read_peer(const struct nlattr *nest, struct state_tunnel *tunnel)
{
	const struct nlattr *attrs[WGPEER_A_MAX + 1];
	struct state_peer *peer;
	struct key public_key;
	int r;

	nl_attrs_of_nest(nest, attrs, WGPEER_A_MAX);
	if (!nl_attr_bytes(attrs[WGPEER_A_PUBLIC_KEY], public_key.bytes, KEY_SIZE))
		return -EBADMSG;

	peer = peer_of(tunnel, &public_key);
	if (!peer)
		return -ENOMEM;

	r = read_peer_settings(attrs, peer);
	if (r || !attrs[WGPEER_A_ALLOWEDIPS])
		return r;
	return read_allowed_ips(attrs[WGPEER_A_ALLOWEDIPS], peer);
}

static int read_device_settings(const struct nlattr **attrs, struct state_tunnel *tunnel)
{
	const struct nlattr *name = attrs[WGDEVICE_A_IFNAME];
	const struct nlattr *ifindex = attrs[WGDEVICE_A_IFINDEX];
	const struct nlattr *private_key = attrs[WGDEVICE_A_PRIVATE_KEY];
	const struct nlattr *port = attrs[WGDEVICE_A_LISTEN_PORT];

	if ((name && !nl_attr_string(name, tunnel->name, sizeof(tunnel->name))) ||
	    (ifindex && !nl_attr_u32(ifindex, &tunnel->ifindex)) ||
	    (private_key && !nl_attr_bytes(private_key, tunnel->private_key.bytes, KEY_SIZE)) ||
	    (port && !nl_attr_u16(port, &tunnel->listen_port)))
		return -EBADMSG;
	return 0;
}

int wg_read_device(const struct nlmsghdr *msg, struct state_tunnel *tunnel)
{
	const struct nlattr *attrs[WGDEVICE_A_MAX + 1];
	const struct nlattr *attr;
	int r;

	nl_attrs_of_message(msg, sizeof(struct genlmsghdr), attrs, WGDEVICE_A_MAX);
	r = read_device_settings(attrs, tunnel);
	if (r || !attrs[WGDEVICE_A_PEERS])
		return r;

	mnl_attr_for_each_nested(attr, attrs[WGDEVICE_A_PEERS]) {
		r = read_peer(attr, tunnel);
		if (r)
			return r;
	}

	return 0;
}
