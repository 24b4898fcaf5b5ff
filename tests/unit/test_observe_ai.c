/* From exchanges and bursts to brains, loops and turns; and the rows of the inventory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/ai_inventory.h"
#include "aggregator/observe_ai.h"
#include "aggregator/services.h"
#include "tests/unit/sample_loop.h"

static const struct nj_profile *profile_of(struct sample_bench *b, const char *address)
{
	struct nj_profiles *profiles = nj_engine_profiles(b->engine);
	struct nj_addr addr = sample_addr(address);
	for (uint32_t i = 0; i < nj_profiles_n(profiles); i++) {
		const struct nj_profile *profile = nj_profiles_at(profiles, i);
		if (profile != NULL && nj_addr_equal(&profile->agent.addr, &addr))
			return profile;
	}
	fail_msg("no profile of %s", address);
	return NULL;
}

static void play(struct sample_bench *b, struct sample_loop *loop, int windows)
{
	for (int i = 0; i < windows; i++) {
		sample_loop_window(b, loop);
		sample_judge(b, 1);
	}
}

static void a_named_model_makes_an_agent(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct sample_loop loop = {.agent = "10.20.1.5",
				   .brain = "203.0.113.5",
				   .name = "api.example-llm.com",
				   .flags = NJ_EXCHANGE_KNOWN_NAME,
				   .act = sample_codes};
	play(b, &loop, 30);
	const struct nj_profile *profile = profile_of(b, "10.20.1.5");
	assert_non_null(profile->ai);
	const struct nj_brain *brain = nj_ai_looping(profile->ai);
	assert_non_null(brain);
	assert_string_equal(brain->name, "api.example-llm.com");
	assert_true(brain->agentic > 0.8);
	assert_true(brain->p_llm > 0.99);
	assert_int_equal(brain->loop.turns, loop.turns);
	struct nj_ai_row row;
	assert_true(nj_ai_row_of(profile, (uint32_t)(brain - profile->ai->brain), b->inventory, &row));
	assert_int_equal(row.kind, NJ_AI_AGENT);
	assert_string_equal(row.peer, "api.example-llm.com");
	assert_string_equal(row.client, "t13d1812h1_85036bcba153_d41ae481755e");
	assert_false(row.registered);
	assert_int_equal(b->alerts_n, 0); /* context, not an alarm */
	sample_bench_free(b);
}

static void a_stream_without_a_name_is_enough(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct sample_loop loop = {.agent = "10.20.1.5", .brain = "10.20.40.4", .score = 950, .act = sample_codes};
	play(b, &loop, 30);
	const struct nj_brain *brain = nj_ai_looping(profile_of(b, "10.20.1.5")->ai);
	assert_non_null(brain);
	assert_true(brain->p_llm > NJ_LLM_LIKELY);
	assert_true(brain->p_llm <= NJ_LLM_UNNAMED_MAX + 1e-6);
	sample_bench_free(b);
}

static void an_unknown_outside_peer_is_a_remote_brain(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct sample_loop loop = {.agent = "10.20.1.5", .brain = "203.0.113.66", .act = sample_codes};
	play(b, &loop, 30);
	const struct nj_profile *profile = profile_of(b, "10.20.1.5");
	struct nj_ai_row row;
	assert_true(nj_ai_row_of(profile, 0, b->inventory, &row));
	assert_true(row.p_llm < NJ_LLM_LIKELY);
	assert_int_equal(row.kind, NJ_AI_REMOTE);
	sample_bench_free(b);
}

/* Exchanges with a server outside, actions that have nothing to do with them: nothing to tell. */
static struct nj_contact *does_nothing(struct sample_loop *loop, struct nj_window *window, uint32_t turn)
{
	(void)loop, (void)window, (void)turn;
	return NULL;
}

static void a_reader_is_no_agent(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct sample_loop chat = {.agent = "10.20.1.6",
				   .brain = "203.0.113.5",
				   .name = "chat.example-llm.com",
				   .flags = NJ_EXCHANGE_KNOWN_NAME,
				   .reads_s = 8,
				   .act = does_nothing};
	struct sample_loop web = {.agent = "10.20.1.7", .brain = "203.0.113.7", .reads_s = 3, .act = does_nothing};
	for (int i = 0; i < 30; i++) {
		sample_loop_window(b, &chat);
		sample_loop_window(b, &web);
		sample_judge(b, 1);
	}
	struct nj_ai_row row;
	assert_true(nj_ai_row_of(profile_of(b, "10.20.1.6"), 0, b->inventory, &row));
	assert_int_equal(row.kind, NJ_AI_MODEL_USE);
	assert_true(row.agentic < NJ_AGENTIC_LIKELY);
	assert_false(nj_ai_row_of(profile_of(b, "10.20.1.7"), 0, b->inventory, &row));
	assert_false(nj_ai_row_of(profile_of(b, "10.20.1.7"), 1, b->inventory, &row));
	assert_false(nj_ai_row_of(profile_of(b, "10.20.1.7"), 99, b->inventory, &row));
	sample_bench_free(b);
}

/* Forty web servers pass through the places of brains; the model met before them stays. */
static void a_model_outlives_a_browser(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct sample_loop loop = {.agent = "10.20.1.5",
				   .brain = "203.0.113.5",
				   .name = "api.example-llm.com",
				   .flags = NJ_EXCHANGE_KNOWN_NAME,
				   .act = sample_codes};
	for (int i = 0; i < 40; i++) {
		struct nj_window *window = sample_loop_window(b, &loop);
		sample_exchange(window, sample_addr_plus("198.51.100.1", (uint32_t)i), 100, 300);
		sample_judge(b, 1);
	}
	const struct nj_block_ai *ai = profile_of(b, "10.20.1.5")->ai;
	assert_string_equal(ai->brain[0].name, "api.example-llm.com");
	assert_int_equal(ai->brain[0].loop.turns, loop.turns);
	assert_int_equal(ai->brain[1].loop.turns, 1);
	sample_bench_free(b);
}

static void tools_are_listed(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct sample_loop loop = {.agent = "10.20.1.5",
				   .brain = "203.0.113.5",
				   .name = "api.example-llm.com",
				   .flags = NJ_EXCHANGE_KNOWN_NAME,
				   .act = sample_codes};
	for (int i = 0; i < 6; i++) {
		struct nj_window *window = sample_loop_window(b, &loop);
		window->tools[0] =
			(struct nj_tool){.peer = sample_addr("10.20.40.9"), .port = 8080, .kind = NJ_TOOL_MCP};
		window->tools[0].calls = 3;
		snprintf(window->tools[0].method, sizeof window->tools[0].method, "tools/call");
		snprintf(window->tools[0].name, sizeof window->tools[0].name, i % 2 == 0 ? "read_file" : "run_tests");
		window->tools_n = 1;
		sample_judge(b, 1);
	}
	struct nj_ai_row row;
	assert_true(nj_ai_row_of(profile_of(b, "10.20.1.5"), 0, b->inventory, &row));
	assert_string_equal(row.tools, "read_file, run_tests");
	assert_int_equal(profile_of(b, "10.20.1.5")->ai->tool_calls, 18);
	sample_bench_free(b);
}

/* An agent that never asked anybody anything costs no block. */
static void others_pay_nothing(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct nj_window *window = sample_window(b, sample_addr("10.20.1.9"));
	sample_act(window, sample_contact(window, sample_addr("10.20.2.1"), 445, 6, SAMPLE_ANSWERED), 100, 200);
	sample_exchange(window, sample_addr("10.20.2.1"), 100, 200)->flags =
		NJ_EXCHANGE_ENCRYPTED; /* at home, no form */
	sample_judge(b, 1);
	assert_null(profile_of(b, "10.20.1.9")->ai);
	sample_bench_free(b);
}

static void services_have_words(void **state)
{
	(void)state;
	char word[16];
	struct nj_addr metadata = sample_addr("169.254.169.254"), host = sample_addr("10.0.0.1");
	assert_string_equal(nj_service_word(6, 22, word), "ssh");
	assert_string_equal(nj_service_word(6, 12345, word), "port 12345");
	assert_true(nj_service_is_admin(6, 389));
	assert_false(nj_service_is_remote_control(6, 389));
	assert_true(nj_service_is_remote_control(6, 445));
	assert_false(nj_service_is_admin(17, 22));
	assert_string_equal(nj_service_secrets(&metadata, 6, 80), "instance metadata");
	assert_null(nj_service_secrets(&metadata, 17, 53));
	assert_null(nj_service_secrets(&host, 6, 80));
	assert_string_equal(nj_service_secrets(&host, 6, 8200), "vault");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_named_model_makes_an_agent),
		cmocka_unit_test(a_stream_without_a_name_is_enough),
		cmocka_unit_test(an_unknown_outside_peer_is_a_remote_brain),
		cmocka_unit_test(a_reader_is_no_agent),
		cmocka_unit_test(a_model_outlives_a_browser),
		cmocka_unit_test(tools_are_listed),
		cmocka_unit_test(others_pay_nothing),
		cmocka_unit_test(services_have_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
