// SPDX-License-Identifier: GPL-2.0-only
#include "mutate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Something that reads a copy, and how many it was given. */
struct reader {
	void (*bytes)(const void *bytes, size_t length);
	void (*message)(const struct nlmsghdr *msg);
	size_t count;
};

/* A copy of the first `length` bytes, with `value` at `offset` (SIZE_MAX: as it is). */
static void try_copy(struct reader *reader, const void *bytes, size_t length, size_t offset,
		     uint8_t value)
{
	uint8_t *copy = malloc(length ? length : 1);

	if (!copy)
		return;
	memcpy(copy, bytes, length);
	if (offset != SIZE_MAX)
		copy[offset] = value;

	if (reader->message) {
		((struct nlmsghdr *)(void *)copy)->nlmsg_len = (uint32_t)length;
		reader->message((const struct nlmsghdr *)(const void *)copy);
	} else {
		reader->bytes(copy, length);
	}
	free(copy);
	reader->count++;
}

static size_t mutate(struct reader *reader, const uint8_t *bytes, size_t length, size_t shortest)
{
	for (size_t cut = shortest; cut < length; cut++)
		try_copy(reader, bytes, cut, SIZE_MAX, 0);

	for (size_t offset = 0; offset < length; offset++) {
		const uint8_t old = bytes[offset];
		const uint8_t values[] = { 0,        1,           0x7f,        0xff,
					   old ^ 1u, old ^ 0x20u, old ^ 0x80u, old + 1u };

		for (size_t i = 0; i < sizeof(values); i++)
			try_copy(reader, bytes, length, offset, values[i]);
	}
	return reader->count;
}

size_t mutate_bytes(const void *bytes, size_t length,
		    void (*read)(const void *bytes, size_t length))
{
	struct reader reader = { .bytes = read };

	return mutate(&reader, bytes, length, 0);
}

size_t mutate_message(const struct nlmsghdr *msg, void (*read)(const struct nlmsghdr *msg))
{
	struct reader reader = { .message = read };

	return mutate(&reader, (const void *)msg, msg->nlmsg_len, NLMSG_HDRLEN);
}
