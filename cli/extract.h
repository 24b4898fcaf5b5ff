/* For each alert a pcapng file with just the packets of its evidence: a second pass over the inputs. */
#ifndef NJ_CLI_EXTRACT_H
#define NJ_CLI_EXTRACT_H

#include "cli/findings.h"
#include "common/error.h"
#include "sensor/packet.h"

#include <stdbool.h>

#define NJ_EXTRACT_ALERTS_MAX 256 /* the first of the sorted alerts; one open file each */

struct nj_extract_plan {
	const char *folder; /* made if missing */
	const char *const *paths;
	uint32_t paths_n;
	const char *filter; /* or NULL */
	const struct nj_findings *findings;
};

/* Files are named NN-severity-detector-agent.pcapng in the order of the sorted alerts; *ret_packets*: how many were
 * written in all. */
NJ_MUST_CHECK int nj_extract_run(const struct nj_extract_plan *plan, struct nj_message *message, uint64_t *ret_packets);

/* Whether a packet belongs to the evidence of an alert: between its agent and a listed peer, on the listed port, in its
 * time. What an alert about a sweep lists are examples: any peer on one of the listed ports counts, or, if all are one
 * address, any port of it. Pure. */
bool nj_extract_matches(const struct nj_alert *alert, const struct nj_packet *packet, bool fragment);

#endif
