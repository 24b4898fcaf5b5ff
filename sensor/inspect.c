/* A flow goes through three states: undecided until its first bytes in order tell what it is, followed while parsers
 * can learn more, let go. Which it is shows in the bits NJ_FLOW_INSPECT alone, so that a packet nobody wants never
 * comes here. Here are the pool of states and the decision; sensor/look.h has the rest. */
#include "sensor/inspect.h"

#include "sensor/look.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STATES_OF_BUFFER 4
#define SNIFF_BYTES_MIN  4
#define PASSED_PACKETS_MAX                                                                                             \
	12 /* of a client whose first bytes meant nothing: SMTP says EHLO and STARTTLS, SOCKS takes two or three */

static uint32_t buffers_for(uint32_t states_max)
{
	return states_max / STATES_OF_BUFFER + 4;
}

uint64_t nj_inspect_memory_bytes(uint32_t states_max)
{
	return sizeof(struct nj_inspect) + (uint64_t)states_max * sizeof(struct nj_inspection) +
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
	if (in->state == NULL || nj_aes_new(&in->aes) != NJ_OK ||
	    nj_stream_pool_init(&in->buffers, buffers_for(states_max)) != NJ_OK) {
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
	nj_aes_free(&in->aes);
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

void nj_look_release(struct nj_inspect *in, struct nj_flow_hot *hot, struct nj_flow *flow)
{
	nj_look_want(hot, false, false);
	uint32_t at = flow->inspection;
	if (at == NJ_FLOW_NONE)
		return;
	struct nj_inspection *s = &in->state[at];
	nj_stream_end(&s->stream[NJ_CLIENT], &in->buffers);
	nj_stream_end(&s->stream[NJ_SERVER], &in->buffers);
	*(s->older != NJ_FLOW_NONE ? &in->state[s->older].newer : &in->oldest) = s->newer;
	*(s->newer != NJ_FLOW_NONE ? &in->state[s->newer].older : &in->newest) = s->older;
	s->newer = in->free;
	in->free = at;
	flow->inspection = NJ_FLOW_NONE;
}

static struct nj_inspection *state_take(struct nj_inspect *in, uint32_t owner, struct nj_flow *flow,
					enum nj_look_kind kind)
{
	if (in->free == NJ_FLOW_NONE) {
		uint32_t oldest = in->state[in->oldest].owner;
		nj_inspect_finish(in, nj_flows_hot(in->flows, oldest), &in->flows->flow[oldest]);
		in->gave_up++;
	}
	uint32_t at = in->free;
	struct nj_inspection *s = &in->state[at];
	in->free = s->newer;
	memset(s, 0, offsetof(struct nj_inspection, dialogue));
	nj_dialogue_init(&s->dialogue, 0);
	s->owner = owner;
	s->kind = (uint8_t)kind;
	s->older = in->newest;
	s->newer = NJ_FLOW_NONE;
	s->stream[NJ_CLIENT].buffer = NJ_STREAM_NONE;
	s->stream[NJ_SERVER].buffer = NJ_STREAM_NONE;
	*(in->newest != NJ_FLOW_NONE ? &in->state[in->newest].newer : &in->oldest) = at;
	in->newest = at;
	flow->inspection = at;
	return s;
}

/* What the first bytes of a direction are; NJ_LOOK_UNDECIDED when too few. */
static enum nj_look_kind sniff(const struct nj_look *l, const uint8_t *data, size_t size)
{
	struct nj_http_request *http = &l->in->note->scratch.http;
	uint16_t status;
	if (nj_look_at_port(l->flow, NJ_PORT_DNS))
		return NJ_LOOK_DNS;
	if (nj_look_at_port(l->flow, NJ_PORT_KERBEROS))
		return NJ_LOOK_KERBEROS;
	if (size < SNIFF_BYTES_MIN)
		return NJ_LOOK_UNDECIDED;
	if (nj_look_is_rpc(l, data, size))
		return NJ_LOOK_RPC;
	if (data[0] >= 20 && data[0] <= 23 && data[1] == 3 && data[2] <= 4)
		return NJ_LOOK_TLS;
	if (memcmp(data, "SSH-", 4) == 0)
		return NJ_LOOK_SSH;
	if (data[0] < 'A' || data[0] > 'Z')
		return NJ_LOOK_NOTHING;
	if (l->direction == NJ_CLIENT)
		return nj_http_request(data, size, http) != NJ_PARSE_NO ? NJ_LOOK_HTTP : NJ_LOOK_NOTHING;
	return nj_http_status(data, size, &status) != NJ_PARSE_NO ? NJ_LOOK_HTTP : NJ_LOOK_NOTHING;
}

static bool is_message_port(const struct nj_packet *packet)
{
	static const uint16_t ports[] = {NJ_PORT_DNS, NJ_PORT_MDNS, NJ_PORT_LLMNR, NJ_PORT_KERBEROS};
	for (unsigned i = 0; i < sizeof ports / sizeof ports[0]; i++)
		if (packet->src_port == ports[i] || packet->dst_port == ports[i])
			return true;
	return false;
}

void nj_inspect_open(struct nj_flow_hot *hot, const struct nj_packet *packet)
{
	bool wanted = packet->protocol == NJ_PROTOCOL_TCP;
	if (packet->protocol == NJ_PROTOCOL_UDP)
		wanted = is_message_port(packet) || nj_quic_begins(packet->payload, packet->payload_bytes);
	if (wanted)
		hot->state |= 3u * NJ_FLOW_INSPECT;
}

static void dispatch(struct nj_look *l)
{
	switch (l->state->kind) {
	case NJ_LOOK_TLS:
		nj_look_tls(l);
		break;
	case NJ_LOOK_SSH:
		nj_look_ssh(l);
		break;
	case NJ_LOOK_HTTP:
		nj_look_http(l);
		break;
	case NJ_LOOK_DNS:
	case NJ_LOOK_KERBEROS:
		nj_look_message(l);
		break;
	case NJ_LOOK_RPC:
		nj_look_rpc(l);
		break;
	default:
		break;
	}
}

/* Nothing we know: only the client's next packets are looked at, and only how they begin. */
static void pass(struct nj_look *l)
{
	l->flow->passed = 1;
	nj_look_want(l->hot, true, false);
}

/* Decides by the first bytes of whichever direction has them first; false: wait for more. */
static bool decide(struct nj_look *l)
{
	size_t size = 0;
	const uint8_t *data = nj_look_view(l, &size);
	enum nj_look_kind kind = data != NULL ? sniff(l, data, size) : NJ_LOOK_UNDECIDED;
	if (kind == NJ_LOOK_UNDECIDED && data != NULL)
		nj_look_keep(l, data, size, 0);
	else if (kind == NJ_LOOK_UNDECIDED)
		nj_look_in_vain(l);
	if (kind == NJ_LOOK_NOTHING || l->state->done != 0) {
		nj_look_release(l->in, l->hot, l->flow);
		pass(l);
		return false;
	}
	l->viewed = data;
	l->viewed_size = data != NULL ? size : 0;
	l->state->kind = (uint8_t)kind;
	if (kind != NJ_LOOK_UNDECIDED)
		memset(l->state->packets, 0, sizeof l->state->packets);
	if (kind == NJ_LOOK_TLS)
		nj_look_tls_begin(l);
	else if (kind == NJ_LOOK_HTTP)
		nj_look_http_begin(l);
	else if (kind == NJ_LOOK_RPC)
		nj_look_rpc_begin(l);
	return kind != NJ_LOOK_UNDECIDED;
}

/* A TLS hello may still come: behind STARTTLS, a SOCKS greeting, a request for it as databases have one. */
static void passed_packet(struct nj_look *l)
{
	if (l->direction == NJ_CLIENT && nj_look_is_hello(l->packet)) {
		l->state = state_take(l->in, l->hot->flow, l->flow, NJ_LOOK_TLS);
		l->flow->passed = 0;
		nj_look_tls_begin_late(l);
		nj_look_tls(l);
	} else if (++l->flow->passed > PASSED_PACKETS_MAX) {
		nj_look_want(l->hot, false, false);
	}
}

static void stream_packet(struct nj_look *l)
{
	struct nj_flow *flow = l->flow;
	const struct nj_packet *packet = l->packet;
	if (flow->passed > 0) {
		passed_packet(l);
		return;
	}
	if (flow->inspection == NJ_FLOW_NONE) {
		/* Most flows are decided here, by bytes that come in order and mean nothing to us. */
		if (nj_look_sequence(packet) == nj_look_first_sequence(l) &&
		    sniff(l, packet->payload, packet->payload_bytes) == NJ_LOOK_NOTHING) {
			pass(l);
			return;
		}
		l->state = state_take(l->in, l->hot->flow, flow, NJ_LOOK_UNDECIDED);
	} else {
		l->state = &l->in->state[flow->inspection];
	}
	if (l->state->kind == NJ_LOOK_UNDECIDED && !decide(l))
		return;
	dispatch(l);
}

/* Messages need no state; what else is wanted began as QUIC. */
static void datagram(struct nj_look *l)
{
	if (l->flow->inspection != NJ_FLOW_NONE) {
		l->state = &l->in->state[l->flow->inspection];
	} else if (is_message_port(l->packet)) {
		nj_look_datagram(l);
		return;
	} else {
		l->state = state_take(l->in, l->hot->flow, l->flow, NJ_LOOK_QUIC);
		nj_look_quic_begin(l);
	}
	nj_look_quic(l);
}

void nj_inspect_packet(struct nj_inspect *in, struct nj_flow_hot *hot, struct nj_flow *flow, unsigned side,
		       const struct nj_packet *packet, uint32_t fresh_bytes)
{
	assert(packet->payload_bytes > 0);
	bool client_is_1 = (hot->state & NJ_FLOW_CLIENT_1) != 0;
	struct nj_look l = {.in = in,
			    .hot = hot,
			    .flow = flow,
			    .packet = packet,
			    .side = side,
			    .direction = side == client_is_1 ? NJ_CLIENT : NJ_SERVER,
			    .fresh_bytes = fresh_bytes};
	if (hot->state & NJ_FLOW_TCP)
		stream_packet(&l);
	else
		datagram(&l);
}

void nj_inspect_tell(struct nj_inspect *in, struct nj_flow_hot *hot, struct nj_flow *flow, uint64_t t_ns)
{
	if (flow->inspection == NJ_FLOW_NONE)
		return;
	struct nj_look l = {.in = in, .state = &in->state[flow->inspection], .hot = hot, .flow = flow};
	nj_look_dialogue_tell(in, hot, flow, l.state);
	if (l.state->kind == NJ_LOOK_QUIC)
		nj_look_quic_tell(&l, t_ns);
}

void nj_inspect_finish(struct nj_inspect *in, struct nj_flow_hot *hot, struct nj_flow *flow)
{
	if (flow->inspection != NJ_FLOW_NONE) {
		struct nj_look l = {.in = in, .state = &in->state[flow->inspection], .hot = hot, .flow = flow};
		nj_look_dialogue_tell(in, hot, flow, l.state);
		if (l.state->kind == NJ_LOOK_TLS)
			nj_look_tls_finish(&l);
		else if (l.state->kind == NJ_LOOK_HTTP)
			nj_look_http_finish(&l);
		else if (l.state->kind == NJ_LOOK_QUIC)
			nj_look_quic_finish(&l);
	}
	nj_look_release(in, hot, flow);
}
