/* SPDX-License-Identifier: GPL-2.0-only */
/* Values from text, and checks of values against text, for the tests of the codecs. */
#ifndef SELFTESTS_VALUES_H
#define SELFTESTS_VALUES_H

#include "base/addr.h"
#include "model/state.h"

/* first, first + 1, … */
struct key value_key(uint8_t first);
struct addr value_addr(const char *text);
struct state_route value_route(const char *prefix, const char *prefsrc); /* prefsrc may be NULL */
void value_add_prefix(struct state_peer *peer, const char *text);

/* Each is a check of its own; `line` is where the case made it. */
void value_check_addr(const struct addr *got, const char *want, const char *file, int line);
void value_check_prefix(const struct prefix *got, const char *want, const char *file, int line);
void value_check_endpoint(const struct endpoint *got, const char *want, const char *file, int line);

#define CHECK_ADDR(got, want)     value_check_addr(&(got), (want), __FILE__, __LINE__)
#define CHECK_PREFIX(got, want)   value_check_prefix(&(got), (want), __FILE__, __LINE__)
#define CHECK_ENDPOINT(got, want) value_check_endpoint(&(got), (want), __FILE__, __LINE__)

#endif
