/* Bump allocation: one block, one index, nothing freed singly. Sizes are rounded to 16 so that any type may be placed.
 */
#include "common/arena.h"

#include "common/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int nj_arena_init(struct nj_arena *arena, size_t size)
{
	assert(size > 0);
	*arena = (struct nj_arena){.block = malloc(size), .size = size};
	return arena->block != NULL ? NJ_OK : NJ_ERR_MEMORY;
}

void nj_arena_fini(struct nj_arena *arena)
{
	free(arena->block);
	*arena = (struct nj_arena){0};
}

void nj_arena_reset(struct nj_arena *arena)
{
	arena->used = 0;
}

void *nj_arena_take(struct nj_arena *arena, size_t size)
{
	size_t rounded = (size + 15) & ~(size_t)15;
	if (rounded < size || rounded > arena->size - arena->used) {
		arena->refused++;
		return NULL;
	}
	void *taken = arena->block + arena->used;
	arena->used += rounded;
	if (arena->used > arena->peak)
		arena->peak = arena->used;
	memset(taken, 0, size);
	return taken;
}
