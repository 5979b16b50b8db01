/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packets of the bench and which flow each belongs to, for the programs and for userspace
 * alike. A flow is a number below a power of two; its lowest bits are the client, then the
 * client's port, then the server. So 128k flows have only 8k inside endpoints: more could not
 * share one outside address without two of them sharing a port.
 */
#ifndef SELFTESTS_BENCH_FRAME_H
#define SELFTESTS_BENCH_FRAME_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/types.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>

#define BENCH_CLIENT_BITS 6
#define BENCH_PORT_BITS   7
#define BENCH_SERVER_BITS 4
#define BENCH_CLIENTS     (1u << BENCH_CLIENT_BITS)
#define BENCH_PORTS       (1u << BENCH_PORT_BITS)
#define BENCH_SERVERS     (1u << BENCH_SERVER_BITS)
#define BENCH_FLOWS_MAX   (BENCH_CLIENTS * BENCH_PORTS * BENCH_SERVERS)

#define BENCH_CLIENT_FIRST 10   /* last byte of the first client's address */
#define BENCH_SERVER_FIRST 100  /* of the first server's */
#define BENCH_PORT_FIRST   4096 /* source ports */
#define BENCH_PORT         5001 /* destination port */
#define BENCH_TTL          64

struct bench_frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	__u8 payload[22]; /* 64 bytes in all */
} __attribute__((packed));

/* What is the same in all frames: the checksums are sums without the fields of the flow. */
struct bench_template {
	struct bench_frame frame;
	__u32 client_base, server_base; /* addresses, host byte order, with a last byte of 0 */
	__u32 ip_sum, udp_sum;
};

static inline __u16 bench_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

static inline __attribute__((always_inline)) void
bench_put_frame(struct bench_frame *out, const struct bench_template *template, __u32 flow)
{
	__u32 client = template->client_base + BENCH_CLIENT_FIRST + (flow & (BENCH_CLIENTS - 1));
	__u32 port = flow >> BENCH_CLIENT_BITS & (BENCH_PORTS - 1);
	__u32 server = flow >> (BENCH_CLIENT_BITS + BENCH_PORT_BITS) & (BENCH_SERVERS - 1);
	__u32 sum;

	port += BENCH_PORT_FIRST;
	server += template->server_base + BENCH_SERVER_FIRST;
	sum = (client >> 16) + (client & 0xffff) + (server >> 16) + (server & 0xffff);
	*out = template->frame;
	out->ip.saddr = bpf_htonl(client);
	out->ip.daddr = bpf_htonl(server);
	out->ip.check = bpf_htons(bench_fold(template->ip_sum + sum));
	out->udp.source = bpf_htons((__u16)port);
	out->udp.check = bpf_htons(bench_fold(template->udp_sum + sum + port));
}

/* One flow after the other, or at random, so that no prefetcher can guess. */
static inline __u32 bench_next_flow(__u32 *next, __u32 mask, bool in_order)
{
	if (in_order)
		return (*next)++ & mask;
	*next = *next * 1664525 + 1013904223;
	return *next >> 8 & mask;
}

/* The flow that an answer belongs to; BENCH_FLOWS_MAX: none. */
static inline __u32 bench_flow_of_answer(const struct bench_frame *frame)
{
	__u32 client = (bpf_ntohl(frame->ip.daddr) & 0xff) - BENCH_CLIENT_FIRST;
	__u32 port = bpf_ntohs(frame->udp.dest) - (__u32)BENCH_PORT_FIRST;
	__u32 server = (bpf_ntohl(frame->ip.saddr) & 0xff) - BENCH_SERVER_FIRST;

	if (client >= BENCH_CLIENTS || port >= BENCH_PORTS || server >= BENCH_SERVERS)
		return BENCH_FLOWS_MAX;
	return client | port << BENCH_CLIENT_BITS | server << (BENCH_CLIENT_BITS + BENCH_PORT_BITS);
}

#endif
