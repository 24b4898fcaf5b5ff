/* With one worker frames are gathered a few kilobytes at a time and worked off on the calling thread. With more, the
 * calling thread deals: each worker has a ring of blocks, the dealer copies frames into the block it is filling and
 * hands over full ones; both sides sleep only when the ring is full or empty. Rings have one producer and one consumer,
 * so head and tail are each written by one thread.
 *
 * When event time reaches a window's end the dealer sends every worker a tick and waits until all have closed that
 * window; then the collector joins what they stored. So at most one window waits to be joined, memory stays bounded,
 * and a worker never mixes two windows. The wait costs a few tens of microseconds a window. */
#include "sensor/pipeline.h"

#include "sensor/capture.h"
#include "sensor/collector.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX     64
#define RING_BLOCKS     8            /* a power of two */
#define BLOCK_BYTES     (512u << 10) /* holds at least one frame of the largest snapshot length, 256 KiB */
#define FRAME_BYTES_MAX (256u << 10)
#define GATHER_BYTES    (16u << 10) /* with one worker: fits the first-level cache together with what the worker needs */
#define FRAMES_AT_ONCE  64
#define NS_PER_MS       1000000ull
#define NS_PER_S        1000000000ull

enum order { ORDER_FRAME, ORDER_TICK, ORDER_FINISH };

/* What stands in a block: an order, and the bytes of a frame behind it, padded to 8. */
struct entry {
	uint64_t t_ns;
	uint32_t captured_bytes, wire_bytes;
	int32_t link_type;
	uint32_t order;
};

struct block {
	uint32_t used;
	_Alignas(8) uint8_t bytes[BLOCK_BYTES];
};

struct lane {
	struct nj_pipeline *pipeline;
	struct nj_worker *worker;
	struct nj_worker_sink to; /* the collector's */
	struct block *blocks;     /* RING_BLOCKS */
	pthread_t thread;
	bool running;
	_Alignas(64) atomic_uint head; /* blocks handed over, by the dealer */
	_Alignas(64) atomic_uint tail; /* blocks worked off, by the worker */
	atomic_uint waiting;           /* somebody sleeps on wake */
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

/* What the one worker gets at a time. */
struct gather {
	struct nj_frame frames[FRAMES_AT_ONCE];
	uint32_t frames_n, used;
	uint8_t bytes[GATHER_BYTES + FRAME_BYTES_MAX];
};

struct nj_pipeline {
	struct nj_pipeline_options options;
	struct nj_capture *source;
	struct nj_collector *collector;
	struct gather *gather; /* with one worker */
	void (*flow)(void *context, const struct nj_flow_record *flow);
	void *flow_context;
	pthread_mutex_t flow_lock;
	uint64_t width_ns, window_end_ns; /* dealer's, with several workers */
	uint64_t first_ns, last_ns, clamps_told;
	bool started, ended;
	uint32_t lanes_n;
	struct lane *lane;
};

static void collector_options(const struct nj_pipeline_options *o, struct nj_collector_options *ret)
{
	*ret = (struct nj_collector_options){.workers = o->workers,
					     .ledger_entries_max = o->worker.ledger_entries_max,
					     .width_ms = o->worker.window_ms,
					     .hash_key = &o->worker.hash_key};
}

uint64_t nj_pipeline_memory_bytes(const struct nj_pipeline_options *options)
{
	struct nj_collector_options collector;
	collector_options(options, &collector);
	uint64_t ring = options->workers > 1 ? RING_BLOCKS * sizeof(struct block) : sizeof(struct gather);
	return sizeof(struct nj_pipeline) + nj_collector_memory_bytes(&collector) +
	       options->workers * (nj_worker_memory_bytes(&options->worker) + sizeof(struct lane) + ring);
}

static void source_account(void *context, struct nj_sensor_account *account)
{
	struct nj_pipeline *p = context;
	struct nj_capture_stats stats;
	nj_capture_stats(p->source, &stats);
	account->clock_clamps += stats.clock_clamps - p->clamps_told;
	p->clamps_told = stats.clock_clamps;
}

/* ------------------------------------------------------------------ ring */

static void sleep_while(struct lane *lane, atomic_uint *at, unsigned value)
{
	pthread_mutex_lock(&lane->lock);
	atomic_fetch_add(&lane->waiting, 1);
	while (atomic_load(at) == value)
		pthread_cond_wait(&lane->wake, &lane->lock);
	atomic_fetch_sub(&lane->waiting, 1);
	pthread_mutex_unlock(&lane->lock);
}

static void advance(struct lane *lane, atomic_uint *at)
{
	atomic_fetch_add(at, 1);
	if (atomic_load(&lane->waiting) == 0)
		return;
	pthread_mutex_lock(&lane->lock);
	pthread_cond_broadcast(&lane->wake);
	pthread_mutex_unlock(&lane->lock);
}

/* The block the dealer is filling; waits until the worker has given one back. */
static struct block *block_open(struct lane *lane)
{
	unsigned head = atomic_load(&lane->head), tail;
	while (head - (tail = atomic_load(&lane->tail)) == RING_BLOCKS)
		sleep_while(lane, &lane->tail, tail);
	return &lane->blocks[head % RING_BLOCKS];
}

static void block_hand_over(struct lane *lane)
{
	if (block_open(lane)->used == 0)
		return;
	advance(lane, &lane->head);
	block_open(lane)->used = 0;
}

static struct entry entry_of(const struct nj_frame *frame)
{
	return (struct entry){.t_ns = frame->t_ns,
			      .captured_bytes =
				      frame->captured_bytes < FRAME_BYTES_MAX ? frame->captured_bytes : FRAME_BYTES_MAX,
			      .wire_bytes = frame->wire_bytes,
			      .link_type = frame->link_type,
			      .order = ORDER_FRAME};
}

static uint32_t entry_bytes(const struct entry *entry)
{
	return (uint32_t)sizeof *entry + ((entry->captured_bytes + 7) & ~7u);
}

static void block_add(struct block *block, const struct entry *entry, const uint8_t *data)
{
	assert(block->used + entry_bytes(entry) <= BLOCK_BYTES);
	memcpy(block->bytes + block->used, entry, sizeof *entry);
	if (data != NULL)
		memcpy(block->bytes + block->used + sizeof *entry, data, entry->captured_bytes);
	block->used += entry_bytes(entry);
}

static void deal(struct lane *lane, const struct entry *entry, const uint8_t *data)
{
	if (block_open(lane)->used + entry_bytes(entry) > BLOCK_BYTES)
		block_hand_over(lane);
	block_add(block_open(lane), entry, data);
}

/* False after the order to finish. */
static bool work_off(struct nj_worker *worker, const struct block *block)
{
	struct nj_frame frames[FRAMES_AT_ONCE];
	uint32_t n = 0;
	for (uint32_t at = 0; at < block->used;) {
		struct entry entry;
		memcpy(&entry, block->bytes + at, sizeof entry);
		at += (uint32_t)sizeof entry;
		if (entry.order == ORDER_FRAME)
			frames[n++] = (struct nj_frame){.t_ns = entry.t_ns,
							.data = block->bytes + at,
							.captured_bytes = entry.captured_bytes,
							.wire_bytes = entry.wire_bytes,
							.link_type = entry.link_type};
		at += (entry.captured_bytes + 7) & ~7u;
		if (n == FRAMES_AT_ONCE || entry.order != ORDER_FRAME || at == block->used) {
			nj_worker_push_many(worker, frames, n);
			n = 0;
		}
		if (entry.order == ORDER_TICK)
			nj_worker_tick(worker, entry.t_ns);
		if (entry.order == ORDER_FINISH) {
			nj_worker_finish(worker);
			return false;
		}
	}
	return true;
}

static void *lane_main(void *context)
{
	struct lane *lane = context;
	for (bool more = true; more;) {
		unsigned tail = atomic_load(&lane->tail);
		if (atomic_load(&lane->head) == tail)
			sleep_while(lane, &lane->head, tail);
		more = work_off(lane->worker, &lane->blocks[tail % RING_BLOCKS]);
		advance(lane, &lane->tail);
	}
	return NULL;
}

/* ------------------------------------------------------------------ life */

static void lane_window(void *context, const struct nj_window *window)
{
	struct lane *lane = context;
	lane->to.window(lane->to.context, window);
}

static void lane_window_end(void *context, uint64_t start_ns, const struct nj_sensor_account *account)
{
	struct lane *lane = context;
	lane->to.window_end(lane->to.context, start_ns, account);
}

static void lane_flow(void *context, const struct nj_flow_record *flow)
{
	struct nj_pipeline *p = ((struct lane *)context)->pipeline;
	pthread_mutex_lock(&p->flow_lock); /* never contended with one worker */
	p->flow(p->flow_context, flow);
	pthread_mutex_unlock(&p->flow_lock);
}

static int lane_begin(struct nj_pipeline *p, uint32_t index, struct nj_message *message)
{
	struct lane *lane = &p->lane[index];
	lane->pipeline = p;
	nj_collector_worker_sink(p->collector, index, &lane->to);
	struct nj_worker_sink sink = {.context = lane,
				      .window = lane_window,
				      .window_end = lane_window_end,
				      .flow = p->flow != NULL ? lane_flow : NULL};
	int err = nj_worker_new(&p->options.worker, &sink, message, &lane->worker);
	if (err < 0)
		return err;
	if (p->options.workers == 1) {
		p->gather = malloc(sizeof *p->gather);
		if (p->gather == NULL)
			return nj_fail(message, NJ_ERR_MEMORY, "pipeline: no memory");
		p->gather->frames_n = 0;
		p->gather->used = 0;
		return NJ_OK;
	}
	lane->blocks = malloc(RING_BLOCKS * sizeof *lane->blocks);
	if (lane->blocks == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "pipeline: no memory for the ring of worker %u", index);
	lane->blocks[0].used = 0;
	pthread_mutex_init(&lane->lock, NULL);
	pthread_cond_init(&lane->wake, NULL);
	if (pthread_create(&lane->thread, NULL, lane_main, lane) != 0)
		return nj_fail(message, NJ_ERR_MEMORY, "pipeline: cannot start the thread of worker %u", index);
	lane->running = true;
	return NJ_OK;
}

int nj_pipeline_new(const struct nj_pipeline_options *options, struct nj_capture *source,
		    const struct nj_window_sink *windows,
		    void (*flow)(void *context, const struct nj_flow_record *flow), void *flow_context,
		    struct nj_message *message, struct nj_pipeline **ret_pipeline)
{
	if (options->workers < 1 || options->workers > WORKERS_MAX)
		return nj_fail(message, NJ_ERR_USAGE, "workers must be within 1..%d, not %u", WORKERS_MAX,
			       options->workers);
	struct nj_pipeline *p = calloc(1, sizeof *p);
	if (p == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "pipeline: no memory");
	*p = (struct nj_pipeline){.options = *options, .source = source, .flow = flow, .flow_context = flow_context};
	pthread_mutex_init(&p->flow_lock, NULL);
	p->width_ns = options->worker.window_ms * NS_PER_MS;
	p->lane = aligned_alloc(64, options->workers * sizeof *p->lane);
	struct nj_collector_options collector;
	collector_options(&p->options, &collector);
	collector.source = source_account;
	collector.source_context = p;
	if (p->lane == NULL || nj_collector_new(&collector, windows, &p->collector) != NJ_OK) {
		nj_pipeline_free(&p);
		return nj_fail(message, NJ_ERR_MEMORY, "pipeline: no memory (%llu bytes)",
			       (unsigned long long)nj_pipeline_memory_bytes(options));
	}
	memset(p->lane, 0, options->workers * sizeof *p->lane);
	for (uint32_t i = 0; i < options->workers; i++) {
		p->lanes_n = i + 1;
		int err = lane_begin(p, i, message);
		if (err < 0) {
			nj_pipeline_free(&p);
			return err;
		}
	}
	*ret_pipeline = p;
	return NJ_OK;
}

static void deal_order(struct nj_pipeline *p, enum order order, uint64_t t_ns)
{
	struct entry entry = {.t_ns = t_ns, .order = order};
	for (uint32_t i = 0; i < p->lanes_n; i++) {
		if (!p->lane[i].running)
			continue;
		deal(&p->lane[i], &entry, NULL);
		block_hand_over(&p->lane[i]);
	}
}

static void lanes_join(struct nj_pipeline *p)
{
	deal_order(p, ORDER_FINISH, 0);
	for (uint32_t i = 0; i < p->lanes_n; i++) {
		if (p->lane[i].running)
			pthread_join(p->lane[i].thread, NULL);
		p->lane[i].running = false;
	}
}

void nj_pipeline_free(struct nj_pipeline **pipeline)
{
	struct nj_pipeline *p = *pipeline;
	if (p == NULL)
		return;
	lanes_join(p);
	for (uint32_t i = 0; i < p->lanes_n; i++) {
		struct lane *lane = &p->lane[i];
		nj_worker_free(&lane->worker);
		if (lane->blocks != NULL) {
			pthread_mutex_destroy(&lane->lock);
			pthread_cond_destroy(&lane->wake);
		}
		free(lane->blocks);
	}
	nj_collector_free(&p->collector);
	free(p->gather);
	pthread_mutex_destroy(&p->flow_lock);
	free(p->lane);
	free(p);
	*pipeline = NULL;
}

/* ------------------------------------------------------------------ steps */

static void lanes_wait(struct nj_pipeline *p)
{
	for (uint32_t i = 0; i < p->lanes_n; i++) {
		struct lane *lane = &p->lane[i];
		for (unsigned tail; (tail = atomic_load(&lane->tail)) != atomic_load(&lane->head);)
			sleep_while(lane, &lane->tail, tail);
	}
}

static bool lanes_are_idle(const struct nj_pipeline *p)
{
	for (uint32_t i = 0; i < p->lanes_n; i++)
		if (!nj_worker_is_idle(p->lane[i].worker))
			return false;
	return true;
}

/* Event time goes on to t_ns: window after window is closed by all and joined, until nothing is left to wait for. */
static int windows_reach(struct nj_pipeline *p, uint64_t t_ns)
{
	while (t_ns >= p->window_end_ns) {
		deal_order(p, ORDER_TICK, p->window_end_ns);
		lanes_wait(p);
		int err = nj_collector_collect(p->collector);
		if (err < 0)
			return err;
		p->window_end_ns += p->width_ns;
		if (lanes_are_idle(p) && t_ns >= p->window_end_ns)
			p->window_end_ns = (t_ns / p->width_ns + 1) * p->width_ns;
	}
	return NJ_OK;
}

static int frame_deal(struct nj_pipeline *p, const struct nj_frame *frame)
{
	int err = windows_reach(p, frame->t_ns);
	if (err < 0)
		return err;
	struct entry entry = entry_of(frame);
	deal(&p->lane[nj_worker_pick(frame, p->lanes_n)], &entry, frame->data);
	return NJ_OK;
}

/* With one worker: copied too, so that the worker gets some at a time; what it saves is more than what the copy costs.
 */
static int gathered_work_off(struct nj_pipeline *p)
{
	nj_worker_push_many(p->lane[0].worker, p->gather->frames, p->gather->frames_n);
	p->gather->frames_n = 0;
	p->gather->used = 0;
	return nj_collector_collect(p->collector);
}

static int frame_gather(struct nj_pipeline *p, const struct nj_frame *frame)
{
	struct gather *g = p->gather;
	uint32_t bytes = frame->captured_bytes < FRAME_BYTES_MAX ? frame->captured_bytes : FRAME_BYTES_MAX;
	if (g->frames_n == FRAMES_AT_ONCE || (g->used + bytes > GATHER_BYTES && g->used > 0)) {
		int err = gathered_work_off(p);
		if (err < 0)
			return err;
	}
	struct nj_frame *kept = &g->frames[g->frames_n++];
	*kept = *frame;
	kept->captured_bytes = bytes;
	kept->data = memcpy(g->bytes + g->used, frame->data, bytes);
	g->used += bytes;
	return NJ_OK;
}

static int frame_take(struct nj_pipeline *p, const struct nj_frame *frame)
{
	if (!p->started) {
		p->started = true;
		p->first_ns = frame->t_ns;
		p->window_end_ns = (frame->t_ns / p->width_ns + 1) * p->width_ns;
	}
	p->last_ns = frame->t_ns;
	return p->lanes_n > 1 ? frame_deal(p, frame) : frame_gather(p, frame);
}

/* Everything dealt so far is worked off. */
static int lanes_settle(struct nj_pipeline *p)
{
	if (p->lanes_n == 1)
		return gathered_work_off(p);
	for (uint32_t i = 0; i < p->lanes_n; i++)
		block_hand_over(&p->lane[i]);
	lanes_wait(p);
	return NJ_OK;
}

static int window_pass(struct nj_pipeline *p, uint64_t end_ns)
{
	if (p->lanes_n > 1)
		return windows_reach(p, end_ns);
	nj_worker_tick(p->lane[0].worker, end_ns);
	return nj_collector_collect(p->collector);
}

/* The source has ended, but there may be more to say: openings wait for their answers, flows for their silence. Event
 * time runs on until all have had theirs, so that windows hang on the packets alone and not on where the capture was
 * cut: its parts, each with an end of its own, give the same (law 2). */
static int run_out(struct nj_pipeline *p)
{
	const struct nj_worker_options *o = &p->options.worker;
	uint64_t silence_s = o->idle_tcp_s > o->idle_udp_s ? o->idle_tcp_s : o->idle_udp_s;
	silence_s = o->idle_icmp_s > silence_s ? o->idle_icmp_s : silence_s;
	uint64_t windows = silence_s * NS_PER_S / p->width_ns + 2,
		 end_ns = (p->last_ns / p->width_ns + 1) * p->width_ns;
	for (uint32_t i = 0; i < p->lanes_n; i++)
		nj_worker_drain(p->lane[i].worker, p->last_ns);
	for (; windows > 0 && !lanes_are_idle(p); windows--, end_ns += p->width_ns) {
		int err = window_pass(p, end_ns);
		if (err < 0)
			return err;
	}
	return NJ_OK;
}

static int end(struct nj_pipeline *p)
{
	p->ended = true;
	int settled = lanes_settle(p);
	if (settled == NJ_OK && p->started)
		settled = run_out(p);
	if (settled < 0)
		return settled;
	nj_collector_finish(p->collector);
	if (p->lanes_n > 1)
		lanes_join(p);
	else
		nj_worker_finish(p->lane[0].worker);
	int err = nj_collector_collect(p->collector);
	return err < 0 ? err : 0;
}

int nj_pipeline_step(struct nj_pipeline *p, uint32_t frames_max, struct nj_message *message)
{
	if (p->ended)
		return 0;
	for (uint32_t i = 0; i < frames_max; i++) {
		struct nj_frame frame;
		int err = nj_capture_next(p->source, &frame);
		if (err < 0)
			return nj_fail(message, err, "reading frames: %s", nj_error_text(err));
		if (err == 0)
			return end(p);
		err = frame_take(p, &frame);
		if (err < 0)
			return err;
	}
	int err = p->lanes_n == 1 ? gathered_work_off(p) : NJ_OK;
	return err < 0 ? err : 1;
}

void nj_pipeline_totals(const struct nj_pipeline *p, struct nj_pipeline_totals *ret_totals)
{
	*ret_totals = (struct nj_pipeline_totals){
		.account = *nj_collector_total(p->collector), .first_ns = p->first_ns, .last_ns = p->last_ns};
	for (uint32_t i = 0; p->ended && i < p->lanes_n; i++) {
		struct nj_worker_counts counts = nj_worker_counts(p->lane[i].worker);
		ret_totals->counts.classify_gave_up += counts.classify_gave_up;
		ret_totals->counts.inspect_gave_up += counts.inspect_gave_up;
		ret_totals->counts.inspect_no_buffer += counts.inspect_no_buffer;
		ret_totals->counts.names_refused += counts.names_refused;
	}
}
