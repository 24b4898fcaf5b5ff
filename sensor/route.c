/* One row an aggregator, named by its endpoint so that the order of the list may change: where it was left, whether it
 * is the current one, whether it has been entered. While it is current and entered, "where it was left" is the
 * journal's oldest entry and need not be written. */
#include "sensor/route.h"

#include "common/db.h"
#include "sensor/shipper_parts.h"

#include <stdlib.h>

static const char schema[] = "CREATE TABLE IF NOT EXISTS outlet (endpoint TEXT PRIMARY KEY, settled INTEGER, current "
			     "INTEGER, entered INTEGER) WITHOUT ROWID";

struct nj_route {
	struct nj_statement *save, *recall, *current, *retire;
};

static int prepare(struct nj_route *r, struct nj_db *db, struct nj_message *message)
{
	const struct {
		struct nj_statement **statement;
		const char *sql;
	} all[] = {
		{&r->save, "INSERT OR REPLACE INTO outlet VALUES (?, ?, ?, ?)"},
		{&r->recall, "SELECT settled, current, entered FROM outlet WHERE endpoint = ?"},
		{&r->current, "SELECT count(*) FROM outlet WHERE current = 1"},
		{&r->retire, "UPDATE outlet SET settled = CASE WHEN entered = 1 THEN ? ELSE settled END, current = 0, "
			     "entered = 0 WHERE current = 1"},
	};
	int err = nj_db_run(db, schema, message);
	for (size_t i = 0; i < sizeof all / sizeof *all && err == NJ_OK; i++)
		err = nj_db_prepare(db, all[i].sql, message, all[i].statement);
	return err;
}

static int save(struct nj_shipper *s, const struct nj_outlet *outlet, bool current, bool entered)
{
	struct nj_statement *statement = s->route->save;
	nj_statement_text(statement, 1, outlet->endpoint);
	nj_statement_u64(statement, 2, outlet->settled);
	nj_statement_u64(statement, 3, current);
	nj_statement_u64(statement, 4, entered);
	return nj_statement_run(statement, &s->message);
}

/* One that was ever delivered to may hold anything up to the journal's end. */
static int recall(struct nj_shipper *s, uint32_t index, struct nj_message *message, bool *ret_current)
{
	struct nj_statement *statement = s->route->recall;
	struct nj_outlet *outlet = &s->outlets[index];
	nj_statement_text(statement, 1, outlet->endpoint);
	int err = nj_statement_step(statement, message);
	if (err != 1)
		return err;
	outlet->settled = nj_statement_get_u64(statement, 0);
	outlet->sent_end = nj_journal_state(s->journal).next;
	*ret_current = nj_statement_get_u64(statement, 1) == 1;
	if (*ret_current) {
		s->current = index;
		s->entered = nj_statement_get_u64(statement, 2) == 1;
	}
	nj_statement_reset(statement);
	return NJ_OK;
}

/* The current one is no longer in the list: it is left where the journal stands. */
static int retire_unlisted(struct nj_shipper *s, struct nj_message *message)
{
	int err = nj_statement_step(s->route->current, message);
	bool unlisted = err == 1 && nj_statement_get_u64(s->route->current, 0) > 0;
	nj_statement_reset(s->route->current);
	if (err < 0 || !unlisted)
		return err < 0 ? err : NJ_OK;
	s->entered = false;
	nj_statement_u64(s->route->retire, 1, nj_journal_state(s->journal).oldest);
	err = nj_statement_run(s->route->retire, message);
	return err == NJ_OK ? save(s, &s->outlets[0], true, false) : err;
}

int nj_route_open(struct nj_shipper *s, struct nj_message *message)
{
	bool found = false;
	s->entered = true; /* a journal that knows of no other was always delivered to the one */
	s->route = calloc(1, sizeof *s->route);
	if (s->route == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "shipper: out of memory");
	int err = prepare(s->route, nj_journal_db(s->journal), message);
	for (uint32_t i = 0; i < s->outlets_n && err == NJ_OK; i++) {
		bool current = false;
		err = recall(s, i, message, &current);
		found |= current;
	}
	if (err == NJ_OK && !found)
		err = retire_unlisted(s, message);
	if (err == NJ_OK)
		s->outlets[s->current].sent_end = 0;
	return err;
}

void nj_route_close(struct nj_shipper *s)
{
	if (s->route == NULL)
		return;
	nj_statement_free(&s->route->save);
	nj_statement_free(&s->route->recall);
	nj_statement_free(&s->route->current);
	nj_statement_free(&s->route->retire);
	free(s->route);
	s->route = NULL;
}

int nj_route_enter(struct nj_shipper *s)
{
	struct nj_outlet *outlet = &s->outlets[s->current];
	int err = nj_journal_begin(s->journal, &s->message);
	if (err == NJ_OK)
		err = save(s, outlet, true, true);
	if (err == NJ_OK)
		err = nj_shipper_commit(s);
	if (err < 0)
		return nj_shipper_bear(s, err);
	s->entered = true;
	return NJ_OK;
}

/* What it acknowledged counts there; what it may have taken beyond does not, from now on. */
static int leave(struct nj_shipper *s, uint32_t to)
{
	struct nj_outlet *from = &s->outlets[s->current], *next = &s->outlets[to];
	uint64_t settled = from->settled;
	int err = nj_journal_begin(s->journal, &s->message);
	if (err == NJ_OK)
		err = nj_journal_forget(s->journal, s->acked, &s->message);
	if (err == NJ_OK && s->entered)
		from->settled = nj_journal_state(s->journal).oldest;
	if (err == NJ_OK)
		err = save(s, from, false, false);
	if (err == NJ_OK)
		err = save(s, next, true, false);
	if (err == NJ_OK)
		err = nj_shipper_commit(s);
	if (err < 0) {
		from->settled = settled;
		return nj_shipper_bear(s, err);
	}
	from->standing = NJ_STANDING_STRANGER;
	from->good_ms = from->silence_ms = 0;
	next->standing = NJ_STANDING_STRANGER;
	next->entry = next->greeting + 1;
	next->silence_ms = next->unanswered_ms = 0;
	s->current = to;
	s->entered = s->draining = false;
	s->sent = s->acked;
	s->counts.failovers++;
	return NJ_OK;
}

static bool answers(const struct nj_outlet *outlet)
{
	return outlet->refused == NJ_OK && (outlet->good_ms > 0 || outlet->standing == NJ_STANDING_KNOWN);
}

/* Nothing is on its way to the current one, and it knows that all it acknowledged is its own. */
static bool is_drained(const struct nj_shipper *s)
{
	const struct nj_outlet *current = &s->outlets[s->current];
	uint64_t durable = nj_journal_committed(s->journal).oldest;
	return current->standing == NJ_STANDING_KNOWN && s->entered && s->sent == s->acked && durable >= s->acked &&
	       (current->minor == 0 || current->confirmed >= s->acked);
}

static int turn_away(struct nj_shipper *s)
{
	for (uint32_t i = 0; i < s->outlets_n; i++)
		if (i != s->current && answers(&s->outlets[i]))
			return leave(s, i);
	return NJ_OK;
}

int nj_route_choose(struct nj_shipper *s)
{
	const struct nj_outlet *current = &s->outlets[s->current];
	if (!nj_shipper_has_several(s))
		return NJ_OK;
	if (current->unanswered_ms >= s->options.failover_ms || current->refused < 0)
		return turn_away(s);
	if (s->draining && !answers(&s->outlets[s->target]))
		s->draining = false;
	if (s->draining)
		return is_drained(s) ? leave(s, s->target) : NJ_OK;
	for (uint32_t i = 0; i < s->current && !s->draining; i++)
		if (answers(&s->outlets[i]) && s->outlets[i].good_ms >= s->options.failback_ms) {
			s->draining = true;
			s->target = i;
		}
	return NJ_OK;
}

bool nj_route_wants(const struct nj_shipper *s, uint32_t outlet)
{
	const struct nj_outlet *current = &s->outlets[s->current], *other = &s->outlets[outlet];
	return outlet < s->current || other->decided < other->sent_end || current->refused < 0 ||
	       current->unanswered_ms >= s->options.silence_ms;
}
