/* Reads JSON documents: alerts of a store, lines in tests. The only file that knows jansson. A document is bounded in
 * size and depth and refused with a line number; values are looked up by key with a default, so that a reader says what
 * it expects in one line. Writing is common/json_out.h. Immutable once read. */
#ifndef NJ_COMMON_JSON_H
#define NJ_COMMON_JSON_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NJ_JSON_BYTES_MAX (64u << 20)

struct nj_json; /* a value of a document */

/* *returns owned* the root; *name* stands in messages: "NAME:LINE: what". NJ_ERR_FORMAT, _LIMIT. */
NJ_MUST_CHECK int nj_json_parse(const char *name, const char *text, size_t size, struct nj_message *message,
				struct nj_json **ret_root);
void nj_json_free(struct nj_json **root);

/* A member or an element, *returns borrowed until* the root is freed; NULL when there is none or *value* is NULL or no
 * object (no array). */
const struct nj_json *nj_json_get(const struct nj_json *value, const char *key);
const struct nj_json *nj_json_at(const struct nj_json *value, size_t index);
size_t nj_json_size(const struct nj_json *value); /* elements of an array, members of an object, else 0 */

/* The value if it has the type and fits it, else the default. */
const char *nj_json_text(const struct nj_json *value, const char *otherwise);
double nj_json_double(const struct nj_json *value, double otherwise);
uint64_t nj_json_u64(const struct nj_json *value, uint64_t otherwise); /* up to 2^63-1: jansson's integers are signed */
bool nj_json_bool(const struct nj_json *value, bool otherwise);

#endif
