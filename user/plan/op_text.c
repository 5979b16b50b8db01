// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a step is called. Texts are made when somebody reads them: a plan may have a hundred
 * thousand steps, of which a few are shown.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "plan/ops.h"

#define ALLOWED_SHOWN   4
#define OP_DETAILS_SIZE 512

static void put_prefix(char *buf, const char *what, const struct prefix *prefix)
{
	char text[PREFIX_TEXT_SIZE];

	snprintf(buf, OP_OBJECT_SIZE, "%s %s", what, prefix_put(text, prefix));
}

static void put_address(char *buf, const struct addr *addr)
{
	const struct prefix host = prefix_host(addr);

	put_prefix(buf, "address", &host);
}

/* The kernel knows no names; a peer that left the policy is its key. */
static void put_peer(char *buf, const struct state_peer *peer)
{
	char key[KEY_TEXT_SIZE];

	snprintf(buf, OP_OBJECT_SIZE, "peer %s",
		 peer->name[0] ? peer->name : key_put(key, &peer->public_key));
}

static void put_service(char *buf, const struct service_row *row)
{
	char text[ENDPOINT_TEXT_SIZE];
	struct endpoint vip = { .port = ntohs(row->key.port) };

	memcpy(&vip.addr, &row->key.vip, sizeof(vip.addr));
	snprintf(buf, OP_OBJECT_SIZE, "service %s/%s", endpoint_put(text, &vip),
		 row->key.protocol == IPPROTO_UDP ? "udp" : "tcp");
}

static void put_foreign(char *buf, const struct foreign_row *row)
{
	struct prefix prefix = { .len = (uint8_t)row->prefix.prefix_len };

	memcpy(&prefix.addr, &row->prefix.addr, sizeof(prefix.addr));
	put_prefix(buf, "foreign", &prefix);
}

static void put_exempt(char *buf, const struct exempt_row *row)
{
	snprintf(buf, OP_OBJECT_SIZE, "exempt netns %llu", (unsigned long long)row->cookie);
}

static void put_rule_name(char *buf, const struct state_rule *rule)
{
	snprintf(buf, OP_OBJECT_SIZE, "rule ipv%d %u", rule->v6 ? 6 : 4, rule->priority);
}

static void put_attachment(char *buf, const struct state_attachment *attachment)
{
	snprintf(buf, OP_OBJECT_SIZE, "program %s on %s", state_program_name(attachment->hook),
		 attachment->device);
}

const char *op_object(char *buf, const struct plan *plan, const struct op *op)
{
	const union op_args *args = &op->args;

	switch (op->kind) {
	case OP_PROGRAMS_LOAD:
	case OP_PROGRAMS_REMOVE: strcpy(buf, "programs"); break;
	case OP_POLICY_STAGE:
	case OP_POLICY_TEST:
	case OP_POLICY_SWITCH:
	case OP_POLICY_NOTE: strcpy(buf, "policy"); break;
	case OP_LIMITS_SET: strcpy(buf, "limits"); break;
	case OP_LINK_ADD:
	case OP_LINK_SET: sprintf(buf, "link %s", plan->want->tunnel.name); break;
	case OP_LINK_REMOVE: sprintf(buf, "link %s", plan->have->tunnel.name); break;
	case OP_TUNNEL_SET: sprintf(buf, "tunnel %s", plan->want->tunnel.name); break;
	case OP_PEER_SET: put_peer(buf, args->change.want); break;
	case OP_PEER_REMOVE: put_peer(buf, args->peer); break;
	case OP_ADDRESS_ADD:
	case OP_ADDRESS_REMOVE: put_address(buf, args->addr); break;
	case OP_LAN_ADDRESS_ADD:
	case OP_LAN_ADDRESS_REMOVE: put_address(buf, &args->lan_address->addr); break;
	case OP_ROUTE_ADD:
	case OP_ROUTE_REMOVE: put_prefix(buf, "route", &args->route->prefix); break;
	case OP_RULE_ADD:
	case OP_RULE_REMOVE: put_rule_name(buf, args->rule); break;
	case OP_SYSCTL_SET:
	case OP_SYSCTL_RESTORE: sprintf(buf, "sysctl %s", args->sysctl->path); break;
	case OP_DEVICE_SET:
	case OP_DEVICE_REMOVE: sprintf(buf, "device %s", args->device->name); break;
	/* by number: the name in a row that goes comes from a map, and may lack its NUL */
	case OP_PEER_INFO_SET:
	case OP_PEER_INFO_REMOVE: sprintf(buf, "peer-info %u", args->peer_info->id); break;
	case OP_ROUTE_INFO_SET:
	case OP_ROUTE_INFO_REMOVE: sprintf(buf, "route-info %u", args->route_info->id); break;
	case OP_ATTACH:
	case OP_DETACH: put_attachment(buf, args->attachment); break;
	case OP_BACKENDS_SET:
	case OP_BACKENDS_REMOVE: sprintf(buf, "backends %u", args->backends->id); break;
	case OP_SERVICE_SET:
	case OP_SERVICE_REMOVE: put_service(buf, args->service); break;
	case OP_EXEMPT_SET:
	case OP_EXEMPT_REMOVE: put_exempt(buf, args->exempt); break;
	case OP_SOCKET_SETTINGS_SET:
	case OP_SOCKETS_CLOSE: strcpy(buf, "sockets"); break;
	case OP_FOREIGN_SET:
	case OP_FOREIGN_REMOVE: put_foreign(buf, args->foreign); break;
	case OP_SOCKET_ATTACH:
	case OP_SOCKET_DETACH: strcpy(buf, socket_set_name(args->socket_set)); break;
	}
	return buf;
}

/* ---- with which values ------------------------------------------------------------------- */

/* Gives where it ends. */
static char *put_growth(char *at, const char *end, const char *what, uint32_t want, uint32_t have)
{
	if (!state_room_grows(want, have))
		return at;
	return at + snprintf(at, (size_t)(end - at), " %s %u to %u", what, have, want);
}

static void put_programs(char *buf, const struct plan *plan)
{
	const struct state_room *want = &plan->want->room, *have = &plan->have->room;
	char hash[2 * HASH_SIZE + 1], abi[48] = "", growth[96] = "", *at = growth;
	const char *end = growth + sizeof(growth);

	hash_put(hash, plan->want->object_hash);
	if (plan->have->older_abi)
		snprintf(abi, sizeof(abi), " abi %u to %d", plan->have->older_abi, TP_ABI);
	at = put_growth(at, end, "peers", want->peers, have->peers);
	put_growth(at, end, "routes", want->routes, have->routes);
	snprintf(buf, OP_DETAILS_SIZE, "object %.12s flows %u%s%s", hash, plan->want->limits.flows,
		 abi, growth);
}

static void put_limits(char *buf, const struct tp_limits *limits)
{
	snprintf(buf, OP_DETAILS_SIZE, "flows %u ports %u-%u tunnel-port %u", limits->flows,
		 limits->port_min, limits->port_max, ntohs(limits->tunnel_port));
}

static void put_tested_policy(char *buf, const struct state *want)
{
	char hash[2 * HASH_SIZE + 1];

	hash_put(hash, want->policy_hash);
	snprintf(buf, OP_DETAILS_SIZE, "%.12s rules %zu test-packets %zu", hash,
		 want->tables.rules.count, want->tables.probes.count);
}

static bool only_logs(const struct tables *tables)
{
	return tables->classes.count > TP_CLASS_LOG && tables->classes.items[TP_CLASS_LOG].summary;
}

static void put_policy(char *buf, const struct state *want)
{
	char hash[2 * HASH_SIZE + 1];

	hash_put(hash, want->policy_hash);
	snprintf(buf, OP_DETAILS_SIZE, "%.12s rules %zu%s", hash, want->tables.rules.count,
		 only_logs(&want->tables) ? " NOT ENFORCED" : "");
}

static void put_new_link(char *buf, const struct state_tunnel *want)
{
	snprintf(buf, OP_DETAILS_SIZE, "type wireguard backend %s",
		 want->backend == STATE_BACKEND_KERNEL ? "kernel" : "userspace");
}

static void put_link(char *buf, const struct state_tunnel *want)
{
	snprintf(buf, OP_DETAILS_SIZE, "mtu %u %s", want->mtu, want->up ? "up" : "down");
}

static void put_tunnel(char *buf, const struct plan *plan, const struct op *op)
{
	if (op->keep_port)
		strcpy(buf, "private-key (changed)");
	else
		snprintf(buf, OP_DETAILS_SIZE, "listen-port %u%s%s", plan->want->tunnel.listen_port,
			 op->sets_key ? " private-key" : "",
			 op->sets_key && !plan->new_link ? " (changed)" : "");
}

static void put_allowed(char *buf, size_t size, const struct state_peer *peer)
{
	size_t i, used = 0;
	char text[PREFIX_TEXT_SIZE];

	buf[0] = '\0';
	for (i = 0; i < peer->allowed_ips.count && i < ALLOWED_SHOWN && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? "," : "",
					 prefix_put(text, &peer->allowed_ips.items[i]));
	if (i < peer->allowed_ips.count && used < size)
		snprintf(buf + used, size - used, " and %zu more", peer->allowed_ips.count - i);
}

static void put_change(char *buf, const struct peer_change *change)
{
	const struct state_peer *want = change->want;
	char allowed[256], endpoint[ENDPOINT_TEXT_SIZE] = "";

	put_allowed(allowed, sizeof(allowed), want);
	if (change->endpoint)
		endpoint_put(endpoint, &want->endpoint);
	snprintf(buf, OP_DETAILS_SIZE, "allowed-ips %s%s%s keepalive %u%s", allowed,
		 *endpoint ? " endpoint " : "", endpoint, want->keepalive,
		 key_is_zero(&want->preshared_key) ? "" : " preshared-key");
}

/* Which device and, of one that is added, which source address and MTU. */
static void put_route(char *buf, const char *device, const struct state_route *route, bool is_add)
{
	bool has_src = is_add && !addr_is_zero(&route->prefsrc);
	char mtu[sizeof(" mtu lock 4294967295")] = "", metric[sizeof(" metric 4294967295")] = "";
	char table[sizeof(" table 4294967295")] = "";
	char src[ADDR_TEXT_SIZE];

	if (is_add && route->mtu)
		snprintf(mtu, sizeof(mtu), " mtu lock %u", route->mtu);
	if (route->metric != TP_RT_METRIC) /* an older version's */
		snprintf(metric, sizeof(metric), " metric %u", route->metric);
	if (route->table != STATE_TABLE_MAIN)
		snprintf(table, sizeof(table), " table %u", route->table);
	snprintf(buf, OP_DETAILS_SIZE, "dev %s proto %d%s%s%s%s%s", device, TP_RTPROT, table,
		 metric, has_src ? " src " : "", has_src ? addr_put(src, &route->prefsrc) : "",
		 mtu);
}

/* As `ip rule` has it. */
static void put_rule(char *buf, const struct state_rule *rule)
{
	char table[sizeof("4294967295")] = "main", suppress[48] = "";

	if (rule->table != STATE_TABLE_MAIN)
		snprintf(table, sizeof(table), "%u", rule->table);
	if (rule->suppress != STATE_RULE_WHOLE)
		snprintf(suppress, sizeof(suppress), " suppress_prefixlength %u", rule->suppress);
	snprintf(buf, OP_DETAILS_SIZE, "lookup %s%s proto %d", table, suppress, TP_RTPROT);
}

static void put_device(char *buf, const struct tp_device *device)
{
	snprintf(buf, OP_DETAILS_SIZE, "role %s mtu %u%s%s",
		 device->role == TP_DEV_TUNNEL ? "tunnel" : "lan", device->mtu,
		 device->flags & TP_DEV_JUDGE ? " judged" : "",
		 device->flags & TP_DEV_XDP_FORCED ? " xdp-forced" : "");
}

static void put_route_info(char *buf, const struct state *want, const struct route_info_row *row)
{
	static const char *const names[] = { [TP_ROUTE_UNAPPROVED] = "unapproved",
					     [TP_ROUTE_ACTIVE] = "active",
					     [TP_ROUTE_STANDBY] = "standby",
					     [TP_ROUTE_CONFLICT] = "conflict",
					     [TP_ROUTE_DOWN] = "down" };
	char text[PREFIX_TEXT_SIZE];

	snprintf(buf, OP_DETAILS_SIZE, "%s of %s: %s, %.80s", prefix_put(text, &row->prefix),
		 state_text(want, row->node), names[row->state], state_text(want, row->reason));
}

/* In which mode; how, where that was asked for; or before whose program that is ahead of ours. */
static void put_hook(char *buf, const struct state *have, const struct state_attachment *want)
{
	const struct state_attachment *now;

	if (want->hook == HOOK_XDP_LAN) {
		sprintf(buf, "mode %s", state_xdp_name(want->xdp));
		return;
	}
	if (want->tc != STATE_TC_AUTO)
		sprintf(buf, "by %s", want->tc == STATE_TC_TCX ? "tcx" : "clsact");
	array_for_each(now, &have->attachments)
		if (now->hook == want->hook && !strcmp(now->device, want->device) && now->ahead[0])
			sprintf(buf, "before %s", now->ahead);
}

static void put_backends(char *buf, const struct tp_backends *backends)
{
	snprintf(buf, OP_DETAILS_SIZE, "of %s: %u", backends->name, backends->count);
}

static void put_target(char *buf, const struct tp_service *service)
{
	snprintf(buf, OP_DETAILS_SIZE, "backends %u target-port %u", service->backends,
		 ntohs(service->target_port));
}

static void put_sockets(char *buf, const struct tp_socket_lb *settings)
{
	static const char *const modes[] = { [TP_SOCKET_OFF] = "off",
					     [TP_SOCKET_ALL] = "all",
					     [TP_SOCKET_HOST_ONLY] = "host-only" };
	const char *hides = settings->hide & TP_HIDE_EXEMPT   ? "hide"
			    : settings->hide & TP_HIDE_PROBES ? "probes"
							      : "off";

	snprintf(buf, OP_DETAILS_SIZE, "mode %s foreign %s%s", modes[settings->mode], hides,
		 settings->hide & TP_HIDE_BELOW ? " below" : "");
}

/* Leaves buf alone where the object says it all. */
static void put_details(char *buf, const struct plan *plan, const struct op *op)
{
	const struct state *want = plan->want; /* NULL in the plan of `down`, which tells less */

	switch (op->kind) {
	case OP_PROGRAMS_LOAD: put_programs(buf, plan); break;
	case OP_LIMITS_SET: put_limits(buf, &want->limits); break;
	case OP_POLICY_STAGE:
	case OP_POLICY_TEST: put_tested_policy(buf, want); break;
	case OP_POLICY_SWITCH:
	case OP_POLICY_NOTE: put_policy(buf, want); break;
	case OP_LINK_ADD: put_new_link(buf, &want->tunnel); break;
	case OP_LINK_SET: put_link(buf, &want->tunnel); break;
	case OP_TUNNEL_SET: put_tunnel(buf, plan, op); break;
	case OP_PEER_SET: put_change(buf, &op->args.change); break;
	case OP_ADDRESS_ADD:
	case OP_ADDRESS_REMOVE: sprintf(buf, "dev %s", want->tunnel.name); break;
	case OP_LAN_ADDRESS_ADD:
	case OP_LAN_ADDRESS_REMOVE: sprintf(buf, "dev %s", op->args.lan_address->device); break;
	case OP_ROUTE_ADD: put_route(buf, want->tunnel.name, op->args.route, true); break;
	case OP_RULE_ADD: put_rule(buf, op->args.rule); break;
	case OP_SYSCTL_SET: sprintf(buf, "%d", op->args.sysctl->value); break;
	case OP_SYSCTL_RESTORE: sprintf(buf, "%d", op->args.sysctl->before); break;
	case OP_DEVICE_SET: put_device(buf, &op->args.device->device); break;
	case OP_PEER_INFO_SET: strcpy(buf, op->args.peer_info->info.name); break;
	case OP_ROUTE_INFO_SET: put_route_info(buf, want, op->args.route_info); break;
	case OP_LINK_REMOVE:
		if (want)
			strcpy(buf, "to make it anew");
		break;
	case OP_ROUTE_REMOVE:
		if (want)
			put_route(buf, plan->have->tunnel.name, op->args.route, false);
		break;
	case OP_ATTACH: put_hook(buf, plan->have, op->args.attachment); break;
	case OP_BACKENDS_SET: put_backends(buf, &op->args.backends->backends); break;
	case OP_SERVICE_SET: put_target(buf, &op->args.service->service); break;
	case OP_EXEMPT_SET: strcpy(buf, op->args.exempt->exempt.what); break;
	case OP_SOCKET_SETTINGS_SET: put_sockets(buf, &want->socket_lb.settings); break;
	case OP_SOCKETS_CLOSE: strcpy(buf, "of removed backends"); break;
	case OP_SOCKET_ATTACH: sprintf(buf, "to %s", want->socket_lb.settings.cgroup); break;
	default: break;
	}
}

const char *op_text(char *buf, const struct plan *plan, const struct op *op)
{
	char object[OP_OBJECT_SIZE], details[OP_DETAILS_SIZE] = "";

	put_details(details, plan, op);
	snprintf(buf, OP_TEXT_SIZE, "%s %s%s%s", op->verb, op_object(object, plan, op),
		 *details ? " " : "", details);
	return buf;
}
