/* Think, act, think, act: against bursts of the same volume, a chat that is only read, and time that runs strangely. */
#include "models/loop.h"

#include "tests/unit/draw.h"

#include <stdio.h>
#include <string.h>

#define SEED   20261124
#define SECOND UINT64_C(1000000000)
#define MODEL  UINT64_C(0x1234567800000007)

struct scene {
	struct nj_loop loop;
	struct nj_actions actions;
};

static uint64_t ns(double t_s)
{
	return (uint64_t)(t_s * 1e9);
}

/* An agent of *turns* turns: a think time, an action that begins within a second of the answer, the next question when
 * it is done. */
static void play_agent(struct scene *scene, struct draw *draw, double t_s, unsigned turns)
{
	for (unsigned i = 0; i < turns; i++) {
		double answered = t_s + 2 + 6 * draw_uniform(draw), began = answered + draw_uniform(draw);
		double done = began + 0.3 + 2 * draw_uniform(draw);
		nj_loop_add(&scene->loop, ns(t_s), ns(answered));
		nj_actions_add(&scene->actions, 100 + draw_below(draw, 5), ns(began), ns(done));
		t_s = done + draw_uniform(draw);
	}
}

static struct nj_loop_verdict judged(const struct scene *scene)
{
	struct nj_loop_verdict verdict;
	nj_loop_judge(&scene->loop, &scene->actions, MODEL, &verdict);
	return verdict;
}

static void an_agent_interleaves(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct scene scene = {0};
		struct draw draw = draw_seed(SEED + seed);
		play_agent(&scene, &draw, 1000, 40);
		struct nj_loop_verdict verdict = judged(&scene);
		assert_int_equal(verdict.turns, NJ_LOOP_TURNS);
		assert_between(verdict.nats, 2, NJ_LOOP_NATS_MAX);
		assert_between(verdict.loop, 0.9, 1);
		assert_true(verdict.z > 2);
		assert_between(verdict.turn_s, 3, 14);
	}
}

/* The same number of actions, at times that have nothing to do with the answers. */
static void bursts_beside_a_chat_do_not(void **state)
{
	(void)state;
	unsigned strong = 0;
	for (unsigned seed = 0; seed < 40; seed++) {
		struct scene scene = {0};
		struct draw draw = draw_seed(SEED + seed);
		double t_s = 1000;
		for (unsigned i = 0; i < 32; i++) {
			nj_loop_add(&scene.loop, ns(t_s), ns(t_s + 4));
			t_s += 8 + 40 * draw_exponential(&draw);
		}
		double burst_s = 1000;
		while (burst_s < t_s) {
			for (unsigned i = 0; i < 5; i++)
				nj_actions_add(&scene.actions, 100 + i, ns(burst_s + 0.2 * i), ns(burst_s + 1));
			burst_s += 60 * draw_exponential(&draw);
		}
		struct nj_loop_verdict verdict = judged(&scene);
		assert_true(verdict.nats < 1.5);
		strong += verdict.z > 3;
	}
	assert_true(strong <= 4);
}

static void reading_only_is_no_loop(void **state)
{
	(void)state;
	struct scene scene = {0};
	for (unsigned i = 0; i < 32; i++)
		nj_loop_add(&scene.loop, ns(1000 + 30.0 * i), ns(1004 + 30.0 * i));
	struct nj_loop_verdict verdict = judged(&scene);
	assert_near(verdict.base, 0.02, 1e-12);
	assert_near(verdict.nats, log(0.2 / 0.98), 1e-12);
	assert_near(verdict.loop, 0, 0);
	assert_near(verdict.turn_s, 30, 1e-9);
	assert_near(verdict.duty, 1, 1e-9); /* every minute since the first */
}

/* It acts at once, but asks again only half a minute later: no return leg. */
static void a_late_question_is_no_return(void **state)
{
	(void)state;
	struct scene scene = {0};
	for (unsigned i = 0; i < 20; i++) {
		nj_loop_add(&scene.loop, ns(1000 + 40.0 * i), ns(1003 + 40.0 * i));
		nj_actions_add(&scene.actions, 5, ns(1003.5 + 40.0 * i), ns(1004 + 40.0 * i));
	}
	assert_near(judged(&scene).acted, 1, 0);
	assert_near(judged(&scene).loop, 0, 0);
	assert_near(judged(&scene).pause_s, 37, 1e-9);
}

/* Actions towards the thinking peer itself are its exchanges' connections, not what it decided. */
static void the_model_itself_is_left_out(void **state)
{
	(void)state;
	struct scene scene = {0}, other = {0};
	for (unsigned i = 0; i < 20; i++) {
		double t_s = 1000 + 12.0 * i;
		nj_loop_add(&scene.loop, ns(t_s), ns(t_s + 5));
		nj_actions_add(&scene.actions, MODEL, ns(t_s + 5.5), ns(t_s + 6));
		nj_loop_add(&other.loop, ns(t_s), ns(t_s + 5));
		nj_actions_add(&other.actions, MODEL + 1, ns(t_s + 5.5), ns(t_s + 6));
	}
	assert_near(judged(&scene).acted, 0, 0);
	assert_near(judged(&other).acted, 1, 0);
}

static void order_within_reason_does_not_matter(void **state)
{
	(void)state;
	struct scene forwards = {0}, backwards = {0};
	for (unsigned i = 0; i < 32; i++) {
		nj_loop_add(&forwards.loop, ns(1000 + 7.0 * i), ns(1003 + 7.0 * i));
		nj_actions_add(&forwards.actions, i, ns(1004 + 7.0 * i), ns(1005 + 7.0 * i));
	}
	for (unsigned i = 32; i-- > 0;) {
		nj_loop_add(&backwards.loop, ns(1000 + 7.0 * i), ns(1003 + 7.0 * i));
		nj_actions_add(&backwards.actions, i, ns(1004 + 7.0 * i), ns(1005 + 7.0 * i));
	}
	assert_memory_equal(&forwards, &backwards, sizeof forwards);
}

static void a_restored_state_goes_on_alike(void **state)
{
	(void)state;
	struct scene scene = {0}, restored;
	struct draw draw = draw_seed(SEED);
	play_agent(&scene, &draw, 1000, 17);
	memcpy(&restored, &scene, sizeof scene);
	struct draw again = draw;
	play_agent(&scene, &draw, 2000, 9);
	play_agent(&restored, &again, 2000, 9);
	assert_memory_equal(&scene, &restored, sizeof scene);
}

static void few_turns_say_nothing(void **state)
{
	(void)state;
	struct scene scene = {0};
	struct draw draw = draw_seed(SEED);
	assert_int_equal(judged(&scene).turns, 0);
	play_agent(&scene, &draw, 1000, NJ_LOOP_TURN_MIN - 1);
	struct nj_loop_verdict verdict = judged(&scene);
	assert_int_equal(verdict.turns, NJ_LOOP_TURN_MIN - 1);
	assert_near(verdict.nats, 0, 0);
	assert_near(verdict.z, 0, 0);
}

/* Repeats towards one peer within a second are one action; a full list forgets the oldest and looks only as far back.
 */
static void lists_are_bounded(void **state)
{
	(void)state;
	struct scene scene = {0};
	for (unsigned i = 0; i < 1000; i++)
		nj_actions_add(&scene.actions, 5, ns(1000) + i * (SECOND / 2000), ns(1001));
	assert_int_equal(scene.actions.n, 1);
	assert_int_equal(scene.actions.seen, 1);
	for (unsigned i = 0; i < 1000; i++) {
		nj_actions_add(&scene.actions, i, ns(2000 + i), ns(2000 + i));
		nj_loop_add(&scene.loop, ns(2000 + i), ns(2000 + i));
	}
	assert_int_equal(scene.actions.n, NJ_LOOP_ACTIONS);
	assert_int_equal(scene.loop.n, NJ_LOOP_TURNS);
	assert_int_equal(scene.loop.turns, 1000);
	assert_int_equal(scene.actions.action[0].peer, 1000 - NJ_LOOP_ACTIONS);
}

static void garbage_stays_bounded(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	for (unsigned run = 0; run < 300; run++) {
		struct scene scene = {0};
		unsigned n = 1 + (unsigned)draw_below(&draw, 100);
		for (unsigned i = 0; i < n; i++) {
			uint64_t shift = draw_below(&draw, 64);
			nj_loop_add(&scene.loop, draw_bits(&draw) >> shift, draw_bits(&draw) >> shift);
			nj_actions_add(&scene.actions, draw_bits(&draw), draw_bits(&draw) >> shift,
				       draw_bits(&draw) >> shift);
		}
		struct nj_loop_verdict verdict = judged(&scene);
		assert_between(verdict.nats, -1.7, NJ_LOOP_NATS_MAX);
		assert_between(verdict.loop, 0, 1);
		assert_between(verdict.base, 0, 0.8);
		assert_between(verdict.z, -34, 34);
		assert_between(verdict.duty, 0, 1);
		assert_true(isfinite(verdict.turn_s));
	}
}

static void silence_of_months_begins_anew(void **state)
{
	(void)state;
	struct scene scene = {0};
	struct draw draw = draw_seed(SEED);
	play_agent(&scene, &draw, 1000, 20);
	play_agent(&scene, &draw, 1000 + 90 * 86400.0, 6);
	assert_int_equal(scene.loop.n, 6);
	assert_int_equal(scene.actions.n, 6);
	assert_int_equal(scene.loop.turns, 26);
	assert_between(judged(&scene).duty, 0.1, 0.2); /* one or two minutes, of ten */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_interleaves),
		cmocka_unit_test(bursts_beside_a_chat_do_not),
		cmocka_unit_test(reading_only_is_no_loop),
		cmocka_unit_test(a_late_question_is_no_return),
		cmocka_unit_test(the_model_itself_is_left_out),
		cmocka_unit_test(order_within_reason_does_not_matter),
		cmocka_unit_test(a_restored_state_goes_on_alike),
		cmocka_unit_test(few_turns_say_nothing),
		cmocka_unit_test(lists_are_bounded),
		cmocka_unit_test(garbage_stays_bounded),
		cmocka_unit_test(silence_of_months_begins_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
