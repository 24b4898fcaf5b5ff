/* Hellos built byte by byte, so that each field's expected value is known; every truncation, every split into records,
 * and seeded damage. */
#include "sensor/tls.h"
#include "tests/unit/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct nj_client_hello hello;
static struct nj_server_hello answer;

static size_t open_extension(struct bytes *b, uint16_t type)
{
	put_number(b, type, 2);
	return put_open(b, 2);
}

static void put_server_name(struct bytes *b, const char *name, size_t name_bytes)
{
	size_t extension = open_extension(b, 0), list = put_open(b, 2);
	put_number(b, 0, 1);
	put_number(b, name_bytes, 2);
	put_bytes(b, name, name_bytes);
	put_close(b, list, 2);
	put_close(b, extension, 2);
}

static void put_alpn(struct bytes *b, const char *const *names, size_t n)
{
	size_t extension = open_extension(b, 16), list = put_open(b, 2);
	for (size_t i = 0; i < n; i++) {
		put_number(b, strlen(names[i]), 1);
		put_text(b, names[i]);
	}
	put_close(b, list, 2);
	put_close(b, extension, 2);
}

/* Up to and including the length of the extensions; close *ret_body (3) and *ret_extensions (2). */
static void open_client_hello(struct bytes *b, const uint16_t *ciphers, size_t ciphers_n, size_t *ret_body,
			      size_t *ret_extensions)
{
	b->n = 0;
	put_number(b, 1, 1);
	*ret_body = put_open(b, 3);
	put_number(b, 0x0303, 2);
	put_fill(b, 0x5a, 32);
	put_number(b, 32, 1);
	put_fill(b, 0xa5, 32);
	size_t list = put_open(b, 2);
	for (size_t i = 0; i < ciphers_n; i++)
		put_number(b, ciphers[i], 2);
	put_close(b, list, 2);
	put_number(b, 0x0100, 2);
	*ret_extensions = put_open(b, 2);
}

static void close_client_hello(struct bytes *b, size_t body, size_t extensions)
{
	put_close(b, extensions, 2);
	put_close(b, body, 3);
}

/* As a browser sends it, GREASE and all. */
static void put_browser_hello(struct bytes *b)
{
	static const uint16_t ciphers[] = {0x8a8a, 0x1301, 0x1302, 0xc02b, 0x00ff};
	static const char *const protocols[] = {"h2", "http/1.1"};
	size_t body, extensions, e;
	open_client_hello(b, ciphers, 5, &body, &extensions);
	e = open_extension(b, 0x3a3a);
	put_close(b, e, 2);
	put_server_name(b, "www.example.org", 15);
	put_alpn(b, protocols, 2);
	e = open_extension(b, 13);
	put_number(b, 4, 2);
	put_number(b, 0x04030804, 4);
	put_close(b, e, 2);
	e = open_extension(b, 43);
	put_number(b, 8, 1);
	put_number(b, 0xfafa, 2); /* GREASE is above every version, */
	put_number(b, 0x7f1c, 2); /* and so are drafts */
	put_number(b, 0x0304, 2);
	put_number(b, 0x0303, 2);
	put_close(b, e, 2);
	e = open_extension(b, 0xfe0d);
	put_fill(b, 7, 40);
	put_close(b, e, 2);
	close_client_hello(b, body, extensions);
}

static void put_server_hello(struct bytes *b, bool tls13, bool retry)
{
	static const uint8_t retry_random[32] = {
		0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
		0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
	};
	static const char *const protocols[] = {"h2"};
	b->n = 0;
	put_number(b, 2, 1);
	size_t body = put_open(b, 3);
	put_number(b, 0x0303, 2);
	if (retry)
		put_bytes(b, retry_random, 32);
	else
		put_fill(b, 0x77, 32);
	put_number(b, 0, 1);
	put_number(b, tls13 ? 0x1302 : 0xc030, 2);
	put_number(b, 0, 1);
	size_t extensions = put_open(b, 2);
	if (tls13) {
		size_t e = open_extension(b, 43);
		put_number(b, 0x0304, 2);
		put_close(b, e, 2);
	} else {
		put_alpn(b, protocols, 1);
	}
	put_close(b, extensions, 2);
	put_close(b, body, 3);
}

/* Wraps a message into records of at most *record_bytes*. */
static void put_records(struct bytes *b, const struct bytes *message, size_t record_bytes)
{
	b->n = 0;
	for (size_t at = 0; at < message->n; at += record_bytes) {
		size_t n = message->n - at < record_bytes ? message->n - at : record_bytes;
		put_number(b, 0x160301, 3);
		put_number(b, n, 2);
		put_bytes(b, message->at + at, n);
	}
}

static void check_browser_hello(void)
{
	assert_int_equal(hello.legacy_version, 0x0303);
	assert_int_equal(hello.version_max, 0x0304);
	assert_true(hello.has_supported_versions);
	assert_int_equal(hello.ciphers_n, 5);
	assert_int_equal(hello.ciphers[0], 0x8a8a);
	assert_int_equal(hello.ciphers[4], 0x00ff);
	assert_int_equal(hello.extensions_n, 6);
	assert_int_equal(hello.extensions[5], 0xfe0d);
	assert_int_equal(hello.sigalgs_n, 2);
	assert_int_equal(hello.sigalgs[1], 0x0804);
	assert_true(hello.has_sni);
	assert_int_equal(hello.sni_bytes, 15);
	assert_string_equal(hello.sni, "www.example.org");
	assert_int_equal(hello.alpn_n, 2);
	assert_int_equal(hello.alpn_bytes, 2);
	assert_string_equal((char *)hello.alpn, "h2");
	assert_true(hello.has_ech);
	assert_false(hello.is_v2);
}

static void every_field_of_a_client_hello(void **state)
{
	(void)state;
	static struct bytes message;
	put_browser_hello(&message);
	memset(&hello, 0xff, sizeof hello);
	assert_int_equal(nj_tls_client_hello_message(message.at, message.n, &hello), NJ_PARSE_DONE);
	check_browser_hello();
}

static void records_of_every_size_join(void **state)
{
	(void)state;
	static struct bytes message, stream;
	put_browser_hello(&message);
	for (size_t record_bytes = 1; record_bytes <= message.n; record_bytes++) {
		put_records(&stream, &message, record_bytes);
		put_fill(&stream, 0x16, 3); /* what follows is not ours */
		memset(&hello, 0xff, sizeof hello);
		assert_int_equal(nj_tls_client_hello(stream.at, stream.n, &hello), NJ_PARSE_DONE);
		check_browser_hello();
	}
}

/* A hello cut anywhere asks for more, whatever the records, and never reads beyond its bytes. */
static void every_truncation_asks_for_more(void **state)
{
	(void)state;
	static struct bytes message, stream;
	static const size_t record_bytes[] = {1, 7, 100, 65535};
	put_browser_hello(&message);
	for (size_t i = 0; i < 4; i++) {
		put_records(&stream, &message, record_bytes[i]);
		for (size_t n = 0; n < stream.n; n++) {
			uint8_t *copy = exact_copy(stream.at, n);
			assert_int_equal(nj_tls_client_hello(copy, n, &hello), NJ_PARSE_MORE);
			free(copy);
		}
	}
	put_server_hello(&message, true, false);
	put_records(&stream, &message, 65535);
	for (size_t n = 0; n < stream.n; n++) {
		uint8_t *copy = exact_copy(stream.at, n);
		assert_int_equal(nj_tls_server_hello(copy, n, &answer), NJ_PARSE_MORE);
		free(copy);
	}
}

/* The lengths inside still hold to the message's end, so a cut message whose own length is mended must be refused. */
static void a_shortened_message_is_refused(void **state)
{
	(void)state;
	static struct bytes message;
	put_browser_hello(&message);
	size_t extensions = 4 + 2 + 32 + 33 + 2 + 10 + 2; /* where their length stands: a hello may end there */
	for (size_t n = 5; n < message.n; n++) {
		uint8_t *copy = exact_copy(message.at, n);
		copy[1] = 0, copy[2] = (uint8_t)((n - 4) >> 8), copy[3] = (uint8_t)(n - 4);
		enum nj_parse expected = n == extensions ? NJ_PARSE_DONE : NJ_PARSE_NO;
		assert_int_equal(nj_tls_client_hello_message(copy, n, &hello), expected);
		free(copy);
	}
}

static void other_protocols_are_refused_at_once(void **state)
{
	(void)state;
	static const char *const openings[] = {
		"GET / HTTP/1.1\r\n",   "SSH-2.0-x\r\n",        "\x15\x03\x03", "\x16\x02",
		"\x16\x03\x05",         "\x16\x03\x01\xff",     "\x17\x03\x03", "\x80\x2e\x02",
		"\x80\x2e\x01\x04\x01", "\x80\x2e\x01\x03\x05",
	};
	for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
		size_t n = strlen(openings[i]);
		if (openings[i][0] == 0x16 && n == 4)
			n = 5; /* its length needs both bytes */
		assert_int_equal(nj_tls_client_hello((const uint8_t *)openings[i], n, &hello), NJ_PARSE_NO);
		if (openings[i][0] != 0x15)
			assert_int_equal(nj_tls_server_hello((const uint8_t *)openings[i], n, &answer), NJ_PARSE_NO);
	}
	/* an empty handshake record would let a stream ask for more for ever */
	assert_int_equal(nj_tls_client_hello((const uint8_t *)"\x16\x03\x01\0\0", 5, &hello), NJ_PARSE_NO);
	/* a server's hello is not a client's, and the reverse */
	assert_int_equal(nj_tls_client_hello((const uint8_t *)"\x16\x03\x01\0\x40\x02", 6, &hello), NJ_PARSE_NO);
	assert_int_equal(nj_tls_server_hello((const uint8_t *)"\x16\x03\x01\0\x40\x01", 6, &answer), NJ_PARSE_NO);
}

static void a_hello_beyond_the_bound_is_refused(void **state)
{
	(void)state;
	static struct bytes message, stream;
	size_t body, extensions, e;
	for (int above = 0; above < 2; above++) {
		open_client_hello(&message, (uint16_t[]){0x1301}, 1, &body, &extensions);
		e = open_extension(&message, 21);
		put_fill(&message, 0, NJ_TLS_HELLO_BYTES_MAX + 4 - message.n + (size_t)above);
		put_close(&message, e, 2);
		close_client_hello(&message, body, extensions);
		put_records(&stream, &message, 16384);
		assert_int_equal(nj_tls_client_hello(stream.at, stream.n, &hello), above ? NJ_PARSE_NO : NJ_PARSE_DONE);
	}
}

static void lists_beyond_what_is_kept_are_counted(void **state)
{
	(void)state;
	static struct bytes message;
	static uint16_t ciphers[NJ_TLS_CIPHERS_MAX + 9];
	size_t body, extensions, e;
	for (uint16_t i = 0; i < NJ_TLS_CIPHERS_MAX + 9; i++)
		ciphers[i] = i;
	open_client_hello(&message, ciphers, NJ_TLS_CIPHERS_MAX + 9, &body, &extensions);
	for (uint16_t i = 0; i < NJ_TLS_EXTENSIONS_MAX + 5; i++) {
		e = open_extension(&message, (uint16_t)(1000 + i));
		put_close(&message, e, 2);
	}
	e = open_extension(&message, 13);
	put_number(&message, 2 * (NJ_TLS_SIGALGS_MAX + 3), 2);
	put_fill(&message, 4, 2 * (NJ_TLS_SIGALGS_MAX + 3));
	put_close(&message, e, 2);
	close_client_hello(&message, body, extensions);
	assert_int_equal(nj_tls_client_hello_message(message.at, message.n, &hello), NJ_PARSE_DONE);
	assert_int_equal(hello.ciphers_n, NJ_TLS_CIPHERS_MAX + 9);
	assert_int_equal(hello.ciphers[NJ_TLS_CIPHERS_MAX - 1], NJ_TLS_CIPHERS_MAX - 1);
	assert_int_equal(hello.extensions_n, NJ_TLS_EXTENSIONS_MAX + 6);
	assert_int_equal(hello.sigalgs_n, NJ_TLS_SIGALGS_MAX + 3);
}

static void names_are_cut_and_odd_extensions_tolerated(void **state)
{
	(void)state;
	static struct bytes message;
	static char name[300];
	size_t body, extensions, e;
	memset(name, 'a', sizeof name);
	open_client_hello(&message, NULL, 0, &body, &extensions);
	put_server_name(&message, name, sizeof name);
	put_server_name(&message, "second.example", 14); /* the first counts */
	e = open_extension(&message, 16);
	put_fill(&message, 0xff, 3); /* lengths that lie */
	put_close(&message, e, 2);
	e = open_extension(&message, 43);
	put_close(&message, e, 2);
	close_client_hello(&message, body, extensions);
	assert_int_equal(nj_tls_client_hello_message(message.at, message.n, &hello), NJ_PARSE_DONE);
	assert_int_equal(hello.sni_bytes, 300);
	assert_int_equal(strlen(hello.sni), NJ_TLS_NAME_MAX - 1);
	assert_int_equal(hello.alpn_n, 0);
	assert_int_equal(hello.alpn_bytes, 0);
	assert_int_equal(hello.version_max, 0x0303);
	assert_int_equal(hello.extensions_n, 4);
}

/* Only a draft: no standard version is offered, whatever the legacy field says. */
static void a_hello_of_drafts_alone_has_no_version(void **state)
{
	(void)state;
	static const uint16_t cipher[] = {0x1301};
	static struct bytes message;
	size_t body, extensions;
	open_client_hello(&message, cipher, 1, &body, &extensions);
	size_t e = open_extension(&message, 43);
	put_number(&message, 2, 1);
	put_number(&message, 0x7f10, 2);
	put_close(&message, e, 2);
	close_client_hello(&message, body, extensions);
	assert_int_equal(nj_tls_client_hello_message(message.at, message.n, &hello), NJ_PARSE_DONE);
	assert_int_equal(hello.version_max, 0);
	assert_int_equal(hello.legacy_version, 0x0303);
}

/* SSL 3.0 to TLS 1.2 allow a hello without extensions. */
static void an_old_hello_has_no_extensions(void **state)
{
	(void)state;
	static struct bytes message;
	put_number(&message, 1, 1);
	size_t body = put_open(&message, 3);
	put_number(&message, 0x0300, 2);
	put_fill(&message, 1, 32);
	put_number(&message, 0, 1);
	put_number(&message, 0x00020005, 4);
	put_number(&message, 0x0100, 2);
	put_close(&message, body, 3);
	assert_int_equal(nj_tls_client_hello_message(message.at, message.n, &hello), NJ_PARSE_DONE);
	assert_int_equal(hello.version_max, 0x0300);
	assert_int_equal(hello.ciphers_n, 1);
	assert_int_equal(hello.extensions_n, 0);
	assert_false(hello.has_sni);
	assert_string_equal(hello.sni, "");
}

static void a_hello_in_the_framing_of_ssl_2(void **state)
{
	(void)state;
	static struct bytes b;
	size_t message = put_open(&b, 2);
	put_number(&b, 1, 1);
	put_number(&b, 0x0301, 2);
	put_number(&b, 9, 2);
	put_number(&b, 0, 2);
	put_number(&b, 16, 2);
	put_number(&b, 0x000039, 3);
	put_number(&b, 0x0700c0, 3); /* SSL 2.0's own */
	put_number(&b, 0x0000ff, 3);
	put_fill(&b, 0x11, 16);
	put_close(&b, message, 2);
	b.at[0] |= 0x80;
	for (size_t n = 1; n < b.n; n++) {
		uint8_t *copy = exact_copy(b.at, n);
		assert_int_equal(nj_tls_client_hello(copy, n, &hello), NJ_PARSE_MORE);
		free(copy);
	}
	assert_int_equal(nj_tls_client_hello(b.at, b.n, &hello), NJ_PARSE_DONE);
	assert_true(hello.is_v2);
	assert_int_equal(hello.version_max, 0x0301);
	assert_int_equal(hello.ciphers_n, 2);
	assert_int_equal(hello.ciphers[1], 0x00ff);
	assert_int_equal(hello.extensions_n, 0);
	b.at[1]++; /* a length that does not add up */
	assert_int_equal(nj_tls_client_hello(b.at, b.n, &hello), NJ_PARSE_NO);
}

static void what_the_server_chose(void **state)
{
	(void)state;
	static struct bytes message, stream;
	put_server_hello(&message, false, false);
	put_records(&stream, &message, 65535);
	assert_int_equal(nj_tls_server_hello(stream.at, stream.n, &answer), NJ_PARSE_DONE);
	assert_int_equal(answer.version, 0x0303);
	assert_int_equal(answer.cipher, 0xc030);
	assert_string_equal((char *)answer.alpn, "h2");
	assert_false(answer.retry);
	put_server_hello(&message, true, true);
	assert_int_equal(nj_tls_server_hello_message(message.at, message.n, &answer), NJ_PARSE_DONE);
	assert_int_equal(answer.version, 0x0304);
	assert_int_equal(answer.cipher, 0x1302);
	assert_int_equal(answer.alpn_bytes, 0);
	assert_true(answer.retry);
}

static void a_server_may_warn_first(void **state)
{
	(void)state;
	static struct bytes message, stream, warned;
	put_server_hello(&message, false, false);
	put_records(&stream, &message, 65535);
	for (unsigned i = 0; i < 2; i++)
		put_bytes(&warned, "\x15\x03\x01\0\x02\x01\x70", 7);
	put_bytes(&warned, stream.at, stream.n);
	for (size_t n = 0; n < warned.n; n++) {
		uint8_t *copy = exact_copy(warned.at, n);
		assert_int_equal(nj_tls_server_hello(copy, n, &answer), NJ_PARSE_MORE);
		free(copy);
	}
	assert_int_equal(nj_tls_server_hello(warned.at, warned.n, &answer), NJ_PARSE_DONE);
	assert_int_equal(answer.cipher, 0xc030);
	warned.at[5] = 2; /* fatal: no hello will come */
	assert_int_equal(nj_tls_server_hello(warned.at, warned.n, &answer), NJ_PARSE_NO);
}

static void the_sixteen_grease_values(void **state)
{
	(void)state;
	unsigned n = 0;
	for (uint32_t value = 0; value < 65536; value++)
		n += nj_tls_is_grease((uint16_t)value);
	assert_int_equal(n, 16);
	assert_true(nj_tls_is_grease(0x0a0a));
	assert_true(nj_tls_is_grease(0xfafa));
	assert_false(nj_tls_is_grease(0x0a1a));
	assert_false(nj_tls_is_grease(0x1301));
}

static void damage_never_breaks_the_bounds(void **state)
{
	(void)state;
	static struct bytes message, stream;
	uint64_t seed = 20261124;
	put_browser_hello(&message);
	for (unsigned round = 0; round < 20000; round++) {
		put_records(&stream, &message, 1 + next_random(&seed) % 300);
		size_t n = 1 + next_random(&seed) % stream.n;
		uint8_t *copy = exact_copy(stream.at, n);
		damage(copy, n, &seed);
		if (nj_tls_client_hello(copy, n, &hello) == NJ_PARSE_DONE) {
			assert_true(strlen(hello.sni) <= hello.sni_bytes);
			assert_true(2u * hello.ciphers_n + 4u * hello.extensions_n <= n);
		}
		(void)nj_tls_server_hello(copy, n, &answer);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_a_client_hello),
		cmocka_unit_test(records_of_every_size_join),
		cmocka_unit_test(every_truncation_asks_for_more),
		cmocka_unit_test(a_shortened_message_is_refused),
		cmocka_unit_test(other_protocols_are_refused_at_once),
		cmocka_unit_test(a_hello_beyond_the_bound_is_refused),
		cmocka_unit_test(lists_beyond_what_is_kept_are_counted),
		cmocka_unit_test(names_are_cut_and_odd_extensions_tolerated),
		cmocka_unit_test(a_hello_of_drafts_alone_has_no_version),
		cmocka_unit_test(an_old_hello_has_no_extensions),
		cmocka_unit_test(a_hello_in_the_framing_of_ssl_2),
		cmocka_unit_test(what_the_server_chose),
		cmocka_unit_test(a_server_may_warn_first),
		cmocka_unit_test(the_sixteen_grease_values),
		cmocka_unit_test(damage_never_breaks_the_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
