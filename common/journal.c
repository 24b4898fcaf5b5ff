/* Two tables of a SQLite file: the entries, each with its checksum (a page that lost a bit is still a page to SQLite),
 * and one row that says what came before them. The row is written in the same
 * transaction as what it speaks of; a copy of it is kept in memory, and a second copy from the last commit, to which a
 * failed transaction returns. */
#include "common/journal.h"

#include "common/db.h"
#include "common/hash.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define APPLICATION_ID 0x4e4a4a4c /* "NJJL" */
#define SCHEMA_VERSION 2          /* 1: entries without checksum */

static const char schema[] =
	"CREATE TABLE entry (sequence INTEGER PRIMARY KEY, hash INTEGER NOT NULL, data BLOB NOT NULL);"
	"CREATE TABLE past (boot INTEGER, next INTEGER, forgotten INTEGER, dropped INTEGER, dropped_bytes INTEGER);";

struct nj_journal {
	struct nj_db *db;
	struct nj_statement *append, *remove, *read, *size_below, *size_from, *cut, *save;
	struct nj_journal_state state, committed;
	struct nj_hash_key key; /* of the checksums: the well-known one */
	char path[512];         /* for messages */
	uint64_t bytes_max;
	bool open; /* a transaction */
};

static int load_past(struct nj_journal *j, const char *path, struct nj_message *message)
{
	struct nj_statement *s;
	int err =
		nj_db_prepare(j->db,
			      "SELECT boot, next, forgotten, dropped, dropped_bytes, (SELECT ifnull(sum(length(data)), "
			      "0) FROM entry), "
			      "(SELECT ifnull(min(sequence), next) FROM entry), (SELECT count(*) FROM entry) FROM past",
			      message, &s);
	if (err < 0)
		return err;
	struct nj_journal_state *st = &j->state;
	uint64_t held = 0;
	err = nj_statement_step(s, message);
	if (err == 1) {
		*st = (struct nj_journal_state){.boot = nj_statement_get_u64(s, 0),
						.next = nj_statement_get_u64(s, 1),
						.forgotten = nj_statement_get_u64(s, 2),
						.dropped = nj_statement_get_u64(s, 3),
						.dropped_bytes = nj_statement_get_u64(s, 4),
						.bytes = nj_statement_get_u64(s, 5),
						.oldest = nj_statement_get_u64(s, 6)};
		held = nj_statement_get_u64(s, 7);
	}
	nj_statement_free(&s);
	if (err == 1 && (st->oldest + held != st->next || st->forgotten + st->dropped + held != st->next))
		return nj_fail(message, NJ_ERR_FORMAT, "%s: damaged journal: entries are missing", path);
	return err;
}

/* A series gets its name when its journal is made. */
static int begin_past(struct nj_journal *j, uint64_t boot, struct nj_message *message)
{
	struct nj_statement *s;
	while (boot == 0)
		if (getrandom(&boot, sizeof boot, 0) != sizeof boot)
			return nj_fail(message, NJ_ERR_IO, "no random numbers");
	boot &= INT64_MAX;
	int err = nj_db_prepare(j->db, "INSERT INTO past VALUES (?, 0, 0, 0, 0)", message, &s);
	if (err < 0)
		return err;
	nj_statement_u64(s, 1, boot);
	err = nj_statement_run(s, message);
	nj_statement_free(&s);
	j->state = (struct nj_journal_state){.boot = boot};
	return err;
}

static int prepare_all(struct nj_journal *j, struct nj_message *message)
{
	const struct {
		struct nj_statement **statement;
		const char *sql;
	} all[] = {
		{&j->append, "INSERT INTO entry VALUES (?, ?, ?)"},
		{&j->remove, "DELETE FROM entry WHERE sequence < ?"},
		{&j->read, "SELECT sequence, data, hash FROM entry WHERE sequence >= ? ORDER BY sequence LIMIT 1"},
		{&j->size_below, "SELECT ifnull(sum(length(data)), 0) FROM entry WHERE sequence < ?"},
		{&j->size_from, "SELECT ifnull(sum(length(data)), 0) FROM entry WHERE sequence >= ?"},
		{&j->cut, "DELETE FROM entry WHERE sequence >= ?"},
		{&j->save, "UPDATE past SET next = ?, forgotten = ?, dropped = ?, dropped_bytes = ?"},
	};
	int err = NJ_OK;
	for (size_t i = 0; i < sizeof all / sizeof *all && err == NJ_OK; i++)
		err = nj_db_prepare(j->db, all[i].sql, message, all[i].statement);
	return err;
}

int nj_journal_open(const struct nj_journal_options *options, struct nj_message *message,
		    struct nj_journal **ret_journal)
{
	const struct nj_db_options db = {.kind = "journal",
					 .application_id = APPLICATION_ID,
					 .version = SCHEMA_VERSION,
					 .schema = schema,
					 .check = true};
	struct nj_journal *j = calloc(1, sizeof *j);
	if (j == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", options->path);
	j->bytes_max = options->bytes_max;
	nj_hash_key_derive("", &j->key);
	snprintf(j->path, sizeof j->path, "%s", options->path);
	int err = nj_db_open(options->path, &db, message, &j->db);
	if (err == NJ_OK)
		err = load_past(j, options->path, message);
	if (err == 0)
		err = begin_past(j, options->boot, message);
	if (err >= 0)
		err = prepare_all(j, message);
	if (err < 0) {
		nj_journal_close(&j);
		return err;
	}
	j->committed = j->state;
	*ret_journal = j;
	return NJ_OK;
}

/* "SQLite format 3", and the application id where SQLite keeps it (https://sqlite.org/fileformat.html, 1.3). */
bool nj_journal_is_ours(const char *path)
{
	uint8_t head[72];
	static const uint8_t id[] = {APPLICATION_ID >> 24 & 0xff, APPLICATION_ID >> 16 & 0xff,
				     APPLICATION_ID >> 8 & 0xff, APPLICATION_ID & 0xff};
	FILE *file = fopen(path, "rbe");
	if (file == NULL)
		return false;
	size_t n = fread(head, 1, sizeof head, file);
	fclose(file);
	return n == sizeof head && memcmp(head, "SQLite format 3", 16) == 0 && memcmp(head + 68, id, sizeof id) == 0;
}

int nj_journal_set_aside(const char *path, struct nj_message *message)
{
	static const char *const parts[] = {"-wal", "-shm", ""};
	char from[600], to[600];
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		snprintf(from, sizeof from, "%s%s", path, parts[i]);
		snprintf(to, sizeof to, "%s.damaged%s", path, parts[i]);
		if (rename(from, to) != 0 && errno != ENOENT)
			return nj_fail(message, NJ_ERR_IO, "%s: cannot be set aside: %s", from, strerror(errno));
	}
	return NJ_OK;
}

void nj_journal_close(struct nj_journal **journal)
{
	struct nj_journal *j = *journal;
	if (j == NULL)
		return;
	struct nj_statement **all[] = {&j->append,    &j->remove, &j->read, &j->size_below,
				       &j->size_from, &j->cut,    &j->save};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		nj_statement_free(all[i]);
	if (j->db != NULL)
		nj_db_rollback(j->db);
	nj_db_close(&j->db);
	free(j);
	*journal = NULL;
}

struct nj_journal_state nj_journal_state(const struct nj_journal *journal)
{
	return journal->state;
}

struct nj_journal_state nj_journal_committed(const struct nj_journal *journal)
{
	return journal->committed;
}

bool nj_journal_has_room(const struct nj_journal *journal, size_t size)
{
	return size <= journal->bytes_max && journal->state.bytes <= journal->bytes_max - size;
}

struct nj_db *nj_journal_db(struct nj_journal *journal)
{
	return journal->db;
}

static void give_up(struct nj_journal *j)
{
	nj_db_rollback(j->db);
	j->state = j->committed;
	j->open = false;
}

int nj_journal_begin(struct nj_journal *journal, struct nj_message *message)
{
	nj_statement_reset(journal->read); /* a row still at hand would keep the write-ahead log from being folded in */
	int err = journal->open ? NJ_OK : nj_db_begin(journal->db, message);
	journal->open = err == NJ_OK;
	return err;
}

int nj_journal_commit(struct nj_journal *j, struct nj_message *message)
{
	if (!j->open)
		return NJ_OK;
	const struct nj_journal_state *st = &j->state;
	const uint64_t values[] = {st->next, st->forgotten, st->dropped, st->dropped_bytes};
	for (int i = 0; i < 4; i++)
		nj_statement_u64(j->save, i + 1, values[i]);
	int err = nj_statement_run(j->save, message);
	if (err == NJ_OK)
		err = nj_db_commit(j->db, message);
	if (err < 0) {
		give_up(j);
		return err;
	}
	j->committed = j->state;
	j->open = false;
	return NJ_OK;
}

/* Ends what one call did: commits when the call began the transaction, gives all up when something failed. */
static int conclude(struct nj_journal *j, bool own, int err, struct nj_message *message)
{
	if (err < 0 && j->open)
		give_up(j);
	return err == NJ_OK && own ? nj_journal_commit(j, message) : err;
}

/* Takes everything below *sequence* out; gives how many bytes that were. */
static int remove_below(struct nj_journal *j, uint64_t sequence, struct nj_message *message, uint64_t *ret_bytes)
{
	uint64_t bytes = 0;
	nj_statement_u64(j->size_below, 1, sequence);
	int err = nj_statement_step(j->size_below, message);
	if (err == 1) {
		bytes = nj_statement_get_u64(j->size_below, 0);
		nj_statement_reset(j->size_below);
		nj_statement_u64(j->remove, 1, sequence);
		err = nj_statement_run(j->remove, message);
	}
	if (err < 0)
		return err;
	j->state.oldest = sequence;
	j->state.bytes -= bytes;
	*ret_bytes = bytes;
	return NJ_OK;
}

static int drop_oldest(struct nj_journal *j, size_t size, struct nj_message *message)
{
	while (!nj_journal_has_room(j, size)) {
		uint64_t bytes;
		assert(j->state.oldest < j->state.next);
		int err = remove_below(j, j->state.oldest + 1, message, &bytes);
		if (err < 0)
			return err;
		j->state.dropped++;
		j->state.dropped_bytes += bytes;
	}
	return NJ_OK;
}

int nj_journal_append(struct nj_journal *j, const void *data, size_t size, struct nj_message *message)
{
	if (size > j->bytes_max)
		return nj_fail(message, NJ_ERR_LIMIT, "an entry of %zu bytes exceeds the journal's bound", size);
	bool own = !j->open;
	int err = nj_journal_begin(j, message);
	if (err == NJ_OK)
		err = drop_oldest(j, size, message);
	if (err == NJ_OK) {
		nj_statement_u64(j->append, 1, j->state.next);
		nj_statement_u64(j->append, 2, nj_hash64(data, size, &j->key));
		nj_statement_blob(j->append, 3, data, size);
		err = nj_statement_run(j->append, message);
	}
	if (err == NJ_OK) {
		j->state.next++;
		j->state.bytes += size;
	}
	return conclude(j, own, err, message);
}

int nj_journal_forget(struct nj_journal *j, uint64_t sequence, struct nj_message *message)
{
	uint64_t from = j->state.oldest, bytes;
	if (sequence > j->state.next)
		sequence = j->state.next;
	if (sequence <= from)
		return NJ_OK;
	bool own = !j->open;
	int err = nj_journal_begin(j, message);
	if (err == NJ_OK)
		err = remove_below(j, sequence, message, &bytes);
	if (err == NJ_OK)
		j->state.forgotten += sequence - from;
	return conclude(j, own, err, message);
}

int nj_journal_read(struct nj_journal *j, uint64_t sequence, struct nj_message *message, uint64_t *ret_sequence,
		    const void **ret_data, size_t *ret_size)
{
	nj_statement_reset(j->read);
	nj_statement_u64(j->read, 1, sequence);
	int err = nj_statement_step(j->read, message);
	if (err != 1)
		return err;
	*ret_sequence = nj_statement_get_u64(j->read, 0);
	*ret_data = nj_statement_get_blob(j->read, 1, ret_size);
	if (nj_hash64(*ret_data, *ret_size, &j->key) != nj_statement_get_u64(j->read, 2))
		return nj_fail(message, NJ_ERR_FORMAT, "%s: damaged journal: entry %llu is not what was written",
			       j->path, (unsigned long long)*ret_sequence);
	return 1;
}

int nj_journal_move_on(struct nj_journal *j, uint64_t sequence, struct nj_message *message)
{
	if (sequence <= j->state.next)
		return NJ_OK;
	bool own = !j->open;
	int err = nj_journal_begin(j, message);
	if (err == NJ_OK)
		err = nj_journal_forget(j, j->state.next, message);
	if (err == NJ_OK) {
		j->state.dropped += sequence - j->state.next;
		j->state.oldest = j->state.next = sequence;
	}
	return conclude(j, own, err, message);
}

int nj_journal_cut(struct nj_journal *j, uint64_t sequence, struct nj_message *message)
{
	assert(sequence >= j->state.oldest);
	assert(sequence <= j->state.next);
	uint64_t bytes = 0;
	bool own = !j->open;
	int err = nj_journal_begin(j, message);
	nj_statement_u64(j->size_from, 1, sequence);
	if (err == NJ_OK && (err = nj_statement_step(j->size_from, message)) == 1) {
		bytes = nj_statement_get_u64(j->size_from, 0);
		nj_statement_reset(j->size_from);
		nj_statement_u64(j->cut, 1, sequence);
		err = nj_statement_run(j->cut, message);
	}
	if (err == NJ_OK) {
		j->state.next = sequence;
		j->state.bytes -= bytes;
	}
	return conclude(j, own, err, message);
}

int nj_journal_bytes_from(struct nj_journal *j, uint64_t sequence, struct nj_message *message, uint64_t *ret_bytes)
{
	nj_statement_u64(j->size_from, 1, sequence);
	int err = nj_statement_step(j->size_from, message);
	if (err != 1)
		return err;
	*ret_bytes = nj_statement_get_u64(j->size_from, 0);
	nj_statement_reset(j->size_from);
	return NJ_OK;
}
