/* Heavy hitters against exact counts. */
#include "models/spacesaving.h"

#include "tests/unit/draw.h"

#include <string.h>

#define SLOTS 32
#define KEYS  1000
#define SEED  20261124

/* Zipf-like: key k with weight about 1/k. */
static uint64_t draw_key(struct draw *draw)
{
	return (uint64_t)pow(KEYS, draw_uniform(draw));
}

static void bounds_hold(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_heavy slot[SLOTS] = {0};
	uint64_t exact[KEYS + 1] = {0}, total = 0;
	for (unsigned i = 0; i < 50000; i++) {
		uint64_t key = draw_key(&draw), weight = 1 + draw_below(&draw, 5);
		bool fresh, known = nj_heavy_find(slot, SLOTS, key) >= 0;
		unsigned at = nj_heavy_add(slot, SLOTS, key, weight, &fresh);
		assert_true(fresh == !known);
		assert_true(slot[at].key == key);
		exact[key] += weight;
		total += weight;
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		assert_true(slot[i].count >= exact[slot[i].key]);
		assert_true(slot[i].count - slot[i].error <= exact[slot[i].key]);
	}
	for (uint64_t key = 1; key <= KEYS; key++)
		assert_true(exact[key] <= total / SLOTS || nj_heavy_find(slot, SLOTS, key) >= 0);
}

static void fills_before_it_displaces(void **state)
{
	(void)state;
	struct nj_heavy slot[4] = {0};
	bool fresh;
	for (uint64_t key = 0; key < 4; key++) { /* 0 is a key like others */
		nj_heavy_add(slot, 4, key, 10 - key, &fresh);
		assert_true(fresh);
	}
	for (uint64_t key = 0; key < 4; key++)
		assert_true(nj_heavy_find(slot, 4, key) >= 0);
	unsigned at = nj_heavy_add(slot, 4, 99, 1, &fresh); /* displaces the lightest, key 3 of weight 7 */
	assert_true(fresh);
	assert_int_equal(nj_heavy_find(slot, 4, 3), -1);
	assert_int_equal(slot[at].count, 8);
	assert_int_equal(slot[at].error, 7);
}

static void ties_break_by_key(void **state)
{
	(void)state;
	struct nj_heavy up[3] = {0}, down[3] = {0};
	for (uint64_t key = 1; key <= 3; key++) {
		nj_heavy_add(up, 3, key, 5, NULL);
		nj_heavy_add(down, 3, 4 - key, 5, NULL);
	}
	nj_heavy_add(up, 3, 9, 1, NULL);
	nj_heavy_add(down, 3, 9, 1, NULL);
	assert_int_equal(nj_heavy_find(up, 3, 1), -1);
	assert_int_equal(nj_heavy_find(down, 3, 1), -1);
}

static void restores_mid_stream_and_saturates(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_heavy whole[SLOTS] = {0}, restored[SLOTS];
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t key = draw_key(&draw);
		if (i == 777)
			memcpy(restored, whole, sizeof whole);
		nj_heavy_add(whole, SLOTS, key, 1, NULL);
		if (i >= 777)
			nj_heavy_add(restored, SLOTS, key, 1, NULL);
	}
	assert_memory_equal(whole, restored, sizeof whole);
	unsigned at = nj_heavy_add(whole, SLOTS, 7, UINT64_MAX, NULL);
	nj_heavy_add(whole, SLOTS, 7, UINT64_MAX, NULL);
	assert_true(whole[at].count == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(fills_before_it_displaces),
		cmocka_unit_test(ties_break_by_key),
		cmocka_unit_test(restores_mid_stream_and_saturates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
