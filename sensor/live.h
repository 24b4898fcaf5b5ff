/* A live sensor: workers on interfaces, each with a thread and a socket of its own (sensor/live_lane.h), and the
 * coordinator, which is the caller's thread: it joins the workers' windows and hands them on, looks after the
 * interfaces and the clock, and passes orders. What comes out is what sensor/pipeline.h makes of the same frames in
 * files.
 *
 * Memory: the sum of the workers', of the rings (workers * interfaces * ring_bytes) and of the collector's. */
#ifndef NJ_SENSOR_LIVE_H
#define NJ_SENSOR_LIVE_H

#include "sensor/live_clock.h"
#include "sensor/live_interface.h"
#include "sensor/pipeline.h"

struct nj_live;

struct nj_live_options {
	struct nj_worker_options worker;
	uint32_t workers;              /* 1..64 */
	const char *const *interfaces; /* *kept* */
	uint32_t interfaces_n;         /* 1..NJ_LIVE_INTERFACES_MAX */
	const char *filter;            /* "": every frame */
	uint32_t snap_bytes, ring_bytes, read_timeout_ms;
	bool promiscuous;
	const uint32_t *cpus; /* worker i runs on cpus[i % cpus_n]; cpus_n 0: anywhere */
	uint32_t cpus_n;
	/* Something an operator should know, as one sentence; called by nj_live_open() and nj_live_step(). */
	void (*tell)(void *context, bool warning, const char *text);
	void *tell_context;
};

/* Of one interface. */
struct nj_live_state {
	const char *name; /* *borrowed* */
	bool open;
	uint64_t interface_drops;
	uint64_t gaps, gap_ns; /* how often and how long nothing could be heard, the one under way included */
};

uint64_t nj_live_memory_bytes(const struct nj_live_options *options);

/* Makes the workers and opens the interfaces; nothing is read yet, so privileges can be dropped before the start. An
 * interface that is down is waited for; one that does not exist is NJ_ERR_NOT_FOUND. *returns owned*. */
NJ_MUST_CHECK int nj_live_open(const struct nj_live_options *options, const struct nj_window_sink *windows,
			       uint64_t wall_ns, uint64_t steady_ns, struct nj_message *message,
			       struct nj_live **ret_live);
void nj_live_close(struct nj_live **live);

NJ_MUST_CHECK int nj_live_start(struct nj_live *live, struct nj_message *message);

/* To be called some tens of times a second, with both clocks' readings. 1: it goes on; 0: it was asked to stop and all
 * is told; negative: the sink's error. */
NJ_MUST_CHECK int nj_live_step(struct nj_live *live, uint64_t wall_ns, uint64_t steady_ns);

/* Lets nothing in any more; what is in the rings is worked off and told. */
void nj_live_stop(struct nj_live *live);

/* Orders that take effect at each worker's next round. While one is under way nj_live_is_settled() is false, and no
 * other of the same kind may be given. *home* and *filter* are *borrowed until* it is settled. NJ_ERR_USAGE: the filter
 * means nothing on one of the interfaces; nothing changed. */
bool nj_live_is_settled(const struct nj_live *live);
NJ_MUST_CHECK int nj_live_set_filter(struct nj_live *live, const char *filter, struct nj_message *message);
void nj_live_set_home(struct nj_live *live, const struct nj_networks *home);

const struct nj_sensor_account *nj_live_total(const struct nj_live *live);
void nj_live_counts(struct nj_live *live, uint32_t worker, struct nj_lane_counts *ret_counts);
void nj_live_state(const struct nj_live *live, uint32_t interface, uint64_t steady_ns, struct nj_live_state *ret_state);

#endif
