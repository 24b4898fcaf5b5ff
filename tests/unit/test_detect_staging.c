/* Collected, then carried out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

static void move(struct sample_bench *b, uint64_t in, uint64_t out, int windows)
{
	for (int i = 0; i < windows; i++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		if (in > 0)
			sample_bytes(w, sample_contact(w, sample_addr("10.20.2.13"), 445, 6, SAMPLE_GOES_ON), in / 100,
				     in);
		if (out > 0)
			sample_bytes(w, sample_contact(w, sample_addr("203.0.113.9"), 443, 6, SAMPLE_GOES_ON), out,
				     out / 50);
		sample_judge(b, 1);
	}
}

static void collected_then_sent_is_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	move(b, 100000000, 0, 30); /* 3 GB from the file server */
	move(b, 0, 50000000, 40);  /* 2 GB outside */
	const struct nj_alert *alert;
	assert_true(sample_alerts(b, "exfil-staging", &alert) >= 1);
	assert_non_null(strstr(alert->summary, "fetched 3.0 GB from servers of the home networks today"));
	assert_string_equal(alert->technique[0], "T1074");
	sample_bench_free(b);
}

static void either_alone_or_the_other_way_is_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	move(b, 100000000, 0, 60);
	assert_int_equal(sample_alerts(b, "exfil-staging", NULL), 0);
	sample_bench_free(b);
	b = sample_bench_new(&options);
	move(b, 0, 50000000, 40);
	move(b, 1000000, 0, 40); /* what is fetched afterwards was not carried out before */
	assert_int_equal(sample_alerts(b, "exfil-staging", NULL), 0);
	sample_bench_free(b);
}

/* Half a gigabyte in and a little more out; and far more out than was ever fetched: not what was collected. */
static void too_little_or_too_much_is_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	move(b, 17000000, 0, 30);
	move(b, 0, 15000000, 40);
	assert_int_equal(sample_alerts(b, "exfil-staging", NULL), 0);
	sample_bench_free(b);
	b = sample_bench_new(&options);
	move(b, 100000000, 5000000000, 30);
	assert_int_equal(sample_alerts(b, "exfil-staging", NULL), 0);
	sample_bench_free(b);
}

/* A desk that fetches 60 MB of documents and mails 6 MB. */
static void a_working_day_is_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	move(b, 1000000, 100000, 60);
	assert_int_equal(sample_alerts(b, "exfil-staging", NULL), 0);
	sample_bench_free(b);
}

static void yesterday_is_forgotten(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	move(b, 100000000, 0, 30);
	b->start_ns += 86400 * UINT64_C(1000000000);
	move(b, 0, 50000000, 40);
	assert_int_equal(sample_alerts(b, "exfil-staging", NULL), 0);
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(collected_then_sent_is_told),   cmocka_unit_test(either_alone_or_the_other_way_is_not),
		cmocka_unit_test(too_little_or_too_much_is_not), cmocka_unit_test(a_working_day_is_not),
		cmocka_unit_test(yesterday_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
