/* Reassembly of any sequence of frames in a table far too small for it. The input is a row of records: link and time
 * step, length (two bytes each), frame. The counts must add up after every frame. */
#include "sensor/decode.h"
#include "sensor/fragment.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_counts(const struct nj_fragment *fragment)
{
	const struct nj_frame_counts *c = nj_fragment_counts(fragment);
	uint64_t sum = c->decoded + c->held;
	for (int i = 1; i < NJ_DROPS_N; i++)
		sum += c->dropped[i];
	if (sum != c->seen)
		abort();
}

/* Reads all that the packet points to, for the sanitizers. */
static void touch(const struct nj_packet *p)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < p->payload_bytes; i++)
		sum += p->payload[i];
	for (uint32_t i = 0; i < p->ip_bytes; i++)
		sum += p->ip[i];
	__asm__ volatile("" : : "r"(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nj_hash_key key;
	struct nj_fragment_options options = {
		.datagrams_max = 3, .blocks_max = NJ_FRAGMENT_BLOCKS_MIN, .timeout_ms = 1000, .hash_key = &key};
	struct nj_fragment *fragment = NULL;
	uint64_t t_ns = 0;
	if (key.id == 0)
		nj_hash_key_derive("", &key);
	if (nj_fragment_new(&options, &fragment) != NJ_OK)
		return 0;
	while (size >= 4) {
		uint32_t n = (uint32_t)data[2] << 8 | data[3];
		struct nj_frame frame = {.data = data + 4,
					 .link_type = data[0] % 2 == 0 ? NJ_LINK_RAW : NJ_LINK_ETHERNET};
		struct nj_packet packet;
		if (n > size - 4)
			n = (uint32_t)size - 4;
		t_ns += data[1] * 10000000ull;
		frame.t_ns = t_ns;
		frame.captured_bytes = n;
		frame.wire_bytes = n + (data[0] >> 6) * 100u;
		if (nj_fragment_decode(fragment, &frame, &packet))
			touch(&packet);
		check_counts(fragment);
		data += 4 + n;
		size -= 4 + n;
	}
	nj_fragment_finish(fragment);
	check_counts(fragment);
	nj_fragment_free(&fragment);
	return 0;
}
