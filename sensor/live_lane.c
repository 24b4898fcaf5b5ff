/* One round: take over what the coordinator gave, read each ring a little, work off, and only when there was nothing to
 * read let the clock speak and wait. The steady clock is read once a round, before the rings are: a ring found empty
 * then holds nothing that was captured a margin before. Counters are shown to others once a second of event time. */
#include "sensor/live_lane.h"

#include "sensor/live_clock.h"
#include "sensor/packet_socket.h"

#include <assert.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRAMES_A_ROUND 1024
#define HELD_WAIT_NS   1000000 /* between looks while frames are held back */
#define SHOW_NS        1000000000ull
#define DRAIN_ROUNDS   2 /* read timeouts after which a shut ring has handed over all it has */

static uint64_t steady_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* ------------------------------------------------------------------ counting */

static void kernel_drops_take(struct nj_live_lane *lane, const struct nj_tap *tap)
{
	lane->counts.kernel_drops += nj_packet_socket_drops(nj_libpcap_fd(tap->device));
}

static bool is_open(const struct nj_tap *tap)
{
	return atomic_load_explicit(&tap->state, memory_order_acquire) != NJ_TAP_NONE;
}

static void counts_show(struct nj_live_lane *lane)
{
	for (uint32_t i = 0; i < lane->taps_n; i++)
		if (is_open(&lane->tap[i]))
			kernel_drops_take(lane, &lane->tap[i]);
	pthread_mutex_lock(&lane->lock);
	lane->shown = lane->counts;
	pthread_mutex_unlock(&lane->lock);
}

void nj_live_lane_counts(struct nj_live_lane *lane, struct nj_lane_counts *ret_counts)
{
	pthread_mutex_lock(&lane->lock);
	*ret_counts = lane->shown;
	pthread_mutex_unlock(&lane->lock);
}

static void lane_window(void *context, const struct nj_window *window)
{
	struct nj_live_lane *lane = context;
	lane->to.window(lane->to.context, window);
}

static void lane_window_end(void *context, uint64_t start_ns, const struct nj_sensor_account *account)
{
	struct nj_live_lane *lane = context;
	struct nj_sensor_account with = *account;
	counts_show(lane);
	with.kernel_drops += lane->counts.kernel_drops - lane->told.kernel_drops;
	with.clock_clamps += lane->counts.late + lane->counts.early - lane->told.late - lane->told.early;
	lane->told = lane->counts;
	lane->to.window_end(lane->to.context, start_ns, &with);
}

struct nj_worker_sink nj_live_lane_sink(struct nj_live_lane *lane)
{
	return (struct nj_worker_sink){.context = lane, .window = lane_window, .window_end = lane_window_end};
}

/* ------------------------------------------------------------------ frames */

static void reach(struct nj_live_lane *lane, uint64_t t_ns)
{
	lane->now_ns = t_ns;
	atomic_store(&lane->reached_ns, t_ns);
}

/* The frame with its event time, counted. */
static struct nj_frame stamped(struct nj_live_lane *lane, const struct nj_frame *frame)
{
	struct nj_frame timed = *frame;
	int64_t ahead_ns = atomic_load_explicit(&lane->clock->ahead_ns, memory_order_relaxed);
	switch (nj_live_clock_stamp(frame->t_ns, ahead_ns, lane->now_ns, lane->clock_ns, &timed.t_ns)) {
	case NJ_STAMP_LATE:
		lane->counts.late++;
		break;
	case NJ_STAMP_EARLY:
		lane->counts.early++;
		break;
	case NJ_STAMP_GOOD:
		break;
	}
	lane->now_ns = timed.t_ns;
	lane->counts.frames++;
	lane->counts.bytes += frame->wire_bytes;
	return timed;
}

static void gather_add(struct nj_tap *tap, const struct nj_frame *frame)
{
	struct nj_frame *kept = &tap->frames[tap->frames_n++];
	*kept = *frame;
	kept->data = memcpy(tap->bytes + tap->used, frame->data, frame->captured_bytes);
	tap->used += (frame->captured_bytes + 7) & ~7u;
}

static void gather_clear(struct nj_tap *tap)
{
	tap->frames_n = tap->frames_at = tap->used = 0;
}

static void gather_work_off(struct nj_tap *tap)
{
	nj_worker_push_many(tap->lane->worker, tap->frames, tap->frames_n);
	gather_clear(tap);
}

/* From the only interface: in order already. A large frame is worked off where it lies. */
static void take_straight(void *context, const struct nj_frame *frame)
{
	struct nj_tap *tap = context;
	struct nj_frame timed = stamped(tap->lane, frame);
	if (frame->captured_bytes <= NJ_LANE_SMALL_BYTES) {
		gather_add(tap, &timed);
		if (tap->frames_n == NJ_LANE_FRAMES)
			gather_work_off(tap);
		return;
	}
	gather_work_off(tap);
	nj_worker_push(tap->lane->worker, &timed);
}

/* From one of several: stays until it is its turn. */
static void take_aside(void *context, const struct nj_frame *frame)
{
	gather_add(context, frame);
}

/* The interface went down or away, or the coordinator wants the socket back: what is in the ring is read first. */
static void tap_close_begin(struct nj_tap *tap)
{
	if (tap->closing_ns != 0)
		return;
	tap->closing_ns = tap->lane->steady_ns;
	nj_packet_socket_shut(nj_libpcap_fd(tap->device));
}

static void tap_close(struct nj_tap *tap)
{
	kernel_drops_take(tap->lane, tap);
	nj_libpcap_close(&tap->device);
	tap->closing_ns = 0;
	atomic_store_explicit(&tap->state, NJ_TAP_NONE, memory_order_release);
}

/* A shut ring has handed over all it has. */
static bool is_drained(const struct nj_live_lane *lane, uint64_t shut_ns)
{
	return shut_ns != 0 && lane->steady_ns - shut_ns > DRAIN_ROUNDS * lane->clock->wait_ms * 1000000ull;
}

static uint32_t tap_read(struct nj_tap *tap, uint32_t frames_max,
			 void (*take)(void *context, const struct nj_frame *frame))
{
	int n = nj_libpcap_read(tap->device, frames_max, take, tap, NULL);
	if (n < 0)
		tap_close_begin(tap);
	if (n <= 0 && is_drained(tap->lane, tap->closing_ns))
		tap_close(tap);
	return n > 0 ? (uint32_t)n : 0;
}

/* How far the lane can hear: what is behind was told. UINT64_MAX: no ring is open. */
static uint64_t read_straight(struct nj_live_lane *lane, uint32_t *ret_read)
{
	struct nj_tap *tap = &lane->tap[0];
	*ret_read = is_open(tap) ? tap_read(tap, FRAMES_A_ROUND, take_straight) : 0;
	gather_work_off(tap);
	lane->any = lane->any || *ret_read > 0;
	return *ret_read > 0 ? lane->now_ns : lane->clock_ns - lane->clock->margin_ns;
}

/* ------------------------------------------------------------------ several interfaces */

/* Reads each ring of which nothing is held any more. */
static uint32_t merge_fill(struct nj_live_lane *lane)
{
	uint32_t read = 0;
	for (uint32_t i = 0; i < lane->taps_n; i++) {
		struct nj_tap *tap = &lane->tap[i];
		if (tap->frames_at < tap->frames_n)
			continue;
		gather_clear(tap);
		if (!is_open(tap)) {
			tap->empty_ns = UINT64_MAX; /* brings nothing that others would have to wait for */
			continue;
		}
		uint32_t n = tap_read(tap, NJ_LANE_MERGE_FRAMES, take_aside);
		if (n == 0)
			tap->empty_ns = lane->clock_ns - lane->clock->margin_ns;
		read += n;
	}
	return read;
}

/* Where the tap's next frame stands at the earliest. */
static uint64_t frontier(const struct nj_live_lane *lane, const struct nj_tap *tap)
{
	if (tap->frames_at == tap->frames_n)
		return tap->empty_ns;
	uint64_t t_ns;
	int64_t ahead_ns = atomic_load_explicit(&lane->clock->ahead_ns, memory_order_relaxed);
	(void)nj_live_clock_stamp(tap->frames[tap->frames_at].t_ns, ahead_ns, lane->now_ns, lane->clock_ns, &t_ns);
	return t_ns;
}

/* The tap that stands earliest; equal times go by the order of interfaces, held frames before empty rings. */
static struct nj_tap *merge_first(struct nj_live_lane *lane, uint64_t *ret_t_ns)
{
	struct nj_tap *first = NULL;
	for (uint32_t i = 0; i < lane->taps_n; i++) {
		struct nj_tap *tap = &lane->tap[i];
		uint64_t t_ns = frontier(lane, tap);
		bool held = tap->frames_at < tap->frames_n;
		if (first == NULL || t_ns < *ret_t_ns ||
		    (t_ns == *ret_t_ns && held && first->frames_at == first->frames_n)) {
			first = tap;
			*ret_t_ns = t_ns;
		}
	}
	return first;
}

static uint64_t read_merged(struct nj_live_lane *lane, uint32_t *ret_read)
{
	struct nj_frame ready[NJ_LANE_FRAMES];
	uint32_t n = 0;
	uint64_t t_ns = UINT64_MAX;
	*ret_read = merge_fill(lane);
	for (;;) {
		struct nj_tap *tap = merge_first(lane, &t_ns);
		if (n == NJ_LANE_FRAMES || tap->frames_at == tap->frames_n)
			break;
		ready[n++] = stamped(lane, &tap->frames[tap->frames_at++]);
	}
	nj_worker_push_many(lane->worker, ready, n);
	lane->any = lane->any || n > 0;
	*ret_read += n;
	return t_ns == UINT64_MAX ? lane->clock_ns - lane->clock->margin_ns : t_ns;
}

static bool holds_frames(const struct nj_live_lane *lane)
{
	for (uint32_t i = 0; i < lane->taps_n; i++)
		if (lane->tap[i].frames_at < lane->tap[i].frames_n)
			return true;
	return false;
}

/* ------------------------------------------------------------------ the thread */

static void take_orders(struct nj_live_lane *lane)
{
	for (uint32_t i = 0; i < lane->taps_n; i++)
		if (atomic_load_explicit(&lane->tap[i].state, memory_order_acquire) == NJ_TAP_CLOSING)
			tap_close_begin(&lane->tap[i]);
	const struct nj_networks *home = atomic_load(&lane->home);
	if (home != NULL) {
		nj_worker_set_home(lane->worker, home);
		atomic_store(&lane->home, NULL);
	}
	const char *filter = atomic_load(&lane->filter);
	for (uint32_t i = 0; filter != NULL && i < lane->taps_n; i++)
		if (is_open(&lane->tap[i]) && nj_libpcap_let_pass(lane->tap[i].device, filter, NULL) < 0)
			lane->counts.filters_refused++; /* it was tried on this link type before; the old one stays */
	if (filter != NULL)
		atomic_store(&lane->filter, NULL);
}

static void wait_for_frames(const struct nj_live_lane *lane)
{
	struct pollfd fds[NJ_LIVE_INTERFACES_MAX];
	nfds_t n = 0;
	if (holds_frames(lane)) {
		nanosleep(&(struct timespec){.tv_nsec = HELD_WAIT_NS}, NULL);
		return;
	}
	for (uint32_t i = 0; i < lane->taps_n; i++)
		if (is_open(&lane->tap[i]))
			fds[n++] = (struct pollfd){.fd = nj_libpcap_fd(lane->tap[i].device), .events = POLLIN};
	(void)poll(fds, n, (int)lane->clock->wait_ms);
}

/* One round; false when there was nothing to do. */
static bool round_of(struct nj_live_lane *lane)
{
	uint32_t read;
	lane->steady_ns = steady_ns();
	lane->clock_ns = lane->steady_ns + (uint64_t)atomic_load(&lane->clock->event_offset_ns);
	uint64_t heard_ns = lane->taps_n == 1 ? read_straight(lane, &read) : read_merged(lane, &read);
	if (heard_ns > lane->now_ns) {
		lane->now_ns = heard_ns;
		nj_worker_tick(lane->worker, heard_ns);
	}
	reach(lane, lane->now_ns);
	return read > 0;
}

static void shut(const struct nj_live_lane *lane)
{
	for (uint32_t i = 0; i < lane->taps_n; i++)
		if (is_open(&lane->tap[i]))
			nj_packet_socket_shut(nj_libpcap_fd(lane->tap[i].device));
}

static void finish(struct nj_live_lane *lane)
{
	uint64_t end_ns = atomic_load(&lane->finish_ns);
	if (end_ns > lane->now_ns)
		nj_worker_tick(lane->worker, end_ns);
	if (lane->any)
		nj_worker_finish(lane->worker);
	counts_show(lane);
	reach(lane, UINT64_MAX);
}

static void run(struct nj_live_lane *lane)
{
	uint64_t shown_ns = 0, shut_ns = 0;
	enum nj_lane_order order;
	while ((order = atomic_load(&lane->order)) < NJ_LANE_FINISH) {
		if (order == NJ_LANE_DRAIN && shut_ns == 0) {
			shut(lane);
			shut_ns = steady_ns();
		}
		take_orders(lane);
		bool busy = round_of(lane);
		if (lane->clock_ns - shown_ns >= SHOW_NS) {
			shown_ns = lane->clock_ns;
			counts_show(lane);
		}
		if (busy)
			continue;
		if (!holds_frames(lane) && is_drained(lane, shut_ns))
			atomic_store(&lane->drained, true);
		wait_for_frames(lane);
	}
	if (order == NJ_LANE_FINISH)
		finish(lane);
}

static void *lane_main(void *context)
{
	struct nj_live_lane *lane = context;
	if (lane->cpu >= 0) {
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET(lane->cpu, &set);
		(void)pthread_setaffinity_np(pthread_self(), sizeof set, &set); /* was tried at the start */
	}
	run(lane);
	return NULL;
}

/* ------------------------------------------------------------------ life */

uint64_t nj_live_lane_memory_bytes(uint32_t taps_n, uint32_t snap_bytes)
{
	uint64_t gather = taps_n == 1 ? NJ_LANE_GATHER_BYTES
				      : NJ_LANE_MERGE_FRAMES * ((uint64_t)snap_bytes + NJ_LANE_FRAME_EXTRA);
	return sizeof(struct nj_live_lane) + taps_n * (sizeof(struct nj_tap) + gather);
}

int nj_live_lane_init(struct nj_live_lane *lane, const struct nj_lane_clock *clock, uint32_t taps_n,
		      uint32_t snap_bytes, int cpu)
{
	assert(taps_n >= 1 && taps_n <= NJ_LIVE_INTERFACES_MAX);
	*lane = (struct nj_live_lane){.clock = clock, .taps_n = taps_n, .snap_bytes = snap_bytes, .cpu = cpu};
	pthread_mutex_init(&lane->lock, NULL);
	lane->tap = calloc(taps_n, sizeof *lane->tap);
	if (lane->tap == NULL)
		return NJ_ERR_MEMORY;
	for (uint32_t i = 0; i < taps_n; i++) {
		struct nj_tap *tap = &lane->tap[i];
		tap->lane = lane;
		tap->bytes_max =
			taps_n == 1 ? NJ_LANE_GATHER_BYTES : NJ_LANE_MERGE_FRAMES * (snap_bytes + NJ_LANE_FRAME_EXTRA);
		tap->bytes = malloc(tap->bytes_max);
		if (tap->bytes == NULL)
			return NJ_ERR_MEMORY;
	}
	return NJ_OK;
}

void nj_live_lane_fini(struct nj_live_lane *lane)
{
	if (lane->threaded) {
		atomic_store(&lane->order, NJ_LANE_QUIT);
		pthread_join(lane->thread, NULL);
	}
	for (uint32_t i = 0; lane->tap != NULL && i < lane->taps_n; i++) {
		nj_libpcap_close(&lane->tap[i].device);
		free(lane->tap[i].bytes);
	}
	free(lane->tap);
	lane->tap = NULL;
	nj_worker_free(&lane->worker);
	pthread_mutex_destroy(&lane->lock);
}

int nj_live_lane_start(struct nj_live_lane *lane, struct nj_message *message)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
	lane->threaded = pthread_create(&lane->thread, NULL, lane_main, lane) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return lane->threaded ? NJ_OK : nj_fail(message, NJ_ERR_MEMORY, "cannot start the thread of a worker");
}
