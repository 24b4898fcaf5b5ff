/* QUIC Initials against the published examples: RFC 9001 appendix A (keys, a server's Initial), RFC 9369 appendix A
 * (keys of version 2), RFC 9000 A.1 (variable lengths, through frames); headers and frames that are broken. What spans
 * packets is tested with made connections in tests/e2e/test_quic.py. */
#include "common/hkdf.h"
#include "sensor/quic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define V1 0x00000001u
#define V2 0x6b3343cfu

static struct nj_aes *aes;

static size_t bytes_of(const char *hex, uint8_t *ret)
{
	size_t n = strlen(hex) / 2;
	for (size_t i = 0; i < n; i++) {
		char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
		ret[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return n;
}

static void is_hex(const uint8_t *is, size_t size, const char *hex)
{
	uint8_t should[64];
	assert_int_equal(bytes_of(hex, should), size);
	assert_memory_equal(is, should, size);
}

static const uint8_t example_id[] = {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08};

static void check_keys(uint32_t version, bool from_client, const char *key, const char *iv, const char *head)
{
	struct nj_quic_keys keys;
	nj_quic_initial_keys(version, example_id, sizeof example_id, from_client, &keys);
	is_hex(keys.key, sizeof keys.key, key);
	is_hex(keys.iv, sizeof keys.iv, iv);
	is_hex(keys.head, sizeof keys.head, head);
}

static void keys_are_those_of_the_examples(void **state)
{
	(void)state;
	check_keys(V1, true, "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c",
		   "9f50449e04a0e810283a1e9933adedd2");
	check_keys(V1, false, "cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e",
		   "c206b8d9b9f0f37644430b490eeaa314");
	check_keys(V2, true, "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f",
		   "45b95e15235d6f45a6b19cbcb0294ba9");
	check_keys(V2, false, "82db637861d55e1d011f19ea71d5d2a7", "dd13c276499c0249d3310652",
		   "edf6d05c83121201b436e16877593c3a");
}

/* RFC 9001 A.2: the sample of the client's Initial and its mask. */
static void header_protection_is_one_block(void **state)
{
	(void)state;
	uint8_t head[NJ_AES_BYTES], sample[NJ_AES_BYTES], mask[NJ_AES_BYTES];
	bytes_of("9f50449e04a0e810283a1e9933adedd2", head);
	bytes_of("d1b1c98dd7689fb8ec11d242b123dc9b", sample);
	nj_aes_block(aes, head, sample, mask);
	is_hex(mask, 5, "437b9aec36");
}

/* RFC 9001 A.3: the server's Initial, with an ACK and its hello. */
static const char server_initial[] =
	"cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4c"
	"f73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7a"
	"af2f58891850abbdca3d20398c276456cbc42158407dd074ee";

static void a_servers_initial_opens(void **state)
{
	(void)state;
	uint8_t data[256], plain[NJ_QUIC_PLAIN_MAX];
	size_t size = bytes_of(server_initial, data), plain_size = 0;
	struct nj_quic_packet packet;
	struct nj_quic_keys keys;
	assert_true(nj_quic_begins(data, size));
	assert_true(nj_quic_header(data, size, &packet));
	assert_int_equal(packet.version, V1);
	assert_int_equal(packet.type, NJ_QUIC_INITIAL);
	assert_int_equal(packet.dcid_bytes, 0);
	assert_int_equal(packet.bytes, size);
	nj_quic_initial_keys(V1, example_id, sizeof example_id, false, &keys);
	assert_true(nj_quic_open(aes, &keys, data, &packet, plain, &plain_size));
	struct nj_cursor frames = nj_cursor_make(plain, plain_size);
	struct nj_quic_crypto crypto;
	assert_true(nj_quic_crypto_next(&frames, &crypto));
	assert_true(crypto.offset == 0);
	assert_int_equal(crypto.size, 90);
	is_hex(crypto.data, 16, "020000560303eefce7f7b37ba1d1632e");
	assert_false(nj_quic_crypto_next(&frames, &crypto));
	/* One bit changed anywhere, and nothing opens. */
	for (size_t i = 0; i < size; i += 7) {
		data[i] ^= 0x10;
		bool same = nj_quic_header(data, size, &packet) && packet.type == NJ_QUIC_INITIAL &&
			    packet.bytes <= size && nj_quic_open(aes, &keys, data, &packet, plain, &plain_size);
		assert_false(same);
		data[i] ^= 0x10;
	}
	nj_quic_initial_keys(V1, example_id, sizeof example_id, true, &keys);
	assert_true(nj_quic_header(data, size, &packet));
	assert_false(nj_quic_open(aes, &keys, data, &packet, plain, &plain_size));
}

static bool header_of(const char *hex, struct nj_quic_packet *ret_packet)
{
	uint8_t data[256];
	size_t size = bytes_of(hex, data);
	uint8_t *exact = malloc(size + 1); /* so that a byte too far is seen */
	memcpy(exact, data, size);
	bool ok = nj_quic_header(exact, size, ret_packet);
	free(exact);
	return ok;
}

static void headers_tell_their_type(void **state)
{
	(void)state;
	struct nj_quic_packet p;
	assert_true(header_of("e00000000100000401020304", &p));
	assert_int_equal(p.type, NJ_QUIC_HANDSHAKE);
	assert_int_equal(p.bytes, 12);
	assert_true(header_of("f000000001000011223344", &p));
	assert_int_equal(p.type, NJ_QUIC_RETRY);
	assert_true(header_of("c06b3343cf000011223344", &p));
	assert_int_equal(p.type, NJ_QUIC_RETRY);
	assert_true(header_of("e06b3343cf000004aabbccdd", &p));
	assert_int_equal(p.type, NJ_QUIC_ZERO_RTT);
	assert_true(header_of("800000000000000000000001", &p));
	assert_int_equal(p.type, NJ_QUIC_NEGOTIATION);
}

static void broken_headers_are_refused(void **state)
{
	(void)state;
	struct nj_quic_packet p;
	static const char *const broken[] = {
		"c0",
		"c000000001",
		"400000000100000401020304",                                           /* short header */
		"c0fafafafa000004010203041111111111111111",                           /* a version nobody knows */
		"c00000000115000000000000000000000000000000000000000000000000000000", /* id of 21 bytes */
		"c0000000010000ffffffffffffffff00",                         /* a token longer than everything */
		"c000000001000000c0ffffffffffffff00",                       /* a packet longer than everything */
		"c0000000010000001401020304050607080910111213141516171819", /* one byte short */
		"c0000000010000001001020304050607080910111213141516",       /* no room for the sample */
	};
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
		if (header_of(broken[i], &p))
			fail_msg("%s is taken for a header", broken[i]);
	assert_true(header_of("c000000001000000140102030405060708091011121314151617181920", &p));
	assert_int_equal(p.number_at, 9);
}

static unsigned pieces(const char *hex, struct nj_quic_crypto *ret_last)
{
	uint8_t data[256];
	struct nj_cursor frames = nj_cursor_make(data, bytes_of(hex, data));
	unsigned n = 0;
	while (nj_quic_crypto_next(&frames, ret_last))
		n++;
	return n;
}

static void frames_are_walked(void **state)
{
	(void)state;
	struct nj_quic_crypto c;
	assert_int_equal(pieces("0000010006000301020306037a8002aabb00", &c), 1); /* the second has no end */
	assert_true(c.offset == 0 && c.size == 3);
	assert_int_equal(pieces("020000000006405202aabb", &c), 1); /* behind an ACK; an offset in two bytes */
	assert_true(c.offset == 0x52 && c.size == 2);
	assert_int_equal(pieces("0301000102030405060706c2197c5eff14e88c01aa", &c), 1); /* RFC 9000 A.1's number */
	assert_true(c.offset == 151288809941952652ull);
	assert_int_equal(pieces("06000101"
				"0600ff",
				&c),
			 1);
	assert_int_equal(pieces("1c0000000006000101", &c), 0); /* nothing counts behind a close */
	assert_int_equal(pieces("0200ffffffffffffffffff06000101", &c), 0);
	assert_int_equal(pieces("", &c), 0);
}

/* RFC 4231 test case 2 and RFC 5869 test case 1 (extract). */
static void hmac_and_hkdf(void **state)
{
	(void)state;
	uint8_t out[NJ_SHA256_BYTES], material[22], salt[13];
	nj_hmac_sha256((const uint8_t *)"Jefe", 4, (const uint8_t *)"what do ya want for nothing?", 28, out);
	is_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(material, 0x0b, sizeof material);
	for (uint8_t i = 0; i < sizeof salt; i++)
		salt[i] = i;
	nj_hkdf_extract(salt, sizeof salt, material, sizeof material, out);
	is_hex(out, 32, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_those_of_the_examples),
		cmocka_unit_test(header_protection_is_one_block),
		cmocka_unit_test(a_servers_initial_opens),
		cmocka_unit_test(headers_tell_their_type),
		cmocka_unit_test(broken_headers_are_refused),
		cmocka_unit_test(frames_are_walked),
		cmocka_unit_test(hmac_and_hkdf),
	};
	if (nj_aes_new(&aes) != NJ_OK)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	nj_aes_free(&aes);
	return failed;
}
