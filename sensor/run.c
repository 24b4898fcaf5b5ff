/* See run.h. */
#include "sensor/run.h"

#include "common/batch.h"
#include "common/inventory.h"
#include "common/log.h"

#include <stdio.h>
#include <time.h>

static uint64_t clock_of(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

int nj_run_inventory(const struct nj_sensor_config *config, struct nj_message *message,
		     struct nj_inventory **ret_inventory)
{
	return config->inventory[0] != '\0' ? nj_inventory_load(config->inventory, message, ret_inventory)
					    : nj_inventory_new(ret_inventory);
}

int nj_run_prepare(struct nj_run *run, const struct nj_daemon *daemon, const struct nj_sensor_config *config,
		   struct nj_message *message)
{
	*run = (struct nj_run){.daemon = daemon, .config = config};
	nj_sensor_config_shipper(config, &run->shipper_options);
	nj_health_open(&run->meter, clock_of(CLOCK_MONOTONIC));
	int err = nj_shipper_check(&run->shipper_options, message);
	return err == NJ_OK ? nj_run_inventory(config, message, &run->inventory) : err;
}

int nj_run_weigh(struct nj_run *run, uint64_t source_bytes, struct nj_message *message)
{
	const struct nj_sensor_config *config = run->config;
	uint64_t bytes = run->memory_bytes = source_bytes + nj_shipper_memory_bytes(&run->shipper_options);
	if (bytes > config->memory_max)
		return nj_fail(message, NJ_ERR_USAGE,
			       "the tables could take %.0f MB and memory_max allows %.0f MB: lower flows_max, workers, "
			       "ring_bytes or journal_bytes_max, or raise it",
			       (double)bytes / 1e6, (double)config->memory_max / 1e6);
	if (run->daemon->check)
		printf("configuration is good; memory is bounded by %.0f MB\n", (double)bytes / 1e6);
	else
		nj_log(NJ_LOG_NOTICE, "sensor %s delivers to %s, memory bounded by %.0f MB", config->sensor,
		       config->aggregator.text[0], (double)bytes / 1e6);
	return NJ_OK;
}

int nj_run_confine(struct nj_run *run, bool live, struct nj_message *message)
{
	nj_sensor_confine(run->config, run->daemon->config_path, live, &run->confine);
	return nj_confine_start(&run->confine, run->config->user, run->config->landlock, message);
}

int nj_run_confine_calls(struct nj_run *run, uint64_t now_ns, const char *status, struct nj_message *message)
{
	char text[800];
	int err = nj_confine_finish(&run->confine, run->config->seccomp, message);
	if (err < 0)
		return err;
	nj_confine_text(&run->confine, text, sizeof text);
	nj_log(NJ_LOG_NOTICE, "confined to %s", text);
	if (run->confine.privilege.is_root)
		nj_log(NJ_LOG_WARNING,
		       "it runs as root, without the powers of root; --set user=NAME names a better user");
	if (nj_shipper_notice(run->shipper)[0] != '\0')
		nj_log(NJ_LOG_WARNING, "%s", nj_shipper_notice(run->shipper));
	run->told_ns = now_ns;
	nj_notify_init(&run->notify, now_ns);
	nj_notify_ready(status);
	return NJ_OK;
}

bool nj_run_alive_is_due(const struct nj_run *run, uint64_t now_ns)
{
	return nj_notify_is_due(&run->notify, now_ns);
}

/* Once when it begins, and once when it is over. */
static void tell_trouble(struct nj_run *run)
{
	const char *trouble = nj_shipper_trouble(run->shipper);
	if (trouble == run->told_trouble)
		return;
	if (trouble != NULL)
		nj_log(NJ_LOG_WARNING, "cannot deliver to %s: %s", nj_shipper_aggregator(run->shipper), trouble);
	else
		nj_log(NJ_LOG_NOTICE, "%s lets this sensor in", nj_shipper_aggregator(run->shipper));
	run->told_trouble = trouble;
}

void nj_run_alive(struct nj_run *run, uint64_t now_ns, const struct nj_sensor_account *account)
{
	char status[256];
	struct nj_shipper_counts c = nj_shipper_counts(run->shipper);
	double seconds = (double)(now_ns - run->told_ns) / 1e9;
	snprintf(status, sizeof status,
		 "%.0f packets/s, %llu of %llu dropped; %llu windows shipped, %llu spooled, %llu dropped",
		 seconds > 0 ? (double)(account->frames_seen - run->told_frames) / seconds : 0,
		 (unsigned long long)(account->frames_seen - account->frames_decoded),
		 (unsigned long long)account->frames_seen, (unsigned long long)c.windows_shipped,
		 (unsigned long long)c.windows_spooled,
		 (unsigned long long)(c.windows_dropped_full + c.windows_dropped_error));
	run->told_frames = account->frames_seen;
	run->told_ns = now_ns;
	nj_notify_alive(&run->notify, now_ns, status);
	tell_trouble(run);
}

bool nj_run_heartbeat_is_due(const struct nj_run *run, uint64_t steady_ns)
{
	return steady_ns - run->heartbeat_ns >= run->config->heartbeat * 1000000000ull;
}

int nj_run_heartbeat(struct nj_run *run, uint64_t steady_ns, struct nj_sensor_health *health)
{
	uint64_t failovers = nj_shipper_counts(run->shipper).failovers;
	if (failovers != run->told_failovers)
		nj_log(NJ_LOG_WARNING, "delivers to %s from now on", nj_shipper_aggregator(run->shipper));
	run->told_failovers = (uint32_t)failovers;
	run->heartbeat_ns = steady_ns;
	nj_health_measure(&run->meter, steady_ns, clock_of(CLOCK_PROCESS_CPUTIME_ID), health);
	health->memory_bound_bytes = run->memory_bytes;
	health->sent_ns = clock_of(CLOCK_REALTIME);
	return nj_shipper_heartbeat(run->shipper, health);
}

void nj_run_end(struct nj_run *run)
{
	nj_health_close(&run->meter);
	nj_shipper_free(&run->shipper);
	nj_inventory_free(&run->inventory);
}

void nj_run_report(const struct nj_run *run, const struct nj_sensor_account *account)
{
	struct nj_shipper_counts c = nj_shipper_counts(run->shipper);
	nj_log(NJ_LOG_NOTICE,
	       "%llu frames seen = %llu decoded + %llu dropped; %llu windows = %llu shipped + %llu spooled + %llu "
	       "dropped; %llu batches sent (%llu again), %llu bytes",
	       (unsigned long long)account->frames_seen, (unsigned long long)account->frames_decoded,
	       (unsigned long long)(account->frames_seen - account->frames_decoded),
	       (unsigned long long)c.windows_taken, (unsigned long long)c.windows_shipped,
	       (unsigned long long)c.windows_spooled,
	       (unsigned long long)(c.windows_dropped_full + c.windows_dropped_error),
	       (unsigned long long)c.batches_sent, (unsigned long long)c.batches_resent,
	       (unsigned long long)c.bytes_sent);
}
