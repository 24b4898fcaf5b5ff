/* What sensors and aggregators say to each other, as MessagePack: docs/wire.md describes every byte. HELLO greets,
 * BATCH brings windows, ACK says how far the other side has come, REFUSE says why not, HEARTBEAT says how a sensor
 * fares, SETTLED says which acknowledgements it has heard for good. Built on common/pack.h and common/unpack.h;
 * wire_hello.c holds the small messages, wire_encode.c and wire_decode.c the batches.
 *
 * Whoever decodes trusts nothing: every length is bounded, every order checked, every number ranged; what is malformed
 * is refused with words and has no effect. Fields appended by a later release are skipped, missing trailing ones are
 * zero, so that neighbouring releases understand each other. A window takes about 50 bytes a contact; decoding
 * makes one pass without allocation but for the caller's arena. Any thread; a writer belongs to one. */
#ifndef NJ_COMMON_WIRE_H
#define NJ_COMMON_WIRE_H

#include "common/arena.h"
#include "common/batch.h"
#include "common/error.h"
#include "common/feature.h"
#include "common/health.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_WIRE_MAJOR        1
#define NJ_WIRE_MINOR        1
#define NJ_WIRE_SOFTWARE_MAX NJ_SOFTWARE_TEXT_MAX
#define NJ_WIRE_REASON_MAX   256
#define NJ_WIRE_TEXTS_MAX    4096 /* texts of a batch that have a number */
#define NJ_WIRE_ARENA_BYTES                                                                                            \
	(24u << 20) /* holds any batch that keeps to NJ_WIRE_DECODED_MAX, and the decoder's own needs */
#define NJ_WIRE_DECODED_MAX                                                                                            \
	(16u << 20) /* what the windows of one batch may take when decoded (nj_window_memory_bytes) */

enum nj_wire_kind {
	NJ_WIRE_HELLO = 1,
	NJ_WIRE_BATCH = 2,
	NJ_WIRE_ACK = 3,
	NJ_WIRE_REFUSE = 4,
	NJ_WIRE_HEARTBEAT = 5, /* this and what follows: since 1.1, never sent to a peer of 1.0 */
	NJ_WIRE_SETTLED = 6,
};

/* What one side is: in HELLO, and what HELLO and BATCH are held against. */
struct nj_wire_self {
	struct nj_table_ids tables;
	uint32_t key_id;
};

struct nj_wire_hello {
	uint32_t major, minor;
	char software[NJ_WIRE_SOFTWARE_MAX]; /* "nightjar 0.1.0" */
	char sensor[NJ_SENSOR_ID_MAX];
	char tap_group[NJ_TAP_GROUP_MAX];
	struct nj_wire_self self;
	uint64_t boot;
	uint64_t oldest;   /* sequences below are gone: acknowledged by someone, or dropped */
	uint64_t dropped;  /* of them, those that nobody acknowledged; since 1.1, as all that follows */
	bool several;      /* others may take batches too: what is acknowledged has no effect before it is settled */
	uint64_t settled;  /* held ones below have effect here; those from it up to oldest were taken elsewhere */
	uint64_t greeting; /* number of this greeting, which answers repeat */
};

struct nj_wire_ack {
	uint64_t boot;
	uint64_t next;     /* everything below is committed */
	uint32_t credit;   /* how many batches from next on may be on their way */
	bool rewind;       /* what was sent from next on did not count: send it again */
	uint64_t settled;  /* since 1.1: nothing below is held any more */
	uint64_t greeting; /* since 1.1: of the greeting this connection stands on */
	uint32_t minor;    /* of the sender's version: set by decoding, ignored by encoding */
};

struct nj_wire_settled {
	uint64_t boot, settled; /* as in HELLO */
};

enum nj_wire_refusal {
	NJ_WIRE_REFUSED_VERSION = 1,   /* for good */
	NJ_WIRE_REFUSED_TABLE = 2,     /* for good */
	NJ_WIRE_REFUSED_KEY = 3,       /* for good */
	NJ_WIRE_REFUSED_STRANGER = 4,  /* greet first */
	NJ_WIRE_REFUSED_MALFORMED = 5, /* this frame cannot be decoded */
	NJ_WIRE_REFUSED_IDENTITY = 6,  /* for good: the key is not that of this sensor */
};

struct nj_wire_refuse {
	uint32_t code; /* enum nj_wire_refusal, or one of a later release */
	char software[NJ_WIRE_SOFTWARE_MAX];
	char reason[NJ_WIRE_REASON_MAX];
};

/* Kind and major version of a frame, whatever else it holds. False: not even that can be read. */
bool nj_wire_peek(const void *data, size_t size, enum nj_wire_kind *ret_kind, uint32_t *ret_major);

/* --- small messages; a buffer of NJ_WIRE_SMALL_MAX always suffices. Encoders give the size. --- */
#define NJ_WIRE_SMALL_MAX 512
size_t nj_wire_hello_encode(const struct nj_wire_hello *hello, uint8_t buffer[NJ_WIRE_SMALL_MAX]);
size_t nj_wire_ack_encode(const struct nj_wire_ack *ack, uint8_t buffer[NJ_WIRE_SMALL_MAX]);
size_t nj_wire_refuse_encode(const struct nj_wire_refuse *refuse, uint8_t buffer[NJ_WIRE_SMALL_MAX]);
size_t nj_wire_settled_encode(const struct nj_wire_settled *settled, uint8_t buffer[NJ_WIRE_SMALL_MAX]);

#define NJ_WIRE_HEARTBEAT_MAX 4096 /* always suffices for one */
size_t nj_wire_heartbeat_encode(const struct nj_sensor_health *health, uint8_t buffer[NJ_WIRE_HEARTBEAT_MAX]);

/* NJ_ERR_FORMAT with words. A HELLO of another major gives NJ_OK with what is common to all versions: major, minor,
 * software, sensor. */
NJ_MUST_CHECK int nj_wire_hello_decode(const void *data, size_t size, struct nj_message *message,
				       struct nj_wire_hello *ret_hello);
NJ_MUST_CHECK int nj_wire_ack_decode(const void *data, size_t size, struct nj_message *message,
				     struct nj_wire_ack *ret_ack);
NJ_MUST_CHECK int nj_wire_refuse_decode(const void *data, size_t size, struct nj_message *message,
					struct nj_wire_refuse *ret_refuse);
NJ_MUST_CHECK int nj_wire_settled_decode(const void *data, size_t size, struct nj_message *message,
					 struct nj_wire_settled *ret_settled);
NJ_MUST_CHECK int nj_wire_heartbeat_decode(const void *data, size_t size, struct nj_message *message,
					   struct nj_sensor_health *ret_health);

/* Whether *self* can work with who greets; false and what to answer, naming both versions, when not. */
bool nj_wire_agree(const struct nj_wire_hello *hello, const struct nj_wire_self *self,
		   struct nj_wire_refuse *ret_refuse);

/* --- batches --- */

struct nj_wire_writer; /* a batch being written, window by window */

NJ_MUST_CHECK int nj_wire_writer_new(struct nj_wire_writer **ret_writer); /* *returns owned* */
void nj_wire_writer_free(struct nj_wire_writer **writer);

/* Whether one more such window keeps the batch within its bounds (NJ_BATCH_WINDOWS_MAX, NJ_BATCH_BYTES_MAX,
 * NJ_WIRE_DECODED_MAX). An empty writer fits any capped window. */
bool nj_wire_writer_fits(const struct nj_wire_writer *writer, const struct nj_window *window);
void nj_wire_writer_add(
	struct nj_wire_writer *writer,
	const struct nj_window *window); /* within the caps of common/window.h (asserted); it is not kept */
uint32_t nj_wire_writer_windows(const struct nj_wire_writer *writer);

/* Ends the batch with the head of *batch* (everything but its windows) and empties the writer. The bytes are *borrowed
 * until* the next call on the writer. NJ_ERR_MEMORY: the batch is lost. */
NJ_MUST_CHECK int nj_wire_writer_finish(struct nj_wire_writer *writer, const struct nj_batch *batch,
					const uint8_t **ret_data, size_t *ret_size);

/* How many windows a batch holds, from its head; 0 for what is no batch. */
uint32_t nj_wire_batch_windows(const void *data, size_t size);

/* Decodes into *arena*; *ret_batch* and all in it is *borrowed until* the arena is reset. Holds version, tables and key
 * against *self* (NULL: only the version). NJ_ERR_FORMAT: malformed; NJ_ERR_VERSION: another major, table or key;
 * NJ_ERR_MEMORY: the arena is full. All with words that name the place. */
NJ_MUST_CHECK int nj_wire_batch_decode(const void *data, size_t size, const struct nj_wire_self *self,
				       struct nj_arena *arena, struct nj_message *message, struct nj_batch *ret_batch);

#endif
