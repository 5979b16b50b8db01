// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded (LD_PRELOAD): counts the kernel calls of a program, and fails one of them.
 *
 *	FAULT_AT=N	the Nth call, from 1, fails with EIO; unset or 0: none does
 *	FAULT_FROM=X	counted is from the first call of X, as "rename", on
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
 * Counted is what the program asks of the kernel by a function of libc: bpf(2) of libbpf, netlink
 * and other sockets, files that it opens, reads, writes, locks, renames and removes, mounts and new
 * processes. Calls that libc makes on its own behalf are not.
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

static unsigned long calls;

void fault_note(const char *name, bool failed)
{
	static int fd = -2;
	char line[64];
	const char *path = getenv("FAULT_LOG");
	int length;

	if (fd == -2)
		fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path,
					 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
			  : -1;
	length = snprintf(line, sizeof(line), "%lu %s%s\n", calls, name, failed ? " failed" : "");
	if (fd >= 0)
		(void)!syscall(SYS_write, fd, line, (size_t)length);
}

bool fault_is_next(const char *name)
{
	const char *at = getenv("FAULT_AT"), *from = getenv("FAULT_FROM");
	bool failed;

	if (from && !calls && strcmp(name, from) != 0)
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
