/* What all detectors build on: a window's sums into its agent's profile, and which of its contacts are first contacts.
 * Called once per window on a shard, before any detector. Pure but for the profile and the view. */
#ifndef NJ_AGGREGATOR_OBSERVE_H
#define NJ_AGGREGATOR_OBSERVE_H

#include "aggregator/detector.h"
#include "aggregator/profile.h"

void nj_observe(const struct nj_judgement *judgement, struct nj_view *view);

/* The window looked like an attack: what it belongs to is kept out of the baselines when its hour closes. */
void nj_observe_suspect(struct nj_view *view);

static inline uint64_t nj_add_saturating(uint64_t a, uint64_t b)
{
	return a + b >= a ? a + b : UINT64_MAX;
}

/* A peer that no first contact can go to: multicast, broadcast, unspecified, the agent itself. */
bool nj_contact_is_group(const struct nj_agent_id *agent, const struct nj_contact *contact);

/* How a contact's openings ended in this window. */
enum nj_opening {
	NJ_OPENING_UNKNOWN,
	NJ_OPENING_ANSWERED,
	NJ_OPENING_REFUSED,
	NJ_OPENING_UNANSWERED,
	NJ_OPENING_RESET
};
enum nj_opening nj_contact_opening(const struct nj_contact *contact);

static inline bool nj_view_is_fresh(const struct nj_view *view, uint32_t contact)
{
	return (view->fresh[contact / 64] >> (contact % 64) & 1) != 0;
}

/* Indices of the window's fresh contacts, ascending by first_ns, then by key; their number. */
uint32_t nj_view_fresh_order(const struct nj_view *view, uint16_t order[NJ_CONTACTS_MAX]);

#endif
