/* Is this peer called by a clock? The last 64 intervals and sizes of one (agent, peer), and on demand their regularity
 * as a p-value.
 *
 * What is measured is regularity, not malice: time synchronisation and telemetry are as regular as any implant. Novelty
 * and prevalence of the peer decide, and they are the caller's. 224 bytes a key, pointer-free, zeroed to start; an
 * event costs some nanoseconds, a judgement some microseconds (see beacon.c), so judge at window close and only keys
 * that saw an event. */
#ifndef NJ_MODELS_BEACON_H
#define NJ_MODELS_BEACON_H

#include <assert.h>
#include <stdint.h>

#define NJ_BEACON_RING     64
#define NJ_BEACON_GAPS_MIN 8 /* fewer intervals give no verdict (p = 1) */

struct nj_beacon {
	uint64_t last_ns;             /* of the last session's latest event */
	uint64_t start_ns;            /* when the last session began */
	uint64_t pending_bytes;       /* of the last session, not yet in the ring */
	uint16_t gap[NJ_BEACON_RING]; /* 2048 log2(milliseconds) between session starts, ring */
	uint8_t size[NJ_BEACON_RING]; /* 8 log2(bytes + 1) of the session before the gap, ring */
	uint8_t head;                 /* next to write */
	uint8_t n;                    /* in use */
	uint8_t reserved[6];
};

static_assert(sizeof(struct nj_beacon) == 224, "a profile holds 16 of these");

/* A contact at t_ns that carried so many bytes. Events less than 1 s after the last one belong to its session; earlier
 * ones too. */
void nj_beacon_add(struct nj_beacon *beacon, uint64_t t_ns, uint64_t bytes);

struct nj_beacon_verdict {
	double p;               /* joined, in (0, 1] */
	double score;           /* 0..1, for people and for ranking */
	double period_s;        /* median interval */
	double rho;             /* MADN of ln interval: 0 a clock, 1.13 Poisson, more: human */
	double size_dispersion; /* MADN of ln size */
	double spectral;        /* best periodogram peak over the band's mean */
	double spectral_period_s;
	double p_rho, p_size, p_spectral;
	unsigned gaps; /* behind the verdict */
};

void nj_beacon_judge(const struct nj_beacon *beacon, struct nj_beacon_verdict *ret_verdict);

/* P(rho <= x) for n exponential intervals: the null of a caller without memory. */
double nj_beacon_rho_p(double rho, unsigned n);

#endif
