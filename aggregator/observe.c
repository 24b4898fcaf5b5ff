/* From a window to an agent's memory, the part that belongs to no single detector.
 *
 * A first contact is judged when its outcome is known, which for an unanswered one is 5 s after its opening and so
 * perhaps a window later; until then the (peer, port) is not marked as met. A contact that goes on without an outcome
 * in this window belongs to a flow opened earlier, and is marked without being fresh. */
#include "aggregator/observe.h"

#include "aggregator/observe_ai.h"
#include "aggregator/prior.h"
#include "common/inventory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool nj_contact_is_group(const struct nj_agent_id *agent, const struct nj_contact *contact)
{
	const struct nj_addr *peer = &contact->peer;
	if (nj_addr_is_multicast(peer) || nj_addr_is_unspecified(peer) || nj_addr_equal(peer, &agent->addr))
		return true;
	/* A directed broadcast cannot be told without the netmask; by far the most end in .255, and only datagrams go
	 * there. */
	return nj_addr_is_v4(peer) && peer->byte[15] == 255 && contact->protocol != 6;
}

enum nj_opening nj_contact_opening(const struct nj_contact *contact)
{
	if (contact->answered > 0)
		return NJ_OPENING_ANSWERED;
	if (contact->refused > 0)
		return NJ_OPENING_REFUSED;
	if (contact->unanswered > 0)
		return NJ_OPENING_UNANSWERED;
	return contact->reset > 0 ? NJ_OPENING_RESET : NJ_OPENING_UNKNOWN;
}

uint32_t nj_view_fresh_order(const struct nj_view *view, uint16_t order[NJ_CONTACTS_MAX])
{
	const struct nj_contact *contacts = view->window->contacts;
	uint32_t n = 0;
	for (uint32_t i = 0; i < view->window->contacts_n && i < NJ_CONTACTS_MAX; i++) {
		if (!nj_view_is_fresh(view, i))
			continue;
		uint32_t at =
			n++; /* insertion: contacts of a scan come nearly in time order, and there are 256 at most */
		while (at > 0 && contacts[order[at - 1]].first_ns > contacts[i].first_ns) {
			order[at] = order[at - 1];
			at--;
		}
		order[at] = (uint16_t)i;
	}
	return n;
}

static void mark_fresh(const struct nj_judgement *judgement, struct nj_view *view)
{
	const struct nj_window *window = view->window;
	struct nj_block_edges *edges = view->profile->edges;
	for (uint32_t i = 0; i < window->contacts_n && i < NJ_CONTACTS_MAX; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (contact->role != NJ_ROLE_CLIENT || nj_contact_is_group(&window->agent, contact))
			continue;
		bool known_end = nj_contact_opening(contact) != NJ_OPENING_UNKNOWN;
		if (!known_end && contact->opened > 0)
			continue;
		if (edges == NULL && (edges = nj_profile_edges(view->profile)) == NULL)
			return;
		uint64_t key = nj_fleet_service_key(&contact->peer, contact->port, contact->protocol, judgement->key);
		bool today;
		bool known = nj_edges_meet(edges, judgement->start_ns, key, &today);
		if (today)
			view->met[i / 64] |= 1ull << (i % 64);
		if (!known && known_end)
			view->fresh[i / 64] |= 1ull << (i % 64);
	}
}

/* An hour of this agent is over: its baselines learn it, its group hears of it. */
static void close_hour(const struct nj_judgement *judgement, struct nj_view *view)
{
	struct nj_profile *profile = view->profile;
	if (profile->hour.suspect || profile->windows == 0)
		return;
	struct nj_block_history *history = nj_profile_history(profile);
	if (history == NULL)
		return;
	const struct nj_prior *prior = judgement->prior;
	unsigned hour = nj_hour_of_week(profile->hour.slot * NJ_HOUR_NS, 0);
	struct nj_usual usual = {prior->out_hour_level, prior->out_hour_scale};
	nj_baseline_week_learn(&history->out, hour, log1p((double)profile->hour.out), 1, &usual);
	const struct nj_usual fan_usual[NJ_SIDES] = {{prior->fan_home_1h_level, prior->fan_home_1h_scale},
						     {prior->fan_outside_1h_level, prior->fan_outside_1h_scale}};
	for (int side = 0; side < NJ_SIDES; side++) {
		const struct nj_counting *peers = profile->fan != NULL ? &profile->fan->peers[side][NJ_FAN_1H] : NULL;
		double n = peers != NULL && peers->slot == profile->hour.slot ? nj_hll_estimate(&peers->now) : 0;
		nj_baseline_day_learn(&history->fan[side], hour, log1p(n), 1, &fan_usual[side]);
		view->hour_peers[side] = n;
	}
	view->hour_out_kb = (double)profile->hour.out / 1024;
	view->hour_closed = true;
	profile->learned_hours += profile->learned_hours < UINT32_MAX;
}

static void turn_spans(const struct nj_judgement *judgement, struct nj_view *view)
{
	struct nj_profile *profile = view->profile;
	uint64_t hour = judgement->start_ns / NJ_HOUR_NS, day = judgement->start_ns / NJ_DAY_NS;
	if (profile->hour.slot != hour) {
		close_hour(judgement, view);
		profile->hour = (struct nj_span){.slot = hour};
	}
	if (profile->day.slot != day)
		profile->day = (struct nj_span){.slot = day};
}

static void add_bytes(const struct nj_view *view, struct nj_span *span)
{
	const struct nj_window *window = view->window;
	uint64_t listed_out = 0, listed_in = 0;
	for (uint32_t i = 0; i < window->contacts_n; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (!contact->external)
			continue;
		listed_out = nj_add_saturating(listed_out, contact->bytes_out);
		listed_in = nj_add_saturating(listed_in, contact->bytes_in);
		if (contact->role == NJ_ROLE_SERVER) {
			span->served = nj_add_saturating(span->served, contact->bytes_out);
			continue;
		}
		span->out = nj_add_saturating(span->out, contact->bytes_out);
		span->in = nj_add_saturating(span->in, contact->bytes_in);
	}
	/* What the cap left out has no role; most capped agents are clients, and an upload must not hide behind a scan.
	 */
	if (window->features.contacts_rest > 0 && window->features.bytes_out_external > listed_out)
		span->out = nj_add_saturating(span->out, window->features.bytes_out_external - listed_out);
	if (window->features.contacts_rest > 0 && window->features.bytes_in_external > listed_in)
		span->in = nj_add_saturating(span->in, window->features.bytes_in_external - listed_in);
}

static void note_client(struct nj_view *view)
{
	const struct nj_window *window = view->window;
	uint32_t best = 0;
	for (uint32_t i = 1; i < window->clients_n; i++)
		if (window->clients[i].flows > window->clients[best].flows)
			best = i;
	if (window->clients_n > 0)
		snprintf(view->profile->client, sizeof view->profile->client, "%s", window->clients[best].text);
}

void nj_observe(const struct nj_judgement *judgement, struct nj_view *view)
{
	const struct nj_window *window = view->window;
	const struct nj_features *features = &window->features;
	struct nj_profile *profile = view->profile;
	turn_spans(judgement, view);
	mark_fresh(judgement, view);
	if (profile->windows == 0)
		profile->first_ns = features->first_ns != 0 ? features->first_ns : window->start_ns;
	if (profile->windows == 0 || judgement->end_ns > profile->last_ns)
		profile->last_ns = judgement->end_ns;
	uint64_t day = judgement->start_ns / NJ_DAY_NS + 1;
	view->new_agent_today = profile->fleet_day != day;
	profile->fleet_day = day;
	profile->windows++;
	profile->flows =
		nj_add_saturating(profile->flows, nj_add_saturating(features->flows_opened, features->flows_accepted));
	profile->flows_one_sided = nj_add_saturating(profile->flows_one_sided, features->flows_one_sided);
	profile->bytes_out = nj_add_saturating(
		profile->bytes_out, nj_add_saturating(features->bytes_out_external, features->bytes_out_internal));
	profile->bytes_in = nj_add_saturating(
		profile->bytes_in, nj_add_saturating(features->bytes_in_external, features->bytes_in_internal));
	add_bytes(view, &profile->hour);
	add_bytes(view, &profile->day);
	note_client(view);
	nj_observe_ai(judgement, view);
}

void nj_observe_suspect(struct nj_view *view)
{
	view->profile->hour.suspect = 1;
	view->profile->day.suspect = 1;
}
