/* From a score to a p-value, learned: how often does this detector, on this kind of agent, show at least this score
 * when nothing is wrong?
 *
 * The body of the distribution is counted in a sketch; above its 98 % quantile a generalised Pareto tail is fitted to
 * the last 512 excesses, which is what allows p-values far below one over the number of observations. It can start from
 * a shipped prior. Scores that are too improbable are not learned, so an attack does not become normal by lasting. One
 * per (detector, peer group): 4.7 kB, pointer-free, save as bytes. A step costs some nanoseconds, each 64th excess a
 * fit of tens of microseconds. */
#ifndef NJ_MODELS_TAIL_H
#define NJ_MODELS_TAIL_H

#include "models/ddsketch.h"
#include "models/gpd.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_TAIL_EXCESSES 512
#define NJ_TAIL_P_MIN    1e-12

enum nj_tail_verdict {
	NJ_TAIL_NORMAL = 0,  /* in the body */
	NJ_TAIL_EXCESS = 1,  /* in the tail, yet of its kind: learned */
	NJ_TAIL_ANOMALY = 2, /* beyond the gate: not learned */
};

struct nj_tail {
	double resolution; /* sketch steps per unit of score; 100 covers scores 0..7528 within 5 % or 0.2 */
	double gate_p;     /* p at or below it: anomaly */
	double threshold;  /* of the tail, a bucket bound; INFINITY while nothing is fitted */
	struct nj_gpd gpd;
	uint64_t anomalies;                  /* kept out so far */
	uint32_t count[NJ_DDSKETCH_BUCKETS]; /* body */
	double excess[NJ_TAIL_EXCESSES];     /* scores at or above the threshold of their time, ring */
	uint32_t head, n;                    /* of excess */
	uint32_t unfitted;                   /* excesses since the last fit */
	uint32_t fitted_n;                   /* excesses behind gpd */
	uint32_t bucket;                     /* of threshold; NJ_DDSKETCH_BUCKETS while nothing is fitted */
	uint32_t reserved;
};

/* resolution > 0; gate_p in 0..1 (0: everything is learned), e.g. 1e-6. */
void nj_tail_init(struct nj_tail *tail, double resolution, double gate_p);

/* Starts an empty tail (asserted) from a shipped prior: *count* in the same resolution, scaled down to at most
 * *observations* so that local data can outweigh it. An empty prior changes nothing. */
void nj_tail_prime(struct nj_tail *tail, const uint32_t count[NJ_DDSKETCH_BUCKETS], uint32_t observations);

/* P(S >= score), in [1e-12, 1]; with nothing learned 1. NaN: 1. Negative scores count as 0, infinite ones as the
 * largest. */
double nj_tail_p(const struct nj_tail *tail, double score);

void nj_tail_learn(struct nj_tail *tail, double score); /* ungated; NaN ignored */

/* Judges, then learns unless it is an anomaly. False (and nothing changed) for NaN. *ret_p* may be NULL. */
bool nj_tail_step(struct nj_tail *tail, double score, enum nj_tail_verdict *ret_verdict, double *ret_p);

uint64_t nj_tail_observations(
	const struct nj_tail *tail); /* in the body, fading: 1/(this + 1) is the least p the body alone can give */
bool nj_tail_valid(const struct nj_tail *tail); /* check bytes from outside before any other call */

#endif
