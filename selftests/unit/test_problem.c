// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "base/mem.h"
#include "config/config.h"
#include "test.h"

TEST(keeps_problems_in_order)
{
	struct problems problems = { 0 };

	CHECK_INT(problems_add(&problems, "$.a", "%s %d", "number", 1), 0);
	CHECK_INT(problems_add(&problems, "$.b", "second"), 0);
	CHECK_INT(problems.count, 2);
	CHECK_TEXT(problems.items[0].place, "$.a");
	CHECK_TEXT(problems.items[0].message, "number 1");
	CHECK_TEXT(problems.items[1].place, "$.b");
	CHECK_TEXT(problems.items[1].message, "second");

	problems_free(&problems);
	CHECK_INT(problems.count, 0);
	problems_free(&problems);
}

static const char *const keys[] = {
	"version",
	"tunnel",
	"nodes",
	"peers",
	"gateways",
	"public_key",
	"mtu",
	"listen_port",
	"src",
	"dst",
	"persistent_keepalive",
	"masquerade",
	"via",
	"prefer-mesh",
	"action",
	"prefer-local",
};

struct guess {
	const char *word, *nearest;
};

static const struct guess guesses[] = {
	{ "tunel", "tunnel" },         /* left out */
	{ "tunnnel", "tunnel" },       /* put in */
	{ "tunmel", "tunnel" },        /* replaced */
	{ "tunenl", "tunnel" },        /* swapped: one error, not two */
	{ "tunnel", "tunnel" },        /* equal */
	{ "publicKey", "public_key" }, /* another convention */
	{ "listen-port", "listen_port" },
	{ "persistentkeepalive", "persistent_keepalive" },
	{ "mut", "mtu" },
	{ "scr", "src" },
	{ "dest", "dst" },
	{ "peer", "peers" },
	{ "masq", "masquerade" }, /* abbreviated */
	{ "prefer", NULL },       /* of two words */
	{ "x", NULL },            /* everything is near a short word */
	{ "", NULL },
	{ "ttl", NULL },
	{ "colour", NULL },
	{ "something else altogether", NULL },
};

TEST(guesses_what_was_meant)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(guesses); i++) {
		const char *got = nearest_word(guesses[i].word, keys, ARRAY_SIZE(keys));
		const char *want = guesses[i].nearest;

		test_check(got == want || (got && want && !strcmp(got, want)), __FILE__, __LINE__,
			   "\"%s\": %s, not %s", guesses[i].word, got ? got : "nothing",
			   want ? want : "nothing");
	}
}

TEST(prefers_the_nearer_of_two)
{
	static const char *const words[] = { "fallover", "failovers", "failover" };

	CHECK_TEXT(nearest_word("failovr", words, ARRAY_SIZE(words)), "failover");
}

TEST(guesses_nothing_for_a_word_of_any_length)
{
	char word[100000];

	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	CHECK(!nearest_word(word, keys, ARRAY_SIZE(keys)));
	CHECK(!nearest_word("tunnel", NULL, 0));
}
