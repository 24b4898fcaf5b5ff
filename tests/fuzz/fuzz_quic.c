/* A datagram as QUIC: every packet in it is opened as a client's and as a server's Initial with keys of its own
 * connection id, and the bytes are walked as frames too, since no fuzzer forges a tag. */
#include "sensor/quic.h"
#include "sensor/tls.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const uint8_t *data, size_t size)
{
	static struct nj_client_hello hello;
	struct nj_cursor frames = nj_cursor_make(data, size);
	struct nj_quic_crypto crypto;
	uint64_t sum = 0;
	while (nj_quic_crypto_next(&frames, &crypto)) {
		for (size_t i = 0; i < crypto.size; i++)
			sum += crypto.data[i]; /* all of it can be read */
		(void)nj_tls_client_hello_message(crypto.data, crypto.size, &hello);
	}
	assert(sum <= (uint64_t)255 * size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nj_aes *aes;
	static uint8_t plain[NJ_QUIC_PLAIN_MAX];
	struct nj_quic_packet packet;
	if (aes == NULL && nj_aes_new(&aes) != NJ_OK)
		return 0;
	(void)nj_quic_begins(data, size);
	walk(data, size);
	for (size_t at = 0; at < size && nj_quic_header(data + at, size - at, &packet); at += packet.bytes) {
		assert(packet.bytes > 0 && packet.bytes <= size - at);
		for (int client = 0; client < 2 && packet.type == NJ_QUIC_INITIAL; client++) {
			struct nj_quic_keys keys;
			size_t opened = 0;
			nj_quic_initial_keys(packet.version, packet.dcid, packet.dcid_bytes, client, &keys);
			if (nj_quic_open(aes, &keys, data + at, &packet, plain, &opened))
				walk(plain, opened);
		}
	}
	return 0;
}
