/* How far a reading of captures has been told, so that a sensor that is killed while it reads and started again on the
 * same input tells nothing twice: what is in its journal already is passed over when it is read again. One row in the
 * journal's file, written in the same transaction as the batches it speaks of.
 *
 * A *reading* is a number for "this input": two runs with the same number read the same. 0: input that cannot be read
 * again (an interface), of which nothing is passed over. The row also keeps what was acknowledged, because the journal
 * keeps acknowledged batches for a while (sensor/shipper.h). The shipper's thread. */
#ifndef NJ_SENSOR_TOLD_H
#define NJ_SENSOR_TOLD_H

#include "common/error.h"
#include "common/window.h"

#include <stdbool.h>
#include <stdint.h>

struct nj_db;
struct nj_told;

/* Makes its table in *db*, which it *borrows*, and recalls the row. *ret_acked*: 0 when nothing is known. *returns
 * owned*. */
NJ_MUST_CHECK int nj_told_new(struct nj_db *db, uint64_t reading, struct nj_message *message, struct nj_told **ret_told,
			      uint64_t *ret_acked);
void nj_told_free(struct nj_told **told); /* before the database closes */

/* Whether an earlier run has told it. */
bool nj_told_window(const struct nj_told *told, const struct nj_window *window);
bool nj_told_tick(const struct nj_told *told, uint64_t start_ns, bool finish);

/* A batch that ends with this window, or with a tick (*last* NULL: without a window), is in the journal. */
void nj_told_note(struct nj_told *told, uint64_t start_ns, const struct nj_agent_id *last, bool tick, bool finish);

/* Writes the row, within the caller's transaction. */
NJ_MUST_CHECK int nj_told_save(struct nj_told *told, uint64_t acked, struct nj_message *message);

#endif
