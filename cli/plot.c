/* See plot.h. A drawing is an outer SVG without a viewBox, whose letters stand at percentages, around an inner one
 * whose viewBox (bins x 1000) is stretched to fit: shapes scale, letters and strokes do not. */
#include "cli/plot.h"

#include "cli/human.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS  1000000000u
#define HEIGHT     1000 /* of inner viewBoxes */
#define LANES_MOST 14
#define LANE_PX    16
#define TRAFFIC_PX 150
#define AXIS_PX    22
#define COURSE_PX  120

static double axis_percent(const struct nj_axis *axis, uint64_t t_ns)
{
	double whole = (double)axis->bin_ns * axis->bins_n;
	double at = t_ns > axis->origin_ns ? (double)(t_ns - axis->origin_ns) / whole * 100 : 0;
	return at > 100 ? 100 : at;
}

/* Steps people count time in, in seconds. */
static const uint64_t tick_steps_s[] = {1,       2,        5,        10,        15,        30,        60,
					120,     300,      600,      900,       1800,      3600,      7200,
					10800,   21600,    43200,    86400,     172800,    604800,    2592000,
					7776000, 15552000, 31536000, 157680000, 315360000, 1576800000};

static uint64_t tick_step(const struct nj_axis *axis)
{
	double whole_s = (double)axis->bin_ns * axis->bins_n / 1e9;
	size_t i = 0, n = sizeof tick_steps_s / sizeof tick_steps_s[0];
	while (i + 1 < n && whole_s / (double)tick_steps_s[i] > 9)
		i++;
	return tick_steps_s[i];
}

static void add_tick(struct nj_text *text, const struct nj_axis *axis, uint64_t t_s, uint64_t step_s, unsigned number,
		     int y)
{
	nj_human when, clock;
	double x = axis_percent(axis, t_s * SECOND_NS);
	nj_human_time(t_s * SECOND_NS, when);
	snprintf(clock, sizeof clock, "%.*s", step_s < 60 ? 8 : 5, when + 11);
	const char *label = step_s < 86400 ? clock : step_s < 15552000 ? when + 5 : when;
	int length = step_s < 86400 ? 8 : step_s < 15552000 ? 5 : 7;
	nj_text_format(text, "<line class=\"grid\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%d\"/>", x, x, y);
	nj_text_format(text, "<text class=\"tick t%u\" x=\"%.2f%%\" y=\"%d\" text-anchor=\"%s\">%.*s</text>",
		       number % 2, x, y + 15,
		       x < 4    ? "start"
		       : x > 96 ? "end"
				: "middle",
		       length, label);
}

static void add_time_axis(struct nj_text *text, const struct nj_axis *axis, int y)
{
	uint64_t step_s = tick_step(axis), first_s = (axis->origin_ns + SECOND_NS - 1) / SECOND_NS;
	uint64_t end_s = (axis->origin_ns + axis->bin_ns * axis->bins_n) / SECOND_NS,
		 at_s = (first_s + step_s - 1) / step_s * step_s;
	for (unsigned number = 0; at_s <= end_s && number < 32; at_s += step_s)
		add_tick(text, axis, at_s, step_s, number++, y);
}

/* A stepped outline of values, closed along the base: M0,H V.. H.. */
static void add_area(struct nj_text *text, const double *values, uint32_t n, double top, const char *class_name)
{
	nj_text_format(text, "<path class=\"%s\" d=\"M0,%d", class_name, HEIGHT);
	for (uint32_t i = 0, next; i < n; i = next) {
		for (next = i + 1; next < n && values[next] == values[i]; next++)
			; /* one step for a run of equal values */
		nj_text_format(text, "V%.0fH%u", HEIGHT - (top > 0 ? values[i] / top : 0) * HEIGHT, next);
	}
	nj_text_format(text, "V%dZ\"/>", HEIGHT);
}

static double largest(const double *values, uint32_t n)
{
	double most = 0;
	for (uint32_t i = 0; i < n; i++)
		most = values[i] > most ? values[i] : most;
	return most;
}

static uint32_t lane_of(uint64_t *ends, const struct nj_alert *alert, uint64_t gap_ns)
{
	uint32_t lane = 0;
	while (lane + 1 < LANES_MOST && ends[lane] > alert->start_ns)
		lane++;
	ends[lane] = alert->end_ns + gap_ns;
	return lane;
}

/* Beside the bar where there is room, else inside it. */
static void add_bar_label(struct nj_text *text, const struct nj_alert *alert, double from, double to, uint32_t lane)
{
	nj_human agent;
	bool right = to < 62, left = !right && from > 38;
	nj_text_format(text, "<text class=\"%s\" x=\"%.2f%%\" dx=\"%d\" y=\"%u\" text-anchor=\"%s\">",
		       right || left ? "beside" : "inside", right ? to : from, left ? -6 : 6, lane * LANE_PX + 12,
		       left ? "end" : "start");
	nj_text_add_html(text, alert->detector);
	nj_text_format(text, " %s</text>", nj_human_agent(&alert->agent, agent));
}

static void add_alert_bar(struct nj_text *text, const struct nj_axis *axis, const struct nj_alert *alert,
			  uint32_t number, uint32_t lane, bool label)
{
	nj_human agent, when;
	double from = fmin(axis_percent(axis, alert->start_ns), 99.6),
	       to = fmax(axis_percent(axis, alert->end_ns), from + 0.4);
	nj_text_format(text, "<a href=\"#a%u\" class=\"bar s-%s%s\"><title>", number + 1,
		       nj_severity_text(alert->severity), alert->queued ? " queued" : "");
	nj_text_add_html(text, nj_severity_text(alert->severity));
	nj_text_add(text, " ");
	nj_text_add_html(text, alert->detector);
	nj_text_format(text, ", %s, %s UTC</title>", nj_human_agent(&alert->agent, agent),
		       nj_human_time(alert->start_ns, when));
	nj_text_format(text, "<rect x=\"%.2f%%\" width=\"%.2f%%\" y=\"%u\" height=\"%d\" rx=\"3\"/>", from, to - from,
		       lane * LANE_PX + 2, LANE_PX - 4);
	if (label)
		add_bar_label(text, alert, from, to, lane);
	nj_text_add(text, "</a>");
}

static int by_start(const void *a, const void *b)
{
	const struct nj_alert *const *left = a, *const *right = b;
	return (*left)->start_ns < (*right)->start_ns ? -1 : (*left)->start_ns > (*right)->start_ns;
}

/* Draws the bars, many of them into as few lanes as they need; gives the height used. */
static int add_alert_lanes(struct nj_text *text, const struct nj_findings *findings, const struct nj_axis *axis,
			   uint32_t n)
{
	uint64_t ends[LANES_MOST] = {0}, gap_ns = axis->bin_ns * axis->bins_n / 200;
	uint32_t lanes = 0;
	const struct nj_alert **order = malloc((n > 0 ? n : 1) * sizeof *order);
	if (order == NULL) {
		text->failed = true;
		return 0;
	}
	for (uint32_t i = 0; i < n; i++)
		order[i] = &findings->alerts[i];
	qsort(order, n, sizeof *order, by_start);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t lane =
			n <= LANES_MOST ? i : lane_of(ends, order[i], gap_ns); /* few: a lane and a label each */
		add_alert_bar(text, axis, order[i], (uint32_t)(order[i] - findings->alerts), lane, n <= LANES_MOST);
		lanes = lane + 1 > lanes ? lane + 1 : lanes;
	}
	free(order);
	return (int)lanes * LANE_PX;
}

static void add_losses(struct nj_text *text, const struct nj_findings *findings, const struct nj_axis *axis, int y)
{
	for (uint32_t i = 0; i < axis->bins_n; i++) {
		if (findings->bins[i].dropped > 0)
			nj_text_format(text, "<rect class=\"loss\" x=\"%.2f%%\" y=\"%d\" width=\"3\" height=\"7\"/>",
				       (double)i / axis->bins_n * 100, y - 7);
	}
}

void nj_plot_timeline(struct nj_text *text, const struct nj_findings *findings, const struct nj_axis *axis,
		      uint32_t alerts_n)
{
	double values[NJ_BINS_MAX];
	nj_human top;
	struct nj_text bars = {0};
	for (uint32_t i = 0; i < axis->bins_n; i++)
		values[i] = (double)findings->bins[i].bytes / ((double)axis->bin_ns / 1e9);
	double most = largest(values, axis->bins_n);
	int lanes_px = add_alert_lanes(&bars, findings, axis, alerts_n), base = lanes_px + 8 + TRAFFIC_PX;
	nj_text_format(text,
		       "<svg class=\"plot\" id=\"p0\" data-plot=\"0\" width=\"100%%\" height=\"%d\" role=\"group\" "
		       "tabindex=\"0\" aria-label=\"Traffic over time, with alerts\">",
		       base + AXIS_PX);
	add_time_axis(text, axis, base);
	nj_text_format(text,
		       "<svg x=\"0\" y=\"%d\" width=\"100%%\" height=\"%d\" viewBox=\"0 0 %u %d\" "
		       "preserveAspectRatio=\"none\">",
		       lanes_px + 8, TRAFFIC_PX, axis->bins_n, HEIGHT);
	add_area(text, values, axis->bins_n, most, "area");
	nj_text_format(text, "</svg><line class=\"base\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>", base, base);
	add_losses(text, findings, axis, base);
	nj_text_format(text, "<text class=\"scale\" x=\"4\" y=\"%d\">%s/s</text>", lanes_px + 20,
		       nj_human_bytes(most, top));
	nj_text_add(text, bars.data != NULL ? bars.data : "");
	text->failed |= bars.failed;
	nj_text_fini(&bars);
	nj_text_add(text, "</svg>");
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return left < right ? -1 : left > right;
}

#define USUAL_BINS_LEAST 6

void nj_plot_usual(struct nj_course_plot *plot, const struct nj_axis *axis, uint32_t first_bin, uint32_t last_bin)
{
	double sorted[NJ_BINS_MAX];
	uint32_t n = 0;
	assert(last_bin < NJ_BINS_MAX);
	for (uint32_t i = first_bin; i <= last_bin && i < axis->bins_n; i++) {
		uint64_t start_ns = axis->origin_ns + i * axis->bin_ns;
		if (start_ns + axis->bin_ns <= plot->start_ns || start_ns >= plot->end_ns)
			sorted[n++] = plot->values[i];
	}
	plot->median = plot->high = NAN;
	if (n < USUAL_BINS_LEAST)
		return;
	qsort(sorted, n, sizeof sorted[0], by_value);
	plot->median = sorted[n / 2];
	plot->high = sorted[(uint32_t)(0.95 * (n - 1))];
}

static void add_band(struct nj_text *text, const struct nj_course_plot *plot, double top)
{
	if (isnan(plot->median) || top <= 0)
		return;
	double high = (1 - plot->high / top) * COURSE_PX, median = (1 - plot->median / top) * COURSE_PX;
	nj_text_format(text, "<rect class=\"band\" x=\"0\" width=\"100%%\" y=\"%.1f\" height=\"%.1f\"/>", high,
		       fmax(COURSE_PX - high, 1));
	nj_text_format(text, "<line class=\"usual\" x1=\"0\" x2=\"100%%\" y1=\"%.1f\" y2=\"%.1f\"/>", median, median);
}

void nj_plot_course(struct nj_text *text, const struct nj_course_plot *plot, const struct nj_axis *axis)
{
	nj_human scale, bin, median, high;
	double top = largest(plot->values, axis->bins_n) * 1.06;
	double from = axis_percent(axis, plot->start_ns), to = axis_percent(axis, plot->end_ns);
	nj_text_format(text, "<figure><figcaption><b>%s</b> per %s", plot->title, nj_human_span(axis->bin_ns, bin));
	if (!isnan(plot->median))
		nj_text_format(text, "; at other times %s, 95 %% below %s",
			       nj_human_value(plot->median, plot->unit, median),
			       nj_human_value(plot->high, plot->unit, high));
	else
		nj_text_add(text, "; no other time to compare with");
	nj_text_format(text,
		       "</figcaption><svg class=\"plot course\" id=\"p%u\" data-plot=\"%u\" width=\"100%%\" "
		       "height=\"%d\" role=\"group\" tabindex=\"0\" aria-label=\"%s over time\">",
		       plot->id, plot->id, COURSE_PX + AXIS_PX, plot->title);
	nj_text_format(text, "<rect class=\"span\" x=\"%.2f%%\" width=\"%.2f%%\" y=\"0\" height=\"%d\"/>", from,
		       fmax(to - from, 0.3), COURSE_PX);
	add_time_axis(text, axis, COURSE_PX);
	add_band(text, plot, top);
	nj_text_format(text, "<svg width=\"100%%\" height=\"%d\" viewBox=\"0 0 %u %d\" preserveAspectRatio=\"none\">",
		       COURSE_PX, axis->bins_n, HEIGHT);
	add_area(text, plot->values, axis->bins_n, top, "area");
	nj_text_format(text, "</svg><line class=\"base\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>", COURSE_PX,
		       COURSE_PX);
	nj_text_format(text, "<text class=\"scale\" x=\"4\" y=\"12\">%s</text></svg></figure>",
		       nj_human_value(largest(plot->values, axis->bins_n), plot->unit, scale));
}

/* The scale of a feature's row: its least and largest number with some air, logarithmic when all are positive. */
struct feature_scale {
	bool logarithmic;
	double low, high;
};

static double scaled(const struct feature_scale *scale, double value)
{
	double v = scale->logarithmic ? log10(value) : value;
	return 6 + 88 * (v - scale->low) / (scale->high - scale->low);
}

static struct feature_scale feature_scale(const struct nj_alert_feature *feature)
{
	const double numbers[] = {feature->value, feature->usual, feature->peers};
	struct feature_scale scale = {.logarithmic = true, .low = INFINITY, .high = -INFINITY};
	for (unsigned i = 0; i < 3; i++)
		scale.logarithmic = scale.logarithmic && (isnan(numbers[i]) || numbers[i] > 0);
	for (unsigned i = 0; i < 3; i++) {
		if (isnan(numbers[i]))
			continue;
		double v = scale.logarithmic ? log10(numbers[i]) : numbers[i];
		scale.low = fmin(scale.low, v);
		scale.high = fmax(scale.high, v);
	}
	if (!scale.logarithmic)
		scale.low = fmin(scale.low, 0);
	if (!(scale.high > scale.low)) { /* one number only: show it in the middle */
		scale.low -= 1;
		scale.high += 1;
	}
	return scale;
}

void nj_plot_feature(struct nj_text *text, const struct nj_alert_feature *feature)
{
	/* With nothing to hold it against there is nothing to draw. */
	if (!isfinite(feature->value) || (!isfinite(feature->usual) && !isfinite(feature->peers)))
		return;
	struct feature_scale scale = feature_scale(feature);
	double value = scaled(&scale, feature->value),
	       usual = isfinite(feature->usual) ? scaled(&scale, feature->usual) : value;
	nj_text_add(text, "<svg class=\"bullet\" aria-hidden=\"true\" width=\"100%\" height=\"18\"><line "
			  "class=\"rail\" x1=\"0\" x2=\"100%\" y1=\"9\" y2=\"9\"/>");
	nj_text_format(text, "<line class=\"reach\" x1=\"%.1f%%\" x2=\"%.1f%%\" y1=\"9\" y2=\"9\"/>", usual, value);
	if (isfinite(feature->peers))
		nj_text_format(text, "<circle class=\"peers\" cx=\"%.1f%%\" cy=\"9\" r=\"4\"/>",
			       scaled(&scale, feature->peers));
	if (isfinite(feature->usual))
		nj_text_format(text, "<line class=\"mark\" x1=\"%.1f%%\" x2=\"%.1f%%\" y1=\"2\" y2=\"16\"/>", usual,
			       usual);
	nj_text_format(text, "<circle class=\"here\" cx=\"%.1f%%\" cy=\"9\" r=\"5\"/></svg>", value);
}

void nj_plot_share(struct nj_text *text, double share, const char *class_name)
{
	double percent = isfinite(share) ? fmin(fmax(share, 0), 1) * 100 : 0;
	nj_text_format(text,
		       "<svg class=\"share\" aria-hidden=\"true\" width=\"100%%\" height=\"8\"><rect class=\"rail\" "
		       "width=\"100%%\" height=\"8\" rx=\"2\"/>"
		       "<rect class=\"%s\" width=\"%.1f%%\" height=\"8\" rx=\"2\"/></svg>",
		       class_name, percent);
}
