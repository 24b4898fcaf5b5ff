/* Which brains are kept. An exchange may begin one when it bears a mark of a model (name, path, header), was answered
 * as a stream of tokens, has the form of an API's answer, or goes outside - somebody there may be thinking. It gets a
 * free place, or that of the brain without marks that has been silent for a minute (with marks: an hour), the longest
 * silent first; a marked newcomer takes the place of an unmarked brain at once. So a browser's servers pass through and
 * a model stays.
 *
 * Actions are the beginnings of bursts (contact.began) towards everybody else, without the background of any host:
 * names, time, addresses, discovery. A burst's end is the next end in the same contact. They are kept only once there
 * is a brain. A brain is judged when it has gained a turn and has four.
 *
 * Turns are counted for the brain that looks most like one; what a window did counts to its turns (models/turn.h). */
#include "aggregator/observe_ai.h"

#include "aggregator/observe.h"
#include "aggregator/services.h"
#include "common/inventory.h"
#include "common/label.h"
#include "models/surprisal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FADE         0.1f /* weight of the newest exchange in the means */
#define PORT_KNOWN   0.1  /* a port of the endpoint list alone */
#define EXCESS_TURNS 4    /* questions before one can be larger than usual */
#define UPLOAD_BYTES 65536.0
#define BITS_ADMIN   1.5
#define BITS_SECRETS 3.0

/* ---- brains */

static bool may_be_brain(const struct nj_exchange *exchange)
{
	const uint16_t any = NJ_EXCHANGE_MODEL_MARKS | NJ_EXCHANGE_EXTERNAL | NJ_EXCHANGE_API_SHAPE;
	return (exchange->flags & any) != 0 || exchange->score >= NJ_SCORE_STREAMED;
}

static uint64_t brain_key(const struct nj_judgement *judgement, const struct nj_exchange *exchange)
{
	struct {
		char name[NJ_EXCHANGE_NAME_MAX], client[NJ_EXCHANGE_CLIENT_MAX];
		struct nj_addr peer;
		uint32_t port;
	} facts;
	memset(&facts, 0, sizeof facts);
	memcpy(facts.client, exchange->client, sizeof facts.client);
	facts.port = exchange->port;
	if (exchange->name[0] != '\0')
		memcpy(facts.name, exchange->name, sizeof facts.name);
	else
		facts.peer = exchange->peer;
	uint64_t key = nj_hash64(&facts, sizeof facts, judgement->key);
	return key != 0 ? key : 1;
}

static uint64_t peer_key(const struct nj_judgement *judgement, const char *name, const struct nj_addr *peer)
{
	return name[0] != '\0' ? nj_fleet_name_key(name, judgement->key) : nj_fleet_host_key(peer, judgement->key);
}

/* The place for a newcomer, or NULL. */
static struct nj_brain *place_for(struct nj_block_ai *ai, bool marked, uint64_t now_ns)
{
	struct nj_brain *at = NULL;
	for (int i = 0; i < NJ_BRAINS; i++) {
		struct nj_brain *brain = &ai->brain[i];
		if (brain->key == 0)
			return brain;
		uint64_t silent_ns = now_ns > brain->last_ns ? now_ns - brain->last_ns : 0;
		bool held = nj_brain_is_marked(brain), looping = brain->agentic >= NJ_AGENTIC_LIKELY;
		uint64_t patience_ns = held || looping ? NJ_BRAIN_MARKED_NS : NJ_BRAIN_SILENT_NS;
		if (silent_ns < patience_ns && !(marked && !held))
			continue;
		if (at == NULL || brain->last_ns < at->last_ns)
			at = brain;
	}
	return at;
}

static struct nj_brain *brain_of(const struct nj_judgement *judgement, struct nj_block_ai *ai,
				 const struct nj_exchange *exchange)
{
	uint64_t key = brain_key(judgement, exchange);
	for (int i = 0; i < NJ_BRAINS; i++)
		if (ai->brain[i].key == key)
			return &ai->brain[i];
	struct nj_brain *brain = place_for(ai, (exchange->flags & NJ_EXCHANGE_MODEL_MARKS) != 0, judgement->start_ns);
	if (brain == NULL)
		return NULL;
	*brain = (struct nj_brain){.key = key, .first_ns = exchange->start_ns, .port = exchange->port};
	brain->action_peer = peer_key(judgement, exchange->name, &exchange->peer);
	brain->protocol = exchange->protocol;
	brain->outside = (exchange->flags & NJ_EXCHANGE_EXTERNAL) != 0;
	nj_label_ascii(exchange->name, strnlen(exchange->name, sizeof exchange->name), brain->name, sizeof brain->name);
	nj_label_ascii(exchange->client, strnlen(exchange->client, sizeof exchange->client), brain->client,
		       sizeof brain->client);
	return brain;
}

static void add_excess(struct nj_brain *brain, const struct nj_exchange *exchange)
{
	uint64_t hour = exchange->end_ns / NJ_HOUR_NS;
	if (brain->excess_hour < hour) {
		brain->excess_hour = hour;
		brain->excess = 0;
		brain->excess_told = 0;
	}
	double usual = fmax(nj_growth_median(&brain->growth), nj_growth_latest(&brain->growth));
	if (brain->growth.n >= EXCESS_TURNS && (double)exchange->bytes_up > 2 * usual)
		brain->excess += (float)((double)exchange->bytes_up - 2 * usual);
}

static void add_exchange(struct nj_brain *brain, const struct nj_exchange *exchange)
{
	float weight = brain->loop.turns < 10 ? 1.0f / (float)(brain->loop.turns + 1) : FADE;
	float score = fminf((float)exchange->score / NJ_SCORE_ONE, 1);
	float api = (exchange->flags & NJ_EXCHANGE_API_SHAPE) != 0;
	brain->stream += weight * (score - brain->stream);
	brain->api += weight * (api - brain->api);
	nj_loop_add(&brain->loop, exchange->start_ns, exchange->end_ns);
	add_excess(brain, exchange);
	nj_growth_add(&brain->growth, exchange->bytes_up);
	brain->bytes_up = nj_add_saturating(brain->bytes_up, exchange->bytes_up);
	brain->bytes_down = nj_add_saturating(brain->bytes_down, exchange->bytes_down);
	brain->flags |= exchange->flags;
	brain->peer = exchange->peer;
	brain->flow_port = exchange->flow_port;
	if (exchange->api != NJ_API_NONE)
		brain->api_kind = exchange->api;
	if (exchange->end_ns > brain->last_ns)
		brain->last_ns = exchange->end_ns;
}

static void add_exchanges(const struct nj_judgement *judgement, struct nj_view *view)
{
	const struct nj_window *window = view->window;
	for (uint32_t i = 0; i < window->exchanges_n; i++) {
		const struct nj_exchange *exchange = &window->exchanges[i];
		if (!may_be_brain(exchange))
			continue;
		struct nj_block_ai *ai = nj_profile_ai(view->profile);
		struct nj_brain *brain = ai != NULL ? brain_of(judgement, ai, exchange) : NULL;
		if (brain != NULL)
			add_exchange(brain, exchange);
		nj_novelty_request(&ai->novelty, (uint32_t)exchange->bytes_up, exchange->port);
	}
}

static void judge_brain(const struct nj_block_ai *ai, struct nj_brain *brain)
{
	struct nj_loop_verdict loop;
	struct nj_agentic agentic;
	double growth = nj_growth_score(&brain->growth);
	nj_loop_judge(&brain->loop, &ai->actions, brain->action_peer, &loop);
	double known = nj_brain_is_marked(brain) ? 1 : (brain->flags & NJ_EXCHANGE_KNOWN_PORT) != 0 ? PORT_KNOWN : 0;
	brain->p_llm = (float)nj_llm_p(&(struct nj_llm_evidence){
		.known = known,
		.stream_score = brain->stream,
		.api_share = brain->api,
		.growth = growth,
		.turn_s = loop.turn_s,
		.exchanges = brain->loop.turns < UINT32_MAX ? (uint32_t)brain->loop.turns : UINT32_MAX});
	nj_agentic_judge(&(struct nj_agentic_evidence){.turns = loop.turns,
						       .nats = loop.nats,
						       .loop = loop.loop,
						       .z = loop.z,
						       .growth = growth,
						       .turn_s = loop.turn_s,
						       .pause_s = loop.pause_s,
						       .duty = loop.duty,
						       .p_llm = (double)brain->p_llm},
			 &agentic);
	brain->agentic = (float)agentic.score;
	brain->nats = (float)loop.nats;
	brain->back = (float)loop.loop;
	brain->z = (float)loop.z;
	brain->looked = brain->loop.turns;
}

/* ---- actions */

static bool is_background(const struct nj_contact *contact)
{
	static const uint16_t udp[] = {53, 67, 68, 123, 137, 138, 546, 547, 1900, 3702, 5353, 5355};
	if (contact->protocol != 6 && contact->protocol != 17)
		return true;
	for (size_t i = 0; contact->protocol == 17 && i < sizeof udp / sizeof *udp; i++)
		if (contact->port == udp[i])
			return true;
	return contact->protocol == 6 && contact->port == 53;
}

static void add_bursts(const struct nj_window *window, const struct nj_contact *contact, uint64_t peer,
		       struct nj_actions *actions)
{
	uint64_t slot_ns = (uint64_t)window->width_ms * 1000000 / NJ_CONTACT_SLOTS;
	for (uint64_t bits = contact->began; bits != 0; bits &= bits - 1) {
		unsigned slot = (unsigned)__builtin_ctzll(bits);
		uint64_t after = contact->ended >> slot << slot;
		unsigned end = after != 0 ? (unsigned)__builtin_ctzll(after) : slot;
		nj_actions_add(actions, peer, window->start_ns + slot * slot_ns, window->start_ns + end * slot_ns);
	}
}

static enum nj_adapt_result result_of(enum nj_opening opening)
{
	return opening == NJ_OPENING_ANSWERED  ? NJ_ADAPT_OK
	       : opening == NJ_OPENING_REFUSED ? NJ_ADAPT_REFUSED
	       : opening == NJ_OPENING_RESET   ? NJ_ADAPT_REFUSED
					       : NJ_ADAPT_TIMEOUT;
}

static void add_step(const struct nj_judgement *judgement, const struct nj_view *view, uint32_t index,
		     struct nj_block_ai *ai)
{
	const struct nj_contact *contact = &view->window->contacts[index];
	uint64_t host = nj_fleet_host_key(&contact->peer, judgement->key);
	enum nj_opening opening = nj_contact_opening(contact);
	if (opening != NJ_OPENING_UNKNOWN)
		nj_adapt_step(&ai->adapt, contact->first_ns, host, contact->port, result_of(opening),
			      nj_view_is_fresh(view, index));
	uint64_t octave = contact->bytes_out > 0 ? 64 - (uint64_t)__builtin_clzll(contact->bytes_out) : 0;
	nj_novelty_add(&ai->novelty, host ^ (uint64_t)contact->port << 8 ^ octave);
}

/* Indices of the contacts that are actions, ascending by first packet, then key. */
static uint32_t action_order(const struct nj_window *window, uint16_t order[NJ_CONTACTS_MAX])
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < window->contacts_n && i < NJ_CONTACTS_MAX; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (contact->role != NJ_ROLE_CLIENT || contact->began == 0 || is_background(contact) ||
		    nj_contact_is_group(&window->agent, contact))
			continue;
		uint32_t at = n++;
		while (at > 0 && window->contacts[order[at - 1]].first_ns > contact->first_ns) {
			order[at] = order[at - 1];
			at--;
		}
		order[at] = (uint16_t)i;
	}
	return n;
}

static void add_actions(const struct nj_judgement *judgement, const struct nj_view *view, struct nj_block_ai *ai)
{
	uint16_t order[NJ_CONTACTS_MAX];
	uint32_t n = action_order(view->window, order);
	for (uint32_t i = 0; i < n; i++) {
		const struct nj_contact *contact = &view->window->contacts[order[i]];
		uint64_t peer = peer_key(judgement, contact->name, &contact->peer);
		add_bursts(view->window, contact, peer, &ai->actions);
		bool thinking = false;
		for (int b = 0; b < NJ_BRAINS; b++)
			thinking = thinking || (ai->brain[b].key != 0 && ai->brain[b].action_peer == peer);
		if (!thinking)
			add_step(judgement, view, order[i], ai);
	}
}

/* ---- tools */

static void add_tools(const struct nj_view *view, struct nj_block_ai *ai)
{
	const struct nj_window *window = view->window;
	for (uint32_t i = 0; i < window->tools_n; i++) {
		const struct nj_tool *tool = &window->tools[i];
		if (tool->kind != NJ_TOOL_MCP && tool->kind != NJ_TOOL_A2A)
			continue;
		ai->tool_calls = tool->calls < UINT32_MAX - ai->tool_calls ? ai->tool_calls + tool->calls : UINT32_MAX;
		const char *word = tool->name[0] != '\0' ? tool->name : tool->method;
		char name[NJ_AI_TOOL_MAX];
		nj_label_ascii(word, strnlen(word, sizeof tool->method), name, sizeof name);
		struct nj_ai_tool *at = NULL;
		bool known = false;
		for (int t = 0; t < NJ_AI_TOOLS && !known; t++) {
			struct nj_ai_tool *seen = &ai->tool[t];
			if (seen->kind == 0 && at == NULL)
				at = seen;
			known = seen->kind == tool->kind && seen->port == tool->port &&
				nj_addr_equal(&seen->peer, &tool->peer) && strcmp(seen->name, name) == 0;
		}
		if (known || at == NULL)
			continue;
		*at = (struct nj_ai_tool){.peer = tool->peer, .port = tool->port, .kind = tool->kind};
		memcpy(at->name, name, sizeof at->name);
	}
}

/* ---- turns */

double nj_contact_bits(const struct nj_judgement *judgement, const struct nj_contact *contact)
{
	uint64_t key = nj_fleet_service_key(&contact->peer, contact->port, contact->protocol, judgement->key);
	struct nj_fleet_use use = nj_fleet_use(judgement->fleet, key, judgement->start_ns);
	double bits = nj_surprisal_bits(use.agents, nj_fleet_agents(judgement->fleet, judgement->start_ns));
	if (nj_service_secrets(&contact->peer, contact->protocol, contact->port) != NULL)
		return bits * BITS_SECRETS;
	return nj_service_is_admin(contact->protocol, contact->port) ? bits * BITS_ADMIN : bits;
}

static void act_of_contact(const struct nj_judgement *judgement, const struct nj_view *view, uint32_t index,
			   struct nj_turns *turns)
{
	const struct nj_contact *contact = &view->window->contacts[index];
	uint64_t t_ns = judgement->start_ns;
	enum nj_opening opening = nj_contact_opening(contact);
	if (opening != NJ_OPENING_UNKNOWN && opening != NJ_OPENING_ANSWERED)
		nj_turns_act(turns, t_ns, NJ_TURN_FAILED, 1);
	if (contact->opened == 0 && opening == NJ_OPENING_UNKNOWN)
		return;
	if (nj_service_secrets(&contact->peer, contact->protocol, contact->port) != NULL)
		nj_turns_act(turns, t_ns, NJ_TURN_SECRETS, 1);
	if (contact->external)
		return;
	if (nj_service_is_admin(contact->protocol, contact->port))
		nj_turns_act(turns, t_ns, NJ_TURN_ADMIN, 1);
	if (!nj_view_is_fresh(view, index))
		return;
	nj_turns_act(turns, t_ns, NJ_TURN_NEW_EDGES, 1);
	nj_turns_act(turns, t_ns, NJ_TURN_BITS, nj_contact_bits(judgement, contact));
}

static void add_acts(const struct nj_judgement *judgement, const struct nj_view *view, struct nj_block_ai *ai,
		     uint64_t model_bytes)
{
	const struct nj_window *window = view->window;
	const struct nj_features *features = &window->features;
	uint64_t out = 0;
	for (uint32_t i = 0; i < window->contacts_n && i < NJ_CONTACTS_MAX; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (contact->role != NJ_ROLE_CLIENT || is_background(contact) ||
		    nj_contact_is_group(&window->agent, contact))
			continue;
		act_of_contact(judgement, view, i, &ai->turns);
		if (contact->external)
			out = nj_add_saturating(out, contact->bytes_out);
	}
	nj_turns_act(&ai->turns, judgement->start_ns, NJ_TURN_DENIED,
		     (double)features->auth_failed + (double)features->http_errors);
	if (out > model_bytes)
		nj_turns_act(&ai->turns, judgement->start_ns, NJ_TURN_UPLOAD,
			     (double)(out - model_bytes) / UPLOAD_BYTES);
}

static uint64_t bytes_to_brains(const struct nj_block_ai *ai)
{
	uint64_t bytes = 0;
	for (int b = 0; b < NJ_BRAINS; b++)
		bytes += ai->brain[b].bytes_up;
	return bytes;
}

static uint64_t turns_of(const struct nj_block_ai *ai)
{
	uint64_t most = 0;
	for (int b = 0; b < NJ_BRAINS; b++)
		if (ai->brain[b].key != 0 && ai->brain[b].loop.turns > most)
			most = ai->brain[b].loop.turns;
	return most;
}

void nj_observe_ai(const struct nj_judgement *judgement, struct nj_view *view)
{
	struct nj_block_ai *ai = view->profile->ai;
	uint64_t bytes = ai != NULL ? bytes_to_brains(ai) : 0, turns = ai != NULL ? turns_of(ai) : 0;
	if (view->window->exchanges_n > 0)
		add_exchanges(judgement, view);
	ai = view->profile->ai;
	if (ai == NULL)
		return;
	add_tools(view, ai);
	add_actions(judgement, view, ai);
	for (int b = 0; b < NJ_BRAINS; b++)
		if (ai->brain[b].key != 0 && ai->brain[b].loop.turns > ai->brain[b].looked &&
		    ai->brain[b].loop.turns >= NJ_LOOP_TURN_MIN)
			judge_brain(ai, &ai->brain[b]);
	uint64_t now = turns_of(ai), up = bytes_to_brains(ai);
	if (now > turns)
		nj_turns_add(&ai->turns, judgement->start_ns, (double)(now - turns));
	add_acts(judgement, view, ai, up > bytes ? up - bytes : 0);
}

bool nj_ai_is_model(const struct nj_judgement *judgement, const struct nj_view *view, const struct nj_contact *contact)
{
	const struct nj_block_ai *ai = view->profile->ai;
	for (uint32_t i = 0; i < view->window->exchanges_n; i++)
		if ((view->window->exchanges[i].flags & NJ_EXCHANGE_MODEL_MARKS) != 0 &&
		    nj_addr_equal(&view->window->exchanges[i].peer, &contact->peer))
			return true;
	uint64_t name = contact->name[0] != '\0' ? nj_fleet_name_key(contact->name, judgement->key) : 0;
	for (int b = 0; ai != NULL && b < NJ_BRAINS; b++)
		if (ai->brain[b].key != 0 && ai->brain[b].p_llm >= NJ_LLM_LIKELY &&
		    (nj_addr_equal(&ai->brain[b].peer, &contact->peer) || ai->brain[b].action_peer == name))
			return true;
	return false;
}

/* ---- words */

const struct nj_brain *nj_ai_looping(const struct nj_block_ai *ai)
{
	const struct nj_brain *best = NULL;
	for (int b = 0; ai != NULL && b < NJ_BRAINS; b++) {
		const struct nj_brain *brain = &ai->brain[b];
		if (brain->key != 0 && brain->agentic >= NJ_AGENTIC_LIKELY &&
		    (best == NULL || brain->agentic > best->agentic))
			best = brain;
	}
	return best;
}

char *nj_brain_word(const struct nj_brain *brain, char text[NJ_ADDR_TEXT_MAX])
{
	if (brain->name[0] == '\0')
		return nj_addr_text(&brain->peer, text);
	snprintf(text, NJ_ADDR_TEXT_MAX, "%s", brain->name);
	return text;
}

void nj_ai_add_context(const struct nj_profile *profile, struct nj_alert *alert)
{
	const struct nj_brain *brain = nj_ai_looping(profile->ai);
	if (brain == NULL)
		return;
	for (uint8_t i = 0; i < alert->features_n; i++)
		if (strcmp(alert->features[i].name, "agentic") == 0)
			return; /* said already */
	char peer[NJ_ADDR_TEXT_MAX];
	size_t used = strlen(alert->summary);
	snprintf(alert->summary + used, sizeof alert->summary - used,
		 "; an agent loops there: %llu turns with %s, agentic score %.2f",
		 (unsigned long long)brain->loop.turns, nj_brain_word(brain, peer), (double)brain->agentic);
	nj_alert_add_feature(alert, "agentic", "0..1", (double)brain->agentic, NAN, NAN, 0);
	nj_alert_add_feature(alert, "turns", "turns", (double)brain->loop.turns, NAN, NAN, 0);
	nj_alert_add_feature(alert, "p_llm", "0..1", (double)brain->p_llm, NAN, NAN, 0);
}
