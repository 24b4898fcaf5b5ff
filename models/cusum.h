/* Sequential sums: evidence that adds up over time and is never banked. Each is a few words, pointer-free, zeroed to
 * start, one thread at a time, some nanoseconds a step. What a score means as a probability, and under which
 * assumptions, is said at each nj_*_log_p() and proved in cusum.c. */
#ifndef NJ_MODELS_CUSUM_H
#define NJ_MODELS_CUSUM_H

#include <stdint.h>

/* ---- First-contact scan test: does this agent connect like someone who does not know the network? */

enum nj_contact_outcome {
	NJ_CONTACT_ANSWERED = 0,
	NJ_CONTACT_FAILED = 1, /* refused, unanswered, half-open */
	NJ_CONTACT_DARK = 2,   /* touched a decoy or an address that never answers anyone */
};

struct nj_scan_params {
	double theta0;     /* chance that a benign first contact is answered */
	double theta1;     /* the same for a scanner */
	double dark_ratio; /* likelihood ratio of touching the dark */
	double score_max;  /* ceiling, so that after an attack the sum comes down again */
};

#define NJ_SCAN_PARAMS_DEFAULT                                                                                         \
	((struct nj_scan_params){.theta0 = 0.95, .theta1 = 0.3, .dark_ratio = 1000, .score_max = 100})

struct nj_scan {
	double score;                      /* C, nats */
	uint64_t since_ns;                 /* first contact of the present excursion above 0: the onset */
	uint32_t contacts, failures, dark; /* of that excursion, the evidence behind C */
	uint32_t reserved;
};

/* theta0 learned from a group: (answered + 19)/(total + 20), at most 0.98. */
double nj_scan_theta0(uint64_t answered, uint64_t total);

/* One first contact. Repeats to the same (peer, port) within a day are not first contacts: the caller leaves them out.
 * Returns the score. */
double nj_scan_step(struct nj_scan *scan, uint64_t t_ns, enum nj_contact_outcome outcome,
		    const struct nj_scan_params *params);

/* ln p <= 0: bound of the chance that a benign agent shows at least this score at a given step. */
double nj_scan_log_p(double score);

/* ---- Page's test of a mean: S <- max(0, S + (x - mean)/scale - slack). */

struct nj_cusum {
	double sum;
	uint64_t since_ns; /* onset of the present excursion */
	uint32_t steps;    /* in it */
	uint32_t reserved;
};

double nj_cusum_step(struct nj_cusum *cusum, uint64_t t_ns, double x, double mean, double scale,
		     double slack);              /* not finite, scale <= 0: no step */
double nj_cusum_log_p(double sum, double slack); /* increments N(0,1): ln p <= -2 slack sum, at a given step */

/* ---- The same against a rate: S <- max(0, S - drain_per_s dt) + gain at each event (bits, bytes, new edges above what
 * is usual per second). */

struct nj_drain {
	double sum;
	uint64_t t_ns;     /* of the last event */
	uint64_t since_ns; /* onset */
	uint32_t events;   /* since the onset */
	uint32_t reserved;
};

double nj_drain_step(struct nj_drain *drain, uint64_t t_ns, double gain, double drain_per_s); /* gain >= 0 */
double nj_drain_value(const struct nj_drain *drain, uint64_t t_ns, double drain_per_s);

/* ---- Direction of traffic: PCR = (out - in)/(out + in) against its own slowly learned mean. */

struct nj_pcr_params {
	uint64_t half_life_ns;          /* of what is learned */
	double bytes_min;               /* sent in an observation, for it to count at all */
	double slack;                   /* in scales */
	double prior_mean, prior_scale; /* stand for prior_weight observations */
	double prior_weight;
};

#define NJ_PCR_PARAMS_DEFAULT                                                                                          \
	((struct nj_pcr_params){.half_life_ns = 7 * 86400 * UINT64_C(1000000000),                                      \
				.bytes_min = 1e6,                                                                      \
				.slack = 0.5,                                                                          \
				.prior_mean = -0.5,                                                                    \
				.prior_scale = 0.35,                                                                   \
				.prior_weight = 4})

struct nj_pcr {
	double weight, sum, squares; /* decayed count, sum of PCR, sum of squared deviations from the mean then */
	uint64_t t_ns;
	struct nj_cusum cusum; /* of shifts towards sending */
};

double nj_pcr_ratio(double bytes_out, double bytes_in); /* -1..1; 0 when nothing flowed */
/* Scores, then learns (clipped to 2 scales). Returns the CUSUM. Too few bytes: no step. *learn* = 0 scores only. */
double nj_pcr_step(struct nj_pcr *pcr, uint64_t t_ns, double bytes_out, double bytes_in, int learn,
		   const struct nj_pcr_params *params);
void nj_pcr_usual(const struct nj_pcr *pcr, const struct nj_pcr_params *params, double *ret_mean, double *ret_scale);

#endif
