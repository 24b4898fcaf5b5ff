/* The part of an agent's memory that is about getting further: services it met for the first time and how surprising
 * they were, who logged in to it lately, the names it logs in as. A block of its own (profile.h), added with the first
 * such event. A member added here needs its row in aggregator/profile_layout.c. */
#ifndef NJ_AGGREGATOR_PROFILE_ACCESS_H
#define NJ_AGGREGATOR_PROFILE_ACCESS_H

#include "aggregator/sighting.h"
#include "models/hll.h"
#include "models/surprisal.h"

#include <stdint.h>

#define NJ_INBOUNDS 3

/* Somebody came in by an administrative service. */
struct nj_inbound {
	struct nj_addr peer;
	uint64_t t_ns; /* last packet seen of it; 0: unused */
	uint64_t since_ns;
	float bits; /* of surprise that this peer came, when it first did */
	uint16_t port;
	uint8_t protocol, reserved;
};

struct nj_block_access {
	struct nj_surprisal surprisal;
	uint64_t hour;                             /* that hour_bits counts, since the epoch */
	float hour_bits;                           /* unlearned yet */
	float surprise_told;                       /* sum at the last look */
	struct nj_sighting edge[NJ_SIGHTINGS_MAX]; /* ring */
	uint32_t edges;
	struct nj_inbound inbound[NJ_INBOUNDS];
	struct nj_hll principals, services; /* distinct of the hour, Kerberos names */
	uint64_t names_hour;
	float principals_told, services_told;
	uint32_t rc4, tickets, denied; /* of the hour */
	uint32_t reserved;
};

#endif
