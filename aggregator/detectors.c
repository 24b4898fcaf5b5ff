/* The table of detectors, and what they share: words, peers, steps. */
#include "aggregator/detect.h"

#include "common/community_id.h"
#include "common/label.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct nj_detector *const nj_detectors[NJ_DETECTORS] = {
	[NJ_DETECTOR_DECOY] = &nj_detector_decoy,
	[NJ_DETECTOR_SCAN] = &nj_detector_scan,
	[NJ_DETECTOR_SCAN_SLOW] = &nj_detector_scan_slow,
	[NJ_DETECTOR_FANOUT] = &nj_detector_fanout,
	[NJ_DETECTOR_EXFIL_VOLUME] = &nj_detector_exfil_volume,
	[NJ_DETECTOR_EXFIL_DIRECTION] = &nj_detector_exfil_direction,
	[NJ_DETECTOR_EXFIL_NEW] = &nj_detector_exfil_new,
	[NJ_DETECTOR_DNS] = &nj_detector_dns,
	[NJ_DETECTOR_ICMP] = &nj_detector_icmp,
	[NJ_DETECTOR_BEACON] = &nj_detector_beacon,
	[NJ_DETECTOR_GUESSING] = &nj_detector_guessing,
	[NJ_DETECTOR_WEB] = &nj_detector_web,
	[NJ_DETECTOR_RECON] = &nj_detector_recon,
	[NJ_DETECTOR_LATERAL] = &nj_detector_lateral,
	[NJ_DETECTOR_AI_TURNS] = &nj_detector_ai_turns,
	[NJ_DETECTOR_AI_UPLOAD] = &nj_detector_ai_upload,
	[NJ_DETECTOR_AI_MAILBOX] = &nj_detector_ai_mailbox,
	[NJ_DETECTOR_POLICY_UNREGISTERED] = &nj_detector_policy_unregistered,
	[NJ_DETECTOR_POLICY_REACH] = &nj_detector_policy_reach,
	[NJ_DETECTOR_POLICY_SECRETS] = &nj_detector_policy_secrets,
	[NJ_DETECTOR_POLICY_PROVIDER] = &nj_detector_policy_provider,
	[NJ_DETECTOR_POLICY_TOOL] = &nj_detector_policy_tool,
	[NJ_DETECTOR_POLICY_VOLUME] = &nj_detector_policy_volume,
	[NJ_DETECTOR_POLICY_HOURS] = &nj_detector_policy_hours,
	[NJ_DETECTOR_STAGING] = &nj_detector_staging,
	[NJ_DETECTOR_CREDENTIALS] = &nj_detector_credentials,
	[NJ_DETECTOR_REACTION] = &nj_detector_reaction,
	[NJ_DETECTOR_REMOTE] = &nj_detector_remote,
};

double nj_ln_clamp(double ln_p)
{
	if (isnan(ln_p) || ln_p > 0)
		return 0;
	return ln_p < NJ_LN_P_MIN ? NJ_LN_P_MIN : ln_p;
}

double nj_ln_mix(double ln_prior, double ln_own, double own)
{
	return nj_ln_clamp((1 - own) * ln_prior + own * ln_own);
}

uint32_t nj_growth_step(double x)
{
	return x > 0 ? (uint32_t)(2 * log2(1 + x)) : 0;
}

void nj_alert_add_technique(struct nj_alert *alert, const char *id)
{
	if (alert->techniques_n == NJ_ALERT_TECHNIQUES_MAX)
		return;
	snprintf(alert->technique[alert->techniques_n++], sizeof alert->technique[0], "%s", id);
}

void nj_alert_add_feature(struct nj_alert *alert, const char *name, const char *unit, double value, double usual,
			  double peers, double share)
{
	if (alert->features_n == NJ_ALERT_FEATURES_MAX)
		return;
	struct nj_alert_feature *feature = &alert->features[alert->features_n++];
	snprintf(feature->name, sizeof feature->name, "%s", name);
	snprintf(feature->unit, sizeof feature->unit, "%s", unit);
	feature->value = isfinite(value) ? value : 0;
	feature->usual = usual;
	feature->peers = peers;
	feature->share = share;
}

static void add_flow(struct nj_alert *alert, const struct nj_agent_id *agent, const struct nj_alert_peer *peer,
		     uint16_t flow_port)
{
	if (alert->flows_n == NJ_ALERT_FLOWS_MAX || peer->protocol == 254)
		return;
	char id[NJ_COMMUNITY_ID_TEXT_MAX];
	if (peer->protocol == 1 || peer->protocol == 58) /* a contact keeps type and code where others keep the port */
		nj_community_id(0, peer->protocol, &agent->addr, &peer->addr, peer->port >> 8, peer->port & 0xff, id);
	else if (flow_port != 0)
		nj_community_id(0, peer->protocol, &agent->addr, &peer->addr, flow_port, peer->port, id);
	else
		return;
	for (uint8_t i = 0; i < alert->flows_n; i++)
		if (strcmp(alert->flows[i], id) == 0)
			return;
	snprintf(alert->flows[alert->flows_n++], sizeof alert->flows[0], "%s", id);
}

void nj_alert_add_peer(struct nj_alert *alert, const struct nj_agent_id *agent, const struct nj_alert_peer *peer,
		       uint16_t flow_port)
{
	add_flow(alert, agent, peer, flow_port);
	for (uint8_t i = 0; i < alert->peers_n; i++)
		if (nj_addr_equal(&alert->peers[i].addr, &peer->addr) && alert->peers[i].port == peer->port &&
		    alert->peers[i].protocol == peer->protocol)
			return;
	if (alert->peers_n == NJ_ALERT_PEERS_MAX)
		return;
	struct nj_alert_peer *at = &alert->peers[alert->peers_n++];
	*at = *peer;
	nj_label_ascii(peer->name, strnlen(peer->name, sizeof peer->name), at->name, sizeof at->name);
	if (at->protocol == 1 || at->protocol == 58 || at->protocol == 254)
		at->port = 0;
}

void nj_alert_add_contact(struct nj_alert *alert, const struct nj_agent_id *agent, const struct nj_contact *contact)
{
	struct nj_alert_peer peer = {.addr = contact->peer,
				     .port = contact->port,
				     .protocol = contact->protocol,
				     .bytes_out = contact->bytes_out,
				     .bytes_in = contact->bytes_in};
	memcpy(peer.name, contact->name, sizeof peer.name);
	nj_alert_add_peer(alert, agent, &peer, contact->role == NJ_ROLE_CLIENT ? contact->flow_port : 0);
}

static const struct nj_contact *contact_of(const struct nj_window *window, const struct nj_sighting *sighting)
{
	for (uint32_t i = 0; i < window->contacts_n; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (contact->port == sighting->port && contact->protocol == sighting->protocol &&
		    contact->role == NJ_ROLE_CLIENT && nj_addr_equal(&contact->peer, &sighting->peer))
			return contact;
	}
	return NULL;
}

void nj_alert_add_sightings(struct nj_alert *alert, const struct nj_agent_id *agent, const struct nj_sighting *ring,
			    uint32_t count, const struct nj_window *window)
{
	uint32_t kept = count < NJ_SIGHTINGS_MAX ? count : NJ_SIGHTINGS_MAX;
	for (uint32_t i = 1; i <= kept; i++) {
		const struct nj_sighting *sighting = &ring[(count - i) % NJ_SIGHTINGS_MAX];
		const struct nj_contact *contact = contact_of(window, sighting);
		if (contact != NULL) {
			nj_alert_add_contact(alert, agent, contact);
			continue;
		}
		struct nj_alert_peer peer = {
			.addr = sighting->peer, .port = sighting->port, .protocol = sighting->protocol};
		nj_alert_add_peer(alert, agent, &peer, sighting->flow_port);
	}
}

char *nj_text_bytes(double bytes, char text[24])
{
	static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	int i = 0;
	while (bytes >= 999.5 && i < 6) {
		bytes /= 1000;
		i++;
	}
	snprintf(text, 24, i == 0 || bytes >= 99.95 ? "%.0f %s" : "%.1f %s", bytes, unit[i]);
	return text;
}

char *nj_text_seconds(double seconds, char text[24])
{
	if (seconds < 0.0995)
		snprintf(text, 24, "%.0f ms", seconds * 1000);
	else if (seconds < 10)
		snprintf(text, 24, "%.1f s", seconds);
	else if (seconds < 100)
		snprintf(text, 24, "%.0f s", seconds);
	else if (seconds < 100 * 60)
		snprintf(text, 24, "%.0f min", seconds / 60);
	else if (seconds < 48 * 3600)
		snprintf(text, 24, "%.1f h", seconds / 3600);
	else
		snprintf(text, 24, "%.1f d", seconds / 86400);
	return text;
}
