/* SPDX-License-Identifier: GPL-2.0-only */
/* The pipeline walked to its end, by the command of that name and by `run`. */
#ifndef TP_CMD_STEPS_H
#define TP_CMD_STEPS_H

#include "cmd/pipeline.h"

/* Both return an exit status, as the pipeline's steps do. */
int apply_all(struct pipeline *p); /* the policy has been read */
int down_all(struct pipeline *p);  /* removing is set */

#endif
