// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/commands.h"

/* ---- a table like the real one, and lines typed at it ---- */

static const struct command table[] = {
	{
		.name = "check",
		.usage = "POLICY [--node NAME] [--json]",
		.operands_min = 1,
		.operands_max = 1,
		.options = ARGS_BIT(ARGS_NODE) | ARGS_BIT(ARGS_JSON),
	},
	{
		.name = "apply",
		.usage = "POLICY",
		.operands_min = 1,
		.operands_max = 1,
		.options = ARGS_BIT(ARGS_TC_ATTACH),
	},
	{ .name = "diff", .usage = "OLD NEW", .operands_min = 2, .operands_max = 2 },
	{ .name = "keygen", .usage = "[--out FILE]", .options = ARGS_BIT(ARGS_OUT) },
	{ .name = "help", .usage = "[COMMAND]", .operands_max = 1 },
	{
		.name = "run",
		.usage = "POLICY",
		.operands_min = 1,
		.operands_max = 1,
		.options = ARGS_BIT(ARGS_METRICS_LISTEN) | ARGS_BIT(ARGS_CLEANUP_ON_EXIT) |
			   ARGS_BIT(ARGS_STALL_AFTER),
	},
};

#define WORDS_MAX 16

static char line_copy[512];
static char *line_words[WORDS_MAX + 1];

/* Types "towpath LINE"; words are split at single blanks, so "a  b" has an empty one. */
static int type(const char *line, struct args *args, struct err *err)
{
	char *rest = line_copy, *word;
	int count = 0;

	snprintf(line_copy, sizeof(line_copy), "towpath%s%s", line[0] ? " " : "", line);
	while (count < WORDS_MAX && (word = strsep(&rest, " ")))
		line_words[count++] = word;
	line_words[count] = NULL;
	return args_read(count, line_words, table, ARRAY_SIZE(table), args, err);
}

static struct args typed(const char *line)
{
	struct args args = { 0 };
	struct err err = { 0 };

	if (type(line, &args, &err))
		test_check(false, __FILE__, __LINE__, "\"%s\": %s", line, err.text);
	return args;
}

static void check_refused(const char *line, const char *want)
{
	struct args args, before;
	struct err err = { 0 };
	int r;

	memset(&args, 0x5a, sizeof(args));
	memcpy(&before, &args, sizeof(args));
	r = type(line, &args, &err);
	CHECK_INT(r, -EINVAL);
	CHECK_INT(err.code, -EINVAL);
	CHECK_TEXT(err.text, want);
	CHECK(!memcmp(&args, &before, sizeof(args)));
}

/* ---- what is accepted ---- */

TEST(nothing_at_all_asks_for_the_overview)
{
	struct args args = typed("");

	CHECK(!args.command);
	CHECK(!args.help);
	args = typed("--help");
	CHECK(!args.command);
	CHECK(args.help);
}

TEST(defaults_are_filled_in)
{
	struct args args = typed("check p.json");

	REQUIRE(args.command);
	CHECK_TEXT(args.command->name, "check");
	CHECK_INT(args.operand_count, 1);
	CHECK_TEXT(args.operands[0], "p.json");
	CHECK_TEXT(args.instance, "towpath");
	CHECK(!args.bpffs && !args.node && !args.out);
	CHECK(!args.json && !args.help);
	CHECK_INT(args.log_level, LOG_LEVEL_INFO);
	CHECK_INT(args.log_format, LOG_TEXT);
	CHECK_INT(args.tc_attach, STATE_TC_AUTO);
}

static void check_same(const char *line)
{
	struct args args = typed(line);

	REQUIRE(args.command);
	CHECK_TEXT(args.command->name, "check");
	CHECK_INT(args.operand_count, 1);
	CHECK_TEXT(args.operands[0], "p");
	CHECK_TEXT(args.node, "gw1");
	CHECK(args.json);
}

TEST(options_stand_anywhere)
{
	check_same("check p --node gw1 --json");
	check_same("check --node gw1 --json p");
	check_same("check --json p --node=gw1");
	check_same("--node gw1 check p --json");
	check_same("--json --node gw1 check p");
	check_same("check --node gw1 --json -- p");
}

/* POSIXLY_CORRECT makes a plain getopt stop at the first operand */
TEST(options_stand_anywhere_whatever_the_environment)
{
	setenv("POSIXLY_CORRECT", "1", 1);
	check_same("check p --node gw1 --json");
	unsetenv("POSIXLY_CORRECT");
}

TEST(argv_keeps_its_order)
{
	struct args args = typed("check p --json");

	CHECK(args.json);
	CHECK_TEXT(line_words[1], "check");
	CHECK_TEXT(line_words[2], "p");
	CHECK_TEXT(line_words[3], "--json");
}

TEST(what_follows_two_dashes_is_no_option)
{
	struct args args = typed("check -- --json");

	CHECK_TEXT(args.operands[0], "--json");
	CHECK(!args.json);
}

TEST(a_single_dash_is_an_operand)
{
	struct args args = typed("check -");

	CHECK_TEXT(args.operands[0], "-");
}

TEST(the_last_of_a_repeated_option_counts)
{
	struct args args = typed("check p --node a --node b");

	CHECK_TEXT(args.node, "b");
}

TEST(reads_every_choice)
{
	CHECK_INT(typed("check p --log-level error").log_level, LOG_LEVEL_ERROR);
	CHECK_INT(typed("check p --log-level warn").log_level, LOG_LEVEL_WARN);
	CHECK_INT(typed("check p --log-level info").log_level, LOG_LEVEL_INFO);
	CHECK_INT(typed("check p --log-level debug").log_level, LOG_LEVEL_DEBUG);
	CHECK_INT(typed("check p --log-format text").log_format, LOG_TEXT);
	CHECK_INT(typed("check p --log-format json").log_format, LOG_JSON);
	CHECK_INT(typed("apply p --tc-attach auto").tc_attach, STATE_TC_AUTO);
	CHECK_INT(typed("apply p --tc-attach tcx").tc_attach, STATE_TC_TCX);
	CHECK_INT(typed("apply p --tc-attach clsact").tc_attach, STATE_TC_CLSACT);
	CHECK_TEXT(typed("check p --bpffs /run/bpf").bpffs, "/run/bpf");
	CHECK_TEXT(typed("keygen --out k").out, "k");
}

TEST(takes_what_the_daemon_is_told)
{
	struct args args = typed("run p --metrics-listen [::1]:9586 --cleanup-on-exit");
	char text[ENDPOINT_TEXT_SIZE];

	CHECK_TEXT(endpoint_put(text, &args.metrics_listen), "[::1]:9586");
	CHECK(args.cleanup_on_exit);
	args = typed("run p");
	CHECK(!args.metrics_listen.port && !args.cleanup_on_exit);
}

TEST(a_stall_is_a_number_of_seconds)
{
	static const char *const wrong[] = { "0", "-1", "2s", "86401", "x" };
	char line[64], want[128];

	CHECK_INT(typed("run p").stall_after_s, 0);
	CHECK_INT(typed("run p --stall-after 30").stall_after_s, 30);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(line, sizeof(line), "run p --stall-after %s", wrong[i]);
		snprintf(want, sizeof(want),
			 "--stall-after \"%s\": not 1 to 86400 seconds (see: towpath run --help)",
			 wrong[i]);
		check_refused(line, want);
	}
}

TEST(refuses_to_listen_at_what_is_no_address)
{
	static const char *const wrong[] = { "9586",           ":9586",       "localhost:9586",
					     "127.0.0.1",      "127.0.0.1:0", "::1:9586",
					     "127.0.0.1:65536" };
	char line[64], want[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(line, sizeof(line), "run p --metrics-listen %s", wrong[i]);
		snprintf(want, sizeof(want),
			 "--metrics-listen \"%s\": not ADDR:PORT (see: towpath run --help)",
			 wrong[i]);
		check_refused(line, want);
	}
}

TEST(help_excuses_a_missing_operand)
{
	CHECK(typed("check --help").help);
	CHECK(typed("diff -h").help);
	CHECK(typed("--help check").help);
}

/* A scan that ended inside "-xh" must not leave the h to the next one. */
TEST(a_failed_scan_leaves_nothing_behind)
{
	struct args args;

	check_refused("check -xh", "unknown option \"-x\" (see: towpath check --help)");
	args = typed("check p");
	CHECK(!args.help);
	CHECK_TEXT(args.operands[0], "p");
}

/* ---- what is refused, in so many words ---- */

TEST(an_unknown_command_names_the_nearest)
{
	check_refused("chekc p",
		      "unknown command \"chekc\"; did you mean \"check\"? (see: towpath --help)");
	check_refused("frobnicate", "unknown command \"frobnicate\" (see: towpath --help)");
	check_refused("chekc --help",
		      "unknown command \"chekc\"; did you mean \"check\"? (see: towpath --help)");
	check_refused("che",
		      "unknown command \"che\"; did you mean \"check\"? (see: towpath --help)");
}

TEST(an_unknown_option_names_the_nearest)
{
	check_refused("check p --jsno", "unknown option \"--jsno\"; did you mean \"--json\"? "
					"(see: towpath check --help)");
	check_refused("check p --nodes=x", "unknown option \"--nodes\"; did you mean \"--node\"? "
					   "(see: towpath check --help)");
	check_refused("--frobnicate check p",
		      "unknown option \"--frobnicate\" (see: towpath --help)");
	check_refused("check p -x", "unknown option \"-x\" (see: towpath check --help)");
}

TEST(abbreviations_are_unknown_options)
{
	check_refused("check p --jso", "unknown option \"--jso\"; did you mean \"--json\"? "
				       "(see: towpath check --help)");
	check_refused("check p --nod x", "unknown option \"--nod\"; did you mean \"--node\"? "
					 "(see: towpath check --help)");
	check_refused("check p --nod=x", "unknown option \"--nod\"; did you mean \"--node\"? "
					 "(see: towpath check --help)");
}

TEST(a_command_takes_only_its_options)
{
	check_refused("apply p --json", "apply takes no --json (see: towpath apply --help)");
	check_refused("--node x apply p", "apply takes no --node (see: towpath apply --help)");
	check_refused("check p --tc-attach tcx",
		      "check takes no --tc-attach (see: towpath check --help)");
}

TEST(an_option_needs_its_value_and_no_other)
{
	check_refused("check p --node", "--node needs a value (see: towpath check --help)");
	check_refused("check p --json=1", "--json takes no value (see: towpath check --help)");
}

TEST(operands_are_counted)
{
	check_refused("check", "check: an argument is missing; usage: towpath check "
			       "POLICY [--node NAME] [--json] (see: towpath check --help)");
	check_refused("diff a", "diff: an argument is missing; usage: towpath diff OLD NEW "
				"(see: towpath diff --help)");
	check_refused("check a b", "check: unexpected argument \"b\" (see: towpath check --help)");
	check_refused("diff a b c d", "diff: unexpected argument \"c\" (see: towpath diff --help)");
	check_refused("keygen a", "keygen: unexpected argument \"a\" (see: towpath keygen --help)");
	check_refused("check a b --help",
		      "check: unexpected argument \"b\" (see: towpath check --help)");
}

TEST(options_without_a_command_are_refused)
{
	check_refused("--json", "a command is missing (see: towpath --help)");
	check_refused("--instance lab", "a command is missing (see: towpath --help)");
}

TEST(an_unknown_choice_names_the_nearest)
{
	check_refused("check p --log-level wran",
		      "unknown --log-level \"wran\"; did you mean \"warn\"? "
		      "(see: towpath check --help)");
	check_refused("check p --log-format xml",
		      "unknown --log-format \"xml\" (see: towpath check --help)");
	check_refused("apply p --tc-attach clsatc",
		      "unknown --tc-attach \"clsatc\"; did you mean \"clsact\"? "
		      "(see: towpath apply --help)");
	check_refused("check p --log-level ",
		      "unknown --log-level \"\" (see: towpath check --help)");
}

TEST(instance_names_are_safe_directory_names)
{
	static const char *const good[] = { "a",     "0",       "_",
					    "lab-1", "a.b_C-9", "0123456789012345678901234567890" };
	char line[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		struct args args;

		snprintf(line, sizeof(line), "check p --instance %s", good[i]);
		args = typed(line);
		CHECK_TEXT(args.instance, good[i]);
	}
}

TEST(other_instance_names_are_refused)
{
	static const char *const bad[] = {
		"",  ".",   "..",  ".a", "-a",  "a/b",      "../x",
		"/", "a\n", "a:b", "a%", "a*b", "\xc3\xa9", "01234567890123456789012345678901"
	};
	char line[128], want[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(line, sizeof(line), "check p --instance=%s", bad[i]);
		snprintf(want, sizeof(want),
			 "--instance \"%s\": 1 to 31 of A-Z a-z 0-9 _ . - are a name, and neither "
			 ". nor - begins one (see: towpath check --help)",
			 bad[i]);
		check_refused(line, want);
	}
}

TEST(paths_and_names_that_cannot_be_meant_are_refused)
{
	check_refused("check p --bpffs run/bpf",
		      "--bpffs \"run/bpf\": not an absolute path (see: towpath check --help)");
	check_refused("check p --bpffs=",
		      "--bpffs \"\": not an absolute path (see: towpath check --help)");
	check_refused("check p --node=", "--node: the name is empty (see: towpath check --help)");
	check_refused("keygen --out=",
		      "--out: the file name is empty (see: towpath keygen --help)");
	check_refused("keygen --out -",
		      "--out -: a file is made, with care for what it holds; name it "
		      "(see: towpath keygen --help)");
}

/* Nothing typed is long enough to get past the error's buffer. */
TEST(an_endless_word_is_cut_off)
{
	static char word[4096];
	char *argv[] = { (char *)"towpath", word, NULL };
	struct err err = { 0 };
	struct args args;

	memset(word, 'x', sizeof(word) - 1);
	CHECK_INT(args_read(2, argv, table, ARRAY_SIZE(table), &args, &err), -EINVAL);
	CHECK(strlen(err.text) < sizeof(err.text));
	memcpy(word, "--", 2);
	CHECK_INT(args_read(2, argv, table, ARRAY_SIZE(table), &args, &err), -EINVAL);
	CHECK(strlen(err.text) < sizeof(err.text));
}

/* ---- help ---- */

TEST(help_lists_the_options_asked_for)
{
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	REQUIRE(out);
	args_print_options(out, ARGS_BIT(ARGS_HELP) | ARGS_BIT(ARGS_BPFFS));
	fclose(out);
	CHECK_TEXT(text, "  --bpffs DIR          the bpf filesystem (default: found or mounted)\n"
			 "  --help               show this\n");
}

TEST(finds_commands_by_their_whole_name)
{
	CHECK(args_find_command("diff", table, ARRAY_SIZE(table)) == &table[2]);
	CHECK(!args_find_command("dif", table, ARRAY_SIZE(table)));
	CHECK(!args_find_command("", table, ARRAY_SIZE(table)));
}
