/* Messages built field by field; names at every bound; pointers that loop, point forwards or lie; every truncation;
 * seeded damage. */
#include "sensor/dns.h"
#include "tests/unit/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct nj_dns dns;

static void put_head(struct bytes *b, uint16_t flags, uint16_t questions, uint16_t answers, uint16_t authorities,
		     uint16_t additionals)
{
	b->n = 0;
	put_number(b, 0x1234, 2);
	put_number(b, flags, 2);
	put_number(b, questions, 2);
	put_number(b, answers, 2);
	put_number(b, authorities, 2);
	put_number(b, additionals, 2);
}

/* "www.example.org": labels at the dots, no escapes. */
static void put_name(struct bytes *b, const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");
		put_number(b, n, 1);
		put_bytes(b, name, n);
		name += n + (name[n] == '.');
	}
	put_number(b, 0, 1);
}

static void put_question(struct bytes *b, const char *name, uint16_t type)
{
	put_name(b, name);
	put_number(b, type, 2);
	put_number(b, 1, 2);
}

/* The owner is a pointer to the first question's name. */
static void put_record(struct bytes *b, uint16_t type, const void *data, uint16_t size)
{
	put_number(b, 0xc00c, 2);
	put_number(b, type, 2);
	put_number(b, 0x8001, 2); /* the top bit as in mDNS */
	put_number(b, 300, 4);
	put_number(b, size, 2);
	put_bytes(b, data, size);
}

static enum nj_parse parse(const struct bytes *b)
{
	uint8_t *copy = exact_copy(b->at, b->n);
	enum nj_parse verdict = nj_dns_datagram(copy, b->n, &dns);
	free(copy);
	return verdict;
}

static void a_query(void **state)
{
	(void)state;
	static struct bytes b;
	put_head(&b, 0x0100, 1, 0, 0, 1);
	put_question(&b, "www.example.org", NJ_DNS_TXT);
	put_bytes(&b, "\0\0\x29\x10\0\0\0\0\0\0\0", 11); /* OPT */
	assert_int_equal(parse(&b), NJ_PARSE_DONE);
	assert_int_equal(dns.id, 0x1234);
	assert_int_equal(dns.flags, 0x0100);
	assert_false(dns.response);
	assert_false(dns.cut);
	assert_int_equal(dns.questions_kept, 1);
	assert_string_equal(dns.questions[0].name, "www.example.org");
	assert_int_equal(dns.questions[0].text_bytes, 15);
	assert_int_equal(dns.questions[0].name_bytes, 15);
	assert_int_equal(dns.questions[0].type, NJ_DNS_TXT);
	assert_int_equal(dns.questions[0].class, 1);
}

static void put_response(struct bytes *b)
{
	put_head(b, 0x8583, 1, 4, 1, 0);
	put_question(b, "a.example", NJ_DNS_ANY);
	put_record(b, NJ_DNS_A, "\x0a\x01\x02\x03", 4);
	put_record(b, NJ_DNS_TXT, "\x05hello", 6);
	put_record(b, NJ_DNS_AAAA, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	put_record(b, NJ_DNS_A, "\1\2\3\4\5", 5); /* no address: wrong size */
	put_record(b, NJ_DNS_NS, "\1a\0", 3);
}

static void a_response(void **state)
{
	(void)state;
	static struct bytes b;
	char text[NJ_ADDR_TEXT_MAX];
	put_response(&b);
	assert_int_equal(parse(&b), NJ_PARSE_DONE);
	assert_true(dns.response);
	assert_false(dns.truncated);
	assert_false(dns.cut);
	assert_int_equal(dns.rcode, NJ_DNS_NXDOMAIN);
	assert_int_equal(dns.answers_n, 4);
	assert_int_equal(dns.answers_read, 4);
	assert_int_equal(dns.answer_bytes, 4 + 6 + 16 + 5); /* the authority's 3 do not count */
	assert_int_equal(dns.addresses_n, 2);
	assert_string_equal(nj_addr_text(&dns.addresses[0], text), "10.1.2.3");
	assert_string_equal(nj_addr_text(&dns.addresses[1], text), "2001:db8::1");
}

/* Inside the question a cut message cannot be read; behind it the question still counts. */
static void every_truncation(void **state)
{
	(void)state;
	static struct bytes b;
	put_response(&b);
	size_t questions_end = 12 + 11 + 4, whole = b.n;
	for (size_t n = 0; n < whole; n++) {
		b.n = n;
		if (n < questions_end) {
			assert_int_equal(parse(&b), NJ_PARSE_NO);
			continue;
		}
		assert_int_equal(parse(&b), NJ_PARSE_DONE);
		assert_true(dns.cut);
		assert_string_equal(dns.questions[0].name, "a.example");
	}
}

static void more_addresses_and_questions_than_are_kept(void **state)
{
	(void)state;
	static struct bytes b;
	put_head(&b, 0x8400, 6, 20, 0, 0);
	for (unsigned i = 0; i < 6; i++)
		put_question(&b, "x.example", (uint16_t)(100 + i));
	for (uint8_t i = 0; i < 20; i++)
		put_record(&b, NJ_DNS_A, (uint8_t[4]){10, 0, 0, i}, 4);
	assert_int_equal(parse(&b), NJ_PARSE_DONE);
	assert_int_equal(dns.questions_n, 6);
	assert_int_equal(dns.questions_kept, NJ_DNS_QUESTIONS_MAX);
	assert_int_equal(dns.questions[NJ_DNS_QUESTIONS_MAX - 1].type, 103);
	assert_int_equal(dns.addresses_n, NJ_DNS_ADDRESSES_MAX);
	assert_int_equal(dns.addresses[7].byte[15], 7);
	assert_int_equal(dns.answer_bytes, 80);
}

/* A count that promises more questions than there are: the first still stands, nothing behind it is believed. */
static void questions_that_are_not_there(void **state)
{
	(void)state;
	static struct bytes b;
	for (uint16_t promised = 2; promised < 200; promised += 97) {
		put_head(&b, 0x0100, promised, 1, 0, 0);
		put_question(&b, "first.example", NJ_DNS_TXT);
		put_text(&b, "\x05tail");
		assert_int_equal(parse(&b), NJ_PARSE_DONE);
		assert_true(dns.cut);
		assert_int_equal(dns.questions_kept, 1);
		assert_string_equal(dns.questions[0].name, "first.example");
		assert_int_equal(dns.answers_read, 0);
	}
}

static void bytes_that_need_escapes(void **state)
{
	(void)state;
	static struct bytes b;
	put_head(&b, 0, 1, 0, 0, 0);
	put_bytes(&b,
		  "\x08"
		  "a.b\\ \x00\x7f\xff"
		  "\x01"
		  "~"
		  "\0",
		  9 + 2 + 1);
	put_number(&b, 0x00010001, 4);
	assert_int_equal(parse(&b), NJ_PARSE_DONE);
	assert_string_equal(dns.questions[0].name, "a\\.b\\\\\\032\\000\\127\\255.~");
	assert_int_equal(dns.questions[0].name_bytes, 10);
	assert_int_equal(dns.questions[0].text_bytes, strlen(dns.questions[0].name));
}

static void the_root_is_empty(void **state)
{
	(void)state;
	static struct bytes b;
	put_head(&b, 0, 1, 0, 0, 0);
	put_question(&b, "", NJ_DNS_NS);
	assert_int_equal(parse(&b), NJ_PARSE_DONE);
	assert_string_equal(dns.questions[0].name, "");
	assert_int_equal(dns.questions[0].name_bytes, 0);
	assert_int_equal(dns.questions[0].type, NJ_DNS_NS);
}

/* 253 bytes of which each needs four characters is the longest text there can be; one byte more is refused. */
static void the_longest_name(void **state)
{
	(void)state;
	static struct bytes b;
	for (uint8_t last = 61; last <= 62; last++) {
		put_head(&b, 0, 1, 0, 0, 0);
		for (unsigned i = 0; i < 4; i++) {
			uint8_t n = i < 3 ? 63 : last;
			put_number(&b, n, 1);
			put_fill(&b, 0x80, n);
		}
		put_number(&b, 0, 1);
		put_number(&b, 0x00010001, 4);
		if (last == 62) {
			assert_int_equal(parse(&b), NJ_PARSE_NO);
			continue;
		}
		assert_int_equal(parse(&b), NJ_PARSE_DONE);
		assert_int_equal(dns.questions[0].name_bytes, 253);
		assert_int_equal(dns.questions[0].text_bytes, 250 * 4 + 3);
		assert_true(dns.questions[0].text_bytes < NJ_DNS_NAME_TEXT_MAX);
	}
}

static void a_question_may_point_back(void **state)
{
	(void)state;
	static struct bytes b;
	put_head(&b, 0, 2, 0, 0, 0);
	put_question(&b, "mail.example.org", NJ_DNS_A); /* "example" at 12 + 5 */
	put_bytes(&b, "\3www\xc0\x11", 6);
	put_number(&b, 0x001c0001, 4);
	assert_int_equal(parse(&b), NJ_PARSE_DONE);
	assert_string_equal(dns.questions[1].name, "www.example.org");
	assert_int_equal(dns.questions[1].name_bytes, 15);
	assert_int_equal(dns.questions[1].type, NJ_DNS_AAAA);
}

static void pointers_that_lie_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t size;
	} names[] = {
		{"\xc0\x0c", 2}, /* at itself */
		{"\x01"
		 "a\xc0\x0c",
		 4}, /* at its own start */
		{"\x01"
		 "a\xc0\x0e",
		 4},                     /* at the pointer */
		{"\xc0\x0e\xc0\x0c", 4}, /* forwards, and back */
		{"\xff\xff", 2},         /* beyond the end */
		{"\x40"
		 "abc",
		 4}, /* label kinds that never came into use */
		{"\x80"
		 "abc",
		 4},
		{"\xc0", 1}, /* cut */
		{"\x05"
		 "ab",
		 3},
	};
	static struct bytes b;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		put_head(&b, 0, 1, 0, 0, 0);
		put_bytes(&b, names[i].name, names[i].size);
		if (names[i].size > 1 && names[i].name[0] != 5)
			put_number(&b, 0x00010001, 4);
		assert_int_equal(parse(&b), NJ_PARSE_NO);
	}
}

/* Each question points at the one before it: the longest chain of jumps there can be. */
static void a_chain_of_pointers_ends(void **state)
{
	(void)state;
	static struct bytes b;
	put_head(&b, 0, 1, 0, 0, 0);
	size_t record = b.n;
	put_question(&b, "a", NJ_DNS_A);
	for (unsigned i = 0; i < 300; i++) {
		size_t next = b.n;
		put_number(&b, 0xc000 | record, 2);
		put_number(&b, 0x00010001, 4);
		record = next;
	}
	b.at[4] = 301 >> 8, b.at[5] = 301 & 255;
	assert_int_equal(parse(&b), NJ_PARSE_DONE);
	assert_string_equal(dns.questions[3].name, "a");
}

static void a_bare_header_that_promises_is_refused(void **state)
{
	(void)state;
	static struct bytes b;
	put_head(&b, 0x8400, 0, 7, 0, 0);
	assert_int_equal(parse(&b), NJ_PARSE_NO);
	put_head(&b, 0x8400, 0, 0, 0, 0);
	assert_int_equal(parse(&b), NJ_PARSE_DONE);
	put_head(&b, 0x7800, 0, 0, 0, 0); /* an operation nobody assigned is no reason to look away */
	assert_int_equal(parse(&b), NJ_PARSE_DONE);
	assert_int_equal(dns.opcode, 15);
}

static void messages_of_a_stream(void **state)
{
	(void)state;
	static struct bytes message, stream;
	size_t used = 99;
	put_response(&message);
	for (unsigned i = 0; i < 2; i++) {
		put_number(&stream, message.n, 2);
		put_bytes(&stream, message.at, message.n);
	}
	for (size_t n = 0; n < 2 + message.n; n++)
		assert_int_equal(nj_dns_stream(stream.at, n, &dns, &used), NJ_PARSE_MORE);
	assert_int_equal(used, 99);
	assert_int_equal(nj_dns_stream(stream.at, stream.n, &dns, &used), NJ_PARSE_DONE);
	assert_int_equal(used, 2 + message.n);
	assert_int_equal(nj_dns_stream(stream.at + used, stream.n - used, &dns, &used), NJ_PARSE_DONE);
	assert_int_equal(nj_dns_stream((const uint8_t *)"\0\x0b", 2, &dns, &used), NJ_PARSE_NO);
}

static void types_that_carry_free_data(void **state)
{
	(void)state;
	static const uint16_t yes[] = {5, 10, 15, 16, 33, 255, 65280, 65399, 65535},
			      no[] = {0, 1, 2, 6, 12, 28, 41, 64, 65, 256};
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		assert_true(nj_dns_type_is_free_text(yes[i]));
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		assert_false(nj_dns_type_is_free_text(no[i]));
}

static void damage_never_breaks_the_bounds(void **state)
{
	(void)state;
	static struct bytes b;
	uint64_t seed = 20261124;
	for (unsigned round = 0; round < 50000; round++) {
		put_response(&b);
		size_t n = 1 + next_random(&seed) % b.n;
		uint8_t *copy = exact_copy(b.at, n);
		damage(copy, n, &seed);
		if (nj_dns_datagram(copy, n, &dns) == NJ_PARSE_DONE) {
			assert_true(dns.answer_bytes <= n);
			for (unsigned i = 0; i < dns.questions_kept; i++)
				assert_int_equal(strlen(dns.questions[i].name), dns.questions[i].text_bytes);
		}
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query),
		cmocka_unit_test(a_response),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(more_addresses_and_questions_than_are_kept),
		cmocka_unit_test(questions_that_are_not_there),
		cmocka_unit_test(bytes_that_need_escapes),
		cmocka_unit_test(the_root_is_empty),
		cmocka_unit_test(the_longest_name),
		cmocka_unit_test(a_question_may_point_back),
		cmocka_unit_test(pointers_that_lie_are_refused),
		cmocka_unit_test(a_chain_of_pointers_ends),
		cmocka_unit_test(a_bare_header_that_promises_is_refused),
		cmocka_unit_test(messages_of_a_stream),
		cmocka_unit_test(types_that_carry_free_data),
		cmocka_unit_test(damage_never_breaks_the_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
