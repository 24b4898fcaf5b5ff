/* Names tried and tickets gathered, as far as Kerberos shows them in the clear.
 *
 * Spray: distinct client names in an hour. A desk uses one or two, a host of many users some; somebody who tries one
 * password on everybody uses as many as there are. y = ln(1 + names) against level and scale of the prior as a normal;
 * where fewer than half of the agent's Kerberos logins of the hour failed, the scale counts double: that is a host of
 * many users.
 *
 * Roast: distinct services asked tickets for in an hour, y = ln(1 + services) likewise; the share of tickets that offer
 * only RC4 (whose hash is worth cracking) adds up to 1.5 scales.
 *
 * Counts are those of models/hll.h over the windows of the hour; a look is taken when one has grown by a quarter. Other
 * protocols do not show names passively: SSH, RDP, LDAP and SMB over encryption are judged by how often logins fail
 * (detector guessing). */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/prior.h"
#include "common/inventory.h"
#include "models/math.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MIN    6
#define SERVICES_MIN 10
#define GROWTH       1.25f
#define RC4_SCALES   1.5

enum credential_kind { KIND_SPRAY, KIND_ROAST };

static struct nj_block_access *add_names(const struct nj_judgement *judgement, struct nj_view *view)
{
	const struct nj_window *window = view->window;
	if (window->principals == NULL && window->services_asked == NULL)
		return NULL;
	struct nj_block_access *access = nj_profile_access(view->profile);
	if (access == NULL)
		return NULL;
	uint64_t hour = judgement->start_ns / NJ_HOUR_NS;
	if (access->names_hour != hour) {
		access->names_hour = hour;
		memset(&access->principals, 0, sizeof access->principals);
		memset(&access->services, 0, sizeof access->services);
		access->principals_told = access->services_told = 0;
		access->rc4 = access->tickets = access->denied = 0;
	}
	if (window->principals != NULL)
		nj_hll_merge_registers(&access->principals, window->principals);
	if (window->services_asked != NULL)
		nj_hll_merge_registers(&access->services, window->services_asked);
	access->rc4 += (uint32_t)fmin((double)window->features.tickets_rc4, 1e6);
	access->tickets += (uint32_t)fmin((double)window->features.tickets_requested, 1e6);
	access->denied += (uint32_t)fmin((double)window->features.auth_failed, 1e6);
	return access;
}

static bool has_grown(double n, double least, float *told)
{
	if (n < least || (float)n < GROWTH * *told)
		return false;
	*told = (float)n;
	return true;
}

static struct nj_score score_of(const struct nj_judgement *judgement, uint8_t kind, double n, double z)
{
	double ln_p = nj_ln_clamp(nj_log_normal_upper(z));
	return (struct nj_score){.kind = kind,
				 .tests = 1,
				 .class_key = (uint64_t)kind + 1,
				 .start_ns = judgement->start_ns / NJ_HOUR_NS * NJ_HOUR_NS,
				 .value = -ln_p,
				 .ln_p = ln_p,
				 .harm = n};
}

static uint32_t judge_credentials(const struct nj_judgement *judgement, struct nj_view *view,
				  struct nj_score *ret_scores)
{
	struct nj_block_access *access = add_names(judgement, view);
	uint32_t n = 0;
	if (access == NULL)
		return 0;
	double names = nj_hll_estimate(&access->principals), services = nj_hll_estimate(&access->services);
	if (has_grown(names, NAMES_MIN, &access->principals_told)) {
		bool many_users = access->denied < names / 2;
		const struct nj_usual usual = {judgement->prior->principals_level,
					       judgement->prior->principals_scale * (many_users ? 2 : 1)};
		ret_scores[n++] = score_of(judgement, KIND_SPRAY, names, nj_usual_z(&usual, log1p(names)));
	}
	if (has_grown(services, SERVICES_MIN, &access->services_told)) {
		const struct nj_usual usual = {judgement->prior->tickets_level, judgement->prior->tickets_scale};
		double rc4 = access->tickets > 0 ? fmin(1, (double)access->rc4 / access->tickets) : 0;
		ret_scores[n++] = score_of(judgement, KIND_ROAST, services,
					   nj_usual_z(&usual, log1p(services)) + RC4_SCALES * rc4);
	}
	return n;
}

static void explain_credentials(const struct nj_judgement *judgement, const struct nj_view *view,
				const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_block_access *access = view->profile->access;
	char agent[NJ_ADDR_TEXT_MAX];
	nj_addr_text(&view->profile->agent.addr, agent);
	if (alert->start_ns < view->profile->first_ns)
		alert->start_ns = view->profile->first_ns;
	if (score->kind == KIND_SPRAY) {
		double usual = expm1(judgement->prior->principals_level);
		snprintf(alert->summary, sizeof alert->summary,
			 "%s asked for tickets as %.0f different users this hour, %u logins failed; usual is about "
			 "%.0f: one "
			 "password tried on many, or the names themselves tried",
			 agent, score->harm, access->denied, usual);
		nj_alert_add_feature(alert, "principals", "principals", score->harm, usual, NAN, 1);
		nj_alert_add_feature(alert, "auth_failed", "logins", access->denied, NAN, NAN, 0);
		nj_alert_add_technique(alert, "T1110.003");
		nj_alert_add_technique(alert, "T1087.002");
	} else {
		double usual = expm1(judgement->prior->tickets_level);
		snprintf(alert->summary, sizeof alert->summary,
			 "%s asked tickets for %.0f different services this hour, %u of %u offering only RC4; usual is "
			 "about "
			 "%.0f: tickets gathered to be cracked",
			 agent, score->harm, access->rc4, access->tickets, usual);
		nj_alert_add_feature(alert, "services_asked", "services", score->harm, usual, NAN, 1);
		nj_alert_add_feature(alert, "tickets_rc4", "tickets", access->rc4, NAN, NAN, 0);
		nj_alert_add_technique(alert, "T1558.003");
		nj_alert_add_technique(alert, "AML.T0090");
	}
	for (uint32_t i = 0; i < view->window->contacts_n; i++)
		if (view->window->contacts[i].port == 88 && view->window->contacts[i].role == NJ_ROLE_CLIENT)
			nj_alert_add_contact(alert, &view->profile->agent, &view->window->contacts[i]);
}

const struct nj_detector nj_detector_credentials = {
	.name = "credentials",
	.meaning = "many users' names tried, or tickets for many services gathered, by Kerberos",
	.family = "credentials",
	.permission = NJ_PERMIT_SCAN,
	.permission_word = "scan",
	.weight = 2,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 30,
	.harm_most = 1000,
	.judge = judge_credentials,
	.explain = explain_credentials,
};
