/* AES-128: one block, and authenticated decryption in Galois/counter mode, for what is encrypted with keys that
 * everybody on the path can make (QUIC Initials). The contexts are made once; opening allocates nothing and costs about
 * 1 us and 1 ns a byte. One thread a handle. */
#ifndef NJ_COMMON_AES_H
#define NJ_COMMON_AES_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_AES_BYTES       16 /* key, block and tag */
#define NJ_AES_NONCE_BYTES 12

struct nj_aes;

NJ_MUST_CHECK int nj_aes_new(struct nj_aes **ret_aes); /* *returns owned*; NJ_ERR_MEMORY */
void nj_aes_free(struct nj_aes **aes);

void nj_aes_block(struct nj_aes *aes, const uint8_t key[NJ_AES_BYTES], const uint8_t in[NJ_AES_BYTES],
		  uint8_t ret_out[NJ_AES_BYTES]);

struct nj_aes_sealed {
	const uint8_t *head; /* authenticated, in clear; all borrowed */
	size_t head_bytes;
	const uint8_t *data; /* encrypted, then the tag */
	size_t bytes;        /* of the encrypted part */
};

/* Into *ret_plain* (sealed->bytes). False: the tag is another's, and what stands there means nothing. */
bool nj_aes_open(struct nj_aes *aes, const uint8_t key[NJ_AES_BYTES], const uint8_t nonce[NJ_AES_NONCE_BYTES],
		 const struct nj_aes_sealed *sealed, uint8_t *ret_plain);

#endif
