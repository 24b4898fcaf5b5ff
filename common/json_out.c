/* RFC 8259. Text is escaped so that it is also safe inside an HTML script element (less-than sign) and for line-based
 * readers (U+2028, U+2029). */
#include "common/json_out.h"

#include "common/label.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char hex_digits[] = "0123456789abcdef";

void nj_json_out_fini(struct nj_json_out *out)
{
	free(out->text);
	*out = (struct nj_json_out){0};
}

void nj_json_out_reset(struct nj_json_out *out)
{
	struct nj_json_out empty = {.text = out->text, .size = out->size};
	if (empty.text != NULL)
		empty.text[0] = '\0';
	*out = empty;
}

bool nj_json_out_ok(const struct nj_json_out *out)
{
	return !out->failed && out->depth == 0;
}

char *nj_json_out_take(struct nj_json_out *out)
{
	char *text = NULL;
	if (nj_json_out_ok(out)) {
		text = out->text;
		out->text = NULL;
	}
	nj_json_out_fini(out);
	return text;
}

/* Room for *n* more characters and a NUL; NULL once memory has run out. */
static char *reserve(struct nj_json_out *out, size_t n)
{
	if (out->failed)
		return NULL;
	if (out->size - out->used <= n) {
		size_t size = (out->size + n + 256) * 2;
		char *text = realloc(out->text, size);
		if (text == NULL) {
			out->failed = true;
			return NULL;
		}
		out->text = text;
		out->size = size;
	}
	return out->text + out->used;
}

static void put(struct nj_json_out *out, const char *bytes, size_t n)
{
	char *to = reserve(out, n);
	if (to == NULL)
		return;
	memcpy(to, bytes, n);
	to[n] = '\0';
	out->used += n;
}

static size_t escape(char *to, uint32_t point)
{
	switch (point) {
	case '\n':
		return memcpy(to, "\\n", 2), 2;
	case '\r':
		return memcpy(to, "\\r", 2), 2;
	case '\t':
		return memcpy(to, "\\t", 2), 2;
	case '"':
	case '\\':
		to[0] = '\\';
		to[1] = (char)point;
		return 2;
	default:
		memcpy(to, "\\u", 2);
		for (int i = 0; i < 4; i++)
			to[2 + i] = hex_digits[point >> (12 - 4 * i) & 15];
		return 6;
	}
}

static bool needs_escape(uint32_t point)
{
	return point < 0x20 || point == '"' || point == '\\' || point == 0x7f || point == '<' || point == 0x2028 ||
	       point == 0x2029;
}

/* Every byte of text becomes at most six. */
static void put_quoted(struct nj_json_out *out, const uint8_t *at, size_t size)
{
	char *start = reserve(out, 6 * size + 2), *to = start;
	if (start == NULL)
		return;
	*to++ = '"';
	for (const uint8_t *end = at + size; at < end;) {
		const uint8_t *from = at;
		bool valid;
		uint32_t point = nj_label_next(&at, end, &valid);
		if (!valid || needs_escape(point)) {
			to += escape(to, point);
		} else {
			for (; from < at; from++)
				*to++ = (char)*from;
		}
	}
	*to++ = '"';
	*to = '\0';
	out->used += (size_t)(to - start);
}

/* What stands before every value: the comma that is due, and the key. Keys come from the code and need no escaping. */
static void lead(struct nj_json_out *out, const char *key)
{
	if (out->depth > 0) {
		assert((key != NULL) == (out->closing[out->depth - 1] == '}'));
		if (out->filled[out->depth - 1])
			put(out, ",", 1);
		out->filled[out->depth - 1] = true;
	}
	if (key != NULL) {
		put(out, "\"", 1);
		put(out, key, strlen(key));
		put(out, "\":", 2);
	}
}

static void begin(struct nj_json_out *out, const char *key, const char *opening, char closing)
{
	lead(out, key);
	put(out, opening, 1);
	assert(out->depth < NJ_JSON_OUT_DEPTH_MAX);
	out->closing[out->depth] = closing;
	out->filled[out->depth++] = false;
}

void nj_json_out_object(struct nj_json_out *out, const char *key)
{
	begin(out, key, "{", '}');
}

void nj_json_out_array(struct nj_json_out *out, const char *key)
{
	begin(out, key, "[", ']');
}

void nj_json_out_end(struct nj_json_out *out)
{
	assert(out->depth > 0);
	put(out, &out->closing[--out->depth], 1);
}

static void put_digits(struct nj_json_out *out, uint64_t value)
{
	char digits[20], *at = digits + sizeof digits;
	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	put(out, at, (size_t)(digits + sizeof digits - at));
}

void nj_json_out_u64(struct nj_json_out *out, const char *key, uint64_t value)
{
	lead(out, key);
	put_digits(out, value);
}

void nj_json_out_i64(struct nj_json_out *out, const char *key, int64_t value)
{
	lead(out, key);
	if (value < 0)
		put(out, "-", 1);
	put_digits(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void nj_json_out_double(struct nj_json_out *out, const char *key, double value)
{
	char text[32];
	lead(out, key);
	if (!isfinite(value)) {
		put(out, "null", 4);
		return;
	}
	for (int digits = 6; digits <= 17; digits = digits < 15 ? 15 : digits + 1) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	put(out, text, strlen(text));
}

void nj_json_out_bool(struct nj_json_out *out, const char *key, bool value)
{
	nj_json_out_raw(out, key, value ? "true" : "false");
}

void nj_json_out_null(struct nj_json_out *out, const char *key)
{
	nj_json_out_raw(out, key, "null");
}

void nj_json_out_text(struct nj_json_out *out, const char *key, const char *text)
{
	if (text == NULL)
		nj_json_out_null(out, key);
	else
		nj_json_out_bytes(out, key, text, strlen(text));
}

void nj_json_out_bytes(struct nj_json_out *out, const char *key, const void *bytes, size_t size)
{
	lead(out, key);
	put_quoted(out, bytes, size);
}

void nj_json_out_time(struct nj_json_out *out, const char *key, uint64_t t_ns)
{
	time_t seconds = (time_t)(t_ns / 1000000000);
	struct tm utc;
	char text[48];
	gmtime_r(&seconds, &utc);
	size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + n, sizeof text - n, ".%06uZ", (unsigned)(t_ns / 1000 % 1000000));
	nj_json_out_text(out, key, text);
}

void nj_json_out_raw(struct nj_json_out *out, const char *key, const char *json)
{
	lead(out, key);
	put(out, json, strlen(json));
}

void nj_json_out_newline(struct nj_json_out *out)
{
	assert(out->depth == 0);
	put(out, "\n", 1);
}
