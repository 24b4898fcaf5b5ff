/* The input is a script: direction (bit 7) and kind (bits 5 and 6), a length, and that many bytes of stream. Kinds: 0 a
 * piece; 1 a hole, its length the first byte of the content; 2 the end of a request; 3 a piece of which half was
 * captured. */
#include "sensor/tls_record.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t began, ended;

static void on_began(void *context, uint64_t t_ns)
{
	(void)context, (void)t_ns;
	began++;
}

static void on_ended(void *context, const struct nj_tls_request *request)
{
	(void)context;
	assert(request->request_bytes > 0);
	ended++;
}

static void step(struct nj_tls_track *track, uint8_t head, uint64_t t_ns, const uint8_t *data, uint32_t n)
{
	static const struct nj_tls_sink sink = {NULL, NULL, on_began, on_ended};
	bool from_client = !(head & 0x80);
	switch (head >> 5 & 3) {
	case 1:
		nj_tls_track_gap(track, from_client, n > 0 ? data[0] : UINT32_MAX);
		break;
	case 2:
		nj_tls_track_finish(track, &sink);
		break;
	case 3:
		nj_tls_track_push(track, from_client, t_ns, data, n / 2, n, &sink);
		break;
	default:
		nj_tls_track_push(track, from_client, t_ns, data, n, n, &sink);
	}
	assert(track->record[0].head_n < 5);
	assert(track->record[1].head_n < 5);
	assert(began == ended + (track->request_bytes > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nj_tls_track track;
	nj_tls_track_init(&track, false);
	began = ended = 0;
	uint64_t t_ns = 0;
	while (size >= 2) {
		uint8_t head = data[0];
		uint32_t n = data[1] < size - 2 ? data[1] : (uint32_t)(size - 2);
		t_ns += (uint64_t)(head & 0x1f) * 20000000;
		step(&track, head, t_ns, data + 2, n);
		data += 2 + n, size -= 2 + n;
	}
	return 0;
}
