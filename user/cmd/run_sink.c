// SPDX-License-Identifier: GPL-2.0-only
/* Answers that reach this machine's stack while a LAN device is bare, in the life of `run`. */
#include <string.h>

#include "base/log.h"
#include "cmd/run.h"

/* Each reason is said once, until it is another or none. At info: without it all works but that. */
static void say(struct run_sink *sink, const struct err *err)
{
	if (strcmp(sink->failure.text, err->text) != 0)
		log_info("run: while programs are lost, TCP through SNAT is reset: %s", err->text);
	sink->failure = *err;
}

static int keep(struct run *run, struct err *err)
{
	struct bpf bpf;
	int r = bpf_open(&bpf, run->args->bpffs, run->args->instance, false, err);

	if (r)
		return r;
	r = bpf_sink_keep(&run->sink.sink, &bpf, err);
	bpf_close(&bpf);
	return r;
}

/* Not inside tunnel.netns: a socket of ours would keep that namespace from going. */
void run_sink_keep(struct run *run, const struct netns *netns)
{
	struct err err = { 0 };

	if (!netns_is_home(netns)) {
		run_sink_drop(run);
		return;
	}
	if (keep(run, &err))
		say(&run->sink, &err);
	else
		run->sink.failure = (struct err){ 0 };
}

void run_sink_drop(struct run *run)
{
	bpf_sink_drop(&run->sink.sink);
}
