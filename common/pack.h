/* MessagePack, written value by value into a buffer that grows, or into one of fixed size that does not. The only
 * module that knows msgpack-c. An error (no memory, no room) is sticky: write everything, then ask *failed* once.
 * Numbers take the shortest form. Any thread; a buffer belongs to one. */
#ifndef NJ_COMMON_PACK_H
#define NJ_COMMON_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nj_pack {
	uint8_t *bytes; /* *owned* unless fixed: nj_pack_fini() */
	size_t used, size;
	bool fixed, failed;
};

/* Over a buffer of the caller's, which it *borrows*. */
static inline struct nj_pack nj_pack_fixed(uint8_t *buffer, size_t size)
{
	return (struct nj_pack){.bytes = buffer, .size = size, .fixed = true};
}

void nj_pack_fini(struct nj_pack *pack);
void nj_pack_empty(struct nj_pack *pack); /* keeps the memory, forgets bytes and error */

void nj_pack_u64(struct nj_pack *pack, uint64_t value);
void nj_pack_i64(struct nj_pack *pack, int64_t value);
void nj_pack_nil(struct nj_pack *pack);
void nj_pack_array(struct nj_pack *pack, size_t n); /* n values follow */
void nj_pack_text(struct nj_pack *pack, const char *text, size_t length);
void nj_pack_bin(struct nj_pack *pack, const void *data, size_t size);
void nj_pack_raw(struct nj_pack *pack, const void *data, size_t size); /* values that were packed elsewhere */

#endif
