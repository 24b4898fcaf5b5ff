/* nightjar-sensor --read: steps the pipeline until the files end or a signal comes, and waits for the last
 * acknowledgement. A file can be read again, so many windows may share a synchronisation of the disk, and a full
 * journal holds reading up. */
#include "common/inventory.h"
#include "common/log.h"
#include "sensor/capture.h"
#include "sensor/pipeline.h"
#include "sensor/reading.h"
#include "sensor/run.h"

#include <time.h>

#define FRAMES_A_STEP 8192
#define COMMIT_TICKS  64

struct files {
	struct nj_run run;
	struct nj_pipeline_options options;
	struct nj_capture *capture;
	struct nj_pipeline *pipeline;
};

static uint64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static int open_parts(struct files *f, struct nj_message *message)
{
	const struct nj_sensor_config *config = f->run.config;
	const struct nj_capture_inputs inputs = {.paths = f->run.daemon->operands,
						 .paths_n = f->run.daemon->operands_n,
						 .filter = config->bpf[0] != '\0' ? config->bpf : NULL};
	int err = nj_capture_open_files(&inputs, message, &f->capture);
	if (err == NJ_OK) {
		f->run.shipper_options.reading = nj_reading_of(f->capture, config);
		err = nj_run_confine(&f->run, false, message);
	}
	if (err == NJ_OK)
		err = nj_shipper_new(&f->run.shipper_options, message, &f->run.shipper);
	if (err < 0)
		return err;
	struct nj_window_sink sink = nj_shipper_sink(f->run.shipper);
	err = nj_pipeline_new(&f->options, f->capture, &sink, NULL, NULL, message, &f->pipeline);
	return err == NJ_OK ? nj_run_confine_calls(&f->run, monotonic_ns(), "reading", message) : err;
}

static void tell_supervisor(struct files *f)
{
	struct nj_pipeline_totals totals;
	uint64_t now_ns = monotonic_ns();
	if (!nj_run_alive_is_due(&f->run, now_ns))
		return;
	nj_pipeline_totals(f->pipeline, &totals);
	nj_run_alive(&f->run, now_ns, &totals.account);
}

/* A signal ends the capture, not the delivery of what was read. */
static int read_all(struct files *f, struct nj_message *message)
{
	int more = 1;
	while (more > 0) {
		if (nj_daemon_stopping())
			nj_capture_stop(f->capture);
		if (nj_daemon_reload_wanted())
			nj_log(NJ_LOG_NOTICE, "files are read to their end with the configuration they began with");
		tell_supervisor(f);
		more = nj_pipeline_step(f->pipeline, FRAMES_A_STEP, message);
	}
	nj_notify_stopping("waiting for the last acknowledgement");
	int err = more == 0 ? nj_shipper_finish(f->run.shipper) : more;
	if (err < 0 && nj_shipper_message(f->run.shipper)[0] != '\0')
		nj_fail(message, err, "%s", nj_shipper_message(f->run.shipper));
	return err;
}

/* What was readable has been delivered; that something was not is still a failure. */
static int tell_damage(const struct files *f, struct nj_message *message)
{
	struct nj_capture_stats stats;
	struct nj_capture_report file;
	nj_capture_stats(f->capture, &stats);
	for (uint32_t i = 0; i < stats.inputs_n; i++) {
		nj_capture_report(f->capture, i, &file);
		if (file.failed)
			nj_log(NJ_LOG_WARNING, "%s: %s; the %llu frames before it were read", file.path, file.error,
			       (unsigned long long)file.frames);
	}
	if (stats.inputs_failed == 0)
		return NJ_OK;
	return nj_fail(message, NJ_ERR_FORMAT, "%u of %u captures could not be read to the end", stats.inputs_failed,
		       stats.inputs_n);
}

static int run(struct files *f, struct nj_message *message)
{
	struct nj_pipeline_totals totals;
	nj_sensor_config_pipeline(f->run.config, &f->options);
	f->options.worker.home = nj_inventory_home(f->run.inventory);
	f->run.shipper_options.wait_when_full = true;
	f->run.shipper_options.commit_ticks = COMMIT_TICKS;
	int err = nj_run_weigh(&f->run, nj_pipeline_memory_bytes(&f->options), message);
	if (err < 0 || f->run.daemon->check)
		return err;
	err = open_parts(f, message);
	if (err < 0)
		return err;
	nj_daemon_watch_signals();
	err = read_all(f, message);
	nj_pipeline_totals(f->pipeline, &totals);
	nj_run_report(&f->run, &totals.account);
	return err < 0 ? err : tell_damage(f, message);
}

int nj_run_files(const struct nj_daemon *daemon, const struct nj_sensor_config *config, struct nj_message *message)
{
	struct files files = {0};
	int err = nj_run_prepare(&files.run, daemon, config, message);
	if (err == NJ_OK)
		err = run(&files, message);
	nj_pipeline_free(&files.pipeline);
	nj_capture_close(&files.capture);
	nj_run_end(&files.run);
	return err;
}
