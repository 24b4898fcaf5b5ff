/* Quantiles of unsigned integers from 128 counters (HISTOGRAM in common/feature_table.h), within 5 % of the true value.
 *
 * Bucket 0..19 hold the values 0..19 themselves; from there bucket bounds grow by gamma = (1 + 0.05)/(1 - 0.05) =
 * 21/19, rounded down, to 752,868. Larger values fall into the last bucket, whose count therefore *is* the number of
 * clamped values. Counters saturate, so that adding still commutes and associates. A sketch is a plain uint32_t[128] of
 * the caller's: zeroed is empty, equal multisets give equal bytes. */
#ifndef NJ_MODELS_DDSKETCH_H
#define NJ_MODELS_DDSKETCH_H

#include <stdint.h>

#define NJ_DDSKETCH_BUCKETS 128

unsigned nj_ddsketch_bucket(uint64_t value);
uint64_t nj_ddsketch_lower(unsigned bucket); /* smallest value of the bucket; of NJ_DDSKETCH_BUCKETS: UINT64_MAX */
double nj_ddsketch_value(
	unsigned bucket); /* stands for the bucket: within 5 % of all its values (last bucket: its lower bound) */

void nj_ddsketch_add(uint32_t count[NJ_DDSKETCH_BUCKETS], uint64_t value);
void nj_ddsketch_merge(uint32_t into[NJ_DDSKETCH_BUCKETS], const uint32_t from[NJ_DDSKETCH_BUCKETS]);
uint64_t nj_ddsketch_count(const uint32_t count[NJ_DDSKETCH_BUCKETS]);
uint64_t nj_ddsketch_count_from(const uint32_t count[NJ_DDSKETCH_BUCKETS],
				unsigned bucket);                                 /* in this bucket and above */
double nj_ddsketch_quantile(const uint32_t count[NJ_DDSKETCH_BUCKETS], double q); /* q in 0..1; NAN when empty */
double nj_ddsketch_cdf(const uint32_t count[NJ_DDSKETCH_BUCKETS],
		       uint64_t value); /* share in buckets up to the value's; NAN when empty */

#endif
