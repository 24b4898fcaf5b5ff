/* Requests and answers of one flow, told apart by who speaks when, whatever protocol they are in: HTTP/1.1, HTTP/2 and
 * WebSocket inside TLS or QUIC all look the same from outside (detection.md F-EXCH). A request is a burst of the
 * client's records; what the server sends afterwards is its answer, until the client speaks again. Records are TLS
 * records, QUIC datagrams, or segments of clear text.
 *
 * 368 bytes a flow that is followed; 5 to 40 ns a record. Pure; one flow's state is used by one thread at a time. */
#ifndef NJ_SENSOR_DIALOGUE_H
#define NJ_SENSOR_DIALOGUE_H

#include "common/exchange.h"
#include "models/tokens.h"

#define NJ_DIALOGUE_BURST_GAP_MS                                                                                       \
	1000 /* client records this close make one request while nothing is answered: a slow upload                    \
	      * stalls for some retransmission timeouts of 200 ms */
#define NJ_DIALOGUE_ANSWER_GAP_MS                                                                                      \
	30000                        /* a longer silence ends an answer; models that think or search within it         \
				      * pause for seconds, and stay in it */
#define NJ_DIALOGUE_CONTROL_BYTES 42 /* records up to this size steer HTTP/2: no request and no answer */
#define NJ_DIALOGUE_SMALL_BYTES   80 /* and client records up to this one, in the middle of an answer, acknowledge it */
#define NJ_DIALOGUE_BULK_BYTES                                                                                         \
	(16u << 20) /* an answer or request beyond this is no talk with a model: counted, not listed */

/* On a fresh TLS 1.3 connection the server sends session tickets, and HTTP/2 its settings, while it works on the
 * answer. A first burst within 10 ms, of at most four records and so many bytes, followed by at least 80 ms of silence,
 * is taken for these. */
#define NJ_DIALOGUE_TICKET_BYTES   1200
#define NJ_DIALOGUE_TICKET_RECORDS 4

/* Bits of nj_dialogue.told: what of the exchange under way is already counted. */
enum nj_dialogue_told { NJ_TOLD_ANSWERED = 1, NJ_TOLD_STREAMED = 2, NJ_TOLD_MARKED = 4 };

struct nj_dialogue {
	uint64_t start_ns, up_ns; /* first and last record of the request; start_ns 0: none under way */
	uint64_t answer_ns;       /* first record of the answer, 0: none yet; the last one is tokens.last_ns */
	uint64_t bytes_up, bytes_down;
	uint64_t told_up, told_down; /* of them, what is already counted */
	uint32_t records_up, records_down;
	uint16_t flags;        /* enum nj_exchange_flag of the exchange, from clear text */
	uint16_t standing;     /* same of the whole flow */
	uint8_t api;           /* enum nj_ai_api */
	uint8_t told;          /* enum nj_dialogue_told */
	bool news;             /* something to tell since the last telling */
	bool first;            /* of the flow, and its answer not yet certain: see NJ_DIALOGUE_TICKET_BYTES */
	bool small_is_control; /* QUIC: acknowledgements are datagrams of their own */
	uint8_t reserved[7];
	struct nj_tokens tokens;
};
static_assert(sizeof(struct nj_dialogue) == 368, "one a flow that is followed");

/* *standing*: flags of all exchanges of the flow. */
void nj_dialogue_init(struct nj_dialogue *dialogue, uint16_t standing);

/* Whether this record begins a new exchange: then tell the one under way, if it has news, before adding it. */
bool nj_dialogue_begins(const struct nj_dialogue *dialogue, uint64_t t_ns, bool from_client, uint32_t bytes);
void nj_dialogue_add(struct nj_dialogue *dialogue, uint64_t t_ns, bool from_client, uint32_t bytes);

/* The exchange under way as far as it has come: everything but peer, ports, protocol, client and name. Marks it as
 * told. */
void nj_dialogue_tell(struct nj_dialogue *dialogue, struct nj_exchange *ret_exchange);

#endif
