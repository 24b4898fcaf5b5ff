/* Windows come ascending by start and, within a start, by agent; the tick of a start comes after them. So one place in
 * this order says what has been told, however the windows were cut into batches. What was noted counts once the
 * transaction is committed; a row that was not is not seen by the next run either. */
#include "sensor/told.h"

#include "common/db.h"

#include <stdlib.h>
#include <string.h>

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS told (one INTEGER PRIMARY KEY CHECK (one = 1), reading INTEGER, start_ns INTEGER, "
	"ticked INTEGER, finished INTEGER, segment INTEGER, address BLOB, acked INTEGER)";

struct place {
	uint64_t start_ns;
	bool some, ticked, finished; /* some: anything at all */
	struct nj_agent_id last;     /* while not ticked: up to this agent */
};

struct nj_told {
	struct nj_statement *save;
	uint64_t reading;
	struct place earlier; /* of the run before */
	struct place now;
};

static int recall(struct nj_told *told, struct nj_db *db, struct nj_message *message, uint64_t *ret_acked)
{
	struct nj_statement *s;
	int err = nj_db_prepare(db, "SELECT reading, start_ns, ticked, finished, segment, address, acked FROM told",
				message, &s);
	if (err < 0)
		return err;
	*ret_acked = 0;
	err = nj_statement_step(s, message);
	if (err == 1)
		*ret_acked = nj_statement_get_u64(s, 6);
	if (err == 1 && told->reading != 0 && nj_statement_get_u64(s, 0) == told->reading) {
		size_t size;
		const void *address = nj_statement_get_blob(s, 5, &size);
		told->earlier = (struct place){.some = true,
					       .start_ns = nj_statement_get_u64(s, 1),
					       .ticked = nj_statement_get_u64(s, 2) != 0,
					       .finished = nj_statement_get_u64(s, 3) != 0,
					       .last.segment = (nj_segment)nj_statement_get_u64(s, 4)};
		if (size == sizeof told->earlier.last.addr)
			memcpy(&told->earlier.last.addr, address, size);
		told->now = told->earlier;
	}
	nj_statement_free(&s);
	return err < 0 ? err : NJ_OK;
}

int nj_told_new(struct nj_db *db, uint64_t reading, struct nj_message *message, struct nj_told **ret_told,
		uint64_t *ret_acked)
{
	struct nj_told *told = calloc(1, sizeof *told);
	if (told == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "shipper: out of memory");
	told->reading = reading;
	int err = nj_db_run(db, schema, message);
	if (err == NJ_OK)
		err = recall(told, db, message, ret_acked);
	if (err == NJ_OK)
		err = nj_db_prepare(db, "INSERT OR REPLACE INTO told VALUES (1, ?, ?, ?, ?, ?, ?, ?)", message,
				    &told->save);
	if (err < 0)
		nj_told_free(&told);
	else
		*ret_told = told;
	return err;
}

void nj_told_free(struct nj_told **told)
{
	if (*told == NULL)
		return;
	nj_statement_free(&(*told)->save);
	free(*told);
	*told = NULL;
}

bool nj_told_window(const struct nj_told *told, const struct nj_window *window)
{
	const struct place *p = &told->earlier;
	if (!p->some || window->start_ns > p->start_ns)
		return false;
	return window->start_ns < p->start_ns || p->ticked || nj_agent_id_compare(&window->agent, &p->last) <= 0;
}

/* An end that was not told yet is told, whatever came before. */
bool nj_told_tick(const struct nj_told *told, uint64_t start_ns, bool finish)
{
	const struct place *p = &told->earlier;
	if (!p->some || (finish && !p->finished))
		return false;
	return start_ns < p->start_ns || (start_ns == p->start_ns && p->ticked);
}

void nj_told_note(struct nj_told *told, uint64_t start_ns, const struct nj_agent_id *last, bool tick, bool finish)
{
	struct place *p = &told->now;
	if (p->some && start_ns < p->start_ns)
		return;
	p->some = true;
	p->start_ns = start_ns;
	p->ticked = tick;
	p->finished |= finish;
	if (last != NULL)
		p->last = *last;
}

int nj_told_save(struct nj_told *told, uint64_t acked, struct nj_message *message)
{
	const struct place *p = &told->now;
	nj_statement_u64(told->save, 1, told->reading);
	nj_statement_u64(told->save, 2, p->start_ns);
	nj_statement_u64(told->save, 3, p->ticked);
	nj_statement_u64(told->save, 4, p->finished);
	nj_statement_u64(told->save, 5, p->last.segment);
	nj_statement_blob(told->save, 6, &p->last.addr, sizeof p->last.addr);
	nj_statement_u64(told->save, 7, acked);
	return nj_statement_run(told->save, message);
}
