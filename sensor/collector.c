/* A k-way merge over lanes whose windows stand ascending by agent: the smallest agent among the heads is taken from
 * every lane that has it, merged, capped, handed on. With few lanes a linear look at the heads is as good as a heap. */
#include "sensor/collector.h"

#include "sensor/ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct lane {
	struct nj_collector *collector;
	struct nj_window_store store; /* with several workers */
	uint32_t next;                /* while merging */
};

struct nj_collector {
	struct nj_collector_options options;
	struct nj_window_sink sink;
	struct nj_arena arena; /* of one agent's merge and cap */
	struct nj_sensor_account total;
	uint64_t windows_n, lost_contacts; /* of the window being handed on */
	int err;                           /* first that the sink gave */
	bool finishing;
	struct lane lane[];
};

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
	if (o->workers > 1)
		bytes += o->workers * (nj_ledger_windows_bytes(o->ledger_entries_max) +
				       (uint64_t)windows_max(o) * sizeof(struct nj_window *));
	return bytes;
}

int nj_collector_new(const struct nj_collector_options *options, const struct nj_window_sink *sink,
		     struct nj_collector **ret_collector)
{
	assert(options->workers >= 1);
	struct nj_collector *c = calloc(1, sizeof *c + options->workers * sizeof c->lane[0]);
	if (c == NULL)
		return NJ_ERR_MEMORY;
	c->options = *options;
	c->sink = *sink;
	bool ok = nj_arena_init(&c->arena, merge_bytes(options)) == NJ_OK;
	for (uint32_t i = 0; i < options->workers; i++) {
		struct nj_window_store *store = &c->lane[i].store;
		c->lane[i].collector = c;
		if (options->workers == 1)
			break;
		store->windows_max = windows_max(options);
		store->windows = malloc(store->windows_max * sizeof(struct nj_window *));
		ok = ok && store->windows != NULL &&
		     nj_arena_init(&store->arena, nj_ledger_windows_bytes(options->ledger_entries_max)) == NJ_OK;
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
	for (uint32_t i = 0; i < c->options.workers; i++) {
		nj_arena_fini(&c->lane[i].store.arena);
		free(c->lane[i].store.windows);
	}
	nj_arena_fini(&c->arena);
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
		  (from->exchanges_n == 0 || copy->exchanges != NULL) &&
		  (from->tools_n == 0 || copy->tools != NULL);
#define VECTOR_BYTES_DISTINCT  NJ_DISTINCT_REGISTERS
#define VECTOR_BYTES_HISTOGRAM (NJ_HISTOGRAM_BUCKETS * sizeof(uint32_t))
#define VECTOR_COPY(name, kind, unit, meaning)                                                                         \
	copy->name = copied(arena, from->name, VECTOR_BYTES_##kind);                                                   \
	ok = ok && (from->name == NULL || copy->name != NULL);
	NJ_FEATURE_VECTORS(VECTOR_COPY)
#undef VECTOR_COPY
	return ok;
}

static void store_window(void *context, const struct nj_window *window)
{
	struct nj_window_store *store = &((struct lane *)context)->store;
	struct nj_window *copy = copied(&store->arena, window, sizeof *window);
	if (copy == NULL || store->windows_n == store->windows_max || !lists_copy(&store->arena, copy, window)) {
		store->lost++;
		return;
	}
	store->windows[store->windows_n++] = copy;
}

static void window_end(void *context, uint64_t start_ns, const struct nj_sensor_account *account)
{
	struct nj_window_store *store = &((struct lane *)context)->store;
	assert(!store->told || store->start_ns == start_ns);
	store->start_ns = start_ns;
	store->account = *account;
	store->told = true;
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
	bool direct = collector->options.workers == 1;
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
		if (lane->next == lane->store.windows_n)
			continue;
		const struct nj_window *head = lane->store.windows[lane->next];
		if (first == NULL || nj_agent_id_compare(&head->agent, &first->agent) < 0)
			first = head;
	}
	if (first == NULL)
		return false;
	struct nj_agent_id agent = first->agent;
	bool begun = false;
	for (uint32_t i = 0; i < c->options.workers; i++) {
		struct lane *lane = &c->lane[i];
		if (lane->next == lane->store.windows_n ||
		    nj_agent_id_compare(&lane->store.windows[lane->next]->agent, &agent) != 0)
			continue;
		const struct nj_window *head = lane->store.windows[lane->next++];
		if (!begun)
			*ret_window = *head;
		else if (!nj_window_merge(ret_window, head, &c->arena))
			c->lost_contacts += head->contacts_n;
		begun = true;
	}
	return true;
}

static void stores_reset(struct nj_collector *c)
{
	for (uint32_t i = 0; i < c->options.workers; i++) {
		struct nj_window_store *store = &c->lane[i].store;
		nj_arena_reset(&store->arena);
		store->windows_n = 0;
		store->told = false;
		store->lost = 0;
		c->lane[i].next = 0;
	}
}

static int collect_stores(struct nj_collector *c)
{
	struct nj_sensor_account account = {0};
	uint64_t start_ns = 0;
	bool told = false;
	for (uint32_t i = 0; i < c->options.workers; i++) {
		const struct nj_window_store *store = &c->lane[i].store;
		if (!store->told)
			continue;
		told = true;
		start_ns = store->start_ns > start_ns
				   ? store->start_ns
				   : start_ns; /* a worker without a single frame finishes in window 0 */
		nj_account_add(&account, &store->account);
		account.windows_dropped += store->lost;
	}
	if (!told)
		return c->err;
	for (struct nj_window window; next_agent(c, &window);)
		hand_on(c, &window);
	stores_reset(c);
	return tell(c, start_ns, &account);
}

int nj_collector_collect(struct nj_collector *c)
{
	return c->options.workers == 1 ? c->err : collect_stores(c);
}

void nj_collector_finish(struct nj_collector *c)
{
	c->finishing = true;
}

const struct nj_sensor_account *nj_collector_total(const struct nj_collector *c)
{
	return &c->total;
}
