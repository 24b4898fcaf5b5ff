/* Putting segments in order, against the stream they were cut from. */
#include "sensor/stream.h"
#include "tests/unit/draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct nj_stream_pool pool_of(uint32_t buffers)
{
	struct nj_stream_pool pool;
	assert_int_equal(nj_stream_pool_init(&pool, buffers), 0);
	return pool;
}

static uint32_t free_buffers(const struct nj_stream_pool *pool)
{
	uint32_t n = 0;
	for (uint32_t at = pool->free; at != NJ_STREAM_NONE; at = pool->next[at])
		n++;
	return n;
}

static const uint8_t *view(struct nj_stream *s, struct nj_stream_pool *pool, uint32_t sequence, const char *data,
			   size_t *ret_size)
{
	return nj_stream_view(s, pool, sequence, (const uint8_t *)data, (uint32_t)strlen(data), ret_size);
}

static void in_order_is_not_copied(void **state)
{
	(void)state;
	struct nj_stream_pool pool = pool_of(1);
	struct nj_stream s;
	size_t size;
	const char *data = "hello";
	nj_stream_begin(&s, 100);
	assert_ptr_equal(view(&s, &pool, 100, data, &size), data);
	assert_int_equal(size, 5);
	assert_true(nj_stream_keep(&s, &pool, (const uint8_t *)data, 5, 5));
	assert_int_equal(free_buffers(&pool), 1);
	assert_null(view(&s, &pool, 100, data, &size)); /* old */
	const char *overlapping = "lo world";
	assert_ptr_equal(view(&s, &pool, 103, overlapping, &size), overlapping + 2);
	assert_int_equal(size, 6);
	nj_stream_end(&s, &pool);
	nj_stream_pool_fini(&pool);
}

static void what_is_kept_grows(void **state)
{
	(void)state;
	struct nj_stream_pool pool = pool_of(1);
	struct nj_stream s;
	size_t size;
	nj_stream_begin(&s, UINT32_MAX - 2); /* wraps inside */
	const uint8_t *data = view(&s, &pool, UINT32_MAX - 2, "abc", &size);
	assert_true(nj_stream_keep(&s, &pool, data, size, 1));
	data = view(&s, &pool, 0, "def", &size);
	assert_int_equal(size, 5);
	assert_memory_equal(data, "bcdef", 5);
	assert_true(nj_stream_keep(&s, &pool, data, size, 5));
	data = view(&s, &pool, 3, "g", &size);
	assert_int_equal(size, 1);
	nj_stream_end(&s, &pool);
	assert_int_equal(free_buffers(&pool), 1);
	nj_stream_pool_fini(&pool);
}

static void a_hole_holds_back(void **state)
{
	(void)state;
	struct nj_stream_pool pool = pool_of(1);
	struct nj_stream s;
	size_t size;
	nj_stream_begin(&s, 0);
	assert_null(view(&s, &pool, 6, "ghi", &size));
	assert_null(view(&s, &pool, 3, "def", &size));
	const uint8_t *data = view(&s, &pool, 0, "abcXXX", &size); /* the first to come stays */
	assert_int_equal(size, 9);
	assert_memory_equal(data, "abcdefghi", 9);
	nj_stream_end(&s, &pool);
	nj_stream_pool_fini(&pool);
}

static void an_empty_pool_is_told(void **state)
{
	(void)state;
	struct nj_stream_pool pool = pool_of(1);
	struct nj_stream a, b;
	size_t size;
	nj_stream_begin(&a, 0);
	nj_stream_begin(&b, 0);
	const uint8_t *data = view(&a, &pool, 0, "abc", &size);
	assert_true(nj_stream_keep(&a, &pool, data, size, 0));
	data = view(&b, &pool, 0, "abc", &size);
	assert_false(nj_stream_keep(&b, &pool, data, size, 0));
	assert_null(view(&b, &pool, 10, "later", &size));
	assert_int_equal(pool.refused, 2);
	nj_stream_end(&a, &pool);
	nj_stream_end(&b, &pool);
	assert_int_equal(free_buffers(&pool), 1);
	nj_stream_pool_fini(&pool);
}

/* Segments in any order, repeated and overlapping: what the view shows is always a beginning of the stream, and in the
 * end all of it, unless more pieces were in flight than are held; then it is shorter, never wrong. */
static void any_order_gives_the_stream(void **state)
{
	(void)state;
	enum { STREAM = 4000, ROUNDS = 3000 };
	static uint8_t stream[STREAM];
	struct draw draw = draw_seed(11);
	struct nj_stream_pool pool = pool_of(2);
	unsigned whole = 0;
	for (int i = 0; i < STREAM; i++)
		stream[i] = (uint8_t)draw_bits(&draw);
	for (int round = 0; round < ROUNDS; round++) {
		struct nj_stream s;
		uint32_t first = (uint32_t)draw_bits(&draw), length = 1 + (uint32_t)draw_below(&draw, STREAM);
		uint32_t consumed = 0, seen = 0;
		nj_stream_begin(&s, first);
		for (int i = 0; i < 60 && seen < length; i++) {
			uint32_t at = (uint32_t)draw_below(&draw, length), bytes = 1 + (uint32_t)draw_below(&draw, 600);
			if (draw_below(&draw, 2)) /* near the front, as most are */
				at = seen > 100 ? seen - (uint32_t)draw_below(&draw, 100) : 0;
			if (bytes > length - at)
				bytes = length - at;
			size_t size;
			const uint8_t *data = nj_stream_view(&s, &pool, first + at, stream + at, bytes, &size);
			if (data == NULL)
				continue;
			assert_true(consumed + size <= length);
			assert_memory_equal(data, stream + consumed, size);
			seen = consumed + (uint32_t)size;
			size_t used = draw_below(&draw, 3) == 0 ? draw_below(&draw, size + 1) : 0;
			assert_true(nj_stream_keep(&s, &pool, data, size, used));
			consumed += (uint32_t)used;
		}
		whole += seen == length;
		nj_stream_end(&s, &pool);
		assert_int_equal(free_buffers(&pool), 2);
	}
	assert_true(whole > ROUNDS * 9 / 10);
	nj_stream_pool_fini(&pool);
}

static void bytes_beyond_the_bound_are_left_out(void **state)
{
	(void)state;
	static uint8_t data[NJ_STREAM_BYTES_MAX + 1000];
	struct nj_stream_pool pool = pool_of(1);
	struct nj_stream s;
	size_t size;
	nj_stream_begin(&s, 0);
	assert_non_null(nj_stream_view(&s, &pool, 0, data, sizeof data, &size));
	assert_int_equal(size, NJ_STREAM_BYTES_MAX);
	assert_true(nj_stream_keep(&s, &pool, data, size, 0));
	assert_null(nj_stream_view(&s, &pool, NJ_STREAM_BYTES_MAX, data, 10, &size));
	assert_null(nj_stream_view(&s, &pool, 1u << 31, data, 10, &size));
	nj_stream_end(&s, &pool);
	nj_stream_pool_fini(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_is_not_copied),     cmocka_unit_test(what_is_kept_grows),
		cmocka_unit_test(a_hole_holds_back),          cmocka_unit_test(an_empty_pool_is_told),
		cmocka_unit_test(any_order_gives_the_stream), cmocka_unit_test(bytes_beyond_the_bound_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
