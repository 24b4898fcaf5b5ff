/* The block functions of libcrypto rather than its EVP layer: EVP allocates a context per digest, and fingerprints are
 * made between packets, where nothing may allocate. The contexts here (96 to 112 bytes) live on the stack. libcrypto
 * calls these functions deprecated in favour of EVP but keeps them; the define says that we know. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "common/sha.h"

#include <openssl/md5.h>
#include <openssl/sha.h>

void nj_sha256(const void *data, size_t size, uint8_t digest[NJ_SHA256_BYTES])
{
	SHA256_CTX context;
	SHA256_Init(&context);
	SHA256_Update(&context, data, size);
	SHA256_Final(digest, &context);
}

void nj_sha1(const void *data, size_t size, uint8_t digest[NJ_SHA1_BYTES])
{
	SHA_CTX context;
	SHA1_Init(&context);
	SHA1_Update(&context, data, size);
	SHA1_Final(digest, &context);
}

void nj_md5(const struct nj_bytes *parts, size_t parts_n, uint8_t digest[NJ_MD5_BYTES])
{
	MD5_CTX context;
	MD5_Init(&context);
	for (size_t i = 0; i < parts_n; i++)
		MD5_Update(&context, parts[i].data, parts[i].size);
	MD5_Final(digest, &context);
}

char *nj_hex(const uint8_t *data, size_t size, char *text)
{
	static const char digit[16] = "0123456789abcdef";
	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digit[data[i] >> 4];
		text[2 * i + 1] = digit[data[i] & 15];
	}
	text[2 * size] = '\0';
	return text;
}
