/* See counters.h. One table a counter: keys are hashes of (what is counted) with value 1, and of (whose count it is)
 * with the count. A new period empties it. */
#include "cli/counters.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_LEAST 1024u
#define SLOTS_MOST  (1u << 20)

struct slot {
	uint64_t key; /* 0: free */
	uint32_t count;
};

struct table {
	struct slot *slots;
	uint32_t slots_n, used;
	uint64_t period; /* number of the running one */
};

struct nj_counters {
	struct table tables[NJ_COUNTERS_N];
	struct nj_counter_alarm *alarms;
	uint32_t alarms_n, alarms_capacity;
};

static const struct {
	const char *words;
	uint32_t period_s, above;
} rows[] = {
#define ROW(symbol, name, period, above, what) {name, period, above},
	NJ_COUNTERS(ROW)
#undef ROW
};

const char *nj_counter_words(enum nj_counter counter)
{
	return rows[counter].words;
}

struct nj_counters *nj_counters_new(void)
{
	return calloc(1, sizeof(struct nj_counters));
}

void nj_counters_free(struct nj_counters **counters)
{
	if (*counters == NULL)
		return;
	for (unsigned i = 0; i < NJ_COUNTERS_N; i++)
		free((*counters)->tables[i].slots);
	free((*counters)->alarms);
	free(*counters);
	*counters = NULL;
}

const struct nj_counter_alarm *nj_counters_alarms(const struct nj_counters *counters, uint32_t *ret_n)
{
	*ret_n = counters->alarms_n;
	return counters->alarms;
}

/* splitmix64's mixing step over a running hash. */
static uint64_t mix(uint64_t h, uint64_t value)
{
	h ^= value + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
	h = (h ^ h >> 27) * 0x94d049bb133111ebu;
	return h ^ h >> 31;
}

static uint64_t mix_addr(uint64_t h, const struct nj_addr *addr)
{
	uint64_t half[2];
	memcpy(half, addr->byte, sizeof half);
	return mix(mix(h, half[0]), half[1]);
}

static bool grow(struct table *table)
{
	uint32_t slots_n = table->slots_n != 0 ? table->slots_n * 2 : SLOTS_LEAST;
	struct slot *slots = slots_n <= SLOTS_MOST ? calloc(slots_n, sizeof *slots) : NULL;
	if (slots == NULL)
		return false;
	for (uint32_t i = 0; i < table->slots_n; i++) {
		uint32_t at = (uint32_t)table->slots[i].key & (slots_n - 1);
		if (table->slots[i].key == 0)
			continue;
		while (slots[at].key != 0)
			at = (at + 1) & (slots_n - 1);
		slots[at] = table->slots[i];
	}
	free(table->slots);
	table->slots = slots;
	table->slots_n = slots_n;
	return true;
}

/* The slot of *key*, made if new; NULL when the table is at its bound. */
static struct slot *slot_of(struct table *table, uint64_t key)
{
	key |= key == 0;
	if (table->used * 2 >= table->slots_n && !grow(table) && table->used + 1 >= table->slots_n)
		return NULL;
	uint32_t at = (uint32_t)key & (table->slots_n - 1);
	while (table->slots[at].key != 0 && table->slots[at].key != key)
		at = (at + 1) & (table->slots_n - 1);
	if (table->slots[at].key == 0) {
		table->slots[at].key = key;
		table->used++;
	}
	return &table->slots[at];
}

static void raise_alarm(struct nj_counters *counters, enum nj_counter counter, const struct nj_window *window)
{
	if (counters->alarms_n == counters->alarms_capacity) {
		uint32_t capacity = counters->alarms_capacity != 0 ? counters->alarms_capacity * 2 : 64;
		struct nj_counter_alarm *alarms = realloc(counters->alarms, capacity * sizeof *alarms);
		if (alarms == NULL)
			return;
		counters->alarms = alarms;
		counters->alarms_capacity = capacity;
	}
	uint64_t period_ns = rows[counter].period_s * UINT64_C(1000000000);
	counters->alarms[counters->alarms_n++] =
		(struct nj_counter_alarm){.agent = window->agent,
					  .counter = counter,
					  .start_ns = window->start_ns / period_ns * period_ns,
					  .time_ns = window->start_ns + window->width_ms * UINT64_C(1000000)};
}

/* Adds *n* to the count of the agent (and *port*); fires once when it passes the limit. */
static void add(struct nj_counters *counters, enum nj_counter counter, const struct nj_window *window, uint32_t port,
		uint32_t n)
{
	struct slot *count = slot_of(&counters->tables[counter],
				     mix(mix_addr(mix(counter + 1, window->agent.segment), &window->agent.addr), port));
	if (count == NULL)
		return;
	uint32_t before = count->count;
	count->count = before + n < before ? UINT32_MAX : before + n;
	if (before > rows[counter].above || count->count <= rows[counter].above)
		return;
	/* Per port it may pass the limit many times in a period: one alarm is enough. */
	struct slot *told = slot_of(&counters->tables[counter],
				    mix(mix_addr(mix(counter + 101, window->agent.segment), &window->agent.addr), 0));
	if (told == NULL || told->count++ > 0)
		return;
	raise_alarm(counters, counter, window);
}

/* Whether (agent, peer, port) is new in this period. */
static bool is_new(struct nj_counters *counters, enum nj_counter counter, const struct nj_window *window,
		   const struct nj_addr *peer, uint32_t port)
{
	uint64_t key = mix_addr(mix_addr(mix(counter + 201, window->agent.segment), &window->agent.addr), peer);
	struct slot *slot = slot_of(&counters->tables[counter], mix(key, port));
	return slot != NULL && slot->count++ == 0;
}

static void start_periods(struct nj_counters *counters, uint64_t t_ns)
{
	for (unsigned i = 0; i < NJ_COUNTERS_N; i++) {
		struct table *table = &counters->tables[i];
		uint64_t period = t_ns / (rows[i].period_s * UINT64_C(1000000000));
		if (period == table->period)
			continue;
		table->period = period;
		table->used = 0;
		if (table->slots != NULL)
			memset(table->slots, 0, table->slots_n * sizeof *table->slots);
	}
}

static void count_contact(struct nj_counters *counters, const struct nj_window *window,
			  const struct nj_contact *contact)
{
	uint32_t failed = contact->refused + contact->unanswered + contact->reset;
	if (contact->role != NJ_ROLE_CLIENT)
		return;
	if (contact->opened > 0 && is_new(counters, NJ_COUNTER_DESTINATIONS, window, &contact->peer, 0))
		add(counters, NJ_COUNTER_DESTINATIONS, window, 0, 1);
	if (failed == 0)
		return;
	if (is_new(counters, NJ_COUNTER_FAILED_HOSTS, window, &contact->peer, 0))
		add(counters, NJ_COUNTER_FAILED_HOSTS, window, 0, 1);
	if (is_new(counters, NJ_COUNTER_FAILED_PER_PORT, window, &contact->peer, contact->port + 1u))
		add(counters, NJ_COUNTER_FAILED_PER_PORT, window, contact->port + 1u, 1);
	add(counters, NJ_COUNTER_INCOMPLETE, window, 0, failed);
}

void nj_counters_window(struct nj_counters *counters, const struct nj_window *window)
{
	start_periods(counters, window->start_ns);
	for (uint32_t i = 0; i < window->contacts_n; i++)
		count_contact(counters, window, &window->contacts[i]);
	/* Contacts beyond the cap are known by number only: each is a peer and port of its own. */
	uint32_t rest_failed =
		window->features.rest_failed > UINT32_MAX ? UINT32_MAX : (uint32_t)window->features.rest_failed;
	uint32_t rest =
		window->features.contacts_rest > UINT32_MAX ? UINT32_MAX : (uint32_t)window->features.contacts_rest;
	if (rest_failed > 0) {
		add(counters, NJ_COUNTER_FAILED_HOSTS, window, 0, rest_failed);
		add(counters, NJ_COUNTER_FAILED_PER_PORT, window, 0, rest_failed);
		add(counters, NJ_COUNTER_INCOMPLETE, window, 0, rest_failed);
	}
	if (rest > 0)
		add(counters, NJ_COUNTER_DESTINATIONS, window, 0, rest);
}
