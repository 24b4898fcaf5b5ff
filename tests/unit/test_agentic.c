/* The joined scores: what moves them, what must not, and growth. */
#include "models/agentic.h"

#include "tests/unit/draw.h"

#include <string.h>

#define SEED 20261124

static const struct nj_agentic_evidence full = {
	.turns = 32, .nats = 3, .loop = 0.9, .z = 5, .growth = 0.9, .turn_s = 8, .duty = 0.5};

static double score(struct nj_agentic_evidence evidence)
{
	struct nj_agentic verdict;
	nj_agentic_judge(&evidence, &verdict);
	double odds = -2.5;
	for (int i = 0; i < NJ_AGENTIC_PARTS; i++)
		odds += verdict.part[i];
	assert_near(log(verdict.score / (1 - verdict.score)), odds, 1e-9); /* the parts are all there is */
	return verdict.score;
}

static void a_full_loop_is_agentic_and_a_chat_is_not(void **state)
{
	(void)state;
	assert_true(score(full) > 0.95);
	assert_true(score((struct nj_agentic_evidence){
			    .turns = 32, .nats = -1.6, .growth = 0.4, .turn_s = 60, .duty = 0.5}) < 0.25);
	assert_true(score((struct nj_agentic_evidence){0}) < 0.08);
}

static void an_interleave_the_null_shows_too_is_none(void **state)
{
	(void)state;
	struct nj_agentic_evidence confounded = full;
	confounded.z = 0;
	assert_true(score(confounded) < 0.5);
}

static void quick_questions_count_only_with_a_model(void **state)
{
	(void)state;
	struct nj_agentic_evidence slow = {
		.turns = 20, .nats = -1, .growth = 0.5, .turn_s = 6, .duty = 0.5, .pause_s = 9};
	struct nj_agentic_evidence quick = slow;
	quick.pause_s = 1.5;
	quick.p_llm = slow.p_llm = 0.9;
	assert_true(score(quick) > 0.5);
	assert_true(score(slow) < 0.3);
	quick.p_llm = 0; /* some service polled quickly */
	assert_true(score(quick) < 0.3);
}

static void few_turns_weigh_little(void **state)
{
	(void)state;
	struct nj_agentic_evidence young = full;
	young.turns = 1;
	assert_true(score(young) < 0.5);
}

static void growth_counts_rises(void **state)
{
	(void)state;
	struct nj_growth growing = {0}, equal = {0}, cut = {0};
	for (uint64_t i = 0; i < 20; i++) {
		nj_growth_add(&growing, 1000 + 500 * i);
		nj_growth_add(&equal, 700);
		nj_growth_add(&cut, 1000 + 500 * (i % 7));
	}
	assert_near(nj_growth_score(&growing), 1, 0);
	assert_near(nj_growth_score(&equal), 0, 0);
	assert_between(nj_growth_score(&cut), 0.5, 0.9);
	assert_int_equal(cut.resets, 2);
	assert_int_equal(growing.resets, 0);
	assert_near(nj_growth_median(&equal), 700, 0);
	nj_growth_add(&equal, UINT64_MAX); /* the latest is not part of its own median */
	assert_near(nj_growth_median(&equal), 700, 0);
}

static void a_name_is_evidence_but_never_required(void **state)
{
	(void)state;
	struct nj_llm_evidence unnamed = {
		.stream_score = 0.95, .api_share = 0, .growth = 0.9, .turn_s = 8, .exchanges = 20};
	struct nj_llm_evidence named = {.known = 1, .exchanges = 1};
	struct nj_llm_evidence other = {
		.stream_score = 0.05, .api_share = 0.1, .growth = 0.1, .turn_s = 60, .exchanges = 200};
	assert_between(nj_llm_p(&unnamed), 0.8, NJ_LLM_UNNAMED_MAX);
	assert_near(nj_llm_p(&named), 1, 0);
	assert_true(nj_llm_p(&other) < 0.2);
	unnamed.exchanges = 1;
	assert_true(nj_llm_p(&unnamed) < nj_llm_p(&(struct nj_llm_evidence){
						 .stream_score = 0.95, .growth = 0.9, .turn_s = 8, .exchanges = 20}));
}

static double any(struct draw *draw)
{
	switch (draw_below(draw, 8)) {
	case 0:
		return NAN;
	case 1:
		return INFINITY;
	case 2:
		return -INFINITY;
	default:
		return draw_normal(draw) * exp(20 * draw_uniform(draw));
	}
}

static void garbage_stays_bounded(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	for (unsigned i = 0; i < 20000; i++) {
		struct nj_agentic verdict;
		struct nj_agentic_evidence evidence = {.turns = (uint32_t)draw_bits(&draw),
						       .nats = any(&draw),
						       .loop = any(&draw),
						       .z = any(&draw),
						       .growth = any(&draw),
						       .turn_s = any(&draw),
						       .duty = any(&draw)};
		nj_agentic_judge(&evidence, &verdict);
		assert_between(verdict.score, 0, 1);
		struct nj_llm_evidence llm = {.known = any(&draw),
					      .stream_score = any(&draw),
					      .api_share = any(&draw),
					      .growth = any(&draw),
					      .turn_s = any(&draw),
					      .exchanges = (uint32_t)draw_bits(&draw)};
		assert_between(nj_llm_p(&llm), 0, 1);
	}
}

static void a_ring_goes_on_after_a_restore(void **state)
{
	(void)state;
	struct nj_growth a = {.n = (UINT32_C(1) << 31) - 3}, b;
	for (uint64_t i = 0; i < 5; i++)
		nj_growth_add(&a, i);
	memcpy(&b, &a, sizeof a);
	for (uint64_t i = 5; i < 30; i++) {
		nj_growth_add(&a, i);
		nj_growth_add(&b, i);
	}
	assert_memory_equal(&a, &b, sizeof a);
	assert_near(nj_growth_score(&a), 1, 0); /* the counter's fold did not disturb the ring */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_loop_is_agentic_and_a_chat_is_not),
		cmocka_unit_test(an_interleave_the_null_shows_too_is_none),
		cmocka_unit_test(quick_questions_count_only_with_a_model),
		cmocka_unit_test(few_turns_weigh_little),
		cmocka_unit_test(growth_counts_rises),
		cmocka_unit_test(a_name_is_evidence_but_never_required),
		cmocka_unit_test(garbage_stays_bounded),
		cmocka_unit_test(a_ring_goes_on_after_a_restore),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
