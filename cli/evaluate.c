/* `nightjar evaluate`: replays every labelled capture by itself, in this process, with the very code of replay, and
 * holds the alerts against the labels.
 *
 * An alert is about an attack when it speaks of one of the attack's addresses (as agent or as peer) and its time
 * overlaps the attack's. A capture that names no addresses counts every alert. Everything else in a capture of attacks
 * by action is a false alert; in a capture labelled as a whole only benign ones can have false alerts, since nobody
 * vouches for the rest of an attack capture. */
#include "cli/evaluate.h"

#include "cli/human.h"
#include "cli/interrupt.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "common/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLACK_NS 10000000000u /* a window: evidence is told at its edges */

/* Alerts of the capture being replayed. */
struct gathered {
	struct nj_alert *alerts;
	uint32_t alerts_n, alerts_capacity;
	struct nj_counters *counters;
	uint64_t observed_ns, first_ns;
	uint32_t window_ms;
	bool failed;
};

struct evaluate {
	const struct nj_arguments *arguments;
	struct nj_console *console;
	struct nj_labels labels;
	struct nj_evaluation evaluation;
};

static void on_alert(void *context, const struct nj_alert *alert)
{
	struct gathered *gathered = context;
	if (gathered->alerts_n == gathered->alerts_capacity) {
		uint32_t capacity = gathered->alerts_capacity != 0 ? gathered->alerts_capacity * 2 : 64;
		struct nj_alert *alerts = realloc(gathered->alerts, capacity * sizeof *alerts);
		if (alerts == NULL) {
			gathered->failed = true;
			return;
		}
		gathered->alerts = alerts;
		gathered->alerts_capacity = capacity;
	}
	gathered->alerts[gathered->alerts_n++] = *alert;
}

static void on_window(void *context, const struct nj_window *window)
{
	nj_counters_window(((struct gathered *)context)->counters, window);
}

static void on_tick(void *context, uint64_t start_ns, const struct nj_sensor_account *account)
{
	struct gathered *gathered = context;
	(void)start_ns;
	if (account->frames_seen > 0)
		gathered->observed_ns += gathered->window_ms * UINT64_C(1000000);
}

bool nj_label_fits_detector(const char *label, const char *detector)
{
	static const struct {
		const char *label, *detector; /* words that occur in them */
	} fits[] = {
		{"scan", "scan"},
		{"scan", "fanout"},
		{"scan", "decoy"},
		{"service-enum", "scan"},
		{"service-enum", "fanout"},
		{"fanout", "fanout"},
		{"fanout", "scan"},
		{"decoy", "decoy"},
		{"decoy", "scan"},
		{"exfil", "exfil"},
		{"exfil", "dns"},
		{"exfil", "icmp"},
		{"dns-tunnel", "dns"},
		{"icmp", "icmp"},
		{"guess", "guessing"},
		{"bruteforce", "guessing"},
		{"web-enum", "web-enum"},
		{"beacon", "beacon"},
		{"c2", "beacon"},
		{"lateral", "lateral"},
		{"lateral", "recon-quiet"},
		{"lateral", "remote-command"},
		{"mixed", ""},
	};
	for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++) {
		if (strstr(label, fits[i].label) != NULL && strstr(detector, fits[i].detector) != NULL)
			return true;
	}
	return false;
}

static bool names(const struct nj_label_row *row, const struct nj_addr *addr)
{
	for (uint32_t i = 0; i < row->addresses_n; i++) {
		if (nj_network_contains(&row->address[i], addr))
			return true;
	}
	return false;
}

static bool overlaps(const struct nj_label_row *row, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t late = row->end_ns > UINT64_MAX - SLACK_NS ? UINT64_MAX : row->end_ns + SLACK_NS;
	return start_ns <= late && end_ns + SLACK_NS >= row->start_ns;
}

static bool is_about(const struct nj_label_row *row, const struct nj_alert *alert)
{
	if (!overlaps(row, alert->start_ns, alert->end_ns))
		return false;
	if (row->addresses_n == 0 || names(row, &alert->agent.addr))
		return true;
	for (unsigned i = 0; i < alert->peers_n; i++) {
		if (names(row, &alert->peers[i].addr))
			return true;
	}
	return false;
}

static struct nj_attack_result *add_attack(struct nj_evaluation *evaluation)
{
	if (evaluation->attacks_n == evaluation->attacks_capacity) {
		uint32_t capacity = evaluation->attacks_capacity != 0 ? evaluation->attacks_capacity * 2 : 64;
		struct nj_attack_result *attacks = realloc(evaluation->attacks, capacity * sizeof *attacks);
		if (attacks == NULL)
			return NULL;
		evaluation->attacks = attacks;
		evaluation->attacks_capacity = capacity;
	}
	struct nj_attack_result *attack = &evaluation->attacks[evaluation->attacks_n++];
	memset(attack, 0, sizeof *attack);
	return attack;
}

/* The earliest alert of the best kind: made for it before otherwise, paged before queued, raised since it began before
 * one that was there already (a second upload to the same place belongs to the first one's alert). */
static const struct nj_alert *best_alert(const struct nj_label_row *row, const struct gathered *gathered,
					 enum nj_found *ret_found)
{
	const struct nj_alert *best = NULL;
	int best_rank = -1;
	for (uint32_t i = 0; i < gathered->alerts_n; i++) {
		const struct nj_alert *alert = &gathered->alerts[i];
		if (!is_about(row, alert))
			continue;
		bool fits = nj_label_fits_detector(row->label, alert->detector);
		int rank = 4 * fits + 2 * !alert->queued + (alert->time_ns >= row->start_ns);
		if (rank < best_rank || (rank == best_rank && alert->time_ns >= best->time_ns))
			continue;
		best = alert;
		best_rank = rank;
		*ret_found = fits ? NJ_FOUND_RIGHT : NJ_FOUND_OTHERWISE;
	}
	return best;
}

static bool counters_fired(const struct nj_label_row *row, const struct nj_counter_alarm *alarm)
{
	return overlaps(row, alarm->start_ns, alarm->time_ns) &&
	       (row->addresses_n == 0 || names(row, &alarm->agent.addr));
}

static bool judge_attack(struct evaluate *evaluate, uint32_t capture, uint32_t row_index,
			 const struct gathered *gathered)
{
	const struct nj_label_row *row = &evaluate->labels.captures[capture].rows[row_index];
	struct nj_attack_result *attack = add_attack(&evaluate->evaluation);
	if (attack == NULL)
		return false;
	uint32_t alarms_n;
	const struct nj_counter_alarm *alarms = nj_counters_alarms(gathered->counters, &alarms_n);
	const struct nj_alert *alert = best_alert(row, gathered, &attack->found);
	attack->capture = capture;
	attack->row = row_index;
	if (alert != NULL) {
		uint64_t start_ns = row->start_ns > gathered->first_ns ? row->start_ns : gathered->first_ns;
		snprintf(attack->detector, sizeof attack->detector, "%s", alert->detector);
		attack->delay_ns = alert->time_ns > start_ns ? alert->time_ns - start_ns : 0;
		attack->already = alert->time_ns < row->start_ns;
		attack->queued = alert->queued;
	}
	for (uint32_t i = 0; i < alarms_n; i++)
		attack->counters |= (uint32_t)counters_fired(row, &alarms[i]) << alarms[i].counter;
	return true;
}

/* What an alert is to a capture's labels: about one of its attacks or something that is not judged; false; or unclear.
 */
static bool is_explained(const struct nj_labelled_capture *capture, const struct nj_alert *alert)
{
	for (uint32_t i = 0; i < capture->rows_n; i++) {
		if (capture->rows[i].kind != NJ_LABEL_BENIGN && is_about(&capture->rows[i], alert))
			return true;
	}
	return false;
}

static void judge_alert(const struct nj_labelled_capture *capture, struct nj_capture_result *result,
			const struct nj_alert *alert)
{
	nj_human agent;
	bool whole = capture->rows_n == 1 && capture->rows[0].end_ns == UINT64_MAX;
	if (is_explained(capture, alert))
		return;
	if (whole && !result->benign) {
		result->paged_unclear += !alert->queued;
		return;
	}
	if (result->paged_false + result->queued_false == 0)
		snprintf(result->example, sizeof result->example, "%s %s", alert->detector,
			 nj_human_agent(&alert->agent, agent));
	result->paged_false += !alert->queued;
	result->queued_false += alert->queued;
}

static void judge_alarm(const struct nj_labelled_capture *capture, struct nj_capture_result *result,
			const struct nj_counter_alarm *alarm)
{
	for (uint32_t i = 0; i < capture->rows_n; i++) {
		if (capture->rows[i].kind != NJ_LABEL_BENIGN && counters_fired(&capture->rows[i], alarm))
			return;
	}
	result->counters_false[alarm->counter] += result->benign;
}

static bool judge_capture(struct evaluate *evaluate, uint32_t index, const struct gathered *gathered)
{
	const struct nj_labelled_capture *capture = &evaluate->labels.captures[index];
	struct nj_capture_result *result = &evaluate->evaluation.captures[index];
	uint32_t alarms_n;
	const struct nj_counter_alarm *alarms = nj_counters_alarms(gathered->counters, &alarms_n);
	result->observed_ns = gathered->observed_ns;
	result->benign = true;
	for (uint32_t i = 0; i < capture->rows_n; i++)
		result->benign = result->benign && capture->rows[i].kind != NJ_LABEL_ATTACK;
	for (uint32_t i = 0; i < capture->rows_n; i++) {
		if (capture->rows[i].kind == NJ_LABEL_ATTACK && !judge_attack(evaluate, index, i, gathered))
			return false;
	}
	for (uint32_t i = 0; i < gathered->alerts_n; i++)
		judge_alert(capture, result, &gathered->alerts[i]);
	for (uint32_t i = 0; i < alarms_n; i++)
		judge_alarm(capture, result, &alarms[i]);
	return true;
}

static int replay_capture(struct evaluate *evaluate, uint32_t index, struct nj_message *message)
{
	const struct nj_labelled_capture *capture = &evaluate->labels.captures[index];
	struct gathered gathered = {.counters = nj_counters_new(), .window_ms = (uint32_t)evaluate->arguments->window};
	struct nj_aggregator_listener listener = {
		.context = &gathered, .alert = on_alert, .window = on_window, .tick = on_tick};
	struct nj_arguments *arguments = malloc(sizeof *arguments);
	struct nj_facts facts = {0};
	const char *path = capture->path;
	int error = NJ_ERR_MEMORY;
	if (arguments != NULL && gathered.counters != NULL) {
		*arguments = *evaluate->arguments;
		if (arguments->inventory == NULL)
			arguments->inventory = capture->inventory;
		struct nj_session_plan plan = {.arguments = arguments,
					       .paths = &path,
					       .paths_n = 1,
					       .listener = &listener,
					       .baseline = arguments->baseline,
					       .quiet = true,
					       .damage_untold = true};
		error = nj_session_run(&plan, evaluate->console, message, &facts);
		gathered.first_ns = facts.first_ns;
	}
	if (error == NJ_OK && (gathered.failed || !judge_capture(evaluate, index, &gathered)))
		error = NJ_ERR_MEMORY;
	evaluate->evaluation.captures[index].damaged = facts.inputs_failed > 0;
	evaluate->evaluation.captures[index].failed = facts.inputs_failed > 0 && facts.account.frames_seen == 0;
	nj_counters_free(&gathered.counters);
	free(gathered.alerts);
	free(arguments);
	return error;
}

static bool is_wanted(const struct evaluate *evaluate, const struct nj_labelled_capture *capture)
{
	bool judged = false;
	for (uint32_t i = 0; i < capture->rows_n; i++)
		judged = judged || capture->rows[i].kind != NJ_LABEL_NEITHER;
	const char *only = evaluate->arguments->only;
	return judged && (only == NULL || strstr(capture->path, only) != NULL ||
			  (capture->rows_n > 0 && strstr(capture->rows[0].label, only) != NULL));
}

static int replay_all(struct evaluate *evaluate, struct nj_message *message)
{
	bool live = evaluate->console->live && !evaluate->arguments->quiet;
	int error = NJ_OK;
	for (uint32_t i = 0; i < evaluate->labels.captures_n && error == NJ_OK && !nj_interrupted(); i++) {
		const struct nj_labelled_capture *capture = &evaluate->labels.captures[i];
		if (!is_wanted(evaluate, capture)) {
			evaluate->evaluation.skipped++;
			continue;
		}
		if (live)
			fprintf(evaluate->console->err, "\r%u of %u  %.50s\033[K", i + 1, evaluate->labels.captures_n,
				capture->name);
		error = replay_capture(evaluate, i, message);
		evaluate->evaluation.done++;
	}
	if (live)
		fprintf(evaluate->console->err, "\r\033[K");
	return error;
}

static int write_markdown(const struct evaluate *evaluate, struct nj_message *message)
{
	const char *path = evaluate->arguments->markdown;
	char *text = nj_evaluation_markdown(&evaluate->evaluation);
	FILE *file = text != NULL ? fopen(path, "w") : NULL;
	bool written = file != NULL && fputs(text, file) >= 0;
	int error_number = errno;
	free(text);
	if (file != NULL && fclose(file) != 0)
		written = false;
	return written ? NJ_OK : nj_file_fail(message, path, error_number);
}

enum nj_exit nj_evaluate_run(const struct nj_arguments *arguments, struct nj_console *console)
{
	struct evaluate evaluate = {.arguments = arguments, .console = console};
	struct nj_message message = {""};
	int error = nj_labels_load(arguments->operands[0], arguments->labels, &message, &evaluate.labels);
	evaluate.evaluation.labels = &evaluate.labels;
	evaluate.evaluation.budget = arguments->budget;
	if (error == NJ_OK) {
		evaluate.evaluation.captures = calloc(evaluate.labels.captures_n, sizeof *evaluate.evaluation.captures);
		error = evaluate.evaluation.captures != NULL ? replay_all(&evaluate, &message) : NJ_ERR_MEMORY;
	}
	if (error == NJ_OK && arguments->markdown != NULL)
		error = write_markdown(&evaluate, &message);
	if (error == NJ_OK) {
		nj_evaluation_print(console, &evaluate.evaluation);
		error = nj_console_flush(console, &message);
	}
	free(evaluate.evaluation.captures);
	free(evaluate.evaluation.attacks);
	nj_labels_free(&evaluate.labels);
	if (error != NJ_OK && error != NJ_ERR_AGAIN)
		return nj_verb_fail(arguments, console, error, &message);
	return nj_interrupted() ? NJ_EXIT_FAILURE : NJ_EXIT_DONE;
}
