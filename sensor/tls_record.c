/* RFC 8446 5.1: a record is type (1), version (2), length (2), then that many bytes. The tracker knows how many bytes
 * are left of the current record and skips them unseen, so a packet in the middle of a download costs one subtraction.
 *
 * A search accepts an application record (23, 3, 0..4, a length within the bound) at any offset; where the header
 * behind it is at hand too, that must be one as well. In random bytes a false start comes once in 2^26 bytes or so, and
 * ends at the first header that is none.
 *
 * A request is made of what the records' sizes tell. Left out: a first client record of 53 or 69 bytes, which is the
 * Finished message of TLS 1.3 (4 + hash of 32 or 48 + 17) in the clothes of data; and small records, which steer HTTP/2
 * and neither ask nor answer: without that, each WINDOW_UPDATE of a server in the middle of an upload would make the
 * rest of it a new request. What the server sends before the first request (its encrypted handshake, its settings) has
 * no request to belong to. */
#include "sensor/tls_record.h"

#include <string.h>

enum { HEAD_BYTES = 5, TYPE_FIRST = 20, TYPE_LAST = 24, TYPE_APPLICATION = 23, NS_PER_US = 1000, NS_PER_MS = 1000000 };
enum { FINISHED_SHA256_BYTES = 53, FINISHED_SHA384_BYTES = 69 };

static uint32_t add_saturating(uint32_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static bool is_head(const uint8_t head[HEAD_BYTES])
{
	uint32_t size = (uint32_t)head[3] << 8 | head[4];
	return head[0] >= TYPE_FIRST && head[0] <= TYPE_LAST && head[1] == 3 && head[2] <= 4 && size > 0 &&
	       size <= NJ_TLS_RECORD_BYTES_MAX;
}

static void search(struct nj_tls_record *record)
{
	record->head_n = 0;
	record->left_bytes = 0;
	record->state = NJ_TLS_SEARCHING;
}

static void advance(struct nj_tls_piece *piece, uint32_t bytes)
{
	uint32_t captured = bytes < piece->captured_bytes ? bytes : piece->captured_bytes;
	if (captured > 0)
		piece->data += captured;
	piece->captured_bytes -= captured;
	piece->wire_bytes -= bytes;
}

/* Takes header bytes, over pieces if need be. True: *head* is whole. */
static bool take_head(struct nj_tls_record *record, struct nj_tls_piece *piece, uint8_t head[HEAD_BYTES])
{
	uint32_t want = HEAD_BYTES - record->head_n;
	uint32_t n = piece->captured_bytes < want ? piece->captured_bytes : want;
	memcpy(head, record->head, record->head_n);
	if (n > 0)
		memcpy(head + record->head_n, piece->data, n);
	advance(piece, n);
	if (n == want)
		return true;
	memcpy(record->head, head, record->head_n + n);
	record->head_n = (uint8_t)(record->head_n + n);
	return false;
}

/* In step: the header of the next record. False with the piece used up, or with the step lost. */
static bool next_in_step(struct nj_tls_record *record, struct nj_tls_piece *piece, uint8_t *ret_type,
			 uint32_t *ret_size)
{
	uint32_t skip = record->left_bytes < piece->wire_bytes ? record->left_bytes : piece->wire_bytes;
	record->left_bytes -= skip;
	advance(piece, skip);
	uint8_t head[HEAD_BYTES];
	if (piece->captured_bytes == 0 || !take_head(record, piece, head)) {
		if (piece->wire_bytes > 0) /* the header was sent but not captured */
			search(record);
		advance(piece, piece->wire_bytes);
		return false;
	}
	record->head_n = 0;
	if (!is_head(head)) {
		search(record);
		return false;
	}
	*ret_type = head[0];
	*ret_size = record->left_bytes = (uint32_t)head[3] << 8 | head[4];
	return true;
}

static bool starts_record(const uint8_t *data, size_t size)
{
	if (size < HEAD_BYTES || !is_head(data) || data[0] != TYPE_APPLICATION)
		return false;
	size_t next = HEAD_BYTES + ((size_t)data[3] << 8 | data[4]);
	return size < next + HEAD_BYTES || is_head(data + next);
}

/* Searching: moves the piece to the next place that looks like a record. A header cut by the end of a piece is missed.
 */
static bool find_record(struct nj_tls_record *record, struct nj_tls_piece *piece)
{
	const uint8_t *at = piece->data, *end = piece->captured_bytes > 0 ? at + piece->captured_bytes : at;
	while (at < end && (at = memchr(at, TYPE_APPLICATION, (size_t)(end - at))) != NULL) {
		if (starts_record(at, (size_t)(end - at))) {
			advance(piece, (uint32_t)(at - piece->data));
			record->left_bytes = 0;
			record->state = NJ_TLS_IN_STEP;
			return true;
		}
		at++;
	}
	record->left_bytes = add_saturating(record->left_bytes, piece->wire_bytes);
	if (record->left_bytes > NJ_TLS_SEARCH_BYTES_MAX)
		record->state = NJ_TLS_LOST;
	advance(piece, piece->wire_bytes);
	return false;
}

bool nj_tls_record_next(struct nj_tls_record *record, struct nj_tls_piece *piece, uint8_t *ret_type, uint32_t *ret_size)
{
	while (piece->wire_bytes > 0 && record->state != NJ_TLS_LOST) {
		if (record->state == NJ_TLS_SEARCHING && !find_record(record, piece))
			return false;
		if (next_in_step(record, piece, ret_type, ret_size))
			return true;
	}
	return false;
}

void nj_tls_record_gap(struct nj_tls_record *record, uint32_t bytes)
{
	if (record->state != NJ_TLS_IN_STEP || bytes == 0)
		return;
	if (bytes <= record->left_bytes)
		record->left_bytes -= bytes;
	else
		search(record);
}

void nj_tls_track_init(struct nj_tls_track *track, bool midstream)
{
	memset(track, 0, sizeof *track);
	if (midstream) {
		search(&track->record[0]);
		search(&track->record[1]);
	}
	track->record[0].started = track->record[1].started = midstream;
}

static uint64_t elapsed_ns(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? to_ns - from_ns : 0;
}

static uint32_t at_most_u32(uint64_t value)
{
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static uint64_t burst_end_ns(const struct nj_tls_track *track)
{
	return track->start_ns + (uint64_t)track->burst_us * NS_PER_US;
}

void nj_tls_track_finish(struct nj_tls_track *track, const struct nj_tls_sink *sink)
{
	if (track->request_bytes == 0)
		return;
	struct nj_tls_request request = {
		.start_ns = track->start_ns,
		.burst_us = track->burst_us,
		.wait_ms = track->wait_ms,
		.request_bytes = track->request_bytes,
		.response_bytes = track->response_bytes,
	};
	track->request_bytes = 0;
	if (sink->request_ended != NULL)
		sink->request_ended(sink->context, &request);
}

/* One burst is up to 71 minutes long, what 32 bits of microseconds hold. */
static bool continues_burst(const struct nj_tls_track *track, uint64_t t_ns)
{
	return track->request_bytes > 0 && track->response_bytes == 0 &&
	       elapsed_ns(burst_end_ns(track), t_ns) < (uint64_t)NJ_TLS_BURST_GAP_MS * NS_PER_MS &&
	       elapsed_ns(track->start_ns, t_ns) / NS_PER_US <= UINT32_MAX;
}

static void client_record(struct nj_tls_track *track, uint64_t t_ns, uint32_t size, const struct nj_tls_sink *sink)
{
	if (continues_burst(track, t_ns)) {
		uint32_t burst_us = at_most_u32(elapsed_ns(track->start_ns, t_ns) / NS_PER_US);
		track->burst_us = burst_us > track->burst_us ? burst_us : track->burst_us;
		track->request_bytes = add_saturating(track->request_bytes, size);
		return;
	}
	if (size <= NJ_TLS_CONTROL_BYTES_MAX)
		return;
	nj_tls_track_finish(track, sink);
	track->start_ns = t_ns;
	track->request_bytes = size;
	track->response_bytes = track->burst_us = track->wait_ms = 0;
	if (sink->request_began != NULL)
		sink->request_began(sink->context, t_ns);
}

static void server_record(struct nj_tls_track *track, uint64_t t_ns, uint32_t size)
{
	if (track->request_bytes == 0)
		return;
	if (track->response_bytes == 0) {
		if (size <= NJ_TLS_CONTROL_BYTES_MAX)
			return;
		track->wait_ms = at_most_u32(elapsed_ns(burst_end_ns(track), t_ns) / NS_PER_MS);
	}
	track->response_bytes = add_saturating(track->response_bytes, size);
}

static bool is_finished_message(bool from_client, bool first, uint32_t size)
{
	return from_client && first && (size == FINISHED_SHA256_BYTES || size == FINISHED_SHA384_BYTES);
}

static void application_record(struct nj_tls_track *track, bool from_client, uint64_t t_ns, uint32_t size,
			       const struct nj_tls_sink *sink)
{
	struct nj_tls_record *record = &track->record[from_client ? 0 : 1];
	bool first = !record->started;
	record->started = 1;
	if (is_finished_message(from_client, first, size))
		return;
	if (sink->record != NULL)
		sink->record(sink->context, t_ns, from_client, size);
	if (from_client)
		client_record(track, t_ns, size, sink);
	else
		server_record(track, t_ns, size);
}

void nj_tls_track_push(struct nj_tls_track *track, bool from_client, uint64_t t_ns, const uint8_t *data,
		       uint32_t captured_bytes, uint32_t wire_bytes, const struct nj_tls_sink *sink)
{
	assert(captured_bytes <= wire_bytes);
	struct nj_tls_piece piece = {.data = data, .captured_bytes = captured_bytes, .wire_bytes = wire_bytes};
	uint8_t type;
	uint32_t size;
	while (nj_tls_record_next(&track->record[from_client ? 0 : 1], &piece, &type, &size)) {
		if (type == TYPE_APPLICATION)
			application_record(track, from_client, t_ns, size, sink);
	}
}

void nj_tls_track_gap(struct nj_tls_track *track, bool from_client, uint32_t bytes)
{
	nj_tls_record_gap(&track->record[from_client ? 0 : 1], bytes);
}
