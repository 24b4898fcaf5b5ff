/* Has this hash been seen lately? Two Bloom filters, one filling, one ageing; a test asks both, so a key is remembered
 * for between one and two half-lives, and memory never grows. No false negatives within one half-life. The bits are the
 * caller's: uint64_t[NJ_BLOOM_WORDS(bits_log2)], zeroed. No pointers inside: save struct and bits as bytes. O(4) an
 * operation, a turn costs clearing one half. */
#ifndef NJ_MODELS_BLOOM_H
#define NJ_MODELS_BLOOM_H

#include <stdbool.h>
#include <stdint.h>

#define NJ_BLOOM_WORDS(bits_log2) (2u << ((bits_log2)-6)) /* both halves */

struct nj_bloom {
	uint64_t half_life_ns;
	uint64_t turned_ns; /* when the filling half was begun, a multiple of half_life_ns */
	uint32_t bits_log2; /* of one half, 6..30 */
	uint32_t filling;   /* 0 or 1 */
	uint64_t added;     /* keys that were new to the filling half since its turn */
};

void nj_bloom_init(struct nj_bloom *bloom, unsigned bits_log2, uint64_t half_life_ns);
void nj_bloom_add(struct nj_bloom *bloom, uint64_t *word, uint64_t t_ns, uint64_t hash);
bool nj_bloom_test(struct nj_bloom *bloom, uint64_t *word, uint64_t t_ns, uint64_t hash);
bool nj_bloom_test_add(struct nj_bloom *bloom, uint64_t *word, uint64_t t_ns, uint64_t hash); /* was it there before? */
double nj_bloom_false_rate(const struct nj_bloom *bloom,
			   const uint64_t *word); /* chance that a new hash is taken for known */

#endif
