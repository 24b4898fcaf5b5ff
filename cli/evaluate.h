/* What came out of replaying labelled captures: for every attack found, found otherwise or missed; for everything else
 * how many false alerts; simple counters beside. cli/evaluate.c fills it, cli/evaluate_tell.c prints it. */
#ifndef NJ_CLI_EVALUATE_H
#define NJ_CLI_EVALUATE_H

#include "aggregator/alert.h"
#include "cli/console.h"
#include "cli/counters.h"
#include "cli/labels.h"

enum nj_found {
	NJ_FOUND_MISSED,
	NJ_FOUND_OTHERWISE, /* the right agent at the right time, by a detector made for something else */
	NJ_FOUND_RIGHT,
};

/* One labelled attack. */
struct nj_attack_result {
	uint32_t capture, row; /* of labels->captures, of its rows */
	enum nj_found found;
	char detector[32];
	uint64_t delay_ns; /* event time from the label's start (or the capture's first packet) to the alert */
	bool already; /* its alert was raised before it began, about an earlier part of the same: no delay to speak of
		       */
	bool queued;  /* over the budget: kept, not paged */
	uint32_t counters; /* bit set of enum nj_counter that fired on it */
};

struct nj_capture_result {
	bool failed; /* could not be read at all */
	bool damaged;
	bool benign;          /* no attack in it */
	uint64_t observed_ns; /* event time with traffic: windows that saw a frame */
	uint32_t paged_false, queued_false;
	uint32_t paged_unclear; /* in an attack capture, about agents the label does not name: not judged */
	uint32_t counters_false[NJ_COUNTERS_N];
	char example[96]; /* detector and agent of the first false alert */
};

struct nj_evaluation {
	const struct nj_labels *labels;
	struct nj_capture_result *captures; /* labels->captures_n of them */
	uint32_t done;                      /* captures replayed; fewer than all when interrupted */
	uint32_t skipped;                   /* not judged: labelled neither */
	struct nj_attack_result *attacks;
	uint32_t attacks_n, attacks_capacity;
	double budget;
};

/* Tables for people on the console; the same and more as Markdown (*returns owned*; NULL: out of memory). */
void nj_evaluation_print(struct nj_console *console, const struct nj_evaluation *evaluation);
char *nj_evaluation_markdown(const struct nj_evaluation *evaluation);

/* Whether a detector is made for what a label names. Pure. */
bool nj_label_fits_detector(const char *label, const char *detector);

#endif
