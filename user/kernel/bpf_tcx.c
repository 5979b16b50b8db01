// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_tcx.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_owner.h"
#include "kernel/bpf_pin.h"

/* linux/bpf.h before 6.6 has none of these; the numbers are the kernel's ABI. */
#define TCX_INGRESS  46        /* BPF_TCX_INGRESS */
#define TCX_EGRESS   47        /* BPF_TCX_EGRESS */
#define FLAG_BEFORE  (1U << 3) /* BPF_F_BEFORE; without it a link lands last */
#define PROGRAMS_MAX 64        /* BPF_MPROG_MAX: a hook has no room for more */

static int tcx_type(enum state_hook hook)
{
	return hook == HOOK_TC_EGRESS ? TCX_EGRESS : TCX_INGRESS;
}

static void read_name(uint32_t program_id, char out[BPF_TCX_NAME_SIZE])
{
	AUTO_CLOSE int fd = bpf_prog_get_fd_by_id(program_id);
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);
	bool told = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &length) && info.name[0];

	snprintf(out, BPF_TCX_NAME_SIZE, "%s", told ? info.name : "unnamed");
}

void bpf_tcx_ahead(int fd, uint32_t ifindex, enum state_hook hook, char out[BPF_TCX_NAME_SIZE])
{
	__u32 ids[PROGRAMS_MAX] = { 0 }, count = PROGRAMS_MAX, i;
	uint32_t ours = bpf_pin_program_id(fd);

	out[0] = '\0';
	if (!ours || bpf_prog_query((int)ifindex, tcx_type(hook), 0, NULL, ids, &count))
		return;
	for (i = 0; i < count && i < PROGRAMS_MAX && ids[i] != ours; i++)
		if (!bpf_is_towpath(ids[i], hook)) {
			read_name(ids[i], out);
			return;
		}
}

static int attach_anew(const struct bpf *bpf, const struct state_attachment *a, uint32_t ifindex,
		       struct err *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = FLAG_BEFORE);
	AUTO_CLOSE int fd = bpf_link_create(bpf_program_fd(bpf, a->hook), (int)ifindex,
					    tcx_type(a->hook), &opts);

	if (fd < 0)
		return err_sys(err, -errno, "attach %s to %s by tcx", state_program_name(a->hook),
			       a->device);
	return bpf_pin_add(bpf, fd, a, err);
}

int bpf_tcx_attach(const struct bpf *bpf, const struct state_attachment *a, uint32_t ifindex,
		   struct err *err)
{
	AUTO_CLOSE int old = bpf_pin_open(bpf, a->device, a->hook, ifindex);
	char ahead[BPF_TCX_NAME_SIZE] = "";
	int r;

	if (old >= 0)
		bpf_tcx_ahead(old, ifindex, a->hook, ahead);
	if (old >= 0 && !ahead[0])
		return bpf_pin_update(bpf, old, a, err);

	r = attach_anew(bpf, a, ifindex, err);
	/* others may hold it, so that closing it would not do. ENOLINK: its device is gone */
	if (!r && old >= 0 && bpf_link_detach(old) && errno != ENOLINK)
		r = err_sys(err, -errno, "detach the earlier %s from %s",
			    state_program_name(a->hook), a->device);
	return r;
}
