/* TLS is followed through, record by record: the hellos are read from the opening bytes, requests and answers are told
 * by the records' sizes and times. */
#include "sensor/look.h"

static enum nj_parse hello_parse(struct nj_look *l, const uint8_t *data, size_t size)
{
	struct nj_note *note = l->in->note;
	enum nj_parse parsed;
	if (l->direction == NJ_CLIENT) {
		parsed = nj_tls_client_hello(data, size, &note->scratch.client_hello);
		if (parsed == NJ_PARSE_DONE)
			nj_note_client_hello(note, l->hot, l->flow, &note->scratch.client_hello);
	} else {
		parsed = nj_tls_server_hello(data, size, &note->scratch.server_hello);
		if (parsed == NJ_PARSE_DONE)
			nj_note_server_hello(note, l->flow, &note->scratch.server_hello);
	}
	return parsed;
}

static void on_record(void *context, uint64_t t_ns, bool from_client, uint32_t size)
{
	nj_look_dialogue(context, t_ns, from_client, size);
}

static void on_request_began(void *context, uint64_t t_ns)
{
	(void)t_ns;
	nj_note_request(((const struct nj_look *)context)->flow);
}

static void on_request_ended(void *context, const struct nj_tls_request *request)
{
	const struct nj_look *l = context;
	nj_note_exchange(l->in->note, l->hot, l->flow, request->request_bytes, request->response_bytes);
}

static struct nj_tls_sink tls_sink(struct nj_look *l)
{
	return (struct nj_tls_sink){.context = l,
				    .record = on_record,
				    .request_began = on_request_began,
				    .request_ended = on_request_ended};
}

/* Follows the records: what is old is left out, a hole is told as one. */
static void track(struct nj_look *l)
{
	struct nj_inspection *s = l->state;
	const struct nj_packet *packet = l->packet;
	uint32_t sequence = nj_look_sequence(packet), wire = packet->payload_wire_bytes,
		 captured = packet->payload_bytes;
	uint8_t known = (uint8_t)(1u << l->direction);
	if (!(s->track_known & known)) {
		s->track_known |= known;
		s->track_next[l->direction] = nj_look_first_sequence(l);
	}
	int32_t ahead = (int32_t)(sequence - s->track_next[l->direction]);
	uint32_t old = ahead < 0 ? -(uint32_t)ahead : 0;
	if (old >= wire)
		return;
	if (ahead > 0)
		nj_tls_track_gap(&s->track, l->direction == NJ_CLIENT, (uint32_t)ahead);
	struct nj_tls_sink sink = tls_sink(l);
	uint32_t here = captured > old ? captured - old : 0;
	nj_tls_track_push(&s->track, l->direction == NJ_CLIENT, packet->t_ns, here > 0 ? packet->payload + old : NULL,
			  here, wire - old, &sink);
	s->track_next[l->direction] = sequence + wire;
}

void nj_look_tls(struct nj_look *l)
{
	track(l);
	if (!nj_look_is_done(l))
		(void)nj_look_opening(l, hello_parse);
	if (l->state->track.record[0].state == NJ_TLS_LOST && l->state->track.record[1].state == NJ_TLS_LOST)
		nj_inspect_finish(l->in, l->hot, l->flow);
}

void nj_look_tls_begin(struct nj_look *l)
{
	bool handshake = l->packet->payload[0] == 22;
	nj_tls_track_init(&l->state->track, !nj_look_saw_start(l) && !handshake);
	nj_look_dialogue_begin(l, NJ_EXCHANGE_ENCRYPTED);
}

bool nj_look_is_hello(const struct nj_packet *packet)
{
	const uint8_t *p = packet->payload;
	return packet->payload_bytes >= 6 && p[0] == 22 && p[1] == 3 && p[2] <= 4 && p[5] == 1;
}

/* Both directions begin anew here: the client's with this packet, the server's behind all it has sent so far. */
void nj_look_tls_begin_late(struct nj_look *l)
{
	struct nj_inspection *s = l->state;
	uint32_t next[2];
	next[NJ_CLIENT] = nj_look_sequence(l->packet);
	next[NJ_SERVER] = l->hot->next_sequence[!l->side];
	s->kind = NJ_LOOK_TLS;
	s->done = s->read = 0;
	memset(s->packets, 0, sizeof s->packets);
	nj_tls_track_init(&s->track, false);
	s->track_known = 3;
	for (unsigned direction = 0; direction < 2; direction++) {
		nj_stream_end(&s->stream[direction], &l->in->buffers);
		nj_stream_begin(&s->stream[direction], next[direction]);
		s->track_next[direction] = next[direction];
	}
	nj_look_want(l->hot, true, true);
	nj_look_dialogue_begin(l, NJ_EXCHANGE_ENCRYPTED | NJ_EXCHANGE_TUNNELLED);
}

void nj_look_tls_finish(struct nj_look *l)
{
	struct nj_tls_sink sink = tls_sink(l);
	nj_tls_track_finish(&l->state->track, &sink);
}
