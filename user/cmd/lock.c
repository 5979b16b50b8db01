// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "cmd/commands.h"

int require_root(const struct args *args)
{
	if (!geteuid())
		return EXIT_DONE;
	log_error("%s: it changes devices, routes and BPF maps: run it as root",
		  args->command->name);
	return EXIT_LACKING;
}

/* Who holds the lock, as far as the file tells; 0 when it does not. */
static int read_holder(int fd)
{
	char text[16] = "";
	uint64_t pid;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 1 || text[n - 1] != '\n')
		return 0;
	return num_read_n(text, (size_t)n - 1, 1, INT32_MAX, &pid) ? 0 : (int)pid;
}

/* For those who come later; one that cannot be written only leaves them without a pid. */
static void write_holder(int fd)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d\n", getpid());

	if (!ftruncate(fd, 0))
		(void)!pwrite(fd, text, (size_t)length, 0);
}

static int refuse_second(const struct args *args, int lock, const char *path)
{
	int pid = read_holder(lock);
	char who[32] = "another towpath";

	if (pid)
		snprintf(who, sizeof(who), "towpath with pid %d", pid);
	log_error("%s: %s is at work on instance %s (%s is locked)", args->command->name, who,
		  args->instance, path);
	return EXIT_FAILED;
}

_Static_assert(sizeof(RUN_DIR "/.policy.new") + ARGS_INSTANCE_MAX <= RUN_PATH_SIZE, "paths fit");

const char *run_path(char *buf, const struct args *args, const char *kind)
{
	snprintf(buf, RUN_PATH_SIZE, RUN_DIR "/%s.%s", args->instance, kind);
	return buf;
}

/* Whether that file still has the name: `down` removes it, and others may be waiting for it. */
static bool is_named(int fd, const char *path)
{
	struct stat held, named;

	if (stat(path, &named))
		return errno != ENOENT;
	return !fstat(fd, &held) && held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

static int open_lock(const struct args *args, const char *path)
{
	struct err err;
	int fd = -1;

	if (file_make_dirs(RUN_DIR, 0755, &err)) {
		log_error("%s: %s", args->command->name, err.text);
		return -1;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		log_error("%s: open %s: %s", args->command->name, path, strerror(errno));
	return fd;
}

/* EXIT_DONE with *fd -1: it has lost its name meanwhile. */
static int lock_once(const struct args *args, const char *path, int *fd)
{
	AUTO_CLOSE int lock = open_lock(args, path);

	if (lock < 0)
		return EXIT_FAILED;
	if (flock(lock, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			return refuse_second(args, lock, path);
		log_error("%s: lock %s: %s", args->command->name, path, strerror(errno));
		return EXIT_FAILED;
	}
	*fd = is_named(lock, path) ? mem_take_fd(&lock) : -1;
	return EXIT_DONE;
}

int take_lock(const struct args *args, int *fd)
{
	char path[RUN_PATH_SIZE];
	int status;

	run_path(path, args, "lock");
	do
		status = lock_once(args, path, fd);
	while (status == EXIT_DONE && *fd < 0);
	if (status == EXIT_DONE)
		write_holder(*fd);
	return status;
}

/* One that is not there is fine; a file that stays says nothing that anybody goes by. */
void remove_run_files(const struct args *args)
{
	static const char *const kinds[] = { "policy.new", "policy",  "sock",
					     "load.log",   "try.log", "lock" };
	char path[RUN_PATH_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		(void)unlink(run_path(path, args, kinds[i]));
}
