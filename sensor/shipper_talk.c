/* What a shipper says to aggregators and makes of their words. Only the current one moves the numbers of the journal;
 * the others are greeted to hear whether they are there, and to tell them what became of what they hold. */
#include "sensor/shipper_parts.h"

#include <stdio.h>
#include <string.h>

static int broken(struct nj_shipper *s, const struct nj_outlet *outlet, int err)
{
	return nj_fail(&s->message, err, "%s: the link failed", outlet->endpoint);
}

/* What is said of the journal is what is on its disk: a crash must not take it back. */
static int greet(struct nj_shipper *s, struct nj_outlet *outlet)
{
	struct nj_journal_state st = nj_journal_committed(s->journal);
	bool current = outlet == &s->outlets[s->current];
	struct nj_wire_hello hello = {.self = s->self,
				      .boot = st.boot,
				      .oldest = st.oldest,
				      .dropped = st.dropped,
				      .several = nj_shipper_has_several(s),
				      .settled = current && s->entered ? st.oldest : outlet->settled};
	snprintf(hello.sensor, sizeof hello.sensor, "%s", s->options.sensor);
	snprintf(hello.tap_group, sizeof hello.tap_group, "%s", s->options.tap_group);
	int err = nj_outlet_greet(outlet, &hello);
	if (err == NJ_ERR_AGAIN)
		return NJ_OK;
	if (err < 0)
		return broken(s, outlet, err);
	s->counts.greetings++;
	return NJ_OK;
}

static int send_batches(struct nj_shipper *s, struct nj_outlet *to)
{
	const void *data;
	size_t size;
	uint64_t at;
	while (to->standing == NJ_STANDING_KNOWN && s->entered && !s->draining && s->sent < s->committed &&
	       s->sent < s->acked + to->credit) {
		int err = nj_journal_read(s->journal, s->sent, &s->message, &at, &data, &size);
		if (err < 0)
			return err;
		if (err == 0 ||
		    at != s->sent) { /* pushed out meanwhile: the aggregator must hear that it will not come */
			to->standing = NJ_STANDING_STRANGER;
			return NJ_OK;
		}
		err = nj_outlet_send(to, data, size);
		if (err == NJ_ERR_AGAIN)
			return NJ_OK;
		if (err < 0)
			return broken(s, to, err);
		s->counts.batches_sent++;
		s->counts.bytes_sent += size;
		s->counts.batches_resent += at < s->sent_ever;
		s->sent = at + 1;
		s->sent_ever = s->sent > s->sent_ever ? s->sent : s->sent_ever;
		to->sent_end = s->sent > to->sent_end ? s->sent : to->sent_end;
	}
	return NJ_OK;
}

int nj_shipper_move_acked(struct nj_shipper *s, uint64_t next)
{
	uint64_t windows, oldest = nj_journal_state(s->journal).oldest, from = s->acked > oldest ? s->acked : oldest;
	int err = nj_shipper_count_windows(s, from, next, &windows);
	if (err < 0)
		return err;
	s->counts.batches_shipped +=
		next > from ? next - from : 0; /* below the oldest: dropped, and the aggregator knows */
	s->counts.windows_shipped += windows;
	s->counts.windows_spooled -= windows;
	s->acked = next;
	s->sent = s->sent > next ? s->sent : next;
	bool all = s->acked == nj_journal_state(s->journal).next;
	bool now = all || nj_shipper_has_several(s) || s->acked - oldest >= NJ_SHIPPER_FORGET_LAZILY_MAX;
	return now ? nj_shipper_bear(s, nj_shipper_forget(s)) : NJ_OK;
}

/* The aggregator has lost what it had acknowledged: what is still held goes again. */
static int move_back(struct nj_shipper *s, uint64_t next)
{
	uint64_t older = 0, newer = 0, middle = s->acked_first < s->acked ? s->acked_first : s->acked;
	if (middle < next)
		middle = next;
	int err = nj_shipper_count_windows(s, next, middle, &older);
	if (err == NJ_OK)
		err = nj_shipper_count_windows(s, middle, s->acked, &newer);
	if (err < 0)
		return err;
	s->counts.windows_taken += older;
	s->counts.windows_shipped -= newer;
	s->counts.windows_spooled += older + newer;
	s->counts.batches_shipped -= s->acked - middle;
	s->acked_first = next < s->acked_first ? next : s->acked_first;
	s->acked = s->sent = next;
	return NJ_OK;
}

/* What was never sent cannot be acknowledged, unless an earlier run sent it. */
static int take_ack(struct nj_shipper *s, const struct nj_wire_ack *ack)
{
	struct nj_outlet *current = &s->outlets[s->current];
	int err = s->entered ? NJ_OK : nj_route_enter(s);
	if (err < 0 || !s->entered) {
		current->standing = NJ_STANDING_STRANGER;
		return err;
	}
	uint64_t next = ack->next;
	if (next > s->committed && s->options.reading != 0) { /* this journal began anew: the numbers are the same */
		s->had = next > s->had ? next : s->had;
		next = s->committed;
	}
	if (next > s->acked && next <= s->committed)
		err = nj_shipper_move_acked(s, next);
	else if (ack->rewind && next < s->acked && next >= nj_journal_state(s->journal).oldest &&
		 !nj_shipper_has_several(s))
		err = move_back(s, next);
	if (ack->rewind)
		s->sent = s->acked;
	return err;
}

static int take_refusal(struct nj_shipper *s, struct nj_outlet *outlet, const struct nj_wire_refuse *refuse)
{
	bool all = true;
	nj_fail(&s->message, outlet->refused, "%s refuses: %s", outlet->endpoint, refuse->reason);
	for (uint32_t i = 0; i < s->outlets_n; i++)
		all &= s->outlets[i].refused < 0;
	s->refused = all ? outlet->refused : NJ_OK;
	return s->refused;
}

/* All that has come from one of them. */
static int hear(struct nj_shipper *s, struct nj_outlet *outlet, uint32_t wait_ms, bool *ret_heard)
{
	uint64_t boot = nj_journal_state(s->journal).boot;
	struct nj_wire_ack ack;
	struct nj_wire_refuse refuse;
	enum nj_outlet_word word;
	int err;
	for (*ret_heard = false;; *ret_heard = true) {
		err = nj_outlet_hear(outlet, boot, *ret_heard ? 0 : wait_ms, s->options.silence_ms, &word, &ack,
				     &refuse);
		if (err < 0)
			return broken(s, outlet, err);
		if (err == 0)
			return NJ_OK;
		s->counts.refusals += word == NJ_WORD_REFUSED;
		if (word == NJ_WORD_REFUSED)
			err = take_refusal(s, outlet, &refuse);
		else if (word == NJ_WORD_ACK && outlet == &s->outlets[s->current])
			err = take_ack(s, &ack);
		if (err < 0)
			return err;
	}
}

static int look_after_others(struct nj_shipper *s)
{
	bool heard;
	int err = NJ_OK;
	for (uint32_t i = 0; i < s->outlets_n && err == NJ_OK; i++) {
		struct nj_outlet *other = &s->outlets[i];
		if (i == s->current)
			continue;
		if (other->standing == NJ_STANDING_STRANGER && nj_route_wants(s, i))
			err = greet(s, other);
		if (err == NJ_OK)
			err = hear(s, other, 0, &heard);
	}
	return err;
}

/* Tells the current one which of its acknowledgements are on our disk: what it took up to there has effect now. */
static int settle(struct nj_shipper *s)
{
	struct nj_outlet *current = &s->outlets[s->current];
	struct nj_journal_state durable = nj_journal_committed(s->journal);
	if (!nj_shipper_has_several(s) || !s->entered || current->standing != NJ_STANDING_KNOWN ||
	    current->minor == 0 || durable.oldest <= current->told_settled)
		return NJ_OK;
	int err = nj_outlet_settle(current, durable.boot, durable.oldest);
	return err == NJ_ERR_AGAIN || err == NJ_OK ? NJ_OK : broken(s, current, err);
}

static bool is_word_due(const struct nj_shipper *s)
{
	const struct nj_outlet *current = &s->outlets[s->current];
	if (current->standing != NJ_STANDING_KNOWN)
		return true;
	return s->sent != s->acked ||
	       (nj_shipper_has_several(s) && current->minor > 0 && current->confirmed < current->told_settled);
}

/* One that is asked from time to time: a missed answer ends how long it has been good. */
static void pass_other(struct nj_shipper *s, struct nj_outlet *other, uint32_t ms)
{
	if (other->standing == NJ_STANDING_KNOWN) {
		other->good_ms = other->good_ms + ms < ms ? UINT32_MAX : other->good_ms + ms;
		other->silence_ms += ms;
		if (other->silence_ms >= s->options.silence_ms)
			other->standing = NJ_STANDING_STRANGER;
		return;
	}
	nj_outlet_wait(other, ms, s->options.silence_ms);
	if (other->standing == NJ_STANDING_STRANGER)
		other->good_ms = 0;
}

void nj_shipper_pass(struct nj_shipper *s, uint32_t ms)
{
	for (uint32_t i = 0; i < s->outlets_n; i++)
		if (i == s->current ? is_word_due(s) : false)
			nj_outlet_wait(&s->outlets[i], ms, s->options.silence_ms);
		else if (i != s->current && nj_route_wants(s, i))
			pass_other(s, &s->outlets[i], ms);
		else if (i != s->current)
			s->outlets[i].good_ms = 0;
}

int nj_shipper_exchange(struct nj_shipper *s, uint32_t wait_ms)
{
	struct nj_outlet *current = &s->outlets[s->current];
	bool heard = false;
	int err = current->standing == NJ_STANDING_STRANGER ? greet(s, current) : NJ_OK;
	if (err == NJ_OK)
		err = send_batches(s, current);
	if (err == NJ_OK)
		err = hear(s, current, wait_ms, &heard);
	if (err == NJ_OK)
		err = send_batches(s, current);
	if (err == NJ_OK && nj_shipper_has_several(s))
		err = look_after_others(s);
	if (err == NJ_OK)
		err = settle(s);
	if (err == NJ_OK && !heard && !s->clocked)
		nj_shipper_pass(s, wait_ms);
	return err == NJ_OK ? nj_route_choose(s) : err;
}

bool nj_shipper_is_settled(const struct nj_shipper *s)
{
	const struct nj_outlet *current = &s->outlets[s->current];
	if (s->acked < nj_journal_state(s->journal).next)
		return false;
	if (!nj_shipper_has_several(s))
		return true;
	for (uint32_t i = 0; i < s->outlets_n; i++)
		if (i != s->current && s->outlets[i].decided < s->outlets[i].sent_end)
			return false;
	return s->entered && (current->minor == 0 || current->confirmed >= s->acked);
}

int nj_shipper_heartbeat(struct nj_shipper *s, struct nj_sensor_health *health)
{
	uint8_t buffer[NJ_WIRE_HEARTBEAT_MAX];
	nj_shipper_health(s, health);
	size_t size = nj_wire_heartbeat_encode(health, buffer);
	for (uint32_t i = 0; i < s->outlets_n; i++) {
		struct nj_outlet *outlet = &s->outlets[i];
		if (outlet->standing != NJ_STANDING_KNOWN || outlet->minor == 0)
			continue;
		int err = nj_outlet_send(outlet, buffer, size);
		if (err < 0 && err != NJ_ERR_AGAIN)
			return broken(s, outlet, err);
		s->counts.heartbeats += err == NJ_OK;
	}
	return NJ_OK;
}
