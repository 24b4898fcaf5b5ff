/* One agent's memory: everything the detectors remember between its windows, bounded. The base is small, because most
 * addresses of a network only ever answer; blocks are added when the agent first does what needs them: opens flows,
 * fans out, sends bytes out, asks names, calls again and again, lives for an hour.
 *
 * Nothing in it ticks: a silent agent costs nothing, and whatever depends on time is brought up to date by the next
 * window's event time, be it months later.
 *
 * Memory: sizeof each struct below; NJ_PROFILE_BYTES_MAX bounds base + all blocks (static_assert). Beyond the table's
 * capacity the least recently active agent is folded into a 512-byte summary and unfolded when it returns. One profile
 * is used by one thread at a time. */
#ifndef NJ_AGGREGATOR_PROFILE_H
#define NJ_AGGREGATOR_PROFILE_H

#include "aggregator/profile_access.h"
#include "aggregator/profile_ai.h"
#include "aggregator/sighting.h"
#include "common/error.h"
#include "common/window.h"
#include "models/baseline.h"
#include "models/beacon.h"
#include "models/bloom.h"
#include "models/cusum.h"
#include "models/dnsinfo.h"
#include "models/hll.h"
#include "models/icmp.h"
#include "models/spacesaving.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define NJ_SECOND_NS 1000000000ull
#define NJ_MINUTE_NS (60 * NJ_SECOND_NS)
#define NJ_HOUR_NS   (60 * NJ_MINUTE_NS)
#define NJ_DAY_NS    (24 * NJ_HOUR_NS)

/* Where the peer lies: the two are judged apart, so that browsing the web cannot dilute a scan of the inside. */
enum nj_side { NJ_SIDE_HOME, NJ_SIDE_OUTSIDE, NJ_SIDES };

/* ---- opens flows: which (peer, port) it has met, and the run of failing first contacts */
#define NJ_EDGE_BITS_LOG2 12

struct nj_scan_run {
	struct nj_scan scan;
	uint32_t refused, unanswered, reset, answered; /* first contacts of the run by outcome */
	uint32_t arp;                                  /* of them by ARP */
	uint32_t icmp;                                 /* of them by ping */
	struct nj_hll peers, ports;                    /* of the failed ones */
	struct nj_sighting sighting[NJ_SIGHTINGS_MAX]; /* ring of failed ones */
	uint32_t sightings;                            /* in all */
	uint32_t port_last;                            /* of the latest failure */
	uint64_t last_ns;
	uint32_t tests, judged; /* handed from one scan detector to the other within a round */
};

/* Two halves that turn: what is remembered is between one and two spans old. */
struct nj_turning {
	uint64_t slot; /* number of the span that *now* counts, since the epoch */
	struct nj_hll now, before;
};

struct nj_block_edges {
	struct nj_bloom bloom;
	uint64_t bits[NJ_BLOOM_WORDS(NJ_EDGE_BITS_LOG2)];
	struct nj_scan_run run[NJ_SIDES];
	uint64_t answered, failed;                   /* first contacts, ever: the agent's own theta0 */
	uint32_t failing_told[2];                    /* estimate at the last judgement of the 24 h and 7 d counts */
	struct nj_turning failing_day, failing_week; /* (peer, port) that failed, home side */
};

/* ---- opens flows to several peers */
enum nj_fan_span { NJ_FAN_5MIN, NJ_FAN_1H, NJ_FAN_24H, NJ_FAN_SPANS };

/* The distinct of one span, begun again with the next. */
struct nj_counting {
	uint64_t slot;
	struct nj_hll now;
	double told; /* estimate at the last look in this span */
};

struct nj_block_fan {
	struct nj_counting peers[NJ_SIDES][NJ_FAN_SPANS];
	struct nj_sighting sighting[NJ_SIGHTINGS_MAX];
	uint32_t sightings;
};

/* ---- sends bytes out */
#define NJ_TARGETS 8

struct nj_target { /* beside the slots of the heaviest destinations */
	struct nj_addr peer;
	uint64_t first_ns, last_ns;
	uint64_t out, in;      /* since first_ns, at most a day; then begun again */
	uint32_t out_day_told; /* log2 steps told at the last judgement */
	uint32_t uploads;      /* windows with bytes out */
	uint16_t port, flow_port;
	uint8_t protocol, fresh, outside; /* fresh: this agent had not met it in its memory, and was known for longer */
	char name[37];
};

struct nj_block_targets {
	struct nj_heavy slot[NJ_TARGETS];
	struct nj_target target[NJ_TARGETS];
	struct nj_pcr pcr;
	uint64_t pcr_slot, pcr_out, pcr_in; /* running five minutes */
	uint64_t pcr_sum_out, pcr_sum_in;   /* of the present excursion */
};

/* ---- asks names */
#define NJ_NAMES 8

struct nj_name {
	char text[48]; /* end of the registered domain */
	uint64_t domain, first_ns;
	uint32_t queries, free_text, nxdomain;
	uint32_t name_bytes;
	float told; /* information at the last judgement */
};

struct nj_block_names {
	uint64_t slot; /* hour */
	struct nj_dns_entry entry[NJ_NAMES];
	struct nj_name name[NJ_NAMES];
};

/* ---- calls again and again */
#define NJ_CALLS 7

struct nj_call {
	uint64_t key; /* 0: unused */
	struct nj_beacon beacon;
	struct nj_addr peer;
	uint64_t first_ns, bytes_out, bytes_in;
	uint32_t events, dull; /* dull: judged irregular with a full ring */
	uint16_t port, flow_port;
	uint8_t protocol, outside, fresh, reserved;
	char name[40];
};

struct nj_block_calls {
	struct nj_call call[NJ_CALLS];
};

/* ---- lives for an hour: what is usual for it */
struct nj_block_history {
	struct nj_baseline_week out;          /* ln(1 + bytes out to the outside) of an hour */
	struct nj_baseline_day fan[NJ_SIDES]; /* ln(1 + peers) of an hour */
};

/* Sums of a span of time, begun again when another span begins. */
struct nj_span {
	uint64_t slot;
	uint64_t out, in; /* client's bytes with the outside */
	uint64_t served;  /* server's bytes out to the outside */
	uint32_t told;    /* log2 steps at the last judgement */
	uint32_t suspect; /* some window of it looked like an attack */
};

/* Outcomes of logins: evidence that drains, and since when there is any. */
struct nj_login {
	double sum; /* nats */
	uint64_t t_ns, since_ns;
	uint32_t failed, succeeded;
	struct nj_sighting peer;
};

struct nj_profile {
	struct nj_agent_id agent;
	uint32_t group;
	bool home, used;        /* used: the slot of the table is */
	uint8_t collected_told; /* growth step of what went out, at the last look at collected */
	uint32_t collected_day; /* that collected counts */
	uint64_t hash;
	uint64_t first_ns, last_ns;
	uint64_t windows;
	uint64_t flows, flows_one_sided;
	uint64_t collected;           /* bytes received as a client from peers at home, this day */
	uint64_t fleet_day;           /* last day it was counted as active */
	uint64_t bytes_out, bytes_in; /* all, for `nightjar agents` */
	struct nj_span hour, day;
	uint32_t learned_hours; /* closed hours the baselines took */
	struct {
		uint64_t slot; /* five minutes */
		struct nj_icmp_echo echo;
		uint64_t since_ns;
		struct nj_sighting peer;
		float told;
	} icmp;
	struct nj_login login;
	char client[NJ_CLIENT_TEXT_MAX]; /* the fingerprint with most flows of the last window that had any */
	struct nj_block_edges *edges;    /* owned; NULL until needed, as the others */
	struct nj_block_fan *fan;
	struct nj_block_targets *targets;
	struct nj_block_names *names;
	struct nj_block_calls *calls;
	struct nj_block_history *history;
	struct nj_block_ai *ai;
	struct nj_block_access *access;
	uint64_t taken;         /* turn in which the table handed it out last */
	uint32_t recent, older; /* neighbours in the order of activity, index + 1, 0: none */
};

/* What is kept of an agent that was folded: enough to judge its return by what was usual for it. */
struct nj_summary {
	struct nj_agent_id agent;
	uint8_t used, home;
	uint16_t group;
	uint64_t hash;
	uint64_t first_ns, last_ns, windows, bytes_out, bytes_in, answered, failed;
	uint32_t learned_hours;
	struct nj_baseline_cell out, fan[NJ_SIDES]; /* the overall cells */
	uint8_t reserved[384];
};
static_assert(sizeof(struct nj_summary) == 512, "as the design says");

#define NJ_PROFILE_BYTES_MAX                                                                                           \
	(sizeof(struct nj_profile) + sizeof(struct nj_block_edges) + sizeof(struct nj_block_fan) +                     \
	 sizeof(struct nj_block_targets) + sizeof(struct nj_block_names) + sizeof(struct nj_block_calls) +             \
	 sizeof(struct nj_block_history) + sizeof(struct nj_block_ai) + sizeof(struct nj_block_access))
static_assert(NJ_PROFILE_BYTES_MAX <= 16384, "16 kB an agent at most");

/* A block, added when it is not there yet; NULL when memory is out (the detector then has nothing to say). *Returned
 * borrowed until* the profile is folded. */
struct nj_block_edges *nj_profile_edges(struct nj_profile *profile);
struct nj_block_fan *nj_profile_fan(struct nj_profile *profile);
struct nj_block_targets *nj_profile_targets(struct nj_profile *profile);
struct nj_block_names *nj_profile_names(struct nj_profile *profile);
struct nj_block_calls *nj_profile_calls(struct nj_profile *profile);
struct nj_block_history *nj_profile_history(struct nj_profile *profile);
struct nj_block_ai *nj_profile_ai(struct nj_profile *profile);
struct nj_block_access *nj_profile_access(struct nj_profile *profile);

void nj_profile_clear(struct nj_profile *profile); /* frees the blocks, zeroes the rest */
uint64_t nj_profile_bytes(const struct nj_profile *profile);

/* Turns the halves to t_ns, then adds; the estimate over both. */
void nj_turning_to(struct nj_turning *turning, uint64_t t_ns, uint64_t span_ns);
double nj_turning_estimate(const struct nj_turning *turning);
void nj_counting_to(struct nj_counting *counting, uint64_t t_ns, uint64_t span_ns);

/* Whether the agent knew this key; it does from now on. *ret_today*: it is the first time since the memory's last turn,
 * a day ago at most: to be counted once. */
bool nj_edges_meet(struct nj_block_edges *edges, uint64_t t_ns, uint64_t key, bool *ret_today);

/* Remembers a contact in a ring of NJ_SIGHTINGS_MAX. */
void nj_sighting_add(struct nj_sighting *ring, uint32_t *count, const struct nj_contact *contact, uint8_t outcome);

/* How far the agent's own history stands against the prior, 0..1: hours learned / (hours learned + 24). */
double nj_profile_own(const struct nj_profile *profile);

/* ---- the table of all agents: lookup, least recently active order, folding. Used at the barrier by one thread. */
struct nj_profiles;

NJ_MUST_CHECK int nj_profiles_new(uint32_t agents_max, struct nj_profiles **ret_profiles);
void nj_profiles_free(struct nj_profiles **profiles);
uint64_t nj_profiles_memory_bytes(uint32_t agents_max); /* the bound: every agent with every block */

/* The agent's profile, made or unfolded where needed, now the most recently active. What was taken since the last
 * release is in use and not folded; NULL when all are (the caller then finishes what it holds, releases and asks
 * again). *ret_new*: neither in the table nor folded. */
struct nj_profile *nj_profiles_take(struct nj_profiles *profiles, const struct nj_agent_id *agent, uint64_t hash,
				    bool *ret_new);
/* From here on profiles taken before may be folded again. */
void nj_profiles_release(struct nj_profiles *profiles);

uint32_t nj_profiles_n(const struct nj_profiles *profiles);
uint64_t nj_profiles_folded(const struct nj_profiles *profiles);
uint64_t nj_profiles_bytes(const struct nj_profiles *profiles); /* now in use */
/* The i-th slot of the table, NULL when unused: for walks. */
struct nj_profile *nj_profiles_at(struct nj_profiles *profiles, uint32_t index);

/* ---- snapshots (aggregator/snapshot.h): every agent, its blocks, the folded ones. Between rounds. */
struct nj_snapshot_writer;
struct nj_snapshot_taker;

#define NJ_PROFILES_TAKERS_MAX 16

void nj_profiles_save(const struct nj_profiles *profiles, struct nj_snapshot_writer *writer);
/* What takes the sections into a new table; how many, at most NJ_PROFILES_TAKERS_MAX. A smaller table than there are
 * agents refuses. */
uint32_t nj_profiles_takers(struct nj_profiles *profiles, struct nj_snapshot_taker *taker);
void nj_profiles_restored(struct nj_profiles *profiles); /* afterwards: frees what only restoring needs */

#endif
