// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/answer.h"
#include "test.h"

static struct running example(void)
{
	struct running running = {
		.pid = 4242,
		.since = 1795851720,
		.file = mem_copy_string("/etc/tow path/policy.json"),
	};

	return running;
}

TEST(says_who_runs_since_when)
{
	struct running running = example(), got = {};
	AUTO_FREE char *text = mem_alloc(1, ANSWER_SIZE);
	size_t length;

	REQUIRE(text);
	length = answer_put(text, &running);
	CHECK_BYTES(text, length,
		    "pid 4242\nsince 1795851720\nfile /etc/tow path/policy.json\n"
		    "rejected_at 0\nleft_out 0\n",
		    strlen("pid 4242\nsince 1795851720\nfile /etc/tow path/policy.json\n"
			   "rejected_at 0\nleft_out 0\n"));
	REQUIRE(!answer_read(text, length, &got));
	CHECK_INT(got.pid, 4242);
	CHECK_INT(got.since, 1795851720);
	CHECK_TEXT(got.file, "/etc/tow path/policy.json");
	CHECK_INT(got.rejected_at, 0);
	CHECK_INT(got.errors.count, 0);
	running_free(&got);
	running_free(&running);
}

TEST(carries_why_something_cannot_be_put_right)
{
	struct running running = example(), got = {};
	AUTO_FREE char *text = mem_alloc(1, ANSWER_SIZE);

	REQUIRE(text);
	running.failure = mem_copy_string("add route 10.0.0.0/8:\nno such device");
	REQUIRE(!answer_read(text, answer_put(text, &running), &got));
	CHECK_TEXT(got.failure, "add route 10.0.0.0/8: no such device");
	running_free(&got);
	running_free(&running);
}

TEST(carries_what_it_waits_for)
{
	enum running_wait wait;

	for (wait = 0; wait < RUNNING_WAITS; wait++) {
		struct running running = example(), got = {};
		AUTO_FREE char *text = mem_alloc(1, ANSWER_SIZE);

		REQUIRE(text);
		running.waiting = mem_copy_string("the policy does not list node \"a\"");
		running.wait = wait;
		REQUIRE(!answer_read(text, answer_put(text, &running), &got));
		CHECK_TEXT(got.waiting, running.waiting);
		CHECK_INT(got.wait, wait);
		running_free(&got);
		running_free(&running);
	}
}

TEST(carries_every_error_on_a_line_of_its_own)
{
	struct running running = example(), got = {};
	AUTO_FREE char *text = mem_alloc(1, ANSWER_SIZE);

	REQUIRE(text);
	running.rejected_at = 1795851999;
	running.errors_left_out = 7;
	CHECK(!problems_add(&running.errors, "$.tunel", "unknown key \"tunel\""));
	CHECK(!problems_add(&running.errors, "$.a b", "two\nlines\tand a tab"));
	REQUIRE(!answer_read(text, answer_put(text, &running), &got));
	CHECK_INT(got.rejected_at, 1795851999);
	CHECK_INT(got.errors_left_out, 7);
	REQUIRE(got.errors.count == 2);
	CHECK_TEXT(got.errors.items[0].place, "$.tunel");
	CHECK_TEXT(got.errors.items[0].message, "unknown key \"tunel\"");
	CHECK_TEXT(got.errors.items[1].place, "$.a b");
	CHECK_TEXT(got.errors.items[1].message, "two lines and a tab");
	running_free(&got);
	running_free(&running);
}

TEST(carries_names_that_do_not_resolve)
{
	struct running running = example(), got = {};
	AUTO_FREE char *text = mem_alloc(1, ANSWER_SIZE);

	REQUIRE(text);
	CHECK(!problems_add(&running.unresolved, "$.nodes.b.endpoint", "\"b.example\" is unknown"));
	REQUIRE(!answer_read(text, answer_put(text, &running), &got));
	CHECK_INT(got.errors.count, 0);
	REQUIRE(got.unresolved.count == 1);
	CHECK_TEXT(got.unresolved.items[0].place, "$.nodes.b.endpoint");
	CHECK_TEXT(got.unresolved.items[0].message, "\"b.example\" is unknown");
	running_free(&got);
	running_free(&running);
}

TEST(counts_the_errors_that_do_not_fit)
{
	struct running running = example(), got = {};
	AUTO_FREE char *text = mem_alloc(1, ANSWER_SIZE);
	AUTO_FREE char *long_message = mem_alloc(1, 3001);
	int i;

	REQUIRE(text && long_message);
	memset(long_message, 'x', 3000);
	running.rejected_at = 1;
	for (i = 0; i < RUNNING_ERRORS_MAX; i++)
		CHECK(!problems_add(&running.errors, "$", "%s", long_message));
	REQUIRE(!answer_read(text, answer_put(text, &running), &got));
	CHECK_INT(got.errors.count, 21); /* of 3009 bytes each, beside the head and the tail */
	CHECK_INT(got.errors_left_out, RUNNING_ERRORS_MAX - 21);
	running_free(&got);
	running_free(&running);
}

TEST(takes_nothing_that_is_not_whole)
{
	static const char *const wrong[] = {
		"",
		"pid 1\n",
		"file /f\n",
		"pid 0\nfile /f\n",
		"pid 1\nfile /f",
		"pid 1\nfile /f\nfile /g\n",
		"pid x\nfile /f\n",
		"pid 1\nfile /f\nrejected_at 5\n",
		"pid 1\nfile /f\nerror $\tm\n",
		"pid 1\nfile /f\nrejected_at 5\nerror no tab\n",
		"pid 1\nfile /f\nsince -1\n",
		"pid 1\nfile /f\nword\n",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct running got = { .pid = 99 };

		CHECK_INT(answer_read(wrong[i], strlen(wrong[i]), &got), -EPROTO);
		CHECK(got.pid == 99 && !got.file && !got.errors.count);
	}
}

TEST(passes_over_what_a_newer_daemon_says)
{
	static const char text[] = "pid 1\nmood fine\nfile /f\n";
	struct running got = {};

	REQUIRE(!answer_read(text, strlen(text), &got));
	CHECK_TEXT(got.file, "/f");
	running_free(&got);
}
