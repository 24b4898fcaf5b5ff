/* The sum against its definition, in any order. */
#include "models/decay.h"

#include "tests/unit/draw.h"

#include <string.h>

#define SECOND UINT64_C(1000000000)
#define SEED   20261124

static void halves(void **state)
{
	(void)state;
	struct nj_decay decay;
	nj_decay_init(&decay, 3600 * SECOND);
	nj_decay_add(&decay, 0, 1);
	nj_decay_add(&decay, SECOND, 1);
	assert_near(nj_decay_value(&decay, 3600 * SECOND), 0.5 + 0.5 * exp2(1 / 3600.0), 1e-12);
	assert_near(nj_decay_value(&decay, 7200 * SECOND), 0.25 + 0.25 * exp2(1 / 3600.0), 1e-12);
}

static void order_does_not_matter(void **state)
{
	(void)state;
	struct draw draw = draw_seed(SEED);
	struct nj_decay forward, backward, part[2];
	uint64_t t_ns[200];
	double x[200], expected = 0;
	nj_decay_init(&forward, 60 * SECOND);
	backward = part[0] = part[1] = forward;
	for (unsigned i = 0; i < 200; i++) {
		t_ns[i] = draw_below(&draw, 300 * SECOND);
		x[i] = draw_normal(&draw);
		nj_decay_add(&forward, t_ns[i], x[i]);
		nj_decay_add(&part[i % 2], t_ns[i], x[i]);
		expected += x[i] * exp2(-(double)(300 * SECOND - t_ns[i]) / 60e9);
	}
	for (unsigned i = 200; i-- > 0;)
		nj_decay_add(&backward, t_ns[i], x[i]);
	nj_decay_merge(&part[0], &part[1]);
	assert_near(nj_decay_value(&forward, 300 * SECOND), expected, 1e-9);
	assert_near(nj_decay_value(&backward, 300 * SECOND), expected, 1e-9);
	assert_near(nj_decay_value(&part[0], 300 * SECOND), expected, 1e-9);
	struct nj_decay empty, before = part[0];
	nj_decay_init(&empty, 60 * SECOND);
	nj_decay_merge(&part[0], &empty);
	assert_memory_equal(&before, &part[0], sizeof before);
}

static void survives_garbage(void **state)
{
	(void)state;
	struct nj_decay decay;
	nj_decay_init(&decay, 1);
	nj_decay_add(&decay, 5, NAN);
	nj_decay_add(&decay, 5, INFINITY);
	assert_true(decay.value == 0);
	for (unsigned i = 0; i < 10; i++)
		nj_decay_add(&decay, UINT64_MAX, 1e308);
	assert_true(isfinite(decay.value));
	nj_decay_add(&decay, 0, 1); /* eons late: weight 0 */
	assert_true(isfinite(nj_decay_value(&decay, UINT64_MAX)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(halves),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(survives_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
