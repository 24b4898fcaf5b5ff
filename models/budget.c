/* With peaks of independent runs counted by level over D days, the level exceeded N times a day is the one with N D
 * peaks above it: an empirical quantile, read off the histogram. Where N D < 10 the counts are too few, and the level
 * is extrapolated from a threshold u with at least 50 peaks above it by the return level of a generalised Pareto tail,
 * z_N = u + (sigma/xi)((lambda_u/N)^xi - 1), lambda_u = peaks above u a day. On the first day z_N = lg(tests a day/N),
 * as if the p-values were exact and independent.
 *
 * Governor, at the end of each whole day: N_eff <- clip(N_eff e^(0.2 (N - alerts)/N), N/4, 4 N). It removes the bias
 * that any threshold has under drift, and no more than a factor of four of it: an attacker who floods alerts cannot
 * close the operator's eyes, all the less as confirmed alerts do not count.
 *
 * For the quantile a day counts with at most 2 N_eff of its highest peaks. Honest days hardly ever have more; a flood
 * of unconfirmed peaks could otherwise lift the quantile to its own height within a day and hide behind it.
 *
 * A run is counted when it opens and moved up when its peak rises, so an attack in progress is in the histogram at
 * once.
 *
 * Simulated, 300 agents of unequal tails, one alert an agent and day, mean of 4 seeds (tests/unit/test_budget.c): for
 * N = 2, 5, 20 the first day gives 6, 10.5, 29 alerts, days 5 to 16 2.2, 5.1, 19 a day, twelve days after scores rose
 * by 10 % 2.6, 5.1, 22. A flood of 100 unconfirmed alerts a day for four days lifts the threshold from 4.5 to 5.4.
 * Memory 28.7 kB, and 32 bytes a run; observe 7 ns, refit 24 us an hour. */
#include "models/budget.h"

#include "models/gpd.h"
#include "models/math.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define HOUR_NS         (3600 * UINT64_C(1000000000))
#define DAY_NS          (24 * HOUR_NS)
#define SET             8
#define QUANTILE_PEAKS  10 /* above the level, for the plain quantile to be trusted */
#define EXCEEDANCES_MIN 50 /* above u, for the extrapolation */
#define EXCESSES_MAX    512
#define DAY_SHARE_MAX   2 /* a day counts with at most this many times the budget */
#define GOVERNOR_GAIN   0.2
#define GOVERNOR_RANGE  4

void nj_budget_init(struct nj_budget *budget, const struct nj_budget_params *params)
{
	assert(params->alerts_per_day > 0);
	assert(params->tests_per_day > 0);
	assert(params->run_ns > 0);
	memset(budget, 0, sizeof *budget);
	budget->params = *params;
	budget->alerts_effective = params->alerts_per_day;
}

static unsigned level_of(double score)
{
	double level = score / NJ_BUDGET_STEP;
	return level >= NJ_BUDGET_LEVELS ? NJ_BUDGET_LEVELS - 1 : (unsigned)level;
}

static uint32_t *peaks_at(struct nj_budget *budget, uint64_t day, double peak)
{
	return &budget->peaks[day % NJ_BUDGET_DAYS][level_of(peak)];
}

static bool remembered(const struct nj_budget *budget, uint64_t day)
{
	return day <= budget->day && budget->day - day < NJ_BUDGET_DAYS;
}

static void count_peak(struct nj_budget *budget, uint64_t day, double peak, int by)
{
	if (!remembered(budget, day))
		return;
	uint32_t *count = peaks_at(budget, day, peak);
	*count = by > 0 ? *count + 1 : *count - (*count > 0);
}

static void govern(struct nj_budget *budget)
{
	double n = budget->params.alerts_per_day;
	double next = budget->alerts_effective * exp(GOVERNOR_GAIN * (n - budget->alerts_today) / n);
	budget->alerts_effective = fmin(fmax(next, n / GOVERNOR_RANGE), n * GOVERNOR_RANGE);
}

static void turn_day(struct nj_budget *budget, uint64_t day)
{
	uint64_t passed = day - budget->day;
	for (uint64_t i = 0; i < passed && i < NJ_BUDGET_DAYS; i++) {
		if (budget->start_ns <= (budget->day + i) * DAY_NS) /* whole days only */
			govern(budget);
		budget->alerts_today = 0;
		memset(budget->peaks[(budget->day + i + 1) % NJ_BUDGET_DAYS], 0, sizeof budget->peaks[0]);
	}
	budget->day = day;
}

static double days_seen(const struct nj_budget *budget, uint64_t t_ns)
{
	uint64_t oldest = budget->day >= NJ_BUDGET_DAYS - 1 ? (budget->day - (NJ_BUDGET_DAYS - 1)) * DAY_NS : 0;
	uint64_t start = budget->start_ns > oldest ? budget->start_ns : oldest;
	return (double)(t_ns - start) / DAY_NS;
}

/* Highest level with at least *wanted* peaks at or above it; 0 if there are fewer. *ret_above: how many. */
static unsigned level_with(const uint64_t *total, double wanted, uint64_t *ret_above)
{
	unsigned level = NJ_BUDGET_LEVELS;
	*ret_above = 0;
	while (level > 0 && (double)*ret_above < wanted)
		*ret_above += total[--level];
	return level;
}

/* The level with exactly *wanted* peaks above, linear within its step. */
static double quantile_level(const uint64_t *total, double wanted)
{
	uint64_t above;
	unsigned level = level_with(total, wanted, &above);
	if ((double)above < wanted)
		return 0;
	double within = ((double)above - wanted) / (double)total[level];
	return (level + within) * NJ_BUDGET_STEP;
}

/* z_N beyond the counts: up to 512 evenly spaced ranks stand for the peaks above u. */
static double return_level(const uint64_t *total, double wanted)
{
	uint64_t above, passed = 0;
	unsigned bottom = level_with(total, EXCEEDANCES_MIN, &above), level = bottom;
	double excess[EXCESSES_MAX], u = bottom * NJ_BUDGET_STEP;
	size_t n = above < EXCESSES_MAX ? (size_t)above : EXCESSES_MAX;
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		double rank = ((double)i + 0.5) * (double)above / (double)n;
		while (rank >= (double)(passed + total[level]))
			passed += total[level++];
		excess[i] = (level + (rank - (double)passed) / (double)total[level]) * NJ_BUDGET_STEP - u;
	}
	struct nj_gpd gpd = nj_gpd_fit(excess, n);
	return u + nj_gpd_return_level(&gpd, (double)above / wanted);
}

/* Adds a day's peaks from the highest down, at most *limit* of them. */
static void add_day(uint64_t *total, const uint32_t *peaks, double limit)
{
	double left = limit;
	for (unsigned i = NJ_BUDGET_LEVELS; i-- > 0 && left >= 1;) {
		double taken = fmin(peaks[i], left);
		total[i] += (uint64_t)taken;
		left -= taken;
	}
}

static void refit(struct nj_budget *budget, uint64_t t_ns)
{
	const struct nj_budget_params *params = &budget->params;
	double days = days_seen(budget, t_ns), wanted = budget->alerts_effective * days, level;
	uint64_t total[NJ_BUDGET_LEVELS] = {0};
	bool enough = wanted >= QUANTILE_PEAKS;
	for (unsigned day = 0; day < NJ_BUDGET_DAYS; day++)
		add_day(total, budget->peaks[day], enough ? DAY_SHARE_MAX * budget->alerts_effective : INFINITY);
	if (days < 1)
		level = log10(params->tests_per_day / budget->alerts_effective);
	else
		level = enough ? quantile_level(total, wanted) : return_level(total, wanted);
	double top = NJ_BUDGET_LEVELS * NJ_BUDGET_STEP;
	budget->threshold = fmin(fmax(level, params->peak_min), top);
	budget->fitted_ns = t_ns;
}

double nj_budget_tick(struct nj_budget *budget, uint64_t t_ns)
{
	uint64_t day = t_ns / DAY_NS;
	if (budget->start_ns == 0) {
		budget->start_ns = t_ns;
		budget->day = day;
		refit(budget, t_ns);
	}
	if (day > budget->day)
		turn_day(budget, day);
	if (t_ns >= budget->fitted_ns + HOUR_NS)
		refit(budget, t_ns);
	return budget->threshold;
}

static struct nj_budget_run *set_of(struct nj_budget_run *run, uint32_t runs, uint64_t agent)
{
	assert(runs >= SET);
	assert(runs % SET == 0);
	return run + (size_t)((unsigned __int128)nj_mix64(agent) * (runs / SET) >> 64) * SET;
}

/* The agent's slot if its run goes on, else the one to open a new run in: unused, else the longest silent. */
static struct nj_budget_run *run_of(struct nj_budget_run *run, uint32_t runs, uint64_t agent)
{
	struct nj_budget_run *set = set_of(run, runs, agent), *at = set;
	for (unsigned i = 0; i < SET; i++) {
		if (set[i].key == agent)
			return &set[i];
		if (set[i].last_ns < at->last_ns)
			at = &set[i];
	}
	return at;
}

void nj_budget_adopt(struct nj_budget_run *run, uint32_t runs, uint32_t at, const struct nj_budget_run *from)
{
	struct nj_budget_run *set = set_of(run, runs, from->key);
	size_t first = (size_t)(set - run);
	bool at_home = at >= first && at < first + SET;
	*(at_home ? &run[at] : run_of(run, runs, from->key)) = *from;
}

void nj_budget_observe(struct nj_budget *budget, struct nj_budget_run *run, uint32_t runs, uint64_t t_ns,
		       uint64_t agent, double score)
{
	nj_budget_tick(budget, t_ns);
	if (!(score >= budget->params.peak_min))
		return;
	agent += agent == 0;
	struct nj_budget_run *at = run_of(run, runs, agent);
	uint64_t run_ns = budget->params.run_ns;
	bool fresh = at->key != agent || t_ns >= at->last_ns + run_ns;
	if (fresh) {
		budget->evicted += at->key != 0 && at->key != agent && t_ns < at->last_ns + run_ns;
		*at = (struct nj_budget_run){.key = agent, .day = t_ns / DAY_NS, .peak = score};
		count_peak(budget, at->day, score, 1);
	} else if (score > at->peak) {
		count_peak(budget, at->day, at->peak, -1);
		count_peak(budget, at->day, score, 1);
		at->peak = score;
	}
	if (t_ns > at->last_ns)
		at->last_ns = t_ns;
}

void nj_budget_alerted(struct nj_budget *budget, uint64_t t_ns)
{
	nj_budget_tick(budget, t_ns);
	budget->alerts_today++;
}

void nj_budget_confirm(struct nj_budget *budget, uint64_t t_ns, double score)
{
	uint64_t day = t_ns / DAY_NS;
	if (day == budget->day && budget->alerts_today > 0)
		budget->alerts_today--;
	if (score >= budget->params.peak_min)
		count_peak(budget, day, score, -1);
}
