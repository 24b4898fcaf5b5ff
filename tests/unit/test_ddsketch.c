/* The bucket table against its rule, the promised 5 %, merge laws, saturation. */
#include "models/ddsketch.h"

#include "tests/unit/draw.h"

#include <stdlib.h>
#include <string.h>

#define SEED 20261124

static void bounds_follow_the_rule(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(nj_ddsketch_lower(i), i);
	for (unsigned i = 20; i < NJ_DDSKETCH_BUCKETS; i++)
		assert_int_equal(nj_ddsketch_lower(i), nj_ddsketch_lower(i - 1) * 21 / 19);
	assert_true(nj_ddsketch_lower(NJ_DDSKETCH_BUCKETS) == UINT64_MAX);
}

static void every_value_is_within_five_percent(void **state)
{
	(void)state;
	for (uint64_t value = 0; value < 752868; value += 1 + value / 500) {
		unsigned bucket = nj_ddsketch_bucket(value);
		assert_true(nj_ddsketch_lower(bucket) <= value);
		assert_true(nj_ddsketch_lower(bucket + 1) > value);
		assert_near(nj_ddsketch_value(bucket), (double)value, 0.05 * (double)value + 1e-12);
	}
	assert_int_equal(nj_ddsketch_bucket(752868), NJ_DDSKETCH_BUCKETS - 1);
	assert_int_equal(nj_ddsketch_bucket(UINT64_MAX), NJ_DDSKETCH_BUCKETS - 1);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void quantiles_and_ranks(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	uint64_t value[5000];
	uint32_t count[NJ_DDSKETCH_BUCKETS] = {0};
	for (unsigned i = 0; i < 5000; i++)
		nj_ddsketch_add(count, value[i] = (uint64_t)exp(6 + 2 * draw_normal(&draw)));
	qsort(value, 5000, sizeof value[0], by_value);
	for (double q = 0; q <= 1; q += 1.0 / 64) {
		double exact = (double)value[(size_t)(q * 4999)];
		assert_near(nj_ddsketch_quantile(count, q), exact, 0.05 * exact + 1e-12);
	}
	for (unsigned bucket = 0; bucket <= NJ_DDSKETCH_BUCKETS; bucket++) {
		uint64_t above = 0;
		for (unsigned i = 0; i < 5000; i++)
			above += value[i] >= nj_ddsketch_lower(bucket);
		assert_int_equal(nj_ddsketch_count_from(count, bucket), above);
	}
	assert_true(nj_ddsketch_cdf(count, UINT64_MAX) == 1);
}

static void merges(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	uint32_t part[3][NJ_DDSKETCH_BUCKETS] = {0}, whole[NJ_DDSKETCH_BUCKETS] = {0};
	uint32_t left[NJ_DDSKETCH_BUCKETS], right[NJ_DDSKETCH_BUCKETS], empty[NJ_DDSKETCH_BUCKETS] = {0};
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t value = draw_bits(&draw) >> draw_below(&draw, 64);
		nj_ddsketch_add(whole, value);
		nj_ddsketch_add(part[draw_below(&draw, 3)], value);
	}
	memcpy(left, part[0], sizeof left);
	nj_ddsketch_merge(left, part[1]);
	nj_ddsketch_merge(left, part[2]);
	memcpy(right, part[1], sizeof right);
	nj_ddsketch_merge(right, part[2]);
	nj_ddsketch_merge(right, part[0]);
	assert_memory_equal(left, whole, sizeof whole);
	assert_memory_equal(right, whole, sizeof whole);
	nj_ddsketch_merge(whole, empty);
	assert_memory_equal(left, whole, sizeof whole);
}

static void saturates_and_knows_nothing(void **state)
{
	(void)state;
	uint32_t count[NJ_DDSKETCH_BUCKETS] = {0}, full[NJ_DDSKETCH_BUCKETS];
	assert_true(isnan(nj_ddsketch_quantile(count, 0.5)));
	assert_true(isnan(nj_ddsketch_cdf(count, 5)));
	memset(full, 0xff, sizeof full);
	nj_ddsketch_merge(full, full);
	nj_ddsketch_add(full, 3);
	assert_true(full[3] == UINT32_MAX && full[127] == UINT32_MAX);
	assert_true(nj_ddsketch_count(full) == 128 * (uint64_t)UINT32_MAX);
	assert_true(isfinite(nj_ddsketch_quantile(full, 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_follow_the_rule),      cmocka_unit_test(every_value_is_within_five_percent),
		cmocka_unit_test(quantiles_and_ranks),         cmocka_unit_test(merges),
		cmocka_unit_test(saturates_and_knows_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
