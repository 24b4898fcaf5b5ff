/* The nightjar command: reads the command line, hands it to its verb, gives back the exit code. The only file of cli/
 * that reads a clock. */
#include "cli/args.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/verbs.h"
#include "common/feature_table.h"
#include "common/label.h"
#include "common/wire.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum nj_exit print_text(const struct nj_arguments *arguments, struct nj_console *console, char *text)
{
	struct nj_message message = {""};
	if (text == NULL)
		return nj_verb_fail(arguments, console, NJ_ERR_MEMORY, &message);
	fputs(text, console->out);
	free(text);
	int error = nj_console_flush(console, &message);
	return error == NJ_OK || error == NJ_ERR_AGAIN ? NJ_EXIT_DONE
						       : nj_verb_fail(arguments, console, error, &message);
}

static enum nj_exit run_help(const struct nj_arguments *arguments, struct nj_console *console)
{
	struct nj_message message = {""};
	enum nj_verb verb = NJ_VERBS_N;
	if (arguments->operands_n > 0 && !nj_verb_parse(arguments->operands[0], &verb)) {
		nj_fail(&message, NJ_ERR_USAGE, "'%.80s' is no verb; 'nightjar help' lists them",
			arguments->operands[0]);
		return nj_verb_fail(arguments, console, NJ_ERR_USAGE, &message);
	}
	return print_text(arguments, console, nj_verb_help(verb, console->width));
}

static enum nj_exit run_version(const struct nj_arguments *arguments, struct nj_console *console)
{
	char text[160];
	snprintf(text, sizeof text, "nightjar %s (wire format %d.%d, feature table %08x)\n", NJ_VERSION, NJ_WIRE_MAJOR,
		 NJ_WIRE_MINOR, (unsigned)NJ_FEATURE_TABLE_ID);
	return print_text(arguments, console, strdup(text));
}

static enum nj_exit run_verb(const struct nj_arguments *arguments, struct nj_console *console)
{
	if (arguments->help)
		return print_text(
			arguments, console,
			nj_verb_help(arguments->verb == NJ_VERB_HELP ? NJ_VERBS_N : arguments->verb, console->width));
	switch (arguments->verb) {
	case NJ_VERB_REPLAY:
		return nj_replay_run(arguments, console);
	case NJ_VERB_FLOWS:
		return nj_flows_run(arguments, console);
	case NJ_VERB_WINDOWS:
		return nj_windows_run(arguments, console);
	case NJ_VERB_ALERTS:
		return nj_alerts_run(arguments, console);
	case NJ_VERB_AGENTS:
		return nj_agents_run(arguments, console);
	case NJ_VERB_SENSORS:
		return nj_sensors_run(arguments, console);
	case NJ_VERB_BASELINE:
		return nj_baseline_run(arguments, console);
	case NJ_VERB_EVALUATE:
		return nj_evaluate_run(arguments, console);
	case NJ_VERB_KEYGEN:
		return nj_keygen_run(arguments, console);
	case NJ_VERB_CONFIG:
		return nj_config_run(arguments, console);
	case NJ_VERB_VERSION:
		return run_version(arguments, console);
	default:
		return run_help(arguments, console);
	}
}

int main(int argc, char **argv)
{
	static struct nj_arguments arguments;
	struct nj_message message;
	struct nj_console console;
	nj_interrupt_watch();
	int error = nj_arguments_parse(argc, argv, &message, &arguments);
	nj_console_init(&console, stdout, stderr, arguments.color);
	console.clock_ns = monotonic_ns;
	if (error != NJ_OK) {
		char line[sizeof message.text * 2];
		nj_label(message.text, strlen(message.text), line, sizeof line);
		fprintf(stderr, "%s\n", line);
		return NJ_EXIT_USAGE;
	}
	return (int)run_verb(&arguments, &console);
}
