// SPDX-License-Identifier: GPL-2.0-only
/* Allowed IPs that are to be nobody's, in messages to kernel WireGuard. */
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <stdio.h>

#include "kernel/nl.h"
#include "kernel/nl_attr.h"
#include "kernel/wg_codec.h"
#include "test.h"
#include "values.h"

#define FAMILY 0x1d
#define NAME   "wg0"
#define MANY   3000

/* A peer with MANY allowed IPs that is to keep none, and gains one if asked. */
struct scene {
	struct state_peer old, changed;
	struct prefixes owned;
	struct peer_change change;
};

static void scene_build(struct scene *scene, size_t count, bool gains)
{
	char text[64];

	*scene = (struct scene){ .old.public_key = value_key(0x10) };
	scene->changed.public_key = scene->old.public_key;
	for (size_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), i % 2 ? "10.%zu.%zu.0/24" : "2001:db8:%zx%02zx::/48",
			 i / 200, i % 200);
		value_add_prefix(&scene->old, text);
	}
	if (gains)
		value_add_prefix(&scene->changed, "192.0.2.0/24");
	scene->owned.items = scene->changed.allowed_ips.items;
	scene->owned.count = scene->changed.allowed_ips.count;
	scene->change = (struct peer_change){ .want = &scene->changed,
					      .have = &scene->old,
					      .owned = &scene->owned };
}

static void scene_free(struct scene *scene)
{
	array_clear(&scene->old.allowed_ips);
	array_clear(&scene->changed.allowed_ips);
}

/* What a message says, peer by peer. */
struct told {
	size_t own, own_ips; /* of the peer itself */
	size_t drained;      /* allowed IPs given to the drain */
	size_t drains;
	bool open; /* a drain was made that is not removed yet */
};

static size_t count_ips(const struct nlattr *nest)
{
	const struct nlattr *attr;
	size_t count = 0;

	if (nest)
		mnl_attr_for_each_nested(attr, nest)
			count++;
	return count;
}

static void read_peer(const struct nlattr *nest, struct told *told)
{
	const struct nlattr *attrs[WGPEER_A_MAX + 1];
	uint32_t flags = 0;
	struct key key;

	nl_attrs_of_nest(nest, attrs, WGPEER_A_MAX);
	REQUIRE(nl_attr_bytes(attrs[WGPEER_A_PUBLIC_KEY], key.bytes, KEY_SIZE));
	nl_attr_u32(attrs[WGPEER_A_FLAGS], &flags);
	if (!key_is_equal(&key, &state_drain_key)) {
		CHECK_INT(flags, WGPEER_F_UPDATE_ONLY);
		told->own++;
		told->own_ips += count_ips(attrs[WGPEER_A_ALLOWEDIPS]);
	} else if (told->open) {
		CHECK_INT(flags, WGPEER_F_REMOVE_ME);
		CHECK(!attrs[WGPEER_A_ALLOWEDIPS]);
		told->open = false;
	} else {
		CHECK_INT(flags, 0);
		told->drained += count_ips(attrs[WGPEER_A_ALLOWEDIPS]);
		told->open = true;
		told->drains++;
	}
}

static void read_message(const struct nlmsghdr *msg, struct told *told)
{
	const struct nlattr *device[WGDEVICE_A_MAX + 1];
	const struct nlattr *peer;

	nl_attrs_of_message(msg, sizeof(struct genlmsghdr), device, WGDEVICE_A_MAX);
	REQUIRE(device[WGDEVICE_A_PEERS]);
	mnl_attr_for_each_nested(peer, device[WGDEVICE_A_PEERS])
		read_peer(peer, told);
	CHECK(!told->open); /* what one message makes it removes */
}

/* How many messages of that size; 0 when one has no room for anything. */
static size_t put_all(const struct scene *scene, size_t size, struct told *told)
{
	const struct peer_change *const changes[] = { &scene->change };
	struct wg_peers peers = { .changes = changes, .count = 1 };
	size_t messages = 0;
	union nl_message buf;

	*told = (struct told){ 0 };
	while (wg_peers_left(&peers)) {
		if (!wg_put_peers(&buf, size, FAMILY, NAME, &peers))
			return 0;
		CHECK(buf.header.nlmsg_len <= size);
		read_message(&buf.header, told);
		messages++;
	}
	return messages;
}

TEST(gains_one_and_drops_one_in_one_message)
{
	struct scene scene;
	struct told told;

	scene_build(&scene, 1, true);
	CHECK_INT(put_all(&scene, sizeof(union nl_message), &told), 1);
	CHECK_INT(told.own, 1);
	CHECK_INT(told.own_ips, 1);
	CHECK_INT(told.drained, 1);
	scene_free(&scene);
}

TEST(drops_for_several_peers_by_one_drain)
{
	struct wg_peers peers = { .count = 2 };
	const struct peer_change *changes[2];
	struct told told = { 0 };
	struct scene one, other;
	union nl_message buf;

	scene_build(&one, 2, true);
	scene_build(&other, 3, false);
	changes[0] = &one.change;
	changes[1] = &other.change;
	peers.changes = changes;
	REQUIRE(wg_put_peers(&buf, sizeof(buf), FAMILY, NAME, &peers));
	CHECK(!wg_peers_left(&peers));
	read_message(&buf.header, &told);
	CHECK_INT(told.own, 2);
	CHECK_INT(told.drained, 5);
	CHECK_INT(told.drains, 1);
	scene_free(&one);
	scene_free(&other);
}

TEST(drops_3000_by_messages_each_of_which_ends_its_drain)
{
	struct scene scene;
	struct told told;
	size_t messages;

	scene_build(&scene, MANY, false);
	messages = put_all(&scene, sizeof(union nl_message), &told);
	CHECK(messages > 1 && messages < 12);
	CHECK_INT(told.own, 1);
	CHECK_INT(told.drained, MANY);
	scene_free(&scene);
}

TEST(drops_all_by_messages_of_any_size)
{
	size_t fitting = 0;

	for (size_t size = 0; size < 600; size++) {
		struct scene scene;
		struct told told;

		scene_build(&scene, 5, true);
		if (put_all(&scene, size, &told)) {
			CHECK_INT(told.own, 1);
			CHECK_INT(told.own_ips, 1);
			CHECK_INT(told.drained, 5);
			fitting++;
		}
		scene_free(&scene);
	}
	CHECK(fitting > 400);
}
