/* Calls by a clock. Seeds are fixed; a failure is reproduced by running this program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

#include <math.h>

/* Calls every period_s with a jitter share for hours_n hours; browsing alongside where asked for. */
static struct sample_bench *call(const char *peer, uint16_t port, double period_s, double jitter, double hours_n,
				 bool poisson, uint64_t seed, bool persistent)
{
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	uint64_t random = seed, end_ns = SAMPLE_T0_NS + (uint64_t)(hours_n * 3600e9), next_ns = SAMPLE_T0_NS;
	bool first = true;
	while (b->start_ns < end_ns) {
		struct nj_window *w = NULL;
		struct nj_contact *c = NULL;
		while (next_ns < b->start_ns + SAMPLE_WIDTH_NS) {
			if (w == NULL) {
				w = sample_window(b, sample_addr("10.20.1.5"));
				c = sample_contact(w, sample_addr(peer), port, 6,
						   first || !persistent ? SAMPLE_ANSWERED : SAMPLE_GOES_ON);
				first = false;
			}
			sample_burst(c, (uint16_t)((next_ns - b->start_ns) / 1000000));
			sample_bytes(w, c, 300, 500);
			double u = (double)(sample_random(&random) >> 11) / 9007199254740992.0;
			double gap_s = poisson ? -period_s * log(1 - u) : period_s * (1 + jitter * (2 * u - 1));
			next_ns += (uint64_t)(gap_s * 1e9) + 1;
		}
		sample_judge(b, 1);
	}
	return b;
}

static void a_minute_beacon_is_told(void **state)
{
	(void)state;
	for (int persistent = 0; persistent < 2; persistent++) {
		struct sample_bench *b = call("198.51.100.66", 443, 60, 0, 1, false, 3, persistent);
		const struct nj_alert *alert;
		assert_int_equal(sample_alerts(b, "beacon", &alert), 1);
		assert_non_null(strstr(alert->summary, "198.51.100.66"));
		assert_string_equal(alert->features[3].name, "beacon_period");
		assert_true(fabs(alert->features[3].value - 60) < 2);
		sample_bench_free(b);
	}
}

static void jitter_is_seen_through(void **state)
{
	(void)state;
	struct sample_bench *b = call("198.51.100.66", 443, 60, 0.2, 2, false, 5, false);
	assert_int_equal(sample_alerts(b, "beacon", NULL), 1);
	sample_bench_free(b);
	b = call("198.51.100.66", 443, 60, 0.5, 4, false, 6, false);
	assert_int_equal(sample_alerts(b, "beacon", NULL), 1);
	sample_bench_free(b);
}

static void chance_arrivals_are_quiet(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct sample_bench *b = call("198.51.100.66", 443, 60, 0, 4, true, seed, false);
		assert_int_equal(b->alerts_n, 0);
		sample_bench_free(b);
	}
}

static void time_and_machines_are_quiet(void **state)
{
	(void)state;
	struct sample_bench *b =
		call("10.20.9.9", 502, 2, 0, 0.5, false, 3, true); /* an industrial controller being polled */
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
	b = call("198.51.100.66", 443, 5, 0, 0.02, false, 3, false); /* a device retrying for a minute */
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

/* A monitoring server that fifty agents call is what they are configured to do. */
static void a_crowd_is_less_strange(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (uint32_t round = 0; round < 360; round++) {
		for (uint32_t agent = 0; agent < 50; agent++) {
			if ((round + agent) % 6 != 0)
				continue;
			struct nj_window *w = sample_window(b, sample_addr_plus("10.20.1.0", agent + 1));
			struct nj_contact *c = sample_contact(w, sample_addr("198.51.100.5"), 443, 6, SAMPLE_ANSWERED);
			sample_burst(c, 500);
			sample_bytes(w, c, 300, 300);
		}
		sample_judge(b, 1);
	}
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_minute_beacon_is_told),   cmocka_unit_test(jitter_is_seen_through),
		cmocka_unit_test(chance_arrivals_are_quiet), cmocka_unit_test(time_and_machines_are_quiet),
		cmocka_unit_test(a_crowd_is_less_strange),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
