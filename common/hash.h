/* Keyed 64- and 128-bit hashing (XXH3 with a secret derived from a key). Sketches merge only when hashed under the same
 * key, so the key has an id that travels with every batch; the id reveals nothing useful about the key. Keyed, because
 * an attacker who knows the hash can flood a bucket. */
#ifndef NJ_COMMON_HASH_H
#define NJ_COMMON_HASH_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define NJ_HASH_SECRET_BYTES 192

struct nj_hash_key {
	uint8_t secret[NJ_HASH_SECRET_BYTES]; /* derived from the key text, SHA-256 based; high entropy as XXH3 requires
					       */
	uint32_t id;                          /* first bytes of another SHA-256 over the same key text */
};

struct nj_hash128 {
	uint64_t low, high;
};

/* Derives a key from any text; "" gives the well-known default of offline replay, so that a replayed file always gives
 * the same bytes. */
void nj_hash_key_derive(const char *text, struct nj_hash_key *ret_key);

uint64_t nj_hash64(const void *data, size_t size, const void *key); /* key: struct nj_hash_key; fits nj_hash_function */
struct nj_hash128 nj_hash128(const void *data, size_t size, const struct nj_hash_key *key);

#endif
