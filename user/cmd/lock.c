// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
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

static int refuse_second(const struct args *args, int fd, const char *path)
{
	int pid = read_holder(fd);
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

int take_lock(const struct args *args, int *fd)
{
	AUTO_CLOSE int lock = -1;
	char path[RUN_PATH_SIZE];
	struct err err;

	if (file_make_dirs(RUN_DIR, 0755, &err)) {
		log_error("%s: %s", args->command->name, err.text);
		return EXIT_FAILED;
	}
	lock = open(run_path(path, args, "lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0) {
		log_error("%s: open %s: %s", args->command->name, path, strerror(errno));
		return EXIT_FAILED;
	}
	if (flock(lock, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			return refuse_second(args, lock, path);
		log_error("%s: lock %s: %s", args->command->name, path, strerror(errno));
		return EXIT_FAILED;
	}
	write_holder(lock);
	*fd = mem_take_fd(&lock);
	return EXIT_DONE;
}
