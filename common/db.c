/* Unsigned 64-bit numbers are stored as SQLite's signed ones of the same bits: equal stays equal; who sorts or sums
 * must stay below 2^63. */
#include "common/db.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_MS 5000

struct nj_db {
	sqlite3 *handle;
	char path[512];
};

struct nj_statement {
	struct nj_db *db;
	sqlite3_stmt *handle;
	int bind_code; /* first failed bind */
};

static int error_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return NJ_ERR_MEMORY;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		return NJ_ERR_PERMISSION;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return NJ_ERR_FORMAT;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
	case SQLITE_FULL:
		return NJ_ERR_IO;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return NJ_ERR_AGAIN;
	case SQLITE_TOOBIG:
		return NJ_ERR_LIMIT;
	default:
		return NJ_ERR_DB;
	}
}

static int fail(const struct nj_db *db, int code, struct nj_message *message)
{
	const char *words = db->handle != NULL && sqlite3_errcode(db->handle) != SQLITE_OK ? sqlite3_errmsg(db->handle)
											   : sqlite3_errstr(code);
	return nj_fail(message, error_of(code), "%s: %s", db->path, words);
}

int nj_db_run(struct nj_db *db, const char *sql, struct nj_message *message)
{
	int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? NJ_OK : fail(db, code, message);
}

int nj_db_begin(struct nj_db *db, struct nj_message *message)
{
	return nj_db_run(db, "BEGIN IMMEDIATE", message);
}

int nj_db_commit(struct nj_db *db, struct nj_message *message)
{
	return nj_db_run(db, "COMMIT", message);
}

void nj_db_rollback(struct nj_db *db)
{
	if (!sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

/* The first column of the first row of a query that has one. */
static int ask(struct nj_db *db, const char *sql, struct nj_message *message, uint64_t *ret_value, char *ret_text,
	       size_t text_size)
{
	struct nj_statement *statement = NULL;
	int err = nj_db_prepare(db, sql, message, &statement);
	if (err < 0)
		return err;
	err = nj_statement_step(statement, message);
	if (err == 1) {
		*ret_value = nj_statement_get_u64(statement, 0);
		snprintf(ret_text, text_size, "%s", nj_statement_get_text(statement, 0));
	}
	nj_statement_free(&statement);
	return err < 0 ? err : NJ_OK;
}

static int create(struct nj_db *db, const struct nj_db_options *options, struct nj_message *message)
{
	char marks[128];
	snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = %u",
		 (int32_t)options->application_id, options->version);
	int err = nj_db_begin(db, message);
	if (err == NJ_OK)
		err = nj_db_run(db, options->schema, message);
	if (err == NJ_OK)
		err = nj_db_run(db, marks, message);
	if (err == NJ_OK)
		err = nj_db_commit(db, message);
	if (err < 0)
		nj_db_rollback(db);
	return err;
}

/* Is it ours, of our version, whole? A new file becomes so. */
static int identify(struct nj_db *db, const struct nj_db_options *options, struct nj_message *message)
{
	uint64_t application = 0, version = 0, tables = 0, ignored;
	char text[128] = "";
	int err = ask(db, "SELECT count(*) FROM sqlite_schema", message, &tables, text, sizeof text);
	if (err == NJ_OK && tables == 0 && !options->read_only)
		return create(db, options, message);
	if (err == NJ_OK)
		err = ask(db, "PRAGMA application_id", message, &application, text, sizeof text);
	if (err == NJ_OK)
		err = ask(db, "PRAGMA user_version", message, &version, text, sizeof text);
	if (err < 0)
		return err;
	if ((uint32_t)application != options->application_id)
		return nj_fail(message, NJ_ERR_FORMAT, "%s: is no Nightjar %s", db->path, options->kind);
	if (version != options->version)
		return nj_fail(message, NJ_ERR_VERSION, "%s: %s of version %llu, this program reads %u", db->path,
			       options->kind, (unsigned long long)version, options->version);
	if (!options->check)
		return NJ_OK;
	err = ask(db, "PRAGMA quick_check(1)", message, &ignored, text, sizeof text);
	for (char *line = strchr(text, '\n'); line != NULL; line = strchr(line, '\n'))
		*line = ' ';
	if (err == NJ_OK && strcmp(text, "ok") != 0)
		return nj_fail(message, NJ_ERR_FORMAT, "%s: damaged %s: %s", db->path, options->kind, text);
	return err;
}

static int set_up(struct nj_db *db, const struct nj_db_options *options, struct nj_message *message)
{
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	int err = nj_db_run(db, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON",
			    message);
	if (err == NJ_OK && !options->read_only)
		err = nj_db_run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", message);
	return err == NJ_OK ? identify(db, options, message) : err;
}

int nj_db_open(const char *path, const struct nj_db_options *options, struct nj_message *message, struct nj_db **ret_db)
{
	struct nj_db *db = calloc(1, sizeof *db);
	if (db == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", path);
	snprintf(db->path, sizeof db->path, "%s", path);
	int flags = SQLITE_OPEN_NOMUTEX |
		    (options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	int code = sqlite3_open_v2(path, &db->handle, flags, NULL);
	int err = code == SQLITE_OK ? set_up(db, options, message) : fail(db, code, message);
	if (err < 0)
		nj_db_close(&db);
	else
		*ret_db = db;
	return err;
}

void nj_db_close(struct nj_db **db)
{
	if (*db == NULL)
		return;
	sqlite3_close_v2((*db)->handle);
	free(*db);
	*db = NULL;
}

int nj_db_prepare(struct nj_db *db, const char *sql, struct nj_message *message, struct nj_statement **ret_statement)
{
	struct nj_statement *statement = calloc(1, sizeof *statement);
	if (statement == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", db->path);
	statement->db = db;
	int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->handle, NULL);
	if (code != SQLITE_OK) {
		free(statement);
		return fail(db, code, message);
	}
	*ret_statement = statement;
	return NJ_OK;
}

void nj_statement_free(struct nj_statement **statement)
{
	if (*statement == NULL)
		return;
	sqlite3_finalize((*statement)->handle);
	free(*statement);
	*statement = NULL;
}

static void note(struct nj_statement *statement, int code)
{
	if (statement->bind_code == SQLITE_OK)
		statement->bind_code = code;
}

void nj_statement_u64(struct nj_statement *statement, int parameter, uint64_t value)
{
	note(statement, sqlite3_bind_int64(statement->handle, parameter, (sqlite3_int64)value));
}

void nj_statement_double(struct nj_statement *statement, int parameter, double value)
{
	note(statement, isnan(value) ? sqlite3_bind_null(statement->handle, parameter)
				     : sqlite3_bind_double(statement->handle, parameter, value));
}

void nj_statement_text(struct nj_statement *statement, int parameter, const char *text)
{
	note(statement, sqlite3_bind_text(statement->handle, parameter, text, -1, SQLITE_STATIC));
}

void nj_statement_blob(struct nj_statement *statement, int parameter, const void *data, size_t size)
{
	note(statement, sqlite3_bind_blob64(statement->handle, parameter, size > 0 ? data : "", size, SQLITE_STATIC));
}

int nj_statement_step(struct nj_statement *statement, struct nj_message *message)
{
	int code = statement->bind_code;
	if (code == SQLITE_OK)
		code = sqlite3_step(statement->handle);
	if (code == SQLITE_ROW)
		return 1;
	int err = code == SQLITE_DONE ? NJ_OK : fail(statement->db, code, message);
	nj_statement_reset(statement);
	return err;
}

int nj_statement_run(struct nj_statement *statement, struct nj_message *message)
{
	int err = nj_statement_step(statement, message);
	if (err == 1)
		nj_statement_reset(statement);
	return err < 0 ? err : NJ_OK;
}

void nj_statement_reset(struct nj_statement *statement)
{
	sqlite3_reset(statement->handle);
	sqlite3_clear_bindings(statement->handle);
	statement->bind_code = SQLITE_OK;
}

uint64_t nj_statement_get_u64(struct nj_statement *statement, int column)
{
	return (uint64_t)sqlite3_column_int64(statement->handle, column);
}

double nj_statement_get_double(struct nj_statement *statement, int column)
{
	return sqlite3_column_type(statement->handle, column) == SQLITE_NULL
		       ? NAN
		       : sqlite3_column_double(statement->handle, column);
}

const char *nj_statement_get_text(struct nj_statement *statement, int column)
{
	const unsigned char *text = sqlite3_column_text(statement->handle, column);
	return text != NULL ? (const char *)text : "";
}

const void *nj_statement_get_blob(struct nj_statement *statement, int column, size_t *ret_size)
{
	const void *blob = sqlite3_column_blob(statement->handle, column);
	*ret_size = (size_t)sqlite3_column_bytes(statement->handle, column);
	return blob;
}
