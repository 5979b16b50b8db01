// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/metrics.h"
#include "report/metrics_out.h"
#include "test.h"

/* Prints with print(out, data) and compares. */
static void check_prints(void (*print)(FILE *out, const void *data), const void *data,
			 const char *want)
{
	AUTO_FREE char *got = NULL;
	size_t length;
	FILE *out = open_memstream(&got, &length);

	REQUIRE(out);
	print(out, data);
	CHECK(!fclose(out));
	CHECK_TEXT(got, want);
}

static void print_odd_labels(FILE *out, const void *data)
{
	(void)data;
	metrics_family(out, "a_total", "counter", "Help.");
	metrics_sample(out, "a_total", UINT64_MAX, NULL);
	metrics_sample(out, "a_total", 1, METRICS_LABELS({ "x", "a\"b\\c\nd" }, { "y", "" }));
}

TEST(escapes_what_a_label_may_hold)
{
	check_prints(print_odd_labels, NULL,
		     "# HELP a_total Help.\n"
		     "# TYPE a_total counter\n"
		     "a_total 18446744073709551615\n"
		     "a_total{x=\"a\\\"b\\\\c\\nd\",y=\"\"} 1\n");
}

static void print_metrics(FILE *out, const void *data)
{
	CHECK(!metrics_print(out, data));
}

TEST(says_what_it_knows_with_nothing_set_up)
{
	const struct running running = {
		.since = 1000,
		.rejected_at = 2000,
		.reloads = { [RUNNING_APPLIED] = 3, [RUNNING_REJECTED] = 1 },
		.repairs = { [RUNNING_ROUTE] = 5 }
	};
	const struct metrics metrics = { .version = "1.0", .running = &running };
	char want[2048];

	snprintf(want, sizeof(want),
		 "# HELP towpath_build_info Version of the daemon and ABI number of its maps; "
		 "always 1.\n"
		 "# TYPE towpath_build_info gauge\n"
		 "towpath_build_info{version=\"1.0\",abi=\"%d\"} 1\n"
		 "# HELP towpath_start_timestamp_seconds When the daemon started, in seconds since "
		 "the epoch.\n"
		 "# TYPE towpath_start_timestamp_seconds gauge\n"
		 "towpath_start_timestamp_seconds 1000\n"
		 "# HELP towpath_ready 1 while the data path is attached, the tunnel up and a "
		 "policy live.\n"
		 "# TYPE towpath_ready gauge\n"
		 "towpath_ready 0\n"
		 "# HELP towpath_policy_rejected 1 while the policy file is refused and an earlier "
		 "one in force.\n"
		 "# TYPE towpath_policy_rejected gauge\n"
		 "towpath_policy_rejected 1\n"
		 "# HELP towpath_reloads_total Times the policy file was read, by what came of "
		 "it.\n"
		 "# TYPE towpath_reloads_total counter\n"
		 "towpath_reloads_total{result=\"applied\"} 3\n"
		 "towpath_reloads_total{result=\"unchanged\"} 0\n"
		 "towpath_reloads_total{result=\"rejected\"} 1\n"
		 "# HELP towpath_repairs_total Steps done because the kernel's state had changed, "
		 "by what they were about.\n"
		 "# TYPE towpath_repairs_total counter\n"
		 "towpath_repairs_total{object=\"link\"} 0\n"
		 "towpath_repairs_total{object=\"peer\"} 0\n"
		 "towpath_repairs_total{object=\"address\"} 0\n"
		 "towpath_repairs_total{object=\"route\"} 5\n"
		 "towpath_repairs_total{object=\"sysctl\"} 0\n"
		 "towpath_repairs_total{object=\"program\"} 0\n"
		 "towpath_repairs_total{object=\"map\"} 0\n",
		 TP_ABI);
	check_prints(print_metrics, &metrics, want);
}

/* ---- rows ---- */

static char *printed(const struct metrics *metrics)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!CHECK(out))
		return NULL;
	print_metrics(out, metrics);
	CHECK(!fclose(out));
	return text;
}

TEST(adds_up_the_rules_of_a_grant)
{
	struct stats_rule rules[] = {
		{ .grant = 0, .counter = { 1, 100 } },
		{ .grant = 2, .deny = true, .counter = { 2, 200 } },
		{ .grant = 3, .counter = { 4, 400 } },
		{ .grant = 3, .counter = { 8, 800 } },
	};
	const struct stats stats = { .rules = { rules, ARRAY_SIZE(rules), ARRAY_SIZE(rules) } };
	const struct state have = { .node = "gw" };
	const struct running running = {};
	const struct status status = { .have = &have, .stats = &stats };
	const struct metrics metrics = { .version = "1", .running = &running, .status = &status };
	AUTO_FREE char *text = printed(&metrics);

	REQUIRE(text);
	CHECK(strstr(text, "\ntowpath_rule_packets_total{rule=\"0\",action=\"accept\"} 1\n"
			   "towpath_rule_packets_total{rule=\"2\",action=\"deny\"} 2\n"
			   "towpath_rule_packets_total{rule=\"3\",action=\"accept\"} 12\n"));
	CHECK(strstr(text, "\ntowpath_rule_bytes_total{rule=\"3\",action=\"accept\"} 1200\n"));
}

TEST(tells_of_local_vips_that_packets_have_met)
{
	struct local_vip_row rows[] = {
		{ .addr.bytes = { [10] = 0xff, [11] = 0xff, 10, 10, 30, 50 },
		  .vip = { .used = 7, .where = TP_VIP_HERE } },
		{ .addr.bytes = { [10] = 0xff, [11] = 0xff, 10, 10, 30, 51 },
		  .vip = { .used = 7, .where = TP_VIP_ELSEWHERE } },
		{ .addr.bytes = { [10] = 0xff, [11] = 0xff, 10, 10, 30, 52 },
		  .vip = { .where = TP_VIP_HERE } },
		{ .addr.bytes = { 0xfd, 0x10, [15] = 0x50 },
		  .vip = { .used = 7, .where = TP_VIP_UNKNOWN } },
	};
	const struct state have = { .found_vips = { rows, ARRAY_SIZE(rows), ARRAY_SIZE(rows) } };
	const struct stats stats = {};
	const struct running running = {};
	const struct status status = { .have = &have, .stats = &stats };
	const struct metrics metrics = { .version = "1", .running = &running, .status = &status };
	AUTO_FREE char *text = printed(&metrics);

	REQUIRE(text);
	CHECK(strstr(text, " gauge\n"
			   "towpath_local_vip_here{address=\"10.10.30.50\"} 1\n"
			   "towpath_local_vip_here{address=\"10.10.30.51\"} 0\n"
			   "towpath_local_vip_here{address=\"fd10::50\"} 0\n"));
	CHECK(!strstr(text, "10.10.30.52"));
}

TEST(finds_each_peers_device_by_its_key)
{
	struct state_peer device[] = {
		{ .public_key.bytes = { 1 }, .rx_bytes = 11, .latest_handshake = 900 },
		{ .public_key.bytes = { 2 }, .rx_bytes = 22 },
	};
	struct peer_info_row info[] = {
		{ .id = 1, .info = { .name = "late", .public_key = { 2 } } },
		{ .id = 2, .info = { .name = "early", .public_key = { 1 }, .key_expiry = 5000 } },
		{ .id = 3, .info = { .name = "gone", .public_key = { 3 } } },
	};
	struct stats_peer counters[3] = { { .counter.drops = 7 } };
	const struct state have = { .tunnel.peers = { device, 2, 2 }, .peer_info = { info, 3, 3 } };
	const struct stats stats = { .peers = { counters, 3, 3 } };
	const struct running running = {};
	const struct status status = { .have = &have, .stats = &stats, .now = 1000 };
	const struct metrics metrics = { .version = "1", .running = &running, .status = &status };
	AUTO_FREE char *text = printed(&metrics);

	REQUIRE(text);
	CHECK(strstr(text, "\ntowpath_peer_up{peer=\"late\"} 0\n"
			   "towpath_peer_up{peer=\"early\"} 1\n"
			   "towpath_peer_up{peer=\"gone\"} 0\n"));
	CHECK(strstr(text, "\ntowpath_peer_tunnel_rx_bytes_total{peer=\"late\"} 22\n"
			   "towpath_peer_tunnel_rx_bytes_total{peer=\"early\"} 11\n"
			   "towpath_peer_tunnel_rx_bytes_total{peer=\"gone\"} 0\n"));
	CHECK(strstr(text, "gauge\ntowpath_peer_key_expiry_timestamp_seconds{peer=\"early\"} 5000\n"
			   "# HELP"));
	CHECK(strstr(text, "\ntowpath_peer_drops_total{peer=\"late\"} 7\n"));
}
