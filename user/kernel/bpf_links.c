// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_links.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_owner.h"
#include "kernel/bpf_pin.h"
#include "kernel/bpf_rows.h"
#include "kernel/bpf_socket.h"
#include "kernel/bpf_tcx.h"
#include "kernel/bpf_xdp.h"
#include "kernel/rt_filter.h"

static enum bpf_tc_attach_point clsact_point(enum state_hook hook)
{
	return hook == HOOK_TC_EGRESS ? BPF_TC_EGRESS : BPF_TC_INGRESS;
}

/* The id of our clsact filter's program, 0 when there is none. */
static uint32_t clsact_program(uint32_t ifindex, enum state_hook hook_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = clsact_point(hook_id));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TP_TC_HANDLE, .priority = TP_TC_PRIORITY);

	return bpf_tc_query(&hook, &opts) ? 0 : opts.prog_id;
}

static int clsact_attach(const struct bpf *bpf, const struct state_attachment *a, uint32_t ifindex,
			 struct err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = clsact_point(a->hook));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TP_TC_HANDLE, .priority = TP_TC_PRIORITY,
		    .prog_fd = bpf_program_fd(bpf, a->hook), .flags = BPF_TC_F_REPLACE);
	uint32_t there = clsact_program(ifindex, a->hook);
	int r;

	if (there && !bpf_owns_program(bpf, there, state_program_name(a->hook)))
		return err_set(err, -EEXIST,
			       "%s holds a filter of priority %u and handle %u that is not ours",
			       a->device, TP_TC_PRIORITY, TP_TC_HANDLE);
	r = bpf_tc_hook_create(&hook);
	if (r && r != -EEXIST)
		return err_sys(err, r, "add a clsact qdisc to %s", a->device);
	/* noted before anything else can go wrong, or `down` would leave it behind */
	if (!r)
		r = bpf_note_qdisc(bpf, ifindex, err);
	if (r && r != -EEXIST)
		return r;
	r = bpf_tc_attach(&hook, &opts);
	if (r)
		return err_sys(err, r, "attach %s to %s by clsact", state_program_name(a->hook),
			       a->device);
	return 0;
}

int bpf_remove_qdisc(uint32_t ifindex, struct err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int filters = rt_filter_count(ifindex, err), r;

	if (filters)
		return filters < 0 ? filters : 0; /* somebody else moved in: leave it */
	r = bpf_tc_hook_destroy(&hook);
	/* the qdisc or its device is gone already */
	if (r && r != -ENOENT && r != -EINVAL && r != -ENODEV)
		return err_sys(err, r, "remove our clsact qdisc from device %u", ifindex);
	return 0;
}

static int clsact_detach(const struct bpf *bpf, const struct state_attachment *a, uint32_t ifindex,
			 bool remove_qdisc, struct err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = clsact_point(a->hook));
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TP_TC_HANDLE, .priority = TP_TC_PRIORITY);
	uint32_t program = clsact_program(ifindex, a->hook);
	int r = 0;

	if (program && bpf_owns_program(bpf, program, state_program_name(a->hook)))
		r = bpf_tc_detach(&hook, &opts);
	if (r && r != -ENOENT) /* somebody was faster */
		return err_sys(err, r, "detach %s from %s", state_program_name(a->hook), a->device);
	return remove_qdisc ? bpf_remove_qdisc(ifindex, err) : 0;
}

static int tc_attach(const struct bpf *bpf, const struct state_attachment *a, uint32_t ifindex,
		     struct err *err)
{
	int r;

	if (a->tc != STATE_TC_CLSACT) {
		r = bpf_tcx_attach(bpf, a, ifindex, err);
		if (!r)
			return clsact_detach(bpf, a, ifindex, false, err); /* of an earlier apply */
		if (r != -EINVAL) /* what a kernel without tcx says */
			return r;
		if (a->tc == STATE_TC_TCX)
			return err_set(err, -EOPNOTSUPP,
				       "attach %s to %s by tcx: this kernel has none; "
				       "--tc-attach auto would use clsact",
				       state_program_name(a->hook), a->device);
	}
	r = clsact_attach(bpf, a, ifindex, err);
	return r ? r : bpf_pin_remove(bpf, a, err);
}

int bpf_attach(const struct bpf *bpf, const struct state_attachment *a, struct err *err)
{
	uint32_t ifindex = if_nametoindex(a->device);

	if (!ifindex)
		return err_sys(err, -errno, "find device %s", a->device);
	if (a->hook == HOOK_XDP_LAN)
		return bpf_xdp_attach_lan(bpf, a, ifindex, err);
	return tc_attach(bpf, a, ifindex, err);
}

int bpf_detach(const struct bpf *bpf, const struct state_attachment *a, bool remove_qdisc,
	       struct err *err)
{
	uint32_t ifindex = if_nametoindex(a->device);
	int r;

	if (a->hook == HOOK_XDP_LAN)
		return bpf_xdp_detach_lan(bpf, a, err);
	r = bpf_pin_remove(bpf, a, err);
	if (r || !ifindex)
		return r;
	return clsact_detach(bpf, a, ifindex, remove_qdisc, err);
}

static bool has_filter(const struct bpf *bpf, uint32_t ifindex, enum state_hook hook)
{
	uint32_t program = hook == HOOK_XDP_LAN ? 0 : clsact_program(ifindex, hook);

	return program && bpf_owns_program(bpf, program, state_program_name(hook));
}

/* 0 with *out filled, -ENOENT when this hook holds nothing of ours. */
static int read_one(const struct bpf *bpf, const struct facts_link *device, enum state_hook hook,
		    struct state_attachment *out)
{
	AUTO_CLOSE int fd = bpf_pin_open(bpf, device->name, hook, device->ifindex);

	snprintf(out->device, sizeof(out->device), "%s", device->name);
	out->ifindex = device->ifindex;
	out->hook = hook;
	if (fd < 0)
		return has_filter(bpf, device->ifindex, hook) ? 0 : -ENOENT;

	out->link_id = bpf_pin_link_id(fd);
	out->tcx = hook != HOOK_XDP_LAN;
	if (out->tcx)
		bpf_tcx_ahead(fd, device->ifindex, hook, out->ahead);
	if (hook == HOOK_XDP_LAN)
		out->xdp = device->xdp.native ? STATE_XDP_NATIVE : STATE_XDP_GENERIC;
	return 0;
}

/* Filters are listed for those that are one: tcx programs come before all of them. */
static int find_filter_ahead(struct state_attachment *a, struct err *err)
{
	int first;

	if (a->tcx || a->hook == HOOK_XDP_LAN)
		return 0;
	first = rt_filter_ahead(a->ifindex,
				a->hook == HOOK_TC_EGRESS ? RT_FILTER_EGRESS : RT_FILTER_INGRESS,
				TP_TC_PRIORITY, TP_TC_HANDLE, err);
	if (first < 0)
		return first;
	a->filter_ahead = (uint16_t)first;
	return 0;
}

bool bpf_is_attached(const struct bpf *bpf)
{
	enum bpf_pins pins = bpf_pins_state(bpf);

	/* a dead link keeps its program loaded; without links only a filter can */
	return pins == BPF_PINS_NONE ? bpf_has_programs(bpf) : pins == BPF_PINS_ALIVE;
}

static int compare_devices(const void *a, const void *b)
{
	const struct state_attachment *x = a, *y = b;
	int r = strcmp(x->device, y->device);

	return r ? r : (int)x->hook - (int)y->hook;
}

int bpf_read_attachments(const struct bpf *bpf, const struct facts *facts, struct state *have,
			 struct err *err)
{
	const struct facts_link *device;
	enum state_hook hook;
	int r;

	array_for_each(device, &facts->links) {
		for (hook = 0; hook < STATE_HOOKS; hook++) {
			struct state_attachment found = {};
			struct state_attachment *added;

			if (read_one(bpf, device, hook, &found))
				continue;
			r = find_filter_ahead(&found, err);
			if (r)
				return r;
			added = array_add(&have->attachments);
			if (!added)
				return err_sys(err, -ENOMEM, "list attachments");
			*added = found;
			have->exists = true;
		}
	}
	if (have->attachments.count)
		qsort(have->attachments.items, have->attachments.count,
		      sizeof(*have->attachments.items), compare_devices);
	return bpf_read_sockets(bpf, have, err);
}
