/* What is kept for people: alerts, roll-ups of agent windows, agents. One SQLite file (common/db.h), written by the
 * aggregator's one thread and read by any other process.
 *
 * Alerts form a chain: each row holds SHA-256 over the row before's hash and its own JSON, so that a removed or edited
 * alert breaks every later link; nj_store_verify() finds where. The number of folded repeats changes later and stands
 * in its own table, outside the chain.
 *
 * Exactly once: a commit writes alerts, roll-ups and agents together with the journal position and the round they
 * cover. After a crash the journal is judged again; rounds up to the covered one are not rolled up twice, and an alert
 * whose id is there already is not written twice: ids are the same whenever the same windows are judged.
 *
 * Memory: one minute of open roll-ups, 120 B an agent, and the alerts since the last commit. */
#ifndef NJ_AGGREGATOR_STORE_H
#define NJ_AGGREGATOR_STORE_H

#include "aggregator/ai_inventory.h"
#include "aggregator/alert.h"
#include "common/window.h"

#include <stdbool.h>

#define NJ_STORE_APPLICATION_ID 0x4e4a5354u /* "NJST" */
#define NJ_STORE_VERSION        1

struct nj_store;
struct nj_profile; /* aggregator/profile.h */

/* *returns owned*. */
NJ_MUST_CHECK int nj_store_open(const char *path, struct nj_message *message, struct nj_store **ret_store);
NJ_MUST_CHECK int nj_store_open_read(const char *path, struct nj_message *message, struct nj_store **ret_store);
void nj_store_close(struct nj_store **store);

/* Start of the last round a commit covers, and the journal position up to which everything is; 0, 0 in an empty store.
 */
uint64_t nj_store_covered(const struct nj_store *store, uint64_t *ret_position);

NJ_MUST_CHECK int nj_store_alert(struct nj_store *store, const struct nj_alert *alert, struct nj_message *message);
NJ_MUST_CHECK int nj_store_merged(struct nj_store *store, uint64_t alert_id, uint32_t merged,
				  struct nj_message *message);
/* Adds a window to its minute. Windows of rounds that are covered already are ignored. */
NJ_MUST_CHECK int nj_store_window(struct nj_store *store, const struct nj_window *window, struct nj_message *message);
NJ_MUST_CHECK int nj_store_agent(struct nj_store *store, const struct nj_profile *profile, struct nj_message *message);
/* The latest state of an AI agent. */
NJ_MUST_CHECK int nj_store_ai(struct nj_store *store, const struct nj_ai_row *row, struct nj_message *message);
/* Ends the transaction: everything since the last commit and what it covers, together. */
NJ_MUST_CHECK int nj_store_commit(struct nj_store *store, uint64_t covered_ns, uint64_t position,
				  struct nj_message *message);

/* ---- telling: each stored alert once to whoever reads on, across restarts. A row remembers how far. */

/* Hands over the lines that were not told yet, oldest first, and remembers in a transaction of its own those for which
 * *line* returned 0; another value ends it and is returned. After a commit. */
NJ_MUST_CHECK int nj_store_tell(struct nj_store *store, int (*line)(void *context, const char *json), void *context,
				struct nj_message *message);
/* The reader has everything up to and with this alert; one that is not here says nothing. */
NJ_MUST_CHECK int nj_store_has_told(struct nj_store *store, uint64_t alert_id, struct nj_message *message);

/* Walks the chain. 0: whole; 1: broken, *ret_row* is the first row that does not fit what stands before it (or, where
 * the tail is cut, the number of rows found). */
NJ_MUST_CHECK int nj_store_verify(struct nj_store *store, struct nj_message *message, uint64_t *ret_row,
				  uint64_t *ret_rows);

/* ---- reading: rows one after the other to *row*, which returns 0 to go on */

/* NDJSON lines as alerts.schema has them, oldest first, from since_ns on; `merged` is brought up to date. */
NJ_MUST_CHECK int nj_store_read_alerts(struct nj_store *store, uint64_t since_ns, enum nj_severity least,
				       struct nj_message *message, int (*row)(void *context, const char *json),
				       void *context);

/* How a sensor fares, as nj_watched_json() says it. */
NJ_MUST_CHECK int nj_store_sensor(struct nj_store *store, const char *sensor, const char *json,
				  struct nj_message *message);
NJ_MUST_CHECK int nj_store_read_sensors(struct nj_store *store, struct nj_message *message,
					int (*row)(void *context, const char *json), void *context);

struct nj_store_agent {
	struct nj_agent_id agent;
	uint64_t first_ns, last_ns, windows, bytes_out, bytes_in, flows, alerts;
	char name[64], client[NJ_CLIENT_TEXT_MAX];
};
NJ_MUST_CHECK int nj_store_read_agents(struct nj_store *store, struct nj_message *message,
				       int (*row)(void *context, const struct nj_store_agent *agent), void *context);

/* AI agents, by agent and then by turns, most first. A store written before there were any gives none. */
NJ_MUST_CHECK int nj_store_read_ai(struct nj_store *store, struct nj_message *message,
				   int (*row)(void *context, const struct nj_ai_row *ai), void *context);

/* The four widths of roll-ups. */
extern const uint32_t nj_store_widths_s[4]; /* 60, 300, 3600, 86400 */

struct nj_store_rollup {
	struct nj_agent_id agent;
	uint64_t start_ns;
	uint32_t width_s;
	uint64_t windows, bytes_out_external, bytes_in_external, bytes_out_internal, bytes_in_internal, flows_opened,
		flows_accepted, flows_failed, contacts, dns_queries;
};
NJ_MUST_CHECK int nj_store_read_rollups(struct nj_store *store, const struct nj_agent_id *agent, uint32_t width_s,
					struct nj_message *message,
					int (*row)(void *context, const struct nj_store_rollup *rollup), void *context);

#endif
