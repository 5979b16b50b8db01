/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A growable array. A typed one is a struct that begins with these three members:
 *
 *	struct prefix_array { struct prefix *items; size_t count, capacity; };
 *	struct prefix *p = array_add(&prefixes);	// zeroed, NULL when memory is out
 */
#ifndef TP_BASE_ARRAY_H
#define TP_BASE_ARRAY_H

#include <stddef.h>

#define ARRAY_OF(type)           \
	struct {                 \
		type *items;     \
		size_t count;    \
		size_t capacity; \
	}

/* A pointer to a new zeroed last element; valid until the next add. NULL when memory is out. */
#define array_add(array)                                                                   \
	((__typeof__((array)->items))array_grow((void **)&(array)->items, &(array)->count, \
						&(array)->capacity, sizeof(*(array)->items)))

/* The same for `more` elements at once; they are not zeroed. */
#define array_extend(array, more)                                                               \
	((__typeof__((array)->items))array_make_room((void **)&(array)->items, &(array)->count, \
						     &(array)->capacity, more,                  \
						     sizeof(*(array)->items)))

/* Frees the elements' memory (not what they own) and empties the array. */
#define array_clear(array) \
	array_reset((void **)&(array)->items, &(array)->count, &(array)->capacity)

/* Gives back the room behind the last element of an array that has its final size. */
#define array_fit(array)                                                           \
	array_shrink((void **)&(array)->items, (array)->count, &(array)->capacity, \
		     sizeof(*(array)->items))

#define array_for_each(item, array)                                                               \
	for ((item) = (array)->items; (array)->items && (item) < (array)->items + (array)->count; \
	     (item)++)

void *array_make_room(void **items, size_t *count, size_t *capacity, size_t more, size_t size);
void *array_grow(void **items, size_t *count, size_t *capacity, size_t size);
void array_shrink(void **items, size_t count, size_t *capacity, size_t size);
void array_reset(void **items, size_t *count, size_t *capacity);

#endif
