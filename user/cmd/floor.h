/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether this kernel can run the programs, before anything is touched. */
#ifndef TP_CMD_FLOOR_H
#define TP_CMD_FLOOR_H

#include "cmd/args.h"

/* EXIT_DONE, or EXIT_LACKING having said what is missing. Needs root. */
int require_kernel(const struct args *args);

#endif
