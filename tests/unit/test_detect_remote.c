/* Commands by remote procedure call, and who gives them by trade. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

static struct nj_window *calls(struct sample_bench *b, const char *agent, const char *host, const char *interface,
			       const char *operation, uint32_t n)
{
	struct nj_window *w = sample_window(b, sample_addr(agent));
	sample_contact(w, sample_addr(host), 445, 6, SAMPLE_ANSWERED);
	struct nj_tool *tool = &w->tools[w->tools_n++];
	*tool = (struct nj_tool){.peer = sample_addr(host), .port = 445, .kind = NJ_TOOL_RPC, .calls = n};
	tool->first_ns = b->start_ns + 5;
	snprintf(tool->method, sizeof tool->method, "%s", interface);
	snprintf(tool->name, sizeof tool->name, "%s", operation);
	return w;
}

static void commands_are_told(void **state)
{
	(void)state;
	static const struct {
		const char *interface, *operation, *technique, *says;
		uint32_t n;
	} cases[] = {
		{"svcctl", "CreateServiceW", "T1569.002", "10.20.1.5 made a service on 10.20.2.9", 1},
		{"tasks", "SchRpcRegisterTask", "T1053.005", "scheduled a task on 10.20.2.9", 1},
		{"wmi", "ExecMethod", "T1047", "ran a method through WMI", 3},
		{"drsuapi", "GetNCChanges", "T1003.006", "secrets replicated to it", 1},
		{"efsrpc", "EfsRpcOpenFileRaw", "T1187", "made the machine log in elsewhere", 1},
		{"netlogon", "NetrServerReqChallenge", "T1210", "guessed at a secure channel", 200},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sample_options options = {0};
		struct sample_bench *b = sample_bench_new(&options);
		const struct nj_alert *alert;
		calls(b, "10.20.1.5", "10.20.2.9", cases[i].interface, cases[i].operation, cases[i].n);
		sample_judge(b, 1);
		assert_int_equal(sample_alerts(b, "remote-command", &alert), 1);
		assert_string_equal(alert->technique[0], cases[i].technique);
		if (strstr(alert->summary, cases[i].says) == NULL)
			fail_msg("%s", alert->summary);
		assert_int_equal(alert->peers_n, 1);
		sample_bench_free(b);
	}
}

static void looking_around_is_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	calls(b, "10.20.1.5", "10.20.2.9", "svcctl", "OpenServiceW", 6);
	calls(b, "10.20.1.6", "10.20.2.9", "samr", "EnumerateUsers", 2);
	calls(b, "10.20.1.7", "10.20.2.9", "wmi", "ExecQuery", 2);
	calls(b, "10.20.1.8", "10.20.2.9", "netlogon", "NetrServerReqChallenge", 1); /* a machine signs on */
	calls(b, "10.20.1.9", "10.20.2.9", "svcctl", "", 1);
	calls(b, "10.20.1.10", "10.20.2.9", "svcctl", "CreateServiceW", 1)->tools[0].kind = NJ_TOOL_JSON_RPC;
	sample_judge(b, 1);
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

static void domain_controllers_replicate(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct nj_window *w = calls(b, "10.20.2.2", "10.20.2.3", "drsuapi", "GetNCChanges", 4);
	sample_contact(w, sample_addr("10.20.1.5"), 88, 6, SAMPLE_GOES_ON)->role = NJ_ROLE_SERVER;
	sample_judge(b, 1);
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

/* The same job every hour: told on its first run, known from then on. */
static void a_daily_job_is_told_once(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	for (int i = 0; i < 72; i++) {
		calls(b, "10.20.1.5", "10.20.2.9", "tasks", "SchRpcRun", 1);
		sample_judge(b, 360);
	}
	assert_int_equal(sample_alerts(b, "remote-command", NULL), 1);
	assert_int_equal(b->merged, 0);
	sample_bench_free(b);
}

static void a_permitted_administrator_is_low(void **state)
{
	(void)state;
	char path[] = "/tmp/nj_test_detect_remote_XXXXXX";
	static const char text[] = "agents: [{ address: 10.20.1.5, permitted: [admin] }]\n";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
	close(fd);
	struct sample_options options = {.inventory = path};
	struct sample_bench *b = sample_bench_new(&options);
	unlink(path);
	const struct nj_alert *alert;
	calls(b, "10.20.1.5", "10.20.2.9", "svcctl", "CreateServiceW", 1);
	sample_judge(b, 1);
	assert_int_equal(sample_alerts(b, "remote-command", &alert), 1);
	assert_int_equal(alert->severity, NJ_SEVERITY_LOW);
	assert_non_null(strstr(alert->summary, "permitted: admin"));
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_told),
		cmocka_unit_test(looking_around_is_not),
		cmocka_unit_test(domain_controllers_replicate),
		cmocka_unit_test(a_daily_job_is_told_once),
		cmocka_unit_test(a_permitted_administrator_is_low),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
