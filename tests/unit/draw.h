/* Seeded random draws for the tests of models/: the same on every machine. */
#ifndef NJ_TESTS_UNIT_DRAW_H
#define NJ_TESTS_UNIT_DRAW_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct draw {
	uint64_t state;
};

static inline struct draw draw_seed(uint64_t seed)
{
	return (struct draw){.state = seed};
}

/* splitmix64 */
static inline uint64_t draw_bits(struct draw *draw)
{
	uint64_t x = draw->state += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static inline uint64_t draw_below(struct draw *draw, uint64_t bound)
{
	return (uint64_t)((unsigned __int128)draw_bits(draw) * bound >> 64);
}

static inline double draw_uniform(struct draw *draw) /* (0, 1) */
{
	return ((double)(draw_bits(draw) >> 12) + 0.5) * 0x1p-52;
}

static inline double draw_exponential(struct draw *draw)
{
	return -log(draw_uniform(draw));
}

static inline double draw_normal(struct draw *draw)
{
	return sqrt(2 * draw_exponential(draw)) * cos(2 * M_PI * draw_uniform(draw));
}

#define assert_near(a, b, tolerance)                                                                                   \
	do {                                                                                                           \
		double near_a = (a), near_b = (b);                                                                     \
		if (!(fabs(near_a - near_b) <= (tolerance))) {                                                         \
			print_error("%s = %.17g, expected %.17g\n", #a, near_a, near_b);                               \
			fail();                                                                                        \
		}                                                                                                      \
	} while (0)

#define assert_between(a, low, high)                                                                                   \
	do {                                                                                                           \
		double between = (a);                                                                                  \
		if (!(between >= (low) && between <= (high))) {                                                        \
			print_error("%s = %.17g, expected %.17g..%.17g\n", #a, between, (double)(low),                 \
				    (double)(high));                                                                   \
			fail();                                                                                        \
		}                                                                                                      \
	} while (0)

#endif
