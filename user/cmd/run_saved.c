// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "base/log.h"
#include "cmd/run.h"

/* Each reason once, until it is another or none: it is tried at every look. */
void run_mind_saved(struct run *run, const struct pipeline *p)
{
	if (p->unsaved.code && strcmp(run->unsaved.text, p->unsaved.text) != 0)
		log_warn("run: the policy is in force, but could not be kept: %s", p->unsaved.text);
	run->unsaved = p->unsaved;
}
