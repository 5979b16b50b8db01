// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "test.h"

/* A cgroup may have any name: one that was left out would have its exempt sockets refused. */
TEST(cgroups_below_are_all_but_trials)
{
	static const char *const names[] = { "pod", ".hidden", CGROUP_TRIAL "7" };
	char top[] = "/tmp/towpath-cgroup-XXXXXX", path[64];
	struct socket_belows found = { 0 };
	size_t i;
	int fd;

	REQUIRE(mkdtemp(top));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", top, names[i]);
		CHECK(!mkdir(path, 0700));
	}
	snprintf(path, sizeof(path), "%s/cgroup.procs", top);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	close(fd);
	CHECK_INT(cgroup_read_below(top, &found), 0);
	if (CHECK(found.count == 2)) {
		CHECK_TEXT(found.items[0].name, ".hidden");
		CHECK_TEXT(found.items[1].name, "pod");
	}
	array_clear(&found);
	unlink(path);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", top, names[i]);
		CHECK(!rmdir(path));
	}
	CHECK(!rmdir(top));
}
