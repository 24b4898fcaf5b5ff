/* Keys derive deterministically and differ; the hash depends on every byte of data and on the key; id and hashes are
 * pinned, because sketches of one release must merge with those of the next. */
#include "common/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_default_key_never_changes(void **state)
{
	(void)state;
	struct nj_hash_key key;
	nj_hash_key_derive("", &key);
	assert_int_equal(key.id, 0x4ca10d0);
	assert_int_equal(nj_hash64("nightjar", 8, &key), 0x3642e9085a87ec20);
}

static void test_keys_differ(void **state)
{
	(void)state;
	struct nj_hash_key a, b;
	nj_hash_key_derive("one", &a);
	nj_hash_key_derive("two", &b);
	assert_int_not_equal(a.id, b.id);
	assert_true(nj_hash64("x", 1, &a) != nj_hash64("x", 1, &b));
	struct nj_hash128 ha = nj_hash128("x", 1, &a), hb = nj_hash128("x", 1, &b);
	assert_true(ha.low != hb.low);
	assert_true(ha.high != hb.high);
	/* No two blocks of the secret are alike. */
	for (size_t i = 0; i < sizeof a.secret; i += 32)
		for (size_t j = i + 32; j < sizeof a.secret; j += 32)
			assert_memory_not_equal(a.secret + i, a.secret + j, 32);
}

static void test_every_bit_counts(void **state)
{
	(void)state;
	struct nj_hash_key key;
	nj_hash_key_derive("", &key);
	uint8_t data[300] = {0};
	for (size_t size = 1; size <= sizeof data; size += 37) {
		uint64_t before = nj_hash64(data, size, &key);
		for (size_t bit = 0; bit < size * 8; bit++) {
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_true(nj_hash64(data, size, &key) != before);
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_key_never_changes),
		cmocka_unit_test(test_keys_differ),
		cmocka_unit_test(test_every_bit_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
