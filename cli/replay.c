/* `nightjar replay`: captures through sensor and aggregator as they would run live, then what was found: as text,
 * NDJSON, a page, a store, evidence packets. */
#include "cli/verbs.h"

#include "cli/evidence.h"
#include "cli/extract.h"
#include "cli/findings.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/summary.h"
#include "cli/tally.h"
#include "cli/text.h"
#include "common/label.h"

#include <stdlib.h>
#include <string.h>

#define SOURCE_LENGTH_MOST 200

struct replay {
	const struct nj_arguments *arguments;
	struct nj_console *console;
	struct nj_findings findings;
	struct nj_evidence evidence;
	struct nj_facts facts;
	struct nj_text source, again;
	_Atomic bool reader_gone; /* set where alerts are printed, read by the sensor's thread */
};

static void on_alert(void *context, const struct nj_alert *alert)
{
	struct replay *replay = context;
	nj_findings_alert(&replay->findings, alert);
	if (!replay->arguments->json || replay->reader_gone)
		return;
	char *json = nj_alert_json(alert);
	if (json == NULL) {
		replay->findings.failed = true;
		return;
	}
	/* At once: whoever reads the stream wants an alert when it is raised. */
	if (fprintf(replay->console->out, "%s\n", json) < 0 || fflush(replay->console->out) != 0)
		replay->reader_gone = true;
	free(json);
}

static void on_window(void *context, const struct nj_window *window)
{
	nj_findings_window(&((struct replay *)context)->findings, window);
}

static void on_ai(void *context, const struct nj_ai_row *row)
{
	nj_findings_ai(&((struct replay *)context)->findings, row);
}

static void on_tick(void *context, uint64_t start_ns, const struct nj_sensor_account *account)
{
	nj_findings_tick(&((struct replay *)context)->findings, start_ns, account);
}

/* *word* as one word of a shell command. */
static void add_word(struct nj_text *text, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+,:@%=-";
	if (text->size > 0)
		nj_text_add(text, " ");
	if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
		nj_text_add(text, word);
		return;
	}
	nj_text_add(text, "'");
	for (; *word != '\0'; word++)
		nj_text_add_bytes(text, *word == '\'' ? "'\\''" : word, *word == '\'' ? 4 : 1);
	nj_text_add(text, "'");
}

static void add_option(struct nj_text *text, const char *option, const char *value)
{
	if (value == NULL)
		return;
	add_word(text, option);
	add_word(text, value);
}

/* Names with control characters do not go into commands people may paste. */
static bool is_printable(const char *word)
{
	char safe[4096];
	size_t size = strlen(word);
	return size < sizeof safe / 3 && nj_label(word, size, safe, sizeof safe) == size &&
	       memcmp(safe, word, size) == 0;
}

static void describe_source(struct replay *replay)
{
	const struct nj_arguments *arguments = replay->arguments;
	bool repeatable = true;
	char budget[32];
	for (uint32_t i = 0; i < arguments->operands_n && replay->source.size <= SOURCE_LENGTH_MOST; i++) {
		repeatable =
			repeatable && strcmp(arguments->operands[i], "-") != 0 && is_printable(arguments->operands[i]);
		add_word(&replay->source, arguments->operands[i]);
	}
	if (!repeatable || replay->source.size > SOURCE_LENGTH_MOST) {
		nj_text_fini(&replay->source);
		nj_text_add(&replay->source, "FILE...");
	}
	add_option(&replay->again, "--baseline", arguments->baseline);
	add_option(&replay->again, "--inventory", arguments->inventory);
	add_option(&replay->again, "--ai-endpoints", arguments->ai_endpoints);
	add_option(&replay->again, "--bpf", arguments->bpf);
	snprintf(budget, sizeof budget, "%g", arguments->budget);
	add_option(&replay->again, "--budget", arguments->budget != NJ_BUDGET_DEFAULT ? budget : NULL);
	if (replay->again.size > 0)
		nj_text_add(&replay->again, " ");
	nj_text_add(&replay->again, replay->source.data != NULL ? replay->source.data : "FILE...");
	replay->facts.source = replay->source.data != NULL ? replay->source.data : "FILE...";
	replay->facts.again = replay->again.data != NULL ? replay->again.data : "FILE...";
}

static void describe_rest(struct replay *replay)
{
	const struct nj_arguments *arguments = replay->arguments;
	replay->facts.budget = arguments->budget;
	replay->facts.baseline = arguments->baseline;
	replay->facts.report = arguments->report;
	replay->facts.store = arguments->store;
	replay->facts.extract = arguments->extract;
}

/* Whether the lines on standard output are all that is wanted: then a reader that goes away ends the run. */
static bool only_lines(const struct nj_arguments *arguments)
{
	return arguments->json && arguments->report == NULL && arguments->store == NULL && arguments->extract == NULL &&
	       arguments->counters == NULL && arguments->fail_on == 0;
}

static int analyse(struct replay *replay, struct nj_message *message)
{
	struct nj_aggregator_listener listener = {
		.context = replay, .alert = on_alert, .window = on_window, .ai = on_ai, .tick = on_tick};
	struct nj_session_plan plan = {.arguments = replay->arguments,
				       .paths = replay->arguments->operands,
				       .paths_n = replay->arguments->operands_n,
				       .listener = &listener,
				       .store = replay->arguments->store,
				       .baseline = replay->arguments->baseline,
				       .enough = only_lines(replay->arguments) ? &replay->reader_gone : NULL,
				       .quiet = replay->arguments->quiet};
	if (replay->arguments->report != NULL) {
		plan.flow = nj_evidence_flow;
		plan.flow_context = &replay->evidence;
	}
	int error = nj_findings_init(&replay->findings, replay->arguments->report != NULL);
	replay->findings.window_ns = replay->arguments->window * 1000000;
	if (error == NJ_OK)
		error = nj_session_run(&plan, replay->console, message, &replay->facts);
	if (error == NJ_OK && replay->findings.failed)
		error = nj_fail(message, NJ_ERR_MEMORY, "out of memory for the findings");
	return error;
}

static int write_files(struct replay *replay, struct nj_message *message)
{
	const struct nj_arguments *arguments = replay->arguments;
	uint64_t packets;
	int error = NJ_OK;
	if (arguments->counters != NULL)
		error = nj_tally_write(arguments->counters, &replay->facts, message);
	if (error == NJ_OK && arguments->report != NULL)
		error = nj_evidence_index(&replay->evidence, replay->findings.alerts, replay->findings.alerts_n);
	replay->findings.evidence = &replay->evidence;
	if (error == NJ_OK && arguments->report != NULL)
		error = nj_report_write(arguments->report, &replay->facts, &replay->findings, message);
	if (error == NJ_OK && arguments->extract != NULL) {
		struct nj_extract_plan plan = {.folder = arguments->extract,
					       .paths = arguments->operands,
					       .paths_n = arguments->operands_n,
					       .filter = arguments->bpf,
					       .findings = &replay->findings};
		error = nj_extract_run(&plan, message, &packets);
	}
	return error;
}

static void print_findings(struct replay *replay)
{
	if (replay->arguments->json)
		return; /* printed as they were raised */
	if (!replay->arguments->quiet) {
		nj_summary_print(replay->console, &replay->facts, &replay->findings, (uint32_t)replay->arguments->top);
		return;
	}
	for (uint32_t i = 0; i < replay->findings.alerts_n; i++)
		nj_summary_alert_line(replay->console, &replay->findings.alerts[i]);
}

static int run(struct replay *replay, struct nj_message *message)
{
	describe_source(replay);
	int error = analyse(replay, message);
	if (error != NJ_OK)
		return error;
	describe_rest(replay);
	nj_findings_sort(&replay->findings);
	nj_findings_sort_apps(&replay->findings);
	/* Files first: the summary ends with their names, so they had better be there. */
	error = write_files(replay, message);
	if (error != NJ_OK)
		return error;
	print_findings(replay);
	error = nj_console_flush(replay->console, message);
	return error == NJ_ERR_AGAIN ? NJ_OK : error;
}

static int check(const struct nj_arguments *arguments, struct nj_message *message)
{
	for (uint32_t i = 0; i < arguments->operands_n && arguments->extract != NULL; i++) {
		if (strcmp(arguments->operands[i], "-") == 0)
			return nj_fail(message, NJ_ERR_USAGE,
				       "--extract reads twice, and standard input cannot be read twice: save it to a "
				       "file first");
	}
	return NJ_OK;
}

static enum nj_exit verdict(const struct replay *replay)
{
	if (replay->facts.inputs_failed > 0 || replay->facts.interrupted)
		return NJ_EXIT_FAILURE;
	if (replay->arguments->fail_on != 0 && nj_findings_reach(&replay->findings, replay->arguments->fail_on))
		return NJ_EXIT_FINDINGS;
	return NJ_EXIT_DONE;
}

enum nj_exit nj_replay_run(const struct nj_arguments *arguments, struct nj_console *console)
{
	struct replay *replay = calloc(1, sizeof *replay);
	struct nj_message message = {""};
	enum nj_exit code;
	if (replay == NULL)
		return nj_verb_fail(arguments, console, NJ_ERR_MEMORY, &message);
	replay->arguments = arguments;
	replay->console = console;
	int error = check(arguments, &message);
	if (error == NJ_OK)
		error = run(replay, &message);
	code = error == NJ_OK ? verdict(replay) : nj_verb_fail(arguments, console, error, &message);
	nj_findings_fini(&replay->findings);
	nj_evidence_fini(&replay->evidence);
	nj_text_fini(&replay->source);
	nj_text_fini(&replay->again);
	free(replay);
	return code;
}
