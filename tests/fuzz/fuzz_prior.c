/* Any file as a baseline: numbers within their ranges, or words that name the file. */
#include "aggregator/prior.h"

#include "tests/fuzz/memory_file.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	int fd = memory_file(data, size, path);
	struct nj_prior prior;
	struct nj_message message = {""};
	if (nj_prior_load(path, &message, &prior) == NJ_OK) {
#define IN_RANGE(name, value, least, largest, meaning)                                                                 \
	assert(prior.name >= (least));                                                                                 \
	assert(prior.name <= (largest));
		NJ_PRIOR_NUMBERS(IN_RANGE)
#undef IN_RANGE
		assert(memchr(prior.source, '\0', sizeof prior.source) != NULL);
	} else {
		assert(strncmp(message.text, path, strlen(path)) == 0);
	}
	close(fd);
	return 0;
}
