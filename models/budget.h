/* The operator says "about N alerts a day"; this finds the score above which that is what he gets.
 *
 * Scores are -lg p. Peaks are declustered (one per agent and run: scores less than an hour apart are one), counted per
 * day in a histogram of 14 days, and the threshold is the level exceeded N times a day: read off the counts where there
 * are enough, by a generalised Pareto tail beyond. A governor moves N by what was really raised. Alerts that turn out
 * to be real attacks are taken out of both counts (nj_budget_confirm), or an attack would buy itself silence. Until a
 * day has been seen the threshold is lg(tests a day / N).
 *
 * One per aggregator, 28.8 kB + 32 bytes a declustering slot in the caller's memory; pointer-free, save as bytes. */
#ifndef NJ_MODELS_BUDGET_H
#define NJ_MODELS_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define NJ_BUDGET_DAYS   14
#define NJ_BUDGET_LEVELS 512 /* of -lg p, 1/32 decade each: 0..16 */
#define NJ_BUDGET_STEP   (1.0 / 32)

struct nj_budget_params {
	double alerts_per_day; /* N > 0 */
	double tests_per_day;  /* agents times windows: the threshold of the first day */
	double peak_min;       /* -lg p below it is no peak */
	uint64_t run_ns;       /* silence that separates two peaks of an agent */
};

#define NJ_BUDGET_PARAMS_DEFAULT                                                                                       \
	((struct nj_budget_params){                                                                                    \
		.alerts_per_day = 5, .tests_per_day = 1e6, .peak_min = 2, .run_ns = 3600 * UINT64_C(1000000000)})

struct nj_budget {
	struct nj_budget_params params;
	double alerts_effective; /* N as governed, N/4..4N */
	double threshold;        /* -lg p, refitted hourly */
	uint64_t start_ns;       /* first time seen; 0: none */
	uint64_t fitted_ns;
	uint64_t day;                                     /* present day, since the epoch, UTC */
	uint32_t alerts_today;                            /* unconfirmed */
	uint32_t evicted;                                 /* runs cut short because their set was full */
	uint32_t peaks[NJ_BUDGET_DAYS][NJ_BUDGET_LEVELS]; /* by day modulo 14 */
};

struct nj_budget_run {
	uint64_t key;     /* agent hash, 0: unused (a hash of 0 is kept as 1) */
	uint64_t last_ns; /* latest score of the run */
	uint64_t day;     /* in which it was counted */
	double peak;
};

void nj_budget_init(struct nj_budget *budget, const struct nj_budget_params *params);

/* A score of an agent. *run*: zeroed array of *runs* slots, a multiple of 8. */
void nj_budget_observe(struct nj_budget *budget, struct nj_budget_run *run, uint32_t runs, uint64_t t_ns,
		       uint64_t agent, double score);

/* Puts a run saved from another array into its set of this one: at its old place *at* if that lies in its set, else
 * where a new run would go. For restoring. */
void nj_budget_adopt(struct nj_budget_run *run, uint32_t runs, uint32_t at, const struct nj_budget_run *from);

/* Moves time on: days turn, the governor acts, the threshold is refitted. Returns the threshold. Time going back is
 * ignored. */
double nj_budget_tick(struct nj_budget *budget, uint64_t t_ns);

void nj_budget_alerted(struct nj_budget *budget, uint64_t t_ns); /* an alert was raised */
void nj_budget_confirm(struct nj_budget *budget, uint64_t t_ns,
		       double score); /* one raised then, with that peak, was real */

#endif
