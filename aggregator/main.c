/* nightjar-aggregator: receives agent windows, judges them, keeps and tells alerts. Reads the command line, opens the
 * parts, steps them until a signal or, with --once, until every sensor has finished. */
#include "aggregator/aggregator.h"
#include "aggregator/aggregator_config.h"
#include "common/inventory.h"
#include "common/log.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAREWELL_MS 10000 /* longer than a sensor is silent before it greets again */

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

enum {
	OPT_SET = 256,
	OPT_ALERTS,
	OPT_ONCE,
	OPT_CHECK,
	OPT_DUMP,
	OPT_VERSION,
	OPT_LISTEN,
	OPT_SENSORS,
	OPT_STORE,
	OPT_BASELINE,
	OPT_INVENTORY,
	OPT_JOURNAL,
	OPT_ENDPOINT
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"set", required_argument, NULL, OPT_SET},
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"sensors", required_argument, NULL, OPT_SENSORS},
	{"journal", required_argument, NULL, OPT_JOURNAL},
	{"store", required_argument, NULL, OPT_STORE},
	{"baseline", required_argument, NULL, OPT_BASELINE},
	{"inventory", required_argument, NULL, OPT_INVENTORY},
	{"endpoint-file", required_argument, NULL, OPT_ENDPOINT},
	{"alerts", no_argument, NULL, OPT_ALERTS},
	{"once", no_argument, NULL, OPT_ONCE},
	{"check", no_argument, NULL, OPT_CHECK},
	{"dump-config", no_argument, NULL, OPT_DUMP},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct arguments {
	struct nj_aggregator_config config;
	const char *endpoint_file;
	bool alerts, once, check, dump, version, help;
};

static void print_help(void)
{
	printf("nightjar-aggregator %s: receives agent windows from sensors and says which agents misbehave\n\n"
	       "  nightjar-aggregator [OPTION...]\n\n"
	       "      --config FILE         options in YAML, as --dump-config prints them\n"
	       "      --set NAME=VALUE      one option; the short forms below do the same\n"
	       "      --listen ENDPOINT  --sensors N  --journal FILE  --store FILE  --baseline FILE  --inventory FILE\n"
	       "      --endpoint-file FILE  write the endpoint, with the port chosen for tcp://127.0.0.1:*, once "
	       "sensors can connect\n"
	       "      --alerts              print each alert on standard output, one JSON object a line "
	       "(docs/alert.schema.json)\n"
	       "      --once                end when every expected sensor has finished; waits for all of them (hold "
	       "0)\n"
	       "      --check               read the configuration, say what it would take, and end\n"
	       "      --dump-config  --version  --help\n\n"
	       "Exit codes: 0 done, 2 wrong option or configuration, 3 failure.\n\nOptions:\n",
	       NJ_VERSION);
	nj_config_help(&nj_aggregator_schema, stdout);
}

static int set(struct nj_aggregator_config *config, const char *name, const char *value, struct nj_message *message)
{
	return nj_config_set_option(&nj_aggregator_schema, name, value, config, message);
}

static int parse_one(int option, const char *value, struct arguments *arguments, struct nj_message *message)
{
	struct nj_aggregator_config *config = &arguments->config;
	switch (option) {
	case 'c':
		return nj_config_load(&nj_aggregator_schema, value, config, sizeof *config, message);
	case OPT_SET:
		return nj_config_set(&nj_aggregator_schema, value, config, message);
	case OPT_LISTEN:
		return set(config, "listen", value, message);
	case OPT_SENSORS:
		return set(config, "sensors", value, message);
	case OPT_JOURNAL:
		return set(config, "journal", value, message);
	case OPT_STORE:
		return set(config, "store", value, message);
	case OPT_BASELINE:
		return set(config, "baseline", value, message);
	case OPT_INVENTORY:
		return set(config, "inventory", value, message);
	case OPT_ENDPOINT:
		arguments->endpoint_file = value;
		return 0;
	case OPT_ALERTS:
		arguments->alerts = true;
		return 0;
	case OPT_ONCE:
		arguments->once = true;
		return 0;
	case OPT_CHECK:
		arguments->check = true;
		return 0;
	case OPT_DUMP:
		arguments->dump = true;
		return 0;
	case OPT_VERSION:
		arguments->version = true;
		return 0;
	case 'h':
		arguments->help = true;
		return 0;
	default:
		return nj_fail(message, NJ_ERR_USAGE, "unknown option or missing value; see --help");
	}
}

static int parse(int argc, char **argv, struct arguments *arguments, struct nj_message *message)
{
	int option, error = 0;
	opterr = 0;
	while (error == 0 && (option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		error = parse_one(option, optarg, arguments, message);
		if (error != 0 && option == '?')
			return nj_fail(message, NJ_ERR_USAGE, "%s: unknown option or missing value; see --help",
				       argv[optind - 1]);
	}
	if (error == 0 && optind < argc)
		return nj_fail(message, NJ_ERR_USAGE, "%s: no arguments are expected; see --help", argv[optind]);
	return error;
}

static void print_alert(void *context, const struct nj_alert *alert)
{
	bool *failed = context;
	char *json = nj_alert_json(alert);
	if (json == NULL || puts(json) < 0 || fflush(stdout) != 0)
		*failed = true;
	free(json);
}

static int write_endpoint(const char *path, const char *endpoint, struct nj_message *message)
{
	char temporary[4096];
	snprintf(temporary, sizeof temporary, "%s.new", path);
	FILE *file = fopen(temporary, "we");
	if (file == NULL)
		return nj_fail(message, NJ_ERR_IO, "%s: %s", temporary, strerror(errno));
	bool written = fprintf(file, "%s\n", endpoint) > 0;
	if (fclose(file) != 0 || !written || rename(temporary, path) != 0)
		return nj_fail(message, NJ_ERR_IO, "%s: %s", path, strerror(errno));
	return 0;
}

static void watch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void report(const struct nj_aggregator *aggregator)
{
	struct nj_aggregator_counts c = nj_aggregator_counts(aggregator);
	nj_log(NJ_LOG_NOTICE,
	       "%llu batches (%llu refused, %llu repeated, %llu lost by sensors), %llu windows (%llu late), %llu "
	       "agents (%llu folded), "
	       "%llu alerts raised = %llu paged + %llu queued + %llu merged",
	       (unsigned long long)c.batches_received, (unsigned long long)c.batches_refused,
	       (unsigned long long)c.batches_repeated, (unsigned long long)c.gaps,
	       (unsigned long long)c.windows_received, (unsigned long long)c.windows_late, (unsigned long long)c.agents,
	       (unsigned long long)c.agents_folded, (unsigned long long)c.alerts_raised,
	       (unsigned long long)c.alerts_paged, (unsigned long long)c.alerts_queued,
	       (unsigned long long)c.alerts_merged);
}

static int run(const struct arguments *arguments, const struct nj_aggregator_options *options,
	       struct nj_message *message)
{
	struct nj_aggregator *aggregator;
	bool print_failed = false;
	struct nj_aggregator_listener listener = {.context = &print_failed,
						  .alert = arguments->alerts ? print_alert : NULL};
	int error = nj_aggregator_new(options, &listener, message, &aggregator);
	if (error != 0)
		return error;
	watch_signals();
	if (arguments->endpoint_file != NULL)
		error = write_endpoint(arguments->endpoint_file, nj_aggregator_endpoint(aggregator), message);
	int more = 1;
	while (error == 0 && !stopping && !print_failed && !(more == 0 && arguments->once)) {
		more = nj_aggregator_step(aggregator, 200, message);
		if (more < 0)
			error = more;
	}
	if (error == 0 && more == 0)
		nj_aggregator_farewell(aggregator, FAREWELL_MS);
	if (print_failed)
		error = nj_fail(message, NJ_ERR_IO, "writing alerts to standard output failed");
	report(aggregator);
	nj_aggregator_free(&aggregator);
	return error;
}

static int start(const struct arguments *arguments, struct nj_message *message)
{
	struct nj_aggregator_options options;
	struct nj_inventory *inventory;
	nj_aggregator_config_options(&arguments->config, &options);
	if (arguments->once)
		options.hold_s = 0;
	int error = arguments->config.inventory[0] != '\0'
			    ? nj_inventory_load(arguments->config.inventory, message, &inventory)
			    : nj_inventory_new(&inventory);
	if (error != 0)
		return error;
	options.inventory = inventory;
	double megabytes = (double)nj_aggregator_memory_bytes(&options) / 1e6;
	if (arguments->check)
		printf("configuration is good; memory is bounded by %.0f MB\n", megabytes);
	else
		nj_log(NJ_LOG_NOTICE, "listening on %s, memory bounded by %.0f MB", options.listen, megabytes);
	if (!arguments->check)
		error = run(arguments, &options, message);
	nj_inventory_free(&inventory);
	return error;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct nj_message message = {.text = ""};
	nj_log_init("nightjar-aggregator");
	nj_config_defaults(&nj_aggregator_schema, &arguments.config);
	int error = parse(argc, argv, &arguments, &message);
	if (error == 0 && arguments.help) {
		print_help();
		return NJ_EXIT_DONE;
	}
	if (error == 0 && arguments.version) {
		printf("nightjar-aggregator %s\n", NJ_VERSION);
		return NJ_EXIT_DONE;
	}
	if (error == 0 && arguments.dump) {
		nj_config_dump(&nj_aggregator_schema, &arguments.config, stdout);
		return NJ_EXIT_DONE;
	}
	if (error == 0)
		error = start(&arguments, &message);
	if (error == 0)
		return NJ_EXIT_DONE;
	nj_log(NJ_LOG_ERROR, "%s", message.text[0] != '\0' ? message.text : nj_error_text(error));
	return error == NJ_ERR_USAGE ? NJ_EXIT_USAGE : NJ_EXIT_FAILURE;
}
