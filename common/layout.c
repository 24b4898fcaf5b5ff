/* Both directions are worked out once, as a list of runs of bytes to copy: nested structs and arrays of them are laid
 * flat, and runs that touch on both sides become one, so that a struct without holes is a single copy. Schema of a
 * struct: count of fields (2 bytes), then for each its name (length byte, letters), kind (1), number of elements (4),
 * and for a struct its own schema. Numbers stand in files as in memory, little end first: a big-endian machine would
 * need a swapping copy, and none is supported.
 *
 * A schema from a file is foreign: its depth, its number of elements and the work it asks for are bounded. */
#include "common/layout.h"

#include "common/cursor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are copied as they lie in memory");

#define DEPTH_MAX 8
#define STEPS_MAX 200000
#define BYTES_MAX (1u << 20) /* of one record */

struct run {
	uint32_t file, memory, bytes;
};

/* What is looked at after copying. */
struct check {
	uint32_t memory, bytes;
	enum nj_kind kind;
	bool (*valid)(const void *record);
};

struct list {
	struct run *run;
	struct check *check;
	uint32_t runs_n, runs_capacity, checks_n, checks_capacity;
	bool out_of_memory;
};

struct nj_layout {
	const struct nj_fields *fields;
	struct list list;
	uint8_t *schema;
	size_t schema_bytes, schema_capacity, record_bytes;
};

struct nj_plan {
	const struct nj_fields *fields;
	struct list list;
	size_t record_bytes;
};

static uint32_t element_bytes(enum nj_kind kind, const struct nj_fields *inner)
{
	switch (kind) {
	case NJ_KIND_U8:
	case NJ_KIND_BOOL:
	case NJ_KIND_TEXT:
	case NJ_KIND_SKIP:
		return 1;
	case NJ_KIND_U16:
		return 2;
	case NJ_KIND_U32:
	case NJ_KIND_I32:
	case NJ_KIND_F32:
		return 4;
	case NJ_KIND_U64:
	case NJ_KIND_F64:
		return 8;
	case NJ_KIND_STRUCT:
		return inner->bytes;
	}
	return 0;
}

/* Room for one more of *n*; false, and remembered, when memory is out. */
static bool grow(struct list *list, void **array, uint32_t n, uint32_t *capacity, size_t size)
{
	if (n < *capacity)
		return true;
	uint32_t wanted = *capacity == 0 ? 32 : 2 * *capacity;
	void *grown = realloc(*array, wanted * size);
	if (grown == NULL) {
		list->out_of_memory = true;
		return false;
	}
	*array = grown;
	*capacity = wanted;
	return true;
}

static void add_run(struct list *list, uint32_t file, uint32_t memory, uint32_t bytes)
{
	struct run *last = list->runs_n > 0 ? &list->run[list->runs_n - 1] : NULL;
	if (last != NULL && last->file + last->bytes == file && last->memory + last->bytes == memory)
		last->bytes += bytes;
	else if (grow(list, (void **)&list->run, list->runs_n, &list->runs_capacity, sizeof *list->run))
		list->run[list->runs_n++] = (struct run){file, memory, bytes};
}

static void add_check(struct list *list, const struct check *check)
{
	if (grow(list, (void **)&list->check, list->checks_n, &list->checks_capacity, sizeof *list->check))
		list->check[list->checks_n++] = *check;
}

static void free_list(struct list *list)
{
	free(list->run);
	free(list->check);
}

/* =============================== writing =============================== */

/* Every byte of the struct is named by a row, but for what aligns the next one. */
static void assert_covered(const struct nj_fields *fields)
{
	uint32_t end = 0;
	for (uint32_t i = 0; i < fields->fields_n; i++) {
		const struct nj_field *field = &fields->field[i];
		assert(field->offset >= end);    /* in the order of the members */
		assert(field->offset - end < 8); /* a member without a row? */
		assert(field->bytes % element_bytes(field->kind, field->inner) == 0);
		end = field->offset + field->bytes;
	}
	assert(fields->bytes - end < 8);
}

static void put_schema(struct nj_layout *layout, const void *bytes, size_t size)
{
	if (layout->schema_bytes + size > layout->schema_capacity) {
		size_t wanted = 2 * layout->schema_capacity + size + 256;
		uint8_t *grown = realloc(layout->schema, wanted);
		if (grown == NULL) {
			layout->list.out_of_memory = true;
			return;
		}
		layout->schema = grown;
		layout->schema_capacity = wanted;
	}
	memcpy(layout->schema + layout->schema_bytes, bytes, size);
	layout->schema_bytes += size;
}

static void describe(struct nj_layout *layout, const struct nj_fields *fields)
{
	uint16_t written = 0;
	assert_covered(fields);
	for (uint32_t i = 0; i < fields->fields_n; i++)
		written += fields->field[i].kind != NJ_KIND_SKIP;
	put_schema(layout, (uint8_t[]){(uint8_t)(written >> 8), (uint8_t)written}, 2);
	for (uint32_t i = 0; i < fields->fields_n; i++) {
		const struct nj_field *field = &fields->field[i];
		if (field->kind == NJ_KIND_SKIP)
			continue;
		uint32_t count = field->bytes / element_bytes(field->kind, field->inner);
		uint8_t length = (uint8_t)strlen(field->name);
		const uint8_t facts[] = {(uint8_t)field->kind, (uint8_t)(count >> 24), (uint8_t)(count >> 16),
					 (uint8_t)(count >> 8), (uint8_t)count};
		put_schema(layout, &length, 1);
		put_schema(layout, field->name, length);
		put_schema(layout, facts, sizeof facts);
		if (field->kind == NJ_KIND_STRUCT)
			describe(layout, field->inner);
	}
}

static uint32_t lay_flat(struct nj_layout *layout, const struct nj_fields *fields, uint32_t file, uint32_t memory)
{
	for (uint32_t i = 0; i < fields->fields_n; i++) {
		const struct nj_field *field = &fields->field[i];
		if (field->kind == NJ_KIND_SKIP)
			continue;
		if (field->kind != NJ_KIND_STRUCT) {
			add_run(&layout->list, file, memory + field->offset, field->bytes);
			file += field->bytes;
			continue;
		}
		for (uint32_t at = 0; at < field->bytes; at += field->inner->bytes)
			file = lay_flat(layout, field->inner, file, memory + field->offset + at);
	}
	return file;
}

int nj_layout_new(const struct nj_fields *fields, struct nj_layout **ret_layout)
{
	struct nj_layout *layout = calloc(1, sizeof *layout);
	if (layout == NULL)
		return NJ_ERR_MEMORY;
	layout->fields = fields;
	describe(layout, fields);
	layout->record_bytes = lay_flat(layout, fields, 0, 0);
	assert(layout->record_bytes <= BYTES_MAX);
	if (layout->list.out_of_memory) {
		nj_layout_free(&layout);
		return NJ_ERR_MEMORY;
	}
	*ret_layout = layout;
	return NJ_OK;
}

void nj_layout_free(struct nj_layout **layout)
{
	if (*layout == NULL)
		return;
	free_list(&(*layout)->list);
	free((*layout)->schema);
	free(*layout);
	*layout = NULL;
}

size_t nj_layout_bytes(const struct nj_layout *layout)
{
	return layout->record_bytes;
}

void nj_layout_encode(const struct nj_layout *layout, const void *record, uint8_t *into)
{
	for (uint32_t i = 0; i < layout->list.runs_n; i++) {
		const struct run *run = &layout->list.run[i];
		memcpy(into + run->file, (const uint8_t *)record + run->memory, run->bytes);
	}
}

const uint8_t *nj_layout_schema(const struct nj_layout *layout, size_t *ret_size)
{
	*ret_size = layout->schema_bytes;
	return layout->schema;
}

/* =============================== reading =============================== */

/* Where the reading of a schema stands. */
struct reading {
	struct nj_plan *plan;
	struct nj_message *message;
	uint64_t file; /* offset in the record */
	uint32_t steps, depth;
	int error;
};

struct told {
	char name[256];
	enum nj_kind kind;
	uint32_t count;
};

static void fail(struct reading *r, int error, const struct nj_fields *fields, const char *field, const char *words)
{
	if (r->error == 0)
		r->error = nj_fail(r->message, error, "%s.%s %s", fields != NULL ? fields->name : "?", field, words);
}

static const struct nj_field *find(const struct nj_fields *fields, const char *name)
{
	for (uint32_t i = 0; fields != NULL && i < fields->fields_n; i++)
		if (fields->field[i].kind != NJ_KIND_SKIP && strcmp(fields->field[i].name, name) == 0)
			return &fields->field[i];
	return NULL;
}

static bool read_field(struct nj_cursor *c, struct told *ret_told)
{
	uint8_t length = nj_cursor_u8(c);
	const uint8_t *name = nj_cursor_take(c, length);
	ret_told->kind = nj_cursor_u8(c);
	ret_told->count = nj_cursor_u32(c);
	if (!nj_cursor_ok(c) || ret_told->kind < NJ_KIND_U8 || ret_told->kind > NJ_KIND_STRUCT ||
	    ret_told->count > BYTES_MAX)
		return false;
	if (length > 0)
		memcpy(ret_told->name, name, length);
	ret_told->name[length] = '\0';
	return true;
}

static void read_struct(struct reading *r, struct nj_cursor *c, const struct nj_fields *fields, uint32_t memory);

/* One after the other, each by the same schema; an empty array still has one, which is passed over. */
static void read_structs(struct reading *r, struct nj_cursor *c, const struct told *told, const struct nj_field *field,
			 uint32_t memory)
{
	struct nj_cursor start = *c;
	if (told->count == 0) {
		struct reading aside = *r;
		read_struct(&aside, c, NULL, 0);
		r->error = aside.error;
		r->steps = aside.steps;
	}
	for (uint32_t i = 0; i < told->count && r->error == 0; i++) {
		*c = start;
		if (++r->steps > STEPS_MAX)
			fail(r, NJ_ERR_FORMAT, NULL, told->name, "asks for too much work");
		const struct nj_fields *inner = field != NULL ? field->inner : NULL;
		read_struct(r, c, inner, inner != NULL ? memory + field->offset + i * inner->bytes : 0);
	}
}

static void read_plain(struct reading *r, const struct told *told, const struct nj_field *field, uint32_t memory)
{
	uint32_t bytes = told->count * element_bytes(told->kind, NULL);
	if (field != NULL) {
		add_run(&r->plan->list, (uint32_t)r->file, memory + field->offset, bytes);
		if (told->kind == NJ_KIND_BOOL || told->kind == NJ_KIND_TEXT)
			add_check(&r->plan->list, &(struct check){memory + field->offset, bytes, told->kind, NULL});
	}
	r->file += bytes;
	if (r->file > BYTES_MAX)
		fail(r, NJ_ERR_FORMAT, NULL, told->name, "makes the record too long");
}

/* *fields* NULL: nobody wants it, and only its length counts. */
static void read_struct(struct reading *r, struct nj_cursor *c, const struct nj_fields *fields, uint32_t memory)
{
	uint32_t n = nj_cursor_u16(c);
	if (++r->depth > DEPTH_MAX)
		fail(r, NJ_ERR_FORMAT, fields, "", "is nested too deeply");
	for (uint32_t i = 0; i < n && r->error == 0; i++) {
		struct told told;
		if (++r->steps > STEPS_MAX || !read_field(c, &told)) {
			fail(r, NJ_ERR_FORMAT, fields, "", "has a damaged schema");
			break;
		}
		const struct nj_field *field = find(fields, told.name);
		if (field != NULL &&
		    (field->kind != told.kind ||
		     field->bytes != (uint64_t)told.count * element_bytes(field->kind, field->inner))) {
			fail(r, NJ_ERR_VERSION, fields, told.name, "is of another kind or length in this program");
			break;
		}
		if (told.kind == NJ_KIND_STRUCT)
			read_structs(r, c, &told, field, memory);
		else
			read_plain(r, &told, field, memory);
	}
	if (fields != NULL && fields->valid != NULL)
		add_check(&r->plan->list, &(struct check){memory, fields->bytes, NJ_KIND_STRUCT, fields->valid});
	r->depth--;
}

int nj_plan_new(const struct nj_fields *fields, const void *schema, size_t size, struct nj_message *message,
		struct nj_plan **ret_plan)
{
	struct nj_plan *plan = calloc(1, sizeof *plan);
	if (plan == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s", nj_error_text(NJ_ERR_MEMORY));
	plan->fields = fields;
	struct reading r = {.plan = plan, .message = message};
	struct nj_cursor c = nj_cursor_make(schema, size);
	read_struct(&r, &c, fields, 0);
	if (r.error == 0 && (!nj_cursor_ok(&c) || nj_cursor_left(&c) > 0))
		r.error = nj_fail(message, NJ_ERR_FORMAT, "%s has a damaged schema", fields->name);
	if (r.error == 0 && plan->list.out_of_memory)
		r.error = nj_fail(message, NJ_ERR_MEMORY, "%s", nj_error_text(NJ_ERR_MEMORY));
	plan->record_bytes = (size_t)r.file;
	if (r.error != 0)
		nj_plan_free(&plan);
	else
		*ret_plan = plan;
	return r.error;
}

void nj_plan_free(struct nj_plan **plan)
{
	if (*plan == NULL)
		return;
	free_list(&(*plan)->list);
	free(*plan);
	*plan = NULL;
}

size_t nj_plan_bytes(const struct nj_plan *plan)
{
	return plan->record_bytes;
}

static bool holds(const struct check *check, const uint8_t *record)
{
	const uint8_t *at = record + check->memory;
	if (check->kind == NJ_KIND_STRUCT)
		return check->valid(at);
	if (check->kind == NJ_KIND_TEXT)
		return check->bytes == 0 || at[check->bytes - 1] == '\0';
	for (uint32_t i = 0; i < check->bytes; i++)
		if (at[i] > 1)
			return false;
	return true;
}

bool nj_plan_decode(const struct nj_plan *plan, const uint8_t *from, void *record)
{
	memset(record, 0, plan->fields->bytes);
	for (uint32_t i = 0; i < plan->list.runs_n; i++) {
		const struct run *run = &plan->list.run[i];
		memcpy((uint8_t *)record + run->memory, from + run->file, run->bytes);
	}
	for (uint32_t i = 0; i < plan->list.checks_n; i++)
		if (!holds(&plan->list.check[i], record))
			return false;
	return true;
}
