/* One detection of the report: how bad, who, what; the sentence; the numbers against what is usual, drawn and told; the
 * agent's course around it; the other ends; how well it could be seen; the object itself. */
#include "cli/report_parts.h"

#include "cli/evidence.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/summary.h"
#include "common/label.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COURSES_TOLD 2

void nj_page_foreign(struct nj_text *text, const char *foreign)
{
	size_t size = strlen(foreign);
	char *safe = malloc(size * 3 + 1); /* every byte may become a three-byte replacement */
	if (safe == NULL) {
		text->failed = true;
		return;
	}
	nj_label(foreign, size, safe, size * 3 + 1);
	nj_text_add_html(text, safe);
	free(safe);
}

uint32_t nj_page_plot(struct nj_page *page, const double *values, uint32_t n, const char *unit)
{
	nj_json_out_object(&page->plots, NULL);
	nj_json_out_text(&page->plots, "unit", unit);
	nj_json_out_array(&page->plots, "values");
	for (uint32_t i = 0; i < n; i++)
		nj_json_out_double(&page->plots, NULL, round(values[i]));
	nj_json_out_end(&page->plots);
	nj_json_out_end(&page->plots);
	return page->plots_n++;
}

static void add_chips(struct nj_text *text, const struct nj_alert *alert)
{
	nj_human agent, p;
	const char *severity = nj_severity_text(alert->severity);
	nj_text_format(text, "<div class=\"chiprow\"><span class=\"chip s-%s\"><b>%s</b></span><h3>", severity,
		       severity);
	nj_text_add_html(text, nj_human_agent(&alert->agent, agent));
	if (alert->agent_name[0] != '\0') {
		nj_text_add(text, " ");
		nj_page_foreign(text, alert->agent_name);
	}
	nj_text_add(text, "</h3><span class=\"what\">");
	nj_page_foreign(text, alert->detector);
	nj_text_add(text, "</span><span class=\"p\">p ");
	nj_text_add_html(text, nj_human_p(alert->p, p));
	nj_text_add(text, "</span></div>");
}

static void add_when(struct nj_text *text, const struct nj_alert *alert)
{
	char words[512];
	nj_text_format(text, "<p class=\"when\">%s</p>", nj_when_words(alert, words, sizeof words));
}

static void add_techniques(struct nj_text *text, const struct nj_alert *alert)
{
	if (alert->techniques_n == 0)
		return;
	nj_text_add(text, "<p class=\"tech\">");
	for (unsigned i = 0; i < alert->techniques_n; i++) {
		const char *words = nj_technique_words(alert->technique[i]);
		nj_text_add(text, i > 0 ? ", <b>" : "<b>");
		nj_page_foreign(text, alert->technique[i]);
		nj_text_format(text, "</b>%s%s", words[0] != '\0' ? " " : "", words);
	}
	nj_text_add(text, "</p>");
}

static void add_number(struct nj_text *text, double value, const char *unit, const char *class_name)
{
	nj_human words;
	nj_text_format(text, "<td class=\"%s\">", class_name);
	nj_text_add_html(text, nj_human_value(value, unit, words));
	nj_text_add(text, "</td>");
}

static void add_features(struct nj_text *text, const struct nj_alert *alert)
{
	nj_human name, share;
	if (alert->features_n == 0)
		return;
	nj_text_format(text,
		       "<table class=\"driven s-%s\"><thead><tr><th>driven by</th><th class=\"n\">here</th><th "
		       "class=\"n\">usual</th>"
		       "<th class=\"n hide-s\">peers</th><th></th><th class=\"n\">share</th></tr></thead><tbody>",
		       nj_severity_text(alert->severity));
	for (unsigned i = 0; i < alert->features_n; i++) {
		const struct nj_alert_feature *feature = &alert->features[i];
		nj_text_add(text, "<tr><td>");
		nj_text_add_html(text, nj_human_feature(feature->name, name));
		nj_text_add(text, "</td>");
		add_number(text, feature->value, feature->unit, "n");
		add_number(text, feature->usual, feature->unit, "n");
		add_number(text, feature->peers, feature->unit, "n hide-s");
		nj_text_add(text, "<td class=\"draw\">");
		nj_plot_feature(text, feature);
		nj_text_add(text, "</td><td class=\"n\">");
		nj_text_add_html(text, nj_human_share(feature->share, share));
		nj_text_add(text, "</td></tr>");
	}
	nj_text_add(text, "</tbody></table><p class=\"legend\"><span>&#9679; here</span><span><i>|</i> usual for this "
			  "agent</span>"
			  "<span>&#9675; its peers</span><span>share: of the score</span></p>");
}

static uint32_t last_bin_of(const struct nj_findings *findings, const struct nj_finding_agent *agent)
{
	return agent->point_last != 0 ? findings->points[agent->point_last - 1].bin : 0;
}

static void add_course(struct nj_page *page, struct nj_text *text, const struct nj_alert *alert,
		       const struct nj_finding_agent *agent, enum nj_course course)
{
	double values[NJ_BINS_MAX];
	const struct nj_findings *findings = page->findings;
	nj_findings_course(findings, agent, course, values);
	struct nj_course_plot plot = {.values = values,
				      .title = nj_course_words(course),
				      .unit = nj_course_unit(course),
				      .start_ns = alert->start_ns,
				      .end_ns = alert->end_ns};
	plot.id = nj_page_plot(page, values, page->axis.bins_n, plot.unit);
	uint32_t first = agent->point_first != 0 ? findings->points[agent->point_first - 1].bin : 0;
	nj_plot_usual(&plot, &page->axis, first, last_bin_of(findings, agent));
	nj_plot_course(text, &plot, &page->axis);
	nj_text_format(text, "<p class=\"readout\" data-for=\"%u\" aria-live=\"polite\"></p>", plot.id);
}

static void add_courses(struct nj_page *page, struct nj_text *text, const struct nj_alert *alert)
{
	const struct nj_finding_agent *agent = nj_findings_agent(page->findings, &alert->agent);
	enum nj_course told[COURSES_TOLD], course;
	unsigned n = 0;
	if (agent == NULL || agent->point_first == 0 || page->axis.bins_n < 2)
		return;
	for (unsigned i = 0; i < alert->features_n && n < COURSES_TOLD; i++) {
		if (!nj_course_of_feature(alert->features[i].name, &course) || (n > 0 && told[0] == course))
			continue;
		nj_text_add(text, n == 0 ? "<div class=\"courses\"><div>" : "</div><div>");
		add_course(page, text, alert, agent, course);
		told[n++] = course;
	}
	if (n > 0)
		nj_text_add(text, "</div></div>");
}

static void add_peers(struct nj_text *text, const struct nj_alert *alert)
{
	nj_human words;
	if (alert->peers_n == 0)
		return;
	nj_text_add(text,
		    "<div class=\"scroll\"><table><thead><tr><th>with</th><th>name</th><th class=\"n\">sent</th><th "
		    "class=\"n\">received</th></tr></thead><tbody>");
	for (unsigned i = 0; i < alert->peers_n; i++) {
		const struct nj_alert_peer *peer = &alert->peers[i];
		nj_text_add(text, "<tr><td class=\"name\">");
		nj_text_add_html(text, nj_human_endpoint(&peer->addr, peer->port, peer->protocol, words));
		nj_text_add(text, "</td><td class=\"host\">");
		nj_page_foreign(text, peer->name);
		nj_text_add(text, "</td>");
		add_number(text, (double)peer->bytes_out, "B", "n");
		add_number(text, (double)peer->bytes_in, "B", "n");
		nj_text_add(text, "</tr>");
	}
	nj_text_add(text, "</tbody></table></div>");
}

/* What is known of a flow beside its id; its columns stay empty where nothing is. */
static void add_flow_row(struct nj_text *text, const struct nj_evidence_flow *flow, const char *id)
{
	nj_human words;
	if (flow == NULL) {
		nj_text_add(text,
			    "<tr><td colspan=\"6\">not among the flows that ended in this capture</td><td><code>");
		nj_page_foreign(text, id);
		nj_text_add(text, "</code></td></tr>");
		return;
	}
	nj_text_format(text, "<tr><td>%s</td><td class=\"name\">", nj_human_clock(flow->first_ns, words));
	nj_text_add_html(text, nj_human_endpoint(&flow->client, flow->client_port, flow->protocol, words));
	nj_text_add(text, "</td><td class=\"name\">");
	nj_text_add_html(text, nj_human_endpoint(&flow->server, flow->server_port, flow->protocol, words));
	nj_text_add(text, flow->name[0] != '\0' ? "<br>" : "");
	nj_page_foreign(text, flow->name);
	nj_text_add(text, "</td><td>");
	nj_page_foreign(text, flow->app);
	nj_text_format(text, "</td><td>%s</td><td class=\"n\">%s packets", nj_outcome_text(flow->outcome),
		       nj_human_count(flow->packets, words));
	nj_text_format(text, "<br>%s out", nj_human_bytes((double)flow->bytes_out, words));
	nj_text_format(text, ", %s in</td><td><code>", nj_human_bytes((double)flow->bytes_in, words));
	nj_page_foreign(text, id);
	nj_text_add(text, "</code></td></tr>");
}

static void add_flows(struct nj_text *text, const struct nj_page *page, const struct nj_alert *alert)
{
	if (alert->flows_n == 0)
		return;
	nj_text_format(
		text,
		"<details><summary>Evidence: %u flow%s</summary><div class=\"scroll\"><table><thead><tr><th>first</th>"
		"<th>client</th><th>server</th><th>protocol</th><th>outcome</th><th class=\"n\">volume</th>"
		"<th>Community ID</th></tr></thead><tbody>",
		alert->flows_n, alert->flows_n == 1 ? "" : "s");
	for (unsigned i = 0; i < alert->flows_n; i++)
		add_flow_row(text, nj_evidence_find(page->findings->evidence, alert->flows[i]), alert->flows[i]);
	nj_text_add(text, "</tbody></table></div><div class=\"cmd\"><code>nightjar flows ");
	nj_page_foreign(text, page->facts->source);
	nj_text_add(text, " | grep -F");
	for (unsigned i = 0; i < alert->flows_n; i++) {
		nj_text_add(text, " -e '");
		nj_page_foreign(text, alert->flows[i]);
		nj_text_add(text, "'");
	}
	nj_text_add(text, "</code></div></details>");
}

static void add_object(struct nj_text *text, const struct nj_alert *alert)
{
	char *json = nj_alert_json(alert);
	if (json == NULL) {
		text->failed = true;
		return;
	}
	nj_text_add(text, "<details><summary>The alert as JSON</summary><pre>");
	nj_page_foreign(text, json);
	nj_text_add(text, "</pre></details>");
	free(json);
}

void nj_page_alert(struct nj_page *page, struct nj_text *text, const struct nj_alert *alert, uint32_t number)
{
	char seen[512];
	nj_text_format(text, "<article class=\"card alert s-%s\" id=\"a%u\" data-severity=\"%s\" tabindex=\"-1\">",
		       nj_severity_text(alert->severity), number, nj_severity_text(alert->severity));
	add_chips(text, alert);
	nj_text_add(text, "<p class=\"say\">");
	nj_page_foreign(text, alert->summary);
	nj_text_add(text, "</p>");
	add_when(text, alert);
	add_techniques(text, alert);
	add_features(text, alert);
	add_courses(page, text, alert);
	add_peers(text, alert);
	if (alert->client[0] != '\0') {
		nj_text_add(text, "<p class=\"seen\">Client program: <code>");
		nj_page_foreign(text, alert->client);
		nj_text_add(text, "</code></p>");
	}
	nj_visibility_words(alert, seen, sizeof seen);
	nj_text_add(text, "<p class=\"seen\">How well it was seen: ");
	nj_page_foreign(text, seen);
	nj_text_add(text, ".</p>");
	add_flows(text, page, alert);
	add_object(text, alert);
	nj_text_add(text, "</article>");
}
