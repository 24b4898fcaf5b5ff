/* A row in memory is a copy of the journal's, ahead of it while *changed*. Tables are searched in order: an aggregator
 * has tens of sensors, and a batch costs far more than a walk over them. */
#include "aggregator/series.h"

#include "common/db.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS series (sensor TEXT, boot INTEGER, next INTEGER, received INTEGER, gaps INTEGER, "
	"PRIMARY KEY (sensor, boot)) WITHOUT ROWID";

struct nj_series_table {
	struct nj_statement *save, *recall;
	struct nj_series *rows;
	uint32_t rows_n, rows_max;
};

uint64_t nj_series_memory_bytes(uint32_t rows_max)
{
	return sizeof(struct nj_series_table) + rows_max * sizeof(struct nj_series);
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
		err = nj_db_prepare(db, "INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?, ?)", message, &table->save);
	if (err == NJ_OK)
		err = nj_db_prepare(db, "SELECT next, received, gaps FROM series WHERE sensor = ? AND boot = ?",
				    message, &table->recall);
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
	nj_statement_free(&(*table)->save);
	nj_statement_free(&(*table)->recall);
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
		const uint64_t values[] = {at->boot, at->next, at->received, at->gaps};
		nj_statement_text(table->save, 1, at->sensor);
		for (int v = 0; v < 4; v++)
			nj_statement_u64(table->save, 2 + v, values[v]);
		err = nj_statement_run(table->save, message);
		at->changed = err < 0;
	}
	return err;
}

void nj_series_forget(struct nj_series_table *table)
{
	table->rows_n = 0;
}
