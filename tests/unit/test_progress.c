/* The progress line under a clock that is an argument: when it is drawn, what it says, that it is silent in a pipe. */
#include "cli/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000u

static char *text;
static size_t size;

static FILE *open_text(void)
{
	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	return out;
}

static void silent_in_a_pipe(void **state)
{
	(void)state;
	FILE *out = open_text();
	struct nj_progress progress;
	nj_progress_init(&progress, out, false, 80, 0);
	for (uint64_t t = 0; t < 100; t++)
		nj_progress_show(&progress,
				 &(struct nj_progress_state){.bytes_done = t, .bytes_total = 100, .packets = t},
				 t * SECOND);
	nj_progress_clear(&progress);
	fclose(out);
	assert_int_equal(size, 0);
	free(text);
}

static void a_short_job_shows_nothing(void **state)
{
	(void)state;
	FILE *out = open_text();
	struct nj_progress progress;
	nj_progress_init(&progress, out, true, 80, 5 * (uint64_t)SECOND);
	nj_progress_show(&progress, &(struct nj_progress_state){.packets = 9}, 5 * (uint64_t)SECOND + SECOND / 3);
	nj_progress_clear(&progress);
	fclose(out);
	assert_int_equal(size, 0);
	free(text);
}

static void share_rate_and_time_left(void **state)
{
	(void)state;
	FILE *out = open_text();
	struct nj_progress progress;
	nj_progress_init(&progress, out, true, 100, 0);
	for (uint64_t t = 1; t <= 10; t++)
		nj_progress_show(&progress,
				 &(struct nj_progress_state){.bytes_done = t * 1000000,
							     .bytes_total = 40000000,
							     .packets = t * 12345,
							     .alerts = t / 10},
				 t * SECOND);
	fflush(out);
	const char *last = strrchr(text, '\r');
	assert_non_null(last);
	assert_non_null(strstr(last, " 25 %"));
	assert_non_null(strstr(last, "123,450 packets"));
	assert_non_null(strstr(last, "12,345/s"));
	assert_non_null(strstr(last, "1 MB/s"));
	assert_non_null(strstr(last, "30 s left"));
	assert_non_null(strstr(last, "1 alert"));
	nj_progress_clear(&progress);
	fclose(out);
	assert_string_equal(text + size - 4, "\r\033[K");
	free(text);
}

static void drawn_at_most_five_times_a_second(void **state)
{
	(void)state;
	FILE *out = open_text();
	struct nj_progress progress;
	nj_progress_init(&progress, out, true, 80, 0);
	for (uint64_t ms = 0; ms < 10000; ms++)
		nj_progress_show(&progress, &(struct nj_progress_state){.packets = ms}, ms * 1000000);
	fclose(out);
	unsigned lines = 0;
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\r';
	assert_in_range(lines, 40, 50);
	free(text);
}

/* Without a total (standard input) there is no share and no time left; narrow terminals get what fits. */
static void fits_any_width(void **state)
{
	(void)state;
	char line[256];
	for (unsigned width = 40; width <= 200; width += 7) {
		struct nj_progress progress = {.width = width, .bytes_per_s = 1e9, .packets_per_s = 2e6};
		nj_progress_line(&progress,
				 &(struct nj_progress_state){
					 .bytes_done = 1, .bytes_total = 1u << 30, .packets = 123456789, .alerts = 12},
				 line, sizeof line);
		assert_true(strlen(line) < width);
		nj_progress_line(&progress, &(struct nj_progress_state){.bytes_done = 1, .packets = 5}, line,
				 sizeof line);
		assert_null(strstr(line, "%"));
		assert_null(strstr(line, "left"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silent_in_a_pipe),         cmocka_unit_test(a_short_job_shows_nothing),
		cmocka_unit_test(share_rate_and_time_left), cmocka_unit_test(drawn_at_most_five_times_a_second),
		cmocka_unit_test(fits_any_width),
	};
	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
