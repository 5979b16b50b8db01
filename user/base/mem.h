/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory and descriptors that free themselves when they leave their scope. */
#ifndef TP_BASE_MEM_H
#define TP_BASE_MEM_H

#include <stddef.h>

/* Both take the address of the variable, as __attribute__((cleanup)) wants it. */
void mem_free_ptr(void *ptr_to_ptr);
void mem_close_fd(const int *fd);

/* Initialise at the declaration: AUTO_FREE char *text = NULL; AUTO_CLOSE int fd = -1; */
#define AUTO_FREE  __attribute__((cleanup(mem_free_ptr)))
#define AUTO_CLOSE __attribute__((cleanup(mem_close_fd)))

/* Hands an AUTO_FREE pointer over to the caller: return TAKE(text); */
#define TAKE(ptr)                         \
	__extension__({                   \
		__typeof__(ptr) _p = ptr; \
		(ptr) = NULL;             \
		_p;                       \
	})

/* The same for an AUTO_CLOSE descriptor. */
int mem_take_fd(int *fd);

/* Zeroed; NULL when count * size overflows or memory is out. */
void *mem_alloc(size_t count, size_t size);

/* A copy the caller frees; NULL when memory is out. */
char *mem_copy_string(const char *text);

/* "printf" into memory the caller frees; NULL when memory is out. */
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
