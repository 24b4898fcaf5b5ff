/* QUIC: the client's Initials are opened until its ClientHello is whole, however it is cut over frames, packets and
 * datagrams; afterwards datagrams with short headers are followed like records.
 *
 * Keys are made of the connection id in the client's first Initial, also for its later ones, which carry the id that
 * the server chose. After a Retry they are made anew, of the id in the Retry: so an Initial that the old keys do not
 * fit is tried once more with its own. */
#include "sensor/look.h"
#include "sensor/quic.h"

#define COALESCED_MAX 8             /* packets looked at in one datagram */
#define HELLO_NS_MAX  1000000000ull /* a hello that is not whole by then counts as unread */
#define FRAMES_MAX    96            /* CRYPTO frames in one packet; a browser that scatters its hello makes some ten */

struct pieces {
	struct nj_quic_crypto piece[FRAMES_MAX];
	unsigned n;
};

static void adopt(struct nj_inspection *s, const struct nj_quic_packet *packet)
{
	memcpy(s->quic_id, packet->dcid, packet->dcid_bytes);
	s->quic_id_bytes = packet->dcid_bytes;
	s->quic_keyed = true;
}

static bool open_with(struct nj_inspect *in, const uint8_t *id, size_t id_bytes, const uint8_t *data,
		      const struct nj_quic_packet *packet, size_t *ret_size)
{
	struct nj_quic_keys keys;
	nj_quic_initial_keys(packet->version, id, id_bytes, true, &keys);
	return nj_quic_open(in->aes, &keys, data, packet, in->plain, ret_size);
}

static bool initial_open(struct nj_look *l, const uint8_t *data, const struct nj_quic_packet *packet, size_t *ret_size)
{
	struct nj_inspection *s = l->state;
	if (!s->quic_keyed)
		adopt(s, packet);
	if (open_with(l->in, s->quic_id, s->quic_id_bytes, data, packet, ret_size))
		return true;
	bool same = packet->dcid_bytes == s->quic_id_bytes && memcmp(packet->dcid, s->quic_id, s->quic_id_bytes) == 0;
	if (same || !open_with(l->in, packet->dcid, packet->dcid_bytes, data, packet, ret_size))
		return false;
	adopt(s, packet);
	nj_stream_end(&s->stream[NJ_CLIENT], &l->in->buffers);
	nj_stream_begin(&s->stream[NJ_CLIENT], 0);
	return true;
}

/* The frames of a packet ascending by offset: scattered ones then fall into place without holes. */
static void gather(const uint8_t *plain, size_t size, struct pieces *ret_pieces)
{
	struct nj_cursor frames = nj_cursor_make(plain, size);
	struct nj_quic_crypto next;
	ret_pieces->n = 0;
	while (ret_pieces->n < FRAMES_MAX && nj_quic_crypto_next(&frames, &next)) {
		unsigned at = ret_pieces->n++;
		for (; at > 0 && ret_pieces->piece[at - 1].offset > next.offset; at--)
			ret_pieces->piece[at] = ret_pieces->piece[at - 1];
		ret_pieces->piece[at] = next;
	}
}

static void give_up(struct nj_look *l)
{
	nj_note_quic_unread(l->in->note, l->hot, l->flow);
	nj_look_direction_done(l);
}

/* Adds a piece of the handshake; true: the hello was read or given up. */
static bool piece_add(struct nj_look *l, const struct nj_quic_crypto *piece)
{
	struct nj_client_hello *hello = &l->in->note->scratch.client_hello;
	struct nj_stream *stream = &l->state->stream[NJ_CLIENT];
	size_t size = 0;
	if (piece->offset >= NJ_STREAM_BYTES_MAX || piece->size == 0)
		return false;
	const uint8_t *view = nj_stream_view(stream, &l->in->buffers, (uint32_t)piece->offset, piece->data,
					     (uint32_t)piece->size, &size);
	if (view == NULL)
		return false;
	switch (nj_tls_client_hello_message(view, size, hello)) {
	case NJ_PARSE_DONE:
		nj_note_client_hello(l->in->note, l->hot, l->flow, hello);
		nj_look_direction_done(l);
		return true;
	case NJ_PARSE_MORE:
		if (nj_stream_keep(stream, &l->in->buffers, view, size, 0))
			return false;
		break;
	default:
		break;
	}
	give_up(l);
	return true;
}

static void initial(struct nj_look *l, const uint8_t *data, const struct nj_quic_packet *packet)
{
	struct pieces pieces;
	size_t size = 0;
	if (!initial_open(l, data, packet, &size))
		return;
	gather(l->in->plain, size, &pieces);
	for (unsigned i = 0; i < pieces.n; i++)
		if (piece_add(l, &pieces.piece[i]))
			return;
}

/* A datagram of the client, before its hello is known. */
static void handshake(struct nj_look *l)
{
	const uint8_t *at = l->packet->payload, *end = at + l->packet->payload_bytes;
	struct nj_quic_packet packet;
	if (!l->state->stream[NJ_CLIENT].started)
		nj_stream_begin(&l->state->stream[NJ_CLIENT], 0);
	for (unsigned i = 0; i < COALESCED_MAX && at < end && !nj_look_is_done(l); i++, at += packet.bytes) {
		if (!nj_quic_header(at, (size_t)(end - at), &packet))
			break;
		if (packet.type == NJ_QUIC_INITIAL)
			initial(l, at, &packet);
	}
	if (!nj_look_is_done(l) && ++l->state->packets[NJ_CLIENT] > NJ_LOOK_PACKETS_MAX)
		give_up(l);
}

void nj_look_quic_begin(struct nj_look *l)
{
	nj_look_dialogue_begin(l, NJ_EXCHANGE_ENCRYPTED);
	l->state->dialogue.small_is_control = true;
	l->state->done = 1u << NJ_SERVER; /* nothing of the server's can be read */
}

void nj_look_quic(struct nj_look *l)
{
	bool short_header = (l->packet->payload[0] & 0x80) == 0;
	if (short_header)
		nj_look_dialogue(l, l->packet->t_ns, l->direction == NJ_CLIENT, l->packet->payload_wire_bytes);
	else if (!nj_look_is_done(l))
		handshake(l);
}

void nj_look_quic_tell(struct nj_look *l, uint64_t t_ns)
{
	l->direction = NJ_CLIENT;
	if (!nj_look_is_done(l) && t_ns - l->flow->first_ns >= HELLO_NS_MAX)
		give_up(l);
}

/* A flow that ends in silence tells nothing: it would make a window for an agent that did nothing. */
void nj_look_quic_finish(struct nj_look *l)
{
	l->direction = NJ_CLIENT;
	if (!nj_look_is_done(l) && (l->hot->packets[0] | l->hot->packets[1]) != 0)
		give_up(l);
}
