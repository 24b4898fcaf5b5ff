/* The agent window: all that leaves a sensor about one agent's ten seconds. Scalars and vectors are the rows of
 * common/feature_table.h; beside them stand five short lists: contacts, DNS domains, clients, exchanges with models and
 * tools (common/exchange.h). Every list is kept in canonical order and capped by a rule whose result does not depend on
 * how the traffic was partitioned: cap(merge(cap(A), cap(B))) = cap(merge(A, B)) as long as no list element is split
 * between A and B, because an element among the best of the union is among the best of its part, and what is left out
 * is only summed, never chosen from.
 *
 * A window borrows its arrays from an arena (struct nj_arena) of whoever builds it. Merging and capping are pure. Any
 * thread, one at a time. */
#ifndef NJ_COMMON_WINDOW_H
#define NJ_COMMON_WINDOW_H

#include "common/addr.h"
#include "common/arena.h"
#include "common/exchange.h"
#include "common/feature_table.h"

#include <stdbool.h>
#include <stdint.h>

#define NJ_CONTACTS_MAX       256 /* of them, 192 largest and 64 newest of the others */
#define NJ_CONTACTS_LARGEST   192
#define NJ_DOMAINS_MAX        64
#define NJ_CLIENTS_MAX        16
#define NJ_CONTACT_BURSTS_MAX 4
#define NJ_CONTACT_SLOTS      64 /* of a window, for what began and ended when */
#define NJ_DNS_SAMPLE_MAX     16
#define NJ_APP_TEXT_MAX       24  /* nDPI label, cut; with the NUL */
#define NJ_NAME_TEXT_MAX      64  /* host name; a longer one keeps its last 63 characters */
#define NJ_DOMAIN_TEXT_MAX    128 /* registered domain; a longer one keeps its last 127 characters */
#define NJ_CLIENT_TEXT_MAX    48
#define NJ_WINDOW_WIDTH_MS    10000 /* default */

enum nj_role { NJ_ROLE_CLIENT = 1, NJ_ROLE_SERVER = 2 }; /* of the agent in the contact */

/* One agent's traffic with one (peer, port, protocol, application, role) in the window. Key: the first five fields, in
 * this order. */
struct nj_contact {
	struct nj_addr peer;
	uint16_t
		port; /* the server's port, whoever is the server; ICMP: type << 8 | code of the first packet; ARP: 0 */
	uint8_t protocol; /* IP protocol number; 254 ARP */
	uint8_t role;     /* enum nj_role */
	char app[NJ_APP_TEXT_MAX];

	uint16_t flow_port; /* the client's port of the flow with most bytes, then lowest port: names a Community ID */
	uint8_t external;   /* 1: the peer is outside the home networks */
	uint8_t bursts_n;   /* of burst_ms */
	uint16_t burst_ms[NJ_CONTACT_BURSTS_MAX]; /* offsets in the window of the first packets after 1 s of silence of
						     a flow, ascending, the earliest four */
	uint32_t opened;                          /* flows opened in this window */
	uint32_t answered, refused, unanswered, reset; /* outcomes that became known in this window */
	uint32_t bursts;                               /* all of them, listed or not */
	uint32_t requests;                             /* requests inside the flows */
	uint64_t packets_out, packets_in;
	uint64_t bytes_out, bytes_in; /* payload without retransmissions */
	uint64_t flow_bytes;          /* payload of the flow that flow_port names, in this window */
	uint64_t began, ended; /* bits: the slots of the window (nj_window_slot) in which bursts of its flows began and
				  ended, of each flow the first four. A burst that the window's end cuts has
				  its last packet here as an end, and no beginning in the next window */
	uint64_t first_ns, last_ns;  /* packets in this window; an outcome alone sets both to the window's last
					nanosecond or its own time */
	char name[NJ_NAME_TEXT_MAX]; /* SNI or HTTP Host, printable ASCII; empty when unknown; merge keeps the smallest
					non-empty */
};

/* Names asked for under one registered domain. Key: name. */
struct nj_domain {
	char name[NJ_DOMAIN_TEXT_MAX];
	uint32_t queries, nxdomain, free_text;
	uint64_t name_bytes, answer_bytes;
	uint8_t sample_n;
	uint64_t sample[NJ_DNS_SAMPLE_MAX]; /* smallest -ln(h)/w of distinct names, fixed point, ascending
					       (models/dnsinfo.h) */
};

enum nj_client_kind { NJ_CLIENT_JA4 = 1, NJ_CLIENT_HASSH = 2, NJ_CLIENT_HTTP = 3 };

/* A program on the agent, by its fingerprint. Key: kind, text. */
struct nj_client {
	uint8_t kind; /* enum nj_client_kind */
	char text[NJ_CLIENT_TEXT_MAX];
	uint32_t flows;
	uint64_t bytes_out;
	uint64_t first_ns;
	struct nj_addr peer; /* of its earliest flow; ties: the smallest */
	uint16_t port;
};

struct nj_features {
#define NJ_FEATURE_FIELD(name, unit, merge, meaning) uint64_t name;
	NJ_FEATURE_SCALARS(NJ_FEATURE_FIELD)
#undef NJ_FEATURE_FIELD
};

#define NJ_VECTOR_TYPE_DISTINCT  uint8_t
#define NJ_VECTOR_TYPE_HISTOGRAM uint32_t

struct nj_window {
	struct nj_agent_id agent;
	uint64_t start_ns; /* a multiple of the width */
	uint32_t width_ms;
	struct nj_features features;
#define NJ_FEATURE_VECTOR(name, kind, unit, meaning) NJ_VECTOR_TYPE_##kind *name; /* NULL: all zero */
	NJ_FEATURE_VECTORS(NJ_FEATURE_VECTOR)
#undef NJ_FEATURE_VECTOR
	struct nj_contact *contacts;
	struct nj_domain *domains;
	struct nj_client *clients;
	struct nj_exchange *exchanges; /* the agent's as client: what it asked, not what it was asked */
	struct nj_tool *tools;
	uint32_t contacts_n, domains_n, clients_n, exchanges_n, tools_n;
};

/* The slot of nj_contact.began and .ended in which *offset_ms* lies; the last one for what lies beyond. */
static inline unsigned nj_window_slot(uint32_t width_ms, uint32_t offset_ms)
{
	uint64_t slot = (uint64_t)offset_ms * NJ_CONTACT_SLOTS / width_ms;
	return slot < NJ_CONTACT_SLOTS ? (unsigned)slot : NJ_CONTACT_SLOTS - 1;
}

/* What the window's sums cannot say is hashed with this key; windows of different key ids never merge. */
typedef uint64_t (*nj_hash_function)(const void *data, size_t size, const void *key);

/* Canonical order of the lists: by key, strictly ascending. */
int nj_contact_compare(const struct nj_contact *a, const struct nj_contact *b);
int nj_domain_compare(const struct nj_domain *a, const struct nj_domain *b);
int nj_client_compare(const struct nj_client *a, const struct nj_client *b);

/* What of two elements with equal keys is no count, whichever way their counts are then joined: a contact's named flow,
 * sides, times and name; a domain's sample; a client's earliest flow. They commute. */
void nj_contact_join(struct nj_contact *into, const struct nj_contact *from);
void nj_domain_join(struct nj_domain *into, const struct nj_domain *from);
void nj_client_join(struct nj_client *into, const struct nj_client *from);

/* What a copy of the window takes of an arena. */
size_t nj_window_memory_bytes(const struct nj_window *window);

/* Adds *from* into *into*: same agent, start and width (asserted). Lists become the sorted union with equal keys added.
 * Arrays come from *arena*; false when it is full (then *into* is unchanged). Commutes and associates; an empty window
 * is neutral, so that merging into one copies. Vectors that *into* has already are added to in place; lists are new,
 * the old ones stay as they are. Counts stop at their largest value. */
bool nj_window_merge(struct nj_window *into, const struct nj_window *from, struct nj_arena *arena)
	__attribute__((warn_unused_result));

/* Applies the caps. Contacts: the 192 with most payload (then packets, then key), and of the others the 64 whose first
 * packet came last (then key); those left out go to the rest_* features, hashed by *hash* under *key*. Domains: the 64
 * with most name_bytes, then queries, then key. Clients: the 16 with most bytes_out, then flows, then key.
 * Exchanges and tools: the 32 best of each (common/exchange.h), the others counted in exchanges_rest and tools_rest.
 * Idempotent. All that changes is new memory; false when *arena* is full, then *window* is unchanged. */
bool nj_window_cap(struct nj_window *window, nj_hash_function hash, const void *key, struct nj_arena *arena)
	__attribute__((warn_unused_result));

/* Whether every list is within its cap. */
bool nj_window_is_capped(const struct nj_window *window);

/* Equal in every field that is shipped. */
bool nj_window_equal(const struct nj_window *a, const struct nj_window *b);

#endif
