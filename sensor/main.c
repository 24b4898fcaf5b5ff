/* nightjar-sensor: reads captures, makes agent windows, delivers them to an aggregator. Reads the command line, opens
 * the parts, steps the pipeline until the files end or a signal comes, and waits for the last acknowledgement. A second
 * signal ends it at once. */
#include "common/inventory.h"
#include "common/log.h"
#include "sensor/capture.h"
#include "sensor/pipeline.h"
#include "sensor/sensor_config.h"
#include "sensor/shipper.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_A_STEP 8192
#define COMMIT_TICKS  64 /* a file can be read again: many windows may share a synchronisation of the disk */

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	if (stopping)
		_Exit(NJ_EXIT_FAILURE);
	(void)number;
	stopping = 1;
}

enum {
	OPT_SET = 256,
	OPT_READ,
	OPT_AGGREGATOR,
	OPT_SENSOR,
	OPT_JOURNAL,
	OPT_INVENTORY,
	OPT_WORKERS,
	OPT_CHECK,
	OPT_DUMP,
	OPT_VERSION
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"set", required_argument, NULL, OPT_SET},
	{"read", required_argument, NULL, OPT_READ},
	{"aggregator", required_argument, NULL, OPT_AGGREGATOR},
	{"sensor", required_argument, NULL, OPT_SENSOR},
	{"journal", required_argument, NULL, OPT_JOURNAL},
	{"inventory", required_argument, NULL, OPT_INVENTORY},
	{"workers", required_argument, NULL, OPT_WORKERS},
	{"check", no_argument, NULL, OPT_CHECK},
	{"dump-config", no_argument, NULL, OPT_DUMP},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct arguments {
	struct nj_sensor_config config;
	const char **paths; /* of --read and whatever follows the options */
	uint32_t paths_n;
	bool check, dump, version, help;
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

static void print_help(void)
{
	printf("nightjar-sensor %s: turns packets into agent windows and delivers them to an aggregator\n\n"
	       "  nightjar-sensor [OPTION...] --read FILE [FILE...]\n\n"
	       "      --read FILE           capture files and folders, - for standard input; more may follow the "
	       "options\n"
	       "      --config FILE         options in YAML, as --dump-config prints them\n"
	       "      --set NAME=VALUE      one option; the short forms below do the same\n"
	       "      --aggregator ENDPOINT  --sensor NAME  --journal FILE  --inventory FILE  --workers N\n"
	       "      --check               read the configuration, say what it would take, and end\n"
	       "      --dump-config  --version  --help\n\n"
	       "Exit codes: 0 done, 2 wrong option or configuration, 3 failure.\n\nOptions:\n",
	       NJ_VERSION);
	nj_config_help(&nj_sensor_schema, stdout);
}

static int set(struct nj_sensor_config *config, const char *name, const char *value, struct nj_message *message)
{
	return nj_config_set_option(&nj_sensor_schema, name, value, config, message);
}

static int parse_one(int option, const char *value, struct arguments *a, struct nj_message *message)
{
	switch (option) {
	case 'c':
		return nj_config_load(&nj_sensor_schema, value, &a->config, sizeof a->config, message);
	case OPT_SET:
		return nj_config_set(&nj_sensor_schema, value, &a->config, message);
	case OPT_AGGREGATOR:
		return set(&a->config, "aggregator", value, message);
	case OPT_SENSOR:
		return set(&a->config, "sensor", value, message);
	case OPT_JOURNAL:
		return set(&a->config, "journal", value, message);
	case OPT_INVENTORY:
		return set(&a->config, "inventory", value, message);
	case OPT_WORKERS:
		return set(&a->config, "workers", value, message);
	case OPT_READ:
		a->paths[a->paths_n++] = value;
		return NJ_OK;
	case OPT_CHECK:
		a->check = true;
		return NJ_OK;
	case OPT_DUMP:
		a->dump = true;
		return NJ_OK;
	case OPT_VERSION:
		a->version = true;
		return NJ_OK;
	case 'h':
		a->help = true;
		return NJ_OK;
	default:
		return nj_fail(message, NJ_ERR_USAGE, "unknown option or missing value; see --help");
	}
}

static int parse(int argc, char **argv, struct arguments *a, struct nj_message *message)
{
	int option, err = NJ_OK;
	opterr = 0;
	while (err == NJ_OK && (option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		err = parse_one(option, optarg, a, message);
		if (option == '?')
			return nj_fail(message, NJ_ERR_USAGE, "%s: unknown option or missing value; see --help",
				       argv[optind - 1]);
	}
	for (; err == NJ_OK && optind < argc; optind++) {
		if (a->paths_n == 0)
			return nj_fail(message, NJ_ERR_USAGE, "%s: what is it for? captures are given with --read",
				       argv[optind]);
		a->paths[a->paths_n++] = argv[optind];
	}
	if (err == NJ_OK && a->paths_n == 0 && !a->check && !a->dump && !a->version && !a->help)
		return nj_fail(message, NJ_ERR_USAGE, "nothing to read; see --help");
	return err;
}

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

static void watch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* A signal ends the capture, not the delivery of what was read. */
static int read_all(struct sensor *s, struct nj_message *message)
{
	int more = 1;
	while (more > 0) {
		if (stopping)
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
	watch_signals();
	err = read_all(s, message);
	report(s);
	return err < 0 ? err : tell_damage(s, message);
}

static int act(const struct arguments *a, struct nj_message *message)
{
	if (a->help) {
		print_help();
		return NJ_OK;
	}
	if (a->version) {
		printf("nightjar-sensor %s\n", NJ_VERSION);
		return NJ_OK;
	}
	if (a->dump) {
		nj_config_dump(&nj_sensor_schema, &a->config, stdout);
		return NJ_OK;
	}
	struct sensor sensor = {0};
	int err = run(&sensor, a, message);
	close_parts(&sensor);
	return err;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct nj_message message = {.text = ""};
	nj_log_init("nightjar-sensor");
	nj_config_defaults(&nj_sensor_schema, &arguments.config);
	arguments.paths = calloc((size_t)argc, sizeof *arguments.paths);
	int err = arguments.paths != NULL ? parse(argc, argv, &arguments, &message) : NJ_ERR_MEMORY;
	if (err == NJ_OK)
		err = act(&arguments, &message);
	free(arguments.paths);
	if (err == NJ_OK)
		return NJ_EXIT_DONE;
	nj_log(NJ_LOG_ERROR, "%s", message.text[0] != '\0' ? message.text : nj_error_text(err));
	return err == NJ_ERR_USAGE ? NJ_EXIT_USAGE : NJ_EXIT_FAILURE;
}
