// SPDX-License-Identifier: GPL-2.0-only
/* The XDP program of LAN devices. It shares its maps with the tc programs, by their pins. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/maps.h"

/* Leaves everything to the tc programs behind it, which count it. */
SEC("xdp")
int tp_xdp_lan(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
