/* LZ76: the string is cut from left to right, each component the shortest stretch that does not occur in all that
 * stands before its last symbol. c components of n symbols over an alphabet of a: c approaches n/log_a(n) for a random
 * string, so c log_a(n)/n is near 1 for one, and near 0 for a repetition (Kaspar and Schuster 1987 give the counting
 * scheme). Of strings this short the ratio of a random one lies rather at 1.1 to 1.3, and we cut at 1.5. A string of
 * one symbol only has a = 1: its complexity is set to 0. */
#include "models/novelty.h"

#include "models/math.h"

#include <math.h>
#include <stdbool.h>

#define LZ_MAX    1.5
#define COUNT_MAX (UINT32_C(1) << 31)

static void count_up(uint32_t *count, uint32_t ring)
{
	(*count)++;
	if (*count >= COUNT_MAX + ring)
		*count -= ring; /* full rings stay full, the place in them stays */
}

void nj_novelty_add(struct nj_novelty *novelty, uint64_t symbol_hash)
{
	novelty->symbol[novelty->symbols % NJ_NOVELTY_SYMBOLS] = (uint16_t)nj_mix64(symbol_hash);
	count_up(&novelty->symbols, NJ_NOVELTY_SYMBOLS);
}

void nj_novelty_request(struct nj_novelty *novelty, uint32_t size_bytes, uint16_t port)
{
	novelty->request[novelty->requests % NJ_NOVELTY_REQUESTS] =
		(uint16_t)nj_mix64((uint64_t)size_bytes << 16 | port);
	count_up(&novelty->requests, NJ_NOVELTY_REQUESTS);
}

/* Length of the longest stretch from *at* that also begins somewhere before it (overlap allowed). */
static uint32_t longest_known(const uint16_t *s, uint32_t n, uint32_t at)
{
	uint32_t longest = 0;
	for (uint32_t from = 0; from < at; from++) {
		uint32_t length = 0;
		while (at + length < n && s[from + length] == s[at + length])
			length++;
		longest = length > longest ? length : longest;
	}
	return longest;
}

uint32_t nj_lz76(const uint16_t *s, uint32_t n)
{
	assert(n <= NJ_NOVELTY_SYMBOLS);
	uint32_t components = 0;
	for (uint32_t at = 0; at < n; components++)
		at += longest_known(s, n, at) + 1;
	return components;
}

static uint32_t distinct(const uint16_t *s, uint32_t n)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < n; i++) {
		bool seen = false;
		for (uint32_t j = 0; j < i && !seen; j++)
			seen = s[j] == s[i];
		count += !seen;
	}
	return count;
}

void nj_novelty_judge(const struct nj_novelty *novelty, struct nj_novelty_verdict *ret_verdict)
{
	uint16_t s[NJ_NOVELTY_SYMBOLS];
	uint32_t n = novelty->symbols < NJ_NOVELTY_SYMBOLS ? novelty->symbols : NJ_NOVELTY_SYMBOLS;
	uint32_t m = novelty->requests < NJ_NOVELTY_REQUESTS ? novelty->requests : NJ_NOVELTY_REQUESTS;
	for (uint32_t i = 0; i < n; i++) /* oldest first */
		s[i] = novelty->symbol[(novelty->symbols - n + i) % NJ_NOVELTY_SYMBOLS];
	*ret_verdict = (struct nj_novelty_verdict){.symbols = n, .alphabet = distinct(s, n)};
	if (m > 0)
		ret_verdict->repeat = 1 - (double)distinct(novelty->request, m) / m;
	if (n >= NJ_NOVELTY_N_MIN && ret_verdict->alphabet > 1)
		ret_verdict->lz = fmin(nj_lz76(s, n) * log(n) / (n * log(ret_verdict->alphabet)), LZ_MAX);
}
