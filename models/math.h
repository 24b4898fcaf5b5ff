/* Special functions and robust statistics of small arrays, on which the other models stand.
 *
 * Tail probabilities are returned as natural logarithms, because a network makes ten thousand decisions a second and
 * asks for p-values of 1e-12 and far below; every tail is accurate relative to the *logarithm*, down to p = 1e-300 and
 * beyond. Pure functions of their arguments, any thread, no memory. Arguments out of range or NaN give NAN, never a
 * trap. */
#ifndef NJ_MODELS_MATH_H
#define NJ_MODELS_MATH_H

#include <stddef.h>
#include <stdint.h>

#define NJ_SMALL_MAX 64 /* values the order statistics below accept: they sort in place on the stack */

/* ln P(Z >= z), standard normal. */
double nj_log_normal_upper(double z);
/* ln P(X >= k), X ~ Poisson(mean). mean >= 0. */
double nj_log_poisson_upper(uint64_t k, double mean);
/* ln P(X >= k), X ~ Binomial(n, p). */
double nj_log_binomial_upper(uint64_t k, uint64_t n, double p);
/* ln P(X >= x), X ~ Exponential of that mean > 0. */
double nj_log_exponential_upper(double x, double mean);
/* ln P(X >= x), X ~ chi-square with *degrees* > 0 degrees of freedom. */
double nj_log_chi2_upper(double x, double degrees);

/* ln Q(a, x) and ln P(a, x): regularised incomplete gamma functions, a > 0, x >= 0. */
double nj_log_gamma_upper(double a, double x);
double nj_log_gamma_lower(double a, double x);
/* ln I_x(a, b): regularised incomplete beta function, a, b > 0, 0 <= x <= 1. */
double nj_log_beta_lower(double a, double b, double x);
/* ln(e^a + e^b); ln(1 - e^a) for a <= 0. */
double nj_log_add(double a, double b);
double nj_log_complement(double a);

/* Order statistics of 1..NJ_SMALL_MAX values (asserted); the array is sorted in place. NaN sorts last. */
void nj_sort(double *value, size_t n);
double nj_median(double *value, size_t n);
double nj_quantile(double *value, size_t n, double q); /* linear between ranks (Hyndman and Fan's type 7) */
double nj_madn(double *value, size_t n);               /* 1.4826 median |x - median|: estimates sigma of a normal */
double nj_bowley_skew(double *value, size_t n);        /* (Q1 + Q3 - 2 Q2)/(Q3 - Q1) in -1..1; 0 if Q3 = Q1 */

/* Shannon entropy in nats of counts; and the same divided by ln(number of non-zero counts), 0..1, 0 for fewer than two.
 */
double nj_entropy(const uint64_t *count, size_t n);
double nj_entropy_normalised(const uint64_t *count, size_t n);

/* floor(log2(value) 2^56), value >= 1 (asserted), in integer arithmetic: the same bits on every machine, for what
 * travels or is hashed. */
uint64_t nj_log2_q56(uint64_t value);

/* splitmix64 finaliser: spreads the bits of a key that is already a hash, so that one hash serves several tables. */
static inline uint64_t nj_mix64(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

#endif
