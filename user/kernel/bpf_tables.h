/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of a policy's tables into maps. */
#ifndef TP_KERNEL_BPF_TABLES_H
#define TP_KERNEL_BPF_TABLES_H

#include "kernel/bpf_object.h"
#include "model/state.h"

struct bpf_tables_source {
	const struct tables *tables;
	struct route_pieces pieces;
};

/* 0 or -ENOMEM; bpf_tables_end in either case. from must outlive it. */
int bpf_tables_begin(struct bpf_tables_source *source, const struct tables *from);
void bpf_tables_end(struct bpf_tables_source *source);

/*
 * Puts the rows of one table into a map, which must have room; fd -1 only counts them. 0 or a
 * negative errno.
 */
int bpf_tables_write(const struct bpf_tables_source *source, enum bpf_table which, int fd,
		     size_t *written);

#endif
