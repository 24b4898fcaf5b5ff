/* `nightjar sensors`: the sensors a store knows and how they fare, those with something wrong first. */
#include "cli/verbs.h"

#include "aggregator/store.h"
#include "cli/human.h"
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

struct query {
	const struct nj_arguments *arguments;
	struct nj_console *console;
	struct nj_message message;
	bool troubled; /* print those with a condition, or those without */
	uint32_t told;
};

/* "silent, journal" or "well". */
static void conditions_text(const struct nj_json *sensor, char *text, size_t size)
{
	const struct nj_json *conditions = nj_json_get(sensor, "conditions");
	size_t used = 0;
	snprintf(text, size, "%s", nj_json_bool(nj_json_get(sensor, "finished"), false) ? "finished" : "well");
	for (size_t i = 0; i < nj_json_size(conditions) && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
					 nj_json_text(nj_json_at(conditions, i), "?"));
}

static void print_row(struct nj_console *console, const struct nj_json *sensor, bool troubled)
{
	nj_human frames, kernel, memory;
	char state[80], heard[32];
	double lost = nj_json_double(nj_json_get(sensor, "dropped_share"), 0);
	double offset_s = nj_json_double(nj_json_get(sensor, "clock_offset_s"), 0);
	double full = nj_json_double(nj_json_get(sensor, "journal_bytes_max"), 0);
	uint64_t lost_frames = nj_json_u64(nj_json_get(sensor, "kernel_drops"), 0) +
			       nj_json_u64(nj_json_get(sensor, "interface_drops"), 0);
	conditions_text(sensor, state, sizeof state);
	snprintf(heard, sizeof heard, "%.19s", nj_json_text(nj_json_get(sensor, "heard"), ""));
	if (strlen(heard) > 10)
		heard[10] = ' ';
	nj_console_cell(console, nj_json_text(nj_json_get(sensor, "sensor"), "?"), 20, false);
	fputs(nj_ink(console, troubled ? NJ_INK_RED : NJ_INK_PLAIN), console->out);
	nj_console_cell(console, state, 18, false);
	fputs(nj_ink(console, NJ_INK_PLAIN), console->out);
	nj_console_cell(console, nj_human_count(nj_json_u64(nj_json_get(sensor, "frames"), 0), frames), 14, true);
	nj_console_cell(console, nj_human_count(lost_frames, kernel), 12, true);
	fprintf(console->out, "%7.1f %%%7.0f %%%8.1f %%", 100 * lost,
		full > 0 ? 100 * nj_json_double(nj_json_get(sensor, "journal_bytes"), 0) / full : 0,
		nj_json_double(nj_json_get(sensor, "cpu_permille"), 0) / 10);
	nj_console_cell(console, nj_human_bytes(nj_json_double(nj_json_get(sensor, "memory_bytes"), 0), memory), 10,
			true);
	fprintf(console->out, "%8.1f s  %s\n", offset_s, heard);
}

static int on_row(void *context, const char *json)
{
	struct query *query = context;
	struct nj_json *sensor;
	int error = nj_json_parse("the store's row of a sensor", json, strlen(json), &query->message, &sensor);
	if (error < 0)
		return error;
	bool troubled = nj_json_size(nj_json_get(sensor, "conditions")) > 0;
	if (troubled == query->troubled && query->told < query->arguments->limit) {
		query->told++;
		if (query->arguments->json)
			fprintf(query->console->out, "%s\n", json);
		else
			print_row(query->console, sensor, troubled);
	}
	nj_json_free(&sensor);
	return 0;
}

static int print_all(struct query *query, struct nj_store *store)
{
	struct nj_console *console = query->console;
	if (!query->arguments->json)
		fprintf(console->out, "%s%-20s%-18s%14s%12s%9s%9s%10s%10s%10s  %s%s\n", nj_ink(console, NJ_INK_DIM),
			"sensor", "state", "frames", "lost", "lost now", "journal", "CPU", "memory", "clock",
			"last heard (UTC)", nj_ink(console, NJ_INK_PLAIN));
	query->troubled = true;
	int error = nj_store_read_sensors(store, &query->message, on_row, query);
	query->troubled = false;
	if (error == NJ_OK)
		error = nj_store_read_sensors(store, &query->message, on_row, query);
	return error == NJ_OK ? nj_console_flush(console, &query->message) : error;
}

enum nj_exit nj_sensors_run(const struct nj_arguments *arguments, struct nj_console *console)
{
	struct query query = {.arguments = arguments, .console = console};
	struct nj_store *store = NULL;
	int error = NJ_OK;
	if (arguments->store == NULL)
		error = nj_fail(&query.message, NJ_ERR_USAGE, "which store is missing: --store FILE");
	if (error == NJ_OK)
		error = nj_store_open_read(arguments->store, &query.message, &store);
	if (error == NJ_OK)
		error = print_all(&query, store);
	nj_store_close(&store);
	return error == NJ_OK || error == NJ_ERR_AGAIN ? NJ_EXIT_DONE
						       : nj_verb_fail(arguments, console, error, &query.message);
}
