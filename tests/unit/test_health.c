/* What the meter tells follows what the process does: memory that is touched is resident, processor time is a share of
 * the time that passed. */
#include "sensor/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000ull

static void test_meter(void **state)
{
	(void)state;
	struct nj_health_meter meter;
	struct nj_sensor_health before = {0}, after = {0};
	nj_health_open(&meter, 10 * SECOND);
	nj_health_measure(&meter, 12 * SECOND, SECOND / 2, &before);
	assert_int_equal(before.uptime_ms, 2000);
	assert_int_equal(before.cpu_permille, 250);
	assert_string_equal(before.software, "nightjar " NJ_VERSION);
	assert_true(before.memory_bytes > 100000);
	enum { LARGE = 64 << 20 };
	char *large = malloc(LARGE);
	assert_non_null(large);
	memset(large, 1, LARGE);
	nj_health_measure(&meter, 16 * SECOND, SECOND / 2 + 4 * SECOND, &after);
	assert_int_equal(after.cpu_permille, 1000);
	assert_int_equal(after.uptime_ms, 6000);
	assert_true(after.memory_bytes >= before.memory_bytes + LARGE - (1 << 20));
	assert_int_equal(large[LARGE - 1], 1);
	free(large);
	nj_health_close(&meter);
	nj_health_measure(&meter, 16 * SECOND, 0, &after); /* no time has passed, no file is open */
	assert_true(after.memory_bytes == 0 && after.cpu_permille == 0);
}

static void test_account(void **state)
{
	(void)state;
	struct nj_sensor_account total = {.frames_seen = 100, .kernel_drops = 7, .interface_drops = 3, .drops_n = 1};
	struct nj_sensor_health health = {0};
	snprintf(total.drops[0].name, sizeof total.drops[0].name, "truncated");
	total.drops[0].frames = 4;
	nj_health_account(&total, &health);
	assert_true(health.frames_seen == 100 && health.kernel_drops == 7 && health.interface_drops == 3);
	assert_string_equal(health.drops[0].name, "truncated");
	assert_true(health.drops_n == 1 && health.drops[0].frames == 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_meter), cmocka_unit_test(test_account)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
