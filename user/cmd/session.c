// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "model/session.h"

#define ENVIRONMENT_MAX (1U << 20)
#define ANCESTORS_MAX   32
#define VARIABLE        "SSH_CONNECTION="

static int find_in_environment(pid_t pid, struct session *out)
{
	AUTO_FREE char *text = NULL;
	char path[32];
	size_t length;
	struct err err;
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	if (file_read(path, ENVIRONMENT_MAX, &text, &length, &err))
		return -1;
	for (at = text; at < text + length; at += strlen(at) + 1)
		if (!strncmp(at, VARIABLE, strlen(VARIABLE)))
			return session_read(at + strlen(VARIABLE), out);
	return -1;
}

/* 0 when there is none, or it cannot be told. */
static pid_t parent_of(pid_t pid)
{
	AUTO_FREE char *text = NULL;
	char path[32];
	size_t length;
	struct err err;
	const char *behind_name;
	int parent;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (file_read(path, ENVIRONMENT_MAX, &text, &length, &err))
		return 0;
	behind_name = strrchr(text, ')'); /* a name may hold blanks and parentheses */
	if (!behind_name || sscanf(behind_name, ") %*c %d", &parent) != 1)
		return 0;
	return parent;
}

/* sudo clears the environment, but not that of the shell it is typed in. */
static bool find_session(struct session *out)
{
	pid_t pid = getpid();
	int i;

	for (i = 0; pid > 1 && i < ANCESTORS_MAX; i++, pid = parent_of(pid))
		if (!find_in_environment(pid, out))
			return true;
	return false;
}

int refuse_cut(struct pipeline *p)
{
	struct session session;
	struct err err;

	if (p->args->force || p->unattended || !p->plan.ops.count ||
	    p->policy->config->enforce == ENFORCE_LOG || !find_session(&session))
		return EXIT_DONE;
	if (!session_judge(&session, &p->have, &p->want, &err))
		return EXIT_DONE;
	p->failure = err;
	if (!p->silent)
		log_error("%s: %s", p->args->command->name, err.text);
	return EXIT_FAILED;
}
