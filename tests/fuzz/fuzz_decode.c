/* Decoding of any frame of any link type: byte 0 chooses the link, byte 1 how much longer than its captured bytes the
 * frame was. */
#include "sensor/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int links[] = {0, 1, 9, 12, 14, 101, 104, 108, 113, 228, 229, 276, 105};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check(const struct nj_frame *frame, const struct nj_packet *p)
{
	const uint8_t *end = frame->data + frame->captured_bytes;
	require(p->payload_bytes <= p->payload_wire_bytes);
	require((p->payload == NULL) == (p->payload_bytes == 0));
	require(p->payload == NULL || (p->payload >= frame->data && p->payload_bytes <= (size_t)(end - p->payload)));
	require((p->ip == NULL) == (p->ip_version == 0));
	require(p->ip == NULL || (p->ip >= frame->data && p->ip_bytes <= (size_t)(end - p->ip)));
	require(p->encapsulations <= NJ_DECODE_DEPTH_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 65536)
		return 0;
	struct nj_frame frame = {.t_ns = 1,
				 .data = data + 2,
				 .captured_bytes = (uint32_t)size - 2,
				 .link_type = links[data[0] % (sizeof links / sizeof *links)]};
	struct nj_packet packet;
	frame.wire_bytes = frame.captured_bytes + (data[1] < 128 ? 0 : (data[1] - 127u) * 37);
	enum nj_drop drop = nj_decode(&frame, &packet);
	if (drop == NJ_DROP_NONE || drop == NJ_DROP_FRAGMENT)
		check(&frame, &packet);
	else
		require(drop < NJ_DROPS_N);
	return 0;
}
