// SPDX-License-Identifier: GPL-2.0-only
/* The options: what each is called, and what may be its value. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "base/num.h"
#include "cmd/args_parts.h"
#include "config/config.h"

#define STALL_AFTER_MAX 86400

const struct args_option_text args_option_texts[ARGS_OPTION_COUNT] = {
	[ARGS_INSTANCE] = { "instance", "NAME", "which router on this kernel (default towpath)" },
	[ARGS_BPFFS] = { "bpffs", "DIR", "the bpf filesystem (default: found or mounted)" },
	[ARGS_LOG_LEVEL] = { "log-level", "LEVEL", "error, warn, info (default) or debug" },
	[ARGS_LOG_FORMAT] = { "log-format", "FORMAT", "text (default) or json, on stderr" },
	[ARGS_HELP] = { "help", NULL, "show this" },
	[ARGS_NODE] = { "node", "NAME", "be this node of the policy (default: by public key)" },
	[ARGS_JSON] = { "json", NULL, "print JSON" },
	[ARGS_OUT] = { "out", "FILE", "the file to write, which must be a new one" },
	[ARGS_TC_ATTACH] = { "tc-attach", "HOW", "attach by auto (default), tcx or clsact" },
	[ARGS_FROM] = { "from", "ADDR", "the packet's source address" },
	[ARGS_TO] = { "to", "ADDR", "its destination address" },
	[ARGS_PROTO] = { "proto", "PROTO", "tcp (default), udp, sctp, icmp or proto:N" },
	[ARGS_DPORT] = { "dport", "N", "its destination port" },
	[ARGS_SPORT] = { "sport", "N", "its source port or echo identifier (default 49152)" },
	[ARGS_IN] = { "in", "DEV", "the device it comes by (default: where --from is)" },
	[ARGS_METRICS_LISTEN] = { "metrics-listen", "ADDR:PORT",
				  "serve metrics there, whatever the policy says" },
	[ARGS_LAN] = { "lan", "DEV", "the LAN's device (default: the one with a private prefix)" },
	[ARGS_PEER] = { "peer", "NAME", "what the first peer is called (default phone)" },
	[ARGS_KEY] = { "key", "FILE", "the private key (default /var/lib/towpath/private.key)" },
	[ARGS_TRY] = { "try", "SECONDS", "put back what was in force unless `confirm` comes" },
	[ARGS_FORCE] = { "force", NULL, "though it cuts the session that this is typed in" },
	[ARGS_HEALTHY] = { "healthy", NULL, "exit with status 1 when there is a problem" },
	[ARGS_CLEANUP_ON_EXIT] = { "cleanup-on-exit", NULL, "on leaving, remove everything" },
	[ARGS_STALL_AFTER] = { "stall-after", "SECONDS",
			       "without handshake, look endpoints up again (default 135)" },
};

int args_refuse_word(struct err *err, const char *kind, const char *word, const char *dashes,
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
	snprintf(kind, sizeof(kind), "--%s", args_option_texts[option].name);
	return args_refuse_word(err, kind, value, "", names, count);
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
	args->tc_attach = (enum state_tc)r;
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

static int read_lan(const char *value, struct args *args, struct err *err)
{
	if (!value[0])
		return err_set(err, -EINVAL, "--lan: the device is empty");
	args->lan = value;
	return 0;
}

/* It names a file too. */
static int read_peer(const char *value, struct args *args, struct err *err)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_-";
	size_t length = strlen(value);

	if (!length || length > CONFIG_NAME_MAX || strspn(value, allowed) != length)
		return err_set(err, -EINVAL, "--peer \"%s\": 1 to %d of A-Z a-z 0-9 _ - are a name",
			       value, CONFIG_NAME_MAX);
	args->peer = value;
	return 0;
}

static int read_key(const char *value, struct args *args, struct err *err)
{
	if (value[0] != '/')
		return err_set(err, -EINVAL, "--key \"%s\": not an absolute path", value);
	args->key = value;
	return 0;
}

/* A day at most: a longer trial is one that was forgotten. */
static int read_try(const char *value, struct args *args, struct err *err)
{
	uint64_t seconds;

	if (num_read(value, 1, 86400, &seconds))
		return err_set(err, -EINVAL, "--try \"%s\": not a number of seconds, 1 to 86400",
			       value);
	args->try_seconds = (uint32_t)seconds;
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

static int read_stall_after(const char *value, struct args *args, struct err *err)
{
	uint64_t seconds;

	if (num_read(value, 1, STALL_AFTER_MAX, &seconds))
		return err_set(err, -EINVAL, "--stall-after \"%s\": not 1 to %d seconds", value,
			       STALL_AFTER_MAX);
	args->stall_after_s = (uint32_t)seconds;
	return 0;
}

static int read_out(const char *value, struct args *args, struct err *err)
{
	if (!value[0])
		return err_set(err, -EINVAL, "--out: the file name is empty");
	/* elsewhere "-" is standard output */
	if (!strcmp(value, "-"))
		return err_set(err, -EINVAL,
			       "--out -: a file is made, with care for what it holds; name it");
	args->out = value;
	return 0;
}

int args_read_option(enum args_option option, const char *value, struct args *args, struct err *err)
{
	switch (option) {
	case ARGS_INSTANCE: return read_instance(value, args, err);
	case ARGS_BPFFS: return read_bpffs(value, args, err);
	case ARGS_LOG_LEVEL: return read_log_level(value, args, err);
	case ARGS_LOG_FORMAT: return read_log_format(value, args, err);
	case ARGS_NODE: return read_node(value, args, err);
	case ARGS_OUT: return read_out(value, args, err);
	case ARGS_TC_ATTACH: return read_tc_attach(value, args, err);
	case ARGS_FROM: args->from = value; return 0;
	case ARGS_TO: args->to = value; return 0;
	case ARGS_PROTO: args->proto = value; return 0;
	case ARGS_DPORT: args->dport = value; return 0;
	case ARGS_SPORT: args->sport = value; return 0;
	case ARGS_IN: args->in = value; return 0;
	case ARGS_METRICS_LISTEN: return read_metrics_listen(value, args, err);
	case ARGS_LAN: return read_lan(value, args, err);
	case ARGS_PEER: return read_peer(value, args, err);
	case ARGS_KEY: return read_key(value, args, err);
	case ARGS_TRY: return read_try(value, args, err);
	case ARGS_FORCE: args->force = true; return 0;
	case ARGS_HEALTHY: args->healthy = true; return 0;
	case ARGS_STALL_AFTER: return read_stall_after(value, args, err);
	case ARGS_CLEANUP_ON_EXIT: args->cleanup_on_exit = true; return 0;
	case ARGS_JSON: args->json = true; return 0;
	case ARGS_HELP: args->help = true; return 0;
	case ARGS_OPTION_COUNT: break;
	}
	return -EINVAL;
}
