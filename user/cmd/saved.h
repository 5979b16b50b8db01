/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The text of the policy in force, /run/towpath/<instance>.policy: the kernel holds what was made
 * of it, and its hash. It lives as long as what it describes, until `down` or the next boot.
 */
#ifndef TP_CMD_SAVED_H
#define TP_CMD_SAVED_H

#include "cmd/args.h"
#include "secret/key.h"

/*
 * With the instance's lock; not when that is what is there already. 0644: a policy holds no
 * secrets.
 */
int saved_write(const struct args *args, const void *text, size_t length, struct err *err);

/*
 * *text is the caller's, with a NUL behind it. -ENOENT: none was saved, or it is not the one whose
 * SHA-256 this is, because a process ended between the kernel and the file.
 */
int saved_read(const struct args *args, const uint8_t hash[HASH_SIZE], char **text, size_t *length,
	       struct err *err);

void saved_remove(const struct args *args); /* one that is not there is fine */

#endif
