/* SPDX-License-Identifier: GPL-2.0-only */
/* What args.c, which sorts words, and args_values.c, which reads values, share. */
#ifndef TP_CMD_ARGS_PARTS_H
#define TP_CMD_ARGS_PARTS_H

#include "cmd/args.h"

struct args_option_text {
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *meaning;
};

extern const struct args_option_text args_option_texts[ARGS_OPTION_COUNT];

/* Into args; value is NULL for an option without argument. 0, or -EINVAL with err set. */
int args_read_option(enum args_option option, const char *value, struct args *args,
		     struct err *err);

/*
 * -EINVAL, with the nearest of the candidates. kind is "command", "option" or the option whose
 * value it is; dashes go before both words.
 */
int args_refuse_word(struct err *err, const char *kind, const char *word, const char *dashes,
		     const char *const *candidates, size_t count);

#endif
