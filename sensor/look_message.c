/* DNS and Kerberos: one length-prefixed message after another over TCP, one a datagram over UDP. */
#include "sensor/look.h"

static enum nj_parse message_parse(struct nj_look *l, const uint8_t *data, size_t size, size_t *ret_used)
{
	struct nj_note *note = l->in->note;
	enum nj_parse parsed;
	if (l->state->kind == NJ_LOOK_DNS) {
		parsed = nj_dns_stream(data, size, &note->scratch.dns, ret_used);
		if (parsed == NJ_PARSE_DONE)
			nj_note_dns(note, l->hot, l->flow, l->direction == NJ_CLIENT, &note->scratch.dns);
		else if (parsed == NJ_PARSE_NO)
			nj_note_dns_malformed(note, l->hot, l->flow);
		return parsed;
	}
	parsed = nj_kerberos_stream(data, size, &note->scratch.kerberos, ret_used);
	if (parsed == NJ_PARSE_DONE)
		nj_note_kerberos(note, l->hot, l->flow, &note->scratch.kerberos);
	return parsed;
}

/* One length-prefixed message after another. */
void nj_look_message(struct nj_look *l)
{
	size_t size, at = 0, used = 0;
	if (nj_look_is_done(l))
		return;
	const uint8_t *data = nj_look_view(l, &size);
	if (data == NULL) {
		nj_look_in_vain(l);
	} else {
		enum nj_parse parsed = NJ_PARSE_MORE;
		while (at < size && (parsed = message_parse(l, data + at, size - at, &used)) == NJ_PARSE_DONE) {
			at += used;
			l->state->packets[l->direction] = 0;
		}
		if (parsed == NJ_PARSE_NO)
			nj_look_direction_done(l);
		else
			nj_look_keep(l, data, size, at);
	}
	if (l->state->done == 3)
		nj_look_release(l->in, l->hot, l->flow);
}

void nj_look_datagram(struct nj_look *l)
{
	struct nj_note *note = l->in->note;
	const struct nj_packet *packet = l->packet;
	if (nj_look_at_port(l->flow, NJ_PORT_KERBEROS)) {
		if (nj_kerberos_datagram(packet->payload, packet->payload_bytes, &note->scratch.kerberos) ==
		    NJ_PARSE_DONE)
			nj_note_kerberos(note, l->hot, l->flow, &note->scratch.kerberos);
		return;
	}
	if (nj_dns_datagram(packet->payload, packet->payload_bytes, &note->scratch.dns) == NJ_PARSE_DONE)
		nj_note_dns(note, l->hot, l->flow, l->direction == NJ_CLIENT, &note->scratch.dns);
	else
		nj_note_dns_malformed(note, l->hot, l->flow);
}
