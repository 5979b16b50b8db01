// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/chain.h"
#include "test.h"

/* ---- a tree of the case's own ---- */

static char top[64];

static void tree_make(void)
{
	strcpy(top, "/tmp/towpath-chain-XXXXXX");
	CHECK(mkdtemp(top));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void tree_remove(void)
{
	CHECK(!nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS));
}

/* Valid until the next but one call. */
static const char *at(const char *name)
{
	static char paths[2][256];
	static unsigned int turn;
	char *path = paths[turn++ % 2];

	snprintf(path, sizeof(paths[0]), "%s%s%s", top, name[0] ? "/" : "", name);
	return path;
}

static void make_directory(const char *name)
{
	CHECK(!mkdir(at(name), 0700));
}

static void make_file(const char *name)
{
	AUTO_CLOSE int fd = open(at(name), O_WRONLY | O_CREAT | O_EXCL, 0600);

	CHECK(fd >= 0);
}

static void make_link(const char *name, const char *target)
{
	CHECK(!symlink(target, at(name)));
}

/* "directory name, ..." with the tree's own path left out: "/ policy.json, /..1 policy.json". */
static void check_walk(const char *path, const char *want)
{
	char got[2048] = "";
	const struct chain_entry *entry;
	struct chain chain = {};

	REQUIRE(!chain_walk(path, &chain));
	array_for_each(entry, &chain) {
		size_t length = strlen(got), own = strlen(top);
		bool below = !strncmp(entry->directory, top, own);

		snprintf(got + length, sizeof(got) - length, "%s%s%s %s", length ? ", " : "",
			 below ? "~" : "", entry->directory + (below ? own : 0), entry->name);
		if (length > 1000)
			break;
	}
	CHECK_TEXT(got, want);
	chain_free(&chain);
}

/* ---- cases ---- */

TEST(a_plain_file_is_one_entry)
{
	tree_make();
	make_directory("etc");
	make_file("etc/policy.json");
	check_walk(at("etc/policy.json"), "~/etc policy.json");
	check_walk(at("etc//./../etc/policy.json"), "~/etc policy.json");
	tree_remove();
}

TEST(a_configmap_has_three)
{
	tree_make();
	make_directory("..1");
	make_file("..1/policy.json");
	make_link("..data", "..1");
	make_link("policy.json", "..data/policy.json");
	check_walk(at("policy.json"), "~ policy.json, ~ ..data, ~/..1 policy.json");
	tree_remove();
}

TEST(links_of_directories_count_as_well)
{
	tree_make();
	make_directory("a");
	make_directory("b");
	make_file("b/policy.json");
	make_link("a/up", "../b");
	make_link("etc", at("a/up"));
	check_walk(at("etc/policy.json"), "~ etc, ~/a up, ~/b policy.json");
	tree_remove();
}

TEST(it_ends_at_what_is_missing)
{
	tree_make();
	check_walk(at("policy.json"), "~ policy.json");
	check_walk(at("etc/towpath/policy.json"), "~ etc");
	make_link("policy.json", "gone/policy.json");
	check_walk(at("policy.json"), "~ policy.json, ~ gone");
	check_walk("/towpath-is-not-here/policy.json", "/ towpath-is-not-here");
	tree_remove();
}

TEST(it_ends_where_links_go_round)
{
	tree_make();
	make_link("a", "b");
	make_link("b", "a");
	check_walk(at("a"), "~ a, ~ b");
	tree_remove();
}

TEST(an_entry_is_known_by_both_its_names)
{
	struct chain chain = {};

	REQUIRE(!chain_walk("/towpath-is-not-here/policy.json", &chain));
	CHECK(chain_has(&chain, "/", "towpath-is-not-here"));
	CHECK(!chain_has(&chain, "/", "policy.json"));
	CHECK(!chain_has(&chain, "/towpath-is-not-here", "policy.json"));
	chain_free(&chain);
}
