/* A flow goes through three states: undecided until its first bytes in order tell what it is, followed while parsers can
 * learn more, let go. Which it is shows in the bits NJ_FLOW_INSPECT alone, so that a packet nobody wants never comes here.
 * Openings (hellos, heads, banners, messages) are read from sensor/stream.h, at most OPENING_PACKETS_MAX packets long;
 * afterwards TLS is followed by record lengths, HTTP by who speaks next. */
#include "sensor/inspect.h"

#include "sensor/stream.h"
#include "sensor/tls_record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STATES_OF_BUFFER    4
#define OPENING_PACKETS_MAX 24 /* with payload of one direction, without a verdict: a hello of 16 kB takes 12 */
#define STATUS_PACKETS_MAX  4
#define SNIFF_BYTES_MIN     4
#define STATUS_FINAL        200 /* below: more will follow */
#define STATUS_SWITCHING    101

enum { DNS_PORT = 53, MDNS_PORT = 5353, LLMNR_PORT = 5355, KERBEROS_PORT = 88 };
enum { CLIENT = 0, SERVER = 1 }; /* directions: who sends */
enum protocol { NOTHING, UNDECIDED, TLS, SSH, HTTP, DNS, KERBEROS };

struct inspection {
	uint32_t owner, older, newer; /* in order of beginning; free ones are linked by newer */
	uint8_t protocol;
	uint8_t done;        /* bit of a direction: its opening was read, or given up */
	uint8_t packets[2];  /* looked at in vain, per direction */
	uint8_t read;        /* bit of a direction: its opening was read to the end */
	bool awaits_status;  /* HTTP: a request is out */
	bool exchange;       /* HTTP: the answer to it has begun */
	uint8_t track_known; /* TLS: bit of a direction: track_next is set */
	struct nj_stream stream[2];
	union {
		struct {
			struct nj_tls_track track;
			uint32_t track_next[2]; /* sequence number the tracker expects */
		};
		struct {
			uint64_t request_from, response_from; /* payload bytes of a side before it began */
			uint64_t request_bytes;
		};
	};
};

struct nj_inspect {
	struct nj_flows *flows;
	struct nj_note *note;
	struct nj_stream_pool buffers;
	struct inspection *state;
	uint32_t states_max, free, oldest, newest;
	uint64_t gave_up;
};

/* One call's worth of context. */
struct look {
	struct nj_inspect *in;
	struct inspection *state;
	struct nj_flow_hot *hot;
	struct nj_flow *flow;
	const struct nj_packet *packet;
	unsigned side;
	unsigned direction;
	uint32_t fresh_bytes;
	const uint8_t *viewed; /* what deciding has already put in order of this packet, or NULL */
	size_t viewed_size;
};

static uint32_t buffers_for(uint32_t states_max)
{
	return states_max / STATES_OF_BUFFER + 4;
}

uint64_t nj_inspect_memory_bytes(uint32_t states_max)
{
	return sizeof(struct nj_inspect) + (uint64_t)states_max * sizeof(struct inspection) +
	       nj_stream_pool_memory_bytes(buffers_for(states_max));
}

int nj_inspect_new(uint32_t states_max, struct nj_flows *flows, struct nj_note *note, struct nj_inspect **ret_inspect)
{
	assert(states_max > 0);
	struct nj_inspect *in = calloc(1, sizeof *in);
	if (in == NULL)
		return NJ_ERR_MEMORY;
	*in = (struct nj_inspect){
		.flows = flows, .note = note, .states_max = states_max, .oldest = NJ_FLOW_NONE, .newest = NJ_FLOW_NONE};
	in->state = malloc((size_t)states_max * sizeof *in->state);
	if (in->state == NULL || nj_stream_pool_init(&in->buffers, buffers_for(states_max)) != NJ_OK) {
		nj_inspect_free(&in);
		return NJ_ERR_MEMORY;
	}
	for (uint32_t i = 0; i < states_max; i++)
		in->state[i].newer = i + 1 < states_max ? i + 1 : NJ_FLOW_NONE;
	*ret_inspect = in;
	return NJ_OK;
}

void nj_inspect_free(struct nj_inspect **inspect)
{
	struct nj_inspect *in = *inspect;
	if (in == NULL)
		return;
	nj_stream_pool_fini(&in->buffers);
	free(in->state);
	free(in);
	*inspect = NULL;
}

uint64_t nj_inspect_gave_up(const struct nj_inspect *in)
{
	return in->gave_up;
}

uint64_t nj_inspect_no_buffer(const struct nj_inspect *in)
{
	return in->buffers.refused;
}

/* ------------------------------------------------------------------ the pool */

static void want(struct nj_flow_hot *hot, bool from_client, bool from_server)
{
	unsigned client = (hot->state & NJ_FLOW_CLIENT_1) != 0;
	hot->state &= ~(3u * NJ_FLOW_INSPECT);
	hot->state |= (uint32_t)(from_client ? NJ_FLOW_INSPECT : 0) << client;
	hot->state |= (uint32_t)(from_server ? NJ_FLOW_INSPECT : 0) << !client;
}

static void state_release(struct nj_inspect *in, struct nj_flow_hot *hot, struct nj_flow *flow)
{
	want(hot, false, false);
	uint32_t at = flow->inspection;
	if (at == NJ_FLOW_NONE)
		return;
	struct inspection *s = &in->state[at];
	nj_stream_end(&s->stream[CLIENT], &in->buffers);
	nj_stream_end(&s->stream[SERVER], &in->buffers);
	*(s->older != NJ_FLOW_NONE ? &in->state[s->older].newer : &in->oldest) = s->newer;
	*(s->newer != NJ_FLOW_NONE ? &in->state[s->newer].older : &in->newest) = s->older;
	s->newer = in->free;
	in->free = at;
	flow->inspection = NJ_FLOW_NONE;
}

static struct inspection *state_take(struct nj_inspect *in, uint32_t owner, struct nj_flow *flow,
				     enum protocol protocol)
{
	if (in->free == NJ_FLOW_NONE) {
		uint32_t oldest = in->state[in->oldest].owner;
		nj_inspect_finish(in, nj_flows_hot(in->flows, oldest), &in->flows->flow[oldest]);
		in->gave_up++;
	}
	uint32_t at = in->free;
	struct inspection *s = &in->state[at];
	in->free = s->newer;
	memset(s, 0, sizeof *s);
	s->owner = owner;
	s->protocol = (uint8_t)protocol;
	s->older = in->newest;
	s->newer = NJ_FLOW_NONE;
	s->stream[CLIENT].buffer = NJ_STREAM_NONE;
	s->stream[SERVER].buffer = NJ_STREAM_NONE;
	*(in->newest != NJ_FLOW_NONE ? &in->state[in->newest].newer : &in->oldest) = at;
	in->newest = at;
	flow->inspection = at;
	return s;
}

/* ------------------------------------------------------------------ reading in order */

static uint32_t sequence_of(const struct nj_packet *packet)
{
	return packet->tcp_sequence + ((packet->tcp_flags & NJ_TCP_SYN) != 0);
}

/* Where the direction's first byte stands: behind its SYN, or, that not seen, here. */
static uint32_t first_sequence(const struct look *l)
{
	bool began = (l->hot->state & (uint32_t)NJ_FLOW_BEGAN << l->side) != 0;
	return began ? l->flow->initial_sequence[l->side] + 1 : sequence_of(l->packet);
}

static bool at_port(const struct nj_flow *flow, uint16_t port)
{
	return flow->key.port[0] == port || flow->key.port[1] == port;
}

/* What the first bytes of a direction are; UNDECIDED when too few. */
static enum protocol sniff(const struct look *l, const uint8_t *data, size_t size)
{
	struct nj_http_request *http = &l->in->note->scratch.http;
	uint16_t status;
	if (at_port(l->flow, DNS_PORT))
		return DNS;
	if (at_port(l->flow, KERBEROS_PORT))
		return KERBEROS;
	if (size < SNIFF_BYTES_MIN)
		return UNDECIDED;
	if (data[0] >= 20 && data[0] <= 23 && data[1] == 3 && data[2] <= 4)
		return TLS;
	if (memcmp(data, "SSH-", 4) == 0)
		return SSH;
	if (data[0] < 'A' || data[0] > 'Z')
		return NOTHING;
	if (l->direction == CLIENT)
		return nj_http_request(data, size, http) != NJ_PARSE_NO ? HTTP : NOTHING;
	return nj_http_status(data, size, &status) != NJ_PARSE_NO ? HTTP : NOTHING;
}

static void direction_done(struct look *l)
{
	l->state->done |= (uint8_t)(1u << l->direction);
	nj_stream_end(&l->state->stream[l->direction], &l->in->buffers);
}

static bool is_done(const struct look *l)
{
	return l->state->done >> l->direction & 1;
}

/* The bytes in order so far, if this packet brought any. */
static const uint8_t *view(struct look *l, size_t *ret_size)
{
	struct nj_stream *stream = &l->state->stream[l->direction];
	if (l->viewed != NULL) {
		*ret_size = l->viewed_size;
		return l->viewed;
	}
	if (!stream->started)
		nj_stream_begin(stream, first_sequence(l));
	return nj_stream_view(stream, &l->in->buffers, sequence_of(l->packet), l->packet->payload,
			      l->packet->payload_bytes, ret_size);
}

/* Another packet went by without a verdict. */
static void looked_in_vain(struct look *l)
{
	if (++l->state->packets[l->direction] > OPENING_PACKETS_MAX)
		direction_done(l);
}

static void keep(struct look *l, const uint8_t *data, size_t size, size_t used)
{
	if (!nj_stream_keep(&l->state->stream[l->direction], &l->in->buffers, data, size, used))
		direction_done(l);
	else
		looked_in_vain(l);
}

/* Shows the opening of a direction to its parser until that has a verdict; true when the parser read it to the end just
 * now. */
static bool opening(struct look *l, enum nj_parse (*parse)(struct look *l, const uint8_t *data, size_t size))
{
	size_t size;
	if (is_done(l))
		return false;
	const uint8_t *data = view(l, &size);
	if (data == NULL) {
		looked_in_vain(l);
		return false;
	}
	switch (parse(l, data, size)) {
	case NJ_PARSE_DONE:
		l->state->read |= (uint8_t)(1u << l->direction);
		direction_done(l);
		return true;
	case NJ_PARSE_MORE:
		keep(l, data, size, 0);
		return false;
	default:
		direction_done(l);
		return false;
	}
}

/* ------------------------------------------------------------------ TLS */

static enum nj_parse hello_parse(struct look *l, const uint8_t *data, size_t size)
{
	struct nj_note *note = l->in->note;
	enum nj_parse parsed;
	if (l->direction == CLIENT) {
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

static void on_request_began(void *context, uint64_t t_ns)
{
	(void)t_ns;
	nj_note_request(((const struct look *)context)->flow);
}

static void on_request_ended(void *context, const struct nj_tls_request *request)
{
	const struct look *l = context;
	nj_note_exchange(l->in->note, l->hot, l->flow, request->request_bytes, request->response_bytes);
}

static struct nj_tls_sink tls_sink(struct look *l)
{
	return (struct nj_tls_sink){.context = l, .request_began = on_request_began, .request_ended = on_request_ended};
}

/* Follows the records: what is old is left out, a hole is told as one. */
static void tls_track(struct look *l)
{
	struct inspection *s = l->state;
	const struct nj_packet *packet = l->packet;
	uint32_t sequence = sequence_of(packet), wire = packet->payload_wire_bytes, captured = packet->payload_bytes;
	uint8_t known = (uint8_t)(1u << l->direction);
	if (!(s->track_known & known)) {
		s->track_known |= known;
		s->track_next[l->direction] = first_sequence(l);
	}
	int32_t ahead = (int32_t)(sequence - s->track_next[l->direction]);
	uint32_t old = ahead < 0 ? -(uint32_t)ahead : 0;
	if (old >= wire)
		return;
	if (ahead > 0)
		nj_tls_track_gap(&s->track, l->direction == CLIENT, (uint32_t)ahead);
	struct nj_tls_sink sink = tls_sink(l);
	uint32_t here = captured > old ? captured - old : 0;
	nj_tls_track_push(&s->track, l->direction == CLIENT, packet->t_ns, here > 0 ? packet->payload + old : NULL,
			  here, wire - old, &sink);
	s->track_next[l->direction] = sequence + wire;
}

static void tls_packet(struct look *l)
{
	tls_track(l);
	if (!is_done(l))
		(void)opening(l, hello_parse);
	if (l->state->track.record[0].state == NJ_TLS_LOST && l->state->track.record[1].state == NJ_TLS_LOST)
		nj_inspect_finish(l->in, l->hot, l->flow);
}

static void tls_begin(struct look *l)
{
	bool began = (l->hot->state & (uint32_t)NJ_FLOW_BEGAN << l->side) != 0;
	bool handshake = l->packet->payload[0] == 22;
	nj_tls_track_init(&l->state->track, !began && !handshake);
}

/* ------------------------------------------------------------------ SSH */

static enum nj_parse ssh_parse(struct look *l, const uint8_t *data, size_t size)
{
	struct nj_ssh *ssh = &l->in->note->scratch.ssh;
	enum nj_parse parsed = nj_ssh_opening(data, size, l->direction == CLIENT, ssh);
	if (parsed != NJ_PARSE_NO)
		nj_note_ssh(l->in->note, l->hot, l->flow, l->direction == CLIENT, ssh);
	return parsed;
}

static void ssh_packet(struct look *l)
{
	(void)opening(l, ssh_parse);
	if (l->state->read == 3)
		l->flow->facts |= NJ_FACT_SSH_KEYS;
	if (l->state->done == 3)
		state_release(l->in, l->hot, l->flow);
}

/* ------------------------------------------------------------------ HTTP */

static uint64_t bytes_before(const struct look *l)
{
	return nj_note_bytes(l->hot, l->flow, l->side) - l->fresh_bytes;
}

static void http_exchange_end(struct nj_inspect *in, const struct nj_flow_hot *hot, const struct nj_flow *flow,
			      struct inspection *s)
{
	unsigned server = !((hot->state & NJ_FLOW_CLIENT_1) != 0);
	if (!s->exchange)
		return;
	s->exchange = false;
	nj_note_exchange(in->note, hot, flow, s->request_bytes, nj_note_bytes(hot, flow, server) - s->response_from);
}

static void http_request_begins(struct look *l)
{
	http_exchange_end(l->in, l->hot, l->flow, l->state);
	nj_note_request(l->flow);
	l->state->request_from = bytes_before(l);
	l->state->awaits_status = true;
	l->state->packets[SERVER] = 0;
	want(l->hot, !is_done(l), true);
}

static enum nj_parse request_parse(struct look *l, const uint8_t *data, size_t size)
{
	struct nj_http_request *request = &l->in->note->scratch.http;
	enum nj_parse parsed = nj_http_request(data, size, request);
	if (parsed == NJ_PARSE_DONE)
		nj_note_http_request(l->in->note, l->flow, request);
	return parsed;
}

static void http_from_client(struct look *l)
{
	if (!is_done(l)) { /* the first head, which names host and program, wherever it ends */
		bool first = l->state->packets[CLIENT] == 0;
		(void)opening(l, request_parse);
		if (first)
			http_request_begins(l);
		else
			want(l->hot, !is_done(l) || !l->state->awaits_status, true);
		return;
	}
	struct nj_http_request *request = &l->in->note->scratch.http;
	if (l->state->awaits_status || l->fresh_bytes == 0)
		return;
	if (nj_http_request(l->packet->payload, l->packet->payload_bytes, request) != NJ_PARSE_NO &&
	    request->method[0] != '\0')
		http_request_begins(l);
}

static void http_from_server(struct look *l)
{
	struct inspection *s = l->state;
	uint16_t status = 0;
	if (!s->awaits_status || l->fresh_bytes == 0)
		return;
	enum nj_parse parsed = nj_http_status(l->packet->payload, l->packet->payload_bytes, &status);
	if (parsed == NJ_PARSE_DONE && status == STATUS_SWITCHING) {
		nj_inspect_finish(l->in, l->hot, l->flow);
		return;
	}
	if (parsed == NJ_PARSE_DONE && status < STATUS_FINAL)
		return;
	if (parsed != NJ_PARSE_DONE && ++s->packets[SERVER] < STATUS_PACKETS_MAX)
		return;
	if (parsed == NJ_PARSE_DONE)
		nj_note_http_status(l->in->note, l->hot, l->flow, status);
	s->request_bytes = nj_note_bytes(l->hot, l->flow, !l->side) - s->request_from;
	s->response_from = bytes_before(l);
	s->awaits_status = false;
	s->exchange = true;
	want(l->hot, true, false);
}

static void http_packet(struct look *l)
{
	if (l->direction == CLIENT)
		http_from_client(l);
	else
		http_from_server(l);
}

/* ------------------------------------------------------------------ DNS and Kerberos */

static enum nj_parse message_parse(struct look *l, const uint8_t *data, size_t size, size_t *ret_used)
{
	struct nj_note *note = l->in->note;
	enum nj_parse parsed;
	if (l->state->protocol == DNS) {
		parsed = nj_dns_stream(data, size, &note->scratch.dns, ret_used);
		if (parsed == NJ_PARSE_DONE)
			nj_note_dns(note, l->hot, l->flow, l->direction == CLIENT, &note->scratch.dns);
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
static void messages_packet(struct look *l)
{
	size_t size, at = 0, used = 0;
	if (is_done(l))
		return;
	const uint8_t *data = view(l, &size);
	if (data == NULL) {
		looked_in_vain(l);
	} else {
		enum nj_parse parsed = NJ_PARSE_MORE;
		while (at < size && (parsed = message_parse(l, data + at, size - at, &used)) == NJ_PARSE_DONE) {
			at += used;
			l->state->packets[l->direction] = 0;
		}
		if (parsed == NJ_PARSE_NO)
			direction_done(l);
		else
			keep(l, data, size, at);
	}
	if (l->state->done == 3)
		state_release(l->in, l->hot, l->flow);
}

static void datagram(struct nj_inspect *in, struct nj_flow_hot *hot, struct nj_flow *flow, unsigned side,
		     const struct nj_packet *packet)
{
	struct nj_note *note = in->note;
	bool from_client = side == (unsigned)((hot->state & NJ_FLOW_CLIENT_1) != 0);
	if (at_port(flow, KERBEROS_PORT)) {
		if (nj_kerberos_datagram(packet->payload, packet->payload_bytes, &note->scratch.kerberos) ==
		    NJ_PARSE_DONE)
			nj_note_kerberos(note, hot, flow, &note->scratch.kerberos);
		return;
	}
	if (nj_dns_datagram(packet->payload, packet->payload_bytes, &note->scratch.dns) == NJ_PARSE_DONE)
		nj_note_dns(note, hot, flow, from_client, &note->scratch.dns);
	else
		nj_note_dns_malformed(note, hot, flow);
}

/* ------------------------------------------------------------------ dispatch */

void nj_inspect_open(struct nj_flow_hot *hot, const struct nj_packet *packet)
{
	static const uint16_t ports[] = {DNS_PORT, MDNS_PORT, LLMNR_PORT, KERBEROS_PORT};
	bool wanted = packet->protocol == NJ_PROTOCOL_TCP;
	if (packet->protocol == NJ_PROTOCOL_UDP)
		for (unsigned i = 0; i < sizeof ports / sizeof ports[0]; i++)
			wanted = wanted || packet->src_port == ports[i] || packet->dst_port == ports[i];
	if (wanted)
		hot->state |= 3u * NJ_FLOW_INSPECT;
}

static void dispatch(struct look *l)
{
	switch (l->state->protocol) {
	case TLS:
		tls_packet(l);
		break;
	case SSH:
		ssh_packet(l);
		break;
	case HTTP:
		http_packet(l);
		break;
	case DNS:
	case KERBEROS:
		messages_packet(l);
		break;
	default:
		break;
	}
}

/* Decides by the first bytes of whichever direction has them first; false: wait for more. */
static bool decide(struct look *l)
{
	size_t size = 0;
	const uint8_t *data = view(l, &size);
	enum protocol protocol = data != NULL ? sniff(l, data, size) : UNDECIDED;
	if (protocol == UNDECIDED && data != NULL)
		keep(l, data, size, 0);
	else if (protocol == UNDECIDED)
		looked_in_vain(l);
	if (protocol == NOTHING || l->state->done != 0) {
		state_release(l->in, l->hot, l->flow);
		return false;
	}
	l->viewed = data;
	l->viewed_size = data != NULL ? size : 0;
	l->state->protocol = (uint8_t)protocol;
	if (protocol != UNDECIDED)
		memset(l->state->packets, 0, sizeof l->state->packets);
	if (protocol == TLS)
		tls_begin(l);
	return protocol != UNDECIDED;
}

void nj_inspect_packet(struct nj_inspect *in, struct nj_flow_hot *hot, struct nj_flow *flow, unsigned side,
		       const struct nj_packet *packet, uint32_t fresh_bytes)
{
	assert(packet->payload_bytes > 0);
	if (!(hot->state & NJ_FLOW_TCP)) {
		datagram(in, hot, flow, side, packet);
		return;
	}
	bool client_is_1 = (hot->state & NJ_FLOW_CLIENT_1) != 0;
	struct look l = {.in = in,
			 .hot = hot,
			 .flow = flow,
			 .packet = packet,
			 .side = side,
			 .direction = side == client_is_1 ? CLIENT : SERVER,
			 .fresh_bytes = fresh_bytes};
	if (flow->inspection == NJ_FLOW_NONE) {
		/* Most flows are decided here, by bytes that come in order and mean nothing to us. */
		if (sequence_of(packet) == first_sequence(&l) &&
		    sniff(&l, packet->payload, packet->payload_bytes) == NOTHING) {
			want(hot, false, false);
			return;
		}
		l.state = state_take(in, hot->flow, flow, UNDECIDED);
	} else {
		l.state = &in->state[flow->inspection];
	}
	if (l.state->protocol == UNDECIDED && !decide(&l))
		return;
	dispatch(&l);
}

void nj_inspect_finish(struct nj_inspect *in, struct nj_flow_hot *hot, struct nj_flow *flow)
{
	if (flow->inspection != NJ_FLOW_NONE) {
		struct look l = {.in = in, .state = &in->state[flow->inspection], .hot = hot, .flow = flow};
		struct nj_tls_sink sink = tls_sink(&l);
		if (l.state->protocol == TLS)
			nj_tls_track_finish(&l.state->track, &sink);
		else if (l.state->protocol == HTTP)
			http_exchange_end(in, hot, flow, l.state);
	}
	state_release(in, hot, flow);
}
