/* What nightjar-sensor does once its command line is read: reading files to their end (run_files.c), or watching
 * interfaces until it is told to stop (run_live.c). What both need beside their source is here. */
#ifndef NJ_SENSOR_RUN_H
#define NJ_SENSOR_RUN_H

#include "common/daemon.h"
#include "common/notify.h"
#include "sensor/health.h"
#include "sensor/sensor_config.h"
#include "sensor/sensor_confine.h"
#include "sensor/shipper.h"

struct nj_inventory;
struct nj_sensor_account;

/* Closed whole wherever opening stopped. */
struct nj_run {
	const struct nj_daemon *daemon;
	const struct nj_sensor_config *config;
	struct nj_inventory *inventory;
	struct nj_shipper_options shipper_options;
	struct nj_shipper *shipper;
	struct nj_confine confine;
	struct nj_notify notify;
	struct nj_health_meter meter;
	uint64_t heartbeat_ns; /* of the last one, steady clock */
	uint64_t memory_bytes; /* that the tables may take */
	uint32_t told_failovers;
	uint64_t told_frames, told_ns; /* of the last status, for the rate */
	const char *told_trouble;      /* with the aggregator, or NULL: last logged */
};

/* The inventory, and options for the shipper that the caller completes. */
NJ_MUST_CHECK int nj_run_prepare(struct nj_run *run, const struct nj_daemon *daemon,
				 const struct nj_sensor_config *config, struct nj_message *message);
/* Holds the tables' size against memory_max and tells it. */
NJ_MUST_CHECK int nj_run_weigh(struct nj_run *run, uint64_t source_bytes, struct nj_message *message);
void nj_run_end(struct nj_run *run);

/* The inventory that the configuration names, or the one for none. *returns owned*. */
NJ_MUST_CHECK int nj_run_inventory(const struct nj_sensor_config *config, struct nj_message *message,
				   struct nj_inventory **ret_inventory);

/* In this order: what needs rights is opened; nj_run_confine(); what is written is opened, in the name of its user, and
 * threads are started; nj_run_confine_calls(), which also tells the supervisor that it is ready. */
NJ_MUST_CHECK int nj_run_confine(struct nj_run *run, bool live, struct nj_message *message);
NJ_MUST_CHECK int nj_run_confine_calls(struct nj_run *run, uint64_t now_ns, const char *status,
				       struct nj_message *message);

/* A sign of life from the loop that does the work: when it stands still, the supervisor starts the sensor again.
 * *now_ns* is the monotonic clock. */
void nj_run_alive(struct nj_run *run, uint64_t now_ns, const struct nj_sensor_account *account);
bool nj_run_alive_is_due(const struct nj_run *run, uint64_t now_ns);

/* Every *heartbeat* seconds: how this sensor fares, to the aggregators. *health* holds what the caller knows of its
 * source. */
bool nj_run_heartbeat_is_due(const struct nj_run *run, uint64_t steady_ns);
NJ_MUST_CHECK int nj_run_heartbeat(struct nj_run *run, uint64_t steady_ns, struct nj_sensor_health *health);

/* Law 1 in one line of the log. */
void nj_run_report(const struct nj_run *run, const struct nj_sensor_account *account);

NJ_MUST_CHECK int nj_run_files(const struct nj_daemon *daemon, const struct nj_sensor_config *config,
			       struct nj_message *message);
NJ_MUST_CHECK int nj_run_live(const struct nj_daemon *daemon, const struct nj_sensor_config *config,
			      struct nj_message *message);

#endif
