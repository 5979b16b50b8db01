// SPDX-License-Identifier: GPL-2.0-only
#include "base/err.h"

#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;

	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	err->code = code;
	return code;
}

int err_sys(struct err *err, int code, const char *format, ...)
{
	char sentence[sizeof(err->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	return err_set(err, code, "%s: %s", sentence, strerror(-code));
}

int err_wrap(struct err *err, int code, const char *format, ...)
{
	char before[sizeof(err->text)];
	char sentence[sizeof(err->text)];
	va_list args;

	if (!err)
		return code;

	memcpy(before, err->text, sizeof(before));
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	return err_set(err, code, "%s: %s", sentence, before);
}
