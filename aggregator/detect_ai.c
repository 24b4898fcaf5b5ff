/* What an agent that loops may be doing wrong, seen from its turns and its talk with the model.
 *
 * Turns. Coding, retrieval and attacking agents loop alike; what each turn touches differs. models/turn.h turns the
 * acts of the last half hour, a turn, into log odds; their sum without the prior is a likelihood ratio, and a ratio of
 * e^x has at most the chance e^-x under benign (Markov), so ln p = -(odds - prior). Judged only while a brain is likely
 * to be looped around (agentic of 0.5 and more), again when the odds have risen by half a nat.
 *
 * Uploads to the model. A question that is much larger than the one before and than usual for this brain carries
 * something in: excess = U - 2 max(previous U, median of 15). Growth of a conversation is no excess, a document is. The
 * excess of an hour, y = ln(1 + bytes), is held against level and scale of the prior as a normal.
 *
 * A model's interface as a mailbox (AML.T0096). A program that polls an interface of a known model by the clock, with
 * questions of one size, and does nothing with the answers is no agent and no chat: ln p = ln p_regular * length *
 * crowd (as beacons are weighed), when agentic stays below 0.3, the questions spread by less than 15 % and do not grow.
 */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/observe_ai.h"
#include "aggregator/prior.h"
#include "common/inventory.h"
#include "models/beacon.h"
#include "models/math.h"

#include <math.h>
#include <stdio.h>

#define ODDS_STEP    0.5f
#define EXCESS_MIN   (1 << 20)
#define POLL_MIN     16
#define POLL_FULL    31.0
#define POLL_SPAN_S  150.0
#define POLL_GAP_S   2.0
#define POLL_SPREAD  0.15
#define POLL_AGENTIC 0.3f

static uint64_t brain_class(const struct nj_brain *brain)
{
	return brain->key;
}

static void add_brain_peer(const struct nj_view *view, const struct nj_brain *brain, struct nj_alert *alert)
{
	struct nj_alert_peer peer = {.addr = brain->peer,
				     .port = brain->port,
				     .protocol = brain->protocol,
				     .bytes_out = brain->bytes_up,
				     .bytes_in = brain->bytes_down};
	snprintf(peer.name, sizeof peer.name, "%s", brain->name);
	nj_alert_add_peer(alert, &view->profile->agent, &peer, brain->flow_port);
}

/* ---- turns */

static uint32_t judge_turns(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	struct nj_block_ai *ai = view->profile->ai;
	const struct nj_brain *brain = nj_ai_looping(ai);
	struct nj_turn_verdict verdict;
	if (brain == NULL)
		return 0;
	nj_turns_judge(&ai->turns, &verdict);
	double evidence = verdict.odds - NJ_TURN_PRIOR;
	if ((float)evidence < ai->odds_told - 2 * ODDS_STEP)
		ai->odds_told = fmaxf(0, (float)evidence); /* it calmed down */
	if (evidence <= 0 || (float)evidence < ai->odds_told + ODDS_STEP)
		return 0;
	ai->odds_told = (float)evidence;
	double ln_p = nj_ln_clamp(-evidence);
	ret_scores[0] = (struct nj_score){.tests = 1,
					  .class_key = 1,
					  .start_ns = brain->first_ns,
					  .value = -ln_p,
					  .ln_p = ln_p,
					  .harm = verdict.rate[NJ_TURN_NEW_EDGES] * verdict.turns};
	(void)judgement;
	return 1;
}

/* The act that adds most beside those of *told*, or -1. */
static int strongest(const struct nj_turn_verdict *verdict, uint32_t told)
{
	int best = -1;
	for (int i = 0; i < NJ_TURN_ACTS; i++)
		if ((told >> i & 1) == 0 && verdict->part[i] > 0 &&
		    (best < 0 || verdict->part[i] > verdict->part[best]))
			best = i;
	return best;
}

static void explain_turns(const struct nj_judgement *judgement, const struct nj_view *view,
			  const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_block_ai *ai = view->profile->ai;
	const struct nj_brain *brain = nj_ai_looping(ai);
	struct nj_turn_verdict verdict;
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], reasons[160] = "";
	uint32_t told = 0;
	size_t used = 0;
	(void)judgement;
	nj_turns_judge(&ai->turns, &verdict);
	for (int n = 0, at; n < 4 && (at = strongest(&verdict, told)) >= 0; n++, told |= 1u << at) {
		if (n < 3 && used < sizeof reasons)
			used += (size_t)snprintf(reasons + used, sizeof reasons - used, "%s%.2g %s", n > 0 ? ", " : "",
						 verdict.rate[at], nj_turn_rows[at].meaning);
		nj_alert_add_feature(alert, nj_turn_rows[at].name, "1", verdict.rate[at], expm1(nj_turn_rows[at].mean),
				     NAN, verdict.part[at] / fmax(score->value, 1e-9));
	}
	snprintf(alert->summary, sizeof alert->summary,
		 "%s loops with %s (%llu turns, agentic score %.2f) and its turns are not those of a working agent; "
		 "each "
		 "turn: %s",
		 nj_addr_text(&view->profile->agent.addr, agent), nj_brain_word(brain, peer),
		 (unsigned long long)brain->loop.turns, (double)brain->agentic, reasons);
	nj_alert_add_feature(alert, "turn_odds", "ln", verdict.odds, NJ_TURN_PRIOR, NAN, 0);
	nj_alert_add_feature(alert, "agentic", "0..1", (double)brain->agentic, NAN, NAN, 0);
	nj_alert_add_technique(alert, "T1588.007");
	nj_alert_add_technique(alert, "AML.T0103");
	if (verdict.part[NJ_TURN_SECRETS] > 0)
		nj_alert_add_technique(alert, "AML.T0055");
	if (verdict.part[NJ_TURN_NEW_EDGES] > 0)
		nj_alert_add_technique(alert, "T1046");
	add_brain_peer(view, brain, alert);
	if (view->profile->access != NULL)
		nj_alert_add_sightings(alert, &view->profile->agent, view->profile->access->edge,
				       view->profile->access->edges, view->window);
}

/* ---- uploads to the model */

static uint32_t judge_upload(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	struct nj_block_ai *ai = view->profile->ai;
	uint32_t n = 0;
	for (int b = 0; ai != NULL && b < NJ_BRAINS; b++) {
		struct nj_brain *brain = &ai->brain[b];
		if (brain->key == 0 || brain->p_llm < NJ_LLM_LIKELY || !brain->outside || brain->excess < EXCESS_MIN ||
		    brain->excess_hour != judgement->start_ns / NJ_HOUR_NS ||
		    nj_growth_step((double)brain->excess) <= brain->excess_told)
			continue;
		brain->excess_told = nj_growth_step((double)brain->excess);
		const struct nj_usual usual = {judgement->prior->model_excess_level,
					       judgement->prior->model_excess_scale};
		double ln_p = nj_ln_clamp(nj_log_normal_upper(nj_usual_z(&usual, log1p((double)brain->excess))));
		ret_scores[n++] = (struct nj_score){.slot = (uint8_t)b,
						    .tests = 1,
						    .class_key = brain_class(brain),
						    .start_ns = brain->excess_hour * NJ_HOUR_NS,
						    .value = -ln_p,
						    .ln_p = ln_p,
						    .harm = (double)brain->excess};
	}
	return n;
}

static void explain_upload(const struct nj_judgement *judgement, const struct nj_view *view,
			   const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_brain *brain = &view->profile->ai->brain[score->slot];
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], excess[24], median[24], usual_text[24];
	double usual = expm1(judgement->prior->model_excess_level), own = nj_growth_median(&brain->growth);
	if (alert->start_ns < brain->first_ns)
		alert->start_ns = brain->first_ns;
	snprintf(alert->summary, sizeof alert->summary,
		 "%s sent %s to the model at %s this hour beyond what its questions grow by (the middle one has %s); "
		 "usual "
		 "is about %s: documents carried into a model",
		 nj_addr_text(&view->profile->agent.addr, agent), nj_text_bytes(score->harm, excess),
		 nj_brain_word(brain, peer), nj_text_bytes(own, median), nj_text_bytes(usual, usual_text));
	nj_alert_add_feature(alert, "model_excess", "B", score->harm, usual, NAN, 1);
	nj_alert_add_feature(alert, "bytes_a_question", "B", brain->growth.n > 0 ? nj_growth_latest(&brain->growth) : 0,
			     own, NAN, 0);
	nj_alert_add_feature(alert, "growth", "-1..1", nj_growth_score(&brain->growth), NAN, NAN, 0);
	nj_alert_add_feature(alert, "agentic", "0..1", (double)brain->agentic, NAN, NAN, 0);
	nj_alert_add_technique(alert, "T1567");
	nj_alert_add_technique(alert, "AML.T0024");
	nj_alert_add_technique(alert, "AML.T0086");
	add_brain_peer(view, brain, alert);
}

/* ---- a model's interface as a mailbox */

struct polling {
	unsigned gaps;
	double rho, period_s, spread, span_s;
};

static struct polling polling_of(const struct nj_brain *brain)
{
	struct polling polling = {0};
	double gap[NJ_LOOP_TURNS], up[NJ_GROWTH_RING];
	const struct nj_loop *loop = &brain->loop;
	unsigned sizes = brain->growth.n < NJ_GROWTH_RING ? brain->growth.n : NJ_GROWTH_RING;
	for (uint32_t i = 1; i < loop->n; i++) {
		double s = (double)(int32_t)(loop->exchange[i].start_ms - loop->exchange[i - 1].start_ms) / 1000;
		if (s > 0.1)
			gap[polling.gaps++] = s;
		polling.span_s += s;
	}
	if (polling.gaps < POLL_MIN)
		return polling;
	polling.period_s = nj_median(gap, polling.gaps);
	for (unsigned i = 0; i < polling.gaps; i++)
		gap[i] = log(gap[i]);
	polling.rho = nj_madn(gap, polling.gaps);
	for (unsigned i = 0; i < sizes; i++)
		up[i] = log1p(brain->growth.up[i]);
	polling.spread = sizes > 0 ? nj_madn(up, sizes) : 0;
	return polling;
}

static uint32_t judge_mailbox(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_block_ai *ai = view->profile->ai;
	uint32_t n = 0;
	for (int b = 0; ai != NULL && view->window->exchanges_n > 0 && b < NJ_BRAINS; b++) {
		const struct nj_brain *brain = &ai->brain[b];
		if (brain->key == 0 || !nj_brain_is_marked(brain) || !brain->outside || brain->agentic > POLL_AGENTIC ||
		    brain->loop.n < POLL_MIN + 1 || brain->loop.turns % 8 != 0 || nj_growth_score(&brain->growth) > 0.5)
			continue;
		struct polling polling = polling_of(brain);
		if (polling.gaps < POLL_MIN || polling.spread > POLL_SPREAD || polling.period_s < POLL_GAP_S ||
		    polling.span_s < POLL_SPAN_S)
			continue;
		uint32_t users =
			brain->name[0] != '\0'
				? nj_fleet_use(judgement->fleet, brain->action_peer, judgement->start_ns).agents
				: 1;
		double crowd = users > 1 ? 1 / (1 + log(users)) : 1, length = fmin(1, polling.gaps / POLL_FULL);
		double ln_p = nj_ln_clamp(length * crowd * log(nj_beacon_rho_p(polling.rho, polling.gaps)));
		ret_scores[n++] = (struct nj_score){.slot = (uint8_t)b,
						    .tests = 1,
						    .class_key = brain_class(brain),
						    .start_ns = brain->first_ns,
						    .value = -ln_p,
						    .ln_p = ln_p,
						    .harm = (double)brain->loop.turns};
	}
	return n;
}

static void explain_mailbox(const struct nj_judgement *judgement, const struct nj_view *view,
			    const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_brain *brain = &view->profile->ai->brain[score->slot];
	struct polling polling = polling_of(brain);
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], period[24];
	(void)judgement;
	snprintf(alert->summary, sizeof alert->summary,
		 "%s asks the model interface at %s every %s with a spread of %.0f %%, questions of one size, and does "
		 "nothing with the answers (agentic score %.2f): a mailbox, not a conversation",
		 nj_addr_text(&view->profile->agent.addr, agent), nj_brain_word(brain, peer),
		 nj_text_seconds(polling.period_s, period), 100 * polling.rho, (double)brain->agentic);
	nj_alert_add_feature(alert, "poll_spread", "ln", polling.rho, 1.13, NAN, 1);
	nj_alert_add_feature(alert, "question_spread", "ln", polling.spread, NAN, NAN, 0);
	nj_alert_add_feature(alert, "poll_period", "s", polling.period_s, NAN, NAN, 0);
	nj_alert_add_feature(alert, "agentic", "0..1", (double)brain->agentic, NAN, NAN, 0);
	nj_alert_add_technique(alert, "T1102.002");
	nj_alert_add_technique(alert, "AML.T0096");
	add_brain_peer(view, brain, alert);
}

const struct nj_detector nj_detector_ai_turns = {
	.name = "ai-turns",
	.meaning = "an agent that loops and whose turns touch what a working agent's do not",
	.family = "ai-turns",
	.permission = NJ_PERMIT_SCAN,
	.permission_word = "scan",
	.weight = 1,
	.severity = NJ_SEVERITY_HIGH,
	.harm_more = 20,
	.harm_most = INFINITY,
	.judge = judge_turns,
	.explain = explain_turns,
};

const struct nj_detector nj_detector_ai_upload = {
	.name = "exfil-model",
	.meaning = "documents carried out in questions to a language model",
	.family = "exfil-model",
	.permission = NJ_PERMIT_EXFIL,
	.permission_word = "exfil",
	.weight = 2,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 500e6,
	.harm_most = 10e9,
	.judge = judge_upload,
	.explain = explain_upload,
};

const struct nj_detector nj_detector_ai_mailbox = {
	.name = "ai-mailbox",
	.meaning = "a language model's interface polled by the clock by something that is no agent",
	.family = "beacon",
	.permission = NJ_PERMIT_BEACON,
	.permission_word = "beacon",
	.weight = 1,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = INFINITY,
	.harm_most = INFINITY,
	.judge = judge_mailbox,
	.explain = explain_mailbox,
};
