/* Who is the client, and which outcome a packet brings: tables of cases. Whole conversations are in test_worker.c. */
#include "sensor/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { F = NJ_TCP_FIN, SY = NJ_TCP_SYN, R = NJ_TCP_RST, A = NJ_TCP_ACK };

static void the_client_is_told_by_the_first_packet(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		uint8_t protocol, flags;
		uint16_t src_port, dst_port;
		bool sender_is_client, opening;
	} cases[] = {
		{"SYN", 6, SY, 80, 40000, true, true},
		{"SYN+ACK", 6, SY | A, 40000, 80, false, false},
		{"data from a well-known port", 6, A, 443, 50000, false, false},
		{"data to a well-known port", 6, A, 50000, 443, true, false},
		{"data between high ports: the lower serves", 6, A, 50000, 8443, true, false},
		{"the same, from the lower", 6, A, 8443, 50000, false, false},
		{"equal ports", 6, A, 179, 179, true, false},
		{"RST is no opening", 6, R, 50000, 80, true, false},
		{"NULL probe", 6, 0, 80, 40000, true, true},
		{"Xmas probe", 6, F | NJ_TCP_PSH | NJ_TCP_URG, 40000, 80, true, true},
		{"UDP", 17, 0, 40000, 5000, true, true},
		{"UDP answer caught alone", 17, 0, 53, 40000, false, false},
		{"UDP between well-known ports", 17, 0, 123, 53, true, true},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct nj_packet p = {.protocol = cases[i].protocol,
				      .tcp_flags = cases[i].flags,
				      .src_port = cases[i].src_port,
				      .dst_port = cases[i].dst_port};
		for (unsigned side = 0; side < 2; side++)
			if ((nj_outcome_client(&p, side) == side) != cases[i].sender_is_client ||
			    nj_outcome_is_opening(&p) != cases[i].opening)
				fail_msg("%s", cases[i].what);
	}
}

/* Packets after a SYN from side 0, each as 'side flags payload'; the outcome of the last, those before bring none. */
static void outcomes_of_tcp(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct {
			uint8_t side, flags;
			uint32_t payload;
		} packet[5];
		unsigned n;
		enum nj_outcome outcome;
		bool closed;
	} cases[] = {
		{"refused", {{1, R | A, 0}}, 1, NJ_OUTCOME_REFUSED, true},
		{"given up by the client", {{0, R, 0}}, 1, NJ_OUTCOME_NONE, true},
		{"half open", {{1, SY | A, 0}, {0, R, 0}}, 2, NJ_OUTCOME_RESET, true},
		{"connect scan", {{1, SY | A, 0}, {0, A, 0}, {0, R | A, 0}}, 3, NJ_OUTCOME_RESET, true},
		{"reset by the server", {{1, SY | A, 0}, {0, A, 0}, {1, R, 0}}, 3, NJ_OUTCOME_RESET, true},
		{"client speaks first", {{1, SY | A, 0}, {0, A, 0}, {0, A, 9}}, 3, NJ_OUTCOME_ANSWERED, false},
		{"server speaks first", {{1, SY | A, 0}, {0, A, 0}, {1, A, 9}}, 3, NJ_OUTCOME_ANSWERED, false},
		{"closed in silence", {{1, SY | A, 0}, {0, A, 0}, {0, F | A, 0}}, 3, NJ_OUTCOME_ANSWERED, false},
		{"server's half was not captured", {{0, A, 0}, {0, A, 9}}, 2, NJ_OUTCOME_ANSWERED, false},
		{"SYN+ACK was not captured", {{1, A, 9}}, 1, NJ_OUTCOME_ANSWERED, false},
		{"data on a repeated SYN is no answer", {{0, SY, 9}}, 1, NJ_OUTCOME_NONE, false},
		{"both close", {{1, SY | A, 0}, {0, A, 0}, {0, F | A, 0}, {1, F | A, 0}}, 4, NJ_OUTCOME_NONE, true},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct nj_flow_hot hot = {.state = NJ_FLOW_TCP | NJ_FLOW_PENDING};
		enum nj_outcome got = NJ_OUTCOME_NONE;
		for (unsigned k = 0; k < cases[i].n; k++) {
			struct nj_packet p = {.protocol = 6,
					      .tcp_flags = cases[i].packet[k].flags,
					      .payload_wire_bytes = cases[i].packet[k].payload};
			got = nj_outcome_packet(&hot, cases[i].packet[k].side, &p);
			if (got != NJ_OUTCOME_NONE)
				hot.state &= ~(uint32_t)NJ_FLOW_PENDING;
		}
		if (got != cases[i].outcome || ((hot.state & NJ_FLOW_CLOSED) != 0) != cases[i].closed)
			fail_msg("%s: outcome %d, state %x", cases[i].what, (int)got, hot.state);
		if (cases[i].closed)
			assert_int_equal(nj_flow_idle(hot.state), NJ_IDLE_CLOSED);
	}
}

static void overdue(void **state)
{
	(void)state;
	struct nj_flow_hot hot = {.state = NJ_FLOW_TCP | NJ_FLOW_PENDING};
	assert_int_equal(nj_outcome_overdue(&hot), NJ_OUTCOME_UNANSWERED);
	hot.state |= NJ_FLOW_SYN_ACK;
	assert_int_equal(nj_outcome_overdue(&hot), NJ_OUTCOME_ANSWERED);
	hot.state &= ~(uint32_t)NJ_FLOW_TCP;
	assert_int_equal(nj_outcome_overdue(&hot), NJ_OUTCOME_UNANSWERED);
}

static void another_initial_number_is_another_conversation(void **state)
{
	(void)state;
	struct nj_flow_hot hot = {.state = NJ_FLOW_TCP | NJ_FLOW_SEEN};
	struct nj_flow flow = {.initial_sequence = {500, 0}};
	struct nj_packet p = {.protocol = 6, .tcp_flags = SY, .tcp_sequence = 500};
	assert_false(nj_outcome_starts_anew(&hot, &flow, 0, &p));
	p.tcp_sequence = 501;
	assert_true(nj_outcome_starts_anew(&hot, &flow, 0, &p));
	assert_false(nj_outcome_starts_anew(&hot, &flow, 1, &p)); /* that side was not heard before */
	p.tcp_flags = SY | A;
	assert_false(nj_outcome_starts_anew(&hot, &flow, 0, &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_client_is_told_by_the_first_packet),
		cmocka_unit_test(outcomes_of_tcp),
		cmocka_unit_test(overdue),
		cmocka_unit_test(another_initial_number_is_another_conversation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
