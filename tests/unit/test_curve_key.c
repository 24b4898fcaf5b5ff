/* Keys as text and as files. The oracle of Z85 is its RFC's own example and libzmq's encoder, reached through
 * nj_link_new_keys(); the rest says which files are refused, and with which words. */
#include "common/curve_key.h"
#include "common/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* The RFC's test key: 8E0BDD697628B91D8F245587EE95C5B04D48963F79259877B49CD9063AEAD3B7. */
static const char rfc_text[] = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
static const struct nj_curve_key rfc_key = {{0x8E, 0x0B, 0xDD, 0x69, 0x76, 0x28, 0xB9, 0x1D, 0x8F, 0x24, 0x55,
					     0x87, 0xEE, 0x95, 0xC5, 0xB0, 0x4D, 0x48, 0x96, 0x3F, 0x79, 0x25,
					     0x98, 0x77, 0xB4, 0x9C, 0xD9, 0x06, 0x3A, 0xEA, 0xD3, 0xB7}};

static char folder[] = "/tmp/nj_test_curve_key_XXXXXX";
static char path[100];

static int setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/a.key", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void test_text(void **state)
{
	(void)state;
	char text[NJ_CURVE_TEXT_BYTES];
	struct nj_curve_key key;
	nj_curve_key_text(&rfc_key, text);
	assert_string_equal(text, rfc_text);
	assert_true(nj_curve_key_parse(rfc_text, strlen(rfc_text), &key));
	assert_true(nj_curve_key_equal(&key, &rfc_key));
	for (int i = 0; i < 200; i++) {
		struct nj_curve_key public_key, secret_key;
		assert_int_equal(nj_link_new_keys(&public_key, &secret_key), NJ_OK);
		nj_curve_key_text(&secret_key, text);
		assert_true(nj_curve_key_parse(text, strlen(text), &key));
		assert_true(nj_curve_key_equal(&key, &secret_key));
		assert_false(nj_curve_key_equal(&key, &public_key));
	}
}

static void reject(const char *text)
{
	struct nj_curve_key key = rfc_key;
	assert_false(nj_curve_key_parse(text, strlen(text), &key));
	assert_true(nj_curve_key_equal(&key, &rfc_key)); /* untouched */
}

static void test_text_that_is_no_key(void **state)
{
	(void)state;
	char text[NJ_CURVE_TEXT_BYTES];
	reject("");
	reject("JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh");
	reject("JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh66");
	reject("JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh~");
	reject("JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh ");
	reject("0000000000000000000000000000000000000000");
	strcpy(text, rfc_text);
	memcpy(text, "%nSc0", 5); /* 2^32 - 1 ... */
	struct nj_curve_key key;
	assert_true(nj_curve_key_parse(text, strlen(text), &key));
	assert_memory_equal(key.bytes, "\xff\xff\xff\xff", 4);
	memcpy(text, "%nSc1", 5); /* ... and one more, which must not become 0 */
	reject(text);
	memcpy(text, "#####", 5);
	reject(text);
}

static void parse(const char *text, enum nj_curve_kind kind, int error, const char *words)
{
	struct nj_message message = {""};
	struct nj_curve_key key;
	assert_int_equal(nj_curve_file_parse("a.key", text, strlen(text), kind, &message, &key), error);
	if (error == NJ_OK)
		assert_true(nj_curve_key_equal(&key, &rfc_key));
	else if (strncmp(message.text, "a.key: ", 7) != 0 || strstr(message.text, words) == NULL)
		fail_msg("'%s' lacks '%s'", message.text, words);
}

#define KEY "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

static void test_file_text(void **state)
{
	(void)state;
	parse("public " KEY, NJ_CURVE_PUBLIC, NJ_OK, NULL);
	parse("# two\n#lines\n\npublic " KEY "\n", NJ_CURVE_PUBLIC, NJ_OK, NULL);
	parse("secret " KEY " \t\r\n\r\n", NJ_CURVE_SECRET, NJ_OK, NULL);
	parse("", NJ_CURVE_PUBLIC, NJ_ERR_FORMAT, "0 keys");
	parse("# public " KEY, NJ_CURVE_PUBLIC, NJ_ERR_FORMAT, "0 keys");
	parse("public " KEY "\npublic " KEY, NJ_CURVE_PUBLIC, NJ_ERR_FORMAT, "2 keys");
	parse("public " KEY "\nsecret " KEY, NJ_CURVE_PUBLIC, NJ_ERR_USAGE, "holds a secret key where the public one");
	parse("public " KEY, NJ_CURVE_SECRET, NJ_ERR_USAGE, "holds a public key where the secret one");
	parse(KEY, NJ_CURVE_PUBLIC, NJ_ERR_FORMAT, "no line 'public KEY'");
	parse("public", NJ_CURVE_PUBLIC, NJ_ERR_FORMAT, "no line");
	parse("public  " KEY, NJ_CURVE_PUBLIC, NJ_ERR_FORMAT, "no line");
	parse("publick " KEY, NJ_CURVE_PUBLIC, NJ_ERR_FORMAT, "no line");
}

static void load(enum nj_curve_kind kind, int error, const char *words)
{
	struct nj_message message = {""};
	struct nj_curve_key key;
	assert_int_equal(nj_curve_file_load(path, kind, &message, &key), error);
	if (error != NJ_OK && (strncmp(message.text, path, strlen(path)) != 0 || strstr(message.text, words) == NULL))
		fail_msg("'%s' lacks '%s'", message.text, words);
	if (error == NJ_OK)
		assert_true(nj_curve_key_equal(&key, &rfc_key));
}

static void test_files(void **state)
{
	(void)state;
	struct stat status;
	struct nj_message message;
	load(NJ_CURVE_SECRET, NJ_ERR_NOT_FOUND, "No such file");
	umask(0);
	assert_int_equal(nj_curve_file_write(path, NJ_CURVE_SECRET, &rfc_key, "mine", &message), NJ_OK);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	load(NJ_CURVE_SECRET, NJ_OK, NULL);
	load(NJ_CURVE_PUBLIC, NJ_ERR_USAGE, "holds a secret key");
	for (unsigned bit = 1; bit < 0100; bit <<= 1) {
		assert_int_equal(chmod(path, 0600 | bit), 0);
		load(NJ_CURVE_SECRET, NJ_ERR_PERMISSION, "chmod 600 ");
	}
	assert_int_equal(nj_curve_file_write(path, NJ_CURVE_PUBLIC, &rfc_key, "other", &message), NJ_ERR_USAGE);
	assert_non_null(strstr(message.text, "never overwritten"));
	assert_int_equal(chmod(path, 0600), 0);
	load(NJ_CURVE_SECRET, NJ_OK, NULL); /* as it was */
	unlink(path);
	assert_int_equal(nj_curve_file_write(path, NJ_CURVE_PUBLIC, &rfc_key, "other", &message), NJ_OK);
	load(NJ_CURVE_PUBLIC, NJ_OK, NULL); /* a public one is everybody's */
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0644);
	unlink(path);
}

static void test_files_that_are_none(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	load(NJ_CURVE_PUBLIC, NJ_ERR_FORMAT, "no regular file");
	rmdir(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	load(NJ_CURVE_SECRET, NJ_ERR_FORMAT, "no regular file"); /* and does not wait for a writer */
	unlink(path);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i <= NJ_CURVE_FILE_BYTES_MAX; i++)
		fputc('#', file);
	fclose(file);
	load(NJ_CURVE_PUBLIC, NJ_ERR_LIMIT, "larger than 4096 bytes");
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_that_is_no_key),
		cmocka_unit_test(test_file_text),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_files_that_are_none),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
