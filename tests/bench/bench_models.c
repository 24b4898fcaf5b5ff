/* Nanoseconds an operation of models/, the figures quoted in their comments. Best of five rounds, to keep out what else
 * the machine does. Prints the error of the distinct counter as well. Usage: bench_models */
#include "models/adapt.h"
#include "models/agentic.h"
#include "models/baseline.h"
#include "models/beacon.h"
#include "models/bloom.h"
#include "models/budget.h"
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
#include "models/spacesaving.h"
#include "models/surprisal.h"
#include "models/tail.h"
#include "models/turn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)

static volatile double keep; /* so that nothing is optimised away */
static uint64_t random_state = 20261124;

static uint64_t bits(void)
{
	return nj_mix64(random_state += 0x9e3779b97f4a7c15u);
}

static double uniform(void)
{
	return ((double)(bits() >> 12) + 0.5) * 0x1p-52;
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#define BENCH(name, count, ...)                                                                                        \
	do {                                                                                                           \
		double best = INFINITY;                                                                                \
		for (int round = 0; round < 5; round++) {                                                              \
			double start = seconds();                                                                      \
			for (unsigned i = 0; i < (count); i++) {                                                       \
				__VA_ARGS__;                                                                           \
			}                                                                                              \
			best = fmin(best, (seconds() - start) / (count));                                              \
		}                                                                                                      \
		printf("%-28s %10.1f ns\n", name, best * 1e9);                                                         \
	} while (0)

static double value[4096];
static uint64_t hash[4096];

static void bench_math(void)
{
	BENCH("math normal tail", 1000000, keep = nj_log_normal_upper(value[i & 4095] * 8));
	BENCH("math poisson tail", 100000, keep = nj_log_poisson_upper(1 + (i & 63), 20));
	BENCH("math binomial tail", 100000, keep = nj_log_binomial_upper(1 + (i & 63), 200, 0.1));
	BENCH("math gamma at a = 1e6", 100, keep = nj_log_gamma_upper(999999, 999999 + i));
	BENCH("math log2_q56", 100000, keep = (double)nj_log2_q56(hash[i & 4095] | 1));
	BENCH("math madn of 64", 10000, double copy[64]; memcpy(copy, value + (i & 2047), sizeof copy);
	      keep = nj_madn(copy, 64));
}

static void bench_sketches(void)
{
	static struct nj_hll exact, dense, other;
	static uint8_t registers[NJ_HLL_REGISTERS], more[NJ_HLL_REGISTERS];
	for (unsigned i = 0; i < 20; i++)
		nj_hll_add(&exact, hash[i]);
	for (unsigned i = 0; i < 1000; i++)
		nj_hll_add(&dense, hash[i]), nj_hll_add(&other, hash[i + 1000]), nj_registers_add(more, hash[i]);
	BENCH("hll add, 20 exact, known", 1000000, nj_hll_add(&exact, hash[i % 20]));
	BENCH("hll add, dense", 1000000, nj_hll_add(&dense, hash[i & 4095]));
	BENCH("hll merge, dense", 100000, nj_hll_merge(&other, &dense));
	BENCH("hll estimate, dense", 100000, keep = nj_hll_estimate(&dense));
	BENCH("hll registers add", 1000000, nj_registers_add(registers, hash[i & 4095]));
	BENCH("hll registers merge", 1000000, nj_registers_merge(registers, more));
	static uint32_t count[NJ_DDSKETCH_BUCKETS];
	BENCH("ddsketch add", 1000000, nj_ddsketch_add(count, hash[i & 4095] >> 50));
	BENCH("ddsketch quantile", 100000, keep = nj_ddsketch_quantile(count, 0.95));
	static struct nj_heavy heavy[32];
	BENCH("spacesaving add, k = 32", 1000000, nj_heavy_add(heavy, 32, hash[i & 4095] >> 58, 1, NULL));
	struct nj_bloom bloom;
	static uint64_t word[NJ_BLOOM_WORDS(12)];
	nj_bloom_init(&bloom, 12, 3600 * SECOND);
	BENCH("bloom test and add", 1000000, nj_bloom_test_add(&bloom, word, SECOND, hash[i & 255]));
	struct nj_decay decay;
	nj_decay_init(&decay, 3600 * SECOND);
	uint64_t t_ns = 0;
	BENCH("decay add", 1000000, nj_decay_add(&decay, t_ns += SECOND, 1));
}

static void bench_sequences(void)
{
	static struct nj_baseline_week week;
	struct nj_usual prior = {10, 2};
	BENCH("baseline usual", 1000000, keep = nj_baseline_week_usual(&week, i % 168, &prior).level);
	BENCH("baseline learn", 1000000, nj_baseline_week_learn(&week, i % 168, value[i & 4095], 1, &prior));
	BENCH("baseline usual, learned", 1000000, keep = nj_baseline_week_usual(&week, i % 168, &prior).level);
	struct nj_scan scan = {0};
	struct nj_scan_params params = NJ_SCAN_PARAMS_DEFAULT;
	BENCH("scan step", 1000000, keep = nj_scan_step(&scan, i, hash[i & 4095] % 8 == 0, &params));
	struct nj_cusum cusum = {0};
	BENCH("cusum step", 1000000, keep = nj_cusum_step(&cusum, i, value[i & 4095], 0.5, 0.3, 0.5));
	struct nj_drain drain = {0};
	BENCH("drain step", 1000000, keep = nj_drain_step(&drain, i * SECOND, value[i & 4095], 0.5));
	struct nj_pcr pcr = {0};
	struct nj_pcr_params pcr_params = NJ_PCR_PARAMS_DEFAULT;
	BENCH("pcr step", 1000000, keep = nj_pcr_step(&pcr, i * SECOND, 2e6, 1e6 * value[i & 4095], 1, &pcr_params));
}

static void bench_beacon_and_names(void)
{
	struct nj_beacon beacon = {0};
	struct nj_beacon_verdict verdict;
	uint64_t t_ns = SECOND;
	BENCH("beacon add", 100000, nj_beacon_add(&beacon, t_ns += SECOND + hash[i & 4095] % (100 * SECOND), 1000));
	BENCH("beacon judge", 1000, nj_beacon_judge(&beacon, &verdict); keep = verdict.p);
	static const char name[] = "4f8a0c3d9e7b1a2c4f8a0c3d9e7b1a2c.4f8a0c3d9e7b1a2c0x";
	BENCH("dns weight of 51 bytes", 100000, keep = nj_dns_weight(name, sizeof name - 1));
	BENCH("dns value", 100000, keep = (double)nj_dns_value(hash[i & 4095], 700000));
	struct nj_dns_sample sample = {0};
	BENCH("dns sample add", 1000000, nj_dns_sample_add(&sample, hash[i & 4095] | 1));
	static struct nj_dns_entry table[1024];
	BENCH("dns table take, known", 1000000,
	      keep = (double)nj_dns_table_take(table, 1024, hash[i & 255], NULL)->domain);
}

static void bench_calibration(void)
{
	double excess[512], log_p[8];
	for (unsigned i = 0; i < 512; i++)
		excess[i] = -log(value[i]);
	for (unsigned i = 0; i < 8; i++)
		log_p[i] = log(value[i]);
	BENCH("gpd fit of 512", 200, keep = nj_gpd_fit(excess, 512).shape);
	BENCH("fuse cauchy of 8", 100000, log_p[0] = log(value[i & 4095]); keep = nj_fuse_cauchy(log_p, NULL, 8));
	struct nj_icmp_echo echo = {100, 50000, 90, 5, 0, 700000};
	BENCH("icmp judge", 1000000, echo.packets = 100 + (i & 7); keep = nj_icmp_judge(&echo).score);
	static struct nj_tail tail;
	enum nj_tail_verdict verdict;
	nj_tail_init(&tail, 100, 1e-6);
	BENCH("tail step, fits included", 100000, nj_tail_step(&tail, -log(uniform()), &verdict, NULL));
	BENCH("tail p, body", 1000000, keep = nj_tail_p(&tail, value[i & 4095]));
	BENCH("tail p, tail", 1000000, keep = nj_tail_p(&tail, 10 + value[i & 4095]));
	static struct nj_budget budget;
	static struct nj_budget_run run[4096];
	nj_budget_init(&budget, &NJ_BUDGET_PARAMS_DEFAULT);
	uint64_t t_ns = 20000 * 86400 * SECOND;
	BENCH("budget observe", 1000000,
	      nj_budget_observe(&budget, run, 4096, t_ns += SECOND / 100, hash[i & 1023], 2 + value[i & 4095]));
	BENCH("budget tick, refit", 1000, keep = nj_budget_tick(&budget, t_ns += 3600 * SECOND));
}

/* An agent in full swing: 32 turns and 48 actions kept. */
static void bench_agents(void)
{
	static struct nj_loop loop;
	static struct nj_actions actions;
	static struct nj_adapt adapt;
	static struct nj_novelty novelty;
	struct nj_loop_verdict looped;
	struct nj_adapt_verdict adapted;
	struct nj_novelty_verdict novel;
	struct nj_turns turns = {0};
	struct nj_turn_verdict turned;
	struct nj_surprisal surprisal = {0};
	const struct nj_surprisal_params usual = NJ_SURPRISAL_PARAMS_DEFAULT;
	uint64_t t_ns = 20000 * 86400 * SECOND;
	BENCH("loop add", 1000000, nj_loop_add(&loop, t_ns, t_ns + 3 * SECOND); t_ns += 8 * SECOND);
	t_ns -= 32 * 8 * SECOND;
	BENCH("action add", 1000000, nj_actions_add(&actions, hash[i & 7], t_ns, t_ns + SECOND); t_ns += 4 * SECOND);
	for (unsigned i = 0; i < NJ_LOOP_TURNS; i++)
		nj_loop_add(&loop, t_ns - (32 - i) * 8 * SECOND, t_ns - (32 - i) * 8 * SECOND + 3 * SECOND);
	BENCH("loop judge", 10000, nj_loop_judge(&loop, &actions, 1, &looped); keep = looped.z);
	BENCH("adapt step", 1000000,
	      nj_adapt_step(&adapt, t_ns += SECOND, hash[i & 15], (uint16_t)(i & 3), (enum nj_adapt_result)(i % 5),
			    true));
	BENCH("adapt judge", 100000, nj_adapt_judge(&adapt, &adapted); keep = adapted.ln_p);
	for (unsigned i = 0; i < 256; i++)
		nj_novelty_add(&novelty, hash[i & 31]), nj_novelty_request(&novelty, (uint32_t)hash[i], 443);
	BENCH("novelty judge", 10000, nj_novelty_judge(&novelty, &novel); keep = novel.lz);
	BENCH("surprisal step", 1000000, keep = nj_surprisal_step(&surprisal, t_ns += SECOND, value[i & 4095], &usual));
	nj_turns_add(&turns, t_ns, 20);
	BENCH("turns judge", 1000000, turns.act[i & 7] += 1e-3f; nj_turns_judge(&turns, &turned); keep = turned.odds);
	printf("bytes an agent: actions %zu, adapt %zu, novelty %zu, turns %zu, surprisal %zu; a brain: loop %zu, "
	       "growth %zu\n",
	       sizeof actions, sizeof adapt, sizeof novelty, sizeof turns, sizeof surprisal, sizeof loop,
	       sizeof(struct nj_growth));
}

static void hll_error(void)
{
	static const unsigned sizes[] = {30, 100, 300, 1000, 10000, 100000};
	for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		unsigned rounds = sizes[s] > 10000 ? 300 : 2000;
		double squares = 0, sum = 0;
		for (unsigned r = 0; r < rounds; r++) {
			uint8_t registers[NJ_HLL_REGISTERS] = {0};
			for (unsigned i = 0; i < sizes[s]; i++)
				nj_registers_add(registers, bits());
			double error = nj_registers_estimate(registers) / sizes[s] - 1;
			squares += error * error, sum += error;
		}
		printf("hll error at %6u: %.2f %%, bias %+.2f %%\n", sizes[s], 100 * sqrt(squares / rounds),
		       100 * sum / rounds);
	}
}

int main(void)
{
	for (unsigned i = 0; i < 4096; i++)
		value[i] = uniform(), hash[i] = bits();
	bench_math();
	bench_sketches();
	bench_sequences();
	bench_beacon_and_names();
	bench_calibration();
	bench_agents();
	hll_error();
	return 0;
}
