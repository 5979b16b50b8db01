// SPDX-License-Identifier: GPL-2.0-only
/* Two nodes and two peers, one of them changed a little: exactly that is in the plan. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pair.h"
#include "test.h"

TEST(equal_states_need_nothing)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	pair_check(&pair, "");
	pair_free(&pair);
}

static void add_lan_address(struct state *state, uint8_t last)
{
	static const struct addr base = { .bytes = { [10] = 0xff, 0xff, 10, 10, 30, 0 } };
	struct state_lan_address *address = array_add(&state->lan_addresses);

	REQUIRE(address);
	strcpy(address->device, "eth0");
	address->addr = base;
	address->addr.bytes[15] = last;
}

TEST(a_fixed_address_comes_before_the_switch_and_goes_after_it)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	add_lan_address(&pair.want.want, 5);
	add_lan_address(&pair.want.want, 6);
	add_lan_address(&pair.have.want, 5);
	add_lan_address(&pair.have.want, 7);
	pair_check(&pair, "add: add address 10.10.30.6/32 dev eth0\n"
			  "remove: remove address 10.10.30.7/32 dev eth0\n");
	pair_free(&pair);
}

/* Flows of the old address are found out when they are judged again. */
TEST(a_new_masquerade_address_switches_the_policy)
{
	struct pair pair;
	struct plan plan = { 0 };
	struct err err;

	REQUIRE(pair_build(&pair));
	REQUIRE(pair.have.want.devices.count);
	pair.have.want.devices.items[0].device.addr4.bytes[15] ^= 1;
	CHECK_INT(plan_build(&pair.want.want, &pair.have.want, &plan, &err), 0);
	CHECK_INT(plan.ops.count, 3);
	CHECK_INT(plan.ops.items[0].kind, OP_POLICY_STAGE);
	CHECK_INT(plan.ops.items[1].kind, OP_DEVICE_SET);
	CHECK_INT(plan.ops.items[2].kind, OP_POLICY_SWITCH);
	plan_free(&plan);
	pair_free(&pair);
}

static void check_switches_for(struct pair *pair, uint16_t mtu)
{
	struct state_device *device;
	struct plan plan = { 0 };
	struct err err;

	array_for_each(device, &pair->have.want.devices)
		if (device->device.role == TP_DEV_TUNNEL)
			device->device.mtu = mtu;
	CHECK_INT(plan_build(&pair->want.want, &pair->have.want, &plan, &err), 0);
	CHECK_INT(plan.ops.count, 3);
	CHECK_INT(plan.ops.items[0].kind, OP_POLICY_STAGE);
	CHECK_INT(plan.ops.items[1].kind, OP_DEVICE_SET);
	CHECK_INT(plan.ops.items[2].kind, OP_POLICY_SWITCH);
	plan_free(&plan);
}

TEST(another_mtu_of_the_tunnel_switches_the_policy)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	check_switches_for(&pair, 1300);
	check_switches_for(&pair, 1500);
	pair_free(&pair);
}

TEST(a_route_with_another_mtu_is_changed)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	REQUIRE(pair.want.want.routes.count);
	pair.have.want.routes.items[0].mtu = 1300;
	pair_check(&pair, "add: change route 10.1.0.0/24 dev towpath0 proto 116 table 116 "
			  "src 100.80.0.1\n");
	pair.want.want.routes.items[0].mtu = 1280;
	pair_check(&pair, "add: change route 10.1.0.0/24 dev towpath0 proto 116 table 116 "
			  "src 100.80.0.1 mtu lock 1280\n");
	pair_free(&pair);
}

/* Metric and table are part of a route's key in the kernel: there is no changing them. */
TEST(a_route_of_an_older_version_is_made_anew)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	REQUIRE(pair.have.want.routes.count);
	pair.have.want.routes.items[0].metric = 0;
	pair.have.want.routes.items[0].table = STATE_TABLE_MAIN;
	pair_check(&pair, "add: add route 10.1.0.0/24 dev towpath0 proto 116 table 116 "
			  "src 100.80.0.1\n"
			  "remove: remove route 10.1.0.0/24 dev towpath0 proto 116 metric 0\n");
	pair_free(&pair);
}

/*
 * Without the first rule the second one leads into the tunnel whatever the machine has itself, and
 * it may stay so: whoever removes them may be killed in between.
 */
TEST(rules_go_when_no_route_is_behind_them)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	REQUIRE(pair.want.want.routes.count == 3 && pair.want.want.rules.count == 2);
	memmove(pair.want.want.routes.items, pair.want.want.routes.items + 1,
		2 * sizeof(*pair.want.want.routes.items));
	pair.want.want.routes.count--;
	pair.want.want.rules.count = 0;
	pair_check(&pair, "remove: remove route 10.1.0.0/24 dev towpath0 proto 116 table 116\n"
			  "remove: remove rule ipv4 32116\n"
			  "remove: remove rule ipv4 32117\n");
	pair_free(&pair);
}

/* A rule is not changed: one that is otherwise than wanted goes once the wanted one is there. */
TEST(a_rule_that_differs_is_made_anew)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	REQUIRE(pair.have.want.rules.count == 2);
	pair.have.want.rules.items[0].suppress = 0;
	pair.have.want.rules.count--;
	pair_check(&pair, "add: add rule ipv4 32116 lookup main suppress_prefixlength 3 proto 116\n"
			  "add: add rule ipv4 32117 lookup 116 proto 116\n"
			  "remove: remove rule ipv4 32116\n");
	pair_free(&pair);
}

/* Without tests there is nothing to try, as above. */
TEST(another_file_with_the_same_tables_has_its_tests_tried)
{
	AUTO_FREE char *text = NULL;
	struct plan plan = { 0 };
	struct pair pair;
	struct err err;

	REQUIRE(pair_build(&pair));
	pair.want.want.policy_hash[0] = pair.have.want.policy_hash[0] + 1;
	REQUIRE(array_add(&pair.want.want.tables.probes));
	CHECK_INT(plan_build(&pair.want.want, &pair.have.want, &plan, &err), 0);
	CHECK_INT(plan.ops.count, 2);
	text = plan_text(&plan);
	CHECK(!strncmp(text, "add: test policy ", 17));
	CHECK(strstr(text, " test-packets 1\nswitch: note policy "));
	plan_free(&plan);
	pair_free(&pair);
}

TEST(what_is_not_wanted_goes_after_the_switch)
{
	struct state_route *route;
	struct pair pair;

	REQUIRE(pair_build(&pair));
	route = array_add(&pair.have.want.routes);
	route->prefix = pair.have.want.routes.items[0].prefix;
	route->table = STATE_TABLE_MAIN;
	route->metric = TP_RT_METRIC;
	route->prefix.addr.bytes[12] = 192;
	pair.want.want.tunnel.peers.count--;
	pair.have.want.tables.hash[0] ^= 1;
	pair.want.want.policy_hash[0] = pair.have.want.policy_hash[0] = 0xab;
	{
		AUTO_FREE char *text = NULL;
		struct plan plan = { 0 };
		struct err err;
		int r = plan_build(&pair.want.want, &pair.have.want, &plan, &err);

		CHECK_INT(r, 0);
		CHECK_INT(plan.ops.count, 4);
		text = plan_text(&plan);
		CHECK(!strncmp(text, "add: stage policy ab", 20));
		CHECK(strstr(text, "\nswitch: switch policy ab"));
		CHECK(strstr(text, "\nremove: remove route 192.1.0.0/24 dev towpath0 proto 116\n"
				   "remove: remove peer "));
		plan_free(&plan);
	}
	pair.want.want.tunnel.peers.count++;
	pair_free(&pair);
}

TEST(another_backend_makes_the_link_and_all_on_it_anew)
{
	AUTO_FREE char *text = NULL;
	struct plan plan = { 0 };
	struct pair pair;
	struct err err;
	int r;

	REQUIRE(pair_build(&pair));
	pair.have.want.tunnel.backend = STATE_BACKEND_USERSPACE;
	r = plan_build(&pair.want.want, &pair.have.want, &plan, &err);
	CHECK_INT(r, 0);
	text = plan_text(&plan);
	CHECK(!strncmp(text, "add: stage policy ", 18));
	CHECK(strstr(text, "\nadd: remove link towpath0 to make it anew\n"
			   "add: add link towpath0 type wireguard backend kernel\n"));
	CHECK(strstr(text, "add: attach program tp_tc_tunnel on towpath0\n"));
	CHECK(!strstr(text, "on eth0"));
	CHECK(strstr(text, "add: add peer p "));
	CHECK(strstr(text, "add: add route 10.1.0.0/24 "));
	CHECK(strstr(text, "add: set sysctl net/ipv4/conf/towpath0/forwarding 1\n"));
	CHECK(strstr(text, "switch: switch policy "));
	plan_free(&plan);
	pair_free(&pair);
}

TEST(new_programs_are_given_every_row_again)
{
	AUTO_FREE char *text = NULL;
	struct plan plan = { 0 };
	struct pair pair;
	struct err err;
	int r;

	REQUIRE(pair_build(&pair));
	pair.have.want.object_hash[0] ^= 1;
	r = plan_build(&pair.want.want, &pair.have.want, &plan, &err);
	CHECK_INT(r, 0);
	text = plan_text(&plan);
	CHECK(!strncmp(text, "add: upgrade programs ", 22));
	CHECK(strstr(text, "add: set device eth0 "));
	CHECK(strstr(text, "add: set peer-info 1 "));
	CHECK(strstr(text, "add: set route-info 2 "));
	CHECK(strstr(text, "add: attach program tp_tc_lan on eth0\n"));
	CHECK(!strstr(text, "peer p "));
	plan_free(&plan);
	pair_free(&pair);
}

/* Behind eth0's two of tc and before those of the tunnel. */
static struct state_attachment *add_xdp(struct state *state, enum state_xdp xdp)
{
	struct state_attachment *items;

	CHECK(array_add(&state->attachments));
	items = state->attachments.items;
	memmove(items + 3, items + 2, (state->attachments.count - 3) * sizeof(*items));
	items[2] = items[0];
	items[2].hook = HOOK_XDP_LAN;
	items[2].xdp = xdp;
	return &items[2];
}

/* What one mode makes of another: "" when it will do. */
static void check_xdp(enum state_xdp want, enum state_xdp have, const char *plan)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	add_xdp(&pair.want.want, want);
	add_xdp(&pair.have.want, have);
	pair_check(&pair, plan);
	pair_free(&pair);
}

TEST(xdp_is_attached_anew_only_in_another_mode)
{
	check_xdp(STATE_XDP_AUTO, STATE_XDP_NATIVE, "");
	check_xdp(STATE_XDP_AUTO, STATE_XDP_GENERIC, "");
	check_xdp(STATE_XDP_NATIVE, STATE_XDP_NATIVE, "");
	check_xdp(STATE_XDP_GENERIC, STATE_XDP_GENERIC, "");
	check_xdp(STATE_XDP_NATIVE, STATE_XDP_GENERIC,
		  "add: attach program tp_xdp_lan on eth0 mode native\n");
	check_xdp(STATE_XDP_GENERIC, STATE_XDP_NATIVE,
		  "add: attach program tp_xdp_lan on eth0 mode generic\n");
}

TEST(xdp_comes_and_goes_by_itself)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	add_xdp(&pair.want.want, STATE_XDP_AUTO);
	pair_check(&pair, "add: attach program tp_xdp_lan on eth0 mode auto\n");
	add_xdp(&pair.have.want, STATE_XDP_NATIVE)->ifindex =
		99; /* of a device that was replaced */
	pair_check(&pair, "add: attach program tp_xdp_lan on eth0 mode auto\n");
	pair_free(&pair);

	REQUIRE(pair_build(&pair));
	add_xdp(&pair.have.want, STATE_XDP_NATIVE);
	pair_check(&pair, "remove: detach program tp_xdp_lan on eth0\n");
	pair_free(&pair);
}

/* What attaching noted is no difference, what the policy says is. */
TEST(a_note_about_xdp_is_not_compared)
{
	struct pair pair;

	REQUIRE(pair_build(&pair));
	pair.have.want.devices.items[0].device.flags = TP_DEV_XDP_NATIVE;
	pair_check(&pair, "");
	pair.want.want.devices.items[0].device.flags = TP_DEV_XDP_FORCED | TP_DEV_JUDGE;
	pair_check(&pair, "add: set device eth0 role lan mtu 1500 judged xdp-forced\n");
	pair_free(&pair);
}

TEST(programs_are_attached_before_anything_forwards)
{
	const struct state empty = { 0 };
	struct plan plan = { 0 };
	bool attached = false;
	const struct op *op;
	struct pair pair;
	struct err err;
	int r;

	REQUIRE(pair_build(&pair));
	r = plan_build(&pair.want.want, &empty, &plan, &err);
	CHECK_INT(r, 0);
	array_for_each(op, &plan.ops) {
		attached |= op->kind == OP_ATTACH;
		if (op->kind == OP_LINK_SET || op->kind == OP_SYSCTL_SET)
			CHECK(attached);
	}
	plan_free(&plan);
	pair_free(&pair);
}

TEST(a_private_key_is_compared_and_never_printed)
{
	AUTO_FREE char *text = NULL;
	struct plan plan = { 0 };
	char secret[KEY_TEXT_SIZE];
	struct pair pair;
	struct err err;
	int r;

	REQUIRE(pair_build(&pair));
	memset(&pair.want.want.tunnel.private_key, 0x42, KEY_SIZE);
	memset(&pair_peer(&pair.want.want, "q")->preshared_key, 0x42, KEY_SIZE);
	r = plan_build(&pair.want.want, &pair.have.want, &plan, &err);
	CHECK_INT(r, 0);
	CHECK_INT(plan.ops.count, 2);
	text = plan_text(&plan);
	CHECK(!strstr(text, key_put(secret, &pair.want.want.tunnel.private_key)));
	CHECK(strstr(text, "private-key (changed)"));
	plan_free(&plan);
	pair_free(&pair);
}

/* The socket stays as it is, and so does all that hangs on the device. */
TEST(another_private_key_is_one_step)
{
	struct plan plan = { 0 };
	char text[OP_TEXT_SIZE];
	struct pair pair;
	struct err err;
	int r;

	REQUIRE(pair_build(&pair));
	memset(&pair.want.want.tunnel.private_key, 0x42, KEY_SIZE);
	r = plan_build(&pair.want.want, &pair.have.want, &plan, &err);
	CHECK_INT(r, 0);
	if (CHECK_INT(plan.ops.count, 1)) {
		CHECK_TEXT(op_text(text, &plan, plan.ops.items),
			   "set tunnel towpath0 private-key (changed)");
		CHECK(plan.ops.items[0].keep_port);
	}
	plan_free(&plan);

	pair.want.want.tunnel.listen_port++;
	r = plan_build(&pair.want.want, &pair.have.want, &plan, &err);
	CHECK_INT(r, 0);
	CHECK(plan.ops.count && !plan.ops.items[0].keep_port);
	plan_free(&plan);
	pair_free(&pair);
}

TEST(down_removes_the_tunnel_before_its_guards_and_restores_forwarding_first)
{
	static const struct {
		const char *path;
		int32_t before, set, value;
		bool saved;
	} sysctls[] = { { "net/ipv6/conf/wan0/accept_ra", 1, 2, 2, true },
			{ "net/ipv6/conf/all/forwarding", 0, 1, 1, true },
			/* somebody has changed it since; goes with its device; never ours */
			{ "net/ipv6/conf/wan1/accept_ra", 1, 2, 0, true },
			{ "net/ipv4/conf/towpath0/forwarding", 0, 1, 1, true },
			{ "net/ipv4/conf/eth0/forwarding", 0, 0, 0, false } };
	AUTO_FREE char *text = NULL;
	struct plan plan = { 0 };
	struct pair pair;
	struct err err;
	size_t i;
	int r;

	REQUIRE(pair_build(&pair));
	array_clear(&pair.have.want.sysctls);
	for (i = 0; i < ARRAY_SIZE(sysctls); i++) {
		struct state_sysctl *sysctl = array_add(&pair.have.want.sysctls);

		strcpy(sysctl->path, sysctls[i].path);
		sysctl->before = sysctls[i].before;
		sysctl->set = sysctls[i].set;
		sysctl->value = sysctls[i].value;
		sysctl->saved = sysctls[i].saved;
	}
	r = plan_build_down(&pair.have.want, &plan, &err);
	CHECK_INT(r, 0);
	text = plan_text(&plan);
	CHECK_TEXT(text, "remove: remove route 10.1.0.0/24\n"
			 "remove: remove route 100.80.0.2/32\n"
			 "remove: remove route 100.80.0.3/32\n"
			 "remove: remove rule ipv4 32116\n"
			 "remove: remove rule ipv4 32117\n"
			 "remove: remove link towpath0\n"
			 "remove: detach program tp_tc_lan on eth0\n"
			 "remove: detach program tp_tc_egress on eth0\n"
			 "remove: detach program tp_tc_tunnel on towpath0\n"
			 "remove: detach program tp_tc_egress on towpath0\n"
			 "remove: restore sysctl net/ipv6/conf/all/forwarding 0\n"
			 "remove: restore sysctl net/ipv6/conf/wan0/accept_ra 1\n"
			 "remove: remove programs\n");
	plan_free(&plan);
	pair_free(&pair);
}

TEST(down_of_nothing_is_nothing)
{
	const struct state empty = { 0 };
	struct plan plan = { 0 };
	struct err err;
	int r = plan_build_down(&empty, &plan, &err);

	CHECK_INT(r, 0);
	CHECK_INT(plan.ops.count, 0);
	plan_free(&plan);
}
