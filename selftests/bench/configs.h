/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be in the router's place. */
#ifndef SELFTESTS_BENCH_CONFIGS_H
#define SELFTESTS_BENCH_CONFIGS_H

#include "lane.h"

enum config_kind {
	CONFIG_FLOOR,  /* sends everything one way: nothing can be checked */
	CONFIG_ROUTER, /* routes both ways */
	CONFIG_NAT,    /* and leaves with the address of its LAN device */
};

struct config {
	const char *name, *text;
	enum config_kind kind;
	/* In the router's namespace; NULL: there is no such thing. An error is shown, not fatal. */
	int (*lan)(struct lane *lane, struct err *err);
	int (*tun)(struct lane *lane, struct err *err);
};

extern const struct config configs[];
extern const int config_count;

/* NULL: there is none of that name. */
const struct config *config_find(const char *name);

#endif
