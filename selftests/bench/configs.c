// SPDX-License-Identifier: GPL-2.0-only
#include "configs.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "base/mem.h"
#include "bench.skel.h"
#include "kernel/sysctl.h"
#include "net.h"
#include "router.h"

#define RULES 100

/* ---- floors ------------------------------------------------------------------------------- */

static int xdp_drop(struct lane *lane, struct err *err)
{
	return attach_xdp(lane->bpf->progs.bench_xdp_drop, lane->in_ifindex, err);
}

static int xdp_static(struct lane *lane, struct err *err)
{
	return attach_xdp(lane->bpf->progs.bench_xdp_static, lane->in_ifindex, err);
}

static int tc_drop(struct lane *lane, struct err *err)
{
	return attach_tc(lane->bpf->progs.bench_tc_drop, lane->in_ifindex, false, err);
}

static int tc_static(struct lane *lane, struct err *err)
{
	return attach_tc(lane->bpf->progs.bench_tc_static, lane->in_ifindex, false, err);
}

static int tun_static(struct lane *lane, struct err *err)
{
	return attach_tc(lane->bpf->progs.bench_tun_static, lane->in_ifindex, false, err);
}

/* ---- peers -------------------------------------------------------------------------------- */

static int kernel(struct lane *lane, struct err *err)
{
	(void)lane; /* it is all in the lane already */
	(void)err;
	return 0;
}

/*
 * Masquerading, and a rule set as people have them: established connections first, a hundred rules
 * that do not match, then the one that does. Cards check checksums, so conntrack need not here.
 */
static int nft_rules(const char *flowtable, const char *offload, struct err *err)
{
	static const char *const argv[] = { "nft", "-f", "-", NULL };
	AUTO_FREE char *rules = mem_format("%s", "");
	AUTO_FREE char *script = NULL;
	int i;

	for (i = 0; rules && i < RULES; i++) {
		char *longer = mem_format("%s\t\tip saddr 10.0.%d.0/24 tcp dport %d accept\n",
					  rules, i, 1000 + i);

		mem_free_ptr(&rules);
		rules = longer;
	}
	script = mem_format("table ip bench {\n%s"
			    "\tchain forward {\n"
			    "\t\ttype filter hook forward priority 0; policy drop;\n%s"
			    "\t\tct state established,related accept\n%s"
			    "\t\tip daddr " LANE_SERVERS
			    " meta l4proto { tcp, udp } th dport %d accept\n"
			    "\t}\n"
			    "\tchain leave {\n"
			    "\t\ttype nat hook postrouting priority srcnat;\n"
			    "\t\toifname lan0 masquerade\n"
			    "\t}\n}\n",
			    flowtable, offload, rules ? rules : "", BENCH_PORT);
	if (!script)
		return err_sys(err, -ENOMEM, "rules");
	if (net_run(argv, script, err))
		return err->code;
	return sysctl_write("net/netfilter/nf_conntrack_checksum", 0, err);
}

static int nft(struct lane *lane, struct err *err)
{
	(void)lane;
	return nft_rules("", "", err);
}

static int flowtable(struct lane *lane, struct err *err)
{
	AUTO_FREE char *table = mem_format("\tflowtable fast { hook ingress priority 0; "
					   "devices = { %s, lan0 }; }\n",
					   lane->in);

	if (!table)
		return err_sys(err, -ENOMEM, "rules");
	return nft_rules(table, "\t\tct state established flow add @fast\n", err);
}

/* Both devices' numbers are their keys: that is how the program finds what the lookup names. */
static int add_device(const struct lane *lane, uint32_t ifindex, struct err *err)
{
	int r = bpf_map__update_elem(lane->bpf->maps.bench_devices, &ifindex, sizeof(ifindex),
				     &ifindex, sizeof(ifindex), 0);

	return r ? err_sys(err, r, "add a device to forward to") : 0;
}

static int xdp_fib(struct lane *lane, struct err *err)
{
	const struct bpf_program *program = lane->bpf->progs.bench_xdp_fib;
	int r = add_device(lane, lane->in_ifindex, err);

	if (!r)
		r = add_device(lane, lane->lan_ifindex, err);
	if (!r)
		r = attach_xdp(program, lane->in_ifindex, err);
	return r ? r : attach_xdp(program, lane->lan_ifindex, err);
}

/* ---- table -------------------------------------------------------------------------------- */

const struct config configs[] = {
	{ "xdp-drop", "XDP drop", CONFIG_FLOOR, .lan = xdp_drop },
	{ "xdp-static", "XDP static redirect", CONFIG_FLOOR, .lan = xdp_static },
	{ "tc-drop", "tc drop", CONFIG_FLOOR, .lan = tc_drop, .tun = tc_drop },
	{ "tc-static", "tc static redirect", CONFIG_FLOOR, .lan = tc_static, .tun = tun_static },
	{ "kernel", "kernel", CONFIG_ROUTER, .lan = kernel, .tun = kernel },
	{ "nft", "kernel + masquerade + 100 rules", CONFIG_NAT, .lan = nft, .tun = nft },
	{ "flowtable", "the same with a flowtable", CONFIG_NAT, .lan = flowtable,
	  .tun = flowtable },
	{ "xdp-fib", "XDP FIB forwarding", CONFIG_ROUTER, .lan = xdp_fib },
	{ "towpath", "towpath", CONFIG_NAT, .lan = router_start_lan, .tun = router_start_tun },
};
const int config_count = ARRAY_SIZE(configs);

const struct config *config_find(const char *name)
{
	int i;

	for (i = 0; i < config_count; i++)
		if (!strcmp(configs[i].name, name))
			return &configs[i];
	return NULL;
}
