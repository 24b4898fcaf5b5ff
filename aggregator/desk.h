/* The desk: scores in, alerts out, within a budget. One thread, scores in canonical order, so equal rounds give equal
 * alerts.
 *
 *   1. p. A detector's closed form and its learned tail are mixed: ln p = (1 - w) ln p_closed + w ln p_learned, w =
 * n/(n + 288), n scores learned by that tail (or shipped with the baseline). A tail learns what was not raised.
 *   2. Confidence. What could not be seen makes p larger: ln p is multiplied by 1 - dropped share, and for all but
 * scans (whose flows are one-sided by nature) by 1 - one-sided share/4.
 *   3. Budget. The threshold of -lg p is that of models/budget.h: in the first day lg(tests a day / alerts a day), then
 * the level that is exceeded as often as the operator wants, governed by what was raised, never below
 * NJ_DESK_STRENGTH_MIN. Tests are the looks the detectors really took, extrapolated to a day as if nothing more came in
 * the first hour; at least NJ_DESK_TESTS_MIN a day.
 *   4. Repeats. The same agent, family and class within 24 hours of its alert is merged into it, unless its severity
 * has risen.
 *   5. Paging. Of the day's alerts the first alerts_per_day are paged and as many again may be if they are high or
 * critical; the rest is queued, never dropped. Certain facts (decoys) are always paged.
 *
 * raised = paged + queued + merged. Memory: 14.5 kB budget, 47 kB tails, 24 B a declustering run, 48 B a remembered
 * alert. */
#ifndef NJ_AGGREGATOR_DESK_H
#define NJ_AGGREGATOR_DESK_H

#include "aggregator/alert.h"
#include "aggregator/engine.h"

#define NJ_DESK_TESTS_MIN 100000.0 /* a day: the quietest network is judged as if so many looks were taken */
#define NJ_DESK_STRENGTH_MIN                                                                                           \
	3.5 /* -lg p below which nothing is raised: a quiet network must not be made to fill its budget */
/* -lg p of the closed form alone below which nothing is raised: what is merely the rarest of a quiet network is not
 * strange yet. */
#define NJ_DESK_CLOSED_MIN 3.0

struct nj_desk_options {
	double alerts_per_day;
	uint32_t agents_max;                  /* sizes the tables of runs and repeats */
	const struct nj_inventory *inventory; /* borrowed for the desk's life, as the next two */
	const struct nj_prior *prior;
	const struct nj_hash_key *hash_key;
	bool learn_only; /* tails learn everything, nothing is raised */
};

struct nj_desk_counts {
	uint64_t raised, paged, queued, merged; /* raised = paged + queued + merged */
	uint64_t tests, scores;
	uint64_t explained_away; /* strong enough, but accounted for by something else in the same round: not raised */
	uint64_t repeats_forgotten; /* remembered alerts pushed out by newer ones: their repeats come again */
};

typedef void (*nj_alert_sink)(void *context, const struct nj_alert *alert);
typedef void (*nj_merged_sink)(void *context, uint64_t alert_id,
			       uint32_t merged); /* another repeat was folded into that alert */

struct nj_desk;

NJ_MUST_CHECK int nj_desk_new(const struct nj_desk_options *options, struct nj_desk **ret_desk);
void nj_desk_free(struct nj_desk **desk);
uint64_t nj_desk_memory_bytes(const struct nj_desk_options *options);

void nj_desk_listen(struct nj_desk *desk, nj_alert_sink alert, nj_merged_sink merged,
		    void *context); /* *keeps* context */

/* Once per round, before its pieces. */
void nj_desk_begin(struct nj_desk *desk, const struct nj_round *round);
/* A judged piece; a nj_judged_sink. */
void nj_desk_judged(void *desk, const struct nj_judged *judged);

double nj_desk_threshold(const struct nj_desk *desk); /* -lg p that is raised now */
struct nj_desk_counts nj_desk_counts(const struct nj_desk *desk);

/* What the tails have learned, as a baseline keeps it. */
void nj_desk_tails(const struct nj_desk *desk, struct nj_prior *prior);

/* ---- snapshots (aggregator/snapshot.h). Between rounds; into a new desk. Tails go by the detector's name; a budget
 * other than the saved one begins anew with what was counted. */
#define NJ_DESK_TAKERS 4
void nj_desk_save(const struct nj_desk *desk, struct nj_snapshot_writer *writer);
/* *taker*: room for NJ_DESK_TAKERS. */
void nj_desk_takers(struct nj_desk *desk, struct nj_snapshot_taker *taker);

#endif
