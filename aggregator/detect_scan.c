/* Scans: first contacts that fail.
 *
 * Somebody who knows the network is answered; somebody who explores it is not. Each first contact of an agent with a
 * (peer, port) multiplies a likelihood ratio, and the sum of its logarithms, cut at zero (a CUSUM, models/cusum.h), is
 * the score C; ln p = -C bounds the chance that a benign agent shows it. theta0, how often a benign first contact is
 * answered, starts at the prior and follows the agent's own record; the ratio of a failure is (1 - theta1)/(1 -
 * theta0), 7 at the shipped numbers, and failures that say less have a theta0 of their own:
 *
 *   a further port of a host that failed already     0.75   a dead host fails on every port
 *   answered, then reset before any payload          0.80   half-open probe, or a health check
 *   datagram without an answer                       0.60   many services never answer
 *   from home to outside, without an answer          0.65   stale lists of servers, filters, other people's outages
 *   the same by datagram                             0.45   peer-to-peer programs try whoever was there last week
 *   ARP without an answer                            0.45   routers and hypervisors ask for whatever comes in
 *   echo without an answer                           0.80
 *
 * There is no decay, so a scan over days adds up as one over seconds does; when the last failures came slowly it is
 * told as "scan-slow". Home and outside have separate sums, because browsing the web would otherwise dilute a scan of
 * the inside. The second slow test counts distinct (peer, port) that failed in a day and in a week, which no mixing
 * with answered contacts can hide; its p is a log-normal tail.
 *
 * What the sensor's cap left out of a window comes as counts and sketches (rest_*); it enters as that many more first
 * contacts. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/prior.h"
#include "common/inventory.h"
#include "models/math.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define REST_STEPS_MAX  200 /* the score's ceiling is reached long before */
#define SLOW_FAILURE_NS (20 * NJ_SECOND_NS)
#define SLOW_RUN_NS     (5 * NJ_MINUTE_NS)
#define DARK_AGENTS_MIN 3 /* an address that so many tried and that never answered anyone is dark */
#define DARK_FAILED_MIN 6
#define DARK_RATIO      15.0
#define FAILING_MIN     10.0 /* distinct failed (peer, port) below which the daily count is not looked at */
#define FAILING_GROWTH  1.25 /* it is looked at again when it has grown by so much */

enum scan_kind { KIND_RUN, KIND_DAY, KIND_WEEK };

/* theta0 of an answered contact at this side, for this agent. */
static double theta0_of(const struct nj_judgement *judgement, const struct nj_block_edges *edges, enum nj_side side)
{
	double prior = side == NJ_SIDE_HOME ? judgement->prior->answered_home : judgement->prior->answered_outside;
	double answered = (double)edges->answered + 40 * prior,
	       total = (double)edges->answered + (double)edges->failed + 40;
	double theta0 = answered / total;
	return theta0 > prior ? prior : theta0 < 0.55 ? 0.55 : theta0;
}

static bool peer_is_dark(const struct nj_judgement *judgement, const struct nj_contact *contact)
{
	struct nj_fleet_use use =
		nj_fleet_use(judgement->fleet, nj_fleet_host_key(&contact->peer, judgement->key), judgement->start_ns);
	return use.answered == 0 && use.agents >= DARK_AGENTS_MIN && use.failed >= DARK_FAILED_MIN;
}

/* Whether the set did not hold the hash yet. In the dense form a new hash may go unnoticed, which only weakens evidence
 * that is strong by then. */
static bool add_is_new(struct nj_hll *set, uint64_t hash)
{
	struct nj_hll before = *set;
	nj_hll_add(set, hash);
	return memcmp(&before, set, sizeof before) != 0;
}

static double theta0_of_failure(const struct nj_contact *contact, enum nj_opening opening, bool outwards, bool new_host,
				double theta0)
{
	double weak = theta0;
	bool silent_datagram = contact->protocol == 17 && opening == NJ_OPENING_UNANSWERED;
	if (contact->protocol == 254 || (silent_datagram && outwards))
		weak = 0.45;
	else if (silent_datagram)
		weak = 0.60;
	else if (outwards)
		weak = 0.65;
	else if (opening == NJ_OPENING_RESET || contact->protocol == 1 || contact->protocol == 58)
		weak = 0.80;
	if (!new_host && weak > 0.75)
		weak = 0.75;
	else if (!new_host)
		weak = 0.45;
	return weak < theta0 ? weak : theta0;
}

static void reset_run(struct nj_scan_run *run)
{
	struct nj_scan scan = run->scan;
	memset(run, 0, sizeof *run);
	run->scan = scan;
}

static void step_success(const struct nj_judgement *judgement, struct nj_scan_run *run,
			 const struct nj_contact *contact, double theta0)
{
	struct nj_scan_params params = NJ_SCAN_PARAMS_DEFAULT;
	params.theta0 = contact->protocol == 254 ? 0.60 : theta0; /* an answered ARP says little for the asker */
	params.theta1 = judgement->prior->answered_scanner;
	run->answered++;
	if (nj_scan_step(&run->scan, contact->first_ns, NJ_CONTACT_ANSWERED, &params) <= 0)
		reset_run(run);
}

static void step_failure(const struct nj_judgement *judgement, struct nj_scan_run *run,
			 const struct nj_contact *contact, enum nj_opening opening, bool outwards, double theta0)
{
	if (run->scan.score <= 0)
		reset_run(run);
	bool new_host =
		add_is_new(&run->peers, nj_hash64(contact->peer.byte, sizeof contact->peer.byte, judgement->key));
	const uint8_t port[2] = {(uint8_t)(contact->port >> 8),
				 (uint8_t)contact->port}; /* hashed as nj_window_cap() does */
	nj_hll_add(&run->ports, nj_hash64(port, sizeof port, judgement->key));
	struct nj_scan_params params = NJ_SCAN_PARAMS_DEFAULT;
	params.theta0 = theta0_of_failure(contact, opening, outwards, new_host, theta0);
	params.theta1 = judgement->prior->answered_scanner;
	params.dark_ratio = DARK_RATIO;
	bool dark = new_host && contact->protocol != 254 && peer_is_dark(judgement, contact);
	nj_scan_step(&run->scan, contact->first_ns, dark ? NJ_CONTACT_DARK : NJ_CONTACT_FAILED, &params);
	run->refused += opening == NJ_OPENING_REFUSED;
	run->unanswered += opening == NJ_OPENING_UNANSWERED;
	run->reset += opening == NJ_OPENING_RESET;
	run->arp += contact->protocol == 254;
	run->icmp += contact->protocol == 1 || contact->protocol == 58;
	run->port_last = contact->port;
	run->last_ns = contact->first_ns;
	nj_sighting_add(run->sighting, &run->sightings, contact, NJ_CONTACT_FAILED);
}

/* ICMP that is no echo request opens nothing; the rest of the protocols without ports neither. */
static bool counts_as_probe(const struct nj_contact *contact)
{
	if (contact->protocol == 1)
		return contact->port >> 8 == 8;
	if (contact->protocol == 58)
		return contact->port >> 8 == 128;
	return contact->protocol == 6 || contact->protocol == 17 || contact->protocol == 132 ||
	       contact->protocol == 254;
}

/* What the cap left out: the window's failures as a client, less those of the contacts that are listed. */
static uint64_t step_rest(const struct nj_judgement *judgement, const struct nj_window *window, struct nj_scan_run *run,
			  double theta0)
{
	const struct nj_features *features = &window->features;
	uint64_t failed = nj_add_saturating(features->flows_refused, features->flows_unanswered), listed = 0;
	for (uint32_t i = 0; i < window->contacts_n; i++)
		if (window->contacts[i].role == NJ_ROLE_CLIENT)
			listed += (uint64_t)window->contacts[i].refused + window->contacts[i].unanswered;
	if (features->contacts_rest == 0 || failed <= listed || window->rest_peer_ports == NULL)
		return 0;
	failed -= listed;
	if (failed > features->rest_failed)
		failed = features->rest_failed;
	double distinct = nj_registers_estimate(window->rest_peer_ports);
	double all = (double)failed + (double)features->rest_answered;
	double fresh = distinct * (all > 0 ? (double)failed / all : 0);
	uint64_t fresh_failed = fresh < (double)failed ? (uint64_t)fresh : failed;
	struct nj_scan_params params = NJ_SCAN_PARAMS_DEFAULT;
	params.theta0 = theta0 < 0.75 ? theta0 : 0.75;
	params.theta1 = judgement->prior->answered_scanner;
	uint64_t steps = fresh_failed < REST_STEPS_MAX ? fresh_failed : REST_STEPS_MAX;
	if (run->scan.score <= 0 && steps > 0)
		reset_run(run);
	for (uint64_t i = 0; i < steps; i++)
		nj_scan_step(&run->scan, judgement->end_ns - 1, NJ_CONTACT_FAILED, &params);
	uint32_t more = (uint32_t)(fresh_failed - steps < UINT32_MAX / 2 ? fresh_failed - steps : UINT32_MAX / 2);
	run->scan.contacts = run->scan.contacts > UINT32_MAX - more ? UINT32_MAX : run->scan.contacts + more;
	run->scan.failures = run->scan.failures > UINT32_MAX - more ? UINT32_MAX : run->scan.failures + more;
	run->unanswered = run->unanswered > UINT32_MAX - (uint32_t)steps - more
				  ? UINT32_MAX
				  : run->unanswered + (uint32_t)steps + more;
	if (steps > 0 && window->rest_peers != NULL)
		nj_hll_merge_registers(&run->peers, window->rest_peers);
	if (steps > 0 && window->rest_ports != NULL)
		nj_hll_merge_registers(&run->ports, window->rest_ports);
	if (steps > 0)
		run->last_ns = judgement->end_ns - 1;
	return steps;
}

/* The last failures came slowly: the run is one that patience hides, not volume. */
static bool run_is_slow(const struct nj_scan_run *run)
{
	uint32_t kept = run->sightings < NJ_SIGHTINGS_MAX ? run->sightings : NJ_SIGHTINGS_MAX;
	if (kept < 3 || run->last_ns - run->scan.since_ns < SLOW_RUN_NS)
		return false;
	uint64_t oldest = run->sighting[run->sightings % NJ_SIGHTINGS_MAX].t_ns;
	if (run->sightings < NJ_SIGHTINGS_MAX)
		oldest = run->sighting[0].t_ns;
	return run->last_ns > oldest && run->last_ns - oldest >= (kept - 1) * SLOW_FAILURE_NS;
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

static struct nj_score score_of_run(const struct nj_scan_run *run, enum nj_side side, uint32_t tests)
{
	double ln_p = nj_ln_clamp(nj_scan_log_p(run->scan.score));
	return (struct nj_score){.kind = KIND_RUN,
				 .slot = (uint8_t)side,
				 .tests = tests,
				 .class_key = (uint64_t)side + 1,
				 .start_ns = run->scan.since_ns,
				 .value = -ln_p,
				 .ln_p = ln_p,
				 .harm = larger(nj_hll_estimate(&run->peers), nj_hll_estimate(&run->ports))};
}

/* Both scan detectors share the evidence; the step is taken once, by the first of them, and its outcome is left in the
 * run. */
static uint32_t judge_scan(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_window *window = view->window;
	uint16_t order[NJ_CONTACTS_MAX];
	uint32_t fresh_n = nj_view_fresh_order(view, order), tests[NJ_SIDES] = {0}, scores_n = 0;
	struct nj_block_edges *edges = view->profile->edges;
	if (edges == NULL || (fresh_n == 0 && window->features.contacts_rest == 0))
		return 0;
	const double theta0[NJ_SIDES] = {theta0_of(judgement, edges, NJ_SIDE_HOME),
					 theta0_of(judgement, edges, NJ_SIDE_OUTSIDE)};
	uint32_t failures[NJ_SIDES] = {0};
	for (uint32_t i = 0; i < fresh_n; i++) {
		const struct nj_contact *contact = &window->contacts[order[i]];
		enum nj_opening opening = nj_contact_opening(contact);
		enum nj_side side = contact->external ? NJ_SIDE_OUTSIDE : NJ_SIDE_HOME;
		if (!counts_as_probe(contact))
			continue;
		tests[side]++;
		if (opening == NJ_OPENING_ANSWERED) {
			step_success(judgement, &edges->run[side], contact, theta0[side]);
			continue;
		}
		failures[side]++;
		step_failure(judgement, &edges->run[side], contact, opening, view->profile->home && contact->external,
			     theta0[side]);
		if (side != NJ_SIDE_HOME || contact->protocol == 254)
			continue;
		uint64_t key = nj_fleet_service_key(&contact->peer, contact->port, contact->protocol, judgement->key);
		nj_turning_to(&edges->failing_day, judgement->start_ns, NJ_DAY_NS);
		nj_turning_to(&edges->failing_week, judgement->start_ns, 7 * NJ_DAY_NS);
		nj_hll_add(&edges->failing_day.now, key);
		nj_hll_add(&edges->failing_week.now, key);
	}
	enum nj_side busier = failures[NJ_SIDE_OUTSIDE] > failures[NJ_SIDE_HOME] ? NJ_SIDE_OUTSIDE : NJ_SIDE_HOME;
	uint64_t rest = step_rest(judgement, window, &edges->run[busier], theta0[busier]);
	tests[busier] += rest > 0;
	failures[busier] += (uint32_t)rest;
	for (int side = 0; side < NJ_SIDES; side++) {
		struct nj_scan_run *run = &edges->run[side];
		run->judged = tests[side] > 0 && failures[side] > 0 && run->scan.score > 0 && run_is_slow(run);
		run->tests = tests[side];
		if (tests[side] > 0 && !run->judged)
			ret_scores[scores_n++] = score_of_run(run, (enum nj_side)side, tests[side]);
	}
	return scores_n;
}

static uint32_t judge_failing(const struct nj_block_edges *edges, const struct nj_turning *failing, uint32_t *told,
			      enum scan_kind kind, const struct nj_usual *usual, struct nj_score *ret_score)
{
	(void)edges;
	double n = nj_turning_estimate(failing);
	if (n < FAILING_MIN || n < FAILING_GROWTH * *told)
		return 0;
	*told = (uint32_t)n;
	double ln_p = nj_ln_clamp(nj_log_normal_upper(nj_usual_z(usual, log1p(n))));
	uint64_t span_ns = kind == KIND_DAY ? NJ_DAY_NS : 7 * NJ_DAY_NS;
	*ret_score = (struct nj_score){.kind = (uint8_t)kind,
				       .slot = NJ_SIDE_HOME,
				       .tests = 1,
				       .class_key = NJ_SIDE_HOME + 1,
				       .start_ns = (failing->slot - (failing->slot > 0)) * span_ns,
				       .value = -ln_p,
				       .ln_p = ln_p,
				       .harm = n};
	return 1;
}

static uint32_t judge_slow(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	struct nj_block_edges *edges = view->profile->edges;
	uint32_t n = 0;
	if (edges == NULL)
		return 0;
	for (int side = 0; side < NJ_SIDES; side++) {
		struct nj_scan_run *run = &edges->run[side];
		if (run->judged)
			ret_scores[n++] = score_of_run(run, (enum nj_side)side, run->tests);
		run->judged = 0;
	}
	const struct nj_prior *prior = judgement->prior;
	const struct nj_usual day = {prior->failing_day_level, prior->failing_day_scale};
	const struct nj_usual week = {prior->failing_week_level, prior->failing_week_scale};
	for (int span = 0; span < 2; span++) {
		const struct nj_turning *failing = span == 0 ? &edges->failing_day : &edges->failing_week;
		uint64_t slot = judgement->start_ns / (span == 0 ? NJ_DAY_NS : 7 * NJ_DAY_NS);
		if (failing->slot != slot) {
			edges->failing_told[span] = 0; /* nothing failed in this span yet */
			continue;
		}
		n += judge_failing(edges, failing, &edges->failing_told[span], span == 0 ? KIND_DAY : KIND_WEEK,
				   span == 0 ? &day : &week, &ret_scores[n]);
	}
	return n;
}

static void learn_scan(const struct nj_judgement *judgement, struct nj_view *view)
{
	(void)judgement;
	uint16_t order[NJ_CONTACTS_MAX];
	uint32_t n = nj_view_fresh_order(view, order);
	struct nj_block_edges *edges = view->profile->edges;
	for (uint32_t i = 0; i < n; i++) {
		const struct nj_contact *contact = &view->window->contacts[order[i]];
		if (contact->protocol != 6)
			continue;
		if (nj_contact_opening(contact) == NJ_OPENING_ANSWERED)
			edges->answered++;
		else
			edges->failed++;
	}
}

/* A router asks by ARP for every address that somebody else scans: its sweep is an echo when an agent of the same round
 * has a run of failures as large at about the same time. */
static bool is_echo(const struct nj_view *views, uint32_t views_n, const struct nj_score *score)
{
	if (score->kind != KIND_RUN)
		return false;
	const struct nj_scan_run *run = &views[score->view].profile->edges->run[score->slot];
	if (run->arp * 2 <= run->scan.failures)
		return false;
	for (uint32_t i = 0; i < views_n; i++) {
		if (i == score->view || views[i].profile->edges == NULL)
			continue;
		const struct nj_scan_run *other = &views[i].profile->edges->run[NJ_SIDE_HOME];
		bool by_packets = other->arp * 2 <= other->scan.failures,
		     as_large = other->scan.failures * 2 >= run->arp;
		uint64_t apart_ns =
			other->last_ns > run->last_ns ? other->last_ns - run->last_ns : run->last_ns - other->last_ns;
		if (by_packets && as_large && apart_ns < NJ_MINUTE_NS)
			return true;
	}
	return false;
}

/* ---- words */

static const char *shape_of(const struct nj_scan_run *run, double peers, double ports)
{
	if (run->arp * 2 > run->scan.failures)
		return "ARP sweep";
	if (run->icmp * 2 > run->scan.failures)
		return "ping sweep";
	if (peers < 2.5)
		return ports < 2.5 ? "probing" : "vertical scan";
	if (ports < 3.5 || peers > 5 * ports)
		return "horizontal scan";
	return ports > 5 * peers && peers < 4.5 ? "vertical scan" : "service enumeration";
}

static void port_text(const struct nj_scan_run *run, double ports, char *text, size_t size)
{
	if (run->arp * 2 > run->scan.failures)
		snprintf(text, size, "by ARP");
	else if (run->icmp * 2 > run->scan.failures)
		snprintf(text, size, "by ping");
	else if (ports < 1.5)
		snprintf(text, size, "on port %u", run->port_last);
	else
		snprintf(text, size, "on %.0f ports", ports);
}

static uint32_t run_failures(const struct nj_scan_run *run)
{
	return run->scan.failures + run->scan.dark;
}

/* Distinct peers and ports of a run. The sketches err by some per cent; there are no more of either than contacts. */
static double run_peers(const struct nj_scan_run *run)
{
	return fmin(nj_hll_estimate(&run->peers), run->scan.contacts);
}

static double run_ports(const struct nj_scan_run *run)
{
	return fmin(nj_hll_estimate(&run->ports), run->scan.contacts);
}

static void explain_run(const struct nj_judgement *judgement, const struct nj_view *view, const struct nj_score *score,
			struct nj_alert *alert)
{
	const struct nj_scan_run *run = &view->profile->edges->run[score->slot];
	double peers = run_peers(run), ports = run_ports(run);
	double theta0 = theta0_of(judgement, view->profile->edges, (enum nj_side)score->slot);
	double usual_failed = (1 - theta0) * run->scan.contacts;
	char agent[NJ_ADDR_TEXT_MAX], seconds[24], where[32];
	port_text(run, ports, where, sizeof where);
	uint64_t end_ns = run->last_ns > run->scan.since_ns ? run->last_ns : run->scan.since_ns;
	snprintf(alert->summary, sizeof alert->summary,
		 "%s opened %u first contacts to %.0f %s%s %s in %s; %u failed (%u refused, %u unanswered, %u reset), "
		 "usual is under %.0f: %s",
		 nj_addr_text(&view->profile->agent.addr, agent), run->scan.contacts, peers,
		 score->slot == NJ_SIDE_OUTSIDE ? "outside " : "", peers < 1.5 ? "host" : "hosts", where,
		 nj_text_seconds((double)(end_ns - run->scan.since_ns) / 1e9, seconds), run_failures(run), run->refused,
		 run->unanswered, run->reset, ceil(usual_failed) + 1, shape_of(run, peers, ports));
	alert->end_ns = end_ns;
	double fail_ratio = run->scan.contacts > 0 ? (double)run_failures(run) / run->scan.contacts : 0;
	nj_alert_add_feature(alert, "first_contacts_failed", "contacts", run_failures(run), usual_failed, NAN, 1);
	nj_alert_add_feature(alert, "fail_ratio", "0..1", fail_ratio, 1 - theta0, 1 - judgement->prior->answered_home,
			     0);
	nj_alert_add_feature(alert, "peers", "peers", peers, NAN, NAN, 0);
	nj_alert_add_feature(alert, "ports", "ports", ports, NAN, NAN, 0);
	bool from_outside = !view->profile->home;
	const char *shape = shape_of(run, peers, ports);
	nj_alert_add_technique(alert, from_outside ? (peers > 2.5 ? "T1595.001" : "T1595.002") : "T1046");
	if (!from_outside && strcmp(shape, "vertical scan") != 0)
		nj_alert_add_technique(alert, "T1018");
	nj_alert_add_technique(alert, "AML.T0006");
	nj_alert_add_sightings(alert, &view->profile->agent, run->sighting, run->sightings, view->window);
}

static void explain_failing(const struct nj_judgement *judgement, const struct nj_view *view,
			    const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_block_edges *edges = view->profile->edges;
	bool day = score->kind == KIND_DAY;
	double n = nj_turning_estimate(day ? &edges->failing_day : &edges->failing_week);
	double usual = expm1(day ? judgement->prior->failing_day_level : judgement->prior->failing_week_level);
	char agent[NJ_ADDR_TEXT_MAX];
	snprintf(alert->summary, sizeof alert->summary,
		 "%s has failed to reach about %.0f different services at home within %s; usual is about %.0f",
		 nj_addr_text(&view->profile->agent.addr, agent), n, day ? "two days" : "two weeks", usual);
	nj_alert_add_feature(alert, day ? "failed_services_24h" : "failed_services_7d", "peer ports", n, usual, usual,
			     1);
	nj_alert_add_technique(alert, view->profile->home ? "T1046" : "T1595");
	nj_alert_add_technique(alert, "AML.T0006");
	const struct nj_scan_run *run = &edges->run[NJ_SIDE_HOME];
	nj_alert_add_sightings(alert, &view->profile->agent, run->sighting, run->sightings, view->window);
}

static void explain_scan(const struct nj_judgement *judgement, const struct nj_view *view, const struct nj_score *score,
			 struct nj_alert *alert)
{
	if (score->kind == KIND_RUN)
		explain_run(judgement, view, score, alert);
	else
		explain_failing(judgement, view, score, alert);
}

const struct nj_detector nj_detector_scan = {
	.name = "scan",
	.meaning = "first contacts that fail, in quick succession: horizontal, vertical, services",
	.family = "scan",
	.permission = NJ_PERMIT_SCAN,
	.permission_word = "scan",
	.weight = 2,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 50,
	.harm_most = 5000,
	.judge = judge_scan,
	.explained_away = is_echo,
	.learn = learn_scan,
	.explain = explain_scan,
};

const struct nj_detector nj_detector_scan_slow = {
	.name = "scan-slow",
	.meaning = "the same over hours and days, below any rate",
	.family = "scan",
	.permission = NJ_PERMIT_SCAN,
	.permission_word = "scan",
	.weight = 2,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 50,
	.harm_most = 5000,
	.judge = judge_slow,
	.explained_away = is_echo,
	.explain = explain_scan,
};
