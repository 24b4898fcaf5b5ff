/* The functions of common/link.h over queues in memory, for simulations: one listener, any number of connecting links,
 * and a seeded fate for each frame - delivered, lost, doubled, overtaken by its neighbour, or the end of the
 * connection, after which the listener sees a new peer. No time passes: waiting for a frame returns at once. A test
 * lists fake_link.c among its sources; the linker then has no need for the real one. */
#ifndef NJ_TESTS_FAKE_LINK_H
#define NJ_TESTS_FAKE_LINK_H

#include <stdint.h>

/* Chances in percent for each frame. */
struct fake_link_fate {
	unsigned seed;
	unsigned lost, doubled, overtaken, broken;
};

extern struct fake_link_fate fake_link_fate;

struct fake_link_counts {
	uint64_t sent, lost, doubled, overtaken, broken;
};

extern struct fake_link_counts fake_link_counts;

#endif
