/* What is usual before anything was seen: the shipped baseline (models/prior.yaml, compiled in) or a learned one in the
 * same format. Loaded once, then immutable while a round is judged.
 *
 *   prior:
 *     version: 1
 *     source: "shipped"                 # stands in alerts as where 'usual' comes from
 *     answered_home: 0.90               # each number below, by its name
 *     tails:                            # per detector: how many benign scores fell into each bucket of
 * models/ddsketch.h scan: { 0: 1000, 57: 3 }
 */
#ifndef NJ_AGGREGATOR_PRIOR_H
#define NJ_AGGREGATOR_PRIOR_H

#include "aggregator/detector.h"
#include "common/error.h"
#include "models/ddsketch.h"

#include <stdint.h>

/* X(name, shipped value, least, largest, meaning). Levels and scales are of ln(1 + quantity). */
#define NJ_PRIOR_NUMBERS(X)                                                                                            \
	X(answered_home, 0.90, 0.5, 0.98, "share of first contacts inside the home networks that are answered")        \
	X(answered_outside, 0.92, 0.5, 0.98, "the same towards the outside")                                           \
	X(answered_scanner, 0.30, 0.01, 0.49, "the same for somebody who does not know the network")                   \
	X(failing_day_level, 1.4, 0, 20, "ln(1 + (peer, port) at home that failed) in a day")                          \
	X(failing_day_scale, 0.80, 0.1, 10, "its scale")                                                               \
	X(failing_week_level, 2.2, 0, 20, "the same in a week")                                                        \
	X(failing_week_scale, 0.90, 0.1, 10, "its scale")                                                              \
	X(fan_home_5min_level, 1.1, 0, 20, "ln(1 + peers) opened to inside the home networks in five minutes")         \
	X(fan_home_5min_scale, 0.80, 0.1, 10, "its scale")                                                             \
	X(fan_home_1h_level, 1.6, 0, 20, "the same in an hour")                                                        \
	X(fan_home_1h_scale, 0.85, 0.1, 10, "its scale")                                                               \
	X(fan_home_24h_level, 2.2, 0, 20, "the same in a day")                                                         \
	X(fan_home_24h_scale, 0.95, 0.1, 10, "its scale")                                                              \
	X(fan_outside_5min_level, 2.2, 0, 20, "ln(1 + peers) opened to outside in five minutes")                       \
	X(fan_outside_5min_scale, 1.15, 0.1, 10, "its scale")                                                          \
	X(fan_outside_1h_level, 3.0, 0, 20, "the same in an hour")                                                     \
	X(fan_outside_1h_scale, 1.2, 0.1, 10, "its scale")                                                             \
	X(fan_outside_24h_level, 3.9, 0, 20, "the same in a day")                                                      \
	X(fan_outside_24h_scale, 1.3, 0.1, 10, "its scale")                                                            \
	X(out_hour_level, 12.0, 0, 40, "ln(1 + bytes) a client sends outside in an hour")                              \
	X(out_hour_scale, 1.9, 0.1, 10, "its scale")                                                                   \
	X(out_day_level, 14.0, 0, 40, "the same in a day")                                                             \
	X(out_day_scale, 2.0, 0.1, 10, "its scale")                                                                    \
	X(target_level, 8.0, 0, 40, "ln(1 + bytes) sent to one outside destination in a day")                          \
	X(target_scale, 1.7, 0.1, 10, "its scale")                                                                     \
	X(pcr_mean, -0.5, -1, 1, "producer-consumer ratio of outside traffic")                                         \
	X(pcr_scale, 0.45, 0.05, 2, "its scale")                                                                       \
	X(names_level, 4.0, 0, 40,                                                                                     \
	  "ln(1 + bytes) of information in the distinct names of one registered domain in an hour")                    \
	X(names_scale, 1.05, 0.1, 10, "its scale")                                                                     \
	X(echo_level, 2.0, 0, 40, "score of echo traffic (models/icmp.h) in five minutes")                             \
	X(echo_scale, 0.8, 0.1, 10, "its scale")                                                                       \
	X(alike_level, 1.5, 0, 20, "ln(1 + equal answers of a web server) in a window with 50 requests and more")      \
	X(alike_scale, 1.0, 0.1, 10, "its scale")                                                                      \
	X(edge_hour_level, 1.5, 0, 20, "ln(1 + bits of surprise) in an hour's new services at home")                   \
	X(edge_hour_scale, 1.0, 0.1, 10, "its scale")                                                                  \
	X(edge_sum_level, 2.0, 0, 20, "ln(1 + bits) of their sum, beyond that rate, over days")                        \
	X(edge_sum_scale, 0.75, 0.1, 10, "its scale")                                                                  \
	X(model_excess_level, 10.5, 0, 40, "ln(1 + bytes) an hour sent to a model beyond the growth of questions")     \
	X(model_excess_scale, 1.35, 0.1, 10, "its scale")                                                              \
	X(collected_level, 16.0, 0, 40, "ln(1 + bytes) a client receives from peers at home in a day")                 \
	X(collected_scale, 2.0, 0.1, 10, "its scale")                                                                  \
	X(principals_level, 0.9, 0, 20, "ln(1 + Kerberos client names) an agent uses in an hour")                      \
	X(principals_scale, 0.45, 0.1, 10, "its scale")                                                                \
	X(tickets_level, 1.8, 0, 20, "ln(1 + services) an agent asks Kerberos tickets for in an hour")                 \
	X(tickets_scale, 0.6, 0.1, 10, "its scale")                                                                    \
	X(remote_command, 1e-5, 1e-12, 1,                                                                              \
	  "chance that a benign agent runs a command on a host where it had not, in a day")

struct nj_prior {
	char source[32];
#define NJ_PRIOR_FIELD(name, value, least, largest, meaning) double name;
	NJ_PRIOR_NUMBERS(NJ_PRIOR_FIELD)
#undef NJ_PRIOR_FIELD
	uint32_t tail[NJ_DETECTORS]
		     [NJ_DDSKETCH_BUCKETS]; /* of the detectors' values, in the resolution of NJ_TAIL_RESOLUTION */
};

#define NJ_TAIL_RESOLUTION 100.0

/* The shipped prior, from the text compiled in. NJ_ERR_FORMAT would be a broken build. */
NJ_MUST_CHECK int nj_prior_shipped(struct nj_message *message, struct nj_prior *ret_prior);
/* A learned baseline. NJ_ERR_USAGE with "FILE:LINE: what". Numbers that are not there keep the shipped value. */
NJ_MUST_CHECK int nj_prior_load(const char *path, struct nj_message *message, struct nj_prior *ret_prior);
/* Writes the same format, whole or not at all (a temporary file beside it, renamed). */
NJ_MUST_CHECK int nj_prior_save(const struct nj_prior *prior, const char *path, struct nj_message *message);

#endif
