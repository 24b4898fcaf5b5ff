/* Collected, then carried out: first much comes in from servers at home, then much of it goes outside.
 *
 * Of a day (UTC): in, the payload the agent received as a client from peers at home; out, what it sent outside as a
 * client. Both as ln(1 + bytes) against level and scale of the prior, z_in and z_out. What is carried out was there
 * before: looked at only while out is between 0.05 and 1.2 times in. stage = min(z_in, z_out) and
 *
 *   ln p = 2 ln P(Z >= stage)
 *
 * the chance that both sums are so large when they have nothing to do with each other. A look is taken when out has
 * grown by a factor of sqrt 2. Either sum alone may be quite usual for its own detector. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/prior.h"
#include "common/inventory.h"
#include "models/math.h"

#include <math.h>
#include <stdio.h>

#define OUT_MIN   (1024 * 1024.0)
#define RATIO_MIN 0.05
#define RATIO_MAX 1.2

static void add_collected(struct nj_view *view)
{
	struct nj_profile *profile = view->profile;
	if (profile->collected_day != profile->day.slot) {
		profile->collected_day = (uint32_t)profile->day.slot;
		profile->collected = 0;
		profile->collected_told = 0;
	}
	for (uint32_t i = 0; i < view->window->contacts_n; i++) {
		const struct nj_contact *contact = &view->window->contacts[i];
		if (!contact->external && contact->role == NJ_ROLE_CLIENT &&
		    !nj_contact_is_group(&view->window->agent, contact))
			profile->collected = nj_add_saturating(profile->collected, contact->bytes_in);
	}
}

static uint32_t judge_staging(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	struct nj_profile *profile = view->profile;
	add_collected(view);
	double in = (double)profile->collected, out = (double)profile->day.out;
	uint32_t step = nj_growth_step(out);
	if (out < OUT_MIN || step <= profile->collected_told || out < RATIO_MIN * in || out > RATIO_MAX * in)
		return 0;
	profile->collected_told = (uint8_t)step;
	const struct nj_usual in_usual = {judgement->prior->collected_level, judgement->prior->collected_scale},
			      out_usual = {judgement->prior->out_day_level, judgement->prior->out_day_scale};
	double stage = fmin(nj_usual_z(&in_usual, log1p(in)), nj_usual_z(&out_usual, log1p(out)));
	double ln_p = nj_ln_clamp(2 * nj_log_normal_upper(stage));
	ret_scores[0] = (struct nj_score){.tests = 1,
					  .class_key = profile->day.slot,
					  .start_ns = profile->day.slot * NJ_DAY_NS,
					  .value = -ln_p,
					  .ln_p = ln_p,
					  .harm = out};
	return 1;
}

/* The window's largest contacts of one kind as peers. */
static void add_largest(const struct nj_view *view, bool external, struct nj_alert *alert)
{
	const struct nj_contact *largest = NULL;
	for (uint32_t i = 0; i < view->window->contacts_n; i++) {
		const struct nj_contact *contact = &view->window->contacts[i];
		if (contact->role != NJ_ROLE_CLIENT || (contact->external != 0) != external)
			continue;
		uint64_t bytes = external ? contact->bytes_out : contact->bytes_in, most = largest == NULL ? 0
											   : external
												   ? largest->bytes_out
												   : largest->bytes_in;
		if (bytes > most)
			largest = contact;
	}
	if (largest != NULL)
		nj_alert_add_contact(alert, &view->profile->agent, largest);
}

static void explain_staging(const struct nj_judgement *judgement, const struct nj_view *view,
			    const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_profile *profile = view->profile;
	char agent[NJ_ADDR_TEXT_MAX], in[24], out[24], usual_in[24], usual_out[24];
	double collected = (double)profile->collected;
	if (alert->start_ns < profile->first_ns)
		alert->start_ns = profile->first_ns;
	snprintf(alert->summary, sizeof alert->summary,
		 "%s fetched %s from servers of the home networks today and has sent %s outside since; usual is about "
		 "%s in "
		 "and %s out: collected, then carried out",
		 nj_addr_text(&profile->agent.addr, agent), nj_text_bytes(collected, in),
		 nj_text_bytes(score->harm, out), nj_text_bytes(expm1(judgement->prior->collected_level), usual_in),
		 nj_text_bytes(expm1(judgement->prior->out_day_level), usual_out));
	nj_alert_add_feature(alert, "bytes_in_home_24h", "B", collected, expm1(judgement->prior->collected_level), NAN,
			     0.5);
	nj_alert_add_feature(alert, "bytes_out_external_24h", "B", score->harm, expm1(judgement->prior->out_day_level),
			     NAN, 0.5);
	nj_alert_add_technique(alert, "T1074");
	nj_alert_add_technique(alert, "T1048");
	nj_alert_add_technique(alert, "AML.T0025");
	add_largest(view, true, alert);
	add_largest(view, false, alert);
}

const struct nj_detector nj_detector_staging = {
	.name = "exfil-staging",
	.meaning = "much fetched from servers at home and much of it sent outside on the same day",
	.family = "exfil-staging",
	.permission = NJ_PERMIT_EXFIL,
	.permission_word = "exfil",
	.weight = 2,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 1e9,
	.harm_most = 100e9,
	.judge = judge_staging,
	.explain = explain_staging,
};
