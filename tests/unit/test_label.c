/* What a stranger wrote must not move a cursor, hide or turn around: each class of dangerous character is replaced,
 * ordinary text of any script is kept, cuts fall between characters, and whatever comes in, what comes out is valid
 * UTF-8 without a control character. */
#include "common/label.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *in, size_t size, const char *expected)
{
	char out[256];
	size_t n = nj_label(in, size, out, sizeof out);
	assert_string_equal(out, expected);
	assert_int_equal(n, strlen(expected));
}

#define CHECK(in, expected) check(in, sizeof(in) - 1, expected)
#define FFFD                "\xef\xbf\xbd"

static void test_text_is_kept(void **state)
{
	(void)state;
	CHECK("", "");
	CHECK("plain text, 100 %", "plain text, 100 %");
	CHECK("Gr\xc3\xb6\xc3\x9f"
	      "e \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x90\xa6",
	      "Gr\xc3\xb6\xc3\x9f"
	      "e \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x90\xa6");
}

static void test_danger_is_replaced(void **state)
{
	(void)state;
	CHECK("a\x1b[31mb", "a" FFFD "[31mb");   /* escape sequence */
	CHECK("a\0b\nc", "a" FFFD "b" FFFD "c"); /* NUL, newline */
	CHECK("\x7f", FFFD);
	CHECK("\xc2\x9b"
	      "31m",
	      FFFD "31m");                             /* C1 control: one-character CSI */
	CHECK("exe\xe2\x80\xaegpj", "exe" FFFD "gpj"); /* right-to-left override */
	CHECK("\xe2\x81\xa6x", FFFD "x");              /* left-to-right isolate */
	CHECK("pay\xe2\x80\x8bpal", "pay" FFFD "pal"); /* zero width space */
	CHECK("\xef\xbb\xbf", FFFD);                   /* byte order mark */
	CHECK("\xf3\xa0\x81\x81", FFFD);               /* tag character */
	CHECK("\xe2\x80\xa8", FFFD);                   /* line separator */
	CHECK("\xef\xbf\xbe", FFFD);                   /* noncharacter */
}

static void test_broken_utf8_is_replaced(void **state)
{
	(void)state;
	CHECK("\xff", FFFD);
	CHECK("\xc0\xaf", FFFD FFFD);          /* overlong slash */
	CHECK("\xe0\x80\xaf", FFFD FFFD FFFD); /* overlong, three bytes */
	CHECK("\xed\xa0\x80", FFFD FFFD FFFD); /* surrogate */
	CHECK("\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD);
	CHECK("ab\xe6\x97", "ab" FFFD FFFD); /* cut inside a character */
}

static void test_cut_between_characters(void **state)
{
	(void)state;
	char out[6];
	assert_int_equal(nj_label("ab\xe6\x97\xa5\xe6\x9c\xac", 8, out, sizeof out), 5);
	assert_string_equal(out, "ab\xe6\x97\xa5");
	assert_int_equal(nj_label("\xe6\x97\xa5", 3, out, 3), 0);
	assert_int_equal(nj_label("x", 1, out, 1), 0);
}

static void test_ascii_keeps_the_end(void **state)
{
	(void)state;
	char out[8];
	assert_int_equal(nj_label_ascii("www.example.com", 15, out, sizeof out), 7);
	assert_string_equal(out, "ple.com");
	nj_label_ascii("a\xc3\xa9\x01 b", 6, out, sizeof out);
	assert_string_equal(out, "a??? b");
}

static void test_random_bytes_come_out_clean(void **state)
{
	(void)state;
	unsigned seed = 7;
	for (int round = 0; round < 20000; round++) {
		uint8_t in[64];
		char out[100];
		size_t size = (size_t)rand_r(&seed) % sizeof in;
		for (size_t i = 0; i < size; i++)
			in[i] = (uint8_t)(rand_r(&seed) >> 7);
		size_t n = nj_label(in, size, out, sizeof out);
		const uint8_t *at = (uint8_t *)out, *end = at + n;
		while (at < end) {
			bool valid;
			uint32_t point = nj_label_next(&at, end, &valid);
			if (!valid || point < 0x20 || (point >= 0x7f && point < 0xa0))
				fail_msg("round %d of seed 7 let 0x%x through", round, point);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_kept),
		cmocka_unit_test(test_danger_is_replaced),
		cmocka_unit_test(test_broken_utf8_is_replaced),
		cmocka_unit_test(test_cut_between_characters),
		cmocka_unit_test(test_ascii_keeps_the_end),
		cmocka_unit_test(test_random_bytes_come_out_clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
