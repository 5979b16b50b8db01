/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Table-driven cases. A row is a policy and packets in sequence; for each packet it says what
 * becomes of it: verdict, the one counter that moves, every byte that leaves, and how many flows
 * there are then. A row runs for IPv4 and for IPv6 unless it names one family.
 */
#ifndef SELFTESTS_PACKET_ROWS_H
#define SELFTESTS_PACKET_ROWS_H

#include "rig.h"

/* In these tables what is not said is zero, which is the point of them. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define STEPS_MAX 16

enum fate {
	DROPPED,
	UNTOUCHED, /* to the stack as it came */
	PASSED,    /* to the stack as `out` */
	SENT,      /* redirected as `out` */
};

struct fate_of {
	enum fate fate;
	enum tp_reason reason;
	enum device device; /* SENT: through which */
	const char *next;   /* SENT: the place whose MAC it is addressed to; NULL: MACs left open */
	struct packet out;
};

struct step {
	enum hook hook;
	struct packet in;
	struct fate_of then;
	size_t flows;         /* alive afterwards */
	void (*before)(void); /* what happens to the world before this packet */
	uint32_t gso_size;
};

#define drops(why)                                    \
	{                                             \
		.fate = DROPPED, .reason = TP_R_##why \
	}
#define passes(why)                                     \
	{                                               \
		.fate = UNTOUCHED, .reason = TP_R_##why \
	}
#define passes_as(why, ...)                                              \
	{                                                                \
		.fate = PASSED, .reason = TP_R_##why, .out = __VA_ARGS__ \
	}
/* Through a device to the place `to`, whose MAC is known. */
#define sends(through, to, ...)                                                          \
	{                                                                                \
		.fate = SENT, .reason = TP_R_forward, .device = (through), .next = (to), \
		.out = __VA_ARGS__                                                       \
	}
/* Through the neighbour resolution of the kernel. */
#define resolves(through, ...)                                                   \
	{                                                                        \
		.fate = SENT, .reason = TP_R_forward_neigh, .device = (through), \
		.out = __VA_ARGS__                                               \
	}
/* To a local VIP: into a device, as if it had come from there. */
#define hands_over(to, ...)                                                                  \
	{                                                                                    \
		.fate = SENT, .reason = TP_R_handed_over, .device = (to), .out = __VA_ARGS__ \
	}
#define tunnels(...)                                                                        \
	{                                                                                   \
		.fate = SENT, .reason = TP_R_forward, .device = TUNNEL0, .out = __VA_ARGS__ \
	}

/* Back where it came from, as an error about itself. */
#define answers(...)                                                                      \
	{                                                                                 \
		.fate = SENT, .reason = TP_R_answered, .device = LAN0, .out = __VA_ARGS__ \
	}

struct row {
	const char *name;
	const char *policy;
	enum family only; /* 0: both */
	struct step steps[STEPS_MAX];
	void (*after)(void); /* puts back what `before` changed */
};

void rows_register(const char *file, const struct row *rows, size_t count);

#define ROWS(table)                                                                 \
	__attribute__((constructor)) static void register_##table(void)             \
	{                                                                           \
		rows_register(__FILE__, table, sizeof(table) / sizeof((table)[0])); \
	}

/* For tests that are no table: rig_start, and the family that row_family tells. */
void row_start(const char *policy, enum family family);
void row_step(const struct step *step, enum family family, struct ports *ports);

/* One packet without an expectation: the counter that it moved. */
enum tp_reason row_reason(enum hook hook, const struct packet *packet, enum family family);

/* The frame of a packet as a hook gets it; returns its size. */
size_t row_frame(enum hook hook, const struct packet *packet, enum family family,
		 const struct ports *ports, uint8_t *out);

/* Which family the row that is running is for, in `before` and `after`. */
enum family row_family(void);

#endif
