/* Joins what the workers of a sensor tell about one window: windows of the same agent are merged, capped, and handed on
 * in ascending order of agents; accounts are summed. What comes out does not depend on how many workers there were.
 * Used by the pipeline's thread.
 *
 * With one worker of files, windows pass straight through. With more, each worker's thread stores copies of its windows
 * in a store of its own, and the collector works when all have closed the window. Live, where nobody holds workers
 * back, each has two stores: while one waits to be joined it fills the other; only who is two windows ahead waits.
 * Memory: one store a worker (nj_ledger_windows_bytes), live two, and twice as much to merge in. */
#ifndef NJ_SENSOR_COLLECTOR_H
#define NJ_SENSOR_COLLECTOR_H

#include "sensor/pipeline.h"

#include <stdatomic.h>

struct nj_collector;

/* One worker's windows of one start. */
struct nj_window_store {
	struct nj_arena arena;
	struct nj_window **windows; /* ascending by agent */
	uint32_t windows_n, windows_max;
	uint64_t lost; /* windows that found no room */
	uint64_t start_ns;
	bool told; /* account is filled */
	struct nj_sensor_account account;
};

struct nj_collector_options {
	uint32_t workers;
	uint32_t ledger_entries_max;
	uint32_t width_ms;
	bool live;                          /* workers are not held back; see nj_collector_join() */
	const struct nj_hash_key *hash_key; /* borrowed */
	/* Adds to a window's account what the source counted since the last; NULL: nothing. */
	void (*source)(void *context, struct nj_sensor_account *account);
	void *source_context;
};

uint64_t nj_collector_memory_bytes(const struct nj_collector_options *options);
NJ_MUST_CHECK int nj_collector_new(const struct nj_collector_options *options, const struct nj_window_sink *sink,
				   struct nj_collector **ret_collector);
void nj_collector_free(struct nj_collector **collector);

/* The sink for worker *index*'s windows and window ends, whose flow member stays for the caller to set. Each may run on
 * its own thread, except when there is one worker: then windows go on at once. */
void nj_collector_worker_sink(struct nj_collector *collector, uint32_t index, struct nj_worker_sink *ret_sink);

/* What the workers tell from now on is their last window. */
void nj_collector_finish(struct nj_collector *collector);

/* All workers have told what they had to tell of one window: hands it on. The error that the sink gave, once it gave
 * one. */
NJ_MUST_CHECK int nj_collector_collect(struct nj_collector *collector);

/* Live: nothing will be collected any more; workers that wait go on, and what they tell is lost. */
void nj_collector_abandon(struct nj_collector *collector);

/* Live: hands on the earliest window that every worker has passed, in the order of windows. *reached_ns*: per worker,
 * up to which event time it has told everything. 1: one was handed on, and another may be ready; 0: none is; or the
 * sink's error. After nj_collector_finish(), and with all workers at UINT64_MAX, the last one carries the mark of the
 * end; when there is none at all, an empty one that starts at *start_ns* does. */
NJ_MUST_CHECK int nj_collector_join(struct nj_collector *collector, const _Atomic(uint64_t) *const *reached_ns,
				    uint64_t start_ns);

/* Everything handed on so far, summed. */
const struct nj_sensor_account *nj_collector_total(const struct nj_collector *collector);

/* Adds *from* into *into*, drops by name; counts that are levels (flows_active) take the later. */
void nj_account_add(struct nj_sensor_account *into, const struct nj_sensor_account *from);

#endif
