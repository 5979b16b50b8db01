/* SPDX-License-Identifier: GPL-2.0-only */
/* Prometheus' text format: a family with its help and type, then its samples. */
#ifndef TP_REPORT_METRICS_OUT_H
#define TP_REPORT_METRICS_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* type is "counter" or "gauge". Each name once, before its samples; help without a line break. */
void metrics_family(FILE *out, const char *name, const char *type, const char *help);

struct metrics_label {
	const char *name;
	const char *value;
};

/* METRICS_LABELS({ "route", "10.0.0.0/8" }, { "node", "gw" }) */
#define METRICS_LABELS(...) ((const struct metrics_label[]){ __VA_ARGS__, { NULL, NULL } })

/* One sample of the family; labels end with one without a name, or are NULL for none. */
void metrics_sample(FILE *out, const char *name, uint64_t value,
		    const struct metrics_label *labels);

#endif
