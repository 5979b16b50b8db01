/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packets that the policy's `tests` stand for, to be put through the programs in the kernel
 * before the policy goes live. decide.h has proven all the others; these are the proof that the
 * kernel sees it alike.
 */
#ifndef TP_MODEL_PROBES_H
#define TP_MODEL_PROBES_H

#include "model/policy.h"
#include "model/state.h"

/*
 * Adds probes to tables that compile_rules made of the policy: for each assertion the corners of
 * all its ranges, with what the model says of them. 0 or -ENOMEM.
 */
int probes_build(const struct policy *policy, struct tables *tables);

#endif
