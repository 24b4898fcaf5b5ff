/* A snapshot is whole or not there: written beside its place, the one before kept, every damage seen before use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/snapshot.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct row {
	uint32_t a, b;
};
static const struct nj_field row_rows[] = {NJ_FIELD(struct row, a), NJ_FIELD(struct row, b)};
static const struct nj_fields row_fields = NJ_FIELDS(struct row, row_rows, NULL);

struct row_wide {
	uint64_t a;
};
static const struct nj_field row_wide_rows[] = {NJ_FIELD(struct row_wide, a)};
static const struct nj_fields row_wide_fields = NJ_FIELDS(struct row_wide, row_wide_rows, NULL);

static char folder[64], path[96];

static int up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/nj_snapshot_XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/state", folder);
	return 0;
}

static int down(void **state)
{
	(void)state;
	char previous[NJ_SNAPSHOT_PATH_MAX];
	nj_snapshot_previous(path, previous);
	unlink(path);
	unlink(previous);
	return rmdir(folder); /* fails when a .new was left behind */
}

#define ROWS     200000u /* several chunks */
#define BLOB_BIG (3u << 20)

static int write_one(uint32_t seed, struct nj_message *message)
{
	struct nj_snapshot_writer *w;
	int error = nj_snapshot_create(path, message, &w);
	if (error != 0)
		return error;
	nj_snapshot_section(w, "rows", &row_fields);
	for (uint32_t i = 0; i < ROWS; i++)
		nj_snapshot_record(w, i, &(struct row){i * 3, seed});
	nj_snapshot_section(w, "unknown", &row_fields);
	nj_snapshot_record(w, 1, &(struct row){1, 1});
	uint8_t *big = calloc(1, BLOB_BIG);
	big[BLOB_BIG - 1] = 7;
	nj_snapshot_section(w, "blobs", NULL);
	nj_snapshot_blob(w, 5, "hello", 5);
	nj_snapshot_blob(w, 6, big, BLOB_BIG);
	nj_snapshot_blob(w, 7, "", 0);
	nj_snapshot_section(w, "none", &row_fields);
	free(big);
	return nj_snapshot_finish(&w, message, NULL);
}

struct seen {
	uint32_t rows, seed, blobs;
	bool wrong;
};

static int take_row(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct seen *seen = context;
	const struct row *row = item->record;
	(void)message;
	seen->wrong |= item->key != seen->rows || row->a != 3 * item->key || item->size != sizeof *row;
	seen->seed = row->b;
	seen->rows++;
	return 0;
}

static int take_blob(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct seen *seen = context;
	(void)message;
	static const size_t sizes[] = {5, BLOB_BIG, 0};
	seen->wrong |= item->key != 5 + seen->blobs || item->size != sizes[seen->blobs];
	if (item->key == 6)
		seen->wrong |= ((const uint8_t *)item->record)[BLOB_BIG - 1] != 7;
	seen->blobs++;
	return 0;
}

static int read_one(const char *from, struct seen *seen, struct nj_message *message)
{
	*seen = (struct seen){0};
	const struct nj_snapshot_taker taker[] = {
		{"rows", &row_fields, true, take_row, seen},
		{"blobs", NULL, true, take_blob, seen},
		{"none", &row_fields, true, take_row, seen},
		{"absent", &row_fields, false, take_row, seen},
	};
	return nj_snapshot_read(from, taker, 4, message);
}

static void what_was_written_is_read(void **state)
{
	(void)state;
	struct seen seen;
	struct nj_message message;
	assert_int_equal(write_one(1, &message), 0);
	assert_int_equal(read_one(path, &seen, &message), 0);
	assert_int_equal(seen.rows, ROWS);
	assert_int_equal(seen.blobs, 3);
	assert_false(seen.wrong);
}

static void the_one_before_is_kept(void **state)
{
	(void)state;
	struct seen seen;
	char previous[NJ_SNAPSHOT_PATH_MAX];
	nj_snapshot_previous(path, previous);
	for (uint32_t seed = 1; seed <= 3; seed++)
		assert_int_equal(write_one(seed, NULL), 0);
	assert_int_equal(read_one(path, &seen, NULL), 0);
	assert_int_equal(seen.seed, 3);
	assert_int_equal(read_one(previous, &seen, NULL), 0);
	assert_int_equal(seen.seed, 2);
}

/* A disk that takes no more, here by the limit of a file's size: told, and the older one stands. */
static void a_full_disk_leaves_the_older_one(void **state)
{
	(void)state;
	struct seen seen;
	struct nj_message message;
	struct rlimit limit;
	assert_int_equal(write_one(1, NULL), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	const struct rlimit small = {.rlim_cur = 1500000, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int error = write_one(2, &message);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(error, NJ_ERR_IO);
	assert_non_null(strstr(message.text, ".new"));
	assert_non_null(strstr(message.text, strerror(EFBIG)));
	assert_int_equal(read_one(path, &seen, NULL), 0);
	assert_int_equal(seen.seed, 1);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
	(void)state;
	struct nj_snapshot_writer *w = NULL;
	struct nj_message message;
	struct seen seen;
	assert_int_equal(nj_snapshot_create("/nonexistent/state", &message, &w), NJ_ERR_NOT_FOUND);
	assert_null(w);
	assert_int_equal(read_one("/nonexistent/state", &seen, &message), NJ_ERR_NOT_FOUND);
}

static void patch(long at, int xor)
{
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	int byte = fgetc(file);
	fseek(file, at, SEEK_SET);
	fputc(byte ^ xor, file);
	fclose(file);
}

static long size_of_file(void)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	long size = ftell(file);
	fclose(file);
	return size;
}

static void damage_is_seen_before_anything_is_used(void **state)
{
	(void)state;
	struct seen seen;
	struct nj_message message;
	assert_int_equal(write_one(1, NULL), 0);
	long size = size_of_file();
	for (int i = 0; i < 60; i++) {
		long at = i < 30 ? i * 3 : size - 1 - (long)i * size / 61;
		patch(at, 0x10);
		int error = read_one(path, &seen, &message);
		assert_int_equal(error, at == 6 || at == 7 ? NJ_ERR_VERSION : NJ_ERR_FORMAT);
		assert_int_equal(seen.rows + seen.blobs, 0);
		assert_non_null(strstr(message.text, path));
		patch(at, 0x10);
	}
	assert_int_equal(read_one(path, &seen, &message), 0);
	for (int i = 1; i < 20; i++) {
		assert_int_equal(truncate(path, size - i * size / 20), 0);
		assert_int_equal(read_one(path, &seen, &message), NJ_ERR_FORMAT);
		assert_int_equal(seen.rows + seen.blobs, 0);
	}
	assert_int_equal(write_one(1, NULL), 0);
	FILE *file = fopen(path, "ab");
	fputc(0, file);
	fclose(file);
	assert_int_equal(read_one(path, &seen, &message), NJ_ERR_FORMAT);
}

static void another_release_is_refused_by_name(void **state)
{
	(void)state;
	struct seen seen = {0};
	struct nj_message message;
	assert_int_equal(write_one(1, NULL), 0);
	const struct nj_snapshot_taker wide = {"rows", &row_wide_fields, true, take_row, &seen};
	assert_int_equal(nj_snapshot_read(path, &wide, 1, &message), NJ_ERR_VERSION);
	assert_non_null(strstr(message.text, "struct row_wide.a"));
	const struct nj_snapshot_taker missing = {"absent", &row_fields, true, take_row, &seen};
	assert_int_equal(nj_snapshot_read(path, &missing, 1, &message), NJ_ERR_VERSION);
	assert_non_null(strstr(message.text, "absent"));
	patch(7, 2 ^ NJ_SNAPSHOT_FORMAT);
	assert_int_equal(read_one(path, &seen, &message), NJ_ERR_VERSION);
	assert_non_null(strstr(message.text, "format 2"));
	assert_int_equal(seen.rows, 0);
}

static void abandoned_is_not_there(void **state)
{
	(void)state;
	struct nj_snapshot_writer *w;
	struct seen seen;
	assert_int_equal(nj_snapshot_create(path, NULL, &w), 0);
	nj_snapshot_section(w, "rows", &row_fields);
	nj_snapshot_abandon(&w);
	assert_null(w);
	assert_int_equal(read_one(path, &seen, NULL), NJ_ERR_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_read),
		TEST(the_one_before_is_kept),
		TEST(a_full_disk_leaves_the_older_one),
		TEST(a_folder_that_is_not_there_is_told),
		TEST(damage_is_seen_before_anything_is_used),
		TEST(another_release_is_refused_by_name),
		TEST(abandoned_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
