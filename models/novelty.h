/* How little does this agent repeat itself? A script does the same thing again and again, a person or a model does not.
 *
 * The last 128 actions as symbols (made by the caller of host, service and size), and their complexity by Lempel and
 * Ziv (1976), normalised so that a string without structure is near 1 and a repeated one near 0; and of the last 64
 * requests, the share whose exact (size, port) had come before among them.
 *
 * 400 B an agent, pointer-free, zeroed to start, save as bytes. Judging costs 3 us: seldom. */
#ifndef NJ_MODELS_NOVELTY_H
#define NJ_MODELS_NOVELTY_H

#include <assert.h>
#include <stdint.h>

#define NJ_NOVELTY_SYMBOLS  128
#define NJ_NOVELTY_REQUESTS 64
#define NJ_NOVELTY_N_MIN    16 /* fewer symbols give no verdict */

struct nj_novelty {
	uint16_t symbol[NJ_NOVELTY_SYMBOLS];   /* hashes, ring */
	uint16_t request[NJ_NOVELTY_REQUESTS]; /* hashes, ring */
	uint32_t symbols, requests;            /* ever, saturating at 2^31 plus the place in the ring */
	uint64_t reserved;
};

static_assert(sizeof(struct nj_novelty) == 400, "one an agent");

void nj_novelty_add(struct nj_novelty *novelty, uint64_t symbol_hash);                   /* an action */
void nj_novelty_request(struct nj_novelty *novelty, uint32_t size_bytes, uint16_t port); /* a request of that size */

struct nj_novelty_verdict {
	double lz;     /* 0..1.5: normalised complexity, cut; 0 with fewer than NJ_NOVELTY_N_MIN symbols */
	double repeat; /* 0..1: share of requests whose (size, port) came before */
	uint32_t symbols, alphabet;
};

void nj_novelty_judge(const struct nj_novelty *novelty, struct nj_novelty_verdict *ret_verdict);

/* Number of components of the exhaustive history of s[0..n-1] (Lempel and Ziv 1976), n up to NJ_NOVELTY_SYMBOLS. */
uint32_t nj_lz76(const uint16_t *s, uint32_t n);

#endif
