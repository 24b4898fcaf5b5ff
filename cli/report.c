/* See report.h. The frame is cli/report/page.html with {{slots}}; each slot is one function below. The content security
 * policy lets only the two texts embedded here act as style and script, by hash, and nothing be loaded: whatever a
 * hostile host name may smuggle past the escaping, a browser would not run. */
#include "cli/report.h"

#include "cli/human.h"
#include "cli/report_parts.h"
#include "common/file.h"
#include "common/sha.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TALKERS_TOLD 20
#define APPS_TOLD    16

static void add_base64(struct nj_text *text, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < size; i += 3) {
		uint32_t group = (uint32_t)bytes[i] << 16 | (uint32_t)(i + 1 < size ? bytes[i + 1] : 0) << 8 |
				 (i + 2 < size ? bytes[i + 2] : 0);
		char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
				i + 1 < size ? digits[group >> 6 & 63] : '=', i + 2 < size ? digits[group & 63] : '='};
		nj_text_add_bytes(text, four, 4);
	}
}

static void add_hash(struct nj_text *text, const char *content)
{
	uint8_t digest[NJ_SHA256_BYTES];
	nj_sha256(content, strlen(content), digest);
	nj_text_add(text, "'sha256-");
	add_base64(text, digest, sizeof digest);
	nj_text_add(text, "'");
}

static void slot_csp(struct nj_page *page, struct nj_text *text)
{
	(void)page;
	nj_text_add(text, "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src ");
	add_hash(text, nj_report_style);
	nj_text_add(text, "; script-src ");
	add_hash(text, nj_report_script);
}

static void slot_style(struct nj_page *page, struct nj_text *text)
{
	(void)page;
	nj_text_add(text, nj_report_style);
}

static void slot_script(struct nj_page *page, struct nj_text *text)
{
	(void)page;
	nj_text_add(text, nj_report_script);
}

static void slot_version(struct nj_page *page, struct nj_text *text)
{
	(void)page;
	nj_text_add(text, NJ_VERSION);
}

static void slot_source(struct nj_page *page, struct nj_text *text)
{
	nj_page_foreign(text, page->facts->source);
}

static void slot_title(struct nj_page *page, struct nj_text *text)
{
	nj_text_add(text, "Nightjar: ");
	nj_page_foreign(text, page->facts->source);
}

static void slot_span(struct nj_page *page, struct nj_text *text)
{
	nj_human first, last, span;
	const struct nj_facts *facts = page->facts;
	if (facts->account.frames_seen == 0) {
		nj_text_add(text, "No packet was read.");
		return;
	}
	nj_text_format(text, "%s to %s UTC, %s", nj_human_time(facts->first_ns, first),
		       nj_human_time(facts->last_ns, last), nj_human_span(facts->last_ns - facts->first_ns, span));
}

static void slot_verdict(struct nj_page *page, struct nj_text *text)
{
	const struct nj_findings *findings = page->findings;
	nj_human count;
	bool any = false;
	for (int s = NJ_SEVERITY_CRITICAL; s >= NJ_SEVERITY_LOW; s--) {
		if (findings->by_severity[s] == 0)
			continue;
		nj_text_format(text, "%s<b class=\"s-%s\">%s %s</b>", any ? ", " : "",
			       nj_severity_text((enum nj_severity)s), nj_human_count(findings->by_severity[s], count),
			       nj_severity_text((enum nj_severity)s));
		any = true;
	}
	if (!any)
		nj_text_add(text, "<b>Nothing stood out</b>");
	nj_text_format(text, " with a budget of %g false alerts a day", page->facts->budget);
	if (findings->queued > 0)
		nj_text_format(text, "; %s of them over it, at the end", nj_human_count(findings->queued, count));
	nj_text_add(text, page->facts->interrupted ? ". Interrupted: the capture was not read to its end." : ".");
}

static void add_figure(struct nj_text *text, const char *name, const char *figure, const char *more)
{
	nj_text_format(text, "<div><dt>%s</dt><dd>%s", name, figure);
	if (more[0] != '\0')
		nj_text_format(text, "<small>%s</small>", more);
	nj_text_add(text, "</dd></div>");
}

static uint64_t frames_dropped(const struct nj_sensor_account *account)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < account->drops_n; i++)
		n += account->drops[i].frames;
	return n;
}

static void slot_figures(struct nj_page *page, struct nj_text *text)
{
	const struct nj_sensor_account *account = &page->facts->account;
	nj_human figure, more;
	uint64_t dropped = frames_dropped(account);
	double span_s = (double)(page->facts->last_ns - page->facts->first_ns) / 1e9;
	nj_text_add(text, "<dl class=\"figures\">");
	nj_human_number(span_s > 0 ? (double)account->frames_seen / span_s : NAN, more);
	strncat(more, " a second", sizeof more - strlen(more) - 1);
	add_figure(text, "packets", nj_human_count(account->frames_seen, figure), span_s > 0 ? more : "");
	add_figure(text, "on the wire", nj_human_bytes((double)account->bytes_seen, figure), "");
	nj_human_count(account->flows_one_sided, more);
	strncat(more, " one-sided", sizeof more - strlen(more) - 1);
	add_figure(text, "flows", nj_human_count(account->flows_opened, figure),
		   account->flows_one_sided > 0 ? more : "");
	nj_human_count(page->findings->windows, more);
	strncat(more, " windows", sizeof more - strlen(more) - 1);
	add_figure(text, "agents", nj_human_count(page->findings->agents_n + page->findings->agents_dropped, figure),
		   more);
	nj_human_share(account->frames_seen > 0 ? (double)dropped / (double)account->frames_seen : NAN, more);
	add_figure(text, "not decoded", nj_human_count(dropped, figure),
		   dropped == 0     ? ""
		   : more[0] == '<' ? "under 0.01 %"
				    : more);
	nj_text_add(text, "</dl>");
}

static void slot_timenote(struct nj_page *page, struct nj_text *text)
{
	nj_human bin, from, to;
	if (page->axis.bins_n == 0) {
		nj_text_add(text, "No traffic to draw.");
		return;
	}
	nj_human_time(page->axis.origin_ns, from);
	nj_human_time(page->axis.origin_ns + page->axis.bin_ns * page->axis.bins_n, to);
	nj_text_format(text,
		       "Bytes on the wire per %s, %s to %s UTC. Each bar is a detection and leads to it; red marks on "
		       "the base line are frames that were "
		       "not decoded or lost.",
		       nj_human_span(page->axis.bin_ns, bin), from, to);
}

static uint32_t alerts_told(const struct nj_findings *findings)
{
	return findings->alerts_n < NJ_REPORT_ALERTS_MAX ? findings->alerts_n : NJ_REPORT_ALERTS_MAX;
}

static void slot_timeline(struct nj_page *page, struct nj_text *text)
{
	double values[NJ_BINS_MAX];
	for (uint32_t i = 0; i < page->axis.bins_n; i++)
		values[i] = (double)page->findings->bins[i].bytes / ((double)page->axis.bin_ns / 1e9);
	uint32_t number = nj_page_plot(page, values, page->axis.bins_n, "B/s");
	assert(number == 0); /* the frame's read-out counts on it */
	if (page->axis.bins_n > 0)
		nj_plot_timeline(text, page->findings, &page->axis, alerts_told(page->findings));
}

static void slot_filters(struct nj_page *page, struct nj_text *text)
{
	if (page->findings->alerts_n < 2)
		return;
	nj_text_add(text, "<form class=\"filters\" hidden>");
	for (int s = NJ_SEVERITY_CRITICAL; s >= NJ_SEVERITY_LOW; s--) {
		const char *words = nj_severity_text((enum nj_severity)s);
		if (page->findings->by_severity[s] > 0)
			nj_text_format(text, "<label><input type=\"checkbox\" value=\"%s\" checked> %s</label>", words,
				       words);
	}
	nj_text_add(text, "<input type=\"search\" aria-label=\"Filter the detections\" placeholder=\"agent, peer, "
			  "detector, technique\"><output></output></form>");
}

static void slot_alerts(struct nj_page *page, struct nj_text *text)
{
	nj_human span;
	uint32_t told = alerts_told(page->findings);
	for (uint32_t i = 0; i < told; i++)
		nj_page_alert(page, text, &page->findings->alerts[i], i + 1);
	uint64_t more = page->findings->alerts_n - told + page->findings->alerts_lost;
	if (more > 0)
		nj_text_format(text,
			       "<p class=\"note\">%ju more are not shown here; <code>nightjar replay --json</code> "
			       "prints them all.</p>",
			       (uintmax_t)more);
	if (told == 0 && page->facts->account.frames_seen > 0)
		nj_text_format(text,
			       "<div class=\"card\"><p>No agent behaved strangely enough for this budget in %s of "
			       "traffic. What needs longer than that to show "
			       "(slow scans, rare beacons, small daily uploads) cannot be ruled out.</p></div>",
			       nj_human_span(page->facts->last_ns - page->facts->first_ns, span));
}

/* The first alert of an agent, counted from 1. */
static uint32_t first_alert_of(const struct nj_page *page, const struct nj_agent_id *id)
{
	uint32_t told = alerts_told(page->findings);
	for (uint32_t i = 0; i < told; i++) {
		if (nj_agent_id_compare(&page->findings->alerts[i].agent, id) == 0)
			return i + 1;
	}
	return 0;
}

static void add_talker(struct nj_page *page, struct nj_text *text, const struct nj_finding_agent *agent, double most)
{
	nj_human words;
	uint32_t alert = agent->alerts > 0 ? first_alert_of(page, &agent->id) : 0;
	nj_text_add(text, "<tr><td class=\"name\">");
	nj_text_add_html(text, nj_human_agent(&agent->id, words));
	nj_text_format(text, "</td><td class=\"n\">%s</td><td class=\"draw s\">",
		       nj_human_bytes((double)agent->bytes_out, words));
	nj_plot_share(text, (double)agent->bytes_out / most, "accent");
	nj_text_format(text, "</td><td class=\"n\">%s</td><td class=\"draw s\">",
		       nj_human_bytes((double)agent->bytes_in, words));
	nj_plot_share(text, (double)agent->bytes_in / most, "fill");
	nj_text_format(text, "</td><td class=\"n\">%s</td>", nj_human_count(agent->flows_opened, words));
	nj_text_format(text, "<td class=\"n\">%s</td>", nj_human_count(agent->flows_failed, words));
	nj_text_format(text, "<td class=\"n hide-s\">%s</td>", nj_human_count(agent->flows_accepted, words));
	nj_text_format(text, "<td class=\"n hide-s\">%s</td><td class=\"n\">",
		       nj_human_count(agent->contacts_most, words));
	if (alert > 0)
		nj_text_format(text, "<a href=\"#a%u\">%u</a>", alert, agent->alerts);
	nj_text_add(text, "</td></tr>");
}

static void slot_talkers(struct nj_page *page, struct nj_text *text)
{
	const struct nj_finding_agent *talkers[TALKERS_TOLD];
	uint32_t n = nj_findings_talkers(page->findings, talkers, TALKERS_TOLD);
	double most = 1;
	for (uint32_t i = 0; i < n; i++)
		most = fmax(most, fmax((double)talkers[i]->bytes_out, (double)talkers[i]->bytes_in));
	nj_text_add(text, "<table><thead><tr><th>agent</th><th class=\"n\">sent</th><th></th><th "
			  "class=\"n\">received</th><th></th><th class=\"n\">opened</th>"
			  "<th class=\"n\">failed</th><th class=\"n hide-s\">accepted</th><th class=\"n "
			  "hide-s\">contacts at once</th><th class=\"n\">alerts</th>"
			  "</tr></thead><tbody>");
	for (uint32_t i = 0; i < n; i++)
		add_talker(page, text, talkers[i], most);
	nj_text_add(text, "</tbody></table>");
}

static void slot_apps(struct nj_page *page, struct nj_text *text)
{
	nj_human words;
	const struct nj_findings *findings = page->findings;
	uint64_t total = 1;
	for (uint32_t i = 0; i < findings->apps_n; i++)
		total += findings->apps[i].bytes;
	nj_text_add(text, "<table><thead><tr><th>protocol</th><th class=\"n\">payload</th><th></th><th "
			  "class=\"n\">flows</th></tr></thead><tbody>");
	for (uint32_t i = 0; i < findings->apps_n && i < APPS_TOLD; i++) {
		const struct nj_finding_app *app = &findings->apps[i];
		nj_text_add(text, "<tr><td>");
		nj_page_foreign(text, app->name);
		nj_text_format(text, "</td><td class=\"n\">%s</td><td class=\"draw\">",
			       nj_human_bytes((double)app->bytes, words));
		nj_plot_share(text, (double)app->bytes / (double)total, "fill");
		nj_text_format(text, "</td><td class=\"n\">%s</td></tr>", nj_human_count(app->flows, words));
	}
	nj_text_add(text, "</tbody></table>");
	if (findings->apps_n > APPS_TOLD)
		nj_text_format(text, "<p class=\"note\">and %u more</p>", findings->apps_n - APPS_TOLD);
}

static void add_unseen(struct nj_text *text, uint64_t n, const char *words)
{
	nj_human count;
	if (n > 0)
		nj_text_format(text, "<li>%s %s</li>", nj_human_count(n, count), words);
}

static void slot_unseen(struct nj_page *page, struct nj_text *text)
{
	const struct nj_facts *facts = page->facts;
	const struct nj_sensor_account *account = &facts->account;
	nj_human count;
	nj_text_add(text, "<ul>");
	if (facts->baseline == NULL)
		nj_text_add(text, "<li>Judged by the shipped prior: this capture brings no history of its agents, so "
				  "what is usual for each is only known from the "
				  "capture itself.</li>");
	else {
		nj_text_add(text, "<li>Judged by the baseline ");
		nj_page_foreign(text, facts->baseline);
		nj_text_add(text, ".</li>");
	}
	for (uint32_t i = 0; i < account->drops_n; i++) {
		if (account->drops[i].frames == 0)
			continue;
		nj_text_format(text, "<li>%s frames not decoded: ", nj_human_count(account->drops[i].frames, count));
		nj_page_foreign(text, account->drops[i].name);
		nj_text_add(text, "</li>");
	}
	add_unseen(text, frames_dropped(account) == 0 ? account->frames_seen : 0,
		   "frames seen, every one of them decoded");
	add_unseen(text, account->kernel_drops + account->interface_drops, "frames lost before they were seen");
	add_unseen(text, account->flows_one_sided, "flows of which only one direction was seen");
	add_unseen(text, account->flows_evicted, "flows pushed out of a full table (--flows-max)");
	add_unseen(text, account->contacts_lost, "contacts a full table could not keep");
	add_unseen(text, account->clock_clamps, "packets out of time order, taken as of the packet before");
	add_unseen(text, facts->clock_jumps, "packets with an absurd time, put right");
	add_unseen(text, facts->filtered, "packets left out by the filter");
	add_unseen(text, facts->inputs_failed,
		   "input files damaged or unreadable; what came before the damage is here");
	add_unseen(text, facts->counts.agents_folded, "agents folded to summaries (--agents-max)");
	add_unseen(text, page->findings->agents_dropped, "quiet agents left out of the table above");
	nj_text_add(text, "</ul>");
}

static void add_command(struct nj_text *text, const char *why, const char *before, const char *operands)
{
	nj_text_format(text, "<p>%s</p><div class=\"cmd\"><code>nightjar %s ", why, before);
	nj_page_foreign(text, operands);
	nj_text_add(text, "</code></div>");
}

static void slot_commands(struct nj_page *page, struct nj_text *text)
{
	add_command(text, "The packets behind each detection, as pcapng for Wireshark:", "replay --extract evidence",
		    page->facts->again);
	add_command(text, "The detections as NDJSON, one object a line:", "replay --json", page->facts->again);
	add_command(text, "Every flow, with Community ID, to compare with other tools:", "flows", page->facts->source);
	add_command(text, "What every agent did, window by window:", "windows", page->facts->source);
}

/* Comes last of all slots that draw: it holds what the others collected. */
static void slot_data(struct nj_page *page, struct nj_text *text)
{
	struct nj_json_out out = {0};
	nj_json_out_end(&page->plots);
	char *plots = nj_json_out_take(&page->plots);
	nj_json_out_object(&out, NULL);
	nj_json_out_double(&out, "origin_ms", (double)(page->axis.origin_ns / 1000000));
	nj_json_out_double(&out, "bin_ms", (double)page->axis.bin_ns / 1e6);
	nj_json_out_raw(&out, "plots", plots != NULL ? plots : "[]");
	nj_json_out_array(&out, "alerts");
	for (uint32_t i = 0; i < alerts_told(page->findings); i++) {
		char *json = nj_alert_json(&page->findings->alerts[i]);
		nj_json_out_raw(&out, NULL, json != NULL ? json : "null");
		text->failed |= json == NULL;
		free(json);
	}
	nj_json_out_end(&out);
	nj_json_out_end(&out);
	char *json = nj_json_out_take(&out);
	text->failed |= plots == NULL || json == NULL;
	nj_text_add_script_json(text, json != NULL ? json : "{}");
	free(json);
	free(plots);
}

static const struct slot {
	const char *name;
	void (*fill)(struct nj_page *page, struct nj_text *text);
} slots[] = {
	{"csp", slot_csp},           {"version", slot_version}, {"title", slot_title},
	{"style", slot_style},       {"source", slot_source},   {"span", slot_span},
	{"verdict", slot_verdict},   {"figures", slot_figures}, {"timenote", slot_timenote},
	{"timeline", slot_timeline}, {"filters", slot_filters}, {"alerts", slot_alerts},
	{"talkers", slot_talkers},   {"apps", slot_apps},       {"unseen", slot_unseen},
	{"commands", slot_commands}, {"data", slot_data},       {"script", slot_script},
};

static void fill_slot(struct nj_page *page, struct nj_text *text, const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
		if (strlen(slots[i].name) == length && memcmp(slots[i].name, name, length) == 0) {
			slots[i].fill(page, text);
			return;
		}
	}
	assert(!"a slot of page.html that nothing fills");
}

/* The axis ends with the last packet or alert: windows that only tell of timeouts may come minutes later. */
static struct nj_axis axis_of(const struct nj_findings *findings)
{
	uint32_t n = findings->bins_n;
	uint64_t end_ns = 0;
	for (uint32_t i = 0; i < findings->alerts_n; i++)
		end_ns = findings->alerts[i].end_ns > end_ns ? findings->alerts[i].end_ns : end_ns;
	while (n > 1 && findings->bins[n - 1].frames == 0 && findings->origin_ns + (n - 1) * findings->bin_ns >= end_ns)
		n--;
	return (struct nj_axis){.origin_ns = findings->origin_ns, .bin_ns = findings->bin_ns, .bins_n = n};
}

char *nj_report_text(const struct nj_facts *facts, const struct nj_findings *findings)
{
	struct nj_text text = {0};
	struct nj_page page = {.facts = facts, .findings = findings, .axis = axis_of(findings)};
	nj_json_out_array(&page.plots, NULL);
	const char *at = nj_report_page, *open;
	while ((open = strstr(at, "{{")) != NULL) {
		const char *close = strstr(open, "}}");
		assert(close != NULL);
		nj_text_add_bytes(&text, at, (size_t)(open - at));
		fill_slot(&page, &text, open + 2, (size_t)(close - open - 2));
		at = close + 2;
	}
	nj_text_add(&text, at);
	nj_json_out_fini(&page.plots);
	return nj_text_take(&text);
}

static int write_whole(const char *path, const char *text, struct nj_message *message)
{
	FILE *file = fopen(path, "wb");
	if (file == NULL)
		return nj_file_fail(message, path, errno);
	size_t size = strlen(text), written = fwrite(text, 1, size, file);
	int error = written == size && fflush(file) == 0 ? 0 : errno;
	if (fclose(file) != 0 && error == 0)
		error = errno;
	return error == 0 ? NJ_OK : nj_file_fail(message, path, error);
}

/* A pipe or a device is written as it is: putting another file in its place would be the wrong thing. */
static bool is_special(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

int nj_report_write(const char *path, const struct nj_facts *facts, const struct nj_findings *findings,
		    struct nj_message *message)
{
	char part[4096];
	bool special = is_special(path);
	if (snprintf(part, sizeof part, "%s%s", path, special ? "" : ".part") >= (int)sizeof part)
		return nj_fail(message, NJ_ERR_USAGE, "%.100s...: path too long", path);
	char *text = nj_report_text(facts, findings);
	if (text == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "%s: out of memory", path);
	int error = write_whole(part, text, message);
	free(text);
	if (special)
		return error;
	if (error == NJ_OK && rename(part, path) != 0)
		error = nj_file_fail(message, path, errno);
	if (error != NJ_OK)
		(void)remove(part);
	return error;
}
