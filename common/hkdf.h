/* Keys out of keys, as TLS 1.3 and QUIC make them: HMAC-SHA256 (RFC 2104), HKDF (RFC 5869) and its labelled form (RFC
 * 8446 7.1). No allocation; 1 to 2 us a call; any thread. */
#ifndef NJ_COMMON_HKDF_H
#define NJ_COMMON_HKDF_H

#include "common/sha.h"

#define NJ_HKDF_MESSAGE_MAX 128 /* bytes of a message, salted keying material or label */

void nj_hmac_sha256(const uint8_t *key, size_t key_size, const uint8_t *message, size_t size,
		    uint8_t ret_mac[NJ_SHA256_BYTES]); /* key and message are bounded: 64 and NJ_HKDF_MESSAGE_MAX */

void nj_hkdf_extract(const uint8_t *salt, size_t salt_size, const uint8_t *material, size_t size,
		     uint8_t ret_secret[NJ_SHA256_BYTES]);

/* At most 32 bytes; the label without its prefix "tls13 ", the context is empty. */
void nj_hkdf_expand_label(const uint8_t secret[NJ_SHA256_BYTES], const char *label, uint8_t *ret_key, size_t size);

#endif
