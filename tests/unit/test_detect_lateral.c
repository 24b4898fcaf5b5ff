/* Steps sideways, and who steps by trade. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

static void office(struct sample_bench *b, int rounds)
{
	for (int r = 0; r < rounds; r++) {
		for (uint32_t i = 0; i < 40; i++)
			sample_contact(sample_window(b, sample_addr_plus("10.20.1.10", i)), sample_addr("10.20.2.1"),
				       443, 6, SAMPLE_ANSWERED);
		sample_judge(b, 6);
	}
}

/* A session from *from* to *to*, in the windows of both. */
static void session(struct sample_bench *b, const char *from, const char *to, uint16_t port, uint64_t offset_ms)
{
	struct nj_window *client = sample_window(b, sample_addr(from)), *server = sample_window(b, sample_addr(to));
	struct nj_contact *out = sample_contact(client, sample_addr(to), port, 6, SAMPLE_ANSWERED),
			  *in = sample_contact(server, sample_addr(from), port, 6, SAMPLE_ANSWERED);
	in->role = NJ_ROLE_SERVER;
	in->opened = 0;
	server->features.flows_opened = 0;
	sample_bytes(client, out, 4000, 6000);
	sample_bytes(server, in, 6000, 4000);
	in->first_ns = out->first_ns = b->start_ns + offset_ms * 1000000;
	in->last_ns = out->last_ns = out->first_ns + 1000000;
}

static void a_chain_is_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	office(b, 15);
	session(b, "10.20.1.11", "10.20.1.12", 445, 100);
	sample_judge(b, 12);
	session(b, "10.20.1.12", "10.20.1.13", 5985, 200);
	sample_judge(b, 1);
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "lateral", &alert), 1);
	assert_non_null(strstr(alert->summary, "10.20.1.11 came in to 10.20.1.12 by smb"));
	assert_non_null(strstr(alert->summary, "went on to 10.20.1.13 by winrm"));
	assert_string_equal(alert->technique[0], "T1021.006");
	sample_bench_free(b);
}

static void not_in_the_wrong_order_nor_too_late_nor_back(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	office(b, 15);
	session(b, "10.20.1.12", "10.20.1.13", 445, 200); /* first out, then in */
	sample_judge(b, 1);
	session(b, "10.20.1.11", "10.20.1.12", 445, 100);
	sample_judge(b, 1);
	struct nj_window *w = sample_window(b, sample_addr("10.20.1.42")); /* the same within one window */
	struct nj_contact *in = sample_contact(w, sample_addr("10.20.1.41"), 445, 6, SAMPLE_GOES_ON);
	in->role = NJ_ROLE_SERVER;
	sample_bytes(w, in, 6000, 4000);
	in->first_ns = in->last_ns = b->start_ns + 500 * UINT64_C(1000000);
	sample_bytes(w, sample_contact(w, sample_addr("10.20.1.43"), 445, 6, SAMPLE_ANSWERED), 4000, 6000);
	sample_judge(b, 1);
	session(b, "10.20.1.21", "10.20.1.22", 22, 100); /* in, and out two hours later */
	sample_judge(b, 720);
	session(b, "10.20.1.22", "10.20.1.23", 22, 200);
	sample_judge(b, 1);
	session(b, "10.20.1.31", "10.20.1.32", 22, 100); /* in, and back to whom it came from */
	sample_judge(b, 1);
	session(b, "10.20.1.32", "10.20.1.31", 22, 200);
	sample_judge(b, 1);
	assert_int_equal(sample_alerts(b, "lateral", NULL), 0);
	sample_bench_free(b);
}

/* Ten people come in to the jump host every hour and go on to one of thirty servers, which it knows after the first
 * day. */
static void a_jump_host_is_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	char from[24], to[24];
	office(b, 15);
	for (int h = 0; h < 48; h++)
		for (int p = 0; p < 10; p++) {
			snprintf(from, sizeof from, "10.20.1.%d", 10 + p);
			snprintf(to, sizeof to, "10.20.3.%d", 1 + (h * 7 + p) % 30);
			session(b, from, "10.20.2.9", 22, 100);
			sample_judge(b, 1);
			session(b, "10.20.2.9", to, 22, 100);
			sample_judge(b, 35);
		}
	assert_true(sample_alerts(b, "lateral", NULL) <= 1); /* its first day, at most */
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_is_told),
		cmocka_unit_test(not_in_the_wrong_order_nor_too_late_nor_back),
		cmocka_unit_test(a_jump_host_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
