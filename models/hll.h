/* Counting distinct things of which only a 64-bit hash is known (HyperLogLog, 256 registers, standard error 6.5 %).
 *
 * Two forms. *Registers*, a plain uint8_t[256], are what an agent window carries (DISTINCT in common/feature_table.h):
 * register = low 8 bits of the hash, rank = leading zeros of the other 56 bits + 1; merge is element-wise maximum.
 * `struct nj_hll` is what a profile keeps: up to 24 exact hashes, then registers of 6 bits in the same 192 bytes. It is
 * canonical: the same set gives the same bytes, whatever the order of adding and the tree of merging, as long as it was
 * never merged with registers of another origin; with those, equal registers give equal bytes.
 *
 * No pointers: copy, save and compare as bytes. Zeroed memory is the empty set. One thread at a time. Measured costs
 * are in hll.c. */
#ifndef NJ_MODELS_HLL_H
#define NJ_MODELS_HLL_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define NJ_HLL_REGISTERS    256
#define NJ_HLL_EXACT_MAX    24
#define NJ_HLL_PACKED_BYTES (NJ_HLL_REGISTERS * 6 / 8)

struct nj_hll {
	union {
		uint64_t hash[NJ_HLL_EXACT_MAX];     /* ascending, the rest zero */
		uint8_t packed[NJ_HLL_PACKED_BYTES]; /* four registers in three bytes, little end first */
	};
	uint32_t exact_n; /* hashes in use while not dense */
	uint32_t dense;   /* 0 or 1 */
};

static_assert(sizeof(struct nj_hll) == 200, "profiles hold a dozen of these");

void nj_hll_add(struct nj_hll *hll, uint64_t hash);
void nj_hll_merge(struct nj_hll *into, const struct nj_hll *from);
void nj_hll_merge_registers(struct nj_hll *into, const uint8_t registers[NJ_HLL_REGISTERS]);
double nj_hll_estimate(const struct nj_hll *hll); /* exact up to 24 */
void nj_hll_registers(const struct nj_hll *hll, uint8_t ret_registers[NJ_HLL_REGISTERS]);
bool nj_hll_valid(const struct nj_hll *hll); /* check bytes from outside before any other call */

void nj_registers_add(uint8_t registers[NJ_HLL_REGISTERS], uint64_t hash);
void nj_registers_merge(uint8_t into[NJ_HLL_REGISTERS], const uint8_t from[NJ_HLL_REGISTERS]);
double nj_registers_estimate(const uint8_t registers[NJ_HLL_REGISTERS]); /* foreign ranks above 57 count as 57 */

#endif
