/* P(Y >= y) = (1 + xi y/sigma)^(-1/xi), and e^(-y/sigma) for xi = 0.
 *
 * Maximum likelihood by Grimshaw's reduction to one dimension: with x = xi/sigma the best shape for given x is
 * xi(x) = mean ln(1 + x Y), and the profile likelihood is -n (ln(xi(x)/x) + xi(x) + 1). It is searched over x by a
 * coarse grid, then golden section, which cannot diverge as Newton does on it. Moments: xi = (1 - m^2/v)/2,
 * sigma = m (1 + m^2/v)/2. The winner's shape is drawn towards 0.2 as if 50 more excesses had said so (few excesses say
 * little about it) and clamped; the scale is then set to keep the mean excess, sigma = m (1 - xi).
 * Memory none; 512 excesses take 140 us. */
#include "models/gpd.h"

#include <math.h>

#define SHAPE_PRIOR   0.2
#define SHAPE_WEIGHT  50
#define SHAPE_REGULAR (-0.5)
#define SHAPE_MIN     (-0.2)
#define SHAPE_MAX     0.6
#define GRID          24
#define GOLDEN_STEPS  24

double nj_gpd_log_upper(const struct nj_gpd *gpd, double excess)
{
	double y = excess / gpd->scale;
	if (y <= 0)
		return 0;
	if (fabs(gpd->shape) < 1e-9)
		return -y;
	if (1 + gpd->shape * y <= 0)
		return -INFINITY;
	return -log1p(gpd->shape * y) / gpd->shape;
}

double nj_gpd_return_level(const struct nj_gpd *gpd, double rate_ratio)
{
	double log_ratio = log(rate_ratio);
	if (fabs(gpd->shape) < 1e-9)
		return gpd->scale * log_ratio;
	return gpd->scale * expm1(gpd->shape * log_ratio) / gpd->shape;
}

double nj_gpd_log_likelihood(const struct nj_gpd *gpd, const double *excess, size_t n)
{
	double sum = -(double)n * log(gpd->scale);
	for (size_t i = 0; i < n; i++) {
		double log_upper = nj_gpd_log_upper(gpd, excess[i]);
		sum += log_upper * (1 + gpd->shape); /* density = upper^(1 + xi)/sigma */
	}
	return sum;
}

static double profile_shape(double x, const double *excess, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += log1p(x * excess[i]);
	return sum / (double)n;
}

/* Profile likelihood per excess. x = 0 is the exponential. */
static double profile(double x, double mean, const double *excess, size_t n)
{
	if (fabs(x) * mean < 1e-9)
		return -log(mean) - 1;
	double shape = profile_shape(x, excess, n);
	return -log(shape / x) - shape - 1;
}

static double golden(double low, double high, double mean, const double *excess, size_t n)
{
	const double ratio = 0.61803398874989485;
	double a = high - ratio * (high - low), b = low + ratio * (high - low);
	double at_a = profile(a, mean, excess, n), at_b = profile(b, mean, excess, n);
	for (int i = 0; i < GOLDEN_STEPS; i++) {
		if (at_a > at_b) {
			high = b, b = a, at_b = at_a;
			a = high - ratio * (high - low), at_a = profile(a, mean, excess, n);
		} else {
			low = a, a = b, at_a = at_b;
			b = low + ratio * (high - low), at_b = profile(b, mean, excess, n);
		}
	}
	return (low + high) / 2;
}

static struct nj_gpd fit_likelihood(const double *excess, size_t n, double mean, double max)
{
	/* Shapes below -0.5 have no regular maximum and are clamped away anyway: x stays clear of -1/max. */
	double low = -0.95 / max, high = 8 / mean, step = (high - low) / GRID;
	int best = 0;
	double best_value = -INFINITY;
	for (int i = 0; i <= GRID; i++) {
		/* Squared spacing: the maximum lies near zero far more often than near the end. */
		double u = (double)i / GRID, x = low + (high - low) * u * u;
		double value = profile(x, mean, excess, n);
		if (value > best_value)
			best = i, best_value = value;
	}
	double left = fmax(0, best - 1.0) / GRID, right = fmin(GRID, best + 1.0) / GRID;
	double x = golden(low + step * GRID * left * left, low + step * GRID * right * right, mean, excess, n);
	if (fabs(x) * mean < 1e-9)
		return (struct nj_gpd){.shape = 0, .scale = mean};
	double shape = profile_shape(x, excess, n);
	return (struct nj_gpd){.shape = shape, .scale = shape / x};
}

static struct nj_gpd fit_moments(double mean, double variance)
{
	double ratio = mean * mean / variance;
	return (struct nj_gpd){.shape = (1 - ratio) / 2, .scale = mean * (1 + ratio) / 2};
}

struct nj_gpd nj_gpd_fit(const double *excess, size_t n)
{
	double sum = 0, squares = 0, max = 0;
	for (size_t i = 0; i < n; i++) {
		sum += excess[i];
		max = fmax(max, excess[i]);
	}
	if (!(sum > 0))
		return (struct nj_gpd){.shape = SHAPE_PRIOR, .scale = 1};
	double mean = sum / (double)n;
	for (size_t i = 0; i < n; i++)
		squares += (excess[i] - mean) * (excess[i] - mean);

	struct nj_gpd fit = fit_likelihood(excess, n, mean, max);
	if (squares > 0) {
		struct nj_gpd other = fit_moments(mean, squares / (double)n);
		if (nj_gpd_log_likelihood(&other, excess, n) > nj_gpd_log_likelihood(&fit, excess, n))
			fit = other;
	}
	fit.shape = fmax(fit.shape, SHAPE_REGULAR); /* of few excesses the likelihood runs off below it */
	double shape = ((double)n * fit.shape + SHAPE_WEIGHT * SHAPE_PRIOR) / ((double)n + SHAPE_WEIGHT);
	shape = fmin(fmax(shape, SHAPE_MIN), SHAPE_MAX);
	return (struct nj_gpd){.shape = shape, .scale = mean * (1 - shape)};
}
