/* SPDX-License-Identifier: GPL-2.0-only */
/* Whole files: read with a limit, written atomically. */
#ifndef TP_BASE_FILE_H
#define TP_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Reads a whole file ("-": standard input) into memory the caller frees, with a NUL behind it
 * that length does not count. -EFBIG when it is larger than limit bytes.
 */
int file_read(const char *path, size_t limit, char **text, size_t *length, struct err *err);

/*
 * Writes beside path and renames over it; mode as given. With FILE_NEW an existing file is left
 * alone and -EEXIST comes back, and of several writers at once one wins. On failure there is no
 * file of ours under any name, unless only its directory could not be synced.
 */
#define FILE_NEW 1
/*
 * Nobody else writes path at that time. Then what is written beside it is always path.new, and a
 * process that is killed there leaves it to the next one.
 */
#define FILE_ALONE 2
int file_write(const char *path, const void *data, size_t length, mode_t mode, int flags,
	       struct err *err);

/* Whether that is what is in the file; false also when it cannot be read. */
bool file_holds(const char *path, const void *data, size_t length);

/* 1 with the next name in a folder, 0 behind the last one, or a negative errno. */
int file_next(DIR *dir, struct dirent **entry);

/* mkdir -p; each directory it makes gets mode. */
int file_make_dirs(const char *path, mode_t mode, struct err *err);

#endif
