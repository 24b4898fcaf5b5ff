/* Messages encoded by a little DER writer of the test's own; lengths in short and long form; every truncation; seeded
 * damage. */
#include "sensor/kerberos.h"
#include "tests/unit/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct nj_kerberos kerberos;

/* Lengths always in the three-byte long form, which DER forbids for small ones but every reader accepts. */
static size_t der_open(struct bytes *b, uint8_t tag)
{
	put_number(b, tag, 1);
	put_number(b, 0x82, 1);
	return put_open(b, 2);
}

static void der_close(struct bytes *b, size_t open)
{
	put_close(b, open, 2);
}

static void der_integer(struct bytes *b, int64_t value, unsigned width)
{
	put_number(b, 0x02, 1);
	put_number(b, width, 1);
	put_number(b, (uint64_t)value, width);
}

static void der_string(struct bytes *b, const char *text)
{
	put_number(b, 0x1b, 1);
	put_number(b, strlen(text), 1);
	put_text(b, text);
}

static void field_integer(struct bytes *b, uint8_t number, int64_t value, unsigned width)
{
	size_t field = der_open(b, 0xa0 + number);
	der_integer(b, value, width);
	der_close(b, field);
}

static void field_string(struct bytes *b, uint8_t number, const char *text)
{
	size_t field = der_open(b, 0xa0 + number);
	der_string(b, text);
	der_close(b, field);
}

static void field_name(struct bytes *b, uint8_t number, const char *first, const char *second)
{
	size_t field = der_open(b, 0xa0 + number), name = der_open(b, 0x30);
	field_integer(b, 0, 1, 1);
	size_t strings = der_open(b, 0xa1), list = der_open(b, 0x30);
	der_string(b, first);
	if (second != NULL)
		der_string(b, second);
	der_close(b, list);
	der_close(b, strings);
	der_close(b, name);
	der_close(b, field);
}

static void put_request(struct bytes *b, uint8_t type, int preauth, unsigned etypes_n)
{
	b->n = 0;
	size_t message = der_open(b, 0x60 + type), fields = der_open(b, 0x30);
	field_integer(b, 1, 5, 1);
	field_integer(b, 2, type, 1);
	size_t field = der_open(b, 0xa3), list = der_open(b, 0x30);
	for (int i = 0; i < 2; i++) { /* PA-PAC-REQUEST, then the one asked for */
		size_t element = der_open(b, 0x30);
		field_integer(b, 1, i == 0 ? 128 : preauth, 2);
		size_t value = der_open(b, 0xa2);
		put_bytes(b, "\x04\x02\x30\x00", 4);
		der_close(b, value);
		der_close(b, element);
	}
	der_close(b, list);
	der_close(b, field);
	field = der_open(b, 0xa4);
	size_t body = der_open(b, 0x30);
	if (type == NJ_KERBEROS_AS_REQ)
		field_name(b, 1, "alice", NULL);
	field_string(b, 2, "EXAMPLE.ORG");
	field_name(b, 3, "cifs", "files.example.org");
	size_t etypes = der_open(b, 0xa8);
	list = der_open(b, 0x30);
	for (unsigned i = 0; i < etypes_n; i++)
		der_integer(b, i == 0 ? 18 : i == 1 ? NJ_ETYPE_RC4 : -133, i < 2 ? 1 : 2);
	der_close(b, list);
	der_close(b, etypes);
	der_close(b, body);
	der_close(b, field);
	der_close(b, fields);
	der_close(b, message);
}

static void put_reply(struct bytes *b, uint8_t type)
{
	b->n = 0;
	size_t message = der_open(b, 0x60 + type), fields = der_open(b, 0x30);
	field_integer(b, 0, 5, 1);
	field_integer(b, 1, type, 1);
	field_string(b, 3, "EXAMPLE.ORG");
	field_name(b, 4, "alice", NULL);
	size_t field = der_open(b, 0xa5), ticket = der_open(b, 0x61), sequence = der_open(b, 0x30);
	field_integer(b, 0, 5, 1);
	field_string(b, 1, "TICKET.REALM");
	field_name(b, 2, "krbtgt", "EXAMPLE.ORG");
	size_t encrypted = der_open(b, 0xa3), inner = der_open(b, 0x30);
	field_integer(b, 0, NJ_ETYPE_RC4, 1);
	field_integer(b, 1, 2, 1);
	der_close(b, inner);
	der_close(b, encrypted);
	der_close(b, sequence);
	der_close(b, ticket);
	der_close(b, field);
	der_close(b, fields);
	der_close(b, message);
}

static void put_error(struct bytes *b, int code)
{
	b->n = 0;
	size_t message = der_open(b, 0x7e), fields = der_open(b, 0x30);
	field_integer(b, 0, 5, 1);
	field_integer(b, 1, 30, 1);
	field_integer(b, 6, code, 1);
	field_string(b, 7, "CLIENT.REALM");
	field_name(b, 8, "bob", "admin");
	field_string(b, 9, "EXAMPLE.ORG");
	field_name(b, 10, "krbtgt", "EXAMPLE.ORG");
	der_close(b, fields);
	der_close(b, message);
}

static enum nj_parse parse(const struct bytes *b, size_t n)
{
	uint8_t *copy = exact_copy(b->at, n);
	enum nj_parse verdict = nj_kerberos_datagram(copy, n, &kerberos);
	free(copy);
	return verdict;
}

static void requests(void **state)
{
	(void)state;
	static struct bytes b;
	put_request(&b, NJ_KERBEROS_AS_REQ, 2, 3);
	assert_int_equal(parse(&b, b.n), NJ_PARSE_DONE);
	assert_int_equal(kerberos.type, NJ_KERBEROS_AS_REQ);
	assert_string_equal(kerberos.client, "alice");
	assert_string_equal(kerberos.realm, "EXAMPLE.ORG");
	assert_string_equal(kerberos.service, "cifs/files.example.org");
	assert_true(kerberos.preauthenticated);
	assert_int_equal(kerberos.etypes_n, 3);
	assert_int_equal(kerberos.etypes[0], 18);
	assert_int_equal(kerberos.etypes[1], NJ_ETYPE_RC4);
	assert_int_equal(kerberos.etypes[2], -133);
	put_request(&b, NJ_KERBEROS_TGS_REQ, 1, 40);
	assert_int_equal(parse(&b, b.n), NJ_PARSE_DONE);
	assert_string_equal(kerberos.client, "");
	assert_false(kerberos.preauthenticated);
	assert_int_equal(kerberos.etypes_n, NJ_KERBEROS_ETYPES_MAX);
}

static void who_proves_itself(void **state)
{
	(void)state;
	static const int yes[] = {2, 16, 136, 138}, no[] = {1, 128, 149, 167};
	static struct bytes b;
	for (size_t i = 0; i < 4; i++) {
		put_request(&b, NJ_KERBEROS_AS_REQ, yes[i], 1);
		assert_int_equal(parse(&b, b.n), NJ_PARSE_DONE);
		assert_true(kerberos.preauthenticated);
		put_request(&b, NJ_KERBEROS_AS_REQ, no[i], 1);
		assert_int_equal(parse(&b, b.n), NJ_PARSE_DONE);
		assert_false(kerberos.preauthenticated);
	}
}

static void replies(void **state)
{
	(void)state;
	static struct bytes b;
	for (uint8_t type = NJ_KERBEROS_AS_REP; type <= NJ_KERBEROS_TGS_REP; type += 2) {
		put_reply(&b, type);
		assert_int_equal(parse(&b, b.n), NJ_PARSE_DONE);
		assert_int_equal(kerberos.type, type);
		assert_string_equal(kerberos.client, "alice");
		assert_string_equal(kerberos.realm, "EXAMPLE.ORG");
		assert_string_equal(kerberos.service, "krbtgt/EXAMPLE.ORG");
		assert_int_equal(kerberos.ticket_etype, NJ_ETYPE_RC4);
		assert_int_equal(kerberos.error, 0);
	}
}

static void errors(void **state)
{
	(void)state;
	static struct bytes b;
	put_error(&b, NJ_KERBEROS_PREAUTH_FAILED);
	assert_int_equal(parse(&b, b.n), NJ_PARSE_DONE);
	assert_int_equal(kerberos.type, NJ_KERBEROS_ERROR);
	assert_int_equal(kerberos.error, NJ_KERBEROS_PREAUTH_FAILED);
	assert_string_equal(kerberos.client, "bob/admin");
	assert_string_equal(kerberos.realm, "EXAMPLE.ORG");
	assert_string_equal(kerberos.service, "krbtgt/EXAMPLE.ORG");
}

static void a_cut_datagram_is_refused(void **state)
{
	(void)state;
	static struct bytes b;
	put_request(&b, NJ_KERBEROS_AS_REQ, 2, 3);
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(parse(&b, n), NJ_PARSE_NO);
	put_error(&b, 6);
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(parse(&b, n), NJ_PARSE_NO);
}

static void a_stream_of_messages(void **state)
{
	(void)state;
	static struct bytes message, stream;
	size_t used;
	put_error(&message, 25);
	for (unsigned i = 0; i < 2; i++) {
		put_number(&stream, message.n, 4);
		put_bytes(&stream, message.at, message.n);
	}
	for (size_t n = 0; n < 4 + message.n; n++) {
		uint8_t *copy = exact_copy(stream.at, n);
		assert_int_equal(nj_kerberos_stream(copy, n, &kerberos, &used), NJ_PARSE_MORE);
		assert_int_equal(used, n < 4 ? 0 : 4 + message.n);
		free(copy);
	}
	assert_int_equal(nj_kerberos_stream(stream.at, stream.n, &kerberos, &used), NJ_PARSE_DONE);
	assert_int_equal(used, 4 + message.n);
	assert_int_equal(nj_kerberos_stream(stream.at + used, stream.n - used, &kerberos, &used), NJ_PARSE_DONE);
	assert_int_equal(nj_kerberos_stream((const uint8_t *)"\x80\0\0\0", 4, &kerberos, &used), NJ_PARSE_NO);
	assert_int_equal(nj_kerberos_stream((const uint8_t *)"\0\0\1\0G", 5, &kerberos, &used), NJ_PARSE_NO);
}

static void what_is_no_kerberos(void **state)
{
	(void)state;
	static const struct {
		const char *data;
		size_t size;
	} inputs[] = {
		{"\x6a\x80\x30\x80\0\0\0\0", 8}, /* indefinite length */
		{"\x6a\x85\1\0\0\0\0", 7},       /* a length of five bytes */
		{"\x6f\x02\x30\0", 4},           /* another application tag */
		{"\x6a\x02\x31\0", 4},           /* not a sequence */
		{"\x6a\x02\x30\0", 4},           /* a request without a body */
		{"GET /", 5},
	};
	for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
		assert_int_equal(nj_kerberos_datagram((const uint8_t *)inputs[i].data, inputs[i].size, &kerberos),
				 NJ_PARSE_NO);
}

static void long_names_are_cut_and_made_printable(void **state)
{
	(void)state;
	static struct bytes b;
	static char name[121];
	memset(name, 'n', 120);
	name[0] = '\x07';
	b.n = 0;
	size_t message = der_open(&b, 0x7e), fields = der_open(&b, 0x30), field = der_open(&b, 0xa8),
	       sequence = der_open(&b, 0x30);
	size_t strings = der_open(&b, 0xa1), list = der_open(&b, 0x30);
	for (unsigned i = 0; i < 5; i++)
		der_string(&b, name);
	der_close(&b, list);
	der_close(&b, strings);
	der_close(&b, sequence);
	der_close(&b, field);
	der_close(&b, fields);
	der_close(&b, message);
	assert_int_equal(parse(&b, b.n), NJ_PARSE_DONE);
	assert_int_equal(strlen(kerberos.client), NJ_KERBEROS_NAME_MAX - 1);
	assert_int_equal(kerberos.client[0], '?');
	assert_int_equal(kerberos.client[120], '/');
}

static void damage_never_breaks_the_bounds(void **state)
{
	(void)state;
	static struct bytes b;
	uint64_t seed = 20261124;
	for (unsigned round = 0; round < 30000; round++) {
		if (round % 3 == 0)
			put_request(&b, NJ_KERBEROS_AS_REQ, 2, 3);
		else if (round % 3 == 1)
			put_reply(&b, NJ_KERBEROS_TGS_REP);
		else
			put_error(&b, 6);
		damage(b.at, b.n, &seed);
		if (parse(&b, b.n) == NJ_PARSE_DONE) {
			assert_true(strlen(kerberos.client) < NJ_KERBEROS_NAME_MAX);
			assert_true(kerberos.etypes_n <= NJ_KERBEROS_ETYPES_MAX);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(who_proves_itself),
		cmocka_unit_test(replies),
		cmocka_unit_test(errors),
		cmocka_unit_test(a_cut_datagram_is_refused),
		cmocka_unit_test(a_stream_of_messages),
		cmocka_unit_test(what_is_no_kerberos),
		cmocka_unit_test(long_names_are_cut_and_made_printable),
		cmocka_unit_test(damage_never_breaks_the_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
