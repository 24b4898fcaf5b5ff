/* The flows that alerts name, so that the report can say more of each than its Community ID. Which flows an alert will
 * name is not known when they end, so the last of them are all kept in a ring, and looked through once at the end.
 *
 * Memory: NJ_EVIDENCE_FLOWS_MAX of 208 bytes (27 MB), taken as flows come. One writer; reading after the run. */
#ifndef NJ_CLI_EVIDENCE_H
#define NJ_CLI_EVIDENCE_H

#include "aggregator/alert.h"
#include "common/community_id.h"
#include "sensor/sink.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_EVIDENCE_FLOWS_MAX 131072

struct nj_evidence_flow {
	char id[NJ_COMMUNITY_ID_TEXT_MAX];
	uint64_t first_ns, last_ns;
	uint64_t packets, bytes_out, bytes_in;
	struct nj_addr client, server;
	uint16_t client_port, server_port;
	uint8_t protocol, outcome;
	char app[24], name[40]; /* nDPI label; SNI, Host or DNS name, its last characters */
};

struct nj_evidence_entry {
	char id[NJ_COMMUNITY_ID_TEXT_MAX];
	uint32_t flow; /* place in the ring + 1; 0: not there */
};

struct nj_evidence {
	struct nj_evidence_flow *flows; /* ring */
	uint32_t flows_n, flows_capacity;
	uint64_t seen;
	struct nj_evidence_entry *index; /* the flows that alerts name, by id */
	uint32_t index_n;
	bool failed;
};

/* Fits struct nj_reading_plan's flow. */
void nj_evidence_flow(void *evidence, const struct nj_flow_record *flow);

/* Looks through what was kept for the flows of these alerts. Of several records of one flow the largest is taken.
 * NJ_ERR_MEMORY. */
NJ_MUST_CHECK int nj_evidence_index(struct nj_evidence *evidence, const struct nj_alert *alerts, uint32_t alerts_n);

/* *returns borrowed until* fini; NULL: no alert names it, or it is no longer (or not yet, when the run was cut) there.
 */
const struct nj_evidence_flow *nj_evidence_find(const struct nj_evidence *evidence, const char *id);

void nj_evidence_fini(struct nj_evidence *evidence);

const char *nj_outcome_text(uint8_t outcome); /* of enum nj_outcome; *returns borrowed* static text */

#endif
