/* One message as a datagram, and the input as a stream of messages. */
#include "sensor/dns.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct nj_dns *dns)
{
	assert(dns->questions_kept <= NJ_DNS_QUESTIONS_MAX);
	assert(dns->addresses_n <= NJ_DNS_ADDRESSES_MAX);
	for (unsigned i = 0; i < dns->questions_kept; i++)
		assert(strlen(dns->questions[i].name) == dns->questions[i].text_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nj_dns dns;
	if (nj_dns_datagram(data, size, &dns) == NJ_PARSE_DONE)
		check(&dns);
	size_t used;
	while (nj_dns_stream(data, size, &dns, &used) == NJ_PARSE_DONE) {
		check(&dns);
		data += used, size -= used;
	}
	return 0;
}
