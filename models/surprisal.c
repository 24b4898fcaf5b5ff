/* C <- max(0, C 2^(-dt/48 h) - (e^(level + k scale) - 1) dt) + bits. The drain makes it a CUSUM against the agent's own
 * rate; the half-life lets an excursion end that the drain would not (an administrator's first week), yet keeps a new
 * host every hour growing for days: at 8 bits an hour above a drain of 3 the sum settles at (8 - 3) 48/ln 2 = 346 bits.
 *
 * P of an edge is a share with a prior worth k = 8 agents, of which 1/256 use any given service. Level and scale follow
 * as in models/baseline.c: gain 0.005 an hour, clipped to two scales, the scale by
 * quantile: an agent that walks one host an hour would otherwise teach the baseline to expect it within a day; so it
 * takes weeks. */
#include "models/surprisal.h"

#include <math.h>

#define PRIOR_AGENTS 8.0
#define PRIOR_SHARE  (1.0 / 256)
#define SUM_MAX      1e6
#define HOURS_PRIOR  8.0
#define GAIN         0.005
#define SCALE_MIN    0.2f
#define HOUR_S       3600.0

double nj_surprisal_bits(double users, double population)
{
	if (!(users >= 0) || !(population >= 0) || !isfinite(population))
		return 0;
	double share = (fmin(users, population) + PRIOR_AGENTS * PRIOR_SHARE) / (population + PRIOR_AGENTS);
	return fmin(-log2(share), NJ_SURPRISAL_BITS_MAX);
}

double nj_surprisal_rate(const struct nj_surprisal *s, const struct nj_surprisal_params *params)
{
	double own = s->hours / (s->hours + HOURS_PRIOR);
	double level = (1 - own) * params->level + own * s->level, scale = (1 - own) * params->scale + own * s->scale;
	return expm1(fmin(level + params->slack * scale, 20));
}

double nj_surprisal_value(const struct nj_surprisal *s, uint64_t t_ns, const struct nj_surprisal_params *params)
{
	if (t_ns <= s->t_ns)
		return s->sum;
	double dt_ns = (double)(t_ns - s->t_ns);
	double left = s->sum * exp2(-dt_ns / (double)params->half_life_ns);
	return fmax(0, left - nj_surprisal_rate(s, params) * dt_ns / 1e9 / HOUR_S);
}

double nj_surprisal_step(struct nj_surprisal *s, uint64_t t_ns, double bits, const struct nj_surprisal_params *params)
{
	if (!isfinite(bits) || bits <= 0)
		return s->sum;
	double left = nj_surprisal_value(s, t_ns, params);
	if (left <= 0) {
		s->since_ns = t_ns;
		s->edges = 0;
	}
	s->sum = fmin(left + bits, SUM_MAX);
	s->edges += s->edges < UINT32_MAX;
	if (t_ns > s->t_ns)
		s->t_ns = t_ns;
	return s->sum;
}

void nj_surprisal_learn(struct nj_surprisal *s, double bits, const struct nj_surprisal_params *params)
{
	if (!isfinite(bits) || bits < 0)
		return;
	if (s->hours <= 0) {
		s->level = (float)params->level;
		s->scale = (float)params->scale;
	}
	double y = log1p(bits);
	double step = fmin(fmax((y - s->level) / s->scale, -2), 2);
	double wide = fabs(y - s->level) > 0.6745 * s->scale ? 0.5 : -0.5;
	s->level += (float)(GAIN * s->scale * step);
	s->scale = fmaxf(SCALE_MIN, s->scale * (float)exp(GAIN * wide));
	s->hours += s->hours < 1e6f ? 1 : 0;
}
