/* The echo score on what pings and tunnels look like. */
#include "models/icmp.h"

#include "tests/unit/draw.h"

static double score(uint64_t packets, uint64_t bytes, uint64_t large, uint64_t odd, uint64_t entropy_mbit)
{
	return nj_icmp_judge(&(struct nj_icmp_echo){packets, bytes, large, odd, 0, entropy_mbit}).score;
}

static void pings_are_nothing(void **state)
{
	(void)state;
	assert_true(score(3600, 3600 * 56, 0, 0, 0) == 0);              /* an hour of ping */
	assert_true(score(100, 100 * 32, 0, 0, 0) == 0);                /* Windows */
	assert_between(score(10, 10 * 1400, 10, 0, 10 * 7800), 4, 5.5); /* probing the path for its MTU */
}

static void tunnels_stand_out(void **state)
{
	(void)state;
	assert_true(score(300, 300 * 100, 300, 300, 300 * 6500) > 7);  /* an idle tunnel */
	assert_true(score(200, 200 * 1000, 200, 100, 200 * 7900) > 8); /* carrying data */
	assert_true(score(200, 200 * 64, 0, 200, 0) < 2.01);           /* small packets: only the mismatch speaks */
}

static void terms_add_up_and_garbage_is_clamped(void **state)
{
	(void)state;
	struct nj_icmp_echo echo = {10, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct nj_icmp_score ret = nj_icmp_judge(&echo);
	assert_near(ret.score, ret.volume + ret.mismatch + ret.entropy, 1e-12);
	assert_true(isfinite(ret.score) && ret.mismatch == 2 && ret.entropy == 2);
	echo = (struct nj_icmp_echo){.mismatched = 5, .payload_bytes = 5000};
	assert_true(nj_icmp_judge(&echo).score == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pings_are_nothing),
		cmocka_unit_test(tunnels_stand_out),
		cmocka_unit_test(terms_add_up_and_garbage_is_clamped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
