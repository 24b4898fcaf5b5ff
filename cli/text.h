/* A growing text with a sticky error: add piece after piece, ask once at the end whether memory held. The escapes make
 * foreign text harmless in HTML, in an attribute and in a script element. One thread. */
#ifndef NJ_CLI_TEXT_H
#define NJ_CLI_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct nj_text {
	char *data; /* NUL-terminated once something was added; NULL before */
	size_t size, capacity;
	bool failed; /* out of memory: later additions do nothing */
};

void nj_text_fini(struct nj_text *text);
void nj_text_add(struct nj_text *text, const char *piece);
void nj_text_add_bytes(struct nj_text *text, const char *bytes, size_t size);
void nj_text_format(struct nj_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text content or a double-quoted attribute of HTML: & < > " ' become references, control characters a replacement
 * mark. */
void nj_text_add_html(struct nj_text *text, const char *piece);
/* JSON that stands in a script element: '<', '>', '&' and U+2028/2029 leave as \u escapes, so that no "</script" or
 * "<!--" can appear. *json* is whole JSON. */
void nj_text_add_script_json(struct nj_text *text, const char *json);

/* *returns owned* text and leaves *text* empty; NULL when memory ran out. */
char *nj_text_take(struct nj_text *text);

#endif
