/* What the operator has written down about AI agents (common/policy.h), against what they do. Violations are facts, as
 * contacts with decoys are: no statistics, no budget, told once a day each.
 *
 * A registered agent: reaches what its entry does not name (the sandbox leaks); touches the secrets plane without
 * leave; thinks with somebody it may not; calls a tool server that is not on its list; sends more outside in a day than
 * it may; turns at an hour when it should rest. Peers it thinks with are judged by `providers`, not by `names` and
 * `networks`; so is everything on the same server.
 *
 * An agent of the home networks that is not registered: a sure loop (agentic of 0.8 and more over eight turns and more)
 * around what is likely a language model, when the inventory asks for registration. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/observe_ai.h"
#include "aggregator/services.h"
#include "common/inventory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TURNS_SURE 8

static const struct nj_policy *policy_of(const struct nj_judgement *judgement, const struct nj_view *view)
{
	const struct nj_inventory_agent *known = nj_inventory_agent(judgement->inventory, &view->profile->agent);
	return known != NULL ? known->policy : NULL;
}

static struct nj_score fact(uint64_t start_ns, uint64_t class_key, double harm)
{
	return (struct nj_score){.certain = true,
				 .tests = 1,
				 .class_key = class_key,
				 .start_ns = start_ns,
				 .value = -NJ_LN_P_MIN,
				 .ln_p = NJ_LN_P_MIN,
				 .harm = harm,
				 .own = 1};
}

/* ---- contacts: reach and secrets */

/* Listed as a provider by name or address, whatever it is used for: it need not be listed twice. "self-hosted" names
 * nobody in particular. */
static bool is_listed_provider(const struct nj_judgement *judgement, const struct nj_policy *policy,
			       const struct nj_contact *contact)
{
	const struct nj_policy_list *list =
		policy->providers.given ? &policy->providers : nj_inventory_ai_providers(judgement->inventory);
	struct nj_policy_list named = *list;
	named.self_hosted = false;
	return list->given && nj_policy_names(&named, contact->name, &contact->peer, !contact->external);
}

typedef bool (*contact_rule)(const struct nj_judgement *judgement, const struct nj_view *view,
			     const struct nj_policy *policy, const struct nj_contact *contact);

static bool is_outside_reach(const struct nj_judgement *judgement, const struct nj_view *view,
			     const struct nj_policy *policy, const struct nj_contact *contact)
{
	if (!policy->reach.given && policy->services_n == 0)
		return false;
	return !nj_policy_reaches(policy, contact->name, &contact->peer, !contact->external, contact->protocol,
				  contact->port) &&
	       nj_service_secrets(&contact->peer, contact->protocol, contact->port) == NULL &&
	       !is_listed_provider(judgement, policy, contact) && !nj_ai_is_model(judgement, view, contact);
}

static bool is_forbidden_secret(const struct nj_judgement *judgement, const struct nj_view *view,
				const struct nj_policy *policy, const struct nj_contact *contact)
{
	(void)judgement, (void)view;
	return nj_service_secrets(&contact->peer, contact->protocol, contact->port) != NULL &&
	       !nj_policy_names(&policy->secrets, contact->name, &contact->peer, !contact->external);
}

/* The window's contacts that break the rule, in order; their number. */
static uint32_t breaking(const struct nj_judgement *judgement, const struct nj_view *view, contact_rule rule,
			 const struct nj_contact *ret_contact[NJ_CONTACTS_MAX])
{
	const struct nj_policy *policy = policy_of(judgement, view);
	uint32_t n = 0;
	for (uint32_t i = 0; policy != NULL && i < view->window->contacts_n && i < NJ_CONTACTS_MAX; i++) {
		const struct nj_contact *contact = &view->window->contacts[i];
		bool tried = contact->opened > 0 || nj_contact_opening(contact) != NJ_OPENING_UNKNOWN;
		if (contact->role != NJ_ROLE_CLIENT || !tried || (contact->protocol != 6 && contact->protocol != 17) ||
		    nj_contact_is_group(&view->window->agent, contact))
			continue;
		if (rule(judgement, view, policy, contact))
			ret_contact[n++] = contact;
	}
	return n;
}

static uint32_t judge_contacts(const struct nj_judgement *judgement, struct nj_view *view, contact_rule rule,
			       struct nj_score *ret_scores)
{
	const struct nj_contact *contact[NJ_CONTACTS_MAX];
	uint32_t n = breaking(judgement, view, rule, contact);
	if (n == 0)
		return 0;
	uint64_t first_ns = contact[0]->first_ns;
	for (uint32_t i = 1; i < n; i++)
		if (contact[i]->first_ns < first_ns)
			first_ns = contact[i]->first_ns;
	ret_scores[0] = fact(first_ns, 1, n);
	return 1;
}

static void tell_contacts(const struct nj_judgement *judgement, const struct nj_view *view, contact_rule rule,
			  const char *verb, const char *what, struct nj_alert *alert)
{
	const struct nj_contact *contact[NJ_CONTACTS_MAX];
	uint32_t n = breaking(judgement, view, rule, contact);
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], service[16], more[48] = "";
	if (n == 0)
		return;
	const char *secret = nj_service_secrets(&contact[0]->peer, contact[0]->protocol, contact[0]->port);
	nj_addr_text(&contact[0]->peer, peer);
	bool named = contact[0]->name[0] != '\0' && strcmp(contact[0]->name, peer) != 0;
	if (n > 1)
		snprintf(more, sizeof more, " and %u more", n - 1);
	snprintf(alert->summary, sizeof alert->summary,
		 "the AI agent %s %s %s%s%s (%s)%s, which its entry in the inventory %s",
		 nj_addr_text(&view->profile->agent.addr, agent), verb, named ? contact[0]->name : peer,
		 named ? " at " : "", named ? peer : "",
		 secret != NULL ? secret : nj_service_word(contact[0]->protocol, contact[0]->port, service), more,
		 what);
	nj_alert_add_feature(alert, "violations", "contacts", n, 0, NAN, 1);
	for (uint32_t i = 0; i < n; i++)
		nj_alert_add_contact(alert, &view->profile->agent, contact[i]);
}

static uint32_t judge_reach(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	return judge_contacts(judgement, view, is_outside_reach, ret_scores);
}

static void explain_reach(const struct nj_judgement *judgement, const struct nj_view *view,
			  const struct nj_score *score, struct nj_alert *alert)
{
	(void)score;
	tell_contacts(judgement, view, is_outside_reach, "reached for", "does not allow", alert);
	nj_alert_add_technique(alert, "T1611");
	nj_alert_add_technique(alert, "AML.T0105");
}

static uint32_t judge_secrets(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	return judge_contacts(judgement, view, is_forbidden_secret, ret_scores);
}

static void explain_secrets(const struct nj_judgement *judgement, const struct nj_view *view,
			    const struct nj_score *score, struct nj_alert *alert)
{
	(void)score;
	tell_contacts(judgement, view, is_forbidden_secret, "touched the secrets plane:", "does not allow", alert);
	nj_alert_add_technique(alert, "T1552");
	nj_alert_add_technique(alert, "T1552.005");
	nj_alert_add_technique(alert, "AML.T0055");
}

/* ---- providers */

static bool is_allowed_provider(const struct nj_judgement *judgement, const struct nj_policy *policy,
				const struct nj_exchange *exchange)
{
	const struct nj_policy_list *list =
		policy->providers.given ? &policy->providers : nj_inventory_ai_providers(judgement->inventory);
	return nj_policy_names(list, exchange->name, &exchange->peer, (exchange->flags & NJ_EXCHANGE_EXTERNAL) == 0);
}

static bool is_model_exchange(const struct nj_view *view, const struct nj_exchange *exchange)
{
	const struct nj_block_ai *ai = view->profile->ai;
	if ((exchange->flags & NJ_EXCHANGE_MODEL_MARKS) != 0)
		return true;
	for (int b = 0; ai != NULL && b < NJ_BRAINS; b++)
		if (ai->brain[b].key != 0 && ai->brain[b].p_llm >= NJ_LLM_LIKELY &&
		    ai->brain[b].port == exchange->port && nj_addr_equal(&ai->brain[b].peer, &exchange->peer))
			return true;
	return false;
}

static const struct nj_exchange *forbidden_exchange(const struct nj_judgement *judgement, const struct nj_view *view)
{
	const struct nj_policy *policy = policy_of(judgement, view);
	for (uint32_t i = 0; policy != NULL && i < view->window->exchanges_n; i++) {
		const struct nj_exchange *exchange = &view->window->exchanges[i];
		if (is_model_exchange(view, exchange) && !is_allowed_provider(judgement, policy, exchange))
			return exchange;
	}
	return NULL;
}

static uint32_t judge_provider(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_exchange *exchange = forbidden_exchange(judgement, view);
	if (exchange == NULL)
		return 0;
	uint64_t key = exchange->name[0] != '\0' ? nj_fleet_name_key(exchange->name, judgement->key)
						 : nj_fleet_host_key(&exchange->peer, judgement->key);
	ret_scores[0] = fact(exchange->start_ns, key, 1);
	return 1;
}

static void explain_provider(const struct nj_judgement *judgement, const struct nj_view *view,
			     const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_exchange *exchange = forbidden_exchange(judgement, view);
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX];
	(void)score;
	if (exchange == NULL)
		return;
	nj_addr_text(&exchange->peer, peer);
	snprintf(alert->summary, sizeof alert->summary,
		 "the AI agent %s thinks with %s (%s port %u), which is not among the providers its entry in the "
		 "inventory allows",
		 nj_addr_text(&view->profile->agent.addr, agent), exchange->name[0] != '\0' ? exchange->name : peer,
		 peer, exchange->port);
	nj_alert_add_feature(alert, "violations", "exchanges", 1, 0, NAN, 1);
	nj_alert_add_technique(alert, "T1588.007");
	nj_alert_add_technique(alert, "AML.T0103");
	struct nj_alert_peer row = {.addr = exchange->peer,
				    .port = exchange->port,
				    .protocol = exchange->protocol,
				    .bytes_out = exchange->bytes_up,
				    .bytes_in = exchange->bytes_down};
	memcpy(row.name, exchange->name, sizeof row.name);
	nj_alert_add_peer(alert, &view->profile->agent, &row, exchange->flow_port);
}

/* ---- tools */

static const struct nj_tool *forbidden_tool(const struct nj_judgement *judgement, const struct nj_view *view)
{
	const struct nj_policy *policy = policy_of(judgement, view);
	for (uint32_t i = 0; policy != NULL && i < view->window->tools_n; i++) {
		const struct nj_tool *tool = &view->window->tools[i];
		if ((tool->kind == NJ_TOOL_MCP || tool->kind == NJ_TOOL_A2A) &&
		    !nj_policy_names(&policy->tools, "", &tool->peer, !tool->external))
			return tool;
	}
	return NULL;
}

static uint32_t judge_tool(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_tool *tool = forbidden_tool(judgement, view);
	if (tool == NULL)
		return 0;
	ret_scores[0] = fact(tool->first_ns, nj_fleet_host_key(&tool->peer, judgement->key), tool->calls);
	return 1;
}

static void explain_tool(const struct nj_judgement *judgement, const struct nj_view *view, const struct nj_score *score,
			 struct nj_alert *alert)
{
	const struct nj_tool *tool = forbidden_tool(judgement, view);
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX];
	if (tool == NULL)
		return;
	snprintf(
		alert->summary, sizeof alert->summary,
		"the AI agent %s called %s%s%s on the tool server %s port %u, which is not on the list of its entry in "
		"the inventory",
		nj_addr_text(&view->profile->agent.addr, agent), tool->method, tool->name[0] != '\0' ? " " : "",
		tool->name, nj_addr_text(&tool->peer, peer), tool->port);
	nj_alert_add_feature(alert, "tool_calls", "calls", score->harm, 0, NAN, 1);
	nj_alert_add_technique(alert, "T1059");
	nj_alert_add_technique(alert, "AML.T0053");
	nj_alert_add_peer(alert, &view->profile->agent,
			  &(struct nj_alert_peer){.addr = tool->peer, .port = tool->port, .protocol = 6}, 0);
}

/* ---- volume and hours */

static uint32_t judge_volume(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_policy *policy = policy_of(judgement, view);
	if (policy == NULL || policy->volume_day_bytes == 0 || view->profile->day.out <= policy->volume_day_bytes)
		return 0;
	ret_scores[0] = fact(view->profile->day.slot * NJ_DAY_NS, view->profile->day.slot,
			     (double)view->profile->day.out / (double)policy->volume_day_bytes);
	return 1;
}

static void explain_volume(const struct nj_judgement *judgement, const struct nj_view *view,
			   const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_policy *policy = policy_of(judgement, view);
	char agent[NJ_ADDR_TEXT_MAX], out[24], allowed[24];
	(void)score;
	if (alert->start_ns < view->profile->first_ns)
		alert->start_ns = view->profile->first_ns;
	snprintf(alert->summary, sizeof alert->summary,
		 "the AI agent %s has sent %s outside today; its entry in the inventory allows %s a day",
		 nj_addr_text(&view->profile->agent.addr, agent), nj_text_bytes((double)view->profile->day.out, out),
		 nj_text_bytes((double)policy->volume_day_bytes, allowed));
	nj_alert_add_feature(alert, "bytes_out_external", "B", (double)view->profile->day.out,
			     (double)policy->volume_day_bytes, NAN, 1);
	nj_alert_add_technique(alert, "T1048");
	nj_alert_add_technique(alert, "AML.T0086");
	for (uint32_t i = 0; i < view->window->contacts_n; i++)
		if (view->window->contacts[i].external && view->window->contacts[i].role == NJ_ROLE_CLIENT)
			nj_alert_add_contact(alert, &view->profile->agent, &view->window->contacts[i]);
}

static const struct nj_exchange *exchange_at_rest(const struct nj_judgement *judgement, const struct nj_view *view)
{
	const struct nj_policy *policy = policy_of(judgement, view);
	for (uint32_t i = 0; policy != NULL && policy->hours_n > 0 && i < view->window->exchanges_n; i++)
		if (is_model_exchange(view, &view->window->exchanges[i]) &&
		    !nj_policy_in_hours(policy, view->window->exchanges[i].start_ns))
			return &view->window->exchanges[i];
	return NULL;
}

static uint32_t judge_hours(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_exchange *exchange = exchange_at_rest(judgement, view);
	if (exchange == NULL)
		return 0;
	ret_scores[0] = fact(exchange->start_ns, 1, 1);
	return 1;
}

static void explain_hours(const struct nj_judgement *judgement, const struct nj_view *view,
			  const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_exchange *exchange = exchange_at_rest(judgement, view);
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX];
	(void)score;
	if (exchange == NULL)
		return;
	uint64_t minute = exchange->start_ns / NJ_MINUTE_NS % 1440;
	snprintf(
		alert->summary, sizeof alert->summary,
		"the AI agent %s took a turn with %s at %02u:%02u UTC, outside the hours of its entry in the inventory",
		nj_addr_text(&view->profile->agent.addr, agent),
		exchange->name[0] != '\0' ? exchange->name : nj_addr_text(&exchange->peer, peer),
		(unsigned)(minute / 60), (unsigned)(minute % 60));
	nj_alert_add_feature(alert, "violations", "exchanges", 1, 0, NAN, 1);
	nj_alert_add_technique(alert, "T1588.007");
	nj_alert_add_technique(alert, "AML.T0103");
}

/* ---- not registered */

static const struct nj_brain *sure_loop(const struct nj_view *view)
{
	const struct nj_brain *brain = nj_ai_looping(view->profile->ai);
	bool sure = brain != NULL && brain->agentic >= NJ_AGENTIC_SURE && brain->p_llm >= NJ_LLM_LIKELY &&
		    brain->loop.turns >= TURNS_SURE;
	return sure ? brain : NULL;
}

static uint32_t judge_unregistered(const struct nj_judgement *judgement, struct nj_view *view,
				   struct nj_score *ret_scores)
{
	if (!view->profile->home || view->window->exchanges_n == 0 ||
	    !nj_inventory_ai_must_register(judgement->inventory) || policy_of(judgement, view) != NULL)
		return 0;
	const struct nj_brain *brain = sure_loop(view);
	if (brain == NULL)
		return 0;
	ret_scores[0] = fact(brain->first_ns, 1, (double)brain->loop.turns);
	return 1;
}

static void explain_unregistered(const struct nj_judgement *judgement, const struct nj_view *view,
				 const struct nj_score *score, struct nj_alert *alert)
{
	const struct nj_brain *brain = sure_loop(view);
	char agent[NJ_ADDR_TEXT_MAX], peer[NJ_ADDR_TEXT_MAX], seconds[24];
	(void)judgement;
	if (brain == NULL)
		return;
	snprintf(alert->summary, sizeof alert->summary,
		 "%s runs an AI agent that the inventory does not know: %.0f turns with %s in %s, agentic score %.2f, "
		 "client %s",
		 nj_addr_text(&view->profile->agent.addr, agent), score->harm, nj_brain_word(brain, peer),
		 nj_text_seconds((double)(brain->last_ns - brain->first_ns) / 1e9, seconds), (double)brain->agentic,
		 brain->client[0] != '\0' ? brain->client : "unknown");
	nj_alert_add_feature(alert, "agentic", "0..1", (double)brain->agentic, NAN, NAN, 1);
	nj_alert_add_feature(alert, "p_llm", "0..1", (double)brain->p_llm, NAN, NAN, 0);
	nj_alert_add_feature(alert, "turns", "turns", (double)brain->loop.turns, NAN, NAN, 0);
	nj_alert_add_feature(alert, "loop_nats", "nat", (double)brain->nats, NAN, NAN, 0);
	nj_alert_add_feature(alert, "loop_z", "1", (double)brain->z, NAN, NAN, 0);
	nj_alert_add_technique(alert, "T1588.007");
	nj_alert_add_technique(alert, "AML.T0103");
	struct nj_alert_peer row = {.addr = brain->peer,
				    .port = brain->port,
				    .protocol = brain->protocol,
				    .bytes_out = brain->bytes_up,
				    .bytes_in = brain->bytes_down};
	snprintf(row.name, sizeof row.name, "%s", brain->name);
	nj_alert_add_peer(alert, &view->profile->agent, &row, brain->flow_port);
}

#define POLICY(symbol, word, level, says)                                                                              \
	const struct nj_detector nj_detector_policy_##symbol = {.name = "policy-" word,                                \
								.meaning = says,                                       \
								.family = "policy-" word,                              \
								.weight = 1,                                           \
								.severity = level,                                     \
								.harm_more = INFINITY,                                 \
								.harm_most = INFINITY,                                 \
								.judge = judge_##symbol,                               \
								.explain = explain_##symbol}

POLICY(unregistered, "unregistered", NJ_SEVERITY_MEDIUM, "an AI agent that the inventory does not know");
POLICY(reach, "reach", NJ_SEVERITY_HIGH, "a registered AI agent reaches what its entry does not allow");
POLICY(secrets, "secrets", NJ_SEVERITY_CRITICAL, "a registered AI agent touches the secrets plane without leave");
POLICY(provider, "provider", NJ_SEVERITY_HIGH, "a registered AI agent thinks with somebody it may not");
POLICY(tool, "tool", NJ_SEVERITY_HIGH, "a registered AI agent calls a tool server that is not on its list");
POLICY(volume, "volume", NJ_SEVERITY_HIGH, "a registered AI agent sends more outside in a day than it may");
POLICY(hours, "hours", NJ_SEVERITY_MEDIUM, "a registered AI agent works at an hour when it should rest");
