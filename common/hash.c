/* XXH3 with a whole secret (not a seed): every one of its 192 bytes comes from SHA-256 of the key text, so that who
 * does not know the text cannot choose inputs that share a bucket. Inlined from the header: a call takes less than 10
 * ns for the 40-byte keys of the flow table. https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
#include "common/hash.h"

#include "common/sha.h"

#include <assert.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static_assert(NJ_HASH_SECRET_BYTES % NJ_SHA256_BYTES == 0, "the secret is made of whole digests");
static_assert(NJ_HASH_SECRET_BYTES >= XXH3_SECRET_SIZE_MIN, "XXH3 asks for at least this much");

/* SHA-256 of (purpose, block number, SHA-256 of the seed): one block of a stream that only the seed determines. */
static void expand(uint8_t purpose, uint8_t block, const uint8_t seed[NJ_SHA256_BYTES],
		   uint8_t ret_block[NJ_SHA256_BYTES])
{
	uint8_t input[2 + NJ_SHA256_BYTES] = {purpose, block};
	memcpy(input + 2, seed, NJ_SHA256_BYTES);
	nj_sha256(input, sizeof input, ret_block);
}

void nj_hash_key_derive(const char *text, struct nj_hash_key *ret_key)
{
	uint8_t seed[NJ_SHA256_BYTES], id[NJ_SHA256_BYTES];
	nj_sha256(text, strlen(text), seed);
	for (uint8_t block = 0; block < NJ_HASH_SECRET_BYTES / NJ_SHA256_BYTES; block++)
		expand('s', block, seed, ret_key->secret + block * NJ_SHA256_BYTES);
	expand('i', 0, seed, id);
	ret_key->id = (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];
}

uint64_t nj_hash64(const void *data, size_t size, const void *key)
{
	const struct nj_hash_key *k = key;
	return XXH3_64bits_withSecret(data, size, k->secret, sizeof k->secret);
}

struct nj_hash128 nj_hash128(const void *data, size_t size, const struct nj_hash_key *key)
{
	XXH128_hash_t hash = XXH3_128bits_withSecret(data, size, key->secret, sizeof key->secret);
	return (struct nj_hash128){.low = hash.low64, .high = hash.high64};
}
