// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "cmd/commands.h"
#include "secret/key.h"

int cmd_pubkey(const struct args *args)
{
	struct key private_key, public_key;
	char text[KEY_TEXT_SIZE];
	struct err err;

	if (key_read_file(args->operands[0], &private_key, &err)) {
		log_error("pubkey: %s", err.text);
		return EXIT_FAILED;
	}
	key_derive_public(&private_key, &public_key);
	key_wipe(&private_key);

	printf("%s\n", key_put(text, &public_key));
	return EXIT_DONE;
}
