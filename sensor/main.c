/* nightjar-sensor: reads captures, makes agent windows, delivers them to an aggregator. Reads the command line, opens
 * the parts, steps the pipeline until the files end or a signal comes, and waits for the last acknowledgement. A second
 * signal ends it at once. */
#include "common/daemon.h"
#include "common/inventory.h"
#include "common/log.h"
#include "common/notify.h"
#include "sensor/capture.h"
#include "sensor/pipeline.h"
#include "sensor/sensor_config.h"
#include "sensor/sensor_confine.h"
#include "sensor/shipper.h"

#include <stdio.h>
#include <time.h>

#define FRAMES_A_STEP 8192
#define COMMIT_TICKS  64 /* a file can be read again: many windows may share a synchronisation of the disk */

struct arguments {
	struct nj_sensor_config config;
	const char **paths; /* of --read and whatever follows the options */
	uint32_t paths_n;
	const char *config_path; /* NULL without one */
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
	struct nj_confine confine;
	struct nj_notify notify;
	uint64_t told_frames, told_ns; /* of the last status, for the rate */
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
	nj_sensor_confine(&a->config, a->config_path, false, &s->confine);
	if (err == NJ_OK) /* what needs rights is open; what is written comes after, in the name of its user */
		err = nj_confine_start(&s->confine, a->config.user, a->config.landlock, message);
	if (err == NJ_OK)
		err = nj_shipper_new(&s->shipper_options, message, &s->shipper);
	if (err < 0)
		return err;
	struct nj_window_sink sink = nj_shipper_sink(s->shipper);
	err = nj_pipeline_new(&s->pipeline_options, s->capture, &sink, NULL, NULL, message, &s->pipeline);
	return err == NJ_OK ? nj_confine_finish(&s->confine, a->config.seccomp, message) : err;
}

static void tell_confinement(const struct sensor *s)
{
	char text[800];
	nj_confine_text(&s->confine, text, sizeof text);
	nj_log(NJ_LOG_NOTICE, "confined to %s", text);
	if (s->confine.privilege.is_root)
		nj_log(NJ_LOG_WARNING,
		       "it runs as root, without the powers of root; --set user=NAME names a better user");
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void make_status(struct sensor *s, uint64_t now_ns, char *text, size_t size)
{
	struct nj_pipeline_totals totals;
	struct nj_shipper_counts c = nj_shipper_counts(s->shipper);
	nj_pipeline_totals(s->pipeline, &totals);
	const struct nj_sensor_account *account = &totals.account;
	double seconds = (double)(now_ns - s->told_ns) / 1e9;
	snprintf(text, size, "%.0f packets/s, %llu of %llu dropped; %llu windows shipped, %llu spooled, %llu dropped",
		 seconds > 0 ? (double)(account->frames_seen - s->told_frames) / seconds : 0,
		 (unsigned long long)(account->frames_seen - account->frames_decoded),
		 (unsigned long long)account->frames_seen, (unsigned long long)c.windows_shipped,
		 (unsigned long long)c.windows_spooled,
		 (unsigned long long)(c.windows_dropped_full + c.windows_dropped_error));
	s->told_frames = account->frames_seen;
	s->told_ns = now_ns;
}

/* A sign of life from the loop that does the work: when it stands still, the supervisor starts the sensor again. */
static void tell_supervisor(struct sensor *s)
{
	char status[256];
	uint64_t now_ns = monotonic_ns();
	if (!nj_notify_is_due(&s->notify, now_ns))
		return;
	make_status(s, now_ns, status, sizeof status);
	nj_notify_alive(&s->notify, now_ns, status);
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
		tell_supervisor(s);
		more = nj_pipeline_step(s->pipeline, FRAMES_A_STEP, message);
	}
	nj_notify_stopping("waiting for the last acknowledgement");
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
	tell_confinement(s);
	nj_daemon_watch_signals();
	s->told_ns = monotonic_ns();
	nj_notify_init(&s->notify, s->told_ns);
	nj_notify_ready("reading");
	err = read_all(s, message);
	report(s);
	return err < 0 ? err : tell_damage(s, message);
}

static int act(const struct nj_daemon *daemon, struct arguments *a, struct nj_message *message)
{
	a->paths = daemon->operands;
	a->paths_n = daemon->operands_n;
	a->check = daemon->check;
	a->config_path = daemon->config_path;
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
