/* An aggregator that does not answer is greeted again after a while, and after ever longer whiles: one that is merely
 * slow must not find a new greeting behind each answer, and one that is gone need not be asked every second. */
#include "sensor/outlet.h"

#define PATIENCE_TIMES 8

int nj_outlet_send(struct nj_outlet *outlet, const void *data, size_t size)
{
	return nj_link_send(outlet->link, NULL, data, size);
}

int nj_outlet_greet(struct nj_outlet *outlet, struct nj_wire_hello *hello)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	hello->greeting = outlet->greeting + 1;
	int err = nj_outlet_send(outlet, buffer, nj_wire_hello_encode(hello, buffer));
	if (err < 0)
		return err;
	outlet->greeting = hello->greeting;
	outlet->told_oldest = hello->oldest;
	outlet->told_settled = hello->settled > outlet->told_settled ? hello->settled : outlet->told_settled;
	outlet->standing = NJ_STANDING_GREETED;
	outlet->silence_ms = 0;
	return NJ_OK;
}

int nj_outlet_settle(struct nj_outlet *outlet, uint64_t boot, uint64_t settled)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	const struct nj_wire_settled words = {.boot = boot, .settled = settled};
	int err = nj_outlet_send(outlet, buffer, nj_wire_settled_encode(&words, buffer));
	if (err == NJ_OK)
		outlet->told_settled = settled;
	return err;
}

/* Any answer shows that it lives; only one to a greeting of this stay says where it stands. */
static enum nj_outlet_word take_ack(struct nj_outlet *o, const struct nj_wire_ack *ack, uint32_t patience_ms)
{
	o->silence_ms = o->unanswered_ms = 0;
	o->patience_ms = patience_ms;
	o->minor = ack->minor;
	if (ack->minor > 0 && ack->greeting < o->entry)
		return NJ_WORD_NONE;
	o->standing = NJ_STANDING_KNOWN;
	o->credit = ack->credit;
	if (ack->minor == 0 || ack->greeting == o->greeting)
		o->decided = o->told_oldest;
	if (ack->settled > o->confirmed)
		o->confirmed = ack->settled;
	return NJ_WORD_ACK;
}

static enum nj_outlet_word take_refusal(struct nj_outlet *o, const struct nj_wire_refuse *refuse)
{
	if (refuse->code == NJ_WIRE_REFUSED_STRANGER) {
		if (o->standing == NJ_STANDING_KNOWN) /* else a greeting is on its way already */
			o->standing = NJ_STANDING_STRANGER;
		return NJ_WORD_NONE;
	}
	o->refused = refuse->code == NJ_WIRE_REFUSED_MALFORMED ? NJ_ERR_FORMAT : NJ_ERR_VERSION;
	return NJ_WORD_REFUSED;
}

int nj_outlet_hear(struct nj_outlet *outlet, uint64_t boot, uint32_t wait_ms, uint32_t patience_ms,
		   enum nj_outlet_word *ret_word, struct nj_wire_ack *ret_ack, struct nj_wire_refuse *ret_refuse)
{
	struct nj_link_frame frame;
	enum nj_wire_kind kind;
	uint32_t major;
	int err = nj_link_receive(outlet->link, (int)wait_ms, &frame);
	if (err < 0)
		return err == NJ_ERR_AGAIN ? 0 : err;
	*ret_word = NJ_WORD_NONE;
	if (!nj_wire_peek(frame.data, frame.size, &kind, &major))
		return 1;
	if (kind == NJ_WIRE_ACK && nj_wire_ack_decode(frame.data, frame.size, NULL, ret_ack) == NJ_OK &&
	    ret_ack->boot == boot)
		*ret_word = take_ack(outlet, ret_ack, patience_ms);
	else if (kind == NJ_WIRE_REFUSE && nj_wire_refuse_decode(frame.data, frame.size, NULL, ret_refuse) == NJ_OK)
		*ret_word = take_refusal(outlet, ret_refuse);
	return 1;
}

static uint32_t sum(uint32_t a, uint32_t b)
{
	return a + b < a ? UINT32_MAX : a + b;
}

void nj_outlet_wait(struct nj_outlet *outlet, uint32_t ms, uint32_t patience_ms)
{
	outlet->silence_ms = sum(outlet->silence_ms, ms);
	outlet->unanswered_ms = sum(outlet->unanswered_ms, ms);
	if (outlet->patience_ms == 0)
		outlet->patience_ms = patience_ms;
	if (outlet->silence_ms < outlet->patience_ms)
		return;
	outlet->standing = NJ_STANDING_STRANGER;
	outlet->silence_ms = 0;
	if (outlet->patience_ms < PATIENCE_TIMES * patience_ms)
		outlet->patience_ms *= 2;
}
