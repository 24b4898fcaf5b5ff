/* Flows found again by the ids that alerts name: the largest record of each, none too many, and none once the ring has
 * passed over it. */
#include "cli/evidence.h"

#include "tests/unit/sample_findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct nj_flow_record flow_number(unsigned n)
{
	struct nj_flow_record flow = {.client = sample_addr(10, n >> 16 & 255, n >> 8 & 255, n & 255),
				      .server = sample_addr(192, 0, 2, 1),
				      .client_port = 40000,
				      .server_port = 443,
				      .protocol = 6,
				      .packets_out = 3,
				      .outcome = NJ_OUTCOME_ANSWERED};
	snprintf(flow.server_name, sizeof flow.server_name, "a\x1b[1m%u.example", n);
	return flow;
}

static void name_flow(struct nj_alert *alert, const struct nj_flow_record *flow)
{
	nj_community_id(0, flow->protocol, &flow->client, &flow->server, flow->client_port, flow->server_port,
			alert->flows[alert->flows_n++]);
}

static void named_flows_are_found(void **state)
{
	(void)state;
	struct nj_evidence evidence = {0};
	struct nj_alert alerts[2];
	memset(alerts, 0, sizeof alerts);
	for (unsigned n = 0; n < 5000; n++) {
		struct nj_flow_record flow = flow_number(n);
		nj_evidence_flow(&evidence, &flow);
	}
	struct nj_flow_record second = flow_number(7), absent = flow_number(9999), arp = flow_number(1);
	second.packets_in = 90; /* the same flow, cut by its age: the larger part is told */
	nj_evidence_flow(&evidence, &second);
	arp.protocol = 254;
	nj_evidence_flow(&evidence, &arp);
	assert_int_equal(evidence.seen, 5001);
	name_flow(&alerts[0], &second);
	name_flow(&alerts[0], &absent);
	name_flow(&alerts[1], &second);
	assert_int_equal(nj_evidence_index(&evidence, alerts, 2), NJ_OK);
	const struct nj_evidence_flow *found = nj_evidence_find(&evidence, alerts[0].flows[0]);
	assert_non_null(found);
	assert_int_equal(found->packets, 93);
	assert_string_equal(found->name, "a?[1m7.example");
	assert_null(nj_evidence_find(&evidence, alerts[0].flows[1]));
	assert_null(nj_evidence_find(&evidence, "1:nothing"));
	assert_null(nj_evidence_find(NULL, "1:nothing"));
	nj_evidence_fini(&evidence);
	nj_evidence_fini(&evidence);
}

static void the_ring_forgets_the_oldest(void **state)
{
	(void)state;
	struct nj_evidence evidence = {0};
	struct nj_alert alert;
	memset(&alert, 0, sizeof alert);
	for (unsigned n = 0; n < NJ_EVIDENCE_FLOWS_MAX + 10; n++) {
		struct nj_flow_record flow = flow_number(n);
		nj_evidence_flow(&evidence, &flow);
	}
	struct nj_flow_record gone = flow_number(9), kept = flow_number(10),
			      last = flow_number(NJ_EVIDENCE_FLOWS_MAX + 9);
	name_flow(&alert, &gone);
	name_flow(&alert, &kept);
	name_flow(&alert, &last);
	assert_int_equal(evidence.flows_n, NJ_EVIDENCE_FLOWS_MAX);
	assert_int_equal(nj_evidence_index(&evidence, &alert, 1), NJ_OK);
	assert_null(nj_evidence_find(&evidence, alert.flows[0]));
	assert_non_null(nj_evidence_find(&evidence, alert.flows[1]));
	assert_non_null(nj_evidence_find(&evidence, alert.flows[2]));
	nj_evidence_fini(&evidence);
}

static void no_flows_no_alerts(void **state)
{
	(void)state;
	struct nj_evidence evidence = {0};
	assert_int_equal(nj_evidence_index(&evidence, NULL, 0), NJ_OK);
	assert_null(nj_evidence_find(&evidence, "1:x"));
	nj_evidence_fini(&evidence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(named_flows_are_found),
		cmocka_unit_test(the_ring_forgets_the_oldest),
		cmocka_unit_test(no_flows_no_alerts),
	};
	return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}
