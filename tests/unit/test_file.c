/* Whole files and pipes come in with a NUL behind them; what is missing, forbidden, too large or no file is told with
 * its path. */
#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/nj_test_file_XXXXXX";

static int setup(void **state)
{
	(void)state;
	int fd = mkstemp(path);
	return fd < 0 || close(fd) < 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static void put(size_t size)
{
	FILE *file = fopen(path, "wb");
	for (size_t i = 0; i < size; i++)
		fputc((int)(i % 251), file);
	fclose(file);
}

static void test_sizes(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 100000};
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		char *bytes;
		size_t size;
		put(sizes[s]);
		assert_int_equal(nj_file_read(path, 100000, NULL, &bytes, &size), NJ_OK);
		assert_int_equal(size, sizes[s]);
		for (size_t i = 0; i < size; i++)
			assert_int_equal((uint8_t)bytes[i], i % 251);
		assert_int_equal(bytes[size], 0);
		free(bytes);
	}
}

static void test_pipe(void **state)
{
	(void)state;
	int fd[2];
	char name[64], *bytes;
	size_t size;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], "abc", 3), 3);
	close(fd[1]);
	snprintf(name, sizeof name, "/dev/fd/%d", fd[0]);
	assert_int_equal(nj_file_read(name, 10, NULL, &bytes, &size), NJ_OK);
	assert_string_equal(bytes, "abc");
	free(bytes);
	close(fd[0]);
}

static void refuse(const char *name, size_t size_max, int error)
{
	struct nj_message message = {""};
	char *bytes = NULL;
	size_t size;
	assert_int_equal(nj_file_read(name, size_max, &message, &bytes, &size), error);
	assert_null(bytes);
	assert_non_null(strstr(message.text, name));
}

static void test_refusals(void **state)
{
	(void)state;
	put(11);
	refuse(path, 10, NJ_ERR_LIMIT);
	refuse("/nonexistent/file", 10, NJ_ERR_NOT_FOUND);
	refuse("/tmp", 10, NJ_ERR_IO);
	refuse("/dev/zero", 100000, NJ_ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes), cmocka_unit_test(test_pipe),
					   cmocka_unit_test(test_refusals)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
