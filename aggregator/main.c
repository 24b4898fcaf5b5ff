/* nightjar-aggregator: receives agent windows, judges them, keeps and tells alerts. Reads the command line, opens the
 * parts, steps them until a signal or, with --once, until every sensor has finished. */
#include "aggregator/aggregator.h"
#include "aggregator/aggregator_config.h"
#include "aggregator/aggregator_confine.h"
#include "aggregator/alert_file.h"
#include "common/daemon.h"
#include "common/inventory.h"
#include "common/log.h"
#include "common/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define OTHER_DESCRIPTORS 256   /* databases, files, what libzmq needs for itself */
#define FAREWELL_MS       10000 /* longer than a sensor is silent before it greets again */

struct arguments {
	struct nj_aggregator_config config;
	const char *endpoint_file, *config_path; /* NULL without one */
	bool alerts, once, check;
	const struct nj_daemon *daemon; /* for reading the configuration again */
};

static const char usage[] =
	"receives agent windows from sensors and says which agents misbehave\n\n"
	"  nightjar-aggregator [OPTION...]\n\n"
	"      --config FILE         options in YAML, as --dump-config prints them\n"
	"      --set NAME=VALUE      one option; the short forms below do the same\n"
	"      --listen ENDPOINT  --sensors N  --journal FILE  --store FILE  --baseline FILE  --inventory FILE\n"
	"      --endpoint-file FILE  write the endpoint, with the port chosen for tcp://127.0.0.1:*, once sensors can "
	"connect\n"
	"      --alerts              print each alert on standard output, one JSON object a line "
	"(docs/alert.schema.json)\n"
	"      --once                end when every expected sensor has finished; waits for all of them (hold 0)\n"
	"      --check               read the configuration, say what it would take, and end\n"
	"      --dump-config  --version  --help\n\n"
	"Exit codes: 0 done, 2 wrong option or configuration, 3 failure.\n\nOptions:\n";

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

static void report(const struct nj_aggregator *aggregator)
{
	struct nj_aggregator_counts c = nj_aggregator_counts(aggregator);
	struct nj_aggregator_snapshots snapshots = nj_aggregator_snapshots(aggregator);
	nj_log(NJ_LOG_NOTICE,
	       "%llu batches (%llu refused, %llu repeated, %llu lost by sensors), %llu windows (%llu late), %llu "
	       "agents (%llu folded), "
	       "%llu alerts raised = %llu paged + %llu queued + %llu merged; %llu snapshots (%llu failed)",
	       (unsigned long long)c.batches_received, (unsigned long long)c.batches_refused,
	       (unsigned long long)c.batches_repeated, (unsigned long long)c.gaps,
	       (unsigned long long)c.windows_received, (unsigned long long)c.windows_late, (unsigned long long)c.agents,
	       (unsigned long long)c.agents_folded, (unsigned long long)c.alerts_raised,
	       (unsigned long long)c.alerts_paged, (unsigned long long)c.alerts_queued,
	       (unsigned long long)c.alerts_merged, (unsigned long long)snapshots.written,
	       (unsigned long long)snapshots.failed);
	if (c.connections > 0)
		nj_log(NJ_LOG_NOTICE,
		       "%llu connections: %llu with good handshakes, %llu with keys that are not authorised, %llu "
		       "failed, held off %llu times; "
		       "%llu frames under revoked keys, %llu in another's name",
		       (unsigned long long)c.connections, (unsigned long long)c.handshakes,
		       (unsigned long long)c.keys_refused, (unsigned long long)c.handshakes_failed,
		       (unsigned long long)c.held_off, (unsigned long long)c.frames_revoked,
		       (unsigned long long)c.frames_lying);
}

static void tell_confinement(const struct nj_confine *confine)
{
	char text[800];
	nj_confine_text(confine, text, sizeof text);
	nj_log(NJ_LOG_NOTICE, "confined to %s", text);
	if (confine->privilege.is_root)
		nj_log(NJ_LOG_WARNING,
		       "it runs as root, without the powers of root; --set user=NAME names a better user");
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* A sign of life from the loop that does the work: when it stands still, the supervisor starts the aggregator again. */
static void tell_supervisor(struct nj_notify *notify, const struct nj_aggregator *aggregator)
{
	char status[256];
	uint64_t now_ns = monotonic_ns();
	if (!nj_notify_is_due(notify, now_ns))
		return;
	struct nj_aggregator_counts c = nj_aggregator_counts(aggregator);
	snprintf(status, sizeof status,
		 "%llu batches, %llu refused, %llu lost by sensors; %llu windows, %llu late; %llu alerts",
		 (unsigned long long)c.batches_received, (unsigned long long)c.batches_refused,
		 (unsigned long long)c.gaps, (unsigned long long)c.windows_received, (unsigned long long)c.windows_late,
		 (unsigned long long)c.alerts_paged);
	nj_notify_alive(notify, now_ns, status);
}

/* What can change while it runs is who may deliver. Refused whole or done whole: a configuration that asks for anything
 * else, too, changes nothing. */
static void reload(const struct arguments *arguments, struct nj_aggregator *aggregator)
{
	struct nj_message message = {.text = ""};
	struct nj_aggregator_config fresh;
	nj_notify_reloading(monotonic_ns());
	int result = nj_daemon_reload(arguments->daemon, &fresh, &message);
	const char *changed =
		result == 0 ? nj_config_difference(&nj_aggregator_schema, &arguments->config, &fresh, NULL) : NULL;
	if (changed != NULL)
		result = nj_fail(&message, NJ_ERR_USAGE, "%s cannot change while the aggregator runs", changed);
	if (result == 0)
		result = nj_aggregator_authorize(aggregator, &message);
	if (result < 0)
		nj_log(NJ_LOG_ERROR, "reload refused, all is as before: %s",
		       message.text[0] != '\0' ? message.text : nj_error_text(result));
	else
		nj_log(NJ_LOG_NOTICE, "reloaded: %d sensors are authorised", result);
	nj_notify_ready("listening");
}

/* Where alerts go. With a store each goes once, whatever happens; without one there is nobody to remember which went.
 */
static int open_alerts(const struct arguments *arguments, struct nj_aggregator_options *options,
		       struct nj_aggregator_listener *listener, struct nj_message *message,
		       struct nj_alert_file **ret_file)
{
	const char *path = arguments->config.alerts_file;
	if (path[0] != '\0' && (options->store_path == NULL || arguments->alerts))
		return nj_fail(message, NJ_ERR_USAGE, "alerts_file needs a store, and goes instead of --alerts");
	if (options->store_path == NULL || (path[0] == '\0' && !arguments->alerts)) {
		listener->alert = arguments->alerts ? print_alert : NULL;
		return 0;
	}
	int error = nj_alert_file_open(path, message, ret_file);
	if (error != 0)
		return error;
	options->told_id = nj_alert_file_last(*ret_file);
	listener->context = *ret_file;
	listener->line = nj_alert_file_line;
	return 0;
}

/* The parts, and what confines them around: files before the first thread, system calls after the last. */
static int open_parts(const struct arguments *arguments, struct nj_aggregator_options *options,
		      struct nj_aggregator_listener *listener, struct nj_message *message,
		      struct nj_alert_file **ret_file, struct nj_aggregator **ret_aggregator)
{
	struct nj_confine confine;
	const struct nj_aggregator_config *config = &arguments->config;
	nj_aggregator_confine(config, arguments->config_path, arguments->endpoint_file, &confine);
	int error = nj_confine_start(&confine, config->user, config->landlock, message);
	if (error == 0)
		error = open_alerts(arguments, options, listener, message, ret_file);
	if (error == 0)
		error = nj_aggregator_new(options, listener, message, ret_aggregator);
	if (error == 0)
		error = nj_confine_finish(&confine, config->seccomp, message);
	if (error == 0)
		tell_confinement(&confine);
	return error;
}

/* One that cannot be written is told and tried again next time: the older one and the journal hold everything. */
static void write_snapshot(struct nj_aggregator *aggregator)
{
	struct nj_message words = {.text = ""};
	if (nj_aggregator_snapshot(aggregator, &words) != 0)
		nj_log(NJ_LOG_WARNING, "no snapshot: %s", words.text);
}

static int run(const struct arguments *arguments, struct nj_aggregator_options *options, struct nj_message *message)
{
	struct nj_aggregator *aggregator = NULL;
	struct nj_alert_file *file = NULL;
	struct nj_notify notify;
	bool print_failed = false;
	struct nj_aggregator_listener listener = {.context = &print_failed};
	int error = open_parts(arguments, options, &listener, message, &file, &aggregator);
	if (error != 0) {
		nj_aggregator_free(&aggregator);
		nj_alert_file_close(&file);
		return error;
	}
	nj_daemon_watch_signals();
	if (arguments->endpoint_file != NULL)
		error = write_endpoint(arguments->endpoint_file, nj_aggregator_endpoint(aggregator), message);
	nj_notify_init(&notify, monotonic_ns());
	nj_notify_ready("listening");
	if (nj_aggregator_notice(aggregator)[0] != '\0')
		nj_log(NJ_LOG_WARNING, "recovered: %s", nj_aggregator_notice(aggregator));
	uint64_t snapshot_ns = monotonic_ns(), interval_ns = arguments->config.snapshot * 1000000000ull;
	int more = 1;
	while (error == 0 && !nj_daemon_stopping() && !print_failed && !(more == 0 && arguments->once)) {
		tell_supervisor(&notify, aggregator);
		if (nj_daemon_reload_wanted())
			reload(arguments, aggregator);
		more = nj_aggregator_step(aggregator, 200, message);
		error = more < 0 ? more : nj_aggregator_clock(aggregator, clock_ns(CLOCK_REALTIME), message);
		if (error == 0 && monotonic_ns() - snapshot_ns >= interval_ns) {
			write_snapshot(aggregator);
			snapshot_ns = monotonic_ns();
		}
	}
	nj_notify_stopping("closing");
	if (error == 0 && more == 0)
		nj_aggregator_farewell(aggregator, FAREWELL_MS);
	if (error == 0)
		write_snapshot(aggregator);
	if (print_failed)
		error = nj_fail(message, NJ_ERR_IO, "writing alerts to standard output failed");
	if (error != 0 && file != NULL && nj_alert_file_message(file)[0] != '\0')
		nj_fail(message, error, "%s", nj_alert_file_message(file));
	report(aggregator);
	nj_aggregator_free(&aggregator);
	nj_alert_file_close(&file);
	return error;
}

/* Each connection is a descriptor; what else is open is few. A flood must not eat those of the databases. */
static int allow_connections(uint32_t connections_max, struct nj_message *message)
{
	struct rlimit limit;
	rlim_t needed = (rlim_t)connections_max + OTHER_DESCRIPTORS;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
		return NJ_OK;
	if (limit.rlim_max < needed)
		return nj_fail(message, NJ_ERR_USAGE,
			       "connections_max of %u needs %llu open files and this process may have %llu: lower it, "
			       "or raise the limit (LimitNOFILE, ulimit -Hn)",
			       connections_max, (unsigned long long)needed, (unsigned long long)limit.rlim_max);
	limit.rlim_cur = needed;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0
		       ? NJ_OK
		       : nj_fail(message, NJ_ERR_PERMISSION, "open files: %s", strerror(errno));
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
	error = nj_aggregator_check(&options, message);
	if (error == 0)
		error = allow_connections(options.connections_max, message);
	double megabytes = (double)nj_aggregator_memory_bytes(&options) / 1e6;
	if (error == 0 && arguments->check)
		printf("configuration is good; memory is bounded by %.0f MB\n", megabytes);
	else if (error == 0)
		nj_log(NJ_LOG_NOTICE, "listening on %s, memory bounded by %.0f MB", options.listen, megabytes);
	if (error == 0 && !arguments->check)
		error = run(arguments, &options, message);
	nj_inventory_free(&inventory);
	return error;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	const struct nj_daemon_switch switches[] = {
		{.name = "listen"},
		{.name = "sensors"},
		{.name = "journal"},
		{.name = "store"},
		{.name = "baseline"},
		{.name = "inventory"},
		{.name = "endpoint-file", .text = &arguments.endpoint_file},
		{.name = "alerts", .flag = &arguments.alerts},
		{.name = "once", .flag = &arguments.once},
	};
	struct nj_daemon daemon = {.program = "nightjar-aggregator",
				   .usage = usage,
				   .schema = &nj_aggregator_schema,
				   .config = &arguments.config,
				   .config_size = sizeof arguments.config,
				   .switches = switches,
				   .switches_n = sizeof switches / sizeof switches[0],
				   .argc = argc,
				   .argv = argv};
	struct nj_message message = {.text = ""};
	nj_log_init(daemon.program);
	int error = nj_daemon_parse(&daemon, &message);
	arguments.check = daemon.check;
	arguments.daemon = &daemon;
	arguments.config_path = daemon.config_path;
	if (error == 0 && !nj_daemon_told(&daemon))
		error = start(&arguments, &message);
	nj_daemon_fini(&daemon);
	return nj_daemon_exit(error, &message);
}
