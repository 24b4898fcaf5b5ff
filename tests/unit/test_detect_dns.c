/* Information in names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

/* Asks for *n* names of *length* random or repeated characters under a domain. */
static void ask(struct sample_bench *b, struct nj_window *w, const char *domain, uint32_t n, uint32_t length,
		bool distinct, bool free_text, uint64_t *random)
{
	struct nj_domain *d = &w->domains[w->domains_n++];
	struct nj_dns_sample sample = {0};
	memset(d, 0, sizeof *d);
	snprintf(d->name, sizeof d->name, "%s", domain);
	for (uint32_t i = 0; i < n; i++) {
		char name[256];
		for (uint32_t c = 0; c < length; c++)
			name[c] = "abcdefghijklmnopqrstuvwxyz234567"[distinct ? sample_random(random) % 32 : c % 8];
		name[length] = '\0';
		nj_dns_sample_add(&sample, nj_dns_value(nj_hash64(name, length, &b->key), nj_dns_weight(name, length)));
		d->name_bytes += length + strlen(domain) + 1;
	}
	memcpy(d->sample, sample.value, sizeof d->sample);
	d->sample_n = (uint8_t)nj_dns_sample_count(&sample);
	d->queries = n;
	d->free_text = free_text ? n : 0;
	w->features.dns_queries += n;
}

static void a_tunnel_is_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	uint64_t random = 7;
	for (int i = 0; i < 6; i++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		ask(b, w, "tunnel.example", 40, 60, true, true, &random);
		sample_contact(w, sample_addr("10.20.1.53"), 53, 17, SAMPLE_ANSWERED);
		sample_judge(b, 1);
	}
	const struct nj_alert *alert;
	assert_true(sample_alerts(b, "dns-exfil", &alert) >= 1);
	assert_non_null(strstr(alert->summary, "tunnel.example"));
	assert_string_equal(alert->technique[0], "T1048.003");
	assert_int_equal(alert->peers[0].port, 53);
	sample_bench_free(b);
}

static void ordinary_names_are_quiet(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	uint64_t random = 7;
	for (int i = 0; i < 360; i++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		ask(b, w, "web.example", 3, 8, false, false, &random);
		ask(b, w, "api.example", 2, 12, false, false, &random);
		ask(b, w, "4.3.2.1.in-addr.arpa", 20, 30, true, false,
		    &random); /* reverse names say nothing about the outside */
		sample_judge(b, 1);
	}
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

/* Forty agents ask the same reputation service for distinct names: that is what it is for. */
static void a_service_everybody_asks_is_quiet(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	uint64_t random = 7;
	for (int i = 0; i < 30; i++) {
		for (uint32_t agent = 0; agent < 40; agent++)
			ask(b, sample_window(b, sample_addr_plus("10.20.1.0", agent + 1)), "reputation.example", 2, 20,
			    true, false, &random);
		sample_judge(b, 1);
	}
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

static void the_relay_is_not_blamed(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (int i = 0; i < 4; i++) {
		uint64_t random = 7 + (uint64_t)i, same = random;
		struct nj_window *client = sample_window(b, sample_addr("10.20.1.5"));
		ask(b, client, "tunnel.example", 40, 60, true, true, &random);
		sample_contact(client, sample_addr("10.20.1.53"), 53, 17, SAMPLE_ANSWERED);
		struct nj_window *resolver = sample_window(b, sample_addr("10.20.1.53"));
		ask(b, resolver, "tunnel.example", 40, 60, true, true, &same);
		sample_judge(b, 1);
	}
	assert_true(b->alerts_n >= 1);
	for (uint32_t i = 0; i < b->alerts_n; i++)
		assert_non_null(strstr(b->alerts[i].summary, "10.20.1.5 asked"));
	sample_bench_free(b);
}

/* A tunnel without a domain of its own: every name ends in another random label. */
static void random_domains_add_up(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	uint64_t random = 7;
	for (int i = 0; i < 12; i++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		for (int k = 0; k < 20; k++) {
			char domain[NJ_DOMAIN_TEXT_MAX];
			snprintf(domain, sizeof domain, "%016llx%016llx%08llx.%016llx",
				 (unsigned long long)sample_random(&random), (unsigned long long)sample_random(&random),
				 (unsigned long long)sample_random(&random) & 0xffffffff,
				 (unsigned long long)sample_random(&random));
			ask(b, w, domain, 1, 60, true, true, &random);
		}
		sample_judge(b, 1);
	}
	const struct nj_alert *alert;
	assert_true(sample_alerts(b, "dns-exfil", &alert) >= 1);
	assert_non_null(strstr(alert->summary, "random domains"));
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tunnel_is_told),
		cmocka_unit_test(ordinary_names_are_quiet),
		cmocka_unit_test(a_service_everybody_asks_is_quiet),
		cmocka_unit_test(the_relay_is_not_blamed),
		cmocka_unit_test(random_domains_add_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
