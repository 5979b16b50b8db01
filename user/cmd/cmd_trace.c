// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "cmd/commands.h"
#include "cmd/floor.h"
#include "cmd/lock.h"
#include "cmd/pipeline.h"
#include "kernel/bpf_trace.h"
#include "kernel/frame.h"
#include "report/trace.h"

static int refuse(const char *option, const char *value, const char *why)
{
	log_error("trace: %s%s%s%s: %s (see: towpath trace --help)", option, value ? " \"" : "",
		  value ? value : "", value ? "\"" : "", why);
	return EXIT_USAGE;
}

static int read_addr(const char *option, const char *text, struct addr *out)
{
	if (!text)
		return refuse(option, NULL, "it is missing");
	if (addr_read(text, out))
		return refuse(option, text, "not an address");
	return EXIT_DONE;
}

/* The family decides which ICMP it is. */
static int read_proto(const char *text, bool v4, uint8_t *out)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} named[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP } };
	uint64_t number;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(named); i++) {
		if (strcmp(text, named[i].name) != 0)
			continue;
		*out = named[i].proto;
		return EXIT_DONE;
	}
	if (!strcmp(text, "icmp") || !strcmp(text, "icmpv6")) {
		*out = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		return EXIT_DONE;
	}
	if (!strncmp(text, "proto:", 6) && !num_read(text + 6, 0, UINT8_MAX, &number)) {
		*out = (uint8_t)number;
		return EXIT_DONE;
	}
	return refuse("--proto", text, "not one of tcp, udp, sctp, icmp, proto:N");
}

static int read_port(const char *option, const char *text, uint16_t *out)
{
	uint64_t number;

	if (num_read(text, 1, UINT16_MAX, &number))
		return refuse(option, text, "not a port");
	*out = (uint16_t)number;
	return EXIT_DONE;
}

static int read_ports(const struct args *args, struct trace_request *out)
{
	uint8_t proto = out->packet.proto;
	bool echo = proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
	int status = EXIT_DONE;

	out->sport = FRAME_SPORT;
	if (args->sport && !decide_has_ports(proto) && !echo)
		return refuse("--sport", args->sport, "this protocol has no ports");
	if (args->dport && !decide_has_ports(proto))
		return refuse("--dport", args->dport, "this protocol has no ports");
	if (args->sport)
		status = read_port("--sport", args->sport, &out->sport);
	if (status != EXIT_DONE || !decide_has_ports(proto))
		return status;
	if (!args->dport)
		return refuse("--dport", NULL, "it is missing");
	return read_port("--dport", args->dport, &out->packet.port);
}

static int read_request(const struct args *args, struct trace_request *out)
{
	int status = read_addr("--from", args->from, &out->packet.src);

	if (status == EXIT_DONE)
		status = read_addr("--to", args->to, &out->packet.dst);
	if (status != EXIT_DONE)
		return status;
	if (addr_is_v4(&out->packet.src) != addr_is_v4(&out->packet.dst))
		return refuse("--to", args->to, "not of the family of --from");
	status = read_proto(args->proto ? args->proto : "tcp", addr_is_v4(&out->packet.src),
			    &out->packet.proto);
	if (status == EXIT_DONE)
		status = read_ports(args, out);
	if (status == EXIT_DONE && args->in) {
		if (!args->in[0] || strlen(args->in) >= sizeof(out->in))
			return refuse("--in", args->in, "no device can be called that");
		strcpy(out->in, args->in);
	}
	return status;
}

static int show(struct pipeline *p, const struct trace_request *request)
{
	struct trace trace;
	struct err err;
	int r;

	if (!p->have.exists) {
		log_error("trace: nothing is set up for instance %s", p->args->instance);
		return EXIT_NOT_RUNNING;
	}
	r = netns_enter(&p->netns, &err);
	if (!r) {
		r = bpf_trace(&p->bpf, &p->have, request, &trace, &err);
		netns_leave(&p->netns);
	}
	if (r) {
		log_error("trace: %s", err.text);
		return r == -EPROTO ? EXIT_LACKING : EXIT_FAILED;
	}
	r = p->args->json ? trace_print_json(stdout, &trace) : trace_print_text(stdout, &trace);
	if (r) {
		log_error("trace: write the result failed");
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

int cmd_trace(const struct args *args)
{
	struct trace_request request = {};
	struct pipeline p;
	int status;

	pipeline_start(&p, args);
	status = read_request(args, &request);
	if (status == EXIT_DONE)
		status = require_root(args);
	if (status == EXIT_DONE)
		status = require_kernel(args);
	if (status == EXIT_DONE)
		status = pipeline_observe(&p, false);
	if (status == EXIT_DONE)
		status = show(&p, &request);
	pipeline_end(&p);
	return status;
}
