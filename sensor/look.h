/* What the files behind sensor/inspect.h share: the state of a flow whose payload is followed, one call's context, and
 * the reading of opening bytes in order. inspect.c has the pool and decides what a flow is; look_*.c follow one kind of
 * it each. Included by those alone; used by one worker's thread. */
#ifndef NJ_SENSOR_LOOK_H
#define NJ_SENSOR_LOOK_H

#include "sensor/dialogue.h"
#include "sensor/inspect.h"
#include "sensor/json_rpc.h"
#include "sensor/parse.h"
#include "sensor/quic.h"
#include "sensor/stream.h"
#include "sensor/tls_record.h"

#define NJ_LOOK_PACKETS_MAX 24 /* with payload of one direction, without a verdict: a hello of 16 kB takes 12 */

enum { NJ_PORT_DNS = 53, NJ_PORT_KERBEROS = 88, NJ_PORT_MDNS = 5353, NJ_PORT_LLMNR = 5355 };
enum { NJ_CLIENT = 0, NJ_SERVER = 1 }; /* directions: who sends */
enum nj_look_kind {
	NJ_LOOK_NOTHING,
	NJ_LOOK_UNDECIDED,
	NJ_LOOK_TLS,
	NJ_LOOK_SSH,
	NJ_LOOK_HTTP,
	NJ_LOOK_QUIC,
	NJ_LOOK_DNS,
	NJ_LOOK_KERBEROS,
	NJ_LOOK_RPC
};

struct nj_inspection {
	uint32_t owner, older, newer; /* in order of beginning; free ones are linked by newer */
	uint8_t kind;                 /* enum nj_look_kind */
	uint8_t done;                 /* bit of a direction: its opening was read, or given up */
	uint8_t packets[2];           /* looked at in vain, per direction */
	uint8_t read;                 /* bit of a direction: its opening was read to the end */
	bool awaits_status;           /* HTTP: a request is out */
	bool exchange;                /* HTTP: the answer to it has begun */
	uint8_t track_known;          /* TLS: bit of a direction: track_next is set */
	struct nj_stream stream[2];
	union {
		struct {
			struct nj_tls_track track;
			uint32_t track_next[2]; /* sequence number the tracker expects */
		};
		struct {
			uint64_t request_from, response_from; /* payload bytes of a side before it began */
			uint64_t request_bytes;
			uint32_t body_next; /* sequence number at which a POST's body goes on */
			bool posted;        /* the request under way is a POST that is followed */
			bool is_mcp;        /* its head has headers of the Model Context Protocol */
			struct nj_json_rpc rpc;
		};
		struct {
			uint8_t quic_id[NJ_QUIC_ID_MAX]; /* of the client's first Initial: its keys are made of it */
			uint8_t quic_id_bytes;
			bool quic_keyed;
		};
		struct {
			uint16_t rpc_segments; /* of the client, looked at */
			uint8_t rpc_bound;     /* interface its calls go to (sensor/rpc.h) */
		};
	};
	struct nj_dialogue dialogue; /* last: not cleared as a whole */
};
static_assert(sizeof(struct nj_inspection) <= 704, "one a flow that is followed; sensor/inspect.h says so");

struct nj_inspect {
	struct nj_flows *flows;
	struct nj_note *note;
	struct nj_stream_pool buffers;
	struct nj_inspection *state;
	uint32_t states_max, free, oldest, newest;
	uint64_t gave_up;
	struct nj_aes *aes;
	uint8_t plain[NJ_QUIC_PLAIN_MAX]; /* of the packet at hand */
};

/* One call's worth of context. */
struct nj_look {
	struct nj_inspect *in;
	struct nj_inspection *state;
	struct nj_flow_hot *hot;
	struct nj_flow *flow;
	const struct nj_packet *packet;
	unsigned side;
	unsigned direction;
	uint32_t fresh_bytes;
	const uint8_t *viewed; /* what deciding has already put in order of this packet, or NULL */
	size_t viewed_size;
};

/* Whose packets are wanted from now on. */
void nj_look_want(struct nj_flow_hot *hot, bool from_client, bool from_server);

/* Gives the state back: nothing is left to learn. */
void nj_look_release(struct nj_inspect *in, struct nj_flow_hot *hot, struct nj_flow *flow);

/* --- the opening bytes of a direction --- */

uint32_t nj_look_sequence(const struct nj_packet *packet); /* of the first payload byte */

/* Where the direction's first byte stands: behind its SYN, or, that not seen, here. */
uint32_t nj_look_first_sequence(const struct nj_look *look);
bool nj_look_saw_start(const struct nj_look *look);

static inline bool nj_look_at_port(const struct nj_flow *flow, uint16_t port)
{
	return flow->key.port[0] == port || flow->key.port[1] == port;
}

static inline bool nj_look_is_done(const struct nj_look *look)
{
	return look->state->done >> look->direction & 1;
}

void nj_look_direction_done(struct nj_look *look);

/* The bytes in order so far, if this packet brought any. *borrowed until* the packet's end. */
const uint8_t *nj_look_view(struct nj_look *look, size_t *ret_size);

/* Another packet went by without a verdict. */
void nj_look_in_vain(struct nj_look *look);

/* Of the view, *used* bytes are read; the rest is kept for the next packet. */
void nj_look_keep(struct nj_look *look, const uint8_t *data, size_t size, size_t used);

/* Shows the opening of a direction to its parser until that has a verdict; true when the parser read it to the end just
 * now. */
bool nj_look_opening(struct nj_look *look,
		     enum nj_parse (*parse)(struct nj_look *look, const uint8_t *data, size_t size));

/* --- requests and answers --- */

void nj_look_dialogue_begin(struct nj_look *look,
			    uint16_t flags); /* enum nj_exchange_flag that hold for the whole flow */
void nj_look_dialogue(struct nj_look *look, uint64_t t_ns, bool from_client, uint32_t bytes);
void nj_look_dialogue_tell(struct nj_inspect *in, const struct nj_flow_hot *hot, const struct nj_flow *flow,
			   struct nj_inspection *state); /* if there is news */

/* --- one kind each --- */

void nj_look_tls_begin(struct nj_look *look);
bool nj_look_is_hello(const struct nj_packet *packet); /* its payload begins with a ClientHello */
void nj_look_tls_begin_late(struct nj_look *look);     /* the client's packet begins with one, after other talk */
void nj_look_tls(struct nj_look *look);
void nj_look_tls_finish(struct nj_look *look);
void nj_look_ssh(struct nj_look *look);
void nj_look_http_begin(struct nj_look *look);
void nj_look_http(struct nj_look *look);

/* Windows administration, by its ports or by its first bytes. */
bool nj_look_is_rpc(const struct nj_look *look, const uint8_t *data, size_t size);
void nj_look_rpc_begin(struct nj_look *look);
void nj_look_rpc(struct nj_look *look);
void nj_look_http_finish(struct nj_look *look);
void nj_look_quic_begin(struct nj_look *look);
void nj_look_quic(struct nj_look *look);
void nj_look_quic_tell(struct nj_look *look, uint64_t t_ns); /* a window closes at t_ns */
void nj_look_quic_finish(struct nj_look *look);
void nj_look_message(struct nj_look *look);
void nj_look_datagram(struct nj_look *look);

#endif
