/* Which files an aggregator may still reach once it runs: those that its configuration names. For the main program,
 * before nj_confine_start(). */
#ifndef NJ_AGGREGATOR_AGGREGATOR_CONFINE_H
#define NJ_AGGREGATOR_AGGREGATOR_CONFINE_H

#include "aggregator/aggregator_config.h"
#include "common/confine.h"

/* *config_path*, *endpoint_path*: the files of --config and --endpoint-file, or NULL. */
void nj_aggregator_confine(const struct nj_aggregator_config *config, const char *config_path,
			   const char *endpoint_path, struct nj_confine *ret_confine);

#endif
