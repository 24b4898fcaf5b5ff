/* AI agents as people and programs read them: a table for the terminal and a JSON object a line, for `nightjar agents
 * --ai` and the summary of a replay. Pure but for writing to the console. */
#ifndef NJ_CLI_AI_TOLD_H
#define NJ_CLI_AI_TOLD_H

#include "aggregator/ai_inventory.h"
#include "cli/console.h"
#include "common/json_out.h"

/* Those that loop first, then by turns, then by agent: the order people read in. For qsort. */
int nj_ai_by_weight(const void *a, const void *b);

void nj_ai_print_head(struct nj_console *console);
/* One line; *name* of the agent as the inventory has it, or "". */
void nj_ai_print_row(struct nj_console *console, const struct nj_ai_row *row, const char *name);
void nj_ai_print_json(struct nj_console *console, struct nj_json_out *out, const struct nj_ai_row *row);

#endif
