// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/trace_place.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_live.h"
#include "kernel/nl.h"
#include "kernel/rt.h"

static int find_path(const struct addr *to, struct rt_path *out, struct err *err)
{
	AUTO_NL struct nl *nl = NULL;
	int r = nl_open(NETLINK_ROUTE, &nl, err);

	return r ? r : rt_find_path(nl, to, out, err);
}

void trace_find_next_hop(const struct addr *to, uint32_t ifindex, struct addr *out)
{
	struct rt_path path;

	/* no route, or another one by now: then it is not known */
	if (find_path(to, &path, NULL) || path.ifindex != ifindex)
		return;
	*out = addr_is_zero(&path.gateway) ? *to : path.gateway;
}

static const struct state_device *find_device(const struct state *have, uint32_t ifindex)
{
	const struct state_device *device;

	array_for_each(device, &have->devices)
		if (device->ifindex == ifindex)
			return device;
	return NULL;
}

static uint32_t tunnel_ifindex(const struct state *have)
{
	const struct state_device *device;

	array_for_each(device, &have->devices)
		if (device->device.role == TP_DEV_TUNNEL)
			return device->ifindex;
	return 0;
}

/* The device that the source is behind; 0: it is an address of this machine. */
static int find_source(const struct bpf *bpf, const struct state *have, const struct addr *src,
		       uint32_t *ifindex, struct err *err)
{
	struct tp_route route = {};
	struct rt_path path;
	struct tp_addr key;
	int r;

	memcpy(&key, src, sizeof(key));
	bpf_live_route(bpf, have->generation, &key, &route);
	if (route.kind == TP_ROUTE_MESH && !(route.flags & TP_ROUTE_EXIT)) {
		*ifindex = tunnel_ifindex(have);
		return 0;
	}
	r = find_path(src, &path, err);
	if (r)
		return err_wrap(err, r, "where the source is (--in tells)");
	*ifindex = path.local ? 0 : path.ifindex;
	return 0;
}

static int find_ingress(const struct bpf *bpf, const struct state *have,
			const struct trace_request *request, uint32_t *ifindex, struct err *err)
{
	if (!request->in[0])
		return find_source(bpf, have, &request->packet.src, ifindex, err);
	*ifindex = if_nametoindex(request->in);
	return *ifindex ? 0 : err_set(err, -ENODEV, "there is no device %s", request->in);
}

static void set_hook(struct trace_place *place, const struct state_device *device, bool egress)
{
	place->ifindex = device->ifindex;
	place->on_tunnel = device->device.role == TP_DEV_TUNNEL;
	memcpy(place->mac, device->device.mac, sizeof(place->mac));
	if (egress)
		place->hook = HOOK_TC_EGRESS;
	else
		place->hook = place->on_tunnel ? HOOK_TC_TUNNEL : HOOK_TC_LAN;
}

/* Nothing of ours on its way in: then where it goes out. */
static int find_egress(const struct state *have, const struct addr *dst, struct trace_place *place,
		       struct err *err)
{
	const struct state_device *device;
	struct rt_path path;
	int r = find_path(dst, &path, err);

	if (r)
		return err_wrap(err, r, "where it would go");
	device = path.local ? NULL : find_device(have, path.ifindex);
	if (!device)
		place->way = TRACE_UNSEEN;
	else
		set_hook(place, device, true);
	return 0;
}

int trace_find_place(const struct bpf *bpf, const struct state *have,
		     const struct trace_request *request, struct trace_place *out, struct err *err)
{
	const struct state_device *device;
	struct trace_place place = {};
	uint32_t ifindex = 0;
	int r = find_ingress(bpf, have, request, &ifindex, err);

	if (r)
		return r;
	if (ifindex && !if_indextoname(ifindex, place.in))
		return err_sys(err, -errno, "find the device the packet comes by");
	device = ifindex ? find_device(have, ifindex) : NULL;
	if (device) {
		set_hook(&place, device, false);
		place.way = place.on_tunnel ? TRACE_FROM_TUNNEL : TRACE_FROM_LAN;
	} else {
		place.ingress = ifindex;
		place.way = ifindex ? TRACE_FOREIGN : TRACE_OWN;
		r = find_egress(have, &request->packet.dst, &place, err);
	}
	if (!r)
		*out = place;
	return r;
}
