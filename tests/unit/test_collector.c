/* Joining live workers: a window goes on when every worker has passed it, in the order of windows, merged; the end is
 * marked once, on the last; who is two windows ahead waits. */
#include "sensor/collector.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MS       1000000ull
#define WIDTH_MS 10
#define T(n)     ((100 + (n)) * WIDTH_MS * MS)

struct told {
	uint64_t starts[16], frames[16];
	bool finish[16];
	uint32_t ticks_n, windows_n;
	uint64_t flows_opened; /* summed over windows */
};

struct rig {
	struct told told;
	struct nj_hash_key key;
	struct nj_collector *collector;
	struct nj_worker_sink worker[2];
	_Atomic(uint64_t) reached[2];
};

static int on_window(void *context, const struct nj_window *window)
{
	struct told *told = context;
	told->windows_n++;
	told->flows_opened += window->features.flows_opened;
	return NJ_OK;
}

static int on_tick(void *context, uint64_t start_ns, uint32_t width_ms, const struct nj_sensor_account *account,
		   bool finish)
{
	struct told *told = context;
	assert_int_equal(width_ms, WIDTH_MS);
	told->starts[told->ticks_n] = start_ns;
	told->frames[told->ticks_n] = account->frames_seen;
	told->finish[told->ticks_n++] = finish;
	return NJ_OK;
}

static void rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof *rig);
	nj_hash_key_derive("test", &rig->key);
	const struct nj_window_sink sink = {.context = &rig->told, .window = on_window, .tick = on_tick};
	const struct nj_collector_options options = {
		.workers = 2, .ledger_entries_max = 1024, .width_ms = WIDTH_MS, .live = true, .hash_key = &rig->key};
	assert_int_equal(nj_collector_new(&options, &sink, &rig->collector), NJ_OK);
	for (uint32_t i = 0; i < 2; i++)
		nj_collector_worker_sink(rig->collector, i, &rig->worker[i]);
}

/* What worker *i* has to tell of the window that starts at *start_ns*: one agent with *opened* flows. */
static void tell(struct rig *rig, uint32_t i, uint64_t start_ns, uint32_t opened)
{
	static const uint8_t address[4] = {10, 0, 0, 1};
	struct nj_window window = {.agent = {.addr = nj_addr_v4(address)},
				   .start_ns = start_ns,
				   .width_ms = WIDTH_MS,
				   .features = {.flows_opened = opened}};
	const struct nj_sensor_account account = {.frames_seen = opened};
	rig->worker[i].window(rig->worker[i].context, &window);
	rig->worker[i].window_end(rig->worker[i].context, start_ns, &account);
}

static int join(struct rig *rig)
{
	const _Atomic(uint64_t) *const reached[2] = {&rig->reached[0], &rig->reached[1]};
	return nj_collector_join(rig->collector, reached, T(9));
}

static void test_a_window_waits_for_every_worker(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig);
	tell(&rig, 0, T(0), 3);
	rig.reached[0] = T(1);
	assert_int_equal(join(&rig), 0); /* the other may still tell of it */
	rig.reached[1] = T(1) - 1;
	assert_int_equal(join(&rig), 0);
	tell(&rig, 1, T(0), 4);
	assert_int_equal(join(&rig), 1);
	assert_int_equal(rig.told.windows_n, 1); /* one agent of both */
	assert_int_equal(rig.told.flows_opened, 7);
	assert_int_equal(rig.told.frames[0], 7);
	assert_int_equal(join(&rig), 0);
	nj_collector_free(&rig.collector);
}

static void test_who_has_nothing_to_tell_passes(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig);
	tell(&rig, 0, T(0), 3);
	tell(&rig, 0, T(2), 5);
	tell(&rig, 1, T(1), 4); /* has jumped over the first */
	rig.reached[0] = T(3);
	assert_int_equal(join(&rig), 1);
	assert_int_equal(join(&rig), 1);
	assert_int_equal(join(&rig), 0); /* the second worker may still tell of the third */
	rig.reached[1] = T(3);
	assert_int_equal(join(&rig), 1);
	assert_int_equal(rig.told.ticks_n, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(rig.told.starts[i], T(i));
	nj_collector_free(&rig.collector);
}

static void test_the_end_is_marked_on_the_last(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig);
	tell(&rig, 0, T(0), 3);
	tell(&rig, 1, T(0), 3);
	tell(&rig, 1, T(1), 3);
	rig.reached[0] = rig.reached[1] = UINT64_MAX;
	nj_collector_finish(rig.collector);
	while (join(&rig) > 0)
		;
	assert_int_equal(join(&rig), 0);
	assert_int_equal(rig.told.ticks_n, 2);
	assert_false(rig.told.finish[0]);
	assert_true(rig.told.finish[1]);
	nj_collector_free(&rig.collector);
}

static void test_the_end_is_marked_without_any_window(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig);
	rig.reached[0] = rig.reached[1] = UINT64_MAX;
	assert_int_equal(join(&rig), 0);
	assert_int_equal(rig.told.ticks_n, 0);
	nj_collector_finish(rig.collector);
	assert_int_equal(join(&rig), 0);
	assert_int_equal(join(&rig), 0);
	assert_int_equal(rig.told.ticks_n, 1);
	assert_true(rig.told.finish[0]);
	assert_int_equal(rig.told.starts[0], T(9));
	nj_collector_free(&rig.collector);
}

static void *tell_three(void *context)
{
	struct rig *rig = context;
	for (uint32_t i = 0; i < 3; i++)
		tell(rig, 0, T(i), 1);
	rig->reached[0] = T(3);
	return NULL;
}

/* A worker that is two windows ahead waits, and goes on when one was taken, or when nobody wants any more. */
static void test_a_worker_ahead_waits(void **state)
{
	(void)state;
	for (int abandon = 0; abandon < 2; abandon++) {
		struct rig rig;
		pthread_t thread;
		rig_open(&rig);
		rig.reached[1] = T(8);
		assert_int_equal(pthread_create(&thread, NULL, tell_three, &rig), 0);
		if (abandon)
			nj_collector_abandon(rig.collector);
		else
			while (rig.told.ticks_n < 3)
				assert_true(join(&rig) >= 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(rig.told.flows_opened, abandon ? 0 : 3);
		nj_collector_free(&rig.collector);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_window_waits_for_every_worker),
		cmocka_unit_test(test_who_has_nothing_to_tell_passes),
		cmocka_unit_test(test_the_end_is_marked_on_the_last),
		cmocka_unit_test(test_the_end_is_marked_without_any_window),
		cmocka_unit_test(test_a_worker_ahead_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
