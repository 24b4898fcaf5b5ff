/* Compares models/ with the reference values of tests/oracle/model_vectors.py. Usage: model_oracle FILE. One line a
 * value: function absolute relative expected argument...; each function below turns the arguments into one number. */
#include "models/adapt.h"
#include "models/agentic.h"
#include "models/baseline.h"
#include "models/beacon.h"
#include "models/cusum.h"
#include "models/ddsketch.h"
#include "models/decay.h"
#include "models/dnsinfo.h"
#include "models/fuse.h"
#include "models/gpd.h"
#include "models/hll.h"
#include "models/icmp.h"
#include "models/loop.h"
#include "models/math.h"
#include "models/novelty.h"
#include "models/surprisal.h"
#include "models/tokens.h"
#include "models/turn.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 8192
#define SECOND        UINT64_C(1000000000)

typedef double (*model_function)(double *in, unsigned n);

static double log_normal_upper(double *in, unsigned n)
{
	(void)n;
	return nj_log_normal_upper(in[0]);
}

static double log_poisson_upper(double *in, unsigned n)
{
	(void)n;
	return nj_log_poisson_upper((uint64_t)in[0], in[1]);
}

static double log_binomial_upper(double *in, unsigned n)
{
	(void)n;
	return nj_log_binomial_upper((uint64_t)in[0], (uint64_t)in[1], in[2]);
}

static double log_gamma_upper(double *in, unsigned n)
{
	(void)n;
	return nj_log_gamma_upper(in[0], in[1]);
}

static double log_gamma_lower(double *in, unsigned n)
{
	(void)n;
	return nj_log_gamma_lower(in[0], in[1]);
}

static double log_beta_lower(double *in, unsigned n)
{
	(void)n;
	return nj_log_beta_lower(in[0], in[1], in[2]);
}

static double log_chi2_upper(double *in, unsigned n)
{
	(void)n;
	return nj_log_chi2_upper(in[0], in[1]);
}

static double log_add(double *in, unsigned n)
{
	(void)n;
	return nj_log_add(in[0], in[1]);
}

static double log2_q56(double *in, unsigned n)
{
	(void)n;
	return (double)nj_log2_q56((uint64_t)in[0]) * 0x1p-56;
}

static double quantile(double *in, unsigned n)
{
	return nj_quantile(in + 1, n - 1, in[0]);
}

static double median(double *in, unsigned n)
{
	return nj_median(in, n);
}

static double madn(double *in, unsigned n)
{
	return nj_madn(in, n);
}

static double bowley_skew(double *in, unsigned n)
{
	return nj_bowley_skew(in, n);
}

static const uint64_t *counts(const double *in, unsigned n)
{
	static uint64_t count[ARGUMENTS_MAX];
	for (unsigned i = 0; i < n; i++)
		count[i] = (uint64_t)in[i];
	return count;
}

static double entropy(double *in, unsigned n)
{
	return nj_entropy(counts(in, n), n);
}

static double entropy_normalised(double *in, unsigned n)
{
	return nj_entropy_normalised(counts(in, n), n);
}

static double registers_estimate(double *in, unsigned n)
{
	uint8_t registers[NJ_HLL_REGISTERS];
	for (unsigned i = 0; i < n; i++)
		registers[i] = (uint8_t)in[i];
	struct nj_hll hll = {0};
	nj_hll_merge_registers(&hll, registers);
	double estimate = nj_hll_estimate(&hll);
	return estimate == nj_registers_estimate(registers) ? estimate : NAN;
}

static double ddsketch_quantile(double *in, unsigned n)
{
	uint32_t count[NJ_DDSKETCH_BUCKETS] = {0};
	for (unsigned i = 1; i < n; i++)
		nj_ddsketch_add(count, (uint64_t)in[i]);
	return nj_ddsketch_quantile(count, in[0]);
}

static double ddsketch_cdf(double *in, unsigned n)
{
	uint32_t count[NJ_DDSKETCH_BUCKETS] = {0};
	for (unsigned i = 1; i < n; i++)
		nj_ddsketch_add(count, (uint64_t)in[i]);
	return nj_ddsketch_cdf(count, (uint64_t)in[0]);
}

static double gpd_log_upper(double *in, unsigned n)
{
	(void)n;
	return nj_gpd_log_upper(&(struct nj_gpd){in[0], in[1]}, in[2]);
}

static double gpd_return_level(double *in, unsigned n)
{
	(void)n;
	return nj_gpd_return_level(&(struct nj_gpd){in[0], in[1]}, in[2]);
}

static double gpd_fit_shape(double *in, unsigned n)
{
	return nj_gpd_fit(in, n).shape;
}

static double gpd_fit_scale(double *in, unsigned n)
{
	return nj_gpd_fit(in, n).scale;
}

static double fuse(double *in, unsigned n, double (*join)(const double *, const double *, unsigned))
{
	double log_p[NJ_FUSE_MAX], weight[NJ_FUSE_MAX];
	for (unsigned i = 0; i < n / 2; i++)
		log_p[i] = in[2 * i], weight[i] = in[2 * i + 1];
	return join(log_p, weight, n / 2);
}

static double fuse_cauchy(double *in, unsigned n)
{
	return fuse(in, n, nj_fuse_cauchy);
}

static double fuse_harmonic(double *in, unsigned n)
{
	return fuse(in, n, nj_fuse_harmonic);
}

static double fuse_cauchy_log(double *in, unsigned n)
{
	return nj_fuse_cauchy(in, NULL, n);
}

static double fuse_harmonic_log(double *in, unsigned n)
{
	return nj_fuse_harmonic(in, NULL, n);
}

static double scan(double *in, unsigned n)
{
	struct nj_scan_params params = NJ_SCAN_PARAMS_DEFAULT;
	params.theta0 = in[0], params.theta1 = in[1];
	struct nj_scan state = {0};
	for (unsigned i = 2; i < n; i++)
		nj_scan_step(&state, i * SECOND, (enum nj_contact_outcome)in[i], &params);
	return state.score;
}

static double cusum(double *in, unsigned n)
{
	struct nj_cusum state = {0};
	for (unsigned i = 3; i < n; i++)
		nj_cusum_step(&state, i * SECOND, in[i], in[0], in[1], in[2]);
	return state.sum;
}

static double decay(double *in, unsigned n)
{
	struct nj_decay state;
	nj_decay_init(&state, (uint64_t)in[0] * SECOND);
	for (unsigned i = 2; i + 1 < n; i += 2)
		nj_decay_add(&state, (uint64_t)(in[i] * 1e9), in[i + 1]);
	return nj_decay_value(&state, (uint64_t)(in[1] * 1e9));
}

static double icmp(double *in, unsigned n)
{
	const uint64_t *value = counts(in, n);
	struct nj_icmp_echo echo = {value[0], value[1], value[2], value[3], value[4], value[5]};
	return nj_icmp_judge(&echo).score;
}

static struct nj_usual baseline(double *in, unsigned n)
{
	struct nj_baseline_week week = {0};
	struct nj_usual prior = {in[0], in[1]};
	for (unsigned i = 2; i < n; i++)
		nj_baseline_week_learn(&week, 42, in[i], 1, &prior);
	return nj_baseline_week_usual(&week, 42, &prior);
}

static double baseline_level(double *in, unsigned n)
{
	return baseline(in, n).level;
}

static double baseline_scale(double *in, unsigned n)
{
	return baseline(in, n).scale;
}

static struct nj_beacon_verdict beacon(double *in, unsigned n)
{
	struct nj_beacon state = {0};
	struct nj_beacon_verdict verdict;
	uint64_t t_ns = 1000 * SECOND;
	nj_beacon_add(&state, t_ns, 100);
	for (unsigned i = 0; i < n; i++)
		nj_beacon_add(&state, t_ns += (uint64_t)(in[i] * 1e9), 100);
	nj_beacon_judge(&state, &verdict);
	return verdict;
}

static double beacon_rho(double *in, unsigned n)
{
	return beacon(in, n).rho;
}

static double beacon_period(double *in, unsigned n)
{
	return beacon(in, n).period_s;
}

static double beacon_spectral(double *in, unsigned n)
{
	return beacon(in, n).spectral;
}

static double dns_weight(double *in, unsigned n)
{
	uint8_t name[256];
	for (unsigned i = 0; i < n; i++)
		name[i] = (uint8_t)in[i];
	return nj_dns_weight(name, n) / 65536.0;
}

static double dns_value(double *in, unsigned n)
{
	(void)n;
	uint64_t hash = (uint64_t)in[0] << 32 | (uint64_t)in[1];
	return (double)nj_dns_value(hash, (uint32_t)(in[2] * 65536)) * 0x1p-57;
}

static struct nj_loop_verdict loop_of(double *in, unsigned n)
{
	struct nj_loop loop = {0};
	struct nj_actions actions = {0};
	struct nj_loop_verdict verdict;
	unsigned exchanges = (unsigned)in[0], at = 1;
	for (unsigned i = 0; i < exchanges; i++, at += 2)
		nj_loop_add(&loop, (uint64_t)llround(in[at] * 1e3) * 1000000,
			    (uint64_t)llround(in[at + 1] * 1e3) * 1000000);
	for (; at + 2 < n; at += 3)
		nj_actions_add(&actions, (uint64_t)in[at + 2], (uint64_t)llround(in[at] * 1e3) * 1000000,
			       (uint64_t)llround(in[at + 1] * 1e3) * 1000000);
	nj_loop_judge(&loop, &actions, 7, &verdict);
	return verdict;
}

static double loop_base(double *in, unsigned n)
{
	return loop_of(in, n).base;
}

static double loop_nats(double *in, unsigned n)
{
	return loop_of(in, n).nats;
}

static double loop_return(double *in, unsigned n)
{
	return loop_of(in, n).loop;
}

static double loop_z(double *in, unsigned n)
{
	return loop_of(in, n).z;
}

static double loop_turn(double *in, unsigned n)
{
	return loop_of(in, n).turn_s;
}

/* wait in ms, bytes of the request, then time in us and size of each record */
static struct nj_tokens_shape tokens_of(const double *in, unsigned n)
{
	struct nj_tokens tokens = {0};
	struct nj_tokens_shape shape;
	for (unsigned i = 2; i + 1 < n; i += 2)
		nj_tokens_add(&tokens, SECOND + (uint64_t)in[i] * 1000, (uint32_t)in[i + 1]);
	nj_tokens_shape(&tokens, (uint32_t)in[0], (uint64_t)in[1], &shape);
	return shape;
}

static double tokens_score(double *in, unsigned n)
{
	return tokens_of(in, n).score;
}

static double tokens_value(double *in, unsigned n)
{
	return (double)tokens_of(in + 1, n - 1).value[(unsigned)in[0]];
}

static struct nj_adapt_verdict adapt_of(double *in, unsigned n)
{
	struct nj_adapt adapt = {0};
	struct nj_adapt_verdict verdict;
	for (unsigned i = 0; i + 4 < n; i += 5)
		nj_adapt_step(&adapt, (uint64_t)((in[i] + 1) * 1e9), (uint64_t)in[i + 1], (uint16_t)in[i + 2],
			      (enum nj_adapt_result)in[i + 3], in[i + 4] > 0);
	nj_adapt_judge(&adapt, &verdict);
	return verdict;
}

static double adapt_mi(double *in, unsigned n)
{
	return adapt_of(in, n).mi;
}

static double adapt_ln_p(double *in, unsigned n)
{
	return adapt_of(in, n).ln_p;
}

static double adapt_branch(double *in, unsigned n)
{
	return adapt_of(in, n).branch;
}

static double lz76(double *in, unsigned n)
{
	uint16_t s[NJ_NOVELTY_SYMBOLS];
	for (unsigned i = 0; i < n && i < NJ_NOVELTY_SYMBOLS; i++)
		s[i] = (uint16_t)in[i];
	return nj_lz76(s, n);
}

static double surprisal_bits(double *in, unsigned n)
{
	(void)n;
	return nj_surprisal_bits(in[0], in[1]);
}

static double surprisal(double *in, unsigned n)
{
	struct nj_surprisal_params params = NJ_SURPRISAL_PARAMS_DEFAULT;
	struct nj_surprisal state = {0};
	params.level = in[0];
	params.scale = in[1];
	for (unsigned i = 2; i + 1 < n; i += 2)
		nj_surprisal_step(&state, (uint64_t)(in[i] * 1e9), in[i + 1], &params);
	return state.sum;
}

static struct nj_growth growth_of(double *in, unsigned n)
{
	struct nj_growth state = {0};
	for (unsigned i = 0; i < n; i++)
		nj_growth_add(&state, (uint64_t)in[i]);
	return state;
}

static double growth(double *in, unsigned n)
{
	struct nj_growth state = growth_of(in, n);
	return nj_growth_score(&state);
}

static double growth_median(double *in, unsigned n)
{
	struct nj_growth state = growth_of(in, n);
	return nj_growth_median(&state);
}

static double agentic(double *in, unsigned n)
{
	(void)n;
	struct nj_agentic verdict;
	nj_agentic_judge(&(struct nj_agentic_evidence){.turns = (uint32_t)in[0],
						       .nats = in[1],
						       .loop = in[2],
						       .z = in[3],
						       .growth = in[4],
						       .turn_s = in[5],
						       .duty = in[6],
						       .pause_s = in[7],
						       .p_llm = in[8]},
			 &verdict);
	return verdict.score;
}

static double llm_p(double *in, unsigned n)
{
	(void)n;
	return nj_llm_p(&(struct nj_llm_evidence){.known = in[0],
						  .stream_score = in[1],
						  .api_share = in[2],
						  .growth = in[3],
						  .turn_s = in[4],
						  .exchanges = (uint32_t)in[5]});
}

static double turn_odds(double *in, unsigned n)
{
	struct nj_turns turns = {0};
	struct nj_turn_verdict verdict;
	nj_turns_add(&turns, 1, in[0]);
	for (unsigned i = 1; i < n; i++)
		nj_turns_act(&turns, 1, (enum nj_turn_act)(i - 1), in[i]);
	nj_turns_judge(&turns, &verdict);
	return verdict.odds;
}

static const struct {
	const char *name;
	model_function function;
} functions[] = {
#define FUNCTION(name)                                                                                                 \
	{                                                                                                              \
#name, name                                                                                            \
	}
	FUNCTION(log_normal_upper),
	FUNCTION(log_poisson_upper),
	FUNCTION(log_binomial_upper),
	FUNCTION(log_gamma_upper),
	FUNCTION(log_gamma_lower),
	FUNCTION(log_beta_lower),
	FUNCTION(log_chi2_upper),
	FUNCTION(log_add),
	{"log2", log2_q56},
	{"tokens_score", tokens_score},
	{"tokens_value", tokens_value},
	FUNCTION(quantile),
	FUNCTION(median),
	FUNCTION(madn),
	FUNCTION(bowley_skew),
	FUNCTION(entropy),
	FUNCTION(entropy_normalised),
	FUNCTION(registers_estimate),
	FUNCTION(ddsketch_quantile),
	FUNCTION(ddsketch_cdf),
	FUNCTION(gpd_log_upper),
	FUNCTION(gpd_return_level),
	FUNCTION(gpd_fit_shape),
	FUNCTION(gpd_fit_scale),
	FUNCTION(fuse_cauchy),
	FUNCTION(fuse_harmonic),
	FUNCTION(fuse_cauchy_log),
	FUNCTION(fuse_harmonic_log),
	FUNCTION(scan),
	FUNCTION(cusum),
	FUNCTION(decay),
	FUNCTION(icmp),
	FUNCTION(baseline_level),
	FUNCTION(baseline_scale),
	FUNCTION(beacon_rho),
	FUNCTION(beacon_period),
	FUNCTION(beacon_spectral),
	FUNCTION(dns_weight),
	FUNCTION(dns_value),
	FUNCTION(loop_base),
	FUNCTION(loop_nats),
	FUNCTION(loop_return),
	FUNCTION(loop_z),
	FUNCTION(loop_turn),
	FUNCTION(adapt_mi),
	FUNCTION(adapt_ln_p),
	FUNCTION(adapt_branch),
	FUNCTION(lz76),
	FUNCTION(surprisal_bits),
	FUNCTION(surprisal),
	FUNCTION(growth),
	FUNCTION(growth_median),
	FUNCTION(agentic),
	FUNCTION(llm_p),
	FUNCTION(turn_odds),
#undef FUNCTION
};

#define FUNCTIONS (sizeof functions / sizeof functions[0])

static model_function find(const char *name, unsigned *seen)
{
	for (size_t i = 0; i < FUNCTIONS; i++)
		if (strcmp(functions[i].name, name) == 0) {
			seen[i]++;
			return functions[i].function;
		}
	return NULL;
}

static bool check(char *line, unsigned *seen)
{
	double value[3 + ARGUMENTS_MAX];
	char *name = strtok(line, " \n"), *word;
	unsigned n = 0;
	while ((word = strtok(NULL, " \n")) != NULL && n < 3 + ARGUMENTS_MAX)
		value[n++] = strtod(word, NULL);
	model_function function = name != NULL && n >= 3 ? find(name, seen) : NULL;
	if (function == NULL) {
		fprintf(stderr, "not a reference value: %s\n", name != NULL ? name : "empty line");
		return false;
	}
	double absolute = value[0], relative = value[1], expected = value[2], arguments[4];
	memcpy(arguments, value + 3, sizeof arguments);
	double got = function(value + 3, n - 3);
	if (fabs(got - expected) <= absolute + relative * fabs(expected) || got == expected)
		return true;
	fprintf(stderr, "%s(%g, %g, %g, %g ... %u in all) = %.17g, reference %.17g\n", name, arguments[0], arguments[1],
		arguments[2], arguments[3], n - 3, got, expected);
	return false;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	if (file == NULL) {
		printf("SKIPPED: no reference values (tests/oracle/model_vectors.py makes them, with numpy and "
		       "scipy)\n");
		return 77;
	}
	unsigned checked = 0, wrong = 0, seen[FUNCTIONS] = {0};
	char *line = NULL;
	size_t size = 0;
	for (; getline(&line, &size, file) > 0; checked++)
		wrong += !check(line, seen);
	for (size_t i = 0; i < FUNCTIONS; i++)
		if (seen[i] == 0) {
			fprintf(stderr, "no reference value for %s\n", functions[i].name);
			wrong++;
		}
	free(line);
	fclose(file);
	printf("%u reference values checked, %u wrong\n", checked, wrong);
	return wrong > 0;
}
