// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* ---- a directory of the case's own ---- */

static char scratch[64];

static bool scratch_make(void)
{
	strcpy(scratch, "/tmp/towpath-file-XXXXXX");
	return mkdtemp(scratch);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void scratch_remove(void)
{
	CHECK(!nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS));
}

/* A path in scratch; valid until the fourth call after it. */
static const char *at(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned int turn;
	char *path = paths[turn++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", scratch, name);
	return path;
}

static int write_text(const char *path, const char *text, mode_t mode, int flags, struct err *err)
{
	return file_write(path, text, strlen(text), mode, flags, err);
}

static void check_holds(const char *path, const char *want)
{
	AUTO_FREE char *text = NULL;
	struct err err = { 0 };
	size_t length = 0;
	int r = file_read(path, 1 << 20, &text, &length, &err);

	CHECK_INT(r, 0);
	CHECK_INT(length, strlen(want));
	CHECK_TEXT(text, want);
}

static mode_t mode_of(const char *path)
{
	struct stat st = { 0 };

	CHECK(!stat(path, &st));
	return st.st_mode & 07777;
}

static int count_entries(void)
{
	char *names = NULL;
	size_t size = 0;
	FILE *list = NULL;
	char command[128];
	int count = 0;

	snprintf(command, sizeof(command), "ls -A %s", scratch);
	list = popen(command, "r");
	if (!list)
		return -1;
	while (getline(&names, &size, list) > 0)
		count++;
	free(names);
	pclose(list);
	return count;
}

/* ---- reading ---- */

TEST(reads_what_was_written)
{
	struct err err = { 0 };
	int r;

	REQUIRE(scratch_make());
	r = write_text(at("a"), "one\ntwo\n", 0644, 0, &err);
	CHECK_INT(r, 0);
	check_holds(at("a"), "one\ntwo\n");
	r = write_text(at("empty"), "", 0644, 0, &err);
	CHECK_INT(r, 0);
	check_holds(at("empty"), "");
	scratch_remove();
}

TEST(keeps_nul_bytes_and_puts_one_behind)
{
	static const char data[] = { 'a', '\0', 'b' };
	AUTO_FREE char *text = NULL;
	size_t length = 0;
	int r;

	REQUIRE(scratch_make());
	r = file_write(at("a"), data, sizeof(data), 0600, 0, NULL);
	CHECK_INT(r, 0);
	r = file_read(at("a"), 3, &text, &length, NULL);
	CHECK_INT(r, 0);
	REQUIRE(text);
	CHECK_BYTES(text, length, data, sizeof(data));
	CHECK_INT(text[length], '\0');
	scratch_remove();
}

TEST(reads_files_of_every_size_around_its_buffer)
{
	static const size_t sizes[] = { 1, 4094, 4095, 4096, 4097, 8191, 8192, 100000 };
	static char data[100000];
	size_t i;
	int r;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7);
	REQUIRE(scratch_make());
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		AUTO_FREE char *text = NULL;
		size_t length = 0;

		r = file_write(at("a"), data, sizes[i], 0600, 0, NULL);
		CHECK_INT(r, 0);
		r = file_read(at("a"), sizes[i], &text, &length, NULL);
		CHECK_INT(r, 0);
		CHECK_BYTES(text, length, data, sizes[i]);
	}
	scratch_remove();
}

TEST(the_limit_itself_is_allowed_and_one_more_is_not)
{
	char *text = (char *)scratch; /* any value that must stay */
	struct err err = { 0 };
	AUTO_FREE char *good = NULL;
	size_t length = 4711;
	char want[128];
	int r;

	REQUIRE(scratch_make());
	r = write_text(at("a"), "12345", 0600, 0, &err);
	CHECK_INT(r, 0);
	r = file_read(at("a"), 4, &text, &length, &err);
	CHECK_INT(r, -EFBIG);
	CHECK_INT(err.code, -EFBIG);
	snprintf(want, sizeof(want), "read %s: it is larger than 4 bytes", at("a"));
	CHECK_TEXT(err.text, want);
	CHECK(text == scratch);
	CHECK_INT(length, 4711);

	r = file_read(at("a"), 5, &good, &length, &err);
	CHECK_INT(r, 0);
	CHECK_INT(length, 5);
	scratch_remove();
}

/* A file without end, as /dev/zero is, must cost no more memory than the limit. */
TEST(an_endless_file_is_too_large)
{
	char *text = NULL;
	size_t length = 0;
	int r = file_read("/dev/zero", 10000, &text, &length, NULL);

	CHECK_INT(r, -EFBIG);
	CHECK(!text);
}

TEST(reading_what_is_not_there_says_so)
{
	struct err err = { 0 };
	char *text = NULL;
	char want[128];
	size_t length;
	int r;

	REQUIRE(scratch_make());
	r = file_read(at("none"), 10, &text, &length, &err);
	CHECK_INT(r, -ENOENT);
	snprintf(want, sizeof(want), "open %s: No such file or directory", at("none"));
	CHECK_TEXT(err.text, want);
	r = file_read(scratch, 10, &text, &length, &err);
	CHECK_INT(r, -EISDIR);
	snprintf(want, sizeof(want), "read %s: Is a directory", scratch);
	CHECK_TEXT(err.text, want);
	CHECK(!text);
	scratch_remove();
}

TEST(a_dash_is_standard_input_and_leaves_it_open)
{
	AUTO_CLOSE int saved = dup(STDIN_FILENO);
	AUTO_FREE char *text = NULL;
	size_t length = 0;
	int ends[2], r;

	REQUIRE(!pipe(ends));
	CHECK(write(ends[1], "piped", 5) == 5);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);

	r = file_read("-", 5, &text, &length, NULL);
	CHECK_INT(r, 0);
	CHECK_TEXT(text, "piped");
	CHECK(fcntl(STDIN_FILENO, F_GETFD) >= 0);
	if (saved >= 0)
		dup2(saved, STDIN_FILENO);
	else
		close(STDIN_FILENO);
}

/* ---- writing ---- */

TEST(replaces_a_file_and_leaves_no_litter)
{
	int r;

	REQUIRE(scratch_make());
	r = write_text(at("a"), "old and longer", 0600, 0, NULL);
	CHECK_INT(r, 0);
	r = write_text(at("a"), "new", 0600, 0, NULL);
	CHECK_INT(r, 0);
	check_holds(at("a"), "new");
	CHECK_INT(count_entries(), 1);
	scratch_remove();
}

/* Whoever has the old file open keeps reading the old text: that is what atomic means here. */
TEST(does_not_write_into_the_old_file)
{
	struct stat before, after;
	int r;

	REQUIRE(scratch_make());
	r = write_text(at("a"), "old", 0600, 0, NULL);
	CHECK_INT(r, 0);
	CHECK(!link(at("a"), at("held")));
	r = write_text(at("a"), "new", 0600, 0, NULL);
	CHECK_INT(r, 0);
	check_holds(at("held"), "old");
	CHECK(!stat(at("held"), &before) && !stat(at("a"), &after));
	CHECK(before.st_ino != after.st_ino);
	scratch_remove();
}

TEST(the_mode_is_as_asked_whatever_the_umask)
{
	mode_t before = umask(0077);
	int r;

	REQUIRE(scratch_make());
	r = write_text(at("wide"), "x", 0644, 0, NULL);
	CHECK_INT(r, 0);
	umask(0);
	r = write_text(at("narrow"), "x", 0600, FILE_NEW, NULL);
	CHECK_INT(r, 0);
	umask(before);
	CHECK_INT(mode_of(at("wide")), 0644);
	CHECK_INT(mode_of(at("narrow")), 0600);
	scratch_remove();
}

TEST(a_new_file_never_replaces_an_old_one)
{
	struct err err = { 0 };
	char want[128];
	int r;

	REQUIRE(scratch_make());
	r = write_text(at("a"), "first", 0600, FILE_NEW, &err);
	CHECK_INT(r, 0);
	r = write_text(at("a"), "second", 0600, FILE_NEW, &err);
	CHECK_INT(r, -EEXIST);
	snprintf(want, sizeof(want), "write %s: File exists", at("a"));
	CHECK_TEXT(err.text, want);
	check_holds(at("a"), "first");
	CHECK_INT(count_entries(), 1);
	scratch_remove();
}

TEST(a_new_file_does_not_follow_a_dangling_symlink)
{
	int r;

	REQUIRE(scratch_make());
	CHECK(!symlink(at("elsewhere"), at("a")));
	r = write_text(at("a"), "x", 0600, FILE_NEW, NULL);
	CHECK_INT(r, -EEXIST);
	CHECK(access(at("elsewhere"), F_OK));
	scratch_remove();
}

#define WRITERS     8
#define RACE_LENGTH 8000

/* Whoever opens the gate by closing its other end lets all begin. Never comes back. */
static void write_in_race(const int gate[2], char letter)
{
	char text[RACE_LENGTH + 1] = "";
	ssize_t n;
	int r;

	memset(text, letter, RACE_LENGTH);
	close(gate[1]);
	n = read(gate[0], &letter, 1);
	r = n ? -EIO : write_text(at("race"), text, 0600, FILE_NEW, NULL);
	_exit(!r ? 0 : r == -EEXIST ? 1 : 2);
}

static int count_winners(void)
{
	int i, status, won = 0;

	for (i = 0; i < WRITERS; i++) {
		CHECK(wait(&status) > 0 && WIFEXITED(status));
		CHECK(WEXITSTATUS(status) < 2);
		won += !WEXITSTATUS(status);
	}
	return won;
}

/* One writer's text, all of it. */
static void check_is_whole(const char *path)
{
	char want[RACE_LENGTH + 1] = "";
	AUTO_FREE char *text = NULL;
	size_t length;

	REQUIRE(!file_read(path, RACE_LENGTH, &text, &length, NULL));
	memset(want, text[0], RACE_LENGTH);
	CHECK_TEXT(text, want);
}

TEST(of_several_writers_of_a_new_file_one_wins)
{
	int round, gate[2];
	char i;

	REQUIRE(scratch_make());
	for (round = 0; round < 20; round++) {
		REQUIRE(!pipe(gate));
		for (i = 0; i < WRITERS; i++)
			if (!fork())
				write_in_race(gate, (char)('a' + i));
		close(gate[0]);
		close(gate[1]);
		CHECK_INT(count_winners(), 1);
		CHECK_INT(count_entries(), 1);
		CHECK_INT(mode_of(at("race")), 0600);
		check_is_whole(at("race"));
		CHECK(!unlink(at("race")));
	}
	scratch_remove();
}

/* In a child, for the limit would be the test program's too. It stands for a full disk. */
TEST(a_write_without_room_leaves_nothing)
{
	static const struct rlimit small = { 10, 10 };
	int status = 0;

	REQUIRE(scratch_make());
	if (!fork()) {
		signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &small))
			_exit(1);
		_exit(write_text(at("a"), "longer than ten", 0600, FILE_NEW, NULL) != -EFBIG);
	}
	CHECK(wait(&status) > 0 && WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 0);
	CHECK_INT(count_entries(), 0);
	scratch_remove();
}

TEST(a_failed_write_leaves_nothing)
{
	struct err err = { 0 };
	int r;

	REQUIRE(scratch_make());
	CHECK(!mkdir(at("dir"), 0700));
	r = write_text(at("dir"), "x", 0600, 0, &err);
	CHECK_INT(r, -EISDIR);
	CHECK_INT(count_entries(), 1);
	r = write_text(at("none/a"), "x", 0600, 0, &err);
	CHECK_INT(r, -ENOENT);
	CHECK_INT(err.code, -ENOENT);
	scratch_remove();
}

/* ---- directories ---- */

TEST(makes_every_missing_directory)
{
	struct err err = { 0 };
	mode_t before = umask(0077);
	int r;

	REQUIRE(scratch_make());
	r = file_make_dirs(at("a/b//c/"), 0750, &err);
	umask(before);
	CHECK_INT(r, 0);
	CHECK_INT(mode_of(at("a")), 0750);
	CHECK_INT(mode_of(at("a/b/c")), 0750);
	scratch_remove();
}

TEST(directories_that_are_there_keep_their_mode)
{
	int r;

	REQUIRE(scratch_make());
	CHECK(!mkdir(at("a"), 0755) && !chmod(at("a"), 0711));
	r = file_make_dirs(at("a/b"), 0700, NULL);
	CHECK_INT(r, 0);
	r = file_make_dirs(at("a/b"), 0755, NULL);
	CHECK_INT(r, 0);
	CHECK_INT(mode_of(at("a")), 0711);
	CHECK_INT(mode_of(at("a/b")), 0700);
	r = file_make_dirs("/", 0700, NULL);
	CHECK_INT(r, 0);
	scratch_remove();
}

TEST(a_file_in_the_way_is_an_error)
{
	struct err err = { 0 };
	char want[128];
	int r;

	REQUIRE(scratch_make());
	r = write_text(at("a"), "x", 0600, 0, NULL);
	CHECK_INT(r, 0);
	r = file_make_dirs(at("a"), 0700, &err);
	CHECK_INT(r, -ENOTDIR);
	snprintf(want, sizeof(want), "make directory %s: Not a directory", at("a"));
	CHECK_TEXT(err.text, want);
	r = file_make_dirs(at("a/b"), 0700, &err);
	CHECK_INT(r, -ENOTDIR);
	CHECK_TEXT(err.text, want);
	r = file_make_dirs("", 0700, &err);
	CHECK_INT(r, -ENOENT);
	scratch_remove();
}

TEST(a_symlink_to_a_directory_is_a_directory)
{
	int r;

	REQUIRE(scratch_make());
	CHECK(!mkdir(at("real"), 0700) && !symlink("real", at("alias")));
	r = file_make_dirs(at("alias/b"), 0700, NULL);
	CHECK_INT(r, 0);
	CHECK_INT(mode_of(at("real/b")), 0700);
	scratch_remove();
}

TEST(writes_alone_over_what_a_killed_process_left)
{
	struct err err = { 0 };
	int r;

	REQUIRE(scratch_make());
	r = write_text(at("a.new"), "longer than what comes", 0600, 0, &err);
	CHECK_INT(r, 0);
	r = write_text(at("a"), "text", 0644, FILE_ALONE, &err);
	CHECK_INT(r, 0);
	check_holds(at("a"), "text");
	CHECK(access(at("a.new"), F_OK) != 0);
	scratch_remove();
}

TEST(knows_what_a_file_holds)
{
	struct err err = { 0 };
	char large[9000];
	int r;

	memset(large, 'x', sizeof(large));
	REQUIRE(scratch_make());
	r = file_write(at("a"), large, sizeof(large), 0600, 0, &err);
	CHECK_INT(r, 0);
	CHECK(file_holds(at("a"), large, sizeof(large)));
	CHECK(!file_holds(at("a"), large, sizeof(large) - 1));
	large[8999] = 'y';
	CHECK(!file_holds(at("a"), large, sizeof(large)));
	CHECK(!file_holds(at("none"), "", 0));
	CHECK(!file_holds(scratch, "", 0));
	scratch_remove();
}
