/* What turns touch: benign agents, an attacking one, and one loud quantity that must not decide alone. */
#include "models/turn.h"

#include "tests/unit/draw.h"

#include <string.h>

#define SECOND UINT64_C(1000000000)

static struct nj_turn_verdict judged(const struct nj_turns *turns)
{
	struct nj_turn_verdict verdict;
	nj_turns_judge(turns, &verdict);
	double odds = NJ_TURN_PRIOR;
	for (int i = 0; i < NJ_TURN_ACTS; i++) {
		assert_between(verdict.part[i], -NJ_TURN_CLIP, NJ_TURN_CLIP);
		odds += verdict.part[i];
	}
	assert_near(verdict.odds, odds, 1e-9);
	return verdict;
}

static void a_coding_agent_stays_benign(void **state)
{
	(void)state;
	struct nj_turns turns = {0};
	for (uint64_t i = 0; i < 60; i++) {
		nj_turns_add(&turns, i * 8 * SECOND, 1);
		if (i % 20 == 0)
			nj_turns_act(&turns, i * 8 * SECOND, NJ_TURN_NEW_EDGES, 1); /* another mirror */
		if (i % 10 == 0)
			nj_turns_act(&turns, i * 8 * SECOND, NJ_TURN_UPLOAD, 1); /* a push */
	}
	assert_true(judged(&turns).odds < NJ_TURN_PRIOR);
}

static void an_attacking_one_does_not(void **state)
{
	(void)state;
	struct nj_turns turns = {0};
	for (uint64_t i = 0; i < 30; i++) {
		uint64_t t_ns = i * 8 * SECOND;
		nj_turns_add(&turns, t_ns, 1);
		nj_turns_act(&turns, t_ns, NJ_TURN_NEW_EDGES, 0.6);
		nj_turns_act(&turns, t_ns, NJ_TURN_BITS, 4);
		nj_turns_act(&turns, t_ns, NJ_TURN_ADMIN, 0.5);
		nj_turns_act(&turns, t_ns, NJ_TURN_DENIED, 0.2);
	}
	struct nj_turn_verdict verdict = judged(&turns);
	assert_true(verdict.odds > 0);
	assert_true(verdict.part[NJ_TURN_BITS] > 1);
	assert_true(verdict.part[NJ_TURN_SECRETS] < 0);
}

static void one_loud_quantity_does_not_decide(void **state)
{
	(void)state;
	struct nj_turns turns = {0};
	nj_turns_add(&turns, 0, 20);
	nj_turns_act(&turns, 0, NJ_TURN_UPLOAD, 1e6);
	assert_near(judged(&turns).part[NJ_TURN_UPLOAD], NJ_TURN_CLIP, 0);
	assert_true(judged(&turns).odds < 0);
}

static void few_turns_leave_the_prior(void **state)
{
	(void)state;
	struct nj_turns turns = {0};
	nj_turns_add(&turns, 0, 7);
	nj_turns_act(&turns, 0, NJ_TURN_SECRETS, 3);
	assert_near(judged(&turns).odds, NJ_TURN_PRIOR, 0);
	nj_turns_add(&turns, 0, 1);
	assert_true(judged(&turns).odds != NJ_TURN_PRIOR);
}

static void it_fades_and_restores(void **state)
{
	(void)state;
	struct nj_turns turns = {0}, copy;
	nj_turns_add(&turns, 0, 40);
	nj_turns_act(&turns, 0, NJ_TURN_FAILED, 40);
	memcpy(&copy, &turns, sizeof turns);
	nj_turns_add(&turns, 1800 * SECOND, 1);
	nj_turns_add(&copy, 1800 * SECOND, 1);
	assert_memory_equal(&turns, &copy, sizeof turns);
	assert_near(turns.turns, 21, 1e-9);
	assert_near(turns.act[NJ_TURN_FAILED], 20, 1e-5);
	nj_turns_add(&turns, 1, NAN);
	nj_turns_act(&turns, 1, NJ_TURN_FAILED, -5);
	assert_memory_equal(&turns, &copy, sizeof turns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_coding_agent_stays_benign),
		cmocka_unit_test(an_attacking_one_does_not),
		cmocka_unit_test(one_loud_quantity_does_not_decide),
		cmocka_unit_test(few_turns_leave_the_prior),
		cmocka_unit_test(it_fades_and_restores),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
