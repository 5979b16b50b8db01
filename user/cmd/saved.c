// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/saved.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "cmd/lock.h"
#include "cmd/pipeline.h"

static const char *saved_path(char *buf, const struct args *args)
{
	return run_path(buf, args, "policy");
}

int saved_write(const struct args *args, const void *text, size_t length, struct err *err)
{
	char path[RUN_PATH_SIZE];
	int r;

	if (file_holds(saved_path(path, args), text, length))
		return 0;
	r = file_make_dirs(RUN_DIR, 0755, err);
	return r ? r : file_write(path, text, length, 0644, FILE_ALONE, err);
}

int saved_read(const struct args *args, const uint8_t hash[HASH_SIZE], char **text, size_t *length,
	       struct err *err)
{
	AUTO_FREE char *found = NULL;
	uint8_t found_hash[HASH_SIZE];
	char path[RUN_PATH_SIZE];
	int r = file_read(saved_path(path, args), POLICY_FILE_MAX, &found, length, err);

	if (r)
		return r;
	hash_bytes(found, *length, found_hash);
	if (memcmp(found_hash, hash, HASH_SIZE) != 0)
		return err_set(err, -ENOENT, "%s is not the policy in force", path);
	*text = TAKE(found);
	return 0;
}

void saved_remove(const struct args *args)
{
	char path[RUN_PATH_SIZE];

	(void)unlink(run_path(path, args, "policy.new")); /* of a write that was killed */
	(void)unlink(saved_path(path, args));             /* what is left is known by its hash */
}
