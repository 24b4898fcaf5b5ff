/* Event time over clocks that are set forward, back and back again, and over frames with wrong stamps. */
#include "sensor/live_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS     1000000ull
#define S      1000000000ull
#define WALL   (1700000000ull * S)
#define STEADY (5000 * S)

static uint64_t event_at(const struct nj_live_clock *clock, uint64_t steady_ns)
{
	return steady_ns + (uint64_t)nj_live_clock_event_offset(clock);
}

static void test_event_time_is_wall_time(void **state)
{
	(void)state;
	struct nj_live_clock clock;
	nj_live_clock_start(&clock, WALL, STEADY);
	assert_int_equal(event_at(&clock, STEADY + 7 * S), WALL + 7 * S);
	assert_int_equal(nj_live_clock_look(&clock, WALL + 10 * S, STEADY + 10 * S), 0);
	assert_int_equal(event_at(&clock, STEADY + 10 * S), WALL + 10 * S);
}

static void test_small_corrections_are_followed(void **state)
{
	(void)state;
	struct nj_live_clock clock;
	nj_live_clock_start(&clock, WALL, STEADY);
	assert_int_equal(nj_live_clock_look(&clock, WALL + S - 400 * MS, STEADY + S), 0);
	assert_int_equal(event_at(&clock, STEADY + S), WALL + S - 400 * MS);
	assert_int_equal(clock.steps_back + clock.steps_forward, 0);
}

static void test_a_step_forward_is_followed_at_once(void **state)
{
	(void)state;
	struct nj_live_clock clock;
	nj_live_clock_start(&clock, WALL, STEADY);
	assert_int_equal(nj_live_clock_look(&clock, WALL + 3601 * S, STEADY + S), 3600 * S);
	assert_int_equal(event_at(&clock, STEADY + S), WALL + 3601 * S);
	assert_int_equal(clock.steps_forward, 1);
}

static void test_a_step_back_leaves_event_time_going(void **state)
{
	(void)state;
	struct nj_live_clock clock;
	nj_live_clock_start(&clock, WALL, STEADY);
	assert_int_equal(nj_live_clock_look(&clock, WALL + S - 160 * S, STEADY + S), -160 * (int64_t)S);
	assert_int_equal(event_at(&clock, STEADY + S), WALL + S);
	assert_int_equal(clock.ahead_ns, 160 * S);
	assert_int_equal(clock.steps_back, 1);
	/* sixteen seconds work off one; event time never goes back meanwhile */
	uint64_t last_ns = event_at(&clock, STEADY + S);
	for (uint64_t passed_s = 1; passed_s <= 160 * 16 + 5; passed_s++) {
		uint64_t steady_ns = STEADY + S + passed_s * S;
		assert_int_equal(nj_live_clock_look(&clock, WALL + S - 160 * S + passed_s * S, steady_ns), 0);
		assert_true(event_at(&clock, steady_ns) > last_ns);
		last_ns = event_at(&clock, steady_ns);
		if (passed_s == 16)
			assert_int_equal(clock.ahead_ns, 159 * S);
	}
	assert_int_equal(clock.ahead_ns, 0);
	assert_int_equal(last_ns, WALL + S - 160 * S + (160 * 16 + 5) * S);
}

static void test_a_step_back_taken_back_leaves_no_trace(void **state)
{
	(void)state;
	struct nj_live_clock clock;
	nj_live_clock_start(&clock, WALL, STEADY);
	nj_live_clock_look(&clock, WALL - 3600 * S, STEADY);
	nj_live_clock_look(&clock, WALL + S, STEADY + S);
	assert_int_equal(clock.ahead_ns, 0);
	/* one sixteenth of the second between was worked off and came back with the step */
	assert_int_equal(event_at(&clock, STEADY + S), WALL + S);
}

static void expect(uint64_t t_ns, int64_t ahead_ns, uint64_t now_ns, uint64_t clock_ns, enum nj_live_stamp stamp,
		   uint64_t event_ns)
{
	uint64_t given;
	assert_int_equal(nj_live_clock_stamp(t_ns, ahead_ns, now_ns, clock_ns, &given), stamp);
	assert_int_equal(given, event_ns);
}

static void test_stamps(void **state)
{
	(void)state;
	uint64_t t = WALL;
	expect(t, 0, t - S, t + S, NJ_STAMP_GOOD, t);
	expect(t, 0, t, t, NJ_STAMP_GOOD, t);
	expect(t, 0, t + 1, t + S, NJ_STAMP_LATE, t + 1);
	expect(t - 600 * S, 600 * (int64_t)S, t - S, t, NJ_STAMP_GOOD, t);
	/* a little ahead of the clock's last reading is ordinary, much is not */
	expect(t + S, 0, t, t, NJ_STAMP_GOOD, t + S);
	expect(t + S + 1, 0, t, t, NJ_STAMP_EARLY, t);
	expect(UINT64_MAX, 0, t, t, NJ_STAMP_EARLY, t);
	expect(UINT64_MAX, 100, t, t, NJ_STAMP_EARLY, t);       /* the sum wraps */
	expect(t + 10 * S, 0, t + 5, t, NJ_STAMP_EARLY, t + 5); /* event time stands a little ahead of the clock */
	expect(0, 0, t, t, NJ_STAMP_LATE, t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_time_is_wall_time),
		cmocka_unit_test(test_small_corrections_are_followed),
		cmocka_unit_test(test_a_step_forward_is_followed_at_once),
		cmocka_unit_test(test_a_step_back_leaves_event_time_going),
		cmocka_unit_test(test_a_step_back_taken_back_leaves_no_trace),
		cmocka_unit_test(test_stamps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
