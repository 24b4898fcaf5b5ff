/* A buffer is a window over the stream that begins at the first byte not consumed: *ready* bytes without a hole, and
 * behind them up to NJ_STREAM_HELD_MAX pieces, as offsets. Consuming moves the rest to the front; that is rare and at
 * most 16 kB. */
#include "sensor/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

uint64_t nj_stream_pool_memory_bytes(uint32_t buffers_max)
{
	return (uint64_t)buffers_max * (NJ_STREAM_BYTES_MAX + sizeof(uint32_t));
}

int nj_stream_pool_init(struct nj_stream_pool *pool, uint32_t buffers_max)
{
	assert(buffers_max > 0);
	*pool = (struct nj_stream_pool){.buffers_max = buffers_max};
	pool->buffers = malloc((size_t)buffers_max * NJ_STREAM_BYTES_MAX);
	pool->next = malloc((size_t)buffers_max * sizeof *pool->next);
	if (pool->buffers == NULL || pool->next == NULL) {
		nj_stream_pool_fini(pool);
		return NJ_ERR_MEMORY;
	}
	for (uint32_t i = 0; i < buffers_max; i++)
		pool->next[i] = i + 1 < buffers_max ? i + 1 : NJ_STREAM_NONE;
	return NJ_OK;
}

void nj_stream_pool_fini(struct nj_stream_pool *pool)
{
	free(pool->buffers);
	free(pool->next);
	*pool = (struct nj_stream_pool){0};
}

void nj_stream_begin(struct nj_stream *stream, uint32_t first)
{
	*stream = (struct nj_stream){.first = first, .buffer = NJ_STREAM_NONE, .started = true};
}

void nj_stream_end(struct nj_stream *stream, struct nj_stream_pool *pool)
{
	if (stream->started && stream->buffer != NJ_STREAM_NONE) {
		pool->next[stream->buffer] = pool->free;
		pool->free = stream->buffer;
	}
	*stream = (struct nj_stream){.buffer = NJ_STREAM_NONE};
}

static uint8_t *bytes_of(const struct nj_stream *stream, struct nj_stream_pool *pool)
{
	return pool->buffers + (size_t)stream->buffer * NJ_STREAM_BYTES_MAX;
}

static bool buffer_take(struct nj_stream *stream, struct nj_stream_pool *pool)
{
	if (stream->buffer != NJ_STREAM_NONE)
		return true;
	if (pool->free == NJ_STREAM_NONE) {
		pool->refused++;
		return false;
	}
	stream->buffer = pool->free;
	pool->free = pool->next[pool->free];
	return true;
}

static void held_delete(struct nj_stream *stream, unsigned at)
{
	stream->held_n--;
	memmove(stream->held + at, stream->held + at + 1, (stream->held_n - at) * sizeof *stream->held);
}

/* Moves *ready* over pieces that it has reached. */
static void held_join(struct nj_stream *stream)
{
	while (stream->held_n > 0 && stream->held[0].start <= stream->ready) {
		if (stream->held[0].end > stream->ready)
			stream->ready = stream->held[0].end;
		held_delete(stream, 0);
	}
}

/* Copies [start, end) except where bytes are already. */
static void fill(struct nj_stream *stream, uint8_t *buffer, uint32_t start, uint32_t end, const uint8_t *data)
{
	uint32_t at = start > stream->ready ? start : stream->ready;
	for (unsigned i = 0; at < end; i++) {
		uint32_t hole_end = i < stream->held_n && stream->held[i].start < end ? stream->held[i].start : end;
		if (at < hole_end)
			memcpy(buffer + at, data + (at - start), hole_end - at);
		if (i == stream->held_n)
			break;
		at = stream->held[i].end > at ? stream->held[i].end : at;
	}
}

/* Notes [start, end) as there; false when there are too many pieces. */
static bool held_note(struct nj_stream *stream, uint32_t start, uint32_t end)
{
	if (start <= stream->ready) {
		if (end > stream->ready)
			stream->ready = (uint16_t)end;
		held_join(stream);
		return true;
	}
	unsigned at = 0;
	while (at < stream->held_n && stream->held[at].end < start)
		at++;
	while (at < stream->held_n && stream->held[at].start <= end) {
		start = stream->held[at].start < start ? stream->held[at].start : start;
		end = stream->held[at].end > end ? stream->held[at].end : end;
		held_delete(stream, at);
	}
	if (stream->held_n == NJ_STREAM_HELD_MAX)
		return false;
	memmove(stream->held + at + 1, stream->held + at, (stream->held_n - at) * sizeof *stream->held);
	stream->held[at] = (struct nj_stream_piece){(uint16_t)start, (uint16_t)end};
	stream->held_n++;
	return true;
}

const uint8_t *nj_stream_view(struct nj_stream *stream, struct nj_stream_pool *pool, uint32_t sequence,
			      const uint8_t *data, uint32_t bytes, size_t *ret_size)
{
	assert(stream->started);
	int32_t offset = (int32_t)(sequence - stream->first);
	if (offset < 0) {
		if ((int64_t)bytes + offset <= 0)
			return NULL;
		data -= offset;
		bytes = (uint32_t)((int64_t)bytes + offset);
		offset = 0;
	}
	if (bytes == 0 || offset >= NJ_STREAM_BYTES_MAX)
		return NULL;
	if (offset == 0 && stream->buffer == NJ_STREAM_NONE) {
		*ret_size = bytes < NJ_STREAM_BYTES_MAX ? bytes : NJ_STREAM_BYTES_MAX;
		return data;
	}
	if (!buffer_take(stream, pool))
		return NULL;
	uint32_t start = (uint32_t)offset,
		 end = bytes < NJ_STREAM_BYTES_MAX - start ? start + bytes : NJ_STREAM_BYTES_MAX;
	uint16_t before = stream->ready;
	struct nj_stream kept = *stream;
	if (!held_note(stream, start, end)) {
		*stream = kept;
		return NULL;
	}
	fill(&kept, bytes_of(stream, pool), start, end, data);
	if (stream->ready == before)
		return NULL;
	*ret_size = stream->ready;
	return bytes_of(stream, pool);
}

bool nj_stream_keep(struct nj_stream *stream, struct nj_stream_pool *pool, const uint8_t *view, size_t size,
		    size_t used)
{
	assert(used <= size);
	stream->first += (uint32_t)used;
	if (stream->buffer == NJ_STREAM_NONE) {
		if (used == size)
			return true;
		if (!buffer_take(stream, pool))
			return false;
		memcpy(bytes_of(stream, pool), view + used, size - used);
		stream->ready = (uint16_t)(size - used);
		return true;
	}
	if (used == 0)
		return true;
	uint8_t *buffer = bytes_of(stream, pool);
	size_t top = stream->held_n > 0 ? stream->held[stream->held_n - 1].end : stream->ready;
	memmove(buffer, buffer + used, top - used);
	stream->ready = (uint16_t)(stream->ready - used);
	for (unsigned i = 0; i < stream->held_n; i++) {
		stream->held[i].start = (uint16_t)(stream->held[i].start - used);
		stream->held[i].end = (uint16_t)(stream->held[i].end - used);
	}
	return true;
}
