/* See summary.h. Order of a detection: how bad, who, which technique; when; the sentence; the numbers against what is
 * usual; the other ends; how well it could be seen; the command that shows the packets. An analyst reads the first two
 * lines of each and stops where it matters. */
#include "cli/summary.h"

#include "cli/ai_told.h"
#include "cli/human.h"
#include "common/label.h"

#include <math.h>
#include <string.h>

#define INDENT     2
#define KEY_COLUMN 12 /* where the values of "span", "packets", ... begin */
#define PEERS_TOLD 4
#define APPS_TOLD  8
#define LINE_MAX   1024
#define SECOND_NS  1000000000u

static const enum nj_ink severity_inks[] = {NJ_INK_PLAIN, NJ_INK_BLUE, NJ_INK_YELLOW, NJ_INK_RED, NJ_INK_ALARM};

/* "  span        words": a key and its wrapped value. */
static void print_fact(struct nj_console *console, const char *key, const char *words)
{
	fprintf(console->out, "  %s%-*s%s", nj_ink(console, NJ_INK_DIM), KEY_COLUMN - INDENT, key,
		nj_ink(console, NJ_INK_PLAIN));
	nj_console_wrap(console, words, KEY_COLUMN, KEY_COLUMN);
}

static void print_heading(struct nj_console *console, const char *words)
{
	fprintf(console->out, "%s%s%s\n", nj_ink(console, NJ_INK_BOLD), words, nj_ink(console, NJ_INK_PLAIN));
}

static void print_span(struct nj_console *console, const struct nj_facts *facts)
{
	char line[LINE_MAX];
	nj_human first, last, span;
	uint64_t span_ns = facts->last_ns - facts->first_ns;
	nj_human_time(facts->first_ns, first);
	nj_human_time(facts->last_ns, last);
	/* The end of a span within one day needs no date. */
	const char *end = strncmp(first, last, 10) == 0 ? last + 11 : last;
	snprintf(line, sizeof line, "%s to %s UTC (%s)", first, end, nj_human_span(span_ns, span));
	print_fact(console, "span", line);
}

static void print_packets(struct nj_console *console, const struct nj_facts *facts)
{
	char line[LINE_MAX];
	nj_human packets, bytes, filtered, clamps, jumps;
	int n = snprintf(line, sizeof line, "%s, %s", nj_human_count(facts->account.frames_seen, packets),
			 nj_human_bytes((double)facts->account.bytes_seen, bytes));
	if (facts->filtered > 0)
		n += snprintf(line + n, sizeof line - (size_t)n, "; %s more left out by the filter",
			      nj_human_count(facts->filtered, filtered));
	if (facts->account.clock_clamps > 0)
		n += snprintf(line + n, sizeof line - (size_t)n, "; %s out of time order",
			      nj_human_count(facts->account.clock_clamps, clamps));
	if (facts->clock_jumps > 0)
		snprintf(line + n, sizeof line - (size_t)n, "; %s with an absurd time",
			 nj_human_count(facts->clock_jumps, jumps));
	print_fact(console, "packets", line);
}

static void print_flows(struct nj_console *console, const struct nj_facts *facts)
{
	char line[LINE_MAX];
	nj_human flows, one_sided, evicted;
	const struct nj_sensor_account *account = &facts->account;
	int n = snprintf(line, sizeof line, "%s", nj_human_count(account->flows_opened, flows));
	if (account->flows_one_sided > 0)
		n += snprintf(line + n, sizeof line - (size_t)n, "; %s seen in one direction only",
			      nj_human_count(account->flows_one_sided, one_sided));
	if (account->flows_evicted > 0)
		snprintf(line + n, sizeof line - (size_t)n, "; %s pushed out of a full table (raise --flows-max)",
			 nj_human_count(account->flows_evicted, evicted));
	print_fact(console, "flows", line);
}

static void print_agents(struct nj_console *console, const struct nj_facts *facts, const struct nj_findings *findings)
{
	char line[LINE_MAX];
	nj_human agents, windows, folded;
	uint64_t seen = findings->agents_n + findings->agents_dropped;
	int n = snprintf(line, sizeof line, "%s, in %s windows of %g s", nj_human_count(seen, agents),
			 nj_human_count(findings->windows, windows), facts->window_ms / 1e3);
	if (facts->counts.agents_folded > 0)
		snprintf(line + n, sizeof line - (size_t)n, "; %s folded to summaries (raise --agents-max)",
			 nj_human_count(facts->counts.agents_folded, folded));
	print_fact(console, "agents", line);
}

static void print_apps(struct nj_console *console, const struct nj_findings *findings)
{
	char line[LINE_MAX] = "", name[NJ_APP_TEXT_MAX * 2];
	uint64_t bytes = 0, flows = 0;
	int n = 0;
	for (uint32_t i = 0; i < findings->apps_n; i++) {
		bytes += findings->apps[i].bytes;
		flows += findings->apps[i].flows;
	}
	for (uint32_t i = 0; i < findings->apps_n && i < APPS_TOLD; i++) {
		nj_human share;
		const struct nj_finding_app *app = &findings->apps[i];
		if (bytes > 0 && app->bytes == 0)
			break; /* sorted: the rest carried nothing either */
		nj_label(app->name, strlen(app->name), name, sizeof name);
		n += snprintf(line + n, sizeof line - (size_t)n, "%s%s %s", n > 0 ? ", " : "", name,
			      nj_human_share(bytes > 0   ? (double)app->bytes / (double)bytes
					     : flows > 0 ? (double)app->flows / (double)flows
							 : NAN,
					     share));
	}
	if (findings->apps_n > APPS_TOLD)
		snprintf(line + n, sizeof line - (size_t)n, ", and %u more", findings->apps_n - APPS_TOLD);
	if (bytes == 0 && n > 0)
		strncat(line, " of flows; no payload was seen", sizeof line - strlen(line) - 1);
	print_fact(console, "protocols", n > 0 ? line : "none known");
}

static uint64_t dropped_frames(const struct nj_sensor_account *account)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < account->drops_n; i++)
		n += account->drops[i].frames;
	return n;
}

static void print_drops(struct nj_console *console, const struct nj_facts *facts)
{
	char line[LINE_MAX], name[NJ_DROP_NAME_MAX * 2];
	nj_human count, share;
	const struct nj_sensor_account *account = &facts->account;
	uint64_t dropped = dropped_frames(account);
	if (dropped == 0) {
		print_fact(console, "dropped", "none: every packet was decoded");
		return;
	}
	int n = snprintf(line, sizeof line, "%s (%s):", nj_human_count(dropped, count),
			 nj_human_share((double)dropped / (double)account->frames_seen, share));
	for (uint32_t i = 0; i < account->drops_n; i++) {
		if (account->drops[i].frames == 0 || (size_t)n + 80 > sizeof line)
			continue;
		nj_label(account->drops[i].name, strlen(account->drops[i].name), name, sizeof name);
		n += snprintf(line + n, sizeof line - (size_t)n, "%s %s %s", line[n - 1] == ':' ? "" : ",", name,
			      nj_human_count(account->drops[i].frames, count));
	}
	print_fact(console, "dropped", line);
}

static void print_capture(struct nj_console *console, const struct nj_facts *facts, const struct nj_findings *findings)
{
	char line[LINE_MAX];
	print_heading(console, "Capture");
	if (facts->inputs_n > 1) {
		int n = snprintf(line, sizeof line, "%u merged in time order", facts->inputs_n);
		if (facts->inputs_failed > 0)
			snprintf(line + n, sizeof line - (size_t)n, "; %u of them damaged", facts->inputs_failed);
		print_fact(console, "files", line);
	}
	if (facts->account.frames_seen == 0) {
		print_fact(console, "packets", facts->filtered > 0 ? "none that the filter lets through" : "none");
		return;
	}
	print_span(console, facts);
	print_packets(console, facts);
	print_flows(console, facts);
	print_agents(console, facts, findings);
	print_apps(console, findings);
	print_drops(console, facts);
	print_fact(console, "judged by",
		   facts->baseline != NULL ? facts->baseline
					   : "the shipped prior: this capture brings no history of its agents");
	if (facts->memory_bytes > 0) {
		nj_human memory;
		snprintf(line, sizeof line, "%s in tables at most",
			 nj_human_bytes((double)facts->memory_bytes, memory));
		print_fact(console, "memory", line);
	}
}

static void print_tally(struct nj_console *console, const struct nj_facts *facts, const struct nj_findings *findings)
{
	nj_human count;
	bool any = false;
	fprintf(console->out, "%sDetections%s", nj_ink(console, NJ_INK_BOLD), nj_ink(console, NJ_INK_PLAIN));
	for (int s = NJ_SEVERITY_CRITICAL; s >= NJ_SEVERITY_LOW; s--) {
		if (findings->by_severity[s] == 0)
			continue;
		fprintf(console->out, "%s%s%s %s%s", any ? ", " : "  ", nj_ink(console, severity_inks[s]),
			nj_human_count(findings->by_severity[s], count), nj_severity_text((enum nj_severity)s),
			nj_ink(console, NJ_INK_PLAIN));
		any = true;
	}
	fprintf(console->out, "%s%s%s(budget: %g false alerts a day%s)%s\n", any ? "" : "  none",
		any && console->width < 100 ? "\n  " : "  ", nj_ink(console, NJ_INK_DIM), facts->budget,
		findings->queued > 0 ? "; those over it come last" : "", nj_ink(console, NJ_INK_PLAIN));
}

static void agent_words(const struct nj_alert *alert, char *text, size_t size)
{
	nj_human id;
	char name[128];
	nj_label(alert->agent_name, strnlen(alert->agent_name, sizeof alert->agent_name), name, sizeof name);
	snprintf(text, size, "%s%s%s", nj_human_agent(&alert->agent, id), name[0] != '\0' ? "  " : "", name);
}

static void technique_words(const struct nj_alert *alert, char *text, size_t size)
{
	int n = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < alert->techniques_n; i++)
		n += snprintf(text + n, size - (size_t)n, "%s%s", n > 0 ? " " : "", alert->technique[i]);
}

/* " CRITICAL  10.0.0.7  build-7            scan  T1046  p 3e-09", the right part flush right where there is room. */
static void print_alert_head(struct nj_console *console, const struct nj_alert *alert)
{
	char agent[256], techniques[NJ_ALERT_TECHNIQUES_MAX * 17], right[192], severity[16];
	nj_human p;
	agent_words(alert, agent, sizeof agent);
	technique_words(alert, techniques, sizeof techniques);
	snprintf(right, sizeof right, "%s  %s  p %s", alert->detector, techniques, nj_human_p(alert->p, p));
	snprintf(severity, sizeof severity, " %-8s ", nj_severity_text(alert->severity));
	for (char *c = severity; *c != '\0'; c++)
		*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
	unsigned used = (unsigned)strlen(severity) + 2 + nj_utf8_length(agent), tail = (unsigned)strlen(right);
	fprintf(console->out, "%s%s%s  %s%s%s", nj_ink(console, severity_inks[alert->severity]), severity,
		nj_ink(console, NJ_INK_PLAIN), nj_ink(console, NJ_INK_BOLD), agent, nj_ink(console, NJ_INK_PLAIN));
	if (used + 2 + tail < console->width)
		fprintf(console->out, "%*s%s\n", (int)(console->width - used - tail - 1), "", right);
	else
		fprintf(console->out, "\n%*s%s\n", (int)strlen(severity) + 2, "", right);
}

/* "2026-11-24 20:20:10 to 20:24:15 UTC (4 min 5 s); raised 12 s after it began". */
char *nj_when_words(const struct nj_alert *alert, char *text, size_t size)
{
	nj_human start, end, span, delay;
	nj_human_time(alert->start_ns, start);
	nj_human_time(alert->end_ns, end);
	int n = snprintf(text, size, "%s", start);
	if (strcmp(start, end) != 0)
		n += snprintf(text + n, size - (size_t)n, " to %s UTC (%s)",
			      strncmp(start, end, 10) == 0 ? end + 11 : end,
			      nj_human_span(alert->end_ns - alert->start_ns, span));
	else
		n += snprintf(text + n, size - (size_t)n, " UTC");
	if (alert->time_ns > alert->start_ns + SECOND_NS)
		n += snprintf(text + n, size - (size_t)n, "; raised %s after it began",
			      nj_human_span(alert->time_ns - alert->start_ns, delay));
	if (alert->merged > 0)
		n += snprintf(text + n, size - (size_t)n, "; %u more of the same folded in", alert->merged);
	if (alert->queued)
		snprintf(text + n, size - (size_t)n, "; over the budget");
	return text;
}

static void print_alert_when(struct nj_console *console, const struct nj_alert *alert)
{
	char line[LINE_MAX];
	fprintf(console->out, "  %s", nj_ink(console, NJ_INK_DIM));
	nj_console_wrap(console, nj_when_words(alert, line, sizeof line), INDENT, INDENT);
	fputs(nj_ink(console, NJ_INK_PLAIN), console->out);
}

static void print_share(struct nj_console *console, double share)
{
	unsigned cells = isnan(share) ? 0 : (unsigned)lround(fmin(fmax(share, 0), 1) * 10);
	fputs("  ", console->out);
	fputs(nj_ink(console, NJ_INK_ORANGE), console->out);
	for (unsigned i = 0; i < cells; i++)
		fputs(console->utf8 ? "\xe2\x96\x88" : "#", console->out);
	fputs(nj_ink(console, NJ_INK_PLAIN), console->out);
}

#define COLUMN_VALUE 13

static void print_feature(struct nj_console *console, const struct nj_alert_feature *feature, unsigned name_width,
			  bool bar)
{
	nj_human name, value, usual, peers, share;
	fprintf(console->out, "  ");
	nj_console_cell(console, nj_human_feature(feature->name, name), name_width, false);
	nj_console_cell(console, nj_human_value(feature->value, feature->unit, value), COLUMN_VALUE, true);
	nj_console_cell(console, nj_human_value(feature->usual, feature->unit, usual), COLUMN_VALUE, true);
	nj_console_cell(console, nj_human_value(feature->peers, feature->unit, peers), COLUMN_VALUE, true);
	nj_console_cell(console, nj_human_share(feature->share, share), 7, true);
	if (bar)
		print_share(console, feature->share);
	putc('\n', console->out);
}

static void print_features(struct nj_console *console, const struct nj_alert *alert)
{
	unsigned numbers = 3 * COLUMN_VALUE + 7, name_width = 9;
	if (alert->features_n == 0)
		return;
	for (unsigned i = 0; i < alert->features_n; i++) {
		unsigned length = nj_utf8_length(alert->features[i].name);
		name_width = length > name_width ? length : name_width;
	}
	unsigned room = console->width > numbers + INDENT + 1 ? console->width - numbers - INDENT - 1 : 9;
	name_width = name_width < room ? name_width : room;
	bool bar = INDENT + name_width + numbers + 13 < console->width;
	fprintf(console->out, "  %s", nj_ink(console, NJ_INK_DIM));
	nj_console_cell(console, "driven by", name_width, false);
	fprintf(console->out, "%*s%*s%*s%7s%s\n", COLUMN_VALUE, "here", COLUMN_VALUE, "usual", COLUMN_VALUE, "peers",
		"share", nj_ink(console, NJ_INK_PLAIN));
	for (unsigned i = 0; i < alert->features_n; i++)
		print_feature(console, &alert->features[i], name_width, bar);
}

static void print_peers(struct nj_console *console, const struct nj_alert *alert)
{
	char line[LINE_MAX], name[NJ_NAME_TEXT_MAX * 3];
	for (unsigned i = 0; i < alert->peers_n && i < PEERS_TOLD; i++) {
		const struct nj_alert_peer *peer = &alert->peers[i];
		nj_human endpoint, out, in;
		nj_label(peer->name, strnlen(peer->name, sizeof peer->name), name, sizeof name);
		nj_human_endpoint(&peer->addr, peer->port, peer->protocol, endpoint);
		int n = snprintf(line, sizeof line, "%s%s%s  ", endpoint, name[0] != '\0' ? "  " : "", name);
		if (peer->bytes_out + peer->bytes_in == 0)
			snprintf(line + n, sizeof line - (size_t)n, "no payload");
		else
			snprintf(line + n, sizeof line - (size_t)n, "sent %s, got %s",
				 nj_human_bytes((double)peer->bytes_out, out),
				 nj_human_bytes((double)peer->bytes_in, in));
		print_fact(console, i == 0 ? "with" : "", line);
	}
	if (alert->peers_n > PEERS_TOLD) {
		snprintf(line, sizeof line, "and %u more (--json lists them)", alert->peers_n - PEERS_TOLD);
		print_fact(console, "", line);
	}
}

char *nj_visibility_words(const struct nj_alert *alert, char *text, size_t size)
{
	nj_human dropped, one_sided, age;
	int n = snprintf(text, size, "judged by %s",
			 alert->visibility.baseline[0] != '\0' ? alert->visibility.baseline : "prior");
	if (alert->visibility.baseline_age_s > 0)
		n += snprintf(text + n, size - (size_t)n, ", agent known for %s",
			      nj_human_seconds(alert->visibility.baseline_age_s, age));
	n += snprintf(text + n, size - (size_t)n, "; ");
	if (alert->visibility.dropped_share > 0)
		n += snprintf(text + n, size - (size_t)n, "%s of frames lost meanwhile",
			      nj_human_share(alert->visibility.dropped_share, dropped));
	else
		n += snprintf(text + n, size - (size_t)n, "no frame lost meanwhile");
	if (alert->visibility.one_sided_share > 0)
		snprintf(text + n, size - (size_t)n, ", %s of flows seen in one direction only",
			 nj_human_share(alert->visibility.one_sided_share, one_sided));
	return text;
}

void nj_summary_alert(struct nj_console *console, const struct nj_alert *alert, const char *source)
{
	char line[LINE_MAX], text[sizeof alert->summary * 2];
	print_alert_head(console, alert);
	nj_label(alert->summary, strnlen(alert->summary, sizeof alert->summary), text, sizeof text);
	fprintf(console->out, "  ");
	nj_console_wrap(console, text, INDENT, INDENT);
	print_alert_when(console, alert);
	print_features(console, alert);
	print_peers(console, alert);
	if (alert->client[0] != '\0') {
		nj_label(alert->client, strnlen(alert->client, sizeof alert->client), text, sizeof text);
		print_fact(console, "client", text);
	}
	print_fact(console, "seen", nj_visibility_words(alert, line, sizeof line));
	if (source != NULL && alert->flows_n > 0) {
		/* Not wrapped: a command must survive copy and paste. */
		fprintf(console->out, "  %s%-*s%snightjar flows %s | grep -F '%s'\n", nj_ink(console, NJ_INK_DIM),
			KEY_COLUMN - INDENT, "its flow", nj_ink(console, NJ_INK_PLAIN), source, alert->flows[0]);
	}
}

void nj_summary_alert_line(struct nj_console *console, const struct nj_alert *alert)
{
	char agent[256], text[sizeof alert->summary * 2];
	nj_human when, p;
	agent_words(alert, agent, sizeof agent);
	nj_label(alert->summary, strnlen(alert->summary, sizeof alert->summary), text, sizeof text);
	fprintf(console->out, "%s %s%-8s%s ", nj_human_time(alert->time_ns, when),
		nj_ink(console, severity_inks[alert->severity]), nj_severity_text(alert->severity),
		nj_ink(console, NJ_INK_PLAIN));
	nj_console_cell(console, alert->detector, 14, false);
	fprintf(console->out, " p %-7s ", nj_human_p(alert->p, p));
	unsigned used = 19 + 1 + 8 + 1 + 14 + 3 + 7 + 1, wanted = nj_utf8_length(agent);
	unsigned room = console->width > used + wanted + 3 ? console->width - used - wanted - 3 : 0;
	fputs(agent, console->out);
	if (room >= 20) {
		fputs("  ", console->out);
		nj_console_cell(console, text, room < nj_utf8_length(text) ? room : nj_utf8_length(text), false);
	}
	putc('\n', console->out);
}

static void print_none(struct nj_console *console, const struct nj_facts *facts)
{
	char line[LINE_MAX];
	nj_human span;
	if (facts->account.frames_seen == 0)
		return;
	snprintf(line, sizeof line,
		 "No agent behaved strangely enough for this budget in %s of traffic. What needs longer than that to "
		 "show - slow scans, rare beacons, small "
		 "daily uploads - cannot be ruled out.",
		 nj_human_span(facts->last_ns - facts->first_ns, span));
	fprintf(console->out, "  ");
	nj_console_wrap(console, line, INDENT, INDENT);
}

static void print_command(struct nj_console *console, const char *command, const char *why)
{
	unsigned length = nj_utf8_length(command);
	fprintf(console->out, "  %s%s%s", nj_ink(console, NJ_INK_GREEN), command, nj_ink(console, NJ_INK_PLAIN));
	if (length + INDENT + 3 + nj_utf8_length(why) < console->width)
		fprintf(console->out, "%*s", (int)(length < 54 && console->width >= 100 ? 56 - length : 2), "");
	else
		fprintf(console->out, "\n      ");
	fprintf(console->out, "%s%s%s\n", nj_ink(console, NJ_INK_DIM), why, nj_ink(console, NJ_INK_PLAIN));
}

static void print_next(struct nj_console *console, const struct nj_facts *facts, const struct nj_findings *findings)
{
	char line[LINE_MAX];
	if (facts->account.frames_seen == 0)
		return;
	print_heading(console, "Next");
	if (facts->report != NULL)
		print_command(console, facts->report, "the report: open it in a browser");
	else {
		snprintf(line, sizeof line, "nightjar replay --report report.html %s", facts->again);
		print_command(console, line, "the same as a page with plots");
	}
	if (findings->alerts_n > 0 && facts->extract != NULL)
		print_command(console, facts->extract, "the packets of each alert, for Wireshark");
	else if (findings->alerts_n > 0) {
		snprintf(line, sizeof line, "nightjar replay --extract evidence %s", facts->again);
		print_command(console, line, "the packets of each alert, for Wireshark");
	}
	if (facts->store != NULL) {
		snprintf(line, sizeof line, "nightjar alerts --store %s", facts->store);
		print_command(console, line, "ask the store again");
	}
	if (findings->alerts_n == 0) {
		snprintf(line, sizeof line, "nightjar windows %s", facts->source);
		print_command(console, line, "what every agent did, window by window");
	}
}

#define AI_TOLD 20

static void print_ai(struct nj_console *console, const struct nj_findings *findings)
{
	if (findings->ai_n == 0)
		return;
	uint32_t told = findings->ai_n < AI_TOLD ? findings->ai_n : AI_TOLD;
	nj_human count;
	print_heading(console, "AI agents");
	nj_ai_print_head(console);
	for (uint32_t i = 0; i < told; i++)
		nj_ai_print_row(console, &findings->ai[i], "");
	if (findings->ai_n + findings->ai_lost > told)
		fprintf(console->out, "  and %s more (nightjar agents --ai lists them from a store)\n",
			nj_human_count(findings->ai_n + findings->ai_lost - told, count));
	putc('\n', console->out);
}

void nj_summary_print(struct nj_console *console, const struct nj_facts *facts, const struct nj_findings *findings,
		      uint32_t top)
{
	print_capture(console, facts, findings);
	putc('\n', console->out);
	print_ai(console, findings);
	print_tally(console, facts, findings);
	putc('\n', console->out);
	if (findings->alerts_n == 0)
		print_none(console, facts);
	for (uint32_t i = 0; i < findings->alerts_n; i++) {
		if (i == top && i > 0)
			print_heading(console, "And in short");
		if (i < top)
			nj_summary_alert(console, &findings->alerts[i], facts->source);
		else
			nj_summary_alert_line(console, &findings->alerts[i]);
		if (i < top)
			putc('\n', console->out);
	}
	if (findings->alerts_lost > 0)
		fprintf(console->out, "  %ju more were raised than are kept here; --json has them all\n",
			(uintmax_t)findings->alerts_lost);
	if (findings->alerts_n == 0 || findings->alerts_n > top)
		putc('\n', console->out);
	print_next(console, facts, findings);
	if (facts->interrupted)
		fprintf(console->out, "\n%sInterrupted: this is what had been read until then.%s\n",
			nj_ink(console, NJ_INK_BOLD), nj_ink(console, NJ_INK_PLAIN));
}
