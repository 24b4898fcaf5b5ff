/* One self-contained HTML page about a run: alerts over traffic, each alert with its reasons and the course of its
 * agent, talkers, protocols, what could not be seen, commands. Opens without a network, works without scripts, lets
 * nothing in: a strict content security policy names the page's own style and script by their SHA-256, and every
 * foreign text is escaped. The page's frame, style and script lie in cli/report/ and are embedded at build time. */
#ifndef NJ_CLI_REPORT_H
#define NJ_CLI_REPORT_H

#include "cli/facts.h"
#include "cli/findings.h"

#define NJ_REPORT_ALERTS_MAX 200 /* told in full; the rest is counted */

/* The page as text. *findings* must be sorted, with courses. *returns owned* (free()); NULL: out of memory. Same input,
 * same bytes. */
char *nj_report_text(const struct nj_facts *facts, const struct nj_findings *findings);

/* Writes it to *path* by way of PATH.part, so that a half-written page never stands there. NJ_ERR_IO and the like with
 * a message. */
NJ_MUST_CHECK int nj_report_write(const char *path, const struct nj_facts *facts, const struct nj_findings *findings,
				  struct nj_message *message);

/* What an ATT&CK or ATLAS id stands for; "" when not known here. */
const char *nj_technique_words(const char *id);

#endif
