/* A k-way merge over lanes whose windows stand ascending by agent: the smallest agent among the heads is taken from
 * every lane that has it, merged, capped, handed on. With few lanes a linear look at the heads is as good as a heap.
 *
 * Live, a lane's stores form a ring with one writer and one reader: *filled* is the worker's, *taken* the collector's.
 */
#include "sensor/collector.h"

#include "sensor/ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STORES_MAX   2
#define FULL_LOOK_NS 1000000 /* how often a worker that is two windows ahead looks whether it may go on */

struct lane {
	struct nj_collector *collector;
	struct nj_window_store store[STORES_MAX]; /* live all, files with several workers the first, else none */
	_Alignas(64) atomic_uint filled;          /* live: by the worker */
	_Alignas(64) atomic_uint taken;           /* live: by the collector */
	struct nj_window_store *head;             /* while merging: what takes part, or NULL */
	uint32_t next;                            /* of its windows */
};

struct nj_collector {
	struct nj_collector_options options;
	struct nj_window_sink sink;
	struct nj_arena arena; /* of one agent's merge and cap */
	struct nj_sensor_account total;
	uint64_t windows_n, lost_contacts; /* of the window being handed on */
	int err;                           /* first that the sink gave */
	bool finishing, finished;
	atomic_bool abandoned;
	struct lane *lane;
};

static uint32_t stores_n(const struct nj_collector_options *o)
{
	return o->live ? STORES_MAX : o->workers > 1 ? 1 : 0;
}

static uint64_t merge_bytes(const struct nj_collector_options *o)
{
	uint64_t one = (uint64_t)o->ledger_entries_max * (sizeof(struct nj_contact) + 64) + (1u << 20);
	return o->workers == 1 ? one : 2 * o->workers * one;
}

static uint32_t windows_max(const struct nj_collector_options *o)
{
	return o->ledger_entries_max;
}

uint64_t nj_collector_memory_bytes(const struct nj_collector_options *o)
{
	uint64_t bytes = sizeof(struct nj_collector) + o->workers * sizeof(struct lane) + merge_bytes(o);
	return bytes + o->workers * stores_n(o) *
			       (nj_ledger_windows_bytes(o->ledger_entries_max) +
				(uint64_t)windows_max(o) * sizeof(struct nj_window *));
}

static bool store_init(struct nj_window_store *store, const struct nj_collector_options *o)
{
	store->windows_max = windows_max(o);
	store->windows = malloc(store->windows_max * sizeof(struct nj_window *));
	return store->windows != NULL &&
	       nj_arena_init(&store->arena, nj_ledger_windows_bytes(o->ledger_entries_max)) == NJ_OK;
}

int nj_collector_new(const struct nj_collector_options *options, const struct nj_window_sink *sink,
		     struct nj_collector **ret_collector)
{
	assert(options->workers >= 1);
	struct nj_collector *c = calloc(1, sizeof *c);
	if (c == NULL)
		return NJ_ERR_MEMORY;
	c->options = *options;
	c->sink = *sink;
	c->lane = aligned_alloc(64, options->workers * sizeof *c->lane);
	bool ok = c->lane != NULL && nj_arena_init(&c->arena, merge_bytes(options)) == NJ_OK;
	if (c->lane != NULL)
		memset(c->lane, 0, options->workers * sizeof *c->lane);
	for (uint32_t i = 0; ok && i < options->workers; i++) {
		c->lane[i].collector = c;
		for (uint32_t k = 0; ok && k < stores_n(options); k++)
			ok = store_init(&c->lane[i].store[k], options);
	}
	if (!ok) {
		nj_collector_free(&c);
		return NJ_ERR_MEMORY;
	}
	*ret_collector = c;
	return NJ_OK;
}

void nj_collector_free(struct nj_collector **collector)
{
	struct nj_collector *c = *collector;
	if (c == NULL)
		return;
	for (uint32_t i = 0; c->lane != NULL && i < c->options.workers; i++)
		for (uint32_t k = 0; k < STORES_MAX; k++) {
			nj_arena_fini(&c->lane[i].store[k].arena);
			free(c->lane[i].store[k].windows);
		}
	nj_arena_fini(&c->arena);
	free(c->lane);
	free(c);
	*collector = NULL;
}

void nj_account_add(struct nj_sensor_account *into, const struct nj_sensor_account *from)
{
	into->frames_seen += from->frames_seen;
	into->frames_decoded += from->frames_decoded;
	into->bytes_seen += from->bytes_seen;
	into->kernel_drops += from->kernel_drops;
	into->interface_drops += from->interface_drops;
	into->flows_opened += from->flows_opened;
	into->flows_ended += from->flows_ended;
	into->flows_evicted += from->flows_evicted;
	into->flows_one_sided += from->flows_one_sided;
	into->windows_closed += from->windows_closed;
	into->windows_dropped += from->windows_dropped;
	into->contacts_lost += from->contacts_lost;
	into->clock_clamps += from->clock_clamps;
	into->flows_active += from->flows_active;
	for (uint32_t i = 0; i < from->drops_n; i++) {
		uint32_t at = 0;
		while (at < into->drops_n && strcmp(into->drops[at].name, from->drops[i].name) != 0)
			at++;
		if (at == into->drops_n) {
			if (at == NJ_DROP_REASONS_MAX)
				continue; /* our own reasons are fewer (sensor/drop.h) */
			into->drops[into->drops_n++] = (struct nj_drop_count){0};
			memcpy(into->drops[at].name, from->drops[i].name, sizeof into->drops[at].name);
		}
		into->drops[at].frames += from->drops[i].frames;
	}
}

/* Sums over workers come in the order of workers, whose drops differ: their order must not. */
static void drops_sort(struct nj_sensor_account *account)
{
	for (uint32_t i = 1; i < account->drops_n; i++) {
		struct nj_drop_count moving = account->drops[i];
		uint32_t at = i;
		for (; at > 0 && strcmp(moving.name, account->drops[at - 1].name) < 0; at--)
			account->drops[at] = account->drops[at - 1];
		account->drops[at] = moving;
	}
}

static void hand_on(struct nj_collector *c, struct nj_window *window)
{
	if (!nj_window_cap(window, nj_hash64, c->options.hash_key, &c->arena))
		c->lost_contacts += window->contacts_n;
	else if (c->err == NJ_OK && c->sink.window != NULL)
		c->err = c->sink.window(c->sink.context, window);
	c->windows_n++;
	nj_arena_reset(&c->arena);
}

/* Most windows are within the caps and go on as they are. */
static void direct_window(void *context, const struct nj_window *window)
{
	struct nj_collector *c = ((struct lane *)context)->collector;
	if (!nj_window_is_capped(window)) {
		struct nj_window copy = *window;
		hand_on(c, &copy);
		return;
	}
	if (c->err == NJ_OK && c->sink.window != NULL)
		c->err = c->sink.window(c->sink.context, window);
	c->windows_n++;
}

static void *copied(struct nj_arena *arena, const void *data, size_t bytes)
{
	if (data == NULL || bytes == 0)
		return NULL;
	void *copy = nj_arena_take(arena, bytes);
	if (copy != NULL)
		memcpy(copy, data, bytes);
	return copy;
}

static bool lists_copy(struct nj_arena *arena, struct nj_window *copy, const struct nj_window *from)
{
	copy->contacts = copied(arena, from->contacts, from->contacts_n * sizeof *from->contacts);
	copy->domains = copied(arena, from->domains, from->domains_n * sizeof *from->domains);
	copy->clients = copied(arena, from->clients, from->clients_n * sizeof *from->clients);
	copy->exchanges = copied(arena, from->exchanges, from->exchanges_n * sizeof *from->exchanges);
	copy->tools = copied(arena, from->tools, from->tools_n * sizeof *from->tools);
	bool ok = (from->contacts_n == 0 || copy->contacts != NULL) &&
		  (from->domains_n == 0 || copy->domains != NULL) && (from->clients_n == 0 || copy->clients != NULL) &&
		  (from->exchanges_n == 0 || copy->exchanges != NULL) && (from->tools_n == 0 || copy->tools != NULL);
#define VECTOR_BYTES_DISTINCT  NJ_DISTINCT_REGISTERS
#define VECTOR_BYTES_HISTOGRAM (NJ_HISTOGRAM_BUCKETS * sizeof(uint32_t))
#define VECTOR_COPY(name, kind, unit, meaning)                                                                         \
	copy->name = copied(arena, from->name, VECTOR_BYTES_##kind);                                                   \
	ok = ok && (from->name == NULL || copy->name != NULL);
	NJ_FEATURE_VECTORS(VECTOR_COPY)
#undef VECTOR_COPY
	return ok;
}

/* The store the worker is filling; NULL: nobody wants it any more. */
static struct nj_window_store *store_open(struct lane *lane)
{
	unsigned filled = atomic_load_explicit(&lane->filled, memory_order_relaxed);
	while (filled - atomic_load(&lane->taken) == STORES_MAX) {
		if (atomic_load(&lane->collector->abandoned))
			return NULL;
		nanosleep(&(struct timespec){.tv_nsec = FULL_LOOK_NS}, NULL);
	}
	return &lane->store[filled % STORES_MAX];
}

static void store_window(void *context, const struct nj_window *window)
{
	struct nj_window_store *store = store_open(context);
	if (store == NULL)
		return;
	struct nj_window *copy = copied(&store->arena, window, sizeof *window);
	if (copy == NULL || store->windows_n == store->windows_max || !lists_copy(&store->arena, copy, window)) {
		store->lost++;
		return;
	}
	store->windows[store->windows_n++] = copy;
}

static void window_end(void *context, uint64_t start_ns, const struct nj_sensor_account *account)
{
	struct lane *lane = context;
	struct nj_window_store *store = store_open(lane);
	if (store == NULL)
		return;
	assert(!store->told || store->start_ns == start_ns);
	store->start_ns = start_ns;
	store->account = *account;
	store->told = true;
	if (lane->collector->options.live)
		atomic_fetch_add(&lane->filled, 1);
}

static int tell(struct nj_collector *c, uint64_t start_ns, struct nj_sensor_account *account)
{
	if (c->options.source != NULL)
		c->options.source(c->options.source_context, account);
	account->windows_closed = c->windows_n;
	account->contacts_lost += c->lost_contacts;
	drops_sort(account);
	c->total.flows_active = 0;
	nj_account_add(&c->total, account);
	c->windows_n = 0;
	c->lost_contacts = 0;
	if (c->err == NJ_OK && c->sink.tick != NULL)
		c->err = c->sink.tick(c->sink.context, start_ns, c->options.width_ms, account, c->finishing);
	return c->err;
}

static void direct_window_end(void *context, uint64_t start_ns, const struct nj_sensor_account *account)
{
	struct nj_collector *c = ((struct lane *)context)->collector;
	struct nj_sensor_account copy = *account;
	(void)tell(c, start_ns, &copy); /* kept in err for nj_collector_collect() */
}

void nj_collector_worker_sink(struct nj_collector *collector, uint32_t index, struct nj_worker_sink *ret_sink)
{
	assert(index < collector->options.workers);
	bool direct = stores_n(&collector->options) == 0;
	ret_sink->context = &collector->lane[index];
	ret_sink->window = direct ? direct_window : store_window;
	ret_sink->window_end = direct ? direct_window_end : window_end;
}

/* The smallest agent among the lanes' next windows, merged over all lanes that have it. */
static bool next_agent(struct nj_collector *c, struct nj_window *ret_window)
{
	const struct nj_window *first = NULL;
	for (uint32_t i = 0; i < c->options.workers; i++) {
		const struct lane *lane = &c->lane[i];
		if (lane->head == NULL || lane->next == lane->head->windows_n)
			continue;
		const struct nj_window *head = lane->head->windows[lane->next];
		if (first == NULL || nj_agent_id_compare(&head->agent, &first->agent) < 0)
			first = head;
	}
	if (first == NULL)
		return false;
	struct nj_agent_id agent = first->agent;
	bool begun = false;
	for (uint32_t i = 0; i < c->options.workers; i++) {
		struct lane *lane = &c->lane[i];
		if (lane->head == NULL || lane->next == lane->head->windows_n ||
		    nj_agent_id_compare(&lane->head->windows[lane->next]->agent, &agent) != 0)
			continue;
		const struct nj_window *head = lane->head->windows[lane->next++];
		if (!begun)
			*ret_window = *head;
		else if (!nj_window_merge(ret_window, head, &c->arena))
			c->lost_contacts += head->contacts_n;
		begun = true;
	}
	return true;
}

static void heads_reset(struct nj_collector *c)
{
	for (uint32_t i = 0; i < c->options.workers; i++) {
		struct lane *lane = &c->lane[i];
		struct nj_window_store *store = lane->head;
		lane->head = NULL;
		lane->next = 0;
		if (store == NULL)
			continue;
		nj_arena_reset(&store->arena);
		store->windows_n = 0;
		store->told = false;
		store->lost = 0;
		if (c->options.live)
			atomic_fetch_add(&lane->taken, 1);
	}
}

/* Hands on what the lanes' heads hold, as one window. */
static int heads_hand_on(struct nj_collector *c)
{
	struct nj_sensor_account account = {0};
	uint64_t start_ns = 0;
	for (uint32_t i = 0; i < c->options.workers; i++) {
		const struct nj_window_store *store = c->lane[i].head;
		if (store == NULL)
			continue;
		start_ns = store->start_ns > start_ns
				   ? store->start_ns
				   : start_ns; /* a worker without a single frame finishes in window 0 */
		nj_account_add(&account, &store->account);
		account.windows_dropped += store->lost;
	}
	for (struct nj_window window; next_agent(c, &window);)
		hand_on(c, &window);
	heads_reset(c);
	return tell(c, start_ns, &account);
}

static int collect_stores(struct nj_collector *c)
{
	bool told = false;
	for (uint32_t i = 0; i < c->options.workers; i++) {
		struct lane *lane = &c->lane[i];
		lane->head = lane->store[0].told ? &lane->store[0] : NULL;
		told = told || lane->head != NULL;
	}
	return told ? heads_hand_on(c) : c->err;
}

/* ------------------------------------------------------------------ live */

/* The earliest window that a worker has filled, or UINT64_MAX; *ret_stores*: how many stores hold any window. */
static uint64_t earliest(struct nj_collector *c, uint32_t *ret_stores)
{
	uint64_t start_ns = UINT64_MAX;
	*ret_stores = 0;
	for (uint32_t i = 0; i < c->options.workers; i++) {
		struct lane *lane = &c->lane[i];
		unsigned taken = atomic_load_explicit(&lane->taken, memory_order_relaxed),
			 filled = atomic_load(&lane->filled);
		*ret_stores += filled - taken;
		if (filled != taken && lane->store[taken % STORES_MAX].start_ns < start_ns)
			start_ns = lane->store[taken % STORES_MAX].start_ns;
	}
	return start_ns;
}

/* Makes the stores of this window the heads; false when a worker may still tell of it. A worker's time is read before
 * its stores: what it had told by then is seen. */
static bool heads_take(struct nj_collector *c, const _Atomic(uint64_t) *const *reached_ns, uint64_t start_ns,
		       uint32_t *ret_heads)
{
	uint64_t end_ns = start_ns + c->options.width_ms * 1000000ull;
	*ret_heads = 0;
	for (uint32_t i = 0; i < c->options.workers; i++) {
		struct lane *lane = &c->lane[i];
		bool passed = atomic_load(reached_ns[i]) >= end_ns;
		unsigned taken = atomic_load_explicit(&lane->taken, memory_order_relaxed);
		bool any = atomic_load(&lane->filled) != taken;
		struct nj_window_store *store = &lane->store[taken % STORES_MAX];
		lane->head = any && store->start_ns == start_ns ? store : NULL;
		*ret_heads += lane->head != NULL;
		if (!passed && !any)
			return false;
	}
	return true;
}

int nj_collector_join(struct nj_collector *c, const _Atomic(uint64_t) *const *reached_ns, uint64_t start_ns)
{
	uint32_t stores, heads;
	uint64_t first_ns = earliest(c, &stores);
	if (stores == 0) {
		struct nj_sensor_account nothing = {0};
		int err = c->finishing && !c->finished ? tell(c, start_ns, &nothing) : c->err;
		c->finished = c->finished || c->finishing;
		return err;
	}
	if (!heads_take(c, reached_ns, first_ns, &heads))
		return c->err;
	bool last = heads == stores, finishing = c->finishing;
	c->finishing = finishing && last;
	c->finished = c->finishing;
	int err = heads_hand_on(c);
	c->finishing = finishing;
	return err < 0 ? err : 1;
}

int nj_collector_collect(struct nj_collector *c)
{
	return stores_n(&c->options) == 0 ? c->err : collect_stores(c);
}

void nj_collector_abandon(struct nj_collector *c)
{
	atomic_store(&c->abandoned, true);
}

void nj_collector_finish(struct nj_collector *c)
{
	c->finishing = true;
}

const struct nj_sensor_account *nj_collector_total(const struct nj_collector *c)
{
	return &c->total;
}
