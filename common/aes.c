/* libcrypto's EVP layer, whose contexts are made once and set up anew for each key: that way it uses the processor's
 * own AES instructions and allocates nothing later. */
#include "common/aes.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct nj_aes {
	EVP_CIPHER_CTX *block, *gcm;
};

int nj_aes_new(struct nj_aes **ret_aes)
{
	struct nj_aes *aes = calloc(1, sizeof *aes);
	if (aes == NULL)
		return NJ_ERR_MEMORY;
	aes->block = EVP_CIPHER_CTX_new();
	aes->gcm = EVP_CIPHER_CTX_new();
	if (aes->block == NULL || aes->gcm == NULL ||
	    EVP_EncryptInit_ex(aes->block, EVP_aes_128_ecb(), NULL, NULL, NULL) != 1 ||
	    EVP_DecryptInit_ex(aes->gcm, EVP_aes_128_gcm(), NULL, NULL, NULL) != 1) {
		nj_aes_free(&aes);
		return NJ_ERR_MEMORY;
	}
	*ret_aes = aes;
	return NJ_OK;
}

void nj_aes_free(struct nj_aes **aes)
{
	if (*aes == NULL)
		return;
	EVP_CIPHER_CTX_free((*aes)->block);
	EVP_CIPHER_CTX_free((*aes)->gcm);
	free(*aes);
	*aes = NULL;
}

void nj_aes_block(struct nj_aes *aes, const uint8_t key[NJ_AES_BYTES], const uint8_t in[NJ_AES_BYTES],
		  uint8_t ret_out[NJ_AES_BYTES])
{
	int bytes = 0;
	int ok = EVP_EncryptInit_ex(aes->block, NULL, NULL, key, NULL);
	ok = ok == 1 ? EVP_EncryptUpdate(aes->block, ret_out, &bytes, in, NJ_AES_BYTES) : 0;
	assert(ok == 1);
	assert(bytes == NJ_AES_BYTES);
}

bool nj_aes_open(struct nj_aes *aes, const uint8_t key[NJ_AES_BYTES], const uint8_t nonce[NJ_AES_NONCE_BYTES],
		 const struct nj_aes_sealed *sealed, uint8_t *ret_plain)
{
	int bytes = 0;
	uint8_t *tag = (uint8_t *)(uintptr_t)(sealed->data + sealed->bytes); /* read only, whatever the type says */
	assert(sealed->bytes <= INT32_MAX);
	assert(sealed->head_bytes <= INT32_MAX);
	return EVP_DecryptInit_ex(aes->gcm, NULL, NULL, key, nonce) == 1 &&
	       EVP_DecryptUpdate(aes->gcm, NULL, &bytes, sealed->head, (int)sealed->head_bytes) == 1 &&
	       EVP_DecryptUpdate(aes->gcm, ret_plain, &bytes, sealed->data, (int)sealed->bytes) == 1 &&
	       EVP_CIPHER_CTX_ctrl(aes->gcm, EVP_CTRL_AEAD_SET_TAG, NJ_AES_BYTES, tag) == 1 &&
	       EVP_DecryptFinal_ex(aes->gcm, ret_plain + bytes, &bytes) == 1;
}
