/* The shipped list and an operator's: names by suffix and wildcard, ports, paths, headers; every complaint names its
 * line. */
#include "common/ai_endpoints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct nj_ai_endpoints endpoints;
static struct nj_message message;

static int setup(void **state)
{
	(void)state;
	return nj_ai_endpoints_init(&endpoints, &message);
}

static void is_provider(const char *name, const char *provider)
{
	const struct nj_ai_endpoint *found = nj_ai_endpoints_name(&endpoints, name);
	if ((found == NULL) != (provider == NULL) ||
	    (found != NULL && provider != NULL && strcmp(found->provider, provider) != 0))
		fail_msg("%s is %s, not %s", name, found != NULL ? found->provider : "nobody's",
			 provider != NULL ? provider : "nobody's");
}

static void names_and_what_is_below_them(void **state)
{
	(void)state;
	is_provider("api.openai.com", "openai");
	is_provider("api.openai.com.", "openai");
	is_provider("eastus.openai.azure.com", "azure-openai");
	is_provider("bedrock-runtime.eu-west-1.amazonaws.com", "amazon-bedrock");
	is_provider("vpce-1.bedrock-runtime.eu-west-1.amazonaws.com", "amazon-bedrock");
	is_provider("europe-west4-aiplatform.googleapis.com", "google");
	is_provider("aiplatform.googleapis.com", "google");
	is_provider("api.anthropic.com", "anthropic");
	is_provider("openai.com", NULL);
	is_provider("xapi.openai.com", NULL);
	is_provider("bedrock-runtime.amazonaws.com", NULL);
	is_provider("bedrock-runtime.a.b.amazonaws.com", NULL);
	is_provider("storage.googleapis.com", NULL);
	is_provider("api.openai.com.evil.example", NULL);
	is_provider("localhost", NULL);
	is_provider("com", NULL);
	is_provider("", NULL);
	is_provider(".", NULL);
	is_provider("..", NULL);
	is_provider("10.1.2.3", NULL);
	assert_true(nj_ai_endpoints_name(&endpoints, "claude.ai")->chat);
	assert_false(nj_ai_endpoints_name(&endpoints, "api.anthropic.com")->chat);
	assert_int_equal(nj_ai_endpoints_name(&endpoints, "api.anthropic.com")->api, NJ_API_ANTHROPIC);
}

static void ports_paths_and_headers(void **state)
{
	(void)state;
	assert_string_equal(nj_ai_endpoints_port(&endpoints, 11434)->provider, "ollama");
	assert_null(nj_ai_endpoints_port(&endpoints, 443));
	assert_int_equal(nj_ai_endpoints_path(&endpoints, "/v1/chat/completions"), NJ_API_OPENAI_CHAT);
	assert_int_equal(nj_ai_endpoints_path(&endpoints, "/proxy/v1/messages?beta=true"), NJ_API_ANTHROPIC);
	assert_int_equal(
		nj_ai_endpoints_path(&endpoints, "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"),
		NJ_API_GEMINI);
	assert_int_equal(nj_ai_endpoints_path(&endpoints, "/api/chat"), NJ_API_OLLAMA);
	assert_int_equal(nj_ai_endpoints_path(&endpoints, "/api/chatter"), NJ_API_NONE);
	assert_int_equal(nj_ai_endpoints_path(&endpoints, "/?/v1/messages"), NJ_API_NONE);
	assert_int_equal(nj_ai_endpoints_path(&endpoints, ""), NJ_API_NONE);
	assert_true(nj_ai_endpoints_header(&endpoints, "Anthropic-Version", 17));
	assert_true(nj_ai_endpoints_header(&endpoints, "openai-beta", 11));
	assert_false(nj_ai_endpoints_header(&endpoints, "openai-", 7));
	assert_false(nj_ai_endpoints_header(&endpoints, "Authorization", 13));
}

static int parse(const char *text)
{
	memset(&message, 0, sizeof message);
	return nj_ai_endpoints_parse(&endpoints, "own.yaml", text, strlen(text), &message);
}

static void an_operators_file_goes_first(void **state)
{
	(void)state;
	assert_int_equal(nj_ai_endpoints_init(&endpoints, &message), NJ_OK);
	assert_int_equal(
		parse("ai_endpoints:\n"
		      "  version: 1\n"
		      "  providers:\n"
		      "    - {name: Our-Gateway, api: openai_chat, names: [llm.corp.example, eu.api.openai.com]}\n"
		      "  servers:\n"
		      "    - {name: our-vllm, ports: [8000, 9000]}\n"
		      "  paths: {/ask: other, /v1/messages: other}\n"
		      "  headers: [x-our-agent]\n"),
		NJ_OK);
	is_provider("a.llm.corp.example", "our-gateway");
	is_provider("eu.api.openai.com", "our-gateway");
	is_provider("us.api.openai.com", "openai");
	assert_string_equal(nj_ai_endpoints_port(&endpoints, 8000)->provider, "our-vllm");
	assert_int_equal(nj_ai_endpoints_path(&endpoints, "/v1/messages"), NJ_API_OTHER);
	assert_int_equal(nj_ai_endpoints_path(&endpoints, "/ask"), NJ_API_OTHER);
	assert_true(nj_ai_endpoints_header(&endpoints, "X-Our-Agent", 11));
}

static void complaints_name_the_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"other: 1\n", "one key"},
		{"ai_endpoints: []\n", "one key"},
		{"ai_endpoints:\n  version: 2\n", "own.yaml:2: this program reads version 1"},
		{"ai_endpoints:\n  what: 2\n", "own.yaml:2: unknown key 'what'"},
		{"ai_endpoints:\n  providers:\n    - {name: a, names: [com]}\n", "own.yaml:3: 'com' is no host name"},
		{"ai_endpoints:\n  providers:\n    - {name: a, names: ['*.com']}\n",
		 "own.yaml:3: '*.com' is no host name"},
		{"ai_endpoints:\n  providers:\n    - {name: a, names: ['a*.b.com']}\n", "is no host name"},
		{"ai_endpoints:\n  providers:\n    - {name: a, names: ['a..b.com']}\n", "is no host name"},
		{"ai_endpoints:\n  providers:\n    - {name: a, api: x, names: [a.b]}\n",
		 "own.yaml:3: no api is called 'x'"},
		{"ai_endpoints:\n  providers:\n    - {names: [a.b]}\n", "needs a name"},
		{"ai_endpoints:\n  providers:\n    - {name: a}\n", "a list 'names'"},
		{"ai_endpoints:\n  providers:\n    - a\n", "own.yaml:3: expected a map"},
		{"ai_endpoints:\n  servers:\n    - {name: a, ports: [0]}\n", "own.yaml:3: expected a port"},
		{"ai_endpoints:\n  servers:\n    - {name: a, ports: [70000]}\n", "expected a port"},
		{"ai_endpoints:\n  servers: x\n", "servers is a list"},
		{"ai_endpoints:\n  paths:\n    /a: nothing\n", "own.yaml:3: no api is called"},
		{"ai_endpoints:\n  headers: {a: b}\n", "headers is a list"},
		{"ai_endpoints:\n  headers: ['a b']\n", "printable ASCII"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(nj_ai_endpoints_init(&endpoints, &message), NJ_OK);
		assert_int_equal(parse(bad[i].text), NJ_ERR_USAGE);
		if (strstr(message.text, bad[i].says) == NULL)
			fail_msg("%s\nsays: %s\nnot:  %s", bad[i].text, message.text, bad[i].says);
	}
}

static void too_many_are_refused(void **state)
{
	(void)state;
	static char text[64 * 1024];
	size_t at = (size_t)sprintf(text, "ai_endpoints:\n  providers:\n    - name: a\n      names:\n");
	for (int i = 0; i <= NJ_AI_NAMES_MAX; i++)
		at += (size_t)sprintf(text + at, "        - h%d.example.com\n", i);
	assert_int_equal(nj_ai_endpoints_init(&endpoints, &message), NJ_OK);
	assert_int_equal(parse(text), NJ_ERR_USAGE);
	assert_non_null(strstr(message.text, "more than"));
	assert_true(nj_ai_endpoints_load(&endpoints, "/nowhere/at.yaml", &message) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_what_is_below_them), cmocka_unit_test(ports_paths_and_headers),
		cmocka_unit_test(an_operators_file_goes_first), cmocka_unit_test(complaints_name_the_line),
		cmocka_unit_test(too_many_are_refused),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
