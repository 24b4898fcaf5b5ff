/* The alert object against its published schema: every sort of alert the detectors make, and the extremes of each
 * field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/detect.h"
#include "tests/unit/sample_rounds.h"

#include <math.h>
#include <unistd.h>

static char path[] = "/tmp/nightjar-test-alerts-XXXXXX";
static FILE *file;

static void write_alert(const struct nj_alert *alert)
{
	char *json = nj_alert_json(alert);
	assert_non_null(json);
	assert_null(strchr(json, '\n'));
	fprintf(file, "%s\n", json);
	free(json);
}

static void write_extremes(void)
{
	struct nj_alert alert = {.id = UINT64_MAX,
				 .time_ns = 1,
				 .start_ns = 0,
				 .end_ns = UINT64_MAX / 2,
				 .severity = NJ_SEVERITY_CRITICAL};
	alert.agent.segment = nj_segment_make(NJ_SEGMENT_QINQ, 100 << 12 | 7);
	alert.p = exp(NJ_LN_P_MIN);
	alert.score = -NJ_LN_P_MIN / M_LN10;
	memset(alert.agent_name, 'n', sizeof alert.agent_name - 1);
	memset(alert.client, 'c', sizeof alert.client - 1);
	strcpy(alert.detector, "decoy");
	memset(alert.summary, '"', sizeof alert.summary - 1);
	strcpy(alert.visibility.baseline, "own history and prior");
	strcpy(alert.sensor, "s");
	alert.merged = UINT32_MAX;
	alert.queued = true;
	for (int i = 0; i < 20; i++) {
		struct nj_alert_peer peer = {.addr = sample_addr_plus("198.51.100.0", i),
					     .port = (uint16_t)(65535 - i),
					     .protocol = (uint8_t)(6 + i % 2 * 249)};
		memset(peer.name, 255, sizeof peer.name);
		peer.bytes_out = UINT64_MAX;
		nj_alert_add_feature(&alert, "a_feature", "B", i == 3 ? INFINITY : i, NAN, -INFINITY, 0.5);
		nj_alert_add_peer(&alert, &alert.agent, &peer, 40000);
		nj_alert_add_technique(&alert, "AML.T0086");
	}
	assert_int_equal(alert.features_n, NJ_ALERT_FEATURES_MAX);
	assert_int_equal(alert.peers_n, NJ_ALERT_PEERS_MAX);
	assert_int_equal(alert.techniques_n, NJ_ALERT_TECHNIQUES_MAX);
	write_alert(&alert);
}

/* One alert of each detector that a few synthetic rounds can raise. */
static void write_raised(void)
{
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
	for (uint32_t i = 0; i < 200; i++)
		sample_contact(w, sample_addr_plus("10.20.2.0", i), 445, 6, SAMPLE_REFUSED);
	w = sample_window(b, sample_addr("2001:db8::5"));
	struct nj_contact *c = sample_contact(w, sample_addr("198.51.100.7"), 443, 6, SAMPLE_ANSWERED);
	strcpy(c->name, "paste.example");
	sample_bytes(w, c, 90000000, 10);
	w = sample_window(b, sample_addr("10.20.1.7"));
	c = sample_contact(w, sample_addr("198.51.100.80"), 8 << 8, 1, SAMPLE_ANSWERED);
	w->features.icmp_echo_out = w->features.icmp_large_out = 200;
	w->features.icmp_payload_bytes_out = 200000;
	w->features.icmp_entropy_mbit = 200 * 7800;
	sample_judge(b, 1);
	assert_true(sample_alerts(b, "scan", NULL) == 1);
	assert_true(sample_alerts(b, "exfil-new-destination", NULL) == 1);
	assert_true(sample_alerts(b, "icmp-tunnel", NULL) == 1);
	for (uint32_t i = 0; i < b->alerts_n; i++)
		write_alert(&b->alerts[i]);
	sample_bench_free(b);
}

static void every_line_fits_the_schema(void **state)
{
	(void)state;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	assert_non_null(file);
	write_extremes();
	write_raised();
	assert_int_equal(fclose(file), 0);
	char command[512];
	snprintf(command, sizeof command, "python3 tests/oracle/alert_schema.py docs/alert.schema.json %s", path);
	int status = system(command);
	unlink(path);
	if (status == 77 << 8) {
		print_message("SKIPPED: python3-jsonschema is not installed\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void severities_have_words(void **state)
{
	(void)state;
	for (int i = NJ_SEVERITY_LOW; i <= NJ_SEVERITY_CRITICAL; i++) {
		enum nj_severity severity;
		assert_true(nj_severity_parse(nj_severity_text((enum nj_severity)i), &severity));
		assert_int_equal(severity, i);
	}
	enum nj_severity untouched = NJ_SEVERITY_HIGH;
	assert_false(nj_severity_parse("", &untouched));
	assert_false(nj_severity_parse("severe", &untouched));
	assert_int_equal(untouched, NJ_SEVERITY_HIGH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_fits_the_schema),
		cmocka_unit_test(severities_have_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
