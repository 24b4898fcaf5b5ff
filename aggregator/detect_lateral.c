/* Moving sideways: in by the door of the administrator, and out by it to the next host.
 *
 * When somebody comes in to an agent by a service with which one runs commands (services.h), that is remembered for an
 * hour with the surprise of it: -log2 of the share of agents that use this service of this host. When the agent then
 * makes a first contact with such a service of another host at home, two events that hardly belong together on a benign
 * host stand in a row. With P_in and P_out the two shares,
 *
 *   ln p = w ln(P_in P_out)        w = 1/2 while the agent is younger than ten minutes, 1 after
 *
 * that is, both edges are taken as drawn from what all agents do. A jump host has many users (P_in is large) and knows
 * its targets (nothing is new), so it is silent after its first day. The same peer back is no step: an answer to who
 * came. Further steps of the same day are folded into the first alert. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/services.h"
#include "common/inventory.h"
#include "models/surprisal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CHAIN_NS     NJ_HOUR_NS
#define YOUNG_NS     (10 * NJ_MINUTE_NS)
#define YOUNG_WEIGHT 0.5
#define BYTES_MIN    1000 /* both ways: a session, not a knock */

static double share_bits(const struct nj_judgement *judgement, const struct nj_addr *host, uint16_t port,
			 uint8_t protocol)
{
	uint64_t key = nj_fleet_service_key(host, port, protocol, judgement->key);
	struct nj_fleet_use use = nj_fleet_use(judgement->fleet, key, judgement->start_ns);
	return nj_surprisal_bits(use.agents, nj_fleet_agents(judgement->fleet, judgement->start_ns));
}

/* ---- who came in */

static void remember(const struct nj_judgement *judgement, struct nj_view *view, const struct nj_contact *contact)
{
	struct nj_block_access *access = nj_profile_access(view->profile);
	if (access == NULL)
		return;
	struct nj_inbound *at = &access->inbound[0];
	for (int i = 0; i < NJ_INBOUNDS; i++) {
		struct nj_inbound *inbound = &access->inbound[i];
		if (inbound->t_ns != 0 && inbound->port == contact->port && inbound->protocol == contact->protocol &&
		    nj_addr_equal(&inbound->peer, &contact->peer)) {
			inbound->t_ns = contact->last_ns;
			return;
		}
		if (inbound->t_ns < at->t_ns)
			at = inbound;
	}
	*at = (struct nj_inbound){.peer = contact->peer,
				  .t_ns = contact->last_ns,
				  .since_ns = contact->first_ns,
				  .port = contact->port,
				  .protocol = contact->protocol};
	at->bits = (float)share_bits(judgement, &view->profile->agent.addr, contact->port, contact->protocol);
}

static bool is_session(const struct nj_contact *contact)
{
	return nj_service_is_remote_control(contact->protocol, contact->port) &&
	       contact->bytes_out + contact->bytes_in >= BYTES_MIN && contact->bytes_out > 0 && contact->bytes_in > 0;
}

/* ---- and where it went on to */

/* The latest who came in before *contact* began, from elsewhere, within the hour. */
static const struct nj_inbound *inbound_before(const struct nj_block_access *access, const struct nj_contact *contact)
{
	const struct nj_inbound *best = NULL;
	for (int i = 0; i < NJ_INBOUNDS; i++) {
		const struct nj_inbound *inbound = &access->inbound[i];
		if (inbound->t_ns == 0 || inbound->since_ns >= contact->first_ns ||
		    inbound->t_ns + CHAIN_NS < contact->first_ns || nj_addr_equal(&inbound->peer, &contact->peer))
			continue;
		if (best == NULL || inbound->t_ns > best->t_ns)
			best = inbound;
	}
	return best;
}

static uint32_t judge_lateral(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_window *window = view->window;
	uint32_t n = 0;
	for (uint32_t i = 0; i < window->contacts_n && i < NJ_CONTACTS_MAX; i++)
		if (window->contacts[i].role == NJ_ROLE_SERVER &&
		    !nj_contact_is_group(&window->agent, &window->contacts[i]) && is_session(&window->contacts[i]))
			remember(judgement, view, &window->contacts[i]);
	const struct nj_block_access *access = view->profile->access;
	if (access == NULL)
		return 0;
	double age = (double)(judgement->end_ns - view->profile->first_ns);
	double weight = age < (double)YOUNG_NS ? YOUNG_WEIGHT : 1;
	for (uint32_t i = 0; i < window->contacts_n && i < NJ_CONTACTS_MAX && n < NJ_SCORES_PER_JUDGE; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (contact->external || !nj_view_is_fresh(view, i) || !is_session(contact) ||
		    nj_contact_opening(contact) != NJ_OPENING_ANSWERED)
			continue;
		const struct nj_inbound *inbound = inbound_before(access, contact);
		if (inbound == NULL)
			continue;
		double bits =
			(double)inbound->bits + share_bits(judgement, &contact->peer, contact->port, contact->protocol);
		double ln_p = nj_ln_clamp(-weight * bits * M_LN2);
		ret_scores[n++] = (struct nj_score){.slot = (uint8_t)(inbound - access->inbound),
						    .kind = (uint8_t)i,
						    .tests = 1,
						    .class_key = 1,
						    .start_ns = inbound->since_ns,
						    .value = -ln_p,
						    .ln_p = ln_p,
						    .harm = 2};
	}
	return n;
}

static void explain_lateral(const struct nj_judgement *judgement, const struct nj_view *view,
			    const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_inbound *inbound = &view->profile->access->inbound[score->slot];
	const struct nj_contact *contact = &view->window->contacts[score->kind];
	char agent[NJ_ADDR_TEXT_MAX], from[NJ_ADDR_TEXT_MAX], to[NJ_ADDR_TEXT_MAX], in[16], out[16], seconds[24];
	double apart =
		contact->first_ns > inbound->since_ns ? (double)(contact->first_ns - inbound->since_ns) / 1e9 : 0;
	double bits = share_bits(judgement, &contact->peer, contact->port, contact->protocol);
	snprintf(alert->summary, sizeof alert->summary,
		 "%s came in to %s by %s, and %s later it went on to %s by %s, where it had not been before: a step "
		 "sideways; few others take either way",
		 nj_addr_text(&inbound->peer, from), nj_addr_text(&view->profile->agent.addr, agent),
		 nj_service_word(inbound->protocol, inbound->port, in), nj_text_seconds(apart, seconds),
		 nj_addr_text(&contact->peer, to), nj_service_word(contact->protocol, contact->port, out));
	double all = (double)inbound->bits + bits;
	nj_alert_add_feature(alert, "inbound_bits", "bit", (double)inbound->bits, NAN, NAN,
			     all > 0 ? (double)inbound->bits / all : 0);
	nj_alert_add_feature(alert, "outbound_bits", "bit", bits, NAN, NAN, all > 0 ? bits / all : 0);
	nj_alert_add_feature(alert, "chain_gap", "s", apart, NAN, NAN, 0);
	nj_alert_add_technique(alert, contact->port == 22                              ? "T1021.004"
				      : contact->port == 3389                          ? "T1021.001"
				      : contact->port == 445 || contact->port == 139   ? "T1021.002"
				      : contact->port == 5985 || contact->port == 5986 ? "T1021.006"
										       : "T1021");
	nj_alert_add_technique(alert, "AML.T0091");
	nj_alert_add_contact(alert, &view->profile->agent, contact);
	nj_alert_add_peer(
		alert, &view->profile->agent,
		&(struct nj_alert_peer){.addr = inbound->peer, .port = inbound->port, .protocol = inbound->protocol},
		0);
}

const struct nj_detector nj_detector_lateral = {
	.name = "lateral",
	.meaning = "somebody comes in by an administrative service and the host goes on to another that it never used",
	.family = "lateral",
	.permission = NJ_PERMIT_ADMIN,
	.permission_word = "admin",
	.weight = 2,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = INFINITY,
	.harm_most = INFINITY,
	.judge = judge_lateral,
	.explain = explain_lateral,
};
