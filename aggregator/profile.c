/* Profiles lie in one array that is only touched as agents appear; an index of 32-bit slot numbers (open addressing,
 * linear probing, no tombstones: a removal shifts its followers back) finds them, a list through them keeps the order
 * of activity. Folded agents lie in sets of eight by hash; a full set loses the one silent longest. A flood of a
 * million addresses thus costs what it costs to fold a million nearly empty profiles, and not a byte more. */
#include "aggregator/profile.h"

#include "aggregator/profile_layout.h"
#include "aggregator/snapshot.h"
#include "common/block.h"

#include <stdlib.h>
#include <string.h>

#define SUMMARY_WAYS 8

struct nj_profiles {
	struct nj_profile *profile;
	uint32_t capacity, n;
	uint32_t *index; /* slot + 1, 0: free */
	uint32_t index_mask;
	uint32_t newest, oldest; /* slot + 1 */
	struct nj_summary *summary;
	uint32_t sets_mask;
	uint64_t turn, folded;
	struct nj_profile **restored; /* by their number in the snapshot, while one is read */
	uint32_t restored_n;
};

/* ---- blocks */

#define BLOCK(member)                                                                                                  \
	do {                                                                                                           \
		if (profile->member == NULL)                                                                           \
			profile->member = calloc(1, sizeof *profile->member);                                          \
		return profile->member;                                                                                \
	} while (0)

struct nj_block_edges *nj_profile_edges(struct nj_profile *profile)
{
	if (profile->edges != NULL)
		return profile->edges;
	struct nj_block_edges *edges = calloc(1, sizeof *edges);
	if (edges != NULL)
		nj_bloom_init(&edges->bloom, NJ_EDGE_BITS_LOG2, NJ_DAY_NS);
	return profile->edges = edges;
}

struct nj_block_fan *nj_profile_fan(struct nj_profile *profile)
{
	BLOCK(fan);
}

struct nj_block_targets *nj_profile_targets(struct nj_profile *profile)
{
	BLOCK(targets);
}

struct nj_block_names *nj_profile_names(struct nj_profile *profile)
{
	BLOCK(names);
}

struct nj_block_calls *nj_profile_calls(struct nj_profile *profile)
{
	BLOCK(calls);
}

struct nj_block_history *nj_profile_history(struct nj_profile *profile)
{
	BLOCK(history);
}

struct nj_block_ai *nj_profile_ai(struct nj_profile *profile)
{
	BLOCK(ai);
}

struct nj_block_access *nj_profile_access(struct nj_profile *profile)
{
	BLOCK(access);
}

void nj_profile_clear(struct nj_profile *profile)
{
	free(profile->edges);
	free(profile->fan);
	free(profile->targets);
	free(profile->names);
	free(profile->calls);
	free(profile->history);
	free(profile->ai);
	free(profile->access);
	memset(profile, 0, sizeof *profile);
}

uint64_t nj_profile_bytes(const struct nj_profile *profile)
{
	uint64_t bytes = sizeof *profile;
	bytes += profile->edges != NULL ? sizeof *profile->edges : 0;
	bytes += profile->fan != NULL ? sizeof *profile->fan : 0;
	bytes += profile->targets != NULL ? sizeof *profile->targets : 0;
	bytes += profile->names != NULL ? sizeof *profile->names : 0;
	bytes += profile->calls != NULL ? sizeof *profile->calls : 0;
	bytes += profile->history != NULL ? sizeof *profile->history : 0;
	bytes += profile->ai != NULL ? sizeof *profile->ai : 0;
	bytes += profile->access != NULL ? sizeof *profile->access : 0;
	return bytes;
}

void nj_turning_to(struct nj_turning *turning, uint64_t t_ns, uint64_t span_ns)
{
	uint64_t slot = t_ns / span_ns;
	if (slot <= turning->slot)
		return;
	if (slot == turning->slot + 1)
		turning->before = turning->now;
	else
		memset(&turning->before, 0, sizeof turning->before);
	memset(&turning->now, 0, sizeof turning->now);
	turning->slot = slot;
}

void nj_counting_to(struct nj_counting *counting, uint64_t t_ns, uint64_t span_ns)
{
	uint64_t slot = t_ns / span_ns;
	if (slot <= counting->slot)
		return;
	memset(&counting->now, 0, sizeof counting->now);
	counting->slot = slot;
	counting->told = 0;
}

double nj_turning_estimate(const struct nj_turning *turning)
{
	if (turning->before.exact_n == 0 && turning->before.dense == 0)
		return nj_hll_estimate(&turning->now);
	struct nj_hll both = turning->now;
	nj_hll_merge(&both, &turning->before);
	return nj_hll_estimate(&both);
}

bool nj_edges_meet(struct nj_block_edges *edges, uint64_t t_ns, uint64_t key, bool *ret_today)
{
	uint64_t turned_ns = edges->bloom.turned_ns, added = edges->bloom.added;
	bool known = nj_bloom_test_add(&edges->bloom, edges->bits, t_ns, key);
	*ret_today = edges->bloom.turned_ns != turned_ns || edges->bloom.added != added;
	return known;
}

void nj_sighting_add(struct nj_sighting *ring, uint32_t *count, const struct nj_contact *contact, uint8_t outcome)
{
	ring[*count % NJ_SIGHTINGS_MAX] = (struct nj_sighting){.peer = contact->peer,
							       .t_ns = contact->first_ns,
							       .port = contact->port,
							       .flow_port = contact->flow_port,
							       .protocol = contact->protocol,
							       .outcome = outcome};
	(*count)++;
}

double nj_profile_own(const struct nj_profile *profile)
{
	return profile->learned_hours / (profile->learned_hours + 24.0);
}

/* ---- the table */

static uint32_t power_at_least(uint64_t n)
{
	uint32_t power = 1;
	while (power < n)
		power *= 2;
	return power;
}

static uint32_t index_size(uint32_t agents_max)
{
	return power_at_least(2ull * agents_max);
}

static uint32_t summary_sets(uint32_t agents_max)
{
	return power_at_least(4ull * agents_max / SUMMARY_WAYS + 1);
}

uint64_t nj_profiles_memory_bytes(uint32_t agents_max)
{
	return sizeof(struct nj_profiles) + (uint64_t)agents_max * (NJ_PROFILE_BYTES_MAX + sizeof(uint32_t)) +
	       (uint64_t)index_size(agents_max) * sizeof(uint32_t) +
	       (uint64_t)summary_sets(agents_max) * SUMMARY_WAYS * sizeof(struct nj_summary);
}

static size_t profile_bytes(const struct nj_profiles *profiles)
{
	return (size_t)profiles->capacity * sizeof *profiles->profile;
}

static size_t index_bytes(const struct nj_profiles *profiles)
{
	return ((size_t)profiles->index_mask + 1) * sizeof *profiles->index;
}

static size_t summary_bytes(const struct nj_profiles *profiles)
{
	return ((size_t)profiles->sets_mask + 1) * SUMMARY_WAYS * sizeof *profiles->summary;
}

int nj_profiles_new(uint32_t agents_max, struct nj_profiles **ret_profiles)
{
	assert(agents_max >= 1);
	assert(agents_max <= 1u << 28);
	struct nj_profiles *profiles = calloc(1, sizeof *profiles);
	if (profiles == NULL)
		return NJ_ERR_MEMORY;
	profiles->capacity = agents_max;
	profiles->index_mask = index_size(agents_max) - 1;
	profiles->sets_mask = summary_sets(agents_max) - 1;
	profiles->turn = 1;
	profiles->profile = nj_block_new(profile_bytes(profiles));
	profiles->index = nj_block_new(index_bytes(profiles));
	profiles->summary = nj_block_new(summary_bytes(profiles));
	if (profiles->profile == NULL || profiles->index == NULL || profiles->summary == NULL) {
		nj_profiles_free(&profiles);
		return NJ_ERR_MEMORY;
	}
	*ret_profiles = profiles;
	return 0;
}

void nj_profiles_free(struct nj_profiles **profiles)
{
	if (*profiles == NULL)
		return;
	for (uint32_t i = 0; (*profiles)->profile != NULL && i < (*profiles)->n; i++)
		nj_profile_clear(&(*profiles)->profile[i]);
	nj_block_free((*profiles)->profile, profile_bytes(*profiles));
	nj_block_free((*profiles)->index, index_bytes(*profiles));
	nj_block_free((*profiles)->summary, summary_bytes(*profiles));
	nj_profiles_restored(*profiles);
	free(*profiles);
	*profiles = NULL;
}

static uint32_t find(const struct nj_profiles *profiles, const struct nj_agent_id *agent, uint64_t hash)
{
	for (uint32_t at = (uint32_t)hash & profiles->index_mask;; at = (at + 1) & profiles->index_mask) {
		uint32_t slot = profiles->index[at];
		if (slot == 0)
			return at;
		const struct nj_profile *profile = &profiles->profile[slot - 1];
		if (profile->hash == hash && nj_agent_id_compare(&profile->agent, agent) == 0)
			return at;
	}
}

static void unlink_profile(struct nj_profiles *profiles, struct nj_profile *profile)
{
	if (profile->recent != 0)
		profiles->profile[profile->recent - 1].older = profile->older;
	else
		profiles->newest = profile->older;
	if (profile->older != 0)
		profiles->profile[profile->older - 1].recent = profile->recent;
	else
		profiles->oldest = profile->recent;
	profile->recent = profile->older = 0;
}

static void link_newest(struct nj_profiles *profiles, struct nj_profile *profile)
{
	uint32_t slot = (uint32_t)(profile - profiles->profile) + 1;
	profile->recent = 0;
	profile->older = profiles->newest;
	if (profiles->newest != 0)
		profiles->profile[profiles->newest - 1].recent = slot;
	else
		profiles->oldest = slot;
	profiles->newest = slot;
}

/* Takes a slot number out of the index; what follows it in its probe run moves back, so that no search ends too early.
 */
static void forget(struct nj_profiles *profiles, uint32_t at)
{
	uint32_t hole = at;
	for (uint32_t next = (hole + 1) & profiles->index_mask; profiles->index[next] != 0;
	     next = (next + 1) & profiles->index_mask) {
		uint32_t home = (uint32_t)profiles->profile[profiles->index[next] - 1].hash & profiles->index_mask;
		if (((next - home) & profiles->index_mask) >= ((next - hole) & profiles->index_mask)) {
			profiles->index[hole] = profiles->index[next];
			hole = next;
		}
	}
	profiles->index[hole] = 0;
}

static struct nj_summary *summary_set(const struct nj_profiles *profiles, uint64_t hash)
{
	return &profiles->summary[(size_t)(hash >> 32 & profiles->sets_mask) * SUMMARY_WAYS];
}

/* Where a summary goes: unused, else the one silent longest. */
static struct nj_summary *summary_place(const struct nj_profiles *profiles, uint64_t hash)
{
	struct nj_summary *set = summary_set(profiles, hash), *at = &set[0];
	for (int i = 1; i < SUMMARY_WAYS && at->used; i++)
		if (!set[i].used || set[i].last_ns < at->last_ns)
			at = &set[i];
	return at;
}

static void fold(struct nj_profiles *profiles, const struct nj_profile *profile)
{
	struct nj_summary *at = summary_place(profiles, profile->hash);
	*at = (struct nj_summary){.agent = profile->agent,
				  .used = 1,
				  .home = profile->home,
				  .group = (uint16_t)profile->group,
				  .hash = profile->hash,
				  .first_ns = profile->first_ns,
				  .last_ns = profile->last_ns,
				  .windows = profile->windows,
				  .bytes_out = profile->bytes_out,
				  .bytes_in = profile->bytes_in,
				  .learned_hours = profile->learned_hours};
	if (profile->edges != NULL) {
		at->answered = profile->edges->answered;
		at->failed = profile->edges->failed;
	}
	if (profile->history != NULL) {
		at->out = profile->history->out.cell[NJ_BASELINE_WEEK_CELLS - 1];
		for (int side = 0; side < NJ_SIDES; side++)
			at->fan[side] = profile->history->fan[side].cell[NJ_BASELINE_DAY_CELLS - 1];
	}
	profiles->folded++;
}

/* What the summary remembers goes into a fresh profile; false when it knows nothing of the agent. */
static bool unfold(struct nj_profiles *profiles, struct nj_profile *profile)
{
	struct nj_summary *set = summary_set(profiles, profile->hash);
	for (int i = 0; i < SUMMARY_WAYS; i++) {
		struct nj_summary *from = &set[i];
		if (!from->used || from->hash != profile->hash ||
		    nj_agent_id_compare(&from->agent, &profile->agent) != 0)
			continue;
		profile->home = from->home;
		profile->group = from->group;
		profile->first_ns = from->first_ns;
		profile->last_ns = from->last_ns;
		profile->windows = from->windows;
		profile->bytes_out = from->bytes_out;
		profile->bytes_in = from->bytes_in;
		profile->learned_hours = from->learned_hours;
		if (from->answered + from->failed > 0 && nj_profile_edges(profile) != NULL) {
			profile->edges->answered = from->answered;
			profile->edges->failed = from->failed;
		}
		if (from->learned_hours > 0 && nj_profile_history(profile) != NULL) {
			profile->history->out.cell[NJ_BASELINE_WEEK_CELLS - 1] = from->out;
			for (int side = 0; side < NJ_SIDES; side++)
				profile->history->fan[side].cell[NJ_BASELINE_DAY_CELLS - 1] = from->fan[side];
		}
		from->used = 0;
		return true;
	}
	return false;
}

/* A slot for a newcomer: a fresh one, or that of the agent silent longest; NULL when every one is in use. */
static struct nj_profile *make_room(struct nj_profiles *profiles)
{
	if (profiles->n < profiles->capacity)
		return &profiles->profile[profiles->n++];
	struct nj_profile *oldest = &profiles->profile[profiles->oldest - 1];
	if (oldest->taken == profiles->turn)
		return NULL;
	fold(profiles, oldest);
	forget(profiles, find(profiles, &oldest->agent, oldest->hash));
	unlink_profile(profiles, oldest);
	nj_profile_clear(oldest);
	return oldest;
}

struct nj_profile *nj_profiles_take(struct nj_profiles *profiles, const struct nj_agent_id *agent, uint64_t hash,
				    bool *ret_new)
{
	uint32_t at = find(profiles, agent, hash);
	struct nj_profile *profile;
	if (profiles->index[at] != 0) {
		profile = &profiles->profile[profiles->index[at] - 1];
		unlink_profile(profiles, profile);
		*ret_new = false;
	} else {
		profile = make_room(profiles);
		if (profile == NULL)
			return NULL;
		profile->agent = *agent;
		profile->hash = hash;
		profile->used = true;
		*ret_new = !unfold(profiles, profile);
		at = find(profiles, agent, hash); /* making room may have moved the index */
		profiles->index[at] = (uint32_t)(profile - profiles->profile) + 1;
	}
	profile->taken = profiles->turn;
	link_newest(profiles, profile);
	return profile;
}

void nj_profiles_release(struct nj_profiles *profiles)
{
	profiles->turn++;
}

uint32_t nj_profiles_n(const struct nj_profiles *profiles)
{
	return profiles->n;
}

uint64_t nj_profiles_folded(const struct nj_profiles *profiles)
{
	return profiles->folded;
}

uint64_t nj_profiles_bytes(const struct nj_profiles *profiles)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < profiles->n; i++)
		bytes += nj_profile_bytes(&profiles->profile[i]);
	return bytes;
}

struct nj_profile *nj_profiles_at(struct nj_profiles *profiles, uint32_t index)
{
	return index < profiles->n && profiles->profile[index].used ? &profiles->profile[index] : NULL;
}

/* ---- snapshots: agents from the longest silent to the latest active, numbered so; a block says whose it is by that
 * number. */

struct table_facts {
	uint64_t folded;
	uint32_t agents;
	uint32_t reserved;
};

static const struct nj_field facts_rows[] = {
	NJ_FIELD(struct table_facts, folded),
	NJ_FIELD(struct table_facts, agents),
	NJ_FIELD(struct table_facts, reserved),
};
static const struct nj_fields facts_fields = NJ_FIELDS(struct table_facts, facts_rows, NULL);

static void *block_at(const struct nj_profile *profile, const struct nj_block_layout *layout)
{
	void *block;
	memcpy(&block, (const uint8_t *)profile + layout->member, sizeof block);
	return block;
}

static void save_block(const struct nj_profiles *profiles, const struct nj_block_layout *layout,
		       struct nj_snapshot_writer *writer)
{
	uint32_t number = 0;
	nj_snapshot_section(writer, layout->section, layout->fields);
	for (uint32_t slot = profiles->oldest; slot != 0; slot = profiles->profile[slot - 1].recent, number++) {
		const void *block = block_at(&profiles->profile[slot - 1], layout);
		if (block != NULL)
			nj_snapshot_record(writer, number, block);
	}
}

void nj_profiles_save(const struct nj_profiles *profiles, struct nj_snapshot_writer *writer)
{
	struct table_facts facts = {.folded = profiles->folded};
	for (uint32_t slot = profiles->oldest; slot != 0; slot = profiles->profile[slot - 1].recent)
		facts.agents++;
	nj_snapshot_section(writer, "agents", &facts_fields);
	nj_snapshot_record(writer, 0, &facts);
	uint32_t number = 0;
	nj_snapshot_section(writer, "profile", &nj_profile_fields);
	for (uint32_t slot = profiles->oldest; slot != 0; slot = profiles->profile[slot - 1].recent)
		nj_snapshot_record(writer, number++, &profiles->profile[slot - 1]);
	for (uint32_t i = 0; i < nj_block_layouts_n; i++)
		save_block(profiles, &nj_block_layouts[i], writer);
	nj_snapshot_section(writer, "summary", &nj_summary_fields);
	for (uint32_t i = 0; i < (profiles->sets_mask + 1) * SUMMARY_WAYS; i++)
		if (profiles->summary[i].used)
			nj_snapshot_record(writer, i, &profiles->summary[i]);
}

static int take_facts(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_profiles *profiles = context;
	const struct table_facts *facts = item->record;
	profiles->folded = facts->folded;
	if (facts->agents > profiles->capacity)
		return nj_fail(message, NJ_ERR_USAGE, "it holds %u agents and agents_max allows %u: raise it",
			       facts->agents, profiles->capacity);
	free(profiles->restored);
	profiles->restored = calloc(facts->agents + 1u, sizeof(struct nj_profile *));
	profiles->restored_n = facts->agents;
	return profiles->restored != NULL ? NJ_OK : NJ_ERR_MEMORY;
}

static int take_profile(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_profiles *profiles = context;
	const struct nj_profile *from = item->record;
	bool is_new;
	if (item->key >= profiles->restored_n || profiles->n >= profiles->restored_n || !from->used ||
	    profiles->index[find(profiles, &from->agent, from->hash)] != 0)
		return nj_fail(message, NJ_ERR_FORMAT, "an agent that cannot be");
	struct nj_profile *profile = nj_profiles_take(profiles, &from->agent, from->hash, &is_new);
	struct nj_profile linked = *profile;
	*profile = *from;
	profile->recent = linked.recent;
	profile->older = linked.older;
	profiles->restored[item->key] = profile;
	return NJ_OK;
}

static int take_block(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_profiles *profiles = context;
	const struct nj_block_layout *layout = nj_block_layouts;
	while (layout->fields != item->taker->fields)
		layout++;
	struct nj_profile *profile = item->key < profiles->restored_n ? profiles->restored[item->key] : NULL;
	if (profile == NULL || block_at(profile, layout) != NULL)
		return nj_fail(message, NJ_ERR_FORMAT, "a block of no agent");
	void *block = malloc(item->size);
	if (block == NULL)
		return NJ_ERR_MEMORY;
	memcpy(block, item->record, item->size);
	memcpy((uint8_t *)profile + layout->member, &block, sizeof block);
	return NJ_OK;
}

/* At its old place when that is in its set, which it is unless the table has another size now; else as it would be
 * folded. */
static int take_summary(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	struct nj_profiles *profiles = context;
	const struct nj_summary *from = item->record;
	(void)message;
	size_t first = (size_t)(summary_set(profiles, from->hash) - profiles->summary);
	struct nj_summary *at = summary_place(profiles, from->hash);
	if (item->key >= first && item->key < first + SUMMARY_WAYS)
		at = &profiles->summary[item->key];
	*at = *from;
	return NJ_OK;
}

uint32_t nj_profiles_takers(struct nj_profiles *profiles, struct nj_snapshot_taker *taker)
{
	uint32_t n = 0;
	taker[n++] = (struct nj_snapshot_taker){"agents", &facts_fields, true, take_facts, profiles};
	taker[n++] = (struct nj_snapshot_taker){"profile", &nj_profile_fields, true, take_profile, profiles};
	taker[n++] = (struct nj_snapshot_taker){"summary", &nj_summary_fields, true, take_summary, profiles};
	for (uint32_t i = 0; i < nj_block_layouts_n; i++) {
		assert(n < NJ_PROFILES_TAKERS_MAX);
		taker[n++] = (struct nj_snapshot_taker){nj_block_layouts[i].section, nj_block_layouts[i].fields, false,
							take_block, profiles};
	}
	return n;
}

void nj_profiles_restored(struct nj_profiles *profiles)
{
	free(profiles->restored);
	profiles->restored = NULL;
	profiles->restored_n = 0;
}
