// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/apply.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "kernel/bpf_info.h"
#include "kernel/bpf_judge.h"
#include "kernel/bpf_rows.h"
#include "kernel/bpf_service.h"
#include "kernel/bpf_socket.h"
#include "kernel/bpf_switch.h"
#include "kernel/bpf_take_over.h"
#include "kernel/ops_net.h"
#include "kernel/stale.h"
#include "kernel/sysctl.h"

static int set_sysctl(const struct apply *apply, struct ops_net_context *net, const struct op *op,
		      struct err *err)
{
	const struct state_sysctl *sysctl = op->args.sysctl;
	int32_t before;
	int r = sysctl_read(sysctl->path, &before, err);

	/* remembered before it is changed, or a crash in between would lose it */
	if (!r)
		r = bpf_save_sysctl(apply->bpf, sysctl->path, before, sysctl->value, err);
	if (!r)
		r = ops_net_run(net, op, 1, apply->want, apply->have, apply->instance, err);
	return r;
}

static int restore_sysctl(const struct apply *apply, struct ops_net_context *net,
			  const struct op *op, struct err *err)
{
	int r = ops_net_run(net, op, 1, apply->want, apply->have, apply->instance, err);

	return r ? r : bpf_forget_sysctl(apply->bpf, op->args.sysctl->path, err);
}

/*
 * WireGuard in the kernel turns this off for the whole machine when a device of its comes up
 * (wg_open), and never on again: that is left to `down`.
 */
static int save_redirects(const struct apply *apply, struct err *err)
{
	static const char path[] = "net/ipv4/conf/all/send_redirects";
	int32_t before;
	int r = sysctl_read(path, &before, err);

	if (!r && (before || bpf_is_sysctl_shared(apply->bpf, path)))
		r = bpf_save_sysctl(apply->bpf, path, before, 0, err);
	return r;
}

static int set_link(const struct apply *apply, struct ops_net_context *net, const struct op *op,
		    struct err *err)
{
	int r = 0;

	if (apply->want->tunnel.backend == STATE_BACKEND_KERNEL)
		r = save_redirects(apply, err);
	if (!r)
		r = ops_net_run(net, op, 1, apply->want, apply->have, apply->instance, err);
	return r;
}

static int set_device(const struct apply *apply, const struct op *op, struct err *err)
{
	const struct state_device *device = op->args.device;
	int r = bpf_set_device(apply->bpf, device, err);

	if (r || device->device.role != TP_DEV_TUNNEL)
		return r;
	return bpf_note_tunnel(apply->bpf, if_nametoindex(device->name), err);
}

/* Somebody got before it; the kernel takes no program twice, so another one goes first. */
static bool is_behind(const struct apply *apply, const struct state_attachment *want)
{
	const struct state_attachment *have;

	array_for_each(have, &apply->have->attachments)
		if (have->hook == want->hook && !strcmp(have->device, want->device))
			return have->ahead[0];
	return false;
}

/* Those in force, where they are this binary's: loading takes the verifier a second or two. */
static int prepare_program(const struct apply *apply, const struct state_attachment *attachment,
			   struct err *err)
{
	enum state_hook hook = attachment->hook;
	bool in_force = apply->have->generation && !apply->have->older_abi &&
			!memcmp(apply->have->object_hash, apply->want->object_hash, HASH_SIZE);

	if (in_force && !is_behind(apply, attachment) && !apply->bpf->skeleton &&
	    !bpf_find(apply->bpf, hook))
		return 0;
	return hook == HOOK_XDP_LAN ? bpf_load_xdp(apply->bpf, apply->want, err)
				    : bpf_load(apply->bpf, apply->want, err);
}

static int attach(const struct apply *apply, const struct op *op, struct err *err)
{
	const struct state_attachment *attachment = op->args.attachment;
	int r = prepare_program(apply, attachment, err);

	return r ? r : bpf_attach(apply->bpf, attachment, err);
}

static int detach(const struct apply *apply, const struct op *op, struct err *err)
{
	const struct state_attachment *attachment = op->args.attachment;

	return bpf_detach(apply->bpf, attachment, bpf_made_qdisc(apply->bpf, attachment->ifindex),
			  err);
}

/* Also a qdisc that was made for a filter which then could not be attached: no detach saw it. */
static int remove_programs(const struct apply *apply, struct err *err)
{
	const struct state_device *device;
	int r = 0;

	array_for_each(device, &apply->have->devices)
		if (!r && device->device.made_qdisc)
			r = bpf_remove_qdisc(device->ifindex, err);
	return r ? r : bpf_fs_remove(apply->bpf->bpffs, apply->bpf->instance, err);
}

/* With programs that stay as they are there is nothing to load: the tables suffice. */
static int prepare_tables(const struct apply *apply, struct err *err)
{
	if (!apply->bpf->skeleton && apply->have->generation && !apply->have->older_abi &&
	    !bpf_learn_inner(apply->bpf, apply->have->generation))
		return 0;
	return bpf_load(apply->bpf, apply->want, err);
}

static int stage_policy(const struct apply *apply, struct err *err)
{
	int r = prepare_tables(apply, err);

	return r ? r : bpf_stage_policy(apply->bpf, apply->want, err);
}

static int test_policy(const struct apply *apply, struct err *err)
{
	return bpf_judge_probes(apply->bpf, apply->have->generation, &apply->want->tables, err);
}

static int load_programs(const struct apply *apply, struct err *err)
{
	int r = bpf_load(apply->bpf, apply->want, err);

	return r || !apply->want->socket_lb.settings.cgroup[0]
		       ? r
		       : bpf_load_sockets(apply->bpf, apply->want, err);
}

/* The maps of sockets come with their programs, which are loaded when there are services. */
static int set_socket_row(const struct apply *apply, const struct op *op, struct err *err)
{
	struct bpf *bpf = apply->bpf;
	int r = bpf_sockets_have_maps(bpf) ? 0 : bpf_load_sockets(bpf, apply->want, err);

	if (r)
		return r;
	switch (op->kind) {
	case OP_EXEMPT_SET: return bpf_set_exempt(bpf, op->args.exempt, err);
	case OP_FOREIGN_SET: return bpf_set_foreign(bpf, op->args.foreign, err);
	default: return bpf_set_socket_lb(bpf, &apply->want->socket_lb.settings, err);
	}
}

static int run_service_op(const struct apply *apply, const struct op *op, struct err *err)
{
	struct bpf *bpf = apply->bpf;

	switch (op->kind) {
	case OP_BACKENDS_SET: return bpf_set_backends(bpf, op->args.backends, err);
	case OP_SERVICE_SET: return bpf_set_service(bpf, op->args.service, err);
	case OP_EXEMPT_SET:
	case OP_FOREIGN_SET:
	case OP_SOCKET_SETTINGS_SET: return set_socket_row(apply, op, err);
	case OP_BACKENDS_REMOVE: return bpf_remove_backends(bpf, op->args.backends->id, err);
	case OP_SERVICE_REMOVE: return bpf_remove_service(bpf, &op->args.service->key, err);
	case OP_FOREIGN_REMOVE: return bpf_remove_foreign(bpf, &op->args.foreign->prefix, err);
	case OP_EXEMPT_REMOVE: return bpf_remove_exempt(bpf, op->args.exempt->cookie, err);
	case OP_SOCKET_ATTACH:
		return bpf_attach_sockets(bpf, apply->want, op->args.socket_set, err);
	case OP_SOCKET_DETACH: return bpf_detach_sockets(bpf, op->args.socket_set, err);
	case OP_SOCKETS_CLOSE: return stale_close(bpf, &apply->want->socket_lb, err);
	default: return err_set(err, -EINVAL, "no such step");
	}
}

static int run_bpf_op(const struct apply *apply, const struct op *op, struct err *err)
{
	struct bpf *bpf = apply->bpf;

	switch (op->kind) {
	case OP_PROGRAMS_LOAD: return load_programs(apply, err);
	case OP_DEVICE_SET: return set_device(apply, op, err);
	case OP_DEVICE_REMOVE: return bpf_remove_device(bpf, op->args.device->ifindex, err);
	case OP_LIMITS_SET: return bpf_set_limits(bpf, &apply->want->limits, err);
	case OP_ATTACH: return attach(apply, op, err);
	case OP_DETACH: return detach(apply, op, err);
	case OP_POLICY_STAGE: return stage_policy(apply, err);
	case OP_POLICY_TEST: return test_policy(apply, err);
	case OP_POLICY_SWITCH: return bpf_switch_policy(bpf, apply->want, err);
	case OP_POLICY_NOTE: return 0; /* bpf_note_applied, last of all */
	case OP_PROGRAMS_REMOVE: return remove_programs(apply, err);
	default: return run_service_op(apply, op, err);
	}
}

static int run_op(const struct apply *apply, struct ops_net_context *net, const struct op *op,
		  struct err *err)
{
	if (op->kind == OP_SYSCTL_SET)
		return set_sysctl(apply, net, op, err);
	if (op->kind == OP_SYSCTL_RESTORE)
		return restore_sysctl(apply, net, op, err);
	if (op->kind == OP_LINK_SET)
		return set_link(apply, net, op, err);
	if (ops_net_handles(op->kind))
		return ops_net_run(net, op, 1, apply->want, apply->have, apply->instance, err);
	return run_bpf_op(apply, op, err);
}

/* How many of the ops from op on are one step. */
static size_t count_together(const struct op *op, size_t left)
{
	return bpf_info_handles(op->kind) ? bpf_info_count(op, left) : ops_net_count(op, left);
}

static int run_step(const struct apply *apply, struct ops_net_context *net, const struct op *op,
		    size_t count, struct err *err)
{
	if (bpf_info_handles(op->kind))
		return bpf_info_run(apply->bpf, op, count, apply->want, err);
	if (count > 1)
		return ops_net_run(net, op, count, apply->want, apply->have, apply->instance, err);
	return run_op(apply, net, op, err);
}

static void tell(const struct apply *apply, const struct op *ops, size_t count)
{
	for (size_t i = 0; apply->progress && i < count; i++)
		apply->progress(&ops[i], apply->progress_data);
}

int apply_plan(const struct apply *apply, const struct plan *plan, struct err *err)
{
	struct ops_net_context net = {};
	size_t done = 0;
	int r;

	if (!plan->ops.count)
		return 0;
	r = ops_net_open(&net, apply->netns, err);
	if (r)
		return r;

	while (!r && done < plan->ops.count) {
		const struct op *op = &plan->ops.items[done];
		size_t count = count_together(op, plan->ops.count - done);

		tell(apply, op, count);
		r = run_step(apply, &net, op, count, err);
		done += count;
	}
	if (!r && apply->want)
		r = bpf_finish_take_over(apply->bpf, err);
	if (!r && apply->want)
		r = bpf_note_applied(apply->bpf, apply->want, err);
	ops_net_close(&net);
	return r;
}
