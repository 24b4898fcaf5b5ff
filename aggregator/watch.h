/* Watches the sensors: what their heartbeats say, and when they stop. A condition that needs a person raises an
 * operational alert of detector "sensor-health", once when it begins; when it is over, an alert of low severity says
 * so. They speak of the sensing, not of agents: they never pass the desk and take nothing of the budget for alerts
 * about behaviour.
 *
 *   silent    nothing was heard for silent_s of wall clock, though no batch said that it was the last
 *   dropping  between two heartbeats more than dropped_share of the frames was lost before decoding
 *   clock     the sensor's clock is more than clock_offset_s from ours
 *   journal   its journal is more than journal_share full
 *   gap       it had to drop batches that nobody acknowledged
 *   blind     one of its interfaces is down
 *
 * Conditions have a hysteresis: they end at half of what began them, a gap after ten minutes without another. Wall
 * clock is an argument; without nj_watch_tick() nothing is ever raised, so a replay raises nothing. The aggregator's
 * thread. Memory: 2.5 kB a sensor. */
#ifndef NJ_AGGREGATOR_WATCH_H
#define NJ_AGGREGATOR_WATCH_H

#include "aggregator/alert.h"
#include "common/health.h"

#define NJ_WATCH_SENSORS_MAX 256
#define NJ_WATCH_DETECTOR    "sensor-health"

struct nj_watch_options {
	uint32_t silent_s;    /* 0: never */
	double dropped_share; /* 0..1 */
	double clock_offset_s;
	double journal_share;               /* 0..1 */
	const struct nj_hash_key *hash_key; /* borrowed; for the ids of alerts */
	void (*alert)(void *context, const struct nj_alert *alert);
	void *context;
};

/* What is known of a sensor. */
struct nj_watched {
	char sensor[NJ_SENSOR_ID_MAX];
	uint64_t first_ns, heard_ns;    /* wall clock: when it was first and last heard, batch or heartbeat */
	uint64_t heartbeat_ns;          /* when the heartbeat came; 0: none did */
	int64_t clock_offset_ns;        /* the sensor's clock minus ours */
	double dropped_share;           /* between its last two heartbeats */
	uint64_t lost_ns;               /* when the last batches were lost */
	uint64_t batches_lost;          /* as told by its greetings, since we started */
	uint32_t conditions;            /* that hold, 1 << enum nj_condition */
	bool finished;                  /* its last batch said that no more will come */
	struct nj_sensor_health health; /* of the last heartbeat */
};

enum nj_condition {
	NJ_CONDITION_SILENT,
	NJ_CONDITION_DROPPING,
	NJ_CONDITION_CLOCK,
	NJ_CONDITION_JOURNAL,
	NJ_CONDITION_GAP,
	NJ_CONDITION_BLIND,
	NJ_CONDITIONS
};
const char *nj_condition_text(enum nj_condition condition);

struct nj_watch;

/* 5 min, 1 %, 2 s, 80 %. */
void nj_watch_options_init(struct nj_watch_options *options);
NJ_MUST_CHECK int nj_watch_new(const struct nj_watch_options *options, struct nj_watch **ret_watch);
void nj_watch_free(struct nj_watch **watch);

/* Now, in ns of the Unix epoch; before any other call counts. Raises and ends what time alone decides. */
void nj_watch_tick(struct nj_watch *watch, uint64_t now_ns);

/* The rest speak of the moment of the last tick. */
void nj_watch_batch(struct nj_watch *watch, const struct nj_batch *batch);
void nj_watch_heartbeat(struct nj_watch *watch, const struct nj_sensor_health *health);
void nj_watch_gap(struct nj_watch *watch, const char *sensor, uint64_t batches_lost);

/* One line of JSON without the newline, what heartbeats said included. *returns owned* (free()); NULL: out of memory.
 */
char *nj_watched_json(const struct nj_watched *sensor);

uint64_t nj_watch_raised(const struct nj_watch *watch); /* alerts, ends of conditions included */
uint32_t nj_watch_n(const struct nj_watch *watch);
const struct nj_watched *nj_watch_at(const struct nj_watch *watch, uint32_t index);

#endif
