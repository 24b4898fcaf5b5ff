/* What is known about a run beside its findings: what was read, how it went, what came out where. Filled by the verb,
 * read by summary and report. */
#ifndef NJ_CLI_FACTS_H
#define NJ_CLI_FACTS_H

#include "aggregator/aggregator.h"
#include "common/batch.h"
#include "sensor/shipper.h"

#include <stdint.h>

struct nj_facts {
	const char *source; /* what was read, as the operands of a shell command; "FILE..." when too long or not to be
			       had again */
	const char *again;  /* the options that change what is found, and source: what follows "nightjar replay" */
	uint32_t inputs_n, inputs_failed;
	uint64_t first_ns, last_ns;       /* of the packets */
	struct nj_sensor_account account; /* over the whole run */
	uint64_t frames;                  /* the source gave */
	uint64_t filtered;                /* packets the --bpf filter left out */
	uint64_t clock_jumps;             /* frames whose absurd time was put right */
	struct nj_shipper_counts shipped;
	struct nj_aggregator_counts counts;
	uint32_t window_ms;
	uint64_t memory_bytes;                /* of all tables: the most this run could take */
	double budget;                        /* alerts a day */
	const char *baseline;                 /* path, or NULL for the shipped prior */
	const char *report, *extract, *store; /* paths written, or NULL */
	bool interrupted;
};

#endif
