// SPDX-License-Identifier: GPL-2.0-only
#include "facts_text.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* One line, word by word. */
struct words {
	char *rest;
	bool bad;
};

/* "" at the end of the line. */
static const char *word(struct words *words)
{
	char *word = strsep(&words->rest, " \t");

	while (word && !*word)
		word = strsep(&words->rest, " \t");
	return word ? word : "";
}

static uint64_t number(struct words *words)
{
	const char *text = word(words);
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	words->bad |= !*text || *end;
	return value;
}

static struct addr address(struct words *words)
{
	struct addr addr = { 0 };

	words->bad |= addr_read(word(words), &addr) != 0;
	return addr;
}

static struct prefix prefix_of(struct words *words)
{
	struct prefix prefix = { 0 };

	words->bad |= prefix_read(word(words), &prefix) != 0;
	return prefix;
}

static struct key key_of(struct words *words)
{
	struct key key = { 0 };

	words->bad |= key_read(word(words), &key) != 0;
	return key;
}

static void copy(struct words *words, char *to, size_t size)
{
	words->bad |= (size_t)snprintf(to, size, "%s", word(words)) >= size;
}

static uint32_t index_of(struct words *words, const struct facts *facts)
{
	const struct facts_link *link = facts_find_link(facts, word(words));

	words->bad |= !link;
	return link ? link->ifindex : 0;
}

static void read_xdp(struct words *words, struct facts_xdp *xdp)
{
	xdp->program = (uint32_t)number(words);
	copy(words, xdp->name, sizeof(xdp->name));
}

static void read_link(struct words *words, struct facts *facts)
{
	struct facts_link *link = array_add(&facts->links);
	const char *option;

	copy(words, link->name, sizeof(link->name));
	link->ethernet = true;
	for (option = word(words); *option; option = word(words)) {
		uint8_t *mac = link->mac;

		if (!strcmp(option, "index"))
			link->ifindex = (uint32_t)number(words);
		else if (!strcmp(option, "mtu"))
			link->mtu = (uint32_t)number(words);
		else if (!strcmp(option, "kind"))
			copy(words, link->kind, sizeof(link->kind));
		else if (!strcmp(option, "mac"))
			words->bad |= sscanf(word(words), "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac,
					     mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6;
		else if (!strcmp(option, "up"))
			link->up = true;
		else if (!strcmp(option, "loopback"))
			link->loopback = true;
		else if (!strcmp(option, "ours"))
			link->ours = true;
		else if (!strcmp(option, "hardware"))
			link->hardware = true;
		else if (!strcmp(option, "no-ethernet"))
			link->ethernet = false;
		else if (!strcmp(option, "xdp"))
			read_xdp(words, &link->xdp);
		else
			words->bad = true;
	}
}

/* "10.10.30.1/24" has host bits on purpose. */
static void read_addr(struct words *words, struct facts *facts)
{
	struct facts_addr *addr = array_add(&facts->addrs);
	const char *option;
	char text[64], *slash;

	addr->ifindex = index_of(words, facts);
	copy(words, text, sizeof(text));
	slash = strchr(text, '/');
	words->bad |= !slash;
	if (slash)
		*slash = '\0';
	words->bad |= addr_read(text, &addr->addr) != 0;
	addr->len = slash ? (uint8_t)atoi(slash + 1) : 0;
	if (addr_is_v4(&addr->addr))
		addr->len = (uint8_t)(addr->len + ADDR_MAPPED_BITS);

	for (option = word(words); *option; option = word(words)) {
		addr->temporary |= !strcmp(option, "temporary");
		addr->link_scope |= !strcmp(option, "link");
	}
}

static void read_way(struct words *words, struct facts *facts, struct facts_route *route)
{
	const char *option;

	route->type = RTN_UNICAST;
	route->protocol = RTPROT_KERNEL;
	route->prefix = prefix_of(words);
	for (option = word(words); *option; option = word(words)) {
		if (!strcmp(option, "via"))
			route->gateway = address(words);
		else if (!strcmp(option, "dev"))
			route->ifindex = index_of(words, facts);
		else if (!strcmp(option, "metric"))
			route->metric = (uint32_t)number(words);
		else if (!strcmp(option, "table"))
			route->table = (uint32_t)number(words);
		else if (!strcmp(option, "src"))
			route->prefsrc = address(words);
		else if (!strcmp(option, "ra"))
			route->protocol = RTPROT_RA;
		else if (!strcmp(option, "proto"))
			route->protocol = (uint8_t)number(words);
		else if (!strcmp(option, "blackhole"))
			route->type = RTN_BLACKHOLE;
		else
			words->bad = true;
	}
}

static void read_route(struct words *words, struct facts *facts)
{
	read_way(words, facts, array_add(&facts->routes));
}

static void read_behind(struct words *words, struct facts *facts)
{
	read_way(words, facts, array_add(&facts->behind));
}

static void read_sysctl(struct words *words, struct facts *facts)
{
	struct facts_sysctl *sysctl = array_add(&facts->sysctls);

	copy(words, sysctl->path, sizeof(sysctl->path));
	sysctl->value = (int32_t)number(words);
}

static void read_host(struct words *words, struct facts *facts)
{
	struct facts_host *host = array_add(&facts->hosts);
	const char *text;

	host->host = mem_copy_string(word(words));
	text = word(words);
	if (strcmp(text, "-") != 0)
		words->bad |= addr_read(text, &host->addr) != 0;
}

static void read_secret(struct words *words, struct facts *facts)
{
	struct facts_secret *secret = array_add(&facts->secrets);

	secret->path = mem_copy_string(word(words));
	secret->key = key_of(words);
}

static void read_private_key(struct words *words, struct facts *facts)
{
	facts->private_key = key_of(words);
	facts->private_key_set = true;
}

static void read_peer_id(struct words *words, struct facts *facts)
{
	struct facts_id *id = array_add(&facts->peer_ids);

	id->public_key = key_of(words);
	id->id = (uint32_t)number(words);
}

static void read_route_id(struct words *words, struct facts *facts)
{
	struct facts_route_id *id = array_add(&facts->route_ids);
	char node[TP_NAME_SIZE];

	id->prefix = prefix_of(words);
	copy(words, node, sizeof(node));
	intern_add(&facts->nodes, node, strlen(node), &id->node);
	id->id = (uint32_t)number(words);
}

static void read_service_id(struct words *words, struct facts *facts)
{
	struct facts_service_id *id = array_add(&facts->service_ids);

	snprintf(id->name, sizeof(id->name), "%s", word(words));
	id->id = (uint32_t)number(words);
}

static void read_cgroup(struct words *words, struct facts *facts)
{
	const char *order;

	facts->cgroup.id = number(words);
	snprintf(facts->cgroup.path, sizeof(facts->cgroup.path), "%s", word(words));
	order = word(words);
	if (!strcmp(order, "goes-first"))
		facts->cgroup.order = FACTS_ORDER_FIRST;
	else if (!strcmp(order, "below"))
		facts->cgroup.order = FACTS_ORDER_BELOW;
	facts->cgroup.holds_us = !strcmp(word(words), "holds-us");
}

static void read_exempt(struct words *words, struct facts *facts)
{
	struct exempt_row *row = array_add(&facts->exempt);

	row->cookie = number(words);
	row->exempt.why = TP_EXEMPT_NETNS;
	snprintf(row->exempt.what, sizeof(row->exempt.what), "%s", word(words));
}

static void read_clock(struct words *words, struct facts *facts)
{
	facts->now = (int64_t)number(words);
	facts->jiffies = number(words);
	facts->hz = (uint32_t)number(words);
}

static void read_kernel_wireguard(struct words *words, struct facts *facts)
{
	(void)words; /* a flag has no values */
	facts->kernel_wireguard = true;
}

static void read_force_forwarding(struct words *words, struct facts *facts)
{
	(void)words; /* a flag has no values */
	facts->force_forwarding = true;
}

static void read_closes_sockets(struct words *words, struct facts *facts)
{
	(void)words; /* a flag has no values */
	facts->closes_sockets = true;
}

static bool read_line(char *line, struct facts *facts)
{
	static const struct {
		const char *name;
		void (*read)(struct words *words, struct facts *facts);
	} kinds[] = {
		{ "link", read_link },
		{ "addr", read_addr },
		{ "route", read_route },
		{ "behind", read_behind },
		{ "sysctl", read_sysctl },
		{ "host", read_host },
		{ "secret", read_secret },
		{ "private-key", read_private_key },
		{ "peer-id", read_peer_id },
		{ "route-id", read_route_id },
		{ "service-id", read_service_id },
		{ "cgroup", read_cgroup },
		{ "exempt", read_exempt },
		{ "closes-sockets", read_closes_sockets },
		{ "clock", read_clock },
		{ "kernel-wireguard", read_kernel_wireguard },
		{ "force-forwarding", read_force_forwarding },
	};
	struct words words = { .rest = line };
	const char *kind;
	size_t i;

	line[strcspn(line, "#")] = '\0';
	kind = word(&words);
	if (!*kind)
		return true;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kind, kinds[i].name) != 0)
			continue;
		kinds[i].read(&words, facts);
		return !words.bad && !*word(&words);
	}
	return false;
}

int facts_text_read(const char *text, struct facts *out)
{
	AUTO_FREE char *copied = mem_copy_string(text);
	char *rest = copied, *line;
	int number_of = 0;

	memset(out, 0, sizeof(*out));
	memset(out->object_hash, 0x0b, sizeof(out->object_hash));
	for (line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		number_of++;
		if (!read_line(line, out))
			return number_of;
	}
	return 0;
}
