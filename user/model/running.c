// SPDX-License-Identifier: GPL-2.0-only
#include "model/running.h"

#include <stdlib.h>

void running_free(struct running *running)
{
	free(running->file);
	free(running->failure);
	free(running->waiting);
	problems_free(&running->errors);
	problems_free(&running->unresolved);
	*running = (struct running){ 0 };
}

bool running_is_idle(const struct running *running)
{
	return running->waiting && running->wait == RUNNING_WAIT_LISTED;
}

bool running_is_tried(const struct running *running)
{
	return running->waiting || running->failure;
}

const char *running_result_name(enum running_result result)
{
	static const char *const names[RUNNING_RESULTS] = {
		[RUNNING_APPLIED] = "applied",
		[RUNNING_UNCHANGED] = "unchanged",
		[RUNNING_REJECTED] = "rejected",
	};

	return names[result];
}

const char *running_object_name(enum running_object object)
{
	static const char *const names[RUNNING_OBJECTS] = {
		[RUNNING_LINK] = "link",       [RUNNING_PEER] = "peer",
		[RUNNING_ADDRESS] = "address", [RUNNING_ROUTE] = "route",
		[RUNNING_SYSCTL] = "sysctl",   [RUNNING_PROGRAM] = "program",
		[RUNNING_MAP] = "map",
	};

	return names[object];
}
