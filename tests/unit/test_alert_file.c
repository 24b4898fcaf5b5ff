/* The end of a file of alerts: what was cut short is taken off, the last whole line is known, foreign files are left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/alert_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static int up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/nj_alert_file_XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int down(void **state)
{
	(void)state;
	return unlink(path);
}

static void put(const char *text)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void expect(const char *text)
{
	char held[4096];
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t n = fread(held, 1, sizeof held - 1, file);
	held[n] = '\0';
	fclose(file);
	assert_string_equal(held, text);
}

#define ONE "{\"id\":\"00000000000000aa\",\"time\":1}"
#define TWO "{\"id\":\"00000000000000bb\",\"time\":2}"

static void lines_are_added_and_the_last_is_known(void **state)
{
	(void)state;
	struct nj_alert_file *file;
	assert_int_equal(nj_alert_file_open(path, NULL, &file), 0);
	assert_int_equal(nj_alert_file_last(file), 0);
	assert_int_equal(nj_alert_file_line(file, ONE), 0);
	assert_int_equal(nj_alert_file_line(file, TWO), 0);
	nj_alert_file_close(&file);
	assert_null(file);
	expect(ONE "\n" TWO "\n");
	assert_int_equal(nj_alert_file_open(path, NULL, &file), 0);
	assert_int_equal(nj_alert_file_last(file), 0xbb);
	nj_alert_file_close(&file);
}

static void a_line_cut_short_is_taken_off(void **state)
{
	(void)state;
	struct nj_alert_file *file;
	put(ONE "\n{\"id\":\"00000000000000");
	assert_int_equal(nj_alert_file_open(path, NULL, &file), 0);
	assert_int_equal(nj_alert_file_last(file), 0xaa);
	assert_int_equal(nj_alert_file_line(file, TWO), 0);
	nj_alert_file_close(&file);
	expect(ONE "\n" TWO "\n");
	put("{\"id\":\"0000");
	assert_int_equal(nj_alert_file_open(path, NULL, &file), 0);
	assert_int_equal(nj_alert_file_last(file), 0);
	nj_alert_file_close(&file);
	expect("");
}

static void a_foreign_file_is_refused_by_name(void **state)
{
	(void)state;
	struct nj_alert_file *file = NULL;
	struct nj_message message;
	put("dear diary\n");
	assert_int_equal(nj_alert_file_open(path, &message, &file), NJ_ERR_FORMAT);
	assert_non_null(strstr(message.text, path));
	assert_null(file);
	expect("dear diary\n");
	assert_int_equal(nj_alert_file_open("/nonexistent/alerts", &message, &file), NJ_ERR_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		TEST(lines_are_added_and_the_last_is_known),
		TEST(a_line_cut_short_is_taken_off),
		TEST(a_foreign_file_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
