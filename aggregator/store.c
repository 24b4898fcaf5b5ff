/* The store in SQL. Roll-ups are summed in memory for the minute that is open and then added to the four widths by one
 * upsert each, so a window costs a hash look-up and a minute of an agent four statements (about 20 us). Everything
 * between two commits is one transaction. */
#include "aggregator/store.h"

#include "aggregator/profile.h"
#include "common/db.h"
#include "common/sha.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTES_MAX 65536 /* open roll-ups; beyond it the minute is written early */

const uint32_t nj_store_widths_s[4] = {60, 300, 3600, 86400};

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
enum {
	ADD_ALERT,
	FIND_ALERT,
	SET_CHAIN,
	ADD_REPEAT,
	ADD_AGENT,
	ADD_ROLLUP,
	SET_COVERED,
	NEXT_UNTOLD,
	SET_TOLD,
	HAS_TOLD,
	ADD_AI,
	ADD_SENSOR,
	STATEMENTS
};

struct nj_store {
	struct nj_db *db;
	struct nj_statement *statement[STATEMENTS];
	bool writing; /* a transaction is open */
	uint64_t covered_ns, position;
	uint64_t rows; /* of the chain */
	uint8_t hash[NJ_SHA256_BYTES];
	uint64_t minute; /* that is open */
	struct nj_store_rollup *open;
	uint32_t *index; /* slot + 1 in open, 0: free */
	uint32_t open_n;
};

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
	for (int i = 0; i < STATEMENTS && error == 0 && !read_only; i++)
		error = nj_db_prepare(store->db, statements_sql[i], message, &store->statement[i]);
	if (error == 0 && !read_only) {
		store->open = calloc(MINUTES_MAX, sizeof *store->open);
		store->index = calloc(2 * MINUTES_MAX, sizeof *store->index);
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
	for (int i = 0; i < STATEMENTS; i++)
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

static int begin(struct nj_store *store, struct nj_message *message)
{
	if (store->writing)
		return 0;
	int error = nj_db_begin(store->db, message);
	store->writing = error == 0;
	return error;
}

/* ---- alerts */

static void chain_hash(const uint8_t before[NJ_SHA256_BYTES], const char *json, char *buffer, size_t json_n,
		       uint8_t ret_hash[NJ_SHA256_BYTES])
{
	memcpy(buffer, before, NJ_SHA256_BYTES);
	memcpy(buffer + NJ_SHA256_BYTES, json, json_n);
	nj_sha256(buffer, NJ_SHA256_BYTES + json_n, ret_hash);
}

static int link_alert(struct nj_store *store, const struct nj_alert *alert, const char *json,
		      struct nj_message *message)
{
	size_t json_n = strlen(json);
	char *buffer = malloc(NJ_SHA256_BYTES + json_n);
	if (buffer == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "storing an alert: %s", nj_error_text(NJ_ERR_MEMORY));
	uint8_t hash[NJ_SHA256_BYTES];
	char address[NJ_ADDR_TEXT_MAX];
	chain_hash(store->hash, json, buffer, json_n, hash);
	free(buffer);
	struct nj_statement *add = store->statement[ADD_ALERT], *set = store->statement[SET_CHAIN];
	nj_statement_u64(add, 1, alert->id);
	nj_statement_u64(add, 2, alert->time_ns);
	nj_statement_text(add, 3, nj_addr_text(&alert->agent.addr, address));
	nj_statement_u64(add, 4, alert->agent.segment);
	nj_statement_text(add, 5, alert->detector);
	nj_statement_u64(add, 6, (uint64_t)alert->severity);
	nj_statement_text(add, 7, json);
	nj_statement_blob(add, 8, hash, sizeof hash);
	int error = nj_statement_run(add, message);
	if (error != 0)
		return error;
	nj_statement_u64(set, 1, store->rows + 1);
	nj_statement_blob(set, 2, hash, sizeof hash);
	error = nj_statement_run(set, message);
	if (error != 0)
		return error;
	store->rows++;
	memcpy(store->hash, hash, sizeof hash);
	return 0;
}

int nj_store_alert(struct nj_store *store, const struct nj_alert *alert, struct nj_message *message)
{
	int error = begin(store, message);
	if (error != 0)
		return error;
	struct nj_statement *find = store->statement[FIND_ALERT];
	nj_statement_u64(find, 1, alert->id);
	int known = nj_statement_step(find, message);
	nj_statement_reset(find);
	if (known != 0)
		return known < 0 ? known : 0; /* judged again after a crash */
	char *json = nj_alert_json(alert);
	if (json == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "storing an alert: %s", nj_error_text(NJ_ERR_MEMORY));
	error = link_alert(store, alert, json, message);
	free(json);
	return error;
}

int nj_store_merged(struct nj_store *store, uint64_t alert_id, uint32_t merged, struct nj_message *message)
{
	int error = begin(store, message);
	if (error != 0)
		return error;
	nj_statement_u64(store->statement[ADD_REPEAT], 1, alert_id);
	nj_statement_u64(store->statement[ADD_REPEAT], 2, merged);
	return nj_statement_run(store->statement[ADD_REPEAT], message);
}

/* ---- roll-ups */

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a + b >= a ? a + b : UINT64_MAX;
}

/* SQLite counts in signed 64 bits and an overflowing sum would turn into a float. */
static uint64_t storable(uint64_t value)
{
	return value < INT64_MAX / 1000000 ? value : INT64_MAX / 1000000;
}

static uint64_t storable_time(uint64_t t_ns)
{
	return t_ns < INT64_MAX ? t_ns : INT64_MAX;
}

static int write_rollup(struct nj_store *store, const struct nj_store_rollup *minute, struct nj_message *message)
{
	char address[NJ_ADDR_TEXT_MAX];
	nj_addr_text(&minute->agent.addr, address);
	for (int i = 0; i < 4; i++) {
		uint64_t width_ns = nj_store_widths_s[i] * NJ_SECOND_NS;
		const uint64_t values[] = {minute->windows,           minute->bytes_out_external,
					   minute->bytes_in_external, minute->bytes_out_internal,
					   minute->bytes_in_internal, minute->flows_opened,
					   minute->flows_accepted,    minute->flows_failed,
					   minute->contacts,          minute->dns_queries};
		struct nj_statement *add = store->statement[ADD_ROLLUP];
		nj_statement_text(add, 1, address);
		nj_statement_u64(add, 2, minute->agent.segment);
		nj_statement_u64(add, 3, nj_store_widths_s[i]);
		nj_statement_u64(add, 4, minute->start_ns / width_ns * width_ns);
		for (int v = 0; v < 10; v++)
			nj_statement_u64(add, 5 + v, storable(values[v]));
		int error = nj_statement_run(add, message);
		if (error != 0)
			return error;
	}
	return 0;
}

static int flush_minute(struct nj_store *store, struct nj_message *message)
{
	int error = store->open_n > 0 ? begin(store, message) : 0;
	for (uint32_t i = 0; i < store->open_n && error == 0; i++)
		error = write_rollup(store, &store->open[i], message);
	if (store->open_n > 0)
		memset(store->index, 0, 2 * MINUTES_MAX * sizeof *store->index);
	store->open_n = 0;
	return error;
}

static struct nj_store_rollup *open_rollup(struct nj_store *store, const struct nj_agent_id *agent)
{
	uint64_t low, high;
	memcpy(&low, agent->addr.byte, 8);
	memcpy(&high, agent->addr.byte + 8, 8);
	uint64_t hash = (low ^ high * 0x9e3779b97f4a7c15ull ^ agent->segment) * 0xd6e8feb86659fd93ull;
	for (uint32_t at = (uint32_t)(hash >> 40) & (2 * MINUTES_MAX - 1);; at = (at + 1) & (2 * MINUTES_MAX - 1)) {
		if (store->index[at] == 0) {
			struct nj_store_rollup *rollup = &store->open[store->open_n++];
			*rollup = (struct nj_store_rollup){
				.agent = *agent, .start_ns = store->minute * NJ_MINUTE_NS, .width_s = 60};
			store->index[at] = store->open_n;
			return rollup;
		}
		if (nj_agent_id_compare(&store->open[store->index[at] - 1].agent, agent) == 0)
			return &store->open[store->index[at] - 1];
	}
}

int nj_store_window(struct nj_store *store, const struct nj_window *window, struct nj_message *message)
{
	uint64_t minute = window->start_ns / NJ_MINUTE_NS;
	if (store->covered_ns != 0 && window->start_ns <= store->covered_ns)
		return 0;
	if (minute != store->minute || store->open_n == MINUTES_MAX) {
		int error = flush_minute(store, message);
		if (error != 0)
			return error;
		store->minute = minute;
	}
	const struct nj_features *f = &window->features;
	struct nj_store_rollup *rollup = open_rollup(store, &window->agent);
	rollup->windows++;
	rollup->bytes_out_external = sum(rollup->bytes_out_external, f->bytes_out_external);
	rollup->bytes_in_external = sum(rollup->bytes_in_external, f->bytes_in_external);
	rollup->bytes_out_internal = sum(rollup->bytes_out_internal, f->bytes_out_internal);
	rollup->bytes_in_internal = sum(rollup->bytes_in_internal, f->bytes_in_internal);
	rollup->flows_opened = sum(rollup->flows_opened, f->flows_opened);
	rollup->flows_accepted = sum(rollup->flows_accepted, f->flows_accepted);
	rollup->flows_failed = sum(rollup->flows_failed, sum(f->flows_refused, f->flows_unanswered));
	rollup->contacts = sum(rollup->contacts, sum(window->contacts_n, f->contacts_rest));
	rollup->dns_queries = sum(rollup->dns_queries, f->dns_queries);
	return 0;
}

int nj_store_agent(struct nj_store *store, const struct nj_profile *profile, struct nj_message *message)
{
	int error = begin(store, message);
	if (error != 0)
		return error;
	char address[NJ_ADDR_TEXT_MAX], client[NJ_CLIENT_TEXT_MAX];
	struct nj_statement *add = store->statement[ADD_AGENT];
	snprintf(client, sizeof client, "%s", profile->client);
	nj_statement_text(add, 1, nj_addr_text(&profile->agent.addr, address));
	nj_statement_u64(add, 2, profile->agent.segment);
	nj_statement_u64(add, 3, storable_time(profile->first_ns));
	nj_statement_u64(add, 4, storable_time(profile->last_ns));
	nj_statement_u64(add, 5, storable(profile->windows));
	nj_statement_u64(add, 6, storable(profile->bytes_out));
	nj_statement_u64(add, 7, storable(profile->bytes_in));
	nj_statement_u64(add, 8, storable(profile->flows));
	nj_statement_text(add, 9, client);
	return nj_statement_run(add, message);
}

static uint64_t milli(double share)
{
	return share > 0 ? (uint64_t)(share < 1 ? share * 1000 + 0.5 : 1000) : 0;
}

int nj_store_ai(struct nj_store *store, const struct nj_ai_row *row, struct nj_message *message)
{
	int error = begin(store, message);
	if (error != 0)
		return error;
	char address[NJ_ADDR_TEXT_MAX];
	struct nj_statement *add = store->statement[ADD_AI];
	nj_statement_text(add, 1, nj_addr_text(&row->agent.addr, address));
	nj_statement_text(add, 5, row->peer);
	nj_statement_text(add, 9, row->client);
	nj_statement_text(add, 10, row->api);
	nj_statement_text(add, 18, row->tools);
	const struct {
		int column;
		uint64_t value;
	} numbers[] = {{2, row->agent.segment},
		       {3, row->key >> 1}, /* SQLite's integers have a sign */
		       {4, row->kind},
		       {6, row->port},
		       {7, row->outside},
		       {8, row->registered},
		       {11, storable_time(row->first_ns)},
		       {12, storable_time(row->last_ns)},
		       {13, storable(row->turns)},
		       {14, storable(row->bytes_up)},
		       {15, storable(row->bytes_down)},
		       {16, milli(row->p_llm)},
		       {17, milli(row->agentic)}};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		nj_statement_u64(add, numbers[i].column, numbers[i].value);
	return nj_statement_run(add, message);
}

int nj_store_commit(struct nj_store *store, uint64_t covered_ns, uint64_t position, struct nj_message *message)
{
	int error = flush_minute(store, message);
	if (error == 0)
		error = begin(store, message);
	if (error != 0)
		return error;
	if (covered_ns > store->covered_ns)
		store->covered_ns = covered_ns;
	store->position = position;
	nj_statement_u64(store->statement[SET_COVERED], 1, store->covered_ns);
	nj_statement_u64(store->statement[SET_COVERED], 2, position);
	error = nj_statement_run(store->statement[SET_COVERED], message);
	if (error == 0)
		error = nj_db_commit(store->db, message);
	store->writing = error != 0;
	return error;
}

/* ---- telling */

int nj_store_tell(struct nj_store *store, int (*line)(void *context, const char *json), void *context,
		  struct nj_message *message)
{
	struct nj_statement *next = store->statement[NEXT_UNTOLD];
	int more, told = 0;
	while (told == 0 && (more = nj_statement_step(next, message)) != 0) {
		if (more < 0)
			return more;
		uint64_t row = nj_statement_get_u64(next, 0);
		told = line(context, nj_statement_get_text(next, 1));
		nj_statement_reset(next);
		if (told != 0)
			break;
		nj_statement_u64(store->statement[SET_TOLD], 1, row);
		int error = nj_statement_run(store->statement[SET_TOLD], message);
		if (error != 0)
			return error;
	}
	return told;
}

int nj_store_has_told(struct nj_store *store, uint64_t alert_id, struct nj_message *message)
{
	nj_statement_u64(store->statement[HAS_TOLD], 1, alert_id);
	return nj_statement_run(store->statement[HAS_TOLD], message);
}

/* ---- reading */

int nj_store_verify(struct nj_store *store, struct nj_message *message, uint64_t *ret_row, uint64_t *ret_rows)
{
	struct nj_statement *statement;
	int error = nj_db_prepare(store->db, "SELECT json, hash FROM alert ORDER BY row", message, &statement), row;
	if (error != 0)
		return error;
	uint8_t before[NJ_SHA256_BYTES] = {0}, hash[NJ_SHA256_BYTES];
	uint64_t n = 0;
	bool broken = false;
	while (!broken && (row = nj_statement_step(statement, message)) == 1) {
		const char *json = nj_statement_get_text(statement, 0);
		size_t size, json_n = strlen(json);
		char *buffer = malloc(NJ_SHA256_BYTES + json_n);
		if (buffer == NULL) {
			row = nj_fail(message, NJ_ERR_MEMORY, "verifying the store: %s", nj_error_text(NJ_ERR_MEMORY));
			break;
		}
		chain_hash(before, json, buffer, json_n, hash);
		free(buffer);
		const void *kept = nj_statement_get_blob(statement, 1, &size);
		broken = size != sizeof hash || memcmp(kept, hash, sizeof hash) != 0;
		memcpy(before, hash, sizeof before);
		n++;
	}
	nj_statement_free(&statement);
	if (!broken && row < 0)
		return row;
	broken = broken || n != store->rows || memcmp(before, store->hash, sizeof before) != 0;
	if (ret_row != NULL)
		*ret_row = n;
	if (ret_rows != NULL)
		*ret_rows = store->rows;
	return broken ? 1 : 0;
}

/* The line with its "merged" brought up to date; *returns owned*. */
static char *with_merged(const char *json, uint64_t merged)
{
	static const char key[] = "\"merged\":0";
	const char *at = NULL;
	for (const char *next = strstr(json, key); next != NULL; next = strstr(next + 1, key))
		at = next; /* the last one: summary and names come before it and quote their quotes */
	if (merged == 0 || at == NULL)
		return strdup(json);
	size_t size = strlen(json) + 24;
	char *line = malloc(size);
	if (line != NULL)
		snprintf(line, size, "%.*s\"merged\":%llu%s", (int)(at - json), json, (unsigned long long)merged,
			 at + sizeof key - 1);
	return line;
}

int nj_store_read_alerts(struct nj_store *store, uint64_t since_ns, enum nj_severity least, struct nj_message *message,
			 int (*row)(void *context, const char *json), void *context)
{
	struct nj_statement *statement;
	int error = nj_db_prepare(store->db,
				  "SELECT json, coalesce(merged, 0) FROM alert LEFT JOIN repeat USING (alert_id)"
				  " WHERE time_ns >= ? AND severity >= ? ORDER BY row",
				  message, &statement);
	if (error != 0)
		return error;
	nj_statement_u64(statement, 1, since_ns);
	nj_statement_u64(statement, 2, (uint64_t)least);
	while (error == 0 && (error = nj_statement_step(statement, message)) == 1) {
		char *line = with_merged(nj_statement_get_text(statement, 0), nj_statement_get_u64(statement, 1));
		error = line != NULL ? row(context, line)
				     : nj_fail(message, NJ_ERR_MEMORY, "%s", nj_error_text(NJ_ERR_MEMORY));
		free(line);
	}
	nj_statement_free(&statement);
	return error;
}

int nj_store_read_agents(struct nj_store *store, struct nj_message *message,
			 int (*row)(void *context, const struct nj_store_agent *agent), void *context)
{
	struct nj_statement *statement;
	int error = nj_db_prepare(
		store->db,
		"SELECT address, segment, first_ns, last_ns, windows, bytes_out, bytes_in, flows, client,"
		" (SELECT count(*) FROM alert WHERE alert.address = agent.address AND alert.segment = agent.segment)"
		" FROM agent ORDER BY segment, address",
		message, &statement);
	if (error != 0)
		return error;
	while (error == 0 && (error = nj_statement_step(statement, message)) == 1) {
		struct nj_store_agent agent = {.agent.segment = (nj_segment)nj_statement_get_u64(statement, 1),
					       .first_ns = nj_statement_get_u64(statement, 2),
					       .last_ns = nj_statement_get_u64(statement, 3),
					       .windows = nj_statement_get_u64(statement, 4),
					       .bytes_out = nj_statement_get_u64(statement, 5),
					       .bytes_in = nj_statement_get_u64(statement, 6),
					       .flows = nj_statement_get_u64(statement, 7),
					       .alerts = nj_statement_get_u64(statement, 9)};
		if (!nj_addr_parse(nj_statement_get_text(statement, 0), &agent.agent.addr)) {
			error = nj_fail(message, NJ_ERR_FORMAT, "the store holds an agent without an address");
			break;
		}
		snprintf(agent.client, sizeof agent.client, "%s", nj_statement_get_text(statement, 8));
		error = row(context, &agent);
	}
	nj_statement_free(&statement);
	return error;
}

/* Whether the store has a table that came after the first release. */
static int has_table(struct nj_store *store, const char *name, struct nj_message *message)
{
	struct nj_statement *statement;
	int error = nj_db_prepare(store->db, "SELECT 1 FROM sqlite_schema WHERE name = ?", message, &statement);
	if (error != 0)
		return error;
	nj_statement_text(statement, 1, name);
	int found = nj_statement_step(statement, message);
	nj_statement_free(&statement);
	return found;
}

static void read_ai_row(struct nj_statement *statement, struct nj_ai_row *row)
{
	*row = (struct nj_ai_row){.agent.segment = (nj_segment)nj_statement_get_u64(statement, 1),
				  .key = nj_statement_get_u64(statement, 2) << 1,
				  .kind = (uint8_t)nj_statement_get_u64(statement, 3),
				  .port = (uint16_t)nj_statement_get_u64(statement, 5),
				  .outside = nj_statement_get_u64(statement, 6) != 0,
				  .registered = nj_statement_get_u64(statement, 7) != 0,
				  .first_ns = nj_statement_get_u64(statement, 10),
				  .last_ns = nj_statement_get_u64(statement, 11),
				  .turns = nj_statement_get_u64(statement, 12),
				  .bytes_up = nj_statement_get_u64(statement, 13),
				  .bytes_down = nj_statement_get_u64(statement, 14),
				  .p_llm = (double)nj_statement_get_u64(statement, 15) / 1000,
				  .agentic = (double)nj_statement_get_u64(statement, 16) / 1000};
	snprintf(row->peer, sizeof row->peer, "%s", nj_statement_get_text(statement, 4));
	snprintf(row->client, sizeof row->client, "%s", nj_statement_get_text(statement, 8));
	snprintf(row->api, sizeof row->api, "%s", nj_statement_get_text(statement, 9));
	snprintf(row->tools, sizeof row->tools, "%s", nj_statement_get_text(statement, 17));
}

int nj_store_read_ai(struct nj_store *store, struct nj_message *message,
		     int (*row)(void *context, const struct nj_ai_row *ai), void *context)
{
	struct nj_statement *statement;
	int error = has_table(store, "ai_agent", message);
	if (error != 1)
		return error;
	error = nj_db_prepare(store->db, "SELECT * FROM ai_agent ORDER BY segment, address, turns DESC, brain", message,
			      &statement);
	if (error != 0)
		return error;
	while (error == 0 && (error = nj_statement_step(statement, message)) == 1) {
		struct nj_ai_row ai;
		read_ai_row(statement, &ai);
		if (!nj_addr_parse(nj_statement_get_text(statement, 0), &ai.agent.addr)) {
			error = nj_fail(message, NJ_ERR_FORMAT, "the store holds an AI agent without an address");
			break;
		}
		error = row(context, &ai);
	}
	nj_statement_free(&statement);
	return error;
}

int nj_store_read_rollups(struct nj_store *store, const struct nj_agent_id *agent, uint32_t width_s,
			  struct nj_message *message, int (*row)(void *context, const struct nj_store_rollup *rollup),
			  void *context)
{
	struct nj_statement *statement;
	int error = nj_db_prepare(store->db,
				  "SELECT start_ns, windows, bytes_out_external, bytes_in_external, "
				  "bytes_out_internal, bytes_in_internal,"
				  " flows_opened, flows_accepted, flows_failed, contacts, dns_queries FROM rollup"
				  " WHERE address = ? AND segment = ? AND width_s = ? ORDER BY start_ns",
				  message, &statement);
	if (error != 0)
		return error;
	char address[NJ_ADDR_TEXT_MAX];
	nj_statement_text(statement, 1, nj_addr_text(&agent->addr, address));
	nj_statement_u64(statement, 2, agent->segment);
	nj_statement_u64(statement, 3, width_s);
	while (error == 0 && (error = nj_statement_step(statement, message)) == 1) {
		struct nj_store_rollup rollup = {.agent = *agent, .width_s = width_s};
		uint64_t *const field[] = {&rollup.start_ns,           &rollup.windows,
					   &rollup.bytes_out_external, &rollup.bytes_in_external,
					   &rollup.bytes_out_internal, &rollup.bytes_in_internal,
					   &rollup.flows_opened,       &rollup.flows_accepted,
					   &rollup.flows_failed,       &rollup.contacts,
					   &rollup.dns_queries};
		for (int i = 0; i < 11; i++)
			*field[i] = nj_statement_get_u64(statement, i);
		error = row(context, &rollup);
	}
	nj_statement_free(&statement);
	return error;
}

int nj_store_sensor(struct nj_store *store, const char *sensor, const char *json, struct nj_message *message)
{
	int error = begin(store, message);
	if (error != 0)
		return error;
	nj_statement_text(store->statement[ADD_SENSOR], 1, sensor);
	nj_statement_text(store->statement[ADD_SENSOR], 2, json);
	return nj_statement_run(store->statement[ADD_SENSOR], message);
}

int nj_store_read_sensors(struct nj_store *store, struct nj_message *message,
			  int (*row)(void *context, const char *json), void *context)
{
	struct nj_statement *statement;
	int error = has_table(store, "sensor", message);
	if (error != 1)
		return error;
	error = nj_db_prepare(store->db, "SELECT json FROM sensor ORDER BY name", message, &statement);
	if (error != 0)
		return error;
	while (error == 0 && (error = nj_statement_step(statement, message)) == 1)
		error = row(context, nj_statement_get_text(statement, 0));
	nj_statement_free(&statement);
	return error;
}
