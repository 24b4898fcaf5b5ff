/* The token-stream shape by hand: what a stream scores, what its look-alikes do, and that the sketch is bounded and
 * does not depend on anything but the series. Values from numpy are in tests/oracle. */
#include "models/tokens.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000ull

static unsigned seed = 7;

static unsigned below(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static uint16_t score(const struct nj_tokens *tokens, uint32_t wait_ms, uint64_t up)
{
	struct nj_tokens_shape shape;
	nj_tokens_shape(tokens, wait_ms, up, &shape);
	return shape.score;
}

/* Records of about *size* bytes, about *gap_ms* apart with a wide spread. */
static void run(struct nj_tokens *tokens, unsigned n, unsigned gap_ms, unsigned size, unsigned spread)
{
	uint64_t t_ns = 1000 * MS;
	memset(tokens, 0, sizeof *tokens);
	for (unsigned i = 0; i < n; i++) {
		nj_tokens_add(tokens, t_ns, size + below(spread + 1));
		t_ns += (gap_ms / 2 + below(gap_ms) + below(3) * below(gap_ms)) * MS + below(1000);
	}
}

static void log2_is_right_to_the_last_digit(void **state)
{
	(void)state;
	assert_int_equal(nj_log2_q10(0), 0);
	for (uint64_t value = 1; value < UINT64_MAX / 3; value += value / 3 + 1) {
		uint32_t expected = (uint32_t)floor(1024 * log2((double)value) + 1e-9);
		int32_t off = (int32_t)(nj_log2_q10(value) - expected);
		assert_true(off >= -1 && off <= 0);
	}
	assert_int_equal(nj_log2_q10(1ull << 40), 40 * 1024);
}

static void a_token_stream_scores_high(void **state)
{
	(void)state;
	struct nj_tokens tokens;
	run(&tokens, 200, 20, 180, 12);
	assert_in_range(score(&tokens, 700, 9000), 950, 1000);
	run(&tokens, 5000, 20, 180, 12);
	assert_in_range(score(&tokens, 700, 9000), 950, 1000);
}

static void what_is_no_stream_scores_low(void **state)
{
	(void)state;
	struct nj_tokens tokens;
	run(&tokens, 15, 20, 180, 12); /* too short */
	assert_int_equal(score(&tokens, 700, 9000), 0);
	run(&tokens, 400, 1, 16000, 400); /* a download */
	assert_in_range(score(&tokens, 50, 300), 0, 50);
	run(&tokens, 200, 20, 100, 900); /* market data: sizes all over, no request, no silence */
	assert_in_range(score(&tokens, 10, 90), 0, 400);
	memset(&tokens, 0, sizeof tokens); /* a clock: same size, same gap */
	for (unsigned i = 0; i < 100; i++)
		nj_tokens_add(&tokens, 1 + i * 50 * MS, 100);
	assert_in_range(score(&tokens, 700, 9000), 0, 300);
}

static void every_series_is_bounded(void **state)
{
	(void)state;
	struct nj_tokens tokens = {0};
	struct nj_tokens_shape shape;
	nj_tokens_shape(&tokens, 0, 0, &shape);
	assert_int_equal(shape.score, 0);
	uint64_t t_ns = 0;
	for (unsigned i = 0; i < 300000; i++) {
		nj_tokens_add(&tokens, t_ns, below(4) ? below(2000) : UINT32_MAX);
		t_ns = below(100) ? t_ns + below(2000) * (uint64_t)below(1000000) : UINT64_MAX / (1 + below(9));
		if (i % 1000)
			continue;
		nj_tokens_shape(&tokens, UINT32_MAX, UINT64_MAX, &shape);
		assert_true(shape.score <= NJ_TOKENS_ONE);
		for (unsigned k = 0; k < NJ_TOKENS_PARTS_N; k++)
			assert_true(shape.membership[k] <= NJ_TOKENS_ONE);
		assert_true(tokens.sizes_kept <= NJ_TOKENS_KEPT_MAX && tokens.gaps_kept <= NJ_TOKENS_KEPT_MAX);
	}
	assert_int_equal(tokens.records, 300000);
}

/* Which records stay is known by their number: of 1000 each 16th. */
static void kept_are_each_nth(void **state)
{
	(void)state;
	struct nj_tokens tokens = {0};
	for (unsigned i = 0; i < 1000; i++)
		nj_tokens_add(&tokens, 1, i);
	assert_int_equal(tokens.sizes_kept, 63);
	for (unsigned i = 0; i < 63; i++)
		assert_int_equal(tokens.size[i], 16 * i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log2_is_right_to_the_last_digit),
		cmocka_unit_test(a_token_stream_scores_high),
		cmocka_unit_test(what_is_no_stream_scores_low),
		cmocka_unit_test(every_series_is_bounded),
		cmocka_unit_test(kept_are_each_nth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
