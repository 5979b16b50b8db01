/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine that the programs believe to be on: network and mount namespaces of this process,
 * with devices, routes and neighbours. Made once; all of it dies with the process.
 */
#ifndef SELFTESTS_PACKET_WORLD_H
#define SELFTESTS_PACKET_WORLD_H

#include <stdint.h>

#define WORLD_BPFFS    "/sys/fs/bpf" /* a bpffs of our own is mounted there */
#define WORLD_INSTANCE "packet"

/* What a packet comes from or goes to. */
enum device { TUNNEL0, LAN0, LAN1, OTHER0, DEVICES };

extern const char *const world_device_names[DEVICES];

/* Ends the program when it cannot: without a world no case means anything. */
void world_make(void);

uint32_t world_ifindex(enum device device);
const uint8_t *world_mac(enum device device); /* zeroes for the tunnel */

/* Runs `ip` with these words, as in world_ip("route del 10.0.0.0/8"). */
void world_ip(const char *words);
void world_sysctl(const char *path, int32_t value);
/* Once more those that places.c knows: they go with the last address of a device. */
void world_neighbours(void);

#endif
