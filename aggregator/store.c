/* The store's life: its tables and statements in SQL, open with a check of the whole file, commit, close. Everything
 * between two commits is one transaction: the rows and what they cover are there together or not at all. */
#include "aggregator/store_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] =
	"CREATE TABLE alert (row INTEGER PRIMARY KEY, alert_id INTEGER NOT NULL UNIQUE, time_ns INTEGER NOT NULL, "
	"address TEXT NOT NULL,"
	" segment INTEGER NOT NULL, detector TEXT NOT NULL, severity INTEGER NOT NULL, json TEXT NOT NULL, hash BLOB "
	"NOT NULL);"
	"CREATE INDEX alert_time ON alert (time_ns);"
	"CREATE TABLE chain (one INTEGER PRIMARY KEY CHECK (one = 1), rows INTEGER NOT NULL, hash BLOB NOT NULL);"
	"INSERT INTO chain VALUES (1, 0, zeroblob(32));"
	"CREATE TABLE repeat (alert_id INTEGER PRIMARY KEY, merged INTEGER NOT NULL);"
	"CREATE TABLE agent (address TEXT NOT NULL, segment INTEGER NOT NULL, first_ns INTEGER NOT NULL, last_ns "
	"INTEGER NOT NULL,"
	" windows INTEGER NOT NULL, bytes_out INTEGER NOT NULL, bytes_in INTEGER NOT NULL, flows INTEGER NOT NULL, "
	"client TEXT NOT NULL,"
	" PRIMARY KEY (address, segment)) WITHOUT ROWID;"
	"CREATE TABLE rollup (address TEXT NOT NULL, segment INTEGER NOT NULL, width_s INTEGER NOT NULL, start_ns "
	"INTEGER NOT NULL,"
	" windows INTEGER NOT NULL, bytes_out_external INTEGER NOT NULL, bytes_in_external INTEGER NOT NULL, "
	"bytes_out_internal INTEGER NOT NULL,"
	" bytes_in_internal INTEGER NOT NULL, flows_opened INTEGER NOT NULL, flows_accepted INTEGER NOT NULL, "
	"flows_failed INTEGER NOT NULL,"
	" contacts INTEGER NOT NULL, dns_queries INTEGER NOT NULL, PRIMARY KEY (address, segment, width_s, start_ns)) "
	"WITHOUT ROWID;"
	"CREATE TABLE covered (one INTEGER PRIMARY KEY CHECK (one = 1), start_ns INTEGER NOT NULL, position INTEGER "
	"NOT NULL);"
	"INSERT INTO covered VALUES (1, 0, 0);";

/* Added after the first release, so it is made in older stores too. */
static const char ai_schema[] =
	"CREATE TABLE IF NOT EXISTS ai_agent (address TEXT NOT NULL, segment INTEGER NOT NULL, brain INTEGER NOT NULL, "
	"kind INTEGER NOT NULL, peer TEXT NOT NULL, port INTEGER NOT NULL, outside INTEGER NOT NULL, registered "
	"INTEGER NOT NULL, client TEXT NOT NULL, api TEXT NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT "
	"NULL, turns INTEGER NOT NULL, bytes_up INTEGER NOT NULL, bytes_down INTEGER NOT NULL, p_llm_milli INTEGER NOT "
	"NULL, agentic_milli INTEGER NOT NULL, tools TEXT NOT NULL, PRIMARY KEY (address, segment, brain)) WITHOUT "
	"ROWID;";

static const char sensor_schema[] =
	"CREATE TABLE IF NOT EXISTS sensor (name TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;";

/* Alerts of a store from before this table count as told. */
static const char told_schema[] =
	"CREATE TABLE IF NOT EXISTS told (one INTEGER PRIMARY KEY CHECK (one = 1), row INTEGER NOT NULL);"
	"INSERT OR IGNORE INTO told VALUES (1, (SELECT coalesce(max(row), 0) FROM alert));";

static const char *const statements_sql[] = {
	"INSERT INTO alert (alert_id, time_ns, address, segment, detector, severity, json, hash) VALUES "
	"(?,?,?,?,?,?,?,?)",
	"SELECT 1 FROM alert WHERE alert_id = ?",
	"UPDATE chain SET rows = ?, hash = ?",
	"INSERT INTO repeat VALUES (?,?) ON CONFLICT (alert_id) DO UPDATE SET merged = max(merged, excluded.merged)",
	"INSERT INTO agent VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (address, segment) DO UPDATE SET first_ns = "
	"min(first_ns, excluded.first_ns),"
	" last_ns = max(last_ns, excluded.last_ns), windows = max(windows, excluded.windows), bytes_out = "
	"max(bytes_out, excluded.bytes_out),"
	" bytes_in = max(bytes_in, excluded.bytes_in), flows = max(flows, excluded.flows),"
	" client = CASE WHEN excluded.client = '' THEN client ELSE excluded.client END",
	"INSERT INTO rollup VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (address, segment, width_s, start_ns) DO "
	"UPDATE SET"
	" windows = windows + excluded.windows, bytes_out_external = bytes_out_external + excluded.bytes_out_external,"
	" bytes_in_external = bytes_in_external + excluded.bytes_in_external, bytes_out_internal = bytes_out_internal "
	"+ excluded.bytes_out_internal,"
	" bytes_in_internal = bytes_in_internal + excluded.bytes_in_internal, flows_opened = flows_opened + "
	"excluded.flows_opened,"
	" flows_accepted = flows_accepted + excluded.flows_accepted, flows_failed = flows_failed + "
	"excluded.flows_failed,"
	" contacts = contacts + excluded.contacts, dns_queries = dns_queries + excluded.dns_queries",
	"UPDATE covered SET start_ns = ?, position = ?",
	"SELECT row, json FROM alert WHERE row > (SELECT row FROM told) ORDER BY row LIMIT 1",
	"UPDATE told SET row = ?",
	"UPDATE told SET row = max(row, coalesce((SELECT row FROM alert WHERE alert_id = ?), 0))",
	"INSERT INTO ai_agent VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (address, segment, brain) DO "
	"UPDATE SET kind = excluded.kind, peer = excluded.peer, registered = excluded.registered, api = excluded.api, "
	"last_ns = max(last_ns, excluded.last_ns), turns = excluded.turns, bytes_up = excluded.bytes_up, bytes_down = "
	"excluded.bytes_down, p_llm_milli = excluded.p_llm_milli, agentic_milli = excluded.agentic_milli, tools = CASE "
	"WHEN excluded.tools = '' THEN tools ELSE excluded.tools END",
	"INSERT OR REPLACE INTO sensor VALUES (?,?)",
};
static_assert(sizeof statements_sql / sizeof *statements_sql == NJ_STORE_STATEMENTS, "one text for each statement");

/* ---- life cycle */

static int read_state(struct nj_store *store, struct nj_message *message)
{
	struct nj_statement *statement;
	int error = nj_db_prepare(store->db, "SELECT start_ns, position, rows, hash FROM covered JOIN chain", message,
				  &statement);
	if (error != 0)
		return error;
	int row = nj_statement_step(statement, message);
	if (row == 1) {
		size_t size;
		store->covered_ns = nj_statement_get_u64(statement, 0);
		store->position = nj_statement_get_u64(statement, 1);
		store->rows = nj_statement_get_u64(statement, 2);
		const void *hash = nj_statement_get_blob(statement, 3, &size);
		if (size == sizeof store->hash)
			memcpy(store->hash, hash, size);
	}
	nj_statement_free(&statement);
	return row == 1 ? 0 : row < 0 ? row : nj_fail(message, NJ_ERR_FORMAT, "the store has lost its head");
}

static int open_store(const char *path, bool read_only, struct nj_message *message, struct nj_store **ret_store)
{
	struct nj_db_options options = {.kind = "store",
					.application_id = NJ_STORE_APPLICATION_ID,
					.version = NJ_STORE_VERSION,
					.schema = schema,
					.read_only = read_only,
					.check = !read_only}; /* it is evidence: not a line more into a damaged one */
	struct nj_store *store = calloc(1, sizeof *store);
	if (store == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: %s", path, nj_error_text(NJ_ERR_MEMORY));
	int error = nj_db_open(path, &options, message, &store->db);
	if (error == 0)
		error = read_state(store, message);
	if (error == 0 && !read_only)
		error = nj_db_run(store->db, ai_schema, message);
	if (error == 0 && !read_only)
		error = nj_db_run(store->db, sensor_schema, message);
	if (error == 0 && !read_only)
		error = nj_db_run(store->db, told_schema, message);
	for (int i = 0; i < NJ_STORE_STATEMENTS && error == 0 && !read_only; i++)
		error = nj_db_prepare(store->db, statements_sql[i], message, &store->statement[i]);
	if (error == 0 && !read_only) {
		store->open = calloc(NJ_STORE_MINUTES_MAX, sizeof *store->open);
		store->index = calloc(2 * NJ_STORE_MINUTES_MAX, sizeof *store->index);
		if (store->open == NULL || store->index == NULL)
			error = nj_fail(message, NJ_ERR_MEMORY, "%s: %s", path, nj_error_text(NJ_ERR_MEMORY));
	}
	if (error != 0) {
		nj_store_close(&store);
		return error;
	}
	*ret_store = store;
	return 0;
}

int nj_store_open(const char *path, struct nj_message *message, struct nj_store **ret_store)
{
	return open_store(path, false, message, ret_store);
}

int nj_store_open_read(const char *path, struct nj_message *message, struct nj_store **ret_store)
{
	return open_store(path, true, message, ret_store);
}

void nj_store_close(struct nj_store **store)
{
	if (*store == NULL)
		return;
	for (int i = 0; i < NJ_STORE_STATEMENTS; i++)
		nj_statement_free(&(*store)->statement[i]);
	if ((*store)->db != NULL) {
		nj_db_rollback((*store)->db);
		nj_db_close(&(*store)->db);
	}
	free((*store)->open);
	free((*store)->index);
	free(*store);
	*store = NULL;
}

uint64_t nj_store_covered(const struct nj_store *store, uint64_t *ret_position)
{
	if (ret_position != NULL)
		*ret_position = store->position;
	return store->covered_ns;
}

int nj_store_commit(struct nj_store *store, uint64_t covered_ns, uint64_t position, struct nj_message *message)
{
	int error = nj_store_flush_minute(store, message);
	if (error == 0)
		error = nj_store_begin(store, message);
	if (error != 0)
		return error;
	if (covered_ns > store->covered_ns)
		store->covered_ns = covered_ns;
	store->position = position;
	nj_statement_u64(store->statement[NJ_STORE_SET_COVERED], 1, store->covered_ns);
	nj_statement_u64(store->statement[NJ_STORE_SET_COVERED], 2, position);
	error = nj_statement_run(store->statement[NJ_STORE_SET_COVERED], message);
	if (error == 0)
		error = nj_db_commit(store->db, message);
	store->writing = error != 0;
	return error;
}
