/* Decoys: at once, critical, whatever the budget; and who does not touch them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_rounds.h"

#include <unistd.h>

static char inventory[] = "/tmp/nightjar-test-decoy-XXXXXX";

static int setup(void **state)
{
	(void)state;
	int fd = mkstemp(inventory);
	if (fd < 0)
		return -1;
	static const char text[] = "home_networks: [10.0.0.0/8]\n"
				   "agents:\n"
				   "  - { address: 10.20.1.7, name: scanner-1, permitted: [scan, fanout] }\n"
				   "decoys:\n"
				   "  - 10.20.9.9\n"
				   "  - { network: 10.20.250.0/24, ports: [22, 445], name: \"empty rack\" }\n";
	ssize_t written = write(fd, text, sizeof text - 1);
	return close(fd) == 0 && written == (ssize_t)sizeof text - 1 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(inventory);
}

static void a_touch_is_critical_and_bypasses_the_budget(void **state)
{
	(void)state;
	struct sample_options options = {.inventory = inventory, .alerts_per_day = 0.01};
	struct sample_bench *b = sample_bench_new(&options);
	for (uint32_t i = 0; i < 5; i++)
		sample_contact(sample_window(b, sample_addr_plus("10.20.1.0", i + 1)), sample_addr("10.20.250.4"), 445,
			       6, SAMPLE_UNANSWERED);
	sample_judge(b, 1);
	assert_int_equal(b->alerts_n, 5);
	for (uint32_t i = 0; i < 5; i++) {
		assert_string_equal(b->alerts[i].detector, "decoy");
		assert_int_equal(b->alerts[i].severity, NJ_SEVERITY_CRITICAL);
		assert_false(b->alerts[i].queued);
		assert_non_null(strstr(b->alerts[i].summary, "empty rack at 10.20.250.4 (tcp port 445)"));
		assert_string_equal(b->alerts[i].visibility.baseline, "inventory");
	}
	sample_bench_free(b);
}

static void who_does_not_touch(void **state)
{
	(void)state;
	struct sample_options options = {.inventory = inventory};
	struct sample_bench *b = sample_bench_new(&options);
	sample_contact(sample_window(b, sample_addr("10.20.1.1")), sample_addr("10.20.250.4"), 80, 6,
		       SAMPLE_UNANSWERED); /* another port */
	sample_contact(sample_window(b, sample_addr("10.20.1.2")), sample_addr("10.20.9.9"), 0, 254,
		       SAMPLE_UNANSWERED); /* a router asks by ARP */
	sample_contact(sample_window(b, sample_addr("10.20.1.3")), sample_addr("10.20.9.9"), 22, 6, SAMPLE_ANSWERED)
		->role = NJ_ROLE_SERVER;
	sample_contact(sample_window(b, sample_addr("10.20.1.4")), sample_addr("10.20.9.8"), 22, 6, SAMPLE_ANSWERED);
	sample_judge(b, 1);
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

/* A permitted scanner is told in a low voice, with the permission in the text. */
static void permission_lowers_the_voice(void **state)
{
	(void)state;
	struct sample_options options = {.inventory = inventory};
	struct sample_bench *b = sample_bench_new(&options);
	struct nj_window *w = sample_window(b, sample_addr("10.20.1.7"));
	for (uint32_t i = 0; i < 200; i++)
		sample_contact(w, sample_addr_plus("10.20.2.0", i + 1), 443, 6, SAMPLE_REFUSED);
	sample_judge(b, 1);
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "scan", &alert), 1);
	assert_int_equal(alert->severity, NJ_SEVERITY_LOW);
	assert_non_null(strstr(alert->summary, "the inventory permits it (permitted: scan)"));
	assert_string_equal(alert->agent_name, "scanner-1");
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_touch_is_critical_and_bypasses_the_budget),
		cmocka_unit_test(who_does_not_touch),
		cmocka_unit_test(permission_lowers_the_voice),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
