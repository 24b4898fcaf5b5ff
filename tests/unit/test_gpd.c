/* The generalised Pareto fit on known tails; tests/oracle compares it with scipy's optimiser. */
#include "models/gpd.h"

#include "tests/unit/draw.h"

#define SEED 20261124

static double draw_gpd(struct draw *draw, double shape, double scale)
{
	double u = draw_uniform(draw);
	return shape == 0 ? -scale * log(u) : scale * expm1(-shape * log(u)) / shape;
}

static void recovers_the_tail(void **state)
{
	(void)state;
	static const double shapes[] = {-0.15, 0, 0.2, 0.5};
	for (unsigned s = 0; s < 4; s++) {
		struct draw draw = draw_seed(SEED + s);
		double excess[512], shape = 0, level = 0;
		for (unsigned round = 0; round < 40; round++) {
			for (unsigned i = 0; i < 512; i++)
				excess[i] = draw_gpd(&draw, shapes[s], 3);
			struct nj_gpd gpd = nj_gpd_fit(excess, 512);
			shape += gpd.shape / 40;
			level += nj_gpd_return_level(&gpd, 1e4) / 40;
		}
		double truth = nj_gpd_return_level(&(struct nj_gpd){shapes[s], 3}, 1e4);
		print_message("shape %+.2f: fitted %+.2f; level of 1 in 1e4: %.1f, fitted %.1f\n", shapes[s], shape,
			      truth, level);
		assert_near(shape, (512 * shapes[s] + 50 * 0.2) / 562, 0.06); /* what the shrinkage makes of it */
		assert_between(level / truth, 0.8, 1.4);
	}
}

static void tail_and_level_are_inverse(void **state)
{
	(void)state;
	static const struct nj_gpd gpd[] = {{-0.2, 2}, {0, 2}, {1e-12, 2}, {0.3, 0.1}, {0.6, 50}};
	for (unsigned i = 0; i < 5; i++)
		for (double ratio = 1; ratio < 1e9; ratio *= 7)
			assert_near(nj_gpd_log_upper(&gpd[i], nj_gpd_return_level(&gpd[i], ratio)), -log(ratio), 1e-9);
	assert_true(nj_gpd_log_upper(&gpd[0], 10.1) == -INFINITY); /* beyond the end at sigma/-xi */
	assert_true(nj_gpd_log_upper(&gpd[1], -3) == 0);
	assert_true(nj_gpd_return_level(&gpd[1], 0.5) < 0);
}

static void few_or_equal_excesses(void **state)
{
	(void)state;
	double zero[3] = {0, 0, 0}, one = 5, equal[100], spread[2] = {1e-300, 1e15};
	assert_near(nj_gpd_fit(NULL, 0).shape, 0.2, 0);
	assert_near(nj_gpd_fit(zero, 3).scale, 1, 0);
	struct nj_gpd gpd = nj_gpd_fit(&one, 1);
	assert_near(gpd.shape, 0.2, 0.05); /* one excess says almost nothing */
	assert_near(gpd.scale, 5 * (1 - gpd.shape), 1e-9);
	for (unsigned i = 0; i < 100; i++)
		equal[i] = 7;
	gpd = nj_gpd_fit(equal, 100);
	assert_between(gpd.shape, -0.2, 0.2);
	assert_between(gpd.scale, 5, 9);
	gpd = nj_gpd_fit(spread, 2);
	assert_true(isfinite(gpd.shape) && isfinite(gpd.scale) && gpd.scale > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recovers_the_tail),
		cmocka_unit_test(tail_and_level_are_inverse),
		cmocka_unit_test(few_or_equal_excesses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
