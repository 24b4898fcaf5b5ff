/* A bounds-checked reader of foreign bytes with a sticky error: read field after field, ask once at the end whether all
 * were there. After the first read past the end every further read gives zero and the cursor stays failed. Borrows the
 * bytes; any thread. */
#ifndef NJ_COMMON_CURSOR_H
#define NJ_COMMON_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct nj_cursor {
	const uint8_t *at;  /* next byte to read */
	const uint8_t *end; /* one past the last */
	bool failed;        /* something was read past the end */
};

static inline struct nj_cursor nj_cursor_make(const void *data, size_t size)
{
	return (struct nj_cursor){.at = data, .end = (const uint8_t *)data + size};
}

static inline size_t nj_cursor_left(const struct nj_cursor *c)
{
	return (size_t)(c->end - c->at);
}

static inline bool nj_cursor_ok(const struct nj_cursor *c)
{
	return !c->failed;
}

/* The next *size* bytes, consumed; NULL (and failed) when fewer are left. *Returns borrowed until* the data goes. */
static inline const uint8_t *nj_cursor_take(struct nj_cursor *c, size_t size)
{
	if (c->failed || size > nj_cursor_left(c)) {
		c->failed = true;
		c->at = c->end;
		return NULL;
	}
	const uint8_t *bytes = c->at;
	c->at += size;
	return bytes;
}

static inline void nj_cursor_skip(struct nj_cursor *c, size_t size)
{
	(void)nj_cursor_take(c, size);
}

static inline uint8_t nj_cursor_u8(struct nj_cursor *c)
{
	const uint8_t *b = nj_cursor_take(c, 1);
	return b != NULL ? b[0] : 0;
}

static inline uint16_t nj_cursor_u16(struct nj_cursor *c)
{
	const uint8_t *b = nj_cursor_take(c, 2);
	return b != NULL ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

static inline uint32_t nj_cursor_u24(struct nj_cursor *c)
{
	const uint8_t *b = nj_cursor_take(c, 3);
	return b != NULL ? (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2] : 0;
}

static inline uint32_t nj_cursor_u32(struct nj_cursor *c)
{
	const uint8_t *b = nj_cursor_take(c, 4);
	return b != NULL ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

/* A cursor over the next *size* bytes, consumed from *c*; an empty failed one when fewer are left. */
static inline struct nj_cursor nj_cursor_sub(struct nj_cursor *c, size_t size)
{
	const uint8_t *b = nj_cursor_take(c, size);
	if (b == NULL)
		return (struct nj_cursor){.at = c->end, .end = c->end, .failed = true};
	return nj_cursor_make(b, size);
}

#endif
