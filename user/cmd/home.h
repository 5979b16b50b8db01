/* SPDX-License-Identifier: GPL-2.0-only */
/* The network namespace that an instance is set up in, and whether that is where we look. */
#ifndef TP_CMD_HOME_H
#define TP_CMD_HOME_H

#include "cmd/pipeline.h"

/* The first thing that is read: p->netns, of the policy where there is one, else of the pins. */
int home_find(struct pipeline *p, struct err *err);
/* Inside, with p's facts: fails when what is set up is elsewhere; `down` may go on without it. */
int home_check(struct pipeline *p, struct err *err);
void home_forget(struct state *have);
/* A device that carries our mark and is not called so; NULL: there is none. */
const char *home_find_marked(const struct facts *facts, const char *but);

/* Whether what is set up was so in a tunnel.netns that has vanished since. */
bool home_is_gone(const struct args *args);

#endif
