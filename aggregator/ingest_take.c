/* Batches in. Frames are worked through in groups: all that is there, up to a bound, is decoded and appended in one
 * transaction, so that one synchronisation of the disk serves many batches; then come the acknowledgements, then the
 * listener.
 *
 * Order is kept by going back, not by buffering: a batch that is not the next one is not taken, and its sender is told
 * once from where to send again. */
#include "aggregator/ingest_parts.h"

#include <string.h>

#define HELD_MAX(in) (2 * (in)->options.credit) /* of a series: all it had credit for, twice */

/* =============================== groups =============================== */

static int hand_over(struct nj_ingest *in)
{
	int err = NJ_OK;
	for (uint32_t i = 0; i < in->group_n; i++) {
		const struct nj_ingest_taken *taken = &in->group[i];
		in->counts.received++;
		in->counts.received_bytes += taken->bytes;
		in->counts.windows += taken->batch.windows_n;
		in->handed++;
		if (err == NJ_OK)
			err = in->listener.batch(in->listener.context, &taken->batch, taken->position);
	}
	return err;
}

/* Nothing of the group happened: what memory says of the series is forgotten, the journal knows better. */
int nj_ingest_give_up(struct nj_ingest *in, int err)
{
	in->group_n = 0;
	in->uncommitted = false;
	nj_series_forget(in->series);
	nj_arena_reset(&in->arena);
	return err;
}

/* Commits what changed, answers, hands over. */
int nj_ingest_flush(struct nj_ingest *in, struct nj_message *message)
{
	int err = nj_journal_begin(in->journal, message);
	if (err == NJ_OK)
		err = nj_series_save(in->series, message);
	if (err == NJ_OK)
		err = nj_journal_commit(in->journal, message);
	if (err < 0)
		return nj_ingest_give_up(in, err);
	in->counts.journal_dropped = nj_journal_state(in->journal).dropped;
	in->uncommitted = false;
	nj_ingest_acknowledge_owed(in);
	err = hand_over(in);
	if (err < 0)
		nj_fail(message, err, "the engine stopped: %s", nj_error_text(err));
	in->group_n = 0;
	nj_arena_reset(&in->arena);
	return err;
}

/* Decodes behind what the group holds already; a full arena makes the group go first. */
int nj_ingest_decode_frame(struct nj_ingest *in, const struct nj_link_frame *frame, struct nj_batch *ret_batch,
			   struct nj_message *ret_wrong, struct nj_message *message)
{
	int err = nj_wire_batch_decode(frame->data, frame->size, &in->self, &in->arena, ret_wrong, ret_batch);
	if (err != NJ_ERR_MEMORY || in->group_n == 0)
		return err;
	int flushed = nj_ingest_flush(in, message);
	if (flushed < 0) {
		ret_wrong->text[0] = '\0';
		return flushed;
	}
	return nj_wire_batch_decode(frame->data, frame->size, &in->self, &in->arena, ret_wrong, ret_batch);
}

/* Into the journal, and into the group that is handed over once it is committed. */
int nj_ingest_append(struct nj_ingest *in, const struct nj_link_frame *frame, const struct nj_batch *batch,
		     struct nj_message *message)
{
	int err = nj_journal_begin(in->journal, message);
	uint64_t position = nj_journal_state(in->journal).next;
	if (err == NJ_OK)
		err = nj_journal_append(in->journal, frame->data, frame->size, message);
	if (err < 0)
		return nj_ingest_give_up(in, err);
	in->group[in->group_n++] = (struct nj_ingest_taken){*batch, frame->peer, position, frame->size};
	return NJ_OK;
}

/* =============================== batches =============================== */

static int take_next(struct nj_ingest *in, const struct nj_link_frame *frame, const struct nj_batch *batch,
		     struct nj_ingest_session *session, struct nj_series *series, struct nj_message *message)
{
	int err;
	session->told_to_rewind = false;
	if (session->several) {
		err = nj_journal_begin(in->journal, message);
		if (err == NJ_OK)
			err = nj_series_hold(in->series, series, batch->sequence, frame->data, frame->size, message);
		in->uncommitted = true;
	} else {
		err = nj_ingest_append(in, frame, batch, message);
	}
	if (err < 0)
		return nj_ingest_give_up(in, err);
	in->counts.held += session->several;
	series->next++;
	series->received++;
	if (!session->several && series->held == 0)
		series->settled = series->next;
	series->changed = true;
	return in->group_n == NJ_INGEST_GROUP_MAX ? nj_ingest_flush(in, message) : NJ_OK;
}

static int order(struct nj_ingest *in, const struct nj_link_frame *frame, const struct nj_batch *batch,
		 struct nj_ingest_session *session, struct nj_message *message)
{
	struct nj_series *series = nj_series_find(in->series, batch->sensor, batch->boot);
	if (series == NULL) { /* it gave its place to another since the greeting */
		nj_ingest_refuse_stranger(in, &frame->peer);
		return NJ_OK;
	}
	session->used = series->used = in->steps;
	if (batch->sequence <= series->next)
		session->owed = true;
	bool too_many = session->several && series->held >= HELD_MAX(in); /* it was given no credit for this */
	if (batch->sequence == series->next && !too_many)
		return take_next(in, frame, batch, session, series, message);
	if (batch->sequence < series->next) {
		in->counts.repeated++;
		return NJ_OK;
	}
	in->counts.out_of_order++;
	int err = in->group_n > 0 ? nj_ingest_flush(in, message) : NJ_OK;
	if (err == NJ_OK && !session->told_to_rewind)
		nj_ingest_acknowledge(in, session, series, true);
	session->told_to_rewind = true;
	return err;
}

int nj_ingest_take_batch(struct nj_ingest *in, const struct nj_link_frame *frame, struct nj_message *message)
{
	struct nj_ingest_session *session = nj_ingest_session_find(in, &frame->peer);
	if (session == NULL) {
		nj_ingest_refuse_stranger(in, &frame->peer);
		return NJ_OK;
	}
	struct nj_batch batch;
	struct nj_message wrong = {""};
	size_t used = in->arena.used;
	int err = nj_ingest_decode_frame(in, frame, &batch, &wrong, message);
	if (err < 0 && wrong.text[0] == '\0')
		return err;
	if (err == NJ_OK && (strcmp(batch.sensor, session->sensor) != 0 || batch.boot != session->boot))
		err = nj_fail(&wrong, NJ_ERR_FORMAT, "a batch of sensor %s came from sensor %s", batch.sensor,
			      session->sensor);
	uint32_t group_n = in->group_n;
	if (err < 0)
		nj_ingest_refuse_malformed(in, &frame->peer, wrong.text);
	else
		err = order(in, frame, &batch, session, message);
	if (in->group_n <= group_n && used < in->arena.used) /* it did not join the group: nobody needs it decoded */
		in->arena.used = used;
	return wrong.text[0] != '\0' ? NJ_OK : err;
}
