/* Operational alerts: each condition once when it begins and once when it is over, none without a clock, none for the
 * silence of a sensor that said goodbye. What they say fits the alert object. */
#include "aggregator/watch.h"

#include "common/hash.h"
#include "common/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0     1800000000000000000ull
#define SECOND 1000000000ull

static struct nj_alert raised[64];
static unsigned raised_n;
static struct nj_hash_key key;
static struct nj_watch *watch;
static uint64_t now_ns;

static void on_alert(void *context, const struct nj_alert *alert)
{
	(void)context;
	assert_true(raised_n < 64);
	raised[raised_n++] = *alert;
}

static int setup(void **state)
{
	(void)state;
	struct nj_watch_options options;
	nj_watch_options_init(&options);
	nj_hash_key_derive("", &key);
	options.hash_key = &key;
	options.alert = on_alert;
	raised_n = 0;
	now_ns = T0;
	return nj_watch_new(&options, &watch);
}

static int teardown(void **state)
{
	(void)state;
	nj_watch_free(&watch);
	return 0;
}

static void pass(uint64_t seconds)
{
	now_ns += seconds * SECOND;
	nj_watch_tick(watch, now_ns);
}

static struct nj_sensor_health well(void)
{
	static uint64_t uptime_ms, frames;
	struct nj_sensor_health h = {.sensor = "tap-1",
				     .software = "nightjar 0.1.0",
				     .uptime_ms = uptime_ms += 5000,
				     .frames_seen = frames += 100000,
				     .journal_bytes_max = 1000,
				     .interfaces_n = 1};
	snprintf(h.interfaces[0].name, sizeof h.interfaces[0].name, "tap0");
	h.interfaces[0].state = NJ_INTERFACE_UP;
	h.sent_ns = now_ns;
	return h;
}

static void beat(const struct nj_sensor_health *h)
{
	pass(5);
	struct nj_sensor_health sent = *h;
	sent.sent_ns += 5 * SECOND;
	nj_watch_heartbeat(watch, &sent);
}

/* One alert that says *words*, of this severity, and nothing else since the last time. */
static void expect(const char *words, enum nj_severity severity)
{
	assert_int_equal(raised_n, 1);
	const struct nj_alert *alert = &raised[--raised_n];
	if (strstr(alert->summary, words) == NULL)
		fail_msg("'%s' lacks '%s'", alert->summary, words);
	assert_int_equal(alert->severity, severity);
	assert_string_equal(alert->detector, "sensor-health");
	assert_string_equal(alert->sensor, "tap-1");
	assert_string_equal(alert->agent_name, "tap-1");
	assert_true(alert->id != 0 && alert->time_ns == now_ns && alert->start_ns <= alert->end_ns);
	assert_true(alert->features_n == 1 && alert->techniques_n == 1 && !alert->queued);
	char *json = nj_alert_json(alert);
	assert_non_null(json);
	free(json);
}

static void expect_nothing(void)
{
	assert_int_equal(raised_n, 0);
}

static void test_without_a_clock_nothing(void **state)
{
	(void)state;
	struct nj_sensor_health h = well();
	h.kernel_drops = 1000000;
	h.journal_bytes = 1000;
	nj_watch_heartbeat(watch, &h);
	nj_watch_gap(watch, "tap-1", 5);
	nj_watch_batch(watch, &(struct nj_batch){.sensor = "tap-1"});
	expect_nothing();
	assert_int_equal(nj_watch_n(watch), 0);
}

static void test_silence(void **state)
{
	(void)state;
	struct nj_sensor_health h = well();
	beat(&h);
	pass(300);
	expect_nothing();
	pass(2);
	expect("nothing was heard of it for 302 s", NJ_SEVERITY_HIGH);
	uint64_t id = raised[0].id;
	pass(1000);
	expect_nothing(); /* once */
	h = well();
	beat(&h);
	expect("no longer silent", NJ_SEVERITY_LOW);
	pass(301);
	expect("nothing was heard", NJ_SEVERITY_HIGH);
	assert_true(raised[0].id != id);
	nj_watch_batch(watch, &(struct nj_batch){.sensor = "tap-1"}); /* a batch is a sign of life, too */
	expect("no longer silent", NJ_SEVERITY_LOW);
	nj_watch_batch(watch, &(struct nj_batch){.sensor = "tap-1", .flags = NJ_BATCH_FINISH});
	pass(100000);
	expect_nothing();
	assert_int_equal(nj_watch_raised(watch), 4);
}

static void test_drops(void **state)
{
	(void)state;
	struct nj_sensor_health h = well();
	beat(&h);
	expect_nothing();
	uint64_t lost = 2000;
	h = well();
	h.kernel_drops = lost;
	beat(&h);
	expect("2.0 % of the frames were lost", NJ_SEVERITY_MEDIUM);
	for (int i = 0; i < 3; i++) { /* as many again: still, and told once */
		h = well();
		h.kernel_drops = lost += 2000;
		beat(&h);
	}
	h = well();
	h.kernel_drops = lost += 700; /* below the level that begins it, above the one that ends it */
	beat(&h);
	expect_nothing();
	h = well();
	h.kernel_drops = lost;
	beat(&h);
	expect("no longer dropping", NJ_SEVERITY_LOW);
}

static void test_clock_journal_interface(void **state)
{
	(void)state;
	struct nj_sensor_health h = well();
	h.sent_ns -= 3 * SECOND;
	beat(&h);
	expect("its clock is 3.0 s behind", NJ_SEVERITY_MEDIUM);
	h = well();
	beat(&h);
	expect("no longer clock", NJ_SEVERITY_LOW);
	h = well();
	h.journal_bytes = 810;
	h.spooled_batches = 44;
	beat(&h);
	expect("81 % full with 44 batches", NJ_SEVERITY_MEDIUM);
	h.journal_bytes = 500;
	h.sent_ns = now_ns;
	beat(&h);
	expect_nothing();
	h.journal_bytes = 400;
	h.sent_ns = now_ns;
	beat(&h);
	expect("no longer journal", NJ_SEVERITY_LOW);
	h.interfaces[0].state = NJ_INTERFACE_DOWN;
	h.sent_ns = now_ns;
	beat(&h);
	expect("interface tap0 is down", NJ_SEVERITY_HIGH);
	h.interfaces[0].state = NJ_INTERFACE_UP;
	h.sent_ns = now_ns;
	beat(&h);
	expect("no longer blind", NJ_SEVERITY_LOW);
}

static void test_gap(void **state)
{
	(void)state;
	struct nj_sensor_health h = well();
	beat(&h);
	nj_watch_gap(watch, "tap-1", 12);
	expect("12 batches were dropped", NJ_SEVERITY_HIGH);
	nj_watch_gap(watch, "tap-1", 3);
	expect_nothing();
	for (int i = 0; i < 120; i++) {
		h = well();
		beat(&h);
	}
	expect("no longer gap", NJ_SEVERITY_LOW);
	assert_int_equal(nj_watch_at(watch, 0)->batches_lost, 15);
}

static void test_json(void **state)
{
	(void)state;
	struct nj_sensor_health h = well();
	h.kernel_drops = 500000000;
	h.drops_n = 1;
	snprintf(h.drops[0].name, sizeof h.drops[0].name, "trunc\"ated\x01");
	h.drops[0].frames = 9;
	beat(&h);
	struct nj_message message;
	struct nj_json *root;
	char *text = nj_watched_json(nj_watch_at(watch, 0));
	assert_non_null(text);
	if (nj_json_parse("sensor", text, strlen(text), &message, &root) != NJ_OK)
		fail_msg("%s: %s", message.text, text);
	assert_string_equal(nj_json_text(nj_json_get(root, "sensor"), ""), "tap-1");
	assert_string_equal(nj_json_text(nj_json_at(nj_json_get(root, "conditions"), 0), ""), "dropping");
	assert_int_equal(nj_json_u64(nj_json_get(root, "kernel_drops"), 0), 500000000);
	assert_int_equal(nj_json_size(nj_json_get(root, "drops")), 1);
	nj_json_free(&root);
	free(text);
}

static void test_bounded(void **state)
{
	(void)state;
	struct nj_batch batch = {.start_ns = 0};
	for (unsigned i = 0; i < 3 * NJ_WATCH_SENSORS_MAX; i++) {
		pass(1);
		snprintf(batch.sensor, sizeof batch.sensor, "tap-%u", i);
		batch.flags = NJ_BATCH_FINISH;
		nj_watch_batch(watch, &batch);
	}
	assert_int_equal(nj_watch_n(watch), NJ_WATCH_SENSORS_MAX);
	expect_nothing();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_without_a_clock_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drops, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock_journal_interface, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
