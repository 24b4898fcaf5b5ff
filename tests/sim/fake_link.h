/* The functions of common/link.h over queues in memory, for simulations: listeners by endpoint, any number of
 * connecting links, and a seeded fate for each frame - delivered after a while, lost, doubled, overtaken by its
 * neighbour, or the end of the connection, after which the listener sees a new peer. An endpoint can be cut off and
 * joined again. Time is fake_link_now_ms, the test's to move; waiting for a frame returns at once. A test lists
 * fake_link.c among its sources; the linker then has no need for the real one. */
#ifndef NJ_TESTS_FAKE_LINK_H
#define NJ_TESTS_FAKE_LINK_H

#include <stdbool.h>
#include <stdint.h>

/* Chances in percent for each frame. */
struct fake_link_fate {
	unsigned seed;
	unsigned lost, doubled, overtaken, broken;
	unsigned delay_ms; /* a frame takes up to so long; later ones do not come earlier */
};

extern struct fake_link_fate fake_link_fate;
extern uint64_t fake_link_now_ms;

struct fake_link_counts {
	uint64_t sent, lost, doubled, overtaken, broken, cut;
};

extern struct fake_link_counts fake_link_counts;

/* Nothing gets through to or from the endpoint; what is sent waits, up to a queue's length. */
void fake_link_cut(const char *endpoint);
/* And what waited comes through, or is lost with its connections. */
void fake_link_join(const char *endpoint, bool broken);

#endif
