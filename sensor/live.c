/* See live.h. The margin is twice the rings' read timeout and a little: within one timeout the kernel hands over a
 * block that is not full, within another a busy machine wakes the thread that waits for it. */
#include "sensor/live.h"

#include "sensor/collector.h"
#include "sensor/decode.h"

#include <assert.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 64
#define NS_PER_MS   1000000ull
#define NS_PER_S    1000000000ull
#define MARGIN_NS   (100 * NS_PER_MS)
#define WATCH_NS    (100 * NS_PER_MS) /* between looks at the interfaces */
#define DROPS_NS    NS_PER_S          /* and at what they lost */

struct nj_live {
	struct nj_live_options options;
	struct nj_lane_clock lane_clock;
	struct nj_live_clock clock;
	struct nj_collector *collector;
	struct nj_live_interface interface[NJ_LIVE_INTERFACES_MAX];
	uint32_t drops[NJ_LIVE_INTERFACES_MAX]; /* as the kernel counts them */
	uint64_t interface_drops[NJ_LIVE_INTERFACES_MAX], drops_told;
	int nic_fd;
	uint64_t watched_ns, drops_ns;
	bool stopping, finishing;
	const _Atomic(uint64_t) *reached_ns[WORKERS_MAX];
	struct nj_live_lane *lane;
	uint32_t lanes_n; /* initialised */
};

static void collector_options(const struct nj_live_options *o, struct nj_collector_options *ret)
{
	*ret = (struct nj_collector_options){.workers = o->workers,
					     .ledger_entries_max = o->worker.ledger_entries_max,
					     .width_ms = o->worker.window_ms,
					     .live = true,
					     .hash_key = &o->worker.hash_key};
}

uint64_t nj_live_memory_bytes(const struct nj_live_options *o)
{
	struct nj_collector_options collector;
	collector_options(o, &collector);
	uint64_t worker = nj_worker_memory_bytes(&o->worker) +
			  nj_live_lane_memory_bytes(o->interfaces_n, o->snap_bytes) +
			  (uint64_t)o->interfaces_n * o->ring_bytes;
	return sizeof(struct nj_live) + nj_collector_memory_bytes(&collector) + o->workers * worker;
}

static void tell(const struct nj_live *live, bool warning, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void tell(const struct nj_live *live, bool warning, const char *format, ...)
{
	char text[600];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	live->options.tell(live->options.tell_context, warning, text);
}

/* ------------------------------------------------------------------ opening */

static int check(const struct nj_live_options *o, struct nj_message *message)
{
	cpu_set_t usable;
	if (o->workers < 1 || o->workers > WORKERS_MAX)
		return nj_fail(message, NJ_ERR_USAGE, "workers must be within 1..%d, not %u", WORKERS_MAX, o->workers);
	if (o->interfaces_n < 1 || o->interfaces_n > NJ_LIVE_INTERFACES_MAX)
		return nj_fail(message, NJ_ERR_USAGE, "interfaces: 1 to %d can be watched, not %u",
			       NJ_LIVE_INTERFACES_MAX, o->interfaces_n);
	for (uint32_t i = 0; i < o->interfaces_n; i++) {
		size_t length = strlen(o->interfaces[i]);
		if (length < 1 || length >= NJ_NIC_NAME_BYTES)
			return nj_fail(message, NJ_ERR_USAGE, "'%.40s' is no name of an interface", o->interfaces[i]);
		for (uint32_t k = 0; k < i; k++)
			if (strcmp(o->interfaces[i], o->interfaces[k]) == 0)
				return nj_fail(message, NJ_ERR_USAGE, "%s: named twice", o->interfaces[i]);
	}
	if (sched_getaffinity(0, sizeof usable, &usable) != 0)
		return nj_fail(message, NJ_ERR_IO, "cannot ask which processors there are");
	for (uint32_t i = 0; i < o->cpus_n; i++)
		if (o->cpus[i] >= CPU_SETSIZE || !CPU_ISSET(o->cpus[i], &usable))
			return nj_fail(message, NJ_ERR_USAGE, "cpus: %u is not among the processors it may run on",
				       o->cpus[i]);
	return NJ_OK;
}

static void source_account(void *context, struct nj_sensor_account *account)
{
	struct nj_live *live = context;
	uint64_t drops = 0;
	for (uint32_t i = 0; i < live->options.interfaces_n; i++)
		drops += live->interface_drops[i];
	account->interface_drops += drops - live->drops_told;
	live->drops_told = drops;
}

static int lane_make(struct nj_live *live, uint32_t index, struct nj_message *message)
{
	const struct nj_live_options *o = &live->options;
	struct nj_live_lane *lane = &live->lane[index];
	int cpu = o->cpus_n > 0 ? (int)o->cpus[index % o->cpus_n] : -1;
	live->lanes_n = index + 1;
	if (nj_live_lane_init(lane, &live->lane_clock, o->interfaces_n, o->snap_bytes, cpu) < 0)
		return nj_fail(message, NJ_ERR_MEMORY, "live: no memory for worker %u", index);
	live->reached_ns[index] = &lane->reached_ns;
	nj_collector_worker_sink(live->collector, index, &lane->to);
	struct nj_worker_sink sink = nj_live_lane_sink(lane);
	return nj_worker_new(&o->worker, &sink, message, &lane->worker);
}

static int parts_make(struct nj_live *live, const struct nj_window_sink *windows, struct nj_message *message)
{
	struct nj_collector_options collector;
	collector_options(&live->options, &collector);
	collector.source = source_account;
	collector.source_context = live;
	live->lane = aligned_alloc(64, live->options.workers * sizeof *live->lane);
	if (live->lane == NULL || nj_collector_new(&collector, windows, &live->collector) < 0)
		return nj_fail(message, NJ_ERR_MEMORY, "live: no memory (%llu bytes)",
			       (unsigned long long)nj_live_memory_bytes(&live->options));
	memset(live->lane, 0, live->options.workers * sizeof *live->lane);
	int err = NJ_OK;
	for (uint32_t i = 0; err == NJ_OK && i < live->options.workers; i++)
		err = lane_make(live, i, message);
	return err;
}

static void news_tell(const struct nj_live *live, const struct nj_live_interface *interface,
		      enum nj_interface_news news, uint64_t gap_ns, const struct nj_message *message)
{
	const char *name = interface->device.interface;
	double gap_s = (double)gap_ns / 1e9;
	switch (news) {
	case NJ_INTERFACE_NO_NEWS:
		return;
	case NJ_INTERFACE_IS_DOWN:
		tell(live, true, "%s: is down or gone; waiting for it", name);
		return;
	case NJ_INTERFACE_IS_BACK:
		tell(live, true, "%s: is open again; nothing was heard for %.1f s", name, gap_s);
		return;
	case NJ_INTERFACE_LINK_LOST:
		tell(live, true, "%s: has no link; nothing is heard", name);
		return;
	case NJ_INTERFACE_LINK_BACK:
		tell(live, true, "%s: has its link again; nothing was heard for %.1f s", name, gap_s);
		return;
	case NJ_INTERFACE_CANNOT_OPEN:
		tell(live, true, "%s: cannot be opened, trying again: %.400s", name, message->text);
		return;
	}
}

static int interface_make(struct nj_live *live, uint32_t index, uint64_t steady_ns, struct nj_message *message)
{
	const struct nj_live_options *o = &live->options;
	struct nj_live_interface *interface = &live->interface[index];
	struct nj_nic_state state;
	enum nj_interface_news news;
	*interface = (struct nj_live_interface){.device = {.interface = o->interfaces[index],
							   .ring_bytes = o->ring_bytes,
							   .snap_bytes = o->snap_bytes,
							   .read_timeout_ms = o->read_timeout_ms,
							   .promiscuous = o->promiscuous},
						.filter = o->filter,
						.lane = live->lane,
						.lanes_n = live->lanes_n,
						.index = index,
						.link_type = NJ_LINK_ETHERNET};
	nj_nic_look(live->nic_fd, o->interfaces[index], &state);
	int err = nj_live_interface_open(interface, &state, steady_ns, &news, message);
	if (err == NJ_OK)
		news_tell(live, interface, news, 0, message);
	return err;
}

static void clock_publish(struct nj_live *live)
{
	atomic_store(&live->lane_clock.ahead_ns, live->clock.ahead_ns);
	atomic_store(&live->lane_clock.event_offset_ns, nj_live_clock_event_offset(&live->clock));
}

int nj_live_open(const struct nj_live_options *options, const struct nj_window_sink *windows, uint64_t wall_ns,
		 uint64_t steady_ns, struct nj_message *message, struct nj_live **ret_live)
{
	int err = check(options, message);
	if (err < 0)
		return err;
	struct nj_live *live = calloc(1, sizeof *live);
	if (live == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "live: no memory");
	live->options = *options;
	live->nic_fd = -1;
	live->lane_clock.margin_ns = 2 * options->read_timeout_ms * NS_PER_MS + MARGIN_NS;
	live->lane_clock.wait_ms = options->read_timeout_ms;
	nj_live_clock_start(&live->clock, wall_ns, steady_ns);
	clock_publish(live);
	err = nj_nic_open(message, &live->nic_fd);
	if (err == NJ_OK)
		err = parts_make(live, windows, message);
	for (uint32_t i = 0; err == NJ_OK && i < options->interfaces_n; i++)
		err = interface_make(live, i, steady_ns, message);
	if (err < 0) {
		nj_live_close(&live);
		return err;
	}
	nj_nic_drops(options->interfaces, options->interfaces_n, live->drops);
	*ret_live = live;
	return NJ_OK;
}

void nj_live_close(struct nj_live **live)
{
	struct nj_live *l = *live;
	if (l == NULL)
		return;
	if (l->collector != NULL)
		nj_collector_abandon(l->collector);
	for (uint32_t i = 0; i < l->lanes_n; i++)
		nj_live_lane_fini(&l->lane[i]);
	nj_collector_free(&l->collector);
	if (l->nic_fd >= 0)
		close(l->nic_fd);
	free(l->lane);
	free(l);
	*live = NULL;
}

int nj_live_start(struct nj_live *live, struct nj_message *message)
{
	int err = NJ_OK;
	for (uint32_t i = 0; err == NJ_OK && i < live->lanes_n; i++)
		err = nj_live_lane_start(&live->lane[i], message);
	return err;
}

/* ------------------------------------------------------------------ steps */

static void clock_look(struct nj_live *live, uint64_t wall_ns, uint64_t steady_ns)
{
	int64_t step_ns = nj_live_clock_look(&live->clock, wall_ns, steady_ns);
	clock_publish(live);
	if (step_ns > 0)
		tell(live, true, "the clock went forward by %.1f s", (double)step_ns / 1e9);
	if (step_ns < 0)
		tell(live, true, "the clock went back by %.1f s; event time goes on and is %.1f s ahead of it",
		     (double)-step_ns / 1e9, (double)live->clock.ahead_ns / 1e9);
}

static void interfaces_watch(struct nj_live *live, uint64_t steady_ns)
{
	for (uint32_t i = 0; i < live->options.interfaces_n; i++) {
		struct nj_live_interface *interface = &live->interface[i];
		struct nj_nic_state state;
		struct nj_message message = {.text = ""};
		uint64_t gap_ns;
		nj_nic_look(live->nic_fd, interface->device.interface, &state);
		enum nj_interface_news news = nj_live_interface_watch(interface, &state, steady_ns, &gap_ns, &message);
		news_tell(live, interface, news, gap_ns, &message);
	}
}

/* An interface that was made anew counts from 0 again. */
static void drops_look(struct nj_live *live)
{
	uint32_t now[NJ_LIVE_INTERFACES_MAX];
	memcpy(now, live->drops, sizeof now);
	nj_nic_drops(live->options.interfaces, live->options.interfaces_n, now);
	for (uint32_t i = 0; i < live->options.interfaces_n; i++) {
		uint32_t more = now[i] - live->drops[i];
		live->interface_drops[i] += more <= INT32_MAX ? more : now[i];
		live->drops[i] = now[i];
	}
}

/* When all rings are drained, event time ends for all lanes at the same instant. */
static void finish_begin(struct nj_live *live)
{
	uint64_t end_ns = 0;
	for (uint32_t i = 0; i < live->lanes_n; i++) {
		if (!atomic_load(&live->lane[i].drained))
			return;
		uint64_t reached_ns = atomic_load(&live->lane[i].reached_ns);
		end_ns = reached_ns > end_ns ? reached_ns : end_ns;
	}
	for (uint32_t i = 0; i < live->lanes_n; i++) {
		atomic_store(&live->lane[i].finish_ns, end_ns);
		atomic_store(&live->lane[i].order, NJ_LANE_FINISH);
	}
	live->finishing = true;
}

static bool lanes_have_ended(const struct nj_live *live)
{
	for (uint32_t i = 0; i < live->lanes_n; i++)
		if (atomic_load(&live->lane[i].reached_ns) != UINT64_MAX)
			return false;
	return true;
}

static int collect(struct nj_live *live)
{
	uint64_t width_ns = live->options.worker.window_ms * NS_PER_MS,
		 end_ns = live->finishing ? atomic_load(&live->lane[0].finish_ns) : 0;
	int more;
	do
		more = nj_collector_join(live->collector, live->reached_ns, end_ns / width_ns * width_ns);
	while (more > 0);
	return more;
}

int nj_live_step(struct nj_live *live, uint64_t wall_ns, uint64_t steady_ns)
{
	clock_look(live, wall_ns, steady_ns);
	if (!live->stopping && steady_ns - live->watched_ns >= WATCH_NS) {
		live->watched_ns = steady_ns;
		interfaces_watch(live, steady_ns);
	}
	if (steady_ns - live->drops_ns >= DROPS_NS) {
		live->drops_ns = steady_ns;
		drops_look(live);
	}
	if (live->stopping && !live->finishing)
		finish_begin(live);
	bool ended = live->finishing && lanes_have_ended(live);
	if (ended)
		nj_collector_finish(live->collector);
	int err = collect(live);
	return err < 0 ? err : !ended;
}

void nj_live_stop(struct nj_live *live)
{
	if (live->stopping)
		return;
	live->stopping = true;
	for (uint32_t i = 0; i < live->lanes_n; i++)
		atomic_store(&live->lane[i].order, NJ_LANE_DRAIN);
}

/* ------------------------------------------------------------------ orders and answers */

bool nj_live_is_settled(const struct nj_live *live)
{
	for (uint32_t i = 0; i < live->lanes_n; i++)
		if (atomic_load(&live->lane[i].home) != NULL || atomic_load(&live->lane[i].filter) != NULL)
			return false;
	return true;
}

int nj_live_set_filter(struct nj_live *live, const char *filter, struct nj_message *message)
{
	struct nj_libpcap_filter *tried;
	int err = NJ_OK;
	for (uint32_t i = 0; err == NJ_OK && i < live->options.interfaces_n; i++) {
		err = nj_libpcap_filter_new(filter, live->interface[i].link_type, message, &tried);
		if (err == NJ_OK)
			nj_libpcap_filter_free(&tried);
	}
	for (uint32_t i = 0; err == NJ_OK && i < live->options.interfaces_n; i++)
		live->interface[i].filter = filter;
	for (uint32_t i = 0; err == NJ_OK && i < live->lanes_n; i++) {
		assert(atomic_load(&live->lane[i].filter) == NULL);
		atomic_store(&live->lane[i].filter, filter);
	}
	return err;
}

void nj_live_set_home(struct nj_live *live, const struct nj_networks *home)
{
	for (uint32_t i = 0; i < live->lanes_n; i++) {
		assert(atomic_load(&live->lane[i].home) == NULL);
		atomic_store(&live->lane[i].home, home);
	}
}

const struct nj_sensor_account *nj_live_total(const struct nj_live *live)
{
	return nj_collector_total(live->collector);
}

void nj_live_counts(struct nj_live *live, uint32_t worker, struct nj_lane_counts *ret_counts)
{
	assert(worker < live->lanes_n);
	nj_live_lane_counts(&live->lane[worker], ret_counts);
}

void nj_live_state(const struct nj_live *live, uint32_t index, uint64_t steady_ns, struct nj_live_state *ret_state)
{
	assert(index < live->options.interfaces_n);
	const struct nj_live_interface *interface = &live->interface[index];
	*ret_state = (struct nj_live_state){
		.name = interface->device.interface,
		.open = interface->phase == NJ_INTERFACE_OPEN,
		.interface_drops = live->interface_drops[index],
		.gaps = interface->gaps,
		.gap_ns = interface->gap_total_ns + (interface->gap ? steady_ns - interface->gap_start_ns : 0),
	};
}
