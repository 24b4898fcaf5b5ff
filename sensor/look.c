/* Openings (hellos, heads, banners, messages) are read from sensor/stream.h, at most NJ_LOOK_PACKETS_MAX packets long.
 */
#include "sensor/look.h"

void nj_look_want(struct nj_flow_hot *hot, bool from_client, bool from_server)
{
	unsigned client = (hot->state & NJ_FLOW_CLIENT_1) != 0;
	hot->state &= ~(3u * NJ_FLOW_INSPECT);
	hot->state |= (uint32_t)(from_client ? NJ_FLOW_INSPECT : 0) << client;
	hot->state |= (uint32_t)(from_server ? NJ_FLOW_INSPECT : 0) << !client;
}

uint32_t nj_look_sequence(const struct nj_packet *packet)
{
	return packet->tcp_sequence + ((packet->tcp_flags & NJ_TCP_SYN) != 0);
}

bool nj_look_saw_start(const struct nj_look *l)
{
	return (l->hot->state & (uint32_t)NJ_FLOW_BEGAN << l->side) != 0;
}

uint32_t nj_look_first_sequence(const struct nj_look *l)
{
	return nj_look_saw_start(l) ? l->flow->initial_sequence[l->side] + 1 : nj_look_sequence(l->packet);
}

void nj_look_direction_done(struct nj_look *l)
{
	l->state->done |= (uint8_t)(1u << l->direction);
	nj_stream_end(&l->state->stream[l->direction], &l->in->buffers);
}

const uint8_t *nj_look_view(struct nj_look *l, size_t *ret_size)
{
	struct nj_stream *stream = &l->state->stream[l->direction];
	if (l->viewed != NULL) {
		*ret_size = l->viewed_size;
		return l->viewed;
	}
	if (!stream->started)
		nj_stream_begin(stream, nj_look_first_sequence(l));
	return nj_stream_view(stream, &l->in->buffers, nj_look_sequence(l->packet), l->packet->payload,
			      l->packet->payload_bytes, ret_size);
}

void nj_look_in_vain(struct nj_look *l)
{
	if (++l->state->packets[l->direction] > NJ_LOOK_PACKETS_MAX)
		nj_look_direction_done(l);
}

void nj_look_keep(struct nj_look *l, const uint8_t *data, size_t size, size_t used)
{
	if (!nj_stream_keep(&l->state->stream[l->direction], &l->in->buffers, data, size, used))
		nj_look_direction_done(l);
	else
		nj_look_in_vain(l);
}

bool nj_look_opening(struct nj_look *l, enum nj_parse (*parse)(struct nj_look *l, const uint8_t *data, size_t size))
{
	size_t size;
	if (nj_look_is_done(l))
		return false;
	const uint8_t *data = nj_look_view(l, &size);
	if (data == NULL) {
		nj_look_in_vain(l);
		return false;
	}
	switch (parse(l, data, size)) {
	case NJ_PARSE_DONE:
		l->state->read |= (uint8_t)(1u << l->direction);
		nj_look_direction_done(l);
		return true;
	case NJ_PARSE_MORE:
		nj_look_keep(l, data, size, 0);
		return false;
	default:
		nj_look_direction_done(l);
		return false;
	}
}

void nj_look_dialogue_begin(struct nj_look *l, uint16_t flags)
{
	if (!l->flow->seen_start)
		flags |= NJ_EXCHANGE_MIDSTREAM;
	nj_dialogue_init(&l->state->dialogue, flags);
}

void nj_look_dialogue_tell(struct nj_inspect *in, const struct nj_flow_hot *hot, const struct nj_flow *flow,
			   struct nj_inspection *state)
{
	if (state->dialogue.news)
		nj_note_dialogue(in->note, hot, flow, &state->dialogue);
}

void nj_look_dialogue(struct nj_look *l, uint64_t t_ns, bool from_client, uint32_t bytes)
{
	struct nj_dialogue *dialogue = &l->state->dialogue;
	if (dialogue->news && nj_dialogue_begins(dialogue, t_ns, from_client, bytes))
		nj_look_dialogue_tell(l->in, l->hot, l->flow, l->state);
	nj_dialogue_add(dialogue, t_ns, from_client, bytes);
}
