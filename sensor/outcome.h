/* What became of an attempt to open a conversation, and which end is the client: pure functions over a flow's state
 * bits (sensor/flow.h).
 *
 * An opening is a TCP segment with SYN and without ACK; one without ACK at all, which no conversation under way
 * contains (NULL, FIN and Xmas probes); and the first packet of anything but TCP. It is *pending* until answered
 * payload or FIN came after the opening, or the handshake stood when answer_s was over; else than TCP: anything came
 * back refused     RST from the server before its SYN+ACK, or an ICMP error that names the flow reset       RST from
 * either side after the SYN+ACK and before payload: a half-open probe unanswered  none of it within answer_s: judged at
 * the end of the first window that ends no earlier, and when the flow falls silent A TCP flow first seen in its middle
 * is *midstream* and has no other outcome. */
#ifndef NJ_SENSOR_OUTCOME_H
#define NJ_SENSOR_OUTCOME_H

#include "sensor/flow.h"
#include "sensor/sink.h"

/* The side that is the client, by the first packet, which *side* sent. TCP: who sent SYN is, who sent SYN+ACK is not.
 * Otherwise the sender is, unless only it has a well-known port (below 1024), or, of a TCP flow in its middle, the
 * lower port. */
unsigned nj_outcome_client(const struct nj_packet *packet, unsigned side);

/* Is this first packet an opening whose outcome is to be awaited? */
bool nj_outcome_is_opening(const struct nj_packet *packet);

/* A SYN that begins another conversation with the same key: its sender was heard before with another initial sequence
 * number. */
bool nj_outcome_starts_anew(const struct nj_flow_hot *hot, const struct nj_flow *flow, unsigned side,
			    const struct nj_packet *packet);

/* A packet's effect on the state; the outcome that became known by it, NJ_OUTCOME_NONE mostly. */
enum nj_outcome nj_outcome_packet(struct nj_flow_hot *hot, unsigned side, const struct nj_packet *packet);

/* The outcome of a flow still pending when its time is up. */
enum nj_outcome nj_outcome_overdue(const struct nj_flow_hot *hot);

#endif
