/* New edges in bits: what adds up, what drains, what is learned. */
#include "models/surprisal.h"

#include "tests/unit/draw.h"

#include <string.h>

#define SEED 20261124
#define HOUR (3600 * UINT64_C(1000000000))

static const struct nj_surprisal_params usual = NJ_SURPRISAL_PARAMS_DEFAULT;

static void the_unused_surprises_and_the_common_does_not(void **state)
{
	(void)state;
	assert_near(nj_surprisal_bits(0, 0), 8, 1e-9);
	assert_true(nj_surprisal_bits(0, 1000) > nj_surprisal_bits(0, 10));
	assert_true(nj_surprisal_bits(20, 20) < 0.6);
	assert_true(nj_surprisal_bits(1, 20) > 4);
	assert_near(nj_surprisal_bits(9, 4), nj_surprisal_bits(4, 4), 1e-12); /* more users than agents: all */
	assert_near(nj_surprisal_bits(NAN, 5), 0, 0);
	assert_near(nj_surprisal_bits(0, 1e300), NJ_SURPRISAL_BITS_MAX, 0);
}

/* A new host an hour for two days adds up; two of them a day never do. */
static void slow_walkers_add_up(void **state)
{
	(void)state;
	struct nj_surprisal walker = {0}, admin = {0};
	for (unsigned h = 0; h < 48; h++) {
		nj_surprisal_step(&walker, h * HOUR, 8, &usual);
		if (h % 12 == 0)
			nj_surprisal_step(&admin, h * HOUR, 8, &usual);
	}
	assert_true(walker.sum > 100);
	assert_true(walker.edges >= 45);
	assert_int_equal(walker.since_ns, 0);
	assert_true(admin.sum <= 8.001);
	assert_int_equal(admin.edges, 1);
}

static void it_settles_and_it_ends(void **state)
{
	(void)state;
	struct nj_surprisal walker = {0};
	for (unsigned h = 0; h < 24 * 60; h++)
		nj_surprisal_step(&walker, h * HOUR, 8, &usual);
	double rate = nj_surprisal_rate(&walker, &usual);
	assert_near(walker.sum, (8 - rate) * 48 / log(2), 10);
	assert_near(nj_surprisal_value(&walker, walker.t_ns + 30 * 24 * HOUR, &usual), 0, 0);
}

static void usual_is_learned_slowly(void **state)
{
	(void)state;
	struct nj_surprisal busy = {0};
	double before = nj_surprisal_rate(&busy, &usual);
	for (unsigned h = 0; h < 1000; h++)
		nj_surprisal_learn(&busy, 20 + h % 5, &usual);
	assert_true(nj_surprisal_rate(&busy, &usual) > 3 * before);
	struct nj_surprisal poisoned = {0};
	nj_surprisal_learn(&poisoned, 1e9, &usual); /* one huge hour moves it by two scales at most */
	assert_true(poisoned.level <= usual.level + 2 * usual.scale);
	assert_true(nj_surprisal_rate(&poisoned, &usual) < 2 * before);
}

static void garbage_is_ignored(void **state)
{
	(void)state;
	struct nj_surprisal s = {0}, fresh = {0};
	nj_surprisal_step(&s, 5, NAN, &usual);
	nj_surprisal_step(&s, 5, -3, &usual);
	nj_surprisal_step(&s, 5, INFINITY, &usual);
	nj_surprisal_learn(&s, NAN, &usual);
	nj_surprisal_learn(&s, -1, &usual);
	assert_memory_equal(&s, &fresh, sizeof s);
	struct draw draw = draw_seed(SEED);
	for (unsigned i = 0; i < 10000; i++) {
		nj_surprisal_step(&s, draw_bits(&draw) >> draw_below(&draw, 64), draw_uniform(&draw) * 1e12, &usual);
		nj_surprisal_learn(&s, draw_uniform(&draw) * 1e12, &usual);
		assert_between(s.sum, 0, 1e6);
		assert_true(isfinite(nj_surprisal_rate(&s, &usual)));
	}
}

static void a_restored_state_goes_on_alike(void **state)
{
	(void)state;
	struct nj_surprisal a = {0}, b;
	nj_surprisal_step(&a, HOUR, 7, &usual);
	nj_surprisal_learn(&a, 3, &usual);
	memcpy(&b, &a, sizeof a);
	nj_surprisal_step(&a, 2 * HOUR, 4, &usual);
	nj_surprisal_step(&b, 2 * HOUR, 4, &usual);
	assert_memory_equal(&a, &b, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_unused_surprises_and_the_common_does_not),
		cmocka_unit_test(slow_walkers_add_up),
		cmocka_unit_test(it_settles_and_it_ends),
		cmocka_unit_test(usual_is_learned_slowly),
		cmocka_unit_test(garbage_is_ignored),
		cmocka_unit_test(a_restored_state_goes_on_alike),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
