/* One message as a datagram, and the input as a stream of messages. */
#include "sensor/kerberos.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct nj_kerberos *kerberos)
{
	assert(kerberos->etypes_n <= NJ_KERBEROS_ETYPES_MAX);
	assert(strlen(kerberos->client) < NJ_KERBEROS_NAME_MAX);
	assert(strlen(kerberos->realm) < NJ_KERBEROS_NAME_MAX);
	assert(strlen(kerberos->service) < NJ_KERBEROS_NAME_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nj_kerberos kerberos;
	if (nj_kerberos_datagram(data, size, &kerberos) == NJ_PARSE_DONE)
		check(&kerberos);
	size_t used;
	while (nj_kerberos_stream(data, size, &kerberos, &used) == NJ_PARSE_DONE) {
		check(&kerberos);
		data += used, size -= used;
	}
	return 0;
}
