/* The flow table: which conversation a packet belongs to, and what a packet changes in it. One table a worker, used by
 * the worker's thread alone.
 *
 * A packet touches one 64-byte line, the flow's *hot* part, found by a keyed 128-bit hash of its key: the hash is the
 * identity, the key itself is compared nowhere on the way. Two of 2^20 flows that live at once share a hash with a
 * chance of 2^-89, and who does not know the hash key cannot look for such a pair. All else stands in the *cold* part,
 * touched when a flow opens, once a window, and when something rare happens.
 *
 * A flow is known by its cold part's index, which is stable; the hot part moves when a neighbour in the hash table is
 * removed. Memory: 64 B * 4/3 + 320 B + 16 B a flow, all reserved at start and never initialised as a whole: zero bytes
 * are an empty table. Cost of a look-up: one hash, then one or two lines. */
#ifndef NJ_SENSOR_FLOW_H
#define NJ_SENSOR_FLOW_H

#include "common/hash.h"
#include "sensor/echo.h"
#include "sensor/packet.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#define NJ_FLOW_NONE       UINT32_MAX
#define NJ_FLOW_GAPS_MAX   2 /* holes in the sequence remembered per direction */
#define NJ_FLOW_BURSTS_MAX 4
#define NJ_FLOW_NO_PAUSE   UINT16_MAX /* a window is at most 65,000 ms wide */
#define NJ_FLOW_SPILL_BYTES                                                                                            \
	(1u << 30) /* a window counter of the hot part goes to the cold part here, so that 32 bits suffice */

/* Bits of nj_flow_hot.state. A pair of bits belongs to side 0 and side 1: shift by the side. */
enum nj_flow_state {
	NJ_FLOW_CLIENT_1 = 1 << 0,  /* side 1 is the client, else side 0 */
	NJ_FLOW_SEEN = 1 << 1,      /* pair: a packet came from this side */
	NJ_FLOW_SEQUENCE = 1 << 3,  /* pair: next_sequence is known */
	NJ_FLOW_GAP = 1 << 5,       /* pair: the cold part knows of holes */
	NJ_FLOW_FIN = 1 << 7,       /* pair */
	NJ_FLOW_INSPECT = 1 << 9,   /* pair: parsers want more of this side's payload */
	NJ_FLOW_BEGAN = 1 << 11,    /* pair: its SYN was seen, so initial_sequence is the first byte's, less one */
	NJ_FLOW_SYN_ACK = 1 << 13,  /* the server agreed, as far as is known */
	NJ_FLOW_CLOSED = 1 << 14,   /* FIN both ways or RST: lingers for late packets */
	NJ_FLOW_TOUCHED = 1 << 15,  /* has something to tell in this window */
	NJ_FLOW_CLASSIFY = 1 << 16, /* nDPI wants more of its packets */
	NJ_FLOW_PENDING = 1 << 17,  /* opened, outcome not yet known */
	NJ_FLOW_TCP = 1 << 18,
	NJ_FLOW_ENDED = 1 << 19,     /* its end was counted */
	NJ_FLOW_IDLE_SHIFT = 20,     /* two bits: enum nj_flow_idle */
	NJ_FLOW_ONE_SIDED = 1 << 22, /* was counted as seen from one side only */
};

enum nj_flow_idle { NJ_IDLE_TCP, NJ_IDLE_UDP, NJ_IDLE_ICMP, NJ_IDLE_CLOSED, NJ_IDLE_N };

struct nj_flow_hot {
	struct nj_hash128 id;
	uint64_t last_ns;          /* of the last packet */
	uint32_t next_sequence[2]; /* per side: highest TCP sequence seen, plus one */
	uint32_t packets[2];       /* per side, of this window */
	uint32_t bytes[2];         /* payload without retransmissions, of this window */
	uint32_t wire_bytes[2];    /* of this window */
	uint32_t state;            /* enum nj_flow_state */
	uint32_t flow;             /* index of the cold part, 1 and up; 0: empty slot */
};
static_assert(sizeof(struct nj_flow_hot) == 64, "one cache line a flow and packet");

struct nj_flow_gap {
	uint32_t start, end; /* sequence numbers, end excluded; equal: none */
};

/* What identifies a flow: both ends in an order that both directions share. Hashed as bytes: no padding. */
struct nj_flow_key {
	struct nj_addr addr[2];
	uint16_t port[2];
	nj_segment segment;
	uint32_t protocol;
	uint32_t reserved;
	uint64_t about; /* ICMP errors: hash of the address pair they speak of, else 0 */
};
static_assert(sizeof(struct nj_flow_key) == 56, "hashed as bytes, so without padding");

/* Bits of nj_flow.window_flags: told once, in the window in which it happened. */
enum nj_flow_news { NJ_NEWS_OPENED = 1, NJ_NEWS_OUTCOME = 2, NJ_NEWS_MIDSTREAM = 4, NJ_NEWS_CLIENT = 8 };

/* Laid out by when it is touched: the first three lines once a window, the fourth when the flow opens, the rest rarely.
 */
struct nj_flow {
	struct nj_flow_key key;
	uint32_t addr_hash[2]; /* of segment and address, per side: finds the agent in the ledger */

	/* this window */
	uint64_t window_ns;  /* first packet */
	uint64_t outcome_ns; /* when the outcome became known */
	uint64_t risks;      /* nDPI risk bits */
	uint32_t retransmitted_window;
	uint32_t requests_window;
	uint16_t burst_ms[NJ_FLOW_BURSTS_MAX]; /* offsets in the window at which its first bursts began */
	uint16_t pause_ms[NJ_FLOW_BURSTS_MAX]; /* at which the burst before each of them ended, or NJ_FLOW_NO_PAUSE */
	uint8_t bursts;       /* all of them: a second lies between two, and a window is 65 s at most */
	uint8_t news;         /* enum nj_flow_news */
	uint8_t facts;        /* enum nj_flow_fact of sensor/note.h */
	uint8_t external;     /* bit of a side: outside the home networks */
	uint8_t no_agent;     /* side + 1 that is a broadcast address; 0 none */
	uint8_t outcome;      /* enum nj_outcome */
	uint16_t label;       /* sensor/classify.h; 0 unknown */
	uint16_t icmp;        /* type << 8 | code of the first packet */
	uint8_t spilled;      /* spilled_* below are in use */
	uint8_t client_kind;  /* enum nj_client_kind of client text or fingerprint, 0 none */
	uint32_t server_name; /* names are in sensor/text.h; 0 none */

	/* totals, up to the last window */
	uint64_t packets[2], bytes[2], wire_bytes[2]; /* per side */
	uint64_t retransmitted;
	uint32_t requests;
	uint32_t touched_at; /* place in the list of touched flows */

	/* life */
	uint64_t first_ns;
	uint32_t ndpi;       /* state in sensor/classify.h, or NJ_FLOW_NONE */
	uint32_t inspection; /* state in sensor/inspect.h, or NJ_FLOW_NONE */
	uint32_t initial_sequence[2];
	uint8_t end_reason;   /* enum nj_flow_end */
	uint8_t ndpi_packets; /* shown to nDPI */
	uint8_t seen_start;
	uint8_t passed; /* payload packets of the client since its first bytes meant nothing to parsers, plus one */
	uint32_t client_text, fingerprint, hassh_server, alpn, dns_name;
	uint16_t tls_version, tls_cipher, dns_type;

	_Alignas(64) union {
		struct nj_flow_gap gap[2][NJ_FLOW_GAPS_MAX]; /* TCP, per side; valid while its bit NJ_FLOW_GAP is set */
		struct nj_echo echo;                         /* ICMP */
	};
	uint64_t spilled_bytes[2],
		spilled_wire_bytes[2]; /* of this window, moved here before the hot counters overflow */
};
static_assert(offsetof(struct nj_flow, window_ns) == 64, "the key fills a line");
static_assert(offsetof(struct nj_flow, packets) == 128, "what a window touches fills a line");
static_assert(offsetof(struct nj_flow, first_ns) == 192, "totals fill a line");
static_assert(offsetof(struct nj_flow, gap) == 256, "what an opening touches fills a line");
static_assert(sizeof(struct nj_flow) == 320, "one a flow: 200,000 of them by default");

struct nj_flows_options {
	uint32_t flows_max;
	uint64_t idle_ns[NJ_IDLE_N];
	uint64_t width_ns; /* of a window: the step of the expiry wheel */
};

struct nj_flows {
	struct nj_flow_hot *hot;
	struct nj_flow *flow;
	uint32_t *slot;     /* of each flow's hot part */
	uint32_t *due_next; /* of each flow: the next one in its slot of the expiry wheel */
	uint32_t *free;     /* stack of cold indices given back; those from fresh on were never used */
	uint32_t *touched;  /* flows with something to tell in this window */
	uint32_t *wheel;    /* first flow of each slot, by window of its earliest end */
	uint32_t slots, flows_max, free_n, fresh, touched_n, wheel_slots;
	uint64_t wheel_now; /* window number up to which the wheel was worked off */
	uint64_t idle_ns[NJ_IDLE_N], idle_min_ns;
	uint64_t width_ns;
};

uint64_t nj_flows_memory_bytes(const struct nj_flows_options *options);
NJ_MUST_CHECK int nj_flows_init(struct nj_flows *flows, const struct nj_flows_options *options); /* NJ_ERR_MEMORY */
void nj_flows_fini(struct nj_flows *flows);

static inline uint32_t nj_flows_n(const struct nj_flows *flows)
{
	return flows->fresh - 1 - flows->free_n;
}

/* The key of a packet's flow; *ret_side* is the side that sent it. *about*: see struct nj_flow_key. */
void nj_flow_key_make(const struct nj_packet *packet, uint64_t about, struct nj_flow_key *ret_key, unsigned *ret_side);

/* *returns borrowed until* the next add or remove; NULL: not there. */
struct nj_flow_hot *nj_flows_find(struct nj_flows *flows, struct nj_hash128 id);

/* Reads the line where the search would begin, so that it is at hand soon; the value means nothing. */
uint32_t nj_flows_call(const struct nj_flows *flows, struct nj_hash128 id);

/* Makes a flow that find did not find; zeroed but for key, id and times. NULL when the table is full: end
 * nj_flows_oldest() first. */
struct nj_flow_hot *nj_flows_add(struct nj_flows *flows, struct nj_hash128 id, const struct nj_flow_key *key,
				 uint64_t t_ns);

/* Starts the flow anew in its place, for a new conversation with the same key. */
void nj_flows_restart(struct nj_flows *flows, struct nj_flow_hot *hot, uint64_t t_ns);

/* A flow that nj_flows_expired() or nj_flows_oldest() gave, and no longer in the touched list. */
void nj_flows_remove(struct nj_flows *flows, struct nj_flow_hot *hot);

static inline struct nj_flow_hot *nj_flows_hot(struct nj_flows *flows, uint32_t flow)
{
	return &flows->hot[flows->slot[flow]];
}

static inline enum nj_flow_idle nj_flow_idle(uint32_t state)
{
	return (enum nj_flow_idle)(state >> NJ_FLOW_IDLE_SHIFT & 3);
}

/* When silence ends this flow. */
static inline uint64_t nj_flows_due_ns(const struct nj_flows *flows, const struct nj_flow_hot *hot)
{
	return hot->last_ns + flows->idle_ns[nj_flow_idle(hot->state)];
}

/* Of this window, spilled ones included; per side. */
static inline uint64_t nj_flow_window_bytes(const struct nj_flow_hot *hot, const struct nj_flow *flow, unsigned side)
{
	return hot->bytes[side] + (flow->spilled ? flow->spilled_bytes[side] : 0);
}

static inline uint64_t nj_flow_window_wire_bytes(const struct nj_flow_hot *hot, const struct nj_flow *flow,
						 unsigned side)
{
	return hot->wire_bytes[side] + (flow->spilled ? flow->spilled_wire_bytes[side] : 0);
}

/* Of sixteen flows that are looked at for their silence next, the one that would end first: the one to evict. Closed
 * flows and unanswered attempts go before established ones. Table not empty. */
uint32_t nj_flows_oldest(struct nj_flows *flows);

/* Takes flows whose silence is over before window *window* ends, one a call; NJ_FLOW_NONE: all taken. The caller ends
 * and removes each. Windows come in ascending order. */
uint32_t nj_flows_expired(struct nj_flows *flows, uint64_t window);

void nj_flows_touch(struct nj_flows *flows, struct nj_flow_hot *hot);
void nj_flows_untouch(struct nj_flows *flows, struct nj_flow_hot *hot);

/* Payload bytes of a TCP segment that were not there before: what lies beyond the highest sequence seen, and what fills
 * one of the last NJ_FLOW_GAPS_MAX holes of the direction. The rest is retransmission. A segment 2^30 or more away is
 * another series: all of it counts. */
uint32_t nj_flow_new_bytes(struct nj_flow_hot *hot, struct nj_flow *flow, unsigned side, uint32_t sequence,
			   uint32_t size);

#endif
