/* models/math.h beyond what tests/oracle compares with scipy: extremes, identities, garbage. */
#include "models/math.h"

#include "tests/unit/draw.h"

static void tails_reach_beyond_doubles(void **state)
{
	(void)state;
	assert_near(nj_log_normal_upper(40), -804.608442013754, 1e-9); /* p = 1e-349: erfc() is long gone */
	assert_near(nj_log_poisson_upper(1000, 1), -5913.128178488163 + log1p(1 / 1001.0 + 1 / (1001.0 * 1002)), 1e-8);
	assert_near(nj_log_binomial_upper(1000, 1000, 1e-3), 1000 * log(1e-3), 1e-9);
	assert_near(nj_log_gamma_lower(1e8, 9.99e7), -53.264633878902174, 1e-9); /* 40-digit arithmetic */
}

static void tails_complement_each_other(void **state)
{
	(void)state;
	struct draw draw = draw_seed(1);
	for (unsigned i = 0; i < 2000; i++) {
		double a = exp(12 * draw_uniform(&draw) - 2), x = a * (0.5 + draw_uniform(&draw));
		double total = exp(nj_log_gamma_upper(a, x)) + exp(nj_log_gamma_lower(a, x));
		assert_near(total, 1, 1e-12);
		double b = exp(8 * draw_uniform(&draw)), share = draw_uniform(&draw);
		assert_near(exp(nj_log_beta_lower(a, b, share)) + exp(nj_log_beta_lower(b, a, 1 - share)), 1, 1e-9);
	}
}

static void tails_fall(void **state)
{
	(void)state;
	for (uint64_t k = 0; k < 400; k++) {
		assert_true(nj_log_poisson_upper(k + 1, 50) <= nj_log_poisson_upper(k, 50));
		assert_true(nj_log_binomial_upper(k + 1, 300, 0.2) <= nj_log_binomial_upper(k, 300, 0.2));
	}
	for (double z = -50; z < 50; z += 0.01) /* across the seams at 0 and 25 */
		assert_true(nj_log_normal_upper(z + 0.01) < nj_log_normal_upper(z) || z < -8);
}

static void edges(void **state)
{
	(void)state;
	assert_true(nj_log_poisson_upper(0, 3) == 0);
	assert_true(nj_log_poisson_upper(3, 0) == -INFINITY);
	assert_true(nj_log_binomial_upper(0, 5, 0.5) == 0);
	assert_true(nj_log_binomial_upper(6, 5, 0.5) == -INFINITY);
	assert_true(nj_log_binomial_upper(2, 5, 0) == -INFINITY);
	assert_true(nj_log_binomial_upper(2, 5, 1) == 0);
	assert_true(nj_log_exponential_upper(-1, 2) == 0);
	assert_near(nj_log_exponential_upper(6, 2), -3, 0);
	assert_true(nj_log_normal_upper(INFINITY) == -INFINITY);
	assert_true(nj_log_normal_upper(-INFINITY) == 0);
	assert_true(nj_log_add(-INFINITY, -INFINITY) == -INFINITY);
	assert_near(nj_log_complement(log(0.25)), log(0.75), 1e-15);
	assert_near(nj_log_complement(-1e-20), log(1e-20), 1e-12);
}

static void garbage_gives_nan(void **state)
{
	(void)state;
	static const double bad[] = {NAN, -1, -INFINITY};
	for (unsigned i = 0; i < 3; i++) {
		assert_true(isnan(nj_log_poisson_upper(3, bad[i])));
		assert_true(isnan(nj_log_binomial_upper(3, 5, bad[i])));
		assert_true(isnan(nj_log_gamma_upper(bad[i], 1)));
		assert_true(isnan(nj_log_gamma_lower(1, bad[i])));
		assert_true(isnan(nj_log_beta_lower(bad[i], 1, 0.5)));
		assert_true(isnan(nj_log_beta_lower(1, 1, bad[i])));
		assert_true(isnan(nj_log_exponential_upper(1, bad[i])));
	}
	assert_true(isnan(nj_log_normal_upper(NAN)));
	assert_true(isnan(nj_log_beta_lower(1, 1, 1.5)));
	assert_true(isnan(nj_log_gamma_upper(INFINITY, 1)));
}

static void huge_arguments_end(void **state)
{
	(void)state;
	assert_true(nj_log_poisson_upper(UINT64_MAX, 1e3) < -1e6);
	assert_between(nj_log_poisson_upper(UINT64_MAX / 2, 1e19), -1, 0);
	assert_between(nj_log_binomial_upper(1000000, 100000000, 0.01), -0.75, -0.65);
	assert_true(isfinite(nj_log_binomial_upper(UINT64_MAX / 2, UINT64_MAX, 0.4)));
}

static void sorts_nan_last(void **state)
{
	(void)state;
	double value[] = {3, NAN, -INFINITY, 1, NAN, INFINITY};
	nj_sort(value, 6);
	assert_true(value[0] == -INFINITY && value[1] == 1 && value[2] == 3 && value[3] == INFINITY);
	assert_true(isnan(value[4]) && isnan(value[5]));
	double same[] = {INFINITY, INFINITY, INFINITY};
	assert_true(nj_median(same, 3) == INFINITY);
	double one = 7;
	assert_true(nj_median(&one, 1) == 7 && nj_madn(&one, 1) == 0 && nj_bowley_skew(&one, 1) == 0);
}

static void entropy_of_nothing(void **state)
{
	(void)state;
	uint64_t zero[3] = {0, 0, 0}, one[3] = {0, 9, 0}, even[3] = {4, 4, 4}, huge[2] = {UINT64_MAX, UINT64_MAX};
	assert_true(nj_entropy(zero, 3) == 0 && nj_entropy_normalised(zero, 3) == 0);
	assert_true(nj_entropy(one, 3) == 0 && nj_entropy_normalised(one, 3) == 0);
	assert_near(nj_entropy_normalised(even, 3), 1, 1e-12);
	assert_near(nj_entropy(huge, 2), M_LN2, 1e-12);
}

static void integer_logarithm(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++)
		assert_true(nj_log2_q56(UINT64_C(1) << bit) == (uint64_t)bit << 56);
	assert_int_equal(nj_log2_q56(3), 0x195c01a39fbd687); /* log2(3) = 1.95c01a39fbd687a08... in hexadecimal */
	struct draw draw = draw_seed(2);
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t value = draw_bits(&draw) >> draw_below(&draw, 63) | 1;
		assert_near((double)nj_log2_q56(value) * 0x1p-56, log2((double)value), 1e-13);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tails_reach_beyond_doubles),
		cmocka_unit_test(tails_complement_each_other),
		cmocka_unit_test(tails_fall),
		cmocka_unit_test(edges),
		cmocka_unit_test(garbage_gives_nan),
		cmocka_unit_test(huge_arguments_end),
		cmocka_unit_test(sorts_nan_last),
		cmocka_unit_test(entropy_of_nothing),
		cmocka_unit_test(integer_logarithm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
