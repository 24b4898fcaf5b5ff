/* Known answers of FIPS 180-4 and RFC 1321, and parts joined. */
#include "common/sha.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char text[65];

static void sha256_known_answers(void **state)
{
	(void)state;
	uint8_t digest[NJ_SHA256_BYTES];
	nj_sha256("abc", 3, digest);
	assert_string_equal(nj_hex(digest, sizeof digest, text),
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	nj_sha256("", 0, digest);
	assert_string_equal(nj_hex(digest, sizeof digest, text),
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void sha1_known_answer(void **state)
{
	(void)state;
	uint8_t digest[NJ_SHA1_BYTES];
	nj_sha1("abc", 3, digest);
	assert_string_equal(nj_hex(digest, sizeof digest, text), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

static void md5_joins_its_parts(void **state)
{
	(void)state;
	uint8_t digest[NJ_MD5_BYTES];
	struct nj_bytes whole = {"message digest", 14};
	nj_md5(&whole, 1, digest);
	assert_string_equal(nj_hex(digest, sizeof digest, text), "f96b697d7cb7938d525a2f31aaf161d0");
	struct nj_bytes parts[] = {{"mess", 4}, {"", 0}, {"age digest", 10}};
	nj_md5(parts, 3, digest);
	assert_string_equal(nj_hex(digest, sizeof digest, text), "f96b697d7cb7938d525a2f31aaf161d0");
	nj_md5(NULL, 0, digest);
	assert_string_equal(nj_hex(digest, sizeof digest, text), "d41d8cd98f00b204e9800998ecf8427e");
}

static void hex_of_nothing_is_empty(void **state)
{
	(void)state;
	assert_string_equal(nj_hex((const uint8_t *)"", 0, text), "");
	assert_string_equal(nj_hex((const uint8_t *)"\x00\xff\x0a", 3, text), "00ff0a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_known_answers),
		cmocka_unit_test(sha1_known_answer),
		cmocka_unit_test(md5_joins_its_parts),
		cmocka_unit_test(hex_of_nothing_is_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
