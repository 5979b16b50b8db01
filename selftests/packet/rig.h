/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs, loaded once into the world by the code that `towpath apply` loads them with, and
 * run on single packets. Everything that goes wrong here, short of the programs' own doing, ends
 * the program: no case could mean anything then.
 */
#ifndef SELFTESTS_PACKET_RIG_H
#define SELFTESTS_PACKET_RIG_H

#include "kernel/bpf_object.h"
#include "packet.h"
#include "towpath/flow.h"
#include "towpath/reason.h"
#include "world.h"

#define RIG_FLOWS 1024     /* size of the flow table, set by every policy */
extern uint32_t rig_flows; /* the same; a bench may change it before the programs are loaded */

/* Which program, on which device, and where the packet has come from before. */
enum hook {
	NO_HOOK,
	FROM_TUNNEL,
	FROM_LAN,
	FROM_LAN1,
	FROM_LAN_AS_OTHER,     /* frame addressed to another MAC */
	FROM_LAN_AS_BROADCAST, /* to ff:ff:ff:ff:ff:ff */
	FROM_WIRE,             /* XDP of lan0 */
	FROM_WIRE1,            /* of lan1 */
	FROM_WIRE_OTHER,       /* of a device that is not ours */
	FROM_WIRE_AS_OTHER,
	FROM_WIRE_AS_BROADCAST,
	INTO_TUNNEL_OWN,        /* egress: this machine's own socket */
	INTO_TUNNEL_FROM_LAN,   /* egress, forwarded by the stack from lan0 */
	INTO_TUNNEL_FROM_OTHER, /* from other0, say a pod */
	INTO_LAN_OWN,
	INTO_LAN_FROM_TUNNEL,
	INTO_LAN_FROM_OTHER,
	INTO_LAN_FROM_LAN1,
	INTO_LAN1_FROM_LAN,
	INTO_LAN_FROM_LAN, /* it comes back */
};

struct run {
	uint32_t gso_size, gso_segs; /* in */
	int repeat;                  /* in; 0: once */
	uint32_t ns;                 /* one run took, on average */
	uint32_t cb[5];              /* in and out: the packet's control buffer */
	int retval;
	__u64 reasons[TP_REASON_COUNT]; /* how far each counter moved */
	uint8_t out[FRAME_MAX];
	size_t out_size;
};

/*
 * Loads the programs if need be, makes the policy live and forgets all flows. A policy that is
 * live already stays as it is, unless rig_touch told that the world has changed since.
 */
void rig_start(const char *policy);
void rig_touch(void);

/* Nanoseconds that the last policy took: to be read and resolved, compiled, and made live. */
struct rig_times {
	uint64_t read, compile, swap;
};
struct rig_times rig_times(void);
/* Makes another policy live and keeps the flows. */
void rig_switch(const char *policy);

enum device rig_device(enum hook hook);
bool rig_has_ethernet(enum hook hook);
bool rig_is_xdp(enum hook hook);
void rig_run(enum hook hook, const uint8_t *frame, size_t size, struct run *run);
/*
 * The same without a look at the counters, which cost more than the run. False: the kernel does
 * not take the frame for a test run, as it is too short to be one.
 */
bool rig_fire(enum hook hook, const uint8_t *frame, size_t size, struct run *run);

const struct bpf *rig_bpf(void);
/* What the live policy asks for; a test that changes it calls rig_touch. */
struct state *rig_want(void);
/* An fd for as long as the program lives. */
int rig_map(const char *name);
/* The rule of a grant of the live policy, by its index in the file. */
uint32_t rig_rule(uint32_t grant);
uint32_t rig_peer(const char *name);    /* its row in tp_peer_info */
uint32_t rig_route(const char *prefix); /* its row in tp_route_info */
uint64_t rig_generation(void);
uint64_t rig_jiffies(void);
uint32_t rig_hz(void);

/* Notes for lan0 and lan1 whether their drivers run the XDP program. Stays until it is taken back.
 */
void rig_note_native(bool lan0, bool lan1);

#endif
