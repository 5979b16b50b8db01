// SPDX-License-Identifier: GPL-2.0-only
/* What keeps the data path from working, and what does not yet. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/time_text.h"
#include "model/expiry.h"
#include "report/status.h"
#include "report/status_routes.h"

#define REFUSED_LATELY_S 60

int status_add_problem(struct status_problems *out, const char *mend, const char *format, ...)
{
	struct status_problem *problem = array_add(out);
	va_list args;

	if (!problem)
		return -ENOMEM;
	va_start(args, format);
	vsnprintf(problem->what, sizeof(problem->what), format, args);
	va_end(args);
	snprintf(problem->mend, sizeof(problem->mend), "%s", mend);
	return 0;
}

static bool is_attached(const struct state *have, const struct state_device *device,
			enum state_hook hook)
{
	const struct state_attachment *attachment;

	array_for_each(attachment, &have->attachments)
		if (attachment->ifindex == device->ifindex && attachment->hook == hook)
			return true;
	return false;
}

static int check_unpinned(const struct state *have, struct status_problems *out)
{
	if (!have->unpinned.count)
		return 0;
	return status_add_problem(out, "run `towpath apply POLICY` again",
				  "pins of %zu maps were deleted, the first is %s",
				  have->unpinned.count, have->unpinned.items[0].name);
}

static bool has_address(const struct state_tunnel *tunnel, const struct addr *wanted)
{
	const struct addr *addr;

	array_for_each(addr, &tunnel->addresses)
		if (addr_is_equal(addr, wanted))
			return true;
	return addr_is_zero(wanted);
}

/* The row of the tunnel's device has the addresses that it is to have. */
static int check_tunnel_addresses(const struct state *have, const struct state_device *device,
				  struct status_problems *out)
{
	struct addr wanted[2];
	char text[ADDR_TEXT_SIZE];
	size_t i;
	int r = 0;

	memcpy(&wanted[0], &device->device.addr4, sizeof(wanted[0]));
	memcpy(&wanted[1], &device->device.addr6, sizeof(wanted[1]));
	for (i = 0; !r && i < ARRAY_SIZE(wanted); i++)
		if (!has_address(&have->tunnel, &wanted[i]))
			r = status_add_problem(out, "run `towpath apply POLICY` again",
					       "the tunnel device %s has lost its address %s",
					       device->name, addr_put(text, &wanted[i]));
	return r;
}

static int check_first(const struct state *have, struct status_problems *out)
{
	const struct state_attachment *a;
	int r = 0;

	array_for_each(a, &have->attachments)
		if (!r && a->ahead[0])
			r = status_add_problem(
				out, "run `towpath apply POLICY` again",
				"a program that is not towpath's, %s, runs before it on "
				"the %s of %s",
				a->ahead, a->hook == HOOK_TC_EGRESS ? "egress" : "ingress",
				a->device);
	return r;
}

/*
 * On a LAN device a load balancer may come first, as any client's packets are its own to answer.
 * In the tunnel it would translate what nobody has judged.
 */
static int check_filters(const struct state *have, struct status_problems *out)
{
	const struct state_attachment *a;
	int r = 0;

	array_for_each(a, &have->attachments)
		if (!r && a->filter_ahead && !strcmp(a->device, have->tunnel.name))
			r = status_add_problem(
				out, "keep the other program off that device",
				"a filter of priority %u that is not towpath's runs before ours on "
				"the %s of %s",
				a->filter_ahead, a->hook == HOOK_TC_EGRESS ? "egress" : "ingress",
				a->device);
	return r;
}

static int check_device(const struct state *have, const struct state_device *device,
			struct status_problems *out)
{
	const char *mend = "run `towpath apply POLICY` again";
	bool tunnel = device->device.role == TP_DEV_TUNNEL;
	int r = 0;

	if (strchr(device->name, ':')) /* bpf_read.c: no device can be called that */
		return status_add_problem(out, mend, "a device that towpath used is gone (%s)",
					  device->name);
	if (!is_attached(have, device, tunnel ? HOOK_TC_TUNNEL : HOOK_TC_LAN))
		r = status_add_problem(out, mend, "no program on the ingress of %s", device->name);
	if (!r && !is_attached(have, device, HOOK_TC_EGRESS))
		r = status_add_problem(out, mend, "no program on the egress of %s", device->name);
	if (!r && (device->device.flags & TP_DEV_XDP_FORCED) &&
	    !is_attached(have, device, HOOK_XDP_LAN))
		r = status_add_problem(out, mend, "no XDP program on %s", device->name);
	if (!r && tunnel && have->tunnel.exists)
		r = check_tunnel_addresses(have, device, out);
	return r;
}

static int check_enforced(const struct status *status, struct status_problems *out)
{
	if (!status->have->only_logs)
		return 0;
	return status_add_problem(
		out, "set \"enforce\" to \"on\" in the policy and apply it",
		"the policy is NOT ENFORCED (\"enforce\": \"log\"): what the grants "
		"refuse is forwarded, %llu packets so far",
		status->stats->flows.would_refuse);
}

/* The first error is the one to begin with; the command in the mend shows all. */
static int check_rejected(const struct status *status, struct status_problems *out)
{
	const struct running *running = status->running;
	bool live = status->have->exists && status->have->generation;
	const struct problem *error = running->errors.items;
	uint64_t more = running->errors.count - 1 + running->errors_left_out;
	char mend[sizeof(out->items->mend)], count[40] = "";

	if (more)
		snprintf(count, sizeof(count), " (and %" PRIu64 " more)", more);
	snprintf(mend, sizeof(mend), "mend it; `towpath check %s` and the log show every error",
		 running->file);
	return status_add_problem(out, mend, "the policy file was REJECTED, %s in force%s: %s: %s",
				  live ? "an earlier policy is" : "and none is", count,
				  error->place, error->message);
}

static int check_trial(const struct status *status, struct status_problems *out)
{
	char when[TIME_TEXT_SIZE];

	if (status->try_abandoned)
		return status_add_problem(
			out, "`towpath confirm` keeps the policy, `towpath apply` another",
			"this policy was on trial, and what would have put back the one before has "
			"died");
	if (!status->try_until)
		return 0;
	if (status->try_until <= status->now)
		return status_add_problem(
			out, "`towpath confirm` keeps the policy, `towpath down` removes it",
			"the trial of this policy is over: what was in force before is being put "
			"back, and again while that fails");
	return status_add_problem(
		out, "`towpath confirm` keeps it",
		"the policy is ON TRIAL: what was in force before comes back at %s",
		time_put(when, status->try_until));
}

/* It is full and has room again within a second, many times, while flows are tried that fast. */
static int note_refused_flows(const struct status *status, struct status_problems *out)
{
	const struct tp_limits *limits = &status->have->limits;
	uint32_t age = (uint32_t)status->jiffies - status->stats->flows_refused_at;

	if (!status->stats->flows_refused_at || age >= REFUSED_LATELY_S * limits->second)
		return 0;
	return status_add_problem(
		out, "raise limits.flows or limits.snat_ports in the policy",
		"new flows found no room within the last minute, %llu so far: %u flows "
		"of %u, ports %u-%u",
		status->stats->flows.refused, status->stats->flows_current, limits->flows,
		limits->port_min, limits->port_max);
}

int status_find_notes(const struct status *status, struct status_problems *out)
{
	const struct running *running = status->running;
	const struct peer_info_row *row;
	int r = 0;

	if (running && running_is_idle(running))
		r = status_add_problem(out, "list it in the policy if it is to have a part", "%s",
				       running->waiting);
	if (!r)
		r = note_refused_flows(status, out);
	array_for_each(row, &status->have->peer_info) {
		int64_t expires_at = (int64_t)row->info.key_expiry;
		char text[EXPIRY_TEXT_SIZE];

		if (!r && expiry_judge(expires_at, status->now) != EXPIRY_FAR)
			r = status_add_problem(
				out,
				"give it a new key, put that and a later key_expiry in "
				"the policy",
				"the key of %s %s", row->info.name,
				expiry_put(text, expires_at, status->now));
	}
	return r;
}

/* Of a resolver that is down, the first name is as good as all. */
static int check_unresolved(const struct running *running, struct status_problems *out)
{
	const struct problem *first = running->unresolved.items;
	size_t more = running->unresolved.count - 1;
	char count[40] = "";

	if (more)
		snprintf(count, sizeof(count), " (and %zu more names)", more);
	return status_add_problem(out,
				  "see that this machine's DNS knows the name; it is tried again",
				  "%s: %s%s", first->place, first->message, count);
}

static int add_problems(struct status_problems *out, const struct status_problems *more)
{
	const struct status_problem *problem;

	array_for_each(problem, more) {
		struct status_problem *added = array_add(out);

		if (!added)
			return -ENOMEM;
		*added = *problem;
	}
	return 0;
}

static int check_running(const struct status *status, struct status_problems *out)
{
	const struct running *running = status->running;
	int r = 0;

	if (running->rejected_at)
		r = check_rejected(status, out);
	if (!r && running->unresolved.count)
		r = check_unresolved(running, out);
	if (!r && running->failure)
		r = status_add_problem(
			out, "it is tried again by itself; the log has every attempt",
			"the machine cannot be made as the policy in force wants it: %s",
			running->failure);
	return r;
}

/* Nothing else is wrong with what is not set up. A newer file says more than what is waited for. */
static int check_waiting(const struct status *status, struct status_problems *out)
{
	const struct running *running = status->running;
	const char *mend = running->wait == RUNNING_WAIT_NETWORK
				   ? "nothing, if it is still to come: all is set up then"
				   : "put it into the policy; it is read when it changes";

	if (running->rejected_at)
		return check_rejected(status, out);
	return running_is_idle(running) ? 0 : status_add_problem(out, mend, "%s", running->waiting);
}

/* What no apply can mend. */
static int check_below(const struct socket_lb *lb, struct status_problems *out)
{
	const struct socket_below *below;
	int r = 0;

	if (lb->stray.pid)
		r = status_add_problem(
			out, "start it in a cgroup below, as systemd does",
			"exempt sockets of process %u (%s) are refused: it is in %s itself, where "
			"nothing can be hidden without BPF_F_PREORDER",
			lb->stray.pid, lb->stray.name, lb->settings.cgroup);
	array_for_each(below, &lb->below)
		if (!r && below->overtaken)
			r = status_add_problem(
				out, "detach it, and attach it again",
				"another tool's program in %s/%s comes before what hides sockets "
				"from it",
				lb->settings.cgroup, below->name);
	return r;
}

static int check_sockets(const struct socket_lb *lb, const char *mend, struct status_problems *out)
{
	unsigned int links = socket_lb_links(lb, SOCKET_SET_LB);
	int r = 0;

	if (lb->services.count && lb->settings.mode != TP_SOCKET_OFF && links != SOCKET_SET_SIZE)
		r = status_add_problem(out, mend,
				       "%u of the %d programs of sockets are attached to %s", links,
				       SOCKET_SET_SIZE, lb->settings.cgroup);
	if (!r && lb->settings.hide && !lb->cgroup_id[SOCKET_SET_HIDE])
		r = status_add_problem(
			out,
			"run `towpath apply POLICY` again; if another tool is in a cgroup above, "
			"name that in socket_lb.cgroup",
			"%s are not hidden from other tools' programs in %s",
			lb->settings.hide & TP_HIDE_PROBES ? "probes" : "exempt sockets",
			lb->settings.cgroup);
	return r ? r : check_below(lb, out);
}

int status_find_problems(const struct status *status, struct status_problems *out)
{
	const struct state *have = status->have;
	const char *mend = "run `towpath apply POLICY` again";
	const struct state_device *device;
	int r = 0;

	if (status->running && status->running->waiting)
		return check_waiting(status, out);
	if (status->running && !have->exists)
		return check_running(status, out);
	r = check_enforced(status, out);
	if (!r)
		r = check_trial(status, out);
	if (!r)
		r = check_unpinned(have, out);
	if (!r && !have->generation)
		r = status_add_problem(out, mend,
				       "no policy is live: everything of the mesh is refused");
	if (!r && !have->tunnel.exists)
		r = status_add_problem(out, mend, "the tunnel device %s is gone",
				       have->tunnel.name);
	else if (!r && !have->tunnel.up)
		r = status_add_problem(out, "ip link set it up", "the tunnel device %s is down",
				       have->tunnel.name);
	array_for_each(device, &have->devices)
		if (!r)
			r = check_device(have, device, out);
	if (!r)
		r = check_sockets(&have->socket_lb, mend, out);
	if (!r)
		r = check_first(have, out);
	if (!r)
		r = check_filters(have, out);
	if (!r && have->limits.flows && status->stats->flows_current >= have->limits.flows)
		r = status_add_problem(out, "raise limits.flows in the policy",
				       "the flow table is full: %u flows", have->limits.flows);
	if (!r && status->routes)
		r = add_problems(out, &status->routes->lost);
	if (!r && status->routes)
		r = add_problems(out, &status->routes->problems);
	if (!r && status->running)
		r = check_running(status, out);
	return r;
}
