/* Law 2: shards cannot be seen in the result. Law 4: a flood of agents makes counters grow, not memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

#include "common/json_out.h"

/* Everything a day may hold: browsing, scans, uploads, beacons, from some hundred agents. Equal seeds give equal
 * rounds. */
static void random_round(struct sample_bench *b, uint64_t *random)
{
	for (uint32_t agent = 0; agent < 60; agent++) {
		uint32_t what = (uint32_t)(sample_random(random) % 100);
		if (what < 30)
			continue;
		struct nj_window *w = sample_window(b, sample_addr_plus("10.20.1.0", agent));
		uint32_t n = 1 + (uint32_t)(sample_random(random) % 6);
		for (uint32_t i = 0; i < n; i++) {
			uint64_t draw = sample_random(random);
			const char *net = draw % 2 == 0 ? "10.20.2.0" : "198.51.100.0";
			struct nj_contact *c = sample_contact(w, sample_addr_plus(net, (uint32_t)(draw >> 8) % 200),
							      draw % 3 == 0 ? 443 : 8080, 6,
							      draw % 16 == 0 ? SAMPLE_UNANSWERED : SAMPLE_ANSWERED);
			sample_burst(c, (uint16_t)(draw >> 20) % 10000);
			sample_bytes(w, c, draw % 50000, draw % 70000);
		}
		if (agent == 7 || (agent == 13 && what > 90))
			for (uint32_t i = 0; i < 60; i++)
				sample_contact(w, sample_addr_plus("10.20.3.0", (uint32_t)sample_random(random) % 5000),
					       445, 6, SAMPLE_REFUSED);
		if (agent == 21)
			sample_bytes(w, &w->contacts[0], w->contacts[0].external ? 9000000 : 0, 0);
	}
}

static char *day_of_alerts(uint32_t shards, uint32_t agents_max, uint64_t *ret_folded)
{
	struct sample_options options = {.shards = shards, .agents_max = agents_max};
	struct sample_bench *b = sample_bench_new(&options);
	uint64_t random = 99;
	for (uint32_t round = 0; round < 200; round++) {
		random_round(b, &random);
		sample_judge(b, 1 + round % 3);
	}
	struct nj_json_out out = {0};
	nj_json_out_array(&out, NULL);
	for (uint32_t i = 0; i < b->alerts_n; i++)
		nj_alert_write(&b->alerts[i], &out);
	struct nj_desk_counts counts = nj_desk_counts(b->desk);
	nj_json_out_u64(&out, NULL, counts.raised);
	nj_json_out_u64(&out, NULL, counts.merged);
	nj_json_out_u64(&out, NULL, counts.tests);
	nj_json_out_double(&out, NULL, nj_desk_threshold(b->desk));
	nj_json_out_end(&out);
	assert_true(b->alerts_n > 2);
	*ret_folded = nj_profiles_folded(nj_engine_profiles(b->engine));
	sample_bench_free(b);
	char *text = nj_json_out_take(&out);
	assert_non_null(text);
	return text;
}

static void shards_do_not_show(void **state)
{
	(void)state;
	uint64_t folded;
	char *one = day_of_alerts(1, 4096, &folded);
	assert_int_equal(folded, 0);
	static const uint32_t shards[] = {2, 3, 8};
	for (size_t i = 0; i < sizeof shards / sizeof *shards; i++) {
		char *many = day_of_alerts(shards[i], 4096, &folded);
		assert_string_equal(one, many);
		free(many);
	}
	free(one);
}

/* The same with a table so small that agents are folded all the time, and rounds are judged in pieces. */
static void shards_do_not_show_when_folding(void **state)
{
	(void)state;
	uint64_t folded[2];
	char *one = day_of_alerts(1, 24, &folded[0]), *four = day_of_alerts(4, 24, &folded[1]);
	assert_true(folded[0] > 1000);
	assert_int_equal(folded[0], folded[1]);
	assert_string_equal(one, four);
	free(one);
	free(four);
}

/* Three hundred thousand agents pass through a table of 256: what is in use stays under what was promised. */
static void a_flood_is_bounded(void **state)
{
	(void)state;
	struct sample_options options = {.agents_max = 256};
	struct sample_bench *b = sample_bench_new(&options);
	uint64_t bound = nj_profiles_memory_bytes(256);
	for (uint32_t round = 0; round < 100; round++) {
		for (uint32_t agent = 0; agent < 3000; agent++) {
			b->windows_n = agent;
			struct nj_window *w = &b->windows[b->windows_n++];
			static struct nj_contact contacts[3000][2];
			memset(w, 0, sizeof *w);
			w->agent.addr = sample_addr_plus("20.0.0.0", round * 3000 + agent);
			w->start_ns = b->start_ns;
			w->width_ms = 10000;
			w->contacts = contacts[agent];
			sample_contact(w, sample_addr("10.20.1.1"), 443, 6, SAMPLE_ANSWERED);
			sample_contact(w, sample_addr("10.20.1.2"), 443, 6, SAMPLE_REFUSED);
		}
		sample_judge(b, 1);
		struct nj_profiles *profiles = nj_engine_profiles(b->engine);
		assert_true(nj_profiles_n(profiles) <= 256);
		assert_true(nj_profiles_bytes(profiles) <= bound);
	}
	assert_int_equal(nj_profiles_folded(nj_engine_profiles(b->engine)), 300000 - 256);
	sample_bench_free(b);
}

static void memory_is_a_sum_of_options(void **state)
{
	(void)state;
	struct nj_engine_options small = {.agents_max = 1000, .fleet_entries_max = 1 << 14},
				 large = {.agents_max = 2000, .fleet_entries_max = 1 << 14};
	uint64_t more = nj_engine_memory_bytes(&large) - nj_engine_memory_bytes(&small);
	assert_true(more >= 1000 * NJ_PROFILE_BYTES_MAX);
	assert_true(more <= 1000 * (NJ_PROFILE_BYTES_MAX + 16 * 512));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shards_do_not_show),
		cmocka_unit_test(shards_do_not_show_when_folding),
		cmocka_unit_test(a_flood_is_bounded),
		cmocka_unit_test(memory_is_a_sum_of_options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
