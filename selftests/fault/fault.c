// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded (LD_PRELOAD): counts the kernel calls of a program, and fails one of them.
 *
 *	FAULT_AT=N	the Nth call, from 1, fails with EIO; unset or 0: none does
 *	FAULT_FROM=X	counted is from the first call of X, as "rename", on
 *	FAULT_ONLY=X	counted are only calls of X
 *	FAULT_KILL=1	ends the program there instead, as kill -9 does
 *	FAULT_LOG=FILE	a line for each call, "number name", and " failed" behind the one that did
 *
 *	FAULT_PROGRAM=X	the BPF program X is loaded with a first instruction that no verifier lets
 *			through: it reads a register that was never written
 *	FAULT_HELD=1	nothing can be put back: no link is made or updated, nothing is pinned,
 *			netlink takes no device, address, route, rule, qdisc, filter or peer
 *	FAULT_WHILE=F	the two before, only while there is a file F
 *	FAULT_NO_FLAG=X	an older kernel, whose BPF_LINK_CREATE knows no flag of the bits X
 *	FAULT_NO_RULES=1	a kernel without policy routing
 *	FAULT_NO_FAMILY=N	a kernel without sockets of the address family N
 *	FAULT_NETLINK=signal	each sendto and recvmsg of a netlink socket ends with EINTR once
 *	FAULT_NETLINK=interrupted	every other dump is marked: the tables changed meanwhile
 *	FAULT_NETLINK=lost	every other dump's first recvmsg ends with ENOBUFS
 *	FAULT_NETLINK=starved	every recvmsg of a dump ends with ENOBUFS
 *	FAULT_NETLINK_ALWAYS=1	not every other dump, but each
 *	FAULT_NETNS=X	the network namespace at path X may not be entered, while there is one
 *
 * Counted is what the program and its libraries ask of the kernel by a function of libc, from
 * main() on. Not counted:
 *	what libc asks on its own behalf, as stdio does for fgets(), getmntent() and fclose();
 *	what cannot fail when it is asked rightly, as getpid(), geteuid(), umask(), signal(),
 *	sigprocmask(), clock_gettime(), uname(), getrlimit(), munmap(), and kill() of a child;
 *	getrandom() of few bytes, without which libsodium, which makes keys, ends the program;
 *	close() and closedir(), after which it is closed whatever they say;
 *	write() to standard output and error, which are how the program says what failed;
 *	waits, as nanosleep(), which only end early, and memory, as mmap() of no file.
 */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool in_main; /* and not yet with what libraries do when they are loaded */
static unsigned long calls;

/* Opened each time: a child closes what it does not know. */
void fault_note(const char *name, bool failed)
{
	const char *path = getenv("FAULT_LOG");
	char line[64];
	int fd, length;

	if (!path)
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			  0600);
	length = snprintf(line, sizeof(line), "%lu %s%s\n", calls, name, failed ? " failed" : "");
	if (fd >= 0)
		(void)!syscall(SYS_write, fd, line, (size_t)length);
	close(fd);
}

bool fault_is_next(const char *name)
{
	const char *at = getenv("FAULT_AT"), *from = getenv("FAULT_FROM");
	const char *only = getenv("FAULT_ONLY");
	bool failed;

	if (!in_main)
		return false;
	if (from && !calls && strcmp(name, from) != 0)
		return false;
	if (only && strcmp(name, only) != 0)
		return false;
	failed = ++calls == (at ? strtoul(at, NULL, 10) : 0);
	fault_note(name, failed);
	if (failed && getenv("FAULT_KILL"))
		raise(SIGKILL);
	if (failed)
		errno = EIO;
	return failed;
}

bool fault_is_now(void)
{
	const char *path = getenv("FAULT_WHILE");

	return !path || syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
}

int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv,
		      void (*init)(void), void (*fini)(void), void (*unload)(void), void *stack);

int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv,
		      void (*init)(void), void (*fini)(void), void (*unload)(void), void *stack)
{
	in_main = true;
	return REAL(__libc_start_main)(program, argc, argv, init, fini, unload, stack);
}
