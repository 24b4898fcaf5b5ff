/* Joined p-values under dependence, at the edges of double, with garbage. */
#include "models/fuse.h"

#include "models/math.h"
#include "tests/unit/draw.h"

#define SEED  20261124
#define TESTS 8

/* Equicorrelated normals: how often is the joined p below nominal? The reason for not using Fisher's sum. */
static void holds_under_dependence(void **state)
{
	(void)state;
	static const double correlations[] = {0, 0.3, 0.9};
	const double nominal = 1e-3;
	const unsigned draws = 200000;
	for (unsigned c = 0; c < 3; c++) {
		struct draw draw = draw_seed(SEED + c);
		unsigned cauchy = 0, harmonic = 0, fisher = 0;
		for (unsigned i = 0; i < draws; i++) {
			double log_p[TESTS], sum = 0, shared = draw_normal(&draw);
			for (unsigned j = 0; j < TESTS; j++) {
				double own = draw_normal(&draw), r = correlations[c];
				log_p[j] = nj_log_normal_upper(sqrt(r) * shared + sqrt(1 - r) * own);
				sum += log_p[j];
			}
			cauchy += nj_fuse_cauchy(log_p, NULL, TESTS) <= log(nominal);
			harmonic += nj_fuse_harmonic(log_p, NULL, TESTS) <= log(nominal);
			fisher += nj_log_chi2_upper(-2 * sum, 2 * TESTS) <= log(nominal);
		}
		double scale = nominal * draws;
		print_message("correlation %.1f: rate/nominal Cauchy %.2f, harmonic %.2f, Fisher %.1f\n",
			      correlations[c], cauchy / scale, harmonic / scale, fisher / scale);
		assert_between(cauchy / scale, 0.4, 1.4);
		assert_between(harmonic / scale, 0.4, 1.5);
		assert_true(correlations[c] == 0 || fisher / scale > 5);
	}
}

static void the_smallest_rules(void **state)
{
	(void)state;
	for (double log_p = -12; log_p > -1e5; log_p *= 1.5) {
		double p[3] = {log_p, log(0.5), 0};
		assert_near(nj_fuse_cauchy(p, NULL, 3), log_p + log(3), 1e-3);
		assert_near(nj_fuse_harmonic(p, NULL, 3), log_p + log(3), 1e-3);
	}
}

static void seam_is_smooth(void **state)
{
	(void)state;
	double before = 1;
	for (double log_p = -15; log_p > -22; log_p -= 0.001) { /* across 1e-8, where logarithms take over */
		double p[2] = {log_p, log(0.9)}, joined = nj_fuse_cauchy(p, NULL, 2);
		if (before < 0)
			assert_near(before - joined, 0.001, 1e-6);
		before = joined;
	}
}

static void weights_and_shares(void **state)
{
	(void)state;
	double log_p[3] = {log(1e-6), log(1e-6), log(0.5)}, weight[3] = {2, 1, 1}, share[3];
	nj_fuse_shares(log_p, weight, 3, share);
	assert_near(share[0] + share[1] + share[2], 1, 1e-12);
	assert_near(share[0], 2 / 3.0, 1e-5);
	double zero[3] = {0, 1, 0};
	assert_near(nj_fuse_cauchy(log_p, zero, 3), log(1e-6), 1e-9);
	nj_fuse_shares(log_p, zero, 3, share);
	assert_near(share[1], 1, 1e-12);
	double deep[2] = {-5000, -4990};
	nj_fuse_shares(deep, NULL, 2, share);
	assert_near(share[0], 1 / (1 + exp(-10)), 1e-12);
}

static void survives_garbage(void **state)
{
	(void)state;
	static const double bad[] = {NAN, INFINITY, -INFINITY, 3, 0, -1, -1e308};
	double log_p[7], weight[7], share[7];
	for (unsigned i = 0; i < 49; i++) {
		for (unsigned j = 0; j < 7; j++)
			log_p[j] = bad[(i + j) % 7], weight[j] = bad[(i / 7 + 2 * j) % 7];
		for (unsigned n = 0; n <= 7; n++) {
			assert_true(nj_fuse_cauchy(log_p, weight, n) <= 0);
			assert_true(nj_fuse_harmonic(log_p, weight, n) <= 0);
			nj_fuse_shares(log_p, weight, n, share);
			double sum = 0;
			for (unsigned j = 0; j < n; j++)
				sum += share[j];
			assert_near(sum, n > 0, 1e-9);
		}
	}
	assert_true(nj_fuse_cauchy(NULL, NULL, 0) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_under_dependence), cmocka_unit_test(the_smallest_rules),
		cmocka_unit_test(seam_is_smooth),         cmocka_unit_test(weights_and_shares),
		cmocka_unit_test(survives_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
