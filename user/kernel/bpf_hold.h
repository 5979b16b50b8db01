/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is pinned, held by a process that stays. Maps and links live as long as a pin or a
 * descriptor does: while both are there, whoever deletes pins takes neither flows nor programs
 * away, and the same objects can be pinned anew.
 */
#ifndef TP_KERNEL_BPF_HOLD_H
#define TP_KERNEL_BPF_HOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/array.h"
#include "base/err.h"
#include "kernel/bpf_object.h"

struct bpf_held {
	char path[BPF_FS_PATH_SIZE]; /* of the pin */
	int fd;
	bool is_link;
};

/* Zeroed at first; bpf_hold_drop it. */
struct bpf_hold {
	ARRAY_OF(struct bpf_held) pins;
	char *netns; /* the symbolic link beside them; NULL: there is none */
};

/*
 * Holds what is pinned now, and of what it held what has lost its pin since and is not dead. On
 * failure it holds what it did.
 */
int bpf_hold_take(struct bpf_hold *hold, const struct bpf *bpf, struct err *err);

/*
 * Pins anew what has lost its pin, but for links whose device is gone or that somebody detached.
 * out: how many maps and links that were, also on failure.
 */
struct bpf_mended {
	size_t maps, links;
};
int bpf_hold_mend(const struct bpf_hold *hold, const struct bpf *bpf, struct bpf_mended *out,
		  struct err *err);

void bpf_hold_drop(struct bpf_hold *hold);

#endif
