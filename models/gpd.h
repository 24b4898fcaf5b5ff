/* The generalised Pareto distribution: what the excesses of almost any variable over a high threshold look like
 * (Pickands 1975). Fitted by models/tail.c to scores and by models/budget.c to alert peaks. Pure functions, any thread;
 * a fit costs O(n) times about 60. */
#ifndef NJ_MODELS_GPD_H
#define NJ_MODELS_GPD_H

#include <stddef.h>

struct nj_gpd {
	double shape; /* xi: 0 exponential, > 0 heavy, < 0 bounded tail */
	double scale; /* sigma > 0 */
};

/* Fits excesses y[i] >= 0 by maximum likelihood (Grimshaw 1993) and by moments, keeps the likelier, then draws the
 * shape towards 0.2 with the weight of 50 observations and clamps it to [-0.2, 0.6]. n = 0 or all zero: shape 0.2,
 * scale 1. Not finite or negative excesses are asserted away by the caller. */
struct nj_gpd nj_gpd_fit(const double *excess, size_t n);

double nj_gpd_log_likelihood(const struct nj_gpd *gpd, const double *excess,
			     size_t n);                           /* -INFINITY outside the support */
double nj_gpd_log_upper(const struct nj_gpd *gpd, double excess); /* ln P(Y >= excess); -INFINITY beyond the end */
double nj_gpd_return_level(const struct nj_gpd *gpd,
			   double rate_ratio); /* excess exceeded once in rate_ratio >= 0; < 1 gives < 0 */

#endif
