/* Echo traffic that carries data: volume beyond ordinary pings, replies that are not the request's, entropy
 * (models/icmp.h), of an agent in five minutes. The score is held against the prior's level and scale as a normal; it
 * is looked at when it has risen by a half since the last look. Both ends of a tunnel have an agent window; the one
 * that pings (is the client) is told, the other only when it sends replies nobody asked for. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/prior.h"
#include "common/inventory.h"
#include "models/math.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SPAN_NS     (5 * NJ_MINUTE_NS)
#define PACKETS_MIN 3
#define RISE        0.5f

static void add_echo(struct nj_icmp_echo *echo, const struct nj_features *features)
{
	echo->packets = nj_add_saturating(echo->packets, features->icmp_echo_out);
	echo->payload_bytes = nj_add_saturating(echo->payload_bytes, features->icmp_payload_bytes_out);
	echo->large = nj_add_saturating(echo->large, features->icmp_large_out);
	echo->mismatched = nj_add_saturating(echo->mismatched, features->icmp_mismatched);
	echo->unsolicited = nj_add_saturating(echo->unsolicited, features->icmp_unsolicited_out);
	echo->entropy_mbit = nj_add_saturating(echo->entropy_mbit, features->icmp_entropy_mbit);
}

/* The echo contact with most bytes out. */
static const struct nj_contact *echo_contact(const struct nj_window *window)
{
	const struct nj_contact *best = NULL;
	for (uint32_t i = 0; i < window->contacts_n; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (contact->protocol != 1 && contact->protocol != 58)
			continue;
		if (best == NULL || contact->bytes_out > best->bytes_out)
			best = contact;
	}
	return best;
}

static uint32_t judge_icmp(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_features *features = &view->window->features;
	struct nj_profile *profile = view->profile;
	if (features->icmp_echo_out == 0)
		return 0;
	uint64_t slot = judgement->start_ns / SPAN_NS;
	if (profile->icmp.slot != slot) {
		memset(&profile->icmp, 0, sizeof profile->icmp);
		profile->icmp.slot = slot;
		profile->icmp.since_ns =
			features->first_ns > judgement->start_ns ? features->first_ns : judgement->start_ns;
	}
	add_echo(&profile->icmp.echo, features);
	const struct nj_contact *contact = echo_contact(view->window);
	if (contact != NULL) {
		uint32_t zero = 0;
		nj_sighting_add(&profile->icmp.peer, &zero, contact, NJ_CONTACT_ANSWERED);
	}
	bool answers_only = contact != NULL && contact->role == NJ_ROLE_SERVER && profile->icmp.echo.unsolicited == 0;
	struct nj_icmp_score score = nj_icmp_judge(&profile->icmp.echo);
	if (answers_only || profile->icmp.echo.packets < PACKETS_MIN || score.score < profile->icmp.told + RISE)
		return 0;
	profile->icmp.told = (float)score.score;
	const struct nj_usual usual = {judgement->prior->echo_level, judgement->prior->echo_scale};
	double ln_p = nj_ln_clamp(nj_log_normal_upper(nj_usual_z(&usual, score.score)));
	ret_scores[0] = (struct nj_score){.tests = 1,
					  .class_key = 1,
					  .start_ns = profile->icmp.since_ns,
					  .value = -ln_p,
					  .ln_p = ln_p,
					  .harm = (double)profile->icmp.echo.payload_bytes};
	return 1;
}

/* Both ends of a tunnel look alike. The one inside is the one to tell; for two of a kind, the one whose address is the
 * smaller. */
static bool is_other_end(const struct nj_view *views, uint32_t views_n, const struct nj_score *score)
{
	const struct nj_profile *self = views[score->view].profile;
	for (uint32_t i = 0; i < views_n; i++) {
		const struct nj_profile *other = views[i].profile;
		if (i == score->view || other->icmp.slot != self->icmp.slot || other->icmp.told * 2 < self->icmp.told ||
		    !nj_addr_equal(&other->agent.addr, &self->icmp.peer.peer) ||
		    !nj_addr_equal(&self->agent.addr, &other->icmp.peer.peer))
			continue;
		if (other->home != self->home)
			return other->home;
		return nj_agent_id_compare(&other->agent, &self->agent) < 0;
	}
	return false;
}

static void explain_icmp(const struct nj_judgement *judgement, const struct nj_view *view, const struct nj_score *score,
			 struct nj_alert *alert)
{
	const struct nj_profile *profile = view->profile;
	const struct nj_icmp_echo *echo = &profile->icmp.echo;
	struct nj_icmp_score parts = nj_icmp_judge(echo);
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], bytes[24], seconds[24];
	double entropy = 4 * parts.entropy, odd = parts.mismatch / 2, sum = parts.score > 0 ? parts.score : 1;
	snprintf(alert->summary, sizeof alert->summary,
		 "%s sent %llu echo packets with %s of payload in %s, mostly to %s; %.0f %% of them were not plain "
		 "answers, entropy %.1f bits a byte; "
		 "usual are pings of 32 or 56 bytes answered alike",
		 nj_addr_text(&profile->agent.addr, agent), (unsigned long long)echo->packets,
		 nj_text_bytes(score->harm, bytes),
		 nj_text_seconds((double)(judgement->end_ns - profile->icmp.since_ns) / 1e9, seconds),
		 nj_addr_text(&profile->icmp.peer.peer, peer), 100 * odd, entropy);
	nj_alert_add_feature(alert, "icmp_payload_bytes_out", "B", score->harm, 0, NAN, parts.volume / sum);
	nj_alert_add_feature(alert, "icmp_mismatched", "0..1", odd, 0, NAN, parts.mismatch / sum);
	nj_alert_add_feature(alert, "icmp_entropy", "bit/B", entropy, NAN, NAN, parts.entropy / sum);
	nj_alert_add_technique(alert, "T1095");
	nj_alert_add_technique(alert, "T1572");
	nj_alert_add_technique(alert, "T1048.003");
	nj_alert_add_sightings(alert, &profile->agent, &profile->icmp.peer, 1, view->window);
}

const struct nj_detector nj_detector_icmp = {
	.name = "icmp-tunnel",
	.meaning = "echo traffic that carries data",
	.family = "icmp-tunnel",
	.permission = NJ_PERMIT_ICMP,
	.permission_word = "icmp",
	.weight = 1,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 1e5,
	.harm_most = 1e8,
	.judge = judge_icmp,
	.explained_away = is_other_end,
	.explain = explain_icmp,
};
