// SPDX-License-Identifier: GPL-2.0-only
#include "scale.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "rows.h"
#include "test.h"

#define GENERATOR "selftests/scale/generate-policy"
#define FILE_MAX  (16U << 20)

static char *read_part(const char *folder, const char *name)
{
	AUTO_FREE char *path = mem_format("%s/%s", folder, name);
	char *text = NULL;
	size_t length;
	struct err err;

	if (!test_check(!file_read(path, FILE_MAX, &text, &length, &err), __FILE__, __LINE__, "%s",
			err.text))
		return NULL;
	unlink(path);
	return text;
}

static bool read_sample(const char *line, struct sample *out)
{
	char verdict[8], grant[8];
	int family;

	if (!CHECK_INT(sscanf(line, "%d %d %47s %47s %d %7s %7s", &family, &out->proto, out->src,
			      out->dst, &out->dport, verdict, grant),
		       7))
		return false;
	out->family = family == 4 ? V4 : V6;
	if (out->proto == IPPROTO_ICMPV6)
		out->proto = IPPROTO_ICMP; /* as struct packet says it */
	out->allowed = !strcmp(verdict, "allow");
	out->grant = grant[0] == '-' ? -1 : atoi(grant);
	return true;
}

static bool read_samples(char *text, struct scale *out)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n")) && *line && out->count < SCALE_SAMPLES_MAX) {
		if (!read_sample(line, &out->samples[out->count]))
			return false;
		out->count++;
	}
	return out->count;
}

static bool read_all(const char *folder, struct scale *out)
{
	AUTO_FREE char *packets = read_part(folder, "packets");

	out->policy = read_part(folder, "policy.json");
	out->reversed = read_part(folder, "reversed.json");
	return packets && out->policy && out->reversed && read_samples(packets, out);
}

bool scale_make(struct scale *out, const char *options)
{
	char folder[] = "/tmp/towpath-scale-XXXXXX";
	AUTO_FREE char *command = NULL;
	bool made;

	if (access(GENERATOR, X_OK) || system("python3 -c 0")) {
		test_skip("there is no " GENERATOR " here, or no python3 to run it");
		return false;
	}
	if (!CHECK(mkdtemp(folder)))
		return false;
	command = mem_format(GENERATOR " %s %s", options, folder);
	made = command && CHECK_INT(system(command), 0) && read_all(folder, out);
	rmdir(folder);
	return CHECK(made);
}

void scale_free(struct scale *scale)
{
	mem_free_ptr(&scale->policy);
	mem_free_ptr(&scale->reversed);
}

size_t scale_frame(const struct sample *sample, int number, uint8_t *frame)
{
	struct packet packet = { .src = sample->src,
				 .dst = sample->dst,
				 .proto = sample->proto,
				 .sport = number,
				 .dport = sample->dport };
	struct ports none = {};

	if (sample->proto == IPPROTO_TCP)
		packet.tcp_flags = SYN;
	if (sample->proto == IPPROTO_ICMP)
		packet.echo = REQUEST;
	return row_frame(FROM_TUNNEL, &packet, sample->family, &none, frame);
}
