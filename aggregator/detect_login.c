/* Guessed passwords and guessed paths: two ways of trying what one does not know.
 *
 * Logins. The sensor tells logins that went through from those that did not, by clear-text answers (Kerberos, HTTP 401)
 * or by the volume of an SSH session, which errs for very short ones. Each outcome adds a log-likelihood ratio to a sum
 * that is cut at zero: a benign agent's login succeeds with chance 0.6 (0.95 in truth; the rest pays for the sensor's
 * doubt), a guesser's with 0.05. ln p = -sum, as for scans. The sum drains by half a nat an hour, so a job with an
 * expired password every few hours is not told, and 24 guesses a day are.
 *
 * Paths. A program that tries a word list on a web server gets the same answer again and again, to requests of nearly
 * the same length. In a window of fifty requests and more where more than 60 % of the answers are alike and the middle
 * half of the request sizes lies within 60 bytes, y = ln(1 + alike) is held against the prior's level and scale as a
 * normal. It works under TLS, where only sizes show. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/prior.h"
#include "common/inventory.h"
#include "models/ddsketch.h"
#include "models/math.h"

#include <math.h>
#include <stdio.h>

#define LOGIN_OK_BENIGN   0.6
#define LOGIN_OK_GUESSER  0.05
#define DRAIN_NATS_A_HOUR 0.5
#define SUM_MAX           100.0
#define FAILED_MIN        5
#define REQUESTS_MIN      50
#define ALIKE_MIN         0.6
#define SIZE_RANGE_MAX    60.0

/* ---- passwords */

/* The contact most likely meant: most flows opened, among those to services one logs in to. */
static const struct nj_contact *login_contact(const struct nj_window *window)
{
	static const uint16_t ports[] = {22, 88, 80, 443, 21, 23, 389, 445, 3389, 5432, 8080, 8443};
	const struct nj_contact *best = NULL;
	for (uint32_t i = 0; i < window->contacts_n; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		bool logs_in = false;
		for (size_t p = 0; p < sizeof ports / sizeof *ports; p++)
			logs_in = logs_in || contact->port == ports[p];
		if (logs_in && contact->role == NJ_ROLE_CLIENT && (best == NULL || contact->opened > best->opened))
			best = contact;
	}
	return best;
}

static uint32_t add_u32(uint32_t a, uint64_t b)
{
	return b < UINT32_MAX - a ? a + (uint32_t)b : UINT32_MAX;
}

static uint32_t judge_guessing(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_features *features = &view->window->features;
	struct nj_login *login = &view->profile->login;
	if (features->auth_failed == 0 && features->auth_succeeded == 0)
		return 0;
	double hours = judgement->start_ns > login->t_ns
			       ? (double)(judgement->start_ns - login->t_ns) / (double)NJ_HOUR_NS
			       : 0;
	login->sum = fmax(0, login->sum - hours * DRAIN_NATS_A_HOUR);
	login->t_ns = judgement->start_ns;
	double gain = (double)features->auth_failed * log((1 - LOGIN_OK_GUESSER) / (1 - LOGIN_OK_BENIGN));
	double loss = (double)features->auth_succeeded * log(LOGIN_OK_BENIGN / LOGIN_OK_GUESSER);
	if (login->sum <= 0)
		*login = (struct nj_login){.t_ns = judgement->start_ns, .since_ns = features->first_ns};
	login->sum = fmin(fmax(0, login->sum + gain - loss), SUM_MAX);
	login->failed = add_u32(login->failed, features->auth_failed);
	login->succeeded = add_u32(login->succeeded, features->auth_succeeded);
	const struct nj_contact *contact = login_contact(view->window);
	uint32_t first = 0;
	if (contact != NULL)
		nj_sighting_add(&login->peer, &first, contact, NJ_CONTACT_FAILED);
	if (login->sum <= 0 || login->failed < FAILED_MIN)
		return 0;
	double ln_p = nj_ln_clamp(-login->sum);
	ret_scores[0] = (struct nj_score){.tests = 1,
					  .class_key = 1,
					  .start_ns = login->since_ns,
					  .value = -ln_p,
					  .ln_p = ln_p,
					  .harm = login->failed};
	return 1;
}

static void explain_guessing(const struct nj_judgement *judgement, const struct nj_view *view,
			     const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_login *login = &view->profile->login;
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], seconds[24];
	uint32_t tried = add_u32(login->failed, login->succeeded);
	(void)score;
	snprintf(alert->summary, sizeof alert->summary,
		 "%s failed %u of %u logins in %s, lately to %s port %u; usual is that fewer than half fail",
		 nj_addr_text(&view->profile->agent.addr, agent), login->failed, tried,
		 nj_text_seconds((double)(judgement->end_ns - alert->start_ns) / 1e9, seconds),
		 nj_addr_text(&login->peer.peer, peer), login->peer.port);
	nj_alert_add_feature(alert, "auth_failed", "logins", login->failed, (1 - LOGIN_OK_BENIGN) * tried, NAN, 1);
	nj_alert_add_feature(alert, "auth_succeeded", "logins", login->succeeded, LOGIN_OK_BENIGN * tried, NAN, 0);
	nj_alert_add_technique(alert, "T1110.001");
	nj_alert_add_technique(alert, "T1110.003");
	nj_alert_add_technique(alert, "AML.T0012");
	nj_alert_add_sightings(alert, &view->profile->agent, &login->peer, 1, view->window);
}

/* ---- paths */

/* The contact with most requests. */
static const struct nj_contact *web_contact(const struct nj_window *window)
{
	const struct nj_contact *best = NULL;
	for (uint32_t i = 0; i < window->contacts_n; i++) {
		const struct nj_contact *contact = &window->contacts[i];
		if (contact->role == NJ_ROLE_CLIENT && contact->requests > 0 &&
		    (best == NULL || contact->requests > best->requests))
			best = contact;
	}
	return best;
}

static double size_range(const struct nj_window *window)
{
	if (window->request_size == NULL || nj_ddsketch_count(window->request_size) == 0)
		return 0;
	return nj_ddsketch_quantile(window->request_size, 0.75) - nj_ddsketch_quantile(window->request_size, 0.25);
}

static uint32_t judge_web(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_window *window = view->window;
	const struct nj_features *features = &window->features;
	if (features->requests < REQUESTS_MIN || web_contact(window) == NULL)
		return 0;
	double requests = (double)features->requests, alike = fmin((double)features->response_mode_count, requests);
	if (alike < ALIKE_MIN * requests || size_range(window) > SIZE_RANGE_MAX)
		return 0;
	const struct nj_usual usual = {judgement->prior->alike_level, judgement->prior->alike_scale};
	double ln_p = nj_ln_clamp(nj_log_normal_upper(nj_usual_z(&usual, log1p(alike))));
	ret_scores[0] = (struct nj_score){.tests = 1,
					  .class_key = nj_fleet_host_key(&web_contact(window)->peer, judgement->key),
					  .start_ns = features->first_ns,
					  .value = -ln_p,
					  .ln_p = ln_p,
					  .harm = alike};
	return 1;
}

static void explain_web(const struct nj_judgement *judgement, const struct nj_view *view, const struct nj_score *score,
			struct nj_alert *alert)
{
	const struct nj_window *window = view->window;
	const struct nj_features *features = &window->features;
	const struct nj_contact *contact = web_contact(window);
	double usual = expm1(judgement->prior->alike_level), requests = (double)features->requests;
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], seconds[24];
	snprintf(alert->summary, sizeof alert->summary,
		 "%s sent %.0f requests in %s, mostly to %s port %u; %.0f of the answers are alike (%.0f %%), usual is "
		 "about %.0f: "
		 "a word list of paths",
		 nj_addr_text(&window->agent.addr, agent), requests,
		 nj_text_seconds((double)(features->last_ns - features->first_ns) / 1e9, seconds),
		 nj_addr_text(&contact->peer, peer), contact->port, score->harm, 100 * score->harm / requests, usual);
	nj_alert_add_feature(alert, "response_mode_count", "answers", score->harm, usual, NAN, 1);
	nj_alert_add_feature(alert, "response_mode_share", "0..1", score->harm / requests, NAN, NAN, 0);
	nj_alert_add_feature(alert, "request_size_iqr", "B", size_range(window), NAN, NAN, 0);
	nj_alert_add_feature(alert, "http_errors", "answers", (double)features->http_errors, NAN, NAN, 0);
	nj_alert_add_technique(alert, "T1595.003");
	nj_alert_add_technique(alert, "T1190");
	nj_alert_add_technique(alert, "AML.T0006");
	nj_alert_add_contact(alert, &window->agent, contact);
}

const struct nj_detector nj_detector_guessing = {
	.name = "guessing",
	.meaning = "logins that fail, again and again",
	.family = "guessing",
	.permission = NJ_PERMIT_SCAN,
	.permission_word = "scan",
	.weight = 1,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 100,
	.harm_most = 100000,
	.judge = judge_guessing,
	.explain = explain_guessing,
};

const struct nj_detector nj_detector_web = {
	.name = "web-enum",
	.meaning = "many requests with the same answer: a word list tried on a web server",
	.family = "web-enum",
	.permission = NJ_PERMIT_SCAN,
	.permission_word = "scan",
	.weight = 1,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 10000,
	.harm_most = 1e9,
	.judge = judge_web,
	.explain = explain_web,
};
