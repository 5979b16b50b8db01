// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/try.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "cmd/commands.h"
#include "cmd/lock.h"

#define GUARDIAN_NAME "tp-revert" /* what `ps` shows; at most 15 bytes */
#define LOCK_RETRY_MS 100
#define RETRY_MIN_S   1 /* after putting back failed: twice as long each time */
#define RETRY_MAX_S   60

/* ---- the record ---- */

static const char *record_path(char *buf, const struct args *args)
{
	return run_path(buf, args, "try");
}

/* 1 or 0, whether the guardian that held the record's lock is no more, or a negative errno. */
static int is_abandoned(int fd)
{
	if (!flock(fd, LOCK_SH | LOCK_NB))
		return 1;
	return errno == EWOULDBLOCK ? 0 : -errno;
}

int try_find(const struct args *args, struct trial *out, struct err *err)
{
	char path[RUN_PATH_SIZE], text[24] = "";
	AUTO_CLOSE int fd = open(record_path(path, args), O_RDONLY | O_CLOEXEC);
	uint64_t seconds = 0;
	int r;

	*out = (struct trial){ 0 };
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "open %s", path);
	r = is_abandoned(fd);
	if (r < 0)
		return err_sys(err, r, "lock %s", path);
	out->abandoned = r;
	if (!r && read(fd, text, sizeof(text) - 1) < 0)
		return err_sys(err, -errno, "read %s", path);
	if (!r && !num_read(text, 1, INT64_MAX, &seconds))
		out->until = (int64_t)seconds;
	return 0;
}

bool try_end(const struct args *args)
{
	char path[RUN_PATH_SIZE];

	return !unlink(record_path(path, args));
}

int try_refuse(const struct args *args)
{
	struct trial trial;
	struct err err;
	int64_t left;

	if (try_find(args, &trial, &err)) {
		log_error("%s: find out whether a policy is on trial: %s", args->command->name,
			  err.text);
		return EXIT_FAILED;
	}
	left = trial.until - time(NULL);
	if (!trial.until) {
		if (try_end(args))
			log_warn("%s: a policy was on trial, and what would have put back the one "
				 "before has died",
				 args->command->name);
		return EXIT_DONE;
	}
	if (left > 0)
		log_error("%s: a policy is on trial for %" PRId64 " s more: `towpath confirm` "
			  "keeps it, `towpath down` removes it",
			  args->command->name, left);
	else
		log_error("%s: the trial of a policy is over, but the one before could not be put "
			  "back yet, which is tried again: `towpath confirm` ends that, `towpath "
			  "down` removes everything",
			  args->command->name);
	return EXIT_FAILED;
}

/* Locked, and the lock is inherited over fork. */
static int make_record(const struct args *args, struct err *err)
{
	char path[RUN_PATH_SIZE], text[24];
	AUTO_CLOSE int fd = -1;
	ssize_t n;
	int length;

	record_path(path, args);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, -errno, "make %s", path);
	length = snprintf(text, sizeof(text), "%" PRId64, (int64_t)time(NULL) + args->try_seconds);
	if (flock(fd, LOCK_EX | LOCK_NB))
		return err_sys(err, -errno, "lock %s", path);
	n = write(fd, text, (size_t)length);
	if (n != length)
		return err_sys(err, n < 0 ? -errno : -ENOSPC, "write %s", path);
	return mem_take_fd(&fd);
}

/* The record goes last: whoever looks meanwhile is told that a trial is on. */
void try_give_up(const struct args *args, struct try_before *before)
{
	if (try_before_put_back(before, args) == EXIT_DONE)
		try_end(args);
	else
		log_error("%s: what was in force could not be put back; see above. It is tried "
			  "again when the trial is over",
			  args->command->name);
}

/* ---- the guardian ---- */

struct guardian {
	const struct args *args;
	struct try_before *before;
	int record, events; /* the record's lock, and an inotify of it */
};

/* Not another one of the same name, which a later trial has made. */
static bool is_ours(const struct guardian *g)
{
	char path[RUN_PATH_SIZE];
	struct stat named, held;

	return !stat(record_path(path, g->args), &named) && !fstat(g->record, &held) &&
	       named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now); /* a suspended machine does not stretch the trial */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True when the time is over and nobody has ended the trial. */
static bool is_left_alone(const struct guardian *g, uint32_t seconds)
{
	struct pollfd poll_events = { .fd = g->events, .events = POLLIN };
	int64_t end = now_ms() + (int64_t)seconds * 1000;
	char event[sizeof(struct inotify_event) + NAME_MAX + 1];

	while (is_ours(g)) {
		int64_t left = end - now_ms();

		if (left <= 0)
			return true;
		/* a second at a time: poll's own clock stands still in suspend */
		if (poll(&poll_events, 1, left < 1000 ? (int)left : 1000) > 0)
			(void)!read(g->events, event, sizeof(event)); /* is_ours tells the rest */
	}
	return false;
}

/* While another holds it, and the trial is not ended. */
static int take_lock_patiently(const struct guardian *g, struct err *err)
{
	char path[RUN_PATH_SIZE];
	const struct timespec pause = { .tv_nsec = LOCK_RETRY_MS * 1000000L };
	AUTO_CLOSE int fd =
		open(run_path(path, g->args, "lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, -errno, "open %s", path);
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return err_sys(err, -errno, "lock %s", path);
		if (!is_ours(g))
			return err_set(err, -ECANCELED, "the trial has ended");
		nanosleep(&pause, NULL);
	}
	return mem_take_fd(&fd);
}

/* False when it is to be tried again; then `confirm` and `down` get the lock meanwhile. */
static bool revert(const struct guardian *g)
{
	struct err err;
	AUTO_CLOSE int lock = take_lock_patiently(g, &err);

	if (!is_ours(g))
		return true;
	if (lock < 0)
		log_error("%s: %s", g->args->command->name, err.text);
	if (lock < 0 || try_before_put_back(g->before, g->args) != EXIT_DONE)
		return false;
	try_end(g->args);
	return true;
}

/* There is nobody to give up to. */
static void guard(const struct guardian *g)
{
	uint32_t wait_s = g->args->try_seconds, pause_s = RETRY_MIN_S;

	while (is_left_alone(g, wait_s) && !revert(g)) {
		log_error("%s: what was in force could not be put back; again in %u s",
			  g->args->command->name, pause_s);
		wait_s = pause_s;
		pause_s = pause_s < RETRY_MAX_S / 2 ? 2 * pause_s : RETRY_MAX_S;
	}
}

/* All but standard streams and these two; an empty stretch is an error that does no harm. */
static void close_but(int a, int b)
{
	unsigned int low = (unsigned int)(a < b ? a : b), high = (unsigned int)(a < b ? b : a);

	close_range(STDERR_FILENO + 1, low - 1, 0);
	close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
}

/*
 * Nothing of the caller's stays open: neither its output nor the instance's lock. Nor is a file
 * of the policy's read any more, whose path may begin where we leave.
 */
static int leave_home(struct guardian *g, int ready)
{
	char path[RUN_PATH_SIZE];
	int null, log;

	if (setsid() < 0)
		return -errno;
	prctl(PR_SET_NAME, GUARDIAN_NAME);
	close_but(g->record, ready);
	null = open("/dev/null", O_RDWR);
	log = open(run_path(path, g->args, "try.log"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (null < 0 || log < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(log, STDERR_FILENO) < 0)
		return -errno;
	g->events = inotify_init1(IN_CLOEXEC);
	if (g->events < 0 || inotify_add_watch(g->events, record_path(path, g->args),
					       IN_ATTRIB | IN_DELETE_SELF) < 0)
		return -errno;
	return chdir("/") ? -errno : 0;
}

/*
 * Says over `ready` that it stands by; an end without a word is a failure. When nobody hears it any
 * more, nothing was tried: there is no trial to end but in name. Of an apply that is killed after
 * it heard, nobody knows how far it came: that trial takes its time. Never returns.
 */
__attribute__((noreturn)) static void become_guardian(struct guardian *g, int ready)
{
	signal(SIGPIPE, SIG_IGN);
	if (leave_home(g, ready) || write(ready, "y", 1) != 1) {
		if (is_ours(g))
			try_end(g->args);
		_exit(EXIT_FAILED);
	}
	close(ready);
	guard(g);
	try_before_free(g->before); /* its keys are wiped */
	_exit(EXIT_DONE);
}

static bool stands_by(int ready)
{
	char byte;
	ssize_t n;

	do
		n = read(ready, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

static int start_guardian(const struct args *args, struct try_before *before, struct err *err)
{
	struct guardian g = { .args = args, .before = before };
	AUTO_CLOSE int record = make_record(args, err);
	int ready[2];
	bool started;
	pid_t pid;

	if (record < 0)
		return record;
	if (pipe2(ready, O_CLOEXEC))
		return err_sys(err, -errno, "make a pipe");
	g.record = record;
	fflush(NULL); /* or both would write what is buffered */
	pid = fork();
	if (!pid)
		become_guardian(&g, ready[1]);
	close(ready[1]);
	started = pid > 0 && stands_by(ready[0]);
	close(ready[0]);
	return started ? 0 : err_set(err, -ECHILD, "start what would put back the policy in force");
}

/* ---- beginning ---- */

int try_begin(const struct args *args, struct try_before *before)
{
	struct err err;
	int r = try_before_read(before, args, &err);

	if (!r) {
		r = start_guardian(args, before, &err);
		if (r)
			try_end(args);
	}
	if (r) {
		log_error("%s: --try: %s", args->command->name, err.text);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}
