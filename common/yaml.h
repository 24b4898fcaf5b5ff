/* YAML files as a small tree that remembers lines, so that every complaint can name its place: "FILE:LINE: what". The
 * only file that knows libyaml. A document is maps, lists and plain text; anchors, aliases, tags and second documents
 * are refused, as are repeated keys, more than 16 levels and more than 4 MiB. Immutable once read; memory is at most 48
 * bytes for each byte of the file. Blocks on the file; any thread. */
#ifndef NJ_COMMON_YAML_H
#define NJ_COMMON_YAML_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define NJ_YAML_BYTES_MAX (4u << 20)
#define NJ_YAML_DEPTH_MAX 16
#define NJ_YAML_KEYS_MAX  256 /* of one map */

enum nj_yaml_kind { NJ_YAML_TEXT, NJ_YAML_LIST, NJ_YAML_MAP };

struct nj_yaml_node {
	const char *key;                         /* in a map; else NULL */
	const char *text;                        /* of NJ_YAML_TEXT; "" for an empty value; else NULL */
	const struct nj_yaml_node *first, *next; /* children of a list or map; next sibling; in the order of the file */
	uint32_t line;                           /* from 1 */
	enum nj_yaml_kind kind;
};

struct nj_yaml;

/* *returns owned*; an empty file is an empty map. *name* is *kept* and stands in messages. NJ_ERR_USAGE for what is no
 * such YAML. */
NJ_MUST_CHECK int nj_yaml_parse(const char *name, const char *text, size_t size, struct nj_message *message,
				struct nj_yaml **ret_yaml);
NJ_MUST_CHECK int nj_yaml_load(const char *path, struct nj_message *message, struct nj_yaml **ret_yaml);
void nj_yaml_free(struct nj_yaml **yaml);

const struct nj_yaml_node *nj_yaml_root(const struct nj_yaml *yaml); /* *returns borrowed until* free */

/* Fills "NAME:LINE: what" and gives NJ_ERR_USAGE. */
int nj_yaml_fail(const struct nj_yaml *yaml, const struct nj_yaml_node *node, struct nj_message *message,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
