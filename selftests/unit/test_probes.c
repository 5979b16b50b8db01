// SPDX-License-Identifier: GPL-2.0-only
/* Which packets a policy's tests send through the kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fixture.h"
#include "model/compile.h"
#include "model/decide.h"
#include "model/probes.h"
#include "test.h"

#define BEGIN                                                                   \
	"{ \"version\": 1, \"nodes\": { \"a\": { \"public_key\": \"@a@\","      \
	" \"addresses\": [\"100.80.0.1\", \"fd7a:70::1\"] } },"                 \
	"\"peers\": { \"phone\": { \"public_key\": \"@phone@\","                \
	" \"addresses\": [\"100.80.0.10\", \"fd7a:70::10\"] } },"               \
	"\"hosts\": { \"many\": \"10.1.0.0-10.1.0.250\" },"                     \
	"\"grants\": [ { \"src\": [\"phone\"], \"dst\": [\"10.1.0.0/16\"] } ]," \
	"\"tests\": ["

/* The probes of one test, a line each. */
static char *probes_of(const char *test)
{
	AUTO_FREE char *text = mem_format("%s%s ] }", BEGIN, test);
	char packet[DECIDE_PACKET_TEXT_SIZE], *lines = NULL;
	struct tables tables = { 0 };
	const struct probe *probe;
	struct fixture f;
	size_t size;
	FILE *out = open_memstream(&lines, &size);

	CHECK_INT(fixture_policy(&f, text), 0);
	CHECK_INT(compile_rules(f.policy, &tables), 0);
	CHECK_INT(probes_build(f.policy, &tables), 0);
	array_for_each(probe, &tables.probes)
		fprintf(out, "%s %s %s\n", decide_packet_put(packet, &probe->packet),
			probe->accept ? "accept" : "refuse",
			probe->rule == DECIDE_NO_GRANT ? "none" : "0");
	fclose(out);
	tables_free(&tables);
	fixture_free(&f);
	return lines;
}

static void check_probes(const char *test, const char *want)
{
	AUTO_FREE char *got = probes_of(test);

	CHECK_TEXT(got, want);
}

TEST(every_corner_meets_every_other)
{
	check_probes("{ \"src\": \"phone\", \"accept\": [\"10.1.0.0-10.1.0.5:80-90\"] }",
		     "tcp 100.80.0.10 -> 10.1.0.0:80 accept 0\n"
		     "tcp 100.80.0.10 -> 10.1.0.0:90 accept 0\n"
		     "tcp 100.80.0.10 -> 10.1.0.5:80 accept 0\n"
		     "tcp 100.80.0.10 -> 10.1.0.5:90 accept 0\n");
}

TEST(the_deciding_rule_is_told)
{
	check_probes("{ \"src\": \"phone\", \"proto\": \"icmp\","
		     " \"accept\": [\"10.1.2.3\"], \"deny\": [\"a\"] }",
		     "icmp 100.80.0.10 -> 10.1.2.3 accept 0\n"
		     "icmp 100.80.0.10 -> 100.80.0.1 refuse none\n"
		     "icmpv6 fd7a:70::10 -> fd7a:70::1 refuse none\n");
}

TEST(any_port_is_1_and_65535)
{
	check_probes("{ \"src\": \"phone\", \"proto\": \"udp\", \"accept\": [\"10.1.2.3:*\"] }",
		     "udp 100.80.0.10 -> 10.1.2.3:1 accept 0\n"
		     "udp 100.80.0.10 -> 10.1.2.3:65535 accept 0\n");
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

/* 2 ends by 200 ports are more than the product may have. */
TEST(of_many_corners_each_is_met_once)
{
	AUTO_FREE char *ports = NULL, *test = NULL, *got = NULL;
	size_t size;
	int port;
	FILE *out = open_memstream(&ports, &size);

	for (port = 1; port <= 200; port++)
		fprintf(out, "%s%d", port > 1 ? "," : "", port * 2);
	fclose(out);
	test = mem_format("{ \"src\": \"phone\", \"accept\": [\"many:%s\"] }", ports);
	got = probes_of(test);
	CHECK_INT(count_lines(got), 200);
	CHECK(strstr(got, "-> 10.1.0.0:2 "));
	CHECK(strstr(got, "-> 10.1.0.250:400 "));
}

TEST(without_tests_there_are_none)
{
	check_probes("", "");
}
