/* What the writer writes must be what jansson (common/json.c) reads back, whatever the text. */
#include "common/json.h"
#include "common/json_out.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_shape(void **state)
{
	(void)state;
	struct nj_json_out out = {0};
	nj_json_out_object(&out, NULL);
	nj_json_out_u64(&out, "max", UINT64_MAX);
	nj_json_out_i64(&out, "min", INT64_MIN);
	nj_json_out_array(&out, "list");
	nj_json_out_bool(&out, NULL, true);
	nj_json_out_null(&out, NULL);
	nj_json_out_object(&out, NULL);
	nj_json_out_end(&out);
	nj_json_out_double(&out, NULL, 0.1);
	nj_json_out_double(&out, NULL, NAN);
	nj_json_out_end(&out);
	nj_json_out_array(&out, "none");
	nj_json_out_end(&out);
	assert_false(nj_json_out_ok(&out));
	nj_json_out_time(&out, "at", 1785542400000001999ull);
	nj_json_out_end(&out);
	assert_true(nj_json_out_ok(&out));
	assert_string_equal(
		out.text, "{\"max\":18446744073709551615,\"min\":-9223372036854775808,\"list\":[true,null,{},0.1,null],"
			  "\"none\":[],\"at\":\"2026-08-01T00:00:00.000001Z\"}");
	nj_json_out_reset(&out);
	assert_string_equal(out.text, "");
	nj_json_out_text(&out, NULL, "a\"\\\n\x1b<\xff\xe2\x80\xa8");
	char *text = nj_json_out_take(&out);
	assert_string_equal(text, "\"a\\\"\\\\\\n\\u001b\\u003c\\ufffd\\u2028\"");
	free(text);
	assert_null(out.text);
}

static void test_unfinished_is_not_given_away(void **state)
{
	(void)state;
	struct nj_json_out out = {0};
	nj_json_out_array(&out, NULL);
	assert_null(nj_json_out_take(&out));
	assert_int_equal(out.depth, 0);
}

static void test_doubles_read_back_equal(void **state)
{
	(void)state;
	unsigned seed = 3;
	for (int round = 0; round < 20000; round++) {
		double value = ldexp((double)rand_r(&seed) / RAND_MAX - 0.5, rand_r(&seed) % 600 - 300);
		struct nj_json_out out = {0};
		nj_json_out_double(&out, NULL, value);
		if (strtod(out.text, NULL) != value)
			fail_msg("round %d of seed 3: %.17g became %s", round, value, out.text);
		nj_json_out_fini(&out);
	}
}

static void test_any_text_is_read_back(void **state)
{
	(void)state;
	unsigned seed = 11;
	struct nj_json_out out = {0};
	for (int round = 0; round < 20000; round++) {
		uint8_t bytes[40];
		size_t size = (size_t)rand_r(&seed) % sizeof bytes;
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(rand_r(&seed) >> 5) | 1;
		nj_json_out_reset(&out);
		nj_json_out_array(&out, NULL);
		nj_json_out_bytes(&out, NULL, bytes, size);
		nj_json_out_end(&out);
		struct nj_json *root;
		struct nj_message message;
		if (nj_json_parse("line", out.text, out.used, &message, &root) != NJ_OK)
			fail_msg("round %d of seed 11: %s: %s", round, message.text, out.text);
		assert_int_equal(nj_json_size(root), 1);
		assert_non_null(nj_json_text(nj_json_at(root, 0), NULL));
		nj_json_free(&root);
	}
	nj_json_out_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_unfinished_is_not_given_away),
		cmocka_unit_test(test_doubles_read_back_equal),
		cmocka_unit_test(test_any_text_is_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
