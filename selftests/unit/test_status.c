// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "report/status.h"
#include "test.h"

/* All that is healthy about a router without devices. */
static const struct state healthy = {
	.exists = true,
	.generation = 1,
	.tunnel = { .exists = true, .up = true },
};

#define NOW 1800000000 /* 2027-01-15T08:00:00Z */
#define DAY 86400

/* What one of the printers makes of it; the caller frees it. */
static char *print_status(int (*printer)(FILE *, const struct status *),
			  const struct status *status)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	CHECK_INT(printer(out, status), 0);
	fclose(out);
	return text;
}

static char *print(int (*printer)(FILE *, const struct status *), const struct state *have,
		   const struct stats *stats)
{
	const struct status status = {
		.version = "1", .instance = "towpath", .have = have, .stats = stats, .now = NOW
	};

	return print_status(printer, &status);
}

static bool begins_with(const char *text, const char *beginning)
{
	return !strncmp(text, beginning, strlen(beginning));
}

TEST(text_begins_with_the_verdict)
{
	const struct stats stats = {};
	char *text = print(status_print_text, &healthy, &stats);

	CHECK(begins_with(text, "towpath 1, instance towpath: healthy\n"));
	free(text);
}

TEST(text_begins_with_a_policy_that_is_not_enforced)
{
	const struct stats stats = { .flows = { .would_refuse = 7 } };
	struct state have = healthy;
	char *text;

	have.only_logs = true;
	text = print(status_print_text, &have, &stats);
	CHECK(begins_with(text, "*** THE POLICY IS NOT ENFORCED: \"enforce\" is \"log\", 7 packets "
				"that it refuses went through ***\n"
				"towpath 1, instance towpath: NOT HEALTHY\n"
				"  ! the policy is NOT ENFORCED (\"enforce\": \"log\"): what the "
				"grants refuse is forwarded, 7 packets so far; mend: set "
				"\"enforce\" to \"on\" in the policy and apply it\n"));
	free(text);
}

/* With a daemon that has rejected its file. */
static char *print_rejected(const struct state *have)
{
	char place[] = "$.peers", message[] = "it is no object", file[] = "/p.json";
	struct problem error = { place, message };
	const struct stats stats = {};
	const struct running running = { .file = file,
					 .rejected_at = NOW,
					 .errors = { { &error, 1, 1 } } };
	const struct status status = { .version = "1",
				       .instance = "towpath",
				       .have = have,
				       .stats = &stats,
				       .running = &running,
				       .now = NOW };

	return print_status(status_print_text, &status);
}

TEST(a_rejected_file_comes_with_what_is_in_force)
{
	struct state have = healthy;
	char *text = print_rejected(&have);

	CHECK(strstr(text, "REJECTED, an earlier policy is in force: $.peers: it is no object;"));
	free(text);

	have.generation = 0;
	text = print_rejected(&have);
	CHECK(strstr(text, "REJECTED, and none is in force: $.peers: it is no object;"));
	free(text);

	/* what is read of one that is not there means nothing */
	have = (struct state){ .exists = false };
	text = print_rejected(&have);
	CHECK(strstr(text, "REJECTED, and none is in force: $.peers: it is no object;"));
	free(text);
}

TEST(a_tunnel_without_a_device_has_no_backend)
{
	const struct stats stats = {};
	struct state have = healthy;
	char *text;

	have.tunnel = (struct state_tunnel){ .exists = false };
	text = print(status_print_json, &have, &stats);
	CHECK(strstr(text, "\"backend\":\tnull") != NULL);
	free(text);
	text = print(status_print_text, &have, &stats);
	CHECK(strstr(text, "WireGuard, port") == NULL);
	free(text);

	have.tunnel = (struct state_tunnel){ .exists = true, .backend = STATE_BACKEND_KERNEL };
	text = print(status_print_json, &have, &stats);
	CHECK(strstr(text, "\"backend\":\t\"kernel\"") != NULL);
	free(text);
}

TEST(json_tells_whether_the_policy_is_enforced)
{
	const struct stats stats = { .flows = { .would_refuse = 7 } };
	struct state have = healthy;
	char *text = print(status_print_json, &have, &stats);

	CHECK(strstr(text, "\"healthy\":\ttrue") != NULL);
	CHECK(strstr(text, "\"enforce\":\t\"on\"") != NULL);
	free(text);

	have.only_logs = true;
	text = print(status_print_json, &have, &stats);
	CHECK(strstr(text, "\"healthy\":\tfalse") != NULL);
	CHECK(strstr(text, "\"enforce\":\t\"log\"") != NULL);
	CHECK(strstr(text, "\"would_refuse\":\t7") != NULL);
	CHECK(strstr(text, "NOT ENFORCED") != NULL);
	free(text);
}

/* ---- peers ---- */

static struct peer_info_row peer(uint32_t id, const char *name)
{
	struct peer_info_row row = { .id = id, .info = { .in_use = 1 } };

	strcpy(row.info.name, name);
	row.info.public_key[0] = (uint8_t)id;
	return row;
}

/* The peers a and b of an otherwise healthy router. */
static char *print_peers(int (*printer)(FILE *, const struct status *), struct peer_info_row a,
			 struct peer_info_row b)
{
	struct peer_info_row rows[] = { a, b };
	struct state_peer devices[] = { { .public_key.bytes = { 1 },
					  .latest_handshake = NOW - 10 } };
	struct stats_address addresses[] = { { 1, { { 1 } } }, { 2, { { 2 } } }, { 2, { { 3 } } } };
	struct stats_peer counters[2] = {};
	const struct stats stats = { .peers = { counters, 2, 2 },
				     .addresses = { addresses, 3, 3 } };
	struct state have = healthy;

	have.peer_info.items = rows;
	have.peer_info.count = 2;
	have.tunnel.peers.items = devices;
	have.tunnel.peers.count = 1;
	return print(printer, &have, &stats);
}

TEST(a_key_that_expires_soon_is_a_note_and_no_problem)
{
	struct peer_info_row far = peer(1, "far"), near = peer(2, "near");
	char *text;

	far.info.key_expiry = NOW + 14 * DAY + 1;
	near.info.key_expiry = NOW + 14 * DAY;
	text = print_peers(status_print_text, far, near);
	CHECK(begins_with(text, "towpath 1, instance towpath: healthy\n"
				"  - the key of near expires on 2027-01-29T08:00:00Z, within 14 "
				"days; mend: give it a new key, put that and a later key_expiry "
				"in the policy\n"
				"node "));
	free(text);

	text = print_peers(status_print_json, far, near);
	CHECK(strstr(text, "\"healthy\":\ttrue") != NULL);
	CHECK(strstr(text, "\"problems\":\t[]") != NULL);
	CHECK(strstr(text, "\"what\":\t\"the key of near expires on 2027-01-29T08:00:00Z, within "
			   "14 days\"") != NULL);
	CHECK(!strstr(text, "the key of far"));
	free(text);
}

TEST(a_key_that_has_expired_is_a_note_too)
{
	struct peer_info_row old = peer(1, "old");
	char *text;

	old.info.key_expiry = NOW;
	text = print_peers(status_print_json, old, peer(2, "other"));
	CHECK(strstr(text, "\"healthy\":\ttrue") != NULL);
	CHECK(strstr(text, "the key of old expired on 2027-01-15T08:00:00Z\"") != NULL);
	CHECK(strstr(text, "\"state\":\t\"expired\"") != NULL);
	free(text);
}

TEST(who_is_reached_through_a_hub_has_its_state)
{
	struct peer_info_row phone = peer(2, "phone");
	char *text, *row;

	phone.info.via = 1;
	text = print_peers(status_print_text, peer(1, "hub"), phone);
	CHECK(strstr(text, "\nphone                peer    up       via hub ") != NULL);
	free(text);

	text = print_peers(status_print_json, peer(1, "hub"), phone);
	row = strstr(text, "\"phone\"");
	REQUIRE(row);
	CHECK(strstr(row, "\"via\":\t\"hub\"") != NULL);
	CHECK(strstr(row, "\"addresses\":\t[\"200::\", \"300::\"]") != NULL);
	CHECK(strstr(row, "\"state\":\t\"up\"") != NULL);
	free(text);
}

#define HZ 250

/* refused_at: jiffies since then. The clock of print() is at 0, as where its low half wraps. */
static char *print_refused(uint32_t jiffies_ago)
{
	struct stats stats = { .flows = { .refused = 7 },
			       .flows_current = 900,
			       .flows_refused_at = -jiffies_ago };
	struct state have = healthy;

	have.limits = (struct tp_limits){
		.second = HZ, .flows = 1024, .port_min = 16384, .port_max = 29999
	};
	return print(status_print_text, &have, &stats);
}

TEST(a_flow_table_that_is_full_is_a_problem)
{
	struct stats stats = { .flows_current = 1023 };
	struct state have = healthy;
	char *text;

	have.limits.flows = 1024;
	text = print(status_print_text, &have, &stats);
	CHECK(!strstr(text, "full"));
	free(text);
	stats.flows_current++;
	text = print(status_print_text, &have, &stats);
	CHECK(begins_with(text, "towpath 1, instance towpath: NOT HEALTHY\n"
				"  ! the flow table is full: 1024 flows; mend: raise limits.flows "
				"in the policy\n"));
	free(text);
}

TEST(flows_that_found_no_room_are_a_note_for_a_minute)
{
	char *text = print_refused(60 * HZ - 1);

	CHECK(begins_with(text,
			  "towpath 1, instance towpath: healthy\n"
			  "  - new flows found no room within the last minute, 7 so far: 900 flows "
			  "of 1024, ports 16384-29999; mend: raise limits.flows or "
			  "limits.snat_ports in the policy\n"));
	free(text);
	text = print_refused(60 * HZ);
	CHECK(!strstr(text, "no room"));
	free(text);
	text = print_refused(0); /* none ever was */
	CHECK(!strstr(text, "no room"));
	free(text);
}

/* ---- local VIPs ---- */

TEST(local_vips_are_shown_with_where_they_are)
{
	struct local_vip_row rows[] = {
		{ .addr.bytes = { [10] = 0xff, [11] = 0xff, 10, 10, 30, 50 },
		  .vip = { .used = 7, .where = TP_VIP_HERE } },
		{ .addr.bytes = { [10] = 0xff, [11] = 0xff, 10, 10, 30, 51 },
		  .vip = { .where = TP_VIP_ELSEWHERE } },
	};
	const struct stats stats = {};
	struct state have = healthy;
	char *text;

	have.found_vips.items = rows;
	have.found_vips.count = 2;
	text = print(status_print_text, &have, &stats);
	CHECK(strstr(text, "\nLOCAL VIP                    WHERE\n"
			   "10.10.30.50                  here\n") != NULL);
	CHECK(!strstr(text, "10.10.30.51")); /* nobody has sent there */
	free(text);

	text = print(status_print_json, &have, &stats);
	CHECK(strstr(text, "\"address\":\t\"10.10.30.50\"") != NULL);
	CHECK(strstr(text, "\"where\":\t\"here\"") != NULL);
	CHECK(strstr(text, "\"where\":\t\"elsewhere\"") != NULL);
	free(text);
}
