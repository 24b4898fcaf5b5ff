/* Large tables: zeroed memory of its own pages, in huge pages where the system has them, since tables of this size miss
 * the translation buffer with every access otherwise. Pages are only taken when touched. Any thread. */
#ifndef NJ_COMMON_BLOCK_H
#define NJ_COMMON_BLOCK_H

#include <stddef.h>

/* *returns owned* memory, aligned to a page; NULL: out of memory. Bytes > 0. */
void *nj_block_new(size_t bytes);
void nj_block_free(void *block, size_t bytes); /* NULL is ignored */

#endif
