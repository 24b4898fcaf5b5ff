/* Guessed passwords and guessed paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/ddsketch.h"
#include "tests/unit/sample_rounds.h"

static void logins(struct sample_bench *b, const char *agent, uint64_t failed, uint64_t succeeded)
{
	struct nj_window *w = sample_window(b, sample_addr(agent));
	sample_contact(w, sample_addr("10.20.2.18"), 22, 6, SAMPLE_GOES_ON);
	w->features.auth_failed = failed;
	w->features.auth_succeeded = succeeded;
}

static void guessing_is_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (int i = 0; i < 5; i++) {
		logins(b, "10.20.1.5", 6, 0);
		sample_judge(b, 1);
	}
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "guessing", &alert), 1);
	assert_non_null(strstr(alert->summary, "to 10.20.2.18 port 22"));
	assert_string_equal(alert->technique[0], "T1110.001");
	sample_bench_free(b);
}

/* One guess every half hour, for two days. */
static void slow_guessing_adds_up(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (int i = 0; i < 96; i++) {
		logins(b, "10.20.1.5", 1, 0);
		sample_judge(b, 180);
	}
	assert_true(sample_alerts(b, "guessing", NULL) >= 1);
	sample_bench_free(b);
}

static void people_and_jobs_are_quiet(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (int i = 0; i < 200; i++) {
		logins(b, "10.20.1.5", i % 3 == 0 ? 2 : 0, 1); /* somebody who mistypes */
		if (i % 10 == 0)
			logins(b, "10.20.1.6", 1, 0); /* a job with an expired password, every five hours */
		sample_judge(b, 180);
	}
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

static void requests(struct sample_bench *b, uint32_t n, uint32_t alike, uint32_t size_spread)
{
	struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
	sample_contact(w, sample_addr("10.20.2.10"), 443, 6, SAMPLE_GOES_ON)->requests = n;
	w->features.requests = n;
	w->features.response_mode_count = alike;
	w->request_size = nj_arena_take(&b->arena, NJ_HISTOGRAM_BUCKETS * sizeof *w->request_size);
	assert_non_null(w->request_size);
	for (uint32_t i = 0; i < n; i++)
		nj_ddsketch_add(w->request_size, 150 + i % (size_spread + 1));
}

static void a_word_list_is_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	requests(b, 800, 790, 20);
	sample_judge(b, 1);
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "web-enum", &alert), 1);
	assert_string_equal(alert->technique[0], "T1595.003");
	sample_bench_free(b);
}

static void pages_and_polls_are_quiet(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (int i = 0; i < 100; i++) {
		requests(b, 300, 60, 20); /* pages: many answers */
		sample_judge(b, 1);
		requests(b, 400, 390, 2000); /* uploads of all sizes, all acknowledged alike */
		sample_judge(b, 1);
		requests(b, 20, 20, 0); /* a poll twice a second */
		sample_judge(b, 1);
	}
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guessing_is_told),          cmocka_unit_test(slow_guessing_adds_up),
		cmocka_unit_test(people_and_jobs_are_quiet), cmocka_unit_test(a_word_list_is_told),
		cmocka_unit_test(pages_and_polls_are_quiet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
