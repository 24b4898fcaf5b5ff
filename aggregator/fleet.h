/* What all agents together do: how many use a service, a host or a name; who ever answers; what is usual for a group.
 * Detectors read it while a round is judged and it does not change then; at the barrier the engine adds the round's
 * facts in canonical order, so that shards cannot change it (law 2).
 *
 * Counts of agents are counts of first contacts of a day: each agent's own memory (profile.h) makes sure that it counts
 * an edge once in about 24 hours, so no set of agents need be kept. Today and yesterday stand side by side and the
 * larger is given, so a count does not fall to nothing at midnight.
 *
 * Memory: entries_max * 32 B + groups * 3 sketches of 512 B. A full bucket loses its least used entry, counted. */
#ifndef NJ_AGGREGATOR_FLEET_H
#define NJ_AGGREGATOR_FLEET_H

#include "common/addr.h"
#include "common/error.h"
#include "common/feature_table.h"
#include "common/hash.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_FLEET_GROUPS_MAX 64 /* group 0: agents of the home networks without a group; 1: agents outside */

enum nj_fleet_kind { NJ_FLEET_SERVICE = 1, NJ_FLEET_HOST, NJ_FLEET_NAME, NJ_FLEET_DOMAIN };

/* Quantities whose distribution over a group is kept, one value an agent and hour. Bytes are in kB: the sketch ends at
 * 752,868. */
enum nj_fleet_quantity { NJ_FLEET_PEERS_HOME_1H, NJ_FLEET_PEERS_OUTSIDE_1H, NJ_FLEET_OUT_1H, NJ_FLEET_QUANTITIES };

struct nj_fleet_use {
	uint32_t agents;   /* that made a first contact, in the busier of today and yesterday */
	uint32_t answered; /* first contacts answered, ever */
	uint32_t failed;   /* refused or unanswered, ever */
};

struct nj_fleet_fact {
	uint64_t key;
	uint32_t agents, answered, failed;
};

struct nj_fleet;

NJ_MUST_CHECK int nj_fleet_new(uint32_t entries_max, struct nj_fleet **ret_fleet);
void nj_fleet_free(struct nj_fleet **fleet);
uint64_t nj_fleet_memory_bytes(uint32_t entries_max);

uint64_t nj_fleet_service_key(const struct nj_addr *peer, uint16_t port, uint8_t protocol,
			      const struct nj_hash_key *key);
uint64_t nj_fleet_host_key(const struct nj_addr *peer, const struct nj_hash_key *key);
uint64_t nj_fleet_name_key(const char *name, const struct nj_hash_key *key);
uint64_t nj_fleet_domain_key(const char *domain, const struct nj_hash_key *key); /* as asked for, not as connected to */

/* While a round is judged. All zero for what is unknown. */
struct nj_fleet_use nj_fleet_use(const struct nj_fleet *fleet, uint64_t key, uint64_t t_ns);
/* Agents active in the busier of today and yesterday. */
uint32_t nj_fleet_agents(const struct nj_fleet *fleet, uint64_t t_ns);
/* Share of the active agents that use it, 0..1; 0 while fewer than two agents are known. */
double nj_fleet_prevalence(const struct nj_fleet *fleet, uint64_t key, uint64_t t_ns);
/* Value of quantity at quantile q over the group, and behind how many agent-hours it stands; NAN and 0 when nothing is
 * known. */
double nj_fleet_quantile(const struct nj_fleet *fleet, uint32_t group, enum nj_fleet_quantity quantity, double q,
			 uint64_t *ret_n);

/* At the barrier, in canonical order. */
void nj_fleet_add(struct nj_fleet *fleet, const struct nj_fleet_fact *fact, uint64_t t_ns);
void nj_fleet_add_agent(struct nj_fleet *fleet, uint64_t t_ns);
void nj_fleet_add_value(struct nj_fleet *fleet, uint32_t group, enum nj_fleet_quantity quantity, double value);

/* Number of a group by name, a new one where needed; 0 when all are taken. Not during a round. */
uint32_t nj_fleet_group(struct nj_fleet *fleet, const char *name);

uint64_t nj_fleet_evicted(const struct nj_fleet *fleet);

/* ---- snapshots (aggregator/snapshot.h). Between rounds; into a new fleet. */
struct nj_snapshot_writer;
struct nj_snapshot_taker;

#define NJ_FLEET_TAKERS 3

void nj_fleet_save(const struct nj_fleet *fleet, struct nj_snapshot_writer *writer);
/* *taker*: room for NJ_FLEET_TAKERS. */
void nj_fleet_takers(struct nj_fleet *fleet, struct nj_snapshot_taker *taker);

#endif
