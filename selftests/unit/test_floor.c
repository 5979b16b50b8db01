// SPDX-License-Identifier: GPL-2.0-only
/* What a kernel below the floor is told; that one is refused is for selftests/vm. */
#include <errno.h>

#include "kernel/bpf_floor.h"
#include "test.h"

#define BIT(need) (1U << (need))

TEST(a_kernel_that_lacks_nothing_is_accepted)
{
	struct err err;

	CHECK_INT(bpf_floor_judge(0, "6.1.0", &err), 0);
}

TEST(all_that_an_old_kernel_lacks_is_named)
{
	struct err err;

	CHECK_INT(bpf_floor_judge(BIT(NEED_ATOMICS) | BIT(NEED_XDP_BUFF_LEN), "5.10.0-46", &err),
		  -EOPNOTSUPP);
	CHECK_TEXT(err.text, "this kernel (5.10.0-46) lacks atomic BPF instructions that give the "
			     "old value (Linux 5.12), bpf_xdp_get_buff_len (Linux 5.18); towpath "
			     "wants Linux 6.1 or later");
}

TEST(tcx_is_no_floor)
{
	struct err err;

	CHECK_INT(bpf_floor_judge(BIT(NEED_TCX), "6.1.0", &err), -EOPNOTSUPP);
	CHECK_TEXT(err.text, "this kernel (6.1.0) lacks tcx (Linux 6.6), which --tc-attach auto "
			     "would do without");
}

TEST(everything_there_is_to_lack_fits)
{
	struct err err;

	CHECK_INT(bpf_floor_judge(BIT(BPF_NEEDS) - 1, "4.19.0", &err), -EOPNOTSUPP);
	CHECK_TEXT(
		err.text,
		"this kernel (4.19.0) lacks BPF programs at tc, bpf_redirect_neigh (Linux 5.10), "
		"atomic BPF instructions that give the old value (Linux 5.12), "
		"bpf_xdp_get_buff_len (Linux 5.18), tcx (Linux 6.6), which --tc-attach auto "
		"would do without; towpath wants Linux 6.1 or later");
}
