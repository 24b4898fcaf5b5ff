/* Option tables. One row OPT(name, TYPE, unit, min, max, default, meaning) gives an option its field, default, parser,
 * range check, its lines in --help and in
 * --dump-config, and its key in the YAML file. Unknown keys and values out of range are refused with "FILE:LINE: what".
 *
 *   #define NJ_SENSOR_OPTIONS(OPT) \
 *           OPT(flow_idle, DURATION, "s", 1, 3600, "60", "forget a flow after this silence")
 *   struct nj_sensor_config { NJ_SENSOR_OPTIONS(NJ_OPTION_FIELD) };
 *   #define ROW(...) NJ_OPTION_ROW(struct nj_sensor_config, __VA_ARGS__)
 *   static const struct nj_option rows[] = { NJ_SENSOR_OPTIONS(ROW) };
 *   static const struct nj_schema schema = { rows, sizeof rows / sizeof *rows };
 *
 * A configuration is a plain value without pointers: copy it, load into the copy, and drop the copy when that fails.
 * Any thread. */
#ifndef NJ_COMMON_CONFIG_H
#define NJ_COMMON_CONFIG_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NJ_OPTION_TEXT_MAX 256
#define NJ_OPTION_LIST_MAX 16

struct nj_option_list {
	uint32_t n;
	char text[NJ_OPTION_LIST_MAX][NJ_OPTION_TEXT_MAX];
};

/* The field of each TYPE. DURATION is in the row's unit ("ms" or "s") and may be written with any of ms, s, min, h, d;
 * BYTES with k, M, G (powers of 1024). CHOICE is the place of a word among those of the row's unit, "off|log|kill".
 * For TEXT and LIST, min and max bound the length of a text and the number of elements. */
#define NJ_OPTION_FIELD_COUNT(name)                                     uint32_t name;
#define NJ_OPTION_FIELD_DURATION(name)                                  uint32_t name;
#define NJ_OPTION_FIELD_BYTES(name)                                     uint64_t name;
#define NJ_OPTION_FIELD_REAL(name)                                      double name;
#define NJ_OPTION_FIELD_FLAG(name)                                      bool name;
#define NJ_OPTION_FIELD_TEXT(name)                                      char name[NJ_OPTION_TEXT_MAX];
#define NJ_OPTION_FIELD_CHOICE(name)                                    uint32_t name;
#define NJ_OPTION_FIELD_LIST(name)                                      struct nj_option_list name;
#define NJ_OPTION_FIELD(name, type, unit, min, max, otherwise, meaning) NJ_OPTION_FIELD_##type(name)
#define NJ_OPTION_ROW(structure, name, type, unit, min, max, otherwise, meaning)                                       \
	{#name, unit, otherwise, meaning, min, max, offsetof(structure, name), NJ_OPTION_##type},

enum nj_option_type {
	NJ_OPTION_COUNT,
	NJ_OPTION_DURATION,
	NJ_OPTION_BYTES,
	NJ_OPTION_REAL,
	NJ_OPTION_FLAG,
	NJ_OPTION_TEXT,
	NJ_OPTION_CHOICE,
	NJ_OPTION_LIST,
};

struct nj_option {
	const char *name, *unit;
	const char *otherwise; /* default, as it would be written; LIST: elements separated by ',' */
	const char *meaning;
	double min, max;
	size_t offset;
	enum nj_option_type type;
};

struct nj_schema {
	const struct nj_option *options;
	size_t options_n;
};

void nj_config_defaults(const struct nj_schema *schema, void *config);

/* Reads a YAML file over what *config* holds; on failure *config* is unchanged. */
NJ_MUST_CHECK int nj_config_load(const struct nj_schema *schema, const char *path, void *config, size_t config_size,
				 struct nj_message *message);

/* One "name=value" from a command line; a LIST's elements are separated by ','. */
NJ_MUST_CHECK int nj_config_set(const struct nj_schema *schema, const char *assignment, void *config,
				struct nj_message *message);

/* The same for an option with a switch of its own, --NAME VALUE. */
NJ_MUST_CHECK int nj_config_set_option(const struct nj_schema *schema, const char *name, const char *value,
				       void *config, struct nj_message *message);

/* Adds the elements of *value*, separated by ',', to a LIST option. */
NJ_MUST_CHECK int nj_config_add(const struct nj_schema *schema, const char *name, const char *value, void *config,
				struct nj_message *message);

/* The name of an option after *after* (NULL: the first) whose values differ; NULL when no further one does. */
const char *nj_config_difference(const struct nj_schema *schema, const void *a, const void *b, const char *after);

void nj_config_help(const struct nj_schema *schema,
		    FILE *file); /* one option a paragraph: name, range, default, meaning */
void nj_config_dump(const struct nj_schema *schema, const void *config,
		    FILE *file); /* YAML that loads to the same values */

#endif
