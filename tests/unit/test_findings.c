/* What a run found, gathered: nothing is lost when bins double, the agents' table overflows or the points run out, and
 * order is as promised. */
#include "cli/findings.h"

#include "tests/unit/sample_findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct nj_findings findings;

static void start(bool courses)
{
	assert_int_equal(nj_findings_init(&findings, courses), NJ_OK);
}

static uint64_t frames_in_bins(void)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < findings.bins_n; i++)
		n += findings.bins[i].frames;
	return n;
}

/* A year of ticks goes into the same 720 bins, and so does its traffic. */
static void bins_double_and_keep_everything(void **state)
{
	(void)state;
	start(true);
	uint64_t fed = 0;
	double sent = 0, values[NJ_BINS_MAX];
	for (uint64_t hour = 0; hour < 365 * 24; hour++) {
		struct nj_sensor_account account = {
			.frames_seen = hour % 97 + 1, .frames_decoded = hour % 97 + 1, .bytes_seen = 100};
		fed += account.frames_seen;
		nj_findings_tick(&findings, SAMPLE_START_NS + hour * 3600 * SAMPLE_SECOND, &account);
		sample_window(&findings, (struct nj_agent_id){.addr = sample_addr(10, 0, 0, 1)}, hour * 3600, 1, 0);
		sent += 1;
	}
	assert_true(findings.bins_n <= NJ_BINS_MAX && findings.bins_n > NJ_BINS_MAX / 3);
	assert_int_equal(frames_in_bins(), fed);
	const struct nj_finding_agent *agent =
		nj_findings_agent(&findings, &(struct nj_agent_id){.addr = sample_addr(10, 0, 0, 1)});
	assert_non_null(agent);
	nj_findings_course(&findings, agent, NJ_COURSE_bytes_out_external, values);
	double total = 0;
	for (uint32_t i = 0; i < findings.bins_n; i++)
		total += values[i];
	assert_true(fabs(total - (double)agent->bytes_out) / total < 1e-3); /* courses are floats */
	assert_true(findings.points_n <= NJ_BINS_MAX * 2);
	nj_findings_fini(&findings);
}

/* More agents than the table holds: the loud ones and those with alerts stay, the rest is counted. */
static void the_quiet_half_goes_and_is_counted(void **state)
{
	(void)state;
	start(true);
	struct nj_alert alert;
	sample_common(&alert, 1, "scan", NJ_SEVERITY_LOW, 0.01, 0, 10);
	alert.agent.addr = sample_addr(1, 0, 0, 0); /* the quietest of all */
	nj_findings_alert(&findings, &alert);
	uint32_t n = NJ_FINDING_AGENTS_MAX + 10;
	for (uint32_t i = 0; i < n; i++) {
		struct nj_agent_id id = {.addr = sample_addr(1, i >> 16 & 255, i >> 8 & 255, i & 255)};
		sample_window(&findings, id, 0, 1 + i, 0);
	}
	assert_int_equal(findings.agents_n + findings.agents_dropped, n);
	assert_true(findings.agents_n <= NJ_FINDING_AGENTS_MAX);
	assert_non_null(nj_findings_agent(&findings, &alert.agent));
	assert_null(nj_findings_agent(&findings, &(struct nj_agent_id){.addr = sample_addr(1, 0, 0, 1)}));
	const struct nj_finding_agent *talkers[5];
	assert_int_equal(nj_findings_talkers(&findings, talkers, 5), 5);
	for (unsigned i = 1; i < 5; i++)
		assert_true(talkers[i - 1]->bytes_out + talkers[i - 1]->bytes_in >=
			    talkers[i]->bytes_out + talkers[i]->bytes_in);
	assert_false(findings.failed);
	nj_findings_fini(&findings);
}

static void points_run_out_and_are_counted(void **state)
{
	(void)state;
	start(true);
	uint32_t agents = 40000, windows = 9; /* 360,000 agent bins, more than the points there are */
	for (uint32_t w = 0; w < windows; w++)
		for (uint32_t i = 0; i < agents; i++)
			sample_window(
				&findings,
				(struct nj_agent_id){.addr = sample_addr(2, i >> 16 & 255, i >> 8 & 255, i & 255)},
				w * 10, 1, 0);
	assert_int_equal(findings.points_n, NJ_FINDING_POINTS_MAX);
	assert_int_equal(findings.points_n + findings.points_lost, agents * windows);
	assert_int_equal(findings.windows, agents * windows);
	nj_findings_fini(&findings);
}

static void alerts_are_sorted_counted_and_bounded(void **state)
{
	(void)state;
	start(false);
	sample_findings(&findings, true);
	assert_int_equal(findings.alerts_n, 3);
	assert_int_equal(findings.alerts[0].severity, NJ_SEVERITY_CRITICAL);
	assert_int_equal(findings.alerts[1].severity, NJ_SEVERITY_HIGH);
	assert_true(findings.alerts[2].queued);
	assert_true(nj_findings_reach(&findings, NJ_SEVERITY_CRITICAL));
	struct nj_alert alert;
	sample_scan(&alert);
	for (unsigned i = 0; i < NJ_FINDING_ALERTS_MAX; i++)
		nj_findings_alert(&findings, &alert);
	assert_int_equal(findings.alerts_n, NJ_FINDING_ALERTS_MAX);
	assert_int_equal(findings.alerts_lost, 3);
	assert_int_equal(findings.by_severity[NJ_SEVERITY_HIGH], NJ_FINDING_ALERTS_MAX + 1);
	nj_findings_fini(&findings);
}

/* Names beyond the table are summed in its last row, under a name that says so. */
static void too_many_applications_share_a_row(void **state)
{
	(void)state;
	start(false);
	struct nj_contact contact = {.role = NJ_ROLE_CLIENT, .opened = 1, .bytes_out = 7};
	struct nj_window window = {.agent.addr = sample_addr(10, 0, 0, 1), .contacts = &contact, .contacts_n = 1};
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 300; i++) {
			snprintf(contact.app, sizeof contact.app, "App%u", i);
			nj_findings_window(&findings, &window);
		}
	}
	assert_int_equal(findings.apps_n, NJ_FINDING_APPS_MAX);
	nj_findings_sort_apps(&findings);
	assert_string_equal(findings.apps[0].name, "others");
	assert_int_equal(findings.apps[0].flows, 2 * (300 - (NJ_FINDING_APPS_MAX - 1)));
	assert_int_equal(findings.apps[1].flows, 2);
	assert_int_equal(findings.apps[1].bytes, 14);
	nj_findings_fini(&findings);
}

static void severities_are_reached_from_above_only(void **state)
{
	(void)state;
	start(false);
	struct nj_alert alert;
	sample_scan(&alert);
	nj_findings_alert(&findings, &alert);
	assert_true(nj_findings_reach(&findings, NJ_SEVERITY_LOW));
	assert_true(nj_findings_reach(&findings, NJ_SEVERITY_HIGH));
	assert_false(nj_findings_reach(&findings, NJ_SEVERITY_CRITICAL));
	nj_findings_fini(&findings);
}

/* The features detectors explain themselves with, and which of them a course over time can show. */
static void features_find_their_course(void **state)
{
	static const struct {
		const char *feature;
		enum nj_course course;
	} shown[] = {
		{"first_contacts_failed", NJ_COURSE_flows_failed},
		{"fail_ratio", NJ_COURSE_flows_failed},
		{"peers", NJ_COURSE_contacts},
		{"ports", NJ_COURSE_contacts},
		{"bytes_out_external", NJ_COURSE_bytes_out_external},
		{"bytes_out_new_peers", NJ_COURSE_bytes_out_external},
		{"pcr_external", NJ_COURSE_bytes_out_external},
		{"dns_information_top", NJ_COURSE_dns_name_bytes},
		{"auth_failed", NJ_COURSE_auth_failed},
		{"response_mode_share", NJ_COURSE_requests},
		{"icmp_entropy", NJ_COURSE_icmp_payload_bytes_out},
		{"beacon_score", NJ_COURSE_flows_opened},
	};
	enum nj_course course;
	(void)state;
	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
		assert_true(nj_course_of_feature(shown[i].feature, &course));
		assert_int_equal(course, shown[i].course);
	}
	assert_false(nj_course_of_feature("agents_using_it", &course));
	assert_false(nj_course_of_feature("decoy_hits", &course));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bins_double_and_keep_everything),
		cmocka_unit_test(the_quiet_half_goes_and_is_counted),
		cmocka_unit_test(points_run_out_and_are_counted),
		cmocka_unit_test(alerts_are_sorted_counted_and_bounded),
		cmocka_unit_test(severities_are_reached_from_above_only),
		cmocka_unit_test(features_find_their_course),
		cmocka_unit_test(too_many_applications_share_a_row),
	};
	return cmocka_run_group_tests_name("findings", tests, NULL, NULL);
}
