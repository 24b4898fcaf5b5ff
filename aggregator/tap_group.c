/* All windows of the group are united in one step, because whether labels can be joined depends on what each sensor has
 * beside it: pairwise it would depend on the order.
 *
 * A scalar s that sums over contacts is split into the sum over the contacts in the window and the excess, which comes
 * from contacts beyond the cap. United, it is the sum over the united contacts plus the largest excess; differences are
 * taken modulo 2^64, so equal windows give themselves whatever they hold. */
#include "aggregator/tap_group.h"

#include "common/feature.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LARGER(a, b) ((a) > (b) ? (a) : (b))

/* ---- contacts */

struct seen_contact {
	const struct nj_contact *contact;
	uint32_t sensor;
};

/* By what a flow has whatever its label: peer, port, protocol, role; then sensor, then label. */
static int compare_service(const struct nj_contact *x, const struct nj_contact *y)
{
	int order = nj_addr_compare(&x->peer, &y->peer);
	if (order == 0)
		order = (int)x->port - (int)y->port;
	if (order == 0)
		order = (int)x->protocol - (int)y->protocol;
	return order != 0 ? order : (int)x->role - (int)y->role;
}

static int compare_seen(const void *a, const void *b)
{
	const struct seen_contact *x = a, *y = b;
	int order = compare_service(x->contact, y->contact);
	if (order == 0)
		order = strcmp(x->contact->app, y->contact->app);
	return order != 0 ? order : (x->sensor > y->sensor) - (x->sensor < y->sensor);
}

static int compare_contacts(const void *a, const void *b)
{
	return nj_contact_compare(a, b);
}

/* "" and "Unknown" say nothing, "TLS" says less than "TLS.Google". */
static bool says_no_more(const char *label, const char *than)
{
	size_t length = strlen(label);
	return length == 0 || strcmp(label, "Unknown") == 0 || strcmp(label, than) == 0 ||
	       (strncmp(label, than, length) == 0 && than[length] == '.');
}

/* The label that says all that the others say, when each sensor has one contact with the service; NULL: none does. */
static const char *common_label(const struct seen_contact *seen, uint32_t n)
{
	const char *fullest = seen[0].contact->app;
	for (uint32_t i = 1; i < n; i++) {
		for (uint32_t other = 0; other < i; other++)
			if (seen[other].sensor == seen[i].sensor)
				return NULL;
		if (!says_no_more(seen[i].contact->app, fullest))
			fullest = seen[i].contact->app;
	}
	for (uint32_t i = 0; i < n; i++)
		if (!says_no_more(seen[i].contact->app, fullest))
			return NULL;
	return fullest;
}

/* The bursts of the sensor that saw most of them. */
static void take_bursts(struct nj_contact *into, const struct nj_contact *from)
{
	size_t bytes = sizeof into->burst_ms;
	bool more = from->bursts_n > into->bursts_n ||
		    (from->bursts_n == into->bursts_n && memcmp(from->burst_ms, into->burst_ms, bytes) < 0);
	if (from->bursts > into->bursts || (from->bursts == into->bursts && more)) {
		into->bursts = from->bursts;
		into->bursts_n = from->bursts_n;
		memcpy(into->burst_ms, from->burst_ms, bytes);
	}
}

/* With *outcomes* the largest number of outcomes that one sensor knows. */
static void unite_contact(struct nj_contact *into, const struct nj_contact *from, uint64_t *outcomes)
{
	uint64_t theirs = (uint64_t)from->answered + from->refused + from->unanswered + from->reset;
	*outcomes = LARGER(*outcomes, theirs);
	nj_contact_join(into, from);
	into->opened = LARGER(into->opened, from->opened);
	into->answered = LARGER(into->answered, from->answered);
	into->refused = LARGER(into->refused, from->refused);
	into->unanswered = LARGER(into->unanswered, from->unanswered);
	into->reset = LARGER(into->reset, from->reset);
	into->requests = LARGER(into->requests, from->requests);
	into->packets_out = LARGER(into->packets_out, from->packets_out);
	into->packets_in = LARGER(into->packets_in, from->packets_in);
	into->bytes_out = LARGER(into->bytes_out, from->bytes_out);
	into->bytes_in = LARGER(into->bytes_in, from->bytes_in);
	take_bursts(into, from);
}

static bool is_one_way(const struct nj_contact *c)
{
	return c->packets_out == 0 || c->packets_in == 0;
}

/* Contacts seen[0..n-1], of one service and all but for the label, as one. Gives how many of its flows each sensor saw
 * from one side and all of them together from both. */
static uint64_t unite_service(const struct seen_contact *seen, uint32_t n, struct nj_contact *into)
{
	uint64_t outcomes = 0, flows = 0;
	bool one_way = true;
	*into = *seen[0].contact;
	for (uint32_t i = 0; i < n; i++) {
		const struct nj_contact *from = seen[i].contact;
		unite_contact(into, from, &outcomes);
		one_way = one_way && is_one_way(from);
		flows = LARGER(flows, LARGER(from->opened, 1));
	}
	uint64_t known = (uint64_t)into->answered + into->refused + into->reset;
	into->unanswered = outcomes > known ? (uint32_t)(outcomes - known) : 0;
	return one_way && !is_one_way(into) ? flows : 0;
}

/* The united contacts in canonical order; *ret_healed* as of unite_service(). */
static bool unite_contacts(const struct nj_window *const *windows, uint32_t n, struct nj_arena *arena,
			   struct nj_window *united, uint64_t *ret_healed)
{
	uint32_t total = 0, at = 0;
	for (uint32_t i = 0; i < n; i++)
		total += windows[i]->contacts_n;
	struct seen_contact *seen = nj_arena_take(arena, (total + 1) * sizeof *seen);
	united->contacts = nj_arena_take(arena, (total + 1) * sizeof *united->contacts);
	if (seen == NULL || united->contacts == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t c = 0; c < windows[i]->contacts_n; c++)
			seen[at++] = (struct seen_contact){&windows[i]->contacts[c], i};
	qsort(seen, total, sizeof *seen, compare_seen);
	united->contacts_n = 0;
	*ret_healed = 0;
	for (uint32_t first = 0, end; first < total; first = end) {
		for (end = first + 1; end < total && compare_service(seen[first].contact, seen[end].contact) == 0;)
			end++;
		const char *label = common_label(&seen[first], end - first);
		for (uint32_t from = first, until; from < end; from = until) {
			struct nj_contact *into = &united->contacts[united->contacts_n++];
			for (until = from + 1; until < end && (label != NULL || strcmp(seen[from].contact->app,
										       seen[until].contact->app) == 0);)
				until++;
			*ret_healed += unite_service(&seen[from], until - from, into);
			if (label != NULL && label != into->app)
				memcpy(into->app, label, sizeof into->app);
		}
	}
	qsort(united->contacts, united->contacts_n, sizeof *united->contacts, compare_contacts);
	return true;
}

/* ---- domains, clients, exchanges, tools: the union by key */

static void unite_domain(void *to, const void *other)
{
	struct nj_domain *into = to;
	const struct nj_domain *from = other;
	nj_domain_join(into, from);
	into->queries = LARGER(into->queries, from->queries);
	into->nxdomain = LARGER(into->nxdomain, from->nxdomain);
	into->free_text = LARGER(into->free_text, from->free_text);
	into->name_bytes = LARGER(into->name_bytes, from->name_bytes);
	into->answer_bytes = LARGER(into->answer_bytes, from->answer_bytes);
}

static void unite_client(void *to, const void *other)
{
	struct nj_client *into = to;
	const struct nj_client *from = other;
	into->flows = LARGER(into->flows, from->flows);
	into->bytes_out = LARGER(into->bytes_out, from->bytes_out);
	nj_client_join(into, from);
}

/* One sensor's account of it as a whole: its members belong together. */
static void unite_exchange(void *to, const void *other)
{
	bool worse = nj_exchange_is_better(to, other), better = nj_exchange_is_better(other, to);
	if (better || (!worse && memcmp(other, to, sizeof(struct nj_exchange)) < 0))
		memcpy(to, other, sizeof(struct nj_exchange));
}

static void unite_tool(void *to, const void *other)
{
	bool worse = nj_tool_is_better(to, other), better = nj_tool_is_better(other, to);
	if (better || (!worse && memcmp(other, to, sizeof(struct nj_tool)) < 0))
		memcpy(to, other, sizeof(struct nj_tool));
}

struct kind {
	size_t bytes;
	int (*compare)(const void *a, const void *b);
	void (*unite)(void *into, const void *from);
};

static int compare_domains(const void *a, const void *b)
{
	return nj_domain_compare(a, b);
}

static int compare_clients(const void *a, const void *b)
{
	return nj_client_compare(a, b);
}

static int compare_exchanges(const void *a, const void *b)
{
	return nj_exchange_compare(a, b);
}

static int compare_tools(const void *a, const void *b)
{
	return nj_tool_compare(a, b);
}

/* Appends *n* sorted items to *list*, which has room. */
static void append(const struct kind *kind, void *list, uint32_t *list_n, const void *items, uint32_t n)
{
	if (n > 0)
		memcpy((uint8_t *)list + *list_n * kind->bytes, items, n * kind->bytes);
	*list_n += n;
}

/* Sorted, equal keys united. */
static uint32_t settle(const struct kind *kind, void *list, uint32_t n)
{
	uint8_t *at = list;
	uint32_t kept = 0;
	qsort(list, n, kind->bytes, kind->compare);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *item = at + i * kind->bytes, *last = kept > 0 ? at + (kept - 1) * kind->bytes : NULL;
		if (last != NULL && kind->compare(last, item) == 0)
			kind->unite(last, item);
		else
			memmove(at + kept++ * kind->bytes, item, kind->bytes);
	}
	return kept;
}

static bool unite_lists(const struct nj_window *const *windows, uint32_t n, struct nj_arena *arena,
			struct nj_window *united)
{
	static const struct kind domain = {sizeof(struct nj_domain), compare_domains, unite_domain};
	static const struct kind client = {sizeof(struct nj_client), compare_clients, unite_client};
	static const struct kind exchange = {sizeof(struct nj_exchange), compare_exchanges, unite_exchange};
	static const struct kind tool = {sizeof(struct nj_tool), compare_tools, unite_tool};
	uint32_t total[4] = {1, 1, 1, 1};
	for (uint32_t i = 0; i < n; i++) {
		total[0] += windows[i]->domains_n;
		total[1] += windows[i]->clients_n;
		total[2] += windows[i]->exchanges_n;
		total[3] += windows[i]->tools_n;
	}
	united->domains = nj_arena_take(arena, total[0] * domain.bytes);
	united->clients = nj_arena_take(arena, total[1] * client.bytes);
	united->exchanges = nj_arena_take(arena, total[2] * exchange.bytes);
	united->tools = nj_arena_take(arena, total[3] * tool.bytes);
	if (united->domains == NULL || united->clients == NULL || united->exchanges == NULL || united->tools == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const struct nj_window *w = windows[i];
		append(&domain, united->domains, &united->domains_n, w->domains, w->domains_n);
		append(&client, united->clients, &united->clients_n, w->clients, w->clients_n);
		append(&exchange, united->exchanges, &united->exchanges_n, w->exchanges, w->exchanges_n);
		append(&tool, united->tools, &united->tools_n, w->tools, w->tools_n);
	}
	united->domains_n = settle(&domain, united->domains, united->domains_n);
	united->clients_n = settle(&client, united->clients, united->clients_n);
	united->exchanges_n = settle(&exchange, united->exchanges, united->exchanges_n);
	united->tools_n = settle(&tool, united->tools, united->tools_n);
	return true;
}

/* ---- vectors */

static bool unite_vector(const struct nj_window *const *windows, uint32_t n, size_t index, struct nj_arena *arena,
			 struct nj_window *united)
{
	void *into = NULL;
	for (uint32_t i = 0; i < n; i++) {
		const void *from = nj_vector(windows[i], index);
		if (from == NULL)
			continue;
		if (into == NULL && (into = nj_arena_take(arena, nj_vector_bytes(index))) == NULL)
			return false;
		for (size_t e = 0; e < nj_vector_rows[index].length; e++)
			if (nj_vector_rows[index].kind == NJ_VECTOR_DISTINCT)
				((uint8_t *)into)[e] = LARGER(((uint8_t *)into)[e], ((const uint8_t *)from)[e]);
			else
				((uint32_t *)into)[e] = LARGER(((uint32_t *)into)[e], ((const uint32_t *)from)[e]);
	}
	nj_vector_set(united, index, into);
	return true;
}

/* ---- scalars */

/* What a contact adds to the scalars that sum over contacts, in the order of sums_of(). */
#define SUMS_N 13

static void add_parts(const struct nj_contact *c, uint64_t sums[SUMS_N])
{
	bool client = c->role == NJ_ROLE_CLIENT;
	const uint64_t parts[SUMS_N] = {c->external ? c->bytes_out : 0,
					c->external ? c->bytes_in : 0,
					c->external ? 0 : c->bytes_out,
					c->external ? 0 : c->bytes_in,
					c->packets_out,
					c->packets_in,
					client ? c->opened : 0,
					client ? 0 : c->opened,
					client ? c->answered : 0,
					client ? c->refused : 0,
					client ? c->unanswered : 0,
					client ? c->reset : 0,
					client ? c->requests : 0};
	for (int i = 0; i < SUMS_N; i++)
		sums[i] += parts[i];
}

static void sums_of(struct nj_features *f, uint64_t *ret_at[SUMS_N])
{
	uint64_t *const at[SUMS_N] = {&f->bytes_out_external,
				      &f->bytes_in_external,
				      &f->bytes_out_internal,
				      &f->bytes_in_internal,
				      &f->packets_out,
				      &f->packets_in,
				      &f->flows_opened,
				      &f->flows_accepted,
				      &f->flows_answered,
				      &f->flows_refused,
				      &f->flows_unanswered,
				      &f->flows_reset,
				      &f->requests};
	memcpy(ret_at, at, sizeof at);
}

static void unite_sums(const struct nj_window *const *windows, uint32_t n, struct nj_window *united)
{
	int64_t excess[SUMS_N] = {0};
	uint64_t sums[SUMS_N], *at[SUMS_N];
	for (uint32_t w = 0; w < n; w++) {
		struct nj_features features = windows[w]->features;
		memset(sums, 0, sizeof sums);
		for (uint32_t c = 0; c < windows[w]->contacts_n; c++)
			add_parts(&windows[w]->contacts[c], sums);
		sums_of(&features, at);
		for (int i = 0; i < SUMS_N; i++) {
			int64_t beyond = (int64_t)(*at[i] - sums[i]);
			excess[i] = w == 0 ? beyond : LARGER(excess[i], beyond);
		}
	}
	memset(sums, 0, sizeof sums);
	for (uint32_t c = 0; c < united->contacts_n; c++)
		add_parts(&united->contacts[c], sums);
	sums_of(&united->features, at);
	for (int i = 0; i < SUMS_N; i++)
		*at[i] = sums[i] + (uint64_t)excess[i];
}

static void unite_largest(const struct nj_window *const *windows, uint32_t n, struct nj_features *into)
{
	for (uint32_t w = 0; w < n; w++) {
		struct nj_features from = windows[w]->features;
		for (size_t i = 0; i < NJ_SCALARS_N; i++) {
			uint64_t *a = nj_scalar(into, i), b = *nj_scalar(&from, i);
			if (nj_scalar_rows[i].merge == NJ_MERGE_OR)
				*a |= b;
			else if (nj_scalar_rows[i].merge == NJ_MERGE_MIN)
				*a = *a == 0 || (b != 0 && b < *a) ? b : *a;
			else
				*a = LARGER(*a, b);
		}
	}
}

bool nj_tap_group_unite(const struct nj_window *const *windows, uint32_t n, struct nj_arena *arena,
			struct nj_window *ret_united)
{
	assert(n > 0);
	if (n == 1) {
		*ret_united = *windows[0];
		return true;
	}
	struct nj_window united = {
		.agent = windows[0]->agent, .start_ns = windows[0]->start_ns, .width_ms = windows[0]->width_ms};
	uint64_t healed, midstream = UINT64_MAX;
	for (uint32_t i = 0; i < n; i++) {
		assert(nj_agent_id_compare(&windows[i]->agent, &united.agent) == 0);
		assert(windows[i]->start_ns == united.start_ns);
		assert(windows[i]->width_ms == united.width_ms);
		uint64_t theirs = windows[i]->features.flows_midstream;
		midstream = theirs < midstream ? theirs : midstream;
	}
	if (!unite_contacts(windows, n, arena, &united, &healed) || !unite_lists(windows, n, arena, &united))
		return false;
	for (size_t i = 0; i < NJ_VECTORS_N; i++)
		if (!unite_vector(windows, n, i, arena, &united))
			return false;
	unite_largest(windows, n, &united.features);
	unite_sums(windows, n, &united);
	struct nj_features *f = &united.features;
	f->flows_midstream = midstream;
	f->flows_one_sided -= healed < f->flows_one_sided ? healed : f->flows_one_sided;
	*ret_united = united;
	return true;
}
