/* Every counter of a run as one JSON object in a file: for scripts, and for the test that nothing vanishes between two
 * of them (law 1). */
#ifndef NJ_CLI_TALLY_H
#define NJ_CLI_TALLY_H

#include "cli/facts.h"
#include "common/error.h"

/* Members are the modules, theirs the counters. NJ_ERR_IO, NJ_ERR_MEMORY with a message. */
NJ_MUST_CHECK int nj_tally_write(const char *path, const struct nj_facts *facts, struct nj_message *message);

#endif
