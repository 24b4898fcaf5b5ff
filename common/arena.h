/* A bump allocator over one block: what is built for one window or one tick and dropped as a whole. Bounded by its
 * size; when it is full it gives NULL and counts. Owned and used by one thread. */
#ifndef NJ_COMMON_ARENA_H
#define NJ_COMMON_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct nj_arena {
	uint8_t *block;
	size_t size, used, peak;
	uint64_t refused; /* requests that did not fit */
};

int nj_arena_init(struct nj_arena *arena, size_t size) __attribute__((warn_unused_result)); /* NJ_ERR_MEMORY */
void nj_arena_fini(struct nj_arena *arena);
void nj_arena_reset(struct nj_arena *arena);

/* Zeroed, 16-byte aligned; NULL when full. *Returns borrowed until* reset. */
void *nj_arena_take(struct nj_arena *arena, size_t size);

#endif
