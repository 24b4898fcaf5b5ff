/* The seasonal baseline: learns the hour, resists dragging, says sigma in sigmas. */
#include "models/baseline.h"

#include "tests/unit/draw.h"

#include <string.h>

#define SEED   20261124
#define SECOND UINT64_C(1000000000)

static const struct nj_usual prior = {.level = 10, .scale = 2};

static void hours_of_the_week(void **state)
{
	(void)state;
	assert_int_equal(nj_hour_of_week(0, 0), 3 * 24);                       /* Thursday, 1 January 1970, 00 h */
	assert_int_equal(nj_hour_of_week(1795478400 * SECOND, 0), 24);         /* Tuesday, 24 November 2026, 00 h */
	assert_int_equal(nj_hour_of_week(1795478400 * SECOND, -3600), 23);     /* still Monday, 23 h, in the Azores */
	assert_int_equal(nj_hour_of_week(1795478400 * SECOND + 1, 19800), 29); /* Delhi: 5:30 ahead */
	assert_int_equal(nj_hour_of_week(0, -1), 71);
	for (uint64_t hour = 0; hour < 400; hour++)
		assert_int_equal(nj_hour_of_week(hour * 3600 * SECOND, 0), (hour + 72) % 168);
	assert_true(nj_hour_of_week(UINT64_MAX, INT32_MIN) < 168);
}

static void knows_nothing_but_the_prior(void **state)
{
	(void)state;
	struct nj_baseline_week week = {0};
	struct nj_usual usual = nj_baseline_week_usual(&week, 5, &prior);
	assert_true(usual.level == prior.level && usual.scale == prior.scale);
	assert_true(nj_baseline_week_hours(&week) == 0);
}

/* Nights are quiet, work days busy, week-ends in between: after some weeks each hour has its own level. */
static double level_of(unsigned hour)
{
	return (hour < 120 ? 12 : 8) + (hour % 24 >= 8 && hour % 24 < 18 ? 4 : 0);
}

static void learns_the_hour(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_baseline_week week = {0};
	struct nj_baseline_day day = {0};
	double squares = 0, sum = 0, wide = 0, visits = 0;
	for (unsigned w = 0; w < 40; w++)
		for (unsigned hour = 0; hour < 168; hour++) {
			double y = level_of(hour) + 0.7 * draw_normal(&draw);
			struct nj_usual usual = nj_baseline_week_usual(&week, hour, &prior);
			double z = nj_usual_z(&usual, y);
			if (w >= 20) {
				sum += z, squares += z * z, wide += fabs(z) > 3, visits++;
			}
			nj_baseline_week_learn(&week, hour, y, 1, &prior);
			nj_baseline_day_learn(&day, hour, y, 1, &prior);
		}
	print_message("z of what is usual: mean %.3f, sd %.3f, beyond 3: %.4f (normal: 0.0027)\n", sum / visits,
		      sqrt(squares / visits), wide / visits);
	assert_near(sum / visits, 0, 0.1);
	assert_between(sqrt(squares / visits), 0.8, 1.25); /* below 1: scales are still drawn towards coarser layers */
	assert_between(wide / visits, 0, 0.02);
	for (unsigned hour = 0; hour < 168; hour++)
		assert_near(nj_baseline_week_usual(&week, hour, &prior).level, level_of(hour), 0.9);
	assert_near(nj_baseline_day_usual(&day, 3, &prior).level, (12 * 5 + 8 * 2) / 7.0, 1.5);
	assert_near(nj_baseline_week_hours(&week), 40 * 168, 1);
	assert_near(nj_baseline_day_hours(&day), 40 * 168, 1);
}

/* Windows of ten seconds come to about the same as one observation an hour. */
static void small_weights_add_up(void **state)
{
	(void)state;
	struct nj_baseline_day fine = {0}, coarse = {0};
	struct draw draw = draw_seed(SEED);
	for (unsigned hour = 0; hour < 24 * 20; hour++) {
		nj_baseline_day_learn(&coarse, hour % 24, 5 + draw_normal(&draw), 1, &prior);
		for (unsigned i = 0; i < 360; i++)
			nj_baseline_day_learn(&fine, hour % 24, 5 + draw_normal(&draw), 1 / 360.0, &prior);
	}
	struct nj_usual a = nj_baseline_day_usual(&fine, 7, &prior), b = nj_baseline_day_usual(&coarse, 7, &prior);
	assert_near(a.level, 5, 0.3);
	assert_near(b.level, 5, 1);
	assert_near(a.scale, 1, 0.3);
	assert_near(nj_baseline_day_hours(&fine), 480, 1);
}

static void one_observation_moves_little(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_baseline_week week = {0};
	for (unsigned w = 0; w < 30; w++)
		nj_baseline_week_learn(&week, 50, 10 + draw_normal(&draw), 1, &prior);
	struct nj_usual before = nj_baseline_week_usual(&week, 50, &prior);
	nj_baseline_week_learn(&week, 50, 1e12, 1, &prior);
	struct nj_usual after = nj_baseline_week_usual(&week, 50, &prior);
	assert_between(after.level - before.level, 0, 0.31 * before.scale);
	assert_between(after.scale / before.scale, 1, 1.08);
}

/* Poisoning: always two scales above what is expected, at one hour of the week. How many weeks for three scales? */
static void dragging_takes_months(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_baseline_week week = {0};
	for (unsigned w = 0; w < 52; w++)
		for (unsigned hour = 0; hour < 168; hour++)
			nj_baseline_week_learn(&week, hour, 10 + draw_normal(&draw), 1, &prior);
	struct nj_usual start = nj_baseline_week_usual(&week, 50, &prior), now = start;
	unsigned weeks = 0;
	for (; now.level < start.level + 3 * start.scale && weeks < 200; weeks++) {
		nj_baseline_week_learn(&week, 50, now.level + 2 * start.scale, 1, &prior);
		now = nj_baseline_week_usual(&week, 50, &prior);
	}
	print_message("a patient attacker needs %u weeks to move one hour by three scales\n", weeks);
	assert_true(weeks >= 10);
}

static void silence_does_not_make_bytes_rare(void **state)
{
	(void)state;
	struct nj_baseline_day day = {0};
	for (unsigned i = 0; i < 5000; i++)
		nj_baseline_day_learn(&day, i % 24, 0, 1, &prior);
	struct nj_usual usual = nj_baseline_day_usual(&day, 3, &prior);
	assert_between(usual.scale, 0.1 * prior.scale, 0.11 * prior.scale);
}

static void restores_mid_stream(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_baseline_week whole = {0}, restored;
	for (unsigned i = 0; i < 3000; i++) {
		if (i == 1111)
			memcpy(&restored, &whole, sizeof whole);
		double y = 8 + draw_normal(&draw);
		nj_baseline_week_learn(&whole, i % 168, y, 0.5, &prior);
		if (i >= 1111)
			nj_baseline_week_learn(&restored, i % 168, y, 0.5, &prior);
	}
	assert_memory_equal(&whole, &restored, sizeof whole);
}

static void survives_garbage(void **state)
{
	(void)state;
	static const double bad[] = {NAN, INFINITY, -INFINITY, 1e308, -1e308};
	struct nj_baseline_week week = {0};
	for (unsigned i = 0; i < 2000; i++)
		nj_baseline_week_learn(&week, i % 168, bad[i % 5], 1, &prior);
	for (unsigned hour = 0; hour < 168; hour++) {
		struct nj_usual usual = nj_baseline_week_usual(&week, hour, &prior);
		assert_true(isfinite(usual.level));
		assert_true(isfinite(usual.scale) && usual.scale > 0);
		for (unsigned i = 0; i < 5; i++)
			assert_between(nj_usual_z(&usual, bad[i]), -1e6, 1e6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hours_of_the_week),
		cmocka_unit_test(knows_nothing_but_the_prior),
		cmocka_unit_test(learns_the_hour),
		cmocka_unit_test(small_weights_add_up),
		cmocka_unit_test(one_observation_moves_little),
		cmocka_unit_test(dragging_takes_months),
		cmocka_unit_test(silence_does_not_make_bytes_rare),
		cmocka_unit_test(restores_mid_stream),
		cmocka_unit_test(survives_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
