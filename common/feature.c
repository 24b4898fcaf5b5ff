/* A table id is 32-bit FNV-1a over the shipped rows as text: not for secrecy, only so that different tables have
 * different names. */
#include "common/feature.h"

#include <assert.h>

static_assert(sizeof(struct nj_features) == NJ_SCALARS_N * sizeof(uint64_t),
	      "nj_scalar() indexes the struct as an array");

#define SCALAR_ROW(name, unit, merge, meaning) {#name, unit, #merge, meaning, NJ_MERGE_##merge},
const struct nj_scalar_row nj_scalar_rows[NJ_SCALARS_N] = {NJ_FEATURE_SCALARS(SCALAR_ROW)};

#define LENGTH_DISTINCT  NJ_DISTINCT_REGISTERS
#define LENGTH_HISTOGRAM NJ_HISTOGRAM_BUCKETS
#define VECTOR_ROW(name, kind, unit, meaning)                                                                          \
	{#name,                                                                                                        \
	 unit,                                                                                                         \
	 #kind,                                                                                                        \
	 meaning,                                                                                                      \
	 offsetof(struct nj_window, name),                                                                             \
	 sizeof(NJ_VECTOR_TYPE_##kind),                                                                                \
	 LENGTH_##kind,                                                                                                \
	 NJ_VECTOR_##kind},
const struct nj_vector_row nj_vector_rows[NJ_VECTORS_N] = {NJ_FEATURE_VECTORS(VECTOR_ROW)};

#define DERIVED_ROW(name, unit, source, meaning) {#name, unit, source, meaning},
const struct nj_derived_row nj_derived_rows[NJ_DERIVED_N] = {NJ_FEATURES_DERIVED(DERIVED_ROW)};

/* How many rows each release had, newest first. A release that appends rows puts its line on top; the tests pin the ids
 * of the others. */
static const struct {
	size_t scalars_n, vectors_n;
} releases[] = {
	{NJ_SCALARS_N, NJ_VECTORS_N}, /* 0.1 */
};

enum { RELEASES_N = sizeof releases / sizeof *releases };
static_assert(RELEASES_N <= NJ_TABLE_IDS_MAX, "drop the oldest release");

static uint32_t absorb(uint32_t id, const char *text)
{
	do {
		id = (id ^ (uint8_t)*text) * 16777619u;
	} while (*text++ != '\0'); /* the NUL too, so that "ab","c" is not "a","bc" */
	return id;
}

static uint32_t id_of(size_t scalars_n, size_t vectors_n)
{
	uint32_t id = 2166136261u;
	for (size_t i = 0; i < scalars_n; i++)
		id = absorb(absorb(absorb(id, nj_scalar_rows[i].name), nj_scalar_rows[i].unit), nj_scalar_rows[i].rule);
	for (size_t i = 0; i < vectors_n; i++)
		id = absorb(absorb(absorb(id, nj_vector_rows[i].name), nj_vector_rows[i].unit), nj_vector_rows[i].rule);
	return id;
}

uint32_t nj_feature_table_id(void)
{
	return id_of(releases[0].scalars_n, releases[0].vectors_n);
}

void nj_feature_table_ids(struct nj_table_ids *ret_ids)
{
	ret_ids->n = RELEASES_N;
	for (uint32_t i = 0; i < RELEASES_N; i++)
		ret_ids->id[i] = id_of(releases[i].scalars_n, releases[i].vectors_n);
}

static bool knows(const struct nj_table_ids *ids, uint32_t id)
{
	for (uint32_t i = 0; i < ids->n; i++)
		if (ids->id[i] == id)
			return true;
	return false;
}

bool nj_table_ids_agree(const struct nj_table_ids *a, const struct nj_table_ids *b)
{
	return a->n > 0 && b->n > 0 && (knows(a, b->id[0]) || knows(b, a->id[0]));
}
