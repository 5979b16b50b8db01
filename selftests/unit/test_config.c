// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "test.h"

#define KEY_A "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define KEY_B "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="

static struct config *read_text(const char *text)
{
	struct problems problems = { 0 };
	struct config *config = NULL;
	struct problem *problem;

	CHECK_INT(config_read(text, strlen(text), &config, &problems), 0);
	array_for_each(problem, &problems)
		test_check(false, __FILE__, __LINE__, "%s: %s", problem->place, problem->message);
	problems_free(&problems);
	return config;
}

static void check_addr(const struct addr *got, const char *want)
{
	char text[ADDR_TEXT_SIZE];

	CHECK_TEXT(addr_put(text, got), want);
}

static void check_prefix(const struct prefix *got, const char *want)
{
	char text[PREFIX_TEXT_SIZE];

	CHECK_TEXT(prefix_put(text, got), want);
}

static void check_range(const struct addr_range *got, const char *want)
{
	char text[RANGE_TEXT_SIZE];

	CHECK_TEXT(addr_range_put(text, got), want);
}

TEST(fills_in_the_defaults)
{
	struct config *config = read_text("{ \"version\": 1 }");

	REQUIRE(config);
	CHECK_INT(config->enforce, ENFORCE_ON);
	CHECK_TEXT(config->tunnel.interface, "towpath0");
	CHECK_INT(config->tunnel.listen_port, 51820);
	CHECK_INT(config->tunnel.mtu, 1420);
	CHECK_TEXT(config->tunnel.private_key_file, "/var/lib/towpath/private.key");
	CHECK_INT(config->tunnel.backend, BACKEND_AUTO);
	CHECK(!config->tunnel.netns);
	CHECK_TEXT(config->tunnel.place, "$.tunnel");
	CHECK_INT(config->client.allowed, ALLOWED_ROUTES);
	CHECK_INT(config->client.mtu, 1280);
	CHECK(!config->client.place);
	CHECK(!config->grants_set);
	CHECK(!config->socket_lb.set);
	CHECK_TEXT(config->socket_lb.cgroup, "auto");
	CHECK(!config->metrics_set);
	CHECK(!config->metrics_listen);
	CHECK_INT(config->limits.flows, 262144);
	CHECK_INT(config->limits.port_min, 16384);
	CHECK_INT(config->limits.port_max, 29999);
	CHECK_INT(config->limits.tcp_opening, 240);
	CHECK_INT(config->limits.tcp_established, 7440);
	CHECK_INT(config->limits.tcp_closing, 240);
	CHECK_INT(config->limits.udp, 300);
	CHECK_INT(config->limits.icmp, 60);
	CHECK_INT(config->limits.other, 600);
	config_free(config);
}

TEST(fills_in_the_defaults_of_members_and_grants)
{
	struct config *config = read_text("{ \"version\": 1,"
					  "\"nodes\": { \"n\": { \"public_key\": \"" KEY_A
					  "\", \"addresses\": [\"10.0.0.1\"] } },"
					  "\"peers\": { \"p\": { \"public_key\": \"" KEY_B
					  "\", \"addresses\": [\"10.0.0.2\"] } },"
					  "\"routes\": { \"10.1.0.0/16\": {} },"
					  "\"grants\": [{ \"src\": [\"*\"], \"dst\": [\"*\"] }],"
					  "\"tests\": [{ \"src\": \"p\", \"deny\": [\"n:1\"] }],"
					  "\"limits\": { \"timeouts\": { \"udp\": 30 } },"
					  "\"metrics\": { \"listen\": null } }");
	struct config_node *node;
	struct config_peer *peer;

	REQUIRE(config);
	node = config->nodes.items;
	CHECK(!node->endpoint.host);
	CHECK(!node->via.text);
	CHECK_INT(node->persistent_keepalive, 0);
	CHECK_INT(node->lan_to_lan, LAN_TO_LAN_STACK);
	CHECK_INT(node->accept, ACCEPT_ALL);
	CHECK_INT(node->xdp, XDP_AUTO);
	CHECK_TEXT(node->tunnel.interface, "towpath0");
	peer = config->peers.items;
	CHECK(!peer->user);
	CHECK(!peer->preshared_key_file);
	CHECK(!peer->gateway);
	CHECK_INT(peer->key_expiry, 0);
	CHECK_INT(peer->mtu, 0);
	CHECK_INT(peer->client.mtu, 1280);
	CHECK(!peer->client.place);
	CHECK_INT(config->routes.items[0].snat, SNAT_MASQUERADE);
	CHECK_INT(config->routes.items[0].local, LOCAL_PREFER_LOCAL);
	CHECK(!config->routes.items[0].translate_set);
	CHECK(!config->routes.items[0].probe.set);
	CHECK_INT(config->grants.items[0].action, ACTION_ACCEPT);
	CHECK_INT(config->grants.items[0].ip.count, 1);
	CHECK(config->grants.items[0].ip.items[0].any);
	CHECK_INT(config->tests.items[0].proto, IPPROTO_TCP);
	CHECK_INT(config->limits.udp, 30);
	CHECK_INT(config->limits.icmp, 60);
	CHECK(!config->metrics_set);
	config_free(config);
}

TEST(lays_a_node_s_tunnel_over_the_one_that_stands_below_it)
{
	struct config *config = read_text(
		"{ \"version\": 1, \"nodes\": {"
		"\"a\": { \"public_key\": \"" KEY_A "\", \"addresses\": [\"10.0.0.1\"],"
		"  \"tunnel\": { \"mtu\": \"auto\", \"backend\": \"auto\", \"netns\": null } },"
		"\"b\": { \"public_key\": \"" KEY_B "\", \"addresses\": [\"10.0.0.2\"] } },"
		"\"tunnel\": { \"mtu\": 1400, \"backend\": \"kernel\", \"netns\": \"vpn\","
		"  \"interface\": \"wg9\" } }");
	struct config_tunnel *a, *b;

	REQUIRE(config && config->nodes.count == 2);
	a = &config->nodes.items[0].tunnel;
	CHECK_INT(a->mtu, 0);
	CHECK_INT(a->backend, BACKEND_AUTO);
	CHECK(!a->netns);
	CHECK_TEXT(a->interface, "wg9");
	CHECK_TEXT(a->place, "$.nodes.a.tunnel");
	b = &config->nodes.items[1].tunnel;
	CHECK_INT(b->mtu, 1400);
	CHECK_INT(b->backend, BACKEND_KERNEL);
	CHECK_TEXT(b->netns, "vpn");
	CHECK_TEXT(b->place, "$.tunnel");
	config_free(config);
}

TEST(lays_a_peer_s_client_over_the_one_that_stands_below_it)
{
	struct config *config = read_text(
		"{ \"version\": 1, \"peers\": {"
		"\"a\": { \"public_key\": \"" KEY_A "\", \"addresses\": [\"10.0.0.1\"],"
		"  \"client\": { \"dns\": [], \"allowed_ips\": \"routes\" } },"
		"\"b\": { \"public_key\": \"" KEY_B "\", \"addresses\": [\"10.0.0.2\"],"
		"  \"client\": { \"dns\": [\"10.0.0.8\"], \"mtu\": 1300 } } },"
		"\"client\": { \"dns\": [\"10.0.0.9\"], \"search\": [\"k8s.example.org\"],"
		"  \"allowed_ips\": [\"10.0.0.0/8\"] } }");
	struct config_client *a, *b;

	REQUIRE(config && config->peers.count == 2);
	a = &config->peers.items[0].client;
	CHECK_INT(a->dns.count, 0);
	CHECK_INT(a->allowed, ALLOWED_ROUTES);
	CHECK_INT(a->allowed_ips.count, 0);
	REQUIRE(a->search.count == 1);
	CHECK_TEXT(a->search.items[0].text, "k8s.example.org");
	CHECK_TEXT(a->search.items[0].place, "$.client.search[0]");
	CHECK_TEXT(a->place, "$.peers.a.client");
	b = &config->peers.items[1].client;
	REQUIRE(b->dns.count == 1);
	check_addr(&b->dns.items[0], "10.0.0.8");
	CHECK_INT(b->mtu, 1300);
	CHECK_INT(b->allowed, ALLOWED_LIST);
	REQUIRE(b->allowed_ips.count == 1);
	check_prefix(&b->allowed_ips.items[0], "10.0.0.0/8");
	config_free(config);
}

static struct config *read_example(uint8_t hash[HASH_SIZE])
{
	const char *golden = getenv("GOLDEN_DIR");
	AUTO_FREE char *path =
		mem_format("%s/config/valid_everything.json", golden ? golden : "selftests/golden");
	AUTO_FREE char *text = NULL;
	struct err err;
	size_t length;

	if (!CHECK(path) || !CHECK_INT(file_read(path, 1 << 20, &text, &length, &err), 0))
		return NULL;
	hash_bytes(text, length, hash);
	return read_text(text);
}

TEST(reads_members_as_written)
{
	uint8_t hash[HASH_SIZE];
	struct config *config = read_example(hash);
	struct config_node *node;
	struct config_peer *peer;

	REQUIRE(config && config->nodes.count && config->peers.count);
	CHECK_BYTES(config->hash, HASH_SIZE, hash, HASH_SIZE);
	node = config->nodes.items;
	CHECK_TEXT(node->name, "homelab-1");
	CHECK_TEXT(node->place, "$.nodes.homelab-1");
	check_addr(&node->addresses.items[1], "fd7a:70::1");
	CHECK_TEXT(node->endpoint.host, "203.0.113.10");
	CHECK_INT(node->endpoint.port, 51820);
	CHECK_TEXT(node->tags.items[0].text, "tag:k8s");
	check_prefix(&node->advertise_routes.items[0], "10.10.30.0/24");
	CHECK_TEXT(node->lan_interfaces.items[0].text, "eth0");
	CHECK_INT(node->tunnel.listen_port, 51821);
	peer = config->peers.items;
	CHECK_TEXT(peer->user, "rommel");
	CHECK_INT(peer->persistent_keepalive, 25);
	CHECK_INT(peer->key_expiry, 1810252800);
	CHECK_TEXT(config->gateways.items[0].endpoint.host, "vpn.example.org");
	CHECK_TEXT(config->gateways.items[0].nodes.items[1].text, "homelab-2");
	CHECK_TEXT(config->groups.items[0].name, "group:family");
	check_range(&config->hosts.items[0].range, "10.10.30.53");
	check_range(&config->hosts.items[1].range, "10.10.30.0-10.10.30.255");
	config_free(config);
}

TEST(reads_routes_and_services_as_written)
{
	uint8_t hash[HASH_SIZE];
	struct config *config = read_example(hash);
	struct config_service *service;
	struct config_route *route;

	REQUIRE(config && config->routes.count && config->services.count);
	check_prefix(&config->route_approvers.items[0].prefix, "10.10.0.0/16");
	CHECK_TEXT(config->route_approvers.items[0].who.items[0].text, "tag:k8s");
	CHECK_TEXT(config->exit_approvers.items[0].text, "tag:exit");
	route = config->routes.items;
	CHECK_TEXT(route->place, "$.routes[\"10.10.30.0/24\"]");
	check_range(&route->local_vips.items[0], "10.10.30.20-10.10.30.60");
	CHECK(route->probe.set);
	CHECK_TEXT(route->probe.protocol, "tcp");
	check_addr(&route->probe.target.addr, "10.10.30.53");
	CHECK_INT(route->probe.target.port, 53);
	CHECK_INT(route->probe.interval_ms, 300);
	service = config->services.items;
	check_addr(&service->vip, "100.80.0.53");
	CHECK_INT(service->ports.items[0].proto, IPPROTO_UDP);
	CHECK_INT(service->ports.items[0].target_port, 53);
	CHECK_INT(service->backends.count, 2);
	CHECK_TEXT(service->health.protocol, "tcp");
	CHECK_INT(service->health.interval_ms, 1000);
	CHECK(config->socket_lb.set);
	CHECK_TEXT(config->socket_lb.exempt.items[1].interface, "tailscale*");
	CHECK_INT(config->socket_lb.exempt.items[2].pid, 4242);
	CHECK(config->metrics_set);
	CHECK_TEXT(config->metrics_listen, "127.0.0.1:9586");
	config_free(config);
}

struct match_row {
	const char *text;
	struct config_match match;
};

static const struct match_row match_rows[] = {
	{ "*", { .any = true, .port_max = 65535 } },
	{ "443",
	  { .proto = IPPROTO_TCP,
	    .both = true,
	    .has_ports = true,
	    .port_min = 443,
	    .port_max = 443 } },
	{ "1-65535",
	  { .proto = IPPROTO_TCP,
	    .both = true,
	    .has_ports = true,
	    .port_min = 1,
	    .port_max = 65535 } },
	{ "udp:5000-5010",
	  { .proto = IPPROTO_UDP, .has_ports = true, .port_min = 5000, .port_max = 5010 } },
	{ "tcp:*", { .proto = IPPROTO_TCP, .port_max = 65535 } },
	{ "sctp:7", { .proto = IPPROTO_SCTP, .has_ports = true, .port_min = 7, .port_max = 7 } },
	{ "icmp:*", { .proto = IPPROTO_ICMP, .port_max = 65535 } },
	{ "proto:47", { .proto = 47, .port_max = 65535 } },
};

static void check_match(const struct config_match *got, const struct match_row *want)
{
	test_check(got->any == want->match.any && got->proto == want->match.proto &&
			   got->both == want->match.both &&
			   got->has_ports == want->match.has_ports &&
			   got->port_min == want->match.port_min &&
			   got->port_max == want->match.port_max,
		   __FILE__, __LINE__, "%s: any %d proto %d both %d has_ports %d %d-%d", want->text,
		   got->any, got->proto, got->both, got->has_ports, got->port_min, got->port_max);
}

TEST(reads_every_form_of_ip)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(match_rows); i++) {
		AUTO_FREE char *text =
			mem_format("{ \"version\": 1, \"grants\": [{ \"src\": [\"*\"],"
				   " \"dst\": [\"*\"], \"ip\": [\"%s\"] }] }",
				   match_rows[i].text);
		struct config *config = text ? read_text(text) : NULL;

		REQUIRE(config);
		CHECK_INT(config->grants.items[0].ip.count, 1);
		check_match(config->grants.items[0].ip.items, &match_rows[i]);
		config_free(config);
	}
}

struct assertion_row {
	const char *proto, *text, *selector;
	size_t count;
	uint16_t port_min, port_max; /* of the last */
};

static const struct assertion_row assertion_rows[] = {
	{ "tcp", "adguard:53", "adguard", 1, 53, 53 },
	{ "tcp", "10.10.31.0/24:*", "10.10.31.0/24", 1, 0, 65535 },
	{ "udp", "lan:80,443,1-52", "lan", 3, 1, 52 },
	{ "tcp", "group:family:22", "group:family", 1, 22, 22 },
	{ "tcp", "tag:80:22", "tag:80", 1, 22, 22 },
	{ "tcp", "[fd10:30::20]:443", "fd10:30::20", 1, 443, 443 },
	{ "tcp", "[fd10:30::/64]:*", "fd10:30::/64", 1, 0, 65535 },
	{ "tcp", "[fd10::1-fd10::9]:1", "fd10::1-fd10::9", 1, 1, 1 },
	{ "icmp", "lan", "lan", 1, 0, 65535 },
	{ "icmp", "tag:80", "tag:80", 1, 0, 65535 },
	{ "icmp", "fd10:30::20", "fd10:30::20", 1, 0, 65535 },
	{ "proto:47", "[fd10:30::20]", "fd10:30::20", 1, 0, 65535 },
};

static void check_assertion(const struct assertion_row *want)
{
	/* the protocol behind the assertions that need it */
	AUTO_FREE char *text = mem_format("{ \"version\": 1, \"tests\": [{ \"deny\": [\"%s\"],"
					  " \"src\": \"*\", \"proto\": \"%s\" }] }",
					  want->text, want->proto);
	struct config *config = text ? read_text(text) : NULL;
	struct config_assertion *got;

	REQUIRE(config);
	got = config->tests.items[0].deny.items;
	CHECK_TEXT(got->text, want->text);
	CHECK_TEXT(got->selector, want->selector);
	CHECK_TEXT(got->place, "$.tests[0].deny[0]");
	CHECK_INT(got->ports.count, want->count);
	CHECK_INT(got->ports.items[want->count - 1].port_min, want->port_min);
	CHECK_INT(got->ports.items[want->count - 1].port_max, want->port_max);
	CHECK_INT(got->ports.items[0].proto, config->tests.items[0].proto);
	config_free(config);
}

TEST(splits_assertions_into_selector_and_ports)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(assertion_rows); i++)
		check_assertion(&assertion_rows[i]);
}

TEST(never_shows_a_malformed_key)
{
	static const char text[] =
		"{ \"version\": 1, \"nodes\": { \"a\": { \"addresses\": [\"10.0.0.1\"],"
		"\"public_key\": \"SECRETaQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ\" } },"
		"\"tunnel\": { \"private_key_file\":"
		" \"SECRETEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\" },"
		"\"metrics\": { \"listen\": \"SECRETEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\" } }";
	struct config *const untouched = (struct config *)&match_rows;
	struct config *config = untouched;
	struct problems problems = { 0 };
	struct problem *problem;

	CHECK_INT(config_read(text, strlen(text), &config, &problems), -EINVAL);
	CHECK(config == untouched);
	CHECK_INT(problems.count, 3);
	array_for_each(problem, &problems) {
		CHECK(!strstr(problem->message, "SECRET"));
		CHECK(!strstr(problem->place, "SECRET"));
	}
	problems_free(&problems);
}
