/* The handle: schema made once, kinds and versions told apart, damage refused, errors mapped, values of every type back
 * as they went in. */
#include "common/db.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct nj_db_options options = {
	.kind = "store",
	.application_id = 0x4e4a5354,
	.version = 3,
	.check = true,
	.schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, x REAL, name TEXT, data BLOB)"};

static char folder[] = "/tmp/nj_test_db_XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/db", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static struct nj_db *must_open(const char *at, const struct nj_db_options *how)
{
	struct nj_db *db = NULL;
	struct nj_message message;
	if (nj_db_open(at, how, &message, &db) != NJ_OK)
		fail_msg("%s", message.text);
	return db;
}

static void refuse(const char *at, const struct nj_db_options *how, int error, const char *words)
{
	struct nj_db *db = NULL;
	struct nj_message message = {""};
	assert_int_equal(nj_db_open(at, how, &message, &db), error);
	assert_null(db);
	if (strstr(message.text, words) == NULL)
		fail_msg("'%s' lacks '%s'", message.text, words);
}

static void test_values(void **state)
{
	(void)state;
	struct nj_message m;
	struct nj_db *db = must_open(":memory:", &options);
	struct nj_statement *put, *get;
	assert_int_equal(nj_db_prepare(db, "INSERT INTO t VALUES (?, ?, ?, ?)", &m, &put), NJ_OK);
	assert_int_equal(nj_db_prepare(db, "SELECT * FROM t ORDER BY id", &m, &get), NJ_OK);
	nj_statement_u64(put, 1, UINT64_MAX);
	nj_statement_double(put, 2, NAN);
	nj_statement_text(put, 3, NULL);
	nj_statement_blob(put, 4, "a\0b", 3);
	assert_int_equal(nj_statement_run(put, &m), NJ_OK);
	nj_statement_u64(put, 1, 5);
	nj_statement_double(put, 2, 0.1);
	nj_statement_text(put, 3, "n'; --");
	nj_statement_blob(put, 4, NULL, 0);
	assert_int_equal(nj_statement_run(put, &m), NJ_OK);
	size_t size;
	assert_int_equal(nj_statement_step(get, &m), 1);
	assert_true(nj_statement_get_u64(get, 0) == UINT64_MAX);
	assert_true(isnan(nj_statement_get_double(get, 1)));
	assert_string_equal(nj_statement_get_text(get, 2), "");
	assert_memory_equal(nj_statement_get_blob(get, 3, &size), "a\0b", 3);
	assert_int_equal(size, 3);
	assert_int_equal(nj_statement_step(get, &m), 1);
	assert_true(nj_statement_get_double(get, 1) == 0.1);
	assert_string_equal(nj_statement_get_text(get, 2), "n'; --");
	assert_int_equal(nj_statement_step(get, &m), 0);
	/* A double key fails, and the statement can be used on. */
	nj_statement_u64(put, 1, 5);
	assert_int_equal(nj_statement_run(put, &m), NJ_ERR_DB);
	assert_non_null(strstr(m.text, "UNIQUE"));
	nj_statement_u64(put, 1, 6);
	nj_statement_blob(put, 9, "", 0);
	assert_int_equal(nj_statement_run(put, &m), NJ_ERR_DB);
	nj_statement_u64(put, 1, 6);
	nj_statement_blob(put, 4, "", 0);
	assert_int_equal(nj_statement_run(put, &m), NJ_OK);
	nj_statement_free(&put);
	nj_statement_free(&get);
	assert_null(get);
	assert_int_equal(nj_db_prepare(db, "SELECT * FROM nowhere", &m, &get), NJ_ERR_DB);
	assert_non_null(strstr(m.text, "nowhere"));
	nj_db_close(&db);
	assert_null(db);
}

static void test_transactions(void **state)
{
	(void)state;
	struct nj_message m;
	struct nj_db *db = must_open(path, &options);
	assert_int_equal(nj_db_begin(db, &m), NJ_OK);
	assert_int_equal(nj_db_run(db, "INSERT INTO t (id) VALUES (1)", &m), NJ_OK);
	nj_db_rollback(db);
	nj_db_rollback(db);
	assert_int_equal(nj_db_begin(db, &m), NJ_OK);
	assert_int_equal(nj_db_run(db, "INSERT INTO t (id) VALUES (2)", &m), NJ_OK);
	assert_int_equal(nj_db_commit(db, &m), NJ_OK);
	nj_db_close(&db);
	db = must_open(path, &options);
	struct nj_statement *s;
	assert_int_equal(nj_db_prepare(db, "SELECT id FROM t", &m, &s), NJ_OK);
	assert_int_equal(nj_statement_step(s, &m), 1);
	assert_int_equal(nj_statement_get_u64(s, 0), 2);
	assert_int_equal(nj_statement_step(s, &m), 0);
	nj_statement_free(&s);
	nj_db_close(&db);
}

static void test_identity(void **state)
{
	(void)state;
	struct nj_db_options other = options;
	struct nj_db *db = must_open(path, &options);
	nj_db_close(&db);
	other.application_id = 1;
	other.kind = "journal";
	refuse(path, &other, NJ_ERR_FORMAT, "is no Nightjar journal");
	other = options;
	other.version = 4;
	refuse(path, &other, NJ_ERR_VERSION, "store of version 3, this program reads 4");
	other = options;
	other.read_only = true;
	db = must_open(path, &other);
	struct nj_message m;
	assert_int_equal(nj_db_run(db, "INSERT INTO t (id) VALUES (9)", &m), NJ_ERR_PERMISSION);
	nj_db_close(&db);
	refuse("/nonexistent/x", &options, NJ_ERR_IO, "/nonexistent/x");
	char missing[80];
	snprintf(missing, sizeof missing, "%s/missing", folder);
	refuse(missing, &other, NJ_ERR_IO, "unable to open");
}

static void test_damage(void **state)
{
	(void)state;
	char bad[80];
	snprintf(bad, sizeof bad, "%s/bad", folder);
	FILE *file = fopen(bad, "wb");
	for (int i = 0; i < 10000; i++)
		fputc(i * 7, file);
	fclose(file);
	refuse(bad, &options, NJ_ERR_FORMAT, "not a database");
	unlink(bad);
	struct nj_db *db = must_open(bad, &options);
	struct nj_message m;
	assert_int_equal(nj_db_run(db,
				   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
				   "INSERT INTO t SELECT i, 0, 'name', randomblob(100) FROM n",
				   &m),
			 NJ_OK);
	nj_db_close(&db);
	int fd = open(bad, O_RDWR);
	static const char noise[4096] = "noise";
	assert_int_equal(pwrite(fd, noise, sizeof noise, 5 * 4096), sizeof noise);
	close(fd);
	refuse(bad, &options, NJ_ERR_FORMAT, "damaged store");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_transactions),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_damage),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
