/* SPDX-License-Identifier: GPL-2.0-only */
/* Who may change the kernel: root, and one process an instance at a time. */
#ifndef TP_CMD_LOCK_H
#define TP_CMD_LOCK_H

#include "cmd/args.h"

/* EXIT_DONE, or EXIT_LACKING having said so. */
int require_root(const struct args *args);

/*
 * Takes /run/towpath/<instance>.lock until *fd is closed. EXIT_DONE, or EXIT_FAILED having said
 * why and who has it. The file stays: removing it would let two processes lock two files of one
 * name.
 */
int take_lock(const struct args *args, int *fd);

/* /run/towpath/<instance>.<kind>, of that size; returns buf. */
#define RUN_DIR       "/run/towpath"
#define RUN_PATH_SIZE 64
const char *run_path(char *buf, const struct args *args, const char *kind);

#endif
