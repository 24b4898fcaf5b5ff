/* Each key has a function that takes its node, as in the inventory. Patterns are compared as DNS compares names:
 * without regard to case, label by label from the right; a leading "*." stands for the domain itself and everything
 * below it. */
#include "common/policy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct taking {
	const struct nj_yaml *yaml;
	struct nj_message *message;
};

#define FAIL(t, node, ...) nj_yaml_fail((t)->yaml, node, (t)->message, __VA_ARGS__)

static const char *text_of(const struct nj_yaml_node *node)
{
	return node->kind == NJ_YAML_TEXT ? node->text : "(list)";
}

/* ---- names and networks */

static bool is_pattern(const char *text)
{
	if (strncmp(text, "*.", 2) == 0)
		text += 2;
	size_t length = strlen(text);
	if (length == 0 || text[0] == '.' || text[length - 1] == '.')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && strchr("-_.", text[i]) == NULL)
			return false;
	return true;
}

static int take_item(const struct taking *t, const struct nj_yaml_node *item, struct nj_policy_list *list)
{
	struct nj_network network;
	if (item->kind != NJ_YAML_TEXT)
		return FAIL(t, item, "expects a name such as *.example.com, a network or self-hosted");
	if (strcmp(item->text, "self-hosted") == 0) {
		list->self_hosted = true;
		return NJ_OK;
	}
	if (nj_network_parse(item->text, &network)) {
		if (list->networks_n == NJ_POLICY_NETWORKS_MAX)
			return FAIL(t, item, "more than %d networks", NJ_POLICY_NETWORKS_MAX);
		list->network[list->networks_n++] = network;
		return NJ_OK;
	}
	if (!is_pattern(item->text) || strlen(item->text) >= NJ_POLICY_PATTERN_MAX)
		return FAIL(t, item, "'%.60s' is neither a name such as *.example.com nor a network such as 10.0.0.0/8",
			    item->text);
	if (list->patterns_n == NJ_POLICY_PATTERNS_MAX)
		return FAIL(t, item, "more than %d names", NJ_POLICY_PATTERNS_MAX);
	char *pattern = list->pattern[list->patterns_n++];
	for (size_t i = 0; item->text[i] != '\0'; i++)
		pattern[i] = (char)tolower((unsigned char)item->text[i]);
	return NJ_OK;
}

static int take_list(const struct taking *t, const struct nj_yaml_node *node, struct nj_policy_list *list)
{
	int err = node->kind == NJ_YAML_LIST ? NJ_OK : FAIL(t, node, "%s must be a list", node->key);
	list->given = true;
	for (const struct nj_yaml_node *item = node->first; err == NJ_OK && item != NULL; item = item->next)
		err = take_item(t, item, list);
	return err;
}

static bool pattern_matches(const char *pattern, const char *name)
{
	size_t length = strlen(name);
	while (length > 0 && name[length - 1] == '.')
		length--;
	bool below = pattern[0] == '*';
	const char *domain = below ? pattern + 2 : pattern;
	size_t domain_length = strlen(domain);
	if (length < domain_length || strncasecmp(name + length - domain_length, domain, domain_length) != 0)
		return false;
	return length == domain_length || (below && name[length - domain_length - 1] == '.');
}

bool nj_policy_names(const struct nj_policy_list *list, const char *name, const struct nj_addr *addr, bool home)
{
	if (!list->given || (list->self_hosted && home))
		return true;
	for (uint8_t i = 0; i < list->patterns_n && name[0] != '\0'; i++)
		if (pattern_matches(list->pattern[i], name))
			return true;
	for (uint8_t i = 0; i < list->networks_n; i++)
		if (nj_network_contains(&list->network[i], addr))
			return true;
	return false;
}

/* ---- services */

static int take_service(const struct taking *t, const struct nj_yaml_node *item, struct nj_policy *policy)
{
	const char *text = text_of(item);
	struct nj_policy_service service = {0};
	if (strncmp(text, "tcp/", 4) == 0 || strncmp(text, "udp/", 4) == 0) {
		service.protocol = text[0] == 't' ? 6 : 17;
		text += 4;
	}
	char *end = "";
	unsigned long port = isdigit((unsigned char)text[0]) ? strtoul(text, &end, 10) : 0;
	if (port == 0 || port > 65535 || *end != '\0')
		return FAIL(t, item, "'%.60s' is not a service such as 443, tcp/22 or udp/161", text_of(item));
	if (policy->services_n == NJ_POLICY_SERVICES_MAX)
		return FAIL(t, item, "more than %d services", NJ_POLICY_SERVICES_MAX);
	service.port = (uint16_t)port;
	policy->service[policy->services_n++] = service;
	return NJ_OK;
}

static int take_services(const struct taking *t, const struct nj_yaml_node *node, struct nj_policy *policy)
{
	int err = node->kind == NJ_YAML_LIST && node->first != NULL ? NJ_OK : FAIL(t, node, "services must be a list");
	for (const struct nj_yaml_node *item = node->first; err == NJ_OK && item != NULL; item = item->next)
		err = take_service(t, item, policy);
	return err;
}

static bool has_service(const struct nj_policy *policy, uint8_t protocol, uint16_t port)
{
	for (uint8_t i = 0; i < policy->services_n; i++)
		if (policy->service[i].port == port &&
		    (policy->service[i].protocol == 0 || policy->service[i].protocol == protocol))
			return true;
	return policy->services_n == 0;
}

bool nj_policy_reaches(const struct nj_policy *policy, const char *name, const struct nj_addr *addr, bool home,
		       uint8_t protocol, uint16_t port)
{
	bool names_or_time = port == 53 || (protocol == 17 && (port == 123 || port == 5353));
	if (names_or_time || !policy->reach.given)
		return names_or_time || has_service(policy, protocol, port);
	return nj_policy_names(&policy->reach, name, addr, home) && has_service(policy, protocol, port);
}

/* ---- volume */

static int take_volume(const struct taking *t, const struct nj_yaml_node *node, struct nj_policy *policy)
{
	static const struct {
		const char *word;
		double factor;
	} units[] = {{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}};
	const char *text = text_of(node);
	char *end = "";
	double number = isdigit((unsigned char)text[0]) ? strtod(text, &end) : 0;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(end, units[i].word) == 0 && number > 0 && number * units[i].factor < 1e18) {
			policy->volume_day_bytes = (uint64_t)(number * units[i].factor);
			return policy->volume_day_bytes > 0 ? NJ_OK : FAIL(t, node, "volume_day is less than a byte");
		}
	return FAIL(t, node, "volume_day: '%.60s' is not a volume such as 500MB or 2GB", text);
}

/* ---- hours */

static const char *const day_words[7] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static int day_of(const char *text)
{
	for (int i = 0; i < 7; i++)
		if (strncasecmp(text, day_words[i], 3) == 0)
			return i;
	return -1;
}

/* "mon-fri" or "sat" at *text; bits, or 0. */
static uint8_t days_of(const char **text)
{
	int first = day_of(*text);
	if (first < 0)
		return 0;
	*text += 3;
	int last = first;
	if (**text == '-') {
		last = day_of(*text + 1);
		if (last < 0)
			return 0;
		*text += 4;
	}
	uint8_t bits = 0;
	for (int day = first;; day = (day + 1) % 7) {
		bits |= (uint8_t)(1u << day);
		if (day == last)
			return bits;
	}
}

static bool span_of(const char *text, struct nj_policy_hours *hours)
{
	unsigned from_h, from_m, to_h, to_m;
	int used = 0;
	if (sscanf(text, "%2u:%2u-%2u:%2u%n", &from_h, &from_m, &to_h, &to_m, &used) != 4)
		return false;
	if (text[used] != '\0' || from_h > 24 || to_h > 24 || from_m > 59 || to_m > 59)
		return false;
	hours->from_min = (uint16_t)(from_h * 60 + from_m);
	hours->to_min = (uint16_t)(to_h * 60 + to_m);
	return hours->from_min <= 1440 && hours->to_min <= 1440;
}

static bool hours_of(const char *text, struct nj_policy_hours *hours)
{
	hours->days = 0x7f;
	if (isalpha((unsigned char)text[0])) {
		hours->days = days_of(&text);
		if (hours->days == 0 || *text != ' ')
			return false;
		while (*text == ' ')
			text++;
	}
	return span_of(text, hours);
}

static int take_hours(const struct taking *t, const struct nj_yaml_node *node, struct nj_policy *policy)
{
	char text[256];
	snprintf(text, sizeof text, "%s", text_of(node));
	char *rest = text, *part;
	while ((part = strsep(&rest, ",")) != NULL) {
		while (*part == ' ')
			part++;
		for (char *end = part + strlen(part); end > part && end[-1] == ' ';)
			*--end = '\0';
		if (policy->hours_n == NJ_POLICY_HOURS_MAX)
			return FAIL(t, node, "more than %d spans of hours", NJ_POLICY_HOURS_MAX);
		if (!hours_of(part, &policy->hours[policy->hours_n++]))
			return FAIL(t, node, "hours: '%.60s' is not of the form mon-fri 07:00-19:00", part);
	}
	return NJ_OK;
}

bool nj_policy_in_hours(const struct nj_policy *policy, uint64_t t_ns)
{
	uint64_t minutes = t_ns / (60 * UINT64_C(1000000000));
	unsigned minute = (unsigned)(minutes % 1440),
		 day = (unsigned)((minutes / 1440 + 3) % 7); /* 1970-01-01: Thursday */
	for (uint8_t i = 0; i < policy->hours_n; i++) {
		const struct nj_policy_hours *hours = &policy->hours[i];
		bool over = hours->to_min <= hours->from_min, today = hours->days >> day & 1,
		     yesterday = hours->days >> (day + 6) % 7 & 1;
		if (!over && today && minute >= hours->from_min && minute < hours->to_min)
			return true;
		if (over && ((today && minute >= hours->from_min) || (yesterday && minute < hours->to_min)))
			return true;
	}
	return policy->hours_n == 0;
}

/* ---- the map */

static int take_key(const struct taking *t, const struct nj_yaml_node *node, struct nj_policy *policy)
{
	if (strcmp(node->key, "providers") == 0)
		return take_list(t, node, &policy->providers);
	if (strcmp(node->key, "names") == 0 || strcmp(node->key, "networks") == 0)
		return take_list(t, node, &policy->reach);
	if (strcmp(node->key, "tools") == 0)
		return take_list(t, node, &policy->tools);
	if (strcmp(node->key, "secrets") == 0)
		return take_list(t, node, &policy->secrets);
	if (strcmp(node->key, "services") == 0)
		return take_services(t, node, policy);
	if (strcmp(node->key, "volume_day") == 0)
		return take_volume(t, node, policy);
	if (strcmp(node->key, "hours") == 0)
		return take_hours(t, node, policy);
	return FAIL(t, node, "unknown key '%.60s'", node->key);
}

int nj_policy_read(const struct nj_yaml *yaml, const struct nj_yaml_node *node, struct nj_message *message,
		   struct nj_policy *ret_policy)
{
	struct taking t = {yaml, message};
	struct nj_policy policy = {.secrets.given = true};
	bool empty = node->kind == NJ_YAML_TEXT && node->text[0] == '\0'; /* `ai:` alone registers */
	int err = node->kind == NJ_YAML_MAP || empty ? NJ_OK : FAIL(&t, node, "ai must be a map");
	for (const struct nj_yaml_node *key = empty ? NULL : node->first; err == NJ_OK && key != NULL; key = key->next)
		err = take_key(&t, key, &policy);
	if (err == NJ_OK)
		*ret_policy = policy;
	return err;
}

int nj_policy_read_list(const struct nj_yaml *yaml, const struct nj_yaml_node *node, struct nj_message *message,
			struct nj_policy_list *ret_list)
{
	struct nj_policy_list list = {0};
	int err = take_list(&(struct taking){yaml, message}, node, &list);
	if (err == NJ_OK)
		*ret_list = list;
	return err;
}
