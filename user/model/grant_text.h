/* SPDX-License-Identifier: GPL-2.0-only */
/* A grant in one line, for people: "deny * -> adguard, lan: tcp:22, icmp:*". */
#ifndef TP_MODEL_GRANT_TEXT_H
#define TP_MODEL_GRANT_TEXT_H

#include <stddef.h>

#include "config/config.h"

/* Cut off with "..." where size ends. buf of size bytes, at least 4; returns buf. */
const char *grant_text_put(char *buf, size_t size, const struct config_grant *grant);

/* One entry of `ip`, as the policy file writes it: "*", "443", "udp:5000-5010", "proto:47". */
#define MATCH_TEXT_SIZE 32
const char *match_text_put(char *buf, const struct config_match *match);

#endif
