/* The folder of keys: whose key is whose, and which folder is refused whole, naming the file. */
#include "aggregator/authorized.h"
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

static char folder[64];

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/nj_test_authorized_XXXXXX");
	return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
	(void)state;
	char command[100];
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

static struct nj_curve_key new_key(void)
{
	struct nj_curve_key public_key, secret_key;
	assert_int_equal(nj_link_new_keys(&public_key, &secret_key), NJ_OK);
	return public_key;
}

static void put(const char *file, enum nj_curve_kind kind, const struct nj_curve_key *key)
{
	char path[200];
	struct nj_message message;
	snprintf(path, sizeof path, "%s/%s", folder, file);
	if (nj_curve_file_write(path, kind, key, file, &message) != NJ_OK)
		fail_msg("%s", message.text);
}

static void drop(const char *file)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", folder, file);
	assert_int_equal(unlink(path), 0);
}

static struct nj_authorized *must_load(uint32_t keys_n)
{
	struct nj_authorized *authorized = NULL;
	struct nj_message message;
	if (nj_authorized_load(folder, &message, &authorized) != NJ_OK)
		fail_msg("%s", message.text);
	assert_int_equal(nj_authorized_n(authorized), keys_n);
	return authorized;
}

static void refuse(int error, const char *words, const char *more)
{
	struct nj_authorized *authorized = NULL;
	struct nj_message message = {""};
	assert_int_equal(nj_authorized_load(folder, &message, &authorized), error);
	assert_null(authorized);
	if (strstr(message.text, words) == NULL || strstr(message.text, more) == NULL)
		fail_msg("'%s' lacks '%s' or '%s'", message.text, words, more);
}

static void test_whose_key(void **state)
{
	(void)state;
	enum { N = 300 };
	static struct nj_curve_key keys[N];
	struct nj_curve_key other = new_key();
	char file[40];
	struct nj_authorized *authorized = must_load(0);
	assert_null(nj_authorized_sensor(authorized, &other));
	nj_authorized_free(&authorized);
	for (unsigned i = 0; i < N; i++) {
		keys[i] = new_key();
		snprintf(file, sizeof file, "tap.%u.pub", i);
		put(file, NJ_CURVE_PUBLIC, &keys[i]);
	}
	authorized = must_load(N);
	for (unsigned i = 0; i < N; i++) {
		snprintf(file, sizeof file, "tap.%u", i);
		assert_string_equal(nj_authorized_sensor(authorized, &keys[i]), file);
	}
	assert_null(nj_authorized_sensor(authorized, &other));
	nj_authorized_free(&authorized);
	assert_null(authorized);
}

static void test_other_files_are_left_alone(void **state)
{
	(void)state;
	struct nj_curve_key key = new_key(), other = new_key();
	put("tap-1.pub", NJ_CURVE_PUBLIC, &key);
	put("tap-2.pub.revoked", NJ_CURVE_PUBLIC, &other);
	put(".tap-3.pub", NJ_CURVE_PUBLIC, &other);
	put("README", NJ_CURVE_PUBLIC, &other);
	put(".pub", NJ_CURVE_PUBLIC, &other);
	struct nj_authorized *authorized = must_load(1);
	assert_null(nj_authorized_sensor(authorized, &other));
	nj_authorized_free(&authorized);
}

static void test_refused_whole(void **state)
{
	(void)state;
	struct nj_curve_key key = new_key(), other = new_key();
	put("tap-1.pub", NJ_CURVE_PUBLIC, &key);
	put("tap-2.pub", NJ_CURVE_SECRET, &other);
	refuse(NJ_ERR_USAGE, "/tap-2.pub: ", "holds a secret key");
	drop("tap-2.pub");
	put("tap-2.pub", NJ_CURVE_PUBLIC, &key);
	refuse(NJ_ERR_USAGE, "tap-1.pub", "tap-2.pub");
	drop("tap-2.pub");
	put("tap 2.pub", NJ_CURVE_PUBLIC, &other);
	refuse(NJ_ERR_FORMAT, "/tap 2.pub: ", "letters");
	drop("tap 2.pub");
	put("a-name-of-32-characters-is-too-long.pub", NJ_CURVE_PUBLIC, &other);
	refuse(NJ_ERR_FORMAT, "too-long.pub: ", "1 to 31 characters");
	drop("a-name-of-32-characters-is-too-long.pub");
	nj_authorized_free(&(struct nj_authorized *){must_load(1)});
	teardown(NULL);
	refuse(NJ_ERR_NOT_FOUND, folder, "No such file");
	assert_int_equal(mkdir(folder, 0700), 0);
}

static void test_bounded(void **state)
{
	(void)state;
	char file[40];
	struct nj_curve_key key = new_key();
	for (unsigned i = 0; i <= NJ_AUTHORIZED_MAX; i++) {
		char path[200], text[NJ_CURVE_TEXT_BYTES];
		memcpy(key.bytes, &i, sizeof i); /* distinct is enough */
		nj_curve_key_text(&key, text);
		snprintf(file, sizeof file, "%u.pub", i);
		snprintf(path, sizeof path, "%s/%s", folder, file);
		FILE *stream = fopen(path, "w");
		assert_non_null(stream);
		fprintf(stream, "public %s\n", text);
		fclose(stream);
	}
	refuse(NJ_ERR_LIMIT, folder, "more than 4096 keys");
	drop("77.pub");
	nj_authorized_free(&(struct nj_authorized *){must_load(NJ_AUTHORIZED_MAX)});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whose_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_files_are_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
