/* SPDX-License-Identifier: GPL-2.0-only */
/* Network namespaces whose sockets are left alone, found by what the policy says of them. */
#ifndef TP_KERNEL_EXEMPT_H
#define TP_KERNEL_EXEMPT_H

#include <stddef.h>

#include "base/err.h"
#include "model/services.h"

struct exempt_rule {
	enum tp_exempt_why why;
	char *what; /* a name or path; a glob of device names; a pid */
};

/*
 * Fills out, sorted by cookie; of two rules for one namespace the first is noted. A namespace that
 * is not there is none. One that is neither mounted below /run/netns nor has a process cannot be
 * found by its device. The calling thread looks into other namespaces and comes back.
 */
int exempt_find(const struct exempt_rule *rules, size_t count, struct exempt_rows *out,
		struct err *err);

#endif
