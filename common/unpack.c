/* The lengths of MessagePack come in families: a short form inside the type byte, then forms of 1, 2, 4 bytes; one
 * function reads them all. Skipping is a loop with a count, not recursion, so nesting costs nothing. */
#include "common/unpack.h"

#include <string.h>

static uint64_t read_big_endian(struct nj_unpack *r, size_t bytes)
{
	const uint8_t *at = nj_cursor_take(&r->cursor, bytes);
	uint64_t value = 0;
	if (at == NULL)
		nj_unpack_spoil(r, "ends too early");
	for (size_t i = 0; at != NULL && i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

uint8_t nj_unpack_peek(const struct nj_unpack *r)
{
	return r->cursor.at < r->cursor.end ? *r->cursor.at : 0xc1; /* never used by MessagePack */
}

uint64_t nj_unpack_u64(struct nj_unpack *r)
{
	uint8_t type = (uint8_t)read_big_endian(r, 1);
	if (type < 0x80)
		return type;
	if (type >= 0xcc && type <= 0xcf)
		return read_big_endian(r, (size_t)1 << (type - 0xcc));
	nj_unpack_spoil(r, "an unsigned number is expected");
	return 0;
}

uint64_t nj_unpack_bounded(struct nj_unpack *r, uint64_t max)
{
	uint64_t value = nj_unpack_u64(r);
	if (value <= max)
		return value;
	nj_unpack_spoil(r, "a number is too large");
	return 0;
}

/* Signed or unsigned, as its 64 bits of two's complement. */
uint64_t nj_unpack_signed(struct nj_unpack *r)
{
	uint8_t type = nj_unpack_peek(r);
	if (type >= 0xe0)
		return (uint64_t)(int8_t)read_big_endian(r, 1);
	if (type < 0xd0 || type > 0xd3)
		return nj_unpack_u64(r);
	nj_cursor_skip(&r->cursor, 1);
	size_t bytes = (size_t)1 << (type - 0xd0);
	uint64_t value = read_big_endian(r, bytes), sign = (uint64_t)1 << (8 * bytes - 1);
	return bytes == 8 ? value : (value ^ sign) - sign;
}

/* The length of a string, binary or array whose short form, if any, is *fix* with *fix_bits* of length, and whose long
 * forms begin at *base*, the first of *first_bytes* length bytes. */
static uint32_t read_length(struct nj_unpack *r, uint8_t fix, uint8_t fix_bits, uint8_t base, size_t first_bytes,
			    const char *wrong)
{
	uint8_t type = (uint8_t)read_big_endian(r, 1);
	uint64_t length = 0;
	if (fix_bits > 0 && type >> fix_bits == fix >> fix_bits)
		length = type & ((1u << fix_bits) - 1);
	else if (type >= base && (first_bytes << (type - base)) <= 4)
		length = read_big_endian(r, first_bytes << (type - base));
	else
		nj_unpack_spoil(r, wrong);
	if (length > nj_cursor_left(&r->cursor))
		nj_unpack_spoil(r, "a length reaches past the end");
	return nj_unpack_ok(r) ? (uint32_t)length : 0;
}

uint32_t nj_unpack_array(struct nj_unpack *r, uint32_t max)
{
	uint32_t n = read_length(r, 0x90, 4, 0xdc, 2, "an array is expected");
	if (n <= max)
		return n;
	nj_unpack_spoil(r, "an array is too long");
	return 0;
}

const uint8_t *nj_unpack_text(struct nj_unpack *r, uint32_t *ret_length)
{
	*ret_length = read_length(r, 0xa0, 5, 0xd9, 1, "a text is expected");
	return nj_cursor_take(&r->cursor, *ret_length);
}

const uint8_t *nj_unpack_bin(struct nj_unpack *r, uint32_t *ret_length)
{
	*ret_length = read_length(r, 0, 0, 0xc4, 1, "bytes are expected");
	return nj_cursor_take(&r->cursor, *ret_length);
}

/* How many bytes follow the type byte of a value that is no array, map, string or binary; -1 for those. */
static int plain_bytes(uint8_t type)
{
	static const int8_t bytes[] = {
		[0xc0 - 0xc0] = 0,  [0xc2 - 0xc0] = 0,  [0xc3 - 0xc0] = 0,  [0xca - 0xc0] = 4,  [0xcb - 0xc0] = 8,
		[0xcc - 0xc0] = 1,  [0xcd - 0xc0] = 2,  [0xce - 0xc0] = 4,  [0xcf - 0xc0] = 8,  [0xd0 - 0xc0] = 1,
		[0xd1 - 0xc0] = 2,  [0xd2 - 0xc0] = 4,  [0xd3 - 0xc0] = 8,  [0xd4 - 0xc0] = 2,  [0xd5 - 0xc0] = 3,
		[0xd6 - 0xc0] = 5,  [0xd7 - 0xc0] = 9,  [0xd8 - 0xc0] = 17, [0xc1 - 0xc0] = -1, [0xc4 - 0xc0] = -1,
		[0xc5 - 0xc0] = -1, [0xc6 - 0xc0] = -1,
	};
	if (type < 0x80 || type >= 0xe0)
		return 0;
	return type >= 0xc0 && type < 0xd9 && !(type >= 0xc7 && type <= 0xc9) ? bytes[type - 0xc0] : -1;
}

/* Skips one value of any kind. A loop with a count, not recursion: nesting costs nothing. Gives how many values it
 * contains. */
static uint64_t skip_head(struct nj_unpack *r)
{
	uint8_t type = nj_unpack_peek(r);
	int plain = plain_bytes(type);
	uint32_t length;
	if (plain >= 0) {
		read_big_endian(r, 1);
		nj_cursor_skip(&r->cursor, (size_t)plain);
	} else if (type >> 4 == 9 || type == 0xdc || type == 0xdd) {
		return nj_unpack_array(r, UINT32_MAX);
	} else if (type >> 4 == 8 || type == 0xde || type == 0xdf) {
		return 2 * (uint64_t)read_length(r, 0x80, 4, 0xde, 2, "");
	} else if (type >> 5 == 5 || (type >= 0xd9 && type <= 0xdb)) {
		(void)nj_unpack_text(r, &length);
	} else if (type >= 0xc4 && type <= 0xc6) {
		(void)nj_unpack_bin(r, &length);
	} else if (type >= 0xc7 && type <= 0xc9) {
		length = read_length(r, 0, 0, 0xc7, 1, "");
		nj_cursor_skip(&r->cursor, (size_t)length + 1);
	} else {
		nj_unpack_spoil(r, "no MessagePack");
	}
	if (!nj_cursor_ok(&r->cursor))
		nj_unpack_spoil(r, "ends too early");
	return 0;
}

void nj_unpack_skip(struct nj_unpack *r)
{
	for (uint64_t left = 1; left > 0 && nj_unpack_ok(r); left--)
		left += skip_head(r);
}

struct nj_fields nj_fields_open(struct nj_unpack *r)
{
	return (struct nj_fields){r, nj_unpack_array(r, UINT32_MAX)};
}

void nj_fields_close(struct nj_fields *f)
{
	while (nj_fields_next(f))
		nj_unpack_skip(f->from);
}

uint64_t nj_field_u64(struct nj_fields *f, uint64_t max)
{
	return nj_fields_next(f) ? nj_unpack_bounded(f->from, max) : 0;
}

uint64_t nj_field_relative(struct nj_fields *f, uint64_t base)
{
	return nj_fields_next(f) ? base + nj_unpack_signed(f->from) : base;
}

void nj_unpack_copy_text(struct nj_unpack *r, const uint8_t *text, uint32_t length, char *ret_text, size_t size)
{
	if (length >= size)
		nj_unpack_spoil(r, "a text is too long");
	else if (length > 0 && memchr(text, '\0', length) != NULL)
		nj_unpack_spoil(r, "a text contains a NUL");
	else if (length > 0)
		memcpy(ret_text, text, length);
}

void nj_field_text(struct nj_fields *f, char *ret_text, size_t size)
{
	uint32_t length = 0;
	const uint8_t *text = nj_fields_next(f) ? nj_unpack_text(f->from, &length) : NULL;
	if (nj_unpack_ok(f->from))
		nj_unpack_copy_text(f->from, text, length, ret_text, size);
}

/* Letters, digits, '-', '_', '.'; never empty. */
static bool is_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	return *text != '\0' && text[strspn(text, letters)] == '\0';
}

void nj_field_name(struct nj_fields *f, char *ret_name, size_t size)
{
	nj_field_text(f, ret_name, size);
	if (nj_unpack_ok(f->from) && !is_name(ret_name))
		nj_unpack_spoil(f->from, "a name holds other than letters, digits, '-', '_' and '.'");
}

void nj_unpack_addr(struct nj_unpack *r, struct nj_addr *ret_addr)
{
	uint32_t length;
	const uint8_t *byte = nj_unpack_bin(r, &length);
	if (nj_unpack_ok(r) && length == 4)
		*ret_addr = nj_addr_v4(byte);
	else if (nj_unpack_ok(r) && length == 16)
		memcpy(ret_addr->byte, byte, 16);
	else
		nj_unpack_spoil(r, "an address must have 4 or 16 bytes");
}
