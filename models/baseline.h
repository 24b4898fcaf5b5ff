/* What is usual for this agent at this hour: a robust level and scale per hour of the week, that an attacker cannot
 * drag along quickly.
 *
 * Three layers of cells learn side by side: hour of week (168), hour of day (24), overall (1). A prediction starts at
 * the supplied prior and is drawn towards each finer layer by n/(n + 4), n = hours that cell has learned. So a new
 * agent is judged by its peer group, an old one by its own Mondays. Updates are clipped to two scales: one observation,
 * however huge, moves the level by at most 2 * rate * scale.
 *
 * Feed a transform that makes the series roughly symmetric, such as ln(1 + bytes). A week takes 2316 bytes, a day (24 +
 * 1 cells) 300; zeroed memory is a baseline that has learned nothing. No pointers: save as bytes. */
#ifndef NJ_MODELS_BASELINE_H
#define NJ_MODELS_BASELINE_H

#include <assert.h>
#include <stdint.h>

#define NJ_BASELINE_WEEK_CELLS (168 + 24 + 1)
#define NJ_BASELINE_DAY_CELLS  (24 + 1)

struct nj_baseline_cell {
	float level;
	float scale;  /* comparable to a standard deviation */
	float visits; /* hours learned */
};

struct nj_baseline_week {
	struct nj_baseline_cell
		cell[NJ_BASELINE_WEEK_CELLS]; /* hour of week 0..167 (0: Monday 00 h local), hour of day, overall */
};

struct nj_baseline_day {
	struct nj_baseline_cell cell[NJ_BASELINE_DAY_CELLS]; /* hour of day, overall */
};

static_assert(sizeof(struct nj_baseline_week) == 2316, "a profile holds four series");
static_assert(sizeof(struct nj_baseline_day) == 300, "a profile holds four series");

struct nj_usual {
	double level;
	double scale; /* > 0 */
};

/* 0 = Monday 00:00 to 00:59 local time, utc_offset_s east of Greenwich. */
unsigned nj_hour_of_week(uint64_t t_ns, int32_t utc_offset_s);

/* What the baseline expects in that hour (0..167, asserted); *prior* stands where it has learned nothing. */
struct nj_usual nj_baseline_week_usual(const struct nj_baseline_week *week, unsigned hour,
				       const struct nj_usual *prior);
struct nj_usual nj_baseline_day_usual(const struct nj_baseline_day *day, unsigned hour, const struct nj_usual *prior);

/* (y - level)/scale, within +-1e6; 0 for a y that is not finite. */
double nj_usual_z(const struct nj_usual *usual, double y);

/* Learns one observation that stands for *hours* of time in (0, 1]: 1 for an hourly sum, 10.0/3600 for a window; less
 * to trust it less. Not finite: ignored. The caller keeps alerted windows away. */
void nj_baseline_week_learn(struct nj_baseline_week *week, unsigned hour, double y, double hours,
			    const struct nj_usual *prior);
void nj_baseline_day_learn(struct nj_baseline_day *day, unsigned hour, double y, double hours,
			   const struct nj_usual *prior);

double nj_baseline_week_hours(const struct nj_baseline_week *week); /* learned in all: the age of the baseline */
double nj_baseline_day_hours(const struct nj_baseline_day *day);

#endif
