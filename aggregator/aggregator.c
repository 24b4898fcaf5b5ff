/* Ingest, merge, engine, desk and store as one object, stepped by one thread.
 *
 * What a batch brings is in the journal before it is here. A round is judged as soon as every sensor has told it; the
 * store commits alerts and roll-ups together with the round up to which all is judged, at most every COMMIT_ROUNDS
 * rounds, at once when an alert was raised, and before every snapshot. After a crash the newest snapshot and the
 * journal's rest give the same alerts again, which the store recognises by their ids: docs/recovery.md, recovery.c
 * (law 3). A journal in memory holds nothing that could be wanted again: it is told to forget what is covered. */
#include "aggregator/aggregator.h"

#include "aggregator/aggregator_parts.h"
#include "common/inventory.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMIT_ROUNDS    30 /* five minutes of 10 s */
#define ARENA_BYTES      (4u << 20)
#define AGENTS_MIN       64
#define SENSORS_STORE_NS (10 * NJ_SECOND_NS) /* how often the store hears of the sensors */

void nj_aggregator_options_init(struct nj_aggregator_options *options)
{
	memset(options, 0, sizeof *options);
	options->listen = "tcp://127.0.0.1:7117";
	options->journal_path = ":memory:";
	options->sensors_expected = 1;
	options->shards = 1;
	options->connections_max = 1024;
	options->agents_max = 20000;
	options->alerts_per_day = 20;
	options->journal_bytes_max = 1ull << 30;
	options->pending_bytes_max = 256ull << 20;
	struct nj_watch_options watch;
	nj_watch_options_init(&watch);
	options->sensor_silent_s = watch.silent_s;
	options->sensor_dropped_share = watch.dropped_share;
	options->sensor_clock_offset_s = watch.clock_offset_s;
	options->sensor_journal_share = watch.journal_share;
	options->fleet_entries_max = 1u << 17;
	nj_hash_key_derive("", &options->hash_key);
}

static struct nj_engine_options engine_options(const struct nj_aggregator_options *options)
{
	return (struct nj_engine_options){.shards = options->shards,
					  .agents_max = options->agents_max,
					  .fleet_entries_max = options->fleet_entries_max,
					  .inventory = options->inventory,
					  .learn_only = options->learn_only};
}

static struct nj_ingest_options ingest_options(const struct nj_aggregator_options *options)
{
	struct nj_ingest_options ingest;
	nj_ingest_options_init(&ingest);
	ingest.listen = options->listen;
	ingest.link_context = options->link_context;
	ingest.plain_tcp = options->plain_tcp;
	ingest.secret_key = options->secret_key;
	ingest.authorized_sensors = options->authorized_sensors;
	ingest.connections_max = options->connections_max;
	ingest.journal_path = options->journal_path != NULL ? options->journal_path : ":memory:";
	ingest.journal_bytes_max = options->journal_bytes_max;
	ingest.key_id = options->hash_key.id;
	return ingest;
}

uint64_t nj_aggregator_memory_bytes(const struct nj_aggregator_options *options)
{
	struct nj_engine_options engine = engine_options(options);
	struct nj_desk_options desk = {.agents_max = options->agents_max};
	struct nj_ingest_options ingest = ingest_options(options);
	return sizeof(struct nj_aggregator) + nj_gaps_memory_bytes() + nj_engine_memory_bytes(&engine) +
	       nj_desk_memory_bytes(&desk) + nj_ingest_memory_bytes(&ingest) + options->pending_bytes_max + ARENA_BYTES;
}

/* ---- where results go */

static void keep_failure(struct nj_aggregator *aggregator, int error)
{
	if (error < 0 && aggregator->failed == 0)
		aggregator->failed = error;
}

static void on_alert(void *context, const struct nj_alert *alert)
{
	struct nj_aggregator *aggregator = context;
	if (aggregator->store != NULL)
		keep_failure(aggregator, nj_store_alert(aggregator->store, alert, &aggregator->failure));
	aggregator->alert_uncommitted = true;
	if (aggregator->listener.alert != NULL)
		aggregator->listener.alert(aggregator->listener.context, alert);
}

static void on_merged(void *context, uint64_t alert_id, uint32_t merged)
{
	struct nj_aggregator *aggregator = context;
	if (aggregator->store != NULL)
		keep_failure(aggregator, nj_store_merged(aggregator->store, alert_id, merged, &aggregator->failure));
}

static void on_judged(void *context, const struct nj_judged *judged)
{
	struct nj_aggregator *aggregator = context;
	nj_desk_judged(aggregator->desk, judged);
	for (uint32_t i = 0; i < judged->views_n && aggregator->store != NULL && aggregator->failed == 0; i++)
		keep_failure(aggregator,
			     nj_store_window(aggregator->store, judged->views[i].window, &aggregator->failure));
}

/* ---- positions */

void nj_aggregator_note_position(struct nj_aggregator *aggregator, uint64_t start_ns, uint64_t position)
{
	struct nj_position *latest = NULL;
	aggregator->position_next = position + 1;
	for (uint32_t i = 0; i < aggregator->positions_n; i++) {
		struct nj_position *at = &aggregator->positions[i];
		if (at->start_ns == start_ns)
			return; /* its first batch came earlier and has the lower position */
		latest = latest == NULL || at->start_ns > latest->start_ns ? at : latest;
	}
	if (aggregator->positions_n < NJ_POSITIONS_MAX)
		aggregator->positions[aggregator->positions_n++] = (struct nj_position){start_ns, position};
	else if (latest != NULL && start_ns > latest->start_ns)
		latest->start_ns = start_ns; /* shares the place, and its lower position, with the latest */
}

uint64_t nj_aggregator_covered(struct nj_aggregator *aggregator)
{
	uint64_t covered = aggregator->position_next;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < aggregator->positions_n; i++) {
		struct nj_position position = aggregator->positions[i];
		if (position.start_ns <= aggregator->covered_ns)
			continue;
		aggregator->positions[kept++] = position;
		if (position.first < covered)
			covered = position.first;
	}
	aggregator->positions_n = kept;
	return covered;
}

static int tell_ai(struct nj_aggregator *aggregator, const struct nj_profile *profile, struct nj_message *message)
{
	struct nj_ai_row row;
	int error = 0;
	for (uint32_t brain = 0; error == 0 && brain < NJ_BRAINS; brain++) {
		if (!nj_ai_row_of(profile, brain, aggregator->options.inventory, &row))
			continue;
		if (aggregator->listener.ai != NULL)
			aggregator->listener.ai(aggregator->listener.context, &row);
		if (aggregator->store != NULL)
			error = nj_store_ai(aggregator->store, &row, message);
	}
	return error;
}

/* Agents that were active since the last time. One folded in between is written when it returns; its row is a summary,
 * not evidence. */
static int store_agents(struct nj_aggregator *aggregator, struct nj_message *message)
{
	struct nj_profiles *profiles = nj_engine_profiles(aggregator->engine);
	for (uint32_t i = 0; i < nj_profiles_n(profiles); i++) {
		const struct nj_profile *profile = nj_profiles_at(profiles, i);
		if (profile == NULL || profile->last_ns <= aggregator->agents_ns)
			continue;
		int error = aggregator->store != NULL ? nj_store_agent(aggregator->store, profile, message) : 0;
		if (error == 0 && profile->ai != NULL)
			error = tell_ai(aggregator, profile, message);
		if (error != 0)
			return error;
	}
	aggregator->agents_ns = aggregator->covered_ns;
	return 0;
}

int nj_aggregator_commit(struct nj_aggregator *aggregator, bool with_agents, struct nj_message *message)
{
	uint64_t position = nj_aggregator_covered(aggregator);
	int error = 0;
	if (with_agents && (aggregator->store != NULL || aggregator->listener.ai != NULL))
		error = store_agents(aggregator, message);
	if (error == 0 && aggregator->store != NULL)
		error = nj_store_commit(aggregator->store, aggregator->covered_ns, position, message);
	if (error == 0 && aggregator->in_memory)
		error = nj_ingest_forget(aggregator->ingest, position, message);
	if (error == 0 && aggregator->store != NULL && aggregator->listener.line != NULL)
		error = nj_store_tell(aggregator->store, aggregator->listener.line, aggregator->listener.context,
				      message);
	if (with_agents)
		aggregator->rounds_uncommitted = 0;
	aggregator->alert_uncommitted = false;
	return error;
}

/* ---- rounds */

/* Frames behind the batches that no sensor will send any more: as many a batch as in this round. The desk is told of
 * them as of any other loss. */
static uint64_t frames_in_gaps(struct nj_aggregator *aggregator, const struct nj_round *round)
{
	uint64_t gaps = aggregator->gaps_now, received = aggregator->received_now;
	aggregator->gaps_now = aggregator->received_now = 0;
	return (uint64_t)((double)round->account.frames_seen * (double)gaps / (double)(received > 0 ? received : 1));
}

static int judge_round(struct nj_aggregator *aggregator, const struct nj_round *round, struct nj_message *message)
{
	const struct nj_aggregator_listener *listener = &aggregator->listener;
	struct nj_round seen = *round;
	seen.account.kernel_drops += frames_in_gaps(aggregator, round);
	nj_desk_begin(aggregator->desk, &seen);
	int error = nj_engine_judge(aggregator->engine, round, on_judged, aggregator);
	if (error != 0)
		return nj_fail(message, error, "judging a round of %u windows: %s", round->windows_n,
			       nj_error_text(error));
	for (uint32_t i = 0; i < round->windows_n && listener->window != NULL; i++)
		listener->window(listener->context, &round->windows[i]);
	if (listener->tick != NULL)
		listener->tick(listener->context, round->start_ns, &round->account);
	aggregator->covered_ns = round->start_ns;
	aggregator->rounds_uncommitted++;
	aggregator->rounds_since_snapshot++;
	if (aggregator->failed != 0) {
		if (message != NULL)
			*message = aggregator->failure;
		return aggregator->failed;
	}
	if (nj_recovery_is_due(aggregator) && nj_aggregator_snapshot(aggregator, NULL) != 0 && aggregator->failed != 0)
		return nj_fail(message, aggregator->failed, "%s", aggregator->failure.text); /* else it is counted */
	if (aggregator->rounds_uncommitted >= COMMIT_ROUNDS)
		return nj_aggregator_commit(aggregator, true, message);
	return aggregator->alert_uncommitted && aggregator->store != NULL
		       ? nj_aggregator_commit(aggregator, false, message)
		       : 0;
}

static int judge_complete(struct nj_aggregator *aggregator, struct nj_message *message)
{
	struct nj_round round;
	int more;
	while ((more = nj_merge_pop(aggregator->merge, &round)) == 1) {
		int error = judge_round(aggregator, &round, message);
		if (error != 0)
			return error;
	}
	return more < 0 ? nj_fail(message, more, "joining the windows of a round: %s", nj_error_text(more)) : 0;
}

static int on_batch(void *context, const struct nj_batch *batch, uint64_t position)
{
	struct nj_aggregator *aggregator = context;
	nj_aggregator_note_position(aggregator, batch->start_ns, position);
	aggregator->gaps_now += nj_gaps_note(aggregator->gaps, batch);
	aggregator->received_now++;
	nj_watch_batch(aggregator->watch, batch);
	int error = nj_merge_push(aggregator->merge, batch);
	if (error == NJ_ERR_LIMIT)
		return nj_fail(&aggregator->failure, error, "more than %d sensors", NJ_MERGE_SENSORS_MAX);
	if (error != 0)
		return error;
	return judge_complete(aggregator, &aggregator->failure);
}

/* ---- sensors */

static void on_heartbeat(void *context, const struct nj_sensor_health *health)
{
	nj_watch_heartbeat(((struct nj_aggregator *)context)->watch, health);
}

static void on_gap(void *context, const char *sensor, uint64_t batches_lost)
{
	nj_watch_gap(((struct nj_aggregator *)context)->watch, sensor, batches_lost);
}

static int store_sensors(struct nj_aggregator *aggregator, struct nj_message *message)
{
	int error = 0;
	for (uint32_t i = 0; i < nj_watch_n(aggregator->watch) && error == 0; i++) {
		const struct nj_watched *sensor = nj_watch_at(aggregator->watch, i);
		char *json = nj_watched_json(sensor);
		error = json != NULL ? nj_store_sensor(aggregator->store, sensor->sensor, json, message)
				     : nj_fail(message, NJ_ERR_MEMORY, "%s", nj_error_text(NJ_ERR_MEMORY));
		free(json);
	}
	return error;
}

int nj_aggregator_clock(struct nj_aggregator *aggregator, uint64_t now_ns, struct nj_message *message)
{
	nj_watch_tick(aggregator->watch, now_ns);
	bool due = now_ns - aggregator->sensors_stored_ns >= SENSORS_STORE_NS || aggregator->alert_uncommitted;
	if (aggregator->store == NULL || !due || nj_watch_n(aggregator->watch) == 0)
		return NJ_OK;
	aggregator->sensors_stored_ns = now_ns;
	int error = store_sensors(aggregator, message);
	return error == 0 ? nj_aggregator_commit(aggregator, false, message) : error;
}

/* ---- life cycle */

static void free_state(struct nj_aggregator *aggregator)
{
	nj_desk_free(&aggregator->desk);
	nj_engine_free(&aggregator->engine);
	nj_merge_free(&aggregator->merge);
	nj_gaps_free(&aggregator->gaps);
}

int nj_aggregator_renew(struct nj_aggregator *aggregator, struct nj_message *message)
{
	const struct nj_aggregator_options *options = &aggregator->options;
	struct nj_merge_options merge = {.key = options->hash_key,
					 .sensors_expected = options->sensors_expected,
					 .pending_bytes_max = options->pending_bytes_max,
					 .arena_bytes = ARENA_BYTES,
					 .hold_ns = options->hold_s * NJ_SECOND_NS};
	struct nj_engine_options engine = engine_options(options);
	engine.prior = &aggregator->prior;
	engine.hash_key = &aggregator->options.hash_key;
	struct nj_desk_options desk = {.alerts_per_day = options->alerts_per_day,
				       .agents_max = options->agents_max,
				       .inventory = options->inventory,
				       .prior = &aggregator->prior,
				       .hash_key = &aggregator->options.hash_key,
				       .learn_only = options->learn_only};
	free_state(aggregator);
	int error = nj_merge_new(&merge, &aggregator->merge);
	if (error == 0)
		error = nj_gaps_new(&aggregator->gaps);
	if (error == 0)
		error = nj_engine_new(&engine, &aggregator->engine);
	if (error == 0)
		error = nj_desk_new(&desk, &aggregator->desk);
	if (error != 0)
		return nj_fail(message, error, "starting the aggregator with %u agents and %u shards: %s",
			       options->agents_max, options->shards, nj_error_text(error));
	nj_desk_listen(aggregator->desk, on_alert, on_merged, aggregator);
	return NJ_OK;
}

static int open_parts(struct nj_aggregator *aggregator, struct nj_message *message)
{
	struct nj_aggregator_options *options = &aggregator->options;
	int error = options->baseline_path != NULL ? nj_prior_load(options->baseline_path, message, &aggregator->prior)
						   : nj_prior_shipped(message, &aggregator->prior);
	if (error != 0)
		return error;
	if (options->inventory == NULL) {
		if ((error = nj_inventory_new(&aggregator->own_inventory)) != 0)
			return error;
		options->inventory = aggregator->own_inventory;
	}
	struct nj_watch_options watch = {.silent_s = options->sensor_silent_s,
					 .dropped_share = options->sensor_dropped_share,
					 .clock_offset_s = options->sensor_clock_offset_s,
					 .journal_share = options->sensor_journal_share,
					 .hash_key = &aggregator->options.hash_key,
					 .alert = on_alert,
					 .context = aggregator};
	if ((error = nj_aggregator_renew(aggregator, message)) != 0 ||
	    (error = nj_watch_new(&watch, &aggregator->watch)) != 0)
		return error;
	if (options->store_path != NULL &&
	    (error = nj_store_open(options->store_path, message, &aggregator->store)) != 0)
		return error;
	if (aggregator->store != NULL && options->told_id != 0 &&
	    (error = nj_store_has_told(aggregator->store, options->told_id, message)) != 0)
		return error;
	struct nj_ingest_options ingest = ingest_options(options);
	struct nj_ingest_listener listener = {
		.context = aggregator, .batch = on_batch, .heartbeat = on_heartbeat, .gap = on_gap};
	error = nj_recovery_init(aggregator, message);
	return error == 0 ? nj_recovery_open_ingest(aggregator, &ingest, &listener, message) : error;
}

static int check_options(const struct nj_aggregator_options *options, struct nj_message *message)
{
	if (options->shards < 1 || options->shards > NJ_SHARDS_MAX)
		return nj_fail(message, NJ_ERR_USAGE, "shards must be from 1 to %d, not %u", NJ_SHARDS_MAX,
			       options->shards);
	if (options->agents_max < AGENTS_MIN || options->agents_max > 1u << 24)
		return nj_fail(message, NJ_ERR_USAGE, "agents_max must be from %d to %u, not %u", AGENTS_MIN, 1u << 24,
			       options->agents_max);
	if (!(options->alerts_per_day > 0) || options->alerts_per_day > 1e6)
		return nj_fail(message, NJ_ERR_USAGE, "alerts_per_day must be above 0 and at most 1000000");
	if (options->sensors_expected < 1 || options->sensors_expected > NJ_MERGE_SENSORS_MAX)
		return nj_fail(message, NJ_ERR_USAGE, "sensors must be from 1 to %d, not %u", NJ_MERGE_SENSORS_MAX,
			       options->sensors_expected);
	return 0;
}

int nj_aggregator_new(const struct nj_aggregator_options *options, const struct nj_aggregator_listener *listener,
		      struct nj_message *message, struct nj_aggregator **ret_aggregator)
{
	int error = check_options(options, message);
	if (error != 0)
		return error;
	struct nj_aggregator *aggregator = calloc(1, sizeof *aggregator);
	if (aggregator == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s", nj_error_text(NJ_ERR_MEMORY));
	aggregator->options = *options;
	if (listener != NULL)
		aggregator->listener = *listener;
	if (aggregator->options.journal_path == NULL)
		aggregator->options.journal_path = ":memory:";
	aggregator->in_memory = strcmp(aggregator->options.journal_path, ":memory:") == 0;
	error = open_parts(aggregator, message);
	if (error == 0 && !aggregator->in_memory)
		error = nj_recovery_run(aggregator, message);
	if (error != 0) {
		nj_aggregator_free(&aggregator);
		return error;
	}
	*ret_aggregator = aggregator;
	return 0;
}

void nj_aggregator_free(struct nj_aggregator **pointer)
{
	struct nj_aggregator *aggregator = *pointer;
	if (aggregator == NULL)
		return;
	nj_ingest_close(&aggregator->ingest);
	nj_store_close(&aggregator->store);
	nj_watch_free(&aggregator->watch);
	free_state(aggregator);
	nj_inventory_free(&aggregator->own_inventory);
	free(aggregator);
	*pointer = NULL;
}

int nj_aggregator_step(struct nj_aggregator *aggregator, int timeout_ms, struct nj_message *message)
{
	int handed = nj_ingest_step(aggregator->ingest, timeout_ms, message);
	if (handed < 0) {
		if (aggregator->failure.text[0] != '\0' && message != NULL)
			*message = aggregator->failure;
		return handed;
	}
	int error = judge_complete(aggregator, message);
	if (error != 0)
		return error;
	if (!nj_merge_finished(aggregator->merge)) {
		aggregator->finished = false;
		return 1;
	}
	if (!aggregator->finished || handed > 0)
		error = nj_aggregator_commit(aggregator, true, message);
	aggregator->finished = error == 0;
	return error;
}

int nj_aggregator_check(const struct nj_aggregator_options *options, struct nj_message *message)
{
	struct nj_ingest_options ingest = ingest_options(options);
	return nj_ingest_check(&ingest, message);
}

int nj_aggregator_authorize(struct nj_aggregator *aggregator, struct nj_message *message)
{
	return nj_ingest_authorize(aggregator->ingest, message);
}

void nj_aggregator_farewell(struct nj_aggregator *aggregator, uint32_t patience_ms)
{
	nj_ingest_farewell(aggregator->ingest, patience_ms);
}

struct nj_aggregator_counts nj_aggregator_counts(const struct nj_aggregator *aggregator)
{
	struct nj_ingest_counts ingest = nj_ingest_counts(aggregator->ingest);
	struct nj_merge_counts merge = nj_merge_counts(aggregator->merge);
	struct nj_desk_counts desk = nj_desk_counts(aggregator->desk);
	struct nj_profiles *profiles = nj_engine_profiles(aggregator->engine);
	return (struct nj_aggregator_counts){.frames_revoked = ingest.revoked,
					     .frames_lying = ingest.lying,
					     .connections = ingest.connections,
					     .handshakes = ingest.handshakes,
					     .keys_refused = ingest.keys_refused,
					     .handshakes_failed = ingest.handshakes_failed,
					     .held_off = ingest.held_off,
					     .batches_received = ingest.received,
					     .batches_refused = ingest.refused + ingest.malformed,
					     .batches_repeated = ingest.repeated,
					     .gaps = ingest.gaps,
					     .windows_received = merge.windows_received,
					     .windows_merged = merge.windows_merged,
					     .windows_late = merge.windows_late,
					     .alerts_raised = desk.raised,
					     .alerts_paged = desk.paged,
					     .alerts_queued = desk.queued,
					     .alerts_merged = desk.merged,
					     .agents = nj_profiles_n(profiles),
					     .agents_folded = nj_profiles_folded(profiles),
					     .operational = nj_watch_raised(aggregator->watch)};
}

const char *nj_aggregator_endpoint(const struct nj_aggregator *aggregator)
{
	return nj_ingest_endpoint(aggregator->ingest);
}

/* ---- a baseline from what was learned */

#define BASELINE_HOURS_MIN 20 /* agent-hours before a level is taken from them */

static void learn_level(const struct nj_fleet *fleet, enum nj_fleet_quantity quantity, double unit, double *level,
			double *scale)
{
	uint64_t n;
	double median = nj_fleet_quantile(fleet, 0, quantity, 0.5, &n);
	if (n < BASELINE_HOURS_MIN)
		return;
	double high = nj_fleet_quantile(fleet, 0, quantity, 0.95, NULL);
	double spread = (log1p(high * unit) - log1p(median * unit)) / 1.645;
	*level = log1p(median * unit);
	*scale = fmin(fmax(spread, 0.3), 10);
}

int nj_aggregator_save_baseline(const struct nj_aggregator *aggregator, const char *path, struct nj_message *message)
{
	struct nj_prior prior = aggregator->prior;
	struct nj_profiles *profiles = nj_engine_profiles(aggregator->engine);
	const struct nj_fleet *fleet = nj_engine_fleet(aggregator->engine);
	double answered = 0, failed = 0;
	for (uint32_t i = 0; i < nj_profiles_n(profiles); i++) {
		const struct nj_profile *profile = nj_profiles_at(profiles, i);
		if (profile == NULL || profile->edges == NULL)
			continue;
		answered += (double)profile->edges->answered;
		failed += (double)profile->edges->failed;
	}
	/* Three hundred first contacts weigh as much as the prior behind this baseline. */
	double share = (answered + 300 * prior.answered_home) / (answered + failed + 300);
	prior.answered_home = prior.answered_outside = fmin(fmax(share, 0.5), 0.98);
	learn_level(fleet, NJ_FLEET_PEERS_HOME_1H, 1, &prior.fan_home_1h_level, &prior.fan_home_1h_scale);
	learn_level(fleet, NJ_FLEET_PEERS_OUTSIDE_1H, 1, &prior.fan_outside_1h_level, &prior.fan_outside_1h_scale);
	learn_level(fleet, NJ_FLEET_OUT_1H, 1024, &prior.out_hour_level, &prior.out_hour_scale);
	nj_desk_tails(aggregator->desk, &prior);
	snprintf(prior.source, sizeof prior.source, "learned baseline");
	return nj_prior_save(&prior, path, message);
}
