/* The line says who, what kind, with whom, how sure; the rest (first seen, client, interface, tools) stands in the
 * JSON, and on the line as far as the terminal has room. */
#include "cli/ai_told.h"

#include "cli/human.h"
#include "common/label.h"

#include <string.h>

#define COLUMN_AGENT 18
#define COLUMN_KIND  14
#define COLUMN_PEER  28
#define WIDE         110 /* columns from which clients and tools are shown */

int nj_ai_by_weight(const void *a, const void *b)
{
	const struct nj_ai_row *left = a, *right = b;
	bool left_loops = left->kind != NJ_AI_MODEL_USE, right_loops = right->kind != NJ_AI_MODEL_USE;
	if (left_loops != right_loops)
		return left_loops ? -1 : 1;
	if (left->turns != right->turns)
		return left->turns > right->turns ? -1 : 1;
	int order = nj_agent_id_compare(&left->agent, &right->agent);
	return order != 0 ? order : (left->key > right->key) - (left->key < right->key);
}

void nj_ai_print_head(struct nj_console *console)
{
	fprintf(console->out, "  %s%-*s%-*s%-*s%8s%9s%10s%10s%s\n", nj_ink(console, NJ_INK_DIM), COLUMN_AGENT, "agent",
		COLUMN_KIND, "kind", COLUMN_PEER, "thinks with", "turns", "agentic", "sent", "received",
		nj_ink(console, NJ_INK_PLAIN));
}

static void print_extra(struct nj_console *console, const struct nj_ai_row *row, const char *name)
{
	char safe[3 * NJ_AI_TOOLS_TEXT_MAX];
	nj_label(name, strlen(name), safe, sizeof safe);
	fprintf(console->out, "  %s%s%s", nj_ink(console, row->registered ? NJ_INK_PLAIN : NJ_INK_YELLOW),
		row->registered ? "registered" : "unregistered", nj_ink(console, NJ_INK_PLAIN));
	if (safe[0] != '\0')
		fprintf(console->out, "  %s", safe);
	if (console->width < WIDE)
		return;
	if (row->api[0] != '\0')
		fprintf(console->out, "  %s", row->api);
	nj_label(row->client, strlen(row->client), safe, sizeof safe);
	if (safe[0] != '\0')
		fprintf(console->out, "  client %s", safe);
	nj_label(row->tools, strlen(row->tools), safe, sizeof safe);
	if (safe[0] != '\0')
		fprintf(console->out, "  tools %s", safe);
}

void nj_ai_print_row(struct nj_console *console, const struct nj_ai_row *row, const char *name)
{
	nj_human id, turns, up, down, agentic;
	char peer[3 * sizeof row->peer];
	nj_label(row->peer, strlen(row->peer), peer, sizeof peer);
	fputs("  ", console->out);
	nj_console_cell(console, nj_human_agent(&row->agent, id), COLUMN_AGENT, false);
	fputs(nj_ink(console, row->kind == NJ_AI_REMOTE ? NJ_INK_RED : NJ_INK_PLAIN), console->out);
	nj_console_cell(console, nj_ai_kind_text(row->kind), COLUMN_KIND, false);
	fputs(nj_ink(console, NJ_INK_PLAIN), console->out);
	nj_console_cell(console, peer, COLUMN_PEER, false);
	nj_console_cell(console, nj_human_count(row->turns, turns), 8, true);
	snprintf(agentic, sizeof agentic, "%.2f", row->agentic);
	nj_console_cell(console, agentic, 9, true);
	nj_console_cell(console, nj_human_bytes((double)row->bytes_up, up), 10, true);
	nj_console_cell(console, nj_human_bytes((double)row->bytes_down, down), 10, true);
	print_extra(console, row, name);
	putc('\n', console->out);
}

void nj_ai_print_json(struct nj_console *console, struct nj_json_out *out, const struct nj_ai_row *row)
{
	char address[NJ_ADDR_TEXT_MAX], segment[NJ_SEGMENT_TEXT_MAX];
	nj_json_out_reset(out);
	nj_json_out_object(out, NULL);
	nj_json_out_text(out, "address", nj_addr_text(&row->agent.addr, address));
	nj_json_out_text(out, "segment", nj_segment_text(row->agent.segment, segment));
	nj_json_out_text(out, "kind", nj_ai_kind_text(row->kind));
	nj_json_out_text(out, "peer", row->peer);
	nj_json_out_u64(out, "port", row->port);
	nj_json_out_bool(out, "external", row->outside);
	nj_json_out_bool(out, "registered", row->registered);
	nj_json_out_text(out, "client", row->client);
	nj_json_out_text(out, "api", row->api);
	nj_json_out_text(out, "tools", row->tools);
	nj_json_out_time(out, "first", row->first_ns);
	nj_json_out_time(out, "last", row->last_ns);
	nj_json_out_u64(out, "turns", row->turns);
	nj_json_out_u64(out, "bytes_up", row->bytes_up);
	nj_json_out_u64(out, "bytes_down", row->bytes_down);
	nj_json_out_double(out, "p_llm", row->p_llm);
	nj_json_out_double(out, "agentic", row->agentic);
	nj_json_out_end(out);
	nj_json_out_newline(out);
	if (nj_json_out_ok(out))
		fwrite(out->text, 1, out->used, console->out);
}
