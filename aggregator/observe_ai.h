/* A window's exchanges, actions and tools into the agent's memory of brains and turns (profile_ai.h). Called by
 * nj_observe, once per window on a shard, after its first contacts are known; cheap for a window without exchanges of
 * an agent that never had any. Pure but for the profile. */
#ifndef NJ_AGGREGATOR_OBSERVE_AI_H
#define NJ_AGGREGATOR_OBSERVE_AI_H

#include "aggregator/detector.h"
#include "aggregator/profile.h"

void nj_observe_ai(const struct nj_judgement *judgement, struct nj_view *view);

/* Bits of surprise in a first contact of this agent, weighed: 1.5 for administrative services, 3 for the secrets plane.
 */
double nj_contact_bits(const struct nj_judgement *judgement, const struct nj_contact *contact);

/* The contact's server is a language model as far as this agent's exchanges show: marked, or likely one. */
bool nj_ai_is_model(const struct nj_judgement *judgement, const struct nj_view *view, const struct nj_contact *contact);

/* Features of the loop and a half-sentence about it, for an alert about an agent that loops; nothing otherwise, nor
 * when the alert speaks of it already. The desk does so for every alert. */
void nj_ai_add_context(const struct nj_profile *profile, struct nj_alert *alert);

#endif
