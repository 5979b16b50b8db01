/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was in force before a policy on trial, with all that putting it back takes: the trial may
 * come with other keys in the same files, and may cut the way to the name server.
 */
#ifndef TP_CMD_TRY_BEFORE_H
#define TP_CMD_TRY_BEFORE_H

#include <stddef.h>

#include "cmd/args.h"
#include "cmd/gather.h"
#include "model/seen.h"

struct try_before {
	char *text; /* NULL: nothing was set up */
	size_t length;
	struct gather_keys keys;
	ARRAY_OF(struct facts_host) hosts; /* what names of endpoints resolved to */
	struct seen seen;                  /* where peers were: WireGuard forgets it with a peer */
};

/*
 * Finds it out, and walks the policy as far as its plan. An error: it could not be put back. To be
 * freed either way, which wipes the keys.
 */
int try_before_read(struct try_before *before, const struct args *args, struct err *err);
void try_before_free(struct try_before *before);

/* EXIT_DONE, or an exit status, having said why. *before may be put back again then. */
int try_before_put_back(struct try_before *before, const struct args *args);

#endif
