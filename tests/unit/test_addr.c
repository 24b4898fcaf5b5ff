/* Addresses, segments and networks: text forms are compared with what inet_pton and RFC 5952 say, parsers with hostile
 * text, prefixes with a bit-by-bit check. */
#include "common/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct nj_addr parsed(const char *text)
{
	struct nj_addr addr;
	assert_true(nj_addr_parse(text, &addr));
	return addr;
}

static void test_text_returns_what_was_parsed(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"10.20.1.5", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1:2:3:4"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char text[NJ_ADDR_TEXT_MAX];
		struct nj_addr addr = parsed(texts[i]);
		assert_string_equal(nj_addr_text(&addr, text), texts[i]);
	}
}

static void test_hostile_text_is_refused_and_leaves_the_result(void **state)
{
	(void)state;
	static const char *const texts[] = {"",           " ",   "10.20.1",           "10.20.1.256",
					    "10.20.1.5 ", "::g", "1:2:3:4:5:6:7:8:9", "10.20.1.5/24",
					    "localhost"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct nj_addr addr = {{7}}, before = addr;
		assert_false(nj_addr_parse(texts[i], &addr));
		assert_true(nj_addr_equal(&addr, &before));
	}
}

static void test_multicast_and_unspecified(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool multicast, unspecified;
	} cases[] = {
		{"224.0.0.1", true, false},        {"239.255.255.250", true, false}, {"255.255.255.255", true, false},
		{"223.255.255.255", false, false}, {"240.0.0.1", false, false},      {"ff02::1", true, false},
		{"fe80::1", false, false},         {"0.0.0.0", false, true},         {"::", false, true}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nj_addr addr = parsed(cases[i].text);
		assert_int_equal(nj_addr_is_multicast(&addr), cases[i].multicast);
		assert_int_equal(nj_addr_is_unspecified(&addr), cases[i].unspecified);
	}
}

static void test_segments(void **state)
{
	(void)state;
	static const char *const texts[] = {"",         "vlan:7",      "vlan:4095", "qinq:3.7", "qinq:4095.4095",
					    "vni:5000", "vni:16777215"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char text[NJ_SEGMENT_TEXT_MAX];
		nj_segment segment = 1;
		assert_true(nj_segment_parse(texts[i], &segment));
		assert_string_equal(nj_segment_text(segment, text), texts[i]);
	}
	static const char *const bad[] = {"vlan:",   "vlan:4096",   "vlan:-1",      "vlan:7x", "qinq:3",
					  "qinq:3.", "qinq:3.4096", "vni:16777216", "lan:1",   " "};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		nj_segment segment = 1;
		assert_false(nj_segment_parse(bad[i], &segment));
		assert_int_equal(segment, 1);
	}
}

static bool contains_bit_by_bit(const struct nj_network *network, const struct nj_addr *addr)
{
	for (unsigned bit = 0; bit < network->prefix_bits; bit++)
		if ((network->addr.byte[bit / 8] ^ addr->byte[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

static void test_networks_contain_what_their_bits_say(void **state)
{
	(void)state;
	unsigned seed = 20261124;
	unsigned inside = 0;
	for (int round = 0; round < 20000; round++) {
		struct nj_network network = {.prefix_bits = (uint8_t)(rand_r(&seed) % 129)};
		struct nj_addr addr;
		for (int i = 0; i < 16; i++) {
			network.addr.byte[i] = (uint8_t)rand_r(&seed);
			addr.byte[i] = rand_r(&seed) % 8 ? network.addr.byte[i] : (uint8_t)rand_r(&seed);
		}
		assert_int_equal(nj_network_contains(&network, &addr), contains_bit_by_bit(&network, &addr));
		inside += nj_network_contains(&network, &addr);
	}
	assert_in_range(inside, 1000, 19000); /* both answers were tried */
}

static void test_network_text(void **state)
{
	(void)state;
	static const char *const texts[] = {"10.0.0.0/8", "0.0.0.0/0", "192.168.7.9/32", "2001:db8::/32", "::/0"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct nj_network network;
		char text[NJ_NETWORK_TEXT_MAX];
		assert_true(nj_network_parse(texts[i], &network));
		assert_string_equal(nj_network_text(&network, text), texts[i]);
	}
	static const char *const bad[] = {"10.0.0.1/8",   "10.0.0.0/33", "::/129", "10.0.0.0/",
					  "10.0.0.0/8/8", "10.0.0.0/-1", "/8"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct nj_network network;
		assert_false(nj_network_parse(bad[i], &network));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_returns_what_was_parsed),
		cmocka_unit_test(test_hostile_text_is_refused_and_leaves_the_result),
		cmocka_unit_test(test_multicast_and_unspecified),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_networks_contain_what_their_bits_say),
		cmocka_unit_test(test_network_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
