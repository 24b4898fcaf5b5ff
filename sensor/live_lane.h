/* One worker of a live sensor with a thread of its own: it reads its sockets, one on each interface, and drives its
 * worker; no frame crosses threads. Opening and closing sockets is the coordinator's (sensor/live.h), which hands them
 * over and asks for them back through one atomic word each; nothing else is shared but the clock and the orders below.
 *
 * Event time of a lane is that of its frames; when all its rings are empty it is the clock's less a margin, in which
 * what was captured before must have become readable. With several interfaces, frames are merged by time: each is held
 * back until no other interface can still bring an earlier one, at most the margin long. Frames of one interface go to
 * the worker straight from the ring; only small ones are copied aside, so that the worker gets some at a time.
 *
 * Memory: the worker's, NJ_LANE_GATHER_BYTES, and for each of several interfaces 16 frames of snap_bytes. */
#ifndef NJ_SENSOR_LIVE_LANE_H
#define NJ_SENSOR_LIVE_LANE_H

#include "sensor/libpcap.h"
#include "sensor/worker.h"

#include <pthread.h>
#include <stdatomic.h>

#define NJ_LIVE_INTERFACES_MAX 16
#define NJ_LANE_FRAMES         64  /* that the worker gets at once */
#define NJ_LANE_SMALL_BYTES    256 /* a frame up to this is copied aside */
#define NJ_LANE_MERGE_FRAMES   16  /* read ahead from each of several interfaces */
#define NJ_LANE_FRAME_EXTRA    16  /* libpcap puts a VLAN tag back in; and alignment */
#define NJ_LANE_GATHER_BYTES   (NJ_LANE_FRAMES * NJ_LANE_SMALL_BYTES)

enum nj_tap_state {
	NJ_TAP_NONE,    /* the coordinator may set device */
	NJ_TAP_OPEN,    /* the lane reads it */
	NJ_TAP_CLOSING, /* the lane shall close it */
};

/* A lane's socket on one interface. */
struct nj_tap {
	_Atomic(enum nj_tap_state) state;
	struct nj_libpcap_device *device;
	/* the lane's */
	struct nj_live_lane *lane;
	struct nj_frame frames[NJ_LANE_FRAMES]; /* read and not yet worked off; their bytes are in *bytes* */
	uint32_t frames_n, frames_at, used;
	uint8_t *bytes;
	uint32_t bytes_max;
	uint64_t empty_ns;   /* event time by which the ring was empty */
	uint64_t closing_ns; /* steady time since when it is only read empty; 0: it is not */
};

/* What a lane counts, since the start; the difference of two is of the time between. */
struct nj_lane_counts {
	uint64_t frames, bytes;
	uint64_t kernel_drops;
	uint64_t late;  /* frames whose stamp went back */
	uint64_t early; /* frames stamped in the future */
	uint64_t filters_refused;
};

enum nj_lane_order {
	NJ_LANE_RUN,
	NJ_LANE_DRAIN,  /* let nothing in any more, work off what is in the rings */
	NJ_LANE_FINISH, /* tell what is left, and end */
	NJ_LANE_QUIT,   /* end */
};

/* What all lanes of a sensor share; written by the coordinator. */
struct nj_lane_clock {
	_Atomic(int64_t) event_offset_ns, ahead_ns; /* see sensor/live_clock.h */
	uint64_t margin_ns;                         /* constant */
	uint32_t wait_ms;                           /* constant: the rings' read timeout */
};

struct nj_live_lane {
	struct nj_worker *worker;
	const struct nj_lane_clock *clock;
	struct nj_worker_sink to; /* the collector's */
	uint32_t taps_n;
	uint32_t snap_bytes;
	int cpu;            /* to run on; -1: any */
	struct nj_tap *tap; /* taps_n */
	pthread_t thread;
	bool threaded;
	_Atomic(enum nj_lane_order) order;
	_Atomic(const struct nj_networks *) home; /* to be taken over; NULL once it was */
	_Atomic(const char *) filter;             /* the same */
	_Atomic bool drained;                     /* after NJ_LANE_DRAIN: nothing is left in the rings */
	_Atomic uint64_t finish_ns;               /* with NJ_LANE_FINISH: where event time ends */
	_Alignas(64) _Atomic(uint64_t)
		reached_ns; /* everything before has been told; UINT64_MAX: the thread has ended */
	/* the lane's */
	uint64_t now_ns;              /* event time reached */
	uint64_t steady_ns, clock_ns; /* at the beginning of this round: steady clock, event clock */
	bool any;                     /* the worker has seen a frame */
	struct nj_lane_counts counts, told;
	/* for others */
	pthread_mutex_t lock;
	struct nj_lane_counts shown;
};

uint64_t nj_live_lane_memory_bytes(uint32_t taps_n, uint32_t snap_bytes);

/* Fills all but worker and to, which the caller sets next. *keeps* clock. NJ_ERR_MEMORY. */
NJ_MUST_CHECK int nj_live_lane_init(struct nj_live_lane *lane, const struct nj_lane_clock *clock, uint32_t taps_n,
				    uint32_t snap_bytes, int cpu);
/* Ends the thread, if it runs, without telling what is left; closes what it holds; frees the worker. */
void nj_live_lane_fini(struct nj_live_lane *lane);

/* The sink to give to the worker: it adds what the lane counted to each account. */
struct nj_worker_sink nj_live_lane_sink(struct nj_live_lane *lane);

NJ_MUST_CHECK int nj_live_lane_start(struct nj_live_lane *lane, struct nj_message *message);
void nj_live_lane_counts(struct nj_live_lane *lane, struct nj_lane_counts *ret_counts); /* any thread; a second old */

#endif
