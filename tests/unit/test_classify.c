/* nDPI behind its pool: labels, bounds, and that one flow's label does not depend on another flow. */
#include "sensor/classify.h"
#include "sensor/decode.h"
#include "tests/unit/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLIENT 0x0a000001u
#define SERVER 0x0a000002u

static struct nj_classify *classify_of(uint32_t states)
{
	struct nj_classify *classify;
	assert_int_equal(nj_classify_new(states, NULL, &classify), 0);
	return classify;
}

static void decoded(const struct frame_buffer *buffer, struct nj_packet *ret_packet)
{
	struct nj_frame frame = {.t_ns = 1000000000,
				 .data = buffer->byte,
				 .captured_bytes = buffer->bytes,
				 .wire_bytes = buffer->bytes,
				 .link_type = NJ_LINK_ETHERNET};
	assert_int_equal(nj_decode(&frame, ret_packet), NJ_DROP_NONE);
}

static bool show_tcp(struct nj_classify *classify, uint32_t state, uint16_t port, const char *payload)
{
	struct frame_buffer buffer;
	struct nj_packet packet;
	struct tcp tcp = {CLIENT, SERVER, 40000, port, NJ_TCP_ACK | NJ_TCP_PSH, 1, 1};
	frame_tcp(&buffer, &tcp, payload, (uint32_t)strlen(payload));
	decoded(&buffer, &packet);
	return nj_classify_packet(classify, state, &packet);
}

static void http_is_known_by_its_request(void **state)
{
	(void)state;
	struct nj_classify *classify = classify_of(4);
	struct nj_classify_result result;
	uint32_t s = nj_classify_begin(classify, 7);
	bool known = show_tcp(classify, s, 8080,
			      "GET /index.html HTTP/1.1\r\nHost: intranet.example\r\nUser-Agent: Mozilla/5.0\r\n\r\n");
	nj_classify_finish(classify, s, true, &result);
	assert_true(known);
	assert_string_equal(nj_classify_label(classify, result.label), "HTTP");
	nj_classify_free(&classify);
	assert_null(classify);
}

static void unknown_is_guessed_by_port_only_when_asked(void **state)
{
	(void)state;
	struct nj_classify *classify = classify_of(4);
	struct nj_classify_result result;
	for (int guess = 0; guess < 2; guess++) {
		uint32_t s = nj_classify_begin(classify, 1);
		assert_false(show_tcp(classify, s, 3306, "\x01"));
		nj_classify_finish(classify, s, guess != 0, &result);
		assert_int_equal(result.label == NJ_LABEL_UNKNOWN, guess == 0);
	}
	nj_classify_free(&classify);
}

static void an_empty_pool_names_the_oldest(void **state)
{
	(void)state;
	struct nj_classify *classify = classify_of(3);
	struct nj_classify_result ignored;
	uint32_t s[3];
	for (uint32_t i = 0; i < 3; i++)
		s[i] = nj_classify_begin(classify, 100 + i);
	assert_int_equal(nj_classify_begin(classify, 200), NJ_CLASSIFY_NONE);
	assert_int_equal(nj_classify_oldest_owner(classify), 100);
	nj_classify_finish(classify, s[1], false, &ignored);
	assert_int_equal(nj_classify_oldest_owner(classify), 100);
	nj_classify_finish(classify, s[0], false, &ignored);
	assert_int_equal(nj_classify_oldest_owner(classify), 102);
	assert_int_not_equal(nj_classify_begin(classify, 201), NJ_CLASSIFY_NONE);
	assert_int_not_equal(nj_classify_begin(classify, 202), NJ_CLASSIFY_NONE);
	assert_int_equal(nj_classify_begin(classify, 203), NJ_CLASSIFY_NONE);
	nj_classify_free(&classify);
}

/* nDPI remembers who spoke BitTorrent and labels the peer's next unknown flow by it; here it must not. */
static void one_flow_teaches_nothing_about_another(void **state)
{
	(void)state;
	static const char handshake[] = "\x13"
					"BitTorrent protocol\x01\x01\x01\x01\x01\x01\x01\x01"
					"aaaaaaaaaaaaaaaaaaaa"
					"-UT3560-aaaaaaaaaaaa";
	struct nj_classify *classify = classify_of(4);
	struct nj_classify_result first, second;
	for (int before = 0; before < 2; before++) {
		if (before) {
			uint32_t s = nj_classify_begin(classify, 1);
			(void)show_tcp(classify, s, 23456, handshake);
			nj_classify_finish(classify, s, true, &first);
			assert_string_equal(nj_classify_label(classify, first.label), "BitTorrent");
		}
		uint32_t s = nj_classify_begin(classify, 2);
		assert_false(show_tcp(classify, s, 23456, "\x02\x7f\x00nothing known"));
		nj_classify_finish(classify, s, true, &second);
		assert_int_equal(second.label, NJ_LABEL_UNKNOWN);
	}
	nj_classify_free(&classify);
}

static void our_own_labels_are_kept_apart(void **state)
{
	(void)state;
	struct nj_classify *classify = classify_of(1);
	uint16_t arp = nj_classify_label_make(classify, "ARP");
	assert_int_equal(nj_classify_label_make(classify, "ARP"), arp);
	assert_int_not_equal(arp, NJ_LABEL_UNKNOWN);
	assert_string_equal(nj_classify_label(classify, NJ_LABEL_UNKNOWN), "Unknown");
	nj_classify_free(&classify);
}

static void nothing_is_left_when_all_are_gone(void **state)
{
	(void)state;
	uint64_t before = nj_classify_library_bytes();
	struct nj_classify *classify = classify_of(8);
	struct nj_classify_result ignored;
	assert_true(nj_classify_library_bytes() > before);
	uint64_t idle = nj_classify_library_bytes();
	for (int i = 0; i < 100; i++) {
		uint32_t s = nj_classify_begin(classify, 1);
		(void)show_tcp(classify, s, 80,
			       "GET /a/long/path HTTP/1.1\r\nHost: a.example\r\nUser-Agent: some agent\r\n\r\n");
		nj_classify_finish(classify, s, true, &ignored);
	}
	assert_int_equal(nj_classify_library_bytes(), idle); /* strings of flows do not stay */
	nj_classify_free(&classify);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_is_known_by_its_request),
		cmocka_unit_test(unknown_is_guessed_by_port_only_when_asked),
		cmocka_unit_test(an_empty_pool_names_the_oldest),
		cmocka_unit_test(one_flow_teaches_nothing_about_another),
		cmocka_unit_test(our_own_labels_are_kept_apart),
		cmocka_unit_test(nothing_is_left_when_all_are_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
