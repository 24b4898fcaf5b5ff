/* `nightjar alerts`: asks a store for its alerts, newest kept when there are too many, told oldest first; or walks its
 * hash chain. */
#include "cli/verbs.h"

#include "aggregator/store.h"
#include "cli/alert_read.h"
#include "cli/human.h"
#include "cli/summary.h"

#include <stdlib.h>
#include <string.h>

struct query {
	const struct nj_arguments *arguments;
	struct nj_agent_id agent; /* with --agent */
	struct nj_message message;
	char **lines;            /* ring of the newest */
	uint64_t lines_n, limit; /* taken so far, kept at most */
};

static bool fits(const struct query *query, const struct nj_alert *alert)
{
	const struct nj_arguments *arguments = query->arguments;
	if (alert->time_ns < arguments->since || alert->time_ns > arguments->until)
		return false;
	if (arguments->agent != NULL && nj_agent_id_compare(&alert->agent, &query->agent) != 0)
		return false;
	return arguments->detector == NULL || strcmp(arguments->detector, alert->detector) == 0;
}

static int on_row(void *context, const char *json)
{
	struct query *query = context;
	struct nj_alert alert;
	int error = nj_alert_read(json, &query->message, &alert);
	if (error != NJ_OK)
		return error;
	if (!fits(query, &alert))
		return 0;
	char *line = strdup(json);
	if (line == NULL)
		return NJ_ERR_MEMORY;
	char **place = &query->lines[query->lines_n++ % query->limit];
	free(*place);
	*place = line;
	return 0;
}

static int print_rows(struct query *query, struct nj_console *console)
{
	uint64_t kept = query->lines_n < query->limit ? query->lines_n : query->limit;
	for (uint64_t i = query->lines_n - kept; i < query->lines_n && !ferror(console->out); i++) {
		const char *line = query->lines[i % query->limit];
		struct nj_alert alert;
		int error = nj_alert_read(line, &query->message, &alert);
		if (error != NJ_OK)
			return error;
		if (query->arguments->json)
			fprintf(console->out, "%s\n", line);
		else if (query->arguments->full)
			nj_summary_alert(console, &alert, NULL);
		else
			nj_summary_alert_line(console, &alert);
	}
	if (!query->arguments->json && query->lines_n > kept) {
		nj_human count;
		fprintf(console->out, "%s older ones are left out; --limit raises the number\n",
			nj_human_count(query->lines_n - kept, count));
	}
	if (!query->arguments->json && query->lines_n == 0)
		fprintf(console->out, "no such alerts\n");
	return nj_console_flush(console, &query->message);
}

static int list_alerts(struct query *query, struct nj_store *store, struct nj_console *console)
{
	enum nj_severity least = query->arguments->severity != 0 ? query->arguments->severity : NJ_SEVERITY_LOW;
	query->limit = query->arguments->limit;
	query->lines = calloc(query->limit, sizeof *query->lines);
	if (query->lines == NULL)
		return NJ_ERR_MEMORY;
	int error = nj_store_read_alerts(store, query->arguments->since, least, &query->message, on_row, query);
	if (error == NJ_OK)
		error = print_rows(query, console);
	for (uint64_t i = 0; i < query->limit; i++)
		free(query->lines[i]);
	free(query->lines);
	return error;
}

/* The chain's verdict; a broken one is a failure that names the row. */
static int verify(struct query *query, struct nj_store *store, struct nj_console *console)
{
	uint64_t row = 0, rows = 0;
	int broken = nj_store_verify(store, &query->message, &row, &rows);
	if (broken < 0)
		return broken;
	if (broken > 0)
		return nj_fail(&query->message, NJ_ERR_FORMAT,
			       "%s: the chain breaks at alert %ju of %ju: one was changed or removed there",
			       query->arguments->store, (uintmax_t)row, (uintmax_t)rows);
	fprintf(console->out, "the chain of %ju alerts is whole\n", (uintmax_t)rows);
	return nj_console_flush(console, &query->message);
}

static int check(struct query *query)
{
	const struct nj_arguments *arguments = query->arguments;
	if (arguments->store == NULL)
		return nj_fail(&query->message, NJ_ERR_USAGE, "which store is missing: --store FILE");
	if (arguments->agent != NULL && !nj_human_agent_parse(arguments->agent, &query->agent))
		return nj_fail(&query->message, NJ_ERR_USAGE,
			       "--agent %.80s: not an address like 10.1.2.3 or vlan:7/10.1.2.3", arguments->agent);
	return NJ_OK;
}

enum nj_exit nj_alerts_run(const struct nj_arguments *arguments, struct nj_console *console)
{
	struct query query = {.arguments = arguments};
	struct nj_store *store = NULL;
	int error = check(&query);
	if (error == NJ_OK)
		error = nj_store_open_read(arguments->store, &query.message, &store);
	if (error == NJ_OK)
		error = arguments->verify ? verify(&query, store, console) : list_alerts(&query, store, console);
	nj_store_close(&store);
	return error == NJ_OK || error == NJ_ERR_AGAIN ? NJ_EXIT_DONE
						       : nj_verb_fail(arguments, console, error, &query.message);
}
