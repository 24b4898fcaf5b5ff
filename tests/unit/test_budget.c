/* N alerts a day, from simulated fleets; an attack must not buy silence. */
#include "models/budget.h"

#include "models/tail.h"
#include "tests/unit/draw.h"

#include <string.h>

#define SEED   20261124
#define SECOND UINT64_C(1000000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
#define AGENTS 300
#define RUNS   4096
#define START  (20000 * DAY)

struct fleet {
	struct nj_budget budget;
	struct nj_budget_run run[RUNS];
	struct draw draw;
	double heaviness[AGENTS]; /* scale of an agent's excess over what its p-values promise */
};

static void fleet_init(struct fleet *fleet, uint64_t seed, double alerts_per_day)
{
	memset(fleet, 0, sizeof *fleet);
	struct nj_budget_params params = NJ_BUDGET_PARAMS_DEFAULT;
	params.alerts_per_day = alerts_per_day;
	params.tests_per_day = AGENTS * 288.0;
	nj_budget_init(&fleet->budget, &params);
	fleet->draw = draw_seed(seed);
	for (unsigned agent = 0; agent < AGENTS; agent++)
		fleet->heaviness[agent] = exp(0.15 * draw_normal(&fleet->draw));
}

/* One day of five-minute ticks; p-values are wrong in the way of heterogeneous agents. Returns the alerts. */
static unsigned fleet_day(struct fleet *fleet, unsigned day, double drift)
{
	unsigned alerts = 0;
	bool quiet[AGENTS] = {0}; /* one alert an agent and day */
	for (unsigned tick = 0; tick < 288; tick++) {
		uint64_t t_ns = START + day * DAY + tick * 300 * SECOND;
		double threshold = nj_budget_tick(&fleet->budget, t_ns);
		for (uint64_t agent = 0; agent < AGENTS; agent++) {
			double score = draw_exponential(&fleet->draw) / M_LN10 * fleet->heaviness[agent] * drift;
			nj_budget_observe(&fleet->budget, fleet->run, RUNS, t_ns, agent + 1, score);
			if (score < threshold || quiet[agent])
				continue;
			quiet[agent] = true;
			nj_budget_alerted(&fleet->budget, t_ns);
			alerts++;
		}
	}
	return alerts;
}

static void keeps_to_the_budget(void **state)
{
	(void)state;
	static const double wanted[] = {2, 5, 20};
	static struct fleet fleet;
	for (unsigned w = 0; w < 3; w++) {
		double settled = 0, drifted = 0, first = 0;
		for (unsigned seed = 0; seed < 4; seed++) {
			fleet_init(&fleet, SEED + seed, wanted[w]);
			for (unsigned day = 0; day < 28; day++) {
				unsigned alerts = fleet_day(&fleet, day, day < 16 ? 1 : 1.1);
				first += day == 0 ? alerts / 4.0 : 0;
				settled += day >= 4 && day < 16 ? alerts / 48.0 : 0;
				drifted += day >= 16 ? alerts / 48.0 : 0;
			}
		}
		print_message("N = %2.0f: first day %.1f, days 5-16 %.1f, days 17-28 with scores up 10 %% %.1f alerts "
			      "a day\n",
			      wanted[w], first, settled, drifted);
		assert_between(settled / wanted[w], 0.7, 1.4);
		assert_between(drifted / wanted[w], 0.7, 1.9);
	}
}

static void return_level_of_a_known_tail(void **state)
{
	(void)state;
	/* 2000 peaks a day, exponential of scale 0.5 above 2: one a day is exceeded at 2 + 0.5 ln 2000 = 5.80 */
	static struct nj_budget budget;
	static struct nj_budget_run run[RUNS];
	struct nj_budget_params params = NJ_BUDGET_PARAMS_DEFAULT;
	params.alerts_per_day = 1;
	struct draw draw = draw_seed(SEED);
	nj_budget_init(&budget, &params);
	for (unsigned i = 0; i < 2 * 2000; i++) { /* two days: fewer than ten peaks wanted, so extrapolated */
		uint64_t t_ns = START + i * (DAY / 2000);
		nj_budget_observe(&budget, run, RUNS, t_ns, i + 1, 2 + 0.5 * draw_exponential(&draw));
	}
	double extrapolated = nj_budget_tick(&budget, START + 2 * DAY);
	for (unsigned i = 2 * 2000; i < 13 * 2000; i++) {
		uint64_t t_ns = START + i * (DAY / 2000);
		nj_budget_observe(&budget, run, RUNS, t_ns, i + 1, 2 + 0.5 * draw_exponential(&draw));
	}
	budget.alerts_effective = 1; /* silent days have let the governor open up */
	double counted = nj_budget_tick(&budget, START + 13 * DAY + 2 * HOUR);
	print_message("level of one a day: %.2f extrapolated from two days, %.2f counted, 5.80 true\n", extrapolated,
		      counted);
	assert_near(extrapolated, 5.80, 0.9);
	assert_near(counted, 5.80, 0.9);
}

static void one_run_is_one_peak(void **state)
{
	(void)state;
	struct nj_budget budget;
	struct nj_budget_run run[8] = {0};
	nj_budget_init(&budget, &NJ_BUDGET_PARAMS_DEFAULT);
	uint64_t t_ns = START;
	for (unsigned i = 0; i < 100; i++, t_ns += HOUR / 2) /* never an hour of silence */
		nj_budget_observe(&budget, run, 8, t_ns, 7, 3 + i % 5);
	unsigned peaks = 0;
	for (unsigned day = 0; day < NJ_BUDGET_DAYS; day++)
		for (unsigned level = 0; level < NJ_BUDGET_LEVELS; level++)
			peaks += budget.peaks[day][level];
	assert_int_equal(peaks, 1);
	assert_int_equal(budget.peaks[20000 % NJ_BUDGET_DAYS][7 * 32], 1); /* its height, on the day it began */
	nj_budget_observe(&budget, run, 8, t_ns + HOUR, 7, 5);
	assert_int_equal(budget.peaks[(t_ns + HOUR) / DAY % NJ_BUDGET_DAYS][5 * 32], 1);
}

static void full_sets_cut_runs_and_count_it(void **state)
{
	(void)state;
	struct nj_budget budget;
	struct nj_budget_run run[8] = {0};
	nj_budget_init(&budget, &NJ_BUDGET_PARAMS_DEFAULT);
	for (uint64_t agent = 1; agent <= 20; agent++)
		nj_budget_observe(&budget, run, 8, START + agent, agent, 4);
	assert_int_equal(budget.evicted, 12);
}

/* The attacker raises a hundred alerts a day. Confirmed, they leave the threshold where it was; unconfirmed, they move
 * it a little: a day counts for no more than twice the budget. */
static void an_attack_does_not_buy_silence(void **state)
{
	(void)state;
	static struct fleet fleet, attacked, confirmed;
	fleet_init(&fleet, SEED, 5);
	for (unsigned day = 0; day < 8; day++)
		fleet_day(&fleet, day, 1);
	attacked = confirmed = fleet;
	for (unsigned day = 8; day < 12; day++) {
		for (unsigned i = 0; i < 100; i++) {
			uint64_t t_ns = START + day * DAY + i * (SECOND / 100);
			nj_budget_observe(&attacked.budget, attacked.run, RUNS, t_ns, 1000 + i, 12);
			nj_budget_alerted(&attacked.budget, t_ns);
			nj_budget_observe(&confirmed.budget, confirmed.run, RUNS, t_ns, 1000 + i, 12);
			nj_budget_alerted(&confirmed.budget, t_ns);
			nj_budget_confirm(&confirmed.budget, t_ns, 12);
		}
		fleet_day(&fleet, day, 1);
		fleet_day(&attacked, day, 1);
		fleet_day(&confirmed, day, 1);
	}
	uint64_t end_ns = START + 12 * DAY;
	double plain = nj_budget_tick(&fleet.budget, end_ns), quiet = nj_budget_tick(&confirmed.budget, end_ns);
	nj_budget_tick(&attacked.budget, end_ns);
	print_message("threshold %.2f, with confirmed attacks %.2f, with unconfirmed ones %.2f\n", plain, quiet,
		      attacked.budget.threshold);
	assert_near(quiet, plain, 0.1);
	assert_between(attacked.budget.threshold, plain, plain + 1.5);
	assert_between(attacked.budget.alerts_effective, 5 / 4.0, 5);
}

static void restores_mid_stream(void **state)
{
	(void)state;
	static struct fleet whole, restored;
	fleet_init(&whole, SEED, 5);
	for (unsigned day = 0; day < 3; day++)
		fleet_day(&whole, day, 1);
	memcpy(&restored, &whole, sizeof whole);
	for (unsigned day = 3; day < 6; day++) {
		unsigned alerts = fleet_day(&whole, day, 1);
		assert_int_equal(fleet_day(&restored, day, 1), alerts);
	}
	assert_memory_equal(&whole, &restored, sizeof whole);
}

static void survives_garbage(void **state)
{
	(void)state;
	static struct nj_budget budget;
	struct nj_budget_run run[8] = {0};
	static const double bad[] = {NAN, INFINITY, -INFINITY, -1, 1e308};
	nj_budget_init(&budget, &NJ_BUDGET_PARAMS_DEFAULT);
	static const uint64_t times[] = {0, START, 5, START + 400 * DAY, UINT64_MAX, START, 0};
	for (unsigned i = 0; i < 500; i++) {
		uint64_t t_ns = times[i % 7];
		nj_budget_observe(&budget, run, 8, t_ns, i % 11, bad[i % 5]);
		nj_budget_alerted(&budget, t_ns);
		nj_budget_confirm(&budget, t_ns, bad[i % 5]);
		assert_between(nj_budget_tick(&budget, t_ns), 2, 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_to_the_budget),
		cmocka_unit_test(return_level_of_a_known_tail),
		cmocka_unit_test(one_run_is_one_peak),
		cmocka_unit_test(full_sets_cut_runs_and_count_it),
		cmocka_unit_test(an_attack_does_not_buy_silence),
		cmocka_unit_test(restores_mid_stream),
		cmocka_unit_test(survives_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
