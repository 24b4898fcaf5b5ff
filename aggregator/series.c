/* A row in memory is a copy of the journal's, ahead of it while *changed*. Tables are searched in order: an aggregator
 * has tens of sensors, and a batch costs far more than a walk over them. */
#include "aggregator/series.h"

#include "common/db.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS standing (sensor TEXT, boot INTEGER, next INTEGER, received INTEGER, gaps INTEGER, "
	"elsewhere INTEGER, dropped_seen INTEGER, settled INTEGER, PRIMARY KEY (sensor, boot)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS held (sensor TEXT, boot INTEGER, sequence INTEGER, data BLOB NOT NULL, "
	"PRIMARY KEY (sensor, boot, sequence));";

struct nj_series_table {
	struct nj_statement *save, *recall, *hold, *held, *count, *let_go, *other;
	struct nj_series *rows;
	uint32_t rows_n, rows_max;
};

uint64_t nj_series_memory_bytes(uint32_t rows_max)
{
	return sizeof(struct nj_series_table) + rows_max * sizeof(struct nj_series);
}

static int prepare_all(struct nj_db *db, struct nj_series_table *t, struct nj_message *message)
{
	const struct {
		struct nj_statement **statement;
		const char *sql;
	} all[] = {
		{&t->save, "INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?, ?, ?, ?)"},
		{&t->recall, "SELECT next, received, gaps, elsewhere, dropped_seen, settled, "
			     "(SELECT count(*) FROM held WHERE held.sensor = standing.sensor AND held.boot = "
			     "standing.boot) FROM standing WHERE sensor = ? AND boot = ?"},
		{&t->hold, "INSERT INTO held VALUES (?, ?, ?, ?)"},
		{&t->held, "SELECT sequence, data FROM held WHERE sensor = ? AND boot = ? AND sequence < ? ORDER BY "
			   "sequence LIMIT 1"},
		{&t->count,
		 "SELECT count(*) FROM held WHERE sensor = ? AND boot = ? AND sequence >= ? AND sequence < ?"},
		{&t->other, "SELECT boot FROM held WHERE sensor = ? AND boot != ? LIMIT 1"},
		{&t->let_go, "DELETE FROM held WHERE sensor = ? AND boot = ? AND sequence >= ? AND sequence < ?"},
	};
	int err = NJ_OK;
	for (size_t i = 0; i < sizeof all / sizeof *all && err == NJ_OK; i++)
		err = nj_db_prepare(db, all[i].sql, message, all[i].statement);
	return err;
}

int nj_series_table_new(struct nj_db *db, uint32_t rows_max, struct nj_message *message,
			struct nj_series_table **ret_table)
{
	assert(rows_max > 0);
	struct nj_series_table *table = calloc(1, sizeof *table);
	if (table == NULL || (table->rows = calloc(rows_max, sizeof *table->rows)) == NULL) {
		free(table);
		return nj_fail(message, NJ_ERR_MEMORY, "ingest: out of memory");
	}
	table->rows_max = rows_max;
	int err = nj_db_run(db, schema, message);
	if (err == NJ_OK)
		err = prepare_all(db, table, message);
	if (err < 0)
		nj_series_table_free(&table);
	else
		*ret_table = table;
	return err;
}

void nj_series_table_free(struct nj_series_table **table)
{
	if (*table == NULL)
		return;
	struct nj_statement **all[] = {&(*table)->save,  &(*table)->recall, &(*table)->hold, &(*table)->held,
				       &(*table)->count, &(*table)->let_go, &(*table)->other};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		nj_statement_free(all[i]);
	free((*table)->rows);
	free(*table);
	*table = NULL;
}

/* Whoever was silent longest gives its place. */
static struct nj_series *new_row(struct nj_series_table *t, const char *sensor, uint64_t boot)
{
	struct nj_series *at = &t->rows[0];
	if (t->rows_n < t->rows_max)
		at = &t->rows[t->rows_n++];
	else
		for (uint32_t i = 1; i < t->rows_n; i++)
			at = t->rows[i].used < at->used ? &t->rows[i] : at;
	*at = (struct nj_series){.boot = boot};
	snprintf(at->sensor, sizeof at->sensor, "%s", sensor);
	return at;
}

struct nj_series *nj_series_find(struct nj_series_table *table, const char *sensor, uint64_t boot)
{
	for (uint32_t i = 0; i < table->rows_n; i++)
		if (table->rows[i].boot == boot && strcmp(table->rows[i].sensor, sensor) == 0)
			return &table->rows[i];
	return NULL;
}

int nj_series_recall(struct nj_series_table *table, const char *sensor, uint64_t boot, struct nj_message *message,
		     struct nj_series **ret_series)
{
	struct nj_statement *s = table->recall;
	if ((*ret_series = nj_series_find(table, sensor, boot)) != NULL)
		return NJ_OK;
	struct nj_series *at = *ret_series = new_row(table, sensor, boot);
	nj_statement_text(s, 1, sensor);
	nj_statement_u64(s, 2, boot);
	int err = nj_statement_step(s, message);
	if (err == 1) {
		at->next = nj_statement_get_u64(s, 0);
		at->received = nj_statement_get_u64(s, 1);
		at->gaps = nj_statement_get_u64(s, 2);
		at->elsewhere = nj_statement_get_u64(s, 3);
		at->dropped_seen = nj_statement_get_u64(s, 4);
		at->settled = nj_statement_get_u64(s, 5);
		at->held = (uint32_t)nj_statement_get_u64(s, 6);
		nj_statement_reset(s);
	}
	return err < 0 ? err : NJ_OK;
}

int nj_series_save(struct nj_series_table *table, struct nj_message *message)
{
	int err = NJ_OK;
	for (uint32_t i = 0; i < table->rows_n && err == NJ_OK; i++) {
		struct nj_series *at = &table->rows[i];
		if (!at->changed)
			continue;
		const uint64_t values[] = {at->boot,      at->next,         at->received, at->gaps,
					   at->elsewhere, at->dropped_seen, at->settled};
		nj_statement_text(table->save, 1, at->sensor);
		for (int v = 0; v < 7; v++)
			nj_statement_u64(table->save, 2 + v, values[v]);
		err = nj_statement_run(table->save, message);
		at->changed = err < 0;
	}
	return err;
}

static void bind(struct nj_statement *s, const struct nj_series *series)
{
	nj_statement_text(s, 1, series->sensor);
	nj_statement_u64(s, 2, series->boot);
}

int nj_series_hold(struct nj_series_table *table, struct nj_series *series, uint64_t sequence, const void *data,
		   size_t size, struct nj_message *message)
{
	bind(table->hold, series);
	nj_statement_u64(table->hold, 3, sequence);
	nj_statement_blob(table->hold, 4, data, size);
	int err = nj_statement_run(table->hold, message);
	series->held += err == NJ_OK;
	return err;
}

int nj_series_held(struct nj_series_table *table, const struct nj_series *series, uint64_t below,
		   struct nj_message *message, uint64_t *ret_sequence, const void **ret_data, size_t *ret_size)
{
	nj_statement_reset(table->held);
	if (series->held == 0)
		return 0;
	bind(table->held, series);
	nj_statement_u64(table->held, 3, below);
	int err = nj_statement_step(table->held, message);
	if (err != 1)
		return err;
	*ret_sequence = nj_statement_get_u64(table->held, 0);
	*ret_data = nj_statement_get_blob(table->held, 1, ret_size);
	return 1;
}

int nj_series_other_held(struct nj_series_table *table, const char *sensor, uint64_t boot, struct nj_message *message,
			 uint64_t *ret_boot)
{
	nj_statement_text(table->other, 1, sensor);
	nj_statement_u64(table->other, 2, boot);
	int err = nj_statement_step(table->other, message);
	if (err == 1) {
		*ret_boot = nj_statement_get_u64(table->other, 0);
		nj_statement_reset(table->other);
	}
	return err;
}

static void bind_range(struct nj_statement *s, const struct nj_series *series, uint64_t from, uint64_t until)
{
	bind(s, series);
	nj_statement_u64(s, 3, from);
	nj_statement_u64(s, 4, until);
}

int nj_series_let_go(struct nj_series_table *table, struct nj_series *series, uint64_t from, uint64_t until,
		     struct nj_message *message, uint64_t *ret_n)
{
	*ret_n = 0;
	if (series->held == 0 || from >= until)
		return NJ_OK;
	nj_statement_reset(table->held);
	bind_range(table->count, series, from, until);
	int err = nj_statement_step(table->count, message);
	if (err != 1)
		return err;
	uint64_t n = nj_statement_get_u64(table->count, 0);
	nj_statement_reset(table->count);
	bind_range(table->let_go, series, from, until);
	err = nj_statement_run(table->let_go, message);
	if (err == NJ_OK) {
		series->held -= (uint32_t)n;
		*ret_n = n;
	}
	return err;
}

void nj_series_forget(struct nj_series_table *table)
{
	table->rows_n = 0;
}
