/* Merging is made of rules that commute and associate: saturating sums, maxima, minima, unions of sorted lists. Capping
 * selects the best k by a total order; what an element's rank needs is all in the element, so an element that is left
 * out of a part would be left out of the whole, and sums do not care in which step it was added to the rest.
 *
 * The registers of the rest_* features follow HyperLogLog (Flajolet et al. 2007) as common/feature.h describes;
 * models/hll.h reads them. */
#include "common/window.h"

#include "common/feature.h"

#include <assert.h>
#include <string.h>

typedef int (*compare_function)(const void *a, const void *b);

static uint64_t sum_u64(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static uint32_t sum_u32(uint32_t a, uint32_t b)
{
	return a + b < a ? UINT32_MAX : a + b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* 0 is "never". */
static uint64_t min_time(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a | b;
	return a < b ? a : b;
}

static int order_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* --- order --- */

int nj_contact_compare(const struct nj_contact *a, const struct nj_contact *b)
{
	int order = nj_addr_compare(&a->peer, &b->peer);
	if (order == 0)
		order = order_u64(a->port, b->port);
	if (order == 0)
		order = order_u64(a->protocol, b->protocol);
	if (order == 0)
		order = strcmp(a->app, b->app);
	return order != 0 ? order : order_u64(a->role, b->role);
}

int nj_domain_compare(const struct nj_domain *a, const struct nj_domain *b)
{
	return strcmp(a->name, b->name);
}

int nj_client_compare(const struct nj_client *a, const struct nj_client *b)
{
	int order = order_u64(a->kind, b->kind);
	return order != 0 ? order : strcmp(a->text, b->text);
}

static int contact_key(const void *a, const void *b)
{
	return nj_contact_compare(a, b);
}

static int domain_key(const void *a, const void *b)
{
	return nj_domain_compare(a, b);
}

static int client_key(const void *a, const void *b)
{
	return nj_client_compare(a, b);
}

static int exchange_key(const void *a, const void *b)
{
	return nj_exchange_compare(a, b);
}

static int tool_key(const void *a, const void *b)
{
	return nj_tool_compare(a, b);
}

static size_t rounded(size_t bytes)
{
	return (bytes + 15) & ~(size_t)15;
}

size_t nj_window_memory_bytes(const struct nj_window *window)
{
	size_t bytes = rounded(window->contacts_n * sizeof(struct nj_contact)) +
		       rounded(window->domains_n * sizeof(struct nj_domain)) +
		       rounded(window->clients_n * sizeof(struct nj_client)) +
		       rounded(window->exchanges_n * sizeof(struct nj_exchange)) +
		       rounded(window->tools_n * sizeof(struct nj_tool));
	for (size_t i = 0; i < NJ_VECTORS_N; i++)
		bytes += nj_vector(window, i) != NULL ? rounded(nj_vector_bytes(i)) : 0;
	return bytes;
}

/* --- merging elements of equal key --- */

/* A sorted list of the smallest *max* of both; with *distinct*, equal values stand once. Gives the length. */
static uint8_t merge_smallest(const uint64_t *a, uint8_t a_n, const uint64_t *b, uint8_t b_n, uint8_t max,
			      bool distinct, uint64_t *ret_list)
{
	uint8_t i = 0, j = 0, n = 0;
	while (n < max && (i < a_n || j < b_n)) {
		uint64_t next = j == b_n || (i < a_n && a[i] <= b[j]) ? a[i++] : b[j++];
		if (!distinct || n == 0 || ret_list[n - 1] != next)
			ret_list[n++] = next;
	}
	return n;
}

static void add_bursts(struct nj_contact *into, const struct nj_contact *from)
{
	uint64_t a[NJ_CONTACT_BURSTS_MAX], b[NJ_CONTACT_BURSTS_MAX], merged[NJ_CONTACT_BURSTS_MAX];
	for (size_t i = 0; i < NJ_CONTACT_BURSTS_MAX; i++) {
		a[i] = into->burst_ms[i];
		b[i] = from->burst_ms[i];
	}
	into->bursts_n = merge_smallest(a, into->bursts_n, b, from->bursts_n, NJ_CONTACT_BURSTS_MAX, false, merged);
	for (size_t i = 0; i < into->bursts_n; i++)
		into->burst_ms[i] = (uint16_t)merged[i];
	into->bursts = sum_u32(into->bursts, from->bursts);
}

/* The flow with most bytes, then the lowest port; port 0 is no port. */
static bool names_better_flow(const struct nj_contact *a, const struct nj_contact *b)
{
	if ((a->flow_port != 0) != (b->flow_port != 0))
		return a->flow_port != 0;
	if (a->flow_bytes != b->flow_bytes)
		return a->flow_bytes > b->flow_bytes;
	return a->flow_port < b->flow_port;
}

/* Everything of a contact that is not a count. */
void nj_contact_join(struct nj_contact *into, const struct nj_contact *from)
{
	if (names_better_flow(from, into)) {
		into->flow_port = from->flow_port;
		into->flow_bytes = from->flow_bytes;
	}
	into->external |= from->external;
	into->began |= from->began;
	into->ended |= from->ended;
	into->first_ns = min_time(into->first_ns, from->first_ns);
	into->last_ns = max_u64(into->last_ns, from->last_ns);
	if (from->name[0] != '\0' && (into->name[0] == '\0' || strcmp(from->name, into->name) < 0))
		memcpy(into->name, from->name, sizeof into->name);
}

static void add_contact(void *to, const void *other)
{
	struct nj_contact *into = to;
	const struct nj_contact *from = other;
	nj_contact_join(into, from);
	into->opened = sum_u32(into->opened, from->opened);
	into->answered = sum_u32(into->answered, from->answered);
	into->refused = sum_u32(into->refused, from->refused);
	into->unanswered = sum_u32(into->unanswered, from->unanswered);
	into->reset = sum_u32(into->reset, from->reset);
	into->requests = sum_u32(into->requests, from->requests);
	into->packets_out = sum_u64(into->packets_out, from->packets_out);
	into->packets_in = sum_u64(into->packets_in, from->packets_in);
	into->bytes_out = sum_u64(into->bytes_out, from->bytes_out);
	into->bytes_in = sum_u64(into->bytes_in, from->bytes_in);
	add_bursts(into, from);
}

void nj_domain_join(struct nj_domain *into, const struct nj_domain *from)
{
	uint64_t merged[NJ_DNS_SAMPLE_MAX] = {0};
	into->sample_n = merge_smallest(into->sample, into->sample_n, from->sample, from->sample_n, NJ_DNS_SAMPLE_MAX,
					true, merged);
	memcpy(into->sample, merged, sizeof merged);
}

static void add_domain(void *to, const void *other)
{
	struct nj_domain *into = to;
	const struct nj_domain *from = other;
	nj_domain_join(into, from);
	into->queries = sum_u32(into->queries, from->queries);
	into->nxdomain = sum_u32(into->nxdomain, from->nxdomain);
	into->free_text = sum_u32(into->free_text, from->free_text);
	into->name_bytes = sum_u64(into->name_bytes, from->name_bytes);
	into->answer_bytes = sum_u64(into->answer_bytes, from->answer_bytes);
}

/* The earliest flow; ties: the smallest peer, then port. */
static bool is_earlier(const struct nj_client *a, const struct nj_client *b)
{
	if (a->first_ns != b->first_ns)
		return a->first_ns != 0 && (b->first_ns == 0 || a->first_ns < b->first_ns);
	int order = nj_addr_compare(&a->peer, &b->peer);
	return order != 0 ? order < 0 : a->port < b->port;
}

void nj_client_join(struct nj_client *into, const struct nj_client *from)
{
	if (!is_earlier(from, into))
		return;
	into->first_ns = from->first_ns;
	into->peer = from->peer;
	into->port = from->port;
}

static void add_client(void *to, const void *other)
{
	struct nj_client *into = to;
	const struct nj_client *from = other;
	nj_client_join(into, from);
	into->flows = sum_u32(into->flows, from->flows);
	into->bytes_out = sum_u64(into->bytes_out, from->bytes_out);
}

static void add_exchange(void *into, const void *from)
{
	nj_exchange_add(into, from);
}

static void add_tool(void *into, const void *from)
{
	nj_tool_add(into, from);
}

/* --- merging lists --- */

struct list {
	void *items;
	uint32_t n;
};

/* What a kind of list element is. */
struct element {
	size_t bytes;
	compare_function key;
	void (*add)(void *into, const void *from);
};

static const struct element contact_element = {sizeof(struct nj_contact), contact_key, add_contact};
static const struct element domain_element = {sizeof(struct nj_domain), domain_key, add_domain};
static const struct element client_element = {sizeof(struct nj_client), client_key, add_client};
static const struct element exchange_element = {sizeof(struct nj_exchange), exchange_key, add_exchange};
static const struct element tool_element = {sizeof(struct nj_tool), tool_key, add_tool};

/* The sorted union in new memory, equal keys added; false when the arena is full. */
static bool merge_lists(const struct element *element, struct list a, struct list b, struct nj_arena *arena,
			struct list *ret_list)
{
	size_t bytes = element->bytes;
	uint8_t *to = NULL, *x = a.items, *y = b.items, *x_end = x + a.n * bytes, *y_end = y + b.n * bytes;
	if (b.n == 0) {
		*ret_list = a;
		return true;
	}
	if ((to = nj_arena_take(arena, ((size_t)a.n + b.n) * bytes)) == NULL)
		return false;
	*ret_list = (struct list){.items = to};
	for (; x < x_end || y < y_end; to += bytes, ret_list->n++) {
		int order = x == x_end ? 1 : y == y_end ? -1 : element->key(x, y);
		memcpy(to, order <= 0 ? x : y, bytes);
		if (order == 0)
			element->add(to, y);
		x += order <= 0 ? bytes : 0;
		y += order >= 0 ? bytes : 0;
	}
	return true;
}

static void merge_scalars(struct nj_features *into, const struct nj_features *from)
{
	for (size_t i = 0; i < NJ_SCALARS_N; i++) {
		uint64_t *a = nj_scalar(into, i), b = *nj_scalar((struct nj_features *)from, i);
		switch (nj_scalar_rows[i].merge) {
		case NJ_MERGE_SUM:
			*a = sum_u64(*a, b);
			break;
		case NJ_MERGE_MAX:
			*a = max_u64(*a, b);
			break;
		case NJ_MERGE_MIN:
			*a = min_time(*a, b);
			break;
		case NJ_MERGE_OR:
			*a |= b;
		}
	}
}

static void merge_vector(size_t index, void *into, const void *from)
{
	if (nj_vector_rows[index].kind == NJ_VECTOR_DISTINCT) {
		uint8_t *a = into;
		const uint8_t *b = from;
		for (size_t i = 0; i < NJ_DISTINCT_REGISTERS; i++)
			a[i] = a[i] > b[i] ? a[i] : b[i];
	} else {
		uint32_t *a = into;
		const uint32_t *b = from;
		for (size_t i = 0; i < NJ_HISTOGRAM_BUCKETS; i++)
			a[i] = sum_u32(a[i], b[i]);
	}
}

/* Gives *into* zeroed memory for every vector that only *from* has, so that merging cannot fail afterwards. */
static bool make_vectors(struct nj_window *into, const struct nj_window *from, struct nj_arena *arena)
{
	for (size_t i = 0; i < NJ_VECTORS_N; i++) {
		if (nj_vector(from, i) == NULL || nj_vector(into, i) != NULL)
			continue;
		void *vector = nj_arena_take(arena, nj_vector_bytes(i));
		if (vector == NULL)
			return false;
		nj_vector_set(into, i, vector);
	}
	return true;
}

static struct list contacts_of(const struct nj_window *w)
{
	return (struct list){w->contacts, w->contacts_n};
}

/* All lists of a window, in the order of the struct. */
struct lists {
	struct list contacts, domains, clients, exchanges, tools;
};

static struct lists lists_of(const struct nj_window *w)
{
	return (struct lists){contacts_of(w),
			      {w->domains, w->domains_n},
			      {w->clients, w->clients_n},
			      {w->exchanges, w->exchanges_n},
			      {w->tools, w->tools_n}};
}

static void set_lists(struct nj_window *w, const struct lists *lists)
{
	w->contacts = lists->contacts.items;
	w->contacts_n = lists->contacts.n;
	w->domains = lists->domains.items;
	w->domains_n = lists->domains.n;
	w->clients = lists->clients.items;
	w->clients_n = lists->clients.n;
	w->exchanges = lists->exchanges.items;
	w->exchanges_n = lists->exchanges.n;
	w->tools = lists->tools.items;
	w->tools_n = lists->tools.n;
}

static bool merge_all_lists(const struct lists *a, const struct lists *b, struct nj_arena *arena, struct lists *ret)
{
	return merge_lists(&contact_element, a->contacts, b->contacts, arena, &ret->contacts) &&
	       merge_lists(&domain_element, a->domains, b->domains, arena, &ret->domains) &&
	       merge_lists(&client_element, a->clients, b->clients, arena, &ret->clients) &&
	       merge_lists(&exchange_element, a->exchanges, b->exchanges, arena, &ret->exchanges) &&
	       merge_lists(&tool_element, a->tools, b->tools, arena, &ret->tools);
}

bool nj_window_merge(struct nj_window *into, const struct nj_window *from, struct nj_arena *arena)
{
	assert(nj_agent_id_compare(&into->agent, &from->agent) == 0);
	assert(into->start_ns == from->start_ns);
	assert(into->width_ms == from->width_ms);
	struct nj_window draft = *into;
	struct lists a = lists_of(into), b = lists_of(from), both;
	size_t used = arena->used;
	if (!merge_all_lists(&a, &b, arena, &both) || !make_vectors(&draft, from, arena)) {
		arena->used = used;
		return false;
	}
	set_lists(&draft, &both);
	merge_scalars(&draft.features, &from->features);
	for (size_t i = 0; i < NJ_VECTORS_N; i++)
		if (nj_vector(from, i) != NULL)
			merge_vector(i, nj_vector(&draft, i), nj_vector(from, i));
	*into = draft;
	return true;
}

/* --- capping --- */

/* Whether *a* goes before *b* when only the best stay. Total orders: no two elements of a list are equal in one. */
typedef bool (*better_function)(const void *a, const void *b);

static bool is_larger_contact(const void *a, const void *b)
{
	const struct nj_contact *x = a, *y = b;
	int order = order_u64(sum_u64(y->bytes_out, y->bytes_in), sum_u64(x->bytes_out, x->bytes_in));
	if (order == 0)
		order = order_u64(sum_u64(y->packets_out, y->packets_in), sum_u64(x->packets_out, x->packets_in));
	return order != 0 ? order < 0 : nj_contact_compare(x, y) < 0;
}

static bool is_newer_contact(const void *a, const void *b)
{
	const struct nj_contact *x = a, *y = b;
	int order = order_u64(y->first_ns, x->first_ns);
	return order != 0 ? order < 0 : nj_contact_compare(x, y) < 0;
}

static bool is_larger_domain(const void *a, const void *b)
{
	const struct nj_domain *x = a, *y = b;
	int order = order_u64(y->name_bytes, x->name_bytes);
	if (order == 0)
		order = order_u64(y->queries, x->queries);
	return order != 0 ? order < 0 : nj_domain_compare(x, y) < 0;
}

static bool is_larger_client(const void *a, const void *b)
{
	const struct nj_client *x = a, *y = b;
	int order = order_u64(y->bytes_out, x->bytes_out);
	if (order == 0)
		order = order_u64(y->flows, x->flows);
	return order != 0 ? order < 0 : nj_client_compare(x, y) < 0;
}

static bool is_better_exchange(const void *a, const void *b)
{
	return nj_exchange_is_better(a, b);
}

static bool is_better_tool(const void *a, const void *b)
{
	return nj_tool_is_better(a, b);
}

/* The best elements so far, as a heap of indices with the worst on top: one comparison an element once it is full. */
struct best {
	const uint8_t *items;
	size_t bytes;
	better_function better;
	uint32_t index[NJ_CONTACTS_LARGEST], n, max;
};

static bool is_worse(const struct best *best, uint32_t a, uint32_t b)
{
	return best->better(best->items + b * best->bytes, best->items + a * best->bytes);
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t kept = *a;
	*a = *b;
	*b = kept;
}

static void sink_top(struct best *best)
{
	uint32_t *heap = best->index;
	for (uint32_t at = 0, child; (child = 2 * at + 1) < best->n; at = child) {
		if (child + 1 < best->n && is_worse(best, heap[child + 1], heap[child]))
			child++;
		if (!is_worse(best, heap[child], heap[at]))
			return;
		swap(&heap[child], &heap[at]);
	}
}

static void offer(struct best *best, uint32_t index)
{
	uint32_t *heap = best->index;
	if (best->n == best->max) {
		if (!is_worse(best, heap[0], index))
			return;
		heap[0] = index;
		sink_top(best);
		return;
	}
	uint32_t at = best->n++;
	for (heap[at] = index; at > 0 && is_worse(best, heap[at], heap[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&heap[at], &heap[(at - 1) / 2]);
}

/* Marks the best *max* of those not yet marked. */
static void select_best(const struct element *element, struct list list, better_function better, uint32_t max,
			bool *kept)
{
	struct best best = {.items = list.items, .bytes = element->bytes, .better = better, .max = max};
	assert(max <= NJ_CONTACTS_LARGEST);
	for (uint32_t i = 0; i < list.n; i++)
		if (!kept[i])
			offer(&best, i);
	for (uint32_t i = 0; i < best.n; i++)
		kept[best.index[i]] = true;
}

static void count_distinct(uint8_t *registers, uint64_t hash)
{
	uint64_t others = hash >> 8;
	uint8_t rank = (uint8_t)(others == 0 ? NJ_DISTINCT_RANK_MAX : __builtin_clzll(others) - 8 + 1);
	if (registers[hash & 0xff] < rank)
		registers[hash & 0xff] = rank;
}

struct hasher {
	nj_hash_function hash;
	const void *key;
};

/* The peer, its port, the port and the /24 or /64 around the peer, each counted once however often it comes. */
static void sketch(struct nj_window *w, const struct nj_contact *contact, const struct hasher *h)
{
	uint8_t bytes[18] = {0};
	size_t network_bytes = nj_addr_is_v4(&contact->peer) ? 15 : 8;
	memcpy(bytes, contact->peer.byte, 16);
	bytes[16] = (uint8_t)(contact->port >> 8);
	bytes[17] = (uint8_t)contact->port;
	count_distinct(w->rest_peers, h->hash(bytes, 16, h->key));
	count_distinct(w->rest_peer_ports, h->hash(bytes, 18, h->key));
	count_distinct(w->rest_ports, h->hash(bytes + 16, 2, h->key));
	count_distinct(w->rest_networks, h->hash(bytes, network_bytes, h->key));
}

static void add_to_rest(struct nj_window *w, const struct nj_contact *contact, const struct hasher *h)
{
	struct nj_features *f = &w->features;
	f->contacts_rest = sum_u64(f->contacts_rest, 1);
	f->rest_failed = sum_u64(f->rest_failed, (uint64_t)contact->refused + contact->unanswered);
	f->rest_answered = sum_u64(f->rest_answered, contact->answered);
	f->rest_bytes_out = sum_u64(f->rest_bytes_out, contact->bytes_out);
	f->rest_bytes_in = sum_u64(f->rest_bytes_in, contact->bytes_in);
	sketch(w, contact, h);
}

/* The kept elements in new memory, in order. The window's own list is left as it is: its arrays may be another's. */
static bool copy_kept(const struct element *element, struct list list, const bool *kept, uint32_t kept_max,
		      struct nj_arena *arena, struct list *ret_list)
{
	uint8_t *to = nj_arena_take(arena, kept_max * element->bytes);
	if (to == NULL)
		return false;
	*ret_list = (struct list){.items = to};
	for (uint32_t i = 0; i < list.n; i++)
		if (kept[i])
			memcpy(to + ret_list->n++ * element->bytes, (uint8_t *)list.items + i * element->bytes,
			       element->bytes);
	return true;
}

static bool cap_list(const struct element *element, struct list list, better_function better, uint32_t max,
		     struct nj_arena *arena, struct list *ret_list)
{
	*ret_list = list;
	if (list.n <= max)
		return true;
	bool *kept = nj_arena_take(arena, list.n);
	if (kept == NULL)
		return false;
	select_best(element, list, better, max, kept);
	return copy_kept(element, list, kept, max, arena, ret_list);
}

/* New registers for the four rest sketches: those of *window* may be another's, and must stay as they are if the arena
 * fills up. */
static bool renew_sketches(struct nj_window *window, struct nj_arena *arena)
{
	uint8_t **sketches[] = {&window->rest_peers, &window->rest_peer_ports, &window->rest_ports,
				&window->rest_networks};
	for (size_t i = 0; i < sizeof sketches / sizeof *sketches; i++) {
		uint8_t *registers = nj_arena_take(arena, NJ_DISTINCT_REGISTERS);
		if (registers == NULL)
			return false;
		if (*sketches[i] != NULL)
			memcpy(registers, *sketches[i], NJ_DISTINCT_REGISTERS);
		*sketches[i] = registers;
	}
	return true;
}

static bool cap_contacts(struct nj_window *window, const struct hasher *h, struct nj_arena *arena)
{
	struct list list = contacts_of(window), capped;
	if (list.n <= NJ_CONTACTS_MAX)
		return true;
	bool *kept = nj_arena_take(arena, list.n);
	if (kept == NULL || !renew_sketches(window, arena))
		return false;
	select_best(&contact_element, list, is_larger_contact, NJ_CONTACTS_LARGEST, kept);
	select_best(&contact_element, list, is_newer_contact, NJ_CONTACTS_MAX - NJ_CONTACTS_LARGEST, kept);
	if (!copy_kept(&contact_element, list, kept, NJ_CONTACTS_MAX, arena, &capped))
		return false;
	for (uint32_t i = 0; i < list.n; i++)
		if (!kept[i])
			add_to_rest(window, &window->contacts[i], h);
	window->contacts = capped.items;
	window->contacts_n = capped.n;
	return true;
}

/* Of the tools, what counts as left out is the calls. */
static uint64_t calls_of(struct list list)
{
	const struct nj_tool *tools = list.items;
	uint64_t calls = 0;
	for (uint32_t i = 0; i < list.n; i++)
		calls += tools[i].calls;
	return calls;
}

static bool cap_other_lists(const struct lists *all, struct nj_arena *arena, struct lists *ret)
{
	return cap_list(&domain_element, all->domains, is_larger_domain, NJ_DOMAINS_MAX, arena, &ret->domains) &&
	       cap_list(&client_element, all->clients, is_larger_client, NJ_CLIENTS_MAX, arena, &ret->clients) &&
	       cap_list(&exchange_element, all->exchanges, is_better_exchange, NJ_EXCHANGES_MAX, arena,
			&ret->exchanges) &&
	       cap_list(&tool_element, all->tools, is_better_tool, NJ_TOOLS_MAX, arena, &ret->tools);
}

bool nj_window_cap(struct nj_window *window, nj_hash_function hash, const void *key, struct nj_arena *arena)
{
	const struct hasher h = {hash, key};
	struct nj_window draft = *window;
	struct lists all = lists_of(window), capped;
	size_t used = arena->used;
	if (!cap_contacts(&draft, &h, arena) || !cap_other_lists(&all, arena, &capped)) {
		arena->used = used;
		return false;
	}
	capped.contacts = contacts_of(&draft);
	set_lists(&draft, &capped);
	struct nj_features *f = &draft.features;
	f->exchanges_rest = sum_u64(f->exchanges_rest, all.exchanges.n - capped.exchanges.n);
	f->tools_rest = sum_u64(f->tools_rest, calls_of(all.tools) - calls_of(capped.tools));
	*window = draft;
	return true;
}

bool nj_window_is_capped(const struct nj_window *window)
{
	return window->contacts_n <= NJ_CONTACTS_MAX && window->domains_n <= NJ_DOMAINS_MAX &&
	       window->clients_n <= NJ_CLIENTS_MAX && window->exchanges_n <= NJ_EXCHANGES_MAX &&
	       window->tools_n <= NJ_TOOLS_MAX;
}

/* --- equality --- */

static bool contact_equal(const struct nj_contact *a, const struct nj_contact *b)
{
	return nj_contact_compare(a, b) == 0 && a->flow_port == b->flow_port && a->external == b->external &&
	       a->bursts_n == b->bursts_n && memcmp(a->burst_ms, b->burst_ms, a->bursts_n * sizeof *a->burst_ms) == 0 &&
	       a->opened == b->opened && a->answered == b->answered && a->refused == b->refused &&
	       a->unanswered == b->unanswered && a->reset == b->reset && a->bursts == b->bursts &&
	       a->requests == b->requests && a->packets_out == b->packets_out && a->packets_in == b->packets_in &&
	       a->bytes_out == b->bytes_out && a->bytes_in == b->bytes_in && a->flow_bytes == b->flow_bytes &&
	       a->began == b->began && a->ended == b->ended && a->first_ns == b->first_ns && a->last_ns == b->last_ns &&
	       strcmp(a->name, b->name) == 0;
}

static bool domain_equal(const struct nj_domain *a, const struct nj_domain *b)
{
	return nj_domain_compare(a, b) == 0 && a->queries == b->queries && a->nxdomain == b->nxdomain &&
	       a->free_text == b->free_text && a->name_bytes == b->name_bytes && a->answer_bytes == b->answer_bytes &&
	       a->sample_n == b->sample_n && memcmp(a->sample, b->sample, a->sample_n * sizeof *a->sample) == 0;
}

static bool client_equal(const struct nj_client *a, const struct nj_client *b)
{
	return nj_client_compare(a, b) == 0 && a->flows == b->flows && a->bytes_out == b->bytes_out &&
	       a->first_ns == b->first_ns && nj_addr_equal(&a->peer, &b->peer) && a->port == b->port;
}

static bool vector_equal(size_t index, const struct nj_window *a, const struct nj_window *b)
{
	static const uint32_t zero[NJ_HISTOGRAM_BUCKETS];
	static_assert(sizeof zero >= NJ_DISTINCT_REGISTERS, "holds either kind");
	const void *x = nj_vector(a, index), *y = nj_vector(b, index);
	return memcmp(x != NULL ? x : zero, y != NULL ? y : zero, nj_vector_bytes(index)) == 0;
}

static bool tool_equal(const struct nj_tool *a, const struct nj_tool *b)
{
	return nj_tool_compare(a, b) == 0 && a->external == b->external && a->calls == b->calls &&
	       a->first_ns == b->first_ns;
}

static bool lists_equal(const struct nj_window *a, const struct nj_window *b)
{
	if (a->exchanges_n > 0 && memcmp(a->exchanges, b->exchanges, a->exchanges_n * sizeof *a->exchanges) != 0)
		return false;
	for (uint32_t i = 0; i < a->tools_n; i++)
		if (!tool_equal(&a->tools[i], &b->tools[i]))
			return false;
	for (uint32_t i = 0; i < a->contacts_n; i++)
		if (!contact_equal(&a->contacts[i], &b->contacts[i]))
			return false;
	for (uint32_t i = 0; i < a->domains_n; i++)
		if (!domain_equal(&a->domains[i], &b->domains[i]))
			return false;
	for (uint32_t i = 0; i < a->clients_n; i++)
		if (!client_equal(&a->clients[i], &b->clients[i]))
			return false;
	return true;
}

bool nj_window_equal(const struct nj_window *a, const struct nj_window *b)
{
	if (nj_agent_id_compare(&a->agent, &b->agent) != 0 || a->start_ns != b->start_ns ||
	    a->width_ms != b->width_ms || a->contacts_n != b->contacts_n || a->domains_n != b->domains_n ||
	    a->clients_n != b->clients_n || a->exchanges_n != b->exchanges_n || a->tools_n != b->tools_n)
		return false;
	for (size_t i = 0; i < NJ_VECTORS_N; i++)
		if (!vector_equal(i, a, b))
			return false;
	return memcmp(&a->features, &b->features, sizeof a->features) == 0 && lists_equal(a, b);
}
