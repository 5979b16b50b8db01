// SPDX-License-Identifier: GPL-2.0-only
/*
 * What surrounds the router that is measured: the generator in front of it, the sink behind it,
 * and in its place the floors, and XDP forwarding by the kernel's routes as a peer.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "frame.h"

/* Set before anything is sent. No constant: the compiler would take it for zeros, unread. */
struct bench_template bench_template = {};

/* Set before the programs are loaded. */
const volatile __u32 bench_source_ifindex = 0; /* the source's device */
const volatile __u32 bench_lan_ifindex = 0;    /* the router's, toward the sink */
const volatile __u32 bench_wanted_ttl = 0;     /* of what is delivered */
const volatile __be32 bench_wanted_saddr = 0;  /* the same; 0: any */

/* Set and read at any time. */
__u32 bench_flow_mask = 0;
__u32 bench_next = 0;
bool bench_in_order = false; /* flows one after the other, not at random */
bool bench_echo = false;     /* the sink answers */
bool bench_drop = false;     /* packets end where they leave the router */
__u64 bench_delivered = 0;
__u64 bench_wrong = 0; /* arrived, but not as wanted */
__u8 bench_answered[BENCH_FLOWS_MAX] = {};

/* xdp_md's ifindexes; as large as the largest that a namespace of ours has. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} bench_devices SEC(".maps");

/* Live frames are used again: the router has changed every header, so all is written. */
SEC("xdp")
int bench_generate(struct xdp_md *ctx)
{
	struct bench_frame *frame = (void *)(long)ctx->data;

	__u32 flow;

	if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	flow = bench_next_flow(&bench_next, bench_flow_mask, bench_in_order);
	bench_put_frame(frame, &bench_template, flow);
	return (int)bpf_redirect(bench_source_ifindex, 0);
}

/* ---- sink --------------------------------------------------------------------------------- */

static __always_inline bool is_ours(const struct bench_frame *frame, const void *end)
{
	return (const void *)(frame + 1) <= end && frame->eth.h_proto == bpf_htons(ETH_P_IP) &&
	       frame->ip.protocol == IPPROTO_UDP && frame->udp.dest == bpf_htons(BENCH_PORT);
}

static __always_inline void deliver(const struct bench_frame *frame)
{
	if (frame->ip.ttl == bench_wanted_ttl &&
	    (!bench_wanted_saddr || frame->ip.saddr == bench_wanted_saddr))
		bench_delivered++;
	else
		bench_wrong++;
}

static __always_inline void swap_macs(struct ethhdr *eth)
{
	struct ethhdr old = *eth;

	__builtin_memcpy(eth->h_dest, old.h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, old.h_dest, ETH_ALEN);
}

/* The checksums stay right: they do not depend on the order of what they sum up. */
static __always_inline void turn_round(struct bench_frame *frame)
{
	__be32 saddr = frame->ip.saddr;
	__be16 source = frame->udp.source;

	swap_macs(&frame->eth);
	frame->ip.saddr = frame->ip.daddr;
	frame->ip.daddr = saddr;
	frame->udp.source = frame->udp.dest;
	frame->udp.dest = source;
}

SEC("xdp")
int bench_sink(struct xdp_md *ctx)
{
	struct bench_frame *frame = (void *)(long)ctx->data;

	if (!is_ours(frame, (void *)(long)ctx->data_end))
		return XDP_PASS; /* TCP of the functional gate */
	deliver(frame);
	if (!bench_echo)
		return XDP_DROP;
	turn_round(frame);
	/* XDP_TX from a veth wakes its peer only if that has an XDP program too */
	return (int)bpf_redirect(ctx->ingress_ifindex, 0);
}

/* Egress of the router's LAN device: last of all programs there. */
SEC("tc")
int bench_leave(struct __sk_buff *skb)
{
	struct bench_frame *frame = (void *)(long)skb->data;

	if (!bench_drop || !is_ours(frame, (void *)(long)skb->data_end))
		return TC_ACT_UNSPEC;
	deliver(frame);
	return TC_ACT_SHOT;
}

/* Where the source's answers come home. */
SEC("xdp")
int bench_home(struct xdp_md *ctx)
{
	struct bench_frame *frame = (void *)(long)ctx->data;
	__u32 flow;

	if ((void *)(frame + 1) > (void *)(long)ctx->data_end ||
	    frame->eth.h_proto != bpf_htons(ETH_P_IP) || frame->ip.protocol != IPPROTO_UDP)
		return XDP_PASS;
	flow = bench_flow_of_answer(frame);
	if (flow < BENCH_FLOWS_MAX)
		bench_answered[flow] = 1;
	return XDP_DROP;
}

/* ---- floors, in the router's place -------------------------------------------------------- */

SEC("xdp")
int bench_xdp_drop(struct xdp_md *ctx)
{
	bench_delivered++;
	return XDP_DROP;
}

SEC("xdp")
int bench_xdp_static(struct xdp_md *ctx)
{
	return (int)bpf_redirect(bench_lan_ifindex, 0);
}

SEC("tc")
int bench_tc_drop(struct __sk_buff *skb)
{
	bench_delivered++;
	return TC_ACT_SHOT;
}

SEC("tc")
int bench_tc_static(struct __sk_buff *skb)
{
	return (int)bpf_redirect(bench_lan_ifindex, 0);
}

/* The same from a device without link headers. */
SEC("tc")
int bench_tun_static(struct __sk_buff *skb)
{
	struct ethhdr *eth;

	if (bpf_skb_change_head(skb, sizeof(*eth), 0))
		return TC_ACT_SHOT;
	eth = (void *)(long)skb->data;
	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	*eth = bench_template.frame.eth;
	return (int)bpf_redirect(bench_lan_ifindex, 0);
}

/* ---- forwarding by the kernel's routes, as xdp-tools' xdp-forward does it ------------------ */

static __always_inline void lower_ttl(struct iphdr *ip)
{
	__u32 check = ip->check + bpf_htons(0x0100);

	ip->check = (__sum16)(check + (check >= 0xffff));
	ip->ttl--;
}

SEC("xdp")
int bench_xdp_fib(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct bpf_fib_lookup fib = { .family = 2 /* AF_INET */, .ifindex = ctx->ingress_ifindex };

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->ttl <= 1)
		return XDP_PASS;
	fib.tos = ip->tos;
	fib.l4_protocol = ip->protocol;
	fib.tot_len = bpf_ntohs(ip->tot_len);
	fib.ipv4_src = ip->saddr;
	fib.ipv4_dst = ip->daddr;
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS ||
	    !bpf_map_lookup_elem(&bench_devices, &fib.ifindex))
		return XDP_PASS;

	lower_ttl(ip);
	__builtin_memcpy(eth->h_dest, fib.dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, fib.smac, ETH_ALEN);
	return (int)bpf_redirect_map(&bench_devices, fib.ifindex, 0);
}

char _license[] SEC("license") = "GPL";
