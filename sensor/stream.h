/* The opening bytes of one direction of a TCP connection in order: just enough for a hello, a message or a head that
 * spans segments. While segments come in order and each parser is content with what it sees, nothing is copied: the
 * view is the packet's own payload. Otherwise bytes go into a buffer from a pool, out-of-order segments included, up to
 * NJ_STREAM_BYTES_MAX behind the first byte not yet consumed.
 *
 * When overlapping segments disagree the first to come stays. Memory: NJ_STREAM_BYTES_MAX + 4 B a buffer. Used by one
 * worker's thread. */
#ifndef NJ_SENSOR_STREAM_H
#define NJ_SENSOR_STREAM_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_STREAM_BYTES_MAX 16640 /* the longest TLS record, and with it any hello that fits one */
#define NJ_STREAM_HELD_MAX  16    /* pieces behind holes: QUIC clients scatter their hello on purpose */
#define NJ_STREAM_NONE      UINT32_MAX

struct nj_stream_pool {
	uint8_t *buffers;
	uint32_t *next; /* list of free buffers */
	uint32_t buffers_max, free;
	uint64_t refused; /* streams that went without, the pool being empty */
};

struct nj_stream_piece {
	uint16_t start, end; /* offsets in the buffer */
};

struct nj_stream {
	uint32_t first;  /* sequence number of the first byte not consumed */
	uint32_t buffer; /* NJ_STREAM_NONE: none */
	uint16_t ready;  /* bytes of the buffer that are there without a hole */
	uint8_t held_n;
	bool started;
	struct nj_stream_piece held[NJ_STREAM_HELD_MAX]; /* ascending, disjoint, behind ready */
};

uint64_t nj_stream_pool_memory_bytes(uint32_t buffers_max);
NJ_MUST_CHECK int nj_stream_pool_init(struct nj_stream_pool *pool, uint32_t buffers_max); /* NJ_ERR_MEMORY */
void nj_stream_pool_fini(struct nj_stream_pool *pool);

/* *first*: sequence number of the first byte of interest. */
void nj_stream_begin(struct nj_stream *stream, uint32_t first);
void nj_stream_end(struct nj_stream *stream, struct nj_stream_pool *pool); /* gives the buffer back */

/* Takes a segment. Returns all bytes that are there in order from the first one not consumed (*ret_size* of them), or
 * NULL when the segment changed nothing: old, behind a hole, or beyond the bound. *returned borrowed until* the next
 * call with this stream or the end of the packet. */
const uint8_t *nj_stream_view(struct nj_stream *stream, struct nj_stream_pool *pool, uint32_t sequence,
			      const uint8_t *data, uint32_t bytes, size_t *ret_size);

/* Of the view just returned, the first *used* bytes are consumed; the rest is kept for the next view. False when the
 * pool is empty and there was something to keep: this stream cannot be followed any further. */
bool nj_stream_keep(struct nj_stream *stream, struct nj_stream_pool *pool, const uint8_t *view, size_t size,
		    size_t used);

#endif
