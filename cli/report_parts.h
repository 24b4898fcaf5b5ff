/* What cli/report.c and cli/report_alert.c share, and the files of cli/report/ as CMake embedded them. Internal to the
 * report. */
#ifndef NJ_CLI_REPORT_PARTS_H
#define NJ_CLI_REPORT_PARTS_H

#include "cli/plot.h"
#include "common/json_out.h"

extern const char nj_report_page[], nj_report_style[], nj_report_script[]; /* NUL-terminated */

/* State of one page being written. */
struct nj_page {
	const struct nj_facts *facts;
	const struct nj_findings *findings;
	struct nj_axis axis;
	struct nj_json_out plots; /* the values of each drawing, for reading them by pointer */
	uint32_t plots_n;
};

/* Adds the values of a drawing to the page's data; gives the drawing's number. */
uint32_t nj_page_plot(struct nj_page *page, const double *values, uint32_t n, const char *unit);

/* One alert as a card. *number* counts from 1. */
void nj_page_alert(struct nj_page *page, struct nj_text *text, const struct nj_alert *alert, uint32_t number);

/* Foreign text for HTML: made printable first (common/label.h), then escaped. */
void nj_page_foreign(struct nj_text *text, const char *foreign);

#endif
