// SPDX-License-Identifier: GPL-2.0-only
#include <malloc.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/args.h"
#include "cmd/commands.h"
#include "secret/key.h"

static int cmd_help(const struct args *args);

static const struct command commands[] = {
	{
		.name = "check",
		.usage = "POLICY [--node NAME] [--json]",
		.summary = "validate a policy, resolve its names and run its tests",
		.example = "towpath check /etc/towpath/policy.json",
		.operands_min = 1,
		.operands_max = 1,
		.options = ARGS_BIT(ARGS_NODE) | ARGS_BIT(ARGS_JSON),
		.run = cmd_check,
	},
	{
		.name = "plan",
		.usage = "POLICY [--node NAME] [--json] [--tc-attach HOW]",
		.summary = "print exactly what apply would do, and do nothing",
		.example = "towpath plan /etc/towpath/policy.json",
		.operands_min = 1,
		.operands_max = 1,
		.options = ARGS_BIT(ARGS_NODE) | ARGS_BIT(ARGS_JSON) | ARGS_BIT(ARGS_TC_ATTACH),
		.run = cmd_plan,
	},
	{
		.name = "apply",
		.usage = "POLICY [--node NAME] [--try SECONDS] [--force] [--tc-attach HOW]",
		.summary = "make the kernel match the policy and return; it keeps running",
		.notes = "With --try, what was in force before comes back after that time, also\n"
			 "when towpath or the session dies, unless `towpath confirm` comes. Typed\n"
			 "in a session that comes through the mesh and that the policy would cut\n"
			 "off, it refuses without --force.",
		.example = "towpath apply /etc/towpath/policy.json --node gw1",
		.operands_min = 1,
		.operands_max = 1,
		.options = ARGS_BIT(ARGS_NODE) | ARGS_BIT(ARGS_TC_ATTACH) | ARGS_BIT(ARGS_TRY) |
			   ARGS_BIT(ARGS_FORCE),
		.run = cmd_apply,
	},
	{
		.name = "confirm",
		.usage = "",
		.summary = "keep what `apply --try` put in place",
		.example = "towpath confirm",
		.run = cmd_confirm,
	},
	{
		.name = "run",
		.usage = "POLICY [--node NAME] [--metrics-listen ADDR:PORT]",
		.summary = "apply, then stay: follow the policy file and serve metrics",
		.example = "towpath run /etc/towpath/policy.json --metrics-listen 127.0.0.1:9586",
		.operands_min = 1,
		.operands_max = 1,
		.options = ARGS_BIT(ARGS_NODE) | ARGS_BIT(ARGS_TC_ATTACH) |
			   ARGS_BIT(ARGS_METRICS_LISTEN) | ARGS_BIT(ARGS_CLEANUP_ON_EXIT) |
			   ARGS_BIT(ARGS_STALL_AFTER),
		.run = cmd_run,
	},
	{
		.name = "down",
		.usage = "",
		.summary = "remove everything towpath made, and nothing else",
		.example = "towpath down --instance towpath",
		.run = cmd_down,
	},
	{
		.name = "status",
		.usage = "[--json] [--healthy]",
		.summary = "show what the kernel is doing now, not what a file says",
		.example = "towpath status --json",
		.options = ARGS_BIT(ARGS_JSON) | ARGS_BIT(ARGS_HEALTHY),
		.run = cmd_status,
	},
	{
		.name = "trace",
		.usage = "--from ADDR --to ADDR [--proto PROTO] [--dport N] [--sport N] [--in DEV] "
			 "[--json]",
		.summary =
			"put a packet through the loaded programs and explain what becomes of it",
		.example = "towpath trace --from 100.80.0.10 --to 10.10.30.20 --dport 443",
		.options = ARGS_BIT(ARGS_FROM) | ARGS_BIT(ARGS_TO) | ARGS_BIT(ARGS_PROTO) |
			   ARGS_BIT(ARGS_DPORT) | ARGS_BIT(ARGS_SPORT) | ARGS_BIT(ARGS_IN) |
			   ARGS_BIT(ARGS_JSON),
		.run = cmd_trace,
	},
	{
		.name = "diff",
		.usage = "OLD NEW [--json]",
		.summary = "show what the change of a policy newly allows and newly denies",
		.notes = "The grants are compared, by what they mean; routes and SNAT are not.\n"
			 "Exit status 0 says that both could be compared, whether they differ or "
			 "not;\n4 that a test of NEW does not hold (the difference is shown all "
			 "the same).",
		.example = "towpath diff /etc/towpath/policy.json policy.new.json",
		.operands_min = 2,
		.operands_max = 2,
		.options = ARGS_BIT(ARGS_JSON),
		.run = cmd_diff,
	},
	{
		.name = "keygen",
		.usage = "[--out FILE]",
		.summary = "make a new private key and print its public key",
		.example = "towpath keygen --out /var/lib/towpath/private.key",
		.options = ARGS_BIT(ARGS_OUT),
		.run = cmd_keygen,
	},
	{
		.name = "pubkey",
		.usage = "FILE",
		.summary = "print the public key of a private key file",
		.example = "towpath pubkey /var/lib/towpath/private.key",
		.operands_min = 1,
		.operands_max = 1,
		.run = cmd_pubkey,
	},
	{
		.name = "version",
		.usage = "[--json]",
		.summary = "print the version and the ABI number of the maps",
		.example = "towpath version --json",
		.options = ARGS_BIT(ARGS_JSON),
		.run = cmd_version,
	},
	{
		.name = "init",
		.usage = "[--lan DEV] [--peer NAME] [--node NAME] [--out FILE] [--key FILE]",
		.summary = "write a first policy and its keys, from this machine's own LAN",
		.notes = "The policy goes to /etc/towpath/policy.json. A file that is there is\n"
			 "never overwritten; a key that is there is used. The peer's private key\n"
			 "is left beside this machine's: it is for the peer's own WireGuard.",
		.example = "towpath init --lan eth0 --peer phone",
		.options = ARGS_BIT(ARGS_LAN) | ARGS_BIT(ARGS_PEER) | ARGS_BIT(ARGS_NODE) |
			   ARGS_BIT(ARGS_OUT) | ARGS_BIT(ARGS_KEY),
		.run = cmd_init,
	},
	{
		.name = "help",
		.usage = "[COMMAND]",
		.summary = "show this overview, or the usage of one command",
		.example = "towpath help apply",
		.operands_max = 1,
		.run = cmd_help,
	},
};

static void print_overview(void)
{
	size_t i;

	puts("towpath: a subnet router over WireGuard with an eBPF data plane\n\n"
	     "usage: towpath COMMAND [ARGUMENT...] [OPTION...]\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].summary);
	puts("\nEvery command takes:");
	args_print_options(stdout, ARGS_GLOBAL);
	puts("\nExit status: 0 done, 1 failed, 2 wrong command line, 3 invalid policy, 4 a policy "
	     "test\ndoes not hold, 5 nothing is set up, 6 the machine lacks something it needs.\n\n"
	     "More: towpath COMMAND --help, man 8 towpath");
}

static void print_usage(const struct command *command)
{
	printf("usage: towpath %s%s%s [OPTION...]\n\n%s: %s.\n%s%s\nOptions:\n", command->name,
	       command->usage[0] ? " " : "", command->usage, command->name, command->summary,
	       command->notes ? command->notes : "", command->notes ? "\n" : "");
	args_print_options(stdout, command->options);
	args_print_options(stdout, ARGS_GLOBAL);
	printf("\nExample:\n  %s\n", command->example);
}

static int cmd_help(const struct args *args)
{
	const struct command *command = NULL;

	if (args->operand_count) {
		command = args_find_command(args->operands[0], commands, ARRAY_SIZE(commands));
		if (!command) {
			log_error("help: unknown command \"%s\" (see: towpath --help)",
				  args->operands[0]);
			return EXIT_USAGE;
		}
		print_usage(command);
		return EXIT_DONE;
	}

	print_overview();
	return EXIT_DONE;
}

static int run(const struct args *args)
{
	if (!args->command)
		return cmd_help(args);
	if (args->help) {
		print_usage(args->command);
		return EXIT_DONE;
	}
	return args->command->run(args);
}

/* A result that did not arrive is a failure: `towpath status > /dev/full`. */
static int finish_output(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;

	log_error("write standard output: %m");
	return status ? status : EXIT_FAILED;
}

int main(int argc, char *argv[])
{
	struct args args;
	struct err err;

	/*
	 * Large arrays are mappings of their own, at any time: they grow without a copy and are
	 * given back at once. glibc would raise the limit after the first.
	 */
	(void)mallopt(M_MMAP_THRESHOLD, 128 << 10); /* where it is refused, more memory is used */
	if (key_setup(&err)) {
		log_error("%s", err.text);
		return EXIT_FAILED;
	}
	if (args_read(argc, argv, commands, ARRAY_SIZE(commands), &args, &err)) {
		log_error("%s", err.text);
		return EXIT_USAGE;
	}

	log_setup(args.log_level, args.log_format);
	return finish_output(run(&args));
}
