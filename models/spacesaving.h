/* The k heaviest keys of a stream in k slots (Space-Saving). Any key with more than total/k of the weight is among
 * them; a count is too high by at most its *error*. Slots are the caller's array, zeroed at the start; what the caller
 * keeps beside a slot (a beacon's ring) is addressed by the slot's index. Ties break by key, so equal streams give
 * equal bytes. O(k) an update, k up to a few hundred; no pointers. */
#ifndef NJ_MODELS_SPACESAVING_H
#define NJ_MODELS_SPACESAVING_H

#include <stdbool.h>
#include <stdint.h>

struct nj_heavy {
	uint64_t key;
	uint64_t count; /* upper bound of the key's weight; 0: slot unused */
	uint64_t error; /* count - error is a lower bound */
};

/* Adds *weight* > 0 (asserted) to *key*; returns its slot. *ret_fresh (may be NULL): the slot was given to this key
 * just now, so whatever was kept beside it belongs to another. */
unsigned nj_heavy_add(struct nj_heavy *slot, unsigned slots, uint64_t key, uint64_t weight, bool *ret_fresh);

/* Slot of *key*, or -1. */
int nj_heavy_find(const struct nj_heavy *slot, unsigned slots, uint64_t key);

#endif
