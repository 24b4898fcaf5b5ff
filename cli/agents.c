/* `nightjar agents`: the agents a store knows, those with alerts first, then by bytes; with --ai the AI agents among
 * them, those that loop first. */
#include "cli/verbs.h"

#include "aggregator/store.h"
#include "cli/ai_told.h"
#include "cli/human.h"
#include "common/json_out.h"
#include "common/label.h"

#include <stdlib.h>
#include <string.h>

struct query {
	const struct nj_arguments *arguments;
	struct nj_agent_id agent;
	struct nj_message message;
	struct nj_store_agent *rows;
	size_t rows_n, rows_capacity;
	struct nj_ai_row *ai;
	size_t ai_n, ai_capacity;
};

static int on_row(void *context, const struct nj_store_agent *agent)
{
	struct query *query = context;
	const struct nj_arguments *arguments = query->arguments;
	if (agent->last_ns < arguments->since || agent->first_ns > arguments->until)
		return 0;
	if (arguments->agent != NULL && nj_agent_id_compare(&agent->agent, &query->agent) != 0)
		return 0;
	if (query->rows_n == query->rows_capacity) {
		size_t capacity = query->rows_capacity != 0 ? query->rows_capacity * 2 : 256;
		struct nj_store_agent *rows = realloc(query->rows, capacity * sizeof *rows);
		if (rows == NULL)
			return NJ_ERR_MEMORY;
		query->rows = rows;
		query->rows_capacity = capacity;
	}
	query->rows[query->rows_n++] = *agent;
	return 0;
}

static int by_weight(const void *a, const void *b)
{
	const struct nj_store_agent *left = a, *right = b;
	if (left->alerts != right->alerts)
		return left->alerts > right->alerts ? -1 : 1;
	uint64_t l = left->bytes_out + left->bytes_in, r = right->bytes_out + right->bytes_in;
	if (l != r)
		return l > r ? -1 : 1;
	return nj_agent_id_compare(&left->agent, &right->agent);
}

static void print_json(struct nj_console *console, struct nj_json_out *out, const struct nj_store_agent *agent)
{
	char address[NJ_ADDR_TEXT_MAX], segment[NJ_SEGMENT_TEXT_MAX];
	nj_json_out_reset(out);
	nj_json_out_object(out, NULL);
	nj_json_out_text(out, "address", nj_addr_text(&agent->agent.addr, address));
	nj_json_out_text(out, "segment", nj_segment_text(agent->agent.segment, segment));
	nj_json_out_text(out, "name", agent->name);
	nj_json_out_text(out, "client", agent->client);
	nj_json_out_time(out, "first", agent->first_ns);
	nj_json_out_time(out, "last", agent->last_ns);
	nj_json_out_u64(out, "windows", agent->windows);
	nj_json_out_u64(out, "bytes_out", agent->bytes_out);
	nj_json_out_u64(out, "bytes_in", agent->bytes_in);
	nj_json_out_u64(out, "flows", agent->flows);
	nj_json_out_u64(out, "alerts", agent->alerts);
	nj_json_out_end(out);
	nj_json_out_newline(out);
	if (nj_json_out_ok(out))
		fwrite(out->text, 1, out->used, console->out);
}

static void print_row(struct nj_console *console, const struct nj_store_agent *agent)
{
	nj_human id, out, in, flows, last;
	char name[sizeof agent->name * 3];
	nj_label(agent->name, strnlen(agent->name, sizeof agent->name), name, sizeof name);
	fputs(nj_ink(console, agent->alerts > 0 ? NJ_INK_RED : NJ_INK_PLAIN), console->out);
	fprintf(console->out, "%6ju  ", (uintmax_t)agent->alerts);
	fputs(nj_ink(console, NJ_INK_PLAIN), console->out);
	nj_console_cell(console, nj_human_agent(&agent->agent, id), 24, false);
	nj_console_cell(console, nj_human_bytes((double)agent->bytes_out, out), 10, true);
	nj_console_cell(console, nj_human_bytes((double)agent->bytes_in, in), 10, true);
	nj_console_cell(console, nj_human_count(agent->flows, flows), 10, true);
	fprintf(console->out, "  %s%s%s\n", nj_human_time(agent->last_ns, last), name[0] != '\0' ? "  " : "", name);
}

static int print_rows(struct query *query, struct nj_console *console)
{
	struct nj_json_out out = {0};
	size_t n = query->rows_n < query->arguments->limit ? query->rows_n : query->arguments->limit;
	if (query->rows_n > 0)
		qsort(query->rows, query->rows_n, sizeof *query->rows, by_weight);
	if (!query->arguments->json)
		fprintf(console->out, "%salerts  %-24s%10s%10s%10s  %-19s%s\n", nj_ink(console, NJ_INK_DIM), "agent",
			"sent", "received", "flows", "last seen (UTC)", nj_ink(console, NJ_INK_PLAIN));
	for (size_t i = 0; i < n && !ferror(console->out); i++) {
		if (query->arguments->json)
			print_json(console, &out, &query->rows[i]);
		else
			print_row(console, &query->rows[i]);
	}
	if (!query->arguments->json && query->rows_n > n)
		fprintf(console->out, "and %zu more; --limit raises the number\n", query->rows_n - n);
	nj_json_out_fini(&out);
	return nj_console_flush(console, &query->message);
}

/* ---- AI agents */

static int on_ai(void *context, const struct nj_ai_row *row)
{
	struct query *query = context;
	const struct nj_arguments *arguments = query->arguments;
	if (row->last_ns < arguments->since || row->first_ns > arguments->until)
		return 0;
	if (arguments->agent != NULL && nj_agent_id_compare(&row->agent, &query->agent) != 0)
		return 0;
	if (query->ai_n == query->ai_capacity) {
		size_t capacity = query->ai_capacity != 0 ? query->ai_capacity * 2 : 64;
		struct nj_ai_row *rows = realloc(query->ai, capacity * sizeof *rows);
		if (rows == NULL)
			return NJ_ERR_MEMORY;
		query->ai = rows;
		query->ai_capacity = capacity;
	}
	query->ai[query->ai_n++] = *row;
	return 0;
}

static int print_ai(struct query *query, struct nj_console *console)
{
	struct nj_json_out out = {0};
	size_t n = query->ai_n < query->arguments->limit ? query->ai_n : query->arguments->limit;
	if (query->ai_n > 0)
		qsort(query->ai, query->ai_n, sizeof *query->ai, nj_ai_by_weight);
	if (!query->arguments->json && n > 0)
		nj_ai_print_head(console);
	if (!query->arguments->json && n == 0)
		fputs("no AI agent seen\n", console->out);
	for (size_t i = 0; i < n && !ferror(console->out); i++) {
		if (query->arguments->json)
			nj_ai_print_json(console, &out, &query->ai[i]);
		else
			nj_ai_print_row(console, &query->ai[i], "");
	}
	if (!query->arguments->json && query->ai_n > n)
		fprintf(console->out, "and %zu more; --limit raises the number\n", query->ai_n - n);
	nj_json_out_fini(&out);
	return nj_console_flush(console, &query->message);
}

enum nj_exit nj_agents_run(const struct nj_arguments *arguments, struct nj_console *console)
{
	struct query query = {.arguments = arguments};
	struct nj_store *store = NULL;
	int error = NJ_OK;
	if (arguments->store == NULL)
		error = nj_fail(&query.message, NJ_ERR_USAGE, "which store is missing: --store FILE");
	else if (arguments->agent != NULL && !nj_human_agent_parse(arguments->agent, &query.agent))
		error = nj_fail(&query.message, NJ_ERR_USAGE,
				"--agent %.80s: not an address like 10.1.2.3 or vlan:7/10.1.2.3", arguments->agent);
	if (error == NJ_OK)
		error = nj_store_open_read(arguments->store, &query.message, &store);
	if (error == NJ_OK && arguments->ai) {
		error = nj_store_read_ai(store, &query.message, on_ai, &query);
		if (error == NJ_OK)
			error = print_ai(&query, console);
	} else if (error == NJ_OK) {
		error = nj_store_read_agents(store, &query.message, on_row, &query);
		if (error == NJ_OK)
			error = print_rows(&query, console);
	}
	nj_store_close(&store);
	free(query.rows);
	free(query.ai);
	return error == NJ_OK || error == NJ_ERR_AGAIN ? NJ_EXIT_DONE
						       : nj_verb_fail(arguments, console, error, &query.message);
}
