/* nightjar-sensor: makes agent windows of packets and delivers them to an aggregator. Reads the command line; the work
 * is in run_live.c for interfaces and in run_files.c for captures. */
#include "common/log.h"
#include "sensor/run.h"

static const char usage[] =
	"turns packets into agent windows and delivers them to an aggregator\n\n"
	"  nightjar-sensor [OPTION...] --interface NAME...\n"
	"  nightjar-sensor [OPTION...] --read FILE [FILE...]\n\n"
	"      --interface NAME      watch it until SIGTERM; may be repeated\n"
	"      --read FILE           capture files and folders, - for standard input; more may follow the options\n"
	"      --config FILE         options in YAML, as --dump-config prints them; SIGHUP reads it again\n"
	"      --set NAME=VALUE      one option; the short forms below do the same\n"
	"      --aggregator ENDPOINT  --sensor NAME  --journal FILE  --inventory FILE  --workers N\n"
	"      --check               read the configuration, say what it would take, and end\n"
	"      --dump-config  --version  --help\n\n"
	"Exit codes: 0 done, 2 wrong option or configuration, 3 failure.\n\nOptions:\n";

static const struct nj_daemon_switch switches[] = {
	{.name = "interface", .list = "interfaces"},
	{.name = "read", .operand = true},
	{.name = "aggregator"},
	{.name = "sensor"},
	{.name = "journal"},
	{.name = "inventory"},
	{.name = "workers"},
};

static int act(const struct nj_daemon *daemon, const struct nj_sensor_config *config, struct nj_message *message)
{
	bool live = config->interfaces.n > 0;
	if (live && daemon->operands_n > 0)
		return nj_fail(message, NJ_ERR_USAGE, "interfaces and files at once: which shall it be? See --help");
	if (!live && daemon->operands_n == 0 && !daemon->check)
		return nj_fail(message, NJ_ERR_USAGE, "nothing to read and no interface to watch; see --help");
	return live ? nj_run_live(daemon, config, message) : nj_run_files(daemon, config, message);
}

int main(int argc, char **argv)
{
	struct nj_sensor_config config = {0};
	struct nj_message message = {.text = ""};
	struct nj_daemon daemon = {.program = "nightjar-sensor",
				   .usage = usage,
				   .schema = &nj_sensor_schema,
				   .config = &config,
				   .config_size = sizeof config,
				   .switches = switches,
				   .switches_n = sizeof switches / sizeof switches[0],
				   .argc = argc,
				   .argv = argv};
	nj_log_init(daemon.program);
	int err = nj_daemon_parse(&daemon, &message);
	if (err == NJ_OK && !nj_daemon_told(&daemon))
		err = act(&daemon, &config, &message);
	nj_daemon_fini(&daemon);
	return nj_daemon_exit(err, &message);
}
