/* Echo traffic: pings, probes, tunnels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

static void echo(struct sample_bench *b, const char *agent, const char *peer, uint64_t packets, uint64_t bytes_each,
		 double bits, uint64_t odd)
{
	struct nj_window *w = sample_window(b, sample_addr(agent));
	struct nj_contact *c = sample_contact(w, sample_addr(peer), 8 << 8, 1, SAMPLE_ANSWERED);
	sample_bytes(w, c, packets * bytes_each, packets * bytes_each);
	w->features.icmp_echo_out = packets;
	w->features.icmp_payload_bytes_out = packets * bytes_each;
	w->features.icmp_large_out = bytes_each > 64 ? packets : 0;
	w->features.icmp_entropy_mbit = bytes_each > 64 ? (uint64_t)(bits * 1000) * packets : 0;
	w->features.icmp_mismatched = odd;
}

static void a_tunnel_is_told_once_and_inside(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (int i = 0; i < 3; i++) {
		echo(b, "10.20.1.5", "198.51.100.80", 100, 1000, 7.8, 0);
		echo(b, "198.51.100.80", "10.20.1.5", 100, 1000, 7.8, 40);
		sample_judge(b, 1);
	}
	assert_true(b->alerts_n >= 1);
	for (uint32_t i = 0; i < b->alerts_n; i++) {
		assert_string_equal(b->alerts[i].detector, "icmp-tunnel");
		assert_non_null(strstr(b->alerts[i].summary, "10.20.1.5 sent"));
		assert_string_equal(b->alerts[i].technique[0], "T1095");
	}
	sample_bench_free(b);
}

static void pings_are_quiet(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (int i = 0; i < 360; i++) {
		echo(b, "10.20.1.5", "10.20.1.1", 10, 56, 0, 0);
		if (i % 30 == 0)
			echo(b, "10.20.1.6", "10.20.1.1", 3, 1400, 0.5, 0); /* a probe of the path's packet size */
		sample_judge(b, 1);
	}
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tunnel_is_told_once_and_inside),
		cmocka_unit_test(pings_are_quiet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
