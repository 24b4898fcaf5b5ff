/* Changes that follow a check: who is blocked and comes back another way has noticed.
 *
 * A *check* of a brain (profile_ai.h) of eight turns and more: its server, answered until then, refuses, resets or does
 * not answer in a window without any answer; or the agent contacts an address of the inventory's `monitors` (the
 * sensor's and aggregator's own), which is a look at who watches. For half an hour after it three changes are looked
 * for:
 *
 *   route    the same client begins to ask another outside peer, four turns and more: ln p = ln P - 3, P the share of
 * agents that use the new peer. A program that fails over to what many use is quiet client   another client asks the
 * same server, four turns and more: the same with P = 1/20 rate     the same brain goes on with a turn time that is x
 * times slower or faster, eight turns and more: ln p = ln P(|Z| >= |ln x|/0.7) - 3
 *
 * -3 stands for the coincidence: of brains watched for half an hour one in twenty meets such an outage. Once a check.
 */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "common/inventory.h"
#include "models/math.h"
#include "models/surprisal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TURNS_BEFORE 8
#define TURNS_ROUTE  4
#define TURNS_RATE   8
#define FOLLOW_NS    (30 * NJ_MINUTE_NS)
#define COINCIDENCE  (-3.0)
#define CLIENT_SHARE 0.05
#define RATE_SCALE   0.7

enum reaction_kind { KIND_ROUTE, KIND_CLIENT, KIND_RATE };

/* ---- checks */

static bool is_brain_contact(const struct nj_judgement *judgement, const struct nj_brain *brain,
			     const struct nj_contact *contact)
{
	if (contact->role != NJ_ROLE_CLIENT || contact->port != brain->port || contact->protocol != brain->protocol)
		return false;
	return nj_addr_equal(&contact->peer, &brain->peer) ||
	       (contact->name[0] != '\0' && nj_fleet_name_key(contact->name, judgement->key) == brain->action_peer);
}

static bool is_blocked(const struct nj_judgement *judgement, const struct nj_view *view, const struct nj_brain *brain)
{
	bool failed = false;
	for (uint32_t i = 0; i < view->window->contacts_n; i++) {
		const struct nj_contact *contact = &view->window->contacts[i];
		if (!is_brain_contact(judgement, brain, contact))
			continue;
		if (contact->answered > 0 || contact->bytes_in > 0)
			return false;
		failed = failed || contact->refused + contact->unanswered + contact->reset > 0;
	}
	return failed;
}

static bool looks_at_monitors(const struct nj_judgement *judgement, const struct nj_view *view)
{
	const struct nj_networks *monitors = nj_inventory_monitors(judgement->inventory);
	for (uint32_t i = 0; monitors->n > 0 && i < view->window->contacts_n; i++) {
		const struct nj_contact *contact = &view->window->contacts[i];
		if (contact->role == NJ_ROLE_CLIENT && contact->opened > 0 && contact->protocol != 254 &&
		    nj_networks_contain(monitors, &contact->peer))
			return true;
	}
	return false;
}

static double turn_s_of(const struct nj_brain *brain, uint32_t latest)
{
	double gap[NJ_LOOP_TURNS];
	uint32_t n = 0, from = brain->loop.n > latest ? brain->loop.n - latest : 1;
	for (uint32_t i = from > 0 ? from : 1; i < brain->loop.n; i++)
		gap[n++] =
			(double)(int32_t)(brain->loop.exchange[i].end_ms - brain->loop.exchange[i - 1].end_ms) / 1000;
	return n > 0 ? nj_median(gap, n) : 0;
}

static void note_checks(const struct nj_judgement *judgement, struct nj_view *view)
{
	struct nj_block_ai *ai = view->profile->ai;
	bool watched = looks_at_monitors(judgement, view);
	for (int b = 0; b < NJ_BRAINS; b++) {
		struct nj_brain *brain = &ai->brain[b];
		if (brain->key == 0 || !brain->outside || brain->loop.turns < TURNS_BEFORE ||
		    judgement->start_ns < brain->check_ns + FOLLOW_NS)
			continue;
		if (!watched && !is_blocked(judgement, view, brain))
			continue;
		brain->check_ns = judgement->end_ns;
		brain->check_turn_s = (float)turn_s_of(brain, NJ_LOOP_TURNS);
		brain->check_turns = (uint32_t)brain->loop.turns;
		brain->check_told = 0;
	}
}

/* ---- what followed */

static double route_ln_p(const struct nj_judgement *judgement, const struct nj_brain *brain)
{
	uint64_t key = brain->name[0] != '\0' ? brain->action_peer : nj_fleet_host_key(&brain->peer, judgement->key);
	double users = nj_fleet_use(judgement->fleet, key, judgement->start_ns).agents;
	double bits = nj_surprisal_bits(fmax(0, users - 1), nj_fleet_agents(judgement->fleet, judgement->start_ns));
	return COINCIDENCE - bits * M_LN2;
}

static bool has_followed(const struct nj_brain *checked, const struct nj_brain *other)
{
	return other != checked && other->key != 0 && other->outside &&
	       other->first_ns + NJ_SECOND_NS > checked->check_ns && other->first_ns < checked->check_ns + FOLLOW_NS &&
	       other->loop.turns >= TURNS_ROUTE;
}

/* The strongest change after the check of *checked*, and by which kind; 0: none. */
static double change_ln_p(const struct nj_judgement *judgement, const struct nj_block_ai *ai,
			  const struct nj_brain *checked, uint8_t *ret_kind)
{
	double best = 0;
	for (int b = 0; b < NJ_BRAINS; b++) {
		const struct nj_brain *other = &ai->brain[b];
		if (!has_followed(checked, other))
			continue;
		bool same_client = strcmp(other->client, checked->client) == 0;
		bool same_server = other->action_peer == checked->action_peer && other->port == checked->port;
		if (same_client == same_server)
			continue;
		double ln_p = same_client ? route_ln_p(judgement, other) : COINCIDENCE + log(CLIENT_SHARE);
		if (ln_p < best) {
			best = ln_p;
			*ret_kind = same_client ? KIND_ROUTE : KIND_CLIENT;
		}
	}
	uint64_t since = checked->loop.turns - checked->check_turns;
	double now = turn_s_of(checked, TURNS_RATE);
	if (since >= TURNS_RATE && now > 0 && checked->check_turn_s > 0) {
		double x = fabs(log(now / (double)checked->check_turn_s)) / RATE_SCALE;
		double ln_p = COINCIDENCE + fmin(0, nj_log_normal_upper(x) + M_LN2);
		if (x > 1 && ln_p < best) {
			best = ln_p;
			*ret_kind = KIND_RATE;
		}
	}
	return best;
}

static uint32_t judge_reaction(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	struct nj_block_ai *ai = view->profile->ai;
	uint32_t n = 0;
	if (ai == NULL)
		return 0;
	note_checks(judgement, view);
	for (int b = 0; b < NJ_BRAINS && view->window->exchanges_n > 0; b++) {
		struct nj_brain *brain = &ai->brain[b];
		if (brain->key == 0 || brain->check_ns == 0 || brain->check_told != 0 ||
		    judgement->start_ns > brain->check_ns + 2 * FOLLOW_NS)
			continue;
		uint8_t kind = 0;
		double ln_p = nj_ln_clamp(change_ln_p(judgement, ai, brain, &kind));
		if (ln_p >= COINCIDENCE)
			continue;
		brain->check_told = 1;
		ret_scores[n++] = (struct nj_score){.slot = (uint8_t)b,
						    .kind = kind,
						    .tests = 1,
						    .class_key = brain->key,
						    .start_ns = brain->check_ns,
						    .value = -ln_p,
						    .ln_p = ln_p,
						    .harm = (double)brain->loop.turns};
	}
	return n;
}

static void explain_reaction(const struct nj_judgement *judgement, const struct nj_view *view,
			     const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_block_ai *ai = view->profile->ai;
	const struct nj_brain *checked = &ai->brain[score->slot], *other = NULL;
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], next[NJ_ADDR_TEXT_MAX], change[160];
	(void)judgement;
	for (int b = 0; b < NJ_BRAINS; b++)
		if (has_followed(checked, &ai->brain[b]))
			other = &ai->brain[b];
	double now = turn_s_of(checked, TURNS_RATE);
	if (score->kind == KIND_ROUTE && other != NULL)
		snprintf(change, sizeof change, "the same program went on with %s", nj_brain_word(other, next));
	else if (score->kind == KIND_CLIENT && other != NULL)
		snprintf(change, sizeof change, "another program (%s) went on with it", other->client);
	else
		snprintf(change, sizeof change, "a turn took %.1f s instead of %.1f s", now,
			 (double)checked->check_turn_s);
	snprintf(alert->summary, sizeof alert->summary,
		 "after %u turns of %s with %s were cut off or its watchers looked at, %s: it has noticed",
		 checked->check_turns, nj_addr_text(&view->profile->agent.addr, agent), nj_brain_word(checked, peer),
		 change);
	nj_alert_add_feature(alert, "turns_before", "turns", checked->check_turns, NAN, NAN, 0);
	nj_alert_add_feature(alert, "turn_s", "s", now, (double)checked->check_turn_s, NAN, score->kind == KIND_RATE);
	nj_alert_add_feature(alert, "turns_after", "turns",
			     other != NULL ? (double)other->loop.turns
					   : (double)(checked->loop.turns - checked->check_turns),
			     NAN, NAN, score->kind != KIND_RATE);
	nj_alert_add_technique(alert, "T1497");
	nj_alert_add_technique(alert, "AML.T0097");
	const struct nj_brain *told[2] = {checked, other};
	for (int i = 0; i < 2; i++) {
		if (told[i] == NULL)
			continue;
		struct nj_alert_peer row = {.addr = told[i]->peer,
					    .port = told[i]->port,
					    .protocol = told[i]->protocol,
					    .bytes_out = told[i]->bytes_up,
					    .bytes_in = told[i]->bytes_down};
		snprintf(row.name, sizeof row.name, "%s", told[i]->name);
		nj_alert_add_peer(alert, &view->profile->agent, &row, told[i]->flow_port);
	}
}

const struct nj_detector nj_detector_reaction = {
	.name = "reaction",
	.meaning = "another route, client or rate after a block, or after a look at who watches",
	.family = "reaction",
	.weight = 1,
	.severity = NJ_SEVERITY_HIGH,
	.harm_more = INFINITY,
	.harm_most = INFINITY,
	.judge = judge_reaction,
	.explain = explain_reaction,
};
