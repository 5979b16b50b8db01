/* SPDX-License-Identifier: GPL-2.0-only */
/* The pipeline walked to its end, by the command of that name and by `run`. */
#ifndef TP_CMD_STEPS_H
#define TP_CMD_STEPS_H

#include "cmd/pipeline.h"

/* Each returns an exit status, as the pipeline's steps do. */
int apply_all(struct pipeline *p);     /* the policy has been read */
int apply_prepare(struct pipeline *p); /* the first half of it: nothing is done yet */
int apply_finish(struct pipeline *p);  /* the second half */
int down_all(struct pipeline *p);      /* removing is set */

#endif
