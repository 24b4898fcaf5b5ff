/* First contacts (Jung, Paxson, Berger and Balakrishnan 2004, as a CUSUM). Benign agents are answered with chance at
 * least theta0, scanners with theta1 < theta0. Each first contact adds its log-likelihood ratio,
 *
 *   answered ln(theta1/theta0) < 0     failed ln((1 - theta1)/(1 - theta0)) > 0     dark ln(dark_ratio) > 0
 *
 * and C <- max(0, C + l): unlike the sequential test it never accepts "benign", so good behaviour is not banked.
 *
 * Why e^(-C) is a p-value. Let benign contacts be independent with E[e^l] <= 1: equality at theta0, and less when
 * benign agents are answered more often than theta0, for e^l falls with success; touching the dark is taken to be
 * something benign agents do not do (once in 1e5 contacts adds 1 % to E[e^l]). Run backwards from step n, C_n is the
 * largest of the sums S_0 = 0, S_1, ..., S_n of i.i.d. terms, e^(S_k) is a supermartingale that starts at 1, and
 * Ville's inequality gives P(max S_k >= a) <= e^(-a) (Lundberg's bound). So P(C_n >= a) <= e^(-a) at each *given* step
 * n, whatever n. It is not uniform in time: over N steps expect up to N e^(-a) exceedances, and the mean time to a
 * false alarm at height a is at least e^a steps (Lorden 1971). Dependence between contacts (one dead subnet, one stale
 * name server) breaks the premise; that is what the learned tail behind it is for.
 *
 * The same argument with N(0,1) increments x - k has E[e^(2k(x - k))] = 1, hence exponent 2k in nj_cusum_log_p().
 *
 * Direction. PCR = (out - in)/(out + in) is learned as a decayed mean and variance with a prior worth some
 * observations; what is learned is clipped to two scales, and the variance corrected for that (E min(Z^2, 4) = 0.9205).
 * Costs: scan 7 ns, cusum 5 ns, drain 7 ns, pcr 28 ns. */
#include "models/cusum.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

#define THETA0_MAX     0.98
#define CLIP           2.0
#define CLIPPED_SQUARE 0.9205
#define PCR_SCALE_MIN  0.05
#define SUM_MAX        1e6 /* reached only by garbage; keeps a sum a number */

double nj_scan_theta0(uint64_t answered, uint64_t total)
{
	double theta0 = ((double)answered + 19) / ((double)total + 20);
	return fmin(theta0, THETA0_MAX);
}

static double contact_ratio(enum nj_contact_outcome outcome, const struct nj_scan_params *params)
{
	switch (outcome) {
	case NJ_CONTACT_ANSWERED:
		return log(params->theta1 / params->theta0);
	case NJ_CONTACT_FAILED:
		return log((1 - params->theta1) / (1 - params->theta0));
	case NJ_CONTACT_DARK:
		return log(params->dark_ratio);
	}
	assert(!"a contact outcome beyond the enum");
	return 0;
}

double nj_scan_step(struct nj_scan *scan, uint64_t t_ns, enum nj_contact_outcome outcome,
		    const struct nj_scan_params *params)
{
	assert(params->theta1 > 0);
	assert(params->theta0 < 1);
	assert(params->theta1 < params->theta0);
	double score = scan->score + contact_ratio(outcome, params);
	if (score <= 0) {
		*scan = (struct nj_scan){0};
		return 0;
	}
	if (scan->contacts == 0)
		scan->since_ns = t_ns;
	scan->score = fmin(score, params->score_max);
	scan->contacts++;
	scan->failures += outcome == NJ_CONTACT_FAILED;
	scan->dark += outcome == NJ_CONTACT_DARK;
	return scan->score;
}

double nj_scan_log_p(double score)
{
	return score > 0 ? -score : 0;
}

double nj_cusum_step(struct nj_cusum *cusum, uint64_t t_ns, double x, double mean, double scale, double slack)
{
	double step = (x - mean) / scale - slack;
	if (!isfinite(step) || !(scale > 0))
		return cusum->sum;
	double sum = fmin(cusum->sum + step, SUM_MAX);
	if (sum <= 0) {
		*cusum = (struct nj_cusum){0};
		return 0;
	}
	if (cusum->steps == 0)
		cusum->since_ns = t_ns;
	cusum->sum = sum;
	cusum->steps++;
	return sum;
}

double nj_cusum_log_p(double sum, double slack)
{
	return sum > 0 && slack > 0 ? -2 * slack * sum : 0;
}

double nj_drain_value(const struct nj_drain *drain, uint64_t t_ns, double drain_per_s)
{
	double dt_s = t_ns > drain->t_ns ? (double)(t_ns - drain->t_ns) / 1e9 : 0;
	return fmax(0, drain->sum - drain_per_s * dt_s);
}

double nj_drain_step(struct nj_drain *drain, uint64_t t_ns, double gain, double drain_per_s)
{
	if (!isfinite(gain) || gain < 0 || !(drain_per_s >= 0))
		return drain->sum;
	double left = nj_drain_value(drain, t_ns, drain_per_s);
	if (left <= 0)
		*drain = (struct nj_drain){.since_ns = t_ns};
	drain->sum = fmin(left + gain, 1e300);
	drain->events++;
	if (t_ns > drain->t_ns)
		drain->t_ns = t_ns;
	return drain->sum;
}

double nj_pcr_ratio(double bytes_out, double bytes_in)
{
	double total = bytes_out + bytes_in;
	return bytes_out >= 0 && bytes_in >= 0 && total > 0 && isfinite(total) ? (bytes_out - bytes_in) / total : 0;
}

void nj_pcr_usual(const struct nj_pcr *pcr, const struct nj_pcr_params *params, double *ret_mean, double *ret_scale)
{
	double weight = params->prior_weight + pcr->weight;
	double squares = params->prior_weight * params->prior_scale * params->prior_scale + pcr->squares;
	assert(weight > 0);
	*ret_mean = (params->prior_weight * params->prior_mean + pcr->sum) / weight;
	*ret_scale = fmax(sqrt(squares / weight), PCR_SCALE_MIN);
}

static void pcr_learn(struct nj_pcr *pcr, uint64_t t_ns, double deviation, double mean, double scale, double half_life)
{
	double fade = t_ns > pcr->t_ns && pcr->t_ns > 0 ? exp2(-(double)(t_ns - pcr->t_ns) / half_life) : 1;
	double clipped = fmin(fmax(deviation, -CLIP * scale), CLIP * scale);
	pcr->weight = pcr->weight * fade + 1;
	pcr->sum = pcr->sum * fade + mean + clipped;
	pcr->squares = pcr->squares * fade + clipped * clipped / CLIPPED_SQUARE;
	if (t_ns > pcr->t_ns)
		pcr->t_ns = t_ns;
}

double nj_pcr_step(struct nj_pcr *pcr, uint64_t t_ns, double bytes_out, double bytes_in, int learn,
		   const struct nj_pcr_params *params)
{
	if (!(bytes_out >= params->bytes_min) || !(bytes_in >= 0) || !isfinite(bytes_out + bytes_in))
		return pcr->cusum.sum;
	double mean, scale, ratio = nj_pcr_ratio(bytes_out, bytes_in);
	nj_pcr_usual(pcr, params, &mean, &scale);
	double sum = nj_cusum_step(&pcr->cusum, t_ns, ratio, mean, scale, params->slack);
	if (learn)
		pcr_learn(pcr, t_ns, ratio - mean, mean, scale, (double)params->half_life_ns);
	return sum;
}
