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
#include "cmd/commands.h"

#define RUN_DIR "/run/towpath"

int require_root(const struct args *args)
{
	if (!geteuid())
		return EXIT_DONE;
	log_error("%s: it changes devices, routes and BPF maps: run it as root",
		  args->command->name);
	return EXIT_LACKING;
}

int take_lock(const struct args *args, int *fd)
{
	AUTO_CLOSE int lock = -1;
	char path[sizeof(RUN_DIR) + 64];
	struct err err;

	if (file_make_dirs(RUN_DIR, 0755, &err)) {
		log_error("%s: %s", args->command->name, err.text);
		return EXIT_FAILED;
	}
	snprintf(path, sizeof(path), RUN_DIR "/%s.lock", args->instance);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0) {
		log_error("%s: open %s: %s", args->command->name, path, strerror(errno));
		return EXIT_FAILED;
	}
	if (flock(lock, LOCK_EX | LOCK_NB)) {
		log_error("%s: another towpath is at work on instance %s (%s is locked)",
			  args->command->name, args->instance, path);
		return EXIT_FAILED;
	}
	*fd = mem_take_fd(&lock);
	return EXIT_DONE;
}
