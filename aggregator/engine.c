/* Looking up profiles is the caller's thread's work, before the shards start: creation, folding and the order of
 * activity then depend on the canonical order of windows alone. A shard touches only the views whose agent's hash is
 * its own, and collects scores in a list of its own; the lists are joined and sorted after the barrier. The gate
 * against poisoning closes over the harmonic-mean p of all the window's scores, by their closed forms: at 1e-3 one
 * quiet window in a thousand is not learned, and no attack that any detector sees is. */
#include "aggregator/engine.h"

#include "aggregator/observe.h"
#include "aggregator/snapshot.h"
#include "common/inventory.h"
#include "models/fuse.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define GATE_LN_P -6.9 /* ln 1e-3 */

struct shard {
	struct nj_engine *engine;
	uint32_t number;
	pthread_t thread;
	struct nj_score *scores;
	uint32_t scores_n, scores_capacity;
	uint64_t tests;
	bool out_of_memory;
};

struct nj_engine {
	struct nj_engine_options options;
	struct nj_profiles *profiles;
	struct nj_fleet *fleet;
	struct nj_judgement judgement;
	struct nj_view *views;
	uint32_t views_n, views_capacity;
	struct nj_score *scores; /* of all shards, sorted */
	uint32_t scores_capacity;
	struct shard shards[NJ_SHARDS_MAX];
	uint32_t threads_n;
	pthread_barrier_t start, end;
	bool stop;
};

/* ---- a shard's work */

static bool add_score(struct shard *shard, const struct nj_score *score)
{
	if (shard->scores_n == shard->scores_capacity) {
		uint32_t capacity = shard->scores_capacity == 0 ? 256 : 2 * shard->scores_capacity;
		struct nj_score *scores = realloc(shard->scores, capacity * sizeof *scores);
		if (scores == NULL) {
			shard->out_of_memory = true;
			return false;
		}
		shard->scores = scores;
		shard->scores_capacity = capacity;
	}
	shard->scores[shard->scores_n++] = *score;
	return true;
}

static void judge_view(struct shard *shard, uint32_t index)
{
	struct nj_engine *engine = shard->engine;
	struct nj_view *view = &engine->views[index];
	double log_p[NJ_FUSE_MAX], weight[NJ_FUSE_MAX];
	unsigned n = 0;
	nj_observe(&engine->judgement, view);
	for (int detector = 0; detector < NJ_DETECTORS; detector++) {
		struct nj_score scores[NJ_SCORES_PER_JUDGE];
		uint32_t scores_n = nj_detectors[detector]->judge(&engine->judgement, view, scores);
		assert(scores_n <= NJ_SCORES_PER_JUDGE);
		for (uint32_t i = 0; i < scores_n; i++) {
			scores[i].agent = view->window->agent;
			scores[i].detector = (uint8_t)detector;
			scores[i].view = index;
			shard->tests += scores[i].tests;
			weight[n] = nj_detectors[detector]->weight;
			log_p[n++] = scores[i].ln_p;
			if (!add_score(shard, &scores[i]))
				return;
		}
	}
	view->gated = n > 0 && nj_fuse_harmonic(log_p, weight, n) < GATE_LN_P;
	if (view->gated && !engine->options.learn_only) {
		nj_observe_suspect(view);
		return;
	}
	for (int detector = 0; detector < NJ_DETECTORS; detector++)
		if (nj_detectors[detector]->learn != NULL)
			nj_detectors[detector]->learn(&engine->judgement, view);
}

static void judge_shard(struct shard *shard)
{
	struct nj_engine *engine = shard->engine;
	shard->scores_n = 0;
	shard->tests = 0;
	for (uint32_t i = 0; i < engine->views_n && !shard->out_of_memory; i++)
		if (engine->options.shards == 1 ||
		    engine->views[i].profile->hash % engine->options.shards == shard->number)
			judge_view(shard, i);
}

static void *run_shard(void *argument)
{
	struct shard *shard = argument;
	for (;;) {
		pthread_barrier_wait(&shard->engine->start);
		if (shard->engine->stop)
			return NULL;
		judge_shard(shard);
		pthread_barrier_wait(&shard->engine->end);
	}
}

/* ---- life cycle */

uint64_t nj_engine_memory_bytes(const struct nj_engine_options *options)
{
	return sizeof(struct nj_engine) + nj_profiles_memory_bytes(options->agents_max) +
	       nj_fleet_memory_bytes(options->fleet_entries_max);
}

static int start_threads(struct nj_engine *engine)
{
	uint32_t shards = engine->options.shards;
	if (shards == 1)
		return 0;
	if (pthread_barrier_init(&engine->start, NULL, shards) != 0)
		return NJ_ERR_MEMORY;
	if (pthread_barrier_init(&engine->end, NULL, shards) != 0) {
		pthread_barrier_destroy(&engine->start);
		return NJ_ERR_MEMORY;
	}
	/* Shard 0 is the caller's thread. All threads start or none counts: a barrier cannot be met by fewer. */
	for (uint32_t i = 1; i < shards; i++) {
		if (pthread_create(&engine->shards[i].thread, NULL, run_shard, &engine->shards[i]) != 0)
			abort();
		engine->threads_n++;
	}
	return 0;
}

int nj_engine_new(const struct nj_engine_options *options, struct nj_engine **ret_engine)
{
	assert(options->shards >= 1);
	assert(options->shards <= NJ_SHARDS_MAX);
	struct nj_engine *engine = calloc(1, sizeof *engine);
	if (engine == NULL)
		return NJ_ERR_MEMORY;
	engine->options = *options;
	for (uint32_t i = 0; i < options->shards; i++) {
		engine->shards[i].engine = engine;
		engine->shards[i].number = i;
	}
	if (nj_profiles_new(options->agents_max, &engine->profiles) != 0 ||
	    nj_fleet_new(options->fleet_entries_max, &engine->fleet) != 0 || start_threads(engine) != 0) {
		nj_engine_free(&engine);
		return NJ_ERR_MEMORY;
	}
	engine->judgement.fleet = engine->fleet;
	engine->judgement.prior = options->prior;
	engine->judgement.inventory = options->inventory;
	engine->judgement.key = options->hash_key;
	*ret_engine = engine;
	return 0;
}

void nj_engine_free(struct nj_engine **pointer)
{
	struct nj_engine *engine = *pointer;
	if (engine == NULL)
		return;
	if (engine->threads_n > 0) {
		engine->stop = true;
		pthread_barrier_wait(&engine->start);
		for (uint32_t i = 1; i <= engine->threads_n; i++)
			pthread_join(engine->shards[i].thread, NULL);
		pthread_barrier_destroy(&engine->start);
		pthread_barrier_destroy(&engine->end);
	}
	for (uint32_t i = 0; i < NJ_SHARDS_MAX; i++)
		free(engine->shards[i].scores);
	nj_profiles_free(&engine->profiles);
	nj_fleet_free(&engine->fleet);
	free(engine->views);
	free(engine->scores);
	free(engine);
	*pointer = NULL;
}

/* ---- a round */

static uint64_t agent_hash(const struct nj_agent_id *agent, const struct nj_hash_key *key)
{
	uint8_t bytes[20];
	memcpy(bytes, agent->addr.byte, 16);
	memcpy(bytes + 16, &agent->segment, 4);
	return nj_hash64(bytes, sizeof bytes, key);
}

static void place_agent(struct nj_engine *engine, struct nj_profile *profile)
{
	const struct nj_inventory *inventory = engine->options.inventory;
	const struct nj_inventory_agent *known = nj_inventory_agent(inventory, &profile->agent);
	profile->home = nj_networks_contain(nj_inventory_home(inventory), &profile->agent.addr);
	profile->group = profile->home ? 0 : 1;
	if (known != NULL && known->group[0] != '\0')
		profile->group = nj_fleet_group(engine->fleet, known->group);
}

/* Views for as many of the windows as fit; how many. */
static uint32_t take_views(struct nj_engine *engine, const struct nj_window *windows, uint32_t n)
{
	nj_profiles_release(engine->profiles);
	engine->views_n = 0;
	for (uint32_t i = 0; i < n && i < engine->views_capacity; i++) {
		bool is_new;
		uint64_t hash = agent_hash(&windows[i].agent, engine->options.hash_key);
		struct nj_profile *profile = nj_profiles_take(engine->profiles, &windows[i].agent, hash, &is_new);
		if (profile == NULL)
			break;
		if (is_new || profile->windows == 0 || profile->group >= NJ_FLEET_GROUPS_MAX)
			place_agent(engine, profile);
		engine->views[engine->views_n++] = (struct nj_view){.window = &windows[i], .profile = profile};
	}
	return engine->views_n;
}

static int compare_scores(const void *a, const void *b)
{
	const struct nj_score *x = a, *y = b;
	if (x->view != y->view)
		return x->view < y->view ? -1 : 1;
	if (x->detector != y->detector)
		return x->detector < y->detector ? -1 : 1;
	if (x->class_key != y->class_key)
		return x->class_key < y->class_key ? -1 : 1;
	return (x->slot > y->slot) - (x->slot < y->slot);
}

static int join_scores(struct nj_engine *engine, struct nj_judged *judged)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < engine->options.shards; i++) {
		if (engine->shards[i].out_of_memory)
			return NJ_ERR_MEMORY;
		n += engine->shards[i].scores_n;
		judged->tests += engine->shards[i].tests;
	}
	if (n > engine->scores_capacity) {
		struct nj_score *scores = realloc(engine->scores, 2 * n * sizeof *scores);
		if (scores == NULL)
			return NJ_ERR_MEMORY;
		engine->scores = scores;
		engine->scores_capacity = 2 * n;
	}
	uint32_t at = 0;
	for (uint32_t i = 0; i < engine->options.shards; i++) {
		const struct shard *shard = &engine->shards[i];
		if (shard->scores_n > 0)
			memcpy(engine->scores + at, shard->scores, shard->scores_n * sizeof *engine->scores);
		at += shard->scores_n;
	}
	if (n > 0)
		qsort(engine->scores, n, sizeof *engine->scores, compare_scores);
	judged->scores = engine->scores;
	judged->scores_n = n;
	return 0;
}

static void teach_contact(struct nj_engine *engine, const struct nj_contact *contact)
{
	const struct nj_hash_key *key = engine->options.hash_key;
	uint64_t t_ns = engine->judgement.start_ns;
	bool answered = contact->answered > 0 || contact->bytes_in > 0;
	bool failed = !answered && nj_contact_opening(contact) != NJ_OPENING_UNKNOWN;
	struct nj_fleet_fact fact = {.agents = 1, .answered = answered, .failed = failed};
	fact.key = nj_fleet_service_key(&contact->peer, contact->port, contact->protocol, key);
	nj_fleet_add(engine->fleet, &fact, t_ns);
	fact.key = nj_fleet_host_key(&contact->peer, key);
	nj_fleet_add(engine->fleet, &fact, t_ns);
	if (contact->name[0] != '\0') {
		fact.key = nj_fleet_name_key(contact->name, key);
		nj_fleet_add(engine->fleet, &fact, t_ns);
	}
}

/* At the barrier, in canonical order: what this piece tells about all agents. */
static void teach_fleet(struct nj_engine *engine)
{
	for (uint32_t v = 0; v < engine->views_n; v++) {
		const struct nj_view *view = &engine->views[v];
		if (view->new_agent_today)
			nj_fleet_add_agent(engine->fleet, engine->judgement.start_ns);
		for (uint32_t word = 0; word < NJ_CONTACTS_MAX / 64; word++)
			for (uint64_t bits = view->met[word]; bits != 0; bits &= bits - 1)
				teach_contact(engine,
					      &view->window->contacts[word * 64 + (uint32_t)__builtin_ctzll(bits)]);
		for (uint64_t bits = view->met_domains; bits != 0; bits &= bits - 1) {
			const struct nj_domain *domain = &view->window->domains[__builtin_ctzll(bits)];
			struct nj_fleet_fact fact = {.key = nj_fleet_domain_key(domain->name, engine->options.hash_key),
						     .agents = 1};
			nj_fleet_add(engine->fleet, &fact, engine->judgement.start_ns);
		}
		if (!view->hour_closed)
			continue;
		nj_fleet_add_value(engine->fleet, view->profile->group, NJ_FLEET_OUT_1H, view->hour_out_kb);
		nj_fleet_add_value(engine->fleet, view->profile->group, NJ_FLEET_PEERS_HOME_1H,
				   view->hour_peers[NJ_SIDE_HOME]);
		nj_fleet_add_value(engine->fleet, view->profile->group, NJ_FLEET_PEERS_OUTSIDE_1H,
				   view->hour_peers[NJ_SIDE_OUTSIDE]);
	}
}

static int judge_piece(struct nj_engine *engine, nj_judged_sink sink, void *context)
{
	if (engine->threads_n > 0)
		pthread_barrier_wait(&engine->start);
	judge_shard(&engine->shards[0]);
	if (engine->threads_n > 0)
		pthread_barrier_wait(&engine->end);
	struct nj_judged judged = {.judgement = &engine->judgement, .views = engine->views, .views_n = engine->views_n};
	int error = join_scores(engine, &judged);
	if (error != 0)
		return error;
	sink(context, &judged);
	teach_fleet(engine);
	return 0;
}

int nj_engine_judge(struct nj_engine *engine, const struct nj_round *round, nj_judged_sink sink, void *context)
{
	uint32_t piece = engine->options.agents_max / 2 + 1,
		 needed = round->windows_n < piece ? round->windows_n : piece;
	if (needed > engine->views_capacity) {
		struct nj_view *views = realloc(engine->views, needed * sizeof *views);
		if (views == NULL)
			return NJ_ERR_MEMORY;
		engine->views = views;
		engine->views_capacity = needed;
	}
	engine->judgement.start_ns = round->start_ns;
	engine->judgement.end_ns = round->start_ns + (uint64_t)round->width_ms * 1000000;
	for (uint32_t at = 0; at < round->windows_n;) {
		uint32_t taken = take_views(engine, round->windows + at, round->windows_n - at);
		assert(taken > 0);
		int error = judge_piece(engine, sink, context);
		if (error != 0)
			return error;
		at += taken;
	}
	return 0;
}

struct nj_profiles *nj_engine_profiles(struct nj_engine *engine)
{
	return engine->profiles;
}

struct nj_fleet *nj_engine_fleet(struct nj_engine *engine)
{
	return engine->fleet;
}

/* ---- snapshots */

void nj_engine_save(const struct nj_engine *engine, struct nj_snapshot_writer *writer)
{
	nj_fleet_save(engine->fleet, writer);
	nj_profiles_save(engine->profiles, writer);
}

uint32_t nj_engine_takers(struct nj_engine *engine, struct nj_snapshot_taker *taker)
{
	nj_fleet_takers(engine->fleet, taker);
	return NJ_FLEET_TAKERS + nj_profiles_takers(engine->profiles, taker + NJ_FLEET_TAKERS);
}

void nj_engine_restored(struct nj_engine *engine)
{
	nj_profiles_restored(engine->profiles);
	for (uint32_t i = 0; i < nj_profiles_n(engine->profiles); i++) {
		struct nj_profile *profile = nj_profiles_at(engine->profiles, i);
		if (profile != NULL)
			place_agent(engine, profile);
	}
}
