/* One block of output is all that QUIC's keys need, so that HKDF-Expand is a single HMAC over the label and a counter
 * of 1. */
#include "common/hkdf.h"

#include <assert.h>
#include <string.h>

enum { BLOCK_BYTES = 64 };

void nj_hmac_sha256(const uint8_t *key, size_t key_size, const uint8_t *message, size_t size,
		    uint8_t ret_mac[NJ_SHA256_BYTES])
{
	uint8_t inner[BLOCK_BYTES + NJ_HKDF_MESSAGE_MAX], outer[BLOCK_BYTES + NJ_SHA256_BYTES];
	assert(key_size <= BLOCK_BYTES);
	assert(size <= NJ_HKDF_MESSAGE_MAX);
	memset(inner, 0x36, BLOCK_BYTES);
	memset(outer, 0x5c, BLOCK_BYTES);
	for (size_t i = 0; i < key_size; i++) {
		inner[i] ^= key[i];
		outer[i] ^= key[i];
	}
	if (size > 0)
		memcpy(inner + BLOCK_BYTES, message, size);
	nj_sha256(inner, BLOCK_BYTES + size, outer + BLOCK_BYTES);
	nj_sha256(outer, sizeof outer, ret_mac);
}

void nj_hkdf_extract(const uint8_t *salt, size_t salt_size, const uint8_t *material, size_t size,
		     uint8_t ret_secret[NJ_SHA256_BYTES])
{
	nj_hmac_sha256(salt, salt_size, material, size, ret_secret);
}

void nj_hkdf_expand_label(const uint8_t secret[NJ_SHA256_BYTES], const char *label, uint8_t *ret_key, size_t size)
{
	static const char prefix[] = "tls13 ";
	size_t label_size = strlen(label), at = 0, prefix_size = sizeof prefix - 1;
	uint8_t info[NJ_HKDF_MESSAGE_MAX], block[NJ_SHA256_BYTES];
	assert(size <= NJ_SHA256_BYTES);
	assert(label_size < 64);
	info[at++] = 0;
	info[at++] = (uint8_t)size;
	info[at++] = (uint8_t)(prefix_size + label_size);
	memcpy(info + at, prefix, prefix_size);
	at += prefix_size;
	memcpy(info + at, label, label_size);
	at += label_size;
	info[at++] = 0; /* no context */
	info[at++] = 1; /* the first block */
	nj_hmac_sha256(secret, NJ_SHA256_BYTES, info, at, block);
	memcpy(ret_key, block, size);
}
