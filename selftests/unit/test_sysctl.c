// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/sysctl.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "test.h"

TEST(sysctl_takes_paths_below_proc_sys)
{
	CHECK(sysctl_path_is_valid("net/ipv4/ip_forward"));
	CHECK(sysctl_path_is_valid("net/ipv4/conf/eth0.5/forwarding"));
	CHECK(sysctl_path_is_valid("net/ipv4/conf/a..b/forwarding"));
	CHECK(sysctl_path_is_valid("net/ipv4/conf/.../forwarding"));
}

TEST(sysctl_refuses_paths_that_lead_elsewhere)
{
	static const char *const bad[] = { "",
					   "/",
					   "/net/ipv4/ip_forward",
					   "net//ipv4",
					   "net/",
					   "..",
					   "../kernel/core_pattern",
					   "net/../kernel/core_pattern",
					   "net/ipv4/..",
					   "net/./ipv4" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int32_t value = 7;

		test_check(!sysctl_path_is_valid(bad[i]), __FILE__, __LINE__, "takes %s", bad[i]);
		CHECK_INT(sysctl_read(bad[i], &value, NULL), -EINVAL);
		CHECK_INT(sysctl_write(bad[i], 1, NULL), -EINVAL);
		CHECK_INT(value, 7);
	}
}

TEST(sysctl_reads_every_int)
{
	static const struct {
		const char *text;
		int32_t value;
	} rows[] = { { "0\n", 0 },
		     { "1", 1 },
		     { "-1\n", -1 },
		     { "2147483647\n", INT32_MAX },
		     { "-2147483648\n", INT32_MIN } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int32_t value = 7;

		CHECK_INT(sysctl_read_value(rows[i].text, strlen(rows[i].text), &value), 0);
		CHECK_INT(value, rows[i].value);
	}
}

TEST(sysctl_refuses_what_is_not_one_int)
{
	static const char *const bad[] = {
		"",    "\n",   "-",     "-\n",        "x\n",           "1 2\n",  "1\t2\n",
		"--1", "+1\n", "1\n\n", "2147483648", "-2147483649\n", "0x10\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int32_t value = 7;

		test_check(sysctl_read_value(bad[i], strlen(bad[i]), &value) == -EBADMSG, __FILE__,
			   __LINE__, "takes \"%s\"", bad[i]);
		CHECK_INT(value, 7);
	}
}

TEST(sysctl_reads_the_running_kernel)
{
	struct err err = { 0 };
	int32_t value = 0;

	CHECK_INT(sysctl_read("kernel/pid_max", &value, &err), 0);
	CHECK(value > 0);
	CHECK_INT(sysctl_read("kernel/ostype", &value, &err), -EBADMSG);
	CHECK_INT(sysctl_read("kernel/no_such_thing", &value, &err), -ENOENT);
	CHECK_TEXT(err.text, "read sysctl kernel/no_such_thing: No such file or directory");
}
