/* A worker: frame -> packet -> flow -> contact -> agent window. Live capture, file, fuzz target, golden test and
 * simulation are callers of these three verbs. Share-nothing: one thread owns a worker; a packet never leaves it. All
 * memory is taken at start and is the sum that nj_worker_memory_bytes() gives; between push and tick there is no
 * allocation, lock, system call, log line or clock read.
 *
 * The windows do not depend on when ticks come, only on packet times: a flow's timeouts and outcomes are judged at its
 * own packets and at window ends. Callers must deliver all packets of one address pair to the same worker
 * (nj_worker_pick), in time order. */
#ifndef NJ_SENSOR_WORKER_H
#define NJ_SENSOR_WORKER_H

#include "common/error.h"
#include "common/hash.h"
#include "sensor/packet.h"
#include "sensor/sink.h"

#include <stdbool.h>

struct nj_worker;
struct nj_networks; /* common/inventory.h: the home networks */

struct nj_worker_options {
	uint32_t flows_max;          /* flow table capacity; the oldest is evicted and counted beyond it */
	uint32_t classifying_max;    /* flows with nDPI state at once; beyond it the oldest gives up and is counted */
	uint32_t inspecting_max;     /* flows with parser/reassembly state at once */
	uint32_t ledger_entries_max; /* contacts and events a window can hold before it must be compacted */
	uint32_t fragments_max;      /* datagrams in reassembly */
	uint32_t window_ms;          /* width of an agent window */
	uint32_t idle_tcp_s, idle_udp_s, idle_icmp_s; /* silence that ends a flow */
	uint32_t active_s; /* age at which a flow record is cut (0: never); contacts are not affected */
	uint32_t answer_s; /* time to wait for an answer: default 5 */
	uint8_t ndpi_tcp_packets_max, ndpi_udp_packets_max; /* payload packets shown to nDPI: default 10, 6 */
	const struct nj_networks *home;                     /* borrowed for the worker's life */
	const char *ai_endpoints; /* a file to add to the shipped endpoints of language models; NULL or empty: none;
				     read by nj_worker_new() */
	struct nj_hash_key hash_key;
};

/* The defaults of every option; home and hash_key must be set by the caller. */
void nj_worker_options_init(struct nj_worker_options *options);

/* Exactly what nj_worker_new() would allocate. */
uint64_t nj_worker_memory_bytes(const struct nj_worker_options *options);

/* *keeps* the options' pointers and the sink. NJ_ERR_MEMORY, NJ_ERR_USAGE and those of files with a message. */
NJ_MUST_CHECK int nj_worker_new(const struct nj_worker_options *options, const struct nj_worker_sink *sink,
				struct nj_message *message, struct nj_worker **ret_worker);
void nj_worker_free(struct nj_worker **worker);

/* Flows opened from now on are judged by these home networks; *borrowed until* it returns. */
void nj_worker_set_home(struct nj_worker *worker, const struct nj_networks *home);

void nj_worker_push(struct nj_worker *worker,
		    const struct nj_frame *frame); /* may close windows that end at or before frame->t_ns */
/* The same as pushing *n* frames one after another, whose bytes all stay valid until it returns; faster, since flows
 * are called from memory some frames ahead. */
void nj_worker_push_many(struct nj_worker *worker, const struct nj_frame *frames, uint32_t n);
void nj_worker_tick(struct nj_worker *worker, uint64_t t_ns); /* event time has reached t_ns */
void nj_worker_drain(
	struct nj_worker *worker,
	uint64_t t_ns); /* the source ended at t_ns: flows that ticks let fall silent after it ended with it */
void nj_worker_finish(struct nj_worker *worker); /* ends all flows, closes all windows */

/* What full pools cost, since the start. None of it loses a frame, a flow or a contact. */
struct nj_worker_counts {
	uint64_t classify_gave_up;  /* flows whose nDPI state was taken for a newer flow */
	uint64_t inspect_gave_up;   /* flows whose parser state was */
	uint64_t inspect_no_buffer; /* openings that could not be put in order, all buffers being in use */
	uint64_t names_refused;     /* server names and fingerprints that found no place */
};

struct nj_worker_counts nj_worker_counts(const struct nj_worker *worker);

/* Nothing is left that could speak without a new packet: time may jump. */
bool nj_worker_is_idle(const struct nj_worker *worker);

/* Which of *workers* gets this frame: a hash of the decoded segment and unordered address pair, of an ICMP error that
 * of the packet it speaks of; undecodable frames go to 0. Pure. */
uint32_t nj_worker_pick(const struct nj_frame *frame, uint32_t workers);

#endif
