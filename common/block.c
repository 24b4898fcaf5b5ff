/* Huge pages only pay for blocks of many of them; smaller ones come as ordinary pages. On the 62 MB of flows of the
 * benchmark's capture they save a tenth of the worker's time, most of it misses of the translation buffer. */
#include "common/block.h"

#include <assert.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_BYTES ((size_t)2 << 20)

/* Maps a huge page more than asked for and gives back what sticks out, so that a large block begins on a huge page. */
void *nj_block_new(size_t bytes)
{
	assert(bytes > 0);
	int protection = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	if (bytes < HUGE_BYTES) {
		void *block = mmap(NULL, bytes, protection, flags, -1, 0);
		return block != MAP_FAILED ? block : NULL;
	}
	uint8_t *mapped = mmap(NULL, bytes + HUGE_BYTES, protection, flags, -1, 0);
	if (mapped == MAP_FAILED)
		return NULL;
	size_t before = (HUGE_BYTES - (uintptr_t)mapped % HUGE_BYTES) % HUGE_BYTES;
	uint8_t *block = mapped + before;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), end = (bytes + page - 1) / page * page;
	uint8_t *mapped_end = mapped + (bytes + HUGE_BYTES + page - 1) / page * page;
	if (before > 0)
		munmap(mapped, before);
	if (block + end < mapped_end)
		munmap(block + end, (size_t)(mapped_end - (block + end)));
	(void)madvise(block, bytes, MADV_HUGEPAGE); /* a wish: without huge pages all works, slower */
	return block;
}

void nj_block_free(void *block, size_t bytes)
{
	if (block != NULL)
		munmap(block, bytes);
}
