#include "sensor/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct nj_hash_key key;

static void a_text_is_kept_once(void **state)
{
	(void)state;
	struct nj_texts texts;
	assert_int_equal(nj_texts_init(&texts, 2, &key), 0);
	uint32_t a = nj_texts_take(&texts, "example.com"), again = nj_texts_take(&texts, "example.com");
	assert_int_equal(a, again);
	assert_string_equal(nj_texts_get(&texts, a), "example.com");
	uint32_t b = nj_texts_take(&texts, "example.co");
	assert_int_not_equal(b, NJ_TEXT_NONE);
	assert_int_equal(nj_texts_take(&texts, "third"), NJ_TEXT_NONE);
	assert_int_equal(texts.refused, 1);
	nj_texts_release(&texts, a);
	assert_string_equal(nj_texts_get(&texts, a), "example.com"); /* one reference is left */
	nj_texts_release(&texts, a);
	assert_int_not_equal(nj_texts_take(&texts, "third"), NJ_TEXT_NONE);
	assert_string_equal(nj_texts_get(&texts, b), "example.co");
	nj_texts_fini(&texts);
}

static void empty_and_overlong_texts(void **state)
{
	(void)state;
	struct nj_texts texts;
	char longest[2 * NJ_TEXT_BYTES_MAX];
	assert_int_equal(nj_texts_init(&texts, 4, &key), 0);
	assert_int_equal(nj_texts_take(&texts, ""), NJ_TEXT_NONE);
	assert_string_equal(nj_texts_get(&texts, NJ_TEXT_NONE), "");
	nj_texts_release(&texts, NJ_TEXT_NONE);
	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	uint32_t id = nj_texts_take(&texts, longest);
	assert_int_equal(strlen(nj_texts_get(&texts, id)), NJ_TEXT_BYTES_MAX - 1);
	assert_int_equal(nj_texts_take(&texts, longest), id);
	nj_texts_fini(&texts);
}

static void places_come_back_in_any_order(void **state)
{
	(void)state;
	enum { N = 200 };
	struct nj_texts texts;
	uint32_t id[N];
	char text[16];
	assert_int_equal(nj_texts_init(&texts, N, &key), 0);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < N; i++) {
			snprintf(text, sizeof text, "name-%d-%d", round, i);
			id[i] = nj_texts_take(&texts, text);
			assert_int_not_equal(id[i], NJ_TEXT_NONE);
		}
		for (int i = 0; i < N; i++)
			nj_texts_release(&texts, id[(i * 7 + round) % N]);
	}
	assert_int_equal(texts.refused, 0);
	nj_texts_fini(&texts);
}

int main(void)
{
	nj_hash_key_derive("test", &key);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_kept_once),
		cmocka_unit_test(empty_and_overlong_texts),
		cmocka_unit_test(places_come_back_in_any_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
