/* The desk: conservation, budget, repeats, confidence, learned tails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

#include <math.h>

static void scan(struct sample_bench *b, uint32_t agent, uint32_t hosts, uint32_t from)
{
	struct nj_window *w = sample_window(b, sample_addr_plus("10.20.0.0", agent));
	for (uint32_t i = 0; i < hosts; i++)
		sample_contact(w, sample_addr_plus("10.30.0.0", from + i), 445, 6, SAMPLE_REFUSED);
}

static void conserved(const struct sample_bench *b)
{
	struct nj_desk_counts counts = nj_desk_counts(b->desk);
	assert_int_equal(counts.raised, counts.paged + counts.queued + counts.merged);
	assert_int_equal(b->alerts_n, counts.paged + counts.queued);
	assert_int_equal(b->merged, counts.merged);
}

/* More scanners than the budget: the first are paged, the severe ones get the reserve, the rest is queued, none is
 * lost. */
static void beyond_the_budget_is_queued(void **state)
{
	(void)state;
	struct sample_options options = {.alerts_per_day = 5};
	struct sample_bench *b = sample_bench_new(&options);
	for (uint32_t agent = 1; agent <= 30; agent++)
		scan(b, agent, 20, 1000 * agent); /* medium: twenty hosts */
	sample_judge(b, 1);
	struct nj_desk_counts counts = nj_desk_counts(b->desk);
	assert_int_equal(counts.raised, 30);
	assert_int_equal(counts.paged, 5);
	assert_int_equal(counts.queued, 25);
	conserved(b);
	for (uint32_t agent = 101; agent <= 110; agent++)
		scan(b, agent, 200, 1000 * agent); /* high */
	sample_judge(b, 1);
	assert_int_equal(nj_desk_counts(b->desk).paged, 10);
	conserved(b);
	/* Another day, another budget. */
	b->start_ns += 86400ull * 1000000000;
	scan(b, 201, 20, 1000 * 201);
	sample_judge(b, 1);
	assert_int_equal(nj_desk_counts(b->desk).paged, 11);
	conserved(b);
	sample_bench_free(b);
}

/* The same agent goes on: merged for a day, told again when it has become more severe, told again the next day. */
static void repeats_are_merged(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	uint32_t from = 0;
	for (int round = 0; round < 4; round++, from += 10) {
		scan(b, 1, 10, from);
		sample_judge(b, 1);
	}
	assert_int_equal(b->alerts_n, 1);
	assert_int_equal(b->alerts[0].severity, NJ_SEVERITY_MEDIUM);
	assert_int_equal(b->merged, 3);
	scan(b, 1, 200, from);
	sample_judge(b, 1);
	assert_int_equal(b->alerts_n, 2);
	assert_int_equal(b->alerts[1].severity, NJ_SEVERITY_HIGH);
	assert_true(b->alerts[1].id != b->alerts[0].id);
	b->start_ns += 86400ull * 1000000000;
	scan(b, 1, 20, from + 1000);
	sample_judge(b, 1);
	assert_int_equal(b->alerts_n, 3);
	conserved(b);
	sample_bench_free(b);
}

/* Frames lost meanwhile lower the confidence and stand in the text. */
static void blindness_lowers_confidence(void **state)
{
	(void)state;
	double score[2];
	for (int lossy = 0; lossy < 2; lossy++) {
		struct sample_options options = {0};
		struct sample_bench *b = sample_bench_new(&options);
		b->account.frames_seen = 800;
		b->account.kernel_drops = lossy ? 200 : 0;
		scan(b, 1, 12, 0);
		sample_judge(b, 1);
		assert_int_equal(b->alerts_n, 1);
		score[lossy] = b->alerts[0].score;
		assert_true(fabs(b->alerts[0].visibility.dropped_share - (lossy ? 0.2 : 0)) < 1e-9);
		assert_int_equal(strstr(b->alerts[0].summary, "20 % of the frames were lost") != NULL, lossy);
		sample_bench_free(b);
	}
	assert_true(fabs(score[1] - 0.8 * score[0]) < 1e-9);
}

/* A tail that has learned that benign agents often score like this makes the same score less strange. */
static void a_learned_tail_raises_p(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *cold = sample_bench_new(&options), *warm = sample_bench_new(&options);
	nj_desk_free(&warm->desk);
	for (unsigned bucket = 0; bucket < NJ_DDSKETCH_BUCKETS; bucket++)
		if (nj_ddsketch_lower(bucket) < (uint64_t)(30 * NJ_TAIL_RESOLUTION))
			warm->prior.tail[NJ_DETECTOR_SCAN][bucket] = 100;
	struct nj_desk_options desk = {.alerts_per_day = 20,
				       .agents_max = 4096,
				       .inventory = warm->inventory,
				       .prior = &warm->prior,
				       .hash_key = &warm->key};
	assert_int_equal(nj_desk_new(&desk, &warm->desk), 0);
	nj_desk_listen(warm->desk, sample_on_alert, sample_on_merged, warm);
	struct sample_bench *benches[2] = {cold, warm};
	for (int i = 0; i < 2; i++) {
		scan(benches[i], 1, 9, 0);
		sample_judge(benches[i], 1);
	}
	assert_int_equal(cold->alerts_n, 1);
	assert_int_equal(warm->alerts_n, 0);
	sample_bench_free(cold);
	sample_bench_free(warm);
}

static void learning_raises_nothing(void **state)
{
	(void)state;
	struct sample_options options = {.learn_only = true};
	struct sample_bench *b = sample_bench_new(&options);
	scan(b, 1, 200, 0);
	sample_judge(b, 1);
	assert_int_equal(b->alerts_n, 0);
	struct nj_prior prior = b->prior;
	nj_desk_tails(b->desk, &prior);
	uint64_t learned = 0;
	for (int bucket = 0; bucket < NJ_DDSKETCH_BUCKETS; bucket++)
		learned += prior.tail[NJ_DETECTOR_SCAN][bucket];
	assert_int_equal(learned, 1);
	sample_bench_free(b);
}

/* A quiet network must not be made to fill its budget: weeks of weak scores raise nothing. */
static void quiet_weeks_stay_quiet(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (uint32_t hour = 0; hour < 24 * 21; hour++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		sample_contact(w, sample_addr_plus("10.30.0.0", hour), 443, 6, SAMPLE_ANSWERED);
		if (hour % 5 == 0)
			sample_contact(w, sample_addr_plus("10.31.0.0", hour), 443, 6, SAMPLE_REFUSED);
		sample_judge(b, 360);
	}
	for (uint32_t i = 0; i < b->alerts_n; i++)
		print_error("%s\n", b->alerts[i].summary);
	assert_int_equal(b->alerts_n, 0);
	assert_true(nj_desk_threshold(b->desk) >= NJ_DESK_STRENGTH_MIN);
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beyond_the_budget_is_queued), cmocka_unit_test(repeats_are_merged),
		cmocka_unit_test(blindness_lowers_confidence), cmocka_unit_test(a_learned_tail_raises_p),
		cmocka_unit_test(learning_raises_nothing),     cmocka_unit_test(quiet_weeks_stay_quiet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
