/* A SQLite database: the journal's and the store's. The only file that knows SQLite. One handle belongs to one thread.
 * Files are in WAL mode with full synchronisation: what was committed survives the loss of process and power.
 * ":memory:" works by the same code. A file says by its application id what it is and by its version which schema it
 * has; another kind of file, another version and a damaged file are refused with words.
 *
 *   nj_statement_u64(s, 1, id);
 *   nj_statement_text(s, 2, name);
 *   while ((err = nj_statement_step(s, message)) == 1)
 *           use(nj_statement_get_u64(s, 0));
 *
 * A failed bind is told by the next step. A statement that is done or has failed is ready to be bound anew. */
#ifndef NJ_COMMON_DB_H
#define NJ_COMMON_DB_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nj_db;
struct nj_statement;

struct nj_db_options {
	const char *kind;        /* for messages: "journal", "store" */
	uint32_t application_id; /* what the file is */
	uint32_t version;        /* of the schema */
	const char *schema;      /* SQL that makes an empty database one of this version */
	bool read_only;          /* the file must exist and is never written */
	bool check;              /* look at every page before use: about 1 s a GB */
};

/* NJ_ERR_NOT_FOUND, _PERMISSION, _IO, _FORMAT (damaged, or another kind of file), _VERSION, _AGAIN (locked by another
 * process), _MEMORY, _DB. *returns owned*. */
NJ_MUST_CHECK int nj_db_open(const char *path, const struct nj_db_options *options, struct nj_message *message,
			     struct nj_db **ret_db);
void nj_db_close(struct nj_db **db); /* statements must be freed before */

NJ_MUST_CHECK int nj_db_run(struct nj_db *db, const char *sql,
			    struct nj_message *message); /* one or several statements without results */
NJ_MUST_CHECK int nj_db_begin(struct nj_db *db, struct nj_message *message);
NJ_MUST_CHECK int nj_db_commit(struct nj_db *db, struct nj_message *message);
void nj_db_rollback(struct nj_db *db); /* nothing to do outside a transaction */

NJ_MUST_CHECK int nj_db_prepare(struct nj_db *db, const char *sql, struct nj_message *message,
				struct nj_statement **ret_statement);
void nj_statement_free(struct nj_statement **statement);

/* Parameters count from 1. Text and blobs are borrowed until the statement is done; NULL text binds NULL. */
void nj_statement_u64(struct nj_statement *statement, int parameter, uint64_t value);
void nj_statement_double(struct nj_statement *statement, int parameter, double value); /* NAN binds NULL */
void nj_statement_text(struct nj_statement *statement, int parameter, const char *text);
void nj_statement_blob(struct nj_statement *statement, int parameter, const void *data, size_t size);

/* 1: a row is at hand; 0: done; negative: failed. */
NJ_MUST_CHECK int nj_statement_step(struct nj_statement *statement, struct nj_message *message);
/* For statements without rows: NJ_OK or an error. */
NJ_MUST_CHECK int nj_statement_run(struct nj_statement *statement, struct nj_message *message);
void nj_statement_reset(struct nj_statement *statement); /* leaves the rows that were not fetched */

/* Columns count from 0; *returns borrowed until* the next step or reset. Text is never NULL. */
uint64_t nj_statement_get_u64(struct nj_statement *statement, int column);
double nj_statement_get_double(struct nj_statement *statement, int column); /* NULL: NAN */
const char *nj_statement_get_text(struct nj_statement *statement, int column);
const void *nj_statement_get_blob(struct nj_statement *statement, int column, size_t *ret_size);

#endif
