/* Bytes to the outside: by volume, by direction, to new destinations; and what looks like it and is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

static struct sample_bench *bench(void)
{
	struct sample_options options = {0};
	return sample_bench_new(&options);
}

static void transfer(struct sample_bench *b, const char *agent, const char *peer, const char *name, enum sample_end end,
		     uint64_t out, uint64_t in)
{
	struct nj_window *w = sample_window(b, sample_addr(agent));
	struct nj_contact *c = sample_contact(w, sample_addr(peer), 443, 6, end);
	snprintf(c->name, sizeof c->name, "%s", name);
	sample_bytes(w, c, out, in);
}

static void upload_to_a_new_destination_is_told(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	transfer(b, "10.20.1.5", "198.51.100.7", "paste.example", SAMPLE_ANSWERED, 20000000, 30000);
	sample_judge(b, 1);
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "exfil-new-destination", &alert), 1);
	assert_non_null(strstr(alert->summary, "20.0 MB to paste.example (198.51.100.7) port 443"));
	assert_non_null(strstr(alert->summary, "first seen today"));
	assert_string_equal(alert->peers[0].name, "paste.example");
	assert_int_equal(alert->peers[0].bytes_out, 20000000);
	assert_string_equal(alert->technique[0], "T1567");
	sample_bench_free(b);
}

static void download_is_quiet(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	for (int i = 0; i < 60; i++) {
		transfer(b, "10.20.1.5", "198.51.100.7", "mirror.example", i == 0 ? SAMPLE_ANSWERED : SAMPLE_GOES_ON,
			 400000, 50000000);
		sample_judge(b, 1);
	}
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

/* A thousand small windows to one destination within a day add up. */
static void small_pieces_add_up(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	for (int i = 0; i < 1000; i++) {
		transfer(b, "10.20.1.5", "198.51.100.7", "", i == 0 ? SAMPLE_ANSWERED : SAMPLE_GOES_ON, 20000, 100);
		sample_judge(b, 7);
	}
	assert_true(sample_alerts(b, "exfil-new-destination", NULL) >= 1);
	sample_bench_free(b);
}

/* What the whole house uploads to is a backup. The same megabytes from one agent to somewhere of its own are not. */
static void a_popular_destination_is_less_strange(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	for (uint32_t agent = 0; agent < 40; agent++) {
		struct nj_window *w = sample_window(b, sample_addr_plus("10.20.1.0", agent + 1));
		struct nj_contact *c = sample_contact(w, sample_addr("198.51.100.20"), 443, 6, SAMPLE_ANSWERED);
		snprintf(c->name, sizeof c->name, "backup.example");
		sample_bytes(w, c, 2000, 2000);
	}
	sample_judge(b, 1);
	transfer(b, "10.20.1.5", "198.51.100.20", "backup.example", SAMPLE_GOES_ON, 20000000, 30000);
	sample_judge(b, 1);
	assert_int_equal(sample_alerts(b, "exfil-new-destination", NULL), 0);
	transfer(b, "10.20.1.5", "198.51.100.7", "paste.example", SAMPLE_ANSWERED, 20000000, 30000);
	sample_judge(b, 1);
	assert_int_equal(sample_alerts(b, "exfil-new-destination", NULL), 1);
	sample_bench_free(b);
}

static void an_enormous_volume_is_told_by_the_hour(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	for (uint32_t i = 0; i < 300; i++) { /* to ever other destinations: none of them is heavy alone */
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		for (uint32_t k = 0; k < 200; k++)
			sample_bytes(
				w,
				sample_contact(w, sample_addr_plus("198.51.0.0", i * 200 + k), 443, 6, SAMPLE_ANSWERED),
				900000, 2000);
		sample_judge(b, 1);
	}
	const struct nj_alert *alert;
	assert_true(sample_alerts(b, "exfil-volume", &alert) >= 1);
	assert_non_null(strstr(alert->summary, "outside within this"));
	sample_bench_free(b);
}

/* A server's answers to outside clients are its work. */
static void a_public_server_is_quiet(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	for (int i = 0; i < 100; i++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.80"));
		struct nj_contact *c = sample_contact(w, sample_addr_plus("198.51.100.0", i), 443, 6, SAMPLE_GOES_ON);
		c->role = NJ_ROLE_SERVER;
		sample_bytes(w, c, 100000000, 100000);
		sample_judge(b, 1);
	}
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

static void a_turn_of_direction_is_told(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	for (int i = 0; i < 2160; i++) { /* six hours of receiving */
		transfer(b, "10.20.1.5", "198.51.100.20", "web.example", i == 0 ? SAMPLE_ANSWERED : SAMPLE_GOES_ON,
			 60000, 600000);
		sample_judge(b, 1);
	}
	assert_int_equal(b->alerts_n, 0);
	for (int i = 0; i < 720; i++) { /* two hours of sending, at a rate that is nothing special */
		transfer(b, "10.20.1.5", "198.51.100.20", "web.example", SAMPLE_GOES_ON, 60000, 6000);
		sample_judge(b, 1);
	}
	const struct nj_alert *alert;
	assert_true(sample_alerts(b, "exfil-direction", &alert) >= 1);
	assert_true(alert->features[0].value > 0.5);
	assert_true(alert->features[0].usual < 0);
	sample_bench_free(b);
}

/* An attacker who knows the baselines lets the upload grow by a twentieth an hour, for two weeks, so that the usual
 * follows. It does follow in part; the sum to one destination in a day is what he cannot talk round. */
static void a_slow_ramp_is_told_before_a_gigabyte(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	for (int hour = 0; hour < 24 * 21; hour++) {
		transfer(b, "10.20.1.5", "198.51.100.7", "", hour == 0 ? SAMPLE_ANSWERED : SAMPLE_GOES_ON, 200000,
			 300000);
		sample_judge(b, 360);
	}
	assert_int_equal(b->alerts_n, 0);
	double bytes = 200000, sent = 0;
	for (int hour = 0; hour < 24 * 14 && b->alerts_n == 0; hour++, bytes *= 1.05) {
		transfer(b, "10.20.1.5", "198.51.100.7", "", SAMPLE_GOES_ON, (uint64_t)bytes, 30000);
		sample_judge(b, 360);
		sent += bytes;
	}
	assert_true(b->alerts_n > 0);
	print_message("told by %s after %.0f MB\n", b->alerts[0].detector, sent / 1e6);
	assert_true(sent < 1e9);
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(upload_to_a_new_destination_is_told),
		cmocka_unit_test(download_is_quiet),
		cmocka_unit_test(small_pieces_add_up),
		cmocka_unit_test(a_popular_destination_is_less_strange),
		cmocka_unit_test(an_enormous_volume_is_told_by_the_hour),
		cmocka_unit_test(a_public_server_is_quiet),
		cmocka_unit_test(a_turn_of_direction_is_told),
		cmocka_unit_test(a_slow_ramp_is_told_before_a_gigabyte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
