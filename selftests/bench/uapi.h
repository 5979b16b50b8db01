/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for wireguard-go, whose UAPI socket towpath talks to: it accepts every setting and
 * keeps none. So the tunnel device can be a tun of the bench's own, without encryption, and
 * towpath is the binary that everybody runs.
 */
#ifndef SELFTESTS_BENCH_UAPI_H
#define SELFTESTS_BENCH_UAPI_H

#include "base/err.h"

/* Answers for that device, in a thread, until the process ends. */
int uapi_start(const char *device, struct err *err);

#endif
