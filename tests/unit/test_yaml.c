/* The tree remembers keys, order and lines; everything beyond plain maps, lists and text is refused by line; hostile
 * depth and size meet their bounds. */
#include "common/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_tree(void **state)
{
	(void)state;
	static const char text[] = "# comment\nhome: [10.0.0.0/8, 'fd00::/8']\nagents:\n  - { name: a, port: 7 }\n  - "
				   "name: \"b: c\"\nempty:\n";
	struct nj_yaml *yaml;
	struct nj_message message;
	assert_int_equal(nj_yaml_parse("t.yaml", text, sizeof text - 1, &message, &yaml), NJ_OK);
	const struct nj_yaml_node *root = nj_yaml_root(yaml), *home = root->first, *agents = home->next,
				  *empty = agents->next;
	assert_int_equal(root->kind, NJ_YAML_MAP);
	assert_string_equal(home->key, "home");
	assert_int_equal(home->kind, NJ_YAML_LIST);
	assert_int_equal(home->line, 2);
	assert_string_equal(home->first->next->text, "fd00::/8");
	assert_null(home->first->key);
	assert_null(home->first->next->next);
	assert_string_equal(agents->first->first->text, "a");
	assert_string_equal(agents->first->first->next->key, "port");
	assert_string_equal(agents->first->next->first->text, "b: c");
	assert_int_equal(agents->first->next->first->line, 5);
	assert_string_equal(empty->text, "");
	assert_null(empty->next);
	assert_int_equal(nj_yaml_fail(yaml, empty, &message, "is %s", "empty"), NJ_ERR_USAGE);
	assert_string_equal(message.text, "t.yaml:6: is empty");
	nj_yaml_free(&yaml);
	assert_null(yaml);
	nj_yaml_free(&yaml);
}

static void test_empty_is_a_map(void **state)
{
	(void)state;
	struct nj_yaml *yaml;
	assert_int_equal(nj_yaml_parse("t.yaml", "# nothing\n", 10, NULL, &yaml), NJ_OK);
	assert_int_equal(nj_yaml_root(yaml)->kind, NJ_YAML_MAP);
	assert_null(nj_yaml_root(yaml)->first);
	nj_yaml_free(&yaml);
}

static void refuse(const char *text, const char *expected)
{
	struct nj_yaml *yaml = NULL;
	struct nj_message message = {""};
	assert_int_equal(nj_yaml_parse("t.yaml", text, strlen(text), &message, &yaml), NJ_ERR_USAGE);
	assert_null(yaml);
	if (strstr(message.text, expected) == NULL)
		fail_msg("'%s' lacks '%s'", message.text, expected);
}

static void test_refusals_name_the_line(void **state)
{
	(void)state;
	refuse("a: 1\nb: &x 2\n", "t.yaml:2: anchors");
	refuse("a: &x [1]\n", "t.yaml:1: anchors");
	refuse("a: !!int 2\n", "t.yaml:1: anchors and tags");
	refuse("a: {x: *y}\n", "t.yaml:1: aliases");
	refuse("a: 1\n\na: 2\n", "t.yaml:3: key 'a' stands twice");
	refuse("[a]: 1\n", "t.yaml:1: a key must be plain");
	refuse("a: 1\n---\nb: 1\n", "t.yaml:2: a second document");
	refuse("a: [1\n", "t.yaml:2: ");
	refuse("a: \"\\0\"\n", "t.yaml:1: text contains a NUL");
	refuse("a: \xff\n", "t.yaml:1: ");
	refuse("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "nested too deep");
}

static void test_bounds(void **state)
{
	(void)state;
	struct nj_yaml *yaml = NULL;
	struct nj_message message;
	char *text = malloc(NJ_YAML_BYTES_MAX + 1);
	assert_non_null(text);
	memset(text, '[', NJ_YAML_BYTES_MAX + 1);
	assert_int_equal(nj_yaml_parse("t", text, NJ_YAML_BYTES_MAX + 1, &message, &yaml), NJ_ERR_LIMIT);
	assert_int_equal(nj_yaml_parse("t", text, NJ_YAML_BYTES_MAX, &message, &yaml), NJ_ERR_USAGE);
	/* The densest lists there are fit what the arena was given. */
	size_t size = 1 << 20;
	for (size_t i = 1; i < size; i++)
		text[i] = i % 2 ? 'a' : ',';
	text[0] = '[';
	text[size - 1] = ']';
	assert_int_equal(nj_yaml_parse("t", text, size, &message, &yaml), NJ_OK);
	nj_yaml_free(&yaml);
	size_t used = 0;
	for (int key = 0; key <= NJ_YAML_KEYS_MAX; key++)
		used += (size_t)sprintf(text + used, "k%d: 1\n", key);
	assert_int_equal(nj_yaml_parse("t", text, used, &message, &yaml), NJ_ERR_USAGE);
	assert_string_equal(message.text, "t:257: more than 256 keys");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_empty_is_a_map),
		cmocka_unit_test(test_refusals_name_the_line),
		cmocka_unit_test(test_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
