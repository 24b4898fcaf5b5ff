/* Seven tables of the same make: a pool of entries filled from the front, and an open-addressing index of 32-bit places
 * over it, twice as large. Each entry knows its place in the index, so that emptying costs what was used, not what
 * there is. Entries of one agent form a chain.
 *
 * Sweeping: agents are sorted by one merge sort over 32-byte references; of each agent the contacts are sorted the same
 * way by (peer, port, protocol), copied out in that order, and the few that differ only in application or role put
 * right by insertion. */
#include "sensor/ledger.h"

#include "common/block.h"
#include "models/ddsketch.h"
#include "models/hll.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define AGENTS_SHARE          2 /* one for so many entries */
#define ANSWERS_SHARE         2
#define DOMAINS_SHARE         8
#define CLIENTS_SHARE         8
#define EXCHANGES_SHARE       8
#define TOOLS_SHARE           32
#define VECTOR_BYTES_OF_ENTRY 192

struct table {
	uint32_t *index; /* entry + 1, 0 empty */
	uint32_t mask, used, entries_max;
	uint64_t lost;
};

struct link {
	uint32_t agent, next; /* chain of the agent */
	uint32_t place, hash; /* in the index */
};

struct contact_entry {
	struct link link;
	struct nj_contact contact;
};

struct domain_entry {
	struct link link;
	struct nj_domain domain;
};

struct client_entry {
	struct link link;
	struct nj_client client;
};

struct exchange_entry {
	struct link link;
	struct nj_exchange exchange;
};

struct tool_entry {
	struct link link;
	struct nj_tool tool;
};

struct answer_entry {
	struct link link;
	struct nj_addr server;
	uint16_t port;
	uint16_t size; /* quantised */
	uint32_t count;
};

struct agent_entry {
	struct link link;
	struct nj_agent_id id;
	uint32_t contacts, domains, clients, answers, exchanges, tools; /* first of each chain, NJ_LEDGER_NONE */
	uint32_t contacts_n, domains_n, clients_n, exchanges_n, tools_n;
	void *vector[NJ_LEDGER_VECTORS_N];
	struct nj_features features;
};

/* What is sorted: a key as numbers that compare like the canonical order, and where it belongs. */
struct reference {
	uint32_t first;
	uint32_t entry;
	uint64_t high, low;
	uint32_t last;
	uint32_t padding;
};

struct nj_ledger {
	const struct nj_hash_key *key;
	uint32_t entries_max;
	struct table agents, contacts, domains, clients, answers, exchanges, tools;
	struct agent_entry *agent;
	struct contact_entry *contact;
	struct domain_entry *domain;
	struct client_entry *client;
	struct answer_entry *answer;
	struct exchange_entry *exchange;
	struct tool_entry *tool;
	struct reference *order, *scratch;       /* of agents */
	struct reference *inner, *inner_scratch; /* of one agent's list */
	struct nj_contact *contacts_out;
	struct nj_domain *domains_out;
	struct nj_client *clients_out;
	struct nj_exchange *exchanges_out;
	struct nj_tool *tools_out;
	struct nj_arena vectors;
	struct nj_features nowhere;
	uint64_t lost;
};

static uint32_t share(uint32_t entries_max, uint32_t of)
{
	return entries_max / of + 16;
}

static uint32_t index_size(uint32_t entries_max)
{
	uint32_t size = 64;
	while (size < 2 * entries_max)
		size *= 2;
	return size;
}

static uint64_t table_bytes(uint32_t entries_max, size_t entry)
{
	return (uint64_t)entries_max * entry + (uint64_t)index_size(entries_max) * sizeof(uint32_t);
}

uint64_t nj_ledger_memory_bytes(uint32_t n)
{
	return sizeof(struct nj_ledger) + table_bytes(share(n, AGENTS_SHARE), sizeof(struct agent_entry)) +
	       table_bytes(n, sizeof(struct contact_entry)) +
	       table_bytes(share(n, DOMAINS_SHARE), sizeof(struct domain_entry)) +
	       table_bytes(share(n, CLIENTS_SHARE), sizeof(struct client_entry)) +
	       table_bytes(share(n, ANSWERS_SHARE), sizeof(struct answer_entry)) +
	       table_bytes(share(n, EXCHANGES_SHARE), sizeof(struct exchange_entry)) +
	       table_bytes(share(n, TOOLS_SHARE), sizeof(struct tool_entry)) +
	       (uint64_t)share(n, EXCHANGES_SHARE) * sizeof(struct nj_exchange) +
	       (uint64_t)share(n, TOOLS_SHARE) * sizeof(struct nj_tool) +
	       2 * (uint64_t)(share(n, AGENTS_SHARE) + n) * sizeof(struct reference) +
	       (uint64_t)n * sizeof(struct nj_contact) + (uint64_t)share(n, DOMAINS_SHARE) * sizeof(struct nj_domain) +
	       (uint64_t)share(n, CLIENTS_SHARE) * sizeof(struct nj_client) + (uint64_t)n * VECTOR_BYTES_OF_ENTRY +
	       4096;
}

uint64_t nj_ledger_windows_bytes(uint32_t n)
{
	return (uint64_t)share(n, AGENTS_SHARE) * (sizeof(struct nj_window) + 64) +
	       (uint64_t)n * (sizeof(struct nj_contact) + VECTOR_BYTES_OF_ENTRY) +
	       (uint64_t)share(n, DOMAINS_SHARE) * sizeof(struct nj_domain) +
	       (uint64_t)share(n, CLIENTS_SHARE) * sizeof(struct nj_client) +
	       (uint64_t)share(n, EXCHANGES_SHARE) * sizeof(struct nj_exchange) +
	       (uint64_t)share(n, TOOLS_SHARE) * sizeof(struct nj_tool) + 8192;
}

static bool table_init(struct table *table, uint32_t entries_max, size_t entry_bytes, void **ret_entries)
{
	uint32_t size = index_size(entries_max);
	*table = (struct table){
		.index = nj_block_new(size * sizeof(uint32_t)), .mask = size - 1, .entries_max = entries_max};
	*ret_entries = nj_block_new(entries_max * entry_bytes);
	return table->index != NULL && *ret_entries != NULL;
}

static void table_fini(struct table *table, void *entries, size_t entry_bytes)
{
	nj_block_free(table->index, ((size_t)table->mask + 1) * sizeof(uint32_t));
	nj_block_free(entries, table->entries_max * entry_bytes);
}

static bool tables_init(struct nj_ledger *l, uint32_t n)
{
	void *agent = NULL, *contact = NULL, *domain = NULL, *client = NULL, *answer = NULL, *exchange = NULL,
	     *tool = NULL;
	bool ok = table_init(&l->agents, share(n, AGENTS_SHARE), sizeof *l->agent, &agent);
	ok = table_init(&l->contacts, n, sizeof *l->contact, &contact) && ok;
	ok = table_init(&l->domains, share(n, DOMAINS_SHARE), sizeof *l->domain, &domain) && ok;
	ok = table_init(&l->clients, share(n, CLIENTS_SHARE), sizeof *l->client, &client) && ok;
	ok = table_init(&l->answers, share(n, ANSWERS_SHARE), sizeof *l->answer, &answer) && ok;
	ok = table_init(&l->exchanges, share(n, EXCHANGES_SHARE), sizeof *l->exchange, &exchange) && ok;
	ok = table_init(&l->tools, share(n, TOOLS_SHARE), sizeof *l->tool, &tool) && ok;
	l->agent = agent;
	l->contact = contact;
	l->domain = domain;
	l->client = client;
	l->answer = answer;
	l->exchange = exchange;
	l->tool = tool;
	return ok;
}

int nj_ledger_new(uint32_t entries_max, const struct nj_hash_key *key, struct nj_ledger **ret_ledger)
{
	assert(entries_max >= 64);
	assert(entries_max < 1u << 28);
	struct nj_ledger *l = calloc(1, sizeof *l);
	if (l == NULL)
		return NJ_ERR_MEMORY;
	l->key = key;
	l->entries_max = entries_max;
	bool ok = tables_init(l, entries_max);
	l->order = malloc(share(entries_max, AGENTS_SHARE) * sizeof *l->order);
	l->scratch = malloc(share(entries_max, AGENTS_SHARE) * sizeof *l->scratch);
	l->inner = malloc(entries_max * sizeof *l->inner);
	l->inner_scratch = malloc(entries_max * sizeof *l->inner_scratch);
	l->contacts_out = malloc(entries_max * sizeof *l->contacts_out);
	l->domains_out = malloc(share(entries_max, DOMAINS_SHARE) * sizeof *l->domains_out);
	l->clients_out = malloc(share(entries_max, CLIENTS_SHARE) * sizeof *l->clients_out);
	l->exchanges_out = malloc(share(entries_max, EXCHANGES_SHARE) * sizeof *l->exchanges_out);
	l->tools_out = malloc(share(entries_max, TOOLS_SHARE) * sizeof *l->tools_out);
	ok = ok && l->exchanges_out && l->tools_out;
	ok = ok && l->order && l->scratch && l->inner && l->inner_scratch && l->contacts_out && l->domains_out &&
	     l->clients_out;
	if (!ok || nj_arena_init(&l->vectors, (size_t)entries_max * VECTOR_BYTES_OF_ENTRY + 4096) != NJ_OK) {
		nj_ledger_free(&l);
		return NJ_ERR_MEMORY;
	}
	*ret_ledger = l;
	return NJ_OK;
}

void nj_ledger_free(struct nj_ledger **ledger)
{
	struct nj_ledger *l = *ledger;
	if (l == NULL)
		return;
	table_fini(&l->agents, l->agent, sizeof *l->agent);
	table_fini(&l->contacts, l->contact, sizeof *l->contact);
	table_fini(&l->domains, l->domain, sizeof *l->domain);
	table_fini(&l->clients, l->client, sizeof *l->client);
	table_fini(&l->answers, l->answer, sizeof *l->answer);
	table_fini(&l->exchanges, l->exchange, sizeof *l->exchange);
	table_fini(&l->tools, l->tool, sizeof *l->tool);
	void *blocks[] = {l->order,       l->scratch,     l->inner,         l->inner_scratch, l->contacts_out,
			  l->domains_out, l->clients_out, l->exchanges_out, l->tools_out};
	for (unsigned i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
		free(blocks[i]);
	nj_arena_fini(&l->vectors);
	free(l);
	*ledger = NULL;
}

/* Takes the next entry for the empty place *place*; NJ_LEDGER_NONE when the table is full. */
static uint32_t table_take(struct table *table, uint32_t place, uint32_t hash,
			   struct link *(*link_of)(struct nj_ledger *, uint32_t), struct nj_ledger *ledger)
{
	if (table->used == table->entries_max) {
		table->lost++;
		return NJ_LEDGER_NONE;
	}
	uint32_t entry = table->used++;
	table->index[place] = entry + 1;
	*link_of(ledger, entry) =
		(struct link){.agent = NJ_LEDGER_NONE, .next = NJ_LEDGER_NONE, .place = place, .hash = hash};
	return entry;
}

static struct link *agent_link(struct nj_ledger *l, uint32_t entry)
{
	return &l->agent[entry].link;
}

static struct link *contact_link(struct nj_ledger *l, uint32_t entry)
{
	return &l->contact[entry].link;
}

static struct link *domain_link(struct nj_ledger *l, uint32_t entry)
{
	return &l->domain[entry].link;
}

static struct link *client_link(struct nj_ledger *l, uint32_t entry)
{
	return &l->client[entry].link;
}

static struct link *answer_link(struct nj_ledger *l, uint32_t entry)
{
	return &l->answer[entry].link;
}

static struct link *exchange_link(struct nj_ledger *l, uint32_t entry)
{
	return &l->exchange[entry].link;
}

static struct link *tool_link(struct nj_ledger *l, uint32_t entry)
{
	return &l->tool[entry].link;
}

static void chain(struct link *link, uint32_t entry, uint32_t agent, uint32_t *first)
{
	link->agent = agent;
	link->next = *first;
	*first = entry;
}

uint32_t nj_ledger_addr_hash(const struct nj_ledger *l, const struct nj_addr *addr, nj_segment segment)
{
	struct nj_agent_id id = {.addr = *addr, .segment = segment};
	return (uint32_t)nj_hash64(&id, sizeof id, l->key);
}

uint32_t nj_ledger_agent(struct nj_ledger *l, const struct nj_addr *addr, nj_segment segment, uint32_t hash)
{
	uint32_t place = hash & l->agents.mask;
	for (; l->agents.index[place] != 0; place = (place + 1) & l->agents.mask) {
		const struct agent_entry *entry = &l->agent[l->agents.index[place] - 1];
		if (entry->link.hash == hash && entry->id.segment == segment && nj_addr_equal(&entry->id.addr, addr))
			return l->agents.index[place] - 1;
	}
	uint32_t agent = table_take(&l->agents, place, hash, agent_link, l);
	if (agent == NJ_LEDGER_NONE)
		return agent;
	struct agent_entry *entry = &l->agent[agent];
	memset((uint8_t *)entry + sizeof entry->link, 0, sizeof *entry - sizeof entry->link);
	entry->id = (struct nj_agent_id){.addr = *addr, .segment = segment};
	entry->contacts = NJ_LEDGER_NONE;
	entry->domains = NJ_LEDGER_NONE;
	entry->clients = NJ_LEDGER_NONE;
	entry->answers = NJ_LEDGER_NONE;
	entry->exchanges = NJ_LEDGER_NONE;
	entry->tools = NJ_LEDGER_NONE;
	return agent;
}

uint32_t nj_ledger_call(const struct nj_ledger *l, uint32_t hash)
{
	uint32_t at = l->agents.index[hash & l->agents.mask];
	return at != 0 ? l->agent[at - 1].link.hash : 0;
}

struct nj_features *nj_ledger_features(struct nj_ledger *l, uint32_t agent)
{
	return agent != NJ_LEDGER_NONE ? &l->agent[agent].features : &l->nowhere;
}

/* The peer's hash is keyed, so what is mixed into it need not be. */
static uint32_t contact_hash(const struct nj_ledger_contact_key *key)
{
	uint64_t rest =
		(uint64_t)key->agent << 32 | (uint32_t)key->port << 16 | (uint32_t)key->protocol << 8 | key->role;
	uint64_t hash = (key->peer_hash ^ rest) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(hash >> 32 ^ hash >> 17);
}

static bool contact_is(const struct contact_entry *entry, const struct nj_ledger_contact_key *key,
		       const char app[NJ_APP_TEXT_MAX])
{
	return entry->link.agent == key->agent && entry->contact.port == key->port &&
	       entry->contact.protocol == key->protocol && entry->contact.role == key->role &&
	       nj_addr_equal(&entry->contact.peer, &key->peer) && memcmp(entry->contact.app, app, NJ_APP_TEXT_MAX) == 0;
}

struct nj_contact *nj_ledger_contact(struct nj_ledger *l, const struct nj_ledger_contact_key *key,
				     const char app[NJ_APP_TEXT_MAX])
{
	if (key->agent == NJ_LEDGER_NONE) {
		l->lost++;
		return NULL;
	}
	uint32_t hash = contact_hash(key), place = hash & l->contacts.mask;
	for (; l->contacts.index[place] != 0; place = (place + 1) & l->contacts.mask) {
		struct contact_entry *entry = &l->contact[l->contacts.index[place] - 1];
		if (entry->link.hash == hash && contact_is(entry, key, app))
			return &entry->contact;
	}
	struct agent_entry *agent = &l->agent[key->agent];
	uint32_t taken = table_take(&l->contacts, place, hash, contact_link, l);
	if (taken == NJ_LEDGER_NONE) {
		agent->features.contacts_lost++;
		l->lost++;
		return NULL;
	}
	struct contact_entry *entry = &l->contact[taken];
	chain(&entry->link, taken, key->agent, &agent->contacts);
	agent->contacts_n++;
	memset(&entry->contact, 0, sizeof entry->contact);
	entry->contact.peer = key->peer;
	entry->contact.port = key->port;
	entry->contact.protocol = key->protocol;
	entry->contact.role = key->role;
	memcpy(entry->contact.app, app, NJ_APP_TEXT_MAX);
	return &entry->contact;
}

/* A longer name keeps its last bytes: the end of a name says most. */
static void name_cut(char *into, size_t size, const char *name)
{
	size_t length = strlen(name);
	memcpy(into, length < size ? name : name + length - (size - 1), length < size ? length + 1 : size);
}

struct nj_domain *nj_ledger_domain(struct nj_ledger *l, uint32_t agent, const char *name)
{
	if (agent == NJ_LEDGER_NONE)
		return NULL;
	char cut[NJ_DOMAIN_TEXT_MAX];
	name_cut(cut, sizeof cut, name);
	uint32_t hash = (uint32_t)nj_hash64(cut, strlen(cut), l->key) + agent * 2654435761u,
		 place = hash & l->domains.mask;
	for (; l->domains.index[place] != 0; place = (place + 1) & l->domains.mask) {
		struct domain_entry *entry = &l->domain[l->domains.index[place] - 1];
		if (entry->link.hash == hash && entry->link.agent == agent && strcmp(entry->domain.name, cut) == 0)
			return &entry->domain;
	}
	uint32_t taken = table_take(&l->domains, place, hash, domain_link, l);
	if (taken == NJ_LEDGER_NONE) {
		l->lost++;
		return NULL;
	}
	struct domain_entry *entry = &l->domain[taken];
	chain(&entry->link, taken, agent, &l->agent[agent].domains);
	l->agent[agent].domains_n++;
	memset(&entry->domain, 0, sizeof entry->domain);
	memcpy(entry->domain.name, cut, sizeof cut);
	memset(entry->domain.name + strlen(cut), 0, sizeof cut - strlen(cut));
	return &entry->domain;
}

struct nj_client *nj_ledger_client(struct nj_ledger *l, uint32_t agent, uint8_t kind, const char *text)
{
	if (agent == NJ_LEDGER_NONE)
		return NULL;
	char cut[NJ_CLIENT_TEXT_MAX] = {0};
	memcpy(cut, text, strnlen(text, sizeof cut - 1));
	uint32_t hash = (uint32_t)nj_hash64(cut, strlen(cut), l->key) + agent * 2654435761u + kind,
		 place = hash & l->clients.mask;
	for (; l->clients.index[place] != 0; place = (place + 1) & l->clients.mask) {
		struct client_entry *entry = &l->client[l->clients.index[place] - 1];
		if (entry->link.hash == hash && entry->link.agent == agent && entry->client.kind == kind &&
		    strcmp(entry->client.text, cut) == 0)
			return &entry->client;
	}
	uint32_t taken = table_take(&l->clients, place, hash, client_link, l);
	if (taken == NJ_LEDGER_NONE) {
		l->lost++;
		return NULL;
	}
	struct client_entry *entry = &l->client[taken];
	chain(&entry->link, taken, agent, &l->agent[agent].clients);
	l->agent[agent].clients_n++;
	memset(&entry->client, 0, sizeof entry->client);
	entry->client.kind = kind;
	memcpy(entry->client.text, cut, sizeof cut);
	return &entry->client;
}

/* An exchange is told once a window: nobody looks it up, so its place in the index is any free one. */
void nj_ledger_exchange(struct nj_ledger *l, uint32_t agent, const struct nj_exchange *exchange)
{
	if (agent == NJ_LEDGER_NONE)
		return;
	uint32_t hash = (uint32_t)(exchange->start_ns * 0x9e3779b97f4a7c15ull >> 32), place = hash & l->exchanges.mask;
	while (l->exchanges.index[place] != 0)
		place = (place + 1) & l->exchanges.mask;
	uint32_t taken = table_take(&l->exchanges, place, hash, exchange_link, l);
	if (taken == NJ_LEDGER_NONE) {
		l->lost++;
		return;
	}
	chain(&l->exchange[taken].link, taken, agent, &l->agent[agent].exchanges);
	l->agent[agent].exchanges_n++;
	l->exchange[taken].exchange = *exchange;
}

void nj_ledger_tool(struct nj_ledger *l, uint32_t agent, const struct nj_tool *tool)
{
	if (agent == NJ_LEDGER_NONE)
		return;
	uint32_t hash = (uint32_t)nj_hash64(tool->name, strlen(tool->name), l->key) + agent * 2654435761u + tool->port,
		 place = hash & l->tools.mask;
	for (; l->tools.index[place] != 0; place = (place + 1) & l->tools.mask) {
		struct tool_entry *entry = &l->tool[l->tools.index[place] - 1];
		if (entry->link.hash == hash && entry->link.agent == agent &&
		    nj_tool_compare(&entry->tool, tool) == 0) {
			nj_tool_add(&entry->tool, tool);
			return;
		}
	}
	uint32_t taken = table_take(&l->tools, place, hash, tool_link, l);
	if (taken == NJ_LEDGER_NONE) {
		l->lost++;
		return;
	}
	chain(&l->tool[taken].link, taken, agent, &l->agent[agent].tools);
	l->agent[agent].tools_n++;
	l->tool[taken].tool = *tool;
}

/* Sixteenths of an octave: the exponent and the next four bits; exact below 16. */
static uint16_t quantise(uint64_t bytes)
{
	if (bytes < 16)
		return (uint16_t)bytes;
	unsigned exponent = 63 - (unsigned)__builtin_clzll(bytes);
	return (uint16_t)(exponent << 4 | (bytes >> (exponent - 4) & 15));
}

void nj_ledger_answer(struct nj_ledger *l, uint32_t agent, const struct nj_addr *server, uint16_t port, uint64_t bytes)
{
	if (agent == NJ_LEDGER_NONE)
		return;
	struct {
		struct nj_addr server;
		uint16_t port, size;
		uint32_t agent;
	} key = {*server, port, quantise(bytes), agent};
	uint32_t hash = (uint32_t)nj_hash64(&key, sizeof key, l->key), place = hash & l->answers.mask;
	for (; l->answers.index[place] != 0; place = (place + 1) & l->answers.mask) {
		struct answer_entry *entry = &l->answer[l->answers.index[place] - 1];
		if (entry->link.hash == hash && entry->link.agent == agent && entry->size == key.size &&
		    entry->port == port && nj_addr_equal(&entry->server, server)) {
			entry->count++;
			return;
		}
	}
	uint32_t taken = table_take(&l->answers, place, hash, answer_link, l);
	if (taken == NJ_LEDGER_NONE)
		return;
	struct answer_entry *entry = &l->answer[taken];
	chain(&entry->link, taken, agent, &l->agent[agent].answers);
	entry->server = *server;
	entry->port = port;
	entry->size = key.size;
	entry->count = 1;
}

static void *vector_of(struct nj_ledger *l, uint32_t agent, enum nj_ledger_vector vector, size_t size)
{
	if (agent == NJ_LEDGER_NONE)
		return NULL;
	void **at = &l->agent[agent].vector[vector];
	if (*at == NULL) {
		*at = nj_arena_take(&l->vectors, size);
		if (*at == NULL)
			l->lost++;
	}
	return *at;
}

void nj_ledger_histogram(struct nj_ledger *l, uint32_t agent, enum nj_ledger_vector vector, uint64_t value)
{
	uint32_t *counts = vector_of(l, agent, vector, NJ_HISTOGRAM_BUCKETS * sizeof *counts);
	if (counts != NULL)
		nj_ddsketch_add(counts, value);
}

void nj_ledger_distinct(struct nj_ledger *l, uint32_t agent, enum nj_ledger_vector vector, const void *data,
			size_t size)
{
	uint8_t *registers = vector_of(l, agent, vector, NJ_DISTINCT_REGISTERS);
	if (registers != NULL)
		nj_registers_add(registers, nj_hash64(data, size, l->key));
}

void nj_ledger_burst(struct nj_contact *contact, uint16_t burst_ms)
{
	unsigned at = contact->bursts_n;
	while (at > 0 && contact->burst_ms[at - 1] > burst_ms)
		at--;
	if (at == NJ_CONTACT_BURSTS_MAX)
		return;
	if (contact->bursts_n < NJ_CONTACT_BURSTS_MAX)
		contact->bursts_n++;
	memmove(contact->burst_ms + at + 1, contact->burst_ms + at,
		(contact->bursts_n - at - 1u) * sizeof *contact->burst_ms);
	contact->burst_ms[at] = burst_ms;
}

uint64_t nj_ledger_lost(const struct nj_ledger *l)
{
	return l->lost;
}

bool nj_ledger_is_crowded(const struct nj_ledger *l)
{
	return l->agents.used > l->agents.entries_max / 2 || l->contacts.used > l->contacts.entries_max / 2;
}

void nj_ledger_lose(struct nj_ledger *l, uint32_t contacts)
{
	l->lost += contacts;
}

uint32_t nj_ledger_agents_n(const struct nj_ledger *l)
{
	return l->agents.used;
}

/* ------------------------------------------------------------------ sweep */

static uint64_t big_endian(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof value);
	return __builtin_bswap64(value);
}

static bool reference_less(const struct reference *a, const struct reference *b)
{
	if (a->first != b->first)
		return a->first < b->first;
	if (a->high != b->high)
		return a->high < b->high;
	if (a->low != b->low)
		return a->low < b->low;
	return a->last < b->last;
}

static void insertion_sort(struct reference *r, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		struct reference moving = r[i];
		uint32_t at = i;
		for (; at > 0 && reference_less(&moving, &r[at - 1]); at--)
			r[at] = r[at - 1];
		r[at] = moving;
	}
}

#define RUN 16

/* Bottom-up merge sort of runs made by insertion; result in *r*. */
static void sort(struct reference *r, struct reference *scratch, uint32_t n)
{
	for (uint32_t at = 0; at < n; at += RUN)
		insertion_sort(r + at, n - at < RUN ? n - at : RUN);
	struct reference *from = r, *to = scratch;
	for (uint64_t width = RUN; width < n; width *= 2) {
		for (uint64_t at = 0; at < n; at += 2 * width) {
			uint64_t middle = at + width < n ? at + width : n,
				 end = at + 2 * width < n ? at + 2 * width : n;
			uint64_t left = at, right = middle;
			for (uint64_t out = at; out < end; out++)
				to[out] = left < middle && (right >= end || !reference_less(&from[right], &from[left]))
						  ? from[left++]
						  : from[right++];
		}
		struct reference *swap = from;
		from = to;
		to = swap;
	}
	if (from != r)
		memcpy(r, from, n * sizeof *r);
}

static void contacts_settle_ties(struct nj_contact *contacts, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		if (nj_contact_compare(&contacts[i - 1], &contacts[i]) <= 0)
			continue;
		struct nj_contact moving = contacts[i];
		uint32_t at = i;
		for (; at > 0 && nj_contact_compare(&moving, &contacts[at - 1]) < 0; at--)
			contacts[at] = contacts[at - 1];
		contacts[at] = moving;
	}
}

static void contacts_out(struct nj_ledger *l, const struct agent_entry *agent)
{
	uint32_t n = 0;
	for (uint32_t at = agent->contacts; at != NJ_LEDGER_NONE; at = l->contact[at].link.next) {
		const struct nj_contact *c = &l->contact[at].contact;
		l->inner[n++] = (struct reference){.entry = at,
						   .high = big_endian(c->peer.byte),
						   .low = big_endian(c->peer.byte + 8),
						   .last = (uint32_t)c->port << 16 | (uint32_t)c->protocol << 8};
	}
	assert(n == agent->contacts_n);
	sort(l->inner, l->inner_scratch, n);
	for (uint32_t i = 0; i < n; i++)
		l->contacts_out[i] = l->contact[l->inner[i].entry].contact;
	contacts_settle_ties(l->contacts_out, n);
}

static int domain_compare(const void *a, const void *b)
{
	return strcmp(((const struct nj_domain *)a)->name, ((const struct nj_domain *)b)->name);
}

static int client_compare(const void *a, const void *b)
{
	const struct nj_client *left = a, *right = b;
	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return strcmp(left->text, right->text);
}

/* In place, in O(n log n) at worst and without allocating, which qsort() does not promise. *swap* holds one element. */
static void heap_sort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *), void *swap)
{
	uint8_t *b = base;
	for (size_t build = n / 2, end = n; end > 1;) {
		size_t root;
		if (build > 0) {
			root = --build;
		} else {
			end--;
			memcpy(swap, b, size);
			memcpy(b, b + end * size, size);
			memcpy(b + end * size, swap, size);
			root = 0;
		}
		for (size_t child = 2 * root + 1; child < end; root = child, child = 2 * root + 1) {
			if (child + 1 < end && compare(b + child * size, b + (child + 1) * size) < 0)
				child++;
			if (compare(b + root * size, b + child * size) >= 0)
				break;
			memcpy(swap, b + root * size, size);
			memcpy(b + root * size, b + child * size, size);
			memcpy(b + child * size, swap, size);
		}
	}
}

static void domains_out(struct nj_ledger *l, const struct agent_entry *agent)
{
	uint32_t n = 0;
	struct nj_domain swap;
	for (uint32_t at = agent->domains; at != NJ_LEDGER_NONE; at = l->domain[at].link.next)
		l->domains_out[n++] = l->domain[at].domain;
	heap_sort(l->domains_out, n, sizeof swap, domain_compare, &swap);
}

static void clients_out(struct nj_ledger *l, const struct agent_entry *agent)
{
	uint32_t n = 0;
	struct nj_client swap;
	for (uint32_t at = agent->clients; at != NJ_LEDGER_NONE; at = l->client[at].link.next)
		l->clients_out[n++] = l->client[at].client;
	heap_sort(l->clients_out, n, sizeof swap, client_compare, &swap);
}

static int exchange_compare(const void *a, const void *b)
{
	return nj_exchange_compare(a, b);
}

/* Gives how many there are: two of a flow may have begun at one instant, where clocks are coarse. */
static uint32_t exchanges_out(struct nj_ledger *l, const struct agent_entry *agent)
{
	uint32_t n = 0, kept = 0;
	struct nj_exchange swap, *out = l->exchanges_out;
	for (uint32_t at = agent->exchanges; at != NJ_LEDGER_NONE; at = l->exchange[at].link.next)
		out[n++] = l->exchange[at].exchange;
	heap_sort(out, n, sizeof swap, exchange_compare, &swap);
	for (uint32_t i = 0; i < n; i++) {
		if (kept > 0 && nj_exchange_compare(&out[kept - 1], &out[i]) == 0)
			nj_exchange_add(&out[kept - 1], &out[i]);
		else
			out[kept++] = out[i];
	}
	return kept;
}

static int tool_compare(const void *a, const void *b)
{
	return nj_tool_compare(a, b);
}

static void tools_out(struct nj_ledger *l, const struct agent_entry *agent)
{
	uint32_t n = 0;
	struct nj_tool swap;
	for (uint32_t at = agent->tools; at != NJ_LEDGER_NONE; at = l->tool[at].link.next)
		l->tools_out[n++] = l->tool[at].tool;
	heap_sort(l->tools_out, n, sizeof swap, tool_compare, &swap);
}

/* What the features say about flows and volume is the sum over contacts, made here while they are at hand rather than
 * flow by flow. */
static void features_of_contact(struct nj_features *f, const struct nj_contact *c)
{
	uint64_t *out = c->external ? &f->bytes_out_external : &f->bytes_out_internal;
	uint64_t *in = c->external ? &f->bytes_in_external : &f->bytes_in_internal;
	*out += c->bytes_out;
	*in += c->bytes_in;
	f->packets_out += c->packets_out;
	f->packets_in += c->packets_in;
	if (f->first_ns == 0 || c->first_ns < f->first_ns)
		f->first_ns = c->first_ns;
	if (c->last_ns > f->last_ns)
		f->last_ns = c->last_ns;
	if (c->role == NJ_ROLE_SERVER) {
		f->flows_accepted += c->opened;
		return;
	}
	f->flows_opened += c->opened;
	f->flows_answered += c->answered;
	f->flows_refused += c->refused;
	f->flows_unanswered += c->unanswered;
	f->flows_reset += c->reset;
	f->requests += c->requests;
}

static uint64_t answer_mode(const struct nj_ledger *l, const struct agent_entry *agent)
{
	uint64_t most = 0;
	for (uint32_t at = agent->answers; at != NJ_LEDGER_NONE; at = l->answer[at].link.next)
		most = l->answer[at].count > most ? l->answer[at].count : most;
	return most;
}

static void window_out(struct nj_ledger *l, struct agent_entry *agent, struct nj_window *w)
{
	if (agent->contacts_n > 1) /* most agents have one contact: it can stay where it is */
		contacts_out(l, agent);
	if (agent->domains_n > 0)
		domains_out(l, agent);
	if (agent->clients_n > 0)
		clients_out(l, agent);
	for (uint32_t at = agent->contacts; at != NJ_LEDGER_NONE; at = l->contact[at].link.next)
		features_of_contact(&agent->features, &l->contact[at].contact);
	agent->features.response_mode_count = answer_mode(l, agent);
	w->agent = agent->id;
	w->features = agent->features;
#define VECTOR_OUT(name, kind, unit, meaning) w->name = agent->vector[NJ_LEDGER_##name];
	NJ_FEATURE_VECTORS(VECTOR_OUT)
#undef VECTOR_OUT
	w->contacts = agent->contacts_n > 1    ? l->contacts_out
		      : agent->contacts_n == 1 ? &l->contact[agent->contacts].contact
					       : NULL;
	w->contacts_n = agent->contacts_n;
	w->domains = agent->domains_n > 0 ? l->domains_out : NULL;
	w->domains_n = agent->domains_n;
	w->clients = agent->clients_n > 0 ? l->clients_out : NULL;
	w->clients_n = agent->clients_n;
	w->exchanges_n = agent->exchanges_n > 0 ? exchanges_out(l, agent) : 0;
	w->exchanges = w->exchanges_n > 0 ? l->exchanges_out : NULL;
	if (agent->tools_n > 0)
		tools_out(l, agent);
	w->tools = agent->tools_n > 0 ? l->tools_out : NULL;
	w->tools_n = agent->tools_n;
}

static void table_empty(struct table *table, struct nj_ledger *l, struct link *(*link_of)(struct nj_ledger *, uint32_t))
{
	if (table->used > table->mask / 8)
		memset(table->index, 0, ((size_t)table->mask + 1) * sizeof *table->index);
	else
		for (uint32_t i = 0; i < table->used; i++)
			table->index[link_of(l, i)->place] = 0;
	table->used = 0;
}

void nj_ledger_sweep(struct nj_ledger *l, uint64_t start_ns, uint32_t width_ms,
		     void (*window)(void *context, const struct nj_window *window), void *context)
{
	uint32_t n = l->agents.used;
	for (uint32_t i = 0; i < n; i++) {
		const struct nj_agent_id *id = &l->agent[i].id;
		l->order[i] = (struct reference){.first = id->segment,
						 .entry = i,
						 .high = big_endian(id->addr.byte),
						 .low = big_endian(id->addr.byte + 8)};
	}
	sort(l->order, l->scratch, n);
	struct nj_window w = {.start_ns = start_ns, .width_ms = width_ms};
	for (uint32_t i = 0; i < n && window != NULL; i++) {
		window_out(l, &l->agent[l->order[i].entry], &w);
		window(context, &w);
	}
	table_empty(&l->agents, l, agent_link);
	table_empty(&l->contacts, l, contact_link);
	table_empty(&l->domains, l, domain_link);
	table_empty(&l->clients, l, client_link);
	table_empty(&l->answers, l, answer_link);
	table_empty(&l->exchanges, l, exchange_link);
	table_empty(&l->tools, l, tool_link);
	nj_arena_reset(&l->vectors);
	l->lost = 0;
}
