// SPDX-License-Identifier: GPL-2.0-only
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "facts_text.h"
#include "model/want.h"
#include "secret/key.h"

static void put_key(FILE *out, const char *name, size_t length)
{
	char text[KEY_TEXT_SIZE];
	struct key key;

	hash_bytes(name, length, key.bytes);
	fputs(key_put(text, &key), out);
}

char *fixture_with_keys(const char *text)
{
	char *filled = NULL;
	size_t size;
	FILE *out = open_memstream(&filled, &size);
	const char *at, *end;

	if (!out)
		return NULL;
	for (; (at = strchr(text, '@')) && (end = strchr(at + 1, '@')); text = end + 1) {
		fwrite(text, 1, (size_t)(at - text), out);
		put_key(out, at + 1, (size_t)(end - at - 1));
	}
	fputs(text, out);
	fclose(out);
	return filled;
}

int fixture_policy(struct fixture *f, const char *policy_text)
{
	AUTO_FREE char *text = fixture_with_keys(policy_text);
	int r;

	memset(f, 0, sizeof(*f));
	r = config_read(text, strlen(text), &f->config, &f->problems);
	if (r)
		return r;
	return policy_build(f->config, &f->policy, &f->problems);
}

int fixture_want(struct fixture *f, const char *facts_text, const char *node)
{
	AUTO_FREE char *text = fixture_with_keys(facts_text);
	const struct policy_member *self = policy_find_self(f->policy, node, NULL);
	int line;

	state_free(&f->want);
	facts_free(&f->facts);
	line = facts_text_read(text, &f->facts);
	if (line)
		return err_set(&f->err, -EINVAL, "facts: line %d", line);
	if (!self)
		return err_set(&f->err, -ENOENT, "no node %s", node);
	return want_build(f->policy, self, &f->facts, &f->want, &f->warnings, &f->err);
}

void fixture_free(struct fixture *f)
{
	state_free(&f->want);
	facts_free(&f->facts);
	policy_free(f->policy);
	config_free(f->config);
	problems_free(&f->problems);
	problems_free(&f->warnings);
}

char *fixture_lines(const struct problems *problems)
{
	const struct problem *problem;
	char *lines = NULL;
	size_t size;
	FILE *out = open_memstream(&lines, &size);

	if (!out)
		return NULL;
	array_for_each(problem, problems)
		fprintf(out, "%s: %s\n", problem->place, problem->message);
	fclose(out);
	return lines;
}
