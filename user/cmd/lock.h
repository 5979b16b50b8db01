/* SPDX-License-Identifier: GPL-2.0-only */
/* Who may change the kernel: root, and one process an instance at a time. */
#ifndef TP_CMD_LOCK_H
#define TP_CMD_LOCK_H

#include "cmd/args.h"

/* EXIT_DONE, or EXIT_LACKING having said so. */
int require_root(const struct args *args);

/*
 * Takes /run/towpath/<instance>.lock until *fd is closed. EXIT_DONE, or EXIT_FAILED having said
 * why and who has it.
 */
int take_lock(const struct args *args, int *fd);

/* Everything of the instance's below /run/towpath, the lock too, which must be held. */
void remove_run_files(const struct args *args);

/* /run/towpath/<instance>.<kind>, of that size; returns buf. */
#define RUN_DIR       "/run/towpath"
#define RUN_PATH_SIZE 64
const char *run_path(char *buf, const struct args *args, const char *kind);

#endif
