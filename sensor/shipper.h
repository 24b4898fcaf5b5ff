/* Windows into batches, batches into the journal, the journal to an aggregator, or to one of several (sensor/route.h).
 * The shipper is a pipeline's window sink (sensor/pipeline.h): it encodes each window as it comes, closes a batch at
 * its bounds or at a tick, commits it to the journal, sends as far as the aggregator's credit reaches, and forgets what
 * was acknowledged. After a broken connection, a lost frame or a restarted aggregator it starts again from what the
 * aggregator says it has. All calls come on one thread.
 *
 * With one aggregator, acknowledged batches stay in a journal on disk as long as they take less than half of its bound:
 * should the aggregator lose its journal, it asks again from where its snapshot ends. With several, each batch has its
 * place once it is settled, and goes.
 *
 * A run over captures that was killed and is started again on the same input passes over what its journal shows as told
 * (sensor/told.h). The journal of a reading is named by it: should the journal be lost, the same batches get the same
 * numbers again, and the aggregator knows which it has.
 *
 * Nothing vanishes uncounted: windows taken = shipped + spooled + dropped. Memory: one batch being built, one being
 * sent, the journal's page cache (2 MB), the link's queue. */
#ifndef NJ_SENSOR_SHIPPER_H
#define NJ_SENSOR_SHIPPER_H

#include "common/batch.h"
#include "common/error.h"
#include "common/health.h"
#include "sensor/pipeline.h"

#include <stdbool.h>
#include <stdint.h>

struct nj_shipper;
struct nj_link_context;

#define NJ_SHIPPER_AGGREGATORS_MAX 8
#define NJ_SHIPPER_FORGET_LAZILY_MAX                                                                                   \
	16 /* batches acknowledged before they are forgotten without waiting for a commit */

struct nj_shipper_options {
	const char *sensor;                                     /* name; letters, digits, '-', '_', '.' */
	const char *tap_group;                                  /* NULL: the sensor's own name */
	const char *aggregator;                                 /* endpoint */
	const char *others[NJ_SHIPPER_AGGREGATORS_MAX - 1];     /* further ones, in the order in which they are liked */
	const char *other_keys[NJ_SHIPPER_AGGREGATORS_MAX - 1]; /* files of their public keys; NULL: aggregator_key */
	uint32_t others_n;
	struct nj_link_context *link_context; /* *kept*; shared for inproc, or NULL: one of its own */
	bool plain_tcp;                       /* see common/link.h */
	const char *secret_key;               /* file of the sensor's own key, or NULL: no encryption */
	const char *aggregator_key;           /* file of the aggregator's public key; with secret_key */
	const char *journal_path;             /* ":memory:" where the input can be read again */
	uint64_t journal_bytes_max;           /* default 256 MiB */
	uint32_t key_id;
	uint64_t reading;      /* what is read, for input that can be read again: sensor/told.h; 0: it cannot */
	bool wait_when_full;   /* a full journal holds the caller up until the aggregator has caught up (files), instead
				  of dropping the oldest (live) */
	uint32_t commit_ticks; /* windows a transaction may span: 1 live; more where the input can be read again */
	uint32_t silence_ms;   /* without an answer for so long, greet again; default 3000 */
	uint32_t failover_ms;  /* without an answer for so long, turn to another aggregator; default 10000 */
	uint32_t failback_ms;  /* turn back to an earlier one when it has answered for so long; default 30000 */
	uint32_t finish_ms;    /* how long finish waits without any progress; default 30000 */
};

struct nj_shipper_counts {
	uint64_t windows_taken;   /* = shipped + spooled + dropped_* */
	uint64_t windows_shipped; /* acknowledged */
	uint64_t windows_spooled; /* in the journal, or in the batch being built */
	uint64_t windows_told;    /* passed over: told by an earlier run over the same input; not among those taken */
	uint64_t windows_dropped_full;                          /* pushed out of a full journal */
	uint64_t windows_dropped_error;                         /* the journal could not be written */
	uint64_t batches_shipped, batches_sent, batches_resent; /* sent counts resent ones too */
	uint64_t bytes_sent;
	uint64_t greetings, refusals, heartbeats;
	uint64_t failovers;      /* times it turned to another aggregator */
	uint64_t journal_errors; /* times the journal could not be written; a live sensor tries again */
};

void nj_shipper_options_init(struct nj_shipper_options *options);
uint64_t nj_shipper_memory_bytes(const struct nj_shipper_options *options);

/* Whether the keys can be read and the endpoint may be used with them, without opening anything. */
NJ_MUST_CHECK int nj_shipper_check(const struct nj_shipper_options *options, struct nj_message *message);

/* *keeps* the strings of *options*. Needs no aggregator to be there. *returns owned*. */
NJ_MUST_CHECK int nj_shipper_new(const struct nj_shipper_options *options, struct nj_message *message,
				 struct nj_shipper **ret_shipper);
void nj_shipper_free(struct nj_shipper **shipper);

/* The sink to hand to the pipeline; its calls give NJ_ERR_VERSION when the aggregator refuses this sensor for good, see
 * nj_shipper_message(). */
struct nj_window_sink nj_shipper_sink(struct nj_shipper *shipper);

/* Monotonic time, for a caller that has a clock: silence is measured by it from then on. Otherwise time is what was
 * spent waiting, which is nothing while there is always something else to do. */
void nj_shipper_clock(struct nj_shipper *shipper, uint64_t now_ms);

/* Tells all aggregators that are there how this sensor fares: *health* with what the program knows, to which the
 * shipper adds what it knows. */
NJ_MUST_CHECK int nj_shipper_heartbeat(struct nj_shipper *shipper, struct nj_sensor_health *health);
void nj_shipper_health(const struct nj_shipper *shipper, struct nj_sensor_health *health); /* the second half alone */

/* Sends and takes answers for up to timeout_ms: called when there is nothing else to do. NJ_OK or an error. */
NJ_MUST_CHECK int nj_shipper_pump(struct nj_shipper *shipper, int timeout_ms);

/* Waits until all is acknowledged, and settled with each of several aggregators. NJ_ERR_AGAIN: no progress for
 * finish_ms; what is spooled stays in the journal. */
NJ_MUST_CHECK int nj_shipper_finish(struct nj_shipper *shipper);

/* Why the aggregator does not talk to us, in words, or NULL: it does, or is not there. *returns borrowed* static text.
 */
const char *nj_shipper_trouble(const struct nj_shipper *shipper);

struct nj_shipper_counts nj_shipper_counts(const struct nj_shipper *shipper);
/* What opening had to do to a damaged journal, one sentence for the log; "": nothing. */
const char *nj_shipper_notice(const struct nj_shipper *shipper);
const char *nj_shipper_aggregator(
	const struct nj_shipper *shipper); /* the one delivered to now; borrowed from options */
const char *nj_shipper_message(
	const struct nj_shipper *shipper); /* why the last call failed; *returns borrowed until* the next call */

#endif
