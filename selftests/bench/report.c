// SPDX-License-Identifier: GPL-2.0-only
#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "configs.h"

#define ROUNDS_MAX 1000

struct spread {
	double median, q1, q3;
};

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Between the two values that it lies between. */
static double quantile(const double *sorted, unsigned int count, double part)
{
	double at = part * (count - 1);
	unsigned int i = (unsigned int)at;

	if (i + 1 >= count)
		return sorted[count - 1];
	return sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]);
}

static struct spread spread_of(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), compare);
	return (struct spread){ quantile(values, count, 0.5), quantile(values, count, 0.25),
				quantile(values, count, 0.75) };
}

static const struct result *find(const struct result *results, int count, const char *name)
{
	int i;

	for (i = 0; name && i < count; i++)
		if (!strcmp(results[i].lane->config->name, name) && !results[i].why.code)
			return &results[i];
	return NULL;
}

static double cost_of(const struct result *result, const struct result *base, unsigned int round)
{
	const struct cost *cost = &result->costs[round];
	double ns = (double)cost->ns / (double)cost->packets;

	return base ? ns - cost_of(base, NULL, round) : ns;
}

static void put_spread(FILE *file, const struct spread *s, int decimals)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*f (%.*f-%.*f)", decimals, s->median, decimals, s->q1,
		 decimals, s->q3);
	fprintf(file, " %-18s |", text);
}

/* How many times as fast as the peer, in each round. */
static void put_ratio(FILE *file, const struct result *result, const struct result *peer,
		      const struct result *base, unsigned int rounds)
{
	double values[ROUNDS_MAX];
	struct spread spread;
	unsigned int i;

	if (!peer || result == base || peer == base) {
		fprintf(file, " %-18s |", "");
		return;
	}
	for (i = 0; i < rounds; i++)
		values[i] = cost_of(peer, base, i) / cost_of(result, base, i);
	spread = spread_of(values, rounds);
	put_spread(file, &spread, 2);
}

static void put_result(FILE *file, const struct work *work, const struct result *results, int count,
		       const struct result *result, unsigned int rounds)
{
	const struct result *base = find(results, count, work->base);
	double values[ROUNDS_MAX];
	struct spread spread;
	unsigned int i;
	int peer;

	fprintf(file, "| %-31s |", result->lane->config->text);
	if (result->why.code || (work->base && !base)) {
		fprintf(file, " NOT AVAILABLE: %s | | | | |\n",
			result->why.code ? result->why.text : "there is nothing to subtract");
		return;
	}
	for (i = 0; i < rounds; i++)
		values[i] = cost_of(result, result == base ? NULL : base, i);
	spread = spread_of(values, rounds);
	put_spread(file, &spread, 1);
	for (peer = 0; peer < PEERS; peer++)
		put_ratio(file, result, find(results, count, work->peers[peer]), base, rounds);
	fputc('\n', file);
}

static void put_targets(FILE *file, const struct work *work)
{
	int peer;

	fprintf(file, "| %-31s | %-18s |", "towpath should reach at least", "");
	for (peer = 0; peer < PEERS; peer++)
		if (work->targets[peer] > 0)
			fprintf(file, " %-18.2f |", work->targets[peer]);
		else
			fprintf(file, " %-18s |", "");
	fputc('\n', file);
}

static void put_line(FILE *file, const char *first, const char *const cells[], char fill)
{
	int i;

	fprintf(file, "|%c%-31s%c|", fill, first, fill);
	for (i = 0; i < PEERS + 1; i++)
		fprintf(file, "%c%-18s%c|", fill, cells[i], fill);
	fputc('\n', file);
}

void report_print(FILE *file, const struct work *work, const struct result *results, int count,
		  unsigned int rounds)
{
	static const char *const head[] = { "ns a packet", "x kernel", "x kernel + rules",
					    "x XDP FIB", "x static floor" };
	static const char rule[] = "------------------";
	static const char *const line[] = { rule, rule, rule, rule, rule };
	int i;

	fprintf(file, "\n%s, %u flows, %u rounds\n\n", work->title, work->flows, rounds);
	put_line(file, "", head, ' ');
	put_line(file, "-------------------------------", line, '-');
	for (i = 0; i < count; i++)
		put_result(file, work, results, count, &results[i], rounds);
	put_targets(file, work);
}
