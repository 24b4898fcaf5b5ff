/* A snapshot file: named sections of records, written whole or not at all.
 *
 * The file is written beside its place as PATH.new, synchronised, and renamed; what was there before becomes
 * PATH.previous. So at any instant one whole snapshot stands under one of the two names once there has been one. Each
 * section carries the schema of its records (common/layout.h); each chunk of it its length, its number and a checksum
 * over itself and its head, and the last chunk says how many there were: a file cut short, patched or put together from
 * two is recognised before anything of it is used.
 *
 *   magic "NJSNAP" + format number (2 bytes)
 *   chunk: section[16], kind, records, bytes, number (4 bytes each, little end first), XXH3 of the data, XXH3 of the
 * head
 *
 * Record = key (4 bytes) + members by schema; in a section of blobs key (4) + length (4) + bytes. One thread. Memory:
 * one chunk (1 MB) in each direction, or one blob. */
#ifndef NJ_AGGREGATOR_SNAPSHOT_H
#define NJ_AGGREGATOR_SNAPSHOT_H

#include "common/layout.h"

#define NJ_SNAPSHOT_FORMAT   1
#define NJ_SNAPSHOT_BLOB_MAX (8u << 20)
#define NJ_SNAPSHOT_NAME_MAX 16 /* of a section, with the NUL */

/* ---- writing. The first failure sticks: it is told by finish. */
struct nj_snapshot_writer;

/* *keeps* nothing of *path*. NJ_ERR_IO, _PERMISSION, _NOT_FOUND, _MEMORY. *returns owned*. */
NJ_MUST_CHECK int nj_snapshot_create(const char *path, struct nj_message *message,
				     struct nj_snapshot_writer **ret_writer);
/* Begins a section; *fields* NULL: of blobs. A name comes once. */
void nj_snapshot_section(struct nj_snapshot_writer *writer, const char *name, const struct nj_fields *fields);
void nj_snapshot_record(struct nj_snapshot_writer *writer, uint32_t key, const void *record);
void nj_snapshot_blob(struct nj_snapshot_writer *writer, uint32_t key, const void *data, size_t size);
/* Makes it the newest, durably; ends the writer either way. After a failure the older ones are as they were.
 * *ret_bytes*, may be NULL: size of the file. */
NJ_MUST_CHECK int nj_snapshot_finish(struct nj_snapshot_writer **writer, struct nj_message *message,
				     uint64_t *ret_bytes);
void nj_snapshot_abandon(struct nj_snapshot_writer **writer); /* nothing happened */

/* ---- reading */

struct nj_snapshot_taker;

/* One record. *Borrowed until* take returns. */
struct nj_snapshot_item {
	const struct nj_snapshot_taker *taker;
	uint32_t key;
	const void *record; /* of the taker's fields, or the blob */
	size_t size;
};

/* What is done with a section. Sections nobody knows are passed over: an older program reads what a newer one wrote,
 * as far as it can. */
struct nj_snapshot_taker {
	const char *name;
	const struct nj_fields *fields; /* NULL: of blobs */
	bool required;                  /* its absence refuses the file */
	/* Negative: refuses the file. */
	int (*take)(void *context, const struct nj_snapshot_item *item, struct nj_message *message);
	void *context;
};

/* Looks at every byte of the file first, then hands over its records in the order they were written. NJ_ERR_NOT_FOUND:
 * there is none; NJ_ERR_FORMAT: damaged; NJ_ERR_VERSION: of another format, or a member of another kind; the message
 * begins with the path. After NJ_ERR_FORMAT from the first look nothing was handed over. */
NJ_MUST_CHECK int nj_snapshot_read(const char *path, const struct nj_snapshot_taker *taker, uint32_t takers_n,
				   struct nj_message *message);

/* PATH.previous; *path* is at most NJ_SNAPSHOT_PATH_MAX - 16 long (asserted). */
#define NJ_SNAPSHOT_PATH_MAX 600
void nj_snapshot_previous(const char *path, char ret_path[NJ_SNAPSHOT_PATH_MAX]);

#endif
