/* Bounds are generous where the wire is noisy and strict where it is not: a request may stall, an answer may pause, but
 * a client that speaks in earnest after an answer has begun asks something new. Sizes tell earnest from steering:
 * HTTP/2 WINDOW_UPDATE and PING take up to 42 bytes of record, two of them in one record up to 56, a QUIC datagram that
 * only acknowledges 30 to 80; no request for text fits that. */
#include "sensor/dialogue.h"

#include <string.h>

enum { NS_PER_MS = 1000000 };
enum { STREAM_RECORDS_MIN = 16, STREAM_MS_MIN = 500, SINGLE_RECORDS_MAX = 4, SINGLE_MS_MAX = 50 };
enum { TICKET_BURST_MS = 10, TICKET_SILENCE_MS = 80 };
enum { API_UP_MIN = 2000, API_WAIT_MIN_MS = 1000, API_WAIT_MAX_MS = 60000, API_DOWN_MIN = 300, API_DOWN_MAX = 30000 };

void nj_dialogue_init(struct nj_dialogue *d, uint16_t standing)
{
	memset(d, 0, offsetof(struct nj_dialogue, tokens));
	d->standing = standing;
	d->first = (standing & (NJ_EXCHANGE_ENCRYPTED | NJ_EXCHANGE_MIDSTREAM)) == NJ_EXCHANGE_ENCRYPTED;
}

static uint64_t since_ms(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (to_ns - from_ns) / NS_PER_MS : 0;
}

static uint32_t at_most_u32(uint64_t value)
{
	return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static bool is_control(const struct nj_dialogue *d, bool answering, uint32_t bytes)
{
	return bytes <= (answering || d->small_is_control ? NJ_DIALOGUE_SMALL_BYTES : NJ_DIALOGUE_CONTROL_BYTES);
}

static bool is_answering(const struct nj_dialogue *d)
{
	return d->start_ns != 0 && d->answer_ns != 0;
}

bool nj_dialogue_begins(const struct nj_dialogue *d, uint64_t t_ns, bool from_client, uint32_t bytes)
{
	if (!from_client || is_control(d, is_answering(d), bytes))
		return false;
	return d->start_ns == 0 || d->answer_ns != 0 || since_ms(d->up_ns, t_ns) >= NJ_DIALOGUE_BURST_GAP_MS;
}

static void begin(struct nj_dialogue *d, uint64_t t_ns)
{
	bool first = d->start_ns == 0 && d->first, small_is_control = d->small_is_control;
	nj_dialogue_init(d, d->standing);
	d->first = first;
	d->small_is_control = small_is_control;
	d->start_ns = t_ns;
	d->up_ns = t_ns;
	nj_tokens_reset(&d->tokens);
}

static void add_up(struct nj_dialogue *d, uint64_t t_ns, uint32_t bytes)
{
	if (d->start_ns == 0 || is_control(d, is_answering(d), bytes))
		return;
	d->up_ns = t_ns;
	d->bytes_up += bytes;
	d->records_up += d->records_up < UINT32_MAX;
}

static void restart_answer(struct nj_dialogue *d)
{
	d->answer_ns = 0;
	d->bytes_down = 0;
	d->records_down = 0;
	nj_tokens_reset(&d->tokens);
}

/* What came so far was tickets and settings, as the silence before this record shows. */
static bool were_tickets(struct nj_dialogue *d, uint64_t t_ns)
{
	if (!d->first || d->answer_ns == 0)
		return false;
	if (d->records_down > NJ_DIALOGUE_TICKET_RECORDS || d->bytes_down > NJ_DIALOGUE_TICKET_BYTES ||
	    since_ms(d->answer_ns, d->tokens.last_ns) > TICKET_BURST_MS) {
		d->first = false;
		return false;
	}
	return since_ms(d->tokens.last_ns, t_ns) >= TICKET_SILENCE_MS;
}

static void add_down(struct nj_dialogue *d, uint64_t t_ns, uint32_t bytes)
{
	if (d->start_ns == 0 || is_control(d, false, bytes))
		return;
	if (d->answer_ns != 0 && since_ms(d->tokens.last_ns, t_ns) > NJ_DIALOGUE_ANSWER_GAP_MS)
		return;
	if (were_tickets(d, t_ns)) {
		d->first = false;
		restart_answer(d);
	}
	if (d->answer_ns == 0)
		d->answer_ns = t_ns;
	d->bytes_down += bytes;
	d->records_down += d->records_down < UINT32_MAX;
	d->news = true;
	nj_tokens_add(&d->tokens, t_ns, bytes);
}

void nj_dialogue_add(struct nj_dialogue *d, uint64_t t_ns, bool from_client, uint32_t bytes)
{
	if (nj_dialogue_begins(d, t_ns, from_client, bytes))
		begin(d, t_ns);
	if (from_client)
		add_up(d, t_ns, bytes);
	else
		add_down(d, t_ns, bytes);
}

static bool has_api_shape(const struct nj_exchange *e)
{
	return e->bytes_up >= API_UP_MIN && e->wait_ms >= API_WAIT_MIN_MS && e->wait_ms <= API_WAIT_MAX_MS &&
	       e->bytes_down >= API_DOWN_MIN && e->bytes_down <= API_DOWN_MAX;
}

static void judge_form(const struct nj_dialogue *d, struct nj_exchange *e)
{
	struct nj_tokens_shape shape;
	nj_tokens_shape(&d->tokens, e->wait_ms, e->bytes_up, &shape);
	e->record_p50_bytes = (uint32_t)shape.value[NJ_TOKENS_SIZE];
	e->gap_p50_us = at_most_u32(shape.value[NJ_TOKENS_GAP]);
	if (e->records_down >= STREAM_RECORDS_MIN && e->answer_ms >= STREAM_MS_MIN) {
		e->form = NJ_FORM_STREAMED;
		e->score = shape.score;
	} else if (e->records_down <= SINGLE_RECORDS_MAX || e->answer_ms <= SINGLE_MS_MAX) {
		e->form = NJ_FORM_SINGLE;
	}
}

void nj_dialogue_tell(struct nj_dialogue *d, struct nj_exchange *e)
{
	assert(is_answering(d));
	memset(e, 0, sizeof *e);
	e->start_ns = d->start_ns;
	e->end_ns = d->tokens.last_ns;
	e->bytes_up = d->bytes_up;
	e->bytes_down = d->bytes_down;
	e->burst_ms = at_most_u32(since_ms(d->start_ns, d->up_ns));
	e->wait_ms = at_most_u32(since_ms(d->up_ns, d->answer_ns));
	e->answer_ms = at_most_u32(since_ms(d->answer_ns, d->tokens.last_ns));
	e->records_up = d->records_up;
	e->records_down = d->records_down;
	e->api = d->api;
	e->flags = d->flags | d->standing;
	judge_form(d, e);
	if (has_api_shape(e))
		e->flags |= NJ_EXCHANGE_API_SHAPE;
	d->news = false;
}
