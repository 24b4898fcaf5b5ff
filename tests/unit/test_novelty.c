/* Repetition and its absence. */
#include "models/novelty.h"

#include "tests/unit/draw.h"

#include <string.h>

#define SEED 20261124

static struct nj_novelty_verdict judged(const struct nj_novelty *novelty)
{
	struct nj_novelty_verdict verdict;
	nj_novelty_judge(novelty, &verdict);
	return verdict;
}

/* The example of Lempel and Ziv's paper: 0.001.10.100.1000.101 */
static void the_papers_example(void **state)
{
	(void)state;
	const uint16_t s[] = {0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1};
	assert_int_equal(nj_lz76(s, 16), 6);
	assert_int_equal(nj_lz76(s, 0), 0);
	assert_int_equal(nj_lz76(s, 1), 1);
}

static void scripts_are_low_and_wanderers_high(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_novelty script = {0}, wanderer = {0};
	for (unsigned i = 0; i < 600; i++) {
		nj_novelty_add(&script, i % 7);
		nj_novelty_request(&script, 300 + i % 7, 443);
		nj_novelty_add(&wanderer, draw_below(&draw, 40));
		nj_novelty_request(&wanderer, (uint32_t)draw_below(&draw, 100000), 443);
	}
	assert_true(judged(&script).lz < 0.2);
	assert_true(judged(&script).repeat > 0.8);
	assert_true(judged(&wanderer).lz > 0.7);
	assert_true(judged(&wanderer).repeat < 0.05);
	assert_int_equal(judged(&wanderer).symbols, NJ_NOVELTY_SYMBOLS);
}

static void too_little_says_nothing(void **state)
{
	(void)state;
	struct nj_novelty novelty = {0};
	assert_near(judged(&novelty).lz, 0, 0);
	assert_near(judged(&novelty).repeat, 0, 0);
	for (unsigned i = 0; i < NJ_NOVELTY_N_MIN - 1; i++)
		nj_novelty_add(&novelty, i);
	assert_near(judged(&novelty).lz, 0, 0);
	nj_novelty_add(&novelty, 77);
	assert_true(judged(&novelty).lz > 0.9);
}

static void only_the_latest_count(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_novelty novelty = {0};
	for (unsigned i = 0; i < 1000; i++)
		nj_novelty_add(&novelty, draw_below(&draw, 40));
	for (unsigned i = 0; i < NJ_NOVELTY_SYMBOLS; i++)
		nj_novelty_add(&novelty, i % 2);
	assert_int_equal(judged(&novelty).alphabet, 2);
	assert_true(judged(&novelty).lz < 0.2);
}

/* A ring that has been written two thousand million times keeps its place and stays full. */
static void counters_do_not_wrap(void **state)
{
	(void)state;
	struct nj_novelty a = {0}, b = {0};
	a.symbols = a.requests = UINT32_C(1) << 31;
	b.symbols = b.requests = NJ_NOVELTY_SYMBOLS;
	for (unsigned i = 0; i < 1000; i++) {
		nj_novelty_add(&a, i % 40);
		nj_novelty_add(&b, i % 40);
		nj_novelty_request(&a, i, 1);
		nj_novelty_request(&b, i, 1);
	}
	assert_memory_equal(a.symbol, b.symbol, sizeof a.symbol);
	assert_memory_equal(a.request, b.request, sizeof a.request);
	assert_near(judged(&a).lz, judged(&b).lz, 0);
	assert_true(a.symbols >= UINT32_C(1) << 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_papers_example),      cmocka_unit_test(scripts_are_low_and_wanderers_high),
		cmocka_unit_test(too_little_says_nothing), cmocka_unit_test(only_the_latest_count),
		cmocka_unit_test(counters_do_not_wrap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
