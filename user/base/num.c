// SPDX-License-Identifier: GPL-2.0-only
#include "base/num.h"

#include <errno.h>
#include <string.h>

int num_read_n(const char *text, size_t length, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	size_t i;

	if (!length || (length > 1 && text[0] == '0'))
		return -EINVAL;

	for (i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return -ERANGE;
	}
	if (value < min || value > max)
		return -ERANGE;

	*out = value;
	return 0;
}

int num_read(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	return num_read_n(text, strlen(text), min, max, out);
}
