/* See reading.h. */
#include "cli/reading.h"

#include "cli/human.h"
#include "cli/interrupt.h"
#include "common/label.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_A_STEP 8192

void nj_reading_worker_options(const struct nj_arguments *arguments, const struct nj_inventory *inventory,
			       struct nj_worker_options *ret_options)
{
	nj_worker_options_init(ret_options);
	ret_options->flows_max = (uint32_t)arguments->flows_max;
	ret_options->window_ms = (uint32_t)arguments->window;
	ret_options->ai_endpoints = arguments->ai_endpoints;
	ret_options->home = nj_inventory_home(inventory);
	nj_hash_key_derive(
		"",
		&ret_options->hash_key); /* the well-known key of offline replay: the same file gives the same bytes */
}

int nj_reading_inventory(const struct nj_arguments *arguments, struct nj_message *message,
			 struct nj_inventory **ret_inventory)
{
	if (arguments->inventory == NULL)
		return nj_inventory_new(ret_inventory);
	return nj_inventory_load(arguments->inventory, message, ret_inventory);
}

static int open_capture(struct nj_reading *reading, const struct nj_reading_plan *plan, struct nj_message *message)
{
	struct nj_capture_inputs inputs = {
		.paths = plan->paths, .paths_n = plan->paths_n, .filter = plan->arguments->bpf};
	struct nj_capture_stats stats;
	int error = nj_capture_open_files(&inputs, message, &reading->capture);
	if (error != NJ_OK)
		return error;
	nj_capture_stats(reading->capture, &stats);
	if (stats.inputs_n == stats.inputs_skipped)
		return nj_fail(message, NJ_ERR_NOT_FOUND, "%s: no capture file in it", plan->paths[0]);
	return NJ_OK;
}

static int open_pipeline(struct nj_reading *reading, const struct nj_reading_plan *plan,
			 const struct nj_inventory *inventory, struct nj_message *message)
{
	nj_reading_worker_options(plan->arguments, inventory, &reading->options.worker);
	reading->options.workers = (uint32_t)plan->arguments->workers;
	uint64_t bytes = nj_reading_memory_bytes(reading) + plan->other_bytes;
	if (bytes > plan->arguments->max_memory) {
		nj_human wanted, allowed;
		return nj_fail(message, NJ_ERR_USAGE,
			       "the tables need %s and --max-memory allows %s: lower --flows-max, --agents-max or "
			       "--workers, or raise it",
			       nj_human_bytes((double)bytes, wanted),
			       nj_human_bytes((double)plan->arguments->max_memory, allowed));
	}
	int error = open_capture(reading, plan, message);
	if (error != NJ_OK)
		return error;
	return nj_pipeline_new(&reading->options, reading->capture, &plan->windows, plan->flow, plan->flow_context,
			       message, &reading->pipeline);
}

int nj_reading_open(struct nj_reading *reading, const struct nj_reading_plan *plan, struct nj_message *message)
{
	memset(reading, 0, sizeof *reading);
	int error =
		plan->inventory == NULL ? nj_reading_inventory(plan->arguments, message, &reading->inventory) : NJ_OK;
	if (error == NJ_OK)
		error = open_pipeline(reading, plan, plan->inventory != NULL ? plan->inventory : reading->inventory,
				      message);
	if (error != NJ_OK)
		nj_reading_close(reading);
	return error;
}

void nj_reading_close(struct nj_reading *reading)
{
	nj_pipeline_free(&reading->pipeline);
	nj_capture_close(&reading->capture);
	nj_inventory_free(&reading->inventory);
}

uint64_t nj_reading_memory_bytes(const struct nj_reading *reading)
{
	return nj_pipeline_memory_bytes(&reading->options);
}

static void publish(struct nj_reading *reading)
{
	struct nj_capture_stats stats;
	nj_capture_stats(reading->capture, &stats);
	atomic_store_explicit(&reading->pulse.bytes_done, stats.bytes_consumed, memory_order_relaxed);
	atomic_store_explicit(&reading->pulse.bytes_total, stats.bytes_total, memory_order_relaxed);
	atomic_store_explicit(&reading->pulse.packets, stats.frames, memory_order_relaxed);
}

int nj_reading_step(struct nj_reading *reading, struct nj_message *message)
{
	if (nj_interrupted()) {
		reading->interrupted = true;
		nj_capture_stop(reading->capture);
	}
	int more = nj_pipeline_step(reading->pipeline, FRAMES_A_STEP, message);
	publish(reading);
	return more;
}

int nj_reading_run(struct nj_reading *reading, const struct nj_arguments *arguments, struct nj_console *console,
		   struct nj_message *message)
{
	struct nj_progress progress;
	int more;
	/* Lines going to the same terminal would tear the progress line apart. */
	bool live = console->live && !console->terminal && !arguments->quiet;
	nj_progress_init(&progress, console->err, live, console->err_width, console->clock_ns());
	while ((more = nj_reading_step(reading, message)) > 0) {
		struct nj_progress_state state = {.bytes_done = reading->pulse.bytes_done,
						  .bytes_total = reading->pulse.bytes_total,
						  .packets = reading->pulse.packets};
		nj_progress_show(&progress, &state, console->clock_ns());
	}
	nj_progress_clear(&progress);
	return more;
}

uint32_t nj_reading_tell_damage(const struct nj_reading *reading, struct nj_console *console)
{
	struct nj_capture_stats stats;
	struct nj_capture_report report;
	char line[1024];
	nj_capture_stats(reading->capture, &stats);
	for (uint32_t i = 0; i < stats.inputs_n; i++) {
		nj_capture_report(reading->capture, i, &report);
		if (!report.failed)
			continue;
		char words[800];
		int n = snprintf(words, sizeof words, "%s: %s",
				 strcmp(report.path, "-") == 0 ? "standard input" : report.path, report.error);
		if (report.frames > 0 && n > 0 && (size_t)n < sizeof words) {
			nj_human frames;
			snprintf(words + n, sizeof words - (size_t)n, "; the %s packet%s before it %s read",
				 nj_human_count(report.frames, frames), report.frames == 1 ? "" : "s",
				 report.frames == 1 ? "was" : "were");
		}
		nj_label(words, strlen(words), line, sizeof line);
		fprintf(console->err, "nightjar: %s\n", line);
	}
	return stats.inputs_failed;
}

void nj_reading_facts(const struct nj_reading *reading, struct nj_facts *facts)
{
	struct nj_pipeline_totals totals;
	struct nj_capture_stats stats;
	nj_pipeline_totals(reading->pipeline, &totals);
	nj_capture_stats(reading->capture, &stats);
	facts->account = totals.account;
	facts->account.clock_clamps =
		stats.clock_clamps > totals.account.clock_clamps ? stats.clock_clamps : totals.account.clock_clamps;
	facts->first_ns = totals.first_ns;
	facts->last_ns = totals.last_ns;
	facts->inputs_n = stats.inputs_n - stats.inputs_skipped;
	facts->inputs_failed = stats.inputs_failed;
	facts->frames = stats.frames;
	facts->filtered = stats.filtered;
	facts->clock_jumps = stats.clock_jumps;
	facts->window_ms = reading->options.worker.window_ms;
	facts->interrupted = reading->interrupted;
}
