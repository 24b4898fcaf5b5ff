/* What the inventory allows an AI agent, and each way of leaving it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/sample_loop.h"

/* SAMPLE_T0_NS is 2027-01-15 08:00 UTC, a Friday. */
static const char inventory[] = "home_networks: [10.0.0.0/8, 169.254.0.0/16]\n"
				"ai_providers: [api.example-llm.com, alt.example-llm.com]\n"
				"agents:\n"
				"  - address: 10.20.1.5\n"
				"    name: coder-1\n"
				"    ai:\n"
				"      networks: [10.20.20.0/24]\n"
				"      services: [443, 8081, 5432]\n"
				"      tools: [10.20.20.40]\n"
				"      secrets: [10.20.20.50]\n"
				"      volume_day: 1MB\n"
				"      hours: 'mon-fri 07:00-08:30'\n"
				"  - { address: 10.20.1.6, ai: { providers: [self-hosted] } }\n";

static struct sample_bench *bench(const char *text)
{
	char path[] = "/tmp/nj_test_detect_policy_XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	struct sample_options options = {.inventory = path};
	struct sample_bench *b = sample_bench_new(&options);
	unlink(path);
	return b;
}

static struct sample_loop coder(void)
{
	return (struct sample_loop){.agent = "10.20.1.5",
				    .brain = "203.0.113.5",
				    .name = "api.example-llm.com",
				    .flags = NJ_EXCHANGE_KNOWN_NAME,
				    .act = sample_codes};
}

static void play(struct sample_bench *b, struct sample_loop *loop, int windows)
{
	for (int i = 0; i < windows; i++) {
		struct nj_window *w = sample_loop_window(b, loop);
		sample_contact(w, sample_addr("10.20.2.2"), 53, 17, SAMPLE_ANSWERED); /* names are always allowed */
		struct nj_contact *c = sample_contact(w, sample_addr(loop->brain), 443, 6, SAMPLE_ANSWERED);
		sample_bytes(w, c, 3000, 3000);
		sample_judge(b, 1);
	}
}

static void within_its_policy_it_is_quiet(void **state)
{
	(void)state;
	struct sample_bench *b = bench(inventory);
	struct sample_loop loop = coder();
	play(b, &loop, 60);
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

/* Plays some turns, then one window with *more* in it; the alerts of that detector. */
static uint32_t after(struct sample_bench *b, void (*more)(struct nj_window *window), const char *detector,
		      const struct nj_alert **ret_alert)
{
	struct sample_loop loop = coder();
	play(b, &loop, 6);
	struct nj_window *w = sample_loop_window(b, &loop);
	more(w);
	sample_judge(b, 1);
	assert_int_equal(b->alerts_n, sample_alerts(b, detector, ret_alert)); /* and no other */
	return sample_alerts(b, detector, ret_alert);
}

static void reaches(struct nj_window *window)
{
	sample_contact(window, sample_addr("10.20.20.7"), 443, 6, SAMPLE_ANSWERED); /* allowed */
	sample_contact(window, sample_addr("10.20.20.7"), 25, 6, SAMPLE_REFUSED);   /* wrong service */
	sample_contact(window, sample_addr("10.20.30.7"), 443, 6, SAMPLE_ANSWERED); /* wrong place */
	sample_contact(window, sample_addr("10.20.30.8"), 443, 6, SAMPLE_GOES_ON)->role = NJ_ROLE_SERVER;
	struct nj_contact *provider = sample_contact(window, sample_addr("203.0.113.6"), 443, 6, SAMPLE_ANSWERED);
	snprintf(provider->name, sizeof provider->name, "alt.example-llm.com"); /* allowed as whom it thinks with */
}

static void touches_secrets(struct nj_window *window)
{
	sample_contact(window, sample_addr("10.20.20.50"), 8200, 6, SAMPLE_ANSWERED); /* its own vault */
	sample_contact(window, sample_addr("169.254.169.254"), 80, 6, SAMPLE_UNANSWERED);
}

static void calls_tools(struct nj_window *window)
{
	static const char *const server[2] = {"10.20.20.40", "10.20.20.41"};
	for (int i = 0; i < 2; i++) {
		struct nj_tool *tool = &window->tools[window->tools_n++];
		*tool = (struct nj_tool){.peer = sample_addr(server[i]), .port = 8080, .kind = NJ_TOOL_MCP, .calls = 2};
		snprintf(tool->method, sizeof tool->method, "tools/call");
		snprintf(tool->name, sizeof tool->name, "run_shell");
	}
}

static void thinks_elsewhere(struct nj_window *window)
{
	struct nj_exchange *exchange = sample_exchange(window, sample_addr("203.0.113.77"), 9000, 9900);
	exchange->flags |= NJ_EXCHANGE_KNOWN_NAME;
	snprintf(exchange->name, sizeof exchange->name, "api.other-llm.com");
}

static void sends_much(struct nj_window *window)
{
	sample_bytes(window, sample_contact(window, sample_addr("203.0.113.5"), 443, 6, SAMPLE_GOES_ON), 1200000, 0);
}

static void each_violation_is_told_by_its_own_name(void **state)
{
	(void)state;
	static const struct {
		void (*more)(struct nj_window *window);
		const char *detector, *says;
	} cases[] = {
		{reaches, "policy-reach", "reached for 10.20.20.7 (port 25) and 1 more, which its entry"},
		{touches_secrets, "policy-secrets",
		 "touched the secrets plane: 169.254.169.254 (instance metadata), which"},
		{calls_tools, "policy-tool", "called tools/call run_shell on the tool server 10.20.20.41 port 8080"},
		{thinks_elsewhere, "policy-provider", "thinks with api.other-llm.com"},
		{sends_much, "policy-volume", "outside today; its entry in the inventory allows 1.0 MB a day"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sample_bench *b = bench(inventory);
		const struct nj_alert *alert;
		assert_int_equal(after(b, cases[i].more, cases[i].detector, &alert), 1);
		if (strstr(alert->summary, cases[i].says) == NULL)
			fail_msg("%s", alert->summary);
		assert_string_equal(alert->visibility.baseline, "inventory");
		assert_false(alert->queued);
		sample_bench_free(b);
	}
}

static void outside_its_hours(void **state)
{
	(void)state;
	struct sample_bench *b = bench(inventory);
	struct sample_loop loop = coder();
	play(b, &loop, 6);
	b->start_ns += 30 * 60 * UINT64_C(1000000000); /* 08:31 */
	play(b, &loop, 6);
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "policy-hours", &alert), 1);
	assert_int_equal(b->alerts_n, 1);
	assert_non_null(strstr(alert->summary, "at 08:31 UTC"));
	sample_bench_free(b);
}

static void its_own_providers_come_before_those_of_all(void **state)
{
	(void)state;
	struct sample_bench *b = bench(inventory);
	struct sample_loop loop = coder();
	loop.agent = "10.20.1.6"; /* self-hosted only */
	play(b, &loop, 6);
	assert_int_equal(sample_alerts(b, "policy-provider", NULL), 1);
	sample_bench_free(b);
}

static void an_unknown_agent_is_told_where_registration_is_asked_for(void **state)
{
	(void)state;
	for (int asked = 0; asked < 2; asked++) {
		struct sample_bench *b = bench(asked ? inventory : "home_networks: [10.0.0.0/8]\n");
		struct sample_loop loop = coder();
		loop.agent = "10.20.1.7";
		for (int i = 0; i < 30; i++) {
			sample_loop_window(b, &loop);
			struct nj_window *w =
				sample_window(b, sample_addr("10.20.1.8")); /* reads for seven seconds: no loop */
			sample_exchange(w, sample_addr("203.0.113.5"), 100, 3000)->flags |= NJ_EXCHANGE_KNOWN_NAME;
			sample_judge(b, 1);
		}
		const struct nj_alert *alert;
		assert_int_equal(sample_alerts(b, "policy-unregistered", &alert), asked);
		if (asked)
			assert_non_null(
				strstr(alert->summary, "10.20.1.7 runs an AI agent that the inventory does not know"));
		sample_bench_free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(within_its_policy_it_is_quiet),
		cmocka_unit_test(each_violation_is_told_by_its_own_name),
		cmocka_unit_test(outside_its_hours),
		cmocka_unit_test(its_own_providers_come_before_those_of_all),
		cmocka_unit_test(an_unknown_agent_is_told_where_registration_is_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
