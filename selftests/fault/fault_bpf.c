// SPDX-License-Identifier: GPL-2.0-only
#include "fault.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* BPF_PROG_LOAD of the program that is to be spoiled. The copy is never freed: the load fails. */
static void spoil(int command, union bpf_attr *attr)
{
	const char *name = getenv("FAULT_PROGRAM");
	size_t size = attr->insn_cnt * sizeof(struct bpf_insn);
	struct bpf_insn *copy;

	if (command != BPF_PROG_LOAD || !name || !fault_is_now() ||
	    strcmp(attr->prog_name, name) != 0)
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
	if (number == SYS_bpf && fault_is_next("bpf"))
		return -1;
	if (number == SYS_bpf && lacks_flag((int)words[0], (const union bpf_attr *)words[1])) {
		errno = EINVAL;
		return -1;
	}
	if (number == SYS_bpf && puts_back((int)words[0]) && getenv("FAULT_HELD") &&
	    fault_is_now()) {
		errno = EPERM;
		return -1;
	}
	if (number == SYS_bpf)
		spoil((int)words[0], (union bpf_attr *)words[1]);
	return real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
