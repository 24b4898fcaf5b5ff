/* Several sensors that see the same traffic: equal windows are one of them to the byte, order does not matter, and taps
 * that see one direction each give what a tap that sees both would have given, as far as the header says. */
#include "aggregator/tap_group.h"
#include "tests/unit/any_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct nj_arena arena;

static int setup(void **state)
{
	(void)state;
	return nj_arena_init(&arena, 64 << 20);
}

static int teardown(void **state)
{
	(void)state;
	nj_arena_fini(&arena);
	return 0;
}

static struct nj_window unite(const struct nj_window *const *windows, uint32_t n)
{
	struct nj_window united;
	assert_true(nj_tap_group_unite(windows, n, &arena, &united));
	return united;
}

static void test_equal_windows_are_one(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 60; seed++) {
		nj_arena_reset(&arena);
		struct any any = {.seed = seed, .arena = &arena, .keys = 400, .list_max = 40};
		struct nj_window w = any_window(&any), again = any_copy(&w, &arena);
		const struct nj_window *const same[] = {&w, &again, &w};
		for (uint32_t n = 1; n <= 3; n++) {
			struct nj_window united = unite(same, n);
			if (!nj_window_equal(&united, &w))
				fail_msg("seed %u: %u equal windows are not that window", seed, n);
		}
	}
}

static void test_order_does_not_matter(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 60; seed++) {
		nj_arena_reset(&arena);
		struct any any = {.seed = seed, .arena = &arena, .keys = 60, .list_max = 40};
		struct nj_window a = any_window(&any), b = any_window(&any), c = any_window(&any);
		const struct nj_window *const orders[][3] = {{&a, &b, &c}, {&a, &c, &b}, {&b, &a, &c},
							     {&b, &c, &a}, {&c, &a, &b}, {&c, &b, &a}};
		struct nj_window first = unite(orders[0], 3);
		for (uint32_t i = 1; i < first.contacts_n; i++)
			assert_true(nj_contact_compare(&first.contacts[i - 1], &first.contacts[i]) < 0);
		for (int o = 1; o < 6; o++) {
			struct nj_window united = unite(orders[o], 3);
			if (!nj_window_equal(&united, &first))
				fail_msg("seed %u: order %d gives another window", seed, o);
		}
	}
}

/* Ten flows to a web server: two refused, one left open; seen whole, and from each side. */
static struct nj_contact web(const char *label, bool out, bool in)
{
	struct nj_contact c = {.peer = nj_addr_v4((const uint8_t[]){93, 184, 216, 34}),
			       .port = 443,
			       .protocol = 6,
			       .role = NJ_ROLE_CLIENT,
			       .external = 1,
			       .flow_port = 50000,
			       .first_ns = ANY_START_NS + 5,
			       .last_ns = ANY_START_NS + 9};
	snprintf(c.app, sizeof c.app, "%s", label);
	c.opened = out ? 10 : 0;
	c.answered = in ? 7 : 0;
	c.refused = in ? 2 : 0;
	c.unanswered = out ? (in ? 1 : 10) : 0;
	c.packets_out = out ? 100 : 0;
	c.bytes_out = c.flow_bytes = out ? 5000 : 0;
	c.packets_in = in ? 200 : 0;
	c.bytes_in = in ? 90000 : 0;
	if (out)
		snprintf(c.name, sizeof c.name, "web.example");
	return c;
}

static struct nj_window window_of(struct nj_contact *contacts, uint32_t n)
{
	struct nj_window w = {.agent = {.addr = nj_addr_v4((const uint8_t[]){10, 0, 0, 5})},
			      .start_ns = ANY_START_NS,
			      .width_ms = 10000,
			      .contacts = contacts,
			      .contacts_n = n};
	struct nj_features *f = &w.features;
	for (uint32_t i = 0; i < n; i++) {
		const struct nj_contact *c = &contacts[i];
		f->bytes_out_external += c->bytes_out;
		f->bytes_in_external += c->bytes_in;
		f->packets_out += c->packets_out;
		f->packets_in += c->packets_in;
		f->flows_opened += c->opened;
		f->flows_answered += c->answered;
		f->flows_refused += c->refused;
		f->flows_unanswered += c->unanswered;
	}
	return w;
}

static void test_asymmetric_taps_are_healed(void **state)
{
	(void)state;
	nj_arena_reset(&arena);
	struct nj_contact whole = web("TLS.Google", true, true), out = web("TLS.Google", true, false),
			  in = web("TLS", false, true);
	struct nj_window both = window_of(&whole, 1), there = window_of(&out, 1), back = window_of(&in, 1);
	there.features.flows_one_sided = back.features.flows_one_sided = 10;
	back.features.flows_midstream = 7;
	const struct nj_window *const taps[] = {&there, &back};
	struct nj_window united = unite(taps, 2);
	assert_true(nj_window_equal(&united, &both));
	/* A third that saw the half of it, with a label that says nothing, changes nothing. */
	struct nj_contact half = web("Unknown", true, true);
	half.opened = half.packets_out = half.answered = half.refused = half.unanswered = 0;
	struct nj_window third = window_of(&half, 1);
	const struct nj_window *const all[] = {&third, &there, &back};
	united = unite(all, 3);
	assert_int_equal(united.contacts_n, 1);
	assert_string_equal(united.contacts[0].app, "TLS.Google");
	assert_int_equal(united.features.flows_unanswered, 1);
}

static void test_labels_that_contradict_stay_apart(void **state)
{
	(void)state;
	nj_arena_reset(&arena);
	struct nj_contact a = web("TLS.Google", true, true), b = web("TLS.Amazon", true, true);
	struct nj_contact two[] = {web("TLS", true, true), web("TLS.Google", true, true)};
	struct nj_window x = window_of(&a, 1), y = window_of(&b, 1), z = window_of(two, 2);
	const struct nj_window *const against[] = {&x, &y};
	assert_int_equal(unite(against, 2).contacts_n, 2);
	/* One sensor has both: then neither is the other. */
	const struct nj_window *const beside[] = {&x, &z};
	struct nj_window united = unite(beside, 2);
	assert_int_equal(united.contacts_n, 2);
	assert_true(nj_window_equal(&united, &z));
}

/* Scalars follow the contacts they sum over, and keep what lies beyond the cap. */
static void test_scalars_stay_consistent(void **state)
{
	(void)state;
	nj_arena_reset(&arena);
	struct nj_contact a = web("TLS", true, true), b = a;
	b.port = 8443;
	struct nj_window x = window_of(&a, 1), y = window_of(&b, 1);
	x.features.bytes_out_external += 300; /* of contacts beyond the cap */
	y.features.bytes_out_external += 200;
	x.features.dns_queries = 4;
	y.features.dns_queries = 9;
	const struct nj_window *const windows[] = {&x, &y};
	struct nj_window united = unite(windows, 2);
	assert_int_equal(united.contacts_n, 2);
	assert_int_equal(united.features.bytes_out_external, 10300);
	assert_int_equal(united.features.flows_opened, 20);
	assert_int_equal(united.features.dns_queries, 9);
}

static void test_full_arena(void **state)
{
	(void)state;
	nj_arena_reset(&arena);
	struct any any = {.seed = 3, .arena = &arena, .keys = 60, .list_max = 30};
	struct nj_window a = any_window(&any), united;
	const struct nj_window *const windows[] = {&a, &a};
	for (size_t size = 64; size < 40000; size *= 2) {
		struct nj_arena small;
		assert_int_equal(nj_arena_init(&small, size), 0);
		(void)!nj_tap_group_unite(windows, 2, &small, &united);
		nj_arena_fini(&small);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_windows_are_one),
		cmocka_unit_test(test_order_does_not_matter),
		cmocka_unit_test(test_asymmetric_taps_are_healed),
		cmocka_unit_test(test_labels_that_contradict_stay_apart),
		cmocka_unit_test(test_scalars_stay_consistent),
		cmocka_unit_test(test_full_arena),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
