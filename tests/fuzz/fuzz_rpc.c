/* A client's segments, one after the other: cut where the first byte says. */
#include "sensor/rpc.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nj_rpc_call calls[NJ_RPC_CALLS_MAX];
	if (size == 0)
		return 0;
	uint8_t bound = data[0];
	size_t step = (size_t)data[0] * 8 + 1;
	for (size_t at = 1; at < size; at += step) {
		unsigned n = nj_rpc_scan(data + at, size - at < step ? size - at : step, &bound, calls);
		assert(n <= NJ_RPC_CALLS_MAX);
		for (unsigned i = 0; i < n; i++) {
			assert(strlen(calls[i].interface) > 0);
			assert(calls[i].operation != NULL);
		}
	}
	return 0;
}
