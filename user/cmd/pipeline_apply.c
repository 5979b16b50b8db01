// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/pipeline.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cmd/commands.h"
#include "cmd/lock.h"
#include "cmd/progress.h"
#include "kernel/apply.h"
#include "kernel/bpf_log.h"
#include "kernel/observe.h"

/* The verifier's reasons are many lines; they are kept, and the one line says where. */
static void keep_load_log(const struct pipeline *p, struct err *err)
{
	const char *log = bpf_log_failure();
	char path[RUN_PATH_SIZE], line[sizeof(err->text)];
	struct err unkept;
	bool kept = log && !file_write(run_path(path, p->args, "load.log"), log, strlen(log), 0600,
				       0, &unkept);

	bpf_log_end(); /* the next failure of a daemon may be of another kind */
	if (!kept)
		return;
	memcpy(line, err->text, sizeof(line));
	err_set(err, err->code, "%s; the whole log is in %s", line, path);
}

int pipeline_apply(struct pipeline *p, const struct state *want)
{
	struct progress progress;
	const struct apply apply = {
		.bpf = &p->bpf,
		.instance = p->args->instance,
		.netns = &p->netns,
		.want = want,
		.have = &p->have,
		.progress = progress_step,
		.progress_data = &progress,
	};
	struct err err;
	int r = 0;

	progress_start(&progress, &p->plan);
	p->touched = p->plan.ops.count;
	if (want && p->touched)
		r = bpf_fs_note_netns(p->bpf.bpffs, p->args->instance, p->self->node->tunnel.netns,
				      &err);
	if (!r)
		r = netns_enter(&p->netns, &err);
	if (!r) {
		r = apply_plan(&apply, &p->plan, &err);
		netns_leave(&p->netns);
	}
	if (!r)
		return EXIT_DONE;
	keep_load_log(p, &err);
	return pipeline_leave(p, &err);
}

static int remove_stray(struct pipeline *p, const char *name, struct err *err)
{
	struct state stray = {};
	struct plan plan = {};
	struct progress progress;
	const struct apply apply = {
		.bpf = &p->bpf,
		.instance = p->args->instance,
		.netns = &p->netns,
		.have = &stray,
		.progress = progress_step,
		.progress_data = &progress,
	};
	const struct rt_routes none = {}; /* they go with the device */
	int r = observe_net(&stray, &none, p->args->instance, name, err);

	stray.exists = false; /* the programs stay until the tunnel itself is gone */
	if (!r)
		r = plan_build_down(&stray, &plan, err);
	progress_start(&progress, &plan);
	if (!r)
		r = apply_plan(&apply, &plan, err);
	plan_free(&plan);
	state_free(&stray);
	return r;
}

int pipeline_remove_strays(struct pipeline *p)
{
	const struct facts_link *link;
	struct err err;
	int r = netns_enter(&p->netns, &err);

	if (r)
		return pipeline_leave(p, &err);
	array_for_each(link, &p->facts.links)
		if (!r && link->ours && strcmp(link->name, p->have.tunnel.name) != 0)
			r = remove_stray(p, link->name, &err);
	netns_leave(&p->netns);
	return r ? pipeline_leave(p, &err) : EXIT_DONE;
}
