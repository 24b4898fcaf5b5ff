/* What batches say by their own numbers: how many of a series never came. The ingest counts gaps when a sensor greets;
 * this counts them where they fall among the batches, so that the same journal, judged again, gives the same loss at
 * the same place. It also remembers how far each series has come, which a snapshot keeps: after the loss of the journal
 * the sensors can be asked from there.
 *
 * One thread. Memory: 64 B a series, NJ_GAPS_SERIES_MAX of them; who was silent longest gives its place. */
#ifndef NJ_AGGREGATOR_GAPS_H
#define NJ_AGGREGATOR_GAPS_H

#include "common/batch.h"
#include "common/error.h"

#include <stdint.h>

#define NJ_GAPS_SERIES_MAX 4096

struct nj_gaps;
struct nj_snapshot_writer; /* aggregator/snapshot.h */
struct nj_snapshot_taker;

NJ_MUST_CHECK int nj_gaps_new(struct nj_gaps **ret_gaps);
void nj_gaps_free(struct nj_gaps **gaps);
uint64_t nj_gaps_memory_bytes(void);

/* Takes note of a batch; how many numbers were lost before it. One that comes again: none. Of a sensor with several
 * aggregators: none, since what was passed over may be with another; its losses are told by its greetings. */
uint64_t nj_gaps_note(struct nj_gaps *gaps, const struct nj_batch *batch);

/* Each series: *next* is the number after the last that was noted, *passed* how many of those before it never came. A
 * negative return of *row* ends the walk and is returned. */
NJ_MUST_CHECK int nj_gaps_each(const struct nj_gaps *gaps,
			       int (*row)(void *context, const char *sensor, uint64_t boot, uint64_t next,
					  uint64_t passed),
			       void *context);

#define NJ_GAPS_TAKERS 1
void nj_gaps_save(const struct nj_gaps *gaps, struct nj_snapshot_writer *writer);
void nj_gaps_takers(struct nj_gaps *gaps, struct nj_snapshot_taker *taker); /* room for NJ_GAPS_TAKERS */

#endif
