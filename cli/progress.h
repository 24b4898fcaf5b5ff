/* One line on standard error that says how far a long job is: share done, rate, time left. Drawn a few times a second
 * and only on a terminal; silent in a pipe. The time is an argument (a monotonic clock's ns), so that a test can run an
 * hour in no time. One thread. */
#ifndef NJ_CLI_PROGRESS_H
#define NJ_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct nj_progress_state {
	uint64_t bytes_done, bytes_total; /* of the input; total 0: not known (a pipe) */
	uint64_t packets;
	uint64_t alerts;
};

struct nj_progress {
	FILE *out;  /* borrowed */
	bool live;  /* false: nothing is ever drawn */
	bool drawn; /* a line stands on the terminal */
	unsigned width;
	uint64_t start_ns, drawn_ns;       /* of the job, of the last line */
	uint64_t rate_ns;                  /* when the rate was last renewed */
	struct nj_progress_state then;     /* at rate_ns */
	double bytes_per_s, packets_per_s; /* smoothed over some seconds */
};

void nj_progress_init(struct nj_progress *progress, FILE *out, bool live, unsigned width, uint64_t now_ns);
/* Draws when the last line is older than 200 ms and the job older than 500 ms. */
void nj_progress_show(struct nj_progress *progress, const struct nj_progress_state *state, uint64_t now_ns);
/* Wipes the line, so that other output may follow. */
void nj_progress_clear(struct nj_progress *progress);

/* The line itself, cut to *width* columns, for *elapsed_ns* of work. Pure. */
void nj_progress_line(const struct nj_progress *progress, const struct nj_progress_state *state, char *text,
		      size_t size);

#endif
