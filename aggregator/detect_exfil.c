/* Exfiltration by volume, by direction, and to destinations first seen.
 *
 * Volume: payload that the agent sent outside as a client in this hour and this day. y = ln(1 + bytes) against level
 * and scale, the prior's and the agent's own (hour of week, models/baseline.h); ln p is the upper tail of a normal,
 * mixed by how much own history there is. What the agent serves to outside clients is not counted here: a public
 * server's bytes are its work.
 *
 * Direction: in each five minutes with 1 MB or more sent, PCR = (out - in)/(out + in) against its slowly learned mean,
 * in Page's test (models/cusum.h). A browser that begins to push is seen after some half hour even at a volume that is
 * nothing special.
 *
 * New destination: bytes to one outside destination (by name where one is known, else by address) within a day, among
 * the eight heaviest (Space-Saving). Only uploads count: twice as much out as in. y = ln(1 + bytes) against what benign
 * agents send to one destination; known destinations count 0.6, and a destination that n agents use counts 1/(1 + 0.5
 * ln n): everybody's backup is nobody's theft. Daily sums make the slow ones visible. A language model is left to the
 * detector of uploads to models, which knows what conversations grow by.
 *
 * A sum is looked at when it has grown by a factor of sqrt 2 since the last look. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/observe_ai.h"
#include "aggregator/prior.h"
#include "common/inventory.h"
#include "common/label.h"
#include "models/math.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define VOLUME_MIN         (256 * 1024.0)
#define TARGET_CONTACT_MIN 4096 /* bytes of a contact below which it does not displace a destination */
#define TARGET_MIN         (64 * 1024.0)
#define TARGET_KNOWN       0.6
#define UPLOAD_RATIO       2.0
#define PCR_SPAN_NS        (5 * NJ_MINUTE_NS)
#define SCALE_MIN          0.7

enum volume_kind { KIND_HOUR, KIND_DAY };

/* ---- volume */

static struct nj_usual volume_prior(const struct nj_prior *prior, int kind)
{
	return kind == KIND_HOUR ? (struct nj_usual){prior->out_hour_level, prior->out_hour_scale}
				 : (struct nj_usual){prior->out_day_level, prior->out_day_scale};
}

static struct nj_usual volume_own(const struct nj_judgement *judgement, const struct nj_profile *profile, int kind)
{
	struct nj_usual usual = volume_prior(judgement->prior, kind), hour = volume_prior(judgement->prior, KIND_HOUR);
	if (profile->history == NULL)
		return usual;
	struct nj_usual own =
		nj_baseline_week_usual(&profile->history->out, nj_hour_of_week(judgement->start_ns, 0), &hour);
	own.scale = own.scale > SCALE_MIN ? own.scale : SCALE_MIN;
	if (kind == KIND_HOUR)
		return own;
	/* Only hours are learned. A day may be more than the prior's by as much as the hours are, never less: a day has
	 * many hours. */
	return (struct nj_usual){usual.level + fmax(0, own.level - hour.level), fmax(usual.scale, own.scale)};
}

static uint32_t judge_volume(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	struct nj_profile *profile = view->profile;
	struct nj_score best = {.ln_p = 1};
	double own = nj_profile_own(profile);
	uint32_t tests = 0;
	for (int kind = KIND_HOUR; kind <= KIND_DAY; kind++) {
		struct nj_span *span = kind == KIND_HOUR ? &profile->hour : &profile->day;
		double bytes = (double)span->out;
		uint32_t step = nj_growth_step(bytes);
		if (bytes < VOLUME_MIN || step <= span->told || span->out < span->in)
			continue;
		span->told = step;
		struct nj_usual prior = volume_prior(judgement->prior, kind),
				mine = volume_own(judgement, profile, kind);
		double ln_p = nj_ln_mix(nj_log_normal_upper(nj_usual_z(&prior, log1p(bytes))),
					nj_log_normal_upper(nj_usual_z(&mine, log1p(bytes))), own);
		uint64_t span_ns = kind == KIND_HOUR ? NJ_HOUR_NS : NJ_DAY_NS;
		tests++;
		if (ln_p < best.ln_p)
			best = (struct nj_score){.kind = (uint8_t)kind,
						 .class_key = 1,
						 .start_ns = span->slot * span_ns,
						 .value = -ln_p,
						 .ln_p = ln_p,
						 .harm = bytes,
						 .own = own};
	}
	best.tests = tests;
	ret_scores[0] = best;
	return tests > 0;
}

/* The window's largest uploads to the outside as peers. */
static void add_uploads(struct nj_alert *alert, const struct nj_window *window)
{
	uint64_t below = UINT64_MAX;
	for (int n = 0; n < 3; n++) {
		const struct nj_contact *largest = NULL;
		for (uint32_t i = 0; i < window->contacts_n; i++) {
			const struct nj_contact *contact = &window->contacts[i];
			if (contact->external && contact->role == NJ_ROLE_CLIENT && contact->bytes_out < below &&
			    (largest == NULL || contact->bytes_out > largest->bytes_out))
				largest = contact;
		}
		if (largest == NULL || largest->bytes_out == 0)
			return;
		nj_alert_add_contact(alert, &window->agent, largest);
		below = largest->bytes_out;
	}
}

static void explain_volume(const struct nj_judgement *judgement, const struct nj_view *view,
			   const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_profile *profile = view->profile;
	const struct nj_span *span = score->kind == KIND_HOUR ? &profile->hour : &profile->day;
	struct nj_usual prior = volume_prior(judgement->prior, score->kind),
			mine = volume_own(judgement, profile, score->kind);
	char agent[NJ_ADDR_TEXT_MAX], out[24], in[24], usual[24];
	if (alert->start_ns < profile->first_ns)
		alert->start_ns = profile->first_ns;
	snprintf(alert->summary, sizeof alert->summary,
		 "%s sent %s outside within this %s (and received %s); usual is about %s",
		 nj_addr_text(&profile->agent.addr, agent), nj_text_bytes(score->harm, out),
		 score->kind == KIND_HOUR ? "hour" : "day", nj_text_bytes((double)span->in, in),
		 nj_text_bytes(expm1(mine.level), usual));
	nj_alert_add_feature(alert, score->kind == KIND_HOUR ? "bytes_out_external_1h" : "bytes_out_external_24h", "B",
			     score->harm, expm1(mine.level), expm1(prior.level), 1);
	double ratio = nj_pcr_ratio((double)span->out, (double)span->in);
	nj_alert_add_feature(alert, "pcr_external", "-1..1", ratio, judgement->prior->pcr_mean,
			     judgement->prior->pcr_mean, 0);
	nj_alert_add_technique(alert, "T1048");
	nj_alert_add_technique(alert, "T1041");
	nj_alert_add_technique(alert, "AML.T0025");
	add_uploads(alert, view->window);
}

/* ---- direction */

static struct nj_pcr_params pcr_params(const struct nj_prior *prior)
{
	struct nj_pcr_params params = NJ_PCR_PARAMS_DEFAULT;
	params.prior_mean = prior->pcr_mean;
	params.prior_scale = prior->pcr_scale;
	return params;
}

static uint32_t judge_direction(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_window *window = view->window;
	struct nj_block_targets *targets = view->profile->targets;
	uint64_t slot = judgement->start_ns / PCR_SPAN_NS, out = 0, in = 0;
	for (uint32_t i = 0; i < window->contacts_n; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (!contact->external || contact->role != NJ_ROLE_CLIENT)
			continue;
		out = nj_add_saturating(out, contact->bytes_out);
		in = nj_add_saturating(in, contact->bytes_in);
	}
	if (targets == NULL && (out == 0 || (targets = nj_profile_targets(view->profile)) == NULL))
		return 0;
	bool closed = targets->pcr_slot != slot && targets->pcr_slot != 0, judged = false;
	if (closed) {
		struct nj_pcr_params params = pcr_params(judgement->prior);
		double sum_before = targets->pcr.cusum.sum;
		double sum = nj_pcr_step(&targets->pcr, targets->pcr_slot * PCR_SPAN_NS, (double)targets->pcr_out,
					 (double)targets->pcr_in, view->profile->hour.suspect == 0, &params);
		judged = (double)targets->pcr_out >= params.bytes_min && sum > 0;
		if (sum_before <= 0)
			targets->pcr_sum_out = targets->pcr_sum_in = 0;
		targets->pcr_sum_out = nj_add_saturating(targets->pcr_sum_out, targets->pcr_out);
		targets->pcr_sum_in = nj_add_saturating(targets->pcr_sum_in, targets->pcr_in);
		if (judged) {
			double ln_p = nj_ln_clamp(nj_cusum_log_p(sum, params.slack));
			ret_scores[0] = (struct nj_score){.tests = 1,
							  .class_key = 2,
							  .start_ns = targets->pcr.cusum.since_ns,
							  .value = -ln_p,
							  .ln_p = ln_p,
							  .harm = (double)targets->pcr_sum_out,
							  .own = targets->pcr.weight /
								 (targets->pcr.weight + params.prior_weight)};
		}
	}
	if (targets->pcr_slot != slot) {
		targets->pcr_slot = slot;
		targets->pcr_out = targets->pcr_in = 0;
	}
	targets->pcr_out = nj_add_saturating(targets->pcr_out, out);
	targets->pcr_in = nj_add_saturating(targets->pcr_in, in);
	return judged;
}

static void explain_direction(const struct nj_judgement *judgement, const struct nj_view *view,
			      const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_block_targets *targets = view->profile->targets;
	struct nj_pcr_params params = pcr_params(judgement->prior);
	double mean, scale, ratio = nj_pcr_ratio((double)targets->pcr_sum_out, (double)targets->pcr_sum_in);
	nj_pcr_usual(&targets->pcr, &params, &mean, &scale);
	char agent[NJ_ADDR_TEXT_MAX], out[24], in[24], seconds[24];
	alert->end_ns = judgement->start_ns;
	snprintf(alert->summary, sizeof alert->summary,
		 "%s has turned from receiving to sending: %s out and %s in for %s, producer-consumer ratio %.2f; "
		 "usual is %.2f",
		 nj_addr_text(&view->profile->agent.addr, agent), nj_text_bytes(score->harm, out),
		 nj_text_bytes((double)targets->pcr_sum_in, in),
		 nj_text_seconds((double)(judgement->start_ns - alert->start_ns) / 1e9, seconds), ratio, mean);
	nj_alert_add_feature(alert, "pcr_external", "-1..1", ratio, mean, judgement->prior->pcr_mean, 1);
	nj_alert_add_feature(alert, "bytes_out_external", "B", score->harm, NAN, NAN, 0);
	nj_alert_add_technique(alert, "T1048");
	nj_alert_add_technique(alert, "T1020");
	add_uploads(alert, view->window);
}

/* ---- destinations first seen */

static uint64_t target_key(const struct nj_judgement *judgement, const struct nj_contact *contact)
{
	return contact->name[0] != '\0' ? nj_fleet_name_key(contact->name, judgement->key)
					: nj_fleet_host_key(&contact->peer, judgement->key);
}

static struct nj_target *add_target(const struct nj_judgement *judgement, struct nj_view *view, uint32_t index)
{
	const struct nj_contact *contact = &view->window->contacts[index];
	struct nj_block_targets *targets = view->profile->targets;
	uint64_t key = target_key(judgement, contact);
	if (contact->bytes_out < TARGET_CONTACT_MIN &&
	    (targets == NULL || nj_heavy_find(targets->slot, NJ_TARGETS, key) < 0))
		return NULL;
	if (contact->bytes_out == 0 || (targets == NULL && (targets = nj_profile_targets(view->profile)) == NULL))
		return NULL;
	bool displaced;
	uint64_t weight = contact->bytes_out < UINT64_MAX / 4096 ? contact->bytes_out : UINT64_MAX / 4096;
	struct nj_target *target = &targets->target[nj_heavy_add(targets->slot, NJ_TARGETS, key, weight, &displaced)];
	bool old = !displaced && judgement->start_ns > target->first_ns &&
		   judgement->start_ns - target->first_ns > NJ_DAY_NS;
	if (displaced || old) {
		bool fresh = displaced &&
			     (nj_view_is_fresh(view, index) || judgement->end_ns - view->profile->first_ns < NJ_DAY_NS);
		*target = (struct nj_target){.peer = contact->peer, .first_ns = contact->first_ns, .fresh = fresh};
		nj_label_ascii(contact->name, strnlen(contact->name, sizeof contact->name), target->name,
			       sizeof target->name);
	}
	target->port = contact->port;
	target->protocol = contact->protocol;
	target->flow_port = contact->flow_port;
	target->outside = contact->external;
	target->last_ns = contact->last_ns;
	target->out = nj_add_saturating(target->out, contact->bytes_out);
	target->in = nj_add_saturating(target->in, contact->bytes_in);
	target->uploads++;
	return target;
}

static double popularity(const struct nj_judgement *judgement, const struct nj_target *target, uint64_t key)
{
	uint32_t by_name = nj_fleet_use(judgement->fleet, key, judgement->start_ns).agents;
	uint32_t by_service =
		nj_fleet_use(judgement->fleet,
			     nj_fleet_service_key(&target->peer, target->port, target->protocol, judgement->key),
			     judgement->start_ns)
			.agents;
	uint32_t agents = by_name > by_service ? by_name : by_service;
	return agents > 1 ? 1 / (1 + 0.5 * log(agents)) : 1;
}

static uint32_t judge_new(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_window *window = view->window;
	const struct nj_usual usual = {judgement->prior->target_level, judgement->prior->target_scale};
	uint32_t n = 0;
	for (uint32_t i = 0; i < window->contacts_n && i < NJ_CONTACTS_MAX; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (!contact->external || contact->role != NJ_ROLE_CLIENT || contact->protocol == 1 ||
		    contact->protocol == 58 || nj_contact_is_group(&window->agent, contact))
			continue;
		struct nj_target *target = add_target(judgement, view, i);
		if (target == NULL || n == NJ_SCORES_PER_JUDGE || nj_ai_is_model(judgement, view, contact))
			continue;
		double bytes = (double)target->out;
		uint32_t step = nj_growth_step(bytes);
		if (bytes < TARGET_MIN || bytes < UPLOAD_RATIO * (double)target->in || step <= target->out_day_told)
			continue;
		target->out_day_told = step;
		uint64_t key = target_key(judgement, contact);
		double novelty = (target->fresh ? 1 : TARGET_KNOWN) * popularity(judgement, target, key);
		double ln_p = nj_ln_clamp(novelty * nj_log_normal_upper(nj_usual_z(&usual, log1p(bytes))));
		ret_scores[n++] = (struct nj_score){.kind = target->fresh,
						    .slot = (uint8_t)(target - view->profile->targets->target),
						    .tests = 1,
						    .class_key = key,
						    .start_ns = target->first_ns,
						    .value = -ln_p,
						    .ln_p = ln_p,
						    .harm = bytes};
	}
	return n;
}

static void explain_new(const struct nj_judgement *judgement, const struct nj_view *view, const struct nj_score *score,
			struct nj_alert *alert)
{
	const struct nj_target *target = &view->profile->targets->target[score->slot];
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], out[24], in[24], seconds[24], usual_text[24];
	double usual = expm1(judgement->prior->target_level);
	alert->end_ns = target->last_ns;
	double age_s = target->last_ns > target->first_ns ? (double)(target->last_ns - target->first_ns) / 1e9 : 0;
	nj_addr_text(&target->peer, peer);
	bool named = target->name[0] != '\0';
	snprintf(alert->summary, sizeof alert->summary,
		 "%s sent %s to %s%s%s%s port %u, %s, in %s (and received %s); usual for one destination is about %s",
		 nj_addr_text(&view->profile->agent.addr, agent), nj_text_bytes(score->harm, out),
		 named ? target->name : peer, named ? " (" : "", named ? peer : "", named ? ")" : "", target->port,
		 target->fresh ? "a destination first seen today" : "a destination it knows",
		 nj_text_seconds(age_s, seconds), nj_text_bytes((double)target->in, in),
		 nj_text_bytes(usual, usual_text));
	nj_alert_add_feature(alert, target->fresh ? "bytes_out_new_peers" : "bytes_out_top_peer", "B", score->harm,
			     usual, usual, 1);
	nj_alert_add_feature(alert, "pcr_destination", "-1..1", nj_pcr_ratio((double)target->out, (double)target->in),
			     judgement->prior->pcr_mean, NAN, 0);
	nj_alert_add_feature(alert, "agents_using_it", "agents",
			     nj_fleet_use(judgement->fleet, score->class_key, judgement->start_ns).agents, NAN, NAN, 0);
	nj_alert_add_technique(alert, target->port == 443 ? "T1567" : "T1048");
	nj_alert_add_technique(alert, "T1041");
	nj_alert_add_technique(alert, "AML.T0025");
	struct nj_alert_peer row = {.addr = target->peer,
				    .port = target->port,
				    .protocol = target->protocol,
				    .bytes_out = target->out,
				    .bytes_in = target->in};
	memcpy(row.name, target->name, sizeof target->name);
	nj_alert_add_peer(alert, &view->profile->agent, &row, target->flow_port);
}

const struct nj_detector nj_detector_exfil_volume = {
	.name = "exfil-volume",
	.meaning = "more bytes to the outside than usual in an hour or a day",
	.family = "exfil-volume",
	.permission = NJ_PERMIT_EXFIL,
	.permission_word = "exfil",
	.weight = 2,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 1e9,
	.harm_most = 1e11,
	.judge = judge_volume,
	.explain = explain_volume,
};

const struct nj_detector nj_detector_exfil_direction = {
	.name = "exfil-direction",
	.meaning = "an agent that used to receive has begun to send",
	.family = "exfil-direction",
	.permission = NJ_PERMIT_EXFIL,
	.permission_word = "exfil",
	.weight = 2,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 1e8,
	.harm_most = 1e10,
	.judge = judge_direction,
	.explain = explain_direction,
};

const struct nj_detector nj_detector_exfil_new = {
	.name = "exfil-new-destination",
	.meaning = "an upload to one outside destination, the more so when first seen and used by few",
	.family = "exfil-new-destination",
	.permission = NJ_PERMIT_EXFIL,
	.permission_word = "exfil",
	.weight = 2,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 5e7,
	.harm_most = 1e10,
	.judge = judge_new,
	.explain = explain_new,
};
