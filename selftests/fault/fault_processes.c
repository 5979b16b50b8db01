// SPDX-License-Identifier: GPL-2.0-only
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

FAIL_SOMETIMES(int, pipe2, (int fds[2], int flags), (fds, flags))
FAIL_SOMETIMES(pid_t, fork, (void), ())
FAIL_SOMETIMES(pid_t, setsid, (void), ())
FAIL_SOMETIMES(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
FAIL_SOMETIMES(int, waitid, (idtype_t type, id_t id, siginfo_t *out, int options),
	       (type, id, out, options))
FAIL_SOMETIMES(int, dup2, (int from, int to), (from, to))
FAIL_SOMETIMES(int, dup3, (int from, int to, int flags), (from, to, flags))
FAIL_SOMETIMES(int, setrlimit, (__rlimit_resource_t what, const struct rlimit *limit),
	       (what, limit))
FAIL_SOMETIMES(int, setrlimit64, (__rlimit_resource_t what, const struct rlimit64 *limit),
	       (what, limit))

/* Of these, what may be left out is a word. */
#define FAIL_WITH_WORD(name, type)                                             \
	int name(int fd, type what, ...)                                       \
	{                                                                      \
		unsigned long word;                                            \
		va_list list;                                                  \
                                                                               \
		va_start(list, what);                                          \
		word = va_arg(list, unsigned long);                            \
		va_end(list);                                                  \
		return fault_is_next(#name) ? -1 : REAL(name)(fd, what, word); \
	}

FAIL_WITH_WORD(ioctl, unsigned long)
FAIL_WITH_WORD(fcntl, int)
FAIL_WITH_WORD(fcntl64, int)

int prctl(int option, ...)
{
	unsigned long words[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		words[i] = va_arg(list, unsigned long);
	va_end(list);
	return fault_is_next("prctl") ? -1
				      : REAL(prctl)(option, words[0], words[1], words[2], words[3]);
}

/* Its own arguments are as few as the program's are. */
int execlp(const char *file, const char *first, ...)
{
	char *words[16] = { (char *)first };
	va_list list;

	va_start(list, first);
	for (int i = 1; i < 15 && words[i - 1]; i++)
		words[i] = va_arg(list, char *);
	va_end(list);
	return fault_is_next("execlp") ? -1 : execvp(file, words);
}

int setns(int fd, int type)
{
	const char *path = getenv("FAULT_NETNS");
	struct stat closed, asked;

	if (path && !REAL(stat)(path, &closed) && !REAL(fstat)(fd, &asked) &&
	    closed.st_ino == asked.st_ino && closed.st_dev == asked.st_dev) {
		errno = EPERM;
		return -1;
	}
	return fault_is_next("setns") ? -1 : REAL(setns)(fd, type);
}
