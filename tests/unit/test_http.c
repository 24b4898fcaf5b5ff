/* Requests and answers as text; every truncation; what other protocols look like at their first bytes. */
#include "sensor/http.h"
#include "tests/unit/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct nj_http_request request;

static enum nj_parse parse_n(const char *text, size_t n)
{
	uint8_t *copy = exact_copy((const uint8_t *)text, n);
	enum nj_parse verdict = nj_http_request(copy, n, &request);
	free(copy);
	return verdict;
}

static enum nj_parse parse(const char *text)
{
	return parse_n(text, strlen(text));
}

static const char sample[] =
	"POST /v1/messages?a=b HTTP/1.1\r\nhOST:  api.example.org:8080 \r\nUser-Agent: curl/7.88.1\r\n"
	"Host: second\r\nContent-Length: 3\r\n\r\nabc";

static void a_request(void **state)
{
	(void)state;
	assert_int_equal(parse(sample), NJ_PARSE_DONE);
	assert_string_equal(request.method, "POST");
	assert_string_equal(request.path, "/v1/messages?a=b");
	assert_int_equal(request.path_bytes, 16);
	assert_int_equal(request.version_minor, 1);
	assert_string_equal(request.host, "api.example.org:8080");
	assert_string_equal(request.user_agent, "curl/7.88.1");
	assert_int_equal(request.head_bytes, sizeof sample - 1 - 3);
}

/* After each complete line, what stood on it is known. */
static void every_truncation(void **state)
{
	(void)state;
	size_t line = strcspn(sample, "\n") + 1, host = line + strcspn(sample + line, "\n") + 1;
	for (size_t n = 0; n < sizeof sample - 1 - 3; n++) {
		assert_int_equal(parse_n(sample, n), NJ_PARSE_MORE);
		assert_string_equal(request.method, n >= line ? "POST" : "");
		assert_string_equal(request.host, n >= host ? "api.example.org:8080" : "");
	}
}

static void lines_may_end_with_lf_alone(void **state)
{
	(void)state;
	assert_int_equal(parse("GET / HTTP/1.0\nHost: h\n\n"), NJ_PARSE_DONE);
	assert_string_equal(request.host, "h");
	assert_int_equal(request.version_minor, 0);
}

static void odd_targets(void **state)
{
	(void)state;
	assert_int_equal(parse("CONNECT example.org:443 HTTP/1.1\r\n\r\n"), NJ_PARSE_DONE);
	assert_string_equal(request.path, "example.org:443");
	assert_int_equal(parse("GET /a b\x01\xff HTTP/1.1\r\n\r\n"), NJ_PARSE_DONE);
	assert_string_equal(request.path, "/a b??");
	assert_int_equal(parse("GET  HTTP/1.1\r\n\r\n"), NJ_PARSE_DONE);
	assert_string_equal(request.path, "");
}

static void long_values_are_cut_and_counted(void **state)
{
	(void)state;
	static struct bytes b;
	put_text(&b, "GET /");
	put_fill(&b, 'p', 999);
	put_text(&b, " HTTP/1.1\r\nUser-Agent: ");
	put_fill(&b, 'u', 500);
	put_text(&b, "\r\nHost: ");
	put_fill(&b, 'h', 500);
	put_text(&b, "\r\n\r\n");
	assert_int_equal(nj_http_request(b.at, b.n, &request), NJ_PARSE_DONE);
	assert_int_equal(request.path_bytes, 1000);
	assert_int_equal(strlen(request.path), NJ_HTTP_PATH_MAX - 1);
	assert_int_equal(strlen(request.user_agent), NJ_HTTP_AGENT_MAX - 1);
	assert_int_equal(strlen(request.host), NJ_HTTP_HOST_MAX - 1);
}

static void a_head_without_end_is_taken_at_the_bound(void **state)
{
	(void)state;
	static struct bytes b;
	put_text(&b, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
	put_fill(&b, 'x', NJ_HTTP_HEAD_BYTES_MAX);
	assert_int_equal(nj_http_request(b.at, NJ_HTTP_HEAD_BYTES_MAX - 1, &request), NJ_PARSE_MORE);
	assert_int_equal(nj_http_request(b.at, NJ_HTTP_HEAD_BYTES_MAX, &request), NJ_PARSE_DONE);
	assert_string_equal(request.host, "h");
	b.n = 0;
	put_text(&b, "GET /");
	put_fill(&b, 'x', NJ_HTTP_HEAD_BYTES_MAX);
	assert_int_equal(nj_http_request(b.at, NJ_HTTP_HEAD_BYTES_MAX, &request), NJ_PARSE_NO);
}

static void other_protocols_are_refused(void **state)
{
	(void)state;
	static const char *const openings[] = {
		"\x16\x03\x01",
		" GET",
		"GET\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"OPTIONS rtsp://a RTSP/1.0\r\n",
		"EHLO mail.example\r\n",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ /",
		"GET / HTTP/1.x\r\n",
		"GET\r\n / HTTP/1.1\r\n",
		"SSH-2.0-OpenSSH_9.2p1\r\n",
		"A HTTP/1.1\r\n",
	};
	for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++)
		assert_int_equal(parse(openings[i]), NJ_PARSE_NO);
}

static enum nj_parse status_of(const char *text, size_t n, uint16_t *ret_status)
{
	uint8_t *copy = exact_copy((const uint8_t *)text, n);
	enum nj_parse verdict = nj_http_status(copy, n, ret_status);
	free(copy);
	return verdict;
}

static void status_codes(void **state)
{
	(void)state;
	static const char answer[] = "HTTP/1.1 401 Unauthorized\r\n";
	uint16_t status = 7;
	for (size_t n = 0; n < 12; n++)
		assert_int_equal(status_of(answer, n, &status), NJ_PARSE_MORE);
	assert_int_equal(status_of("HTTP/2 200", 10, &status), NJ_PARSE_NO);
	assert_int_equal(status_of("HTTP/1.1 20x", 12, &status), NJ_PARSE_NO);
	assert_int_equal(status_of("HTTP/1.1 099", 12, &status), NJ_PARSE_NO);
	assert_int_equal(status_of("ICY 200 OK", 10, &status), NJ_PARSE_NO);
	assert_int_equal(status, 7);
	assert_int_equal(status_of(answer, sizeof answer - 1, &status), NJ_PARSE_DONE);
	assert_int_equal(status, 401);
}

static void damage_never_breaks_the_bounds(void **state)
{
	(void)state;
	static struct bytes b;
	uint64_t seed = 20261124;
	for (unsigned round = 0; round < 20000; round++) {
		b.n = 0;
		put_text(&b, sample);
		damage(b.at, b.n, &seed);
		(void)parse_n((char *)b.at, 1 + next_random(&seed) % b.n);
		assert_true(strlen(request.host) < NJ_HTTP_HOST_MAX);
		assert_true(request.head_bytes <= b.n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(lines_may_end_with_lf_alone),
		cmocka_unit_test(odd_targets),
		cmocka_unit_test(long_values_are_cut_and_counted),
		cmocka_unit_test(a_head_without_end_is_taken_at_the_bound),
		cmocka_unit_test(other_protocols_are_refused),
		cmocka_unit_test(status_codes),
		cmocka_unit_test(damage_never_breaks_the_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
