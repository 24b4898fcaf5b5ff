/* How far each sensor's series of batches has come. A series is one (sensor, boot); its row lies in the ingest's
 * journal and is written in the same transaction as the batches it speaks of, so that both are true or neither is:
 *
 *     received + gaps + elsewhere = next
 *
 * A sensor with several aggregators has its batches *held*: acknowledged and durable, but without effect until the
 * sensor says that it has heard the acknowledgement (docs/wire.md, "Several aggregators"). Held ones count as received;
 * those that another aggregator took in the end are discarded and move to elsewhere.
 *
 * A bounded table keeps the rows in use in memory; whoever was silent longest gives its place, and its row is read
 * again when it greets. The ingest's thread. Memory: rows_max rows of 128 bytes; held batches lie in the journal's
 * file. */
#ifndef NJ_AGGREGATOR_SERIES_H
#define NJ_AGGREGATOR_SERIES_H

#include "common/batch.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nj_db;

struct nj_series {
	char sensor[NJ_SENSOR_ID_MAX];
	uint64_t boot, next, received, gaps, elsewhere;
	uint64_t dropped_seen; /* the sensor's count of dropped batches, as last told */
	uint64_t settled;      /* nothing below is held */
	uint32_t held;         /* batches */
	uint64_t used;         /* step in which it last spoke: the caller's */
	bool changed;          /* since the last commit */
};

struct nj_series_table;

/* Makes its tables in *db*, which it *borrows*. *returns owned*. */
NJ_MUST_CHECK int nj_series_table_new(struct nj_db *db, uint32_t rows_max, struct nj_message *message,
				      struct nj_series_table **ret_table);
void nj_series_table_free(struct nj_series_table **table); /* before the database closes */
uint64_t nj_series_memory_bytes(uint32_t rows_max);

/* *Returns borrowed until* the next recall or forget; NULL: not in memory. */
struct nj_series *nj_series_find(struct nj_series_table *table, const char *sensor, uint64_t boot);

/* The series of a sensor that greets: known, or known to the journal, or new. */
NJ_MUST_CHECK int nj_series_recall(struct nj_series_table *table, const char *sensor, uint64_t boot,
				   struct nj_message *message, struct nj_series **ret_series);

/* Writes the rows that changed, within the caller's transaction. */
NJ_MUST_CHECK int nj_series_save(struct nj_series_table *table, struct nj_message *message);

/* Takes a batch into keeping. */
NJ_MUST_CHECK int nj_series_hold(struct nj_series_table *table, struct nj_series *series, uint64_t sequence,
				 const void *data, size_t size, struct nj_message *message);

/* The oldest held batch below *below*: 1 and its bytes, *borrowed until* the next call; 0: none. */
NJ_MUST_CHECK int nj_series_held(struct nj_series_table *table, const struct nj_series *series, uint64_t below,
				 struct nj_message *message, uint64_t *ret_sequence, const void **ret_data,
				 size_t *ret_size);

/* Another series of that sensor in which something is held: 1 and its boot; 0: none. */
NJ_MUST_CHECK int nj_series_other_held(struct nj_series_table *table, const char *sensor, uint64_t boot,
				       struct nj_message *message, uint64_t *ret_boot);

/* Gives up the held batches from..until-1; how many those were. */
NJ_MUST_CHECK int nj_series_let_go(struct nj_series_table *table, struct nj_series *series, uint64_t from,
				   uint64_t until, struct nj_message *message, uint64_t *ret_n);

/* A transaction has failed: what memory says is not so, the journal knows better. */
void nj_series_forget(struct nj_series_table *table);

#endif
