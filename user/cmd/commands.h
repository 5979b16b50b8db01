/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands and what they return to the shell. */
#ifndef TP_CMD_COMMANDS_H
#define TP_CMD_COMMANDS_H

#include <stddef.h>

#include "cmd/args.h"

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,       /* the command line is wrong */
	EXIT_POLICY = 3,      /* the policy is invalid */
	EXIT_TEST = 4,        /* a test of the policy does not hold */
	EXIT_NOT_RUNNING = 5, /* nothing is set up */
	EXIT_LACKING = 6,     /* the kernel, the machine or this build lacks something */
};

/* Where a node's private key is unless a policy or the command line says something else. */
#define KEY_DIR  "/var/lib/towpath"
#define KEY_FILE KEY_DIR "/private.key"

struct command {
	const char *name;
	const char *usage;   /* what follows the name: "POLICY [--json]" */
	const char *summary; /* one sentence without its full stop */
	const char *notes;   /* lines for --help behind the summary, or NULL */
	const char *example; /* a whole command line */
	size_t operands_min;
	size_t operands_max;                 /* at most ARGS_OPERAND_MAX */
	unsigned int options;                /* ARGS_BIT(...) of those beyond ARGS_GLOBAL */
	int (*run)(const struct args *args); /* returns an exit status, having logged why */
};

int cmd_check(const struct args *args);
int cmd_plan(const struct args *args);
int cmd_apply(const struct args *args);
int cmd_confirm(const struct args *args);
int cmd_run(const struct args *args);
int cmd_down(const struct args *args);
int cmd_status(const struct args *args);
int cmd_trace(const struct args *args);
int cmd_diff(const struct args *args);
int cmd_init(const struct args *args);
int cmd_keygen(const struct args *args);
int cmd_pubkey(const struct args *args);
int cmd_version(const struct args *args);

#endif
