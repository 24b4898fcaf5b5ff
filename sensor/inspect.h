/* The payload of a flow, shown to the parsers that want it: TLS, SSH and HTTP by what the first bytes are, QUIC by its
 * first datagram, DNS and Kerberos by their ports and what the bytes are. What they find goes to sensor/note.h. A flow
 * whose payload nobody knows costs one look at its first bytes, and one at how each of the client's next dozen packets
 * begins, for TLS may come later (STARTTLS, SOCKS). State is taken from a pool when there is something to follow, and
 * given back as soon as nothing is left to learn. The bits NJ_FLOW_INSPECT of the hot line say whose payload is wanted,
 * so that the bulk of a transfer never comes here; only TLS, QUIC and the POSTs of HTTP are followed through, for
 * requests and exchanges (10 to 30 ns a packet).
 *
 * When all states are taken the flow whose inspection began first gives up its own, counted. Memory: 704 B a state, of
 * it 368 for exchanges, and 16.6 kB a reassembly buffer, one for four states. Used by one worker's thread. */
#ifndef NJ_SENSOR_INSPECT_H
#define NJ_SENSOR_INSPECT_H

#include "sensor/note.h"
#include "sensor/packet.h"

struct nj_inspect;

uint64_t nj_inspect_memory_bytes(uint32_t states_max);

/* *keeps* both pointers. NJ_ERR_MEMORY. */
NJ_MUST_CHECK int nj_inspect_new(uint32_t states_max, struct nj_flows *flows, struct nj_note *note,
				 struct nj_inspect **ret_inspect);
void nj_inspect_free(struct nj_inspect **inspect);

/* A flow begins with this packet: sets its bits NJ_FLOW_INSPECT. */
void nj_inspect_open(struct nj_flow_hot *hot, const struct nj_packet *packet);

/* A packet with captured payload from a side whose bit is set, already counted; *fresh_bytes* of its payload were new.
 */
void nj_inspect_packet(struct nj_inspect *inspect, struct nj_flow_hot *hot, struct nj_flow *flow, unsigned side,
		       const struct nj_packet *packet, uint32_t fresh_bytes);

/* A window in which the flow spoke closes at *t_ns*: the exchange under way is told as far as it has come. */
void nj_inspect_tell(struct nj_inspect *inspect, struct nj_flow_hot *hot, struct nj_flow *flow, uint64_t t_ns);

/* The flow is over: what was under way is told, its state given back. */
void nj_inspect_finish(struct nj_inspect *inspect, struct nj_flow_hot *hot, struct nj_flow *flow);

/* Inspections given up because the pool was empty. */
uint64_t nj_inspect_gave_up(const struct nj_inspect *inspect);

/* Openings that could not be followed because every reassembly buffer was in use. */
uint64_t nj_inspect_no_buffer(const struct nj_inspect *inspect);

#endif
