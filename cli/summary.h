/* What a person reads on a terminal after a replay: what was in the capture, what was found by severity with its
 * reasons, what to type next. Plain text in a pipe, colour on a terminal, fits the width. Pure but for writing to the
 * console; the same facts give the same bytes. */
#ifndef NJ_CLI_SUMMARY_H
#define NJ_CLI_SUMMARY_H

#include "cli/console.h"
#include "cli/facts.h"
#include "cli/findings.h"

/* *findings* must be sorted (nj_findings_sort, nj_findings_sort_apps). *top*: alerts told in full; the rest get a line
 * each. */
void nj_summary_print(struct nj_console *console, const struct nj_facts *facts, const struct nj_findings *findings,
		      uint32_t top);

/* One alert in full, as the summary and `nightjar alerts` show it. *source*: operands for the suggested command, or
 * NULL for none. */
void nj_summary_alert(struct nj_console *console, const struct nj_alert *alert, const char *source);
/* The same in one line. */
void nj_summary_alert_line(struct nj_console *console, const struct nj_alert *alert);

/* From when to when, how soon it was raised, what was folded in. *text* holds at least 256 bytes; returns it. */
char *nj_when_words(const struct nj_alert *alert, char *text, size_t size);

/* "Baseline: ..., frames decoded ..." as words: how well could this be seen? *text* holds at least 256 bytes; returns
 * it. */
char *nj_visibility_words(const struct nj_alert *alert, char *text, size_t size);

#endif
