/* Decoys: what nobody has a reason to touch. One opened flow, answered or not, is a fact and needs no statistics: the
 * alert is critical, at once, whatever the budget. ARP does not count, because a router asks for every address that
 * somebody else sends to; nor does a flow that the decoy's address opened itself. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "common/inventory.h"

#include <math.h>
#include <stdio.h>

static const struct nj_inventory_decoy *decoy_of(const struct nj_judgement *judgement, const struct nj_contact *contact)
{
	if (contact->role != NJ_ROLE_CLIENT || contact->protocol == 254)
		return NULL;
	if (contact->opened == 0 && nj_contact_opening(contact) == NJ_OPENING_UNKNOWN)
		return NULL;
	return nj_inventory_decoy(judgement->inventory, &contact->peer, contact->port);
}

static uint32_t judge_decoy(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_window *window = view->window;
	uint32_t touched = 0;
	uint64_t first_ns = 0;
	for (uint32_t i = 0; i < window->contacts_n; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (decoy_of(judgement, contact) == NULL)
			continue;
		if (touched++ == 0 || contact->first_ns < first_ns)
			first_ns = contact->first_ns;
	}
	if (touched == 0)
		return 0;
	ret_scores[0] = (struct nj_score){.certain = true,
					  .tests = 1,
					  .class_key = 1,
					  .start_ns = first_ns,
					  .value = -NJ_LN_P_MIN,
					  .ln_p = NJ_LN_P_MIN,
					  .harm = touched,
					  .own = 1};
	return 1;
}

static void explain_decoy(const struct nj_judgement *judgement, const struct nj_view *view,
			  const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_window *window = view->window;
	const struct nj_contact *first = NULL;
	uint64_t flows = 0;
	for (uint32_t i = 0; i < window->contacts_n; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (decoy_of(judgement, contact) == NULL)
			continue;
		if (first == NULL || contact->first_ns < first->first_ns)
			first = contact;
		flows += contact->opened > 0 ? contact->opened : 1;
		nj_alert_add_contact(alert, &window->agent, contact);
		if (contact->last_ns > alert->end_ns)
			alert->end_ns = contact->last_ns;
	}
	if (first == NULL)
		return;
	const struct nj_inventory_decoy *decoy = decoy_of(judgement, first);
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], protocol[NJ_PROTOCOL_TEXT_MAX];
	snprintf(alert->summary, sizeof alert->summary,
		 "%s touched the decoy %s%s%s (%s port %u) with %llu %s; %.0f decoy %s in these seconds, usual is none",
		 nj_addr_text(&window->agent.addr, agent), decoy->name, decoy->name[0] != '\0' ? " at " : "",
		 nj_addr_text(&first->peer, peer), nj_protocol_text(first->protocol, protocol), first->port,
		 (unsigned long long)flows, flows == 1 ? "flow" : "flows", score->harm,
		 score->harm == 1 ? "service" : "services");
	nj_alert_add_feature(alert, "decoy_hits", "contacts", score->harm, 0, 0, 1);
	nj_alert_add_technique(alert, "T1046");
	nj_alert_add_technique(alert, "T1018");
}

const struct nj_detector nj_detector_decoy = {
	.name = "decoy",
	.meaning = "a contact with a decoy of the inventory",
	.family = "decoy",
	.weight = 1,
	.severity = NJ_SEVERITY_CRITICAL,
	.harm_more = INFINITY,
	.harm_most = INFINITY,
	.judge = judge_decoy,
	.explain = explain_decoy,
};
