/* Names tried, tickets gathered, and hosts that have many users. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

static void set_register(uint8_t *registers, uint64_t hash)
{
	uint8_t rank = (uint8_t)(57 - (64 - __builtin_clzll((hash >> 8) | 1)));
	if (rank > registers[hash & 255])
		registers[hash & 255] = rank;
}

/* A window in which *names* other users and *services* other services are asked for. */
static void asks(struct sample_bench *b, uint32_t from, uint32_t names, uint32_t services, uint64_t failed, bool rc4)
{
	struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
	uint8_t *principals = nj_arena_take(&b->arena, NJ_DISTINCT_REGISTERS),
		*asked = nj_arena_take(&b->arena, NJ_DISTINCT_REGISTERS);
	memset(principals, 0, NJ_DISTINCT_REGISTERS);
	memset(asked, 0, NJ_DISTINCT_REGISTERS);
	for (uint32_t i = 0; i < names; i++) {
		uint32_t name = from + i;
		set_register(principals, nj_hash64(&name, sizeof name, &b->key));
	}
	for (uint32_t i = 0; i < services; i++) {
		uint32_t name = 1000 + from + i;
		set_register(asked, nj_hash64(&name, sizeof name, &b->key));
	}
	w->principals = principals;
	w->services_asked = asked;
	w->features.auth_failed = failed;
	w->features.tickets_requested = services;
	w->features.tickets_rc4 = rc4 ? services : 0;
	sample_contact(w, sample_addr("10.20.2.2"), 88, 6, SAMPLE_ANSWERED);
	sample_judge(b, 1);
}

static void a_spray_is_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (uint32_t i = 0; i < 10; i++)
		asks(b, 4 * i, 4, 0, 4, false);
	const struct nj_alert *alert;
	assert_true(sample_alerts(b, "credentials", &alert) >= 1);
	assert_non_null(strstr(alert->summary, "different users this hour"));
	assert_string_equal(alert->technique[0], "T1110.003");
	assert_int_equal(alert->peers_n, 1);
	sample_bench_free(b);
}

static void roasting_is_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	asks(b, 0, 1, 60, 0, true);
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "credentials", &alert), 1);
	assert_string_equal(alert->technique[0], "T1558.003");
	sample_bench_free(b);
}

static void a_terminal_server_and_a_busy_desk_are_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (uint32_t i = 0; i < 16; i++)
		asks(b, i, 1, 1, 0, false); /* sixteen users log in within the hour and reach a service each */
	assert_int_equal(sample_alerts(b, "credentials", NULL), 0);
	sample_bench_free(b);
	b = sample_bench_new(&options);
	asks(b, 0, 1, 15, 1, false);
	assert_int_equal(sample_alerts(b, "credentials", NULL), 0);
	sample_bench_free(b);
}

/* The same forty names, but four in each of ten hours. */
static void hours_begin_anew(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (uint32_t i = 0; i < 10; i++) {
		asks(b, 4 * i, 4, 0, 4, false);
		b->start_ns += 3600 * UINT64_C(1000000000);
	}
	assert_int_equal(sample_alerts(b, "credentials", NULL), 0);
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spray_is_told),
		cmocka_unit_test(roasting_is_told),
		cmocka_unit_test(a_terminal_server_and_a_busy_desk_are_not),
		cmocka_unit_test(hours_begin_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
