/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What libbpf says while programs are loaded: its warnings, and in them the verifier's log of a
 * program that it refused. libbpf talks to a callback without context, so there is one of these.
 */
#ifndef TP_KERNEL_BPF_LOG_H
#define TP_KERNEL_BPF_LOG_H

#include "base/err.h"

void bpf_log_listen(void); /* from here on, libbpf prints nothing by itself */
void bpf_log_begin(void);  /* what is said from here on is kept, for a load */
void bpf_log_end(void);    /* nothing more, and what was said is forgotten */

/*
 * For the error of a load: r, and libbpf's first line, which names what failed. Nothing more is
 * kept then. Returns r.
 */
int bpf_log_error(struct err *err, int r);

/* All that was said when a load failed since bpf_log_begin, else NULL. Until the next begin or end.
 */
const char *bpf_log_failure(void);

#endif
