/* For tests of parsers: a message built field by field, copies of exact size so that the address sanitizer sees a read
 * past the end, and a seeded source of damage. */
#ifndef NJ_TESTS_UNIT_BYTES_H
#define NJ_TESTS_UNIT_BYTES_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
	size_t n;
	uint8_t at[70000];
};

static inline void put_bytes(struct bytes *b, const void *data, size_t size)
{
	assert(size <= sizeof b->at - b->n);
	if (size > 0)
		memcpy(b->at + b->n, data, size);
	b->n += size;
}

static inline void put_fill(struct bytes *b, uint8_t value, size_t n)
{
	assert(n <= sizeof b->at - b->n);
	memset(b->at + b->n, value, n);
	b->n += n;
}

static inline void put_number(struct bytes *b, uint64_t value, unsigned width)
{
	for (unsigned i = width; i-- > 0;)
		put_fill(b, (uint8_t)(value >> 8 * i), 1);
}

static inline void put_text(struct bytes *b, const char *text)
{
	put_bytes(b, text, strlen(text));
}

/* A length of *width* bytes that covers what is put between open and close. */
static inline size_t put_open(struct bytes *b, unsigned width)
{
	put_fill(b, 0, width);
	return b->n;
}

static inline void put_close(struct bytes *b, size_t open, unsigned width)
{
	size_t length = b->n - open;
	for (unsigned i = 0; i < width; i++)
		b->at[open - 1 - i] = (uint8_t)(length >> 8 * i);
}

static inline uint8_t *exact_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);
	assert(copy != NULL);
	memcpy(copy, data, size);
	return copy;
}

/* xorshift64*: a seed other than 0 gives the same damage everywhere. */
static inline uint32_t next_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return (uint32_t)(*seed * 2685821657736338717u >> 32);
}

static inline void damage(uint8_t *data, size_t size, uint64_t *seed)
{
	for (uint32_t hits = 1 + next_random(seed) % 4; hits > 0 && size > 0; hits--)
		data[next_random(seed) % size] = (uint8_t)next_random(seed);
}

#endif
