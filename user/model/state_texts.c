// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "model/state.h"

int state_add_text(struct state *state, const char *text, uint32_t *number)
{
	return intern_add(&state->texts, text, strlen(text) + 1, number);
}

const char *state_text(const struct state *state, uint32_t number)
{
	size_t size;

	return intern_get(&state->texts, number, &size);
}
