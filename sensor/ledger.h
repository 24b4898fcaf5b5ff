/* What happened in the window under way, agent by agent: contacts, features, domains, clients. Entries with the same
 * key are added up as they come; when the window closes the ledger is swept, agents and lists in canonical order, and
 * empty again. The result does not depend on the order in which things were entered, nor on which worker's ledger they
 * were entered in, once windows are merged.
 *
 * Bounded: entries_max contacts, half as many agents and answers, an eighth as many domains,
 * clients and exchanges, a thirty-second as many tools. What finds no
 * place is counted (contacts_lost) and lost. Memory about 700 B an entry, most of it only touched when used;
 * nj_ledger_memory_bytes() is exact. Used by one worker's thread. */
#ifndef NJ_SENSOR_LEDGER_H
#define NJ_SENSOR_LEDGER_H

#include "common/error.h"
#include "common/hash.h"
#include "common/window.h"

#include <assert.h>

#define NJ_LEDGER_NONE UINT32_MAX

struct nj_ledger;

uint64_t nj_ledger_memory_bytes(uint32_t entries_max);
/* Bytes of the largest set of windows that one sweep can give, arrays included: what a copy of all of them takes. */
uint64_t nj_ledger_windows_bytes(uint32_t entries_max);

NJ_MUST_CHECK int nj_ledger_new(uint32_t entries_max, const struct nj_hash_key *key,
				struct nj_ledger **ret_ledger); /* *keeps* key; NJ_ERR_MEMORY */
void nj_ledger_free(struct nj_ledger **ledger);

/* Keyed; worth keeping where it is needed more than once. */
uint32_t nj_ledger_addr_hash(const struct nj_ledger *ledger, const struct nj_addr *addr, nj_segment segment);

/* The agent's place in this window; NJ_LEDGER_NONE (counted) when there is no room. *hash*: nj_ledger_addr_hash() of
 * it. */
uint32_t nj_ledger_agent(struct nj_ledger *ledger, const struct nj_addr *addr, nj_segment segment, uint32_t hash);

/* Reads the line where nj_ledger_agent() would look, so that it is at hand soon; the value means nothing. */
uint32_t nj_ledger_call(const struct nj_ledger *ledger, uint32_t hash);

/* All below take a place from nj_ledger_agent(), and do nothing for NJ_LEDGER_NONE. */

/* To add to; *returns borrowed until* sweep. For NJ_LEDGER_NONE: a place whose content is never told. */
struct nj_features *nj_ledger_features(struct nj_ledger *ledger, uint32_t agent);

struct nj_ledger_contact_key {
	struct nj_addr peer;
	uint16_t port;
	uint8_t protocol;
	uint8_t role;
	uint32_t agent;
	uint32_t peer_hash; /* nj_ledger_addr_hash() of the peer, in the agent's segment */
};

/* The contact to add to, zeroed but for its key when new. *app*: 24 bytes, padded with NUL. NULL when there is no room
 * (counted as contacts_lost of the agent). */
struct nj_contact *nj_ledger_contact(struct nj_ledger *ledger, const struct nj_ledger_contact_key *key,
				     const char app[NJ_APP_TEXT_MAX]);

/* Same for a registered domain and for a client fingerprint; NULL when there is no room. */
struct nj_domain *nj_ledger_domain(struct nj_ledger *ledger, uint32_t agent, const char *name);
struct nj_client *nj_ledger_client(struct nj_ledger *ledger, uint32_t agent, uint8_t kind, const char *text);

/* Takes the exchange into the agent's list; no room: lost, counted. */
void nj_ledger_exchange(struct nj_ledger *ledger, uint32_t agent, const struct nj_exchange *exchange);

/* One more call of a tool, of which *tool* has the key, external and first_ns. */
void nj_ledger_tool(struct nj_ledger *ledger, uint32_t agent, const struct nj_tool *tool);

/* An answer of this size from this server: counts towards response_mode_count. Sizes are told apart in sixteenths of an
 * octave. */
void nj_ledger_answer(struct nj_ledger *ledger, uint32_t agent, const struct nj_addr *server, uint16_t port,
		      uint64_t bytes);

enum nj_ledger_vector {
#define NJ_LEDGER_VECTOR_ENUM(name, kind, unit, meaning) NJ_LEDGER_##name,
	NJ_FEATURE_VECTORS(NJ_LEDGER_VECTOR_ENUM)
#undef NJ_LEDGER_VECTOR_ENUM
		NJ_LEDGER_VECTORS_N,
};

void nj_ledger_histogram(struct nj_ledger *ledger, uint32_t agent, enum nj_ledger_vector vector, uint64_t value);
void nj_ledger_distinct(struct nj_ledger *ledger, uint32_t agent, enum nj_ledger_vector vector, const void *data,
			size_t size);

/* Adds *burst_ms* to a contact's list, which keeps the earliest. */
void nj_ledger_burst(struct nj_contact *contact, uint16_t burst_ms);

/* Lost since the last sweep; part of the account. */
uint64_t nj_ledger_lost(const struct nj_ledger *ledger);

/* Half of the agents or of the contacts are taken: what comes from outside should stay out, with nj_ledger_lose(). */
bool nj_ledger_is_crowded(const struct nj_ledger *ledger);
void nj_ledger_lose(struct nj_ledger *ledger, uint32_t contacts);

uint32_t nj_ledger_agents_n(const struct nj_ledger *ledger);

/* Hands every agent's window to *window* (NULL: nobody wants them), ascending by agent, and empties the ledger.
 * Features of volume and of flows' fates are summed up from the contacts here; callers enter only the others. What is
 * handed over is borrowed until the call returns. */
void nj_ledger_sweep(struct nj_ledger *ledger, uint64_t start_ns, uint32_t width_ms,
		     void (*window)(void *context, const struct nj_window *window), void *context);

#endif
