// SPDX-License-Identifier: GPL-2.0-only
#include "report/metrics_out.h"

#include <inttypes.h>

void metrics_family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_value(FILE *out, const char *value)
{
	for (; *value; value++)
		switch (*value) {
		case '\\': fputs("\\\\", out); break;
		case '"': fputs("\\\"", out); break;
		case '\n': fputs("\\n", out); break;
		default: fputc(*value, out);
		}
}

void metrics_sample(FILE *out, const char *name, uint64_t value, const struct metrics_label *labels)
{
	const char *before = "{";

	fputs(name, out);
	for (; labels && labels->name; labels++) {
		fprintf(out, "%s%s=\"", before, labels->name);
		put_value(out, labels->value);
		fputc('"', out);
		before = ",";
	}
	fprintf(out, "%s %" PRIu64 "\n", *before == ',' ? "}" : "", value);
}
