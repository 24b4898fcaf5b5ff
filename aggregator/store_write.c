/* Rows into the store: alerts, each linked to the one before by its hash; roll-ups, agents, AI agents, sensors. Each
 * opens the transaction if it is the first since the commit. Roll-ups are summed in memory for the minute that is open
 * and then added to the four widths by one upsert each, so a window costs a hash look-up and a minute of an agent four
 * statements (about 20 us). */
#include "aggregator/store_parts.h"

#include "aggregator/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint32_t nj_store_widths_s[4] = {60, 300, 3600, 86400};

int nj_store_begin(struct nj_store *store, struct nj_message *message)
{
	if (store->writing)
		return 0;
	int error = nj_db_begin(store->db, message);
	store->writing = error == 0;
	return error;
}

/* ---- alerts */

void nj_store_chain_hash(const uint8_t before[NJ_SHA256_BYTES], const char *json, char *buffer, size_t json_n,
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
	nj_store_chain_hash(store->hash, json, buffer, json_n, hash);
	free(buffer);
	struct nj_statement *add = store->statement[NJ_STORE_ADD_ALERT], *set = store->statement[NJ_STORE_SET_CHAIN];
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
	int error = nj_store_begin(store, message);
	if (error != 0)
		return error;
	struct nj_statement *find = store->statement[NJ_STORE_FIND_ALERT];
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
	int error = nj_store_begin(store, message);
	if (error != 0)
		return error;
	nj_statement_u64(store->statement[NJ_STORE_ADD_REPEAT], 1, alert_id);
	nj_statement_u64(store->statement[NJ_STORE_ADD_REPEAT], 2, merged);
	return nj_statement_run(store->statement[NJ_STORE_ADD_REPEAT], message);
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
		struct nj_statement *add = store->statement[NJ_STORE_ADD_ROLLUP];
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

int nj_store_flush_minute(struct nj_store *store, struct nj_message *message)
{
	int error = store->open_n > 0 ? nj_store_begin(store, message) : 0;
	for (uint32_t i = 0; i < store->open_n && error == 0; i++)
		error = write_rollup(store, &store->open[i], message);
	if (store->open_n > 0)
		memset(store->index, 0, 2 * NJ_STORE_MINUTES_MAX * sizeof *store->index);
	store->open_n = 0;
	return error;
}

static struct nj_store_rollup *open_rollup(struct nj_store *store, const struct nj_agent_id *agent)
{
	uint64_t low, high;
	memcpy(&low, agent->addr.byte, 8);
	memcpy(&high, agent->addr.byte + 8, 8);
	uint64_t hash = (low ^ high * 0x9e3779b97f4a7c15ull ^ agent->segment) * 0xd6e8feb86659fd93ull;
	for (uint32_t at = (uint32_t)(hash >> 40) & (2 * NJ_STORE_MINUTES_MAX - 1);;
	     at = (at + 1) & (2 * NJ_STORE_MINUTES_MAX - 1)) {
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
	if (minute != store->minute || store->open_n == NJ_STORE_MINUTES_MAX) {
		int error = nj_store_flush_minute(store, message);
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

/* ---- agents, AI agents, sensors: the latest state of each */

int nj_store_agent(struct nj_store *store, const struct nj_profile *profile, struct nj_message *message)
{
	int error = nj_store_begin(store, message);
	if (error != 0)
		return error;
	char address[NJ_ADDR_TEXT_MAX], client[NJ_CLIENT_TEXT_MAX];
	struct nj_statement *add = store->statement[NJ_STORE_ADD_AGENT];
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
	int error = nj_store_begin(store, message);
	if (error != 0)
		return error;
	char address[NJ_ADDR_TEXT_MAX];
	struct nj_statement *add = store->statement[NJ_STORE_ADD_AI];
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

int nj_store_sensor(struct nj_store *store, const char *sensor, const char *json, struct nj_message *message)
{
	int error = nj_store_begin(store, message);
	if (error != 0)
		return error;
	nj_statement_text(store->statement[NJ_STORE_ADD_SENSOR], 1, sensor);
	nj_statement_text(store->statement[NJ_STORE_ADD_SENSOR], 2, json);
	return nj_statement_run(store->statement[NJ_STORE_ADD_SENSOR], message);
}
