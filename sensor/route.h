/* Which of several aggregators a shipper delivers to. The first of the list that answers is the one; a sensor leaves it
 * when it is silent for failover_ms while another answers, and comes back to an earlier one of the list once that has
 * answered without fail for failback_ms. The law:
 *
 *     Each batch has effect at exactly one aggregator: at the one whose acknowledgement the sensor's journal has
 * recorded.
 *
 * For that an aggregator holds what it acknowledges until it is told that the sensor has recorded it, and what was left
 * in doubt when the sensor turned away is discarded there when the sensor comes back (docs/wire.md, "Several
 * aggregators"). Before a batch goes to another aggregator, the journal's file says so: from where on the one that is
 * left does not count. Turning back is done without doubt where possible: first all that is on its way is settled.
 *
 * A decision that cannot be written is not taken. The shipper's thread. */
#ifndef NJ_SENSOR_ROUTE_H
#define NJ_SENSOR_ROUTE_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct nj_shipper;
struct nj_route; /* the rows in the journal's file */

/* Recalls where an earlier run stood. */
NJ_MUST_CHECK int nj_route_open(struct nj_shipper *s, struct nj_message *message);
void nj_route_close(struct nj_shipper *s);

/* The current one has answered this stay's greeting: writes it down, after which batches may go there. */
NJ_MUST_CHECK int nj_route_enter(struct nj_shipper *s);

/* Turns to another aggregator if it is time to. */
NJ_MUST_CHECK int nj_route_choose(struct nj_shipper *s);

/* Whether an aggregator that is not delivered to is asked how it is: it comes before the current one, may be needed, or
 * holds what it must hear of. */
bool nj_route_wants(const struct nj_shipper *s, uint32_t outlet);

#endif
