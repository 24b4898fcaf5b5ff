/* Drawings for the report as SVG text, complete without a script: traffic with alerts, a course with its usual band, a
 * feature against what is usual, shares. Widths are percentages, so that a drawing fills its place on any screen while
 * its letters keep their size. Colours are classes of report/style.css. Pure. */
#ifndef NJ_CLI_PLOT_H
#define NJ_CLI_PLOT_H

#include "cli/findings.h"
#include "cli/text.h"

/* The axis all plots of a page share: bins_n bins of bin_ns from origin_ns. */
struct nj_axis {
	uint64_t origin_ns, bin_ns;
	uint32_t bins_n;
};

/* Traffic per bin as an area, lost frames as marks, above it each alert as a bar that links to its card ("#a1" is the
 * first of findings->alerts). */
void nj_plot_timeline(struct nj_text *text, const struct nj_findings *findings, const struct nj_axis *axis,
		      uint32_t alerts_n);

struct nj_course_plot {
	const double *values; /* bins_n of them */
	const char *title, *unit;
	uint64_t start_ns, end_ns; /* of the alert: shaded */
	uint32_t id;               /* the drawing's number in the page's data */
	double median, high;       /* of the bins outside the alert (high: their 95 % quantile); NAN: too few of them */
};

/* Fills median and high from the values outside start_ns..end_ns between the agent's first and last bin. */
void nj_plot_usual(struct nj_course_plot *plot, const struct nj_axis *axis, uint32_t first_bin, uint32_t last_bin);
void nj_plot_course(struct nj_text *text, const struct nj_course_plot *plot, const struct nj_axis *axis);

/* One row's drawing: dot for *value*, bar for *usual*, ring for *peers*; on a logarithmic scale where all are positive.
 */
void nj_plot_feature(struct nj_text *text, const struct nj_alert_feature *feature);

/* A bar of *share* (0..1) of its place. */
void nj_plot_share(struct nj_text *text, double share, const char *class_name);

#endif
