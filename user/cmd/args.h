/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line as values. Pure: it reads argv and the table of commands, nothing else. */
#ifndef TP_CMD_ARGS_H
#define TP_CMD_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/log.h"
#include "model/state.h"

#define ARGS_OPERAND_MAX  2
#define ARGS_INSTANCE_MAX 31 /* bytes; the name is a directory, a socket and a link alias */

struct command;

enum args_option {
	ARGS_INSTANCE,
	ARGS_BPFFS,
	ARGS_LOG_LEVEL,
	ARGS_LOG_FORMAT,
	ARGS_HELP,
	ARGS_NODE,
	ARGS_JSON,
	ARGS_OUT,
	ARGS_TC_ATTACH,
	ARGS_FROM,
	ARGS_TO,
	ARGS_PROTO,
	ARGS_DPORT,
	ARGS_SPORT,
	ARGS_IN,
	ARGS_METRICS_LISTEN,
	ARGS_CLEANUP_ON_EXIT,
	ARGS_LAN,
	ARGS_PEER,
	ARGS_KEY,
	ARGS_TRY,
	ARGS_FORCE,
	ARGS_HEALTHY,
	ARGS_STALL_AFTER,
	ARGS_OPTION_COUNT
};

#define ARGS_BIT(option) (1U << (option))
/* What every command takes. */
#define ARGS_GLOBAL                                                                  \
	(ARGS_BIT(ARGS_INSTANCE) | ARGS_BIT(ARGS_BPFFS) | ARGS_BIT(ARGS_LOG_LEVEL) | \
	 ARGS_BIT(ARGS_LOG_FORMAT) | ARGS_BIT(ARGS_HELP))

/* Strings point into argv. */
struct args {
	const struct command *command; /* NULL: none was named, the overview is wanted */
	const char *operands[ARGS_OPERAND_MAX];
	size_t operand_count; /* within the command's bounds unless help is set */
	const char *instance; /* a safe directory name; "towpath" */
	const char *bpffs;    /* absolute; NULL = find or mount it */
	const char *node;     /* NULL = whoever has our public key */
	const char *out;      /* NULL = the command's default */
	const char *lan;      /* a device; NULL = to be found */
	const char *peer;     /* a name that a policy may have; NULL = the command's default */
	const char *key;      /* absolute; NULL = the command's default */
	/* trace: as typed, NULL = not given */
	const char *from, *to, *proto, *dport, *sport, *in;
	enum state_tc tc_attach;
	enum log_level log_level;
	enum log_format log_format;
	struct endpoint metrics_listen; /* port 0 = as the policy says */
	uint32_t try_seconds;           /* 0 = for good */
	bool force;
	bool healthy;
	uint32_t stall_after_s; /* 0 = the default */
	bool cleanup_on_exit;
	bool json;
	bool help;
};

/* 0, or -EINVAL with a sentence for the user in err and *out untouched. Keeps argv's order. */
int args_read(int argc, char *argv[], const struct command *commands, size_t command_count,
	      struct args *out, struct err *err);

/* NULL when there is none of that name. */
const struct command *args_find_command(const char *name, const struct command *commands,
					size_t command_count);

/* One line of help for each option whose bit is set. */
void args_print_options(FILE *out, unsigned int options);

#endif
