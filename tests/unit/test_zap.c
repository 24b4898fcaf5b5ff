/* Questions and answers about keys, part by part as the RFC has them. */
#include "common/zap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char key[NJ_CURVE_KEY_BYTES + 1] = "0123456789abcdef0123456789abcdef";

static void fill(struct nj_zap_part *parts)
{
	const char *const texts[] = {"1.0", "42", "nightjar", "192.0.2.1", "", "CURVE", key};
	for (unsigned i = 0; i < NJ_ZAP_QUESTION_PARTS; i++)
		parts[i] = (struct nj_zap_part){texts[i], strlen(texts[i])};
}

static void test_question(void **state)
{
	(void)state;
	struct nj_zap_part parts[NJ_ZAP_QUESTION_PARTS + 1];
	struct nj_zap_question question;
	fill(parts);
	assert_true(nj_zap_parse(parts, NJ_ZAP_QUESTION_PARTS, &question));
	assert_memory_equal(question.key.bytes, key, NJ_CURVE_KEY_BYTES);
	assert_int_equal(question.id_size, 2);
	assert_memory_equal(question.id, "42", 2);
	parts[NJ_ZAP_QUESTION_PARTS] = parts[NJ_ZAP_QUESTION_PARTS - 1];
	for (unsigned n = 0; n <= NJ_ZAP_QUESTION_PARTS + 1; n++) {
		if (n == NJ_ZAP_QUESTION_PARTS)
			continue;
		assert_false(nj_zap_parse(parts, n, &question));
		assert_int_equal(question.id_size, n > 1 ? 2 : 0);
	}
}

static void reject(unsigned part, const char *text, size_t size)
{
	struct nj_zap_part parts[NJ_ZAP_QUESTION_PARTS];
	struct nj_zap_question question;
	fill(parts);
	parts[part] = (struct nj_zap_part){text, size};
	assert_false(nj_zap_parse(parts, NJ_ZAP_QUESTION_PARTS, &question));
}

static void test_what_is_no_question(void **state)
{
	(void)state;
	reject(0, "2.0", 3);
	reject(0, "1.0", 2);
	reject(1, "an id of more than thirty-two bytes", 35);
	reject(5, "PLAIN", 5);
	reject(5, "NULL", 4);
	reject(5, "CURVE\0", 6);
	reject(6, key, 31);
	reject(6, "", 0);
}

static void expect(const struct nj_zap_part *part, const char *text)
{
	assert_int_equal(part->size, strlen(text));
	assert_memory_equal(part->data, text, part->size);
}

static void test_answer(void **state)
{
	(void)state;
	struct nj_zap_part parts[NJ_ZAP_QUESTION_PARTS], answer[NJ_ZAP_ANSWER_PARTS];
	struct nj_zap_question question;
	fill(parts);
	assert_true(nj_zap_parse(parts, NJ_ZAP_QUESTION_PARTS, &question));
	nj_zap_answer(&question, true, "who", answer);
	expect(&answer[0], "1.0");
	expect(&answer[1], "42");
	expect(&answer[2], "200");
	expect(&answer[4], "who");
	expect(&answer[5], "");
	nj_zap_answer(&question, false, "who", answer);
	expect(&answer[1], "42");
	expect(&answer[2], "400");
	expect(&answer[4], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_what_is_no_question),
		cmocka_unit_test(test_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
