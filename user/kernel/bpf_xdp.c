// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_pin.h"
#include "kernel/bpf_rows.h"

/* Of the program that is attached. */
static int read_mode(uint32_t ifindex, enum state_xdp *out)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	int r = bpf_xdp_query((int)ifindex, 0, &opts);

	if (r)
		return r;
	*out = opts.attach_mode == XDP_ATTACHED_SKB ? STATE_XDP_GENERIC : STATE_XDP_NATIVE;
	return 0;
}

static bool is_fitting(enum state_xdp wanted, enum state_xdp mode)
{
	return wanted == STATE_XDP_AUTO || wanted == mode;
}

/* The new link's fd, or a negative errno. */
static int create(const struct bpf *bpf, uint32_t ifindex, enum state_xdp mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = mode == STATE_XDP_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	/* before it runs, or it would for a moment rewrite what it must not */
	int r = bpf_note_xdp(bpf, ifindex, mode == STATE_XDP_NATIVE, NULL);
	int fd;

	if (r)
		return r;
	fd = bpf_link_create(bpf_program_fd(bpf, HOOK_XDP_LAN), (int)ifindex, BPF_XDP, &opts);
	return fd < 0 ? -errno : fd;
}

/* EEXIST: a program in the other mode. */
static bool is_taken(int r)
{
	return r == -EBUSY || r == -EEXIST;
}

/* Drivers have many words for no: EOPNOTSUPP, EINVAL, ERANGE, ENOSPC, ENOMEM and others. */
static bool is_refusal(int r)
{
	return !is_taken(r) && r != -EPERM && r != -ENODEV && r != -ENOENT;
}

static int explain(const struct state_attachment *a, int r, struct err *err)
{
	const char *program = state_program_name(a->hook);

	if (is_taken(r))
		return err_set(err, -EBUSY,
			       "attach %s to %s: it runs an XDP program that is not ours", program,
			       a->device);
	if (a->xdp == STATE_XDP_NATIVE && is_refusal(r))
		return err_set(err, -EOPNOTSUPP,
			       "attach %s to %s: its driver does not run it (%s); set the node's "
			       "\"xdp\" to \"generic\" or \"auto\"",
			       program, a->device, strerror(-r));
	return err_sys(err, r, "attach %s to %s", program, a->device);
}

static int attach_anew(const struct bpf *bpf, const struct state_attachment *a, uint32_t ifindex,
		       struct err *err)
{
	AUTO_CLOSE int fd = -1;

	if (a->xdp != STATE_XDP_GENERIC)
		fd = create(bpf, ifindex, STATE_XDP_NATIVE);
	if (a->xdp == STATE_XDP_GENERIC || (a->xdp == STATE_XDP_AUTO && fd < 0 && is_refusal(fd)))
		fd = create(bpf, ifindex, STATE_XDP_GENERIC);
	if (fd < 0)
		return explain(a, fd, err);
	return bpf_pin_add(bpf, fd, a, err);
}

int bpf_xdp_attach_lan(const struct bpf *bpf, const struct state_attachment *a, uint32_t ifindex,
		       struct err *err)
{
	AUTO_CLOSE int fd = bpf_pin_open(bpf, a->device, a->hook, ifindex);
	enum state_xdp mode;
	int r;

	if (fd < 0)
		return attach_anew(bpf, a, ifindex, err);
	r = read_mode(ifindex, &mode);
	if (r)
		return err_sys(err, r, "look at XDP on %s", a->device);
	if (is_fitting(a->xdp, mode)) {
		r = bpf_note_xdp(bpf, ifindex, mode == STATE_XDP_NATIVE, err);
		return r ? r : bpf_pin_update(bpf, fd, a, err);
	}
	/* a link cannot change its mode: for a moment all of the LAN is tc's */
	r = bpf_pin_remove(bpf, a, err);
	return r ? r : attach_anew(bpf, a, ifindex, err);
}

int bpf_xdp_detach_lan(const struct bpf *bpf, const struct state_attachment *a, struct err *err)
{
	int r = bpf_pin_remove(bpf, a, err);

	if (r)
		return r;
	r = bpf_note_xdp(bpf, a->ifindex, false, err);
	return r == -ENOENT ? 0 : r; /* the device has no row any more */
}

static bool is_ours(const struct state *have, uint32_t ifindex)
{
	const struct state_attachment *attachment;

	array_for_each(attachment, &have->attachments)
		if (attachment->hook == HOOK_XDP_LAN && attachment->ifindex == ifindex)
			return true;
	return false;
}

static void read_name(struct facts_xdp *xdp)
{
	AUTO_CLOSE int fd = bpf_prog_get_fd_by_id(xdp->program);
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);
	bool told = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &length) && info.name[0];

	snprintf(xdp->name, sizeof(xdp->name), "%s", told ? info.name : "unnamed");
}

void bpf_xdp_leave_foreign(const struct state *have, struct facts *facts)
{
	struct facts_link *link;

	array_for_each(link, &facts->links) {
		if (!link->xdp.program)
			continue;
		if (is_ours(have, link->ifindex))
			link->xdp = (struct facts_xdp){ 0 };
		else
			read_name(&link->xdp);
	}
}
