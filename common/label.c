/* UTF-8 by RFC 3629. What is unsafe to show follows Unicode's properties Cc, Bidi_Control, Default_Ignorable, Cs, Co
 * and noncharacters, as ranges: a list of what can deceive, not of what is pretty. */
#include "common/label.h"

#include <assert.h>
#include <string.h>

/* How many bytes a lead byte announces, and the smallest code point that needs so many; 0 for a byte that leads
 * nothing. */
static unsigned sequence_bytes(uint8_t lead, uint32_t *ret_min)
{
	if (lead >= 0xc2 && lead <= 0xdf)
		return *ret_min = 0x80, 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return *ret_min = 0x800, 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return *ret_min = 0x10000, 4;
	return 0;
}

uint32_t nj_label_next(const uint8_t **at, const uint8_t *end, bool *ret_valid)
{
	const uint8_t *byte = (*at)++;
	*ret_valid = true;
	if (*byte < 0x80)
		return *byte;
	uint32_t min = 0;
	unsigned n = sequence_bytes(*byte, &min);
	*ret_valid = false;
	if (n == 0 || (size_t)(end - byte) < n)
		return NJ_LABEL_REPLACEMENT;
	uint32_t point = *byte & (0x7f >> n);
	for (unsigned i = 1; i < n; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return NJ_LABEL_REPLACEMENT;
		point = point << 6 | (byte[i] & 0x3f);
	}
	if (point < min || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return NJ_LABEL_REPLACEMENT;
	*at = byte + n;
	*ret_valid = true;
	return point;
}

static bool is_deceptive(uint32_t point)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x0000, 0x001f},   {0x007f, 0x009f},    {0x00ad, 0x00ad}, {0x034f, 0x034f}, {0x061c, 0x061c},
		{0x115f, 0x1160},   {0x17b4, 0x17b5},    {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e},
		{0x2060, 0x206f},   {0x3164, 0x3164},    {0xe000, 0xf8ff}, {0xfdd0, 0xfdef}, {0xfe00, 0xfe0f},
		{0xfeff, 0xfeff},   {0xffa0, 0xffa0},    {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x1bca0, 0x1bca3},
		{0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
	};
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (point >= ranges[i].first && point <= ranges[i].last)
			return true;
	return (point & 0xfffe) == 0xfffe;
}

size_t nj_label(const void *bytes, size_t size, char *ret_text, size_t text_size)
{
	assert(text_size > 0);
	static const char replacement[] = "\xef\xbf\xbd";
	const uint8_t *at = bytes, *end = at + size;
	size_t used = 0;
	while (at < end) {
		const uint8_t *from = at;
		bool valid;
		uint32_t point = nj_label_next(&at, end, &valid);
		bool keep = valid && !is_deceptive(point);
		size_t n = keep ? (size_t)(at - from) : sizeof replacement - 1;
		if (n >= text_size - used)
			break;
		memcpy(ret_text + used, keep ? (const char *)from : replacement, n);
		used += n;
	}
	ret_text[used] = '\0';
	return used;
}

size_t nj_label_ascii(const void *bytes, size_t size, char *ret_text, size_t text_size)
{
	assert(text_size > 0);
	const uint8_t *from = bytes;
	if (size > text_size - 1) {
		from += size - (text_size - 1);
		size = text_size - 1;
	}
	for (size_t i = 0; i < size; i++)
		ret_text[i] = from[i] >= 0x20 && from[i] < 0x7f ? (char)from[i] : '?';
	ret_text[size] = '\0';
	return size;
}
