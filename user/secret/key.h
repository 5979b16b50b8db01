/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * WireGuard keys: Curve25519, 32 bytes, base64 in text. Private and preshared keys are wiped by
 * whoever owns them (key_wipe) and are compared in constant time. Nothing here ever puts a key
 * into an error text, not even a malformed one.
 */
#ifndef TP_SECRET_KEY_H
#define TP_SECRET_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define KEY_SIZE      32
#define KEY_TEXT_SIZE 45 /* 44 base64 characters and NUL */
#define HASH_SIZE     32 /* SHA-256 */

struct key {
	uint8_t bytes[KEY_SIZE];
};

/* Calls sodium_init and forbids core dumps (keys live in memory). Once, before all else. */
int key_setup(struct err *err);

/* Strict base64 of exactly 32 bytes; 0 or -EINVAL, out untouched on failure. */
int key_read(const char *text, struct key *out);
const char *key_put(char *buf, const struct key *key); /* buf of KEY_TEXT_SIZE */
bool key_is_equal(const struct key *a, const struct key *b);
bool key_is_zero(const struct key *key);
void key_wipe(struct key *key);

/* A new private key, clamped as Curve25519 wants it. */
void key_generate(struct key *private_key);
/* X25519 base point multiplication. */
void key_derive_public(const struct key *private_key, struct key *public_key);

/*
 * Reads a private or preshared key file: one base64 line. Refused (-EACCES) when group or others
 * have any access, or when it is no regular file (a symlink to one is followed).
 */
int key_read_file(const char *path, struct key *out, struct err *err);
/* 0600, atomically, never over an existing file (-EEXIST). */
int key_write_file(const char *path, const struct key *key, struct err *err);

/* SHA-256 and its hexadecimal text (buf of 2 * HASH_SIZE + 1). */
void hash_bytes(const void *data, size_t length, uint8_t out[HASH_SIZE]);
const char *hash_put(char *buf, const uint8_t hash[HASH_SIZE]);

#endif
