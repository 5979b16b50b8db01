/* SPDX-License-Identifier: GPL-2.0-only */
/* The text of a first policy, with the comments that a reader of it needs. */
#ifndef TP_REPORT_FIRST_H
#define TP_REPORT_FIRST_H

#include "model/first.h"
#include "secret/key.h"

struct first_text {
	const struct first *first;
	const char *node, *peer;       /* names that a policy may have */
	const char *key_file;          /* absolute */
	struct key node_key, peer_key; /* public ones */
};

/* Into memory the caller frees; NULL when memory is out. */
char *first_policy(const struct first_text *text);

#endif
