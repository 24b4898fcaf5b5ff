/* Written and read with plain system calls: every failure of the disk must be seen at its place, and a snapshot is too
 * large to wait in a second copy. The checksum is the keyed hash under the well-known key: it finds damage, it does not
 * stop someone who may write in the aggregator's folder. */
#include "aggregator/snapshot.h"

#include "common/cursor.h"
#include "common/file.h"
#include "common/hash.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES (1u << 20)
#define DATA_MAX    (NJ_SNAPSHOT_BLOB_MAX + 64)
#define TAKERS_MAX  64

static const char magic[8] = {'N', 'J', 'S', 'N', 'A', 'P', 0, NJ_SNAPSHOT_FORMAT};

enum chunk_kind { CHUNK_SCHEMA = 1, CHUNK_RECORDS = 2, CHUNK_BLOBS = 3, CHUNK_END = 4 };

struct chunk {
	char section[NJ_SNAPSHOT_NAME_MAX];
	uint32_t kind, records, bytes, number;
	uint64_t data_hash, head_hash;
};
static_assert(sizeof(struct chunk) == 48, "as it stands in the file");

struct nj_snapshot_writer {
	char path[NJ_SNAPSHOT_PATH_MAX], path_new[NJ_SNAPSHOT_PATH_MAX];
	int file;
	struct nj_hash_key key;
	struct nj_layout *layout; /* of the section; NULL: blobs */
	struct chunk chunk;       /* being filled */
	uint8_t *data;
	uint32_t number;
	uint64_t written;
	int error; /* first failure */
	struct nj_message message;
};

static void name_file(const char *path, const char *suffix, char ret_path[NJ_SNAPSHOT_PATH_MAX])
{
	size_t length = strlen(path), more = strlen(suffix);
	assert(length + more < NJ_SNAPSHOT_PATH_MAX);
	memcpy(ret_path, path, length);
	memcpy(ret_path + length, suffix, more + 1);
}

void nj_snapshot_previous(const char *path, char ret_path[NJ_SNAPSHOT_PATH_MAX])
{
	name_file(path, ".previous", ret_path);
}

/* =============================== writing =============================== */

static void keep_failure(struct nj_snapshot_writer *w, int error_number)
{
	if (w->error == 0)
		w->error = nj_file_fail(&w->message, w->path_new, error_number);
}

static void write_bytes(struct nj_snapshot_writer *w, const void *data, size_t size)
{
	const uint8_t *at = data;
	while (size > 0 && w->error == 0) {
		ssize_t n = write(w->file, at, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			keep_failure(w, n < 0 ? errno : ENOSPC);
			return;
		}
		at += n;
		size -= (size_t)n;
		w->written += (uint64_t)n;
	}
}

static void write_chunk(struct nj_snapshot_writer *w, enum chunk_kind kind, const void *data, size_t size)
{
	w->chunk.kind = kind;
	w->chunk.bytes = (uint32_t)size;
	w->chunk.number = w->number++;
	w->chunk.data_hash = nj_hash64(data, size, &w->key);
	w->chunk.head_hash = nj_hash64(&w->chunk, offsetof(struct chunk, head_hash), &w->key);
	write_bytes(w, &w->chunk, sizeof w->chunk);
	write_bytes(w, data, size);
	w->chunk.records = w->chunk.bytes = 0;
}

static void flush(struct nj_snapshot_writer *w)
{
	if (w->chunk.records > 0)
		write_chunk(w, w->layout != NULL ? CHUNK_RECORDS : CHUNK_BLOBS, w->data, w->chunk.bytes);
}

int nj_snapshot_create(const char *path, struct nj_message *message, struct nj_snapshot_writer **ret_writer)
{
	if (strlen(path) > NJ_SNAPSHOT_PATH_MAX - 16)
		return nj_fail(message, NJ_ERR_LIMIT, "%s: the name is too long", path);
	struct nj_snapshot_writer *w = calloc(1, sizeof *w);
	if (w == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", path);
	name_file(path, "", w->path);
	name_file(path, ".new", w->path_new);
	nj_hash_key_derive("", &w->key);
	w->data = malloc(CHUNK_BYTES);
	w->file = open(w->path_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (w->data == NULL || w->file < 0) {
		int error = w->data == NULL ? nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", path)
					    : nj_file_fail(message, w->path_new, errno);
		nj_snapshot_abandon(&w);
		return error;
	}
	write_bytes(w, magic, sizeof magic);
	*ret_writer = w;
	return NJ_OK;
}

void nj_snapshot_section(struct nj_snapshot_writer *w, const char *name, const struct nj_fields *fields)
{
	size_t size = 0;
	const uint8_t *schema = (const uint8_t *)"";
	assert(strlen(name) < NJ_SNAPSHOT_NAME_MAX);
	flush(w);
	nj_layout_free(&w->layout);
	memset(&w->chunk, 0, sizeof w->chunk);
	memcpy(w->chunk.section, name, strlen(name));
	if (fields != NULL) {
		int error = nj_layout_new(fields, &w->layout);
		if (error != 0 && w->error == 0)
			w->error = nj_fail(&w->message, error, "%s: out of memory", w->path_new);
		if (error != 0)
			return;
		assert(nj_layout_bytes(w->layout) + sizeof(uint32_t) <= CHUNK_BYTES);
		schema = nj_layout_schema(w->layout, &size);
	}
	write_chunk(w, CHUNK_SCHEMA, schema, size);
}

void nj_snapshot_record(struct nj_snapshot_writer *w, uint32_t key, const void *record)
{
	if (w->error != 0)
		return;
	assert(w->layout != NULL);
	size_t size = sizeof key + nj_layout_bytes(w->layout);
	if (w->chunk.bytes + size > CHUNK_BYTES)
		flush(w);
	memcpy(w->data + w->chunk.bytes, &key, sizeof key);
	nj_layout_encode(w->layout, record, w->data + w->chunk.bytes + sizeof key);
	w->chunk.bytes += (uint32_t)size;
	w->chunk.records++;
}

void nj_snapshot_blob(struct nj_snapshot_writer *w, uint32_t key, const void *data, size_t size)
{
	if (w->error != 0)
		return;
	assert(w->layout == NULL);
	assert(size <= NJ_SNAPSHOT_BLOB_MAX);
	const uint32_t head[] = {key, (uint32_t)size};
	if (w->chunk.bytes + sizeof head + size > CHUNK_BYTES)
		flush(w);
	if (sizeof head + size > CHUNK_BYTES) { /* goes alone */
		uint8_t *whole = malloc(sizeof head + size);
		if (whole == NULL) {
			w->error = nj_fail(&w->message, NJ_ERR_MEMORY, "%s: out of memory", w->path_new);
			return;
		}
		memcpy(whole, head, sizeof head);
		memcpy(whole + sizeof head, data, size);
		w->chunk.records = 1;
		write_chunk(w, CHUNK_BLOBS, whole, sizeof head + size);
		free(whole);
		return;
	}
	memcpy(w->data + w->chunk.bytes, head, sizeof head);
	memcpy(w->data + w->chunk.bytes + sizeof head, data, size);
	w->chunk.bytes += (uint32_t)(sizeof head + size);
	w->chunk.records++;
}

/* A rename is durable once the folder is. */
static void sync_folder(struct nj_snapshot_writer *w)
{
	char folder[NJ_SNAPSHOT_PATH_MAX];
	name_file(w->path, "", folder);
	char *slash = strrchr(folder, '/');
	if (slash == NULL)
		snprintf(folder, sizeof folder, ".");
	else
		slash[slash == folder] = '\0';
	int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file < 0 || fsync(file) != 0)
		keep_failure(w, errno);
	if (file >= 0)
		close(file);
}

static void put_in_place(struct nj_snapshot_writer *w)
{
	char previous[NJ_SNAPSHOT_PATH_MAX];
	nj_snapshot_previous(w->path, previous);
	if (rename(w->path, previous) != 0 && errno != ENOENT)
		keep_failure(w, errno);
	else if (rename(w->path_new, w->path) != 0)
		keep_failure(w, errno);
	else
		sync_folder(w);
}

int nj_snapshot_finish(struct nj_snapshot_writer **writer, struct nj_message *message, uint64_t *ret_bytes)
{
	struct nj_snapshot_writer *w = *writer;
	flush(w);
	memset(&w->chunk, 0, sizeof w->chunk);
	w->chunk.records = w->number + 1; /* how many chunks there are, this one included */
	write_chunk(w, CHUNK_END, "", 0);
	if (w->error == 0 && fsync(w->file) != 0)
		keep_failure(w, errno);
	if (close(w->file) != 0)
		keep_failure(w, errno);
	w->file = -1;
	if (w->error == 0)
		put_in_place(w);
	int error = w->error;
	if (error != 0 && message != NULL)
		*message = w->message;
	if (ret_bytes != NULL)
		*ret_bytes = w->written;
	nj_snapshot_abandon(writer);
	return error;
}

void nj_snapshot_abandon(struct nj_snapshot_writer **writer)
{
	struct nj_snapshot_writer *w = *writer;
	if (w == NULL)
		return;
	if (w->file >= 0)
		close(w->file);
	unlink(w->path_new); /* gone already when it was put in place */
	nj_layout_free(&w->layout);
	free(w->data);
	free(w);
	*writer = NULL;
}

/* =============================== reading =============================== */

struct reader {
	const char *path;
	FILE *file;
	struct nj_hash_key key;
	struct chunk chunk;
	uint8_t *data;
	uint32_t number;
	struct nj_message *message;
};

static int damaged(struct reader *r, const char *words)
{
	return nj_fail(r->message, NJ_ERR_FORMAT, "%s: damaged snapshot: %s at chunk %u", r->path, words, r->number);
}

static int read_magic(struct reader *r)
{
	char start[sizeof magic];
	if (fread(start, 1, sizeof start, r->file) != sizeof start || memcmp(start, magic, 6) != 0)
		return nj_fail(r->message, NJ_ERR_FORMAT, "%s: is no Nightjar snapshot", r->path);
	uint32_t format = (uint32_t)(uint8_t)start[6] << 8 | (uint8_t)start[7];
	if (format != NJ_SNAPSHOT_FORMAT)
		return nj_fail(r->message, NJ_ERR_VERSION, "%s: snapshot of format %u, this program reads %d", r->path,
			       format, NJ_SNAPSHOT_FORMAT);
	return NJ_OK;
}

/* 1: a chunk is at hand; 0: it was the last, and nothing follows. */
static int read_chunk(struct reader *r)
{
	struct chunk *c = &r->chunk;
	if (fread(c, 1, sizeof *c, r->file) != sizeof *c)
		return damaged(r, "ends too early");
	if (c->head_hash != nj_hash64(c, offsetof(struct chunk, head_hash), &r->key) || c->number != r->number ||
	    c->bytes > DATA_MAX || c->section[NJ_SNAPSHOT_NAME_MAX - 1] != '\0')
		return damaged(r, "head");
	if (fread(r->data, 1, c->bytes, r->file) != c->bytes)
		return damaged(r, "ends too early");
	if (c->data_hash != nj_hash64(r->data, c->bytes, &r->key))
		return damaged(r, "checksum");
	r->number++;
	if (c->kind != CHUNK_END)
		return 1;
	if (c->records != r->number || fgetc(r->file) != EOF)
		return damaged(r, "length");
	return 0;
}

static int look_at_all(struct reader *r)
{
	int more = read_magic(r);
	if (more == NJ_OK)
		while ((more = read_chunk(r)) == 1)
			;
	return more;
}

/* What one section's records go through. */
struct section {
	const struct nj_snapshot_taker *taker;
	struct nj_plan *plan;
	void *record;
};

static int begin_section(struct reader *r, const struct nj_snapshot_taker *taker, uint32_t takers_n, bool *seen,
			 struct section *section)
{
	nj_plan_free(&section->plan);
	free(section->record);
	*section = (struct section){0};
	for (uint32_t i = 0; i < takers_n; i++) {
		if (strcmp(taker[i].name, r->chunk.section) != 0)
			continue;
		section->taker = &taker[i];
		if (seen[i])
			return damaged(r, "repeated section");
		seen[i] = true;
	}
	if (section->taker == NULL || section->taker->fields == NULL)
		return NJ_OK;
	struct nj_message words = {.text = ""};
	int error = nj_plan_new(section->taker->fields, r->data, r->chunk.bytes, &words, &section->plan);
	if (error != 0)
		return nj_fail(r->message, error, "%s: snapshot written by another release: %s", r->path, words.text);
	section->record = malloc(section->taker->fields->bytes);
	return section->record != NULL ? NJ_OK : nj_fail(r->message, NJ_ERR_MEMORY, "%s: out of memory", r->path);
}

static int take(struct reader *r, const struct section *section, uint32_t key, const void *record, size_t size)
{
	struct nj_message words = {.text = ""};
	const struct nj_snapshot_item item = {section->taker, key, record, size};
	int error = section->taker->take(section->taker->context, &item, &words);
	if (error < 0)
		return nj_fail(r->message, error, "%s: section %s: %s", r->path, section->taker->name,
			       words.text[0] != '\0' ? words.text : nj_error_text(error));
	return NJ_OK;
}

static int take_record(struct reader *r, const struct section *section, struct nj_cursor *c)
{
	uint32_t key = 0;
	const uint8_t *head = nj_cursor_take(c, sizeof key);
	const uint8_t *bytes = nj_cursor_take(c, nj_plan_bytes(section->plan));
	if (!nj_cursor_ok(c))
		return damaged(r, "short records");
	memcpy(&key, head, sizeof key);
	if (!nj_plan_decode(section->plan, bytes, section->record))
		return damaged(r, "impossible value");
	return take(r, section, key, section->record, section->taker->fields->bytes);
}

static int take_blob(struct reader *r, const struct section *section, struct nj_cursor *c)
{
	uint32_t facts[2] = {0}; /* key, length */
	const uint8_t *head = nj_cursor_take(c, sizeof facts);
	if (head != NULL)
		memcpy(facts, head, sizeof facts);
	const uint8_t *bytes = nj_cursor_take(c, facts[1]);
	return nj_cursor_ok(c) ? take(r, section, facts[0], bytes, facts[1]) : damaged(r, "short records");
}

static int take_records(struct reader *r, const struct section *section)
{
	struct nj_cursor c = nj_cursor_make(r->data, r->chunk.bytes);
	int error = NJ_OK;
	for (uint32_t i = 0; i < r->chunk.records && error == NJ_OK; i++)
		error = section->plan != NULL ? take_record(r, section, &c) : take_blob(r, section, &c);
	return error;
}

static int take_all(struct reader *r, const struct nj_snapshot_taker *taker, uint32_t takers_n)
{
	struct section section = {0};
	bool seen[TAKERS_MAX] = {false};
	rewind(r->file);
	r->number = 0;
	int more = read_magic(r);
	while (more >= 0 && (more = read_chunk(r)) == 1) {
		if (r->chunk.kind == CHUNK_SCHEMA)
			more = begin_section(r, taker, takers_n, seen, &section);
		else if (section.taker == NULL)
			continue;
		else if ((r->chunk.kind == CHUNK_RECORDS) == (section.plan != NULL))
			more = take_records(r, &section);
		else
			more = damaged(r, "records of another sort");
	}
	nj_plan_free(&section.plan);
	free(section.record);
	for (uint32_t i = 0; i < takers_n && more == 0; i++)
		if (taker[i].required && !seen[i])
			more = nj_fail(r->message, NJ_ERR_VERSION, "%s: the snapshot has no section %s", r->path,
				       taker[i].name);
	return more;
}

int nj_snapshot_read(const char *path, const struct nj_snapshot_taker *taker, uint32_t takers_n,
		     struct nj_message *message)
{
	assert(takers_n <= TAKERS_MAX);
	struct reader r = {.path = path, .message = message, .file = fopen(path, "rbe"), .data = malloc(DATA_MAX)};
	int error = NJ_OK;
	if (r.data == NULL)
		error = nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", path);
	else if (r.file == NULL)
		error = nj_file_fail(message, path, errno);
	nj_hash_key_derive("", &r.key);
	if (error == NJ_OK)
		error = look_at_all(&r);
	if (error == NJ_OK)
		error = take_all(&r, taker, takers_n);
	if (r.file != NULL)
		fclose(r.file);
	free(r.data);
	return error;
}
