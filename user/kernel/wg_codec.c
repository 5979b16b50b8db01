// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/wg_codec.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <string.h>

#include "kernel/nl_attr.h"

_Static_assert(KEY_SIZE == WG_KEY_LEN, "a key is a key");

static struct nlmsghdr *begin(void *buf, size_t size, uint16_t family, uint8_t command,
			      const char *ifname)
{
	struct genlmsghdr header = { .cmd = command, .version = WG_GENL_VERSION };
	struct nlmsghdr *msg = nl_put_header(buf, size, family, 0, &header, sizeof(header));

	if (!msg || !mnl_attr_put_strz_check(msg, size, WGDEVICE_A_IFNAME, ifname))
		return NULL;
	return msg;
}

static bool put_key(struct nlmsghdr *msg, size_t size, uint16_t type, const struct key *key)
{
	return mnl_attr_put_check(msg, size, type, sizeof(key->bytes), key->bytes);
}

struct nlmsghdr *wg_put_get(void *buf, size_t size, uint16_t family, const char *ifname)
{
	return begin(buf, size, family, WG_CMD_GET_DEVICE, ifname);
}

struct nlmsghdr *wg_put_device(void *buf, size_t size, uint16_t family, const char *ifname,
			       const struct key *private_key, uint16_t listen_port)
{
	struct nlmsghdr *msg = begin(buf, size, family, WG_CMD_SET_DEVICE, ifname);

	if (!msg || !put_key(msg, size, WGDEVICE_A_PRIVATE_KEY, private_key) ||
	    (listen_port &&
	     !mnl_attr_put_u16_check(msg, size, WGDEVICE_A_LISTEN_PORT, listen_port)))
		return NULL;
	return msg;
}

/*
 * A message about one peer, with both nests open: nothing is missing but what stands inside the
 * peer, and the ends of the nests.
 */
struct peer_message {
	struct nlmsghdr *msg;
	struct nlattr *peers;
	struct nlattr *peer;
};

static bool begin_peer(struct peer_message *out, void *buf, size_t size, uint16_t family,
		       const char *ifname, const struct key *public_key)
{
	out->msg = begin(buf, size, family, WG_CMD_SET_DEVICE, ifname);
	if (!out->msg)
		return false;

	out->peers = mnl_attr_nest_start_check(out->msg, size, WGDEVICE_A_PEERS);
	if (!out->peers)
		return false;

	out->peer = mnl_attr_nest_start_check(out->msg, size, 0);
	return out->peer && put_key(out->msg, size, WGPEER_A_PUBLIC_KEY, public_key);
}

static struct nlmsghdr *end_peer(const struct peer_message *message)
{
	mnl_attr_nest_end(message->msg, message->peer);
	mnl_attr_nest_end(message->msg, message->peers);
	return message->msg;
}

static bool put_flags(struct nlmsghdr *msg, size_t size, uint32_t flags)
{
	return mnl_attr_put_u32_check(msg, size, WGPEER_A_FLAGS, flags);
}

struct nlmsghdr *wg_put_peer_removal(void *buf, size_t size, uint16_t family, const char *ifname,
				     const struct key *public_key)
{
	struct peer_message message;

	if (!begin_peer(&message, buf, size, family, ifname, public_key) ||
	    !put_flags(message.msg, size, WGPEER_F_REMOVE_ME))
		return NULL;
	return end_peer(&message);
}

static bool put_endpoint(struct nlmsghdr *msg, size_t size, const struct endpoint *endpoint)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(endpoint->port),
				   .sin6_scope_id = endpoint->zone };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(endpoint->port) };
	size_t length;
	const uint8_t *bytes = nl_addr_bytes(&endpoint->addr, &length);

	if (length == sizeof(v4.sin_addr)) {
		memcpy(&v4.sin_addr, bytes, length);
		return mnl_attr_put_check(msg, size, WGPEER_A_ENDPOINT, sizeof(v4), &v4);
	}
	memcpy(&v6.sin6_addr, bytes, length);
	return mnl_attr_put_check(msg, size, WGPEER_A_ENDPOINT, sizeof(v6), &v6);
}

/*
 * Only the first message of a peer makes it, or replaces. A later one, or one of a few settings,
 * must not make a peer that somebody has removed meanwhile.
 */
static uint32_t peer_flags(const struct peer_change *change, bool first)
{
	uint32_t flags = first && !change->have ? 0 : WGPEER_F_UPDATE_ONLY;

	if (first && !change->have)
		flags |= WGPEER_F_REPLACE_ALLOWEDIPS;
	return flags;
}

/* Everything but the allowed IPs: only the first message of a peer has it. */
static bool put_peer_settings(struct nlmsghdr *msg, size_t size, const struct peer_change *change)
{
	const struct state_peer *peer = change->want;

	if (peer_change_psk(change) &&
	    !put_key(msg, size, WGPEER_A_PRESHARED_KEY, &peer->preshared_key))
		return false;
	if (peer_change_keepalive(change) &&
	    !mnl_attr_put_u16_check(msg, size, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL,
				    peer->keepalive))
		return false;
	return !change->endpoint || put_endpoint(msg, size, &peer->endpoint);
}

static bool put_allowed_ip(struct nlmsghdr *msg, size_t size, const struct prefix *prefix)
{
	struct nlattr *nest = mnl_attr_nest_start_check(msg, size, 0);

	if (!nest)
		return false;

	if (!mnl_attr_put_u16_check(msg, size, WGALLOWEDIP_A_FAMILY,
				    (uint16_t)nl_addr_family(&prefix->addr)) ||
	    !nl_put_addr(msg, size, WGALLOWEDIP_A_IPADDR, &prefix->addr) ||
	    !mnl_attr_put_u8_check(msg, size, WGALLOWEDIP_A_CIDR_MASK, prefix_family_len(prefix))) {
		mnl_attr_nest_cancel(msg, nest);
		return false;
	}

	mnl_attr_nest_end(msg, nest);
	return true;
}

static void skip_allowed_ips(const struct peer_change *change, size_t *done)
{
	while (*done < change->want->allowed_ips.count &&
	       !peer_change_has(change, &change->want->allowed_ips.items[*done]))
		(*done)++;
}

/* As many as fit. False when there are some to put and none fits. */
static bool put_allowed_ips(struct nlmsghdr *msg, size_t size, const struct peer_change *change,
			    size_t *done)
{
	const struct state_peer *peer = change->want;
	struct nlattr *nest;
	size_t before;

	skip_allowed_ips(change, done);
	before = *done;
	if (before == peer->allowed_ips.count)
		return true;

	nest = mnl_attr_nest_start_check(msg, size, WGPEER_A_ALLOWEDIPS);
	if (!nest)
		return false;
	while (*done < peer->allowed_ips.count &&
	       put_allowed_ip(msg, size, &peer->allowed_ips.items[*done])) {
		(*done)++;
		skip_allowed_ips(change, done);
	}
	mnl_attr_nest_end(msg, nest);

	return *done > before;
}

static bool put_parts(struct nlmsghdr *msg, size_t size, const struct peer_change *change,
		      size_t *done)
{
	return put_key(msg, size, WGPEER_A_PUBLIC_KEY, &change->want->public_key) &&
	       put_flags(msg, size, peer_flags(change, !*done)) &&
	       (*done || put_peer_settings(msg, size, change)) &&
	       put_allowed_ips(msg, size, change, done);
}

/* False when no useful part of it fits: then the message and *done are as before. */
static bool put_peer(struct nlmsghdr *msg, size_t size, const struct peer_change *change,
		     size_t *done)
{
	struct nlattr *nest = mnl_attr_nest_start_check(msg, size, 0);
	size_t count = *done;

	if (!nest)
		return false;
	if (!put_parts(msg, size, change, &count)) {
		mnl_attr_nest_cancel(msg, nest);
		return false;
	}
	mnl_attr_nest_end(msg, nest);
	*done = count;
	return true;
}

/* ---- what is to be nobody's ---- */

/* The next one, where the cursor then stands; NULL when there is none left. */
static const struct prefix *next_dropped(struct wg_peers *peers)
{
	for (; peers->dropping < peers->count; peers->dropping++, peers->dropped = 0) {
		const struct peer_change *change = peers->changes[peers->dropping];
		const struct state_peer *have = change->have;

		for (; change->owned && peers->dropped < have->allowed_ips.count;
		     peers->dropped++) {
			const struct prefix *prefix = &have->allowed_ips.items[peers->dropped];

			if (peer_change_drops(change, prefix))
				return prefix;
		}
	}
	return NULL;
}

bool wg_peers_left(const struct wg_peers *peers)
{
	struct wg_peers ahead = *peers;

	return peers->at < peers->count || next_dropped(&ahead);
}

/* As many as fit; false when none does. */
static bool put_dropped(struct nlmsghdr *msg, size_t size, struct wg_peers *peers)
{
	struct nlattr *nest = mnl_attr_nest_start_check(msg, size, WGPEER_A_ALLOWEDIPS);
	const struct prefix *prefix;
	bool any = false;

	if (!nest)
		return false;
	while ((prefix = next_dropped(peers)) && put_allowed_ip(msg, size, prefix)) {
		peers->dropped++;
		any = true;
	}
	mnl_attr_nest_end(msg, nest);
	return any;
}

static bool put_drain_end(struct nlmsghdr *msg, size_t size)
{
	struct nlattr *nest = mnl_attr_nest_start_check(msg, size, 0);

	if (!nest || !put_key(msg, size, WGPEER_A_PUBLIC_KEY, &state_drain_key) ||
	    !put_flags(msg, size, WGPEER_F_REMOVE_ME))
		return false;
	mnl_attr_nest_end(msg, nest);
	return true;
}

/* Two nests with a key, flags in one of them. */
#define DRAIN_END_SIZE (2 * MNL_ATTR_HDRLEN + KEY_SIZE + MNL_ATTR_HDRLEN + sizeof(uint32_t))

/* As many as fit beside the end of the drain; false, and nothing is said, when none does. */
static bool put_drain(struct nlmsghdr *msg, size_t size, struct wg_peers *peers)
{
	size_t room = size > DRAIN_END_SIZE ? size - DRAIN_END_SIZE : 0;
	struct wg_peers ahead = *peers;
	struct nlattr *nest;

	if (!next_dropped(&ahead))
		return false;
	nest = mnl_attr_nest_start_check(msg, room, 0);
	if (!nest)
		return false;
	if (!put_key(msg, room, WGPEER_A_PUBLIC_KEY, &state_drain_key) ||
	    !put_dropped(msg, room, &ahead)) {
		mnl_attr_nest_cancel(msg, nest);
		return false;
	}
	mnl_attr_nest_end(msg, nest);
	*peers = ahead;
	return put_drain_end(msg, size);
}

/* ---- all of it ---- */

/* As many peers as fit; false when none does. */
static bool put_sets(struct nlmsghdr *msg, size_t size, struct wg_peers *peers)
{
	bool any = false;

	while (peers->at < peers->count) {
		const struct peer_change *change = peers->changes[peers->at];

		if (!put_peer(msg, size, change, &peers->done))
			break;
		any = true;
		if (peers->done < change->want->allowed_ips.count)
			break;
		peers->done = 0;
		peers->at++;
	}
	return any;
}

struct nlmsghdr *wg_put_peers(void *buf, size_t size, uint16_t family, const char *ifname,
			      struct wg_peers *peers)
{
	struct nlmsghdr *msg = begin(buf, size, family, WG_CMD_SET_DEVICE, ifname);
	struct nlattr *nest = msg ? mnl_attr_nest_start_check(msg, size, WGDEVICE_A_PEERS) : NULL;
	bool any;

	if (!nest)
		return NULL;
	any = put_sets(msg, size, peers);
	/* what is dropped may have led where a longer prefix is to lead to another peer */
	if (peers->at == peers->count && put_drain(msg, size, peers))
		any = true;
	mnl_attr_nest_end(msg, nest);
	return any ? msg : NULL;
}

struct nlmsghdr *wg_put_endpoint(void *buf, size_t size, uint16_t family, const char *ifname,
				 const struct key *public_key, const struct endpoint *endpoint)
{
	struct peer_message message;

	if (!begin_peer(&message, buf, size, family, ifname, public_key) ||
	    !put_flags(message.msg, size, WGPEER_F_UPDATE_ONLY) ||
	    !put_endpoint(message.msg, size, endpoint))
		return NULL;
	return end_peer(&message);
}
