/* Too many peers, all of them answering. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

#include <math.h>

static void many_answering_hosts_are_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (uint32_t round = 0; round < 4; round++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		for (uint32_t i = 0; i < 100; i++)
			sample_contact(w, sample_addr_plus("10.20.2.0", 100 * round + i), 443, 6, SAMPLE_ANSWERED);
		sample_judge(b, 1);
	}
	const struct nj_alert *alert;
	assert_true(sample_alerts(b, "fanout", &alert) >= 1);
	assert_int_equal(sample_alerts(b, "scan", NULL), 0);
	assert_true(alert->features[0].value > 50);
	assert_true(alert->features[0].usual < 10);
	sample_bench_free(b);
}

static void a_few_peers_are_quiet(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (uint32_t round = 0; round < 360; round++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		for (uint32_t i = 0; i < 6; i++)
			sample_contact(w, sample_addr_plus("10.20.2.0", i), 443, 6, SAMPLE_ANSWERED);
		for (uint32_t i = 0; i < 8; i++) /* browsing: other servers all the time */
			sample_contact(w, sample_addr_plus("198.51.0.0", (round * 8 + i) % 400), 443, 6,
				       SAMPLE_ANSWERED);
		sample_judge(b, 1);
	}
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

/* A crawler's own weeks make its fan-out usual; a newcomer with the same count is strange. */
static void own_history_counts(void **state)
{
	(void)state;
	struct sample_options options = {.learn_only = true};
	struct sample_bench *learned = sample_bench_new(&options);
	options.learn_only = false;
	struct sample_bench *fresh = sample_bench_new(&options);
	double ln_p[2] = {0};
	struct sample_bench *benches[2] = {learned, fresh};
	for (int which = 0; which < 2; which++) {
		struct sample_bench *b = benches[which];
		for (uint32_t hour = 0; which == 0 && hour < 24 * 14; hour++) {
			struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
			for (uint32_t i = 0; i < 150; i++)
				sample_contact(w, sample_addr_plus("10.20.2.0", i), 443, 6, SAMPLE_ANSWERED);
			sample_judge(b, 360);
		}
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		for (uint32_t i = 0; i < 170; i++)
			sample_contact(w, sample_addr_plus("10.20.2.0", i), 443, 6, SAMPLE_ANSWERED);
		struct nj_view view = {.window = w};
		bool is_new;
		struct nj_profiles *profiles = nj_engine_profiles(b->engine);
		nj_profiles_release(profiles);
		uint8_t bytes[20] = {0};
		memcpy(bytes, w->agent.addr.byte, 16);
		view.profile = nj_profiles_take(profiles, &w->agent, nj_hash64(bytes, sizeof bytes, &b->key), &is_new);
		assert_int_equal(is_new, which == 1);
		struct nj_judgement judgement = {.start_ns = b->start_ns,
						 .end_ns = b->start_ns + SAMPLE_WIDTH_NS,
						 .fleet = nj_engine_fleet(b->engine),
						 .prior = &b->prior,
						 .inventory = b->inventory,
						 .key = &b->key};
		struct nj_score scores[NJ_SCORES_PER_JUDGE];
		uint32_t n = nj_detectors[NJ_DETECTOR_FANOUT]->judge(&judgement, &view, scores);
		assert_int_equal(n, 1);
		ln_p[which] = scores[0].ln_p;
	}
	assert_true(ln_p[0] > ln_p[1] / 2); /* far less strange for the crawler */
	assert_true(ln_p[1] < -5);
	sample_bench_free(learned);
	sample_bench_free(fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_answering_hosts_are_told),
		cmocka_unit_test(a_few_peers_are_quiet),
		cmocka_unit_test(own_history_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
