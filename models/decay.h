/* A sum that forgets: each addition loses half its weight every half-life. An addition that comes late is weighted as
 * if it had come in time, so order does not matter (beyond rounding). 24 bytes, no pointers; one exp2 an operation. */
#ifndef NJ_MODELS_DECAY_H
#define NJ_MODELS_DECAY_H

#include <stdint.h>

struct nj_decay {
	double value;  /* at t_ns */
	uint64_t t_ns; /* latest time seen */
	uint64_t half_life_ns;
};

void nj_decay_init(struct nj_decay *decay, uint64_t half_life_ns);
void nj_decay_add(struct nj_decay *decay, uint64_t t_ns, double x); /* not finite: ignored */
double nj_decay_value(const struct nj_decay *decay, uint64_t t_ns);
void nj_decay_merge(struct nj_decay *into, const struct nj_decay *from); /* same half-life (asserted) */

#endif
