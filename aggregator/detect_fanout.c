/* Fan-out: too many peers, even if all answered.
 *
 * Distinct peers to which an agent opened flows, in five minutes, an hour and a day, home and outside apart. y = ln(1 +
 * peers) is held against a level and a scale; ln p is the upper tail of a normal, i.e. peers are taken as log-normal,
 * which for counts of contacts errs on the careful side once scales come from data. The level is that of the agent's
 * group where the group has lived 50 agent-hours, else the prior's; the agent's own hours (models/baseline.h) take over
 * with n/(n + 24 hours). Levels of groups and agents are learned by the hour. Five minutes and a day are held against
 * the prior, raised by as much as an hour of the agent (of its group) is above the prior's hour, but never lowered: one
 * new peer an hour is twenty-four a day.
 *
 * A count is looked at when it has grown by a quarter since the last look, so an hour of crawling is some twenty tests,
 * not 360. Name and time servers outside do not count. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/prior.h"
#include "common/inventory.h"
#include "models/math.h"

#include <math.h>
#include <stdio.h>

#define PEERS_MIN       8
#define GROWTH          1.25
#define GROUP_HOURS_MIN 50
#define SCALE_MIN       0.3

static const uint64_t span_ns[NJ_FAN_SPANS] = {5 * NJ_MINUTE_NS, NJ_HOUR_NS, NJ_DAY_NS};
static const char *const span_word[NJ_FAN_SPANS] = {"5 min", "1 h", "24 h"};

static struct nj_usual prior_usual(const struct nj_prior *prior, int side, int span)
{
	const struct nj_usual usual[NJ_SIDES][NJ_FAN_SPANS] = {
		{{prior->fan_home_5min_level, prior->fan_home_5min_scale},
		 {prior->fan_home_1h_level, prior->fan_home_1h_scale},
		 {prior->fan_home_24h_level, prior->fan_home_24h_scale}},
		{{prior->fan_outside_5min_level, prior->fan_outside_5min_scale},
		 {prior->fan_outside_1h_level, prior->fan_outside_1h_scale},
		 {prior->fan_outside_24h_level, prior->fan_outside_24h_scale}},
	};
	return usual[side][span];
}

/* What is known of an hour, for this span: the hour itself as it is, another span raised by the difference. */
static struct nj_usual carried_over(const struct nj_usual *usual, const struct nj_usual *hour,
				    const struct nj_usual *learned, int span)
{
	if (span == NJ_FAN_1H)
		return *learned;
	return (struct nj_usual){usual->level + fmax(0, learned->level - hour->level),
				 fmax(usual->scale, learned->scale)};
}

/* What the group does in an hour, as level and scale; the prior's where the group is young. */
static struct nj_usual group_usual(const struct nj_judgement *judgement, const struct nj_profile *profile, int side,
				   int span)
{
	struct nj_usual usual = prior_usual(judgement->prior, side, span),
			hour = prior_usual(judgement->prior, side, NJ_FAN_1H);
	enum nj_fleet_quantity quantity = side == NJ_SIDE_HOME ? NJ_FLEET_PEERS_HOME_1H : NJ_FLEET_PEERS_OUTSIDE_1H;
	uint64_t n;
	double median = nj_fleet_quantile(judgement->fleet, profile->group, quantity, 0.5, &n);
	if (n < GROUP_HOURS_MIN)
		return usual;
	double high = nj_fleet_quantile(judgement->fleet, profile->group, quantity, 0.95, NULL);
	double scale = (log1p(high) - log1p(median)) / 1.645;
	struct nj_usual learned = {log1p(median), scale > SCALE_MIN ? scale : SCALE_MIN};
	return carried_over(&usual, &hour, &learned, span);
}

static struct nj_usual own_usual(const struct nj_judgement *judgement, const struct nj_profile *profile, int side,
				 int span)
{
	struct nj_usual usual = group_usual(judgement, profile, side, span),
			hour = group_usual(judgement, profile, side, NJ_FAN_1H);
	if (profile->history == NULL)
		return usual;
	unsigned now = nj_hour_of_week(judgement->start_ns, 0);
	struct nj_usual own = nj_baseline_day_usual(&profile->history->fan[side], now, &hour);
	own.scale = own.scale > SCALE_MIN ? own.scale : SCALE_MIN;
	return carried_over(&usual, &hour, &own, span);
}

static bool counts(const struct nj_window *window, const struct nj_contact *contact)
{
	if (contact->role != NJ_ROLE_CLIENT || contact->opened == 0 || contact->protocol == 254 ||
	    nj_contact_is_group(&window->agent, contact))
		return false;
	bool name_or_time = contact->protocol == 17 && (contact->port == 53 || contact->port == 123);
	return !(name_or_time && contact->external);
}

static bool add_peers(const struct nj_judgement *judgement, struct nj_view *view, uint32_t added[NJ_SIDES])
{
	const struct nj_window *window = view->window;
	struct nj_block_fan *fan = view->profile->fan;
	for (uint32_t i = 0; i < window->contacts_n; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (!counts(window, contact))
			continue;
		if (fan == NULL && (fan = nj_profile_fan(view->profile)) == NULL)
			return false;
		int side = contact->external ? NJ_SIDE_OUTSIDE : NJ_SIDE_HOME;
		uint64_t hash = nj_hash64(contact->peer.byte, sizeof contact->peer.byte, judgement->key);
		for (int span = 0; span < NJ_FAN_SPANS; span++) {
			nj_counting_to(&fan->peers[side][span], judgement->start_ns, span_ns[span]);
			nj_hll_add(&fan->peers[side][span].now, hash);
		}
		nj_sighting_add(fan->sighting, &fan->sightings, contact, NJ_CONTACT_ANSWERED);
		added[side]++;
	}
	bool capped = window->features.contacts_rest > 0 && window->rest_peers != NULL &&
		      window->features.flows_opened > window->features.flows_accepted;
	if (capped && fan != NULL) {
		int side = added[NJ_SIDE_OUTSIDE] > added[NJ_SIDE_HOME] ? NJ_SIDE_OUTSIDE : NJ_SIDE_HOME;
		for (int span = 0; span < NJ_FAN_SPANS; span++) {
			nj_counting_to(&fan->peers[side][span], judgement->start_ns, span_ns[span]);
			nj_hll_merge_registers(&fan->peers[side][span].now, window->rest_peers);
		}
		added[side]++;
	}
	return fan != NULL;
}

static bool grown(struct nj_counting *peers, int span, uint64_t start_ns, double *ret_peers)
{
	if (peers->slot != start_ns / span_ns[span])
		return false;
	double n = nj_hll_estimate(&peers->now);
	if (n < PEERS_MIN || n < GROWTH * peers->told)
		return false;
	*ret_peers = peers->told = n;
	return true;
}

static uint32_t judge_fanout(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	uint32_t added[NJ_SIDES] = {0}, n = 0;
	if (!add_peers(judgement, view, added))
		return 0;
	struct nj_profile *profile = view->profile;
	double own = nj_profile_own(profile);
	for (int side = 0; side < NJ_SIDES; side++) {
		/* One score a side: the span in which it is strangest. */
		struct nj_score best = {.ln_p = 1};
		uint32_t tests = 0;
		for (int span = 0; added[side] > 0 && span < NJ_FAN_SPANS; span++) {
			double peers;
			if (!grown(&profile->fan->peers[side][span], span, judgement->start_ns, &peers))
				continue;
			struct nj_usual group = group_usual(judgement, profile, side, span),
					mine = own_usual(judgement, profile, side, span);
			double ln_p = nj_ln_mix(nj_log_normal_upper(nj_usual_z(&group, log1p(peers))),
						nj_log_normal_upper(nj_usual_z(&mine, log1p(peers))), own);
			tests++;
			if (ln_p < best.ln_p)
				best = (struct nj_score){.kind = (uint8_t)span,
							 .slot = (uint8_t)side,
							 .class_key = (uint64_t)side + 1,
							 .start_ns =
								 judgement->start_ns / span_ns[span] * span_ns[span],
							 .value = -ln_p,
							 .ln_p = ln_p,
							 .harm = peers,
							 .own = own};
		}
		best.tests = tests;
		if (tests > 0)
			ret_scores[n++] = best;
	}
	return n;
}

static void explain_fanout(const struct nj_judgement *judgement, const struct nj_view *view,
			   const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_profile *profile = view->profile;
	struct nj_usual group = group_usual(judgement, profile, score->slot, score->kind),
			mine = own_usual(judgement, profile, score->slot, score->kind);
	char agent[NJ_ADDR_TEXT_MAX], name[40];
	bool outside = score->slot == NJ_SIDE_OUTSIDE;
	if (alert->start_ns < profile->first_ns)
		alert->start_ns = profile->first_ns;
	snprintf(alert->summary, sizeof alert->summary,
		 "%s opened flows to %.0f different %s within %s; usual for it is about %.0f, for its peers %.0f",
		 nj_addr_text(&profile->agent.addr, agent), score->harm,
		 outside ? "hosts outside" : "hosts of the home networks", span_word[score->kind], expm1(mine.level),
		 expm1(group.level));
	snprintf(name, sizeof name, "peers_%s_%s", outside ? "outside" : "home",
		 score->kind == NJ_FAN_5MIN ? "5min"
		 : score->kind == NJ_FAN_1H ? "1h"
					    : "24h");
	nj_alert_add_feature(alert, name, "peers", score->harm, expm1(mine.level), expm1(group.level), 1);
	nj_alert_add_technique(alert, profile->home ? (outside ? "T1071" : "T1018") : "T1595");
	nj_alert_add_sightings(alert, &profile->agent, profile->fan->sighting, profile->fan->sightings, view->window);
}

const struct nj_detector nj_detector_fanout = {
	.name = "fanout",
	.meaning = "more peers than usual for the agent and its group, answered or not",
	.family = "scan",
	.permission = NJ_PERMIT_FANOUT,
	.permission_word = "fanout",
	.weight = 1,
	.severity = NJ_SEVERITY_LOW,
	.harm_more = 300,
	.harm_most = 20000,
	.judge = judge_fanout,
	.explain = explain_fanout,
};
