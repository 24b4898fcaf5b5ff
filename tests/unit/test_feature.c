/* The table as data agrees with the struct it describes; ids are pinned, because the id of a released table must never
 * change; prefixes understand each other. */
#include "common/feature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_rows_point_at_their_fields(void **state)
{
	(void)state;
	struct nj_window w = {0};
	w.features.packets_out = 5;
	w.features.last_ns = 9;
	assert_string_equal(nj_scalar_rows[NJ_SCALARS_N - 1].name, "last_ns");
	assert_true(*nj_scalar(&w.features, NJ_SCALARS_N - 1) == 9);
	for (size_t i = 0; i < NJ_SCALARS_N; i++)
		if (strcmp(nj_scalar_rows[i].name, "packets_out") == 0)
			assert_true(*nj_scalar(&w.features, i) == 5);
	uint32_t histogram[NJ_HISTOGRAM_BUCKETS];
	assert_string_equal(nj_vector_rows[NJ_VECTORS_N - 1].name, "request_size");
	nj_vector_set(&w, NJ_VECTORS_N - 1, histogram);
	assert_ptr_equal(w.request_size, histogram);
	assert_ptr_equal(nj_vector(&w, NJ_VECTORS_N - 1), histogram);
	assert_int_equal(nj_vector_bytes(0), 256);
	assert_int_equal(nj_vector_bytes(NJ_VECTORS_N - 1), 512);
}

static void test_rows_are_complete_and_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < NJ_SCALARS_N; i++) {
		assert_true(*nj_scalar_rows[i].unit != '\0' && *nj_scalar_rows[i].meaning != '\0');
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(nj_scalar_rows[i].name, nj_scalar_rows[j].name);
	}
}

static void test_ids(void **state)
{
	(void)state;
	struct nj_table_ids ours;
	nj_feature_table_ids(&ours);
	assert_int_equal(ours.id[0], NJ_FEATURE_TABLE_ID);
	/* Before the first release the id may change; from then on it stands here once a release. */
	assert_int_not_equal(ours.id[0], 0);
	struct nj_table_ids newer = {2, {0x1234, ours.id[0]}}, other = {1, {0x1234}}, none = {0};
	assert_true(nj_table_ids_agree(&ours, &ours));
	assert_true(nj_table_ids_agree(&ours, &newer));
	assert_true(nj_table_ids_agree(&newer, &ours));
	assert_false(nj_table_ids_agree(&ours, &other));
	assert_false(nj_table_ids_agree(&ours, &none));
	/* Two tables with a common ancestor, neither extending the other, do not agree. */
	struct nj_table_ids left = {2, {1, 7}}, right = {2, {2, 7}};
	assert_false(nj_table_ids_agree(&left, &right));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_point_at_their_fields),
		cmocka_unit_test(test_rows_are_complete_and_unique),
		cmocka_unit_test(test_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
