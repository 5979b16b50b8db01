// SPDX-License-Identifier: GPL-2.0-only
#include "secret/key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

_Static_assert(KEY_SIZE == crypto_scalarmult_curve25519_SCALARBYTES, "keys are X25519 scalars");
_Static_assert(KEY_TEXT_SIZE == sodium_base64_ENCODED_LEN(KEY_SIZE, sodium_base64_VARIANT_ORIGINAL),
	       "base64 of a key with its NUL");
_Static_assert(HASH_SIZE == crypto_hash_sha256_BYTES, "hashes are SHA-256");

#define KEY_TEXT_LENGTH (KEY_TEXT_SIZE - 1)

int key_setup(struct err *err)
{
	const struct rlimit none = { 0 };

	if (sodium_init() < 0)
		return err_set(err, -EIO, "libsodium cannot start: no source of randomness");
	/* both: a core pattern that pipes ignores the limit, but honours dumpable */
	if (setrlimit(RLIMIT_CORE, &none))
		return err_sys(err, -errno, "forbid core dumps");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return err_sys(err, -errno, "make the process undumpable");
	return 0;
}

int key_read(const char *text, struct key *out)
{
	struct key key;
	size_t length;
	int r;

	r = sodium_base642bin(key.bytes, sizeof(key.bytes), text, strlen(text), NULL, &length, NULL,
			      sodium_base64_VARIANT_ORIGINAL);
	if (r || length != sizeof(key.bytes))
		r = -EINVAL;
	else
		*out = key;

	key_wipe(&key);
	return r;
}

const char *key_put(char *buf, const struct key *key)
{
	return sodium_bin2base64(buf, KEY_TEXT_SIZE, key->bytes, sizeof(key->bytes),
				 sodium_base64_VARIANT_ORIGINAL);
}

bool key_is_equal(const struct key *a, const struct key *b)
{
	return !sodium_memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool key_is_zero(const struct key *key)
{
	return sodium_is_zero(key->bytes, sizeof(key->bytes));
}

void key_wipe(struct key *key)
{
	sodium_memzero(key, sizeof(*key));
}

void key_generate(struct key *private_key)
{
	randombytes_buf(private_key->bytes, sizeof(private_key->bytes));
	/* RFC 7748 section 5, as `wg genkey` does */
	private_key->bytes[0] &= 248;
	private_key->bytes[31] &= 127;
	private_key->bytes[31] |= 64;
}

void key_derive_public(const struct key *private_key, struct key *public_key)
{
	/* cannot fail: only a point someone else chose can give zero */
	(void)crypto_scalarmult_base(public_key->bytes, private_key->bytes);
}

/* Asks the descriptor, not the path, which may be another file by now. */
static int check_private(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(err, -errno, "read key file %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EACCES, "read key file %s: it is not a regular file", path);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(err, -EACCES,
			       "read key file %s: group or others have access (mode %04o); "
			       "run: chmod 600 %s",
			       path, (unsigned int)(st.st_mode & 07777), path);
	return 0;
}

/* Up to size bytes; how many, or a negative errno. */
static ssize_t read_up_to(int fd, char *buf, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t n = read(fd, buf + used, size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

/* A key and at most one newline, nothing else. text has room for a NUL behind length. */
static int read_line(char *text, size_t length, struct key *out)
{
	if (length == KEY_TEXT_LENGTH + 1 && text[KEY_TEXT_LENGTH] == '\n')
		length--;
	if (length != KEY_TEXT_LENGTH)
		return -EINVAL;

	text[length] = '\0';
	return key_read(text, out);
}

int key_read_file(const char *path, struct key *out, struct err *err)
{
	/* room for one byte too many, which a longer file will fill */
	char text[KEY_TEXT_LENGTH + sizeof("\n") + 1];
	AUTO_CLOSE int fd = -1;
	ssize_t length;
	int r;

	/* O_NONBLOCK: opening a FIFO must not wait for its writer */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_sys(err, -errno, "open key file %s", path);
	r = check_private(fd, path, err);
	if (r)
		return r;

	length = read_up_to(fd, text, sizeof(text) - 1);
	if (length < 0)
		r = err_sys(err, (int)length, "read key file %s", path);
	else if (read_line(text, (size_t)length, out))
		r = err_set(err, -EINVAL,
			    "read key file %s: it does not hold one line of %d base64 characters",
			    path, KEY_TEXT_LENGTH);
	sodium_memzero(text, sizeof(text));
	return r;
}

int key_write_file(const char *path, const struct key *key, struct err *err)
{
	char text[KEY_TEXT_SIZE];
	int r;

	key_put(text, key);
	text[KEY_TEXT_LENGTH] = '\n';
	r = file_write(path, text, sizeof(text), 0600, FILE_NEW, err);
	sodium_memzero(text, sizeof(text));
	return r;
}

void hash_bytes(const void *data, size_t length, uint8_t out[HASH_SIZE])
{
	crypto_hash_sha256(out, data, length);
}

const char *hash_put(char *buf, const uint8_t hash[HASH_SIZE])
{
	return sodium_bin2hex(buf, 2 * HASH_SIZE + 1, hash, HASH_SIZE);
}
