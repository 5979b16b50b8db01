// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/floor.h"

#include <sys/utsname.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "kernel/bpf_floor.h"

int require_kernel(const struct args *args)
{
	struct utsname name = {};
	struct err err;

	if (uname(&name))
		name.release[0] = '\0'; /* it is only for the sentence */
	if (!bpf_floor_judge(bpf_floor_missing(args->tc_attach == STATE_TC_TCX), name.release,
			     &err))
		return EXIT_DONE;
	log_error("%s: %s", args->command->name, err.text);
	return EXIT_LACKING;
}
