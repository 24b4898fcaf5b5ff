/* Reading documents: values with defaults, missing parts are NULL all the way down, damage is refused with its line. */
#include "common/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct nj_json *parse(const char *text)
{
	struct nj_json *root = NULL;
	struct nj_message message;
	if (nj_json_parse("test", text, strlen(text), &message, &root) != NJ_OK)
		fail_msg("%s", message.text);
	return root;
}

static void test_values(void **state)
{
	(void)state;
	struct nj_json *root = parse("{\"b\": [1, 2.5, \"x\", true, -3], \"a\": {\"deep\": 7}}");
	const struct nj_json *list = nj_json_get(root, "b");
	assert_int_equal(nj_json_size(root), 2);
	assert_int_equal(nj_json_size(list), 5);
	assert_int_equal(nj_json_u64(nj_json_at(list, 0), 9), 1);
	assert_true(nj_json_double(nj_json_at(list, 1), 0) == 2.5);
	assert_true(nj_json_double(nj_json_at(list, 0), 0) == 1);
	assert_string_equal(nj_json_text(nj_json_at(list, 2), ""), "x");
	assert_true(nj_json_bool(nj_json_at(list, 3), false));
	assert_int_equal(nj_json_u64(nj_json_at(list, 4), 9), 9);
	assert_int_equal(nj_json_u64(nj_json_get(nj_json_get(root, "a"), "deep"), 0), 7);
	nj_json_free(&root);
	assert_null(root);
	nj_json_free(&root);
}

static void test_what_is_missing(void **state)
{
	(void)state;
	struct nj_json *root = parse("[{}]");
	const struct nj_json *none = nj_json_get(nj_json_get(nj_json_at(root, 0), "a"), "b");
	assert_null(none);
	assert_null(nj_json_at(none, 0));
	assert_null(nj_json_at(root, 1));
	assert_int_equal(nj_json_size(none), 0);
	assert_string_equal(nj_json_text(none, "default"), "default");
	assert_int_equal(nj_json_u64(none, 5), 5);
	nj_json_free(&root);
}

static void refuse(const char *text, size_t size, int error, const char *words)
{
	struct nj_message message = {""};
	struct nj_json *root = NULL;
	assert_int_equal(nj_json_parse("base.json", text, size, &message, &root), error);
	assert_null(root);
	if (strstr(message.text, words) == NULL)
		fail_msg("'%s' lacks '%s'", message.text, words);
}

static void test_damage_is_refused_by_line(void **state)
{
	(void)state;
	refuse("{\n\"a\": 1,\n}", 11, NJ_ERR_FORMAT, "base.json:3: ");
	refuse("", 0, NJ_ERR_FORMAT, "base.json:");
	refuse("{\"a\":1,\"a\":2}", 13, NJ_ERR_FORMAT, "duplicate");
	refuse("[\"\xff\"]", 5, NJ_ERR_FORMAT, "0xff");
	static char deep[1 << 20];
	memset(deep, '[', sizeof deep);
	refuse(deep, sizeof deep, NJ_ERR_FORMAT, "depth");
	refuse("[]", (size_t)NJ_JSON_BYTES_MAX + 1, NJ_ERR_LIMIT, "64 MiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_what_is_missing),
		cmocka_unit_test(test_damage_is_refused_by_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
