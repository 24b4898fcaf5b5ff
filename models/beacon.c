/* Two statistics of the last n <= 64 intervals g_i, because each is blind where the other sees:
 *
 *   rho = MADN(ln(g - 1 s)): 0 for a clock, 1.13 for Poisson arrivals whatever their rate, more for people. Holds under
 *   jitter, needs no period. 1 s is subtracted because events closer than that are one session, and what is left of a
 *   memoryless gap is memoryless again. p from a table of its null distribution (tests/oracle/make_beacon_null.py),
 *   ln p linear in ln rho and in ln n; beyond 1e-5 extrapolated with the last slope. Blind once half the contacts with
 *   the peer have another cause.
 *
 *   Schuster's periodogram P(f) = |sum e^(2 pi i f t_j)|^2/N on 2-fold oversampled frequencies within a factor 1.5 of
 *   1/median(g). Its largest value over the mean of the band, g, is Fisher's statistic, so clumping that lifts the
 *   whole band (people) does not look like a line: p = 2 m (1 - g/m)^(m - 1), m independent frequencies. Sees a clock
 *   among other calls - an implant that also takes orders - and clocks that miss beats. Blind to jitter that
 * accumulates (each sleep drawn anew), and beyond +-40 % to any, when all phases are equally likely.
 *
 * A bank of Goertzel filters per key would take 512 bytes and 64 complex products an event, and its candidate periods
 * need not contain the true one; the ring already holds the times, so the periodogram is computed on demand and costs
 * nothing until a verdict is wanted.
 *
 * Sizes: p = MADN(ln size)/0.5 within 0.05..1: sameness of size is common among the benign, so it may support a verdict
 * but never make one. All three are joined by Cauchy's combination, weights 0.45, 0.45, 0.1.
 *
 * Measured, share of verdicts with p <= 1e-4, 2000 draws a row (tests/unit/test_beacon.c prints them; jitter is
 * uniform):
 *
 *                               n = 16    32     64                            n = 16    32     64
 *   sleep 60 s, no jitter         1.000  1.000  1.000   cron 60 s, +-25 %        0.457  0.999  1.000
 *   sleep 60 s, +-25 %            0.774  1.000  1.000   cron 60 s, +-50 %        0.022  0.308  0.951
 *   sleep 60 s, +-50 %            0.070  0.648  1.000   cron 60 s, +-75 %        0.004  0.024  0.204
 *   sleep 60 s, +-75 %            0.015  0.092  0.585   cron, 35 % other calls   0.493  0.827  1.000
 *   sleep 60 s, +-90 %            0.008  0.026  0.225   cron, 50 % other calls   0.077  0.330  0.936
 *   Poisson 60 s, equal sizes     0      0      0       cron, 30 % missed        0.968  0.993  0.999
 *   Poisson 5 s, equal sizes      0.0005 0      0       human (lognormal sigma 1.2, 2; in bursts)   0
 *   Of the non-beacons 0.1 to 1.1 % have p <= 1e-2.
 *
 * Memory 224 bytes a key. Add 14 ns, verdict of 64 intervals 11 us, nearly all of it the periodogram. */
#include "models/beacon.h"

#include "models/fuse.h"
#include "models/math.h"

#include <math.h>
#include <stdbool.h>

#define SESSION_NS      UINT64_C(1000000000)
#define GAP_STEPS       2048.0 /* of a doubling: 0.034 % */
#define SIZE_STEPS      8.0
#define MEDIAN_MIN_S    2.0 /* below, the 1 s of a session rules the intervals */
#define GAP_MEDIANS_MAX 4.0 /* see shortened() */
#define BAND            1.5
#define OVERSAMPLING    2.0
#define BINS_MAX        1024
#define RHO_POISSON     1.13
#define SIZE_POISSON    0.5
#define SIZE_P_MIN      0.05
#define P_MIN           1e-12

#define LEVELS 7
static const double level_p[LEVELS] = {1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 0.9};
static const struct {
	double n;
	double rho[LEVELS];
} rho_null[] = {
	/*           p:   1e-5    1e-4    1e-3    1e-2     0.1     0.5     0.9 */
	{8, {0.0395, 0.0719, 0.1318, 0.2463, 0.4972, 0.9658, 1.6197}},
	{16, {0.1576, 0.2193, 0.3079, 0.4434, 0.6798, 1.0564, 1.5288}},
	{32, {0.3370, 0.4084, 0.4948, 0.6179, 0.8136, 1.0978, 1.4308}},
	{64, {0.5144, 0.5794, 0.6551, 0.7570, 0.9091, 1.1180, 1.3511}},
};
#define ROWS (sizeof rho_null / sizeof rho_null[0])

static unsigned quantised(double steps, double value, unsigned max)
{
	double level = steps * log2(value) + 0.5;
	return level < 0 ? 0 : level > max ? max : (unsigned)level;
}

void nj_beacon_add(struct nj_beacon *beacon, uint64_t t_ns, uint64_t bytes)
{
	bool first = beacon->start_ns == 0 && beacon->last_ns == 0;
	if (!first && (t_ns < beacon->last_ns || t_ns - beacon->last_ns < SESSION_NS)) {
		beacon->last_ns = t_ns > beacon->last_ns ? t_ns : beacon->last_ns;
		if (__builtin_add_overflow(beacon->pending_bytes, bytes, &beacon->pending_bytes))
			beacon->pending_bytes = UINT64_MAX;
		return;
	}
	if (!first) {
		double gap_ms = (double)(t_ns - beacon->start_ns) / 1e6;
		beacon->gap[beacon->head] = (uint16_t)quantised(GAP_STEPS, gap_ms, UINT16_MAX);
		beacon->size[beacon->head] =
			(uint8_t)quantised(SIZE_STEPS, (double)beacon->pending_bytes + 1, UINT8_MAX);
		beacon->head = (uint8_t)((beacon->head + 1) % NJ_BEACON_RING);
		beacon->n += beacon->n < NJ_BEACON_RING;
	}
	beacon->start_ns = beacon->last_ns = t_ns;
	beacon->pending_bytes = bytes;
}

static double log_line(double x, double x0, double y0, double x1, double y1)
{
	return y0 + (x - x0) * (y1 - y0) / (x1 - x0);
}

/* ln P(rho <= x) in one row. */
static double row_log_p(const double *rho, double x)
{
	unsigned i = 0;
	while (i + 2 < LEVELS && x > rho[i + 1])
		i++;
	double log_p = log_line(log(x), log(rho[i]), log(level_p[i]), log(rho[i + 1]), log(level_p[i + 1]));
	return fmin(fmax(log_p, log(P_MIN)), 0);
}

double nj_beacon_rho_p(double rho, unsigned n)
{
	if (n < NJ_BEACON_GAPS_MIN || isnan(rho))
		return 1;
	rho = fmax(rho, 1e-9);
	n &= ~1u; /* rows are of even n; MADN of an odd number comes out a little smaller */
	unsigned i = 0;
	while (i + 2 < ROWS && n > rho_null[i + 1].n)
		i++;
	double log_p = log_line(log(fmin(n, NJ_BEACON_RING)), log(rho_null[i].n), row_log_p(rho_null[i].rho, rho),
				log(rho_null[i + 1].n), row_log_p(rho_null[i + 1].rho, rho));
	return exp(log_p);
}

/* |sum e^(2 pi i f t)|^2/N at f = first + k step, k < bins, by turning one phasor per event. */
static void periodogram(const double *t, unsigned n, double first, double step, double *power, unsigned bins)
{
	double re[NJ_BEACON_RING + 1], im[NJ_BEACON_RING + 1], turn_re[NJ_BEACON_RING + 1], turn_im[NJ_BEACON_RING + 1];
	for (unsigned j = 0; j < n; j++) {
		sincos(2 * M_PI * first * t[j], &im[j], &re[j]);
		sincos(2 * M_PI * step * t[j], &turn_im[j], &turn_re[j]);
	}
	for (unsigned k = 0; k < bins; k++) {
		double sum_re = 0, sum_im = 0;
		for (unsigned j = 0; j < n; j++) {
			sum_re += re[j];
			sum_im += im[j];
			double next = re[j] * turn_re[j] - im[j] * turn_im[j];
			im[j] = re[j] * turn_im[j] + im[j] * turn_re[j];
			re[j] = next;
		}
		power[k] = (sum_re * sum_re + sum_im * sum_im) / n;
	}
}

/* A silence of hours would ask for a fine grid and carries little: whole multiples of four medians are taken out of it.
 * That keeps the phase of a clock whose period is the median, and, unlike a ceiling, makes no equal intervals. */
static double shortened(double gap, double cell)
{
	return gap < cell ? gap : cell + fmod(gap, cell);
}

static void judge_spectrum(const double *gap, unsigned n, double median, struct nj_beacon_verdict *verdict)
{
	double t[NJ_BEACON_RING + 1] = {0}, power[BINS_MAX], sum = 0;
	for (unsigned i = 0; i < n; i++)
		t[i + 1] = t[i] + shortened(gap[i], GAP_MEDIANS_MAX * median);
	double span = t[n], first = 1 / (BAND * median), step = 1 / (OVERSAMPLING * span);
	unsigned bins = (unsigned)fmin((BAND / median - first) / step + 1, BINS_MAX), best = 0;
	periodogram(t, n + 1, first, step, power, bins);
	for (unsigned k = 0; k < bins; k++) {
		sum += power[k];
		best = power[k] > power[best] ? k : best;
	}
	double m = bins / OVERSAMPLING, ratio = sum > 0 ? power[best] * bins / sum : 0;
	verdict->spectral = ratio;
	verdict->spectral_period_s = 1 / (first + best * step);
	verdict->p_spectral = m <= 1 ? 1 : OVERSAMPLING * m * pow(fmax(0, 1 - ratio / m), m - 1);
	verdict->p_spectral = fmin(fmax(verdict->p_spectral, P_MIN), 1);
}

static void join(struct nj_beacon_verdict *verdict)
{
	static const double weight[3] = {0.45, 0.45, 0.1};
	double log_p[3] = {log(verdict->p_rho), log(verdict->p_spectral), log(verdict->p_size)};
	verdict->p = fmin(fmax(exp(nj_fuse_cauchy(log_p, weight, 3)), P_MIN), 1);
	double tempo = fmax(0, 1 - verdict->rho / RHO_POISSON);
	double sameness = fmax(0, 1 - verdict->size_dispersion / SIZE_POISSON);
	verdict->score = tempo * (3 + sameness) / 4;
}

void nj_beacon_judge(const struct nj_beacon *beacon, struct nj_beacon_verdict *ret_verdict)
{
	unsigned n = beacon->n;
	assert(n <= NJ_BEACON_RING);
	*ret_verdict = (struct nj_beacon_verdict){.p = 1, .p_rho = 1, .p_size = 1, .p_spectral = 1, .gaps = n};
	if (n < NJ_BEACON_GAPS_MIN)
		return;
	double gap[NJ_BEACON_RING], sorted[NJ_BEACON_RING], log_gap[NJ_BEACON_RING], log_size[NJ_BEACON_RING];
	for (unsigned i = 0; i < n; i++) {
		unsigned at = (beacon->head + NJ_BEACON_RING - n + i) % NJ_BEACON_RING; /* oldest first */
		gap[i] = sorted[i] = exp2(beacon->gap[at] / GAP_STEPS) / 1000;
		log_gap[i] = log(fmax(gap[i] - 1, 0.01));
		log_size[i] = beacon->size[at] / SIZE_STEPS * M_LN2;
	}
	ret_verdict->period_s = nj_median(sorted, n);
	ret_verdict->rho = nj_madn(log_gap, n);
	ret_verdict->size_dispersion = nj_madn(log_size, n);
	if (ret_verdict->period_s < MEDIAN_MIN_S)
		return;
	ret_verdict->p_rho = nj_beacon_rho_p(ret_verdict->rho, n);
	ret_verdict->p_size = fmin(fmax(ret_verdict->size_dispersion / SIZE_POISSON, SIZE_P_MIN), 1);
	judge_spectrum(gap, n, ret_verdict->period_s, ret_verdict);
	join(ret_verdict);
}
