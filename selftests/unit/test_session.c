// SPDX-License-Identifier: GPL-2.0-only
#include "model/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "fixture.h"
#include "model/compile.h"
#include "test.h"

TEST(reads_what_sshd_says)
{
	static const char *const wrong[] = { "",
					     "100.80.0.10",
					     "100.80.0.10 50000 100.80.0.1",
					     "100.80.0.10 50000 100.80.0.1 0",
					     "100.80.0.10 50000 100.80.0.1 65536",
					     "UNKNOWN 65535 UNKNOWN 65535",
					     "fe80::1%eth0 50000 fe80::2%eth0 22" };
	struct session session = { .port = 7 };
	char text[ADDR_TEXT_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		CHECK_INT(session_read(wrong[i], &session), -EINVAL);
	CHECK_INT(session.port, 7);
	CHECK_INT(session_read("fd7a:70::10 50000 fd7a:70::1 22", &session), 0);
	CHECK_TEXT(addr_put(text, &session.client), "fd7a:70::10");
	CHECK_TEXT(addr_put(text, &session.server), "fd7a:70::1");
	CHECK_INT(session.port, 22);
}

/* ---- states of one peer and one grant ---- */

#define POLICY                                                             \
	"{ \"version\": 1, \"nodes\": { \"a\": { \"public_key\": \"@a@\"," \
	" \"addresses\": [\"100.80.0.1\", \"fd7a:70::1\"] } },"            \
	"\"peers\": { \"phone\": { \"public_key\": \"@phone@\","           \
	" \"addresses\": [\"100.80.0.10\", \"fd7a:70::10\"] } },"          \
	"\"grants\": [ { \"src\": [\"phone\"], \"dst\": [\"a\"],"          \
	" \"ip\": [\"tcp:22\"] } ] }"

static void add_allowed_ip(struct state_peer *peer, const char *text)
{
	struct prefix *prefix = array_add(&peer->allowed_ips);

	REQUIRE(prefix);
	CHECK_INT(prefix_read(text, prefix), 0);
}

static void make_state(struct state *out)
{
	struct state_peer *peer;

	*out = (struct state){ .exists = true };
	out->tunnel.exists = true;
	out->tunnel.backend = STATE_BACKEND_KERNEL;
	out->tunnel.listen_port = 51820;
	out->tunnel.private_key.bytes[0] = 1;
	snprintf(out->tunnel.name, sizeof(out->tunnel.name), "towpath0");
	/* a hub, which has the rest of the mesh */
	peer = array_add(&out->tunnel.peers);
	REQUIRE(peer);
	peer->public_key.bytes[0] = 1;
	add_allowed_ip(peer, "100.80.0.0/16");
	add_allowed_ip(peer, "fd7a:70::/64");
	peer = array_add(&out->tunnel.peers);
	REQUIRE(peer);
	peer->public_key.bytes[0] = 2;
	add_allowed_ip(peer, "100.80.0.10/32");
	add_allowed_ip(peer, "fd7a:70::10/128");
}

/* What is judged of a session after `change` has been made to want. */
static int judge(const char *text, void (*change)(struct state *want), char *why)
{
	struct session session;
	struct state have, want;
	struct err err = { 0 };
	struct fixture f;
	int r;

	CHECK_INT(session_read(text, &session), 0);
	CHECK_INT(fixture_policy(&f, POLICY), 0);
	make_state(&have);
	make_state(&want);
	CHECK_INT(compile_rules(f.policy, &want.tables), 0);
	if (change)
		change(&want);
	r = session_judge(&session, &have, &want, &err);
	snprintf(why, sizeof(err.text), "%s", err.text);
	state_free(&have);
	state_free(&want);
	fixture_free(&f);
	return r;
}

static void give_to_another(struct state *want)
{
	want->tunnel.peers.items[1].public_key.bytes[0] = 3;
}

static void remove_peer(struct state *want)
{
	want->tunnel.peers.items[1].allowed_ips.count = 0;
}

static void rename_tunnel(struct state *want)
{
	snprintf(want->tunnel.name, sizeof(want->tunnel.name), "wg9");
}

static void move_port(struct state *want)
{
	want->tunnel.listen_port++;
}

static void change_key(struct state *want)
{
	want->tunnel.private_key.bytes[0]++;
}

static void change_preshared_key(struct state *want)
{
	want->tunnel.peers.items[1].preshared_key.bytes[0]++;
}

static void change_preshared_key_of_hub(struct state *want)
{
	want->tunnel.peers.items[0].preshared_key.bytes[0]++;
}

TEST(says_what_would_cut_it)
{
	static const char v4[] = "100.80.0.10 50000 100.80.0.1 22";
	static const char v6[] = "fd7a:70::10 50000 fd7a:70::1 22";
	static const struct {
		const char *session;
		void (*change)(struct state *want);
		const char *why; /* NULL: it goes on */
	} rows[] = {
		{ v4, NULL, NULL },
		{ v6, NULL, NULL },
		{ v4, give_to_another, "its peer has that address no more" },
		{ v6, give_to_another, "its peer has that address no more" },
		{ v4, remove_peer, "its peer has that address no more" },
		{ v6, rename_tunnel, "the tunnel gets another name" },
		{ v4, move_port, "the tunnel gets another name, key, port" },
		{ v4, change_key, "the tunnel gets another name, key, port" },
		{ v4, change_preshared_key, "its peer gets another preshared key" },
		{ v6, change_preshared_key, "its peer gets another preshared key" },
		{ v4, change_preshared_key_of_hub, NULL },
		{ "100.80.0.10 50000 100.80.0.1 23", NULL, "no grant allows it" },
		{ "fd7a:70::10 50000 fd7a:70::1 2222", NULL, "no grant allows it" },
		/* not through the mesh */
		{ "198.51.100.7 50000 192.0.2.1 22", rename_tunnel, NULL },
		{ "2001:db8::7 50000 2001:db8::1 22", move_port, NULL },
	};
	char why[sizeof(((struct err *)NULL)->text)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_INT(judge(rows[i].session, rows[i].change, why),
			  rows[i].why ? -ECONNABORTED : 0);
		CHECK(!rows[i].why || strstr(why, rows[i].why));
	}
}
