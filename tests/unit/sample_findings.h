/* A made-up run for the tests of summary and report: three alerts of different severity, one of them over budget,
 * hostile names among them, and an hour of traffic of a handful of agents. Everything is computed from constants: the
 * same bytes each time. */
#ifndef NJ_TESTS_SAMPLE_FINDINGS_H
#define NJ_TESTS_SAMPLE_FINDINGS_H

#include "cli/facts.h"
#include "cli/findings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SAMPLE_START_NS 1795550400000000000u /* 2026-11-24T20:00:00Z */
#define SAMPLE_SECOND   1000000000u
#define SAMPLE_HOSTILE  "</script><img src=x onerror=alert(1)>\x1b[31m.example"

static inline struct nj_addr sample_addr(unsigned a, unsigned b, unsigned c, unsigned d)
{
	uint8_t byte[4] = {(uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d};
	return nj_addr_v4(byte);
}

static inline void sample_feature(struct nj_alert *alert, const char *name, const char *unit, double value,
				  double usual, double peers, double share)
{
	struct nj_alert_feature *feature = &alert->features[alert->features_n++];
	snprintf(feature->name, sizeof feature->name, "%s", name);
	snprintf(feature->unit, sizeof feature->unit, "%s", unit);
	feature->value = value;
	feature->usual = usual;
	feature->peers = peers;
	feature->share = share;
}

static inline void sample_peer(struct nj_alert *alert, struct nj_addr addr, uint16_t port, uint8_t protocol,
			       const char *name, uint64_t out, uint64_t in)
{
	struct nj_alert_peer *peer = &alert->peers[alert->peers_n++];
	*peer = (struct nj_alert_peer){
		.addr = addr, .port = port, .protocol = protocol, .bytes_out = out, .bytes_in = in};
	snprintf(peer->name, sizeof peer->name, "%s", name);
}

static inline void sample_common(struct nj_alert *alert, uint64_t id, const char *detector, enum nj_severity severity,
				 double p, uint64_t start_s, uint64_t end_s)
{
	memset(alert, 0, sizeof *alert);
	alert->id = id;
	snprintf(alert->detector, sizeof alert->detector, "%s", detector);
	alert->severity = severity;
	alert->p = p;
	alert->score = -log10(p);
	alert->start_ns = SAMPLE_START_NS + start_s * SAMPLE_SECOND;
	alert->end_ns = SAMPLE_START_NS + end_s * SAMPLE_SECOND;
	alert->time_ns = alert->end_ns;
	snprintf(alert->visibility.baseline, sizeof alert->visibility.baseline, "prior");
	snprintf(alert->sensor, sizeof alert->sensor, "replay");
}

static inline void sample_scan(struct nj_alert *alert)
{
	sample_common(alert, 0x51ab03c2d4e5f607, "scan", NJ_SEVERITY_HIGH, 3.2e-9, 1210, 1455);
	alert->time_ns = SAMPLE_START_NS + 1222 * (uint64_t)SAMPLE_SECOND;
	alert->agent.addr = sample_addr(10, 20, 1, 5);
	snprintf(alert->agent_name, sizeof alert->agent_name, "build-7");
	snprintf(alert->technique[0], 16, "T1046");
	snprintf(alert->technique[1], 16, "T1018");
	alert->techniques_n = 2;
	snprintf(alert->summary, sizeof alert->summary,
		 "Tried port 445 on 1,203 hosts of 10.20.0.0/16 in 4 min; 1,187 of them refused or did not answer, "
		 "where 2 in 100 is usual.");
	sample_feature(alert, "first_contacts_failed", "contacts", 1187, 2, 1, 0.71);
	sample_feature(alert, "fail_ratio", "0..1", 0.986, 0.02, 0.03, 0.22);
	sample_feature(alert, "networks_24h", "networks", 61, 3, NAN, 0.07);
	for (unsigned i = 0; i < 6; i++)
		sample_peer(alert, sample_addr(10, 20, i, 17), 445, 6, i == 2 ? "files.corp.example" : "",
			    i == 2 ? 18432 : 0, i == 2 ? 92160 : 0);
	snprintf(alert->flows[0], 32, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	snprintf(alert->flows[1], 32, "1:wCb3OG7yAFWelaUydu0D+125CLM=");
	alert->flows_n = 2;
	alert->visibility.dropped_share = 0.0004;
	alert->visibility.one_sided_share = 0.12;
}

static inline void sample_exfil(struct nj_alert *alert)
{
	sample_common(alert, 0x9c00ffee12345678, "exfil-new-destination", NJ_SEVERITY_CRITICAL, 4e-13, 2400, 2710);
	alert->agent.addr = sample_addr(10, 20, 7, 31);
	alert->agent.segment = nj_segment_make(NJ_SEGMENT_VLAN, 20);
	snprintf(alert->client, sizeof alert->client, "ja4 t13d1516h2_8daaf6152771_e5627efa2ab1");
	snprintf(alert->technique[0], 16, "T1567.002");
	alert->techniques_n = 1;
	snprintf(alert->summary, sizeof alert->summary,
		 "Sent 412 MB in 5 min to %s, which no agent had contacted before; this agent usually sends 1.1 MB in "
		 "that time.",
		 SAMPLE_HOSTILE);
	sample_feature(alert, "bytes_out_new_peers", "B", 4.12e8, 1.1e6, 2.4e6, 0.64);
	sample_feature(alert, "bytes_out_external", "B", 4.31e8, 3.9e6, 8e6, 0.3);
	sample_feature(alert, "pcr_external", "1", 0.97, -0.55, -0.5, 0.06);
	sample_peer(alert, sample_addr(203, 0, 113, 77), 443, 6, SAMPLE_HOSTILE, 412000000, 1830000);
	snprintf(alert->flows[0], 32, "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0=");
	alert->flows_n = 1;
	alert->visibility.baseline_age_s = 2400;
	snprintf(alert->visibility.baseline, sizeof alert->visibility.baseline, "own history and prior");
}

static inline void sample_beacon(struct nj_alert *alert)
{
	sample_common(alert, 0x0be0c0de00000001, "beacon", NJ_SEVERITY_LOW, 0.0021, 300, 3590);
	alert->agent.addr = sample_addr(10, 20, 7, 40);
	alert->queued = true;
	alert->merged = 3;
	snprintf(alert->technique[0], 16, "T1071.001");
	alert->techniques_n = 1;
	snprintf(alert->summary, sizeof alert->summary,
		 "Called 198.51.100.9 on 443/tcp 55 times, every 60 s give or take 2 s, with requests of nearly one "
		 "size.");
	sample_feature(alert, "beacon_period", "s", 60, NAN, NAN, 0.2);
	sample_feature(alert, "beacon_score", "0..1", 0.93, 0.2, 0.3, 0.8);
	sample_peer(alert, sample_addr(198, 51, 100, 9), 443, 6, "", 24200, 31000);
}

/* A window of *agent* with a course that swings a little; *burst* multiplies it. */
static inline void sample_window(struct nj_findings *findings, struct nj_agent_id agent, uint64_t second, double burst,
				 unsigned failed)
{
	struct nj_contact contact = {
		.peer = sample_addr(10, 20, 0, 53), .port = 443, .protocol = 6, .role = NJ_ROLE_CLIENT, .opened = 3};
	struct nj_window window = {.agent = agent,
				   .start_ns = SAMPLE_START_NS + second * SAMPLE_SECOND,
				   .width_ms = 10000,
				   .contacts = &contact,
				   .contacts_n = 1};
	double swing = 1 + 0.5 * sin((double)second / 97.0 + agent.addr.byte[15]);
	snprintf(contact.app, sizeof contact.app, "%s",
		 second % 30 == 0               ? "TLS.Google"
		 : agent.addr.byte[15] % 2 == 0 ? "TLS"
						: "DNS");
	window.features.bytes_out_external = (uint64_t)(30000 * swing * burst);
	window.features.bytes_in_external = (uint64_t)(90000 * swing);
	window.features.flows_opened = (uint64_t)(4 * swing) + failed;
	window.features.flows_unanswered = failed;
	window.features.contacts_rest = failed;
	window.features.packets_out = (uint64_t)(60 * swing);
	contact.bytes_out = window.features.bytes_out_external;
	contact.bytes_in = window.features.bytes_in_external;
	nj_findings_window(findings, &window);
}

static inline void sample_traffic(struct nj_findings *findings)
{
	for (uint64_t second = 0; second < 3600; second += 10) {
		struct nj_sensor_account account = {.frames_seen = 900 + second % 70,
						    .bytes_seen = 700000 + (second * 7919) % 300000};
		account.frames_decoded = account.frames_seen - (second == 1200 ? 12 : 0);
		bool scan = second >= 1210 && second < 1460, exfil = second >= 2400 && second < 2710;
		account.bytes_seen += exfil ? 13000000 : 0;
		nj_findings_tick(findings, SAMPLE_START_NS + second * SAMPLE_SECOND, &account);
		sample_window(findings, (struct nj_agent_id){.addr = sample_addr(10, 20, 1, 5)}, second, 1,
			      scan ? 47 : 0);
		sample_window(findings,
			      (struct nj_agent_id){.addr = sample_addr(10, 20, 7, 31),
						   .segment = nj_segment_make(NJ_SEGMENT_VLAN, 20)},
			      second, exfil ? 440 : 1, 0);
		if (second % 60 == 0)
			sample_window(findings, (struct nj_agent_id){.addr = sample_addr(10, 20, 7, 40)}, second, 0.02,
				      0);
	}
}

static inline void sample_findings(struct nj_findings *findings, bool with_alerts)
{
	struct nj_alert alert;
	sample_traffic(findings);
	if (with_alerts) {
		sample_beacon(&alert);
		nj_findings_alert(findings, &alert);
		sample_scan(&alert);
		nj_findings_alert(findings, &alert);
		sample_exfil(&alert);
		nj_findings_alert(findings, &alert);
	}
	nj_findings_sort(findings);
	nj_findings_sort_apps(findings);
}

static inline void sample_drop(struct nj_facts *facts, const char *name, uint64_t frames)
{
	struct nj_drop_count *drop = &facts->account.drops[facts->account.drops_n++];
	snprintf(drop->name, sizeof drop->name, "%s", name);
	drop->frames = frames;
}

static inline void sample_facts(struct nj_facts *facts)
{
	memset(facts, 0, sizeof *facts);
	facts->source = "tap-a.pcapng tap-b.pcap.gz";
	facts->again = "--budget 5 tap-a.pcapng tap-b.pcap.gz";
	facts->inputs_n = 2;
	facts->inputs_failed = 1;
	facts->first_ns = SAMPLE_START_NS + 1250000;
	facts->last_ns = SAMPLE_START_NS + 3599 * (uint64_t)SAMPLE_SECOND;
	facts->account.frames_seen = 336120;
	facts->account.frames_decoded = 336108;
	facts->account.bytes_seen = 712345678;
	facts->account.flows_opened = 12034;
	facts->account.flows_one_sided = 1187;
	facts->account.clock_clamps = 3;
	sample_drop(facts, "truncated", 9);
	sample_drop(facts, "non_ip", 3);
	facts->memory_bytes = 212500000;
	facts->window_ms = 10000;
	facts->budget = 5;
}

#endif
