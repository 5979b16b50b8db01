// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include <towpath/layout.h>

#include "cmd/commands.h"
#include "version.h"

int cmd_version(const struct args *args)
{
	if (args->json)
		printf("{\"version\":\"%s\",\"abi\":%d}\n", TOWPATH_VERSION, TP_ABI);
	else
		printf("towpath %s (map ABI %d)\n", TOWPATH_VERSION, TP_ABI);
	return EXIT_DONE;
}
