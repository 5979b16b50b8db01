// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/chain.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* done is where we are, "" being the root; at, inside rest, is what is still to be walked. */
struct walk {
	struct chain *out;
	char *done;
	char *rest;
	char *at;
	int links;
};

static int add_entry(struct walk *walk, const char *name)
{
	const char *directory = walk->done[0] ? walk->done : "/";
	struct chain_entry *entry;

	if (chain_has(walk->out, directory, name))
		return 0;
	entry = array_add(walk->out);
	if (!entry)
		return -ENOMEM;
	entry->directory = mem_copy_string(directory);
	entry->name = mem_copy_string(name);
	return entry->directory && entry->name ? 0 : -ENOMEM;
}

/* NULL when there is none; valid until the next link is followed. */
static const char *next_word(struct walk *walk)
{
	char *word = walk->at + strspn(walk->at, "/");

	walk->at = word + strcspn(word, "/");
	if (*walk->at)
		*walk->at++ = '\0';
	return *word ? word : NULL;
}

static void go_up(struct walk *walk)
{
	char *slash = strrchr(walk->done, '/');

	if (slash)
		*slash = '\0';
}

static int go_down(struct walk *walk, const char *name)
{
	char *below = mem_format("%s/%s", walk->done, name);

	if (!below)
		return -ENOMEM;
	free(walk->done);
	walk->done = below;
	return 0;
}

/* The link's target goes in front of the rest. */
static int follow(struct walk *walk, const char *target)
{
	char *rest = mem_format("%s/%s", target, walk->at);

	if (!rest)
		return -ENOMEM;
	free(walk->rest);
	walk->rest = rest;
	walk->at = rest;
	if (target[0] == '/')
		walk->done[0] = '\0';
	return 0;
}

/* 1: go on, 0: here it ends. */
static int step(struct walk *walk, const char *name)
{
	AUTO_FREE char *path = NULL;
	char target[PATH_MAX];
	bool last = !walk->at[strspn(walk->at, "/")];
	ssize_t length;
	int r;

	if (!strcmp(name, "."))
		return 1;
	if (!strcmp(name, "..")) {
		go_up(walk);
		return 1;
	}
	path = mem_format("%s/%s", walk->done, name);
	if (!path)
		return -ENOMEM;
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0 && errno == EINVAL && !last) { /* a directory, or it will turn out not */
		r = go_down(walk, name);
		return r ? r : 1;
	}
	r = add_entry(walk, name);
	if (r || length < 0 || ++walk->links > CHAIN_LINKS_MAX)
		return r;
	target[length] = '\0';
	r = follow(walk, target);
	return r ? r : 1;
}

int chain_walk(const char *path, struct chain *out)
{
	struct walk walk = { .out = out,
			     .done = mem_copy_string(""),
			     .rest = mem_copy_string(path) };
	int r = walk.done && walk.rest ? 1 : -ENOMEM;

	walk.at = walk.rest;
	while (r > 0) {
		const char *word = next_word(&walk);

		r = word ? step(&walk, word) : 0;
	}
	free(walk.done);
	free(walk.rest);
	if (r)
		chain_free(out);
	return r;
}

bool chain_has(const struct chain *chain, const char *directory, const char *name)
{
	const struct chain_entry *entry;

	array_for_each(entry, chain)
		if (!strcmp(entry->directory, directory) && !strcmp(entry->name, name))
			return true;
	return false;
}

void chain_free(struct chain *chain)
{
	struct chain_entry *entry;

	array_for_each(entry, chain) {
		free(entry->directory);
		free(entry->name);
	}
	array_clear(chain);
}
