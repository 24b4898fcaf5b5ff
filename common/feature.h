/* The feature table as data: one row for each X of common/feature_table.h, in that order, for whoever walks over
 * features instead of naming them - merge, wire format, JSON, the reference page. Static, immutable; any thread.
 *
 * The id of a table is made of the shipped rows' names, units and rules. Rows are only ever appended, and a table of an
 * earlier release is then a prefix of this one: two sides understand each other when the current table of one is known
 * to the other, current or earlier. Wording may be mended without parting them. */
#ifndef NJ_COMMON_FEATURE_H
#define NJ_COMMON_FEATURE_H

#include "common/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
#define NJ_FEATURE_COUNT(...) +1
	NJ_SCALARS_N = NJ_FEATURE_SCALARS(NJ_FEATURE_COUNT),
	NJ_VECTORS_N = NJ_FEATURE_VECTORS(NJ_FEATURE_COUNT),
	NJ_DERIVED_N = NJ_FEATURES_DERIVED(NJ_FEATURE_COUNT),
#undef NJ_FEATURE_COUNT
};

#define NJ_DISTINCT_RANK_MAX 57 /* of a register: 56 bits all zero */

enum nj_feature_merge { NJ_MERGE_SUM, NJ_MERGE_MAX, NJ_MERGE_MIN, NJ_MERGE_OR };
enum nj_vector_kind { NJ_VECTOR_DISTINCT, NJ_VECTOR_HISTOGRAM };

struct nj_scalar_row {
	const char *name, *unit, *rule, *meaning;
	enum nj_feature_merge merge;
};

struct nj_vector_row {
	const char *name, *unit, *rule, *meaning;
	size_t offset; /* of the pointer in struct nj_window */
	size_t element_bytes, length;
	enum nj_vector_kind kind;
};

struct nj_derived_row {
	const char *name, *unit, *source, *meaning;
};

extern const struct nj_scalar_row nj_scalar_rows[NJ_SCALARS_N];
extern const struct nj_vector_row nj_vector_rows[NJ_VECTORS_N];
extern const struct nj_derived_row nj_derived_rows[NJ_DERIVED_N];

/* The index-th scalar of a window; the struct is an array of uint64_t with names. */
static inline uint64_t *nj_scalar(struct nj_features *features, size_t index)
{
	return (uint64_t *)features + index;
}

/* The index-th vector, NULL when all zero: uint8_t[256] or uint32_t[128]. */
static inline void *nj_vector(const struct nj_window *window, size_t index)
{
	void *vector;
	memcpy(&vector, (const char *)window + nj_vector_rows[index].offset, sizeof vector);
	return vector;
}

static inline void nj_vector_set(struct nj_window *window, size_t index, void *vector)
{
	memcpy((char *)window + nj_vector_rows[index].offset, &vector, sizeof vector);
}

static inline size_t nj_vector_bytes(size_t index)
{
	return nj_vector_rows[index].element_bytes * nj_vector_rows[index].length;
}

#define NJ_TABLE_IDS_MAX 8

/* The ids of this release's table and of the earlier ones it extends, newest first. */
struct nj_table_ids {
	uint32_t n;
	uint32_t id[NJ_TABLE_IDS_MAX];
};

uint32_t nj_feature_table_id(void);
#define NJ_FEATURE_TABLE_ID nj_feature_table_id()
void nj_feature_table_ids(struct nj_table_ids *ret_ids);
bool nj_table_ids_agree(const struct nj_table_ids *a, const struct nj_table_ids *b);

#endif
