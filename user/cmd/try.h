/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `apply --try`: a policy on trial. The record, /run/towpath/<instance>.try, says until when, and
 * a guardian of its own session ("tp-revert") holds it locked. When it is still there at that time,
 * the guardian puts back what was in force; `confirm` takes the record away.
 */
#ifndef TP_CMD_TRY_H
#define TP_CMD_TRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cmd/args.h"
#include "cmd/try_before.h"

struct trial {
	/*
	 * When the policy on trial goes, in seconds since the epoch; 0: none is on trial. A time
	 * that has passed: what was in force is being put back, and again if that fails.
	 */
	int64_t until;
	bool abandoned; /* the guardian died: nothing will be put back, and until is 0 */
};

int try_find(const struct args *args, struct trial *out, struct err *err);

/*
 * EXIT_FAILED, having said so, when a policy is on trial, or when that cannot be found out. What a
 * dead guardian left is removed.
 */
int try_refuse(const struct args *args);

/*
 * Finds out what to put back, and starts the guardian, before anything is touched. The lock is
 * held. EXIT_DONE, or the exit status to leave with, having said why.
 */
int try_begin(const struct args *args, struct try_before *before);

/*
 * The change failed: puts back at once what was in force, which says how that went. Should that
 * fail too, the guardian tries it again.
 */
void try_give_up(const struct args *args, struct try_before *before);

/* Takes the record away; false when there was none. The guardian sees it and leaves. */
bool try_end(const struct args *args);

#endif
