/* What parsers found in a flow's payload, entered where it belongs: facts of the flow (names, fingerprints) into its
 * cold part, events (questions, logins, tickets, answers) into the client's window. Part of the worker, on its thread.
 * Memory: nj_note_memory_bytes(); names are kept in sensor/text.h. */
#ifndef NJ_SENSOR_NOTE_H
#define NJ_SENSOR_NOTE_H

#include "sensor/dialogue.h"
#include "sensor/dns.h"
#include "sensor/flow.h"
#include "sensor/http.h"
#include "sensor/kerberos.h"
#include "sensor/ledger.h"
#include "sensor/ssh.h"
#include "sensor/text.h"
#include "sensor/tls.h"

/* Bits of nj_flow.facts: noted once per flow. */
enum nj_flow_fact {
	NJ_FACT_TLS = 1,        /* ClientHello seen */
	NJ_FACT_SSH = 2,        /* the client's banner seen */
	NJ_FACT_SSH_KEYS = 4,   /* both sides offered key exchange: a login follows */
	NJ_FACT_SSH_JUDGED = 8, /* the login was told as gone through */
	NJ_FACT_ENCRYPTED_DNS = 16,
	NJ_FACT_AI_NAME = 32, /* the server's name is that of a language model */
};

#define NJ_SSH_LOGIN_BYTES 4290 /* a server that sent more has let the client in (detection.md 6.8) */

struct nj_ai_endpoints;
struct nj_psl;
struct nj_domain_place;

struct nj_note {
	struct nj_ledger *ledger;
	struct nj_texts *texts;
	const struct nj_ai_endpoints *endpoints; /* borrowed; NULL: nothing is known of language models */
	const struct nj_hash_key *key;
	struct nj_psl *psl; /* NULL: this system has no list; then the last two labels count as registered */
	struct nj_domain_place *places; /* cache of where registered domains begin */
	uint32_t count_log[256];        /* n log2 n, 1/65536 */
	union {                         /* scratch of the parsers */
		struct nj_dns dns;
		struct nj_client_hello client_hello;
		struct nj_server_hello server_hello;
		struct nj_ssh ssh;
		struct nj_http_request http;
		struct nj_kerberos kerberos;
	} scratch;
};

uint64_t nj_note_memory_bytes(void);
NJ_MUST_CHECK int nj_note_init(struct nj_note *note, struct nj_ledger *ledger, struct nj_texts *texts,
			       const struct nj_hash_key *key); /* NJ_ERR_MEMORY */
void nj_note_fini(struct nj_note *note);

/* *hot* and *flow* are the flow; *t_ns* the packet's time. All texts come from outside. */
void nj_note_dns(struct nj_note *note, const struct nj_flow_hot *hot, struct nj_flow *flow, bool from_client,
		 const struct nj_dns *dns);
void nj_note_dns_malformed(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow);
void nj_note_kerberos(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow,
		      const struct nj_kerberos *kerberos);
void nj_note_client_hello(struct nj_note *note, const struct nj_flow_hot *hot, struct nj_flow *flow,
			  const struct nj_client_hello *hello);
void nj_note_quic_unread(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow);
void nj_note_server_hello(struct nj_note *note, struct nj_flow *flow, const struct nj_server_hello *hello);
void nj_note_ssh(struct nj_note *note, const struct nj_flow_hot *hot, struct nj_flow *flow, bool from_client,
		 const struct nj_ssh *ssh);
void nj_note_http_request(struct nj_note *note, struct nj_flow *flow, const struct nj_http_request *request);
void nj_note_http_status(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow,
			 uint16_t status);

/* A request of the flow's client went out; and, once its answer is over, the sizes of both. */
void nj_note_request(struct nj_flow *flow);
void nj_note_exchange(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow,
		      uint64_t request_bytes, uint64_t response_bytes);

/* The exchange under way, as far as it has come; it has been answered. */
void nj_note_dialogue(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow,
		      struct nj_dialogue *dialogue);

/* A method called on the flow's server in clear text; texts are printable. */
struct nj_note_call {
	enum nj_tool_kind kind;
	const char *method, *name;
	uint64_t t_ns;
};
void nj_note_tool(struct nj_note *note, const struct nj_flow_hot *hot, const struct nj_flow *flow,
		  const struct nj_note_call *call);

/* Of the flow's client so far: what *side* sent as payload. */
uint64_t nj_note_bytes(const struct nj_flow_hot *hot, const struct nj_flow *flow, unsigned side);

/* An SSH login judged by volume: told as gone through once, or, when *over*, as failed. */
void nj_note_ssh_login(struct nj_note *note, const struct nj_flow_hot *hot, struct nj_flow *flow, bool over);

#endif
