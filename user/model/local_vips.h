/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Local VIPs as the daemon knows them: which are asked for on the LAN and when, and what the
 * answers, or their absence, say. It neither asks nor waits itself; times are milliseconds of a
 * clock that only goes forward.
 */
#ifndef TP_MODEL_LOCAL_VIPS_H
#define TP_MODEL_LOCAL_VIPS_H

#include "base/addr.h"
#include "base/array.h"
#include "model/state.h"
#include "towpath/local_vip.h"

/*
 * Ranges of no more addresses than this together are asked for whether in use or not, so that the
 * first packet finds an answer. Of larger ones only what packets have met.
 */
#define LOCAL_VIPS_ALWAYS 256

#define LOCAL_VIP_IN_USE_MS 60000 /* since the last packet */
#define LOCAL_VIP_ASK_MS    1000
#define LOCAL_VIP_REST_MS   10000 /* the same for one that is not in use */
#define LOCAL_VIP_AGAIN_MS  250   /* a question that is not answered is asked again */
#define LOCAL_VIP_MISSES    3     /* as often, and then nobody is there */

struct local_vip {
	struct addr addr;
	uint32_t place; /* index of the range that it is in */
	bool always;
	bool asked;
	uint32_t missed;
	uint32_t where;  /* enum tp_local_vip_where */
	uint64_t used;   /* as its row says, which is in another clock's time */
	int64_t used_ms; /* when that was last seen to change */
	int64_t due_ms;
};

struct local_vips {
	ARRAY_OF(struct local_vip); /* sorted by address */
};

/* Of no range any more: it goes. New ones are asked for at once. 0 or -ENOMEM. */
int local_vips_follow(struct local_vips *vips, const struct state *want, int64_t now_ms);
/*
 * A row of tp_local_vips, as it is at that moment. 0; -ENOENT: of no range, so nobody's; -ENOMEM.
 */
int local_vips_meet(struct local_vips *vips, const struct state_local_vips *ranges, size_t count,
		    const struct addr *addr, const struct tp_local_vip *row, int64_t now_ms);
struct local_vip *local_vips_find(const struct local_vips *vips, const struct addr *addr);
/* Another machine has said that the address is its own. True when that is news. */
bool local_vip_hear(struct local_vip *vip, int64_t now_ms);
/*
 * Its time has come, if due_ms is over: *ask, and true when nobody has answered so often that it is
 * here from now on.
 */
bool local_vip_look(struct local_vip *vip, int64_t now_ms, bool *ask);
/* Nobody has sent there for long, and nobody need ask for it. */
bool local_vip_is_idle(const struct local_vip *vip, int64_t now_ms);

#endif
