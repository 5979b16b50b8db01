// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/args.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/commands.h"
#include "config/config.h"

#define INSTANCE_DEFAULT "towpath"
#define COMMANDS_MAX     64
/* getopt_long returns these; out of the way of its characters */
#define OPTION_VALUE(option) (256 + (int)(option))
/* with a leading '-' in the short options, what is no option comes back as this one */
#define OPERAND_VALUE 1
#define SHORT_OPTIONS "-:h"

struct option_text {
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *meaning;
};

static const struct option_text option_texts[] = {
	[ARGS_INSTANCE] = { "instance", "NAME", "which router on this kernel (default towpath)" },
	[ARGS_BPFFS] = { "bpffs", "DIR", "the bpf filesystem (default: found or mounted)" },
	[ARGS_LOG_LEVEL] = { "log-level", "LEVEL", "error, warn, info (default) or debug" },
	[ARGS_LOG_FORMAT] = { "log-format", "FORMAT", "text (default) or json, on stderr" },
	[ARGS_HELP] = { "help", NULL, "show this" },
	[ARGS_NODE] = { "node", "NAME", "be this node of the policy (default: by public key)" },
	[ARGS_JSON] = { "json", NULL, "print JSON" },
	[ARGS_OUT] = { "out", "FILE", "where the private key goes" },
	[ARGS_TC_ATTACH] = { "tc-attach", "HOW", "attach by auto (default), tcx or clsact" },
	[ARGS_METRICS_LISTEN] = { "metrics-listen", "ADDR:PORT",
				  "serve metrics there, whatever the policy says" },
	[ARGS_CLEANUP_ON_EXIT] = { "cleanup-on-exit", NULL, "on leaving, remove everything" },
};

_Static_assert(ARRAY_SIZE(option_texts) == ARGS_OPTION_COUNT, "every option has its text");

/* argv, sorted but not yet judged. */
struct words {
	struct args args;
	const char *command;    /* the first word that is no option; NULL = none */
	const char *unexpected; /* the first operand that no command has room for */
	unsigned int options;   /* ARGS_BIT of what was given */
};

/* kind is "command", "option" or the option whose value it is; dashes go before both words. */
static int refuse_word(struct err *err, const char *kind, const char *word, const char *dashes,
		       const char *const *candidates, size_t count)
{
	const char *near = nearest_word(word, candidates, count);

	if (!near)
		return err_set(err, -EINVAL, "unknown %s \"%s%s\"", kind, dashes, word);
	return err_set(err, -EINVAL, "unknown %s \"%s%s\"; did you mean \"%s%s\"?", kind, dashes,
		       word, dashes, near);
}

/* The index of value among names, or -EINVAL. */
static int read_choice(enum args_option option, const char *value, const char *const *names,
		       size_t count, struct err *err)
{
	char kind[32];
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(value, names[i]))
			return (int)i;
	snprintf(kind, sizeof(kind), "--%s", option_texts[option].name);
	return refuse_word(err, kind, value, "", names, count);
}

static int read_log_level(const char *value, struct args *args, struct err *err)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	int r = read_choice(ARGS_LOG_LEVEL, value, names, ARRAY_SIZE(names), err);

	if (r < 0)
		return r;
	args->log_level = (enum log_level)r;
	return 0;
}

static int read_log_format(const char *value, struct args *args, struct err *err)
{
	static const char *const names[] = { "text", "json" };
	int r = read_choice(ARGS_LOG_FORMAT, value, names, ARRAY_SIZE(names), err);

	if (r < 0)
		return r;
	args->log_format = (enum log_format)r;
	return 0;
}

static int read_tc_attach(const char *value, struct args *args, struct err *err)
{
	static const char *const names[] = { "auto", "tcx", "clsact" };
	int r = read_choice(ARGS_TC_ATTACH, value, names, ARRAY_SIZE(names), err);

	if (r < 0)
		return r;
	args->tc_attach = (enum args_tc_attach)r;
	return 0;
}

/* It becomes a path component: no slash, not hidden, not "..", and nothing like an option. */
static int read_instance(const char *value, struct args *args, struct err *err)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_.-";
	size_t length = strlen(value);

	if (!length || length > ARGS_INSTANCE_MAX || strspn(value, allowed) != length ||
	    value[0] == '.' || value[0] == '-')
		return err_set(err, -EINVAL,
			       "--instance \"%s\": 1 to %d of A-Z a-z 0-9 _ . - are a name, and "
			       "neither . nor - begins one",
			       value, ARGS_INSTANCE_MAX);
	args->instance = value;
	return 0;
}

static int read_bpffs(const char *value, struct args *args, struct err *err)
{
	if (value[0] != '/')
		return err_set(err, -EINVAL, "--bpffs \"%s\": not an absolute path", value);
	args->bpffs = value;
	return 0;
}

static int read_node(const char *value, struct args *args, struct err *err)
{
	if (!value[0])
		return err_set(err, -EINVAL, "--node: the name is empty");
	args->node = value;
	return 0;
}

static int read_metrics_listen(const char *value, struct args *args, struct err *err)
{
	struct endpoint listen;

	if (endpoint_read(value, &listen) || !listen.port)
		return err_set(err, -EINVAL, "--metrics-listen \"%s\": not ADDR:PORT", value);
	args->metrics_listen = listen;
	return 0;
}

static int read_out(const char *value, struct args *args, struct err *err)
{
	if (!value[0])
		return err_set(err, -EINVAL, "--out: the file name is empty");
	/* elsewhere "-" is standard output */
	if (!strcmp(value, "-"))
		return err_set(err, -EINVAL,
			       "--out -: a private key is never printed; name a file");
	args->out = value;
	return 0;
}

/* value is NULL for an option without argument. */
static int read_option(enum args_option option, const char *value, struct args *args,
		       struct err *err)
{
	switch (option) {
	case ARGS_INSTANCE: return read_instance(value, args, err);
	case ARGS_BPFFS: return read_bpffs(value, args, err);
	case ARGS_LOG_LEVEL: return read_log_level(value, args, err);
	case ARGS_LOG_FORMAT: return read_log_format(value, args, err);
	case ARGS_NODE: return read_node(value, args, err);
	case ARGS_OUT: return read_out(value, args, err);
	case ARGS_TC_ATTACH: return read_tc_attach(value, args, err);
	case ARGS_METRICS_LISTEN: return read_metrics_listen(value, args, err);
	case ARGS_CLEANUP_ON_EXIT: args->cleanup_on_exit = true; return 0;
	case ARGS_JSON: args->json = true; return 0;
	case ARGS_HELP: args->help = true; return 0;
	case ARGS_OPTION_COUNT: break;
	}
	return -EINVAL;
}

/* What getopt_long would not take: optopt tells which way, typed is the word, "--nod=x". */
static int refuse_option(struct err *err, const char *typed)
{
	const char *names[ARGS_OPTION_COUNT];
	char word[64];
	size_t i;

	if (optopt >= OPTION_VALUE(0))
		return err_set(err, -EINVAL, "--%s takes no value",
			       option_texts[optopt - OPTION_VALUE(0)].name);
	if (optopt)
		return err_set(err, -EINVAL, "unknown option \"-%c\"", optopt);

	for (i = 0; i < ARGS_OPTION_COUNT; i++)
		names[i] = option_texts[i].name;
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(typed + 2, "="), typed + 2);
	return refuse_word(err, "option", word, "--", names, ARGS_OPTION_COUNT);
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
			.name = option_texts[i].name,
			.has_arg = option_texts[i].argument ? required_argument : no_argument,
			.val = OPTION_VALUE(i),
		};
}

/* getopt_long takes "--nod" for --node, until a --nodes comes along and breaks the script. */
static bool is_whole_name(const char *typed, enum args_option option)
{
	return strcspn(typed + 2, "=") == strlen(option_texts[option].name);
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
	return read_option(option, optarg, &words->args, err);
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
	return refuse_word(err, "command", word, "", names, count);
}

static int check_options(const struct command *command, unsigned int options, struct err *err)
{
	unsigned int refused = options & ~(command->options | ARGS_GLOBAL);
	size_t i;

	for (i = 0; i < ARGS_OPTION_COUNT; i++)
		if (refused & ARGS_BIT(i))
			return err_set(err, -EINVAL, "%s takes no --%s", command->name,
				       option_texts[i].name);
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
		const struct option_text *text = &option_texts[i];
		char head[32];

		if (!(options & ARGS_BIT(i)))
			continue;
		snprintf(head, sizeof(head), "--%s%s%s", text->name, text->argument ? " " : "",
			 text->argument ? text->argument : "");
		fprintf(out, "  %-20s %s\n", head, text->meaning);
	}
}
