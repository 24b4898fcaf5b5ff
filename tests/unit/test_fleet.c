/* Popularity by day, eviction of the least used, quantiles of groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/fleet.h"

#include <math.h>
#include <stdio.h>

#define DAY (86400ull * 1000000000)

static struct nj_hash_key key;

static void counts_by_day(void **state)
{
	(void)state;
	struct nj_fleet *fleet;
	assert_int_equal(nj_fleet_new(1024, &fleet), 0);
	uint64_t service = nj_fleet_name_key("backup.example", &key), t = 1000 * DAY;
	struct nj_fleet_fact fact = {.key = service, .agents = 1, .answered = 1};
	for (int i = 0; i < 10; i++)
		nj_fleet_add(fleet, &fact, t);
	assert_int_equal(nj_fleet_use(fleet, service, t).agents, 10);
	assert_int_equal(nj_fleet_use(fleet, service, t).answered, 10);
	assert_int_equal(nj_fleet_use(fleet, service, t + DAY).agents, 10); /* yesterday still counts */
	assert_int_equal(nj_fleet_use(fleet, service, t + 2 * DAY).agents, 0);
	for (int i = 0; i < 3; i++)
		nj_fleet_add(fleet, &fact, t + DAY);
	assert_int_equal(nj_fleet_use(fleet, service, t + DAY).agents, 10); /* the busier of the two */
	assert_int_equal(nj_fleet_use(fleet, service, t + 2 * DAY).agents, 3);
	assert_int_equal(nj_fleet_use(fleet, nj_fleet_domain_key("backup.example", &key), t).agents,
			 0); /* another kind of key */
	assert_true(nj_fleet_prevalence(fleet, service, t + DAY) == 0);
	for (int i = 0; i < 20; i++)
		nj_fleet_add_agent(fleet, t + DAY);
	assert_true(fabs(nj_fleet_prevalence(fleet, service, t + DAY) - 0.5) < 1e-9);
	nj_fleet_free(&fleet);
	assert_null(fleet);
}

/* A flood of one-time destinations pushes out one-time destinations, not what many use. */
static void the_popular_stays(void **state)
{
	(void)state;
	struct nj_fleet *fleet;
	assert_int_equal(nj_fleet_new(1024, &fleet), 0);
	uint64_t t = 1000 * DAY, popular[50];
	for (int i = 0; i < 50; i++) {
		char name[32];
		snprintf(name, sizeof name, "popular-%d.example", i);
		struct nj_fleet_fact fact = {.key = popular[i] = nj_fleet_name_key(name, &key), .agents = 5};
		nj_fleet_add(fleet, &fact, t);
	}
	for (int i = 0; i < 100000; i++) {
		char name[32];
		snprintf(name, sizeof name, "once-%d.example", i);
		struct nj_fleet_fact fact = {.key = nj_fleet_name_key(name, &key), .agents = 1, .failed = UINT32_MAX};
		nj_fleet_add(fleet, &fact, t);
	}
	for (int i = 0; i < 50; i++)
		assert_int_equal(nj_fleet_use(fleet, popular[i], t).agents, 5);
	assert_true(nj_fleet_evicted(fleet) > 90000);
	nj_fleet_free(&fleet);
}

static void groups_have_quantiles(void **state)
{
	(void)state;
	struct nj_fleet *fleet;
	assert_int_equal(nj_fleet_new(1024, &fleet), 0);
	uint32_t ci = nj_fleet_group(fleet, "ci");
	assert_int_equal(nj_fleet_group(fleet, "ci"), ci);
	uint64_t n;
	assert_true(isnan(nj_fleet_quantile(fleet, ci, NJ_FLEET_PEERS_HOME_1H, 0.5, &n)));
	assert_int_equal(n, 0);
	for (int i = 1; i <= 100; i++)
		nj_fleet_add_value(fleet, ci, NJ_FLEET_PEERS_HOME_1H, i);
	double median = nj_fleet_quantile(fleet, ci, NJ_FLEET_PEERS_HOME_1H, 0.5, &n);
	assert_int_equal(n, 100);
	assert_true(median > 46);
	assert_true(median < 55);
	for (int i = 0; i < 100; i++) { /* beyond the last there is only the first */
		char name[32];
		snprintf(name, sizeof name, "group-%d", i);
		assert_true(nj_fleet_group(fleet, name) < NJ_FLEET_GROUPS_MAX);
	}
	assert_int_equal(nj_fleet_group(fleet, "one too many"), 0);
	nj_fleet_add_value(fleet, 0, NJ_FLEET_OUT_1H, INFINITY);
	nj_fleet_add_value(fleet, 0, NJ_FLEET_OUT_1H, -3);
	nj_fleet_free(&fleet);
}

static int setup(void **state)
{
	(void)state;
	nj_hash_key_derive("", &key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_by_day),
		cmocka_unit_test(the_popular_stays),
		cmocka_unit_test(groups_have_quantiles),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
