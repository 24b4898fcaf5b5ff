/* Structs as bytes: what was written is read, across releases by name, and never misread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/layout.h"

#include <stdlib.h>
#include <string.h>

struct point {
	uint16_t x;
	uint64_t y; /* six bytes of padding before it */
};

struct thing {
	char name[8];
	bool good;
	struct point point[2][3];
	double share;
	uint32_t grid[2][2];
	void *scratch;
	int32_t last;
};

static bool point_is_valid(const void *record)
{
	return ((const struct point *)record)->x < 1000;
}

static const struct nj_field point_rows[] = {NJ_FIELD(struct point, x), NJ_FIELD(struct point, y)};
static const struct nj_fields point_fields = NJ_FIELDS(struct point, point_rows, point_is_valid);
static const struct nj_field thing_rows[] = {
	NJ_FIELD(struct thing, name),
	NJ_FIELD(struct thing, good),
	NJ_FIELD_STRUCT(struct thing, point, &point_fields),
	NJ_FIELD(struct thing, share),
	NJ_FIELD_2D(struct thing, grid),
	NJ_FIELD_SKIP(struct thing, scratch),
	NJ_FIELD(struct thing, last),
};
static const struct nj_fields thing_fields = NJ_FIELDS(struct thing, thing_rows, NULL);

/* The same, one release later: a member gone, one new, the order changed. */
struct later {
	int32_t last;
	uint64_t fresh;
	char name[8];
	struct point point[2][3];
};
static const struct nj_field later_rows[] = {
	NJ_FIELD(struct later, last),
	NJ_FIELD(struct later, fresh),
	NJ_FIELD(struct later, name),
	NJ_FIELD_STRUCT(struct later, point, &point_fields),
};
static const struct nj_fields later_fields = NJ_FIELDS(struct later, later_rows, NULL);

/* A member of the same name that is something else now. */
struct wider {
	uint64_t last;
};
static const struct nj_field wider_rows[] = {NJ_FIELD(struct wider, last)};
static const struct nj_fields wider_fields = NJ_FIELDS(struct wider, wider_rows, NULL);

struct longer {
	char name[16];
};
static const struct nj_field longer_rows[] = {NJ_FIELD(struct longer, name)};
static const struct nj_fields longer_fields = NJ_FIELDS(struct longer, longer_rows, NULL);

static struct thing sample(void)
{
	struct thing thing;
	memset(&thing, 0xee, sizeof thing); /* padding must not matter */
	memcpy(thing.name, "seven77", 8);
	thing.good = true;
	for (int i = 0; i < 6; i++) {
		thing.point[i / 3][i % 3].x = (uint16_t)(i + 1);
		thing.point[i / 3][i % 3].y = UINT64_MAX - (uint64_t)i;
	}
	thing.share = 0.25;
	for (int i = 0; i < 4; i++)
		thing.grid[i / 2][i % 2] = (uint32_t)i;
	thing.scratch = &thing;
	thing.last = -5;
	return thing;
}

struct bench {
	struct nj_layout *layout;
	const uint8_t *schema;
	size_t schema_size;
	uint8_t bytes[512];
};

static void bench_up(struct bench *b, const struct thing *thing)
{
	assert_int_equal(nj_layout_new(&thing_fields, &b->layout), 0);
	b->schema = nj_layout_schema(b->layout, &b->schema_size);
	assert_true(nj_layout_bytes(b->layout) <= sizeof b->bytes);
	nj_layout_encode(b->layout, thing, b->bytes);
}

static void what_was_written_is_read(void **state)
{
	(void)state;
	struct thing thing = sample(), back;
	struct bench b;
	struct nj_plan *plan;
	bench_up(&b, &thing);
	assert_int_equal(nj_layout_bytes(b.layout), 8 + 1 + 6 * 10 + 8 + 16 + 4);
	assert_int_equal(nj_plan_new(&thing_fields, b.schema, b.schema_size, NULL, &plan), 0);
	assert_int_equal(nj_plan_bytes(plan), nj_layout_bytes(b.layout));
	memset(&back, 0x55, sizeof back);
	assert_true(nj_plan_decode(plan, b.bytes, &back));
	assert_string_equal(back.name, thing.name);
	assert_true(back.good);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(back.point[i / 3][i % 3].x, i + 1);
		assert_true(back.point[i / 3][i % 3].y == UINT64_MAX - (uint64_t)i);
	}
	assert_true(back.share == 0.25);
	assert_int_equal(back.grid[1][1], 3);
	assert_null(back.scratch);
	assert_int_equal(back.last, -5);
	nj_plan_free(&plan);
	nj_layout_free(&b.layout);
}

static void members_are_matched_by_name(void **state)
{
	(void)state;
	struct thing thing = sample();
	struct later later;
	struct bench b;
	struct nj_plan *plan;
	bench_up(&b, &thing);
	assert_int_equal(nj_plan_new(&later_fields, b.schema, b.schema_size, NULL, &plan), 0);
	memset(&later, 0x55, sizeof later);
	assert_true(nj_plan_decode(plan, b.bytes, &later));
	assert_int_equal(later.last, -5);
	assert_true(later.fresh == 0);
	assert_string_equal(later.name, "seven77");
	assert_int_equal(later.point[1][2].x, 6);
	assert_true(later.point[1][2].y == UINT64_MAX - 5);
	nj_plan_free(&plan);
	nj_layout_free(&b.layout);
}

static void another_kind_is_refused_by_name(void **state)
{
	(void)state;
	struct thing thing = sample();
	struct bench b;
	struct nj_plan *plan = NULL;
	struct nj_message message;
	bench_up(&b, &thing);
	assert_int_equal(nj_plan_new(&wider_fields, b.schema, b.schema_size, &message, &plan), NJ_ERR_VERSION);
	assert_non_null(strstr(message.text, "struct wider.last"));
	assert_int_equal(nj_plan_new(&longer_fields, b.schema, b.schema_size, &message, &plan), NJ_ERR_VERSION);
	assert_non_null(strstr(message.text, "struct longer.name"));
	assert_null(plan);
	nj_layout_free(&b.layout);
}

static void impossible_values_are_refused(void **state)
{
	(void)state;
	struct thing thing = sample(), back;
	struct bench b;
	struct nj_plan *plan;
	bench_up(&b, &thing);
	assert_int_equal(nj_plan_new(&thing_fields, b.schema, b.schema_size, NULL, &plan), 0);
	b.bytes[8] = 2; /* bool */
	assert_false(nj_plan_decode(plan, b.bytes, &back));
	b.bytes[8] = 0;
	assert_true(nj_plan_decode(plan, b.bytes, &back));
	b.bytes[7] = 'x'; /* text without its end */
	assert_false(nj_plan_decode(plan, b.bytes, &back));
	b.bytes[7] = 0;
	b.bytes[9 + 10 * 5 + 1] = 0xff; /* x of the last point */
	assert_false(nj_plan_decode(plan, b.bytes, &back));
	nj_plan_free(&plan);
	nj_layout_free(&b.layout);
}

/* Whatever a schema says, it is read within bounds or refused. */
static void a_damaged_schema_is_refused_or_harmless(void **state)
{
	(void)state;
	struct thing thing = sample(), back;
	struct bench b;
	struct nj_plan *plan = NULL;
	bench_up(&b, &thing);
	uint32_t refused = 0;
	for (size_t cut = 0; cut < b.schema_size; cut++)
		assert_true(nj_plan_new(&thing_fields, b.schema, cut, NULL, &plan) < 0);
	uint8_t *schema = malloc(b.schema_size), *record = calloc(1, 1u << 20);
	for (size_t at = 0; at < b.schema_size; at++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(schema, b.schema, b.schema_size);
			schema[at] ^= (uint8_t)(1 << bit);
			if (nj_plan_new(&thing_fields, schema, b.schema_size, NULL, &plan) < 0) {
				refused++;
				continue;
			}
			assert_true(nj_plan_bytes(plan) <= 1u << 20);
			(void)nj_plan_decode(plan, record, &back);
			nj_plan_free(&plan);
		}
	assert_true(refused > b.schema_size);
	/* A million structs without members: no bytes, but work without end. */
	static const uint8_t empty[] = {0, 1, 1, 'q', NJ_KIND_STRUCT, 0, 0x0f, 0xff, 0xff, 0, 0};
	assert_int_equal(nj_plan_new(&thing_fields, empty, sizeof empty, NULL, &plan), NJ_ERR_FORMAT);
	free(schema);
	free(record);
	nj_layout_free(&b.layout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(members_are_matched_by_name),
		cmocka_unit_test(another_kind_is_refused_by_name),
		cmocka_unit_test(impossible_values_are_refused),
		cmocka_unit_test(a_damaged_schema_is_refused_or_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
