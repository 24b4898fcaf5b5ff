/* Remembered for one half-life at least, two at most; false rate as predicted. */
#include "models/bloom.h"

#include "tests/unit/draw.h"

#include <string.h>

#define HOUR UINT64_C(3600000000000)
#define BITS 12
#define SEED 20261124

static void remembers_one_half_life_forgets_after_two(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		struct draw draw = draw_seed(SEED + round);
		struct nj_bloom bloom;
		uint64_t word[NJ_BLOOM_WORDS(BITS)] = {0}, t_ns = draw_below(&draw, 1000 * HOUR),
			 key = draw_bits(&draw);
		nj_bloom_init(&bloom, BITS, HOUR);
		assert_false(nj_bloom_test_add(&bloom, word, t_ns, key));
		uint64_t until_ns = t_ns + HOUR - 1 - t_ns % HOUR + HOUR;
		for (uint64_t now_ns = t_ns; now_ns <= until_ns; now_ns += HOUR / 7)
			assert_true(nj_bloom_test(&bloom, word, now_ns, key));
		assert_true(nj_bloom_test(&bloom, word, until_ns, key));
		assert_false(nj_bloom_test(&bloom, word, until_ns + 1, key));
		nj_bloom_add(&bloom, word, until_ns + 1, key);
		assert_false(nj_bloom_test(&bloom, word, until_ns + 100 * HOUR, key));
	}
}

static void late_events_are_remembered(void **state)
{
	(void)state;
	struct nj_bloom bloom;
	uint64_t word[NJ_BLOOM_WORDS(BITS)] = {0};
	nj_bloom_init(&bloom, BITS, HOUR);
	nj_bloom_add(&bloom, word, 100 * HOUR, 1);
	nj_bloom_add(&bloom, word, 3, 2);
	assert_true(nj_bloom_test(&bloom, word, 100 * HOUR, 2));
	assert_true(nj_bloom_test(&bloom, word, 3, 1));
}

static void false_rate_is_as_predicted(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_bloom bloom;
	uint64_t word[NJ_BLOOM_WORDS(BITS)] = {0};
	nj_bloom_init(&bloom, BITS, HOUR);
	for (unsigned i = 0; i < 400; i++)
		nj_bloom_add(&bloom, word, HOUR, draw_bits(&draw));
	assert_between(bloom.added, 390, 400);
	unsigned taken = 0, tries = 200000;
	for (unsigned i = 0; i < tries; i++)
		taken += nj_bloom_test(&bloom, word, HOUR, draw_bits(&draw));
	double predicted = pow(1 - exp(-4 * 400.0 / 4096), 4);
	print_message("false rate %.4f, from fill %.4f, formula %.4f\n", (double)taken / tries,
		      nj_bloom_false_rate(&bloom, word), predicted);
	assert_near((double)taken / tries, predicted, 0.15 * predicted);
	assert_near(nj_bloom_false_rate(&bloom, word), predicted, 0.15 * predicted);
}

static void restores_mid_stream(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_bloom whole, restored;
	uint64_t word[NJ_BLOOM_WORDS(8)] = {0}, restored_word[NJ_BLOOM_WORDS(8)], t_ns = 5;
	nj_bloom_init(&whole, 8, HOUR);
	for (unsigned i = 0; i < 3000; i++) {
		if (i == 1234) {
			restored = whole;
			memcpy(restored_word, word, sizeof word);
		}
		uint64_t key = draw_below(&draw, 200);
		t_ns += draw_below(&draw, HOUR / 20);
		bool known = nj_bloom_test_add(&whole, word, t_ns, key);
		if (i >= 1234)
			assert_true(nj_bloom_test_add(&restored, restored_word, t_ns, key) == known);
	}
	assert_memory_equal(&whole, &restored, sizeof whole);
	assert_memory_equal(word, restored_word, sizeof word);
	nj_bloom_add(&whole, word, UINT64_MAX, 7);
	assert_true(nj_bloom_test(&whole, word, UINT64_MAX, 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembers_one_half_life_forgets_after_two),
		cmocka_unit_test(late_events_are_remembered),
		cmocka_unit_test(false_rate_is_as_predicted),
		cmocka_unit_test(restores_mid_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
