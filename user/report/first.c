// SPDX-License-Identifier: GPL-2.0-only
#include "report/first.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define LISTEN_PORT 51820

/* ["10.10.30.0/24", "fd10:30::/64"] */
static void put_routes(FILE *out, const struct first *first)
{
	const struct prefix *route;
	char text[PREFIX_TEXT_SIZE];

	array_for_each(route, &first->routes)
		fprintf(out, "%s\"%s\"", route == first->routes.items ? "" : ", ",
			prefix_put(text, route));
}

static void put_addresses(FILE *out, const struct addr addrs[2])
{
	char v4[ADDR_TEXT_SIZE], v6[ADDR_TEXT_SIZE];

	fprintf(out, "[\"%s\", \"%s\"]", addr_put(v4, &addrs[0]), addr_put(v6, &addrs[1]));
}

static int put_tunnel(FILE *out, const struct first_text *text)
{
	cJSON *item = cJSON_CreateStringReference(text->key_file);
	char *quoted = item ? cJSON_PrintUnformatted(item) : NULL;

	cJSON_Delete(item);
	if (!quoted)
		return -1;
	fprintf(out,
		"  \"tunnel\": {\n"
		"    \"interface\": \"towpath0\",\n"
		"    \"listen_port\": %d,\n"
		"    \"private_key_file\": %s,\n"
		"  },\n\n",
		LISTEN_PORT, quoted);
	cJSON_free(quoted);
	return 0;
}

static void put_node(FILE *out, const struct first_text *text)
{
	const struct endpoint endpoint = { .addr = text->first->lan_addr, .port = LISTEN_PORT };
	char key[KEY_TEXT_SIZE], where[ENDPOINT_TEXT_SIZE];

	fprintf(out,
		"  // Machines that run towpath. A node finds itself by its public key.\n"
		"  \"nodes\": {\n"
		"    \"%s\": {\n"
		"      \"public_key\": \"%s\",\n"
		"      \"addresses\": ",
		text->node, key_put(key, &text->node_key));
	put_addresses(out, text->first->node);
	fprintf(out,
		",\n"
		"      // Good inside the LAN. From outside: your public address or DNS name,\n"
		"      // and UDP port %d forwarded to this machine.\n"
		"      \"endpoint\": \"%s\",\n"
		"      \"lan_interfaces\": [\"%s\"],\n"
		"      \"advertise_routes\": [",
		LISTEN_PORT, endpoint_put(where, &endpoint), text->first->lan);
	put_routes(out, text->first);
	fputs("],\n    },\n  },\n\n", out);
}

static void put_peer(FILE *out, const struct first_text *text)
{
	char key[KEY_TEXT_SIZE];

	fprintf(out,
		"  // Plain WireGuard clients.\n"
		"  \"peers\": {\n"
		"    \"%s\": {\n"
		"      \"public_key\": \"%s\",\n"
		"      \"addresses\": ",
		text->peer, key_put(key, &text->peer_key));
	put_addresses(out, text->first->peer);
	fputs(",\n      \"persistent_keepalive\": 25,\n    },\n  },\n\n", out);
}

static void put_approvers(FILE *out, const struct first_text *text)
{
	const struct prefix *route;
	char prefix[PREFIX_TEXT_SIZE];

	fputs("  // Advertising is a wish; this makes it a route.\n"
	      "  \"auto_approvers\": {\n    \"routes\": {\n",
	      out);
	array_for_each(route, &text->first->routes)
		fprintf(out, "      \"%s\": [\"%s\"],\n", prefix_put(prefix, route), text->node);
	fputs("    },\n  },\n\n", out);
}

static void put_grants(FILE *out, const struct first_text *text)
{
	fprintf(out,
		"  // What is not granted is refused. Narrow the first one down when all works.\n"
		"  \"grants\": [\n"
		"    { \"src\": [\"%s\"], \"dst\": [",
		text->peer);
	put_routes(out, text->first);
	fprintf(out,
		"], \"ip\": [\"*\"] },\n"
		"    { \"src\": [\"%s\"], \"dst\": [\"%s\"], \"ip\": [\"icmp:*\"] },\n"
		"  ],\n\n",
		text->peer, text->node);
}

static void put_tests(FILE *out, const struct first_text *text)
{
	const struct prefix *route;
	char prefix[PREFIX_TEXT_SIZE];

	fprintf(out,
		"  // Each must hold, or the file is refused.\n"
		"  \"tests\": [\n"
		"    { \"src\": \"%s\", \"accept\": [",
		text->peer);
	array_for_each(route, &text->first->routes) {
		bool v4 = prefix_is_v4(route);

		fprintf(out, "%s\"%s%s%s:443\"", route == text->first->routes.items ? "" : ", ",
			v4 ? "" : "[", prefix_put(prefix, route), v4 ? "" : "]");
	}
	fprintf(out, "], \"deny\": [\"%s:22\"] },\n  ],\n", text->node);
}

char *first_policy(const struct first_text *text)
{
	char *memory = NULL;
	size_t length;
	FILE *out = open_memstream(&memory, &length);
	int r;

	if (!out)
		return NULL;
	fputs("// Made by `towpath init`. Comments and trailing commas are welcome in this file;\n"
	      "// docs/policy.md says what else may be in it.\n"
	      "{\n  \"version\": 1,\n\n",
	      out);
	r = put_tunnel(out, text);
	put_node(out, text);
	put_peer(out, text);
	put_approvers(out, text);
	put_grants(out, text);
	put_tests(out, text);
	fputs("}\n", out);
	if (fclose(out) || r) {
		free(memory);
		return NULL;
	}
	return memory;
}
