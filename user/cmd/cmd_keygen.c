// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "cmd/commands.h"
#include "secret/key.h"

/* Makes a key, leaves it in path and its public half in *public_key. */
static int make_key_file(const char *path, struct key *public_key, struct err *err)
{
	struct key private_key;
	int r;

	key_generate(&private_key);
	r = key_write_file(path, &private_key, err);
	if (!r)
		key_derive_public(&private_key, public_key);
	key_wipe(&private_key);

	if (r == -EEXIST)
		return err_set(
			err, r,
			"%s is there already and keys are never overwritten; its public key: "
			"towpath pubkey %s",
			path, path);
	return r;
}

int cmd_keygen(const struct args *args)
{
	const char *path = args->out ? args->out : KEY_FILE;
	char text[KEY_TEXT_SIZE];
	struct key public_key;
	struct err err;
	int r = 0;

	if (!args->out)
		r = file_make_dirs(KEY_DIR, 0700, &err);
	if (!r)
		r = make_key_file(path, &public_key, &err);
	if (r) {
		log_error("keygen: %s", err.text);
		return EXIT_FAILED;
	}

	if (printf("%s\n", key_put(text, &public_key)) < 0 || fflush(stdout)) {
		log_error("keygen: write the public key failed; towpath pubkey %s shows it", path);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}
