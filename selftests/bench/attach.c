// SPDX-License-Identifier: GPL-2.0-only
#include "attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>

/* linux/bpf.h before 6.6 has neither; the numbers are the kernel's ABI. */
#define TCX_INGRESS 46
#define TCX_EGRESS  47

#define LAST_PRIORITY 60000

int attach_xdp(const struct bpf_program *program, uint32_t ifindex, struct err *err)
{
	int r = bpf_xdp_attach((int)ifindex, bpf_program__fd(program), XDP_FLAGS_DRV_MODE, NULL);

	return r ? err_sys(err, r, "attach %s", bpf_program__name(program)) : 0;
}

static int attach_clsact(const struct bpf_program *program, uint32_t ifindex, bool egress)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = LAST_PRIORITY,
		    .prog_fd = bpf_program__fd(program));
	int r = bpf_tc_hook_create(&hook);

	return r && r != -EEXIST ? r : bpf_tc_attach(&hook, &opts);
}

int attach_tc(const struct bpf_program *program, uint32_t ifindex, bool egress, struct err *err)
{
	int type = egress ? TCX_EGRESS : TCX_INGRESS;
	int r;

	/* the link's fd stays open: the attachment lives as long as this process */
	r = bpf_link_create(bpf_program__fd(program), (int)ifindex, type, NULL);
	if (r == -EINVAL) /* what a kernel without tcx says */
		r = attach_clsact(program, ifindex, egress);
	return r < 0 ? err_sys(err, r, "attach %s", bpf_program__name(program)) : 0;
}
