/* Days of a synthetic population: benign agents of all tempers stay within the budget of alerts, and attacks hidden
 * among them on the last day are raised. The population is drawn from a fixed seed; it has daily rhythm, heavy-tailed
 * uploads, failing first contacts, and telemetry by a clock to a server that all agents use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

#include <math.h>

#define AGENTS       60
#define DAYS         5
#define DAY_ROUNDS   8640
#define ALERTS_A_DAY 5.0

static double uniform(uint64_t *random)
{
	return (double)((sample_random(random) >> 11) + 1) / 9007199254740994.0;
}

static double normal(uint64_t *random)
{
	double radius = sqrt(-2 * log(uniform(random)));
	return radius * cos(2 * M_PI * uniform(random));
}

static enum sample_end any_end(uint64_t *random)
{
	double draw = uniform(random);
	return draw < 0.5     ? SAMPLE_GOES_ON
	       : draw < 0.97  ? SAMPLE_ANSWERED
	       : draw < 0.985 ? SAMPLE_UNANSWERED
			      : SAMPLE_REFUSED;
}

static void any_contact(struct nj_window *w, uint32_t agent, uint64_t *random)
{
	bool home = uniform(random) < 0.4;
	uint32_t pick = (uint32_t)(pow(uniform(random), 3) * (home ? 6 + agent % 20 : 2000));
	enum sample_end end = any_end(random);
	struct nj_contact *c = sample_contact(w, sample_addr_plus(home ? "10.20.8.0" : "198.51.0.0", pick),
					      home ? (uint16_t)(443 + pick % 3) : 443, 6, end);
	double out = exp(uniform(random) < 0.0005 ? 12 + 1.5 * normal(random) : 7 + 1.3 * normal(random));
	if (end == SAMPLE_ANSWERED || end == SAMPLE_GOES_ON)
		sample_bytes(w, c, (uint64_t)out, (uint64_t)exp(8.5 + 1.8 * normal(random)));
	sample_burst(c, (uint16_t)(uniform(random) * 9999));
}

/* A window's contacts have different keys. */
static void keep_different(struct nj_window *w)
{
	uint32_t kept = 0;
	qsort(w->contacts, w->contacts_n, sizeof *w->contacts, sample_compare_contacts);
	for (uint32_t i = 0; i < w->contacts_n; i++)
		if (kept == 0 || nj_contact_compare(&w->contacts[kept - 1], &w->contacts[i]) != 0)
			w->contacts[kept++] = w->contacts[i];
	w->contacts_n = kept;
}

static void benign_round(struct sample_bench *b, uint64_t round, uint64_t *random)
{
	double hour = fmod((double)round / 360, 24), awake = 0.15 + 0.85 * exp(-pow((hour - 13) / 4, 2));
	for (uint32_t agent = 0; agent < AGENTS; agent++) {
		bool telemetry = round % 6 == agent % 6;
		double busy = 0.05 + 0.6 * (agent * 37 % 100) / 100.0;
		bool active = uniform(random) < busy * awake;
		if (!telemetry && !active)
			continue;
		struct nj_window *w = sample_window(b, sample_addr_plus("10.20.1.0", agent));
		for (int n = active ? 1 + (int)(-log(uniform(random)) * 2.5) : 0; n > 0; n--)
			any_contact(w, agent, random);
		if (telemetry) {
			struct nj_contact *c = sample_contact(w, sample_addr("198.51.200.1"), 443, 6, SAMPLE_GOES_ON);
			sample_bytes(w, c, 300, 300);
			sample_burst(c, 500);
		}
		keep_different(w);
	}
}

/* From three agents that nobody else is, in the last hours: a scan at one probe a minute, an upload, a beacon. */
static void attacks(struct sample_bench *b, uint64_t since)
{
	if (since % 6 == 0)
		sample_contact(sample_window(b, sample_addr("10.20.3.1")),
			       sample_addr_plus("10.20.9.0", (uint32_t)(since / 6)), 445, 6, SAMPLE_UNANSWERED);
	if (since < 100) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.3.2"));
		sample_bytes(w,
			     sample_contact(w, sample_addr("203.0.113.9"), 443, 6,
					    since == 0 ? SAMPLE_ANSWERED : SAMPLE_GOES_ON),
			     400000, 500);
	}
	if (since % 3 == 0) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.3.3"));
		struct nj_contact *c = sample_contact(w, sample_addr("203.0.113.66"), 443, 6, SAMPLE_ANSWERED);
		sample_burst(c, (uint16_t)(2000 + since * 7919 % 1000));
		sample_bytes(w, c, 250, 900);
	}
}

static bool is_attacker(const struct nj_alert *alert)
{
	return alert->agent.addr.byte[14] == 3;
}

static void the_budget_is_kept_and_attacks_are_raised(void **state)
{
	(void)state;
	struct sample_options options = {.alerts_per_day = ALERTS_A_DAY};
	struct sample_bench *b = sample_bench_new(&options);
	uint64_t random = 12345;
	for (uint64_t round = 0; round < DAYS * DAY_ROUNDS; round++) {
		uint64_t begin = (DAYS - 1) * DAY_ROUNDS + 3600;
		benign_round(b, round, &random);
		if (round >= begin)
			attacks(b, round - begin);
		sample_judge(b, 1);
	}
	uint32_t false_alerts = 0, scans = 0, uploads = 0, beacons = 0;
	for (uint32_t i = 0; i < b->alerts_n; i++) {
		const struct nj_alert *alert = &b->alerts[i];
		false_alerts += !is_attacker(alert);
		scans += is_attacker(alert) && strncmp(alert->detector, "scan", 4) == 0;
		uploads += is_attacker(alert) && strncmp(alert->detector, "exfil", 5) == 0;
		beacons += is_attacker(alert) && strcmp(alert->detector, "beacon") == 0;
		if (!is_attacker(alert) && false_alerts <= 10)
			print_message("false: %s\n", alert->summary);
	}
	print_message("%u false alerts in %d days at a budget of %g a day\n", false_alerts, DAYS, ALERTS_A_DAY);
	assert_true(false_alerts <= DAYS * ALERTS_A_DAY);
	assert_true(scans >= 1);
	assert_true(uploads >= 1);
	assert_true(beacons >= 1);
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_budget_is_kept_and_attacks_are_raised),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
