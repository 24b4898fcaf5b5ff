/* The learned tail on known distributions, primed and unprimed, gated against poisoning. */
#include "models/tail.h"

#include "tests/unit/draw.h"

#include <stdlib.h>
#include <string.h>

#define SEED  20261124
#define SEEDS 20

typedef double (*score_law)(struct draw *draw);

static double exponential(struct draw *draw)
{
	return 3 * draw_exponential(draw);
}

static double lognormal(struct draw *draw)
{
	return exp(draw_normal(draw));
}

static double pareto(struct draw *draw) /* P(S >= s) = (1 + s)^-3 */
{
	return pow(draw_uniform(draw), -1 / 3.0) - 1;
}

/* As scan scores are: nothing, mostly. */
static double mostly_zero(struct draw *draw)
{
	return draw_uniform(draw) < 0.8 ? 0 : 3 * draw_exponential(draw);
}

static const struct {
	const char *name;
	score_law law;
	double at_1e_3, at_1e_5; /* scores of that upper probability */
} laws[] = {
	{"exponential", exponential, 20.7233, 34.5388},
	{"lognormal", lognormal, 21.9820, 71.0958},
	{"Pareto", pareto, 9, 45.4159},
	{"mostly zero", mostly_zero, 15.8950, 29.7105},
};

static double median_of(double *value, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		for (unsigned j = i; j > 0 && value[j] < value[j - 1]; j--) {
			double swap = value[j];
			value[j] = value[j - 1], value[j - 1] = swap;
		}
	return value[n / 2];
}

static void p_is_what_it_says(void **state)
{
	(void)state;
	static const unsigned sizes[] = {3000, 50000};
	print_message("p estimated / true: median over %d seeds (10 %% .. 90 %%)\n", SEEDS);
	for (unsigned s = 0; s < 2; s++)
		for (unsigned l = 0; l < 4; l++) {
			double near[SEEDS], far[SEEDS];
			for (unsigned seed = 0; seed < SEEDS; seed++) {
				struct draw draw = draw_seed(SEED + seed);
				struct nj_tail tail;
				nj_tail_init(&tail, 100, 0);
				for (unsigned i = 0; i < sizes[s]; i++)
					nj_tail_learn(&tail, laws[l].law(&draw));
				near[seed] = nj_tail_p(&tail, laws[l].at_1e_3) / 1e-3;
				far[seed] = nj_tail_p(&tail, laws[l].at_1e_5) / 1e-5;
			}
			double middle = median_of(near, SEEDS), deep = median_of(far, SEEDS);
			print_message("%-12s n = %5u: at 1e-3 %.2f (%.2f .. %.2f), at 1e-5 %.2f (%.2f .. %.2f)\n",
				      laws[l].name, sizes[s], middle, near[1], near[SEEDS - 2], deep, far[1],
				      far[SEEDS - 2]);
			assert_between(middle, 0.6, 1.7);
			if (sizes[s] == 50000) /* 60 excesses cannot say what happens once in a hundred thousand */
				assert_between(deep, 0.25, 4);
		}
}

static void p_falls_with_the_score(void **state)
{
	(void)state;
	for (unsigned l = 0; l < 4; l++) {
		struct draw draw = draw_seed(SEED + l);
		struct nj_tail tail;
		nj_tail_init(&tail, 100, 0);
		for (unsigned i = 0; i < 5000; i++) {
			nj_tail_learn(&tail, laws[l].law(&draw));
			if (i % 500 != 499)
				continue;
			double before = 1;
			for (double score = 0; score < 500; score = score * 1.01 + 0.01) {
				double p = nj_tail_p(&tail, score);
				assert_true(p <= before * (1 + 1e-12));
				before = p;
			}
		}
	}
}

static void says_little_before_it_knows(void **state)
{
	(void)state;
	struct nj_tail tail;
	nj_tail_init(&tail, 100, 1e-6);
	assert_true(nj_tail_p(&tail, 1e9) == 1);
	enum nj_tail_verdict verdict;
	double p;
	for (unsigned i = 0; i < 200; i++) {
		assert_true(nj_tail_step(&tail, 1, &verdict, NULL));
		assert_int_equal(verdict, NJ_TAIL_NORMAL);
	}
	nj_tail_step(&tail, 1e9, &verdict, &p);
	assert_near(p, 1 / 201.0, 1e-12); /* never seen in 200: no claim beyond that */
}

static void an_attack_does_not_become_normal(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_tail tail;
	enum nj_tail_verdict verdict;
	nj_tail_init(&tail, 100, 1e-6);
	unsigned seen[3] = {0};
	for (unsigned i = 0; i < 20000; i++) {
		nj_tail_step(&tail, exponential(&draw), &verdict, NULL);
		seen[verdict]++;
	}
	assert_between(seen[NJ_TAIL_EXCESS], 200, 800);
	assert_true(seen[NJ_TAIL_ANOMALY] <= 2);
	double before, after;
	nj_tail_step(&tail, 200, &verdict, &before);
	assert_int_equal(verdict, NJ_TAIL_ANOMALY);
	for (unsigned i = 0; i < 10000; i++) {
		nj_tail_step(&tail, 200, &verdict, NULL);
		assert_int_equal(verdict, NJ_TAIL_ANOMALY);
	}
	nj_tail_step(&tail, 200, &verdict, &after);
	assert_true(before == after);
	assert_true(tail.anomalies >= 10002);
	nj_tail_init(&tail, 100, 0); /* without the gate it would */
	for (unsigned i = 0; i < 30000; i++)
		nj_tail_learn(&tail, i < 20000 ? exponential(&draw) : 200);
	assert_true(nj_tail_p(&tail, 200) > 0.01);
}

static void a_prior_stands_in_then_gives_way(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	uint32_t prior[NJ_DDSKETCH_BUCKETS] = {0};
	for (unsigned i = 0; i < 1000000; i++)
		nj_ddsketch_add(prior, (uint64_t)(100 * exponential(&draw) + 0.5));
	struct nj_tail tail;
	nj_tail_init(&tail, 100, 1e-6);
	nj_tail_prime(&tail, prior, 5000);
	assert_int_equal(nj_tail_observations(&tail), 5000);
	double at_once = nj_tail_p(&tail, 20.7233), deep = nj_tail_p(&tail, 34.5388);
	print_message("primed with counts only: p/true at 1e-3 %.2f, at 1e-5 %.2f\n", at_once / 1e-3, deep / 1e-5);
	assert_between(at_once, 0.7e-3, 1.5e-3);
	assert_between(deep, 0.5e-5, 3e-5);
	for (unsigned i = 0; i < 300000; i++)
		nj_tail_learn(&tail, exponential(&draw) / 3); /* this network is three times as quiet */
	assert_between(nj_tail_p(&tail, 20.7233 / 3), 0.5e-3, 3e-3);
	nj_tail_prime(&tail, (uint32_t[NJ_DDSKETCH_BUCKETS]){0}, 100); /* an empty prior changes nothing */
	assert_between(nj_tail_p(&tail, 20.7233 / 3), 0.5e-3, 3e-3);
}

static void follows_a_drift(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_tail tail;
	nj_tail_init(&tail, 100, 0);
	for (unsigned i = 0; i < 200000; i++)
		nj_tail_learn(&tail, exponential(&draw) * (i < 100000 ? 1 : 2));
	assert_between(nj_tail_p(&tail, 2 * 20.7233), 0.4e-3, 2e-3);
	for (unsigned i = 0; i < 400000; i++)
		nj_tail_learn(&tail, exponential(&draw) / 4);
	assert_between(nj_tail_p(&tail, 20.7233 / 4), 0.4e-3, 3e-3);
}

static void restores_mid_stream(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_tail whole, restored;
	enum nj_tail_verdict verdict;
	nj_tail_init(&whole, 100, 1e-6);
	for (unsigned i = 0; i < 20000; i++) {
		if (i == 7777)
			memcpy(&restored, &whole, sizeof whole);
		double score = lognormal(&draw);
		nj_tail_step(&whole, score, &verdict, NULL);
		if (i >= 7777)
			nj_tail_step(&restored, score, &verdict, NULL);
	}
	assert_memory_equal(&whole, &restored, sizeof whole);
	assert_true(nj_tail_valid(&whole));
}

static void survives_garbage(void **state)
{
	(void)state;
	static const double bad[] = {INFINITY, -INFINITY, -1, 1e308, 1e-308, 0};
	struct nj_tail tail, before;
	enum nj_tail_verdict verdict = NJ_TAIL_NORMAL;
	nj_tail_init(&tail, 100, 0);
	before = tail;
	assert_false(nj_tail_step(&tail, NAN, &verdict, NULL));
	nj_tail_learn(&tail, NAN);
	assert_memory_equal(&tail, &before, sizeof tail);
	assert_true(nj_tail_p(&tail, NAN) == 1);
	for (unsigned i = 0; i < 5000; i++) {
		double p;
		assert_true(nj_tail_step(&tail, bad[i % 6], &verdict, &p));
		assert_between(p, NJ_TAIL_P_MIN, 1);
	}
	assert_true(nj_tail_valid(&tail));
	tail.gpd.scale = -1;
	assert_false(nj_tail_valid(&tail));
	memset(&tail, 0xff, sizeof tail);
	assert_false(nj_tail_valid(&tail));
	memset(&tail, 0, sizeof tail);
	assert_false(nj_tail_valid(&tail));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p_is_what_it_says),
		cmocka_unit_test(p_falls_with_the_score),
		cmocka_unit_test(says_little_before_it_knows),
		cmocka_unit_test(an_attack_does_not_become_normal),
		cmocka_unit_test(a_prior_stands_in_then_gives_way),
		cmocka_unit_test(follows_a_drift),
		cmocka_unit_test(restores_mid_stream),
		cmocka_unit_test(survives_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
