// SPDX-License-Identifier: GPL-2.0-only
#include "lane.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "base/mem.h"
#include "bench.skel.h"
#include "configs.h"
#include "kernel/sysctl.h"
#include "net.h"

#define MAC_SOURCE "02:00:00:00:00:01"
#define MAC_IN     "02:00:00:00:00:02"
#define MAC_LAN    "02:00:00:00:00:03"
#define MAC_SINK   "02:00:00:00:00:04"

#define SCRIPT_SIZE 16384

/* Lines for `ip -batch`. What does not fit is cut off, and ip complains of it. */
struct script {
	char text[SCRIPT_SIZE];
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void put(struct script *script, const char *format,
						      ...)
{
	size_t room = sizeof(script->text) - script->length;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(script->text + script->length, room, format, args);
	va_end(args);
	if (n > 0)
		script->length += (size_t)n < room ? (size_t)n : room - 1;
}

static int run_in(int netns, const struct script *script, struct err *err)
{
	net_enter(netns);
	return net_ip(script->text, err);
}

/* ---- namespaces and devices --------------------------------------------------------------- */

static int make_namespaces(struct lane *lane, struct err *err)
{
	int i, r = 0;

	for (i = LANE_SOURCE; !r && i <= LANE_SINK; i++) {
		r = net_new(&lane->netns[i], err);
		if (r)
			return r;
		net_enter(lane->netns[i]);
		/* no packets of the kernel's own making */
		r = sysctl_write("net/ipv6/conf/default/addr_gen_mode", 1, err);
	}
	return r;
}

static void put_cable(struct script *script, const char *device, const char *mac, const char *peer,
		      const char *peer_mac, int netns)
{
	put(script,
	    "link add %s address %s type veth peer name %s address %s netns /proc/%d/fd/%d\n",
	    device, mac, peer, peer_mac, (int)getpid(), netns);
}

static int make_router(struct lane *lane, struct err *err)
{
	struct script script = { .length = 0 };
	unsigned int i;

	put(&script, "link set lo up\n");
	put_cable(&script, "lan0", MAC_LAN, "sink0", MAC_SINK, lane->netns[LANE_SINK]);
	if (!lane->from_tun)
		put_cable(&script, lane->in, MAC_IN, "source0", MAC_SOURCE,
			  lane->netns[LANE_SOURCE]);
	put(&script, "addr add " LANE_ROUTER_OUT "/24 dev lan0\nlink set lan0 up\n");
	put(&script, "addr add %s/24 dev %s\n",
	    lane->from_tun ? LANE_ROUTER_IN_TUN : LANE_ROUTER_IN_LAN, lane->in);
	put(&script, "link set %s%s up\n", lane->in, lane->from_tun ? " mtu 1420" : "");
	for (i = 0; i < BENCH_SERVERS; i++)
		put(&script, "neigh add 192.0.2.%u lladdr " MAC_SINK " dev lan0 nud permanent\n",
		    BENCH_SERVER_FIRST + i);
	for (i = 0; i < BENCH_CLIENTS && !lane->from_tun; i++)
		put(&script, "neigh add 198.18.0.%u lladdr " MAC_SOURCE " dev %s nud permanent\n",
		    BENCH_CLIENT_FIRST + i, lane->in);
	return run_in(lane->netns[LANE_ROUTER], &script, err);
}

static int make_sink(const struct lane *lane, struct err *err)
{
	struct script script = { .length = 0 };

	put(&script, "addr add 192.0.2.%u/24 dev sink0\nlink set sink0 up\n", BENCH_SERVER_FIRST);
	put(&script, "neigh add " LANE_ROUTER_OUT " lladdr " MAC_LAN " dev sink0 nud permanent\n");
	put(&script, "route add default via " LANE_ROUTER_OUT "\n");
	return run_in(lane->netns[LANE_SINK], &script, err);
}

static int make_source(const struct lane *lane, struct err *err)
{
	struct script script = { .length = 0 };

	put(&script, "addr add %s.%u/24 dev source0\nlink set source0 up\n",
	    lane->from_tun ? "100.64.0" : "198.18.0", BENCH_CLIENT_FIRST);
	if (!lane->from_tun)
		put(&script, "neigh add " LANE_ROUTER_IN_LAN " lladdr " MAC_IN
			     " dev source0 nud permanent\n");
	put(&script, "route add default %s dev source0\n",
	    lane->from_tun ? "" : "via " LANE_ROUTER_IN_LAN);
	return run_in(lane->netns[LANE_SOURCE], &script, err);
}

static int make_tuns(struct lane *lane, struct err *err)
{
	int r;

	net_enter(lane->netns[LANE_SOURCE]);
	r = net_make_tun("source0", &lane->relay, err);
	net_enter(lane->netns[LANE_ROUTER]);
	return r ? r : net_make_tun(lane->in, &lane->tun, err);
}

/*
 * Frames that arrive by XDP need a NAPI at the other end of the cable, which a veth has with GRO.
 * Checksums are in the packets, as on a wire: XDP sends an unfinished one on as it is.
 */
static int set_offloads(const struct lane *lane, struct err *err)
{
	int r;

	net_enter(lane->netns[LANE_SINK]);
	r = net_offload("sink0", "tx", false, err);
	net_enter(lane->netns[LANE_SOURCE]);
	if (!r && !lane->from_tun)
		r = net_offload("source0", "tx", false, err);
	net_enter(lane->netns[LANE_ROUTER]);
	if (!r && !lane->from_tun)
		r = net_offload(lane->in, "gro", true, err);
	return r ? r : net_offload("lan0", "gro", true, err);
}

static int make_devices(struct lane *lane, struct err *err)
{
	int r = lane->from_tun ? make_tuns(lane, err) : 0;

	if (!r)
		r = make_router(lane, err);
	if (!r)
		r = make_sink(lane, err);
	if (!r)
		r = make_source(lane, err);
	if (!r)
		r = set_offloads(lane, err);
	net_enter(lane->netns[LANE_ROUTER]);
	lane->in_ifindex = if_nametoindex(lane->in);
	lane->lan_ifindex = if_nametoindex("lan0");
	if (!r)
		r = sysctl_write("net/ipv4/ip_forward", 1, err);
	net_enter(lane->netns[LANE_SINK]);
	lane->sink_ifindex = if_nametoindex("sink0");
	net_enter(lane->netns[LANE_SOURCE]);
	lane->source_ifindex = if_nametoindex("source0");
	return r;
}

/* ---- generator and sink ------------------------------------------------------------------- */

/* The sum of 16-bit words, as checksums have it. */
static uint32_t sum_words(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

static void fill_template(const struct lane *lane, struct bench_template *t)
{
	struct bench_frame frame = {
		.ip = { .version = 4,
			.ihl = 5,
			.ttl = BENCH_TTL,
			.protocol = IPPROTO_UDP,
			.tot_len = htons(sizeof(frame) - sizeof(frame.eth)) },
		.udp = { .dest = htons(BENCH_PORT),
			 .len = htons(sizeof(frame.udp) + sizeof(frame.payload)) },
	};
	bool past = lane->from_tun; /* a static tun -> LAN redirect writes what the sink sees */

	frame.eth.h_proto = htons(ETH_P_IP);
	memcpy(frame.eth.h_dest, (uint8_t[]){ 2, 0, 0, 0, 0, past ? 4 : 2 }, ETH_ALEN);
	memcpy(frame.eth.h_source, (uint8_t[]){ 2, 0, 0, 0, 0, past ? 3 : 1 }, ETH_ALEN);
	t->frame = frame;
	t->client_base = ntohl(inet_addr(lane->from_tun ? "100.64.0.0" : "198.18.0.0"));
	t->server_base = ntohl(inet_addr("192.0.2.0"));
	t->ip_sum = sum_words(&frame.ip, sizeof(frame.ip));
	t->udp_sum = sum_words(&frame.udp, sizeof(frame.udp)) + IPPROTO_UDP + ntohs(frame.udp.len);
}

static int load(struct lane *lane, struct err *err)
{
	struct tp_bench *bpf = tp_bench__open();
	int r;

	lane->bpf = bpf;
	if (!bpf)
		return err_sys(err, -errno, "open the programs");
	fill_template(lane, &bpf->bss->bench_template);
	bpf->rodata->bench_source_ifindex = lane->source_ifindex;
	bpf->rodata->bench_lan_ifindex = lane->lan_ifindex;
	bpf->rodata->bench_wanted_ttl = BENCH_TTL - (lane->config->kind != CONFIG_FLOOR);
	if (lane->config->kind == CONFIG_NAT)
		bpf->rodata->bench_wanted_saddr = inet_addr(LANE_ROUTER_OUT);
	r = tp_bench__load(bpf);
	return r ? err_sys(err, r, "load the programs") : 0;
}

static int attach_ends(const struct lane *lane, struct err *err)
{
	int r;

	net_enter(lane->netns[LANE_SINK]);
	r = attach_xdp(lane->bpf->progs.bench_sink, lane->sink_ifindex, err);
	net_enter(lane->netns[LANE_SOURCE]);
	if (!r && !lane->from_tun)
		r = attach_xdp(lane->bpf->progs.bench_home, lane->source_ifindex, err);
	net_enter(lane->netns[LANE_ROUTER]);
	if (!r && lane->from_tun)
		r = attach_tc(lane->bpf->progs.bench_leave, lane->lan_ifindex, true, err);
	return r;
}

int lane_start(struct lane *lane, struct err *err)
{
	int r;

	snprintf(lane->in, sizeof(lane->in), "tpb%u", lane->number);
	r = make_namespaces(lane, err);
	if (!r)
		r = make_devices(lane, err);
	if (!r)
		r = load(lane, err);
	if (!r)
		r = attach_ends(lane, err);
	net_enter(lane->netns[LANE_ROUTER]);
	if (!r)
		r = (lane->from_tun ? lane->config->tun : lane->config->lan)(lane, err);
	if (!r && !lane->from_tun)
		r = net_make_thread(lane->in, LANE_CPU_ROUTER, &lane->thread, err);
	return r;
}
