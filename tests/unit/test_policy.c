/* What a policy allows, word by word; and each mistake refused with its line. */
#include "common/inventory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MINUTE_NS (60 * UINT64_C(1000000000))
#define DAY_NS    (1440 * MINUTE_NS)

static int load(const char *text, struct nj_message *message, struct nj_inventory **ret_inventory)
{
	char path[] = "/tmp/nj_test_policy_XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	FILE *file = fdopen(fd, "w");
	fputs(text, file);
	fclose(file);
	int err = nj_inventory_load(path, message, ret_inventory);
	unlink(path);
	return err;
}

static struct nj_addr addr(const char *text)
{
	struct nj_addr a;
	assert_true(nj_addr_parse(text, &a));
	return a;
}

static const char full[] = "ai_providers: [api.mistral.ai]\n"
			   "agents:\n"
			   "  - address: 10.20.1.5\n"
			   "    ai:\n"
			   "      providers: [API.Anthropic.com, '*.openai.azure.com', self-hosted, 203.0.113.0/24]\n"
			   "      names: [git.example.com, '*.corp.example.com']\n"
			   "      networks: [10.20.20.0/24]\n"
			   "      services: [443, tcp/22, udp/161]\n"
			   "      tools: [10.20.20.40]\n"
			   "      secrets: [10.20.20.50]\n"
			   "      volume_day: 2.5 GB\n"
			   "      hours: 'mon-fri 07:00-19:00, sat 22:00-02:00'\n"
			   "  - { address: 10.20.1.6, ai: }\n"
			   "  - { address: 10.20.1.7 }\n";

static struct nj_inventory *inventory;

static int load_full(void **state)
{
	(void)state;
	struct nj_message message;
	if (load(full, &message, &inventory) != NJ_OK) {
		print_error("%s\n", message.text);
		return -1;
	}
	return 0;
}

static int free_full(void **state)
{
	(void)state;
	nj_inventory_free(&inventory);
	return 0;
}

static const struct nj_policy *policy_of(const char *address)
{
	struct nj_agent_id id = {.addr = addr(address)};
	const struct nj_inventory_agent *agent = nj_inventory_agent(inventory, &id);
	return agent != NULL ? agent->policy : NULL;
}

static void who_is_registered(void **state)
{
	(void)state;
	assert_non_null(policy_of("10.20.1.5"));
	assert_non_null(policy_of("10.20.1.6"));
	assert_null(policy_of("10.20.1.7"));
	assert_true(nj_inventory_ai_must_register(inventory));
	assert_true(nj_inventory_ai_providers(inventory)->given);
	struct nj_inventory *none;
	struct nj_message message;
	assert_int_equal(load("agents: [{ address: 10.0.0.1 }]\n", &message, &none), NJ_OK);
	assert_false(nj_inventory_ai_must_register(none));
	nj_inventory_free(&none);
	assert_int_equal(load("ai_unregistered: ignore\nagents: [{ address: 10.0.0.1, ai: }]\n", &message, &none),
			 NJ_OK);
	assert_false(nj_inventory_ai_must_register(none));
	nj_inventory_free(&none);
}

static void providers_by_name_network_and_place(void **state)
{
	(void)state;
	const struct nj_policy_list *list = &policy_of("10.20.1.5")->providers;
	struct nj_addr out = addr("198.51.100.1"), listed = addr("203.0.113.9"), home = addr("10.9.9.9");
	assert_true(nj_policy_names(list, "api.anthropic.com", &out, false));
	assert_true(nj_policy_names(list, "API.ANTHROPIC.COM.", &out, false));
	assert_true(nj_policy_names(list, "eu.openai.azure.com", &out, false));
	assert_true(nj_policy_names(list, "openai.azure.com", &out, false));
	assert_false(nj_policy_names(list, "evilopenai.azure.com", &out, false));
	assert_false(nj_policy_names(list, "api.anthropic.com.evil.net", &out, false));
	assert_false(nj_policy_names(list, "x.api.anthropic.com", &out, false));
	assert_false(nj_policy_names(list, "", &out, false));
	assert_true(nj_policy_names(list, "", &listed, false));
	assert_true(nj_policy_names(list, "", &home, true));
}

static void reach_needs_place_and_service(void **state)
{
	(void)state;
	const struct nj_policy *policy = policy_of("10.20.1.5");
	struct nj_addr in = addr("10.20.20.7"), other = addr("10.20.30.7");
	assert_true(nj_policy_reaches(policy, "", &in, true, 6, 443));
	assert_true(nj_policy_reaches(policy, "", &in, true, 17, 443));
	assert_true(nj_policy_reaches(policy, "", &in, true, 6, 22));
	assert_false(nj_policy_reaches(policy, "", &in, true, 17, 22));
	assert_false(nj_policy_reaches(policy, "", &in, true, 6, 445));
	assert_false(nj_policy_reaches(policy, "", &other, true, 6, 443));
	assert_true(nj_policy_reaches(policy, "a.corp.example.com", &other, true, 6, 443));
	assert_true(nj_policy_reaches(policy, "", &other, true, 17, 53));
	assert_true(nj_policy_reaches(policy, "", &other, true, 17, 123));
}

static void a_bare_registration_allows_all_but_secrets(void **state)
{
	(void)state;
	const struct nj_policy *policy = policy_of("10.20.1.6");
	struct nj_addr any = addr("198.51.100.1");
	assert_true(nj_policy_reaches(policy, "", &any, false, 6, 25));
	assert_true(nj_policy_names(&policy->providers, "", &any, false));
	assert_true(nj_policy_names(&policy->tools, "", &any, false));
	assert_false(nj_policy_names(&policy->secrets, "", &any, false));
	assert_true(nj_policy_in_hours(policy, 0));
	assert_int_equal(policy->volume_day_bytes, 0);
}

/* 2026-11-23 is a Monday: day 20780 since the epoch. */
static void hours_of_the_week(void **state)
{
	(void)state;
	const struct nj_policy *policy = policy_of("10.20.1.5");
	uint64_t monday = 20780 * DAY_NS;
	assert_int_equal(policy->volume_day_bytes, 2500000000u);
	assert_false(nj_policy_in_hours(policy, monday + 7 * 60 * MINUTE_NS - 1));
	assert_true(nj_policy_in_hours(policy, monday + 7 * 60 * MINUTE_NS));
	assert_true(nj_policy_in_hours(policy, monday + 4 * DAY_NS + 18 * 60 * MINUTE_NS));
	assert_false(nj_policy_in_hours(policy, monday + 4 * DAY_NS + 19 * 60 * MINUTE_NS));
	assert_false(nj_policy_in_hours(policy, monday + 5 * DAY_NS + 12 * 60 * MINUTE_NS));
	assert_true(nj_policy_in_hours(policy, monday + 5 * DAY_NS + 23 * 60 * MINUTE_NS));
	assert_true(nj_policy_in_hours(policy, monday + 6 * DAY_NS + 60 * MINUTE_NS)); /* Sunday, still Saturday's */
	assert_false(nj_policy_in_hours(policy, monday + 6 * DAY_NS + 23 * 60 * MINUTE_NS));
}

static void mistakes_name_their_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"ai: {}\n", ":1: unknown key 'ai'"},
		{"ai_unregistered: perhaps\n", ":1: ai_unregistered is alert or ignore"},
		{"ai_providers: api.openai.com\n", ":1: ai_providers must be a list"},
		{"agents:\n- address: 10.0.0.1\n  ai: [x]\n", ":3: ai must be a map"},
		{"agents:\n- address: 10.0.0.1\n  ai:\n    model: x\n", ":4: unknown key 'model'"},
		{"agents:\n- address: 10.0.0.1\n  ai:\n    names: ['a b']\n", ":4: 'a b' is neither a name"},
		{"agents:\n- address: 10.0.0.1\n  ai:\n    names:\n    - ok.net\n    - ['x']\n", ":6: expects a name"},
		{"agents:\n- address: 10.0.0.1\n  ai:\n    names: ['*.']\n", ":4: '*.' is neither"},
		{"agents:\n- address: 10.0.0.1\n  ai:\n    services: [0]\n", ":4: '0' is not a service"},
		{"agents:\n- address: 10.0.0.1\n  ai:\n    services: [sctp/5]\n", ":4: 'sctp/5' is not a service"},
		{"agents:\n- address: 10.0.0.1\n  ai:\n    services: []\n", ":4: services must be a list"},
		{"agents:\n- address: 10.0.0.1\n  ai:\n    volume_day: 5\n", ":4: volume_day: '5' is not a volume"},
		{"agents:\n- address: 10.0.0.1\n  ai:\n    volume_day: -5GB\n", ":4: volume_day: '-5GB' is not"},
		{"agents:\n- address: 10.0.0.1\n  ai:\n    hours: always\n", ":4: hours: 'always' is not of the form"},
		{"agents:\n- address: 10.0.0.1\n  ai:\n    hours: 'mon 25:00-26:00'\n", ":4: hours:"},
		{"agents:\n- address: 10.0.0.1\n  ai:\n    hours: 'mon-fry 07:00-08:00'\n", ":4: hours:"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nj_inventory *wrong = NULL;
		struct nj_message message = {""};
		assert_int_equal(load(cases[i].text, &message, &wrong), NJ_ERR_USAGE);
		assert_null(wrong);
		if (strstr(message.text, cases[i].says) == NULL)
			fail_msg("%s does not say '%s'", message.text, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_registered),
		cmocka_unit_test(providers_by_name_network_and_place),
		cmocka_unit_test(reach_needs_place_and_service),
		cmocka_unit_test(a_bare_registration_allows_all_but_secrets),
		cmocka_unit_test(hours_of_the_week),
		cmocka_unit_test(mistakes_name_their_line),
	};
	return cmocka_run_group_tests(tests, load_full, free_full);
}
