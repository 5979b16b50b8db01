/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TP_CMD_SESSION_H
#define TP_CMD_SESSION_H

#include "cmd/pipeline.h"

/* Before p's plan is done: EXIT_FAILED, having said so, when it cuts the session we are in. */
int refuse_cut(struct pipeline *p);

#endif
