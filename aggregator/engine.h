/* The engine: rounds of windows in, scores out. Each window meets its agent's profile and every detector. Windows are
 * dealt to shards by agent hash; with more than one shard each is a thread, and all meet at a barrier in every round.
 * What a shard reads beyond its own profiles (fleet, prior, inventory) stands still meanwhile, and scores are put in
 * canonical order before anyone sees them, so the number of shards cannot be seen in the result.
 *
 * A round with more agents than half the table holds is judged in pieces, in canonical order, the fleet learning after
 * each piece. */
#ifndef NJ_AGGREGATOR_ENGINE_H
#define NJ_AGGREGATOR_ENGINE_H

#include "aggregator/detector.h"
#include "aggregator/merge.h"
#include "aggregator/prior.h"
#include "aggregator/profile.h"
#include "common/hash.h"

#define NJ_SHARDS_MAX 64

struct nj_engine_options {
	uint32_t shards;
	uint32_t agents_max;
	uint32_t fleet_entries_max;
	const struct nj_inventory *inventory; /* borrowed for the engine's life, as the next two */
	const struct nj_prior *prior;
	const struct nj_hash_key *hash_key;
	bool learn_only; /* nothing is kept out of the baselines */
};

/* One judged piece of a round. *Borrowed until* the sink returns. */
struct nj_judged {
	const struct nj_judgement *judgement;
	const struct nj_view *views; /* ascending by agent */
	uint32_t views_n;
	const struct nj_score *scores; /* ascending by (agent, detector, class) */
	uint32_t scores_n;
	uint64_t tests; /* independent looks behind them */
};

typedef void (*nj_judged_sink)(void *context, const struct nj_judged *judged);

struct nj_engine;

NJ_MUST_CHECK int nj_engine_new(const struct nj_engine_options *options, struct nj_engine **ret_engine);
void nj_engine_free(struct nj_engine **engine);
uint64_t nj_engine_memory_bytes(const struct nj_engine_options *options); /* profiles, fleet; views and scores of a
									     piece come on top: 600 B a window */

/* Judges a round and hands each piece to the sink on the caller's thread. NJ_ERR_MEMORY. */
NJ_MUST_CHECK int nj_engine_judge(struct nj_engine *engine, const struct nj_round *round, nj_judged_sink sink,
				  void *context);

struct nj_profiles *nj_engine_profiles(struct nj_engine *engine); /* between rounds */
struct nj_fleet *nj_engine_fleet(struct nj_engine *engine);

/* Snapshots: between rounds; into a new engine, whose shards may be of another number. After the last record
 * nj_engine_restored() places all agents by the inventory of today. */
#define NJ_ENGINE_TAKERS_MAX (NJ_PROFILES_TAKERS_MAX + NJ_FLEET_TAKERS)
void nj_engine_save(const struct nj_engine *engine, struct nj_snapshot_writer *writer);
uint32_t nj_engine_takers(struct nj_engine *engine, struct nj_snapshot_taker *taker);
void nj_engine_restored(struct nj_engine *engine);

#endif
