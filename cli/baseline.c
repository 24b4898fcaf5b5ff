/* `nightjar baseline`: learns from captures of good days what is usual, and writes it in the form the shipped prior
 * has, for `replay --baseline`. */
#include "cli/verbs.h"

#include "cli/human.h"
#include "cli/session.h"
#include "common/label.h"

#include <string.h>

enum nj_exit nj_baseline_run(const struct nj_arguments *arguments, struct nj_console *console)
{
	struct nj_message message = {""};
	struct nj_facts facts = {0};
	struct nj_aggregator_listener listener = {0};
	if (arguments->output == NULL) {
		nj_fail(&message, NJ_ERR_USAGE, "where the baseline goes is missing: --output FILE");
		return nj_verb_fail(arguments, console, NJ_ERR_USAGE, &message);
	}
	struct nj_session_plan plan = {.arguments = arguments,
				       .paths = arguments->operands,
				       .paths_n = arguments->operands_n,
				       .listener = &listener,
				       .save_baseline = arguments->output,
				       .quiet = arguments->quiet};
	int error = nj_session_run(&plan, console, &message, &facts);
	if (error != NJ_OK)
		return nj_verb_fail(arguments, console, error, &message);
	if (!arguments->quiet) {
		nj_human agents, span;
		char path[512];
		nj_label(arguments->output, strlen(arguments->output), path, sizeof path);
		fprintf(console->out, "%s: learned from %s agents over %s\n", path,
			nj_human_count(facts.counts.agents, agents),
			nj_human_span(facts.last_ns - facts.first_ns, span));
		error = nj_console_flush(console, &message);
		if (error != NJ_OK && error != NJ_ERR_AGAIN)
			return nj_verb_fail(arguments, console, error, &message);
	}
	return facts.inputs_failed > 0 || facts.interrupted ? NJ_EXIT_FAILURE : NJ_EXIT_DONE;
}
