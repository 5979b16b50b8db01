// SPDX-License-Identifier: GPL-2.0-only
/*
 * The XDP program of LAN devices. It shares its maps with the tc programs, by their pins, and
 * counts only what ends here: what it passes, tc looks at and counts.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/hook_xdp.h"
#include "lib/start.h"
#include "lib/verdict.h"
#include "lib/wire.h"

static __always_inline int finish(int reason)
{
	enum tp_verdict verdict = reason < 0 ? TP_STACK : verdict_of(reason);

	if (verdict == TP_STACK)
		return XDP_PASS;
	count_reason(reason);
	return verdict == TP_FORWARD ? XDP_REDIRECT : XDP_DROP;
}

/*
 * Not "xdp.frags", though a driver with jumbo frames takes nothing else and is left to generic
 * mode: there the kernel copies the packet for such a program, and forgets the length of its link
 * header, so that tc would see every frame without one (measured on 6.18).
 */
SEC("xdp")
int tp_xdp_lan(struct xdp_md *xdp)
{
	const struct tp_device *device = device_find(xdp->ingress_ifindex, TP_DEV_LAN);
	struct pkt pkt;

	if (!device || !wire_is_for_us(xdp, device) ||
	    !pkt_start(&pkt, xdp, TP_SIDE_LAN, L2_ETHERNET))
		return XDP_PASS;
	return finish(from_wire(&pkt, device, xdp->ingress_ifindex));
}

char _license[] SEC("license") = "GPL";
