/* Which packets are an alert's evidence. */
#include "cli/extract.h"

#include "tests/unit/sample_findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct nj_packet packet_between(struct nj_addr src, uint16_t src_port, struct nj_addr dst, uint16_t dst_port,
				       uint64_t second)
{
	return (struct nj_packet){.t_ns = SAMPLE_START_NS + second * SAMPLE_SECOND,
				  .src = src,
				  .dst = dst,
				  .src_port = src_port,
				  .dst_port = dst_port,
				  .protocol = NJ_PROTOCOL_TCP};
}

static bool matches(const struct nj_alert *alert, struct nj_packet packet)
{
	return nj_extract_matches(alert, &packet, false);
}

static void both_directions_of_a_listed_peer(void **state)
{
	(void)state;
	struct nj_alert alert;
	sample_scan(&alert);
	strcpy(alert.detector, "exfil-volume"); /* no sweep: just who is listed */
	struct nj_addr agent = sample_addr(10, 20, 1, 5), peer = sample_addr(10, 20, 3, 17);
	assert_true(matches(&alert, packet_between(agent, 40000, peer, 445, 1300)));
	assert_true(matches(&alert, packet_between(peer, 445, agent, 40000, 1300)));
	assert_false(matches(&alert, packet_between(agent, 40000, peer, 80, 1300)));
	assert_false(matches(&alert, packet_between(agent, 40000, sample_addr(10, 20, 9, 9), 445, 1300)));
	assert_false(matches(&alert, packet_between(peer, 40000, sample_addr(10, 20, 0, 17), 445, 1300)));
}

static void only_in_its_time_segment_and_protocol(void **state)
{
	(void)state;
	struct nj_alert alert;
	sample_scan(&alert);
	struct nj_packet packet =
		packet_between(sample_addr(10, 20, 1, 5), 40000, sample_addr(10, 20, 3, 17), 445, 1300);
	assert_true(matches(&alert, packet));
	packet.t_ns = alert.start_ns - 1;
	assert_false(matches(&alert, packet));
	packet.t_ns = alert.end_ns + 1;
	assert_false(matches(&alert, packet));
	packet.t_ns = alert.end_ns;
	packet.segment = nj_segment_make(NJ_SEGMENT_VLAN, 3);
	assert_false(matches(&alert, packet));
	packet.segment = 0;
	packet.protocol = NJ_PROTOCOL_UDP;
	assert_false(matches(&alert, packet));
}

/* Of a sweep only examples are listed: peers on a port stand for all on it, ports of one address for all of its ports.
 */
static void examples_stand_for_more(void **state)
{
	(void)state;
	struct nj_alert alert;
	sample_scan(&alert);
	alert.peers_n = 0;
	for (unsigned i = 0; i < NJ_ALERT_PEERS_MAX; i++)
		sample_peer(&alert, sample_addr(10, 20, i, 1), 445, NJ_PROTOCOL_TCP, "", 0, 0);
	struct nj_addr agent = sample_addr(10, 20, 1, 5), other = sample_addr(10, 20, 200, 1);
	assert_true(matches(&alert, packet_between(agent, 40000, other, 445, 1300)));
	assert_false(matches(&alert, packet_between(agent, 40000, other, 22, 1300)));
	alert.peers_n = 0;
	for (unsigned i = 0; i < NJ_ALERT_PEERS_MAX; i++)
		sample_peer(&alert, sample_addr(10, 20, 7, 7), (uint16_t)(20 + i), NJ_PROTOCOL_TCP, "", 0, 0);
	assert_true(matches(&alert, packet_between(agent, 40000, sample_addr(10, 20, 7, 7), 9999, 1300)));
	assert_false(matches(&alert, packet_between(agent, 40000, other, 9999, 1300)));
	alert.peers_n = 2; /* too few to speak for others */
	assert_false(matches(&alert, packet_between(agent, 40000, sample_addr(10, 20, 7, 7), 9999, 1300)));
}

/* A later fragment has no ports: the addresses must do. */
static void fragments_go_by_address(void **state)
{
	(void)state;
	struct nj_alert alert;
	sample_scan(&alert);
	struct nj_packet packet = packet_between(sample_addr(10, 20, 1, 5), 0, sample_addr(10, 20, 3, 17), 0, 1300);
	assert_false(nj_extract_matches(&alert, &packet, false));
	assert_true(nj_extract_matches(&alert, &packet, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions_of_a_listed_peer),
		cmocka_unit_test(only_in_its_time_segment_and_protocol),
		cmocka_unit_test(examples_stand_for_more),
		cmocka_unit_test(fragments_go_by_address),
	};
	return cmocka_run_group_tests_name("extract", tests, NULL, NULL);
}
