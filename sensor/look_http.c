/* HTTP/1.x in clear text is followed by who speaks next: the first head is read in order, later ones where they begin.
 *
 * A POST is followed through, segment by segment, since talk with models and tools is made of them: path, headers and
 * the kind of the answer mark the exchange, and the first bytes of the body are read as a JSON-RPC call. A body comes
 * in order or not at all: what follows a hole is not looked at. */
#include "sensor/look.h"

#include "common/ai_endpoints.h"

#define STATUS_PACKETS_MAX 4
#define STATUS_FINAL       200 /* below: more will follow */
#define STATUS_SWITCHING   101
#define STATUS_FAILED      400

static uint64_t bytes_before(const struct nj_look *l)
{
	return nj_note_bytes(l->hot, l->flow, l->side) - l->fresh_bytes;
}

static void exchange_end(struct nj_inspect *in, const struct nj_flow_hot *hot, const struct nj_flow *flow,
			 struct nj_inspection *s)
{
	unsigned server = !((hot->state & NJ_FLOW_CLIENT_1) != 0);
	if (!s->exchange)
		return;
	s->exchange = false;
	nj_note_exchange(in->note, hot, flow, s->request_bytes, nj_note_bytes(hot, flow, server) - s->response_from);
}

/* Whose packets can still tell something. */
static void want(struct nj_look *l)
{
	const struct nj_inspection *s = l->state;
	bool head_read = s->done >> NJ_CLIENT & 1;
	nj_look_want(l->hot, !head_read || !s->awaits_status || s->posted, s->awaits_status || s->posted);
}

/* This packet as a record of the exchange. */
static void speak(struct nj_look *l)
{
	struct nj_inspection *s = l->state;
	if (!s->posted || l->fresh_bytes == 0)
		return;
	nj_look_dialogue(l, l->packet->t_ns, l->direction == NJ_CLIENT, l->fresh_bytes);
	if (s->dialogue.bytes_down > NJ_DIALOGUE_BULK_BYTES)
		s->posted = false;
}

/* --- JSON-RPC in the body --- */

static void call_note(struct nj_look *l)
{
	const struct nj_json_rpc *rpc = &l->state->rpc;
	enum nj_tool_kind kind = l->state->is_mcp ? NJ_TOOL_MCP : nj_json_rpc_kind(rpc->method);
	struct nj_dialogue *d = &l->state->dialogue;
	d->flags |= NJ_EXCHANGE_JSON_RPC;
	d->api = kind == NJ_TOOL_MCP ? NJ_API_MCP : kind == NJ_TOOL_A2A ? NJ_API_A2A : d->api;
	nj_note_tool(l->in->note, l->hot, l->flow,
		     &(struct nj_note_call){kind, rpc->method, rpc->name, l->state->dialogue.up_ns});
}

static void body_read(struct nj_look *l, const uint8_t *data, size_t size)
{
	struct nj_json_rpc *rpc = &l->state->rpc;
	for (size_t at = 0, used = 0; at < size && !rpc->over; at += used)
		if (nj_json_rpc_read(rpc, data + at, size - at, &used))
			call_note(l);
}

static void body_ends(struct nj_look *l)
{
	if (l->state->posted && !l->state->rpc.over && nj_json_rpc_finish(&l->state->rpc))
		call_note(l);
}

/* A further packet of a request's body. */
static void body_packet(struct nj_look *l)
{
	struct nj_inspection *s = l->state;
	uint32_t sequence = nj_look_sequence(l->packet);
	if (s->rpc.over || (int32_t)(sequence - s->body_next) < 0)
		return;
	if (sequence != s->body_next) {
		body_ends(l);
		s->rpc.over = true;
		return;
	}
	s->body_next = sequence + l->packet->payload_wire_bytes;
	body_read(l, l->packet->payload, l->packet->payload_bytes);
	if (l->packet->payload_bytes < l->packet->payload_wire_bytes)
		s->rpc.over = true;
}

/* --- what the head says --- */

static bool has_model_header(const struct nj_ai_endpoints *endpoints, const uint8_t *head, size_t size)
{
	struct nj_cursor c = nj_cursor_make(head, size);
	struct nj_http_text name, value;
	while (nj_http_header_next(&c, &name, &value)) /* the request line passes for a header that nobody knows */
		if (nj_ai_endpoints_header(endpoints, name.at, name.size))
			return true;
	return false;
}

static void head_of_post(struct nj_look *l, const struct nj_http_request *request, const uint8_t *head,
			 size_t head_bytes)
{
	struct nj_inspection *s = l->state;
	struct nj_dialogue *d = &s->dialogue;
	const struct nj_ai_endpoints *endpoints = l->in->note->endpoints;
	enum nj_ai_api api = endpoints != NULL ? nj_ai_endpoints_path(endpoints, request->path) : NJ_API_NONE;
	if (api != NJ_API_NONE && api != NJ_API_MCP && api != NJ_API_A2A)
		d->flags |= NJ_EXCHANGE_KNOWN_PATH;
	if (endpoints != NULL && has_model_header(endpoints, head, head_bytes))
		d->flags |= NJ_EXCHANGE_KNOWN_HEADER;
	d->api = (uint8_t)api;
	s->is_mcp = request->is_mcp;
	nj_json_rpc_begin(&s->rpc);
	if (request->mcp_method[0] == '\0') {
		s->rpc.over = (d->flags & NJ_EXCHANGE_KNOWN_PATH) != 0; /* a model's own body */
		return;
	}
	memcpy(s->rpc.method, request->mcp_method, sizeof s->rpc.method);
	memcpy(s->rpc.name, request->mcp_name, sizeof s->rpc.name);
	s->rpc.over = true; /* the head has said it all */
	call_note(l);
}

/* A whole head at *data*, and what follows it of the body. */
static void head_read(struct nj_look *l, const struct nj_http_request *request, const uint8_t *data, size_t size)
{
	struct nj_inspection *s = l->state;
	const struct nj_ai_endpoints *endpoints = l->in->note->endpoints;
	if (s->posted) {
		head_of_post(l, request, data, request->head_bytes);
		body_read(l, data + request->head_bytes, size - request->head_bytes);
	} else if (endpoints != NULL && nj_ai_endpoints_path(endpoints, request->path) == NJ_API_A2A) {
		nj_note_tool(l->in->note, l->hot, l->flow,
			     &(struct nj_note_call){NJ_TOOL_A2A, "agent-card", "", l->packet->t_ns});
	}
}

/* --- who speaks --- */

/* The packet is the first of a request. */
static void request_begins(struct nj_look *l)
{
	struct nj_inspection *s = l->state;
	body_ends(l);
	exchange_end(l->in, l->hot, l->flow, s);
	nj_note_request(l->flow);
	s->request_from = bytes_before(l);
	s->awaits_status = true;
	s->packets[NJ_SERVER] = 0;
	nj_look_dialogue_tell(l->in, l->hot, l->flow, s);
	nj_look_dialogue_begin(l, 0);
	s->rpc.over = true;
	s->posted = l->packet->payload_bytes >= 5 && memcmp(l->packet->payload, "POST ", 5) == 0;
}

static enum nj_parse first_head_parse(struct nj_look *l, const uint8_t *data, size_t size)
{
	struct nj_http_request *request = &l->in->note->scratch.http;
	enum nj_parse parsed = nj_http_request(data, size, request);
	if (parsed != NJ_PARSE_DONE)
		return parsed;
	nj_note_http_request(l->in->note, l->flow, request);
	l->state->body_next = l->state->stream[NJ_CLIENT].first + (uint32_t)size;
	head_read(l, request, data, size);
	return parsed;
}

static void later_request(struct nj_look *l)
{
	struct nj_http_request *request = &l->in->note->scratch.http;
	const struct nj_packet *packet = l->packet;
	enum nj_parse parsed = nj_http_request(packet->payload, packet->payload_bytes, request);
	if (parsed == NJ_PARSE_NO || request->method[0] == '\0')
		return;
	request_begins(l);
	speak(l);
	l->state->body_next = nj_look_sequence(packet) + packet->payload_wire_bytes;
	if (parsed == NJ_PARSE_DONE)
		head_read(l, request, packet->payload, packet->payload_bytes);
}

static void from_client(struct nj_look *l)
{
	struct nj_inspection *s = l->state;
	if (!nj_look_is_done(l)) { /* the first head, which names host and program, wherever it ends */
		if (s->packets[NJ_CLIENT] == 0)
			request_begins(l);
		speak(l);
		(void)nj_look_opening(l, first_head_parse);
	} else if (s->awaits_status) {
		speak(l);
		if (s->posted)
			body_packet(l);
	} else if (l->fresh_bytes > 0 && nj_look_is_hello(l->packet)) { /* CONNECT, or an upgrade */
		nj_look_http_finish(l);
		nj_look_dialogue_tell(l->in, l->hot, l->flow, s);
		nj_look_tls_begin_late(l);
		nj_look_tls(l);
		return;
	} else if (l->fresh_bytes > 0) {
		later_request(l);
	}
	want(l);
}

static void answer_begins(struct nj_look *l, const struct nj_http_answer *answer)
{
	struct nj_inspection *s = l->state;
	if (answer->status != 0) {
		nj_note_http_status(l->in->note, l->hot, l->flow, answer->status);
		s->dialogue.flags |= answer->status >= STATUS_FAILED ? NJ_EXCHANGE_FAILED : 0;
		s->dialogue.flags |= answer->content == NJ_HTTP_EVENT_STREAM ? NJ_EXCHANGE_EVENT_STREAM : 0;
		s->dialogue.flags |= answer->content == NJ_HTTP_JSON_LINES ? NJ_EXCHANGE_JSON_LINES : 0;
	}
	s->request_bytes = nj_note_bytes(l->hot, l->flow, !l->side) - s->request_from;
	s->response_from = bytes_before(l);
	s->awaits_status = false;
	s->exchange = true;
	body_ends(l);
	s->rpc.over = true;
}

static void from_server(struct nj_look *l)
{
	struct nj_inspection *s = l->state;
	struct nj_http_answer answer = {0};
	if (l->fresh_bytes == 0)
		return;
	if (!s->awaits_status) {
		speak(l);
		want(l);
		return;
	}
	enum nj_parse parsed = nj_http_answer(l->packet->payload, l->packet->payload_bytes, &answer);
	if (parsed == NJ_PARSE_DONE && answer.status == STATUS_SWITCHING) {
		nj_inspect_finish(l->in, l->hot, l->flow);
		return;
	}
	if (parsed == NJ_PARSE_DONE && answer.status < STATUS_FINAL)
		return;
	if (parsed != NJ_PARSE_DONE && ++s->packets[NJ_SERVER] < STATUS_PACKETS_MAX)
		return;
	speak(l);
	answer_begins(l, &answer);
	want(l);
}

void nj_look_http_begin(struct nj_look *l)
{
	nj_look_dialogue_begin(l, 0);
	l->state->rpc.over = true;
}

void nj_look_http(struct nj_look *l)
{
	if (l->direction == NJ_CLIENT)
		from_client(l);
	else
		from_server(l);
}

void nj_look_http_finish(struct nj_look *l)
{
	exchange_end(l->in, l->hot, l->flow, l->state);
}
