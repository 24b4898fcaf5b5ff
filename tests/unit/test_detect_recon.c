/* Quiet reconnaissance, and who must not be taken for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

/* Twenty clients that use the same three servers every round, for as long as it takes to know them. */
static void office(struct sample_bench *b, int rounds)
{
	for (int r = 0; r < rounds; r++) {
		for (uint32_t i = 0; i < 20; i++) {
			struct nj_window *w = sample_window(b, sample_addr_plus("10.20.1.10", i));
			for (uint32_t s = 0; s < 3; s++)
				sample_contact(w, sample_addr_plus("10.20.2.1", s), 443, 6, SAMPLE_ANSWERED);
		}
		sample_judge(b, 6);
	}
}

static void visit(struct sample_bench *b, uint32_t from, uint32_t hosts, uint16_t port, uint64_t rounds_apart)
{
	for (uint32_t h = 0; h < hosts; h++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.10"));
		sample_contact(w, sample_addr_plus("10.20.3.1", from + h), port, 6, SAMPLE_ANSWERED);
		sample_judge(b, rounds_apart);
	}
}

static void answered_everywhere_is_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	office(b, 20);
	visit(b, 0, 20, 22, 1); /* twenty hosts by ssh, all of which answer, in minutes */
	const struct nj_alert *alert;
	assert_true(sample_alerts(b, "recon-quiet", &alert) >= 1);
	assert_non_null(strstr(alert->summary, "services of the home networks for the first time"));
	assert_true(alert->agent.addr.byte[15] == 10);
	assert_int_equal(sample_alerts(b, "scan", NULL), 0);
	sample_bench_free(b);
}

/* One new host an hour, for two days. */
static void a_slow_walk_is_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	office(b, 20);
	visit(b, 0, 48, 445, 360);
	assert_true(sample_alerts(b, "recon-quiet", NULL) >= 1);
	sample_bench_free(b);
}

static void a_few_new_hosts_are_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	office(b, 20);
	visit(b, 0, 5, 22, 1); /* an administrator's morning */
	visit(b, 5, 5, 443, 400);
	assert_int_equal(sample_alerts(b, "recon-quiet", NULL), 0);
	sample_bench_free(b);
}

/* Twenty new services that everybody begins to use on the same day. */
static void what_all_do_is_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	office(b, 20);
	for (uint32_t s = 0; s < 20; s++) {
		for (uint32_t i = 0; i < 20; i++) {
			struct nj_window *w = sample_window(b, sample_addr_plus("10.20.1.10", (i + s) % 20));
			sample_contact(w, sample_addr_plus("10.20.3.1", s), 443, 6, SAMPLE_ANSWERED);
			if (i % 4 == 3)
				sample_judge(b, 1); /* one after the other, as people do */
		}
	}
	assert_int_equal(sample_alerts(b, "recon-quiet", NULL), 0);
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answered_everywhere_is_told),
		cmocka_unit_test(a_slow_walk_is_told),
		cmocka_unit_test(a_few_new_hosts_are_not),
		cmocka_unit_test(what_all_do_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
