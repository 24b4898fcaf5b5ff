/* nightjar-sensor: reads captures, makes agent windows, delivers them to an aggregator. Reads the command line, opens
 * the parts, steps the pipeline until the files end or a signal comes, and waits for the last acknowledgement. A second
 * signal ends it at once. */
#include "common/daemon.h"
#include "common/inventory.h"
#include "common/log.h"
#include "sensor/capture.h"
#include "sensor/pipeline.h"
#include "sensor/sensor_config.h"
#include "sensor/shipper.h"

#include <stdio.h>

#define FRAMES_A_STEP 8192
#define COMMIT_TICKS  64 /* a file can be read again: many windows may share a synchronisation of the disk */

struct arguments {
	struct nj_sensor_config config;
	const char **paths; /* of --read and whatever follows the options */
	uint32_t paths_n;
	bool check;
};

/* All that a run needs, so that it can be closed whole wherever opening stopped. */
struct sensor {
	struct nj_pipeline_options pipeline_options;
	struct nj_shipper_options shipper_options;
	struct nj_inventory *inventory;
	struct nj_capture *capture;
	struct nj_shipper *shipper;
	struct nj_pipeline *pipeline;
};

static const char usage[] =
	"turns packets into agent windows and delivers them to an aggregator\n\n"
	"  nightjar-sensor [OPTION...] --read FILE [FILE...]\n\n"
	"      --read FILE           capture files and folders, - for standard input; more may follow the options\n"
	"      --config FILE         options in YAML, as --dump-config prints them\n"
	"      --set NAME=VALUE      one option; the short forms below do the same\n"
	"      --aggregator ENDPOINT  --sensor NAME  --journal FILE  --inventory FILE  --workers N\n"
	"      --check               read the configuration, say what it would take, and end\n"
	"      --dump-config  --version  --help\n\n"
	"Exit codes: 0 done, 2 wrong option or configuration, 3 failure.\n\nOptions:\n";

static int make_options(struct sensor *s, const struct arguments *a, struct nj_message *message)
{
	const struct nj_sensor_config *config = &a->config;
	int err = config->inventory[0] != '\0' ? nj_inventory_load(config->inventory, message, &s->inventory)
					       : nj_inventory_new(&s->inventory);
	if (err < 0)
		return err;
	nj_sensor_config_pipeline(config, &s->pipeline_options);
	nj_sensor_config_shipper(config, &s->shipper_options);
	s->pipeline_options.worker.home = nj_inventory_home(s->inventory);
	s->shipper_options.wait_when_full = true;
	s->shipper_options.commit_ticks = COMMIT_TICKS;
	uint64_t bytes = nj_pipeline_memory_bytes(&s->pipeline_options) + nj_shipper_memory_bytes(&s->shipper_options);
	if (bytes > config->memory_max)
		return nj_fail(
			message, NJ_ERR_USAGE,
			"the tables could take %.0f MB and memory_max allows %.0f MB: lower flows_max, workers or "
			"journal_bytes_max, or raise it",
			(double)bytes / 1e6, (double)config->memory_max / 1e6);
	if (a->check)
		printf("configuration is good; memory is bounded by %.0f MB\n", (double)bytes / 1e6);
	else
		nj_log(NJ_LOG_NOTICE, "sensor %s delivers to %s, memory bounded by %.0f MB", config->sensor,
		       config->aggregator, (double)bytes / 1e6);
	return NJ_OK;
}

static int open_parts(struct sensor *s, const struct arguments *a, struct nj_message *message)
{
	const struct nj_capture_inputs inputs = {
		.paths = a->paths, .paths_n = a->paths_n, .filter = a->config.bpf[0] != '\0' ? a->config.bpf : NULL};
	int err = nj_capture_open_files(&inputs, message, &s->capture);
	if (err == NJ_OK)
		err = nj_shipper_new(&s->shipper_options, message, &s->shipper);
	if (err < 0)
		return err;
	struct nj_window_sink sink = nj_shipper_sink(s->shipper);
	return nj_pipeline_new(&s->pipeline_options, s->capture, &sink, NULL, NULL, message, &s->pipeline);
}

static void close_parts(struct sensor *s)
{
	nj_pipeline_free(&s->pipeline);
	nj_shipper_free(&s->shipper);
	nj_capture_close(&s->capture);
	nj_inventory_free(&s->inventory);
}

/* A signal ends the capture, not the delivery of what was read. */
static int read_all(struct sensor *s, struct nj_message *message)
{
	int more = 1;
	while (more > 0) {
		if (nj_daemon_stopping())
			nj_capture_stop(s->capture);
		more = nj_pipeline_step(s->pipeline, FRAMES_A_STEP, message);
	}
	int err = more == 0 ? nj_shipper_finish(s->shipper) : more;
	if (err < 0 && nj_shipper_message(s->shipper)[0] != '\0')
		nj_fail(message, err, "%s", nj_shipper_message(s->shipper));
	return err;
}

static void report(const struct sensor *s)
{
	struct nj_pipeline_totals totals;
	struct nj_shipper_counts c = nj_shipper_counts(s->shipper);
	nj_pipeline_totals(s->pipeline, &totals);
	uint64_t dropped = totals.account.frames_seen - totals.account.frames_decoded;
	nj_log(NJ_LOG_NOTICE,
	       "%llu frames seen = %llu decoded + %llu dropped; %llu windows = %llu shipped + %llu spooled + %llu "
	       "dropped; %llu batches sent (%llu again), %llu bytes",
	       (unsigned long long)totals.account.frames_seen, (unsigned long long)totals.account.frames_decoded,
	       (unsigned long long)dropped, (unsigned long long)c.windows_taken, (unsigned long long)c.windows_shipped,
	       (unsigned long long)c.windows_spooled,
	       (unsigned long long)(c.windows_dropped_full + c.windows_dropped_error),
	       (unsigned long long)c.batches_sent, (unsigned long long)c.batches_resent,
	       (unsigned long long)c.bytes_sent);
}

/* What was readable has been delivered; that something was not is still a failure. */
static int tell_damage(const struct sensor *s, struct nj_message *message)
{
	struct nj_capture_stats stats;
	struct nj_capture_report file;
	nj_capture_stats(s->capture, &stats);
	for (uint32_t i = 0; i < stats.inputs_n; i++) {
		nj_capture_report(s->capture, i, &file);
		if (file.failed)
			nj_log(NJ_LOG_WARNING, "%s: %s; the %llu frames before it were read", file.path, file.error,
			       (unsigned long long)file.frames);
	}
	if (stats.inputs_failed == 0)
		return NJ_OK;
	return nj_fail(message, NJ_ERR_FORMAT, "%u of %u captures could not be read to the end", stats.inputs_failed,
		       stats.inputs_n);
}

static int run(struct sensor *s, const struct arguments *a, struct nj_message *message)
{
	int err = make_options(s, a, message);
	if (err < 0 || a->check)
		return err;
	err = open_parts(s, a, message);
	if (err < 0)
		return err;
	nj_daemon_watch_signals();
	err = read_all(s, message);
	report(s);
	return err < 0 ? err : tell_damage(s, message);
}

static int act(const struct nj_daemon *daemon, struct arguments *a, struct nj_message *message)
{
	a->paths = daemon->operands;
	a->paths_n = daemon->operands_n;
	a->check = daemon->check;
	if (a->paths_n == 0 && !a->check)
		return nj_fail(message, NJ_ERR_USAGE, "nothing to read; see --help");
	struct sensor sensor = {0};
	int err = run(&sensor, a, message);
	close_parts(&sensor);
	return err;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	const struct nj_daemon_switch switches[] = {
		{.name = "read", .operand = true},
		{.name = "aggregator"},
		{.name = "sensor"},
		{.name = "journal"},
		{.name = "inventory"},
		{.name = "workers"},
	};
	struct nj_daemon daemon = {.program = "nightjar-sensor",
				   .usage = usage,
				   .schema = &nj_sensor_schema,
				   .config = &arguments.config,
				   .config_size = sizeof arguments.config,
				   .switches = switches,
				   .switches_n = sizeof switches / sizeof switches[0],
				   .argc = argc,
				   .argv = argv};
	struct nj_message message = {.text = ""};
	nj_log_init(daemon.program);
	int err = nj_daemon_parse(&daemon, &message);
	if (err == NJ_OK && !nj_daemon_told(&daemon))
		err = act(&daemon, &arguments, &message);
	nj_daemon_fini(&daemon);
	return nj_daemon_exit(err, &message);
}
