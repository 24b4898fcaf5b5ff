/* Against the worked examples of the specification. */
#include "sensor/ja4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint16_t ciphers[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9,
				   0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
static const uint16_t extensions[] = {0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d,
				      0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015};
static const uint16_t sigalgs[] = {0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601};

static struct nj_client_hello hello;
static char text[NJ_JA4_TEXT_MAX];

static void set_alpn(const char *name, size_t size)
{
	hello.alpn_n = 1;
	hello.alpn_bytes = (uint8_t)size;
	memcpy(hello.alpn, name, size);
}

/* The specification's example, with GREASE put in front of each list, which must change nothing. */
static int set_example(void **state)
{
	(void)state;
	memset(&hello, 0, sizeof hello);
	hello.version_max = 0x0304;
	hello.has_sni = true;
	hello.ciphers[0] = hello.extensions[0] = hello.sigalgs[0] = 0x2a2a;
	memcpy(hello.ciphers + 1, ciphers, sizeof ciphers);
	memcpy(hello.extensions + 1, extensions, sizeof extensions);
	memcpy(hello.sigalgs + 1, sigalgs, sizeof sigalgs);
	hello.ciphers_n = 16;
	hello.extensions_n = 17;
	hello.sigalgs_n = 9;
	set_alpn("h2", 2);
	return 0;
}

static void the_example(void **state)
{
	(void)state;
	assert_true(nj_ja4(&hello, 't', text));
	assert_string_equal(text, "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

static void without_signature_algorithms(void **state)
{
	(void)state;
	hello.sigalgs_n = 0;
	hello.has_sni = false;
	assert_true(nj_ja4(&hello, 'q', text));
	assert_string_equal(text, "q13i1516h2_8daaf6152771_6d807ffa2a79");
}

static void nothing_offered_is_all_zeros(void **state)
{
	(void)state;
	memset(&hello, 0, sizeof hello);
	hello.version_max = 0x0303;
	assert_true(nj_ja4(&hello, 't', text));
	assert_string_equal(text, "t12i000000_000000000000_000000000000");
	/* server name and ALPN alone count but are not hashed */
	hello.extensions[0] = 0, hello.extensions[1] = 16;
	hello.extensions_n = 2;
	hello.has_sni = true;
	assert_true(nj_ja4(&hello, 't', text));
	assert_string_equal(text, "t12d000200_000000000000_000000000000");
}

static void every_version(void **state)
{
	(void)state;
	static const struct {
		uint16_t version;
		const char *text;
	} versions[] = {{0x0304, "13"}, {0x0303, "12"}, {0x0302, "11"}, {0x0301, "10"}, {0x0300, "s3"}, {0x0002, "s2"},
			{0xfeff, "d1"}, {0xfefd, "d2"}, {0xfefc, "d3"}, {0x7f1c, "00"}, {0, "00"}};
	for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
		hello.version_max = versions[i].version;
		assert_true(nj_ja4(&hello, 'd', text));
		assert_memory_equal(text + 1, versions[i].text, 2);
	}
}

static void ends_of_the_protocol_name(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t size;
		const char *text;
	} names[] = {
		{"http/1.1", 8, "h1"},
		{"h2", 2, "h2"},
		{"x", 1, "xx"},
		{"", 0, "00"},
		{"\xab", 1, "ab"},
		{"\xab\xcd", 2, "ad"},
		{"\x30\xab", 2, "3b"},
		{"\x30\x31\xab\xcd", 4, "3d"},
		{"\x30\xab\xcd\x31", 4, "01"},
		{"-", 1, "2d"},
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		set_alpn(names[i].name, names[i].size);
		assert_true(nj_ja4(&hello, 't', text));
		assert_memory_equal(text + 8, names[i].text, 2);
	}
}

static void counts_stop_at_99(void **state)
{
	(void)state;
	hello.ciphers_n = 200;
	assert_true(nj_ja4(&hello, 't', text));
	assert_memory_equal(text + 4, "99", 2);
}

static void half_a_list_has_no_fingerprint(void **state)
{
	(void)state;
	strcpy(text, "untouched");
	hello.ciphers_n = NJ_TLS_CIPHERS_MAX + 1;
	assert_false(nj_ja4(&hello, 't', text));
	hello.ciphers_n = NJ_TLS_CIPHERS_MAX;
	hello.extensions_n = NJ_TLS_EXTENSIONS_MAX + 1;
	assert_false(nj_ja4(&hello, 't', text));
	hello.extensions_n = NJ_TLS_EXTENSIONS_MAX;
	hello.sigalgs_n = NJ_TLS_SIGALGS_MAX + 1;
	assert_false(nj_ja4(&hello, 't', text));
	hello.sigalgs_n = NJ_TLS_SIGALGS_MAX;
	hello.is_v2 = true;
	assert_false(nj_ja4(&hello, 't', text));
	hello.is_v2 = false;
	assert_string_equal(text, "untouched");
	assert_true(nj_ja4(&hello, 't', text));
	assert_int_equal(strlen(text), NJ_JA4_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_example, set_example),
		cmocka_unit_test_setup(without_signature_algorithms, set_example),
		cmocka_unit_test_setup(nothing_offered_is_all_zeros, set_example),
		cmocka_unit_test_setup(every_version, set_example),
		cmocka_unit_test_setup(ends_of_the_protocol_name, set_example),
		cmocka_unit_test_setup(counts_stop_at_99, set_example),
		cmocka_unit_test_setup(half_a_list_has_no_fingerprint, set_example),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
