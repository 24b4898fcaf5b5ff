/* Reconnaissance that never fails: edges nobody of one's kind has.
 *
 * An agent that has read the directory is answered wherever it knocks, so no failure gives it away. Each answered first
 * contact with a service at home is worth -log2 P bits, P the share of all agents that use the service
 * (models/surprisal.h); administrative services count 1.5 times, the secrets plane 3 times. The bits add up to C
 * against the agent's own hourly rate, fade with a half-life of 48 hours, and y = ln(1 + C) is held against the prior's
 * level and scale as a normal.
 *
 * An agent that has just appeared meets everything for the first time: its edges count a quarter, rising to all within
 * ten minutes. So does every agent of a capture that begins in the middle of things.
 *
 * A look is taken when C has grown by a quarter and stands on five edges. Not counted: contacts with what serves names,
 * time and addresses, and what is answered by ICMP or ARP. A scanner that fails on nine of ten is told by the scan
 * detector; the tenth counts here as well, which is right: it found something. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/observe_ai.h"
#include "aggregator/prior.h"
#include "aggregator/services.h"
#include "common/inventory.h"
#include "models/math.h"

#include <math.h>
#include <stdio.h>

#define EDGES_MIN    5
#define GROWTH       1.25f
#define YOUNG_NS     (10 * NJ_MINUTE_NS)
#define YOUNG_WEIGHT 0.25

static struct nj_surprisal_params params_of(const struct nj_judgement *judgement)
{
	struct nj_surprisal_params params = NJ_SURPRISAL_PARAMS_DEFAULT;
	params.level = judgement->prior->edge_hour_level;
	params.scale = judgement->prior->edge_hour_scale;
	return params;
}

static bool counts(const struct nj_view *view, uint32_t index)
{
	const struct nj_contact *contact = &view->window->contacts[index];
	if (contact->external || !nj_view_is_fresh(view, index) || nj_contact_opening(contact) != NJ_OPENING_ANSWERED)
		return false;
	bool serves_all =
		contact->port == 53 || (contact->protocol == 17 && (contact->port == 123 || contact->port == 67));
	return (contact->protocol == 6 || contact->protocol == 17) && !serves_all;
}

static double age_weight(const struct nj_judgement *judgement, const struct nj_profile *profile)
{
	double age = judgement->end_ns > profile->first_ns ? (double)(judgement->end_ns - profile->first_ns) : 0;
	return YOUNG_WEIGHT + (1 - YOUNG_WEIGHT) * fmin(1, age / (double)YOUNG_NS);
}

static void close_hour(const struct nj_judgement *judgement, const struct nj_view *view, struct nj_block_access *access)
{
	uint64_t hour = judgement->start_ns / NJ_HOUR_NS;
	if (access->hour == hour)
		return;
	struct nj_surprisal_params params = params_of(judgement);
	if (access->hour != 0 && !view->profile->hour.suspect && !view->profile->day.suspect)
		nj_surprisal_learn(&access->surprisal, (double)access->hour_bits, &params);
	access->hour = hour;
	access->hour_bits = 0;
}

/* Bits of this window's edges; they and the latest sighting go into the block. */
static bool add_edges(const struct nj_judgement *judgement, struct nj_view *view)
{
	struct nj_surprisal_params params = params_of(judgement);
	double weight = age_weight(judgement, view->profile);
	bool any = false;
	uint16_t order[NJ_CONTACTS_MAX];
	uint32_t n = nj_view_fresh_order(view, order);
	for (uint32_t i = 0; i < n; i++) {
		if (!counts(view, order[i]))
			continue;
		struct nj_block_access *access = nj_profile_access(view->profile);
		if (access == NULL)
			return false;
		close_hour(judgement, view, access);
		const struct nj_contact *contact = &view->window->contacts[order[i]];
		double bits = weight * nj_contact_bits(judgement, contact);
		nj_surprisal_step(&access->surprisal, contact->first_ns, bits, &params);
		access->hour_bits += (float)bits;
		nj_sighting_add(access->edge, &access->edges, contact, NJ_CONTACT_ANSWERED);
		any = true;
	}
	return any;
}

static uint32_t judge_recon(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	if (!add_edges(judgement, view))
		return 0;
	struct nj_block_access *access = view->profile->access;
	const struct nj_surprisal *surprisal = &access->surprisal;
	if ((float)surprisal->sum < access->surprise_told / GROWTH)
		access->surprise_told = 0; /* it drained: a new excursion */
	if (surprisal->edges < EDGES_MIN || (float)surprisal->sum < GROWTH * access->surprise_told)
		return 0;
	access->surprise_told = (float)surprisal->sum;
	const struct nj_usual usual = {judgement->prior->edge_sum_level, judgement->prior->edge_sum_scale};
	double ln_p = nj_ln_clamp(nj_log_normal_upper(nj_usual_z(&usual, log1p(surprisal->sum))));
	ret_scores[0] = (struct nj_score){.tests = 1,
					  .class_key = 1,
					  .start_ns = surprisal->since_ns,
					  .value = -ln_p,
					  .ln_p = ln_p,
					  .harm = surprisal->edges,
					  .own = surprisal->hours / (surprisal->hours + 8.0)};
	return 1;
}

static void explain_recon(const struct nj_judgement *judgement, const struct nj_view *view,
			  const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_block_access *access = view->profile->access;
	const struct nj_surprisal *surprisal = &access->surprisal;
	struct nj_surprisal_params params = params_of(judgement);
	char agent[NJ_ADDR_TEXT_MAX], seconds[24];
	double usual = expm1(judgement->prior->edge_sum_level), rate = nj_surprisal_rate(surprisal, &params);
	snprintf(alert->summary, sizeof alert->summary,
		 "%s met %.0f services of the home networks for the first time within %s, all of them answered and few "
		 "of "
		 "them used by others: %.0f bits of surprise, usual is about %.0f",
		 nj_addr_text(&view->profile->agent.addr, agent), score->harm,
		 nj_text_seconds((double)(judgement->end_ns - alert->start_ns) / 1e9, seconds), surprisal->sum, usual);
	nj_alert_add_feature(alert, "edge_bits", "bit", surprisal->sum, usual, NAN, 1);
	nj_alert_add_feature(alert, "new_edges", "edges", score->harm, NAN, NAN, 0);
	nj_alert_add_feature(alert, "edge_bits_hour", "bit", NAN, rate, NAN, 0);
	nj_alert_add_technique(alert, "T1046");
	nj_alert_add_technique(alert, "T1018");
	nj_alert_add_technique(alert, "AML.T0006");
	nj_alert_add_sightings(alert, &view->profile->agent, access->edge, access->edges, view->window);
}

const struct nj_detector nj_detector_recon = {
	.name = "recon-quiet",
	.meaning = "services at home met for the first time that its kind does not use, answered everywhere",
	.family = "recon-quiet",
	.permission = NJ_PERMIT_SCAN,
	.permission_word = "scan",
	.weight = 1,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 30,
	.harm_most = 300,
	.judge = judge_recon,
	.explain = explain_recon,
};
