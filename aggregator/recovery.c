/* Snapshots of everything the aggregator knows, and the way back from them (docs/recovery.md).
 *
 * Writing: the store commits up to the present round; the snapshot of that round is written, synchronised and renamed;
 * then the journal forgets what the snapshot *before* it covers. So the store never lags behind a snapshot (what it
 * lacks would be lost), two snapshots are at hand, and the journal reaches back to the older one.
 *
 * What is journaled but waits for slower sensors goes into the snapshot as it came. A snapshot is therefore complete by
 * itself up to its position; the journal adds what came after.
 *
 * Coming back: the newest snapshot that is whole, then the journal from its position. Judged rounds give the same
 * alerts as the first time; the store knows them by their ids. A snapshot that cannot be read is put aside and the one
 * before it serves. A journal that cannot be read is put aside too, as far as a snapshot vouches for the time before: a
 * new one begins, told how far every series had come, and the sensors send again what they still hold. */
#include "aggregator/aggregator_parts.h"

#include "common/file.h"
#include "common/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAKERS_MAX        (2 + NJ_MERGE_TAKERS + NJ_GAPS_TAKERS + NJ_DESK_TAKERS + NJ_ENGINE_TAKERS_MAX)
#define JOURNAL_SHARE_MAX 4 /* of the journal's bound may come between two snapshots, one in so many */

struct head {
	uint64_t journal_boot, position; /* the snapshot covers the journal below it */
	uint64_t pending_from; /* where the oldest batch that waits lies; the section *pending* begins there */
	uint64_t covered_ns, agents_ns, gaps_now, received_now;
	uint32_t hash_key_id, reserved;
	char version[32]; /* of the program, for people */
};

static const struct nj_field head_rows[] = {
	NJ_FIELD(struct head, journal_boot), NJ_FIELD(struct head, position),    NJ_FIELD(struct head, pending_from),
	NJ_FIELD(struct head, covered_ns),   NJ_FIELD(struct head, agents_ns),   NJ_FIELD(struct head, gaps_now),
	NJ_FIELD(struct head, received_now), NJ_FIELD(struct head, hash_key_id), NJ_FIELD(struct head, reserved),
	NJ_FIELD(struct head, version),
};
static const struct nj_fields head_fields = NJ_FIELDS(struct head, head_rows, NULL);

/* The batches that waited, as they came. */
struct copies {
	uint8_t **data;
	size_t *size;
	uint32_t n, capacity;
};

/* What reading a snapshot fills, beside the parts themselves. */
struct restoring {
	struct nj_aggregator *aggregator;
	struct head head;
	struct copies pending;
};

static void add_notice(struct nj_aggregator *aggregator, const char *words)
{
	size_t used = strlen(aggregator->notice);
	snprintf(aggregator->notice + used, sizeof aggregator->notice - used, "%s%s", used > 0 ? "; " : "", words);
}

const char *nj_aggregator_notice(const struct nj_aggregator *aggregator)
{
	return aggregator->notice;
}

int nj_recovery_init(struct nj_aggregator *aggregator, struct nj_message *message)
{
	const char *path = aggregator->options.journal_path;
	if (aggregator->in_memory)
		return NJ_OK;
	if (strlen(path) > NJ_SNAPSHOT_PATH_MAX - 32)
		return nj_fail(message, NJ_ERR_LIMIT, "%s: the name is too long", path);
	snprintf(aggregator->snapshot_path, sizeof aggregator->snapshot_path, "%s.snapshot", path);
	return NJ_OK;
}

/* =============================== writing =============================== */

bool nj_recovery_is_due(const struct nj_aggregator *aggregator)
{
	if (aggregator->snapshot_path[0] == '\0')
		return false;
	uint64_t bytes = nj_ingest_counts(aggregator->ingest).received_bytes - aggregator->journaled_before_bytes;
	return (aggregator->options.snapshot_rounds > 0 &&
		aggregator->rounds_since_snapshot >= aggregator->options.snapshot_rounds) ||
	       bytes > aggregator->options.journal_bytes_max / JOURNAL_SHARE_MAX;
}

/* What lies in the journal from the oldest batch that waits up to the present. */
static int save_pending(struct nj_aggregator *aggregator, struct nj_snapshot_writer *writer, uint64_t position,
			struct nj_message *message)
{
	uint64_t at;
	const void *data;
	size_t size;
	nj_snapshot_section(writer, "pending", NULL);
	for (uint32_t i = 0; position < aggregator->position_next; position++, i++) {
		int more = nj_ingest_read(aggregator->ingest, position, message, &at, &data, &size);
		if (more < 0)
			return more;
		if (more == 0 || at != position)
			return nj_fail(message, NJ_ERR_LIMIT,
				       "the journal's bound has pushed out batches that still wait: raise it");
		nj_snapshot_blob(writer, i, data, size);
	}
	return NJ_OK;
}

static int write_snapshot(struct nj_aggregator *aggregator, uint64_t pending_from, struct nj_message *message)
{
	struct nj_snapshot_writer *writer;
	struct nj_journal_state journal;
	nj_ingest_journal(aggregator->ingest, &journal);
	struct head head = {.journal_boot = journal.boot,
			    .position = aggregator->position_next,
			    .pending_from = pending_from,
			    .covered_ns = aggregator->covered_ns,
			    .agents_ns = aggregator->agents_ns,
			    .gaps_now = aggregator->gaps_now,
			    .received_now = aggregator->received_now,
			    .hash_key_id = aggregator->options.hash_key.id};
	snprintf(head.version, sizeof head.version, "%s", NJ_VERSION);
	int error = nj_snapshot_create(aggregator->snapshot_path, message, &writer);
	if (error != 0)
		return error;
	nj_snapshot_section(writer, "aggregator", &head_fields);
	nj_snapshot_record(writer, 0, &head);
	nj_merge_save(aggregator->merge, writer);
	nj_gaps_save(aggregator->gaps, writer);
	nj_desk_save(aggregator->desk, writer);
	nj_engine_save(aggregator->engine, writer);
	error = save_pending(aggregator, writer, pending_from, message);
	if (error == 0)
		return nj_snapshot_finish(&writer, message, &aggregator->snapshots.bytes);
	nj_snapshot_abandon(&writer);
	return error;
}

int nj_aggregator_snapshot(struct nj_aggregator *aggregator, struct nj_message *message)
{
	struct nj_message words = {.text = ""};
	if (aggregator->snapshot_path[0] == '\0')
		return NJ_OK;
	int error = nj_aggregator_commit(aggregator, true, &aggregator->failure);
	if (error != 0) {
		aggregator->failed = error; /* the next step ends with it */
		return nj_fail(message, error, "%s", aggregator->failure.text);
	}
	aggregator->rounds_since_snapshot = 0;
	aggregator->journaled_before_bytes = nj_ingest_counts(aggregator->ingest).received_bytes;
	uint64_t pending_from = nj_aggregator_covered(aggregator);
	error = write_snapshot(aggregator, pending_from, &words);
	if (error == 0)
		error = nj_ingest_forget(aggregator->ingest, aggregator->snapshot_from, &words);
	if (error != 0) {
		aggregator->snapshots.failed++;
		aggregator->snapshots.last = words;
		return nj_fail(message, error, "%s", words.text);
	}
	aggregator->snapshot_from = pending_from;
	aggregator->snapshots.written++;
	aggregator->snapshots.agents = nj_profiles_n(nj_engine_profiles(aggregator->engine));
	return NJ_OK;
}

struct nj_aggregator_snapshots nj_aggregator_snapshots(const struct nj_aggregator *aggregator)
{
	return aggregator->snapshots;
}

/* =============================== reading =============================== */

static int take_head(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct restoring *restoring = context;
	restoring->head = *(const struct head *)item->record;
	if (restoring->head.hash_key_id != restoring->aggregator->options.hash_key.id)
		return nj_fail(
			message, NJ_ERR_USAGE,
			"what it holds was learned under another hash_key: set that key, or remove the snapshots");
	return NJ_OK;
}

static void free_copies(struct copies *copies)
{
	for (uint32_t i = 0; i < copies->n; i++)
		free(copies->data[i]);
	free(copies->data);
	free(copies->size);
	*copies = (struct copies){0};
}

static bool grow_copies(struct copies *copies)
{
	uint32_t capacity = 2 * copies->capacity + 64;
	uint8_t **data = realloc(copies->data, capacity * sizeof *data);
	copies->data = data != NULL ? data : copies->data;
	size_t *size = realloc(copies->size, capacity * sizeof *size);
	copies->size = size != NULL ? size : copies->size;
	copies->capacity = data != NULL && size != NULL ? capacity : copies->capacity;
	return data != NULL && size != NULL;
}

static int take_pending(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct restoring *restoring = context;
	struct copies *copies = &restoring->pending;
	(void)message;
	uint8_t *copy = malloc(item->size > 0 ? item->size : 1);
	if (copy == NULL || (copies->n == copies->capacity && !grow_copies(copies))) {
		free(copy);
		return NJ_ERR_MEMORY;
	}
	memcpy(copy, item->record, item->size);
	copies->data[copies->n] = copy;
	copies->size[copies->n++] = item->size;
	return NJ_OK;
}

static int load(struct nj_aggregator *aggregator, const char *path, struct restoring *restoring,
		struct nj_message *message)
{
	struct nj_snapshot_taker taker[TAKERS_MAX];
	uint32_t n = 0;
	free_copies(&restoring->pending);
	*restoring = (struct restoring){.aggregator = aggregator};
	taker[n++] = (struct nj_snapshot_taker){"aggregator", &head_fields, true, take_head, restoring};
	taker[n++] = (struct nj_snapshot_taker){"pending", NULL, true, take_pending, restoring};
	nj_merge_takers(aggregator->merge, taker + n);
	n += NJ_MERGE_TAKERS;
	nj_gaps_takers(aggregator->gaps, taker + n);
	n += NJ_GAPS_TAKERS;
	nj_desk_takers(aggregator->desk, taker + n);
	n += NJ_DESK_TAKERS;
	n += nj_engine_takers(aggregator->engine, taker + n);
	int error = nj_snapshot_read(path, taker, n, message);
	nj_engine_restored(aggregator->engine);
	return error;
}

static int put_aside(const char *path, const char *suffix, struct nj_message *message)
{
	char aside[NJ_SNAPSHOT_PATH_MAX + 32];
	snprintf(aside, sizeof aside, "%s%s", path, suffix);
	if (rename(path, aside) != 0 && errno != ENOENT)
		return nj_file_fail(message, path, errno);
	return NJ_OK;
}

/* None can be read. A journal that still begins at the beginning serves as well; otherwise people must decide. */
static int do_without(struct nj_aggregator *aggregator, int error, const char *reason, struct nj_message *message)
{
	struct nj_journal_state journal;
	char words[700];
	nj_ingest_journal(aggregator->ingest, &journal);
	if (journal.oldest > 0)
		return nj_fail(message, error,
			       "%.380s; no other can be read: remove it to begin again without what was learned",
			       reason);
	snprintf(words, sizeof words, "%.500s: the journal still holds everything and is judged from its beginning",
		 reason);
	add_notice(aggregator, words);
	error = put_aside(aggregator->snapshot_path, ".unreadable", message);
	return error == 0 ? nj_aggregator_renew(aggregator, message) : error;
}

/* 1: a snapshot was read; 0: there is none, and the state is as new. */
static int load_newest_good(struct nj_aggregator *aggregator, struct restoring *restoring, struct nj_message *message)
{
	char previous[NJ_SNAPSHOT_PATH_MAX], words[600];
	struct nj_message newest = {.text = ""}, older = {.text = ""};
	int error = load(aggregator, aggregator->snapshot_path, restoring, &newest);
	if (error == 0)
		return 1;
	if (error == NJ_ERR_USAGE || error == NJ_ERR_MEMORY)
		return nj_fail(message, error, "%s", newest.text);
	nj_snapshot_previous(aggregator->snapshot_path, previous);
	int renewed = nj_aggregator_renew(aggregator, message);
	if (renewed != 0)
		return renewed;
	int second = load(aggregator, previous, restoring, &older);
	if (error == NJ_ERR_NOT_FOUND && second == NJ_ERR_NOT_FOUND)
		return 0;
	if (second != 0)
		return do_without(aggregator, error == NJ_ERR_NOT_FOUND ? second : error,
				  error == NJ_ERR_NOT_FOUND ? older.text : newest.text, message);
	if (error == NJ_ERR_NOT_FOUND)
		return 1; /* ended between the two renames */
	snprintf(words, sizeof words, "%.500s: the one before it is used", newest.text);
	add_notice(aggregator, words);
	/* Out of the way, or the next one written would push out the good one. */
	error = put_aside(aggregator->snapshot_path, ".unreadable", message);
	return error == 0 ? 1 : error;
}

/* =============================== the journal =============================== */

struct seeding {
	struct nj_ingest *ingest;
	struct nj_message *message;
};

static int seed(void *context, const char *sensor, uint64_t boot, uint64_t next, uint64_t passed)
{
	struct seeding *seeding = context;
	return nj_ingest_set_series(seeding->ingest, sensor, boot, next, passed, seeding->message);
}

/* The journal ends at *position*, and every series where what has been taken ends; in one transaction, with what is to
 * be put at its end. */
static int mend_journal(struct nj_aggregator *aggregator, uint64_t position, const struct copies *add,
			struct nj_message *message)
{
	struct seeding seeding = {aggregator->ingest, message};
	int error = nj_ingest_mend(aggregator->ingest, message);
	if (error == 0)
		error = nj_ingest_end_at(aggregator->ingest, position, message);
	if (error == 0)
		error = nj_gaps_each(aggregator->gaps, seed, &seeding);
	for (uint32_t i = 0; add != NULL && i < add->n && error == 0; i++)
		error = nj_ingest_adopt(aggregator->ingest, add->data[i], add->size[i], message);
	return error == 0 ? nj_ingest_mended(aggregator->ingest, message) : error;
}

static bool has_snapshot(const struct nj_aggregator *aggregator)
{
	char previous[NJ_SNAPSHOT_PATH_MAX];
	if (aggregator->snapshot_path[0] == '\0')
		return false;
	nj_snapshot_previous(aggregator->snapshot_path, previous);
	return access(aggregator->snapshot_path, F_OK) == 0 || access(previous, F_OK) == 0;
}

/* Only where a snapshot stands beside it: that proves whose file it is, and keeps what came before. */
static int replace_journal(struct nj_aggregator *aggregator, const char *reason, struct nj_message *message)
{
	static const char *const parts[] = {"", "-wal", "-shm"};
	char path[NJ_SNAPSHOT_PATH_MAX + 8], notice[700];
	int error = has_snapshot(aggregator) ? NJ_OK : nj_fail(message, NJ_ERR_FORMAT, "%s", reason);
	nj_ingest_close(&aggregator->ingest);
	for (int i = 0; i < 3 && error == 0; i++) {
		snprintf(path, sizeof path, "%s%s", aggregator->options.journal_path, parts[i]);
		error = put_aside(path, ".damaged", message);
	}
	if (error != 0)
		return error;
	snprintf(notice, sizeof notice, "%.600s: put aside, a new journal begins", reason);
	add_notice(aggregator, notice);
	return nj_ingest_open(&aggregator->ingest_options, &aggregator->ingest_listener, message, &aggregator->ingest);
}

int nj_recovery_open_ingest(struct nj_aggregator *aggregator, const struct nj_ingest_options *options,
			    const struct nj_ingest_listener *listener, struct nj_message *message)
{
	struct nj_message words = {.text = ""};
	aggregator->ingest_options = *options;
	aggregator->ingest_listener = *listener;
	int error = nj_ingest_open(options, listener, &words, &aggregator->ingest);
	if (error == NJ_ERR_FORMAT)
		return replace_journal(aggregator, words.text, message);
	return error == 0 ? NJ_OK : nj_fail(message, error, "%s", words.text);
}

static int push_again(void *context, const struct nj_batch *batch)
{
	struct nj_aggregator *aggregator = context;
	if (batch->start_ns > aggregator->covered_ns)
		nj_aggregator_note_position(aggregator, batch->start_ns, aggregator->position_next);
	return nj_merge_again(aggregator->merge, batch);
}

/* What waited waits again; it lies in the journal from *position* on. */
static int push_pending(struct nj_aggregator *aggregator, const struct copies *pending, uint64_t position,
			struct nj_message *message)
{
	int error = NJ_OK;
	for (uint32_t i = 0; i < pending->n && error == 0; i++) {
		aggregator->position_next = position + i;
		error = nj_ingest_decode(aggregator->ingest, pending->data[i], pending->size[i], message, push_again,
					 aggregator);
	}
	return error;
}

static void tell_loss(struct nj_aggregator *aggregator, const char *words, uint64_t n)
{
	char text[200];
	snprintf(text, sizeof text, words, (unsigned long long)n);
	add_notice(aggregator, text);
}

/* Another journal than the snapshot's. A new one takes over what waits and where the series are; one that holds
 * something has done so before, and is judged from its beginning. */
static int place_other_journal(struct nj_aggregator *aggregator, const struct restoring *restoring, uint64_t held,
			       struct nj_message *message)
{
	aggregator->position_next = 0;
	aggregator->snapshot_from = 0;
	add_notice(aggregator, held > 0 ? "the journal is another than the snapshot's: it is judged from its beginning"
					: "a new journal goes on where the snapshot ends");
	if (held > 0)
		return NJ_OK;
	int error = mend_journal(aggregator, 0, &restoring->pending, message);
	if (error == 0)
		error = push_pending(aggregator, &restoring->pending, 0, message);
	aggregator->position_next = restoring->pending.n;
	return error;
}

static int place_journal(struct nj_aggregator *aggregator, const struct restoring *restoring,
			 struct nj_message *message)
{
	const struct head *head = &restoring->head;
	struct nj_journal_state journal;
	int error = NJ_OK;
	nj_ingest_journal(aggregator->ingest, &journal);
	if (journal.boot != head->journal_boot)
		return place_other_journal(aggregator, restoring, journal.next, message);
	error = push_pending(aggregator, &restoring->pending, head->pending_from, message);
	aggregator->position_next = head->position;
	aggregator->snapshot_from = head->pending_from;
	if (journal.next < head->position) {
		tell_loss(aggregator, "the journal has lost its last %llu entries, which the snapshot covers",
			  head->position - journal.next);
		if (error == 0)
			error = mend_journal(aggregator, head->position, NULL, message);
	} else if (journal.oldest > head->position) {
		tell_loss(aggregator, "the journal's bound has pushed out %llu batches since the snapshot",
			  journal.oldest - head->position);
	}
	return error;
}

static int restore(struct nj_aggregator *aggregator, struct nj_message *message)
{
	struct restoring restoring = {.aggregator = aggregator};
	struct nj_journal_state journal;
	int error = load_newest_good(aggregator, &restoring, message);
	nj_ingest_journal(aggregator->ingest, &journal);
	if (error == 1) {
		aggregator->covered_ns = restoring.head.covered_ns;
		aggregator->agents_ns = restoring.head.agents_ns;
		error = place_journal(aggregator, &restoring, message);
		aggregator->gaps_now = restoring.head.gaps_now;
		aggregator->received_now = restoring.head.received_now;
	} else if (error == 0 && journal.forgotten > 0) {
		add_notice(aggregator,
			   "the snapshots are gone, and with them what came before the journal's oldest entry");
	}
	free_copies(&restoring.pending);
	return error;
}

/* An entry is not what was written, and what follows belongs after it: the journal ends before it from now on. The
 * sensors send again what they still hold. */
static int cut_journal(struct nj_aggregator *aggregator, const char *reason, struct nj_message *message)
{
	char notice[700];
	snprintf(notice, sizeof notice, "%.600s: it and what follows is cut off", reason);
	add_notice(aggregator, notice);
	return mend_journal(aggregator, aggregator->position_next, NULL, message);
}

int nj_recovery_run(struct nj_aggregator *aggregator, struct nj_message *message)
{
	struct nj_message words = {.text = ""};
	uint64_t next;
	int error = restore(aggregator, message);
	if (error != 0)
		return error;
	error = nj_ingest_replay(aggregator->ingest, aggregator->position_next, &words, &next);
	if (error == NJ_ERR_FORMAT && aggregator->failed == 0)
		error = cut_journal(aggregator, words.text, &words);
	/* From the first moment on one stands beside the journal and vouches for it. */
	if (error == 0 && !has_snapshot(aggregator))
		error = nj_aggregator_snapshot(aggregator, &words);
	return error == 0 ? NJ_OK : nj_fail(message, error, "%s", words.text);
}
