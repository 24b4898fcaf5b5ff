/* The verbs, one file each. Every one takes the parsed command line and the console and gives the program's exit code;
 * what went wrong was told on console->err in one line. */
#ifndef NJ_CLI_VERBS_H
#define NJ_CLI_VERBS_H

#include "cli/args.h"
#include "cli/console.h"

enum nj_exit nj_replay_run(const struct nj_arguments *arguments, struct nj_console *console);
enum nj_exit nj_flows_run(const struct nj_arguments *arguments, struct nj_console *console);
enum nj_exit nj_windows_run(const struct nj_arguments *arguments, struct nj_console *console);
enum nj_exit nj_alerts_run(const struct nj_arguments *arguments, struct nj_console *console);
enum nj_exit nj_agents_run(const struct nj_arguments *arguments, struct nj_console *console);
enum nj_exit nj_sensors_run(const struct nj_arguments *arguments, struct nj_console *console);
enum nj_exit nj_baseline_run(const struct nj_arguments *arguments, struct nj_console *console);
enum nj_exit nj_evaluate_run(const struct nj_arguments *arguments, struct nj_console *console);
enum nj_exit nj_keygen_run(const struct nj_arguments *arguments, struct nj_console *console);
enum nj_exit nj_config_run(const struct nj_arguments *arguments, struct nj_console *console);

/* Tells *message* as "nightjar VERB: ..." and gives the exit code for *error*. */
enum nj_exit nj_verb_fail(const struct nj_arguments *arguments, struct nj_console *console, int error,
			  const struct nj_message *message);

#endif
