/* Where batches come in: the listening side of the link. Each sensor is greeted (version, feature table, hash key:
 * agreed or refused with a reason), each batch decoded, put in order, written to the journal, acknowledged after the
 * commit, and only then handed on. What was seen before is acknowledged again and dropped; what the sensor had to drop
 * itself is counted as a gap; what comes out of order is asked for again. So for each sensor and boot: received + gaps
 * + elsewhere = next sequence (aggregator/series.h). What a sensor with several aggregators sends is held, without
 * effect, until the sensor settles it: then it is journaled and handed on like any other.
 *
 * The journal also remembers how far each sensor has come, in the same transaction: after a restart nj_ingest_replay()
 * hands over again what is in it, and a sensor goes on where it ends. One thread. Memory: one decoding arena
 * (options.arena_bytes) plus the link's queues plus 200 bytes a sensor.
 *
 * With keys a sensor is its key: each frame is held against the folder of authorised keys as it is now, so a key that
 * was revoked or given to another name has no effect from the reload on, whatever its connection was allowed before. */
#ifndef NJ_AGGREGATOR_INGEST_H
#define NJ_AGGREGATOR_INGEST_H

#include "common/batch.h"
#include "common/error.h"
#include "common/health.h"

#include <stdbool.h>
#include <stdint.h>

struct nj_ingest;
struct nj_link_context;

struct nj_ingest_options {
	const char *listen;                   /* endpoint */
	struct nj_link_context *link_context; /* *kept*; shared for inproc, or NULL: one of its own */
	bool plain_tcp;                       /* see common/link.h */
	const char *secret_key;               /* file of the aggregator's own key, or NULL: no encryption */
	const char *authorized_sensors; /* folder of the sensors' keys (aggregator/authorized.h); with secret_key */
	uint32_t connections_max;       /* of tcp; default 1024 */
	const char *journal_path;       /* ":memory:" for replay */
	uint64_t journal_bytes_max;     /* default 1 GiB */
	uint32_t key_id;                /* of the hash key this aggregator works with */
	uint32_t credit;                /* batches a sensor may have unacknowledged; default 32 */
	uint32_t sensors_max; /* (sensor, boot) series known at once; default 4096; the longest silent gives way */
	uint64_t arena_bytes; /* for decoded batches; default NJ_WIRE_ARENA_BYTES (common/wire.h) */
};

/* Called on the thread of nj_ingest_step() and nj_ingest_replay(). *batch* and all in it is *borrowed until* return.
 * *position* is that of the journal: positions rise by one. A negative return ends the step with that error; the batch
 * counts as received and comes again from nj_ingest_replay(). */
struct nj_ingest_listener {
	void *context;
	int (*batch)(void *context, const struct nj_batch *batch, uint64_t position);
	void (*heartbeat)(void *context, const struct nj_sensor_health *health); /* NULL: not wanted, as the next */
	void (*gap)(void *context, const char *sensor, uint64_t batches_lost);   /* the sensor has dropped so many */
};

/* By law: frames + released = received + held + repeated + out_of_order + malformed + greetings + heartbeats +
 * settlements + refused + revoked + lying. For the law of connections see common/link.h. */
struct nj_ingest_counts {
	uint64_t frames;   /* that came, of whatever kind */
	uint64_t received; /* batches: journaled and handed on */
	uint64_t received_bytes;
	uint64_t repeated;     /* seen before: acknowledged, dropped */
	uint64_t out_of_order; /* came too early: asked for again */
	uint64_t malformed;    /* not decodable: no effect */
	uint64_t greetings;    /* HELLO accepted */
	uint64_t heartbeats, settlements;
	uint64_t held;            /* batches acknowledged and kept without effect */
	uint64_t released;        /* of them, settled: now among received */
	uint64_t discarded;       /* of them, taken by another aggregator in the end */
	uint64_t refused;         /* HELLO or BATCH answered with REFUSE */
	uint64_t revoked;         /* from a connection whose key is authorised no longer: no effect */
	uint64_t lying;           /* in the name of a sensor whose key it is not: no effect */
	uint64_t gaps;            /* sequence numbers that no sensor will send any more */
	uint64_t windows;         /* in the batches received */
	uint64_t misshapen;       /* messages that were not one frame; not among frames */
	uint64_t journal_dropped; /* entries the journal's bound pushed out before they were forgotten */
	uint64_t connections, handshakes, keys_refused, handshakes_failed, held_off; /* see common/link.h */
};

void nj_ingest_options_init(struct nj_ingest_options *options);
uint64_t nj_ingest_memory_bytes(const struct nj_ingest_options *options);

/* *keeps* the strings of *options* and *listener's* context. NJ_ERR_USAGE, _LINK, _DB ...: see common/link.h,
 * common/journal.h. *returns owned*. */
NJ_MUST_CHECK int nj_ingest_open(const struct nj_ingest_options *options, const struct nj_ingest_listener *listener,
				 struct nj_message *message, struct nj_ingest **ret_ingest);
void nj_ingest_close(struct nj_ingest **ingest);

/* Hands over every journaled batch from *position* on, oldest first. For recovery, before the first step. Gives the
 * position after the last one through *ret_next*. */
NJ_MUST_CHECK int nj_ingest_replay(struct nj_ingest *ingest, uint64_t position, struct nj_message *message,
				   uint64_t *ret_next);

/* Waits up to timeout_ms for a frame and works through what is there, up to a bound. The number of batches handed on,
 * or a negative error. */
NJ_MUST_CHECK int nj_ingest_step(struct nj_ingest *ingest, int timeout_ms, struct nj_message *message);

/* Before closing for good: answers on, and repeats its last word, until every sensor that was connected has gone or
 * patience_ms are over. Otherwise the last acknowledgement could die with the connection, and a sensor would wait in
 * vain for what has long been taken. */
void nj_ingest_farewell(struct nj_ingest *ingest, uint32_t patience_ms);

/* ---- for recovery (aggregator/recovery.c) */
struct nj_journal_state; /* common/journal.h */

/* As the journal stands. */
void nj_ingest_journal(const struct nj_ingest *ingest, struct nj_journal_state *ret_state);
/* A journaled batch as it came: nj_journal_read(). */
NJ_MUST_CHECK int nj_ingest_read(struct nj_ingest *ingest, uint64_t position, struct nj_message *message,
				 uint64_t *ret_at, const void **ret_data, size_t *ret_size);
/* Decodes a batch as it came and gives it to *take*, *borrowed until* its return. */
NJ_MUST_CHECK int nj_ingest_decode(struct nj_ingest *ingest, const void *data, size_t size, struct nj_message *message,
				   int (*take)(void *context, const struct nj_batch *batch), void *context);
/* A transaction of the next three. */
NJ_MUST_CHECK int nj_ingest_mend(struct nj_ingest *ingest, struct nj_message *message);
NJ_MUST_CHECK int nj_ingest_mended(struct nj_ingest *ingest, struct nj_message *message);
/* Puts a batch as it came at the end of the journal. */
NJ_MUST_CHECK int nj_ingest_adopt(struct nj_ingest *ingest, const void *data, size_t size, struct nj_message *message);
/* The journal ends before *position*: what it holds from there on is cut off, what it lacks up to there is passed over.
 */
NJ_MUST_CHECK int nj_ingest_end_at(struct nj_ingest *ingest, uint64_t position, struct nj_message *message);
/* A series has come so far, *passed* of which never came, whatever was known of it. */
NJ_MUST_CHECK int nj_ingest_set_series(struct nj_ingest *ingest, const char *sensor, uint64_t boot, uint64_t next,
				       uint64_t passed, struct nj_message *message);

/* The journal may lose everything below *position*: a snapshot covers it, or nobody will ask again. */
NJ_MUST_CHECK int nj_ingest_forget(struct nj_ingest *ingest, uint64_t position, struct nj_message *message);

/* Reads the folder of keys again. The number of keys, or an error: then all is as before. */
NJ_MUST_CHECK int nj_ingest_authorize(struct nj_ingest *ingest, struct nj_message *message);

/* Whether the keys can be read and the endpoint may be used with them, without opening anything. */
NJ_MUST_CHECK int nj_ingest_check(const struct nj_ingest_options *options, struct nj_message *message);

struct nj_ingest_counts nj_ingest_counts(const struct nj_ingest *ingest);
const char *nj_ingest_endpoint(const struct nj_ingest *ingest); /* with the port chosen for "tcp://127.0.0.1:*" */

#endif
