/* Distinct counts: accuracy, canonical bytes, merge laws, garbage. */
#include "models/hll.h"

#include "tests/unit/draw.h"

#include <string.h>

#define SEED 20261124

static void fill(struct nj_hll *hll, uint64_t *hash, size_t n)
{
	memset(hll, 0, sizeof *hll);
	for (size_t i = 0; i < n; i++)
		nj_hll_add(hll, hash[i]);
}

static void registers_follow_the_window_contract(void **state)
{
	(void)state;
	uint8_t registers[NJ_HLL_REGISTERS] = {0};
	nj_registers_add(registers, 0x8000000000000005); /* low byte 5, remaining 56 bits begin with 1: rank 1 */
	nj_registers_add(registers, 0x0000000000000107); /* low byte 7, only the last of 56 bits set: rank 56 */
	nj_registers_add(registers, 0x0000000000000009); /* low byte 9, none set: rank 57 */
	assert_int_equal(registers[5], 1);
	assert_int_equal(registers[7], 56);
	assert_int_equal(registers[9], 57);
}

static void exact_then_within_error(void **state)
{
	(void)state;
	static const unsigned sizes[] = {0, 1, 24, 25, 50, 100, 300, 1000, 10000, 100000};
	for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		struct draw draw = draw_seed(SEED + s);
		unsigned n = sizes[s], rounds = n > 1000 ? 30 : 300;
		double bias = 0, squares = 0;
		for (unsigned r = 0; r < rounds; r++) {
			struct nj_hll hll = {0};
			for (unsigned i = 0; i < n; i++) {
				uint64_t hash = draw_bits(&draw);
				nj_hll_add(&hll, hash);
				nj_hll_add(&hll, hash); /* again: changes nothing */
			}
			double error = n > 0 ? nj_hll_estimate(&hll) / n - 1 : nj_hll_estimate(&hll);
			bias += error / rounds;
			squares += error * error / rounds;
		}
		print_message("n = %6u: bias %+.3f, standard error %.3f\n", n, bias, sqrt(squares));
		assert_near(bias, 0, n <= NJ_HLL_EXACT_MAX ? 0 : 4 * 0.065 / sqrt(rounds));
		assert_true(sqrt(squares) <= (n <= NJ_HLL_EXACT_MAX ? 0 : 0.085));
	}
}

static void same_set_same_bytes(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct draw draw = draw_seed(SEED + round);
		uint64_t hash[60];
		size_t n = draw_below(&draw, 60) + 1;
		for (size_t i = 0; i < n; i++)
			hash[i] = draw_below(&draw, 4) == 0 && i > 0 ? hash[i - 1] : draw_bits(&draw);
		struct nj_hll whole, shuffled, parts[3] = {0}, left, right;
		fill(&whole, hash, n);
		for (size_t i = n - 1; i > 0; i--) {
			size_t j = draw_below(&draw, i + 1);
			uint64_t swap = hash[i];
			hash[i] = hash[j], hash[j] = swap;
		}
		fill(&shuffled, hash, n);
		assert_memory_equal(&whole, &shuffled, sizeof whole);
		for (size_t i = 0; i < n; i++)
			nj_hll_add(&parts[draw_below(&draw, 3)], hash[i]);
		left = parts[0];
		nj_hll_merge(&left, &parts[1]);
		nj_hll_merge(&left, &parts[2]);
		right = parts[2];
		nj_hll_merge(&right, &parts[1]);
		nj_hll_merge(&right, &parts[0]);
		assert_memory_equal(&whole, &left, sizeof whole);
		assert_memory_equal(&whole, &right, sizeof whole);
		struct nj_hll empty = {0};
		nj_hll_merge(&left, &empty);
		assert_memory_equal(&whole, &left, sizeof whole);
		nj_hll_merge(&empty, &left);
		assert_memory_equal(&whole, &empty, sizeof whole);
		assert_true(nj_hll_valid(&whole));
	}
}

static void agrees_with_registers(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_hll hll = {0}, from_registers = {0};
	uint8_t registers[NJ_HLL_REGISTERS] = {0}, unpacked[NJ_HLL_REGISTERS];
	for (unsigned i = 0; i < 500; i++) {
		uint64_t hash = draw_bits(&draw);
		nj_hll_add(&hll, hash);
		nj_registers_add(registers, hash);
		nj_hll_registers(&hll, unpacked);
		assert_memory_equal(registers, unpacked, sizeof registers);
	}
	nj_hll_merge_registers(&from_registers, registers);
	assert_memory_equal(&hll, &from_registers, sizeof hll);
	memset(registers, 0, sizeof registers); /* nothing in the window: nothing changes, an exact set stays exact */
	struct nj_hll small = {0};
	nj_hll_add(&small, 1);
	nj_hll_merge_registers(&small, registers);
	assert_true(nj_hll_estimate(&small) == 1);
}

static void survives_garbage(void **state)
{
	(void)state;
	uint8_t registers[NJ_HLL_REGISTERS];
	memset(registers, 0xff, sizeof registers);
	assert_true(isfinite(nj_registers_estimate(registers)));
	struct nj_hll hll = {0};
	nj_hll_merge_registers(&hll, registers);
	assert_true(nj_hll_valid(&hll)); /* foreign ranks were cut to 57 */
	assert_true(nj_hll_estimate(&hll) > 1e15);
	hll.packed[17] = 0xff;
	assert_false(nj_hll_valid(&hll));
	struct nj_hll wrong = {.exact_n = 25};
	assert_false(nj_hll_valid(&wrong));
	wrong = (struct nj_hll){.dense = 2};
	assert_false(nj_hll_valid(&wrong));
	wrong = (struct nj_hll){.exact_n = 2, .hash = {5, 5}};
	assert_false(nj_hll_valid(&wrong));
	wrong = (struct nj_hll){.exact_n = 1, .hash = {5, 6}};
	assert_false(nj_hll_valid(&wrong));
	wrong = (struct nj_hll){.hash = {5}};
	assert_false(nj_hll_valid(&wrong));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_follow_the_window_contract),
		cmocka_unit_test(exact_then_within_error),
		cmocka_unit_test(same_set_same_bytes),
		cmocka_unit_test(agrees_with_registers),
		cmocka_unit_test(survives_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
