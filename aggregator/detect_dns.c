/* Data carried out in names: information per registered domain.
 *
 * For each domain the agent asks about, a weighted sample of 16 (models/dnsinfo.h) estimates the information of all
 * *distinct* names within the hour: a tunnel must put fresh bytes into every name, an ordinary client asks for the same
 * few. y = ln(1 + bytes) against the prior's level and scale; ln p is the upper tail of a normal, after the standard
 * score z was moved by what tells tunnels from content networks:
 *
 *   + 0.7  more than half of the questions ask for types that carry free data (TXT, NULL, CNAME, MX, SRV, ...)
 *   + 0.5  names longer than 52 bytes on average
 *   - 0.9 ln n  n agents ask about the domain: what everybody asks is a content network, a reputation service or a
 * search path
 *
 * A "registered domain" of 36 characters and more is not one that somebody bought: tunnels that talk straight to their
 * server need no domain and leave random labels at the end too. All such names of an agent count as one domain.
 *
 * Names below .arpa and names local to a site say nothing about the outside and are left out. A domain is looked at
 * when its estimate has grown by a quarter. */
#include "aggregator/detect.h"
#include "aggregator/observe.h"
#include "aggregator/prior.h"
#include "common/inventory.h"
#include "common/label.h"
#include "models/math.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define INFORMATION_MIN   250.0
#define GROWTH            1.25
#define FREE_TEXT_BONUS   0.7
#define LONG_BONUS        0.5
#define LONG_BYTES        52.0
#define CROWD_MALUS       0.9
#define RANDOM_DOMAIN_MIN 36

static bool ends_with(const char *text, const char *end)
{
	size_t text_n = strlen(text), end_n = strlen(end);
	return text_n >= end_n && strcmp(text + text_n - end_n, end) == 0;
}

static bool is_outside_name(const char *name)
{
	static const char *const local[] = {".arpa",     ".local",       ".lan",      ".home",
					    ".internal", ".localdomain", ".intranet", ".corp"};
	if (strchr(name, '.') == NULL)
		return false;
	for (size_t i = 0; i < sizeof local / sizeof *local; i++)
		if (ends_with(name, local[i]))
			return false;
	return true;
}

static const char *grouped(const char *name)
{
	return strlen(name) >= RANDOM_DOMAIN_MIN ? "(random domains)" : name;
}

static struct nj_name *add_domain(const struct nj_judgement *judgement, struct nj_block_names *names,
				  const struct nj_domain *domain, const char *group, uint64_t key,
				  struct nj_dns_entry **ret_entry)
{
	bool displaced = false;
	bool known = nj_dns_table_find(names->entry, NJ_NAMES, key) != NULL;
	struct nj_dns_entry *entry = nj_dns_table_take(names->entry, NJ_NAMES, key, &displaced);
	struct nj_name *name = &names->name[entry - names->entry];
	if (displaced || !known) {
		*name = (struct nj_name){.domain = key, .first_ns = judgement->start_ns};
		nj_label_ascii(group, strlen(group), name->text, sizeof name->text);
	}
	struct nj_dns_sample sample = {0};
	memcpy(sample.value, domain->sample, sizeof sample.value);
	if (nj_dns_sample_valid(&sample))
		nj_dns_sample_merge(&entry->sample, &sample);
	name->queries += domain->queries;
	name->free_text += domain->free_text;
	name->nxdomain += domain->nxdomain;
	uint64_t bytes = nj_add_saturating(name->name_bytes, domain->name_bytes);
	name->name_bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
	*ret_entry = entry;
	return name;
}

static double mean_length(const struct nj_name *name)
{
	return name->queries > 0 ? (double)name->name_bytes / name->queries : 0;
}

static double free_share(const struct nj_name *name)
{
	return name->queries > 0 ? (double)name->free_text / name->queries : 0;
}

static uint32_t judge_dns(const struct nj_judgement *judgement, struct nj_view *view, struct nj_score *ret_scores)
{
	const struct nj_window *window = view->window;
	const struct nj_usual usual = {judgement->prior->names_level, judgement->prior->names_scale};
	struct nj_block_names *names = view->profile->names;
	uint32_t n = 0;
	if (window->domains_n == 0 || (names == NULL && (names = nj_profile_names(view->profile)) == NULL))
		return 0;
	uint64_t slot = judgement->start_ns / NJ_HOUR_NS;
	if (names->slot != slot) {
		memset(names, 0, sizeof *names);
		names->slot = slot;
	}
	for (uint32_t i = 0; i < window->domains_n; i++) {
		const struct nj_domain *domain = &window->domains[i];
		if (domain->queries == 0 || !is_outside_name(domain->name))
			continue;
		const char *group = grouped(domain->name);
		uint64_t key = nj_fleet_domain_key(group, judgement->key);
		bool today = false;
		if (nj_profile_edges(view->profile) != NULL)
			(void)nj_edges_meet(view->profile->edges, judgement->start_ns, key, &today);
		if (today && i < 64)
			view->met_domains |= 1ull << i;
		struct nj_dns_entry *entry;
		struct nj_name *name = add_domain(judgement, names, domain, group, key, &entry);
		double bytes = nj_dns_sample_bytes(&entry->sample);
		if (n == NJ_SCORES_PER_JUDGE || bytes < INFORMATION_MIN || bytes < GROWTH * (double)name->told)
			continue;
		name->told = (float)bytes;
		uint32_t agents = nj_fleet_use(judgement->fleet, key, judgement->start_ns).agents;
		double z = nj_usual_z(&usual, log1p(bytes)) + (free_share(name) > 0.5 ? FREE_TEXT_BONUS : 0) +
			   (mean_length(name) > LONG_BYTES ? LONG_BONUS : 0) -
			   (agents > 1 ? CROWD_MALUS * log(agents) : 0);
		double ln_p = nj_ln_clamp(nj_log_normal_upper(z));
		uint32_t at = n; /* several domains of a window may count as one: its last look stands */
		for (uint32_t k = 0; k < n; k++)
			if (ret_scores[k].class_key == key)
				at = k;
		n += at == n;
		ret_scores[at] = (struct nj_score){.slot = (uint8_t)(name - names->name),
						   .tests = 1,
						   .class_key = key,
						   .start_ns = name->first_ns,
						   .value = -ln_p,
						   .ln_p = ln_p,
						   .harm = bytes};
	}
	return n;
}

/* A resolver asks on behalf of others: when another agent of the round asks it about the same domain, carrying about as
 * much, the resolver is a relay and that agent is the one to tell. */
static bool is_relay(const struct nj_view *views, uint32_t views_n, const struct nj_score *score)
{
	const struct nj_addr *self = &views[score->view].window->agent.addr;
	for (uint32_t i = 0; i < views_n; i++) {
		const struct nj_block_names *names = views[i].profile->names;
		const struct nj_dns_entry *entry = i != score->view && names != NULL
							   ? nj_dns_table_find(names->entry, NJ_NAMES, score->class_key)
							   : NULL;
		if (entry == NULL || nj_dns_sample_bytes(&entry->sample) * 2 < score->harm)
			continue;
		for (uint32_t c = 0; c < views[i].window->contacts_n; c++) {
			const struct nj_contact *contact = &views[i].window->contacts[c];
			if (contact->role == NJ_ROLE_CLIENT && contact->port == 53 &&
			    nj_addr_equal(&contact->peer, self))
				return true;
		}
	}
	return false;
}

static void explain_dns(const struct nj_judgement *judgement, const struct nj_view *view, const struct nj_score *score,
			struct nj_alert *alert)
{
	const struct nj_window *window = view->window;
	const struct nj_name *name = &view->profile->names->name[score->slot];
	double usual = expm1(judgement->prior->names_level),
	       seconds = (double)(judgement->end_ns - name->first_ns) / 1e9;
	char agent[NJ_ADDR_TEXT_MAX], bytes[24], time[24];
	snprintf(alert->summary, sizeof alert->summary,
		 "%s asked %u times for names under %s in %s, carrying about %s of information in distinct names (%.0f "
		 "B/s; names of %.0f B, %.0f %% free-data types); "
		 "usual for a domain is under %.0f B an hour",
		 nj_addr_text(&view->profile->agent.addr, agent), name->queries, name->text,
		 nj_text_seconds(seconds, time), nj_text_bytes(score->harm, bytes),
		 seconds > 0 ? score->harm / seconds : 0, mean_length(name), 100 * free_share(name),
		 exp(judgement->prior->names_level + 2 * judgement->prior->names_scale));
	const struct nj_usual level = {judgement->prior->names_level, judgement->prior->names_scale};
	double by_bytes = fmax(0, nj_usual_z(&level, log1p(score->harm)));
	double by_length = mean_length(name) > LONG_BYTES ? LONG_BONUS : 0,
	       by_type = free_share(name) > 0.5 ? FREE_TEXT_BONUS : 0;
	double z = by_bytes + by_length + by_type > 0 ? by_bytes + by_length + by_type : 1;
	nj_alert_add_feature(alert, "dns_information_top", "B/h", score->harm, usual, usual, by_bytes / z);
	nj_alert_add_feature(alert, "dns_name_length", "B", mean_length(name), 25, NAN, by_length / z);
	nj_alert_add_feature(alert, "dns_free_text_share", "0..1", free_share(name), 0.05, NAN, by_type / z);
	nj_alert_add_feature(alert, "agents_asking_it", "agents",
			     nj_fleet_use(judgement->fleet, score->class_key, judgement->start_ns).agents, NAN, NAN, 0);
	nj_alert_add_technique(alert, "T1048.003");
	nj_alert_add_technique(alert, "T1071.004");
	nj_alert_add_technique(alert, "T1572");
	nj_alert_add_technique(alert, "AML.T0025");
	for (uint32_t i = 0; i < window->contacts_n; i++) /* the servers asked */
		if (window->contacts[i].port == 53 && window->contacts[i].role == NJ_ROLE_CLIENT)
			nj_alert_add_contact(alert, &window->agent, &window->contacts[i]);
}

const struct nj_detector nj_detector_dns = {
	.name = "dns-exfil",
	.meaning = "information in the distinct names asked for under one registered domain",
	.family = "dns-exfil",
	.permission = NJ_PERMIT_DNS,
	.permission_word = "dns",
	.weight = 2,
	.severity = NJ_SEVERITY_MEDIUM,
	.harm_more = 20e3,
	.harm_most = 10e6,
	.judge = judge_dns,
	.explained_away = is_relay,
	.explain = explain_dns,
};
