/* A log line is one line whatever it quotes, says its program and level, and carries a priority under systemd. */
#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What one call writes to standard error. */
#define CAPTURE(text, call)                                                                                            \
	do {                                                                                                           \
		FILE *file_ = tmpfile();                                                                               \
		int kept_ = dup(STDERR_FILENO);                                                                        \
		fflush(stderr);                                                                                        \
		dup2(fileno(file_), STDERR_FILENO);                                                                    \
		call;                                                                                                  \
		fflush(stderr);                                                                                        \
		dup2(kept_, STDERR_FILENO);                                                                            \
		close(kept_);                                                                                          \
		rewind(file_);                                                                                         \
		text[fread(text, 1, sizeof text - 1, file_)] = '\0';                                                   \
		fclose(file_);                                                                                         \
	} while (0)

static void test_plain(void **state)
{
	(void)state;
	char text[2048];
	unsetenv("JOURNAL_STREAM");
	nj_log_init("nightjar-test");
	CAPTURE(text, nj_log(NJ_LOG_ERROR, "%s:%d", "file", 7));
	assert_string_equal(text, "nightjar-test: error: file:7\n");
	CAPTURE(text, nj_log(NJ_LOG_WARNING, "w"));
	assert_string_equal(text, "nightjar-test: warning: w\n");
	CAPTURE(text, nj_log(NJ_LOG_NOTICE, "from %s", "a\n\x1b[2Jb"));
	assert_string_equal(text, "nightjar-test: from a\xef\xbf\xbd\xef\xbf\xbd[2Jb\n");
}

static void test_systemd(void **state)
{
	(void)state;
	char text[2048];
	setenv("JOURNAL_STREAM", "8:1", 1);
	nj_log_init("nightjar-test");
	CAPTURE(text, nj_log(NJ_LOG_ERROR, "e"));
	assert_string_equal(text, "<3>e\n");
}

static void test_long_line_is_cut(void **state)
{
	(void)state;
	char text[4096], filler[3000];
	memset(filler, 'x', sizeof filler - 1);
	filler[sizeof filler - 1] = '\0';
	CAPTURE(text, nj_log(NJ_LOG_NOTICE, "%s", filler));
	assert_in_range(strlen(text), 900, 1100);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_systemd),
		cmocka_unit_test(test_long_line_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
