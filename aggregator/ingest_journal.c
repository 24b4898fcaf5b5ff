/* The journal as recovery sees it: read again from a position, mended after a snapshot took its place, cut or moved on,
 * forgotten below what is covered. No peer has a part in this. */
#include "aggregator/ingest_parts.h"

int nj_ingest_replay(struct nj_ingest *in, uint64_t position, struct nj_message *message, uint64_t *ret_next)
{
	const void *data;
	size_t size;
	uint64_t at;
	int err;
	while ((err = nj_journal_read(in->journal, position, message, &at, &data, &size)) == 1) {
		struct nj_batch batch;
		err = nj_wire_batch_decode(data, size, &in->self, &in->arena, message, &batch);
		if (err == NJ_OK)
			err = in->listener.batch(in->listener.context, &batch, at);
		nj_arena_reset(&in->arena);
		if (err < 0)
			return err;
		position = at + 1;
	}
	if (err == 0)
		*ret_next = position;
	return err;
}

void nj_ingest_journal(const struct nj_ingest *in, struct nj_journal_state *ret_state)
{
	*ret_state = nj_journal_state(in->journal);
}

int nj_ingest_read(struct nj_ingest *in, uint64_t position, struct nj_message *message, uint64_t *ret_at,
		   const void **ret_data, size_t *ret_size)
{
	return nj_journal_read(in->journal, position, message, ret_at, ret_data, ret_size);
}

int nj_ingest_decode(struct nj_ingest *in, const void *data, size_t size, struct nj_message *message,
		     int (*take)(void *context, const struct nj_batch *batch), void *context)
{
	struct nj_batch batch;
	size_t used = in->arena.used; /* below it lies what is being handed over */
	int err = nj_wire_batch_decode(data, size, &in->self, &in->arena, message, &batch);
	if (err == NJ_OK)
		err = take(context, &batch);
	in->arena.used = used;
	return err;
}

int nj_ingest_mend(struct nj_ingest *in, struct nj_message *message)
{
	return nj_journal_begin(in->journal, message);
}

int nj_ingest_mended(struct nj_ingest *in, struct nj_message *message)
{
	int err = nj_series_save(in->series, message);
	return err == NJ_OK ? nj_journal_commit(in->journal, message) : err;
}

int nj_ingest_adopt(struct nj_ingest *in, const void *data, size_t size, struct nj_message *message)
{
	return nj_journal_append(in->journal, data, size, message);
}

int nj_ingest_end_at(struct nj_ingest *in, uint64_t position, struct nj_message *message)
{
	struct nj_journal_state st = nj_journal_state(in->journal);
	if (position >= st.oldest && position < st.next)
		return nj_journal_cut(in->journal, position, message);
	return nj_journal_move_on(in->journal, position, message);
}

int nj_ingest_set_series(struct nj_ingest *in, const char *sensor, uint64_t boot, uint64_t next, uint64_t passed,
			 struct nj_message *message)
{
	struct nj_series *series;
	int err = nj_series_recall(in->series, sensor, boot, message, &series);
	if (err < 0)
		return err;
	series->next = next;
	series->gaps = passed;
	series->received = next - passed;
	series->changed = true;
	return NJ_OK;
}

int nj_ingest_forget(struct nj_ingest *in, uint64_t position, struct nj_message *message)
{
	return nj_journal_forget(in->journal, position, message);
}
