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
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long calls;

static void note(const char *name, bool failed)
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

/* Whether it is this call's turn. */
static bool fails(const char *name)
{
	const char *at = getenv("FAULT_AT"), *from = getenv("FAULT_FROM");
	bool failed;

	if (from && !calls && strcmp(name, from) != 0)
		return false;
	failed = ++calls == (at ? strtoul(at, NULL, 10) : 0);
	note(name, failed);
	if (failed && getenv("FAULT_KILL"))
		raise(SIGKILL);
	if (failed)
		errno = EIO;
	return failed;
}

static bool is_now(void)
{
	const char *path = getenv("FAULT_WHILE");

	return !path || syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define FAIL_SOMETIMES(type, name, parameters, arguments)              \
	type name parameters                                           \
	{                                                              \
		return fails(#name) ? (type)-1 : REAL(name) arguments; \
	}

int socket(int domain, int type, int protocol)
{
	const char *family = getenv("FAULT_NO_FAMILY");

	if (family && domain == atoi(family)) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return fails("socket") ? -1 : REAL(socket)(domain, type, protocol);
}

FAIL_SOMETIMES(int, connect, (int fd, const struct sockaddr *to, socklen_t length),
	       (fd, to, length))
FAIL_SOMETIMES(int, bind, (int fd, const struct sockaddr *to, socklen_t length), (fd, to, length))
FAIL_SOMETIMES(int, setsockopt,
	       (int fd, int level, int option, const void *value, socklen_t length),
	       (fd, level, option, value, length))
FAIL_SOMETIMES(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags),
	       (fd, message, flags))
FAIL_SOMETIMES(ssize_t, recv, (int fd, void *data, size_t length, int flags),
	       (fd, data, length, flags))
FAIL_SOMETIMES(int, mkdir, (const char *path, mode_t mode), (path, mode))
FAIL_SOMETIMES(int, rename, (const char *from, const char *to), (from, to))
FAIL_SOMETIMES(int, link, (const char *from, const char *to), (from, to))
FAIL_SOMETIMES(int, unlink, (const char *path), (path))
FAIL_SOMETIMES(int, rmdir, (const char *path), (path))
FAIL_SOMETIMES(int, fsync, (int fd), (fd))
FAIL_SOMETIMES(int, flock, (int fd, int operation), (fd, operation))
FAIL_SOMETIMES(ssize_t, read, (int fd, void *data, size_t length), (fd, data, length))
FAIL_SOMETIMES(int, pipe2, (int fds[2], int flags), (fds, flags))
FAIL_SOMETIMES(int, mount,
	       (const char *source, const char *target, const char *type, unsigned long flags,
		const void *data),
	       (source, target, type, flags, data))
FAIL_SOMETIMES(pid_t, fork, (void), ())

/* Standard output and error are how the program says what failed. */
ssize_t write(int fd, const void *data, size_t length)
{
	return fd > STDERR_FILENO && fails("write") ? -1 : REAL(write)(fd, data, length);
}

static bool is_netlink(int fd)
{
	int domain = 0;
	socklen_t size = sizeof(domain);

	return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) && domain == AF_NETLINK;
}

/* Of the dump that is being read; one question is asked at a time. */
static struct {
	unsigned long count;
	bool spoiled; /* its turn */
	bool lost;    /* its ENOBUFS was given */
} dump;

static bool netlink_is(const char *what, int fd)
{
	const char *wanted = getenv("FAULT_NETLINK");

	return wanted && !strcmp(wanted, what) && is_netlink(fd);
}

/* A signal came, and the call is to be made again. */
static bool is_interrupted(const char *name, int fd)
{
	static bool again;

	if (!netlink_is("signal", fd))
		return false;
	again = !again;
	if (again) {
		note(name, true);
		errno = EINTR;
	}
	return again;
}

static void begin_dump(const struct nlmsghdr *header, size_t length)
{
	bool always = getenv("FAULT_NETLINK_ALWAYS");

	if (length < sizeof(*header))
		return;
	dump.lost = false;
	dump.spoiled =
		(header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP && (++dump.count % 2 || always);
}

/* The kernel had no memory for the next part, which stays where it is. */
static bool is_lost(int fd)
{
	if (!dump.spoiled || !((!dump.lost && netlink_is("lost", fd)) || netlink_is("starved", fd)))
		return false;
	dump.lost = true;
	note("lost", true);
	errno = ENOBUFS;
	return true;
}

static void mark_interrupted(int fd, const struct msghdr *message, ssize_t length)
{
	struct nlmsghdr *header = message->msg_iov->iov_base;
	int left = (int)length;

	if (!dump.spoiled || !netlink_is("interrupted", fd))
		return;
	for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left))
		header->nlmsg_flags |= NLM_F_DUMP_INTR;
	note("interrupted", true);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t length;

	if (fails("recvmsg") || is_interrupted("recvmsg", fd) || is_lost(fd))
		return -1;
	length = REAL(recvmsg)(fd, message, flags);
	if (length > 0)
		mark_interrupted(fd, message, length);
	return length;
}

/* The message, if it is one to that protocol of netlink. */
static const struct nlmsghdr *message_to(int wanted, int fd, const void *data, size_t length)
{
	int domain = 0, protocol = 0;
	socklen_t size = sizeof(int);

	return length >= sizeof(struct nlmsghdr) &&
			       !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) &&
			       domain == AF_NETLINK &&
			       !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) &&
			       protocol == wanted
		       ? data
		       : NULL;
}

/* A family of generic netlink may have the same number. */
static bool is_about_rules(int fd, const void *data, size_t length)
{
	const struct nlmsghdr *header = message_to(NETLINK_ROUTE, fd, data, length);

	return header && header->nlmsg_type >= RTM_NEWRULE && header->nlmsg_type <= RTM_GETRULE;
}

/* RTM_NEW... and RTM_SET...: of four types each, the first and the last. */
static bool is_addition(int fd, const void *data, size_t length)
{
	const struct nlmsghdr *header = message_to(NETLINK_ROUTE, fd, data, length);

	return header && header->nlmsg_type >= RTM_BASE &&
	       (header->nlmsg_type % 4 == 0 || header->nlmsg_type % 4 == 3);
}

/* By the kernel's generic netlink, or in the words of a userspace implementation. */
static bool is_about_peers(int fd, const void *data, size_t length)
{
	static const char words[] = "set=1";
	const struct nlmsghdr *header = message_to(NETLINK_GENERIC, fd, data, length);

	if (header)
		return header->nlmsg_type > GENL_ID_CTRL && length >= NLMSG_LENGTH(GENL_HDRLEN) &&
		       ((const struct genlmsghdr *)NLMSG_DATA(header))->cmd == WG_CMD_SET_DEVICE;
	return length >= strlen(words) && !memcmp(data, words, strlen(words));
}

/* What is sent would put something back, and is not to. */
static bool is_held(int fd, const void *data, size_t length)
{
	if (!getenv("FAULT_HELD") || !is_now() ||
	    (!is_addition(fd, data, length) && !is_about_peers(fd, data, length)))
		return false;
	errno = EPERM;
	return true;
}

/* The way of libbpf to netlink, and ours to a userspace WireGuard. */
ssize_t send(int fd, const void *data, size_t length, int flags)
{
	if (fails("send") || is_held(fd, data, length))
		return -1;
	return REAL(send)(fd, data, length, flags);
}

/* libmnl's way to netlink. */
ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to,
	       socklen_t to_length)
{
	if (fails("sendto") || is_interrupted("sendto", fd) || is_held(fd, data, length))
		return -1;
	if (is_netlink(fd))
		begin_dump(data, length);
	if (getenv("FAULT_NO_RULES") && is_about_rules(fd, data, length)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return REAL(sendto)(fd, data, length, flags, to, to_length);
}

int setns(int fd, int type)
{
	const char *path = getenv("FAULT_NETNS");
	struct stat closed, asked;

	if (path && !stat(path, &closed) && !fstat(fd, &asked) && closed.st_ino == asked.st_ino &&
	    closed.st_dev == asked.st_dev) {
		errno = EPERM;
		return -1;
	}
	return fails("setns") ? -1 : REAL(setns)(fd, type);
}

static mode_t mode_of(int flags, va_list list)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_of(flags, list);
	va_end(list);
	return fails("open") ? -1 : REAL(open)(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_of(flags, list);
	va_end(list);
	return fails("openat") ? -1 : REAL(openat)(directory, path, flags, mode);
}

/* BPF_PROG_LOAD of the program that is to be spoiled. The copy is never freed: the load fails. */
static void spoil(int command, union bpf_attr *attr)
{
	const char *name = getenv("FAULT_PROGRAM");
	size_t size = attr->insn_cnt * sizeof(struct bpf_insn);
	struct bpf_insn *copy;

	if (command != BPF_PROG_LOAD || !name || !is_now() || strcmp(attr->prog_name, name) != 0)
		return;
	copy = malloc(size);
	if (!copy)
		return;
	memcpy(copy, (const void *)(uintptr_t)attr->insns, size);
	/* r0 = r9 */
	copy[0] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_X, .src_reg = BPF_REG_9 };
	attr->insns = (uintptr_t)copy;
}

static bool lacks_flag(int command, const union bpf_attr *attr)
{
	const char *flags = getenv("FAULT_NO_FLAG");

	return flags && command == BPF_LINK_CREATE &&
	       attr->link_create.flags & strtoul(flags, NULL, 0);
}

static bool puts_back(int command)
{
	return command == BPF_OBJ_PIN || command == BPF_LINK_CREATE || command == BPF_LINK_UPDATE;
}

/* libbpf's way to bpf(2). Six words are as many as a call of the kernel takes. */
long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long words[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		words[i] = va_arg(list, long);
	va_end(list);
	if (!real)
		real = REAL(syscall);
	if (number == SYS_bpf && fails("bpf"))
		return -1;
	if (number == SYS_bpf && lacks_flag((int)words[0], (const union bpf_attr *)words[1])) {
		errno = EINVAL;
		return -1;
	}
	if (number == SYS_bpf && puts_back((int)words[0]) && getenv("FAULT_HELD") && is_now()) {
		errno = EPERM;
		return -1;
	}
	if (number == SYS_bpf)
		spoil((int)words[0], (union bpf_attr *)words[1]);
	return real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
