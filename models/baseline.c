/* Each cell tracks a level m and a scale s by stochastic approximation with bounded steps. For an observation y that
 * stands for w hours, in a cell that has learned n hours, with gain g = w max(rate, 1/(n + 1)):
 *
 *   m <- m + g s clip((y - m)/s, -2, 2)                     a Huber-like centre: nobody pulls harder than two scales
 *   s <- s exp(g (1[|y - m| > 0.6745 s] - 1/2))             0.6745 s settles at the median of |y - m|
 *
 * so s estimates the standard deviation of a normal series and z = (y - m)/s needs no further factor. 1/(n + 1) makes
 * the first visits an average; rate = 0.15 a visit for an hour of the week, 0.15/7 and 0.15/168 for the coarser layers,
 * so that all three forget in about seven weeks. The prediction walks from the prior to the finest layer, each time
 * drawn by n/(n + 4); levels mix linearly, scales in the logarithm. A cell starts from what was predicted for it.
 *
 * Poisoning: one visit moves m by at most 2 rate s. An attacker who stays just under z = k at the same hour every week
 * needs about D/(rate min(k, 2)) weeks for D scales: ten weeks for three (tests/unit/test_baseline.c).
 * Scale never falls below a tenth of the prior's, or a silent series would make every byte an anomaly.
 * Memory 2316 or 300 bytes; prediction 65 ns, learning 130 ns. */
#include "models/baseline.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define RATE          0.15
#define CLIP          2.0
#define QUARTILE      0.6745 /* of |Z|, Z standard normal: its median */
#define SHRINK_HOURS  4.0
#define SCALE_SHARE   0.1
#define Z_MAX         1e6
#define MAGNITUDE_MAX 1e30
#define LAYERS_MAX    3

/* The way of a prediction through the cells, coarse to fine. */
struct path {
	size_t cell[LAYERS_MAX];
	double rate[LAYERS_MAX];
	int layers;
};

static struct path week_path(unsigned hour)
{
	assert(hour < 168);
	return (struct path){{192, 168 + hour % 24, hour}, {RATE / 168, RATE / 7, RATE}, 3};
}

static struct path day_path(unsigned hour)
{
	assert(hour < 168);
	return (struct path){{24, hour % 24}, {RATE / 24, RATE}, 2};
}

unsigned nj_hour_of_week(uint64_t t_ns, int32_t utc_offset_s)
{
	int64_t local_s = (int64_t)(t_ns / 1000000000u) + utc_offset_s;
	int64_t hour = (local_s >= 0 ? local_s : local_s - 3599) / 3600; /* rounds down */
	return (unsigned)(((hour + 3 * 24) % 168 + 168) % 168);          /* the epoch was a Thursday */
}

static struct nj_usual drawn(struct nj_usual usual, const struct nj_baseline_cell *cell, const struct nj_usual *prior)
{
	double own = cell->visits / (cell->visits + SHRINK_HOURS);
	if (cell->visits > 0) {
		usual.level += own * (cell->level - usual.level);
		usual.scale = exp(own * log(cell->scale) + (1 - own) * log(usual.scale));
	}
	usual.scale = fmax(usual.scale, SCALE_SHARE * prior->scale);
	return usual;
}

static struct nj_usual predict(const struct nj_baseline_cell *cell, struct path path, const struct nj_usual *prior)
{
	assert(prior->scale > 0);
	struct nj_usual usual = *prior;
	for (int i = 0; i < path.layers; i++)
		usual = drawn(usual, &cell[path.cell[i]], prior);
	return usual;
}

static void update(struct nj_baseline_cell *cell, double y, double hours, double rate, struct nj_usual start)
{
	double level = cell->visits > 0 ? cell->level : start.level;
	double scale = cell->visits > 0 ? cell->scale : start.scale;
	double gain = hours * fmax(rate, 1 / (cell->visits + 1.0));
	double deviation = (y - level) / scale;
	bool wide = fabs(deviation) > QUARTILE;
	cell->level = (float)(level + gain * scale * fmin(fmax(deviation, -CLIP), CLIP));
	cell->scale = (float)(scale * exp(gain * (wide ? 0.5 : -0.5)));
	cell->visits = (float)(cell->visits + hours);
}

static void learn(struct nj_baseline_cell *cell, struct path path, double y, double hours, const struct nj_usual *prior)
{
	assert(prior->scale > 0);
	assert(hours > 0 && hours <= 1);
	if (!isfinite(y))
		return;
	y = fmin(fmax(y, -MAGNITUDE_MAX), MAGNITUDE_MAX);
	struct nj_usual usual = *prior;
	for (int i = 0; i < path.layers; i++) {
		struct nj_baseline_cell *at = &cell[path.cell[i]];
		struct nj_usual before = usual;
		usual = drawn(usual, at, prior);
		update(at, y, hours, path.rate[i], before);
		at->scale = (float)fmax(at->scale, SCALE_SHARE * prior->scale);
	}
}

struct nj_usual nj_baseline_week_usual(const struct nj_baseline_week *week, unsigned hour, const struct nj_usual *prior)
{
	return predict(week->cell, week_path(hour), prior);
}

struct nj_usual nj_baseline_day_usual(const struct nj_baseline_day *day, unsigned hour, const struct nj_usual *prior)
{
	return predict(day->cell, day_path(hour), prior);
}

void nj_baseline_week_learn(struct nj_baseline_week *week, unsigned hour, double y, double hours,
			    const struct nj_usual *prior)
{
	learn(week->cell, week_path(hour), y, hours, prior);
}

void nj_baseline_day_learn(struct nj_baseline_day *day, unsigned hour, double y, double hours,
			   const struct nj_usual *prior)
{
	learn(day->cell, day_path(hour), y, hours, prior);
}

double nj_usual_z(const struct nj_usual *usual, double y)
{
	if (!isfinite(y))
		return 0;
	return fmin(fmax((y - usual->level) / usual->scale, -Z_MAX), Z_MAX);
}

double nj_baseline_week_hours(const struct nj_baseline_week *week)
{
	return week->cell[NJ_BASELINE_WEEK_CELLS - 1].visits;
}

double nj_baseline_day_hours(const struct nj_baseline_day *day)
{
	return day->cell[NJ_BASELINE_DAY_CELLS - 1].visits;
}
