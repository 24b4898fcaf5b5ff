/* Windows of one agent from several sensors.
 *
 * Each sensor has a queue of batch copies in the order they came; the earliest start among all queues is the next
 * round. A copy is one block: the batch, its windows, then their arrays, so that dropping it is one free. Joining sorts
 * all windows of the round by (agent, tap group, sensor name); those of a group are united (tap_group.h), groups are
 * added up. Both commute, so the order of sensors cannot matter (law 2); the name only makes the walk the same each
 * time. */
#include "aggregator/merge.h"

#include "aggregator/snapshot.h"
#include "aggregator/tap_group.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pending {
	struct pending *next;
	size_t size;
	struct nj_batch batch; /* its windows lie behind it */
};

struct sensor {
	char name[NJ_SENSOR_ID_MAX];
	uint64_t told_ns; /* everything with a start up to here has been told */
	bool told, finished;
	struct pending *first, *last;
};

/* One window as a sensor told it. */
struct told {
	const struct nj_window *window;
	const char *group, *sensor;
};

/* What a tap group saw: the account of the sensor that saw most, for the others saw the same; and the losses of whoever
 * lost most. */
struct group_account {
	const char *group, *sensor;
	struct nj_sensor_account account;
	uint64_t kernel_drops, interface_drops;
};

struct nj_merge {
	struct nj_merge_options options;
	struct nj_merge_counts counts;
	struct sensor sensors[NJ_MERGE_SENSORS_MAX];
	uint32_t sensors_n;
	bool popped;
	uint64_t popped_ns; /* start of the last round that went out: earlier windows are late */
	struct nj_arena arena;
	struct nj_window *round;        /* joined windows */
	struct told *order;             /* all windows of the round, before joining */
	const struct nj_window **group; /* of them, those of one agent and tap group: order_capacity */
	struct group_account accounts[NJ_MERGE_SENSORS_MAX];
	uint32_t accounts_n;
	uint32_t order_n, order_capacity;
};

int nj_merge_new(const struct nj_merge_options *options, struct nj_merge **ret_merge)
{
	assert(options->sensors_expected >= 1);
	assert(options->sensors_expected <= NJ_MERGE_SENSORS_MAX);
	struct nj_merge *merge = calloc(1, sizeof *merge);
	if (merge == NULL)
		return NJ_ERR_MEMORY;
	merge->options = *options;
	if (nj_arena_init(&merge->arena, options->arena_bytes) != 0) {
		free(merge);
		return NJ_ERR_MEMORY;
	}
	*ret_merge = merge;
	return 0;
}

static void drop_first(struct nj_merge *merge, struct sensor *sensor)
{
	struct pending *pending = sensor->first;
	sensor->first = pending->next;
	if (sensor->first == NULL)
		sensor->last = NULL;
	merge->counts.pending_bytes -= pending->size;
	free(pending);
}

void nj_merge_free(struct nj_merge **merge)
{
	if (*merge == NULL)
		return;
	for (uint32_t i = 0; i < (*merge)->sensors_n; i++)
		while ((*merge)->sensors[i].first != NULL)
			drop_first(*merge, &(*merge)->sensors[i]);
	nj_arena_fini(&(*merge)->arena);
	free((*merge)->round);
	free((*merge)->order);
	free((*merge)->group);
	free(*merge);
	*merge = NULL;
}

static struct sensor *sensor_of(struct nj_merge *merge, const char *name)
{
	for (uint32_t i = 0; i < merge->sensors_n; i++)
		if (strcmp(merge->sensors[i].name, name) == 0)
			return &merge->sensors[i];
	if (merge->sensors_n == NJ_MERGE_SENSORS_MAX)
		return NULL;
	struct sensor *sensor = &merge->sensors[merge->sensors_n++];
	snprintf(sensor->name, sizeof sensor->name, "%s", name);
	return sensor;
}

#define VECTOR_ELEMENT_DISTINCT  sizeof(uint8_t) * NJ_DISTINCT_REGISTERS
#define VECTOR_ELEMENT_HISTOGRAM sizeof(uint32_t) * NJ_HISTOGRAM_BUCKETS

static size_t padded(size_t size)
{
	return (size + 15) & ~(size_t)15;
}

static size_t window_arrays_bytes(const struct nj_window *window)
{
	size_t size = padded(window->contacts_n * sizeof *window->contacts) +
		      padded(window->domains_n * sizeof *window->domains) +
		      padded(window->clients_n * sizeof *window->clients) +
		      padded(window->exchanges_n * sizeof *window->exchanges) +
		      padded(window->tools_n * sizeof *window->tools);
#define VECTOR_BYTES(name, kind, unit, meaning) size += window->name != NULL ? padded(VECTOR_ELEMENT_##kind) : 0;
	NJ_FEATURE_VECTORS(VECTOR_BYTES)
#undef VECTOR_BYTES
	return size;
}

static void *put(uint8_t **at, const void *data, size_t size)
{
	if (size == 0 || data == NULL)
		return NULL;
	void *copy = *at;
	memcpy(copy, data, size);
	*at += padded(size);
	return copy;
}

static void copy_window(struct nj_window *into, const struct nj_window *from, uint8_t **at)
{
	*into = *from;
	into->contacts = put(at, from->contacts, from->contacts_n * sizeof *from->contacts);
	into->domains = put(at, from->domains, from->domains_n * sizeof *from->domains);
	into->clients = put(at, from->clients, from->clients_n * sizeof *from->clients);
	into->exchanges = put(at, from->exchanges, from->exchanges_n * sizeof *from->exchanges);
	into->tools = put(at, from->tools, from->tools_n * sizeof *from->tools);
#define COPY_VECTOR(name, kind, unit, meaning) into->name = put(at, from->name, VECTOR_ELEMENT_##kind);
	NJ_FEATURE_VECTORS(COPY_VECTOR)
#undef COPY_VECTOR
}

static struct pending *copy_batch(const struct nj_batch *batch)
{
	size_t size = padded(sizeof(struct pending)) + padded(batch->windows_n * sizeof *batch->windows);
	for (uint32_t i = 0; i < batch->windows_n; i++)
		size += window_arrays_bytes(&batch->windows[i]);
	struct pending *pending = malloc(size);
	if (pending == NULL)
		return NULL;
	pending->next = NULL;
	pending->size = size;
	pending->batch = *batch;
	uint8_t *at = (uint8_t *)pending + padded(sizeof *pending);
	pending->batch.windows = (struct nj_window *)(void *)at;
	at += padded(batch->windows_n * sizeof *batch->windows);
	for (uint32_t i = 0; i < batch->windows_n; i++)
		copy_window(&pending->batch.windows[i], &batch->windows[i], &at);
	assert(at == (uint8_t *)pending + size);
	return pending;
}

static void note_progress(struct sensor *sensor, const struct nj_batch *batch)
{
	sensor->finished = (batch->flags & NJ_BATCH_FINISH) != 0; /* one that starts again is not finished any more */
	if ((batch->flags & NJ_BATCH_TICK) == 0)
		return;
	if (!sensor->told || batch->start_ns > sensor->told_ns)
		sensor->told_ns = batch->start_ns;
	sensor->told = true;
}

/* A sensor's event time never goes back, but a damaged or hostile one may claim so: such a batch joins its queue in
 * time order. */
static int enqueue(struct nj_merge *merge, struct sensor *sensor, const struct nj_batch *batch)
{
	if (batch->windows_n == 0 && (batch->flags & NJ_BATCH_TICK) == 0)
		return 0;
	struct pending *pending = copy_batch(batch);
	if (pending == NULL)
		return NJ_ERR_MEMORY;
	struct pending **at = &sensor->first;
	if (sensor->last != NULL && sensor->last->batch.start_ns <= batch->start_ns)
		at = &sensor->last->next;
	while (*at != NULL && (*at)->batch.start_ns <= batch->start_ns)
		at = &(*at)->next;
	pending->next = *at;
	*at = pending;
	if (pending->next == NULL)
		sensor->last = pending;
	merge->counts.pending_bytes += pending->size;
	if (merge->counts.pending_bytes > merge->counts.pending_bytes_peak)
		merge->counts.pending_bytes_peak = merge->counts.pending_bytes;
	return 0;
}

static bool has_gone_out(const struct nj_merge *merge, const struct nj_batch *batch)
{
	return merge->popped && batch->start_ns <= merge->popped_ns;
}

int nj_merge_push(struct nj_merge *merge, const struct nj_batch *batch)
{
	struct sensor *sensor = sensor_of(merge, batch->sensor);
	if (sensor == NULL)
		return NJ_ERR_LIMIT;
	merge->counts.windows_received += batch->windows_n;
	if (has_gone_out(merge, batch)) {
		merge->counts.windows_late += batch->windows_n;
		note_progress(sensor, batch);
		return 0;
	}
	int error = enqueue(merge, sensor, batch);
	if (error == 0)
		note_progress(sensor, batch);
	return error;
}

int nj_merge_again(struct nj_merge *merge, const struct nj_batch *batch)
{
	struct sensor *sensor = sensor_of(merge, batch->sensor);
	if (sensor == NULL)
		return NJ_ERR_LIMIT;
	return has_gone_out(merge, batch) ? 0 : enqueue(merge, sensor, batch);
}

static bool earliest(const struct nj_merge *merge, uint64_t *ret_start_ns)
{
	bool found = false;
	for (uint32_t i = 0; i < merge->sensors_n; i++) {
		const struct pending *first = merge->sensors[i].first;
		if (first != NULL && (!found || first->batch.start_ns < *ret_start_ns)) {
			*ret_start_ns = first->batch.start_ns;
			found = true;
		}
	}
	return found;
}

static bool is_complete(const struct nj_merge *merge, uint64_t start_ns)
{
	if (merge->sensors_n < merge->options.sensors_expected)
		return false;
	uint64_t foremost_ns = 0;
	for (uint32_t i = 0; i < merge->sensors_n; i++)
		if (merge->sensors[i].told && merge->sensors[i].told_ns > foremost_ns)
			foremost_ns = merge->sensors[i].told_ns;
	for (uint32_t i = 0; i < merge->sensors_n; i++) {
		const struct sensor *sensor = &merge->sensors[i];
		if (sensor->finished || (sensor->told && sensor->told_ns >= start_ns))
			continue;
		bool given_up = merge->options.hold_ns > 0 && foremost_ns > start_ns &&
				foremost_ns - start_ns > merge->options.hold_ns;
		if (!given_up)
			return false;
	}
	return true;
}

static void add_drop(struct nj_sensor_account *into, const struct nj_drop_count *drop)
{
	for (uint32_t i = 0; i < into->drops_n; i++)
		if (strncmp(into->drops[i].name, drop->name, NJ_DROP_NAME_MAX) == 0) {
			into->drops[i].frames += drop->frames;
			return;
		}
	if (into->drops_n < NJ_DROP_REASONS_MAX)
		into->drops[into->drops_n++] = *drop;
	else
		into->drops[NJ_DROP_REASONS_MAX - 1].frames += drop->frames;
}

static void add_account(struct nj_sensor_account *into, const struct nj_sensor_account *from)
{
	into->frames_seen += from->frames_seen;
	into->frames_decoded += from->frames_decoded;
	into->bytes_seen += from->bytes_seen;
	into->kernel_drops += from->kernel_drops;
	into->interface_drops += from->interface_drops;
	into->flows_opened += from->flows_opened;
	into->flows_ended += from->flows_ended;
	into->flows_evicted += from->flows_evicted;
	into->flows_active += from->flows_active;
	into->flows_one_sided += from->flows_one_sided;
	into->windows_closed += from->windows_closed;
	into->windows_dropped += from->windows_dropped;
	into->contacts_lost += from->contacts_lost;
	into->clock_clamps += from->clock_clamps;
	for (uint32_t i = 0; i < from->drops_n && i < NJ_DROP_REASONS_MAX; i++)
		add_drop(into, &from->drops[i]);
}

static int compare_told(const void *a, const void *b)
{
	const struct told *x = a, *y = b;
	int order = nj_agent_id_compare(&x->window->agent, &y->window->agent);
	if (order == 0)
		order = strcmp(x->group, y->group);
	return order != 0 ? order : strcmp(x->sensor, y->sensor);
}

/* A sensor that tells its window twice is heard as two of its group. */
static void note_account(struct nj_merge *merge, const struct nj_batch *batch)
{
	uint32_t i = 0;
	while (i < merge->accounts_n && strcmp(merge->accounts[i].group, batch->tap_group) != 0)
		i++;
	struct group_account *at = &merge->accounts[i];
	const struct nj_sensor_account *account = &batch->account;
	if (i == merge->accounts_n) {
		merge->accounts_n++;
		*at = (struct group_account){.group = batch->tap_group};
	}
	bool fuller = at->sensor == NULL || account->frames_seen > at->account.frames_seen ||
		      (account->frames_seen == at->account.frames_seen && strcmp(batch->sensor, at->sensor) < 0);
	if (fuller) {
		at->account = *account;
		at->sensor = batch->sensor;
	}
	if (account->kernel_drops > at->kernel_drops)
		at->kernel_drops = account->kernel_drops;
	if (account->interface_drops > at->interface_drops)
		at->interface_drops = account->interface_drops;
}

static void sum_accounts(struct nj_merge *merge, struct nj_sensor_account *into)
{
	for (uint32_t i = 0; i < merge->accounts_n; i++) {
		struct group_account *at = &merge->accounts[i];
		at->account.kernel_drops = at->kernel_drops;
		at->account.interface_drops = at->interface_drops;
		add_account(into, &at->account);
	}
}

static int make_order_room(struct nj_merge *merge, uint32_t more)
{
	if (merge->order_n + more <= merge->order_capacity)
		return 0;
	uint32_t capacity = 2 * (merge->order_n + more) + 64;
	struct told *order = realloc(merge->order, capacity * sizeof *order);
	merge->order = order != NULL ? order : merge->order;
	const struct nj_window **group = realloc(merge->group, capacity * sizeof *group);
	merge->group = group != NULL ? group : merge->group;
	struct nj_window *round = realloc(merge->round, capacity * sizeof *round);
	merge->round = round != NULL ? round : merge->round;
	if (order == NULL || group == NULL || round == NULL)
		return NJ_ERR_MEMORY;
	merge->order_capacity = capacity;
	return 0;
}

/* All windows of the round, ascending by agent, tap group and sensor; the account and the sensors' names into
 * *ret_round*. */
static int gather(struct nj_merge *merge, uint64_t start_ns, struct nj_round *ret_round)
{
	uint32_t tellers = 0;
	merge->order_n = merge->accounts_n = 0;
	for (uint32_t i = 0; i < merge->sensors_n; i++) {
		bool tells = false;
		for (struct pending *p = merge->sensors[i].first; p != NULL && p->batch.start_ns == start_ns;
		     p = p->next) {
			if (ret_round->width_ms == 0)
				ret_round->width_ms = p->batch.width_ms;
			if (p->batch.width_ms != ret_round->width_ms) {
				merge->counts.windows_refused += p->batch.windows_n;
				continue;
			}
			tells = true;
			if ((p->batch.flags & NJ_BATCH_TICK) != 0)
				note_account(merge, &p->batch);
			if (make_order_room(merge, p->batch.windows_n) < 0)
				return NJ_ERR_MEMORY;
			for (uint32_t w = 0; w < p->batch.windows_n; w++)
				merge->order[merge->order_n++] =
					(struct told){&p->batch.windows[w], p->batch.tap_group, p->batch.sensor};
		}
		if (tells) {
			tellers++;
			snprintf(ret_round->sensor, sizeof ret_round->sensor, "%s", merge->sensors[i].name);
		}
	}
	if (tellers > 1)
		snprintf(ret_round->sensor, sizeof ret_round->sensor, "%u sensors", tellers);
	if (merge->order_n > 1)
		qsort(merge->order, merge->order_n, sizeof *merge->order, compare_told);
	sum_accounts(merge, &ret_round->account);
	return 0;
}

static bool same_agent(const struct told *a, const struct told *b)
{
	return nj_agent_id_compare(&a->window->agent, &b->window->agent) == 0;
}

/* What the tap group of order[first] says of the agent; *ret_end* is after it. */
static bool unite_group(struct nj_merge *merge, uint32_t first, uint32_t end, struct nj_window *ret_united,
			uint32_t *ret_end)
{
	uint32_t n = 0;
	while (first + n < end && strcmp(merge->order[first + n].group, merge->order[first].group) == 0) {
		merge->group[n] = merge->order[first + n].window;
		n++;
	}
	*ret_end = first + n;
	return nj_tap_group_unite(merge->group, n, &merge->arena, ret_united);
}

/* Windows first..end-1 of the order are of one agent: groups united, then added up, in the arena alone, for the copies
 * must stay as they are in case the arena is too small and all is done again. */
static bool join_agent(struct nj_merge *merge, uint32_t first, uint32_t end, struct nj_window *ret_joined)
{
	struct nj_window joined = {.agent = merge->order[first].window->agent,
				   .start_ns = merge->order[first].window->start_ns,
				   .width_ms = merge->order[first].window->width_ms};
	for (uint32_t i = first, next; i < end; i = next) {
		struct nj_window united;
		if (!unite_group(merge, i, end, &united, &next) || !nj_window_merge(&joined, &united, &merge->arena))
			return false;
	}
	if (!nj_window_cap(&joined, nj_hash64, &merge->options.key, &merge->arena))
		return false;
	*ret_joined = joined;
	return true;
}

/* False when the arena is full. */
static bool join(struct nj_merge *merge, struct nj_round *ret_round)
{
	uint32_t n = 0;
	for (uint32_t first = 0, end; first < merge->order_n; first = end) {
		for (end = first + 1; end < merge->order_n && same_agent(&merge->order[first], &merge->order[end]);)
			end++;
		if (end == first + 1)
			merge->round[n++] =
				*merge->order[first].window; /* told by one sensor, capped by it: as it came */
		else if (!join_agent(merge, first, end, &merge->round[n++]))
			return false;
	}
	ret_round->windows = merge->round;
	ret_round->windows_n = n;
	return true;
}

static void forget_through(struct nj_merge *merge, uint64_t start_ns)
{
	for (uint32_t i = 0; i < merge->sensors_n; i++)
		while (merge->sensors[i].first != NULL && merge->sensors[i].first->batch.start_ns <= start_ns)
			drop_first(merge, &merge->sensors[i]);
}

int nj_merge_pop(struct nj_merge *merge, struct nj_round *ret_round)
{
	if (merge->popped)
		forget_through(merge, merge->popped_ns); /* the round handed out last */
	uint64_t start_ns = 0;
	if (!earliest(merge, &start_ns))
		return 0;
	if (!is_complete(merge, start_ns)) {
		if (merge->counts.pending_bytes <= merge->options.pending_bytes_max)
			return 0;
		merge->counts.rounds_forced++;
	}
	struct nj_round round = {.start_ns = start_ns};
	int error = gather(merge, start_ns, &round);
	if (error != 0)
		return error;
	nj_arena_reset(&merge->arena);
	while (!join(merge, &round)) {
		size_t larger = 2 * merge->arena.size;
		nj_arena_fini(&merge->arena);
		if (larger > merge->options.pending_bytes_max || nj_arena_init(&merge->arena, larger) != 0)
			return NJ_ERR_MEMORY;
	}
	merge->counts.windows_merged += round.windows_n;
	merge->counts.rounds++;
	merge->popped = true;
	merge->popped_ns = start_ns;
	*ret_round = round;
	return 1;
}

bool nj_merge_finished(const struct nj_merge *merge)
{
	uint32_t finished = 0;
	for (uint32_t i = 0; i < merge->sensors_n; i++) {
		const struct sensor *sensor = &merge->sensors[i];
		bool empty =
			sensor->first == NULL || (merge->popped && sensor->last->batch.start_ns <= merge->popped_ns);
		if (!empty)
			return false;
		finished += sensor->finished;
	}
	return merge->sensors_n >= merge->options.sensors_expected && finished == merge->sensors_n;
}

struct nj_merge_counts nj_merge_counts(const struct nj_merge *merge)
{
	return merge->counts;
}

/* ---- snapshots */

static const struct nj_field sensor_rows[] = {
	NJ_FIELD(struct sensor, name),      NJ_FIELD(struct sensor, told_ns),    NJ_FIELD(struct sensor, told),
	NJ_FIELD(struct sensor, finished),  NJ_FIELD_SKIP(struct sensor, first), /* pushed again */
	NJ_FIELD_SKIP(struct sensor, last),
};
static const struct nj_fields sensor_fields = NJ_FIELDS(struct sensor, sensor_rows, NULL);

static const struct nj_field counts_rows[] = {
	NJ_FIELD(struct nj_merge_counts, windows_received),
	NJ_FIELD(struct nj_merge_counts, windows_merged),
	NJ_FIELD(struct nj_merge_counts, windows_late),
	NJ_FIELD(struct nj_merge_counts, windows_refused),
	NJ_FIELD(struct nj_merge_counts, rounds),
	NJ_FIELD(struct nj_merge_counts, rounds_forced),
	NJ_FIELD_SKIP(struct nj_merge_counts, pending_bytes),
	NJ_FIELD(struct nj_merge_counts, pending_bytes_peak),
};
static const struct nj_fields counts_fields = NJ_FIELDS(struct nj_merge_counts, counts_rows, NULL);

struct progress {
	uint64_t popped_ns;
	struct nj_merge_counts counts;
	uint8_t popped, reserved[7];
};

static const struct nj_field progress_rows[] = {
	NJ_FIELD(struct progress, popped_ns),
	NJ_FIELD_STRUCT(struct progress, counts, &counts_fields),
	NJ_FIELD(struct progress, popped),
	NJ_FIELD(struct progress, reserved),
};
static const struct nj_fields progress_fields = NJ_FIELDS(struct progress, progress_rows, NULL);

void nj_merge_save(const struct nj_merge *merge, struct nj_snapshot_writer *writer)
{
	const struct progress progress = {
		.popped = merge->popped, .popped_ns = merge->popped_ns, .counts = merge->counts};
	nj_snapshot_section(writer, "merge", &progress_fields);
	nj_snapshot_record(writer, 0, &progress);
	nj_snapshot_section(writer, "sensor", &sensor_fields);
	for (uint32_t i = 0; i < merge->sensors_n; i++)
		nj_snapshot_record(writer, i, &merge->sensors[i]);
}

static int take_progress(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_merge *merge = context;
	const struct progress *progress = item->record;
	(void)message;
	merge->popped = progress->popped != 0;
	merge->popped_ns = progress->popped_ns;
	merge->counts = progress->counts;
	return NJ_OK;
}

static int take_sensor(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_merge *merge = context;
	const struct sensor *from = item->record;
	struct sensor *sensor = sensor_of(merge, from->name);
	if (sensor == NULL)
		return nj_fail(message, NJ_ERR_LIMIT, "more than %d sensors", NJ_MERGE_SENSORS_MAX);
	sensor->told_ns = from->told_ns;
	sensor->told = from->told;
	sensor->finished = from->finished;
	return NJ_OK;
}

void nj_merge_takers(struct nj_merge *merge, struct nj_snapshot_taker *taker)
{
	taker[0] = (struct nj_snapshot_taker){"merge", &progress_fields, true, take_progress, merge};
	taker[1] = (struct nj_snapshot_taker){"sensor", &sensor_fields, true, take_sensor, merge};
}
