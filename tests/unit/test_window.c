/* The merge laws on random windows (commutes, associates, empty is neutral), the cap's law cap(merge(cap A, cap B)) =
 * cap(merge(A, B)) for windows that share no list element, and each merge rule by hand. A failure names the seed. */
#include "common/hash.h"
#include "common/window.h"
#include "common/window_json.h"
#include "models/hll.h"

#include "tests/unit/any_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct nj_arena arena;
static struct nj_hash_key key;

static int setup(void **state)
{
	(void)state;
	nj_hash_key_derive("", &key);
	return nj_arena_init(&arena, 64 << 20);
}

static int teardown(void **state)
{
	(void)state;
	nj_arena_fini(&arena);
	return 0;
}

static void print(const char *what, const struct nj_window *w)
{
	struct nj_json_out out = {0};
	nj_window_json(&out, NULL, w);
	fprintf(stderr, "%s %s\n", what, out.text);
	nj_json_out_fini(&out);
}

static void check_equal(const struct nj_window *a, const struct nj_window *b, const char *law, unsigned seed)
{
	if (nj_window_equal(a, b))
		return;
	print("left", a);
	print("right", b);
	fail_msg("%s does not hold for seed %u", law, seed);
}

static struct nj_window merged(const struct nj_window *a, const struct nj_window *b)
{
	struct nj_window sum = any_copy(a, &arena);
	assert_true(nj_window_merge(&sum, b, &arena));
	return sum;
}

static struct nj_window capped(const struct nj_window *w)
{
	struct nj_window copy = *w;
	assert_true(nj_window_cap(&copy, nj_hash64, &key, &arena));
	return copy;
}

static void test_merge_laws(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 400; seed++) {
		nj_arena_reset(&arena);
		struct any any = {.seed = seed, .arena = &arena, .keys = 40, .list_max = 60};
		struct nj_window a = any_window(&any), b = any_window(&any), c = any_window(&any);
		struct nj_window empty = {.agent = a.agent, .start_ns = a.start_ns, .width_ms = a.width_ms};
		struct nj_window ab = merged(&a, &b), ba = merged(&b, &a), bc = merged(&b, &c);
		struct nj_window left = merged(&ab, &c), right = merged(&a, &bc);
		struct nj_window ae = merged(&a, &empty), ea = merged(&empty, &a);
		check_equal(&ab, &ba, "a + b = b + a", seed);
		check_equal(&left, &right, "(a + b) + c = a + (b + c)", seed);
		check_equal(&ae, &a, "a + 0 = a", seed);
		check_equal(&ea, &a, "0 + a = a", seed);
	}
}

static void test_cap_does_not_depend_on_partition(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 150; seed++) {
		nj_arena_reset(&arena);
		struct any any = {.seed = seed, .arena = &arena, .keys = 5000, .list_max = 900};
		struct nj_window a = any_window(&any);
		any.keys_from = 5000;
		struct nj_window b = any_window(&any);
		any.keys_from = 10000;
		struct nj_window c = any_window(&any);
		struct nj_window ab = merged(&a, &b), abc = merged(&ab, &c), whole = capped(&abc);
		struct nj_window ca = capped(&a), cb = capped(&b), cc = capped(&c);
		struct nj_window cacb = merged(&ca, &cb), stepwise = capped(&cacb);
		stepwise = merged(&stepwise, &cc);
		stepwise = capped(&stepwise);
		struct nj_window again = capped(&whole);
		check_equal(&stepwise, &whole, "cap(cap(cap A + cap B) + cap C) = cap(A + B + C)", seed);
		check_equal(&again, &whole, "cap(cap A) = cap A", seed);
		assert_true(nj_window_is_capped(&whole));
		assert_int_equal(whole.contacts_n + whole.features.contacts_rest,
				 abc.contacts_n + abc.features.contacts_rest);
		assert_int_equal(whole.exchanges_n + whole.features.exchanges_rest,
				 abc.exchanges_n + abc.features.exchanges_rest);
	}
}

static void test_full_arena_changes_nothing(void **state)
{
	(void)state;
	nj_arena_reset(&arena);
	struct any any = {.seed = 5, .arena = &arena, .keys = 5000, .list_max = 900};
	struct nj_window a = any_window(&any), b = any_window(&any), before = any_copy(&a, &arena);
	for (size_t size = 16; size < 600 << 10; size += size / 2) {
		struct nj_arena small;
		assert_int_equal(nj_arena_init(&small, size), 0);
		struct nj_window into = any_copy(&a, &arena);
		if (!nj_window_merge(&into, &b, &small)) {
			check_equal(&into, &before, "a refused merge changes nothing", 5);
			assert_int_equal(small.used, 0);
		}
		if (!nj_window_cap(&into, nj_hash64, &key, &small))
			assert_true(into.contacts_n >= before.contacts_n);
		nj_arena_fini(&small);
	}
}

static void test_contact_rules(void **state)
{
	(void)state;
	nj_arena_reset(&arena);
	struct nj_contact x = {.port = 443,
			       .flow_port = 5000,
			       .flow_bytes = 10,
			       .opened = UINT32_MAX,
			       .bytes_out = UINT64_MAX,
			       .first_ns = 5,
			       .last_ns = 9,
			       .name = "b",
			       .bursts_n = 3,
			       .burst_ms = {1, 5, 7},
			       .began = 5,
			       .ended = 8};
	struct nj_contact y = {.port = 443,
			       .flow_port = 4000,
			       .flow_bytes = 10,
			       .opened = 2,
			       .bytes_out = 1,
			       .first_ns = 3,
			       .last_ns = 8,
			       .external = 1,
			       .name = "a",
			       .bursts_n = 3,
			       .burst_ms = {2, 5, 9},
			       .began = 3,
			       .ended = 16};
	struct nj_window a = {.contacts = &x, .contacts_n = 1}, b = {.contacts = &y, .contacts_n = 1};
	assert_true(nj_window_merge(&a, &b, &arena));
	struct nj_contact *c = a.contacts;
	assert_int_equal(a.contacts_n, 1);
	assert_int_equal(c->flow_port, 4000);
	assert_int_equal(c->opened, UINT32_MAX);
	assert_true(c->bytes_out == UINT64_MAX);
	assert_true(c->first_ns == 3 && c->last_ns == 9);
	assert_int_equal(c->external, 1);
	assert_string_equal(c->name, "a");
	assert_int_equal(c->bursts_n, 4);
	const uint16_t bursts[] = {1, 2, 5, 5};
	assert_memory_equal(c->burst_ms, bursts, sizeof bursts);
	assert_true(c->began == 7 && c->ended == 24);
	assert_int_equal(x.flow_port, 5000); /* the old list stays */
}

static void test_slots_cover_the_window(void **state)
{
	(void)state;
	assert_int_equal(nj_window_slot(10000, 0), 0);
	assert_int_equal(nj_window_slot(10000, 156), 0);
	assert_int_equal(nj_window_slot(10000, 157), 1);
	assert_int_equal(nj_window_slot(10000, 9999), 63);
	assert_int_equal(nj_window_slot(10000, UINT32_MAX), 63);
	assert_int_equal(nj_window_slot(10, 9), 57);
}

/* An exchange is one event, however often it is told; tools are counted. */
static void test_exchange_and_tool_rules(void **state)
{
	(void)state;
	nj_arena_reset(&arena);
	struct nj_exchange x = {.start_ns = 9, .score = 300, .bytes_up = 10},
			   y = {.start_ns = 9, .score = 200, .bytes_up = 99};
	struct nj_tool t = {.port = 1, .calls = UINT32_MAX, .first_ns = 8, .method = "tools/call"};
	struct nj_tool u = {.port = 1, .calls = 2, .first_ns = 5, .external = 1, .method = "tools/call"};
	struct nj_window a = {.exchanges = &x, .exchanges_n = 1, .tools = &t, .tools_n = 1};
	struct nj_window b = {.exchanges = &y, .exchanges_n = 1, .tools = &u, .tools_n = 1};
	assert_true(nj_window_merge(&a, &b, &arena));
	assert_int_equal(a.exchanges_n, 1);
	assert_int_equal(a.exchanges[0].score, 300);
	assert_int_equal(a.exchanges[0].bytes_up, 10);
	assert_int_equal(a.tools_n, 1);
	assert_int_equal(a.tools[0].calls, UINT32_MAX);
	assert_int_equal(a.tools[0].first_ns, 5);
	assert_int_equal(a.tools[0].external, 1);
}

/* What looks most like a model stays; the calls to tools that are left out are counted, not the tools. */
static void test_cap_keeps_what_looks_like_a_model(void **state)
{
	(void)state;
	nj_arena_reset(&arena);
	struct nj_exchange e[100];
	struct nj_tool t[100];
	memset(e, 0, sizeof e);
	memset(t, 0, sizeof t);
	for (unsigned i = 0; i < 100; i++) {
		e[i].start_ns = 1 + i;
		e[i].bytes_up = 1000000 + i;
		t[i].port = (uint16_t)(1 + i);
		t[i].calls = 2;
	}
	e[0] = (struct nj_exchange){.start_ns = 1, .flags = NJ_EXCHANGE_KNOWN_NAME};
	e[1] = (struct nj_exchange){.start_ns = 2, .score = 700};
	e[2] = (struct nj_exchange){.start_ns = 3, .flags = NJ_EXCHANGE_API_SHAPE};
	struct nj_window w = {.exchanges = e, .exchanges_n = 100, .tools = t, .tools_n = 100};
	w = capped(&w);
	assert_int_equal(w.exchanges_n, NJ_EXCHANGES_MAX);
	assert_int_equal(w.features.exchanges_rest, 100 - NJ_EXCHANGES_MAX);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(w.exchanges[i].start_ns, 1 + i);
	assert_int_equal(w.exchanges[3].start_ns, 1 + 100 - (NJ_EXCHANGES_MAX - 3)); /* the largest uploads */
	assert_int_equal(w.tools_n, NJ_TOOLS_MAX);
	assert_int_equal(w.features.tools_rest, 2 * (100 - NJ_TOOLS_MAX));
}

static void test_scalar_rules(void **state)
{
	(void)state;
	nj_arena_reset(&arena);
	struct nj_window a = {0}, b = {0};
	a.features = (struct nj_features){
		.packets_out = 3, .response_mode_count = 5, .ndpi_risks = 5, .first_ns = 0, .last_ns = 7};
	b.features = (struct nj_features){
		.packets_out = 4, .response_mode_count = 2, .ndpi_risks = 9, .first_ns = 6, .last_ns = 6};
	assert_true(nj_window_merge(&a, &b, &arena));
	assert_int_equal(a.features.packets_out, 7);
	assert_int_equal(a.features.response_mode_count, 5);
	assert_int_equal(a.features.ndpi_risks, 13);
	assert_int_equal(a.features.first_ns, 6);
	assert_int_equal(a.features.last_ns, 7);
}

static void test_rest_counts_what_is_left_out(void **state)
{
	(void)state;
	nj_arena_reset(&arena);
	enum { N = 2000 };
	struct nj_contact *contacts = nj_arena_take(&arena, N * sizeof *contacts);
	for (uint32_t i = 0; i < N; i++) {
		uint8_t v4[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
		contacts[i] = (struct nj_contact){
			.peer = nj_addr_v4(v4), .port = 22, .protocol = 6, .role = 1, .refused = 1, .first_ns = 1 + i};
	}
	struct nj_window w = {.contacts = contacts, .contacts_n = N};
	w = capped(&w);
	assert_int_equal(w.contacts_n, 256);
	assert_int_equal(w.features.contacts_rest, N - 256);
	assert_int_equal(w.features.rest_failed, N - 256);
	/* All alike but for their time: the 192 smallest keys and the 64 latest. */
	assert_int_equal(w.contacts[191].peer.byte[15], 191);
	assert_int_equal(w.contacts[192].first_ns, 1 + N - 64);
	/* The registers are those of models/hll.h, which will read them. */
	uint8_t peers[NJ_HLL_REGISTERS] = {0}, ports[NJ_HLL_REGISTERS] = {0};
	nj_registers_add(ports, nj_hash64("\0\x16", 2, &key));
	for (uint32_t i = 192; i < N - 64; i++)
		nj_registers_add(peers, nj_hash64(contacts[i].peer.byte, 16, &key));
	assert_memory_equal(w.rest_ports, ports, sizeof ports);
	assert_memory_equal(w.rest_peers, peers, sizeof peers);
}

static void test_memory_is_what_a_copy_takes(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed < 50; seed++) {
		nj_arena_reset(&arena);
		struct any any = {.seed = seed, .arena = &arena, .keys = 5000, .list_max = 100};
		struct nj_window a = any_window(&any);
		size_t used = arena.used;
		(void)any_copy(&a, &arena);
		assert_int_equal(arena.used - used, nj_window_memory_bytes(&a));
	}
}

static void test_json_names_everything(void **state)
{
	(void)state;
	nj_arena_reset(&arena);
	struct any any = {.seed = 2, .arena = &arena, .keys = 5, .list_max = 3};
	struct nj_window w = {0};
	while (w.contacts_n == 0 || w.domains_n == 0 || w.clients_n == 0 || w.exchanges_n == 0 || w.tools_n == 0 ||
	       w.rest_ports == NULL || w.contacts[0].began == 0)
		w = any_window(&any);
	w.features.tickets_rc4 = 77;
	struct nj_json_out out = {0};
	nj_window_json(&out, NULL, &w);
	assert_true(nj_json_out_ok(&out));
	static const char *const parts[] = {"\"address\":\"10.1.2.3\"",
					    "\"tickets_rc4\":77",
					    "\"rest_ports\":[[",
					    "\"contacts\":[{\"peer\":",
					    "\"domains\":[{\"name\":\"domain-",
					    "\"clients\":[{\"kind\":",
					    "\"began\":[",
					    "\"exchanges\":[{\"start_ns\":",
					    "\"tools\":[{\"peer\":"};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strstr(out.text, parts[i]) == NULL)
			fail_msg("%s lacks %s", out.text, parts[i]);
	nj_json_out_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge_laws),
		cmocka_unit_test(test_cap_does_not_depend_on_partition),
		cmocka_unit_test(test_full_arena_changes_nothing),
		cmocka_unit_test(test_contact_rules),
		cmocka_unit_test(test_slots_cover_the_window),
		cmocka_unit_test(test_exchange_and_tool_rules),
		cmocka_unit_test(test_cap_keeps_what_looks_like_a_model),
		cmocka_unit_test(test_scalar_rules),
		cmocka_unit_test(test_rest_counts_what_is_left_out),
		cmocka_unit_test(test_memory_is_what_a_copy_takes),
		cmocka_unit_test(test_json_names_everything),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
