// SPDX-License-Identifier: GPL-2.0-only
#include "dump_state.h"

#include <arpa/inet.h>
#include <string.h>

static void dump_peer(FILE *out, const struct state_peer *peer)
{
	char endpoint[ENDPOINT_TEXT_SIZE], prefix[PREFIX_TEXT_SIZE];
	const struct prefix *allowed;

	fprintf(out, "peer %s endpoint %s keepalive %u%s allowed", peer->name,
		peer->endpoint.port ? endpoint_put(endpoint, &peer->endpoint) : "-",
		peer->keepalive, key_is_zero(&peer->preshared_key) ? "" : " preshared-key");
	array_for_each(allowed, &peer->allowed_ips)
		fprintf(out, " %s", prefix_put(prefix, allowed));
	fprintf(out, "\n");
}

static void dump_tunnel(FILE *out, const struct state_tunnel *tunnel)
{
	static const char *const backends[] = { "none", "kernel", "userspace" };
	const struct state_peer *peer;
	const struct addr *addr;
	char text[ADDR_TEXT_SIZE];

	fprintf(out, "tunnel %s backend %s mtu %u listen-port %u%s%s\n", tunnel->name,
		backends[tunnel->backend], tunnel->mtu, tunnel->listen_port,
		tunnel->up ? " up" : "", key_is_zero(&tunnel->private_key) ? "" : " private-key");
	array_for_each(addr, &tunnel->addresses)
		fprintf(out, "address %s\n", addr_put(text, addr));
	array_for_each(peer, &tunnel->peers)
		dump_peer(out, peer);
}

static const char *tp_addr_put(char *buf, const struct tp_addr *tp)
{
	struct addr addr;

	memcpy(&addr, tp, sizeof(addr));
	return addr_is_zero(&addr) ? "-" : addr_put(buf, &addr);
}

static void dump_device(FILE *out, const struct state_device *device)
{
	static const char *const roles[] = { "none", "tunnel", "lan" };
	const uint8_t *mac = device->device.mac;
	char addr4[ADDR_TEXT_SIZE], addr6[ADDR_TEXT_SIZE];

	fprintf(out, "device %s index %u role %s mtu %u mac %02x:%02x:%02x:%02x:%02x:%02x",
		device->name, device->ifindex, roles[device->device.role], device->device.mtu,
		mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	fprintf(out, " addr4 %s addr6 %s%s%s\n", tp_addr_put(addr4, &device->device.addr4),
		tp_addr_put(addr6, &device->device.addr6),
		device->device.flags & TP_DEV_JUDGE ? " judged" : "",
		device->device.flags & TP_DEV_XDP_FORCED ? " xdp-forced" : "");
}

static void dump_route(FILE *out, const struct state_route *route)
{
	char prefix[PREFIX_TEXT_SIZE], addr[ADDR_TEXT_SIZE];

	fprintf(out, "route %s src %s", prefix_put(prefix, &route->prefix),
		addr_is_zero(&route->prefsrc) ? "-" : addr_put(addr, &route->prefsrc));
	if (route->table != STATE_TABLE_MAIN)
		fprintf(out, " table %u", route->table);
	if (route->mtu)
		fprintf(out, " mtu lock %u", route->mtu);
	fputc('\n', out);
}

static void dump_rule(FILE *out, const struct state_rule *rule)
{
	fprintf(out, "rule ipv%d %u lookup %u", rule->v6 ? 6 : 4, rule->priority, rule->table);
	if (rule->suppress != STATE_RULE_WHOLE)
		fprintf(out, " suppress %u", rule->suppress);
	fputc('\n', out);
}

static void dump_machine(FILE *out, const struct state *state)
{
	static const char *const hooks[] = { "tc-tunnel", "tc-lan", "tc-egress", "xdp-lan" };
	const struct state_attachment *attachment;
	const struct state_lan_address *address;
	const struct state_local_vips *vips;
	const struct state_device *device;
	const struct state_sysctl *sysctl;
	const struct state_route *route;
	const struct state_rule *rule;
	char addr[ADDR_TEXT_SIZE], range[RANGE_TEXT_SIZE];

	array_for_each(route, &state->routes)
		dump_route(out, route);
	array_for_each(rule, &state->rules)
		dump_rule(out, rule);
	array_for_each(address, &state->lan_addresses)
		fprintf(out, "lan-address %s on %s\n", addr_put(addr, &address->addr),
			address->device);
	array_for_each(vips, &state->local_vips)
		fprintf(out, "local-vips %s on %s\n", addr_range_put(range, &vips->range),
			vips->device);
	array_for_each(sysctl, &state->sysctls)
		fprintf(out, "sysctl %s = %d\n", sysctl->path, sysctl->value);
	array_for_each(device, &state->devices)
		dump_device(out, device);
	array_for_each(attachment, &state->attachments)
		fprintf(out, "attach %s to %s index %u%s%s\n", hooks[attachment->hook],
			attachment->device, attachment->ifindex,
			attachment->hook == HOOK_XDP_LAN ? " mode " : "",
			attachment->hook == HOOK_XDP_LAN ? state_xdp_name(attachment->xdp) : "");
}

static void dump_route_info(FILE *out, const struct state *state, const struct route_info_row *row)
{
	static const char *const states[] = { "unapproved", "active", "standby", "conflict",
					      "down" };
	static const char *const snats[] = { "none", "masquerade", "address" };
	char text[PREFIX_TEXT_SIZE], snat[ADDR_TEXT_SIZE];

	fprintf(out, "route-info %u %s of %s %s%s snat %s %s: %s\n", row->id,
		prefix_put(text, &row->prefix), state_text(state, row->node),
		row->approved ? "approved " : "", states[row->state], snats[row->snat],
		addr_is_zero(&row->snat_addr) ? "-" : addr_put(snat, &row->snat_addr),
		state_text(state, row->reason));
}

static void dump_peer_info(FILE *out, const struct peer_info_row *row)
{
	fprintf(out, "peer-info %u %s %s expiry %llu", row->id, row->info.name,
		row->info.is_node ? "node" : "peer", (unsigned long long)row->info.key_expiry);
	if (row->info.via)
		fprintf(out, " via %u", row->info.via);
	fputc('\n', out);
}

static void dump_infos(FILE *out, const struct state *state)
{
	const struct tp_limits *limits = &state->limits;
	const struct route_info_row *route;
	const struct peer_info_row *peer;

	array_for_each(peer, &state->peer_info)
		dump_peer_info(out, peer);
	array_for_each(route, &state->route_info)
		dump_route_info(out, state, route);
	fprintf(out,
		"limits flows %u ports %u-%u tunnel-port %u opening %llu established %llu "
		"closing %llu udp %llu icmp %llu other %llu second %llu\n",
		limits->flows, limits->port_min, limits->port_max, ntohs(limits->tunnel_port),
		(unsigned long long)limits->timeout[TP_FLOW_TCP_OPENING],
		(unsigned long long)limits->timeout[TP_FLOW_TCP_ESTABLISHED],
		(unsigned long long)limits->timeout[TP_FLOW_TCP_CLOSING],
		(unsigned long long)limits->timeout[TP_FLOW_UDP],
		(unsigned long long)limits->timeout[TP_FLOW_ICMP],
		(unsigned long long)limits->timeout[TP_FLOW_OTHER],
		(unsigned long long)limits->second);
}

static void dump_service(FILE *out, const struct service_row *row)
{
	static const char *const policies[] = { "failover", "random", "source" };
	char vip[ADDR_TEXT_SIZE];

	fprintf(out, "service %s port %u protocol %u to backends %u port %u %s\n",
		tp_addr_put(vip, &row->key.vip), ntohs(row->key.port), row->key.protocol,
		row->service.backends, ntohs(row->service.target_port),
		policies[row->service.policy]);
}

static void dump_backends(FILE *out, const struct backends_row *row)
{
	char text[ADDR_TEXT_SIZE];

	fprintf(out, "backends %u of %s healthy %llx:", row->id, row->backends.name,
		(unsigned long long)row->backends.healthy);
	for (uint32_t i = 0; i < row->backends.count; i++)
		fprintf(out, " %s", tp_addr_put(text, &row->backends.addrs[i]));
	fputc('\n', out);
}

static void dump_socket_lb(FILE *out, const struct socket_lb *lb)
{
	const struct backends_row *backends;
	const struct service_row *service;
	const struct foreign_row *foreign;
	const struct exempt_row *exempt;

	if (lb->settings.cgroup[0])
		fprintf(out, "sockets mode %u hide %u cgroup %s socket-lb %llu socket-hide %llu\n",
			lb->settings.mode, lb->settings.hide, lb->settings.cgroup,
			(unsigned long long)lb->cgroup_id[SOCKET_SET_LB],
			(unsigned long long)lb->cgroup_id[SOCKET_SET_HIDE]);
	array_for_each(foreign, &lb->foreign) {
		char text[ADDR_TEXT_SIZE];

		fprintf(out, "foreign %s bits %u%s\n", tp_addr_put(text, &foreign->prefix.addr),
			foreign->prefix.prefix_len, foreign->foreign.v4 ? " v4" : "");
	}
	if (lb->closes)
		fprintf(out, "sockets of removed backends are closed\n");
	array_for_each(exempt, &lb->exempt)
		fprintf(out, "exempt %llu %s\n", (unsigned long long)exempt->cookie,
			exempt->exempt.what);
	array_for_each(backends, &lb->backends)
		dump_backends(out, backends);
	array_for_each(service, &lb->services)
		dump_service(out, service);
}

void dump_state(FILE *out, const struct state *state)
{
	fprintf(out, "node %s\n", state->node);
	dump_tunnel(out, &state->tunnel);
	dump_machine(out, state);
	dump_infos(out, state);
	dump_socket_lb(out, &state->socket_lb);
	dump_tables(out, &state->tables);
}

void dump_plan(FILE *out, const struct plan *plan)
{
	char text[OP_TEXT_SIZE];
	const struct op *op;

	array_for_each(op, &plan->ops)
		fprintf(out, "%-6s  %s\n", op_phase_name(op->phase), op_text(text, plan, op));
}
