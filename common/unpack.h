/* MessagePack, read value by value, in place, from bytes of a stranger. Not with msgpack-c's unpacker: that one
 * allocates what an array header claims and builds a tree of 24 bytes for each byte received; this reads the same bytes
 * once and believes no number it has not bounded. The first thing that is wrong sticks, as words; everything read after
 * it is zero.
 *
 * A record is an array whose fields are known by position: a reader takes the fields it knows, treats missing ones as
 * zero, and skips what follows, so that neighbouring releases understand each other. Borrows the bytes; any thread.
 * https://github.com/msgpack/msgpack/blob/master/spec.md */
#ifndef NJ_COMMON_UNPACK_H
#define NJ_COMMON_UNPACK_H

#include "common/addr.h"
#include "common/cursor.h"

struct nj_unpack {
	struct nj_cursor cursor;
	const char *wrong; /* NULL: nothing yet */
	bool full;         /* set by whoever ran out of memory for what was read */
};

/* The fields of one record still to be read. */
struct nj_fields {
	struct nj_unpack *from;
	uint32_t left;
};

static inline struct nj_unpack nj_unpack_open(const void *data, size_t size)
{
	return (struct nj_unpack){.cursor = nj_cursor_make(data, size)};
}

static inline bool nj_unpack_ok(const struct nj_unpack *r)
{
	return r->wrong == NULL;
}

static inline void nj_unpack_spoil(struct nj_unpack *r, const char *wrong)
{
	if (r->wrong == NULL)
		r->wrong = wrong;
	r->cursor.at = r->cursor.end;
}

/* The type byte of the next value; 0xc1, which MessagePack never uses, at the end. */
uint8_t nj_unpack_peek(const struct nj_unpack *r);

uint64_t nj_unpack_u64(struct nj_unpack *r);
uint64_t nj_unpack_bounded(struct nj_unpack *r, uint64_t max);
uint64_t nj_unpack_signed(struct nj_unpack *r); /* signed or unsigned, as its 64 bits of two's complement */
uint32_t nj_unpack_array(struct nj_unpack *r, uint32_t max);              /* how many values follow */
const uint8_t *nj_unpack_text(struct nj_unpack *r, uint32_t *ret_length); /* *borrowed* from the bytes, as the next */
const uint8_t *nj_unpack_bin(struct nj_unpack *r, uint32_t *ret_length);
void nj_unpack_addr(struct nj_unpack *r, struct nj_addr *ret_addr); /* 4 or 16 bytes of binary */
void nj_unpack_skip(struct nj_unpack *r);                           /* one value of any kind, however nested */

/* A text with its NUL into *size* bytes that are zero; too long, or with a NUL of its own: spoilt. */
void nj_unpack_copy_text(struct nj_unpack *r, const uint8_t *text, uint32_t length, char *ret_text, size_t size);

struct nj_fields nj_fields_open(struct nj_unpack *r);
void nj_fields_close(struct nj_fields *f); /* skips what this release does not know */

/* Whether one more field is there; then its value must be read. */
static inline bool nj_fields_next(struct nj_fields *f)
{
	if (f->left == 0 || !nj_unpack_ok(f->from))
		return false;
	f->left--;
	return true;
}

uint64_t nj_field_u64(struct nj_fields *f, uint64_t max);
uint64_t nj_field_relative(struct nj_fields *f, uint64_t base); /* base + a signed difference; missing: base */
void nj_field_text(struct nj_fields *f, char *ret_text, size_t size);
void nj_field_name(struct nj_fields *f, char *ret_name, size_t size); /* letters, digits, '-', '_', '.'; never empty */

#endif
