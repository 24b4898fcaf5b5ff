/* What several sensors of one tap group say of one agent's ten seconds, made one window. They see the same traffic,
 * whole or in part, so nothing is added up: of each contact and direction the larger count is nearer the truth.
 *
 * Laws: one window is itself; equal windows are that window to the byte; the order of sensors does not matter.
 *
 * Asymmetric taps (one sees what clients send, another what servers answer) are healed as far as this goes:
 * - contacts: packets and bytes of each direction come from the sensor that saw it. Outcomes: an opening is unanswered
 * only if no sensor saw more of it; so what one sensor calls unanswered and another answered, refused or reset, is the
 * latter.
 * - labels: where each sensor has one contact with a service and the labels differ only in how much they say ("",
 * "Unknown", "TLS", "TLS.Google"), it is one contact under the fullest.
 * - scalars that sum over contacts (bytes, packets, flows and their outcomes, requests) are the sums over the united
 * contacts, plus what exceeds the contacts at the sensor where most does; flows seen from one side by each sensor and
 * from both by all of them are no longer one-sided; only flows that every sensor found under way count as such
 * (midstream).
 * - all other scalars and vectors, domains, clients: the larger value of each.
 *
 * Not healed: what needs both directions inside one sensor (exchanges with models, login outcomes by volume, answers of
 * unknown size), which flow a contact names, and labels that contradict each other: such contacts stay beside each
 * other.
 *
 * Pure; memory from the caller's arena: twice the lists of all windows. Cost: a sort of the contacts. */
#ifndef NJ_AGGREGATOR_TAP_GROUP_H
#define NJ_AGGREGATOR_TAP_GROUP_H

#include "common/window.h"

/* *windows* are of one agent, start and width (asserted), at least one. The arrays of *ret_united* are the arena's, or
 * with one window that window's. Not capped. False: the arena is full. */
bool nj_tap_group_unite(const struct nj_window *const *windows, uint32_t n, struct nj_arena *arena,
			struct nj_window *ret_united) __attribute__((warn_unused_result));

#endif
