/* TLS records and requests of an established flow, without decrypting anything. A record's header is in clear text:
 * following the lengths from header to header gives the true sizes of what the application wrote, however TCP cut it.
 * From them the request counter makes requests: a burst of client records, and the answer that follows it.
 *
 * 48 bytes of state a flow. Cost is a few instructions a packet: the bytes inside a record are never touched. Pure, one
 * flow's state is used by one thread at a time.
 *
 * Pieces come in stream order. After a hole whose length is known the tracker stays in step when the hole lies within
 * one record; otherwise it searches the stream for the next plausible application record. */
#ifndef NJ_SENSOR_TLS_RECORD_H
#define NJ_SENSOR_TLS_RECORD_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_TLS_RECORD_BYTES_MAX 16640        /* 2^14 + 256, RFC 8446 5.2; TLS 1.2 may reach 2^14 + 2048 but does not */
#define NJ_TLS_SEARCH_BYTES_MAX (256 * 1024) /* a search for a record gives up here: this stream is no TLS */
#define NJ_TLS_BURST_GAP_MS     200          /* client records closer than this belong to one request */
#define NJ_TLS_CONTROL_BYTES_MAX                                                                                       \
	42 /* records up to this size neither begin a request nor an answer: HTTP/2 SETTINGS, WINDOW_UPDATE, PING      \
	    * (up to 9 + 8 bytes, and 17 to 24 of TLS); the shortest HTTP/1.1 request has 27 + 17 */

/* One direction. Zero is the state at the very start of a stream. */
struct nj_tls_record {
	uint32_t left_bytes; /* in step: of the current record still to come; searching: bytes searched */
	uint8_t head[4];     /* first bytes of a header cut by the end of a piece */
	uint8_t head_n;
	uint8_t state;   /* enum nj_tls_record_state */
	uint8_t started; /* 1: application data was seen, or the start of the stream was missed */
};
static_assert(sizeof(struct nj_tls_record) <= 16, "one per direction of each TLS flow");

enum nj_tls_record_state { NJ_TLS_IN_STEP = 0, NJ_TLS_SEARCHING, NJ_TLS_LOST };

/* One request: from the first record of a burst to the last answer before the next burst. */
struct nj_tls_request {
	uint64_t start_ns;       /* first client record */
	uint32_t burst_us;       /* first to last client record */
	uint32_t wait_ms;        /* last client record to first answer record; 0 without answer */
	uint32_t request_bytes;  /* sizes of the client's records, encryption overhead included; saturates */
	uint32_t response_bytes; /* same of the server's */
};

struct nj_tls_track {
	struct nj_tls_record record[2]; /* [0] client to server, [1] server to client */
	uint64_t start_ns;              /* as above, of the request under way */
	uint32_t burst_us, wait_ms;
	uint32_t request_bytes, response_bytes; /* request_bytes 0: none under way */
};
static_assert(sizeof(struct nj_tls_track) <= 48, "one per TLS flow");

struct nj_tls_sink {
	void *context;
	void (*record)(void *context, uint64_t t_ns, bool from_client,
		       uint32_t size);                       /* application record begins; NULL: not wanted */
	void (*request_began)(void *context, uint64_t t_ns); /* NULL: not wanted */
	void (*request_ended)(
		void *context,
		const struct nj_tls_request *request); /* when the next begins, or at finish; NULL: not wanted */
};

/* *midstream*: the flow's start was not seen, so the first byte is no record boundary. */
void nj_tls_track_init(struct nj_tls_track *track, bool midstream);

/* The next piece of a direction: *wire_bytes* were sent at *t_ns*, the first *captured_bytes* of them are at *data*. */
void nj_tls_track_push(struct nj_tls_track *track, bool from_client, uint64_t t_ns, const uint8_t *data,
		       uint32_t captured_bytes, uint32_t wire_bytes, const struct nj_tls_sink *sink);

/* *bytes* of the direction were never seen; UINT32_MAX when nobody knows how many. */
void nj_tls_track_gap(struct nj_tls_track *track, bool from_client, uint32_t bytes);

/* Ends the request under way, if any, and forgets it. The flow may go on: call it at a flow's end, or wherever requests
 * must be cut. */
void nj_tls_track_finish(struct nj_tls_track *track, const struct nj_tls_sink *sink);

/* The part below, for one direction alone. Consumes bytes of *data* up to and including the next record header; true: a
 * record of *ret_type* (20..24) with *ret_size* bytes begins; false: the piece is used up. */
struct nj_tls_piece {
	const uint8_t *data;     /* borrowed */
	uint32_t captured_bytes; /* left at data */
	uint32_t wire_bytes;     /* left of the piece, >= captured_bytes */
};

bool nj_tls_record_next(struct nj_tls_record *record, struct nj_tls_piece *piece, uint8_t *ret_type,
			uint32_t *ret_size);
void nj_tls_record_gap(struct nj_tls_record *record, uint32_t bytes);

#endif
