// SPDX-License-Identifier: GPL-2.0-only
/* In which mode XDP is attached, by the driver: a veth runs it, a tun without Ethernet does not. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

#include "kernel/bpf_links.h"
#include "policies.h"
#include "rig.h"
#include "test.h"

static struct state_attachment lan(enum device device, enum state_xdp xdp)
{
	struct state_attachment attachment = { .hook = HOOK_XDP_LAN, .xdp = xdp };

	rig_start(OPEN_ROUTED);
	attachment.ifindex = world_ifindex(device);
	snprintf(attachment.device, sizeof(attachment.device), "%s", world_device_names[device]);
	return attachment;
}

/* XDP_ATTACHED_*, as the kernel has it. */
static int mode_of(enum device device)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);

	CHECK(!bpf_xdp_query((int)world_ifindex(device), 0, &opts));
	return opts.attach_mode;
}

static bool is_noted_native(enum device device)
{
	uint32_t ifindex = world_ifindex(device);
	struct tp_device row;

	CHECK(!bpf_map_lookup_elem(rig_map("tp_devices"), &ifindex, &row));
	return row.flags & TP_DEV_XDP_NATIVE;
}

static void check_attached(enum device device, enum state_xdp xdp, int mode)
{
	struct state_attachment attachment = lan(device, xdp);
	struct err err;

	test_check(!bpf_attach(rig_bpf(), &attachment, &err), __FILE__, __LINE__, "%s", err.text);
	CHECK_INT(mode_of(device), mode);
	CHECK_INT(is_noted_native(device), mode == XDP_ATTACHED_DRV);

	CHECK(!bpf_detach(rig_bpf(), &attachment, false, &err));
	CHECK_INT(mode_of(device), XDP_ATTACHED_NONE);
	CHECK(!is_noted_native(device));
}

TEST(auto_is_native_where_the_driver_can)
{
	check_attached(LAN0, STATE_XDP_AUTO, XDP_ATTACHED_DRV);
}

TEST(auto_is_generic_where_the_driver_cannot)
{
	check_attached(TUNNEL0, STATE_XDP_AUTO, XDP_ATTACHED_SKB);
}

TEST(generic_is_generic_also_where_the_driver_can)
{
	check_attached(LAN0, STATE_XDP_GENERIC, XDP_ATTACHED_SKB);
}

TEST(native_is_an_error_where_the_driver_cannot)
{
	struct state_attachment attachment = lan(TUNNEL0, STATE_XDP_NATIVE);
	struct err err;

	CHECK_INT(bpf_attach(rig_bpf(), &attachment, &err), -EOPNOTSUPP);
	CHECK(strstr(err.text, "its driver does not run it"));
	CHECK_INT(mode_of(TUNNEL0), XDP_ATTACHED_NONE);
}

/* Between looking and attaching: nobody's program is taken for a driver that refuses. */
TEST(auto_does_not_replace_what_has_come_meanwhile)
{
	struct state_attachment attachment = lan(LAN0, STATE_XDP_AUTO);
	int theirs = bpf_program_fd(rig_bpf(), HOOK_XDP_LAN);
	int ifindex = (int)world_ifindex(LAN0);
	struct err err;

	CHECK(!bpf_xdp_attach(ifindex, theirs, XDP_FLAGS_SKB_MODE, NULL));
	CHECK_INT(bpf_attach(rig_bpf(), &attachment, &err), -EBUSY);
	CHECK_TEXT(err.text, "attach tp_xdp_lan to lan0: it runs an XDP program that is not ours");
	CHECK_INT(mode_of(LAN0), XDP_ATTACHED_SKB);
	CHECK(!bpf_xdp_detach(ifindex, XDP_FLAGS_SKB_MODE, NULL));

	CHECK(!bpf_xdp_attach(ifindex, theirs, XDP_FLAGS_DRV_MODE, NULL));
	CHECK_INT(bpf_attach(rig_bpf(), &attachment, &err), -EBUSY);
	CHECK_INT(mode_of(LAN0), XDP_ATTACHED_DRV);
	CHECK(!bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL));
}
