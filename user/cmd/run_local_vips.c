// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local VIPs in the life of `run`: whether another machine answers for one goes into its row of
 * tp_local_vips, and stays there when no daemon runs. A socket for each LAN device hears answers
 * and announcements alike.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/run.h"
#include "kernel/bpf_local_vip.h"

#define READ_MS 1000 /* how long a program may have met an address before it is asked for */

/* A LAN device; in its own memory, for its sources must not move. */
struct vip_device {
	struct run *run;
	struct lan_watch watch;
	struct loop_source arp, neighbours;
};

static void device_free(struct vip_device *device)
{
	if (!device)
		return;
	loop_remove(&device->run->loop, &device->arp);
	loop_remove(&device->run->loop, &device->neighbours);
	lan_watch_close(&device->watch);
	free(device);
}

/* ---- rows ---- */

static int open_maps(const struct run *run, struct bpf *bpf, struct err *err)
{
	return bpf_open(bpf, run->args->bpffs, run->args->instance, false, err);
}

static int set_row(const struct run *run, const struct local_vip *vip, struct err *err)
{
	struct local_vip_row row = { .vip = { .used = vip->used, .where = vip->where } };
	struct bpf bpf;
	int r = open_maps(run, &bpf, err);

	memcpy(&row.addr, &vip->addr, sizeof(row.addr));
	if (!r)
		r = bpf_set_local_vip(&bpf, &row, err);
	bpf_close(&bpf);
	return r;
}

static void tell(const struct run *run, const struct local_vip *vip)
{
	char text[ADDR_TEXT_SIZE];
	struct err err;
	int r = set_row(run, vip, &err);

	addr_put(text, &vip->addr);
	log_info("local VIP %s: %s", text,
		 vip->where == TP_VIP_HERE ? "nobody on the LAN answers for it, so it is here"
					   : "another machine answers for it");
	if (r)
		log_error("run: local VIP %s: %s", text, err.text);
}

/* Of addresses that the policy does not call so any more. */
static void remove_row(const struct bpf *bpf, const struct tp_addr *addr)
{
	struct err err;

	if (bpf_remove_local_vip(bpf, addr, &err))
		log_error("run: %s", err.text);
}

static int meet(struct run_local_vips *vips, const struct bpf *bpf, const struct local_vip_row *row,
		int64_t now)
{
	struct addr addr;
	int r;

	memcpy(&addr, &row->addr, sizeof(addr));
	r = local_vips_meet(&vips->vips, vips->ranges.items, vips->ranges.count, &addr, &row->vip,
			    now);
	if (r == -ENOENT)
		remove_row(bpf, &row->addr);
	return r == -ENOENT ? 0 : r;
}

static void drop_idle(struct run_local_vips *vips, const struct bpf *bpf, int64_t now)
{
	size_t i, kept = 0;

	for (i = 0; i < vips->vips.count; i++) {
		const struct local_vip *vip = &vips->vips.items[i];
		struct tp_addr addr;

		memcpy(&addr, &vip->addr, sizeof(addr));
		if (local_vip_is_idle(vip, now))
			remove_row(bpf, &addr);
		else
			vips->vips.items[kept++] = *vip;
	}
	vips->vips.count = kept;
}

static int read_rows(struct run *run, int64_t now, struct err *err)
{
	const struct local_vip_row *row;
	struct state have = { 0 };
	struct bpf bpf;
	int r = open_maps(run, &bpf, err);

	if (!r)
		r = bpf_read_local_vips(&bpf, &have, err);
	array_for_each(row, &have.found_vips)
		if (!r && meet(&run->local_vips, &bpf, row, now))
			r = err_set(err, -ENOMEM, "out of memory");
	if (!r)
		drop_idle(&run->local_vips, &bpf, now);
	state_free(&have);
	bpf_close(&bpf);
	return r;
}

/* ---- questions ---- */

static const struct vip_device *find_device(const struct run_local_vips *vips, const char *name)
{
	struct vip_device **device;

	array_for_each(device, &vips->devices)
		if (!strcmp((*device)->watch.at.name, name))
			return *device;
	return NULL;
}

static void ask(const struct run_local_vips *vips, const struct local_vip *vip)
{
	const char *name = vips->ranges.items[vip->place].device;
	const struct vip_device *device = find_device(vips, name);
	char text[ADDR_TEXT_SIZE];
	struct err err;

	if (device && lan_watch_ask(&device->watch, &vip->addr, &err))
		log_debug("ask %s for %s: %s", name, addr_put(text, &vip->addr), err.text);
}

static void look(void *data)
{
	struct run *run = data;
	struct run_local_vips *vips = &run->local_vips;
	int64_t now = loop_now_ms(), next;
	struct local_vip *vip;
	struct err err;

	if (now >= vips->read_ms) {
		vips->read_ms = now + READ_MS;
		if (read_rows(run, now, &err))
			log_error("run: local VIPs: %s", err.text);
	}
	next = vips->read_ms;
	array_for_each(vip, &vips->vips) {
		bool due;

		if (local_vip_look(vip, now, &due))
			tell(run, vip);
		if (due)
			ask(vips, vip);
		if (vip->due_ms < next)
			next = vip->due_ms;
	}
	loop_timer_arm(&vips->timer, next > now ? (uint32_t)(next - now) : 1);
}

/* ---- answers ---- */

static void hear(struct vip_device *device, struct loop_source *source)
{
	struct run *run = device->run;
	struct local_vip *vip;
	struct addr addr;
	int r;

	while ((r = lan_watch_hear(&device->watch, source->fd, &addr)) >= 0) {
		vip = r ? local_vips_find(&run->local_vips.vips, &addr) : NULL;
		if (vip && local_vip_hear(vip, loop_now_ms()))
			tell(run, vip);
	}
	/* a device that is down says so once, and is heard again when it is up */
	if (r != -EAGAIN && r != -ENETDOWN)
		loop_remove(&run->loop, source);
}

static void hear_arp(void *data)
{
	struct vip_device *device = data;

	hear(device, &device->arp);
}

static void hear_neighbours(void *data)
{
	struct vip_device *device = data;

	hear(device, &device->neighbours);
}

/* ---- devices ---- */

static void put_at(const struct state_device *device, struct lan_watch_at *at)
{
	*at = (struct lan_watch_at){ .ifindex = device->ifindex };
	memcpy(at->name, device->name, sizeof(at->name));
	memcpy(at->mac, device->device.mac, sizeof(at->mac));
	memcpy(&at->addr4, &device->device.addr4, sizeof(at->addr4));
	memcpy(&at->addr6, &device->device.addr6, sizeof(at->addr6));
}

static int listen_on(struct run *run, struct vip_device *device, struct err *err)
{
	int r = loop_add(&run->loop, &device->arp, device->watch.arp_fd, hear_arp, device, err);

	return r ? r
		 : loop_add(&run->loop, &device->neighbours, device->watch.neighbour_fd,
			    hear_neighbours, device, err);
}

static int add_device(struct run *run, const struct lan_watch_at *at, struct err *err)
{
	struct vip_device *device = mem_alloc(1, sizeof(*device));
	struct vip_device **place = device ? array_add(&run->local_vips.devices) : NULL;
	int r;

	if (!place) {
		free(device);
		return err_set(err, -ENOMEM, "out of memory");
	}
	*place = device;
	device->run = run;
	r = lan_watch_open(&device->watch, at, err);
	if (!r)
		r = listen_on(run, device, err);
	if (r) {
		run->local_vips.devices.count--;
		device_free(device);
	}
	return r;
}

static bool has_vips(const struct state *want, const char *device)
{
	const struct state_local_vips *vips;

	array_for_each(vips, &want->local_vips)
		if (!strcmp(vips->device, device))
			return true;
	return false;
}

static void close_devices(struct run_local_vips *vips)
{
	struct vip_device **device;

	array_for_each(device, &vips->devices)
		device_free(*device);
	vips->devices.count = 0;
}

static bool is_same_place(const struct lan_watch_at *a, const struct lan_watch_at *b)
{
	return a->ifindex == b->ifindex && !memcmp(a->mac, b->mac, sizeof(a->mac)) &&
	       addr_is_equal(&a->addr4, &b->addr4) && addr_is_equal(&a->addr6, &b->addr6);
}

static bool is_same(const struct run_local_vips *vips, const struct state *want)
{
	const struct state_device *device;
	struct lan_watch_at at;
	size_t same = 0;

	array_for_each(device, &want->devices) {
		const struct vip_device *known = find_device(vips, device->name);

		if (!has_vips(want, device->name))
			continue;
		put_at(device, &at);
		if (!known || !is_same_place(&known->watch.at, &at))
			return false;
		same++;
	}
	return same == vips->devices.count;
}

static int open_devices(struct run *run, const struct state *want, struct err *err)
{
	const struct state_device *device;
	struct lan_watch_at at;
	int r = 0;

	array_for_each(device, &want->devices) {
		if (r || !has_vips(want, device->name))
			continue;
		put_at(device, &at);
		r = add_device(run, &at, err);
	}
	return r;
}

/* Where the LAN devices are. */
static int reopen_devices(struct run *run, const struct pipeline *p, struct err *err)
{
	const char *name = p->self->node->tunnel.netns;
	struct netns netns = NETNS_HOME;
	int r = name ? netns_open(name, &netns, err) : 0;

	close_devices(&run->local_vips);
	if (!r)
		r = netns_enter(&netns, err);
	if (!r) {
		r = open_devices(run, &p->want, err);
		netns_leave(&netns);
	}
	netns_close(&netns);
	return r;
}

static int copy_ranges(struct run_local_vips *vips, const struct state *want)
{
	struct state_local_vips *ranges;

	array_clear(&vips->ranges);
	ranges = array_extend(&vips->ranges, want->local_vips.count);
	if (!ranges)
		return -ENOMEM;
	memcpy(ranges, want->local_vips.items, want->local_vips.count * sizeof(*ranges));
	return 0;
}

void run_local_vips_follow(struct run *run, const struct pipeline *p)
{
	struct run_local_vips *vips = &run->local_vips;
	struct err err = { 0 };
	int r = 0;

	if (!p->want.local_vips.count) {
		run_local_vips_stop(run);
		return;
	}
	if (!is_same(vips, &p->want))
		r = reopen_devices(run, p, &err);
	if (!r && (copy_ranges(vips, &p->want) ||
		   local_vips_follow(&vips->vips, &p->want, loop_now_ms())))
		r = err_set(&err, -ENOMEM, "out of memory");
	if (r)
		log_error("run: local VIPs are not followed: %s", err.text);
	vips->read_ms = loop_now_ms();
	loop_timer_arm(&vips->timer, 1);
}

int run_local_vips_open(struct run *run, struct err *err)
{
	return loop_timer_open(&run->local_vips.timer, &run->loop, false, look, run, err);
}

void run_local_vips_stop(struct run *run)
{
	struct run_local_vips *vips = &run->local_vips;

	loop_timer_disarm(&vips->timer);
	close_devices(vips);
	array_clear(&vips->devices);
	array_clear(&vips->ranges);
	array_clear(&vips->vips);
}

void run_local_vips_close(struct run *run)
{
	if (!run->local_vips.timer.loop)
		return;
	run_local_vips_stop(run);
	loop_timer_close(&run->local_vips.timer);
}
