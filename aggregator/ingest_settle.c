/* From where a series goes on, as its sensor says: a greeting tells what will never come and what became of the batches
 * that are held here, a settlement only the latter. What is settled for this aggregator is released into the journal,
 * what another one has is discarded.
 *
 * A greeting ends a group, because its answer must speak of what is committed. */
#include "aggregator/ingest_parts.h"

#include <stdint.h>

/* =============================== settling =============================== */

#define SEQUENCE_MAX INT64_MAX /* as far as the journal's file can compare; no sensor comes so far */

static uint64_t bounded(uint64_t sequence)
{
	return sequence < SEQUENCE_MAX ? sequence : SEQUENCE_MAX;
}

/* What was held below *below* has effect from now on: out of keeping and into the journal, in one transaction. */
static int release(struct nj_ingest *in, struct nj_series *series, uint64_t below, struct nj_message *message)
{
	struct nj_link_frame frame = {0};
	const void *data;
	uint64_t sequence, n;
	int err = NJ_OK;
	while (series->held > 0) {
		err = nj_journal_begin(in->journal, message);
		if (err == NJ_OK)
			err = nj_series_held(in->series, series, bounded(below), message, &sequence, &data,
					     &frame.size);
		if (err != 1)
			break;
		struct nj_batch batch;
		struct nj_message wrong = {""};
		frame.data = data;
		err = nj_ingest_decode_frame(in, &frame, &batch, &wrong, message);
		if (err < 0 && wrong.text[0] != '\0' && message != NULL)
			*message = wrong;
		if (err == NJ_OK)
			err = nj_ingest_append(in, &frame, &batch, message);
		if (err == NJ_OK)
			err = nj_series_let_go(in->series, series, sequence, sequence + 1, message, &n);
		if (err < 0)
			break;
		in->counts.released++;
		in->uncommitted = true;
		if (in->group_n == NJ_INGEST_GROUP_MAX && (err = nj_ingest_flush(in, message)) < 0)
			break;
	}
	return err < 0 ? nj_ingest_give_up(in, err) : NJ_OK;
}

static int discard(struct nj_ingest *in, struct nj_series *series, uint64_t from, uint64_t until,
		   struct nj_message *message)
{
	uint64_t n = 0;
	int err = series->held > 0 ? nj_journal_begin(in->journal, message) : NJ_OK;
	if (err == NJ_OK)
		err = nj_series_let_go(in->series, series, bounded(from), bounded(until), message, &n);
	if (err < 0)
		return nj_ingest_give_up(in, err);
	series->received -= n;
	series->elsewhere += n;
	series->changed |= n > 0;
	in->counts.discarded += n;
	return NJ_OK;
}

/* A sensor that greets with another boot has lost the journal which knew what became of these: they count here, even if
 * another aggregator should have them too. */
static int release_abandoned(struct nj_ingest *in, const struct nj_wire_hello *hello, struct nj_message *message)
{
	uint64_t boot;
	int err;
	while ((err = nj_series_other_held(in->series, hello->sensor, hello->boot, message, &boot)) == 1) {
		struct nj_series *series;
		err = nj_series_recall(in->series, hello->sensor, boot, message, &series);
		if (err == NJ_OK && series->held == 0) /* kept by no series: cannot be */
			err = nj_fail(message, NJ_ERR_FORMAT, "batches of sensor %s are held by nobody", hello->sensor);
		if (err == NJ_OK)
			err = release(in, series, SEQUENCE_MAX, message);
		if (err < 0)
			return err;
		series->settled = series->next;
		series->changed = true;
	}
	return err;
}

/* What the sensor's journal says of batches that were held here. */
static int settle(struct nj_ingest *in, struct nj_series *series, const struct nj_wire_hello *hello,
		  struct nj_message *message)
{
	int err = release(in, series, hello->settled, message);
	if (err == NJ_OK)
		err = discard(in, series, hello->settled, hello->oldest, message);
	if (err == NJ_OK && !hello->several)
		err = release(in, series, SEQUENCE_MAX, message); /* there is no other any more */
	if (err < 0)
		return err;
	uint64_t settled = hello->several ? hello->settled : series->next;
	if (settled > series->settled) {
		series->settled = settled;
		series->changed = true;
	}
	return NJ_OK;
}

/* =============================== greetings =============================== */

/* Sequences that will not come here: of a sensor with several aggregators, as many as it has dropped since it last
 * greeted are lost, the others were taken elsewhere. A sensor with one has no elsewhere. */
static void move_on(struct nj_ingest *in, struct nj_series *series, const struct nj_wire_hello *hello)
{
	uint64_t jump = hello->oldest > series->next ? hello->oldest - series->next : 0;
	uint64_t dropped = hello->dropped > series->dropped_seen ? hello->dropped - series->dropped_seen : 0;
	uint64_t lost = !hello->several || jump < dropped ? jump : dropped;
	series->changed |= jump > 0 || hello->dropped != series->dropped_seen;
	series->dropped_seen = hello->dropped;
	series->next += jump;
	series->gaps += lost;
	series->elsewhere += jump - lost;
	in->counts.gaps += lost;
	if (lost > 0 && in->listener.gap != NULL)
		in->listener.gap(in->listener.context, hello->sensor, lost);
}

static int welcome(struct nj_ingest *in, const struct nj_link_peer *peer, const struct nj_wire_hello *hello,
		   struct nj_message *message)
{
	struct nj_series *series;
	int err = release_abandoned(in, hello, message);
	if (err == NJ_OK)
		err = nj_series_recall(in->series, hello->sensor, hello->boot, message, &series);
	if (err < 0)
		return err;
	series->used = in->steps;
	err = settle(in, series, hello, message);
	if (err < 0)
		return err;
	move_on(in, series, hello);
	struct nj_ingest_session *session = nj_ingest_session_open(in, peer, hello);
	err = series->changed || in->group_n > 0 || in->uncommitted ? nj_ingest_flush(in, message) : NJ_OK;
	if (err == NJ_OK)
		nj_ingest_acknowledge(in, session, series, true);
	in->counts.greetings++;
	return err;
}

int nj_ingest_take_hello(struct nj_ingest *in, const struct nj_link_frame *frame, struct nj_message *message)
{
	struct nj_wire_hello hello;
	struct nj_message wrong;
	struct nj_wire_refuse words;
	int err = in->group_n > 0 ? nj_ingest_flush(in, message) : NJ_OK;
	if (err < 0)
		return err;
	if (nj_wire_hello_decode(frame->data, frame->size, &wrong, &hello) < 0) {
		nj_ingest_refuse_malformed(in, &frame->peer, wrong.text);
		return NJ_OK;
	}
	if (!nj_ingest_speaks_for(in, hello.sensor)) {
		nj_ingest_refuse_lie(in, &frame->peer, hello.sensor);
		return NJ_OK;
	}
	if (nj_wire_agree(&hello, &in->self, &words))
		return welcome(in, &frame->peer, &hello, message);
	in->counts.refused++;
	nj_ingest_refuse(in, &frame->peer, (enum nj_wire_refusal)words.code, words.reason);
	return NJ_OK;
}

/* =============================== settlements =============================== */

int nj_ingest_take_settled(struct nj_ingest *in, const struct nj_link_frame *frame, struct nj_message *message)
{
	struct nj_wire_settled settled;
	struct nj_message wrong;
	struct nj_ingest_session *session = nj_ingest_session_find(in, &frame->peer);
	struct nj_series *series = session != NULL ? nj_series_find(in->series, session->sensor, session->boot) : NULL;
	if (series == NULL) {
		nj_ingest_refuse_stranger(in, &frame->peer);
		return NJ_OK;
	}
	int err = nj_wire_settled_decode(frame->data, frame->size, &wrong, &settled);
	if (err == NJ_OK && settled.boot != session->boot)
		err = nj_fail(&wrong, NJ_ERR_FORMAT, "a settlement of another series than that of sensor %s",
			      session->sensor);
	if (err < 0) {
		nj_ingest_refuse_malformed(in, &frame->peer, wrong.text);
		return NJ_OK;
	}
	in->counts.settlements++;
	session->used = series->used = in->steps;
	session->owed = true;
	uint64_t until = settled.settled < series->next ? settled.settled : series->next;
	if (until <= series->settled)
		return NJ_OK;
	err = release(in, series, until, message);
	if (err == NJ_OK) {
		series->settled = until;
		series->changed = in->uncommitted = true;
	}
	return err;
}
