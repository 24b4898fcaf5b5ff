/* A whole run in one process: sensor thread -> shipper -> inproc link -> aggregator, the code that also runs live. The
 * caller's thread runs the aggregator, so its listener is called there. Used by replay, baseline and evaluate. */
#ifndef NJ_CLI_SESSION_H
#define NJ_CLI_SESSION_H

#include "aggregator/aggregator.h"
#include "cli/reading.h"

struct nj_session_plan {
	const struct nj_arguments *arguments;
	const char *const *paths;
	uint32_t paths_n;
	const struct nj_aggregator_listener *listener;
	void (*flow)(void *context,
		     const struct nj_flow_record *flow); /* or NULL; on the sensor's threads, one at a time */
	void *flow_context;
	const char *store;          /* path or NULL */
	const char *baseline;       /* path or NULL */
	const char *save_baseline;  /* where to write what was learned, or NULL; nothing is alerted then */
	const _Atomic bool *enough; /* or NULL: once true, the rest of the input is left unread */
	bool quiet;                 /* no progress */
	bool damage_untold;         /* nor a line about damage: the caller tells it in its own way */
};

/* Runs to the end. *ret_facts*: account, counts of shipper and aggregator, memory (source and paths are left alone).
 * Damage of inputs is told on console->err and counted in ret_facts->inputs_failed; it is no error. */
NJ_MUST_CHECK int nj_session_run(const struct nj_session_plan *plan, struct nj_console *console,
				 struct nj_message *message, struct nj_facts *ret_facts);

#endif
