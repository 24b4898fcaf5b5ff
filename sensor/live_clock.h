/* Event time of a live sensor, as pure arithmetic over clock readings that the caller makes. Frames carry the kernel's
 * stamps, which are wall time; what passes between two readings is measured with the steady clock, which never jumps.
 *
 *   event time = wall time + ahead
 *
 * The wall clock may be set. Forward: event time follows at once, the time between never was. Back: event time must not
 * go back, and standing still would keep every window open for as long as the step was; so it goes on from where it is,
 * *ahead* of the wall clock, and works that off at one part in NJ_LIVE_CLOCK_WORK_OFF, which no detector notices.
 * Smaller corrections than NJ_LIVE_CLOCK_STEP_NS are followed without a word.
 *
 * The clock is the coordinator's; workers get event_offset and ahead from it, both good until the next look. */
#ifndef NJ_SENSOR_LIVE_CLOCK_H
#define NJ_SENSOR_LIVE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NJ_LIVE_CLOCK_STEP_NS  500000000ll  /* what passes for a step */
#define NJ_LIVE_CLOCK_EARLY_NS 1000000000ll /* a frame from farther in the future has a wrong stamp */
#define NJ_LIVE_CLOCK_WORK_OFF 16

struct nj_live_clock {
	int64_t offset_ns;  /* wall - steady, when last looked at */
	int64_t ahead_ns;   /* event - wall; >= 0 */
	uint64_t looked_ns; /* steady time of the last look */
	uint64_t steps_forward, steps_back;
};

void nj_live_clock_start(struct nj_live_clock *clock, uint64_t wall_ns, uint64_t steady_ns);

/* Takes both clocks' readings; gives the step that the wall clock made since the last look, 0 for none. */
int64_t nj_live_clock_look(struct nj_live_clock *clock, uint64_t wall_ns, uint64_t steady_ns);

/* Event time at a steady time. */
static inline int64_t nj_live_clock_event_offset(const struct nj_live_clock *clock)
{
	return clock->offset_ns + clock->ahead_ns;
}

enum nj_live_stamp { NJ_STAMP_GOOD, NJ_STAMP_LATE, NJ_STAMP_EARLY };

/* The event time of a frame stamped *t_ns*, where event time stands at *now_ns* and the clock shows *clock_ns*: never
 * before now, and never beyond what the clock can have shown. */
enum nj_live_stamp nj_live_clock_stamp(uint64_t t_ns, int64_t ahead_ns, uint64_t now_ns, uint64_t clock_ns,
				       uint64_t *ret_event_ns);

#endif
