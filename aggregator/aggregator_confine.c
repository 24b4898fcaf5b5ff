/* One line an option that holds a path. Who adds such an option adds its line here: without it the file cannot be
 * opened any more once the aggregator runs. */
#include "aggregator/aggregator_confine.h"

void nj_aggregator_confine(const struct nj_aggregator_config *config, const char *config_path,
			   const char *endpoint_path, struct nj_confine *ret_confine)
{
	nj_confine_init(ret_confine, NJ_SECCOMP_AGGREGATOR);
	if (config_path != NULL)
		nj_confine_allow_beside(ret_confine, config_path, false);
	if (endpoint_path != NULL)
		nj_confine_allow_beside(ret_confine, endpoint_path, true);
	nj_confine_allow_beside(ret_confine, config->inventory, false);
	nj_confine_allow_beside(ret_confine, config->baseline, false);
	nj_confine_allow(ret_confine, config->secret_key, false);
	nj_confine_allow_beside(ret_confine, config->authorized_sensors, false); /* folders are replaced, too */
	nj_confine_allow_beside(ret_confine, config->journal, true);
	nj_confine_allow_beside(ret_confine, config->store, true);
	nj_confine_allow_beside(ret_confine, config->alerts_file, true);
	nj_confine_allow_endpoint(ret_confine, config->listen, true);
}
