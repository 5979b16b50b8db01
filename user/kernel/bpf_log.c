// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_log.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX   (32U << 20) /* twice what libbpf asks the verifier for */
#define FIRST_MAX 400

static struct {
	char *text; /* NULL: nothing was said */
	size_t length;
	bool loading, failed;
} said;

/* What does not fit is lost: the verifier's last words are in one piece with the rest. */
__attribute__((format(printf, 2, 0))) static int listen(enum libbpf_print_level level,
							const char *format, va_list args)
{
	va_list again;
	int length;
	char *grown;

	if (level != LIBBPF_WARN || !said.loading)
		return 0;
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length <= 0 || said.length + (size_t)length > LOG_MAX)
		return 0;
	grown = realloc(said.text, said.length + (size_t)length + 1);
	if (!grown)
		return 0;
	said.text = grown;
	vsnprintf(said.text + said.length, (size_t)length + 1, format, args);
	said.length += (size_t)length;
	return length;
}

void bpf_log_listen(void)
{
	libbpf_set_print(listen);
}

void bpf_log_end(void)
{
	free(said.text);
	said.text = NULL;
	said.length = 0;
	said.failed = said.loading = false;
}

void bpf_log_begin(void)
{
	bpf_log_end();
	said.loading = true;
}

/* libbpf ends many of its own sentences with the cause. */
static bool names(const char *text, int length, const char *cause)
{
	return memmem(text, (size_t)length, cause, strlen(cause));
}

int bpf_log_error(struct err *err, int r)
{
	size_t first = said.text ? strcspn(said.text, "\n") : 0;
	int length;

	said.failed = true;
	said.loading = false;
	if (!first)
		return err_sys(err, r, "load BPF programs");
	length = (int)(first < FIRST_MAX ? first : FIRST_MAX);
	return names(said.text, length, strerror(-r))
		       ? err_set(err, r, "load BPF programs: %.*s", length, said.text)
		       : err_sys(err, r, "load BPF programs: %.*s", length, said.text);
}

const char *bpf_log_failure(void)
{
	return said.failed ? said.text : NULL;
}
