/* The simple counters other tools use, computed from the same agent windows, to stand beside our detectors: a model
 * that does not beat them is not worth its memory. Tumbling event-time periods; distinct things are counted exactly (as
 * 64-bit hashes) up to a bound. Offline only; one thread. */
#ifndef NJ_CLI_COUNTERS_H
#define NJ_CLI_COUNTERS_H

#include "common/window.h"

#include <stdbool.h>
#include <stdint.h>

/* X(symbol, name, period in s, fires above, counts what). */
#define NJ_COUNTERS(X)                                                                                                 \
	X(FAILED_HOSTS, "25 failed hosts in 5 min", 300, 24, "Zeek's former scan rule, one port or many")              \
	X(FAILED_PER_PORT, "over 5 failed hosts on a port in 1 h", 3600, 5, "Slips, horizontal scan")                  \
	X(INCOMPLETE, "over 32 incomplete flows in 1 min", 60, 32, "ntopng, scan detection")                           \
	X(DESTINATIONS, "over 50 destinations in 5 min", 300, 50, "plain count of destinations")

enum nj_counter {
#define NJ_COUNTER_ENUM(symbol, name, period, above, what) NJ_COUNTER_##symbol,
	NJ_COUNTERS(NJ_COUNTER_ENUM)
#undef NJ_COUNTER_ENUM
		NJ_COUNTERS_N
};

struct nj_counter_alarm {
	struct nj_agent_id agent;
	enum nj_counter counter;
	uint64_t start_ns, time_ns; /* of its period; of the window that made it fire */
};

struct nj_counters; /* 16 B for each distinct thing of the running periods, at most 64 MB */

struct nj_counters *nj_counters_new(void); /* *returns owned*; NULL: out of memory */
void nj_counters_free(struct nj_counters **counters);
/* Windows in the order of their start. */
void nj_counters_window(struct nj_counters *counters, const struct nj_window *window);
/* One alarm an agent, counter and period. *returns borrowed until* the next window. */
const struct nj_counter_alarm *nj_counters_alarms(const struct nj_counters *counters, uint32_t *ret_n);
const char *nj_counter_words(enum nj_counter counter);

#endif
