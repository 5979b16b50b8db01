// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/args.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/args_parts.h"
#include "cmd/commands.h"
#include "config/config.h"

#define INSTANCE_DEFAULT "towpath"
#define COMMANDS_MAX     64
/* getopt_long returns these; out of the way of its characters */
#define OPTION_VALUE(option) (256 + (int)(option))
/* with a leading '-' in the short options, what is no option comes back as this one */
#define OPERAND_VALUE 1
#define SHORT_OPTIONS "-:h"

/* argv, sorted but not yet judged. */
struct words {
	struct args args;
	const char *command;    /* the first word that is no option; NULL = none */
	const char *unexpected; /* the first operand that no command has room for */
	unsigned int options;   /* ARGS_BIT of what was given */
};

/* What getopt_long would not take: optopt tells which way, typed is the word, "--nod=x". */
static int refuse_option(struct err *err, const char *typed)
{
	const char *names[ARGS_OPTION_COUNT];
	char word[64];
	size_t i;

	if (optopt >= OPTION_VALUE(0))
		return err_set(err, -EINVAL, "--%s takes no value",
			       args_option_texts[optopt - OPTION_VALUE(0)].name);
	if (optopt)
		return err_set(err, -EINVAL, "unknown option \"-%c\"", optopt);

	for (i = 0; i < ARGS_OPTION_COUNT; i++)
		names[i] = args_option_texts[i].name;
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(typed + 2, "="), typed + 2);
	return args_refuse_word(err, "option", word, "--", names, ARGS_OPTION_COUNT);
}

static void add_operand(struct words *words, const char *operand)
{
	struct args *args = &words->args;

	if (!words->command)
		words->command = operand;
	else if (args->operand_count < ARGS_OPERAND_MAX)
		args->operands[args->operand_count++] = operand;
	else if (!words->unexpected)
		words->unexpected = operand;
}

/* The union of all options, so that they may stand in front of the command too. */
static void put_long_options(struct option *options)
{
	size_t i;

	for (i = 0; i < ARGS_OPTION_COUNT; i++)
		options[i] = (struct option){
			.name = args_option_texts[i].name,
			.has_arg = args_option_texts[i].argument ? required_argument : no_argument,
			.val = OPTION_VALUE(i),
		};
}

/* getopt_long takes "--nod" for --node, until a --nodes comes along and breaks the script. */
static bool is_whole_name(const char *typed, enum args_option option)
{
	return strcspn(typed + 2, "=") == strlen(args_option_texts[option].name);
}

static int take_option(int value, const char *typed, struct words *words, struct err *err)
{
	enum args_option option;

	if (value == ':')
		return err_set(err, -EINVAL, "%s needs a value", typed);
	if (value == '?')
		return refuse_option(err, typed);
	option = value == 'h' ? ARGS_HELP : (enum args_option)(value - OPTION_VALUE(0));
	if (value != 'h' && !is_whole_name(typed, option)) {
		optopt = 0;
		return refuse_option(err, typed);
	}

	words->options |= ARGS_BIT(option);
	return args_read_option(option, optarg, &words->args, err);
}

static int sort_words(int argc, char *argv[], struct words *words, struct err *err)
{
	struct option options[ARGS_OPTION_COUNT + 1] = { 0 };
	int at, value, r;

	put_long_options(options);
	opterr = 0;
	optind = 0; /* glibc: begin anew, at 1 */
	for (at = 1;; at = optind) {
		value = getopt_long(argc, argv, SHORT_OPTIONS, options, NULL);
		if (value == -1)
			break;
		if (value == OPERAND_VALUE) {
			add_operand(words, optarg);
			continue;
		}
		r = take_option(value, argv[at], words, err);
		if (r)
			return r;
	}
	for (; optind < argc; optind++) /* behind "--" */
		add_operand(words, argv[optind]);
	return 0;
}

const struct command *args_find_command(const char *name, const struct command *commands,
					size_t command_count)
{
	size_t i;

	for (i = 0; i < command_count; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static int refuse_command(struct err *err, const char *word, const struct command *commands,
			  size_t command_count)
{
	const char *names[COMMANDS_MAX] = { 0 };
	size_t count = command_count < COMMANDS_MAX ? command_count : COMMANDS_MAX;
	size_t i;

	for (i = 0; i < count; i++)
		names[i] = commands[i].name;
	return args_refuse_word(err, "command", word, "", names, count);
}

static int check_options(const struct command *command, unsigned int options, struct err *err)
{
	unsigned int refused = options & ~(command->options | ARGS_GLOBAL);
	size_t i;

	for (i = 0; i < ARGS_OPTION_COUNT; i++)
		if (refused & ARGS_BIT(i))
			return err_set(err, -EINVAL, "%s takes no --%s", command->name,
				       args_option_texts[i].name);
	return 0;
}

static int check_operands(const struct command *command, const struct words *words, struct err *err)
{
	size_t count = words->args.operand_count;

	if (words->unexpected || count > command->operands_max)
		return err_set(err, -EINVAL, "%s: unexpected argument \"%s\"", command->name,
			       count > command->operands_max
				       ? words->args.operands[command->operands_max]
				       : words->unexpected);
	/* asking for help is how one learns what is missing */
	if (count < command->operands_min && !words->args.help)
		return err_set(err, -EINVAL, "%s: an argument is missing; usage: towpath %s %s",
			       command->name, command->name, command->usage);
	return 0;
}

static int judge_words(struct words *words, const struct command *commands, size_t command_count,
		       struct err *err)
{
	const struct command *command;
	int r;

	if (!words->command) {
		if (words->options & ~ARGS_BIT(ARGS_HELP))
			return err_set(err, -EINVAL, "a command is missing");
		return 0;
	}

	command = args_find_command(words->command, commands, command_count);
	if (!command)
		return refuse_command(err, words->command, commands, command_count);
	r = check_options(command, words->options, err);
	if (!r)
		r = check_operands(command, words, err);
	if (!r)
		words->args.command = command;
	return r;
}

/* Puts where to read on behind the sentence that is in err. */
static void add_hint(struct err *err, const struct command *command)
{
	char sentence[sizeof(err->text)];

	memcpy(sentence, err->text, sizeof(sentence));
	err_set(err, err->code, "%s (see: towpath %s%s--help)", sentence,
		command ? command->name : "", command ? " " : "");
}

int args_read(int argc, char *argv[], const struct command *commands, size_t command_count,
	      struct args *out, struct err *err)
{
	struct words words = {
		.args = { .instance = INSTANCE_DEFAULT, .log_level = LOG_LEVEL_INFO },
	};
	int r;

	r = sort_words(argc, argv, &words, err);
	if (!r)
		r = judge_words(&words, commands, command_count, err);
	if (r) {
		const char *name = words.command ? words.command : "";

		add_hint(err, args_find_command(name, commands, command_count));
		return r;
	}

	*out = words.args;
	return 0;
}

void args_print_options(FILE *out, unsigned int options)
{
	size_t i;

	for (i = 0; i < ARGS_OPTION_COUNT; i++) {
		const struct args_option_text *text = &args_option_texts[i];
		char head[32];

		if (!(options & ARGS_BIT(i)))
			continue;
		snprintf(head, sizeof(head), "--%s%s%s", text->name, text->argument ? " " : "",
			 text->argument ? text->argument : "");
		fprintf(out, "  %-20s %s\n", head, text->meaning);
	}
}
