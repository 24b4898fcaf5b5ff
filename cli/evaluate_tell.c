/* The results of `nightjar evaluate`, as they are: misses included, simple counters beside. */
#include "cli/evaluate.h"

#include "cli/human.h"
#include "cli/text.h"
#include "common/label.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 64

static const char *const found_words[] = {"missed", "otherwise", "found"};
static const enum nj_ink found_inks[] = {NJ_INK_RED, NJ_INK_YELLOW, NJ_INK_GREEN};

/* Attacks of one label. */
struct attack_group {
	const char *label;
	uint32_t n, found[3], queued, counters[NJ_COUNTERS_N];
	uint64_t *delays; /* of those found */
	uint32_t delays_n;
};

/* Benign captures of one label. */
struct quiet_group {
	const char *label;
	uint32_t captures, silent, paged, queued, counters[NJ_COUNTERS_N];
	uint64_t observed_ns;
};

static const char *delay_words(const struct nj_attack_result *attack, nj_human text)
{
	if (attack->found == NJ_FOUND_MISSED)
		return "";
	return attack->already ? "already" : nj_human_span(attack->delay_ns, text);
}

static const struct nj_label_row *row_of(const struct nj_evaluation *evaluation, const struct nj_attack_result *attack)
{
	return &evaluation->labels->captures[attack->capture].rows[attack->row];
}

static void add_to_group(struct attack_group *group, const struct nj_attack_result *attack)
{
	group->n++;
	group->found[attack->found]++;
	group->queued += attack->found != NJ_FOUND_MISSED && attack->queued;
	if (attack->found != NJ_FOUND_MISSED && !attack->already)
		group->delays[group->delays_n++] = attack->delay_ns;
	for (unsigned c = 0; c < NJ_COUNTERS_N; c++)
		group->counters[c] += attack->counters >> c & 1;
}

static int by_delay(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

/* *delays*: room for every attack; groups take their parts of it. The last group is the total. */
static uint32_t group_attacks(const struct nj_evaluation *evaluation, struct attack_group *groups, uint64_t *delays)
{
	uint32_t n = 0, used = 0;
	for (uint32_t i = 0; i < evaluation->attacks_n; i++) {
		const char *label = row_of(evaluation, &evaluation->attacks[i])->label;
		uint32_t g = 0;
		while (g < n && strcmp(groups[g].label, label) != 0)
			g++;
		if (g < n || n == GROUPS_MAX)
			continue;
		groups[n++] = (struct attack_group){.label = label, .delays = delays + used};
		for (uint32_t k = i; k < evaluation->attacks_n; k++) {
			if (strcmp(row_of(evaluation, &evaluation->attacks[k])->label, label) == 0)
				add_to_group(&groups[n - 1], &evaluation->attacks[k]);
		}
		used += groups[n - 1].delays_n;
		qsort(groups[n - 1].delays, groups[n - 1].delays_n, sizeof *delays, by_delay);
	}
	return n;
}

static uint32_t group_quiet(const struct nj_evaluation *evaluation, struct quiet_group *groups)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < evaluation->labels->captures_n; i++) {
		const struct nj_capture_result *result = &evaluation->captures[i];
		const struct nj_labelled_capture *capture = &evaluation->labels->captures[i];
		if (result->observed_ns == 0 || !result->benign)
			continue;
		uint32_t g = 0;
		while (g < n && strcmp(groups[g].label, capture->rows[0].label) != 0)
			g++;
		if (g == n && n == GROUPS_MAX)
			continue;
		if (g == n)
			groups[n++] = (struct quiet_group){.label = capture->rows[0].label};
		groups[g].captures++;
		groups[g].silent += result->paged_false == 0;
		groups[g].paged += result->paged_false;
		groups[g].queued += result->queued_false;
		groups[g].observed_ns += result->observed_ns;
		for (unsigned c = 0; c < NJ_COUNTERS_N; c++)
			groups[g].counters[c] += result->counters_false[c];
	}
	return n;
}

/* Alerts in attack captures that are about none of their attacks: false where every host is labelled, else not judged.
 */
struct beside {
	uint32_t paged_false, queued_false, unclear;
};

static struct beside count_beside(const struct nj_evaluation *evaluation)
{
	struct beside beside = {0};
	for (uint32_t i = 0; i < evaluation->labels->captures_n; i++) {
		const struct nj_capture_result *result = &evaluation->captures[i];
		beside.paged_false += result->benign ? 0 : result->paged_false;
		beside.queued_false += result->benign ? 0 : result->queued_false;
		beside.unclear += result->paged_unclear;
	}
	return beside;
}

static double per_day(uint32_t n, uint64_t observed_ns)
{
	return observed_ns > 0 ? n / ((double)observed_ns / 86400e9) : 0;
}

static void add_cell(struct nj_text *text, const char *words)
{
	/* '|' would end a cell of Markdown. */
	char safe[512];
	nj_label(words, strlen(words), safe, sizeof safe);
	nj_text_add(text, " ");
	for (const char *c = safe; *c != '\0'; c++)
		nj_text_add_bytes(text, *c == '|' ? "\\|" : *c == '\n' ? " " : c, *c == '|' ? 2 : 1);
	nj_text_add(text, " |");
}

static void add_counter_heads(struct nj_text *text)
{
	for (unsigned c = 0; c < NJ_COUNTERS_N; c++)
		nj_text_format(text, " %s |", nj_counter_words((enum nj_counter)c));
	nj_text_add(text, "\n|");
}

static void add_total_row(struct nj_text *text, const struct attack_group *groups, uint32_t n)
{
	struct attack_group all = {0};
	for (uint32_t g = 0; g < n; g++) {
		all.n += groups[g].n;
		all.queued += groups[g].queued;
		for (unsigned f = 0; f < 3; f++)
			all.found[f] += groups[g].found[f];
		for (unsigned c = 0; c < NJ_COUNTERS_N; c++)
			all.counters[c] += groups[g].counters[c];
	}
	nj_text_format(text, "\n| **all** | %u | %u | %u | %u | %u | | |", all.n, all.found[NJ_FOUND_RIGHT],
		       all.found[NJ_FOUND_OTHERWISE], all.found[NJ_FOUND_MISSED], all.queued);
	for (unsigned c = 0; c < NJ_COUNTERS_N; c++)
		nj_text_format(text, " %u |", all.counters[c]);
}

static void add_group_table(struct nj_text *text, const struct attack_group *groups, uint32_t n)
{
	nj_human median, most;
	nj_text_add(text, "## Attacks by label\n\n| label | attacks | found | otherwise | missed | over budget | "
			  "median delay | longest |");
	add_counter_heads(text);
	for (unsigned i = 0; i < 8 + NJ_COUNTERS_N; i++)
		nj_text_add(text, i == 0 ? "---|" : "---:|");
	for (uint32_t g = 0; g < n; g++) {
		const struct attack_group *group = &groups[g];
		nj_text_add(text, "\n|");
		add_cell(text, group->label);
		nj_text_format(text, " %u | %u | %u | %u | %u | %s | %s |", group->n, group->found[NJ_FOUND_RIGHT],
			       group->found[NJ_FOUND_OTHERWISE], group->found[NJ_FOUND_MISSED], group->queued,
			       group->delays_n > 0 ? nj_human_span(group->delays[group->delays_n / 2], median) : "-",
			       group->delays_n > 0 ? nj_human_span(group->delays[group->delays_n - 1], most) : "-");
		for (unsigned c = 0; c < NJ_COUNTERS_N; c++)
			nj_text_format(text, " %u |", group->counters[c]);
	}
	add_total_row(text, groups, n);
	nj_text_add(
		text,
		"\n\nFound: by a detector made for it, on an agent or peer the label names, in its time. Otherwise: by "
		"another detector. Over budget: "
		"found, but queued rather than paged. Delay: event time from the label's start, or the capture's first "
		"packet, to the alert; 'already': the alert about an earlier part of the same stood when it began. The "
		"last "
		"columns: how many of the attacks each simple counter fired on, computed from the same windows.\n\n");
}

static void add_quiet_table(struct nj_text *text, const struct quiet_group *groups, uint32_t n)
{
	nj_human span;
	nj_text_add(
		text,
		"## Benign captures\n\n| label | captures | silent | traffic | false, paged | a day | false, queued |");
	add_counter_heads(text);
	for (unsigned i = 0; i < 7 + NJ_COUNTERS_N; i++)
		nj_text_add(text, i == 0 ? "---|" : "---:|");
	for (uint32_t g = 0; g < n; g++) {
		nj_text_add(text, "\n|");
		add_cell(text, groups[g].label);
		nj_text_format(text, " %u | %u | %s | %u | %.1f | %u |", groups[g].captures, groups[g].silent,
			       nj_human_span(groups[g].observed_ns, span), groups[g].paged,
			       per_day(groups[g].paged, groups[g].observed_ns), groups[g].queued);
		for (unsigned c = 0; c < NJ_COUNTERS_N; c++)
			nj_text_format(text, " %u |", groups[g].counters[c]);
	}
	nj_text_add(text, "\n\nTraffic: event time of the windows that saw a packet; captures joined from samples of "
			  "different years do not count their gaps. "
			  "Each capture is judged by itself, with the shipped prior and no history.\n\n");
}

static void add_beside(struct nj_text *text, const struct nj_evaluation *evaluation)
{
	struct beside beside = count_beside(evaluation);
	nj_text_format(text,
		       "In the captures with attacks: %u false alerts paged and %u queued, on hosts their labels call "
		       "benign; %u "
		       "about addresses no label speaks of, which are counted neither as found nor as false.\n\n",
		       beside.paged_false, beside.queued_false, beside.unclear);
}

static void add_attack_table(struct nj_text *text, const struct nj_evaluation *evaluation)
{
	nj_human delay;
	nj_text_add(text, "## Every labelled attack\n\n| capture | label | what | result | detector | after |");
	add_counter_heads(text);
	for (unsigned i = 0; i < 6 + NJ_COUNTERS_N; i++)
		nj_text_add(text, "---|");
	for (uint32_t i = 0; i < evaluation->attacks_n; i++) {
		const struct nj_attack_result *attack = &evaluation->attacks[i];
		const struct nj_label_row *row = row_of(evaluation, attack);
		nj_text_add(text, "\n|");
		add_cell(text, evaluation->labels->captures[attack->capture].name);
		add_cell(text, row->label);
		add_cell(text, row->words);
		nj_text_format(text, " %s%s |", found_words[attack->found], attack->queued ? ", over budget" : "");
		add_cell(text, attack->detector);
		nj_text_format(text, " %s |", delay_words(attack, delay));
		for (unsigned c = 0; c < NJ_COUNTERS_N; c++)
			nj_text_add(text, attack->counters >> c & 1 ? " yes |" : " |");
	}
	nj_text_add(text, "\n\n");
}

static void add_false_table(struct nj_text *text, const struct nj_evaluation *evaluation)
{
	nj_human span;
	nj_text_add(text, "## Captures with false alerts\n\nAll others had none.\n\n| capture | traffic | paged | "
			  "queued | first of them |\n|---|---:|---:|---:|---|");
	for (uint32_t i = 0; i < evaluation->labels->captures_n; i++) {
		const struct nj_capture_result *result = &evaluation->captures[i];
		if (result->paged_false + result->queued_false == 0)
			continue;
		nj_text_add(text, "\n|");
		add_cell(text, evaluation->labels->captures[i].name);
		nj_text_format(text, " %s | %u | %u |", nj_human_span(result->observed_ns, span), result->paged_false,
			       result->queued_false);
		add_cell(text, result->example);
	}
	nj_text_add(text, "\n\n");
}

char *nj_evaluation_markdown(const struct nj_evaluation *evaluation)
{
	struct nj_text text = {0};
	struct attack_group groups[GROUPS_MAX];
	struct quiet_group quiet[GROUPS_MAX];
	uint64_t *delays = calloc(evaluation->attacks_n + 1, sizeof *delays);
	if (delays == NULL)
		return NULL;
	uint32_t groups_n = group_attacks(evaluation, groups, delays), quiet_n = group_quiet(evaluation, quiet);
	nj_text_format(
		&text,
		"Budget %g false alerts a day; %u captures judged, %u not (made to break parsers, or passed over).\n\n",
		evaluation->budget, evaluation->done, evaluation->skipped);
	add_group_table(&text, groups, groups_n);
	add_quiet_table(&text, quiet, quiet_n);
	add_beside(&text, evaluation);
	add_attack_table(&text, evaluation);
	add_false_table(&text, evaluation);
	free(delays);
	return nj_text_take(&text);
}

static void print_attacks(struct nj_console *console, const struct nj_evaluation *evaluation)
{
	nj_human delay;
	for (uint32_t i = 0; i < evaluation->attacks_n; i++) {
		const struct nj_attack_result *attack = &evaluation->attacks[i];
		char what[256], safe[512];
		unsigned used = 10 + 12 + 22 + 22;
		fprintf(console->out, "%s%-10s%s", nj_ink(console, found_inks[attack->found]),
			found_words[attack->found], nj_ink(console, NJ_INK_PLAIN));
		nj_console_cell(console, delay_words(attack, delay), 11, true);
		putc(' ', console->out);
		nj_console_cell(console, attack->detector, 22, false);
		nj_console_cell(console, row_of(evaluation, attack)->label, 22, false);
		snprintf(what, sizeof what, "%s%s", evaluation->labels->captures[attack->capture].name,
			 attack->queued ? " (over budget)" : "");
		nj_label(what, strlen(what), safe, sizeof safe);
		/* In a pipe a name stays whole: something may want to find it. */
		unsigned length = nj_utf8_length(safe), room = console->width > used + 12 ? console->width - used : 12;
		nj_console_cell(console, safe, console->terminal && room < length ? room : length, false);
		putc('\n', console->out);
	}
}

static void print_groups(struct nj_console *console, const struct attack_group *groups, uint32_t n)
{
	nj_human median;
	fprintf(console->out, "\n%s%-22s attacks  found  otherwise  missed  median delay  counters%s\n",
		nj_ink(console, NJ_INK_DIM), "label", nj_ink(console, NJ_INK_PLAIN));
	for (uint32_t g = 0; g < n; g++) {
		const struct attack_group *group = &groups[g];
		fprintf(console->out, "%-22s %7u  %5u  %9u  %6u  %12s ", group->label, group->n,
			group->found[NJ_FOUND_RIGHT], group->found[NJ_FOUND_OTHERWISE], group->found[NJ_FOUND_MISSED],
			group->delays_n > 0 ? nj_human_span(group->delays[group->delays_n / 2], median) : "-");
		for (unsigned c = 0; c < NJ_COUNTERS_N; c++)
			fprintf(console->out, " %u", group->counters[c]);
		putc('\n', console->out);
	}
}

static void print_quiet(struct nj_console *console, const struct quiet_group *groups, uint32_t n)
{
	nj_human span;
	fprintf(console->out, "\n%s%-22s captures  silent  traffic       false  a day  queued  counters%s\n",
		nj_ink(console, NJ_INK_DIM), "benign", nj_ink(console, NJ_INK_PLAIN));
	for (uint32_t g = 0; g < n; g++) {
		fprintf(console->out, "%-22s %8u  %6u  %-12s %6u  %5.1f  %6u ", groups[g].label, groups[g].captures,
			groups[g].silent, nj_human_span(groups[g].observed_ns, span), groups[g].paged,
			per_day(groups[g].paged, groups[g].observed_ns), groups[g].queued);
		for (unsigned c = 0; c < NJ_COUNTERS_N; c++)
			fprintf(console->out, " %u", groups[g].counters[c]);
		putc('\n', console->out);
	}
}

void nj_evaluation_print(struct nj_console *console, const struct nj_evaluation *evaluation)
{
	struct attack_group groups[GROUPS_MAX];
	struct quiet_group quiet[GROUPS_MAX];
	uint64_t *delays = calloc(evaluation->attacks_n + 1, sizeof *delays);
	uint32_t damaged = 0;
	if (delays == NULL)
		return;
	uint32_t groups_n = group_attacks(evaluation, groups, delays), quiet_n = group_quiet(evaluation, quiet);
	print_attacks(console, evaluation);
	print_groups(console, groups, groups_n);
	print_quiet(console, quiet, quiet_n);
	fprintf(console->out, "\ncounters:");
	for (unsigned c = 0; c < NJ_COUNTERS_N; c++)
		fprintf(console->out, "%s %s", c > 0 ? ";" : "", nj_counter_words((enum nj_counter)c));
	for (uint32_t i = 0; i < evaluation->labels->captures_n; i++)
		damaged += evaluation->captures[i].damaged;
	struct beside beside = count_beside(evaluation);
	fprintf(console->out, "\nin attack captures: %u false paged, %u queued, %u about addresses no label speaks of",
		beside.paged_false, beside.queued_false, beside.unclear);
	fprintf(console->out, "\n%u captures judged, %u of them damaged; %u not judged\n", evaluation->done, damaged,
		evaluation->skipped);
	free(delays);
}
