/* The options of nightjar-aggregator: one row each gives the field, the default, the parser, the range check and the
 * help (common/config.h). */
#ifndef NJ_AGGREGATOR_AGGREGATOR_CONFIG_H
#define NJ_AGGREGATOR_AGGREGATOR_CONFIG_H

#include "common/config.h"

#define NJ_AGGREGATOR_OPTIONS(OPT)                                                                                     \
	OPT(listen, TEXT, "", 1, 200, "tcp://127.0.0.1:7117",                                                          \
	    "where sensors connect: tcp://ADDRESS:PORT or ipc://PATH")                                                 \
	OPT(secret_key, TEXT, "", 0, 250, "",                                                                          \
	    "file of this aggregator's secret key (nightjar keygen); without one nothing is encrypted")                \
	OPT(authorized_sensors, TEXT, "", 0, 250, "",                                                                  \
	    "folder with the public key of each sensor, SENSOR.pub; read again on SIGHUP")                             \
	OPT(connections_max, COUNT, "connections", 2, 65536, "1024",                                                   \
	    "tcp connections at once; who knocks beyond them is not heard")                                            \
	OPT(plain_tcp, FLAG, "", 0, 0, "false", "listen without encryption by tcp, on loopback addresses only")        \
	OPT(journal, TEXT, "", 1, 250,                                                                                 \
	    ":memory:", "file in which batches lie before they are judged; in memory nothing survives a restart")      \
	OPT(snapshot, DURATION, "s", 1, 86400, "300",                                                                  \
	    "write what is known beside the journal this often: what a restart need not judge again")                  \
	OPT(store, TEXT, "", 0, 250, "", "file for alerts, roll-ups and agents; empty: none")                          \
	OPT(alerts_file, TEXT, "", 0, 250, "",                                                                         \
	    "file to whose end each alert goes as a line of JSON, once whatever happens; needs a store")               \
	OPT(baseline, TEXT, "", 0, 250, "", "learned baseline; empty: the shipped prior")                              \
	OPT(inventory, TEXT, "", 0, 250, "", "home networks, named agents, decoys; empty: private networks are home")  \
	OPT(hash_key, TEXT, "", 0, 250, "",                                                                            \
	    "text behind the keyed hashes, the same for all sensors; empty: the well-known one of replay")             \
	OPT(sensors, COUNT, "sensors", 1, 256, "1", "judge nothing before so many sensors have been heard")            \
	OPT(hold, DURATION, "s", 0, 86400, "60",                                                                       \
	    "do not wait for a sensor further behind than this in event time; 0: wait for all")                        \
	OPT(sensor_silent, DURATION, "s", 0, 86400, "300", "alert when a sensor is not heard for so long; 0: never")   \
	OPT(sensor_dropped_share, REAL, "", 0.000001, 1, "0.01",                                                       \
	    "alert when a sensor loses more of its frames than this")                                                  \
	OPT(sensor_clock_offset, REAL, "s", 0.001, 86400, "2", "alert when a sensor's clock is further off than this") \
	OPT(sensor_journal_share, REAL, "", 0.01, 1, "0.8", "alert when a sensor's journal is fuller than this")       \
	OPT(shards, COUNT, "threads", 1, 64, "1", "engine shards; the result does not depend on them")                 \
	OPT(agents_max, COUNT, "agents", 64, 16777216, "20000",                                                        \
	    "profiles in memory, 16 kB each at most; the longest silent are folded")                                   \
	OPT(popularity_entries, COUNT, "entries", 1024, 67108864, "131072",                                            \
	    "services, hosts and names whose popularity is known, 32 B each")                                          \
	OPT(alerts_per_day, REAL, "alerts", 0.01, 1000000, "20", "how many alerts a day people want to be paged for")  \
	OPT(journal_bytes_max, BYTES, "B", 1048576, 1099511627776.0, "1G",                                             \
	    "bound of the journal; beyond it the oldest entries are dropped and counted")                              \
	OPT(pending_bytes_max, BYTES, "B", 1048576, 1099511627776.0, "256M", "bound of what waits for slower sensors") \
	OPT(user, TEXT, "", 0, 31, "", "who to become at the start; empty: stays who it is")                           \
	OPT(seccomp, CHOICE, "off|log|kill", 0, 0, "kill",                                                             \
	    "what happens at a system call that an aggregator has no use for")                                         \
	OPT(landlock, FLAG, "", 0, 0, "true", "reach no files but those named here, where the kernel offers that")

struct nj_aggregator_config {
	NJ_AGGREGATOR_OPTIONS(NJ_OPTION_FIELD)
};

extern const struct nj_schema nj_aggregator_schema;

struct nj_aggregator_options; /* aggregator/aggregator.h */

/* Options that *borrow* the texts of *config*; the inventory is the caller's to load. */
void nj_aggregator_config_options(const struct nj_aggregator_config *config, struct nj_aggregator_options *ret_options);

#endif
