/* What a run found, gathered for people: the alerts, the traffic over time, the agents with their totals and their
 * course over time, the protocols. Fed by the aggregator's listener (one thread), then read by summary and report.
 * Everything is bounded: time is cut into at most NJ_BINS_MAX bins whose width doubles as the span grows; when the
 * table of agents is full, the quieter half goes and is counted; alerts beyond the cap are counted.
 *
 * Memory: 0.1 MB + AI agents (at most 4096 of 480 B) + alerts (2.5 kB each) + agents (at most 65,536 of 150 B) + points
 * (at most 262,144 of 64 B): 30 MB at the very most. */
#ifndef NJ_CLI_FINDINGS_H
#define NJ_CLI_FINDINGS_H

#include "aggregator/aggregator.h"
#include "aggregator/ai_inventory.h"
#include "aggregator/alert.h"
#include "common/batch.h"
#include "common/window.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_BINS_MAX           720
#define NJ_FINDING_AGENTS_MAX 65536
#define NJ_FINDING_ALERTS_MAX 10000
#define NJ_FINDING_POINTS_MAX 262144
#define NJ_FINDING_AI_MAX     4096
#define NJ_FINDING_APP_SLOTS  1024 /* of the index by name: a power of two, at most a quarter full */
#define NJ_FINDING_APPS_MAX   256

/* The courses kept per agent and bin: X(name, unit, how two windows of a bin join ADD|MOST, words for the plot). */
#define NJ_COURSES(X)                                                                                                  \
	X(bytes_out_external, "B", ADD, "sent to external peers")                                                      \
	X(bytes_in_external, "B", ADD, "received from external peers")                                                 \
	X(bytes_out_internal, "B", ADD, "sent inside")                                                                 \
	X(bytes_in_internal, "B", ADD, "received inside")                                                              \
	X(flows_opened, "flows", ADD, "flows opened")                                                                  \
	X(flows_failed, "flows", ADD, "flows refused or unanswered")                                                   \
	X(contacts, "contacts", MOST, "contacts (peer, port) in a window")                                             \
	X(dns_queries, "queries", ADD, "DNS questions")                                                                \
	X(dns_name_bytes, "B", ADD, "bytes in the names asked for")                                                    \
	X(icmp_payload_bytes_out, "B", ADD, "payload of ICMP echo sent")                                               \
	X(packets_out, "packets", ADD, "packets sent")                                                                 \
	X(requests, "requests", ADD, "requests")                                                                       \
	X(auth_failed, "logins", ADD, "failed logins")

struct nj_evidence;

enum nj_course {
#define NJ_COURSE_ENUM(name, unit, join, words) NJ_COURSE_##name,
	NJ_COURSES(NJ_COURSE_ENUM)
#undef NJ_COURSE_ENUM
		NJ_COURSES_N
};

struct nj_bin {
	uint64_t frames, bytes, dropped;
};

struct nj_point {
	uint32_t bin;
	uint32_t next; /* index + 1 of the agent's next point; 0: last. On the free list: of the next free one */
	float value[NJ_COURSES_N];
};

struct nj_finding_agent {
	struct nj_agent_id id;
	bool used;
	uint32_t alerts;
	uint64_t first_ns, last_ns;
	uint64_t bytes_out, bytes_in;
	uint64_t flows_opened, flows_failed, flows_accepted;
	uint64_t contacts_most;           /* in one window */
	uint32_t point_first, point_last; /* index + 1; 0: none */
};

struct nj_finding_app {
	char name[NJ_APP_TEXT_MAX];
	uint64_t bytes, flows;
};

struct nj_findings {
	struct nj_alert *alerts; /* by severity, p and time once sorted */
	uint32_t alerts_n, alerts_capacity;
	uint64_t alerts_lost; /* beyond the cap */
	uint64_t by_severity[NJ_SEVERITY_CRITICAL + 1];
	uint64_t queued;

	uint64_t window_ns; /* width of an agent window: the first width of a bin; set after init where it is not the
			       default */
	uint64_t origin_ns, bin_ns; /* start and width of bin 0; 0: nothing yet */
	struct nj_bin bins[NJ_BINS_MAX];
	uint32_t bins_n;

	struct nj_finding_agent *agents; /* open addressing, NJ_FINDING_AGENTS_MAX * 2 slots */
	uint32_t agents_n;
	uint64_t agents_dropped;
	bool courses; /* keep points (a report is wanted) */
	struct nj_point *points;
	uint32_t points_n, points_capacity, points_free;
	uint64_t points_lost;

	struct nj_ai_row *ai; /* those that loop first, once sorted */
	uint32_t ai_n, ai_capacity;
	uint64_t ai_lost; /* beyond the cap */

	struct nj_finding_app apps[NJ_FINDING_APPS_MAX];
	uint32_t apps_n;
	uint16_t app_slots[NJ_FINDING_APP_SLOTS]; /* index + 1 into apps; 0: free */
	const struct nj_evidence *evidence;       /* flows by Community ID (cli/evidence.h), borrowed, or NULL */
	uint64_t windows;
	bool failed; /* memory ran out: what is here is incomplete */
};

/* *courses*: also keep each agent's course over time. NJ_ERR_MEMORY. */
NJ_MUST_CHECK int nj_findings_init(struct nj_findings *findings, bool courses);
void nj_findings_fini(struct nj_findings *findings);

/* The four entrances, of the types of struct nj_aggregator_listener. */
void nj_findings_alert(void *findings, const struct nj_alert *alert);
void nj_findings_window(void *findings, const struct nj_window *window);
void nj_findings_ai(void *findings, const struct nj_ai_row *row);
void nj_findings_tick(void *findings, uint64_t start_ns, const struct nj_sensor_account *account);

/* Puts alerts into the order people read them in: severity, p, time, id. And marks the agents that have some. */
void nj_findings_sort(struct nj_findings *findings);

/* Whether any alert is at least this severe. */
bool nj_findings_reach(const struct nj_findings *findings, enum nj_severity severity);

/* The agent's entry, or NULL. *returns borrowed until* the next window. */
const struct nj_finding_agent *nj_findings_agent(const struct nj_findings *findings, const struct nj_agent_id *id);
/* Up to *n* agents by bytes, then by address. Gives how many. */
uint32_t nj_findings_talkers(const struct nj_findings *findings, const struct nj_finding_agent **ret_agents,
			     uint32_t n);
/* The applications by bytes, in place. Comes after the last window. */
void nj_findings_sort_apps(struct nj_findings *findings);

/* A course of an agent as one value a bin, 0 where it was silent: *ret_values* holds NJ_BINS_MAX. */
void nj_findings_course(const struct nj_findings *findings, const struct nj_finding_agent *agent, enum nj_course course,
			double *ret_values);

/* Which course shows what a feature of an alert speaks of; false when none does. */
bool nj_course_of_feature(const char *feature, enum nj_course *ret_course);
const char *nj_course_words(enum nj_course course);
const char *nj_course_unit(enum nj_course course);

#endif
