/* Openings built byte by byte; the expected fingerprints were computed apart, from the definition: MD5 of the four
 * lists joined by ';'. */
#include "sensor/ssh.h"
#include "tests/unit/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct nj_ssh ssh;

static const char *const lists[10] = {
	"curve25519-sha256,ext-info-c",
	"ssh-ed25519",
	"aes128-ctr",
	"aes256-gcm@openssh.com",
	"hmac-sha1",
	"hmac-sha2-256",
	"none",
	"zlib@openssh.com,none",
	"",
	"",
};
/* printf %s 'curve25519-sha256,ext-info-c;aes128-ctr;hmac-sha1;none' | md5sum */
static const char client_hassh[] = "da396fb0f249e33d7f418c7b68338e69";
/* printf %s 'curve25519-sha256,ext-info-c;aes256-gcm@openssh.com;hmac-sha2-256;zlib@openssh.com,none' | md5sum */
static const char server_hassh[] = "574f939fe076500337d692ccf109eb6d";

static void put_opening(struct bytes *b, const char *identification)
{
	b->n = 0;
	put_text(b, identification);
	size_t packet = put_open(b, 4);
	put_number(b, 4, 1);
	put_number(b, 20, 1);
	put_fill(b, 0xcc, 16);
	for (size_t i = 0; i < 10; i++) {
		size_t list = put_open(b, 4);
		put_text(b, lists[i]);
		put_close(b, list, 4);
	}
	put_fill(b, 0, 1 + 4 + 4);
	put_close(b, packet, 4);
}

static enum nj_parse parse(const struct bytes *b, size_t n, bool from_client)
{
	uint8_t *copy = exact_copy(b->at, n);
	enum nj_parse verdict = nj_ssh_opening(copy, n, from_client, &ssh);
	free(copy);
	return verdict;
}

static void both_sides(void **state)
{
	(void)state;
	static struct bytes b;
	put_opening(&b, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
	assert_int_equal(parse(&b, b.n, true), NJ_PARSE_DONE);
	assert_int_equal(ssh.version, 2);
	assert_string_equal(ssh.software, "OpenSSH_9.2p1 Debian-2");
	assert_string_equal(ssh.hassh, client_hassh);
	assert_int_equal(parse(&b, b.n, false), NJ_PARSE_DONE);
	assert_string_equal(ssh.hassh, server_hassh);
}

/* From the end of the identification line on, the software is known although the offer is not complete. */
static void every_truncation(void **state)
{
	(void)state;
	static struct bytes b;
	put_opening(&b, "SSH-1.99-x\n");
	for (size_t n = 0; n < b.n; n++) {
		assert_int_equal(parse(&b, n, true), NJ_PARSE_MORE);
		assert_string_equal(ssh.software, n >= 11 ? "x" : "");
		assert_int_equal(ssh.version, n >= 11 ? 2 : 0);
		assert_string_equal(ssh.hassh, "");
	}
}

static void a_server_may_greet_first(void **state)
{
	(void)state;
	static struct bytes b;
	put_opening(&b, "Authorised use only\r\n\r\nSSH-2.0-srv\r\n");
	assert_int_equal(parse(&b, b.n, false), NJ_PARSE_DONE);
	assert_string_equal(ssh.software, "srv");
	assert_int_equal(parse(&b, b.n, true), NJ_PARSE_NO);
}

static void endless_greetings_are_refused(void **state)
{
	(void)state;
	static struct bytes b;
	b.n = 0;
	for (unsigned i = 0; i < 50; i++)
		put_text(&b, "one more line of a greeting that goes on and on and on and on and on and on and on and "
			     "on and on\r\n");
	assert_int_equal(parse(&b, 1000, false), NJ_PARSE_MORE);
	assert_int_equal(parse(&b, b.n, false), NJ_PARSE_NO);
	b.n = 0;
	put_fill(&b, 'x', 600);
	assert_int_equal(parse(&b, b.n, false), NJ_PARSE_NO);
	b.n = 0;
	put_text(&b, "SSH-2.0-");
	put_fill(&b, 'x', 600);
	assert_int_equal(parse(&b, b.n, true), NJ_PARSE_NO);
}

static void protocol_one_ends_with_its_line(void **state)
{
	(void)state;
	static struct bytes b;
	put_text(&b, "SSH-1.5-old-thing\n");
	assert_int_equal(parse(&b, b.n, true), NJ_PARSE_DONE);
	assert_int_equal(ssh.version, 1);
	assert_string_equal(ssh.software, "old-thing");
	assert_string_equal(ssh.hassh, "");
}

static void odd_software_is_made_printable_and_cut(void **state)
{
	(void)state;
	static struct bytes b;
	put_text(&b, "SSH-2.0-a\x1b[31m\xff-b\r\n");
	assert_int_equal(parse(&b, b.n, true), NJ_PARSE_MORE);
	assert_string_equal(ssh.software, "a?[31m?-b");
	b.n = 0;
	put_text(&b, "SSH-2.0-");
	put_fill(&b, 'y', 300);
	put_text(&b, "\r\n");
	assert_int_equal(parse(&b, b.n, true), NJ_PARSE_MORE);
	assert_int_equal(strlen(ssh.software), NJ_SSH_SOFTWARE_MAX - 1);
}

static void other_protocols_are_refused(void **state)
{
	(void)state;
	static const char *const openings[] = {"GET / HTTP/1.1\r\n", "SSG", "SSH-3.0-x\r\n", "SSH-2.0\r\n", "SSH-\r\n"};
	static struct bytes b;
	for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
		b.n = 0;
		put_text(&b, openings[i]);
		assert_int_equal(parse(&b, b.n, true), NJ_PARSE_NO);
		assert_int_equal(ssh.version, 0);
	}
	b.n = 0;
	put_bytes(&b, "\0\0\1", 3);
	assert_int_equal(parse(&b, b.n, false), NJ_PARSE_NO);
}

static void an_offer_that_lies_is_refused(void **state)
{
	(void)state;
	static struct bytes b;
	size_t line = strlen("SSH-2.0-x\r\n");
	put_opening(&b, "SSH-2.0-x\r\n");
	b.at[line + 5] = 21; /* another message */
	assert_int_equal(parse(&b, b.n, true), NJ_PARSE_NO);
	assert_string_equal(ssh.software, "x"); /* who it was still stands */
	put_opening(&b, "SSH-2.0-x\r\n");
	b.at[line] = 1; /* longer than a packet may be */
	assert_int_equal(parse(&b, b.n, true), NJ_PARSE_NO);
	put_opening(&b, "SSH-2.0-x\r\n");
	b.at[line + 22] = 1; /* a list longer than the packet */
	assert_int_equal(parse(&b, b.n, true), NJ_PARSE_NO);
	assert_string_equal(ssh.hassh, "");
}

static void damage_never_breaks_the_bounds(void **state)
{
	(void)state;
	static struct bytes b;
	uint64_t seed = 20261124;
	for (unsigned round = 0; round < 20000; round++) {
		put_opening(&b, "hello\r\nSSH-2.0-x\r\n");
		damage(b.at, b.n, &seed);
		(void)parse(&b, 1 + next_random(&seed) % b.n, round & 1);
		assert_true(strlen(ssh.software) < NJ_SSH_SOFTWARE_MAX);
		assert_true(strlen(ssh.hassh) == 0 || strlen(ssh.hassh) == 32);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(a_server_may_greet_first),
		cmocka_unit_test(endless_greetings_are_refused),
		cmocka_unit_test(protocol_one_ends_with_its_line),
		cmocka_unit_test(odd_software_is_made_printable_and_cut),
		cmocka_unit_test(other_protocols_are_refused),
		cmocka_unit_test(an_offer_that_lies_is_refused),
		cmocka_unit_test(damage_never_breaks_the_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
