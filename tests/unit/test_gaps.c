/* Gaps as the batches' own numbers tell them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/gaps.h"

#include <stdio.h>
#include <string.h>

static uint64_t note(struct nj_gaps *gaps, const char *sensor, uint64_t boot, uint64_t sequence)
{
	struct nj_batch batch = {.boot = boot, .sequence = sequence};
	snprintf(batch.sensor, sizeof batch.sensor, "%s", sensor);
	return nj_gaps_note(gaps, &batch);
}

struct walk {
	uint64_t series, next, passed;
};

static int add(void *context, const char *sensor, uint64_t boot, uint64_t next, uint64_t passed)
{
	struct walk *walk = context;
	(void)sensor;
	(void)boot;
	walk->series++;
	walk->next += next;
	walk->passed += passed;
	return 0;
}

static void each_series_counts_its_own(void **state)
{
	(void)state;
	struct nj_gaps *gaps;
	struct walk walk = {0};
	assert_int_equal(nj_gaps_new(&gaps), 0);
	assert_int_equal(note(gaps, "a", 1, 0), 0);
	assert_int_equal(note(gaps, "b", 1, 2), 2); /* its first two never came */
	assert_int_equal(note(gaps, "a", 1, 1), 0);
	assert_int_equal(note(gaps, "a", 1, 5), 3);
	assert_int_equal(note(gaps, "a", 1, 3), 0); /* comes again: nothing new */
	assert_int_equal(note(gaps, "a", 1, 6), 0);
	assert_int_equal(note(gaps, "a", 2, 0), 0); /* another boot is another series */
	assert_int_equal(nj_gaps_each(gaps, add, &walk), 0);
	assert_int_equal(walk.series, 3);
	assert_int_equal(walk.next, 7 + 3 + 1);
	assert_int_equal(walk.passed, 3 + 2);
	nj_gaps_free(&gaps);
	assert_null(gaps);
}

static void the_longest_silent_gives_its_place(void **state)
{
	(void)state;
	struct nj_gaps *gaps;
	char name[NJ_SENSOR_ID_MAX];
	assert_int_equal(nj_gaps_new(&gaps), 0);
	for (uint32_t i = 0; i < NJ_GAPS_SERIES_MAX; i++) {
		snprintf(name, sizeof name, "sensor-%u", i);
		assert_int_equal(note(gaps, name, 1, 0), 0);
	}
	assert_int_equal(note(gaps, "sensor-0", 1, 1), 0);
	assert_int_equal(note(gaps, "new", 1, 0), 0);
	assert_int_equal(note(gaps, "sensor-0", 1, 2), 0);
	assert_int_equal(note(gaps, "sensor-1", 1, 1), 1); /* forgotten: begins anew */
	nj_gaps_free(&gaps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_series_counts_its_own),
		cmocka_unit_test(the_longest_silent_gives_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
