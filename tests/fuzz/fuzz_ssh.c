/* The opening as either side's. */
#include "sensor/ssh.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nj_ssh ssh;
	for (int from_client = 0; from_client < 2; from_client++) {
		enum nj_parse verdict = nj_ssh_opening(data, size, from_client, &ssh);
		assert(strlen(ssh.software) < NJ_SSH_SOFTWARE_MAX);
		assert(strlen(ssh.hassh) == (verdict == NJ_PARSE_DONE && ssh.version == 2 ? 32 : 0));
	}
	return 0;
}
