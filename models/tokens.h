/* The shape of a token stream: how much the answer to one request looks like a language model writing, told from the
 * sizes and times of its records alone (detection.md F-SSE). All integers, so that every sensor gives the same score to
 * the bit.
 *
 * A sketch counts exactly what can be counted and keeps at most 64 sizes and 64 gaps for quantiles: each one at first,
 * each second one from the 65th on, each fourth from the 129th on: which ones stay depends on their number alone. 288
 * bytes; an addition costs some 30 ns when the record is kept and 2 ns when not; the score about 3 us, once an answer.
 */
#ifndef NJ_MODELS_TOKENS_H
#define NJ_MODELS_TOKENS_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define NJ_TOKENS_KEPT_MAX      64
#define NJ_TOKENS_RECORDS_MIN   16 /* fewer small records: no stream */
#define NJ_TOKENS_SMALL_MIN     60 /* sizes of a token's record, bytes */
#define NJ_TOKENS_SMALL_MAX     1200
#define NJ_TOKENS_TIMELY_MIN_US 4000 /* gaps between tokens */
#define NJ_TOKENS_TIMELY_MAX_US 400000
#define NJ_TOKENS_ONE           1000 /* a score of 1 */

/* Zero is an empty sketch. */
struct nj_tokens {
	uint16_t size[NJ_TOKENS_KEPT_MAX];     /* bytes; a larger one counts as 65535 */
	uint16_t gap_log2[NJ_TOKENS_KEPT_MAX]; /* log2 of a gap in us, plus one, in 1/1024 */
	uint32_t records, small, gaps, timely;
	uint16_t sizes_kept, gaps_kept; /* the stride is 2^k for records in (64 2^(k-1), 64 2^k] */
	uint64_t last_ns;               /* of the last record */
};
static_assert(sizeof(struct nj_tokens) == 288, "one a flow that is followed");

/* Empties a sketch without touching what it no longer keeps. */
static inline void nj_tokens_reset(struct nj_tokens *tokens)
{
	tokens->records = tokens->small = tokens->gaps = tokens->timely = 0;
	tokens->sizes_kept = tokens->gaps_kept = 0;
	tokens->last_ns = 0;
}

/* A record of the answer at *t_ns*, not before the one before it. */
void nj_tokens_add(struct nj_tokens *tokens, uint64_t t_ns, uint32_t bytes);

/* What the score is made of: the measured values, in the unit of each, and their memberships in 1/1000. */
enum nj_tokens_part {
	NJ_TOKENS_SMALL_SHARE,  /* share of records of 60 to 1200 bytes, 1/1000 */
	NJ_TOKENS_SIZE,         /* median size, bytes */
	NJ_TOKENS_SIZE_SPREAD,  /* interquartile range of sizes over their median, 1/10000 */
	NJ_TOKENS_GAP,          /* median gap, us */
	NJ_TOKENS_TIMELY_SHARE, /* share of gaps of 4 to 400 ms, 1/1000 */
	NJ_TOKENS_GAP_SPREAD,   /* 1.4826 median absolute deviation of ln gap, 1/1000 */
	NJ_TOKENS_COUNT,        /* small records */
	NJ_TOKENS_WAIT,         /* from the request's end to the first record, ms */
	NJ_TOKENS_UP,           /* bytes of the request */
	NJ_TOKENS_PARTS_N
};

struct nj_tokens_shape {
	uint64_t value[NJ_TOKENS_PARTS_N];
	uint16_t membership[NJ_TOKENS_PARTS_N];
	uint16_t score; /* 0..NJ_TOKENS_ONE: geometric mean of the memberships; 0 with less than 16 small records */
};

void nj_tokens_shape(const struct nj_tokens *tokens, uint32_t wait_ms, uint64_t bytes_up,
		     struct nj_tokens_shape *ret_shape);

/* floor(1024 log2 value); 0 for 0. */
uint32_t nj_log2_q10(uint64_t value);

#endif
