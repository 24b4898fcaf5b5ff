/* What a process takes of the machine: its share of a processor and its memory, for the heartbeat (common/health.h).
 * Opened before the program is confined, for it reads one file of /proc; called by the program's own loop, which hands
 * in the clocks. */
#ifndef NJ_SENSOR_HEALTH_H
#define NJ_SENSOR_HEALTH_H

#include "common/health.h"

struct nj_health_meter {
	int statm;                  /* /proc/self/statm; -1: not to be had, memory is told as 0 */
	uint64_t started_ns;        /* steady clock */
	uint64_t cpu_ns, cpu_at_ns; /* as last measured */
};

void nj_health_open(struct nj_health_meter *meter, uint64_t steady_ns);
void nj_health_close(struct nj_health_meter *meter);

/* Fills in uptime, processor share since the last call, memory, software. *cpu_ns* is the processor time of the
 * process. */
void nj_health_measure(struct nj_health_meter *meter, uint64_t steady_ns, uint64_t cpu_ns,
		       struct nj_sensor_health *health);

/* Fills in frames and drops from the account of everything so far. */
void nj_health_account(const struct nj_sensor_account *total, struct nj_sensor_health *health);

#endif
