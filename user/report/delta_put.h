/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of a block as text; each gives memory that the caller frees, NULL when it is out. */
#ifndef TP_REPORT_DELTA_PUT_H
#define TP_REPORT_DELTA_PUT_H

#include "model/delta.h"

/* "10.10.30.0/24,10.10.31.5": prefixes, addresses, and ranges that are no prefix. */
char *delta_put_ranges(const struct ranges *ranges);

/* The matches of one protocol, or of all protocols that have no name, from the first one on. */
struct delta_service {
	char *proto; /* "*", "tcp", "icmp", "proto:47,50-51" */
	char *ports; /* "*", "443", "1-52,54" */
};

/* Appends them. 0 or -ENOMEM. */
struct delta_services {
	ARRAY_OF(struct delta_service);
};
int delta_put_services(const struct delta_block *block, struct delta_services *out);
void delta_services_free(struct delta_services *services);

#endif
