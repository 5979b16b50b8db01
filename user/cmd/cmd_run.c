// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/floor.h"
#include "cmd/lock.h"
#include "cmd/run.h"
#include "cmd/steps.h"
#include "cmd/try.h"

/* ---- telling the service manager ---- */

static void describe_rejected(const struct run *run, char *status, size_t size)
{
	const struct problem *error = run->running.errors.items;

	if (run->running.failure)
		snprintf(status, size,
			 "policy file REJECTED: %s: %s; nor can the machine be made "
			 "as the policy before it wants it: %s",
			 error->place, error->message, run->running.failure);
	else
		snprintf(status, size, "policy file REJECTED, %s in force: %s: %s",
			 run->served ? "an earlier policy is" : "and none is", error->place,
			 error->message);
}

static void describe(const struct run *run, char *status, size_t size)
{
	if (run->running.rejected_at)
		describe_rejected(run, status, size);
	else if (run->running.waiting)
		snprintf(status, size, "%s", run->running.waiting);
	else if (run->running.failure)
		snprintf(status, size,
			 "the machine cannot be made as the policy of %s wants it: %s",
			 run->running.file, run->running.failure);
	else
		snprintf(status, size, "the policy of %s is in force", run->running.file);
}

void run_say_ready(struct run *run)
{
	char status[NOTIFY_STATUS_SIZE];

	describe(run, status, sizeof(status));
	/* a node that the policy does not list has nothing to wait for */
	if (run->served || running_is_idle(&run->running) || run->notify.ready)
		notify_ready(&run->notify, status);
	else
		notify_waiting(&run->notify, status);
}

void run_say_news(struct run *run)
{
	char status[NOTIFY_STATUS_SIZE];

	if (!run->notify.ready || run->notify.owed) {
		run_say_ready(run);
		return;
	}
	describe(run, status, sizeof(status));
	notify_status(&run->notify, status);
}

void run_reload(struct run *run)
{
	if (run->notify.ready)
		notify_reloading(&run->notify);
	(void)run_load(run); /* a rejected file is noted and logged; we stay */
	run_say_ready(run);
}

/* ---- what wakes us ---- */

static void file_changed(void *data)
{
	log_debug("the policy file changed");
	run_reload(data);
}

static void tried_again(void *data)
{
	log_debug("the policy file is tried again");
	run_reload(data);
}

static void key_expired(void *data)
{
	log_info("the calendar says to look at the policy again");
	run_replan(data);
}

static enum look kernel_changed(void *data)
{
	return run_repair(data);
}

static void take_signal(void *data)
{
	struct signalfd_siginfo info;
	struct run *run = data;

	if (read(run->signals.fd, &info, sizeof(info)) != sizeof(info))
		return; /* EAGAIN: another call took it */
	if (info.ssi_signo == SIGHUP)
		run_reload(run);
	else
		loop_leave(&run->loop);
}

/* Blocked from here on, so that none of them is missed while the first policy is applied. */
static int open_signals(struct run *run, struct err *err)
{
	sigset_t set;
	int fd, r;

	signal(SIGPIPE, SIG_IGN); /* whoever reads our log may go away */
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(err, -errno, "take signals");
	r = loop_add(&run->loop, &run->signals, fd, take_signal, run, err);
	if (r)
		close(fd);
	return r;
}

/* ---- beginning and end ---- */

char *run_absolute(const char *path)
{
	char here[PATH_MAX];

	if (path[0] == '/')
		return mem_copy_string(path);
	return getcwd(here, sizeof(here)) ? mem_format("%s/%s", here, path) : NULL;
}

static int open_sources(struct run *run, struct err *err)
{
	char path[RUN_PATH_SIZE];
	int r = open_signals(run, err);

	if (!r)
		r = notify_open(&run->notify, err);
	if (!r)
		r = loop_timer_open(&run->expiry, &run->loop, true, key_expired, run, err);
	if (!r)
		r = loop_timer_open(&run->again, &run->loop, false, tried_again, run, err);
	if (!r)
		r = run_endpoints_open(&run->endpoints, &run->loop, run->args->stall_after_s,
				       &run->running.unresolved, err);
	if (!r)
		r = watch_open(&run->watch, &run->loop, run->running.file, file_changed, run, err);
	if (!r)
		r = kernel_watch_open(&run->kernel, &run->loop, kernel_changed, run, err);
	if (!r)
		r = run_netns_open(run, err);
	if (!r)
		r = run_exempt_open(run, err);
	if (!r)
		r = run_local_vips_open(run, err);
	if (!r)
		r = run_pins_open(run, err);
	if (!r)
		r = control_open(&run->control, &run->loop, run_path(path, run->args, "sock"),
				 &run->running, err);
	return r;
}

static void close_sources(struct run *run)
{
	http_close(run->http);
	control_close(&run->control);
	run_netns_close(run);
	run_exempt_close(run);
	run_health_close(run);
	run_local_vips_close(run);
	run_pins_close(run);
	run_sink_drop(run);
	kernel_watch_close(&run->kernel);
	watch_close(&run->watch);
	run_endpoints_close(&run->endpoints);
	array_clear(&run->seen.peers);
	loop_timer_close(&run->again);
	loop_timer_close(&run->expiry);
	notify_close(&run->notify);
	if (run->signals.ready) {
		loop_remove(&run->loop, &run->signals);
		close(run->signals.fd);
	}
	free(run->good);
	run_forget_keys(run);
	running_free(&run->running);
}

/*
 * A restart that finds a broken file stays up beside the policy that is in force. With nothing
 * set up there is nothing to stay for.
 */
static int begin(struct run *run)
{
	int status = run_load(run);

	if (status == EXIT_DONE || !run_take_over(run))
		return status;
	log_warn("run: the policy that is live in the kernel stays in force");
	run->served = true;
	run_listen_take_over(run);
	run_pins_take(run);
	kernel_watch_look(&run->kernel);
	return EXIT_DONE;
}

/* Of one that waited there is nothing. */
static int clean_up(struct run *run)
{
	struct pipeline p;
	int status;

	bpf_hold_drop(&run->pins.hold);
	run_sink_drop(run);
	pipeline_start(&p, run->args);
	p.removing = true;
	status = down_all(&p);
	pipeline_end(&p);
	run->cleaned = status == EXIT_DONE || status == EXIT_NOT_RUNNING;
	return run->cleaned ? EXIT_DONE : status;
}

static int leave(struct run *run)
{
	bool clean = run->args->cleanup_on_exit;

	log_info(clean ? "leaving, and removing everything" : "leaving; the data path stays");
	notify_stopping(&run->notify, clean ? "removing everything" : "the data path stays");
	return clean ? clean_up(run) : EXIT_DONE;
}

static int stay(struct run *run)
{
	struct err err;
	int status = EXIT_FAILED;

	if (open_sources(run, &err))
		log_error("run: %s", err.text);
	else
		status = begin(run);
	if (status != EXIT_DONE)
		return status;

	run_say_ready(run);
	log_info("watching %s", run->running.file);
	if (loop_run(&run->loop, &err)) {
		log_error("run: %s", err.text);
		return EXIT_FAILED;
	}
	return leave(run);
}

static int run_locked(const struct args *args)
{
	struct run run = { .args = args, .notify.fd = -1 };
	struct err err;
	int status;

	if (loop_open(&run.loop, &err)) {
		log_error("run: %s", err.text);
		return EXIT_FAILED;
	}
	run.running.pid = (uint32_t)getpid();
	run.running.since = time(NULL);
	run.running.file = run_absolute(args->operands[0]);
	if (run.running.file) {
		status = stay(&run);
	} else {
		log_error("run: %s: its directory is not known: %s", args->operands[0],
			  strerror(errno));
		status = EXIT_FAILED;
	}
	close_sources(&run);
	loop_close(&run.loop);
	if (run.cleaned) /* last: with the lock's name goes the lock */
		remove_run_files(args);
	return status;
}

/* The soft limit is low for those who use select(2), which nobody here does. */
static void raise_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files); /* cannot fail: up to the hard one anybody may */
}

int cmd_run(const struct args *args)
{
	AUTO_CLOSE int lock = -1;
	int status;

	if (!strcmp(args->operands[0], "-")) {
		log_error("run: standard input cannot be read again; name a file");
		return EXIT_USAGE;
	}
	raise_limit();
	status = require_root(args);
	if (status == EXIT_DONE)
		status = require_kernel(args);
	if (status == EXIT_DONE)
		status = take_lock(args, &lock);
	if (status == EXIT_DONE)
		status = try_refuse(args);
	if (status == EXIT_DONE)
		status = run_locked(args);
	return status;
}
