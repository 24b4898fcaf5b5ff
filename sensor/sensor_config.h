/* The options of nightjar-sensor: one row each gives the field, the default, the parser, the range check and the help
 * (common/config.h). */
#ifndef NJ_SENSOR_SENSOR_CONFIG_H
#define NJ_SENSOR_SENSOR_CONFIG_H

#include "common/config.h"

#define NJ_SENSOR_OPTIONS(OPT)                                                                                         \
	OPT(sensor, TEXT, "", 1, 31, "sensor", "name of this sensor: letters, digits, '-', '_' and '.'")               \
	OPT(tap_group, TEXT, "", 0, 31, "", "sensors of one group see the same traffic; empty: a group of its own")    \
	OPT(aggregator, LIST, "", 1, 8, "tcp://127.0.0.1:7117",                                                        \
	    "where to deliver: tcp://ADDRESS:PORT or ipc://PATH; of several, the first that answers")                  \
	OPT(failover, DURATION, "s", 1, 3600, "10",                                                                    \
	    "turn to another aggregator after this silence of the present one")                                        \
	OPT(failback, DURATION, "s", 1, 86400, "30", "turn back to an earlier one when it has answered for so long")   \
	OPT(heartbeat, DURATION, "s", 1, 3600, "5", "tell aggregators this often how the sensor fares")                \
	OPT(secret_key, TEXT, "", 0, 250, "",                                                                          \
	    "file of this sensor's secret key (nightjar keygen); without one nothing is encrypted")                    \
	OPT(aggregator_key, LIST, "", 0, 16, "",                                                                       \
	    "file of the aggregator's public key; of several aggregators one each, or one for all")                    \
	OPT(plain_tcp, FLAG, "", 0, 0, "false", "deliver without encryption by tcp, to loopback addresses only")       \
	OPT(journal, TEXT, "", 1, 250,                                                                                 \
	    ":memory:", "file in which batches lie until acknowledged; in memory nothing survives a restart")          \
	OPT(journal_bytes_max, BYTES, "B", 4194304, 1099511627776.0, "256M", "bound of the journal")                   \
	OPT(reading, TEXT, "", 0, 250, "",                                                                             \
	    "name of what is read, for a pipe: a sensor that is started again on the same tells nothing twice")        \
	OPT(finish, DURATION, "s", 1, 86400, "30",                                                                     \
	    "at the end, how long to wait for an aggregator that takes nothing")                                       \
	OPT(inventory, TEXT, "", 0, 250, "", "home networks; empty: private networks are home")                        \
	OPT(ai_endpoints, TEXT, "", 0, 250, "", "servers of language models that are not in the shipped list (YAML)")  \
	OPT(hash_key, TEXT, "", 0, 250, "",                                                                            \
	    "text behind the keyed hashes, the same for all sensors; empty: the well-known one of replay")             \
	OPT(interfaces, LIST, "", 0, 16, "", "network interfaces to watch; empty: files are read")                     \
	OPT(bpf, TEXT, "", 0, 250, "", "libpcap filter; empty: every frame")                                           \
	OPT(workers, COUNT, "threads", 1, 64, "1", "capture workers; the windows do not depend on them")               \
	OPT(cpus, LIST, "", 0, 16, "", "processors to run workers on, in turn; empty: anywhere")                       \
	OPT(ring_bytes, BYTES, "B", 1048576, 2146435072.0, "64M",                                                      \
	    "what a worker may be behind on an interface before the kernel drops")                                     \
	OPT(snap_bytes, COUNT, "B", 96, 262144, "65535", "of a live frame that are looked at; the rest is counted")    \
	OPT(read_timeout, DURATION, "ms", 1, 1000, "50",                                                               \
	    "how long the kernel may gather frames before it hands them over")                                         \
	OPT(promiscuous, FLAG, "", 0, 0, "true", "take frames that are for others, as a tap must")                     \
	OPT(stats, DURATION, "s", 1, 86400, "60", "how often a live sensor logs what each worker took and lost")       \
	OPT(window, DURATION, "ms", 1000, 60000, "10000", "width of an agent window in event time")                    \
	OPT(flows_max, COUNT, "flows", 1024, 16777216, "200000",                                                       \
	    "flow table of a worker; the oldest are evicted and counted")                                              \
	OPT(classifying_max, COUNT, "flows", 64, 1048576, "16384", "flows of a worker with nDPI state at once")        \
	OPT(inspecting_max, COUNT, "flows", 64, 1048576, "4096", "flows of a worker with parser state at once")        \
	OPT(ledger_entries_max, COUNT, "entries", 1024, 16777216, "131072",                                            \
	    "contacts and events a worker keeps for one window")                                                       \
	OPT(fragments_max, COUNT, "datagrams", 16, 65536, "1024", "datagrams of a worker in reassembly")               \
	OPT(idle_tcp, DURATION, "s", 1, 86400, "300", "silence that ends a TCP flow")                                  \
	OPT(idle_udp, DURATION, "s", 1, 86400, "60", "silence that ends a UDP flow")                                   \
	OPT(idle_icmp, DURATION, "s", 1, 86400, "60", "silence that ends an ICMP flow")                                \
	OPT(answer, DURATION, "s", 1, 60, "5", "how long an opened flow may wait for its answer")                      \
	OPT(ndpi_tcp_packets, COUNT, "packets", 0, 64, "10", "payload packets of a TCP flow shown to nDPI")            \
	OPT(ndpi_udp_packets, COUNT, "packets", 0, 64, "6", "payload packets of a UDP flow shown to nDPI")             \
	OPT(user, TEXT, "", 0, 31, "", "who to become once what needs rights is open; empty: stays who it is")         \
	OPT(seccomp, CHOICE, "off|log|kill", 0, 0, "kill",                                                             \
	    "what happens at a system call that a sensor has no use for")                                              \
	OPT(landlock, FLAG, "", 0, 0, "true", "reach no files but those named here, where the kernel offers that")     \
	OPT(memory_max, BYTES, "B", 16777216, 1099511627776.0, "4G",                                                   \
	    "refuse to start when all tables together could take more")

struct nj_sensor_config {
	NJ_SENSOR_OPTIONS(NJ_OPTION_FIELD)
};

extern const struct nj_schema nj_sensor_schema;

struct nj_live_options;     /* sensor/live.h */
struct nj_pipeline_options; /* sensor/pipeline.h */
struct nj_shipper_options;  /* sensor/shipper.h */

/* Options that *borrow* the texts of *config*; the home networks are the caller's to set. */
void nj_sensor_config_pipeline(const struct nj_sensor_config *config, struct nj_pipeline_options *ret_options);
void nj_sensor_config_shipper(const struct nj_sensor_config *config, struct nj_shipper_options *ret_options);

/* What the lists of a configuration become for a live sensor. */
struct nj_sensor_lists {
	const char *interfaces[NJ_OPTION_LIST_MAX];
	uint32_t cpus[NJ_OPTION_LIST_MAX];
};

/* The same for a live sensor, whose options *borrow* *ret_lists* too. NJ_ERR_USAGE: a processor that is no number. */
NJ_MUST_CHECK int nj_sensor_config_live(const struct nj_sensor_config *config, struct nj_sensor_lists *ret_lists,
					struct nj_live_options *ret_options, struct nj_message *message);

/* The first option that differs and cannot change while the sensor runs; NULL: the new configuration can be taken over.
 */
const char *nj_sensor_config_needs_restart(const struct nj_sensor_config *running,
					   const struct nj_sensor_config *wanted);

#endif
