/* The detectors, one file each; for their table (detectors.c) and for one another's helpers. */
#ifndef NJ_AGGREGATOR_DETECT_H
#define NJ_AGGREGATOR_DETECT_H

#include "aggregator/detector.h"
#include "aggregator/profile.h"

extern const struct nj_detector nj_detector_decoy, nj_detector_scan, nj_detector_scan_slow, nj_detector_fanout,
	nj_detector_exfil_volume, nj_detector_exfil_direction, nj_detector_exfil_new, nj_detector_dns, nj_detector_icmp,
	nj_detector_beacon, nj_detector_guessing, nj_detector_web, nj_detector_recon, nj_detector_lateral,
	nj_detector_ai_turns, nj_detector_ai_upload, nj_detector_ai_mailbox, nj_detector_policy_unregistered,
	nj_detector_policy_reach, nj_detector_policy_secrets, nj_detector_policy_provider, nj_detector_policy_tool,
	nj_detector_policy_volume, nj_detector_policy_hours, nj_detector_staging, nj_detector_credentials,
	nj_detector_reaction, nj_detector_remote;

/* The kept sightings of a ring as peers, newest first, with names and bytes where the window still has the contact. */
void nj_alert_add_sightings(struct nj_alert *alert, const struct nj_agent_id *agent, const struct nj_sighting *ring,
			    uint32_t count, const struct nj_window *window);

/* One peer with the Community ID of a flow (flow_port 0: none known). */
void nj_alert_add_peer(struct nj_alert *alert, const struct nj_agent_id *agent, const struct nj_alert_peer *peer,
		       uint16_t flow_port);

/* Steps of a quantity that grows: floor(2 log2(1 + x)). A detector that looks only when the step rises tests each
 * doubling twice, not each window. */
uint32_t nj_growth_step(double x);

/* p of the prior and p of the own history, the own one counting as far as it is there: ln p = (1 - own) ln p_prior +
 * own ln p_own. */
double nj_ln_mix(double ln_prior, double ln_own, double own);

#endif
