/* See text.h. Doubling growth: adding n bytes costs O(n) amortised; at most twice the text is held. */
#include "cli/text.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nj_text_fini(struct nj_text *text)
{
	free(text->data);
	*text = (struct nj_text){0};
}

static bool reserve(struct nj_text *text, size_t more)
{
	if (text->failed)
		return false;
	if (text->size + more + 1 <= text->capacity)
		return true;
	size_t capacity = text->capacity != 0 ? text->capacity : 256;
	while (capacity < text->size + more + 1)
		capacity *= 2;
	char *data = realloc(text->data, capacity);
	if (data == NULL) {
		text->failed = true;
		return false;
	}
	text->data = data;
	text->capacity = capacity;
	return true;
}

void nj_text_add_bytes(struct nj_text *text, const char *bytes, size_t size)
{
	if (!reserve(text, size))
		return;
	memcpy(text->data + text->size, bytes, size);
	text->size += size;
	text->data[text->size] = '\0';
}

void nj_text_add(struct nj_text *text, const char *piece)
{
	nj_text_add_bytes(text, piece, strlen(piece));
}

void nj_text_format(struct nj_text *text, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int size = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	assert(size >= 0);
	if (reserve(text, (size_t)size)) {
		vsnprintf(text->data + text->size, (size_t)size + 1, format, again);
		text->size += (size_t)size;
	}
	va_end(again);
}

static const char *html_reference(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		/* Control characters have no place in a page; the tab and newline do no harm. */
		return (unsigned char)c < 0x20 && c != '\t' && c != '\n' ? "&#xfffd;" : c == 0x7f ? "&#xfffd;" : NULL;
	}
}

void nj_text_add_html(struct nj_text *text, const char *piece)
{
	for (; *piece != '\0'; piece++) {
		const char *reference = html_reference(*piece);
		if (reference != NULL)
			nj_text_add(text, reference);
		else
			nj_text_add_bytes(text, piece, 1);
	}
}

void nj_text_add_script_json(struct nj_text *text, const char *json)
{
	for (; *json != '\0'; json++) {
		if (*json == '<' || *json == '>' || *json == '&') {
			nj_text_format(text, "\\u%04x", (unsigned)*json);
		} else if (strncmp(json, "\xe2\x80\xa8", 3) == 0 || strncmp(json, "\xe2\x80\xa9", 3) == 0) {
			nj_text_add(text, json[2] == '\xa8' ? "\\u2028" : "\\u2029");
			json += 2;
		} else {
			nj_text_add_bytes(text, json, 1);
		}
	}
}

char *nj_text_take(struct nj_text *text)
{
	if (text->failed) {
		nj_text_fini(text);
		return NULL;
	}
	nj_text_add(text, "");
	char *data = text->data;
	*text = (struct nj_text){0};
	return data;
}
