/* Both hellos in both framings, and the fingerprint of whatever passes for a client's. */
#include "sensor/ja4.h"
#include "sensor/tls.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fingerprint(const struct nj_client_hello *hello)
{
	char text[NJ_JA4_TEXT_MAX];
	assert(strlen(hello->sni) < NJ_TLS_NAME_MAX);
	if (nj_ja4(hello, 't', text))
		assert(strlen(text) == NJ_JA4_TEXT_MAX - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nj_client_hello client;
	static struct nj_server_hello server;
	if (nj_tls_client_hello(data, size, &client) == NJ_PARSE_DONE)
		fingerprint(&client);
	if (nj_tls_client_hello_message(data, size, &client) == NJ_PARSE_DONE)
		fingerprint(&client);
	(void)nj_tls_server_hello(data, size, &server);
	(void)nj_tls_server_hello_message(data, size, &server);
	return 0;
}
