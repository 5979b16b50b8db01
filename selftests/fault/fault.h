/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FAULT_H
#define FAULT_H

#include <dlfcn.h>
#include <stdbool.h>

/* Counts a call of that name: whether it is its turn to fail, and then errno is set. */
bool fault_is_next(const char *name);

void fault_note(const char *name, bool failed); /* a line of FAULT_LOG */
bool fault_is_now(void);                        /* what FAULT_WHILE says */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* What a call gives when it fails, where it is not -1. */
#define FAIL_WITH(value, type, name, parameters, arguments)                   \
	type name parameters                                                  \
	{                                                                     \
		return fault_is_next(#name) ? (value) : REAL(name) arguments; \
	}

#define FAIL_SOMETIMES(type, name, parameters, arguments) \
	FAIL_WITH((type)-1, type, name, parameters, arguments)

#endif
