/*   agentic = s( w [ 1.2 nats g + 2 loop g + 0.5 z + growth+ + 0.7 in_band + 2 quick p_llm ] + 0.7 duty - 2.5 )
 *
 * with s(x) = 1/(1 + e^-x); g = clip(z/2, 0, 1): an interleave that circular shifts show as well is no interleave;
 * quick: 0.05 to 4 s from answer to next question in the middle; w = turns/(turns + 4). Nats enter within 0..3.7, z
 * within 0..6, growth within 0..1. What z and quick say counts by itself, because an agent that works on its own disk
 * most turns acts on the network after few answers, yet hardly ever otherwise, and asks again faster than anybody
 * reads. The weights were set by hand and looked at on development recordings; a full loop of 32 turns at 8 s gives
 * 0.999, a chat whose reader does nothing else 0.2, no exchange 0.08. A batch job that asks a model for each of its
 * records scores as an agent.
 *
 *   p_llm = s( 4 stream + 2.5 api + growth+ + 0.7 in_band + ln(n/8)/2 - 3.5 ),  at most 0.9; with a known endpoint
 *           known + (1 - known) p
 *
 * so neither form of answer alone and once convinces, and both forms need repetition. */
#include "models/agentic.h"

#include "models/math.h"

#include <math.h>
#include <stdbool.h>

#define TURN_MIN_S  1.5
#define TURN_MAX_S  40.0
#define NATS_MAX    3.7
#define Z_MAX       6.0
#define TURNS_PRIOR 4.0
#define INTERCEPT   (-2.5)
#define QUICK_MIN_S 0.05
#define QUICK_MAX_S 4.0

static double clip(double x, double low, double high)
{
	return isfinite(x) ? fmin(fmax(x, low), high) : 0;
}

static double logistic(double x)
{
	return 1 / (1 + exp(-x));
}

static double in_band(double turn_s)
{
	return turn_s >= TURN_MIN_S && turn_s <= TURN_MAX_S;
}

/* ---- growth */

static uint32_t up_before(const struct nj_growth *growth, uint32_t back)
{
	return growth->up[(growth->n - 1 - back) % NJ_GROWTH_RING];
}

void nj_growth_add(struct nj_growth *growth, uint64_t up_bytes)
{
	uint32_t up = up_bytes < UINT32_MAX ? (uint32_t)up_bytes : UINT32_MAX;
	if (growth->n > 0 && up < up_before(growth, 0) / 2)
		growth->resets += growth->resets < UINT32_MAX;
	growth->up[growth->n % NJ_GROWTH_RING] = up;
	growth->n++;
	if (growth->n >= UINT32_C(1) << 31)
		growth->n -= UINT32_C(1) << 30; /* keeps the place in the ring */
}

double nj_growth_score(const struct nj_growth *growth)
{
	uint32_t k = growth->n < NJ_GROWTH_K ? growth->n : NJ_GROWTH_K;
	int rises = 0;
	if (k < 3)
		return 0;
	for (uint32_t back = 0; back + 1 < k; back++) {
		uint32_t now = up_before(growth, back), then = up_before(growth, back + 1);
		rises += (now > then) - (now < then);
	}
	return (double)rises / (k - 1);
}

double nj_growth_latest(const struct nj_growth *growth)
{
	return growth->n > 0 ? up_before(growth, 0) : 0;
}

double nj_growth_median(const struct nj_growth *growth)
{
	double up[NJ_GROWTH_RING];
	uint32_t n = growth->n < NJ_GROWTH_RING ? growth->n : NJ_GROWTH_RING;
	if (n < 4)
		return 0;
	for (uint32_t back = 1; back < n; back++)
		up[back - 1] = up_before(growth, back);
	return nj_median(up, n - 1);
}

/* ---- the two scores */

double nj_llm_p(const struct nj_llm_evidence *evidence)
{
	double n = evidence->exchanges > 0 ? evidence->exchanges : 0.5;
	double odds = 4 * clip(evidence->stream_score, 0, 1) + 2.5 * clip(evidence->api_share, 0, 1) +
		      clip(evidence->growth, 0, 1) + 0.7 * in_band(evidence->turn_s) + clip(log(n / 8) / 2, -1.5, 1) -
		      3.5;
	double p = fmin(logistic(odds), NJ_LLM_UNNAMED_MAX), known = clip(evidence->known, 0, 1);
	return known + (1 - known) * p;
}

void nj_agentic_judge(const struct nj_agentic_evidence *evidence, struct nj_agentic *ret_agentic)
{
	double *part = ret_agentic->part;
	double gate = clip(evidence->z / 2, 0, 1), w = evidence->turns / (evidence->turns + TURNS_PRIOR);
	part[NJ_AGENTIC_NATS] = w * gate * 1.2 * clip(evidence->nats, 0, NATS_MAX);
	part[NJ_AGENTIC_Z] = w * 0.5 * clip(evidence->z, 0, Z_MAX);
	part[NJ_AGENTIC_LOOP] = w * gate * 2 * clip(evidence->loop, 0, 1);
	bool quick = evidence->pause_s >= QUICK_MIN_S && evidence->pause_s <= QUICK_MAX_S;
	part[NJ_AGENTIC_QUICK] = w * 2 * quick * clip(evidence->p_llm, 0, 1);
	part[NJ_AGENTIC_GROWTH] = w * clip(evidence->growth, 0, 1);
	part[NJ_AGENTIC_TURN] = w * 0.7 * in_band(evidence->turn_s);
	part[NJ_AGENTIC_DUTY] = 0.7 * clip(evidence->duty, 0, 1);
	double odds = INTERCEPT;
	for (int i = 0; i < NJ_AGENTIC_PARTS; i++)
		odds += part[i];
	ret_agentic->score = logistic(odds);
}
