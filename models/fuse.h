/* Joining p-values that depend on each other in unknown ways. Fisher's and Stouffer's sums are off by hundreds under
 * correlation; the Cauchy combination and the harmonic mean are not, because in the far tail they are ruled by the
 * smallest p. All in natural logarithms, so nothing underflows. Pure, O(n), n <= NJ_FUSE_MAX. */
#ifndef NJ_MODELS_FUSE_H
#define NJ_MODELS_FUSE_H

#define NJ_FUSE_MAX 64

/* ln of the joined p. log_p[i] <= 0; weight[i] >= 0 (NULL: equal), scaled to sum 1. NaN counts as p = 1, positive as 0.
 * n = 0: 0. */
double nj_fuse_cauchy(const double *log_p, const double *weight, unsigned n);
double nj_fuse_harmonic(const double *log_p, const double *weight, unsigned n);

/* Who made it so: share[i] = (w_i/p_i)/sum, 0..1, sum 1. */
void nj_fuse_shares(const double *log_p, const double *weight, unsigned n, double *ret_share);

#endif
