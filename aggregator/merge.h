/* Joins what several sensors say about the same ten seconds. Batches come in per sensor in order; a *round* (all
 * windows of one start and width, one per agent, merged, capped, ascending by agent) goes out once every sensor has
 * told everything up to it. Used by the aggregator's one thread.
 *
 * A sensor holds a round back until its tick for that start, or a later one, has come; one that has finished holds
 * nothing back. With hold_ns > 0 a sensor whose event time lies further behind the foremost is no longer waited for:
 * what it sends later is counted as late and dropped.
 *
 * Sensors of one tap group see the same traffic: their windows are united, the larger count wins
 * (aggregator/tap_group.h), and the account is that of the one that saw most. Groups see different traffic: their
 * windows and accounts add up.
 *
 * Memory: what is waiting, at most pending_bytes_max (a round over it is forced out, counted), plus the arena of the
 * round being joined. */
#ifndef NJ_AGGREGATOR_MERGE_H
#define NJ_AGGREGATOR_MERGE_H

#include "common/batch.h"
#include "common/error.h"
#include "common/hash.h"

#include <stdbool.h>

#define NJ_MERGE_SENSORS_MAX 256

struct nj_merge_options {
	struct nj_hash_key key;    /* under which contacts beyond the cap are hashed */
	uint32_t sensors_expected; /* no round goes out before this many have been heard */
	uint64_t pending_bytes_max;
	uint64_t arena_bytes; /* for joining one round; doubled, up to pending_bytes_max, when a round does not fit */
	uint64_t hold_ns;     /* 0: wait for every sensor without end */
};

struct nj_merge_counts {
	uint64_t windows_received, windows_merged, windows_late, windows_refused;
	uint64_t rounds, rounds_forced;
	uint64_t pending_bytes, pending_bytes_peak;
};

/* One complete round. *Returned borrowed until* the next pop or push. */
struct nj_round {
	uint64_t start_ns;
	uint32_t width_ms;
	struct nj_sensor_account account; /* summed over sensors; drops by name */
	const struct nj_window *windows;  /* ascending by agent, one each */
	uint32_t windows_n;
	char sensor[NJ_SENSOR_ID_MAX]; /* who told: the sensor's name, or "N sensors" */
};

struct nj_merge;

NJ_MUST_CHECK int nj_merge_new(const struct nj_merge_options *options, struct nj_merge **ret_merge);
void nj_merge_free(struct nj_merge **merge);

/* Copies the batch. NJ_ERR_MEMORY; NJ_ERR_LIMIT for a sensor beyond NJ_MERGE_SENSORS_MAX. Late windows are counted, no
 * error. */
NJ_MUST_CHECK int nj_merge_push(struct nj_merge *merge, const struct nj_batch *batch);

/* For restoring: a batch that was pushed and not yet joined when the snapshot was written. Copied, counted nowhere; one
 * whose round has gone out is passed over. */
NJ_MUST_CHECK int nj_merge_again(struct nj_merge *merge, const struct nj_batch *batch);

/* 1: *ret_round* is the next round; 0: none is complete; NJ_ERR_MEMORY. */
NJ_MUST_CHECK int nj_merge_pop(struct nj_merge *merge, struct nj_round *ret_round);

/* Every expected sensor has finished and no round is left. */
bool nj_merge_finished(const struct nj_merge *merge);
struct nj_merge_counts nj_merge_counts(const struct nj_merge *merge);

/* ---- snapshots (aggregator/snapshot.h): how far each sensor has told, what went out, the counts. What waits is not
 * among it: its batches are kept as they came and pushed again. Between rounds; into a new merge. */
struct nj_snapshot_writer;
struct nj_snapshot_taker;

#define NJ_MERGE_TAKERS 2
void nj_merge_save(const struct nj_merge *merge, struct nj_snapshot_writer *writer);
void nj_merge_takers(struct nj_merge *merge, struct nj_snapshot_taker *taker); /* room for NJ_MERGE_TAKERS */

#endif
