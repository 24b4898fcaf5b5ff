/* A bucketed table of 8 entries a bucket, as a cache has it: the key's low bits choose the bucket, and where all eight
 * are taken the one fewest agents used lately goes. A flood of one-time destinations therefore pushes out other
 * one-time destinations, never what many agents use. */
#include "aggregator/fleet.h"

#include "aggregator/snapshot.h"
#include "common/block.h"
#include "models/ddsketch.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WAYS   8
#define DAY_NS (86400ull * 1000000000ull)

struct entry {
	uint64_t key; /* 0: free */
	uint32_t day; /* that *today* counts */
	uint32_t today, before;
	uint32_t answered, failed;
	uint32_t reserved;
};
_Static_assert(sizeof(struct entry) == 32, "two entries a cache line");

struct group {
	char name[64];
	uint32_t sketch[NJ_FLEET_QUANTITIES][NJ_HISTOGRAM_BUCKETS];
	uint64_t n[NJ_FLEET_QUANTITIES];
};

struct nj_fleet {
	struct entry *entries;
	uint64_t buckets_mask;
	struct entry agents; /* how many were active */
	uint64_t evicted;
	uint32_t groups_n;
	struct group groups[NJ_FLEET_GROUPS_MAX];
};

static uint64_t buckets_of(uint32_t entries_max)
{
	uint64_t buckets = 16;
	while (buckets * WAYS < entries_max)
		buckets *= 2;
	return buckets;
}

uint64_t nj_fleet_memory_bytes(uint32_t entries_max)
{
	return sizeof(struct nj_fleet) + buckets_of(entries_max) * WAYS * sizeof(struct entry);
}

int nj_fleet_new(uint32_t entries_max, struct nj_fleet **ret_fleet)
{
	struct nj_fleet *fleet = calloc(1, sizeof *fleet);
	if (fleet == NULL)
		return NJ_ERR_MEMORY;
	uint64_t buckets = buckets_of(entries_max);
	fleet->entries = nj_block_new(buckets * WAYS * sizeof *fleet->entries);
	if (fleet->entries == NULL) {
		free(fleet);
		return NJ_ERR_MEMORY;
	}
	fleet->buckets_mask = buckets - 1;
	fleet->groups_n = 2;
	strcpy(fleet->groups[0].name, "home networks");
	strcpy(fleet->groups[1].name, "outside");
	*ret_fleet = fleet;
	return 0;
}

void nj_fleet_free(struct nj_fleet **fleet)
{
	if (*fleet == NULL)
		return;
	nj_block_free((*fleet)->entries, ((*fleet)->buckets_mask + 1) * WAYS * sizeof *(*fleet)->entries);
	free(*fleet);
	*fleet = NULL;
}

static uint64_t key_of(enum nj_fleet_kind kind, const void *data, size_t size, const struct nj_hash_key *key)
{
	uint64_t hash = nj_hash64(data, size, key) * 0x9e3779b97f4a7c15ull + (uint64_t)kind;
	return hash != 0 ? hash : 1;
}

uint64_t nj_fleet_service_key(const struct nj_addr *peer, uint16_t port, uint8_t protocol,
			      const struct nj_hash_key *key)
{
	uint8_t bytes[19];
	memcpy(bytes, peer->byte, 16);
	bytes[16] = (uint8_t)(port >> 8);
	bytes[17] = (uint8_t)port;
	bytes[18] = protocol;
	return key_of(NJ_FLEET_SERVICE, bytes, sizeof bytes, key);
}

uint64_t nj_fleet_host_key(const struct nj_addr *peer, const struct nj_hash_key *key)
{
	return key_of(NJ_FLEET_HOST, peer->byte, sizeof peer->byte, key);
}

uint64_t nj_fleet_name_key(const char *name, const struct nj_hash_key *key)
{
	return key_of(NJ_FLEET_NAME, name, strlen(name), key);
}

uint64_t nj_fleet_domain_key(const char *domain, const struct nj_hash_key *key)
{
	return key_of(NJ_FLEET_DOMAIN, domain, strlen(domain), key);
}

static struct entry *bucket_of(const struct nj_fleet *fleet, uint64_t key)
{
	return &fleet->entries[(key >> 8 & fleet->buckets_mask) * WAYS];
}

/* Agents on the day of t_ns or the day before it, the larger. */
static uint32_t agents_of(const struct entry *entry, uint32_t day)
{
	if (entry->day == day)
		return entry->today > entry->before ? entry->today : entry->before;
	return entry->day + 1 == day ? entry->today : 0;
}

static void roll(struct entry *entry, uint32_t day)
{
	if (entry->day >= day)
		return;
	entry->before = entry->day + 1 == day ? entry->today : 0;
	entry->today = 0;
	entry->day = day;
}

static uint32_t day_of(uint64_t t_ns)
{
	return (uint32_t)(t_ns / DAY_NS);
}

struct nj_fleet_use nj_fleet_use(const struct nj_fleet *fleet, uint64_t key, uint64_t t_ns)
{
	const struct entry *bucket = bucket_of(fleet, key);
	for (int i = 0; i < WAYS; i++)
		if (bucket[i].key == key)
			return (struct nj_fleet_use){.agents = agents_of(&bucket[i], day_of(t_ns)),
						     .answered = bucket[i].answered,
						     .failed = bucket[i].failed};
	return (struct nj_fleet_use){0};
}

uint32_t nj_fleet_agents(const struct nj_fleet *fleet, uint64_t t_ns)
{
	return agents_of(&fleet->agents, day_of(t_ns));
}

double nj_fleet_prevalence(const struct nj_fleet *fleet, uint64_t key, uint64_t t_ns)
{
	uint32_t agents = nj_fleet_agents(fleet, t_ns);
	if (agents < 2)
		return 0;
	double share = (double)nj_fleet_use(fleet, key, t_ns).agents / agents;
	return share < 1 ? share : 1;
}

static uint32_t add_saturating(uint32_t a, uint32_t b)
{
	uint32_t sum = a + b;
	return sum >= a ? sum : UINT32_MAX;
}

/* Free, else the one fewest agents used lately. */
static struct entry *place_in(struct entry *bucket, uint32_t day)
{
	struct entry *at = &bucket[0];
	for (int i = 1; i < WAYS && at->key != 0; i++)
		if (bucket[i].key == 0 || agents_of(&bucket[i], day) < agents_of(at, day))
			at = &bucket[i];
	return at;
}

void nj_fleet_add(struct nj_fleet *fleet, const struct nj_fleet_fact *fact, uint64_t t_ns)
{
	struct entry *bucket = bucket_of(fleet, fact->key), *at = NULL;
	uint32_t day = day_of(t_ns);
	for (int i = 0; i < WAYS && at == NULL; i++)
		if (bucket[i].key == fact->key)
			at = &bucket[i];
	if (at == NULL) {
		at = place_in(bucket, day);
		fleet->evicted += at->key != 0;
		*at = (struct entry){.key = fact->key, .day = day};
	}
	roll(at, day);
	at->today = add_saturating(at->today, fact->agents);
	at->answered = add_saturating(at->answered, fact->answered);
	at->failed = add_saturating(at->failed, fact->failed);
}

void nj_fleet_add_agent(struct nj_fleet *fleet, uint64_t t_ns)
{
	roll(&fleet->agents, day_of(t_ns));
	fleet->agents.today = add_saturating(fleet->agents.today, 1);
}

uint64_t nj_fleet_evicted(const struct nj_fleet *fleet)
{
	return fleet->evicted;
}

/* ---- groups */

uint32_t nj_fleet_group(struct nj_fleet *fleet, const char *name)
{
	for (uint32_t i = 0; i < fleet->groups_n; i++)
		if (strncmp(fleet->groups[i].name, name, sizeof fleet->groups[i].name - 1) == 0)
			return i;
	if (fleet->groups_n == NJ_FLEET_GROUPS_MAX)
		return 0;
	strncpy(fleet->groups[fleet->groups_n].name, name, sizeof fleet->groups[0].name - 1);
	return fleet->groups_n++;
}

void nj_fleet_add_value(struct nj_fleet *fleet, uint32_t group, enum nj_fleet_quantity quantity, double value)
{
	assert(group < NJ_FLEET_GROUPS_MAX);
	struct group *g = &fleet->groups[group];
	nj_ddsketch_add(g->sketch[quantity], value > 0 ? (uint64_t)(value < 1e9 ? value : 1e9) : 0);
	g->n[quantity]++;
}

double nj_fleet_quantile(const struct nj_fleet *fleet, uint32_t group, enum nj_fleet_quantity quantity, double q,
			 uint64_t *ret_n)
{
	assert(group < NJ_FLEET_GROUPS_MAX);
	const struct group *g = &fleet->groups[group];
	if (ret_n != NULL)
		*ret_n = g->n[quantity];
	return g->n[quantity] > 0 ? nj_ddsketch_quantile(g->sketch[quantity], q) : NAN;
}

/* ---- snapshots */

static const struct nj_field entry_rows[] = {
	NJ_FIELD(struct entry, key),      NJ_FIELD(struct entry, day),      NJ_FIELD(struct entry, today),
	NJ_FIELD(struct entry, before),   NJ_FIELD(struct entry, answered), NJ_FIELD(struct entry, failed),
	NJ_FIELD(struct entry, reserved),
};
static const struct nj_fields entry_fields = NJ_FIELDS(struct entry, entry_rows, NULL);

static const struct nj_field group_rows[] = {
	NJ_FIELD(struct group, name),
	NJ_FIELD_2D(struct group, sketch),
	NJ_FIELD(struct group, n),
};
static const struct nj_fields group_fields = NJ_FIELDS(struct group, group_rows, NULL);

static const struct nj_field fleet_rows[] = {
	NJ_FIELD_SKIP(struct nj_fleet, entries), /* sections of their own, as the groups */
	NJ_FIELD_SKIP(struct nj_fleet, buckets_mask), NJ_FIELD_STRUCT(struct nj_fleet, agents, &entry_fields),
	NJ_FIELD(struct nj_fleet, evicted),           NJ_FIELD(struct nj_fleet, groups_n),
	NJ_FIELD_SKIP(struct nj_fleet, groups),
};
static const struct nj_fields fleet_fields = NJ_FIELDS(struct nj_fleet, fleet_rows, NULL);

void nj_fleet_save(const struct nj_fleet *fleet, struct nj_snapshot_writer *writer)
{
	nj_snapshot_section(writer, "fleet", &fleet_fields);
	nj_snapshot_record(writer, 0, fleet);
	nj_snapshot_section(writer, "group", &group_fields);
	for (uint32_t i = 0; i < fleet->groups_n; i++)
		nj_snapshot_record(writer, i, &fleet->groups[i]);
	nj_snapshot_section(writer, "popularity", &entry_fields);
	for (uint64_t i = 0; i < (fleet->buckets_mask + 1) * WAYS; i++)
		if (fleet->entries[i].key != 0)
			nj_snapshot_record(writer, (uint32_t)i, &fleet->entries[i]);
}

static int take_fleet(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_fleet *fleet = context;
	const struct nj_fleet *from = item->record;
	if (from->groups_n < 2 || from->groups_n > NJ_FLEET_GROUPS_MAX)
		return nj_fail(message, NJ_ERR_FORMAT, "%u groups of agents", from->groups_n);
	fleet->agents = from->agents;
	fleet->evicted = from->evicted;
	fleet->groups_n = from->groups_n;
	return NJ_OK;
}

static int take_group(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_fleet *fleet = context;
	if (item->key >= fleet->groups_n)
		return nj_fail(message, NJ_ERR_FORMAT, "group %u", item->key);
	fleet->groups[item->key] = *(const struct group *)item->record;
	return NJ_OK;
}

/* At its old place when that is in its bucket, which it is unless the table has another size now. */
static int take_entry(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_fleet *fleet = context;
	const struct entry *from = item->record;
	(void)message;
	struct entry *bucket = bucket_of(fleet, from->key), *at = place_in(bucket, from->day);
	uint64_t first = (uint64_t)(bucket - fleet->entries);
	if (item->key >= first && item->key < first + WAYS)
		at = &fleet->entries[item->key];
	*at = *from;
	return NJ_OK;
}

void nj_fleet_takers(struct nj_fleet *fleet, struct nj_snapshot_taker *taker)
{
	taker[0] = (struct nj_snapshot_taker){"fleet", &fleet_fields, true, take_fleet, fleet};
	taker[1] = (struct nj_snapshot_taker){"group", &group_fields, true, take_group, fleet};
	taker[2] = (struct nj_snapshot_taker){"popularity", &entry_fields, true, take_entry, fleet};
}
