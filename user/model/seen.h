/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where peers were when they were last looked at. WireGuard alone knows where somebody has roamed
 * to, and takes it along when its device is lost.
 */
#ifndef TP_MODEL_SEEN_H
#define TP_MODEL_SEEN_H

#include "model/facts.h"
#include "model/state.h"

/* Free with array_clear. Sorted by key. */
struct seen {
	ARRAY_OF(struct facts_seen) peers;
};

/*
 * Of the peers in want: where they are in have, or, if have does not tell, where they were before.
 * 0, or -ENOMEM with *seen as it was.
 */
int seen_note(struct seen *seen, const struct state *want, const struct state *have);

/* Into facts: where those were that have lacks. 0 or -ENOMEM. */
int seen_tell(const struct seen *seen, const struct state *have, struct facts *facts);

#endif
