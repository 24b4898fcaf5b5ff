/* Calls by a clock, whatever their jitter.
 *
 * The starts of a contact's bursts, on new connections or within one that stays open, feed models/beacon.h for each
 * (peer or name, port, protocol) the agent comes back to. It gives a p for "this regular by chance". That is not yet a
 * p for malice: benign programs poll too. So ln p is weighed,
 *
 *   ln p = ln p_regular * length * span * cover * novelty * crowd * place
 *
 *   length   gaps/32, at most 1: eight perfect intervals are a coincidence of start-up, thirty are a habit
 *   span     (time watched/150 s)^2, at most 1: devices retry by the clock for a minute or two while they set
 * themselves up cover    gaps * median gap/time watched, at most 1: a clock that stands still most of the time is a
 * burst of retries novelty  1 for a peer first met within the memory of a day by an agent known longer or not at all,
 * 0.7 for one known before crowd    1/(1 + ln n) for a peer that n agents use place    1 outside; 0.5 at home, where
 * monitoring lives; 0.15 for what monitors and controls machines there
 *
 * and services that are periodic by design (time, names, addresses, discovery) are left out, as are keep-alives:
 * windows in which an open contact carried nothing. A key is judged when its gaps reach 8, 12, 16, 24, 32, 48 or 64,
 * then every 32 calls: some ten tests instead of one a window.
 *
 * Seven keys an agent. A newcomer needs a second visit; it takes a free slot, or one that has been silent for eight of
 * its periods, or one judged irregular, or the one with fewest gaps below eight; otherwise it waits. Space-Saving would
 * lose a slow beacon among busy web servers, this does not. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/prior.h"
#include "common/inventory.h"
#include "common/label.h"
#include "models/fuse.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LENGTH_FULL   32.0
#define NOVELTY_KNOWN 0.7
#define PLACE_HOME    0.5
#define PLACE_MACHINE 0.15
#define SPAN_FULL_S   150.0
#define RHO_DULL      0.9 /* more scattered than this, with a full ring: not a clock */
#define SILENT_NS     (10 * NJ_MINUTE_NS)

static bool is_periodic_by_design(const struct nj_contact *contact)
{
	static const uint16_t udp[] = {53,  67,  68,   123,  137,  138,  161,  162,  319,  320, 514,
				       546, 547, 1900, 2055, 3478, 3702, 4739, 5353, 5355, 6343};
	if (contact->protocol != 6 && contact->protocol != 17)
		return true;
	if (contact->protocol == 6)
		return contact->port == 53;
	for (size_t i = 0; i < sizeof udp / sizeof *udp; i++)
		if (contact->port == udp[i])
			return true;
	return false;
}

/* Industrial control and monitoring agents: polled by a clock all their lives. */
static bool is_machine_service(uint16_t port)
{
	static const uint16_t ports[] = {102,  502,   789,   1911,  2222,  2404,  4840,  5007,  5666,  6556, 9100,
					 9600, 10050, 10051, 18245, 20000, 20547, 34962, 34964, 44818, 47808};
	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
		if (port == ports[i])
			return true;
	return false;
}

static bool is_keep_alive(const struct nj_contact *contact)
{
	return contact->bytes_out == 0 && contact->bytes_in == 0 && contact->opened == 0;
}

static uint64_t call_key(const struct nj_judgement *judgement, const struct nj_contact *contact)
{
	if (contact->name[0] == '\0')
		return nj_fleet_service_key(&contact->peer, contact->port, contact->protocol, judgement->key);
	return nj_fleet_name_key(contact->name, judgement->key) ^ contact->port * 0x9e3779b97f4a7c15ull;
}

static bool is_silent(const struct nj_call *call, uint64_t now_ns)
{
	uint64_t quiet_ns = now_ns > call->beacon.last_ns ? now_ns - call->beacon.last_ns : 0, patience_ns = SILENT_NS;
	if (call->beacon.n > 0) {
		unsigned last = (call->beacon.head + NJ_BEACON_RING - 1u) % NJ_BEACON_RING;
		double gap_ns = exp2(call->beacon.gap[last] / 2048.0) * 1e6;
		if (8 * gap_ns > (double)patience_ns)
			patience_ns = gap_ns < 1e17 ? (uint64_t)(8 * gap_ns) : UINT64_MAX;
	}
	return quiet_ns > patience_ns;
}

/* The slot that may be given away, by the order of the header; NULL: none. */
static struct nj_call *slot_for_newcomer(struct nj_block_calls *calls, uint64_t now_ns)
{
	struct nj_call *silent = NULL, *dull = NULL, *young = NULL;
	for (int i = 0; i < NJ_CALLS; i++) {
		struct nj_call *call = &calls->call[i];
		if (call->key == 0)
			return call;
		if (silent == NULL && is_silent(call, now_ns))
			silent = call;
		if (call->dull > 0 && (dull == NULL || call->beacon.last_ns < dull->beacon.last_ns))
			dull = call;
		if (call->beacon.n < NJ_BEACON_GAPS_MIN &&
		    (young == NULL || call->beacon.last_ns < young->beacon.last_ns))
			young = call;
	}
	return silent != NULL ? silent : dull != NULL ? dull : young;
}

static struct nj_call *call_of(const struct nj_judgement *judgement, struct nj_view *view, uint32_t index, uint64_t key)
{
	const struct nj_contact *contact = &view->window->contacts[index];
	struct nj_block_calls *calls = view->profile->calls;
	for (int i = 0; calls != NULL && i < NJ_CALLS; i++)
		if (calls->call[i].key == key)
			return &calls->call[i];
	if (calls == NULL && (calls = nj_profile_calls(view->profile)) == NULL)
		return NULL;
	struct nj_call *call = slot_for_newcomer(calls, judgement->start_ns);
	if (call == NULL)
		return NULL;
	bool met_today = nj_view_is_fresh(view, index) || judgement->end_ns - view->profile->first_ns < NJ_DAY_NS;
	*call = (struct nj_call){.key = key,
				 .peer = contact->peer,
				 .port = contact->port,
				 .protocol = contact->protocol,
				 .outside = contact->external,
				 .fresh = met_today,
				 .first_ns = contact->first_ns};
	nj_label_ascii(contact->name, strnlen(contact->name, sizeof contact->name), call->name, sizeof call->name);
	return call;
}

/* True when a look is due: the gaps have passed one of the marks. */
static bool add_bursts(const struct nj_window *window, const struct nj_contact *contact, struct nj_call *call)
{
	uint32_t before = call->events;
	uint32_t listed = contact->bursts_n < NJ_CONTACT_BURSTS_MAX ? contact->bursts_n : NJ_CONTACT_BURSTS_MAX;
	uint64_t bytes = contact->bytes_out / (contact->bursts > listed ? contact->bursts : listed > 0 ? listed : 1);
	for (uint32_t i = 0; i < listed; i++) {
		uint64_t t_ns = window->start_ns + (uint64_t)contact->burst_ms[i] * 1000000;
		uint8_t n = call->beacon.n, head = call->beacon.head;
		nj_beacon_add(&call->beacon, t_ns, bytes);
		call->events += call->beacon.n != n || call->beacon.head != head;
	}
	call->bytes_out = nj_add_saturating(call->bytes_out, contact->bytes_out);
	call->bytes_in = nj_add_saturating(call->bytes_in, contact->bytes_in);
	call->flow_port = contact->flow_port;
	static const uint32_t mark[] = {8, 12, 16, 24, 32, 48, 64};
	for (size_t i = 0; i < sizeof mark / sizeof *mark; i++)
		if (before < mark[i] && call->events >= mark[i])
			return true;
	return call->events > 64 && call->events / 32 != before / 32;
}

static double popularity(const struct nj_judgement *judgement, const struct nj_call *call)
{
	uint64_t service = nj_fleet_service_key(&call->peer, call->port, call->protocol, judgement->key);
	uint32_t agents = nj_fleet_use(judgement->fleet, service, judgement->start_ns).agents;
	if (call->name[0] != '\0') {
		uint32_t by_name = nj_fleet_use(judgement->fleet, nj_fleet_name_key(call->name, judgement->key),
						judgement->start_ns)
					   .agents;
		agents = by_name > agents ? by_name : agents;
	}
	return agents > 1 ? 1 / (1 + log(agents)) : 1;
}

static double weighed_ln_p(const struct nj_judgement *judgement, const struct nj_call *call,
			   const struct nj_beacon_verdict *verdict)
{
	double length = verdict->gaps / LENGTH_FULL < 1 ? verdict->gaps / LENGTH_FULL : 1;
	double watched_s =
		call->beacon.last_ns > call->first_ns ? (double)(call->beacon.last_ns - call->first_ns) / 1e9 : 0;
	double ring_s = call->events > verdict->gaps ? verdict->gaps * watched_s / call->events : watched_s;
	double span = watched_s < SPAN_FULL_S ? watched_s / SPAN_FULL_S * (watched_s / SPAN_FULL_S) : 1;
	double cover = ring_s > 0 && verdict->gaps * verdict->period_s < ring_s
			       ? verdict->gaps * verdict->period_s / ring_s
			       : 1;
	double place = call->outside ? 1 : is_machine_service(call->port) ? PLACE_MACHINE : PLACE_HOME;
	double weight = length * span * cover * (call->fresh ? 1 : NOVELTY_KNOWN) * popularity(judgement, call) * place;
	return nj_ln_clamp(weight * log(verdict->p));
}

static uint32_t judge_beacon(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_window *window = view->window;
	uint32_t n = 0;
	for (uint32_t i = 0; i < window->contacts_n && i < NJ_CONTACTS_MAX; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (contact->role != NJ_ROLE_CLIENT || contact->bursts_n == 0 || is_periodic_by_design(contact) ||
		    is_keep_alive(contact) || nj_contact_is_group(&window->agent, contact))
			continue;
		struct nj_call *call = call_of(judgement, view, i, call_key(judgement, contact));
		if (call == NULL || !add_bursts(window, contact, call) || n == NJ_SCORES_PER_JUDGE)
			continue;
		struct nj_beacon_verdict verdict;
		nj_beacon_judge(&call->beacon, &verdict);
		call->dull = verdict.gaps >= 32 && verdict.rho > RHO_DULL && verdict.p > 0.01;
		double ln_p = weighed_ln_p(judgement, call, &verdict);
		ret_scores[n++] = (struct nj_score){.slot = (uint8_t)(call - view->profile->calls->call),
						    .tests = 1,
						    .class_key = call->key,
						    .start_ns = call->first_ns,
						    .value = -ln_p,
						    .ln_p = ln_p,
						    .harm = call->events};
	}
	return n;
}

static void explain_beacon(const struct nj_judgement *judgement, const struct nj_view *view,
			   const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_call *call = &view->profile->calls->call[score->slot];
	struct nj_beacon_verdict verdict;
	nj_beacon_judge(&call->beacon, &verdict);
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], period[24], age[24], out[24];
	bool named = call->name[0] != '\0';
	nj_addr_text(&call->peer, peer);
	double jitter = 100 * verdict.rho;
	snprintf(alert->summary, sizeof alert->summary,
		 "%s called %s%s%s%s port %u %u times in %s, every %s with a spread of %.0f %% (chance arrivals spread "
		 "by 113 %%), %s out; %s",
		 nj_addr_text(&view->profile->agent.addr, agent), named ? call->name : peer, named ? " (" : "",
		 named ? peer : "", named ? ")" : "", call->port, call->events + 1,
		 nj_text_seconds((double)(call->beacon.last_ns - call->first_ns) / 1e9, age),
		 nj_text_seconds(verdict.period_s, period), jitter, nj_text_bytes((double)call->bytes_out, out),
		 call->fresh ? "first met today" : "known before");
	double prevalence = nj_fleet_prevalence(
		judgement->fleet, nj_fleet_service_key(&call->peer, call->port, call->protocol, judgement->key),
		judgement->start_ns);
	const double log_p[3] = {log(verdict.p_rho), log(verdict.p_spectral), log(verdict.p_size)};
	double share[3];
	nj_fuse_shares(log_p, NULL, 3, share);
	nj_alert_add_feature(alert, "beacon_spread", "ln", verdict.rho, 1.13, 1.13, share[0]);
	nj_alert_add_feature(alert, "beacon_spectral_peak", "1", verdict.spectral, 1, NAN, share[1]);
	nj_alert_add_feature(alert, "beacon_size_spread", "ln", verdict.size_dispersion, NAN, NAN, share[2]);
	nj_alert_add_feature(alert, "beacon_period", "s", verdict.period_s, NAN, NAN, 0);
	nj_alert_add_feature(alert, "beacon_score", "0..1", verdict.score, NAN, NAN, 0);
	nj_alert_add_feature(alert, "beacon_prevalence", "0..1", prevalence, NAN, NAN, 0);
	nj_alert_add_technique(alert, "T1071.001");
	nj_alert_add_technique(alert, "T1573");
	nj_alert_add_technique(alert, "AML.T0072");
	struct nj_alert_peer row = {.addr = call->peer,
				    .port = call->port,
				    .protocol = call->protocol,
				    .bytes_out = call->bytes_out,
				    .bytes_in = call->bytes_in};
	memcpy(row.name, call->name, sizeof call->name);
	nj_alert_add_peer(alert, &view->profile->agent, &row, call->flow_port);
}

const struct nj_detector nj_detector_beacon = {
	.name = "beacon",
	.meaning = "calls to a peer by a clock, jittered or not, weighed by how new and rare the peer is",
	.family = "beacon",
	.permission = NJ_PERMIT_BEACON,
	.permission_word = "beacon",
	.weight = 1,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = INFINITY, /* many calls are no greater harm than few */
	.harm_most = INFINITY,
	.judge = judge_beacon,
	.explain = explain_beacon,
};
