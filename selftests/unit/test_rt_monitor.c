// SPDX-License-Identifier: GPL-2.0-only
/* Which routes of a network namespace wake who listens there. */
#include "kernel/rt_monitor.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* A notification is there when the command that caused it has ended. */
static unsigned int heard_of(int fd, const char *family, const char *table)
{
	char command[128];
	unsigned int changes;

	snprintf(command, sizeof(command), "ip -%s route add blackhole %s table %s", family,
		 *family == '4' ? "192.0.2.0/24" : "2001:db8::/32", table);
	if (system(command))
		return ~0U;
	changes = rt_monitor_read(fd);
	snprintf(command, sizeof(command), "ip -%s route flush table %s", family, table);
	if (system(command))
		return ~0U;
	(void)rt_monitor_read(fd);
	return changes;
}

/* What the table's routes are to whoever listens; in both families the same. */
static unsigned int heard(int fd, const char *table)
{
	unsigned int changes = heard_of(fd, "4", table);

	return heard_of(fd, "6", table) == changes ? changes : ~0U;
}

/* In a network namespace of its own; 0, or the number of the question that was answered wrongly. */
static int ask(void)
{
	struct err err;
	int fd;

	if (rt_monitor_open(&fd, &err))
		return 1;
	if (heard(fd, "main") != RT_CHANGE_FOREIGN_ROUTE)
		return 2;
	if (heard(fd, "116") != RT_CHANGE_ROUTE)
		return 3;
	if (heard(fd, "200") || heard(fd, "51820") || heard(fd, "local"))
		return 4;
	if (rt_monitor_set_others(fd, true, &err))
		return 5;
	if (heard(fd, "main") != RT_CHANGE_FOREIGN_ROUTE || heard(fd, "116") != RT_CHANGE_ROUTE)
		return 6;
	if (heard(fd, "200") != RT_CHANGE_FOREIGN_ROUTE ||
	    heard(fd, "51820") != RT_CHANGE_FOREIGN_ROUTE || heard(fd, "local"))
		return 7;
	if (rt_monitor_set_others(fd, false, &err) || heard(fd, "200"))
		return 8;
	return 0;
}

TEST(hears_of_other_tables_only_when_asked)
{
	pid_t child = fork();
	int status = 0;

	REQUIRE(child >= 0);
	if (!child)
		_exit(unshare(CLONE_NEWNET) ? 99 : ask());
	REQUIRE(waitpid(child, &status, 0) == child && WIFEXITED(status));
	if (WEXITSTATUS(status) == 99)
		test_skip("a network namespace takes root");
	else
		CHECK_INT(WEXITSTATUS(status), 0);
}
