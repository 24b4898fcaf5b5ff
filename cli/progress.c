/* See progress.h. The rate is an exponential average with a time constant of three seconds: steady to the eye, yet it
 * follows a slow disk. Time left is what remains at that rate. */
#include "cli/progress.h"

#include "cli/human.h"

#include <math.h>
#include <string.h>

#define DRAW_EVERY_NS  200000000u
#define FIRST_AFTER_NS 500000000u
#define SMOOTH_S       3.0
#define BAR_MOST       24

void nj_progress_init(struct nj_progress *progress, FILE *out, bool live, unsigned width, uint64_t now_ns)
{
	*progress =
		(struct nj_progress){.out = out, .live = live, .width = width, .start_ns = now_ns, .rate_ns = now_ns};
}

static void renew_rate(struct nj_progress *progress, const struct nj_progress_state *state, uint64_t now_ns)
{
	double step_s = (double)(now_ns - progress->rate_ns) / 1e9;
	if (step_s <= 0)
		return;
	bool first = progress->rate_ns == progress->start_ns;
	double keep = first ? 0 : exp(-step_s / SMOOTH_S);
	progress->bytes_per_s = keep * progress->bytes_per_s +
				(1 - keep) * (double)(state->bytes_done - progress->then.bytes_done) / step_s;
	progress->packets_per_s = keep * progress->packets_per_s +
				  (1 - keep) * (double)(state->packets - progress->then.packets) / step_s;
	progress->rate_ns = now_ns;
	progress->then = *state;
}

static void add_bar(char *text, size_t size, double share, unsigned cells)
{
	size_t length = strlen(text);
	for (unsigned i = 0; i < cells && length + 1 < size; i++)
		text[length++] = (i + 0.5) / cells < share ? '#' : '.';
	text[length] = '\0';
}

void nj_progress_line(const struct nj_progress *progress, const struct nj_progress_state *state, char *text,
		      size_t size)
{
	nj_human packets, rate, bytes, left, alerts;
	nj_human_count(state->packets, packets);
	nj_human_number(progress->packets_per_s, rate);
	nj_human_bytes(progress->bytes_per_s, bytes);
	text[0] = '\0';
	if (state->bytes_total > 0) {
		double share = fmin(1, (double)state->bytes_done / (double)state->bytes_total);
		unsigned cells = progress->width >= 90 ? BAR_MOST : progress->width >= 70 ? BAR_MOST / 2 : 0;
		add_bar(text, size, share, cells);
		size_t length = strlen(text);
		snprintf(text + length, size - length, "%s%3.0f %%  ", cells > 0 ? " " : "", floor(share * 100));
	}
	size_t length = strlen(text);
	snprintf(text + length, size - length, "%s packets  %s/s  %s/s", packets, rate, bytes);
	length = strlen(text);
	if (state->bytes_total > state->bytes_done && progress->bytes_per_s > 0) {
		nj_human_seconds(fmax(1, (double)(state->bytes_total - state->bytes_done) / progress->bytes_per_s),
				 left);
		snprintf(text + length, size - length, "  %s left", left);
	}
	length = strlen(text);
	if (state->alerts > 0)
		snprintf(text + length, size - length, "  %s alert%s", nj_human_count(state->alerts, alerts),
			 state->alerts == 1 ? "" : "s");
	if (strlen(text) >= progress->width) /* the last column stays free: some terminals would wrap */
		text[progress->width - 1] = '\0';
}

void nj_progress_show(struct nj_progress *progress, const struct nj_progress_state *state, uint64_t now_ns)
{
	if (!progress->live || now_ns < progress->start_ns + FIRST_AFTER_NS ||
	    now_ns < progress->drawn_ns + DRAW_EVERY_NS)
		return;
	char line[256];
	renew_rate(progress, state, now_ns);
	nj_progress_line(progress, state, line, sizeof line);
	fprintf(progress->out, "\r%s\033[K", line);
	fflush(progress->out);
	progress->drawn = true;
	progress->drawn_ns = now_ns;
}

void nj_progress_clear(struct nj_progress *progress)
{
	if (!progress->drawn)
		return;
	fputs("\r\033[K", progress->out);
	fflush(progress->out);
	progress->drawn = false;
}
