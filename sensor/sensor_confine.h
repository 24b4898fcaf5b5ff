/* Which files a sensor may still reach once it runs: those that its configuration names. For the main program, before
 * nj_confine_start(). */
#ifndef NJ_SENSOR_SENSOR_CONFINE_H
#define NJ_SENSOR_SENSOR_CONFINE_H

#include "common/confine.h"
#include "sensor/sensor_config.h"

/* *config_path*: the file it was read from, or NULL. *live*: captures from interfaces; otherwise it reads what files it
 * is given, wherever folders and links among them lead, so reading stays open everywhere. */
void nj_sensor_confine(const struct nj_sensor_config *config, const char *config_path, bool live,
		       struct nj_confine *ret_confine);

#endif
