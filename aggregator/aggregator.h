/* The aggregator as one object: ingest -> merge -> engine shards -> desk -> store and listeners. `nightjar replay` and
 * nightjar-aggregator run exactly this; they differ in the link's address and in where the store lies. One thread calls
 * nj_aggregator_step(); shards are threads of its own when shards > 1. */
#ifndef NJ_AGGREGATOR_AGGREGATOR_H
#define NJ_AGGREGATOR_AGGREGATOR_H

#include "aggregator/ai_inventory.h"
#include "aggregator/alert.h"
#include "common/hash.h"

struct nj_aggregator;
struct nj_inventory; /* common/inventory.h */

struct nj_aggregator_options {
	const char *listen;                   /* link endpoint: "inproc://...", "ipc://...", "tcp://127.0.0.1:..." */
	void *link_context;                   /* shared context for inproc (common/link.h), or NULL */
	const char *journal_path;             /* ":memory:" for replay */
	const char *store_path;               /* NULL: no store */
	const char *baseline_path;            /* learned baseline, or NULL for the shipped prior */
	const struct nj_inventory *inventory; /* borrowed */
	struct nj_hash_key hash_key;
	uint32_t sensors_expected; /* ticks advance once this many sensors have been heard; default 1 */
	uint32_t shards;           /* engine shards, 1..64; the result does not depend on it */
	uint32_t agents_max;       /* profiles; least recently active ones are folded beyond it */
	double alerts_per_day;     /* budget */
	uint32_t sensor_silent_s;  /* when a sensor raises an operational alert: aggregator/watch.h */
	double sensor_dropped_share, sensor_clock_offset_s, sensor_journal_share;
	uint32_t hold_s; /* a sensor further behind the foremost in event time is not waited for; 0: wait for every one
			  */
	bool plain_tcp;  /* see common/link.h */
	const char *secret_key, *authorized_sensors; /* see aggregator/ingest.h; NULL: no encryption */
	uint32_t connections_max;
	uint64_t journal_bytes_max, pending_bytes_max;
	uint32_t fleet_entries_max; /* services, hosts and names whose popularity is known */
	bool learn_only;            /* for `nightjar baseline`: profiles and tails learn, nothing is alerted */
	uint64_t told_id; /* the last alert whose line the listener has from an earlier life; 0: as the store says */
	uint32_t snapshot_rounds; /* a snapshot after so many rounds; 0: only when asked for or the journal fills */
};

/* Called on the aggregator's thread; arguments are borrowed until return. Any may be NULL. */
struct nj_aggregator_listener {
	void *context;
	void (*alert)(void *context, const struct nj_alert *alert); /* raised (also queued ones; see alert->queued) */
	/* The line of a stored alert, once each across restarts (nj_store_tell); not 0: it could not be taken, and the
	 * next step ends with that. Only with a store. */
	int (*line)(void *context, const char *json);
	void (*window)(void *context,
		       const struct nj_window *window);         /* merged and capped, ascending by (start, agent) */
	void (*ai)(void *context, const struct nj_ai_row *row); /* the latest state of an AI agent, now and then and at
								   the end */
	void (*tick)(void *context, uint64_t start_ns,
		     const struct nj_sensor_account *account); /* merged account of that window */
};

struct nj_aggregator_counts {
	uint64_t batches_received, batches_refused, batches_repeated, gaps;
	uint64_t windows_received, windows_merged, windows_late;
	uint64_t alerts_raised, alerts_paged, alerts_queued, alerts_merged; /* raised = paged + queued + merged */
	uint64_t agents, agents_folded;
	uint64_t operational;                  /* alerts about sensors: not among raised */
	uint64_t frames_revoked, frames_lying; /* see aggregator/ingest.h, and common/link.h for the rest */
	uint64_t connections, handshakes, keys_refused, handshakes_failed, held_off;
};

#define NJ_AGGREGATOR_NOTICE_MAX 1024

/* Snapshots of the state, with a journal on disk (docs/recovery.md). */
struct nj_aggregator_snapshots {
	uint64_t written, failed;
	uint64_t bytes;         /* of the newest */
	uint64_t agents;        /* in it */
	struct nj_message last; /* why the last one failed */
};

void nj_aggregator_options_init(struct nj_aggregator_options *options);
uint64_t nj_aggregator_memory_bytes(const struct nj_aggregator_options *options);
NJ_MUST_CHECK int nj_aggregator_new(const struct nj_aggregator_options *options,
				    const struct nj_aggregator_listener *listener, struct nj_message *message,
				    struct nj_aggregator **ret_aggregator);
void nj_aggregator_free(struct nj_aggregator **aggregator);

/* Waits up to timeout_ms for messages and works through them. 1: more may come; 0: every expected sensor has finished
 * and all is judged; <0 error. */
NJ_MUST_CHECK int nj_aggregator_step(struct nj_aggregator *aggregator, int timeout_ms, struct nj_message *message);

/* Whether the link's options can be used: keys, their folder, the endpoint. Opens nothing. */
NJ_MUST_CHECK int nj_aggregator_check(const struct nj_aggregator_options *options, struct nj_message *message);

/* Reads the folder of authorised sensors again. Their number, or an error: then all is as before. */
NJ_MUST_CHECK int nj_aggregator_authorize(struct nj_aggregator *aggregator, struct nj_message *message);

/* The wall clock, ns of the Unix epoch, told between steps: sensors are watched by it (aggregator/watch.h), and how
 * they fare is stored. Without it nothing is said about sensors. */
NJ_MUST_CHECK int nj_aggregator_clock(struct nj_aggregator *aggregator, uint64_t now_ns, struct nj_message *message);

/* After the end: keeps answering until the sensors, who wait for the last acknowledgement, have gone; at most
 * patience_ms. For sensors of other processes. */
void nj_aggregator_farewell(struct nj_aggregator *aggregator, uint32_t patience_ms);

struct nj_aggregator_counts nj_aggregator_counts(const struct nj_aggregator *aggregator);

/* Commits, then writes a snapshot beside the journal, then lets the journal forget what the snapshot before it covers.
 * Nothing to do with a journal in memory. Between steps. A snapshot that cannot be written is counted and told here;
 * the older one and the journal still hold everything, and the aggregator goes on. */
NJ_MUST_CHECK int nj_aggregator_snapshot(struct nj_aggregator *aggregator, struct nj_message *message);
struct nj_aggregator_snapshots nj_aggregator_snapshots(const struct nj_aggregator *aggregator);

/* What was found when it started and had to be mended, for people; "" for nothing. *Returns borrowed until* free. */
const char *nj_aggregator_notice(const struct nj_aggregator *aggregator);

/* Where it listens, with the port chosen for "tcp://127.0.0.1:*". *Returns borrowed until* free. */
const char *nj_aggregator_endpoint(const struct nj_aggregator *aggregator);

/* Writes what was learned (tails, levels, popularity) as a baseline file. */
NJ_MUST_CHECK int nj_aggregator_save_baseline(const struct nj_aggregator *aggregator, const char *path,
					      struct nj_message *message);

#endif
