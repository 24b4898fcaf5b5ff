/* The states of RFC 9293 matter little to a passive listener: what it needs is whether the server agreed (SYN+ACK, or
 * the client's word for it), whether data followed, and who ended it how. Captures lose packets and taps see one side,
 * so every conclusion is drawn from the weakest packet that allows it. */
#include "sensor/outcome.h"

#define WELL_KNOWN_PORTS 1024

static unsigned client_of(const struct nj_flow_hot *hot)
{
	return (hot->state & NJ_FLOW_CLIENT_1) != 0;
}

unsigned nj_outcome_client(const struct nj_packet *packet, unsigned side)
{
	bool src_known = packet->src_port < WELL_KNOWN_PORTS, dst_known = packet->dst_port < WELL_KNOWN_PORTS;
	if (packet->protocol == NJ_PROTOCOL_TCP) {
		if (packet->tcp_flags & NJ_TCP_SYN)
			return packet->tcp_flags & NJ_TCP_ACK ? !side : side;
		if (!(packet->tcp_flags & (NJ_TCP_ACK | NJ_TCP_RST)))
			return side;
		if (src_known != dst_known)
			return src_known ? !side : side;
		return packet->src_port < packet->dst_port ? !side : side;
	}
	return src_known && !dst_known ? !side : side;
}

bool nj_outcome_is_opening(const struct nj_packet *packet)
{
	if (packet->protocol != NJ_PROTOCOL_TCP)
		return !(packet->src_port < WELL_KNOWN_PORTS && packet->dst_port >= WELL_KNOWN_PORTS);
	return !(packet->tcp_flags & (NJ_TCP_ACK | NJ_TCP_RST));
}

bool nj_outcome_starts_anew(const struct nj_flow_hot *hot, const struct nj_flow *flow, unsigned side,
			    const struct nj_packet *packet)
{
	if ((packet->tcp_flags & (NJ_TCP_SYN | NJ_TCP_ACK)) != NJ_TCP_SYN)
		return false;
	return (hot->state & (uint32_t)NJ_FLOW_SEEN << side) != 0 &&
	       flow->initial_sequence[side] != packet->tcp_sequence;
}

static void idle_set(struct nj_flow_hot *hot, enum nj_flow_idle idle)
{
	hot->state = (hot->state & ~(3u << NJ_FLOW_IDLE_SHIFT)) | (uint32_t)idle << NJ_FLOW_IDLE_SHIFT;
}

static void close_flow(struct nj_flow_hot *hot)
{
	hot->state |= NJ_FLOW_CLOSED;
	idle_set(hot, NJ_IDLE_CLOSED);
}

static enum nj_outcome on_reset(struct nj_flow_hot *hot, bool from_client)
{
	close_flow(hot);
	if (!(hot->state & NJ_FLOW_PENDING))
		return NJ_OUTCOME_NONE;
	if (hot->state & NJ_FLOW_SYN_ACK)
		return NJ_OUTCOME_RESET;
	return from_client ? NJ_OUTCOME_NONE : NJ_OUTCOME_REFUSED;
}

static enum nj_outcome on_tcp(struct nj_flow_hot *hot, unsigned side, const struct nj_packet *packet)
{
	uint8_t flags = packet->tcp_flags;
	bool from_client = side == client_of(hot), pending = (hot->state & NJ_FLOW_PENDING) != 0;
	if (flags & NJ_TCP_RST)
		return on_reset(hot, from_client);
	if ((flags & NJ_TCP_ACK) && (from_client || (flags & NJ_TCP_SYN)) && !(hot->state & NJ_FLOW_SYN_ACK)) {
		/* The server's SYN+ACK, or the client's acknowledgement of one that was not captured. */
		hot->state |= NJ_FLOW_SYN_ACK;
		if (!(hot->state & NJ_FLOW_CLOSED))
			idle_set(hot, NJ_IDLE_TCP);
	}
	bool answered = pending && packet->payload_wire_bytes > 0 && !(flags & NJ_TCP_SYN) &&
			(hot->state & NJ_FLOW_SYN_ACK || !from_client);
	if (flags & NJ_TCP_FIN) {
		hot->state |= (uint32_t)NJ_FLOW_FIN << side;
		answered = answered || (pending && (hot->state & NJ_FLOW_SYN_ACK || !from_client));
		if ((hot->state & (3u * NJ_FLOW_FIN)) == 3u * NJ_FLOW_FIN)
			close_flow(hot);
	}
	return answered ? NJ_OUTCOME_ANSWERED : NJ_OUTCOME_NONE;
}

enum nj_outcome nj_outcome_packet(struct nj_flow_hot *hot, unsigned side, const struct nj_packet *packet)
{
	if (hot->state & NJ_FLOW_TCP)
		return on_tcp(hot, side, packet);
	if ((hot->state & NJ_FLOW_PENDING) && side != client_of(hot))
		return NJ_OUTCOME_ANSWERED;
	return NJ_OUTCOME_NONE;
}

enum nj_outcome nj_outcome_overdue(const struct nj_flow_hot *hot)
{
	return (hot->state & NJ_FLOW_TCP) && (hot->state & NJ_FLOW_SYN_ACK) ? NJ_OUTCOME_ANSWERED
									    : NJ_OUTCOME_UNANSWERED;
}
