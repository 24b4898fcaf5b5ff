/* First contacts that fail: what is told as which scan, and what is not told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

#include <math.h>

static struct sample_bench *bench(void)
{
	struct sample_options options = {0};
	return sample_bench_new(&options);
}

static void horizontal_is_told(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
	for (uint32_t i = 0; i < 200; i++)
		sample_contact(w, sample_addr_plus("10.20.2.0", i + 1), 445, 6,
			       i % 20 == 0 ? SAMPLE_ANSWERED : SAMPLE_UNANSWERED);
	sample_judge(b, 1);
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "scan", &alert), 1);
	assert_non_null(strstr(alert->summary, "10.20.1.5 opened"));
	assert_non_null(strstr(alert->summary, "on port 445"));
	assert_non_null(strstr(alert->summary, "horizontal scan"));
	assert_string_equal(alert->technique[0], "T1046");
	assert_int_equal(alert->severity, NJ_SEVERITY_HIGH); /* more than fifty hosts */
	assert_true(alert->p < 1e-6);
	assert_true(fabs(alert->score + log10(alert->p)) < 1e-6);
	assert_true(alert->features_n >= 2);
	assert_true(alert->peers_n >= 1);
	assert_true(alert->flows_n >= 1);
	assert_int_equal(strncmp(alert->flows[0], "1:", 2), 0);
	assert_string_equal(alert->visibility.baseline, "prior");
	sample_bench_free(b);
}

static void vertical_is_told(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
	for (uint32_t i = 0; i < 100; i++)
		sample_contact(w, sample_addr("10.20.2.9"), (uint16_t)(1 + i), 6, SAMPLE_REFUSED);
	sample_judge(b, 1);
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "scan", &alert), 1);
	assert_non_null(strstr(alert->summary, "to 1 host on 100 ports"));
	assert_non_null(strstr(alert->summary, "vertical scan"));
	sample_bench_free(b);
}

static void service_enumeration_is_told(void **state)
{
	(void)state;
	static const uint16_t ports[] = {22, 80, 443, 445, 5432, 8080};
	struct sample_bench *b = bench();
	struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
	for (uint32_t host = 0; host < 6; host++)
		for (uint32_t p = 0; p < 6; p++)
			sample_contact(w, sample_addr_plus("10.20.2.0", host + 1), ports[p], 6,
				       p == host ? SAMPLE_ANSWERED : SAMPLE_REFUSED);
	sample_judge(b, 1);
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "scan", &alert), 1);
	assert_non_null(strstr(alert->summary, "service enumeration"));
	sample_bench_free(b);
}

static void half_open_probes_count(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
	for (uint32_t i = 0; i < 40; i++)
		sample_contact(w, sample_addr_plus("10.20.2.0", i + 1), 443, 6, SAMPLE_RESET);
	sample_judge(b, 1);
	assert_int_equal(sample_alerts(b, "scan", NULL), 1);
	sample_bench_free(b);
}

/* One probe every five minutes for hours: below any rate, and found by the same sum. */
static void slow_scan_is_told_as_slow(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	for (uint32_t i = 0; i < 24; i++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		sample_contact(w, sample_addr_plus("10.20.2.0", i + 1), 22, 6, SAMPLE_UNANSWERED);
		sample_judge(b, 30);
	}
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "scan-slow", &alert), 1);
	assert_int_equal(sample_alerts(b, "scan", NULL), 0);
	assert_true(alert->end_ns - alert->start_ns >= 5 * 60 * UINT64_C(1000000000));
	sample_bench_free(b);
}

/* A scan at one host an hour hidden among answered first contacts: the sum does not rise, the count of a day does. */
static void scan_mixed_with_answers_shows_in_the_day(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	for (uint32_t i = 0; i < 200; i++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		sample_contact(w, sample_addr_plus("10.20.2.0", i + 1), 445, 6, SAMPLE_UNANSWERED);
		for (uint32_t k = 0; k < 4; k++)
			sample_contact(w, sample_addr_plus("10.20.64.0", 4 * i + k), 443, 6, SAMPLE_ANSWERED);
		sample_judge(b, 30);
	}
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "scan-slow", &alert), 1);
	assert_non_null(strstr(alert->summary, "has failed to reach about"));
	sample_bench_free(b);
}

/* What must stay quiet: answered contacts to many hosts, retries of one dead service, a dead host with a few ports. */
static void benign_failures_stay_quiet(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	for (uint32_t round = 0; round < 60; round++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		for (uint32_t i = 0; i < 5; i++)
			sample_contact(w, sample_addr_plus("198.51.100.0", (round * 5 + i) % 250), 443, 6,
				       SAMPLE_ANSWERED);
		struct nj_contact *dead = sample_contact(w, sample_addr("10.20.2.9"), 5432, 6, SAMPLE_REFUSED);
		dead->refused = dead->opened = 10; /* retries */
		sample_judge(b, 1);
	}
	struct nj_window *w = sample_window(b, sample_addr("10.20.1.6"));
	for (uint16_t port = 8000; port < 8003; port++)
		sample_contact(w, sample_addr("10.20.2.10"), port, 6, SAMPLE_UNANSWERED);
	sample_judge(b, 1);
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

/* The victim of a scan answers or refuses as a server; that is not its doing. */
static void victim_is_not_told(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	struct nj_window *w = sample_window(b, sample_addr("10.20.2.9"));
	for (uint32_t i = 0; i < 200; i++)
		sample_contact(w, sample_addr("10.20.1.5"), (uint16_t)(i + 1), 6, SAMPLE_REFUSED)->role =
			NJ_ROLE_SERVER;
	memset(&w->features, 0, sizeof w->features);
	w->features.flows_accepted = 200;
	sample_judge(b, 1);
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

/* Browsing the web does not dilute a scan of the inside. */
static void sides_are_apart(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	for (uint32_t i = 0; i < 12; i++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		sample_contact(w, sample_addr_plus("10.20.2.0", i + 1), 445, 6, SAMPLE_UNANSWERED);
		for (uint32_t k = 0; k < 8; k++)
			sample_contact(w, sample_addr_plus("198.51.0.0", 8 * i + k), 443, 6, SAMPLE_ANSWERED);
		sample_judge(b, 1);
	}
	assert_int_equal(sample_alerts(b, "scan", NULL), 1);
	sample_bench_free(b);
}

/* What the cap left out counts: a window whose list is full of answered contacts, with a scan in the rest. */
static void the_rest_counts(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
	for (uint32_t i = 0; i < 10; i++)
		sample_contact(w, sample_addr_plus("10.20.1.0", i + 10), 443, 6, SAMPLE_ANSWERED);
	uint8_t *registers[3];
	for (int v = 0; v < 3; v++)
		registers[v] = nj_arena_take(&b->arena, NJ_DISTINCT_REGISTERS);
	for (uint32_t i = 0; i < 5000; i++) {
		struct nj_addr peer = sample_addr_plus("10.21.0.0", i);
		nj_registers_add(registers[0], nj_hash64(peer.byte, 16, &b->key));
		nj_registers_add(registers[1], nj_hash64(peer.byte, 16, &b->key) * 31);
	}
	nj_registers_add(registers[2], 12345);
	w->rest_peers = registers[0];
	w->rest_peer_ports = registers[1];
	w->rest_ports = registers[2];
	w->features.contacts_rest = w->features.rest_failed = 5000;
	w->features.flows_opened += 5000;
	w->features.flows_unanswered += 5000;
	sample_judge(b, 1);
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "scan", &alert), 1);
	assert_true(alert->features[0].value > 4000);
	assert_true(alert->features[0].value < 6000);
	sample_bench_free(b);
}

/* A router's ARP sweep is the echo of the scan it routes; alone it is a sweep. */
static void router_is_not_blamed(void **state)
{
	(void)state;
	for (int with_scanner = 0; with_scanner < 2; with_scanner++) {
		struct sample_bench *b = bench();
		struct nj_window *router = sample_window(b, sample_addr("10.20.2.1"));
		for (uint32_t i = 0; i < 200; i++)
			sample_contact(router, sample_addr_plus("10.20.2.0", i + 2), 0, 254, SAMPLE_UNANSWERED);
		if (with_scanner) {
			struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
			for (uint32_t i = 0; i < 200; i++)
				sample_contact(w, sample_addr_plus("10.20.2.0", i + 2), 445, 6, SAMPLE_UNANSWERED);
		}
		sample_judge(b, 1);
		assert_int_equal(b->alerts_n, 1);
		if (with_scanner)
			assert_non_null(strstr(b->alerts[0].summary, "10.20.1.5"));
		else
			assert_non_null(strstr(b->alerts[0].summary, "ARP sweep"));
		sample_bench_free(b);
	}
}

/* Counters from a hostile sensor neither overflow nor frighten. */
static void hostile_counters_do_no_harm(void **state)
{
	(void)state;
	struct sample_bench *b = bench();
	for (int round = 0; round < 3; round++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		for (uint32_t i = 0; i < 50; i++) {
			struct nj_contact *c =
				sample_contact(w, sample_addr_plus("198.51.100.0", i), (uint16_t)i, 6, SAMPLE_REFUSED);
			c->opened = c->answered = c->refused = c->unanswered = c->reset = UINT32_MAX;
			c->bytes_out = c->bytes_in = c->first_ns = c->last_ns = UINT64_MAX;
			c->bursts_n = 255;
			c->bursts = UINT32_MAX;
		}
		w->rest_peers = nj_arena_take(&b->arena, NJ_DISTINCT_REGISTERS);
		w->rest_peer_ports = w->rest_ports = w->rest_peers;
		memset(w->rest_peers, 255, NJ_DISTINCT_REGISTERS);
		memset(&w->features, 255, sizeof w->features);
		sample_judge(b, 1);
	}
	struct nj_desk_counts counts = nj_desk_counts(b->desk);
	assert_int_equal(counts.raised, counts.paged + counts.queued + counts.merged);
	for (uint32_t i = 0; i < b->alerts_n; i++) {
		assert_true(isfinite(b->alerts[i].score));
		assert_true(b->alerts[i].p > 0);
	}
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(horizontal_is_told),
		cmocka_unit_test(vertical_is_told),
		cmocka_unit_test(service_enumeration_is_told),
		cmocka_unit_test(half_open_probes_count),
		cmocka_unit_test(slow_scan_is_told_as_slow),
		cmocka_unit_test(scan_mixed_with_answers_shows_in_the_day),
		cmocka_unit_test(benign_failures_stay_quiet),
		cmocka_unit_test(victim_is_not_told),
		cmocka_unit_test(sides_are_apart),
		cmocka_unit_test(the_rest_counts),
		cmocka_unit_test(router_is_not_blamed),
		cmocka_unit_test(hostile_counters_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
