/* How a struct becomes bytes that outlive the program that wrote them. A table names each member of a struct once; from
 * it come the bytes (members in the order of the table, little end first, no padding), a *schema* that travels with
 * them, and a reader that matches schema and table by name: a member that the bytes lack becomes zero, one that the
 * table lacks is passed over, and one whose kind or count differs is refused by name. So adding a member is one row,
 * what an earlier release wrote can be read, and nothing is ever misread.
 *
 *   static const struct nj_field rows[] = {NJ_FIELD(struct call, key), NJ_FIELD_STRUCT(struct call, beacon,
 * &beacon_fields), NJ_FIELD_SKIP(struct call, scratch)}; static const struct nj_fields call_fields = NJ_FIELDS(struct
 * call, rows, NULL);
 *
 * Rows stand in the order of the members. Every member has a row, if only NJ_FIELD_SKIP: a hole in the table that
 * alignment does not explain is asserted when the layout is made. The kind comes from the member's type; a type that
 * has none does not compile. Used by snapshots (aggregator/snapshot.h); any thread. Memory: 16 B a run of bytes, a few
 * hundred in all. Encoding and decoding are copies of runs: some hundred ns for a struct of some kB. */
#ifndef NJ_COMMON_LAYOUT_H
#define NJ_COMMON_LAYOUT_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers stand in files: never change one. */
enum nj_kind {
	NJ_KIND_U8 = 1,
	NJ_KIND_U16 = 2,
	NJ_KIND_U32 = 3,
	NJ_KIND_U64 = 4,
	NJ_KIND_I32 = 5,
	NJ_KIND_F32 = 6,
	NJ_KIND_F64 = 7,
	NJ_KIND_BOOL = 8, /* 0 or 1, anything else is refused */
	NJ_KIND_TEXT = 9, /* char[n] that ends in a NUL, anything else is refused */
	NJ_KIND_STRUCT = 10,
	NJ_KIND_SKIP = 11, /* not written, zero when read; never in a file */
};

struct nj_fields;

struct nj_field {
	const char *name;
	uint32_t offset, bytes; /* of the whole member, arrays included */
	enum nj_kind kind;
	const struct nj_fields *inner; /* NJ_KIND_STRUCT */
};

struct nj_fields {
	const char *name; /* for messages */
	uint32_t bytes;
	uint32_t fields_n;
	const struct nj_field *field;
	bool (*valid)(const void *record); /* or NULL: asked after reading; false is refused */
};

#define NJ_KIND_OF(x)                                                                                                  \
	_Generic((x),                                                                                                  \
		uint8_t: NJ_KIND_U8,                                                                                   \
		uint8_t *: NJ_KIND_U8,                                                                                 \
		uint16_t: NJ_KIND_U16,                                                                                 \
		uint16_t *: NJ_KIND_U16,                                                                               \
		uint32_t: NJ_KIND_U32,                                                                                 \
		uint32_t *: NJ_KIND_U32,                                                                               \
		uint64_t: NJ_KIND_U64,                                                                                 \
		uint64_t *: NJ_KIND_U64,                                                                               \
		int32_t: NJ_KIND_I32,                                                                                  \
		int32_t *: NJ_KIND_I32,                                                                                \
		float: NJ_KIND_F32,                                                                                    \
		float *: NJ_KIND_F32,                                                                                  \
		double: NJ_KIND_F64,                                                                                   \
		double *: NJ_KIND_F64,                                                                                 \
		bool: NJ_KIND_BOOL,                                                                                    \
		bool *: NJ_KIND_BOOL,                                                                                  \
		char *: NJ_KIND_TEXT)
#define NJ_FIELD_ROW(type, member, kind, inner)                                                                        \
	{                                                                                                              \
#member, offsetof(type, member), sizeof(((type *)0)->member), kind, inner                              \
	}
#define NJ_FIELD(type, member) NJ_FIELD_ROW(type, member, NJ_KIND_OF(((type *)0)->member), NULL)
#define NJ_FIELD_2D(type, member)                                                                                      \
	NJ_FIELD_ROW(type, member, NJ_KIND_OF(((type *)0)->member[0]), NULL) /* array of arrays */
#define NJ_FIELD_STRUCT(type, member, fields)                                                                          \
	NJ_FIELD_ROW(type, member, NJ_KIND_STRUCT, fields) /* one, or arrays of them */
#define NJ_FIELD_SKIP(type, member) NJ_FIELD_ROW(type, member, NJ_KIND_SKIP, NULL)
#define NJ_FIELDS(type, rows, valid)                                                                                   \
	{                                                                                                              \
#type, sizeof(type), sizeof(rows) / sizeof *(rows), rows, valid                                        \
	}

/* ---- writing */
struct nj_layout;

/* *keeps* *fields*. NJ_ERR_MEMORY. *returns owned*. */
NJ_MUST_CHECK int nj_layout_new(const struct nj_fields *fields, struct nj_layout **ret_layout);
void nj_layout_free(struct nj_layout **layout);
size_t nj_layout_bytes(const struct nj_layout *layout); /* of one encoded record */
void nj_layout_encode(const struct nj_layout *layout, const void *record, uint8_t *into);
const uint8_t *nj_layout_schema(const struct nj_layout *layout, size_t *ret_size); /* *returns borrowed until* free */

/* ---- reading */
struct nj_plan;

/* How bytes of *schema* become records of *fields* (*kept*). NJ_ERR_VERSION: a member of the same name is of another
 * kind or count; NJ_ERR_FORMAT: no schema; NJ_ERR_MEMORY. *returns owned*. */
NJ_MUST_CHECK int nj_plan_new(const struct nj_fields *fields, const void *schema, size_t size,
			      struct nj_message *message, struct nj_plan **ret_plan);
void nj_plan_free(struct nj_plan **plan);
size_t nj_plan_bytes(const struct nj_plan *plan); /* of one encoded record */
/* nj_plan_bytes() of *from* into *record*, the whole of which is written. False: a value that cannot be. */
bool nj_plan_decode(const struct nj_plan *plan, const uint8_t *from, void *record);

#endif
