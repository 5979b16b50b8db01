/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Damaged input for decoders. Every copy lies in memory of exactly its size, so that the address
 * sanitizer sees a read behind the end. There is nothing to compare: a decoder may say what it
 * likes of such input, as long as it comes back.
 */
#ifndef SELFTESTS_MUTATE_H
#define SELFTESTS_MUTATE_H

#include <linux/netlink.h>
#include <stddef.h>

/* Each returns how many copies read was called with. */
size_t mutate_bytes(const void *bytes, size_t length,
		    void (*read)(const void *bytes, size_t length));
/* The length in the header of each message stays true: nl.c lets no other pass. */
size_t mutate_message(const struct nlmsghdr *msg, void (*read)(const struct nlmsghdr *msg));

#endif
