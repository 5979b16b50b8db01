// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/ops_net.h"

#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/lan_address.h"
#include "kernel/nl.h"
#include "kernel/rt.h"
#include "kernel/rt_rule.h"
#include "kernel/sysctl.h"
#include "kernel/wg_process.h"

#define LINK_USES      63
#define PEERS_TOGETHER 64  /* a message to the kernel holds about as many */
#define IPS_TOGETHER   512 /* and theirs: a request to wireguard-go is made in memory */

/* What every step is given. */
struct step {
	struct ops_net_context *context;
	const struct op *op;
	size_t count;                      /* ops from op on that are done together */
	const struct state_tunnel *tunnel; /* want's, or have's in the removing phase */
	const char *instance;
	struct rt_link link; /* the tunnel's device, where the step needs one */
	struct err *err;
};

int ops_net_open(struct ops_net_context *context, const struct netns *netns, struct err *err)
{
	*context = (struct ops_net_context){ .netns = netns };
	return nl_open(NETLINK_ROUTE, &context->nl, err);
}

void ops_net_close(struct ops_net_context *context)
{
	nl_close(context->nl);
	wg_close(&context->wg);
	*context = (struct ops_net_context){ 0 };
}

static int open_wg(struct step *step)
{
	struct wg_device *wg = &step->context->wg;

	if (wg->backend == step->tunnel->backend && !strcmp(wg->name, step->tunnel->name))
		return 0;

	wg_close(wg);
	return wg_open(wg, step->tunnel->backend, step->tunnel->name, step->err);
}

static int sysctl_set(struct step *step)
{
	const struct state_sysctl *sysctl = step->op->args.sysctl;

	return sysctl_write(sysctl->path, sysctl->value, step->err);
}

static int sysctl_restore(struct step *step)
{
	const struct state_sysctl *sysctl = step->op->args.sysctl;
	int r = sysctl_write(sysctl->path, sysctl->before, step->err);

	return r == -ENOENT ? 0 : r; /* the device went, and its sysctls with it */
}

/* A socket of the netns that towpath runs in. */
static int open_home(const struct netns *netns, struct nl **out, struct err *err)
{
	int r;

	netns_leave(netns);
	r = nl_open(NETLINK_ROUTE, out, err);
	return r ? r : netns_enter(netns, err);
}

/* WireGuard's UDP socket stays in the netns that the message which makes the device comes from. */
static int add_in_kernel(struct step *step)
{
	const struct netns *netns = step->context->netns;
	const char *name = step->tunnel->name;
	struct nl *nl = step->context->nl;
	AUTO_NL struct nl *home = NULL;
	int r;

	if (netns_is_home(netns))
		return rt_add_link(nl, name, "wireguard", step->instance, step->err);
	r = rt_claim_link(nl, name, "wireguard", step->instance, step->err);
	if (r != -ENODEV)
		return r;
	r = open_home(netns, &home, step->err);
	if (!r)
		r = rt_add_link_into(home, netns->there, name, "wireguard", step->err);
	return r ? r : rt_claim_link(nl, name, "wireguard", step->instance, step->err);
}

static int link_add(struct step *step)
{
	const char *name = step->tunnel->name;
	struct nl *nl = step->context->nl;
	int r;

	if (step->tunnel->backend == STATE_BACKEND_KERNEL)
		return add_in_kernel(step);

	r = rt_claim_link(nl, name, "tun", step->instance, step->err);
	if (r == -ENODEV)
		return wg_process_start(name, step->instance, step->context->netns, step->err);
	return r;
}

static int link_set(struct step *step)
{
	struct rt_link_change change = { .mtu = step->tunnel->mtu, .up = step->tunnel->up };

	return rt_change_link(step->context->nl, &step->link, &change, step->err);
}

static int link_remove(struct step *step)
{
	bool in_kernel = step->tunnel->backend == STATE_BACKEND_KERNEL;
	int watch = in_kernel ? -1 : wg_process_watch(step->tunnel->name);
	int r = rt_remove_link(step->context->nl, &step->link, step->err);

	if (in_kernel)
		return r;
	if (!r)
		return wg_process_wait_gone(step->tunnel->name, watch, step->err);
	mem_close_fd(&watch);
	return r;
}

static int tunnel_set(struct step *step)
{
	int r = open_wg(step);

	if (r)
		return r;
	return wg_set_device(&step->context->wg, &step->tunnel->private_key,
			     step->op->keep_port ? 0 : step->tunnel->listen_port, step->err);
}

static int peers_set(struct step *step)
{
	const struct peer_change *changes[PEERS_TOGETHER];
	int r = open_wg(step);

	for (size_t i = 0; i < step->count; i++)
		changes[i] = &step->op[i].args.change;
	return r ? r : wg_set_peers(&step->context->wg, changes, step->count, step->err);
}

static int peer_remove(struct step *step)
{
	int r = open_wg(step);

	if (r)
		return r;
	return wg_remove_peer(&step->context->wg, &step->op->args.peer->public_key, step->err);
}

static int address_add(struct step *step)
{
	return rt_add_addr(step->context->nl, step->link.facts.ifindex, step->op->args.addr,
			   step->err);
}

static int address_remove(struct step *step)
{
	return rt_remove_addr(step->context->nl, step->link.facts.ifindex, step->op->args.addr,
			      step->err);
}

static int lan_address_add(struct step *step)
{
	const struct state_lan_address *address = step->op->args.lan_address;

	return lan_address_put(step->context->nl, address->device, &address->addr, step->err);
}

static int lan_address_remove(struct step *step)
{
	const struct state_lan_address *address = step->op->args.lan_address;
	uint32_t ifindex = if_nametoindex(address->device);

	/* the device took it along */
	return ifindex ? rt_remove_addr(step->context->nl, ifindex, &address->addr, step->err) : 0;
}

static int route_add(struct step *step)
{
	return rt_add_route(step->context->nl, step->link.facts.ifindex, step->op->args.route,
			    step->err);
}

static int route_remove(struct step *step)
{
	return rt_remove_route(step->context->nl, step->link.facts.ifindex, step->op->args.route,
			       step->err);
}

static int rule_add(struct step *step)
{
	return rt_add_rule(step->context->nl, step->op->args.rule, step->err);
}

static int rule_remove(struct step *step)
{
	return rt_remove_rule(step->context->nl, step->op->args.rule, step->err);
}

/* Whose tunnel a step is about, and whether its device must be there. */
enum step_scope { NO_TUNNEL, NAME_ONLY, ON_DEVICE, OFF_DEVICE };

static const struct step_kind {
	int (*run)(struct step *step);
	enum step_scope scope;
} step_kinds[] = {
	[OP_SYSCTL_SET] = { sysctl_set, NO_TUNNEL },
	[OP_SYSCTL_RESTORE] = { sysctl_restore, NO_TUNNEL },
	[OP_LINK_ADD] = { link_add, NAME_ONLY },
	[OP_LINK_SET] = { link_set, ON_DEVICE },
	[OP_TUNNEL_SET] = { tunnel_set, ON_DEVICE },
	[OP_PEER_SET] = { peers_set, ON_DEVICE },
	[OP_PEER_REMOVE] = { peer_remove, OFF_DEVICE },
	[OP_ADDRESS_ADD] = { address_add, ON_DEVICE },
	[OP_ADDRESS_REMOVE] = { address_remove, OFF_DEVICE },
	[OP_LAN_ADDRESS_ADD] = { lan_address_add, NO_TUNNEL },
	[OP_LAN_ADDRESS_REMOVE] = { lan_address_remove, NO_TUNNEL },
	[OP_ROUTE_ADD] = { route_add, ON_DEVICE },
	[OP_ROUTE_REMOVE] = { route_remove, OFF_DEVICE },
	[OP_RULE_ADD] = { rule_add, NO_TUNNEL },
	[OP_RULE_REMOVE] = { rule_remove, NO_TUNNEL },
	[OP_LINK_REMOVE] = { link_remove, OFF_DEVICE },
};

static const struct step_kind *find_kind(enum op_kind kind)
{
	if ((size_t)kind >= ARRAY_SIZE(step_kinds) || !step_kinds[kind].run)
		return NULL;
	return &step_kinds[kind];
}

bool ops_net_handles(enum op_kind kind)
{
	return find_kind(kind) != NULL;
}

/*
 * Looked up again and again: a device that lost our mark meanwhile is no longer ours to touch. But
 * not for each of a hundred thousand routes.
 */
static int find_device(struct step *step)
{
	struct ops_net_context *context = step->context;
	const char *name = step->tunnel->name;
	int r;

	if (context->link_uses && !strcmp(context->link.facts.name, name)) {
		context->link_uses--;
		step->link = context->link;
		return 0;
	}
	r = rt_find_link(context->nl, name, &step->link, step->err);
	if (!r && rt_link_is_ours(&step->link, step->instance)) {
		context->link = step->link;
		context->link_uses = LINK_USES;
		return 0;
	}
	if (r)
		return r;
	return err_set(step->err, -EEXIST, "device %s is not ours (alias \"%s\")", name,
		       step->link.alias);
}

static int run_step(const struct step_kind *kind, struct step *step)
{
	int r;

	if (kind->scope == NAME_ONLY || kind->run == link_remove)
		step->context->link_uses = 0; /* it becomes another one, or none */
	if (kind->scope == ON_DEVICE || kind->scope == OFF_DEVICE) {
		r = find_device(step);
		if (r == -ENODEV && kind->scope == OFF_DEVICE)
			return 0; /* it took with it what was to be removed */
		if (r)
			return r;
	}
	return kind->run(step);
}

size_t ops_net_count(const struct op *op, size_t left)
{
	size_t ips, count;

	if (op->kind != OP_PEER_SET)
		return 1;
	ips = peer_change_ips(&op->args.change);
	for (count = 1; count < left && count < PEERS_TOGETHER; count++) {
		if (op[count].kind != OP_PEER_SET)
			break;
		ips += peer_change_ips(&op[count].args.change);
		if (ips > IPS_TOGETHER)
			break;
	}
	return count;
}

int ops_net_run(struct ops_net_context *context, const struct op *op, size_t count,
		const struct state *want, const struct state *have, const char *instance,
		struct err *err)
{
	const struct step_kind *kind = find_kind(op->kind);
	struct step step = {
		.context = context, .op = op, .count = count, .instance = instance, .err = err
	};
	const struct state *state;

	if (!kind)
		return err_set(err, -EINVAL, "no such step of the network's");

	state = kind->scope == OFF_DEVICE ? have : want;
	if (kind->scope != NO_TUNNEL && !state)
		return err_set(err, -EINVAL, "%s: no state to take the tunnel from", op->verb);
	if (state)
		step.tunnel = &state->tunnel;
	return run_step(kind, &step);
}
