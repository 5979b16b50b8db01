// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pins in the life of `run`. It holds what they stand for, so that whoever deletes them takes
 * nothing with them, and pins it anew. Its own steps delete pins too, of links that they have
 * detached: those are dead, and not held any more when the kernel is looked at the next time.
 */
#include <string.h>

#include "base/log.h"
#include "cmd/run.h"
#include "kernel/bpf_hold.h"

/* Each reason is said once, until it is another or none. */
static void say(struct run_pins *pins, const struct err *err)
{
	if (strcmp(pins->failure.text, err->text) != 0)
		log_warn("run: deleted pins are not put back: %s", err->text);
	pins->failure = *err;
}

static void follow(struct run *run, const struct bpf *bpf)
{
	char links[BPF_FS_PATH_SIZE], maps[BPF_FS_PATH_SIZE];

	bpf_fs_link_dir(links, bpf->bpffs, bpf->instance);
	bpf_fs_map_dir(maps, bpf->bpffs, bpf->instance);
	/* where that fails, they are still looked for every few seconds */
	(void)dir_watch_add(&run->pins.watch, links, DIR_WATCH_GONE);
	(void)dir_watch_add(&run->pins.watch, maps, DIR_WATCH_GONE);
}

void run_pins_drop(struct run *run)
{
	bpf_hold_drop(&run->pins.hold);
}

void run_pins_take(struct run *run)
{
	struct bpf bpf;
	struct err err = { 0 };
	int r = bpf_open(&bpf, run->args->bpffs, run->args->instance, false, &err);

	if (!r) {
		r = bpf_hold_take(&run->pins.hold, &bpf, &err);
		follow(run, &bpf);
		bpf_close(&bpf);
	}
	if (r)
		say(&run->pins, &err);
}

static void count(struct run *run, const struct bpf_mended *mended)
{
	if (!mended->maps && !mended->links)
		return;
	log_warn("pins were deleted; pinned anew: %zu maps, %zu programs", mended->maps,
		 mended->links);
	run->running.repairs[RUNNING_MAP] += mended->maps;
	run->running.repairs[RUNNING_PROGRAM] += mended->links;
}

bool run_pins_mend(struct run *run)
{
	struct bpf_mended mended = { 0 };
	struct err err = { 0 };
	struct bpf bpf;
	int r;

	if (!run->pins.hold.pins.count)
		return false;
	r = bpf_open(&bpf, run->args->bpffs, run->args->instance, true, &err);
	if (!r) {
		r = bpf_hold_mend(&run->pins.hold, &bpf, &mended, &err);
		if (mended.maps || mended.links)
			follow(run, &bpf);
		bpf_close(&bpf);
	}
	count(run, &mended);
	if (r)
		say(&run->pins, &err);
	else
		run->pins.failure = (struct err){ 0 };
	return mended.maps || mended.links;
}

static void gone(void *data)
{
	struct run *run = data;

	kernel_watch_news(&run->kernel);
}

int run_pins_open(struct run *run, struct err *err)
{
	return dir_watch_open(&run->pins.watch, &run->loop, gone, run, err);
}

void run_pins_close(struct run *run)
{
	dir_watch_close(&run->pins.watch);
	bpf_hold_drop(&run->pins.hold);
}
