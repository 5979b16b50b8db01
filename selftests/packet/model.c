// SPDX-License-Identifier: GPL-2.0-only
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "model_parts.h"

#define TALKS_MAX  1024
#define TRAINS_MAX 256

static struct talk talks[TALKS_MAX];
static size_t talk_count;
static struct train trains[TRAINS_MAX];
static size_t train_count;
static struct model_counts counts;

const struct model_counts *model_counts(void)
{
	return &counts;
}

void model_forget(void)
{
	talk_count = 0;
	train_count = 0;
}

size_t model_talks(void)
{
	return talk_count;
}

const struct talk *model_talk(size_t i)
{
	return &talks[i];
}

bool end_is(const struct end *a, const struct end *b)
{
	return a->port == b->port && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

static bool talk_is(const struct talk *talk, const struct wire *w, enum tp_side side)
{
	return talk->family == w->family && talk->proto == w->proto && talk->side == side &&
	       end_is(&talk->src, &w->src) && end_is(&talk->dst, &w->dst) && !w->reply;
}

static bool talk_is_answered_by(const struct talk *talk, const struct wire *w, enum tp_side side)
{
	return talk->family == w->family && talk->proto == w->proto && talk->out_side == side &&
	       end_is(&talk->out_dst, &w->src) && end_is(&talk->out_src, &w->dst) && !w->query;
}

struct talk *talk_find(const struct wire *w, enum tp_side side, bool *answers)
{
	size_t i;

	for (i = talk_count; i-- > 0;) {
		*answers = talk_is_answered_by(&talks[i], w, side);
		if (*answers || talk_is(&talks[i], w, side))
			return &talks[i];
	}
	return NULL;
}

/* Another conversation of the same inside end through the same translation. */
const struct talk *talk_of_mapping(const struct talk *wanted, bool outside)
{
	size_t i;

	for (i = 0; i < talk_count; i++) {
		const struct talk *talk = &talks[i];

		if (talk->family != wanted->family || talk->proto != wanted->proto ||
		    end_is(&talk->src, &talk->out_src) || talk->closing)
			continue;
		if (memcmp(talk->out_src.addr, wanted->out_src.addr, 16))
			continue;
		if (outside ? talk->out_src.port == wanted->out_src.port
			    : end_is(&talk->src, &wanted->src))
			return talk;
	}
	return NULL;
}

/* The youngest comes last: it has taken over what others had of its ends. */
void talk_add(const struct talk *talk)
{
	size_t i, kept = 0;

	for (i = 0; i < talk_count; i++)
		if (talks[i].family != talk->family || talks[i].proto != talk->proto ||
		    talks[i].side != talk->side || !end_is(&talks[i].src, &talk->src) ||
		    !end_is(&talks[i].dst, &talk->dst))
			talks[kept++] = talks[i];
	if (kept == TALKS_MAX)
		abort(); /* more than the flow table holds */
	talks[kept] = *talk;
	talk_count = kept + 1;
}

void train_add(const struct train *train)
{
	trains[train_count++ % TRAINS_MAX] = *train;
}

const struct train *train_find(const struct wire *w, enum tp_side side)
{
	size_t i, kept = train_count < TRAINS_MAX ? train_count : TRAINS_MAX;

	/* an identification that comes again is the youngest's */
	for (i = train_count; i-- > train_count - kept;) {
		const struct train *train = &trains[i % TRAINS_MAX];
		const struct wire *first = &train->first;

		if (train->side == side && first->family == w->family && first->id == w->id &&
		    (w->family == V6 || first->proto == w->proto) &&
		    !memcmp(first->src.addr, w->src.addr, 16) &&
		    !memcmp(first->dst.addr, w->dst.addr, 16))
			return train;
	}
	return NULL;
}

/* ---- the verdict ---------------------------------------------------------------------------- */

static const char *judge_stack(const struct judged *j)
{
	if (j->unchanged && j->side == TP_SIDE_LAN) {
		note_passed(j);
		return lan_may_pass(j) ? NULL : "handed to the stack: from a LAN into the mesh";
	}
	if (j->unchanged && is_discovery(&j->in))
		return NULL;
	if (!j->valid)
		return "handed to the stack: not valid";
	if (j->in.offset)
		return j->unchanged && train_find(&j->in, j->side) ? NULL : judge_later_fragment(j);
	return judge_known(j, true);
}

static const char *judge_sent(const struct judged *j)
{
	if (!j->out_valid)
		return "sent: what left is not valid";
	if (j->out.error && !j->in.error)
		return judge_answer(j);
	if (!j->valid)
		return "sent: not valid";
	if (j->in.ttl < 2 || j->out.ttl != j->in.ttl - 1)
		return "sent: the TTL did not go down by one";
	if (j->in.error)
		return judge_error(j);
	return j->in.offset ? judge_later_fragment(j) : judge_known(j, false);
}

static enum tp_side side_of(enum hook hook)
{
	return hook == FROM_TUNNEL || hook == INTO_LAN_FROM_TUNNEL ? TP_SIDE_TUNNEL : TP_SIDE_LAN;
}

/* Where the IP header of what came out begins: a link header may be there since. */
static size_t out_l2(const struct trial *trial)
{
	if (rig_has_ethernet(trial->hook))
		return ETHERNET;
	return trial->run->retval == 7 && trial->run->out_size > trial->in_size ? ETHERNET : 0;
}

static struct judged read_trial(const struct trial *trial)
{
	size_t l2 = rig_has_ethernet(trial->hook) ? ETHERNET : 0;
	const struct run *run = trial->run;
	struct judged j = { .side = side_of(trial->hook),
			    .in_ip = trial->in + l2,
			    .in_size = trial->in_size - l2,
			    .out_ip = run->out + out_l2(trial),
			    .out_size = run->out_size - out_l2(trial),
			    .counts = &counts };

	j.valid = wire_read(j.in_ip, j.in_size, &j.in);
	j.out_valid = wire_read(j.out_ip, j.out_size, &j.out);
	j.unchanged =
		run->out_size == trial->in_size && !memcmp(run->out, trial->in, run->out_size);
	return j;
}

const char *model_judge(const struct trial *trial)
{
	struct judged j = read_trial(trial);

	counts.malformed += !j.valid;
	switch (trial->run->retval) {
	case 2: counts.refused++; return NULL;
	case 7: return judge_sent(&j);
	case -1: return judge_stack(&j);
	default: return "a verdict that no program of ours gives";
	}
}

const char *model_judge_leaving(const struct trial *trial)
{
	struct judged j = read_trial(trial);

	if (trial->run->retval == 2)
		return NULL;
	if (trial->run->retval != -1)
		return "a verdict that is none on the way out";
	if (!j.valid || !j.out_valid)
		return "left: not valid";
	if (j.in.ttl != j.out.ttl)
		return "left: the TTL changed";
	if (j.in.error)
		return judge_error(&j);
	return j.in.offset ? judge_later_fragment(&j) : judge_leaving(&j);
}
