/* Reconnaissance that never fails: somebody who read the directory first is answered everywhere, but goes where nobody
 * of its kind goes. Each edge (agent to service) that is new to the agent is worth -log2 P bits, P the share of its
 * peers that use the service; bits above the agent's usual rate add up, and are forgotten within days.
 *
 * 48 B an agent, pointer-free, zeroed to start, save as bytes; some nanoseconds a step. */
#ifndef NJ_MODELS_SURPRISAL_H
#define NJ_MODELS_SURPRISAL_H

#include <assert.h>
#include <stdint.h>

#define NJ_SURPRISAL_BITS_MAX 24.0 /* of one edge */

/* Bits of a new edge: of *population* agents *users* use the service already. P = (users + k base)/(population + k)
 * with k = 8 and base = 1/256: what nobody uses is worth 8 bits in an empty network and more in a large one, what all
 * use next to nothing. */
double nj_surprisal_bits(double users, double population);

struct nj_surprisal {
	double sum;         /* bits, at t_ns */
	uint64_t t_ns;      /* of the last edge; 0: none yet */
	uint64_t since_ns;  /* onset of the present excursion */
	uint32_t edges;     /* in it */
	float level, scale; /* what is usual for this agent: of ln(1 + bits) an hour */
	float hours;        /* learned */
	uint64_t reserved;
};

static_assert(sizeof(struct nj_surprisal) == 48, "one an agent");

struct nj_surprisal_params {
	double level, scale;   /* of ln(1 + bits) an hour where the agent has learned nothing yet */
	double slack;          /* k: scales above the level that an hour may have */
	uint64_t half_life_ns; /* of the sum */
};

#define NJ_SURPRISAL_PARAMS_DEFAULT                                                                                    \
	((struct nj_surprisal_params){                                                                                 \
		.level = 1.0, .scale = 1.0, .slack = 0.5, .half_life_ns = 48 * 3600 * UINT64_C(1000000000)})

/* Bits an hour that the agent may have without being strange: e^(level + slack scale) - 1, its own drawn in by
 * hours/(hours + 8). */
double nj_surprisal_rate(const struct nj_surprisal *s, const struct nj_surprisal_params *params);

/* An edge of so many bits (weighed by the caller; negative or not finite: none). Returns the sum. */
double nj_surprisal_step(struct nj_surprisal *s, uint64_t t_ns, double bits, const struct nj_surprisal_params *params);
double nj_surprisal_value(const struct nj_surprisal *s, uint64_t t_ns, const struct nj_surprisal_params *params);

/* An hour of this agent ended with so many bits: moves what is usual, by two scales at most. The caller keeps suspect
 * hours away. */
void nj_surprisal_learn(struct nj_surprisal *s, double bits, const struct nj_surprisal_params *params);

#endif
