/* The table of agents: lookup, order of activity, folding and unfolding, blocks, time far apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/profile.h"
#include "models/math.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct nj_agent_id agent_of(uint32_t n)
{
	struct nj_agent_id id = {.segment = n % 3};
	memcpy(id.addr.byte + 12, &n, 4);
	return id;
}

/* Few bits, so that probe runs collide and removal has to shift. */
static uint64_t bad_hash(uint32_t n)
{
	return nj_mix64(n) % 97;
}

static void a_model_table_agrees(void **state)
{
	(void)state;
	enum { AGENTS = 500, ROOM = 64, STEPS = 20000 };
	static uint64_t used_at[AGENTS];
	struct nj_profiles *profiles;
	assert_int_equal(nj_profiles_new(ROOM, &profiles), 0);
	memset(used_at, 0, sizeof used_at);
	unsigned seed = 11;
	uint64_t folded = 0;
	for (uint64_t step = 1; step <= STEPS; step++) {
		uint32_t n = (uint32_t)rand_r(&seed) % AGENTS;
		struct nj_agent_id id = agent_of(n);
		/* In the model an agent is in the table when fewer than ROOM others were used since. */
		uint32_t newer = 0;
		for (uint32_t i = 0; i < AGENTS; i++)
			newer += i != n && used_at[i] > used_at[n];
		bool in_table = used_at[n] > 0 && newer < ROOM, is_new;
		uint64_t folded_before = nj_profiles_folded(profiles);
		struct nj_profile *profile = nj_profiles_take(profiles, &id, bad_hash(n), &is_new);
		assert_non_null(profile);
		assert_int_equal(nj_agent_id_compare(&profile->agent, &id), 0);
		if (in_table)
			assert_int_equal(profile->windows, used_at[n]);
		if (used_at[n] == 0)
			assert_true(is_new);
		folded += nj_profiles_folded(profiles) - folded_before;
		profile->windows = used_at[n] = step;
		profile->last_ns = step;
		nj_profiles_release(profiles);
	}
	assert_true(folded > 10000);
	assert_int_equal(nj_profiles_n(profiles), ROOM);
	nj_profiles_free(&profiles);
	assert_null(profiles);
}

static void what_is_in_use_is_not_folded(void **state)
{
	(void)state;
	struct nj_profiles *profiles;
	bool is_new;
	assert_int_equal(nj_profiles_new(2, &profiles), 0);
	struct nj_agent_id a = agent_of(1), b = agent_of(2), c = agent_of(3);
	assert_non_null(nj_profiles_take(profiles, &a, 1, &is_new));
	assert_non_null(nj_profiles_take(profiles, &b, 2, &is_new));
	assert_null(nj_profiles_take(profiles, &c, 3, &is_new));
	nj_profiles_release(profiles);
	assert_non_null(nj_profiles_take(profiles, &c, 3, &is_new));
	nj_profiles_free(&profiles);
}

static void a_summary_remembers_what_was_usual(void **state)
{
	(void)state;
	struct nj_profiles *profiles;
	bool is_new;
	assert_int_equal(nj_profiles_new(1, &profiles), 0);
	struct nj_agent_id a = agent_of(1), b = agent_of(2);
	struct nj_profile *profile = nj_profiles_take(profiles, &a, 1, &is_new);
	assert_true(is_new);
	profile->first_ns = 5;
	profile->last_ns = 50;
	profile->windows = 7;
	profile->learned_hours = 40;
	nj_profile_edges(profile)->answered = 90;
	nj_profile_edges(profile)->failed = 10;
	nj_profile_history(profile)->out.cell[NJ_BASELINE_WEEK_CELLS - 1] = (struct nj_baseline_cell){9, 2, 40};
	nj_profiles_release(profiles);
	assert_non_null(nj_profiles_take(profiles, &b, 2, &is_new));
	nj_profiles_release(profiles);
	profile = nj_profiles_take(profiles, &a, 1, &is_new);
	assert_false(is_new);
	assert_int_equal(profile->first_ns, 5);
	assert_int_equal(profile->windows, 7);
	assert_int_equal(profile->edges->answered, 90);
	assert_int_equal(profile->edges->failed, 10);
	assert_true(profile->history->out.cell[NJ_BASELINE_WEEK_CELLS - 1].level == 9);
	assert_int_equal(nj_profiles_folded(profiles), 2);
	nj_profiles_free(&profiles);
}

static void blocks_are_counted_and_bounded(void **state)
{
	(void)state;
	struct nj_profile profile = {0};
	assert_int_equal(nj_profile_bytes(&profile), sizeof profile);
	assert_true(sizeof profile <= 512); /* an agent that only answers */
	assert_non_null(nj_profile_edges(&profile));
	assert_non_null(nj_profile_fan(&profile));
	assert_non_null(nj_profile_targets(&profile));
	assert_true(nj_profile_bytes(&profile) <= 8192); /* a typical client */
	assert_non_null(nj_profile_names(&profile));
	assert_non_null(nj_profile_calls(&profile));
	assert_non_null(nj_profile_history(&profile));
	assert_non_null(nj_profile_ai(&profile));
	assert_non_null(nj_profile_access(&profile));
	assert_int_equal(nj_profile_bytes(&profile), NJ_PROFILE_BYTES_MAX);
	print_message(
		"bytes an agent: %zu that only answers, %zu more with a brain, %zu more with new services or logins, "
		"%zu with everything\n",
		sizeof profile, sizeof(struct nj_block_ai), sizeof(struct nj_block_access),
		(size_t)NJ_PROFILE_BYTES_MAX);
	nj_profile_clear(&profile);
	assert_null(profile.edges);
}

static void halves_turn(void **state)
{
	(void)state;
	struct nj_turning turning = {0};
	nj_turning_to(&turning, 10 * NJ_DAY_NS, NJ_DAY_NS);
	nj_hll_add(&turning.now, nj_mix64(1));
	nj_turning_to(&turning, 10 * NJ_DAY_NS + NJ_HOUR_NS, NJ_DAY_NS);
	nj_hll_add(&turning.now, nj_mix64(2));
	assert_true(fabs(nj_turning_estimate(&turning) - 2) < 1e-9);
	nj_turning_to(&turning, 11 * NJ_DAY_NS, NJ_DAY_NS);
	nj_hll_add(&turning.now, nj_mix64(2));
	nj_hll_add(&turning.now, nj_mix64(3));
	assert_true(fabs(nj_turning_estimate(&turning) - 3) < 1e-9); /* today and yesterday, what is in both once */
	nj_turning_to(&turning, 5 * NJ_DAY_NS, NJ_DAY_NS);           /* time does not go back */
	assert_int_equal(turning.slot, 11);
	nj_turning_to(&turning, 200 * NJ_DAY_NS, NJ_DAY_NS); /* months later nothing is left */
	assert_true(nj_turning_estimate(&turning) == 0);
}

/* An agent that was folded comes back as what it was: of its group, and inside or outside. */
static void who_it_was_survives_folding(void **state)
{
	(void)state;
	struct nj_profiles *profiles;
	bool is_new;
	assert_int_equal(nj_profiles_new(1, &profiles), 0);
	struct nj_agent_id one = agent_of(1), other = agent_of(2);
	struct nj_profile *profile = nj_profiles_take(profiles, &one, 1, &is_new);
	profile->windows = 3;
	profile->home = true;
	profile->group = 7;
	nj_profiles_release(profiles);
	assert_non_null(nj_profiles_take(profiles, &other, 2, &is_new));
	nj_profiles_release(profiles);
	profile = nj_profiles_take(profiles, &one, 1, &is_new);
	assert_non_null(profile);
	assert_false(is_new);
	assert_true(profile->home);
	assert_int_equal(profile->group, 7);
	nj_profiles_free(&profiles);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_model_table_agrees),           cmocka_unit_test(what_is_in_use_is_not_folded),
		cmocka_unit_test(who_it_was_survives_folding),    cmocka_unit_test(a_summary_remembers_what_was_usual),
		cmocka_unit_test(blocks_are_counted_and_bounded), cmocka_unit_test(halves_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
