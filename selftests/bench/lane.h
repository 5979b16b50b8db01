/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A lane: source, router and sink in namespaces of their own, with one configuration of the
 * router. From an ethernet device into another, or from a tun device into an ethernet device:
 *
 *	source --- in: 198.18.0.1   router   192.0.2.1 :lan0 --- sink 192.0.2.100 and on
 *	tun, here: 100.64.0.1 ------'
 */
#ifndef SELFTESTS_BENCH_LANE_H
#define SELFTESTS_BENCH_LANE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "frame.h"

#define LANE_CPU_SOURCE 1
#define LANE_CPU_ROUTER 0

#define LANE_ROUTER_IN_LAN "198.18.0.1"
#define LANE_ROUTER_IN_TUN "100.64.0.1"
#define LANE_ROUTER_OUT    "192.0.2.1"
#define LANE_CLIENTS_LAN   "198.18.0.0/24"
#define LANE_CLIENTS_TUN   "100.64.0.0/24"
#define LANE_SERVERS       "192.0.2.0/24"

struct tp_bench;
struct config;

enum lane_netns { LANE_SOURCE, LANE_ROUTER, LANE_SINK };

struct lane {
	const struct config *config;
	bool from_tun;
	unsigned int number;
	int netns[3];
	char in[IF_NAMESIZE]; /* the router's device toward the source */
	uint32_t in_ifindex, lan_ifindex, source_ifindex, sink_ifindex; /* each in its netns */
	struct tp_bench *bpf;
	int tun;          /* writes what the router's tun receives */
	int relay;        /* the source's own tun, only for its sockets */
	pid_t thread;     /* of the router's receive queue; 0: a tun has none */
	uint64_t refused; /* by towpath, before the gate */
	bool usable;      /* set up, and through the functional gate */
	struct err why;   /* when not */
};

/* Namespaces, devices, generator and sink; then the router as the configuration has it. */
int lane_start(struct lane *lane, struct err *err);

/* What one round has cost. */
struct cost {
	uint64_t packets, ns;
};

/* Sends as many of that many flows as it can for that long. */
int lane_measure(struct lane *lane, uint32_t flows, unsigned int ms, struct cost *cost,
		 struct err *err);
/* Sends each flow once at least and has it answered, until all were. */
int lane_open_flows(struct lane *lane, uint32_t flows, struct err *err);

#endif
