/* A body in one piece and byte by byte gives the same calls, and their texts are safe to show. */
#include "sensor/json_rpc.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_safe(const char *text, size_t size)
{
	assert(memchr(text, '\0', size) != NULL);
	for (; *text != '\0'; text++)
		assert(*text >= ' ' && *text <= '~');
}

/* A number made of all calls. */
static unsigned long calls_of(const uint8_t *data, size_t size, size_t step)
{
	struct nj_json_rpc rpc;
	unsigned long sum = 0;
	nj_json_rpc_begin(&rpc);
	for (size_t at = 0, used = 0; at < size && !rpc.over; at += used) {
		bool complete = nj_json_rpc_read(&rpc, data + at, size - at < step ? size - at : step, &used);
		is_safe(rpc.method, sizeof rpc.method);
		is_safe(rpc.name, sizeof rpc.name);
		if (complete)
			sum = sum * 31 + strlen(rpc.method) * 7 + strlen(rpc.name) + nj_json_rpc_kind(rpc.method);
	}
	return sum * 2 + nj_json_rpc_finish(&rpc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	assert(calls_of(data, size, size + 1) == calls_of(data, size, 1));
	return 0;
}
