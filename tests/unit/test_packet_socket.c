/* The word that makes workers share an interface, bit by bit as packet(7) has it. */
#include "sensor/packet_socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_word(void **state)
{
	(void)state;
	/* mode 6: by a program; 0x2000: a number nobody uses */
	assert_int_equal(nj_fanout_word(NJ_FANOUT_NEW), 0x20060000u);
	assert_int_equal(nj_fanout_word(0), 0x00060000u); /* the kernel's first number is 0 */
	assert_int_equal(nj_fanout_word(0x1234), 0x00061234u);
}

static void test_no_packet_socket_is_an_error_with_words(void **state)
{
	(void)state;
	struct nj_message message = {.text = ""};
	uint32_t group = NJ_FANOUT_NEW;
	assert_int_equal(nj_fanout_join(0, &group, &message), NJ_ERR_IO);
	assert_true(message.text[0] != '\0');
	assert_int_equal(group, NJ_FANOUT_NEW);
	assert_int_equal(nj_packet_socket_drops(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_word),
		cmocka_unit_test(test_no_packet_socket_is_an_error_with_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
