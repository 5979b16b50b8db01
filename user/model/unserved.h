/* SPDX-License-Identifier: GPL-2.0-only */
/* What a policy may say and this build cannot do yet. Refusing beats ignoring. */
#ifndef TP_MODEL_UNSERVED_H
#define TP_MODEL_UNSERVED_H

#include "config/config.h"

/* One problem for each section that is in use; none: everything is served. 0 or -ENOMEM. */
int unserved_list(const struct config *config, struct problems *out);

/*
 * What is checked and changes nothing on a node, because the command it is for does not exist yet:
 * no reason to refuse the policy, but nobody shall wonder. 0 or -ENOMEM.
 */
int unserved_notes(const struct config *config, struct problems *out);

#endif
