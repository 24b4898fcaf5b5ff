/* Registered domains against cases of the Public Suffix List: ordinary, two-level, wildcard, exception, private and
 * unknown suffixes. */
#include "common/psl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_known_cases(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"example.com", "example.com"},
		{"a.b.c.example.com", "example.com"},
		{"www.example.co.uk", "example.co.uk"},
		{"x.y.kawasaki.jp", "x.y.kawasaki.jp"},
		{"w.x.y.kawasaki.jp", "x.y.kawasaki.jp"},
		{"www.city.kawasaki.jp", "city.kawasaki.jp"},
		{"user.github.io", "user.github.io"},
		{"host.corp.internal-name", "corp.internal-name"},
		{"localhost", "localhost"},
		{"com", "com"},
		{"co.uk", "co.uk"},
		{"", ""},
	};
	struct nj_psl *psl;
	assert_int_equal(nj_psl_open(&psl), NJ_OK);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(nj_psl_registered(psl, cases[i][0]), cases[i][1]);
	nj_psl_close(&psl);
	assert_null(psl);
	nj_psl_close(&psl);
}

static void test_hostile_names(void **state)
{
	(void)state;
	struct nj_psl *psl;
	assert_int_equal(nj_psl_open(&psl), NJ_OK);
	char name[256];
	for (size_t length = 1; length < sizeof name; length++) {
		for (size_t i = 0; i < length; i++)
			name[i] = i % 2 ? '.' : (char)(0x80 + i);
		name[length] = '\0';
		const char *registered = nj_psl_registered(psl, name);
		assert_true(registered >= name && registered <= name + length);
	}
	assert_string_equal(nj_psl_registered(psl, "..."), "...");
	nj_psl_close(&psl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_cases), cmocka_unit_test(test_hostile_names)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
