/* HTTP/1.x in clear text is followed by who speaks next: the first head is read in order, later ones where they begin.
 */
#include "sensor/look.h"

#define STATUS_PACKETS_MAX 4
#define STATUS_FINAL       200 /* below: more will follow */
#define STATUS_SWITCHING   101

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

static void http_request_begins(struct nj_look *l)
{
	exchange_end(l->in, l->hot, l->flow, l->state);
	nj_note_request(l->flow);
	l->state->request_from = bytes_before(l);
	l->state->awaits_status = true;
	l->state->packets[NJ_SERVER] = 0;
	nj_look_want(l->hot, !nj_look_is_done(l), true);
}

static enum nj_parse request_parse(struct nj_look *l, const uint8_t *data, size_t size)
{
	struct nj_http_request *request = &l->in->note->scratch.http;
	enum nj_parse parsed = nj_http_request(data, size, request);
	if (parsed == NJ_PARSE_DONE)
		nj_note_http_request(l->in->note, l->flow, request);
	return parsed;
}

static void http_from_client(struct nj_look *l)
{
	if (!nj_look_is_done(l)) { /* the first head, which names host and program, wherever it ends */
		bool first = l->state->packets[NJ_CLIENT] == 0;
		(void)nj_look_opening(l, request_parse);
		if (first)
			http_request_begins(l);
		else
			nj_look_want(l->hot, !nj_look_is_done(l) || !l->state->awaits_status, true);
		return;
	}
	struct nj_http_request *request = &l->in->note->scratch.http;
	if (l->state->awaits_status || l->fresh_bytes == 0)
		return;
	if (nj_http_request(l->packet->payload, l->packet->payload_bytes, request) != NJ_PARSE_NO &&
	    request->method[0] != '\0')
		http_request_begins(l);
}

static void http_from_server(struct nj_look *l)
{
	struct nj_inspection *s = l->state;
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
	if (parsed != NJ_PARSE_DONE && ++s->packets[NJ_SERVER] < STATUS_PACKETS_MAX)
		return;
	if (parsed == NJ_PARSE_DONE)
		nj_note_http_status(l->in->note, l->hot, l->flow, status);
	s->request_bytes = nj_note_bytes(l->hot, l->flow, !l->side) - s->request_from;
	s->response_from = bytes_before(l);
	s->awaits_status = false;
	s->exchange = true;
	nj_look_want(l->hot, true, false);
}

void nj_look_http(struct nj_look *l)
{
	if (l->direction == NJ_CLIENT)
		http_from_client(l);
	else
		http_from_server(l);
}

void nj_look_http_finish(struct nj_look *l)
{
	exchange_end(l->in, l->hot, l->flow, l->state);
}
