/* Sequential sums: what they bound, what they catch, what they refuse to bank. */
#include "models/cusum.h"

#include "tests/unit/draw.h"

#include <string.h>

#define SEED   20261124
#define SECOND UINT64_C(1000000000)
#define DAY    (86400 * SECOND)

static enum nj_contact_outcome contact(struct draw *draw, double answered)
{
	return draw_uniform(draw) < answered ? NJ_CONTACT_ANSWERED : NJ_CONTACT_FAILED;
}

/* P(C_n >= a) <= e^-a at a given step, for agents as good as theta0 or better. */
static void lundberg_bound_holds(void **state)
{
	(void)state;
	struct nj_scan_params params = NJ_SCAN_PARAMS_DEFAULT;
	for (unsigned better = 0; better < 2; better++) {
		struct draw draw = draw_seed(SEED + better);
		unsigned runs = 200000, over[8] = {0};
		for (unsigned run = 0; run < runs; run++) {
			struct nj_scan scan = {0};
			for (unsigned step = 0; step < 100; step++)
				nj_scan_step(&scan, step, contact(&draw, better ? 0.98 : params.theta0), &params);
			for (unsigned a = 1; a < 8; a++)
				over[a] += scan.score >= a;
		}
		for (unsigned a = 1; a < 8; a++) {
			double rate = (double)over[a] / runs, bound = exp(nj_scan_log_p(a));
			assert_true(rate <= bound + 3 * sqrt(bound / runs));
			if (!better && a == 2)
				assert_true(rate > 0.1 * bound); /* a bound, not a fairy tale */
		}
	}
}

static void scanners_are_quick_to_show(void **state)
{
	(void)state;
	struct nj_scan_params params = NJ_SCAN_PARAMS_DEFAULT;
	struct draw draw = draw_seed(SEED);
	double contacts = 0;
	for (unsigned run = 0; run < 2000; run++) {
		struct nj_scan scan = {0};
		unsigned n = 0;
		while (nj_scan_step(&scan, n, contact(&draw, 0.1), &params) < -log(1e-6))
			n++;
		contacts += n + 1;
	}
	print_message("%.1f first contacts to p = 1e-6 when one in ten is answered\n", contacts / 2000);
	assert_between(contacts / 2000, 5, 9);
}

static void nothing_is_banked(void **state)
{
	(void)state;
	struct nj_scan_params params = NJ_SCAN_PARAMS_DEFAULT;
	struct nj_scan good = {0}, fresh = {0};
	for (unsigned i = 0; i < 10000; i++)
		nj_scan_step(&good, i, NJ_CONTACT_ANSWERED, &params);
	assert_memory_equal(&good, &fresh, sizeof good);
	for (unsigned i = 0; i < 5; i++) {
		nj_scan_step(&good, 20000 + i, NJ_CONTACT_FAILED, &params);
		nj_scan_step(&fresh, 20000 + i, NJ_CONTACT_FAILED, &params);
	}
	assert_memory_equal(&good, &fresh, sizeof good);
	assert_int_equal(good.since_ns, 20000);
	assert_int_equal(good.contacts, 5);
	assert_int_equal(good.failures, 5);
}

static void the_dark_weighs_and_the_ceiling_holds(void **state)
{
	(void)state;
	struct nj_scan_params params = NJ_SCAN_PARAMS_DEFAULT;
	struct nj_scan scan = {0};
	assert_near(nj_scan_step(&scan, 1, NJ_CONTACT_DARK, &params), log(1000), 1e-12);
	assert_int_equal(scan.dark, 1);
	for (unsigned i = 0; i < 1000; i++)
		nj_scan_step(&scan, i, NJ_CONTACT_FAILED, &params);
	assert_true(scan.score == params.score_max);
	assert_int_equal(scan.contacts, 1001);
	assert_near(nj_scan_log_p(scan.score), -100, 0);
	assert_true(nj_scan_log_p(0) == 0);
	assert_near(nj_scan_theta0(0, 0), 0.95, 1e-12);
	assert_near(nj_scan_theta0(1000000, 1000000), 0.98, 0);
	assert_near(nj_scan_theta0(81, 180), 0.5, 1e-12);
}

/* Under N(0,1) increments the same bound, exponent 2 slack. */
static void cusum_bound_holds(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	unsigned runs = 100000, over = 0;
	double limit = 4;
	for (unsigned run = 0; run < runs; run++) {
		struct nj_cusum cusum = {0};
		for (unsigned step = 0; step < 60; step++)
			nj_cusum_step(&cusum, step, 3 + 2 * draw_normal(&draw), 3, 2, 0.5);
		over += cusum.sum >= limit;
	}
	double rate = (double)over / runs, bound = exp(nj_cusum_log_p(limit, 0.5));
	assert_between(rate, 0.1 * bound, bound);
}

static void cusum_catches_a_small_shift(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_cusum cusum = {0};
	for (unsigned step = 0; step < 200; step++)
		nj_cusum_step(&cusum, step, 1 + draw_normal(&draw), 0, 1, 0.5);
	assert_between(cusum.sum, 60, 140);
	assert_true(cusum.since_ns < 30);
}

static void drain_outlasts_slow_events(void **state)
{
	(void)state;
	struct nj_drain drain = {0};
	for (unsigned hour = 0; hour < 48; hour++) /* one new edge of 10 bits an hour against 1 bit an hour of drain */
		nj_drain_step(&drain, hour * 3600 * SECOND, 10, 1.0 / 3600);
	assert_near(drain.sum, 48 * 10 - 47, 1e-6);
	assert_int_equal(drain.events, 48);
	assert_true(drain.since_ns == 0);
	assert_near(nj_drain_value(&drain, 47 * 3600 * SECOND + DAY, 1.0 / 3600), drain.sum - 24, 1e-6);
	nj_drain_step(&drain, 100 * DAY, 3, 1.0 / 3600); /* long drained: a new excursion */
	assert_near(drain.sum, 3, 0);
	assert_int_equal(drain.events, 1);
	assert_true(drain.since_ns == 100 * DAY);
	nj_drain_step(&drain, 0, 1, 1); /* late: adds, drains nothing */
	assert_near(drain.sum, 4, 0);
}

static void pcr_learns_and_sees_the_turn(void **state)
{
	(void)state;
	struct nj_pcr_params params = NJ_PCR_PARAMS_DEFAULT;
	struct draw draw = draw_seed(SEED);
	struct nj_pcr pcr = {0};
	double mean, scale, most = 0;
	for (unsigned hour = 0; hour < 24 * 14; hour++) {
		double in = 1e7 * exp(draw_normal(&draw)), out = 2e6 * exp(0.3 * draw_normal(&draw));
		most = fmax(most, nj_pcr_step(&pcr, (1 + hour) * 3600 * SECOND, out, in, 1, &params));
	}
	nj_pcr_usual(&pcr, &params, &mean, &scale);
	print_message("PCR usual %.2f +- %.2f; largest CUSUM of two quiet weeks %.1f\n", mean, scale, most);
	assert_between(mean, -0.75, -0.5);
	assert_between(scale, 0.15, 0.35);
	double sum = 0;
	for (unsigned hour = 0; hour < 4; hour++)
		sum = nj_pcr_step(&pcr, 15 * DAY + hour * 3600 * SECOND, 5e8, 1e7, 0, &params);
	assert_true(sum > most + 10);
	assert_near(nj_pcr_ratio(3, 1), 0.5, 1e-12);
	assert_true(nj_pcr_ratio(0, 0) == 0);
}

static void small_observations_do_not_count(void **state)
{
	(void)state;
	struct nj_pcr_params params = NJ_PCR_PARAMS_DEFAULT;
	struct nj_pcr pcr = {0}, empty = {0};
	nj_pcr_step(&pcr, DAY, 999999, 0, 1, &params);
	assert_memory_equal(&pcr, &empty, sizeof pcr);
}

static void restores_mid_stream(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_scan_params params = NJ_SCAN_PARAMS_DEFAULT;
	struct nj_pcr_params pcr_params = NJ_PCR_PARAMS_DEFAULT;
	struct {
		struct nj_scan scan;
		struct nj_cusum cusum;
		struct nj_drain drain;
		struct nj_pcr pcr;
	} whole, restored;
	memset(&whole, 0, sizeof whole);
	for (unsigned i = 0; i < 1000; i++) {
		if (i == 500)
			memcpy(&restored, &whole, sizeof whole);
		enum nj_contact_outcome outcome = contact(&draw, 0.7);
		double x = draw_normal(&draw), bytes = 1e6 * (1 + draw_exponential(&draw));
		nj_scan_step(&whole.scan, i, outcome, &params);
		nj_cusum_step(&whole.cusum, i, x, 0, 1, 0.1);
		nj_drain_step(&whole.drain, i * SECOND, fabs(x), 0.5);
		nj_pcr_step(&whole.pcr, i * SECOND, bytes, 1e6, 1, &pcr_params);
		if (i < 500)
			continue;
		nj_scan_step(&restored.scan, i, outcome, &params);
		nj_cusum_step(&restored.cusum, i, x, 0, 1, 0.1);
		nj_drain_step(&restored.drain, i * SECOND, fabs(x), 0.5);
		nj_pcr_step(&restored.pcr, i * SECOND, bytes, 1e6, 1, &pcr_params);
	}
	assert_memory_equal(&whole, &restored, sizeof whole);
}

static void survives_garbage(void **state)
{
	(void)state;
	static const double bad[] = {NAN, INFINITY, -INFINITY, -1, 1e308};
	struct nj_pcr_params params = NJ_PCR_PARAMS_DEFAULT;
	struct nj_cusum cusum = {0};
	struct nj_drain drain = {0};
	struct nj_pcr pcr = {0};
	for (unsigned i = 0; i < 625; i++) {
		double a = bad[i % 5], b = bad[i / 5 % 5], c = bad[i / 25 % 5];
		assert_true(isfinite(nj_cusum_step(&cusum, i, a, b, c, bad[i / 125])));
		assert_true(isfinite(nj_drain_step(&drain, i, a, b)));
		assert_true(isfinite(nj_pcr_step(&pcr, i, a, b, 1, &params)));
		assert_between(nj_pcr_ratio(a, b), -1, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lundberg_bound_holds),
		cmocka_unit_test(scanners_are_quick_to_show),
		cmocka_unit_test(nothing_is_banked),
		cmocka_unit_test(the_dark_weighs_and_the_ceiling_holds),
		cmocka_unit_test(cusum_bound_holds),
		cmocka_unit_test(cusum_catches_a_small_shift),
		cmocka_unit_test(drain_outlasts_slow_events),
		cmocka_unit_test(pcr_learns_and_sees_the_turn),
		cmocka_unit_test(small_observations_do_not_count),
		cmocka_unit_test(restores_mid_stream),
		cmocka_unit_test(survives_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
