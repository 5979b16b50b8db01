/* SPDX-License-Identifier: GPL-2.0-only */
/* `towpath status`: what the kernel is doing now, as JSON (docs/status.md) or for people. */
#ifndef TP_REPORT_STATUS_H
#define TP_REPORT_STATUS_H

#include <stdint.h>
#include <stdio.h>

#include "model/running.h"
#include "model/state.h"
#include "model/stats.h"

struct status_routes;

struct status {
	const char *version;
	const char *instance;
	const struct state *have;
	const struct stats *stats;
	const struct running *running; /* NULL: no daemon runs, or it did not answer */
	/* NULL: they are what the last apply found */
	const struct status_routes *routes;
	int64_t now;        /* seconds since the epoch */
	uint64_t jiffies;   /* the same moment, as the programs count */
	int64_t try_until;  /* when the policy on trial goes; 0: none is */
	bool try_abandoned; /* one was on trial, and nothing will put back what was before */
};

/* Something that keeps the data path from working, and what to do about it. */
struct status_problem {
	char what[1024]; /* a cause as long as they come (base/err.h), with where */
	char mend[200];
};

struct status_problems {
	ARRAY_OF(struct status_problem);
};

/* Adds one: 0 or -ENOMEM. */
__attribute__((format(printf, 3, 4))) int
status_add_problem(struct status_problems *out, const char *mend, const char *format, ...);

/* Judges have; none means healthy. 0 or -ENOMEM. */
int status_find_problems(const struct status *status, struct status_problems *out);

/* The same of what does not keep it from working yet: it is healthy all the same. */
int status_find_notes(const struct status *status, struct status_problems *out);

/* 0, -ENOMEM or -EIO when out cannot be written. */
int status_print_json(FILE *out, const struct status *status);
int status_print_text(FILE *out, const struct status *status);

/* "up", "idle", "down" or "expired"; of who is reached through a hub, as far as the hub is. */
const char *status_peer_state(const struct status *status, const struct tp_peer_info *info);
/* "kernel" or "userspace"; NULL while there is no device. */
const char *status_backend(const struct state_tunnel *tunnel);
/* "up", "idle" or "down", by the last handshake; peer NULL: WireGuard has none. */
const char *status_session_state(const struct status *status, const struct state_peer *peer);
/* The node that it is reached through, NULL when directly. */
const struct tp_peer_info *status_find_via(const struct state *have,
					   const struct tp_peer_info *info);
/* The first of a member's mesh addresses; NULL when there is none. */
const struct stats_address *status_find_addresses(const struct stats *stats, uint32_t peer,
						  size_t *count);
const char *status_route_state(uint8_t state); /* enum tp_route_state */
/* Of the row at that place of have->route_info: its state at this moment, and why. */
uint8_t status_route_now(const struct status *status, size_t row, const char **reason);
/* buf of ADDR_TEXT_SIZE; "masquerade", "none" or the address. */
const char *status_snat(char *buf, const struct route_info_row *info);
/* The WireGuard peer of an info row, NULL when the device has none. */
const struct state_peer *status_find_peer(const struct state *have,
					  const struct tp_peer_info *info);

#endif
