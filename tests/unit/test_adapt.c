/* Who reads the answers and who does not. */
#include "models/adapt.h"

#include "tests/unit/draw.h"

#include <string.h>

#define SEED   20261124
#define SECOND UINT64_C(1000000000)

static enum nj_adapt_result result_of(struct draw *draw)
{
	static const enum nj_adapt_result often[] = {NJ_ADAPT_OK, NJ_ADAPT_OK, NJ_ADAPT_REFUSED, NJ_ADAPT_TIMEOUT,
						     NJ_ADAPT_DENIED};
	return often[draw_below(draw, 5)];
}

/* *reads*: stays on a host whose door opened, leaves one whose door was shut; else goes its way. */
static struct nj_adapt walk(struct draw *draw, unsigned actions, bool reads)
{
	struct nj_adapt adapt = {0};
	uint64_t host = 1, t_ns = SECOND;
	uint16_t port = 22;
	for (unsigned i = 0; i < actions; i++) {
		enum nj_adapt_result result = result_of(draw);
		nj_adapt_step(&adapt, t_ns, host * 0x9e3779b97f4a7c15u, port, result, true);
		bool stay = reads ? result == NJ_ADAPT_OK : draw_uniform(draw) < 0.4;
		host = stay ? host : host + 1;
		port = (uint16_t)(20 + draw_below(draw, 4));
		t_ns += draw_below(draw, 20) * SECOND;
	}
	return adapt;
}

static struct nj_adapt_verdict judged(const struct nj_adapt *adapt)
{
	struct nj_adapt_verdict verdict;
	nj_adapt_judge(adapt, &verdict);
	return verdict;
}

static void reading_the_answers_shows(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct draw draw = draw_seed(SEED + seed);
		struct nj_adapt adapt = walk(&draw, 60, true);
		struct nj_adapt_verdict verdict = judged(&adapt);
		assert_true(verdict.mi > 0.3);
		assert_true(verdict.ln_p < -10);
	}
}

/* ln p of a sweep that ignores the answers is no more often small than it says. */
static void a_script_gives_a_uniform_p(void **state)
{
	(void)state;
	unsigned below[3] = {0}, runs = 4000;
	const double level[3] = {0.1, 0.01, 0.001};
	for (unsigned seed = 0; seed < runs; seed++) {
		struct draw draw = draw_seed(SEED + seed);
		struct nj_adapt adapt = walk(&draw, 60, false);
		struct nj_adapt_verdict verdict = judged(&adapt);
		for (int i = 0; i < 3; i++)
			below[i] += verdict.ln_p < log(level[i]);
	}
	for (int i = 0; i < 3; i++)
		assert_true(below[i] <= runs * level[i] + 3 * sqrt(runs * level[i]));
	assert_true(below[0] > runs * 0.02); /* and not hopelessly careful */
}

static void one_result_says_nothing(void **state)
{
	(void)state;
	struct nj_adapt adapt = {0};
	for (unsigned i = 0; i < 100; i++)
		nj_adapt_step(&adapt, i * SECOND, i, 445, NJ_ADAPT_REFUSED, true);
	struct nj_adapt_verdict verdict = judged(&adapt);
	assert_near(verdict.mi, 0, 0);
	assert_near(verdict.ln_p, 0, 0);
	assert_near(verdict.branch, 1, 0);
	assert_near(verdict.depth, 0, 0);
}

static void depth_is_of_first_successes(void **state)
{
	(void)state;
	struct nj_adapt deep = {0}, broad = {0};
	for (unsigned i = 0; i < 40; i++) {
		nj_adapt_step(&deep, i * SECOND, i / 8, (uint16_t)(i % 8), NJ_ADAPT_OK, true);
		nj_adapt_step(&broad, i * SECOND, i, 22, NJ_ADAPT_OK, true);
	}
	assert_true(judged(&deep).depth > 0.6);
	assert_true(judged(&deep).branch < 0.4);
	assert_near(judged(&broad).depth, 0, 0);
	assert_near(judged(&broad).branch, 1, 0);
}

static void what_is_old_fades(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_adapt adapt = walk(&draw, 60, true);
	double n = judged(&adapt).n;
	nj_adapt_step(&adapt, adapt.t_ns + 1800 * SECOND, 1, 1, NJ_ADAPT_OK, false);
	assert_near(judged(&adapt).n, n / 2 + 1, 1e-3);
	nj_adapt_step(&adapt, adapt.t_ns + 30 * 86400 * SECOND, 1, 1, NJ_ADAPT_OK, false);
	assert_near(judged(&adapt).n, 1, 1e-3);
	assert_near(judged(&adapt).ln_p, 0, 0);
}

static void a_restored_state_goes_on_alike(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_adapt adapt = walk(&draw, 30, true), restored;
	memcpy(&restored, &adapt, sizeof adapt);
	for (unsigned i = 0; i < 20; i++) {
		nj_adapt_step(&adapt, adapt.t_ns + SECOND, i, 1, NJ_ADAPT_ERROR, true);
		nj_adapt_step(&restored, restored.t_ns + SECOND, i, 1, NJ_ADAPT_ERROR, true);
	}
	assert_memory_equal(&adapt, &restored, sizeof adapt);
}

static void garbage_stays_bounded(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_adapt adapt = {0};
	for (unsigned i = 0; i < 100000; i++) {
		nj_adapt_step(&adapt, draw_bits(&draw) >> draw_below(&draw, 64), draw_bits(&draw),
			      (uint16_t)draw_bits(&draw), (enum nj_adapt_result)draw_below(&draw, NJ_ADAPT_RESULTS),
			      draw_bits(&draw) & 1);
		if (i % 97 != 0)
			continue;
		struct nj_adapt_verdict verdict = judged(&adapt);
		assert_between(verdict.mi, 0, log(5));
		assert_between(verdict.ln_p, -1e6, 0);
		assert_between(verdict.depth, 0, 1 + 1e-6);
		assert_between(verdict.branch, 0, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_the_answers_shows), cmocka_unit_test(a_script_gives_a_uniform_p),
		cmocka_unit_test(one_result_says_nothing),   cmocka_unit_test(depth_is_of_first_successes),
		cmocka_unit_test(what_is_old_fades),         cmocka_unit_test(a_restored_state_goes_on_alike),
		cmocka_unit_test(garbage_stays_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
