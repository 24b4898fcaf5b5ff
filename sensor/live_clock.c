/* See live_clock.h. */
#include "sensor/live_clock.h"

void nj_live_clock_start(struct nj_live_clock *clock, uint64_t wall_ns, uint64_t steady_ns)
{
	*clock = (struct nj_live_clock){.offset_ns = (int64_t)(wall_ns - steady_ns), .looked_ns = steady_ns};
}

static void work_off(struct nj_live_clock *clock, uint64_t passed_ns)
{
	int64_t less = (int64_t)(passed_ns / NJ_LIVE_CLOCK_WORK_OFF);
	clock->ahead_ns = clock->ahead_ns > less ? clock->ahead_ns - less : 0;
}

int64_t nj_live_clock_look(struct nj_live_clock *clock, uint64_t wall_ns, uint64_t steady_ns)
{
	int64_t offset_ns = (int64_t)(wall_ns - steady_ns), step_ns = offset_ns - clock->offset_ns;
	work_off(clock, steady_ns - clock->looked_ns);
	clock->offset_ns = offset_ns;
	clock->looked_ns = steady_ns;
	if (step_ns >= -NJ_LIVE_CLOCK_STEP_NS && step_ns <= NJ_LIVE_CLOCK_STEP_NS)
		return 0;
	if (step_ns < 0) {
		clock->ahead_ns -= step_ns;
		clock->steps_back++;
	} else {
		/* a step back that is taken back leaves event time where it is */
		clock->ahead_ns = clock->ahead_ns > step_ns ? clock->ahead_ns - step_ns : 0;
		clock->steps_forward++;
	}
	return step_ns;
}

enum nj_live_stamp nj_live_clock_stamp(uint64_t t_ns, int64_t ahead_ns, uint64_t now_ns, uint64_t clock_ns,
				       uint64_t *ret_event_ns)
{
	uint64_t event_ns = t_ns + (uint64_t)ahead_ns, latest_ns = clock_ns + NJ_LIVE_CLOCK_EARLY_NS;
	enum nj_live_stamp stamp = NJ_STAMP_GOOD;
	if (event_ns < t_ns || event_ns > latest_ns) {
		event_ns = clock_ns;
		stamp = NJ_STAMP_EARLY;
	}
	if (event_ns < now_ns) {
		event_ns = now_ns;
		stamp = stamp == NJ_STAMP_GOOD ? NJ_STAMP_LATE : stamp;
	}
	*ret_event_ns = event_ns;
	return stamp;
}
