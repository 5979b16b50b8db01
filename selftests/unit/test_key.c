// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "secret/key.h"

/* RFC 7748, section 6.1: Alice's keys */
static const char alice_private[] = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
static const char alice_public[] = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
static const uint8_t alice_bytes[KEY_SIZE] = {
	0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1,
	0x72, 0x51, 0xb2, 0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0,
	0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a,
};

/* ---- text ---- */

TEST(reads_and_prints_base64)
{
	char buf[KEY_TEXT_SIZE];
	struct key key;

	REQUIRE(!key_read(alice_private, &key));
	CHECK_BYTES(key.bytes, sizeof(key.bytes), alice_bytes, sizeof(alice_bytes));
	CHECK_TEXT(key_put(buf, &key), alice_private);
}

TEST(refuses_every_other_text)
{
	static const char *const texts[] = {
		"",
		"=",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo",   /* no padding */
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo==", /* too much of it */
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n",
		" dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=",
		"dwdtCnMYpX08FsFyUbJmRd9ML4fr wJkqsXf7pR25LCo=",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCp=", /* bits behind the last byte */
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LA==", /* 31 bytes */
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCoA", /* 33 bytes */
		"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo=", /* the URL alphabet */
		"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqs",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		struct key out, before;

		memset(&out, 0x5a, sizeof(out));
		before = out;
		if (!CHECK_INT(key_read(texts[i], &out), -EINVAL) ||
		    !CHECK(!memcmp(&out, &before, sizeof(out))))
			test_check(false, __FILE__, __LINE__, "text %zu", i);
	}
}

TEST(the_zero_key_is_a_text_too)
{
	struct key key, zero = { 0 };

	REQUIRE(!key_read("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", &key));
	CHECK(key_is_zero(&key));
	CHECK(key_is_equal(&key, &zero));
}

/* ---- keys ---- */

TEST(derives_the_public_key_of_rfc_7748)
{
	struct key private_key, public_key;
	char buf[KEY_TEXT_SIZE];

	REQUIRE(!key_read(alice_private, &private_key));
	key_derive_public(&private_key, &public_key);
	CHECK_TEXT(key_put(buf, &public_key), alice_public);
}

TEST(compares_every_byte)
{
	struct key a = { .bytes = { 1 } };
	size_t i;

	for (i = 0; i < KEY_SIZE; i++) {
		struct key b = a;

		CHECK(key_is_equal(&a, &b));
		b.bytes[i] ^= 0x80;
		CHECK(!key_is_equal(&a, &b));
		CHECK(!key_is_zero(&b) || !i);
	}
}

TEST(wiping_leaves_zeros)
{
	struct key key;

	memset(&key, 0xff, sizeof(key));
	key_wipe(&key);
	CHECK(key_is_zero(&key));
}

TEST(generates_clamped_keys_that_differ)
{
	struct key one, two;
	int i;

	for (i = 0; i < 64; i++) {
		key_generate(&one);
		CHECK_INT(one.bytes[0] & 7, 0);
		CHECK_INT(one.bytes[31] & 0xc0, 0x40);
	}
	key_generate(&two);
	CHECK(!key_is_equal(&one, &two));
}

/* In a child: the test program itself should stay able to dump core. */
TEST(setup_forbids_core_dumps)
{
	pid_t child = fork();
	int status = 0;

	REQUIRE(child >= 0);
	if (!child) {
		struct rlimit limit = { .rlim_cur = 1, .rlim_max = 1 };
		bool good = !key_setup(NULL) && !getrlimit(RLIMIT_CORE, &limit) &&
			    !limit.rlim_cur && !limit.rlim_max && !prctl(PR_GET_DUMPABLE);

		_exit(good ? 0 : 1);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* ---- files ---- */

static char scratch[64];
static char path[128];

static bool scratch_make(void)
{
	strcpy(scratch, "/tmp/towpath-key-XXXXXX");
	if (!mkdtemp(scratch))
		return false;
	snprintf(path, sizeof(path), "%s/private.key", scratch);
	return true;
}

static void scratch_remove(void)
{
	CHECK(!unlink(path));
	CHECK(!rmdir(scratch));
}

static int read_text(const void *text, size_t length, struct key *out, struct err *err)
{
	if (file_write(path, text, length, 0600, 0, err))
		return -EIO;
	return key_read_file(path, out, err);
}

TEST(reads_the_file_it_wrote)
{
	struct key key, back = { 0 };
	struct err err = { 0 };
	struct stat st = { 0 };
	int r;

	REQUIRE(scratch_make());
	key_generate(&key);
	r = key_write_file(path, &key, &err);
	CHECK_INT(r, 0);
	CHECK(!stat(path, &st));
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(st.st_size, KEY_TEXT_SIZE); /* a newline where the NUL was */
	CHECK_INT(key_read_file(path, &back, &err), 0);
	CHECK(key_is_equal(&key, &back));
	scratch_remove();
}

TEST(never_writes_over_a_key)
{
	struct key first, second, back;
	struct err err = { 0 };
	int r;

	REQUIRE(scratch_make());
	key_generate(&first);
	key_generate(&second);
	r = key_write_file(path, &first, &err);
	CHECK_INT(r, 0);
	r = key_write_file(path, &second, &err);
	CHECK_INT(r, -EEXIST);
	REQUIRE(!key_read_file(path, &back, &err));
	CHECK(key_is_equal(&back, &first));
	scratch_remove();
}

TEST(one_newline_at_the_end_is_tolerated)
{
	char text[64];
	struct key key = { 0 };

	REQUIRE(scratch_make());
	CHECK_INT(read_text(alice_private, 44, &key, NULL), 0);
	CHECK_BYTES(key.bytes, KEY_SIZE, alice_bytes, KEY_SIZE);
	key_wipe(&key);
	snprintf(text, sizeof(text), "%s\n", alice_private);
	CHECK_INT(read_text(text, 45, &key, NULL), 0);
	CHECK_BYTES(key.bytes, KEY_SIZE, alice_bytes, KEY_SIZE);
	scratch_remove();
}

TEST(a_malformed_file_is_refused_without_showing_it)
{
	static const char *const tails[] = { "\n\n", " ", "\r\n", "\n#", "A", "AAAAAAAAAAAAAAAAA" };
	struct key key = { .bytes = { 7 } }, before = key;
	struct err err = { 0 };
	char text[128], want[512];
	size_t i;

	REQUIRE(scratch_make());
	snprintf(want, sizeof(want),
		 "read key file %s: it does not hold one line of 44 base64 characters", path);
	for (i = 0; i < ARRAY_SIZE(tails); i++) {
		snprintf(text, sizeof(text), "%s%s", alice_private, tails[i]);
		CHECK_INT(read_text(text, strlen(text), &key, &err), -EINVAL);
		CHECK_TEXT(err.text, want);
	}
	CHECK_INT(read_text("", 0, &key, &err), -EINVAL);
	CHECK_INT(read_text(alice_private, 43, &key, &err), -EINVAL);
	CHECK_INT(read_text(alice_private, 45, &key, &err), -EINVAL); /* with its NUL */
	CHECK_TEXT(err.text, want);
	CHECK(key_is_equal(&key, &before));
	scratch_remove();
}

TEST(refuses_a_file_that_others_can_touch)
{
	static const mode_t modes[] = { 0640, 0620, 0610, 0604, 0602, 0601, 0644, 0666, 0777 };
	struct key key = { 0 };
	struct err err = { 0 };
	char want[512];
	size_t i;

	REQUIRE(scratch_make());
	CHECK_INT(read_text(alice_private, 44, &key, &err), 0);
	key_wipe(&key);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		CHECK(!chmod(path, modes[i]));
		CHECK_INT(key_read_file(path, &key, &err), -EACCES);
		snprintf(want, sizeof(want),
			 "read key file %s: group or others have access (mode %04o); "
			 "run: chmod 600 %s",
			 path, modes[i], path);
		CHECK_TEXT(err.text, want);
		CHECK(key_is_zero(&key));
	}
	CHECK(!chmod(path, 0400));
	CHECK_INT(key_read_file(path, &key, &err), 0);
	scratch_remove();
}

TEST(follows_a_symlink_and_judges_its_target)
{
	char alias[160];
	struct key key;
	struct err err = { 0 };

	REQUIRE(scratch_make());
	snprintf(alias, sizeof(alias), "%s/alias", scratch);
	CHECK_INT(read_text(alice_private, 44, &key, &err), 0);
	CHECK(!symlink("private.key", alias));
	CHECK_INT(key_read_file(alias, &key, &err), 0);
	CHECK(!chmod(path, 0644));
	CHECK_INT(key_read_file(alias, &key, &err), -EACCES);
	CHECK(!unlink(alias));
	scratch_remove();
}

TEST(refuses_what_is_no_regular_file)
{
	struct err err = { 0 };
	char want[512];
	struct key key;

	REQUIRE(scratch_make());
	CHECK_INT(key_read_file(scratch, &key, &err), -EACCES);
	snprintf(want, sizeof(want), "read key file %s: it is not a regular file", scratch);
	CHECK_TEXT(err.text, want);

	/* nobody will ever write to it: opening it must not wait */
	CHECK(!mkfifo(path, 0600));
	CHECK_INT(key_read_file(path, &key, &err), -EACCES);
	scratch_remove();
}

TEST(a_missing_file_says_so)
{
	struct err err = { 0 };
	char want[512];
	struct key key;

	REQUIRE(scratch_make());
	CHECK_INT(key_read_file(path, &key, &err), -ENOENT);
	snprintf(want, sizeof(want), "open key file %s: No such file or directory", path);
	CHECK_TEXT(err.text, want);
	CHECK(!rmdir(scratch));
}

/* ---- hashes ---- */

TEST(hashes_are_sha_256)
{
	char buf[2 * HASH_SIZE + 1];
	uint8_t hash[HASH_SIZE];

	hash_bytes("abc", 3, hash);
	CHECK_TEXT(hash_put(buf, hash),
		   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_bytes("", 0, hash);
	CHECK_TEXT(hash_put(buf, hash),
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
