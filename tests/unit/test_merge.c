/* Rounds of several sensors: order and partition do not matter, late ones are counted, nothing waits for the finished.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/merge.h"
#include "tests/unit/any_window.h"

static struct nj_arena arena;
static struct nj_hash_key key;
static const char *group; /* of the next batches; NULL: each sensor's own */

static int setup(void **state)
{
	(void)state;
	nj_hash_key_derive("", &key);
	return nj_arena_init(&arena, 256u << 20);
}

static int teardown(void **state)
{
	(void)state;
	nj_arena_fini(&arena);
	return 0;
}

static struct nj_merge *merge_new(uint32_t sensors, uint64_t pending_bytes_max, uint64_t hold_ns)
{
	struct nj_merge_options options = {.key = key,
					   .sensors_expected = sensors,
					   .pending_bytes_max = pending_bytes_max,
					   .arena_bytes = 1 << 12,
					   .hold_ns = hold_ns};
	struct nj_merge *merge;
	assert_int_equal(nj_merge_new(&options, &merge), 0);
	return merge;
}

static struct nj_batch batch_of(const char *sensor, uint64_t start_ns, struct nj_window *windows, uint32_t n,
				uint32_t flags)
{
	struct nj_batch batch = {
		.start_ns = start_ns, .width_ms = 10000, .windows = windows, .windows_n = n, .flags = flags};
	snprintf(batch.sensor, sizeof batch.sensor, "%s", sensor);
	snprintf(batch.tap_group, sizeof batch.tap_group, "%s", group != NULL ? group : sensor);
	batch.account.frames_seen = 10;
	batch.account.drops_n = 1;
	batch.account.drops[0].frames = 2;
	strcpy(batch.account.drops[0].name, "truncated");
	return batch;
}

static void push(struct nj_merge *merge, const char *sensor, uint64_t start_ns, struct nj_window *windows, uint32_t n,
		 uint32_t flags)
{
	struct nj_batch batch = batch_of(sensor, start_ns, windows, n, flags);
	assert_int_equal(nj_merge_push(merge, &batch), 0);
}

static struct nj_window window_at(uint64_t start_ns, uint8_t agent, uint64_t packets)
{
	struct nj_window window = {.start_ns = start_ns, .width_ms = 10000};
	window.agent.addr.byte[15] = agent;
	window.features.packets_out = packets;
	return window;
}

/* The same traffic at two sensors of a group, in either order, beside a third sensor of its own: as if one had told it.
 */
static void a_tap_group_counts_once(void **state)
{
	(void)state;
	nj_arena_reset(&arena);
	struct any any = {.seed = 7, .arena = &arena, .keys = 40, .list_max = 30};
	struct nj_window same = any_window(&any), other = any_window(&any), expected;
	same.start_ns = other.start_ns = ANY_START_NS;
	expected = any_copy(&same, &arena);
	assert_true(nj_window_merge(&expected, &other, &arena));
	assert_true(nj_window_cap(&expected, nj_hash64, &key, &arena));
	static const char *const orders[] = {"abc", "bac", "cba"};
	for (int o = 0; o < 3; o++) {
		struct nj_merge *merge = merge_new(3, 1 << 28, 0);
		struct nj_round round;
		for (const char *s = orders[o]; *s != '\0'; s++) {
			const char name[] = {*s, '\0'};
			group = *s == 'c' ? NULL : "rack";
			push(merge, name, ANY_START_NS, *s == 'c' ? &other : &same, 1, NJ_BATCH_TICK);
		}
		group = NULL;
		assert_int_equal(nj_merge_pop(merge, &round), 1);
		assert_int_equal(round.windows_n, 1);
		assert_true(nj_window_equal(&round.windows[0], &expected));
		assert_int_equal(round.account.frames_seen, 20); /* ten of the group, ten of the third */
		assert_int_equal(round.account.drops[0].frames, 4);
		nj_merge_free(&merge);
	}
}

#define T0 1800000000000000000ull
#define W  10000000000ull

static void a_round_waits_for_every_sensor(void **state)
{
	(void)state;
	struct nj_merge *merge = merge_new(2, 1 << 24, 0);
	struct nj_round round;
	struct nj_window a = window_at(T0, 1, 5), b = window_at(T0, 1, 7), c = window_at(T0, 0, 1);
	push(merge, "a", T0, &a, 1, NJ_BATCH_TICK);
	assert_int_equal(nj_merge_pop(merge, &round), 0); /* one of two sensors known */
	push(merge, "b", T0, &c, 1, 0);
	assert_int_equal(nj_merge_pop(merge, &round), 0); /* b has not told everything */
	push(merge, "b", T0, &b, 1, NJ_BATCH_TICK);
	assert_int_equal(nj_merge_pop(merge, &round), 1);
	assert_int_equal(round.windows_n, 2);
	assert_int_equal(round.windows[0].agent.addr.byte[15], 0);
	assert_int_equal(round.windows[1].features.packets_out, 12);
	assert_int_equal(round.account.frames_seen, 20);
	assert_int_equal(round.account.drops_n, 1);
	assert_int_equal(round.account.drops[0].frames, 4);
	assert_string_equal(round.sensor, "2 sensors");
	assert_false(nj_merge_finished(merge));
	push(merge, "b", T0 + W, NULL, 0, NJ_BATCH_TICK | NJ_BATCH_FINISH);
	push(merge, "a", T0 + 3 * W, &(struct nj_window){.start_ns = T0 + 3 * W, .width_ms = 10000}, 1,
	     NJ_BATCH_TICK | NJ_BATCH_FINISH);
	assert_int_equal(nj_merge_pop(merge, &round), 1); /* the empty round of b */
	assert_int_equal(round.windows_n, 0);
	assert_int_equal(nj_merge_pop(merge, &round), 1); /* b has finished and holds nothing back */
	assert_string_equal(round.sensor, "a");
	assert_int_equal(nj_merge_pop(merge, &round), 0);
	assert_true(nj_merge_finished(merge));
	assert_int_equal(nj_merge_counts(merge).pending_bytes, 0);
	nj_merge_free(&merge);
	assert_null(merge);
}

static void late_windows_are_counted(void **state)
{
	(void)state;
	struct nj_merge *merge = merge_new(1, 1 << 24, 0);
	struct nj_round round;
	struct nj_window first = window_at(T0, 1, 1), late = window_at(T0, 2, 1);
	push(merge, "a", T0, &first, 1, NJ_BATCH_TICK);
	assert_int_equal(nj_merge_pop(merge, &round), 1);
	push(merge, "b", T0, &late, 1, NJ_BATCH_TICK);
	assert_int_equal(nj_merge_pop(merge, &round), 0);
	assert_int_equal(nj_merge_counts(merge).windows_late, 1);
	assert_int_equal(nj_merge_counts(merge).windows_received, 2);
	nj_merge_free(&merge);
}

static void a_silent_sensor_is_given_up(void **state)
{
	(void)state;
	struct nj_merge *merge = merge_new(2, 1 << 24, 3 * W);
	struct nj_round round;
	push(merge, "b", T0, NULL, 0, NJ_BATCH_TICK);
	for (uint64_t i = 0; i < 3; i++)
		push(merge, "a", T0 + i * W, NULL, 0, NJ_BATCH_TICK);
	assert_int_equal(nj_merge_pop(merge, &round), 1);
	assert_int_equal(nj_merge_pop(merge, &round), 0); /* b has not told T0 + W */
	for (uint64_t i = 3; i < 6; i++)
		push(merge, "a", T0 + i * W, NULL, 0, NJ_BATCH_TICK);
	assert_int_equal(nj_merge_pop(merge, &round), 1); /* five windows behind: more than the hold */
	assert_int_equal(round.start_ns, T0 + W);
	assert_int_equal(nj_merge_pop(merge, &round), 0);
	nj_merge_free(&merge);
}

static void a_full_queue_forces_the_oldest_out(void **state)
{
	(void)state;
	struct nj_merge *merge = merge_new(2, 1 << 20, 0);
	struct nj_round round;
	push(merge, "b", T0, NULL, 0, NJ_BATCH_TICK);
	uint64_t forced = 0;
	for (uint64_t i = 1; i < 2000; i++) {
		push(merge, "a", T0 + i * W, NULL, 0, NJ_BATCH_TICK);
		while (nj_merge_pop(merge, &round) == 1)
			forced++;
		assert_true(nj_merge_counts(merge).pending_bytes <= (1 << 20) + 8192);
	}
	assert_true(forced > 0);
	assert_int_equal(nj_merge_counts(merge).rounds_forced, forced - 1);
	nj_merge_free(&merge);
}

/* One sensor's windows against the same split over three, in any order of arrival: the same rounds. */
static void partition_does_not_matter(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		nj_arena_reset(&arena);
		struct any any = {.seed = seed, .arena = &arena, .keys = 40, .list_max = 60};
		struct nj_window parts[3][4];
		for (int s = 0; s < 3; s++)
			for (int a = 0; a < 4; a++) {
				parts[s][a] = any_window(&any);
				parts[s][a].start_ns = ANY_START_NS;
				parts[s][a].width_ms = 10000;
				memset(&parts[s][a].agent, 0, sizeof parts[s][a].agent);
				parts[s][a].agent.addr.byte[15] = (uint8_t)a;
			}
		struct nj_window expected[4];
		for (int a = 0; a < 4; a++) {
			expected[a] = any_copy(&parts[0][a], &arena); /* a merge works in place on vectors */
			assert_true(nj_window_merge(&expected[a], &parts[1][a], &arena));
			assert_true(nj_window_merge(&expected[a], &parts[2][a], &arena));
			assert_true(nj_window_cap(&expected[a], nj_hash64, &key, &arena));
		}
		static const char *const orders[] = {"012", "210", "120"};
		for (int o = 0; o < 3; o++) {
			struct nj_merge *merge = merge_new(3, 1 << 28, 0);
			struct nj_round round;
			for (const char *s = orders[o]; *s != '\0'; s++)
				push(merge,
				     *s == '0'   ? "zero"
				     : *s == '1' ? "one"
						 : "two",
				     ANY_START_NS, parts[*s - '0'], 4, NJ_BATCH_TICK | NJ_BATCH_FINISH);
			assert_int_equal(nj_merge_pop(merge, &round), 1);
			assert_int_equal(round.windows_n, 4);
			for (int a = 0; a < 4; a++)
				if (!nj_window_equal(&round.windows[a], &expected[a]))
					fail_msg("seed %u, order %s: agent %d differs", seed, orders[o], a);
			assert_int_equal(nj_merge_pop(merge, &round), 0);
			assert_true(nj_merge_finished(merge));
			nj_merge_free(&merge);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_waits_for_every_sensor), cmocka_unit_test(late_windows_are_counted),
		cmocka_unit_test(a_silent_sensor_is_given_up),    cmocka_unit_test(a_full_queue_forces_the_oldest_out),
		cmocka_unit_test(partition_does_not_matter),      cmocka_unit_test(a_tap_group_counts_once),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
