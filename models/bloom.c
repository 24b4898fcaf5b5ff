/* Bloom 1970, with four probes from one hash (Kirsch and Mitzenmacher 2006: h1 + i h2) and age by rotation. With b bits
 * a half and n keys in it a new hash is taken for known with chance (1 - e^(-4n/b))^4 in each half: 4096 bits and 400
 * keys give 1 %. Memory 2^(bits_log2 - 2) bytes for both halves; test and add 12 ns while the bits are in cache. */
#include "models/bloom.h"

#include "models/math.h"

#include <assert.h>
#include <string.h>

#define PROBES 4

void nj_bloom_init(struct nj_bloom *bloom, unsigned bits_log2, uint64_t half_life_ns)
{
	assert(bits_log2 >= 6 && bits_log2 <= 30);
	assert(half_life_ns > 0);
	*bloom = (struct nj_bloom){.half_life_ns = half_life_ns, .bits_log2 = bits_log2};
}

static size_t half_words(const struct nj_bloom *bloom)
{
	return (size_t)1 << (bloom->bits_log2 - 6);
}

/* Late events fall into the present half: remembering longer is the harmless side. */
static void turn(struct nj_bloom *bloom, uint64_t *word, uint64_t t_ns)
{
	if (t_ns < bloom->turned_ns || t_ns - bloom->turned_ns < bloom->half_life_ns)
		return;
	if (t_ns - bloom->turned_ns >= 2 * bloom->half_life_ns)
		memset(word, 0, 2 * half_words(bloom) * sizeof *word);
	bloom->filling ^= 1;
	memset(word + bloom->filling * half_words(bloom), 0, half_words(bloom) * sizeof *word);
	bloom->turned_ns = t_ns - t_ns % bloom->half_life_ns;
	bloom->added = 0;
}

static uint64_t probe(const struct nj_bloom *bloom, uint64_t mixed, unsigned i)
{
	return ((uint32_t)mixed + i * (mixed >> 32 | 1)) & ((UINT64_C(1) << bloom->bits_log2) - 1);
}

static bool half_has(const struct nj_bloom *bloom, const uint64_t *half, uint64_t mixed)
{
	for (unsigned i = 0; i < PROBES; i++) {
		uint64_t bit = probe(bloom, mixed, i);
		if (!(half[bit >> 6] >> (bit & 63) & 1))
			return false;
	}
	return true;
}

bool nj_bloom_test(struct nj_bloom *bloom, uint64_t *word, uint64_t t_ns, uint64_t hash)
{
	turn(bloom, word, t_ns);
	uint64_t mixed = nj_mix64(hash);
	return half_has(bloom, word, mixed) || half_has(bloom, word + half_words(bloom), mixed);
}

bool nj_bloom_test_add(struct nj_bloom *bloom, uint64_t *word, uint64_t t_ns, uint64_t hash)
{
	bool known = nj_bloom_test(bloom, word, t_ns, hash);
	uint64_t mixed = nj_mix64(hash), *half = word + bloom->filling * half_words(bloom);
	bloom->added += !half_has(bloom, half, mixed);
	for (unsigned i = 0; i < PROBES; i++) {
		uint64_t bit = probe(bloom, mixed, i);
		half[bit >> 6] |= UINT64_C(1) << (bit & 63);
	}
	return known;
}

void nj_bloom_add(struct nj_bloom *bloom, uint64_t *word, uint64_t t_ns, uint64_t hash)
{
	(void)nj_bloom_test_add(bloom, word, t_ns, hash);
}

double nj_bloom_false_rate(const struct nj_bloom *bloom, const uint64_t *word)
{
	double miss = 1, bits = (double)(UINT64_C(1) << bloom->bits_log2);
	for (unsigned half = 0; half < 2; half++) {
		uint64_t set = 0;
		for (size_t i = 0; i < half_words(bloom); i++)
			set += (unsigned)__builtin_popcountll(word[half * half_words(bloom) + i]);
		double share = (double)set / bits;
		miss *= 1 - share * share * share * share;
	}
	return 1 - miss;
}
