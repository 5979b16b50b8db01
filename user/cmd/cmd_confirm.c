// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/lock.h"
#include "cmd/try.h"

/* With the lock: the policy is not being put back at this moment. */
int cmd_confirm(const struct args *args)
{
	AUTO_CLOSE int lock = -1;
	int status = require_root(args);

	if (status == EXIT_DONE)
		status = take_lock(args, &lock);
	if (status != EXIT_DONE)
		return status;
	if (!try_end(args)) {
		log_error("confirm: no policy of instance %s is on trial", args->instance);
		return EXIT_NOT_RUNNING;
	}
	log_info("the policy stays in force");
	return EXIT_DONE;
}
