/* One line an option that holds a path. Who adds such an option adds its line here: without it the file cannot be
 * opened any more once the sensor runs, only at the start. */
#include "sensor/sensor_confine.h"

void nj_sensor_confine(const struct nj_sensor_config *config, const char *config_path, bool live,
		       struct nj_confine *ret_confine)
{
	nj_confine_init(ret_confine, live ? NJ_SECCOMP_SENSOR_LIVE : NJ_SECCOMP_SENSOR);
	if (!live)
		nj_confine_allow(ret_confine, "/", false);
	if (config_path != NULL)
		nj_confine_allow_beside(ret_confine, config_path, false);
	nj_confine_allow_beside(ret_confine, config->inventory, false);
	nj_confine_allow_beside(ret_confine, config->ai_endpoints, false);
	nj_confine_allow_beside(ret_confine, config->journal, true);
	nj_confine_allow(ret_confine, config->secret_key, false);
	for (uint32_t i = 0; i < config->aggregator_key.n; i++)
		nj_confine_allow(ret_confine, config->aggregator_key.text[i], false);
	for (uint32_t i = 0; i < config->aggregator.n; i++)
		nj_confine_allow_endpoint(ret_confine, config->aggregator.text[i], false);
}
