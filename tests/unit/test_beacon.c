/* Beacons under jitter against people and chance. The first test prints the table in models/beacon.c; the
 * assertions hold its claims. Draws are seeded; a failure prints the seed. */
#include "models/beacon.h"
#include "models/math.h"

#include "tests/unit/draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define DRAWS  2000
#define SEED   20261124

/* How the interval before event i is drawn; t_s is the time of the last event. */
typedef double (*gap_law)(struct draw *draw, double t_s, unsigned i, double parameter);

static double renewal(struct draw *draw, double t_s, unsigned i, double jitter)
{
	(void)t_s, (void)i;
	return 60 * (1 + jitter * (2 * draw_uniform(draw) - 1));
}

static double cron(struct draw *draw, double t_s, unsigned i, double jitter)
{
	return fmax(1.1, 60 * (i + 1 + jitter * (2 * draw_uniform(draw) - 1)) - t_s);
}

static double poisson(struct draw *draw, double t_s, unsigned i, double mean_s)
{
	(void)t_s, (void)i;
	return mean_s * draw_exponential(draw);
}

static double lognormal(struct draw *draw, double t_s, unsigned i, double sigma)
{
	(void)t_s, (void)i;
	return 20 * exp(sigma * draw_normal(draw));
}

/* Reading: bursts of some clicks, then minutes to hours of nothing. */
static double bursts(struct draw *draw, double t_s, unsigned i, double sigma)
{
	(void)t_s, (void)i;
	double median_s = draw_uniform(draw) < 0.2 ? 1200 : 8;
	return median_s * exp(sigma * draw_normal(draw));
}

/* A clock every 60 s with other contacts in between, which are this share of all: an implant that also takes orders. */
static double mixed(struct draw *draw, double t_s, unsigned i, double others)
{
	(void)i;
	double clock_s = 60 * (floor(t_s / 60) + 1);
	double other_s = t_s + 1.1 + 60 * (1 - others) / others * draw_exponential(draw);
	return fmin(clock_s - t_s < 1.1 ? clock_s + 60 : clock_s, other_s) - t_s;
}

/* The same clock, of which this share of calls goes elsewhere or unseen. */
static double missed(struct draw *draw, double t_s, unsigned i, double share)
{
	(void)t_s, (void)i;
	double gap_s = 60 * (1 + 0.02 * draw_uniform(draw));
	while (draw_uniform(draw) < share)
		gap_s += 60;
	return gap_s;
}

struct scenario {
	const char *name;
	gap_law law;
	double parameter;
	double size_sigma;
	double least[3]; /* beacons: share of verdicts p <= 1e-4 at 16, 32, 64 intervals, at least; else 0 */
	bool beacon;
};

static const struct scenario scenarios[] = {
	{"sleep 60 s, no jitter", renewal, 0.001, 0.1, {1, 1, 1}, true},
	{"sleep 60 s, +-25 %", renewal, 0.25, 0.1, {.7, .99, .99}, true},
	{"sleep 60 s, +-50 %", renewal, 0.5, 0.1, {.04, .55, .99}, true},
	{"sleep 60 s, +-75 %", renewal, 0.75, 0.1, {0, .05, .5}, true},
	{"sleep 60 s, +-90 %", renewal, 0.9, 0.1, {0, .01, .15}, true},
	{"cron 60 s, +-25 %", cron, 0.25, 0.1, {.35, .95, .99}, true},
	{"cron 60 s, +-50 %", cron, 0.5, 0.1, {0, .2, .9}, true},
	{"cron 60 s, +-75 %", cron, 0.75, 0.1, {0, 0, .12}, true},
	{"cron 60 s, 35 % others", mixed, 0.35, 0.1, {.3, .7, .97}, true},
	{"cron 60 s, 50 % others", mixed, 0.5, 0.1, {.02, .2, .85}, true},
	{"cron 60 s, 30 % missed", missed, 0.3, 0.1, {.9, .97, .98}, true},
	{"Poisson 60 s, equal sizes", poisson, 60, 0, {0}, false},
	{"Poisson 5 s, equal sizes", poisson, 5, 0, {0}, false},
	{"human, sigma 1.2", lognormal, 1.2, 1, {0}, false},
	{"human, sigma 2", lognormal, 2, 1, {0}, false},
	{"human, bursts, sigma 1.2", bursts, 1.2, 1, {0}, false},
};

static void fill(struct nj_beacon *beacon, const struct scenario *scenario, struct draw *draw, unsigned gaps)
{
	memset(beacon, 0, sizeof *beacon);
	double t_s = 0;
	for (unsigned i = 0; beacon->n < gaps || i == 0; i++) {
		nj_beacon_add(beacon, 1000 * SECOND + (uint64_t)(t_s * 1e9),
			      (uint64_t)(2000 * exp(scenario->size_sigma * draw_normal(draw))));
		t_s += scenario->law(draw, t_s, i, scenario->parameter);
	}
}

static const unsigned gaps_n[3] = {16, 32, 64};

struct rates {
	double strict, loose; /* share of verdicts with p <= 1e-4, 1e-2 */
};

static struct rates rates(const struct scenario *scenario, unsigned gaps)
{
	struct draw draw = draw_seed(SEED + gaps);
	unsigned strict = 0, loose = 0;
	for (unsigned i = 0; i < DRAWS; i++) {
		struct nj_beacon beacon;
		struct nj_beacon_verdict verdict;
		fill(&beacon, scenario, &draw, gaps);
		nj_beacon_judge(&beacon, &verdict);
		assert_int_equal(verdict.gaps, gaps);
		strict += verdict.p <= 1e-4;
		loose += verdict.p <= 1e-2;
	}
	return (struct rates){(double)strict / DRAWS, (double)loose / DRAWS};
}

static void detects_clocks_and_spares_people(void **state)
{
	(void)state;
	print_message("share of verdicts with p <= 1e-4 (of non-beacons, in brackets, p <= 1e-2), seed %d\n", SEED);
	for (size_t s = 0; s < sizeof scenarios / sizeof scenarios[0]; s++) {
		const struct scenario *scenario = &scenarios[s];
		struct rates at[3];
		for (unsigned i = 0; i < 3; i++)
			at[i] = rates(scenario, gaps_n[i]);
		print_message("%-26s", scenario->name);
		for (unsigned i = 0; i < 3; i++)
			scenario->beacon ? print_message(" %6.3f        ", at[i].strict)
					 : print_message(" %6.4f (%.3f)", at[i].strict, at[i].loose);
		print_message("\n");
		for (unsigned i = 0; i < 3; i++) {
			if (scenario->beacon)
				assert_true(at[i].strict >= scenario->least[i]);
			else /* twice nominal, and three standard errors of the draw */
				assert_true(at[i].loose <= 2e-2 + 3 * sqrt(2e-2 / DRAWS));
			if (!scenario->beacon)
				assert_true(at[i].strict <= 2e-4 + 3 * sqrt(2e-4 / DRAWS));
		}
	}
}

/* Between the rows of the table the null is interpolated: check at other n that p is uniform where it matters.
 * An odd number of gaps has a slightly smaller MADN than an even one: at n = 11, p = 0.1 comes 12 % of the time. */
static void rho_null_holds_between_rows(void **state)
{
	(void)state;
	static const unsigned other_n[] = {8, 11, 24, 48, 64};
	for (size_t k = 0; k < sizeof other_n / sizeof other_n[0]; k++) {
		struct draw draw = draw_seed(SEED + k);
		unsigned n = other_n[k], tenth = 0, hundredth = 0, draws = 20000;
		for (unsigned i = 0; i < draws; i++) {
			double log_gap[64];
			for (unsigned j = 0; j < n; j++)
				log_gap[j] = log(draw_exponential(&draw));
			double p = nj_beacon_rho_p(nj_madn(log_gap, n), n);
			tenth += p <= 0.1;
			hundredth += p <= 0.01;
		}
		assert_between((double)tenth / draws, 0.085, 0.13);
		assert_between((double)hundredth / draws, 0.007, 0.015);
	}
}

static void rho_p_is_monotone(void **state)
{
	(void)state;
	for (unsigned n = 8; n <= 64; n++)
		for (double rho = 0; rho < 3; rho += 0.01) {
			assert_true(nj_beacon_rho_p(rho, n) <= nj_beacon_rho_p(rho + 0.01, n));
			assert_between(nj_beacon_rho_p(rho, n), 1e-12, 1);
		}
	assert_true(nj_beacon_rho_p(0, 64) < 1e-11);
	assert_true(nj_beacon_rho_p(0.5, 7) == 1);
	assert_true(nj_beacon_rho_p(NAN, 64) == 1);
}

static void finds_the_period(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_beacon beacon;
	struct nj_beacon_verdict verdict;
	fill(&beacon, &(struct scenario){.law = cron, .parameter = 0.05, .size_sigma = 0.01}, &draw, 64);
	nj_beacon_judge(&beacon, &verdict);
	assert_near(verdict.period_s, 60, 1.5);
	assert_near(verdict.spectral_period_s, 60, 1);
	assert_true(verdict.score > 0.9);
	fill(&beacon, &(struct scenario){.law = poisson, .parameter = 60}, &draw, 64);
	nj_beacon_judge(&beacon, &verdict);
	assert_true(verdict.score < 0.35);
}

static void sessions_are_one_event(void **state)
{
	(void)state;
	struct nj_beacon beacon = {0};
	for (unsigned i = 0; i < 20; i++)
		for (unsigned j = 0; j < 5;
		     j++) /* five packets within two seconds, each less than 1 s after the other */
			nj_beacon_add(&beacon, (1000 + 60 * i) * SECOND + j * SECOND / 2, 100);
	assert_int_equal(beacon.n, 19);
	assert_int_equal(beacon.pending_bytes, 500);
	struct nj_beacon_verdict verdict;
	nj_beacon_judge(&beacon, &verdict);
	assert_near(verdict.period_s, 60, 0.02);
	assert_true(verdict.p < 1e-8);
}

static void says_nothing_of_few_or_hasty_events(void **state)
{
	(void)state;
	struct nj_beacon beacon = {0};
	struct nj_beacon_verdict verdict;
	for (unsigned i = 0; i < 8; i++)
		nj_beacon_add(&beacon, (1000 + 60 * i) * SECOND, 100);
	nj_beacon_judge(&beacon, &verdict);
	assert_int_equal(verdict.gaps, 7);
	assert_true(verdict.p == 1);
	memset(&beacon, 0, sizeof beacon);
	for (unsigned i = 0; i < 64; i++)
		nj_beacon_add(&beacon, 1000 * SECOND + i * SECOND * 3 / 2, 100);
	nj_beacon_judge(&beacon, &verdict);
	assert_true(verdict.p == 1);
}

static void restores_mid_stream(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_beacon whole = {0}, half = {0}, restored;
	uint64_t t_ns[200], bytes[200], now = 1000 * SECOND;
	for (unsigned i = 0; i < 200; i++) {
		t_ns[i] = now += draw_below(&draw, 90 * SECOND);
		bytes[i] = draw_below(&draw, 5000);
		nj_beacon_add(&whole, t_ns[i], bytes[i]);
	}
	for (unsigned i = 0; i < 200; i++) {
		nj_beacon_add(&half, t_ns[i], bytes[i]);
		if (i == 77) {
			uint8_t saved[sizeof half];
			memcpy(saved, &half, sizeof half);
			memcpy(&restored, saved, sizeof half);
		} else if (i > 77) {
			nj_beacon_add(&restored, t_ns[i], bytes[i]);
		}
	}
	assert_memory_equal(&whole, &half, sizeof whole);
	assert_memory_equal(&whole, &restored, sizeof whole);
}

static void survives_garbage(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_beacon beacon = {0};
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t t_ns = i % 3 == 0 ? 0 : i % 3 == 1 ? UINT64_MAX : draw_bits(&draw);
		nj_beacon_add(&beacon, t_ns, draw_bits(&draw));
		struct nj_beacon_verdict verdict;
		nj_beacon_judge(&beacon, &verdict);
		assert_between(verdict.p, 1e-12, 1);
		assert_between(verdict.score, 0, 1);
	}
	memset(&beacon, 0xff, sizeof beacon); /* any ring contents */
	beacon.n = 64, beacon.head = 63;
	struct nj_beacon_verdict verdict;
	nj_beacon_judge(&beacon, &verdict);
	assert_between(verdict.p, 1e-12, 1);
	memset(beacon.gap, 0, sizeof beacon.gap);
	nj_beacon_judge(&beacon, &verdict);
	assert_between(verdict.p, 1e-12, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(detects_clocks_and_spares_people),
		cmocka_unit_test(rho_null_holds_between_rows),
		cmocka_unit_test(rho_p_is_monotone),
		cmocka_unit_test(finds_the_period),
		cmocka_unit_test(sessions_are_one_event),
		cmocka_unit_test(says_nothing_of_few_or_hasty_events),
		cmocka_unit_test(restores_mid_stream),
		cmocka_unit_test(survives_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
