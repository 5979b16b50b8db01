// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_floor.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

#define OLDEST_TESTED "6.1"
#define TCX_INGRESS   46 /* BPF_TCX_INGRESS, which linux/bpf.h has since 6.6 */

#define INSN(op, to, from, offset, number)                                                         \
	(struct bpf_insn)                                                                          \
	{                                                                                          \
		.code = (op), .dst_reg = (to), .src_reg = (from), .off = (offset), .imm = (number) \
	}
#define RETURN_0 \
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int load(const struct bpf_insn *code, size_t count)
{
	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, NULL, "GPL", code, count, NULL);
}

/*
 * What cannot be told counts as there: then loading the programs says what is wrong. (libbpf's
 * probe of a program type takes any failure for a no.)
 */
static bool has_tc_programs(void)
{
	const struct bpf_insn code[] = { RETURN_0 };
	AUTO_CLOSE int fd = load(code, ARRAY_SIZE(code));

	return fd != -EINVAL;
}

static bool has_redirect_neigh(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_redirect_neigh, NULL) != 0;
}

static bool has_xdp_buff_len(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_get_buff_len, NULL) != 0;
}

/* A compare-and-exchange on the stack. */
static bool has_atomics(void)
{
	const struct bpf_insn code[] = {
		INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, -8, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_10, BPF_REG_1, -8, BPF_CMPXCHG),
		RETURN_0,
	};
	AUTO_CLOSE int fd = load(code, ARRAY_SIZE(code));

	return fd != -EINVAL;
}

/* Attaching to no device: a kernel that knows tcx looks for the device. */
static bool has_tcx(void)
{
	const struct bpf_insn code[] = { RETURN_0 };
	AUTO_CLOSE int fd = load(code, ARRAY_SIZE(code));

	return fd < 0 || bpf_link_create(fd, 0, TCX_INGRESS, NULL) != -EINVAL;
}

static const struct {
	const char *name;
	bool (*is_there)(void);
} needs[BPF_NEEDS] = {
	[NEED_TC_PROGRAMS] = { "BPF programs at tc", has_tc_programs },
	[NEED_REDIRECT_NEIGH] = { "bpf_redirect_neigh (Linux 5.10)", has_redirect_neigh },
	[NEED_ATOMICS] = { "atomic BPF instructions that give the old value (Linux 5.12)",
			   has_atomics },
	[NEED_XDP_BUFF_LEN] = { "bpf_xdp_get_buff_len (Linux 5.18)", has_xdp_buff_len },
	[NEED_TCX] = { "tcx (Linux 6.6), which --tc-attach auto would do without", has_tcx },
};

unsigned int bpf_floor_missing(bool tcx)
{
	unsigned int missing = 0, need;

	for (need = 0; need < BPF_NEEDS; need++)
		if ((need != NEED_TCX || tcx) && !needs[need].is_there())
			missing |= 1U << need;
	return missing;
}

int bpf_floor_judge(unsigned int missing, const char *release, struct err *err)
{
	const bool only_tcx = missing == 1U << NEED_TCX;
	char names[512] = "";
	size_t length = 0;
	unsigned int need;

	if (!missing)
		return 0;
	for (need = 0; need < BPF_NEEDS; need++)
		if (missing & 1U << need)
			length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
						   length ? ", " : "", needs[need].name);
	return err_set(err, -EOPNOTSUPP, "this kernel (%s) lacks %s%s", release, names,
		       only_tcx ? "" : "; towpath wants Linux " OLDEST_TESTED " or later");
}
