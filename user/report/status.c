// SPDX-License-Identifier: GPL-2.0-only
/* What status says, whichever way it is printed. */
#include "report/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

/* WireGuard drops a session's keys after 180 s without a handshake (REJECT_AFTER_TIME). */
#define HANDSHAKE_FRESH 180

static int compare_key(const void *key, const void *peer)
{
	return memcmp(key, ((const struct state_peer *)peer)->public_key.bytes, KEY_SIZE);
}

const struct state_peer *status_find_peer(const struct state *have, const struct tp_peer_info *info)
{
	if (!have->tunnel.peers.count)
		return NULL;
	return bsearch(info->public_key, have->tunnel.peers.items, have->tunnel.peers.count,
		       sizeof(*have->tunnel.peers.items), compare_key);
}

const char *status_peer_state(const struct status *status, const struct tp_peer_info *info,
			      const struct state_peer *peer)
{
	if (info->key_expiry && (int64_t)info->key_expiry <= status->now)
		return "expired";
	if (!peer || !peer->latest_handshake)
		return "down";
	return status->now - peer->latest_handshake <= HANDSHAKE_FRESH ? "up" : "idle";
}

const char *status_route_state(uint8_t state)
{
	static const char *const names[] = {
		[TP_ROUTE_UNAPPROVED] = "unapproved",
		[TP_ROUTE_ACTIVE] = "active",
		[TP_ROUTE_STANDBY] = "standby",
		[TP_ROUTE_CONFLICT] = "conflict",
		[TP_ROUTE_DOWN] = "down",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

const char *status_snat(char *buf, const struct tp_route_info *info)
{
	struct addr addr;

	if (info->snat == TP_SNAT_MASQUERADE)
		return "masquerade";
	if (info->snat == TP_SNAT_NONE)
		return "none";
	memcpy(&addr, &info->snat_addr, sizeof(addr));
	return addr_put(buf, &addr);
}

const char *status_time(char *buf, int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm tm;

	buf[0] = '\0';
	if (seconds && gmtime_r(&when, &tm))
		strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}

__attribute__((format(printf, 3, 4))) static int
add_problem(struct status_problems *out, const char *mend, const char *format, ...)
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

static int check_device(const struct state *have, const struct state_device *device,
			struct status_problems *out)
{
	const char *mend = "run `towpath apply POLICY` again";
	bool tunnel = device->device.role == TP_DEV_TUNNEL;
	int r = 0;

	if (strchr(device->name, ':')) /* bpf_read.c: no device can be called that */
		return add_problem(out, mend, "a device that towpath used is gone (%s)",
				   device->name);
	if (!is_attached(have, device, tunnel ? HOOK_TC_TUNNEL : HOOK_TC_LAN))
		r = add_problem(out, mend, "no program on the ingress of %s", device->name);
	if (!r && !is_attached(have, device, HOOK_TC_EGRESS))
		r = add_problem(out, mend, "no program on the egress of %s", device->name);
	if (!r && (device->device.flags & TP_DEV_XDP_FORCED) &&
	    !is_attached(have, device, HOOK_XDP_LAN))
		r = add_problem(out, mend, "no XDP program on %s", device->name);
	return r;
}

static int check_enforced(const struct status *status, struct status_problems *out)
{
	if (!status->have->only_logs)
		return 0;
	return add_problem(out, "set \"enforce\" to \"on\" in the policy and apply it",
			   "the policy is NOT ENFORCED (\"enforce\": \"log\"): what the grants "
			   "refuse is forwarded, %llu packets so far",
			   status->stats->flows.would_refuse);
}

/* The first error is the one to begin with; the command in the mend shows all. */
static int check_rejected(const struct running *running, struct status_problems *out)
{
	const struct problem *error = running->errors.items;
	uint64_t more = running->errors.count - 1 + running->errors_left_out;
	char mend[sizeof(out->items->mend)], count[40] = "";

	if (more)
		snprintf(count, sizeof(count), " (and %" PRIu64 " more)", more);
	snprintf(mend, sizeof(mend), "mend it; `towpath check %s` and the log show every error",
		 running->file);
	return add_problem(out, mend,
			   "the policy file was REJECTED, an earlier policy is in force%s: %s: %s",
			   count, error->place, error->message);
}

static int check_running(const struct running *running, struct status_problems *out)
{
	int r = 0;

	if (running->rejected_at)
		r = check_rejected(running, out);
	if (!r && running->failure)
		r = add_problem(out, "it is tried again by itself; the log has every attempt",
				"what the kernel has lost cannot be put back: %s",
				running->failure);
	return r;
}

int status_find_problems(const struct status *status, struct status_problems *out)
{
	const struct state *have = status->have;
	const char *mend = "run `towpath apply POLICY` again";
	const struct state_device *device;
	int r = check_enforced(status, out);

	if (!r && !have->generation)
		r = add_problem(out, mend, "no policy is live: everything of the mesh is refused");
	if (!r && !have->tunnel.exists)
		r = add_problem(out, mend, "the tunnel device %s is gone", have->tunnel.name);
	else if (!r && !have->tunnel.up)
		r = add_problem(out, "ip link set it up", "the tunnel device %s is down",
				have->tunnel.name);
	array_for_each(device, &have->devices)
		if (!r)
			r = check_device(have, device, out);
	if (!r && have->limits.flows && status->stats->flows_current >= have->limits.flows)
		r = add_problem(out, "raise limits.flows in the policy",
				"the flow table is full: %u flows", have->limits.flows);
	if (!r && status->running)
		r = check_running(status->running, out);
	return r;
}
