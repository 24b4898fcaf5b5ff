/* What the aggregator is made of: for aggregator.c, which runs it, and recovery.c, which saves and restores it. Nobody
 * else includes it. */
#ifndef NJ_AGGREGATOR_AGGREGATOR_PARTS_H
#define NJ_AGGREGATOR_AGGREGATOR_PARTS_H

#include "aggregator/aggregator.h"
#include "aggregator/desk.h"
#include "aggregator/engine.h"
#include "aggregator/gaps.h"
#include "aggregator/ingest.h"
#include "aggregator/merge.h"
#include "aggregator/prior.h"
#include "aggregator/snapshot.h"
#include "aggregator/store.h"
#include "aggregator/watch.h"

#define NJ_POSITIONS_MAX 4096

/* The journal position of the first batch of each start still pending: what is covered ends before the least of them.
 */
struct nj_position {
	uint64_t start_ns, first;
};

struct nj_aggregator {
	struct nj_aggregator_options options;
	struct nj_aggregator_listener listener;
	struct nj_prior prior;
	struct nj_inventory *own_inventory; /* when the caller gave none */
	struct nj_ingest *ingest;
	struct nj_merge *merge;
	struct nj_gaps *gaps;
	struct nj_engine *engine;
	struct nj_desk *desk;
	struct nj_store *store;
	struct nj_watch *watch;
	uint64_t sensors_stored_ns; /* wall clock */
	struct nj_position positions[NJ_POSITIONS_MAX];
	uint32_t positions_n;
	uint64_t position_next; /* after the last batch taken */
	uint64_t covered_ns, rounds_uncommitted;
	uint64_t gaps_now, received_now; /* batches lost and come since the last round */
	uint64_t agents_ns;              /* up to when the store knows the agents */
	bool in_memory, alert_uncommitted, finished;
	int failed; /* first error of a callback that cannot return one */
	struct nj_message failure;

	/* recovery.c */
	char snapshot_path[NJ_SNAPSHOT_PATH_MAX]; /* "": none */
	uint64_t snapshot_from; /* of the newest snapshot: the journal is needed from there on should it be the only one
				 */
	uint64_t rounds_since_snapshot;
	uint64_t journaled_before_bytes;         /* of the ingest's count, at the last one */
	struct nj_ingest_options ingest_options; /* to open it again on a new journal */
	struct nj_ingest_listener ingest_listener;
	struct nj_aggregator_snapshots snapshots;
	char notice[NJ_AGGREGATOR_NOTICE_MAX]; /* what recovery had to do */
};

/* aggregator.c: engine, merge, desk and gaps as new, in place of those there are. */
NJ_MUST_CHECK int nj_aggregator_renew(struct nj_aggregator *aggregator, struct nj_message *message);
/* aggregator.c: the position below which every batch belongs to a judged round. */
uint64_t nj_aggregator_covered(struct nj_aggregator *aggregator);
/* aggregator.c: ends the store's transaction; *with_agents*: with the rows of the agents. */
NJ_MUST_CHECK int nj_aggregator_commit(struct nj_aggregator *aggregator, bool with_agents, struct nj_message *message);
/* aggregator.c: takes note that a batch of this start lies at this position. */
void nj_aggregator_note_position(struct nj_aggregator *aggregator, uint64_t start_ns, uint64_t position);

/* recovery.c: names the snapshot; before the ingest is open. */
NJ_MUST_CHECK int nj_recovery_init(struct nj_aggregator *aggregator, struct nj_message *message);
/* recovery.c: opens the ingest, on a new journal when the old one is damaged and a snapshot stands for it. */
NJ_MUST_CHECK int nj_recovery_open_ingest(struct nj_aggregator *aggregator, const struct nj_ingest_options *options,
					  const struct nj_ingest_listener *listener, struct nj_message *message);
/* recovery.c: the newest good snapshot, then the journal's rest. */
NJ_MUST_CHECK int nj_recovery_run(struct nj_aggregator *aggregator, struct nj_message *message);
/* recovery.c: whether it is time, by rounds or by what was journaled. */
bool nj_recovery_is_due(const struct nj_aggregator *aggregator);

#endif
