/* Rows out of the store: what was not told yet, the walk along the chain of alerts, and what people ask for. Questions
 * are prepared when they are asked and work in a store that is open for reading only; telling keeps its mark in the
 * store and needs it open for writing. */
#include "aggregator/store_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- telling */

int nj_store_tell(struct nj_store *store, int (*line)(void *context, const char *json), void *context,
		  struct nj_message *message)
{
	struct nj_statement *next = store->statement[NJ_STORE_NEXT_UNTOLD];
	int more, told = 0;
	while (told == 0 && (more = nj_statement_step(next, message)) != 0) {
		if (more < 0)
			return more;
		uint64_t row = nj_statement_get_u64(next, 0);
		told = line(context, nj_statement_get_text(next, 1));
		nj_statement_reset(next);
		if (told != 0)
			break;
		nj_statement_u64(store->statement[NJ_STORE_SET_TOLD], 1, row);
		int error = nj_statement_run(store->statement[NJ_STORE_SET_TOLD], message);
		if (error != 0)
			return error;
	}
	return told;
}

int nj_store_has_told(struct nj_store *store, uint64_t alert_id, struct nj_message *message)
{
	nj_statement_u64(store->statement[NJ_STORE_HAS_TOLD], 1, alert_id);
	return nj_statement_run(store->statement[NJ_STORE_HAS_TOLD], message);
}

/* ---- verifying */

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
		nj_store_chain_hash(before, json, buffer, json_n, hash);
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

/* ---- reading */

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
