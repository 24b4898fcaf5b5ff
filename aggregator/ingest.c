/* Frames are worked through in groups: all that is there, up to a bound, is decoded and appended in one transaction, so
 * that one synchronisation of the disk serves many batches; then come the acknowledgements, then the listener. A
 * greeting ends a group, because its answer must speak of what is committed.
 *
 * Order is kept by going back, not by buffering: a batch that is not the next one is not taken, and its sender is told
 * once from where to send again. */
#include "aggregator/ingest.h"

#include "aggregator/authorized.h"
#include "aggregator/series.h"
#include "common/journal.h"
#include "common/link.h"
#include "common/wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_MAX    64
#define HELD_MAX(in) (2 * (in)->options.credit) /* of a series: all it had credit for, twice */
#define QUEUE_MAX    64                         /* frames a peer, in the link */
#define CREDIT       32
#define FAREWELL_MS  50   /* between two last words */
#define LINGER_MS    1000 /* for the last acknowledgements, when the aggregator ends */
#define SENSORS_MAX  4096
#define JOURNAL_MAX  (1ull << 30)
#define CONNECTIONS  1024

/* A peer that has greeted and been accepted. */
struct session {
	struct nj_link_peer peer;
	char sensor[NJ_SENSOR_ID_MAX];
	uint64_t boot;
	uint64_t used, greeting;
	bool several;        /* what is taken is held until settled */
	bool told_to_rewind; /* and has not sent the right one since */
	bool owed;           /* an acknowledgement, once what it is for is committed */
};

/* A batch decoded and appended, not yet committed. */
struct taken {
	struct nj_batch batch;
	struct nj_link_peer peer;
	uint64_t position;
	size_t bytes;
};

struct nj_ingest {
	struct nj_ingest_options options;
	struct nj_ingest_listener listener;
	struct nj_ingest_counts counts;
	struct nj_wire_self self;
	struct nj_link_context *own_context;
	struct nj_link *link;
	struct nj_journal *journal;
	struct nj_arena arena;
	struct nj_series_table *series;
	struct nj_authorized *authorized; /* NULL: a link without keys */
	const char *speaker;              /* whose key the present frame came with; NULL: a link without keys */
	struct session *sessions;
	uint32_t sessions_n;
	struct taken *group;
	uint32_t group_n;
	uint64_t steps;
	int handed;       /* in this step */
	bool uncommitted; /* something besides the group */
};

void nj_ingest_options_init(struct nj_ingest_options *options)
{
	*options = (struct nj_ingest_options){.journal_path = ":memory:",
					      .journal_bytes_max = JOURNAL_MAX,
					      .credit = CREDIT,
					      .sensors_max = SENSORS_MAX,
					      .connections_max = CONNECTIONS,
					      .arena_bytes = NJ_WIRE_ARENA_BYTES};
}

uint64_t nj_ingest_memory_bytes(const struct nj_ingest_options *options)
{
	uint64_t tables = options->sensors_max * sizeof(struct session) + nj_series_memory_bytes(options->sensors_max) +
			  GROUP_MAX * sizeof(struct taken);
	uint64_t in_memory = strcmp(options->journal_path, ":memory:") == 0 ? options->journal_bytes_max : 0;
	return sizeof(struct nj_ingest) + tables + options->arena_bytes + in_memory;
}

/* =============================== sessions =============================== */

static struct session *find_session(struct nj_ingest *in, const struct nj_link_peer *peer)
{
	for (uint32_t i = 0; i < in->sessions_n; i++)
		if (nj_link_peer_equal(&in->sessions[i].peer, peer))
			return &in->sessions[i];
	return NULL;
}

static struct session *new_session(struct nj_ingest *in)
{
	if (in->sessions_n < in->options.sensors_max)
		return &in->sessions[in->sessions_n++];
	struct session *at = &in->sessions[0];
	for (uint32_t i = 1; i < in->sessions_n; i++)
		at = in->sessions[i].used < at->used ? &in->sessions[i] : at;
	return at;
}

/* =============================== answers =============================== */

/* An answer that cannot be sent is lost: the sensor will ask. */
static int answer(struct nj_ingest *in, const struct nj_link_peer *peer, const uint8_t *data, size_t size)
{
	return nj_link_send(in->link, peer, data, size);
}

/* Held batches use up the credit, so that a sensor which does not settle is not taken from without end. */
static int acknowledge(struct nj_ingest *in, const struct session *session, const struct nj_series *series, bool rewind)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	uint32_t credit = in->options.credit > series->held ? in->options.credit - series->held : 0;
	struct nj_wire_ack ack = {.boot = series->boot,
				  .next = series->next,
				  .credit = credit,
				  .rewind = rewind,
				  .settled = series->settled,
				  .greeting = session->greeting};
	return answer(in, &session->peer, buffer, nj_wire_ack_encode(&ack, buffer));
}

static void refuse(struct nj_ingest *in, const struct nj_link_peer *peer, enum nj_wire_refusal code, const char *reason)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_wire_refuse words = {.code = code};
	snprintf(words.reason, sizeof words.reason, "%.255s", reason);
	answer(in, peer, buffer, nj_wire_refuse_encode(&words, buffer));
}

static void refuse_malformed(struct nj_ingest *in, const struct nj_link_peer *peer, const char *reason)
{
	in->counts.malformed++;
	refuse(in, peer, NJ_WIRE_REFUSED_MALFORMED, reason);
}

static void refuse_stranger(struct nj_ingest *in, const struct nj_link_peer *peer)
{
	in->counts.refused++;
	refuse(in, peer, NJ_WIRE_REFUSED_STRANGER, "greet first");
}

/* =============================== identity =============================== */

/* False: the key was revoked since its connection was made. Such a sensor is told to greet again, as it does anyway
 * from time to time: its key may come back. */
static bool identify(struct nj_ingest *in, const struct nj_link_frame *frame)
{
	struct nj_curve_key key;
	in->speaker = NULL;
	if (in->authorized == NULL)
		return true;
	if (frame->user != NULL && nj_curve_key_parse(frame->user, strlen(frame->user), &key))
		in->speaker = nj_authorized_sensor(in->authorized, &key);
	if (in->speaker != NULL)
		return true;
	in->counts.revoked++;
	refuse(in, &frame->peer, NJ_WIRE_REFUSED_STRANGER, "the key of this sensor is not authorised any more");
	return false;
}

static bool speaks_for(const struct nj_ingest *in, const char *sensor)
{
	return in->speaker == NULL || strcmp(in->speaker, sensor) == 0;
}

static void refuse_lie(struct nj_ingest *in, const struct nj_link_peer *peer, const char *sensor)
{
	char reason[128];
	snprintf(reason, sizeof reason, "its key is that of sensor %s, not of %s", in->speaker, sensor);
	in->counts.lying++;
	refuse(in, peer, NJ_WIRE_REFUSED_IDENTITY, reason);
}

static bool admit(void *context, const struct nj_curve_key *key)
{
	const struct nj_ingest *in = context;
	return nj_authorized_sensor(in->authorized, key) != NULL;
}

/* =============================== groups =============================== */

/* One word to each who sent something since the last time: the newest. */
static void acknowledge_owed(struct nj_ingest *in)
{
	for (uint32_t i = 0; i < in->sessions_n; i++) {
		struct session *session = &in->sessions[i];
		const struct nj_series *series =
			session->owed ? nj_series_find(in->series, session->sensor, session->boot) : NULL;
		if (series != NULL)
			acknowledge(in, session, series, false);
		session->owed = false;
	}
}

static int hand_over(struct nj_ingest *in)
{
	int err = NJ_OK;
	for (uint32_t i = 0; i < in->group_n; i++) {
		const struct taken *taken = &in->group[i];
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
static int give_up_group(struct nj_ingest *in, int err)
{
	in->group_n = 0;
	in->uncommitted = false;
	nj_series_forget(in->series);
	nj_arena_reset(&in->arena);
	return err;
}

/* Commits what changed, answers, hands over. */
static int flush(struct nj_ingest *in, struct nj_message *message)
{
	int err = nj_journal_begin(in->journal, message);
	if (err == NJ_OK)
		err = nj_series_save(in->series, message);
	if (err == NJ_OK)
		err = nj_journal_commit(in->journal, message);
	if (err < 0)
		return give_up_group(in, err);
	in->counts.journal_dropped = nj_journal_state(in->journal).dropped;
	in->uncommitted = false;
	acknowledge_owed(in);
	err = hand_over(in);
	if (err < 0)
		nj_fail(message, err, "the engine stopped: %s", nj_error_text(err));
	in->group_n = 0;
	nj_arena_reset(&in->arena);
	return err;
}

/* Decodes behind what the group holds already; a full arena makes the group go first. */
static int decode(struct nj_ingest *in, const struct nj_link_frame *frame, struct nj_batch *ret_batch,
		  struct nj_message *ret_wrong, struct nj_message *message)
{
	int err = nj_wire_batch_decode(frame->data, frame->size, &in->self, &in->arena, ret_wrong, ret_batch);
	if (err != NJ_ERR_MEMORY || in->group_n == 0)
		return err;
	int flushed = flush(in, message);
	if (flushed < 0) {
		ret_wrong->text[0] = '\0';
		return flushed;
	}
	return nj_wire_batch_decode(frame->data, frame->size, &in->self, &in->arena, ret_wrong, ret_batch);
}

/* Into the journal, and into the group that is handed over once it is committed. */
static int append(struct nj_ingest *in, const struct nj_link_frame *frame, const struct nj_batch *batch,
		  struct nj_message *message)
{
	int err = nj_journal_begin(in->journal, message);
	uint64_t position = nj_journal_state(in->journal).next;
	if (err == NJ_OK)
		err = nj_journal_append(in->journal, frame->data, frame->size, message);
	if (err < 0)
		return give_up_group(in, err);
	in->group[in->group_n++] = (struct taken){*batch, frame->peer, position, frame->size};
	return NJ_OK;
}

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
		err = decode(in, &frame, &batch, &wrong, message);
		if (err < 0 && wrong.text[0] != '\0' && message != NULL)
			*message = wrong;
		if (err == NJ_OK)
			err = append(in, &frame, &batch, message);
		if (err == NJ_OK)
			err = nj_series_let_go(in->series, series, sequence, sequence + 1, message, &n);
		if (err < 0)
			break;
		in->counts.released++;
		in->uncommitted = true;
		if (in->group_n == GROUP_MAX && (err = flush(in, message)) < 0)
			break;
	}
	return err < 0 ? give_up_group(in, err) : NJ_OK;
}

static int discard(struct nj_ingest *in, struct nj_series *series, uint64_t from, uint64_t until,
		   struct nj_message *message)
{
	uint64_t n = 0;
	int err = series->held > 0 ? nj_journal_begin(in->journal, message) : NJ_OK;
	if (err == NJ_OK)
		err = nj_series_let_go(in->series, series, bounded(from), bounded(until), message, &n);
	if (err < 0)
		return give_up_group(in, err);
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

static struct session *open_session(struct nj_ingest *in, const struct nj_link_peer *peer,
				    const struct nj_wire_hello *hello)
{
	struct session *session = find_session(in, peer);
	if (session == NULL)
		session = new_session(in);
	*session = (struct session){.peer = *peer,
				    .boot = hello->boot,
				    .used = in->steps,
				    .greeting = hello->greeting,
				    .several = hello->several};
	memcpy(session->sensor, hello->sensor, sizeof session->sensor);
	return session;
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
	struct session *session = open_session(in, peer, hello);
	err = series->changed || in->group_n > 0 || in->uncommitted ? flush(in, message) : NJ_OK;
	if (err == NJ_OK)
		acknowledge(in, session, series, true);
	in->counts.greetings++;
	return err;
}

static int take_hello(struct nj_ingest *in, const struct nj_link_frame *frame, struct nj_message *message)
{
	struct nj_wire_hello hello;
	struct nj_message wrong;
	struct nj_wire_refuse words;
	int err = in->group_n > 0 ? flush(in, message) : NJ_OK;
	if (err < 0)
		return err;
	if (nj_wire_hello_decode(frame->data, frame->size, &wrong, &hello) < 0) {
		refuse_malformed(in, &frame->peer, wrong.text);
		return NJ_OK;
	}
	if (!speaks_for(in, hello.sensor)) {
		refuse_lie(in, &frame->peer, hello.sensor);
		return NJ_OK;
	}
	if (nj_wire_agree(&hello, &in->self, &words))
		return welcome(in, &frame->peer, &hello, message);
	in->counts.refused++;
	refuse(in, &frame->peer, (enum nj_wire_refusal)words.code, words.reason);
	return NJ_OK;
}

/* =============================== batches =============================== */

static int take_next(struct nj_ingest *in, const struct nj_link_frame *frame, const struct nj_batch *batch,
		     struct session *session, struct nj_series *series, struct nj_message *message)
{
	int err;
	session->told_to_rewind = false;
	if (session->several) {
		err = nj_journal_begin(in->journal, message);
		if (err == NJ_OK)
			err = nj_series_hold(in->series, series, batch->sequence, frame->data, frame->size, message);
		in->uncommitted = true;
	} else {
		err = append(in, frame, batch, message);
	}
	if (err < 0)
		return give_up_group(in, err);
	in->counts.held += session->several;
	series->next++;
	series->received++;
	if (!session->several && series->held == 0)
		series->settled = series->next;
	series->changed = true;
	return in->group_n == GROUP_MAX ? flush(in, message) : NJ_OK;
}

static int order(struct nj_ingest *in, const struct nj_link_frame *frame, const struct nj_batch *batch,
		 struct session *session, struct nj_message *message)
{
	struct nj_series *series = nj_series_find(in->series, batch->sensor, batch->boot);
	if (series == NULL) { /* it gave its place to another since the greeting */
		refuse_stranger(in, &frame->peer);
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
	int err = in->group_n > 0 ? flush(in, message) : NJ_OK;
	if (err == NJ_OK && !session->told_to_rewind)
		acknowledge(in, session, series, true);
	session->told_to_rewind = true;
	return err;
}

static int take_batch(struct nj_ingest *in, const struct nj_link_frame *frame, struct nj_message *message)
{
	struct session *session = find_session(in, &frame->peer);
	if (session == NULL) {
		refuse_stranger(in, &frame->peer);
		return NJ_OK;
	}
	struct nj_batch batch;
	struct nj_message wrong = {""};
	size_t used = in->arena.used;
	int err = decode(in, frame, &batch, &wrong, message);
	if (err < 0 && wrong.text[0] == '\0')
		return err;
	if (err == NJ_OK && (strcmp(batch.sensor, session->sensor) != 0 || batch.boot != session->boot))
		err = nj_fail(&wrong, NJ_ERR_FORMAT, "a batch of sensor %s came from sensor %s", batch.sensor,
			      session->sensor);
	uint32_t group_n = in->group_n;
	if (err < 0)
		refuse_malformed(in, &frame->peer, wrong.text);
	else
		err = order(in, frame, &batch, session, message);
	if (in->group_n <= group_n && used < in->arena.used) /* it did not join the group: nobody needs it decoded */
		in->arena.used = used;
	return wrong.text[0] != '\0' ? NJ_OK : err;
}

/* =============================== other words =============================== */

static int take_settled(struct nj_ingest *in, const struct nj_link_frame *frame, struct nj_message *message)
{
	struct nj_wire_settled settled;
	struct nj_message wrong;
	struct session *session = find_session(in, &frame->peer);
	struct nj_series *series = session != NULL ? nj_series_find(in->series, session->sensor, session->boot) : NULL;
	if (series == NULL) {
		refuse_stranger(in, &frame->peer);
		return NJ_OK;
	}
	int err = nj_wire_settled_decode(frame->data, frame->size, &wrong, &settled);
	if (err == NJ_OK && settled.boot != session->boot)
		err = nj_fail(&wrong, NJ_ERR_FORMAT, "a settlement of another series than that of sensor %s",
			      session->sensor);
	if (err < 0) {
		refuse_malformed(in, &frame->peer, wrong.text);
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

static void take_heartbeat(struct nj_ingest *in, const struct nj_link_frame *frame)
{
	struct nj_sensor_health health;
	struct nj_message wrong;
	struct session *session = find_session(in, &frame->peer);
	if (session == NULL) {
		refuse_stranger(in, &frame->peer);
		return;
	}
	int err = nj_wire_heartbeat_decode(frame->data, frame->size, &wrong, &health);
	if (err == NJ_OK && (strcmp(health.sensor, session->sensor) != 0 || health.boot != session->boot))
		err = nj_fail(&wrong, NJ_ERR_FORMAT, "a heartbeat of sensor %s came from sensor %s", health.sensor,
			      session->sensor);
	if (err < 0) {
		refuse_malformed(in, &frame->peer, wrong.text);
		return;
	}
	session->used = in->steps;
	in->counts.heartbeats++;
	if (in->listener.heartbeat != NULL)
		in->listener.heartbeat(in->listener.context, &health);
}

static int take_frame(struct nj_ingest *in, const struct nj_link_frame *frame, struct nj_message *message)
{
	enum nj_wire_kind kind;
	uint32_t major;
	in->counts.frames++;
	if (!identify(in, frame))
		return NJ_OK;
	bool readable = nj_wire_peek(frame->data, frame->size, &kind, &major);
	if (readable && kind == NJ_WIRE_HELLO)
		return take_hello(in, frame, message);
	const struct session *session = in->speaker != NULL ? find_session(in, &frame->peer) : NULL;
	if (session != NULL && !speaks_for(in, session->sensor)) { /* the key got another name since the greeting */
		refuse_lie(in, &frame->peer, session->sensor);
		return NJ_OK;
	}
	if (readable && kind == NJ_WIRE_BATCH)
		return take_batch(in, frame, message);
	if (readable && kind == NJ_WIRE_SETTLED)
		return take_settled(in, frame, message);
	if (readable && kind == NJ_WIRE_HEARTBEAT) {
		take_heartbeat(in, frame);
		return NJ_OK;
	}
	refuse_malformed(in, &frame->peer, "nothing that a sensor says");
	return NJ_OK;
}

/* =============================== verbs =============================== */

int nj_ingest_step(struct nj_ingest *in, int timeout_ms, struct nj_message *message)
{
	struct nj_link_frame frame;
	int err = NJ_OK;
	in->handed = 0;
	in->steps++;
	for (uint32_t i = 0; i < GROUP_MAX && err == NJ_OK; i++) {
		err = nj_link_receive(in->link, i == 0 ? timeout_ms : 0, &frame);
		if (err < 0)
			break;
		err = take_frame(in, &frame, message);
	}
	if (err == NJ_ERR_LINK)
		nj_fail(message, err, "%s: receiving failed", in->options.listen);
	if (err == NJ_ERR_AGAIN)
		err = NJ_OK;
	if (err == NJ_OK && (in->group_n > 0 || in->uncommitted))
		err = flush(in, message);
	else if (err == NJ_OK)
		acknowledge_owed(in);
	return err < 0 ? err : in->handed;
}

/* To each sensor its last word again; who cannot be reached has gone and is forgotten. */
static void repeat_last_words(struct nj_ingest *in)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < in->sessions_n; i++) {
		struct session session = in->sessions[i];
		const struct nj_series *series = nj_series_find(in->series, session.sensor, session.boot);
		if (series != NULL && acknowledge(in, &session, series, false) != NJ_ERR_NOT_FOUND)
			in->sessions[kept++] = session;
	}
	in->sessions_n = kept;
}

void nj_ingest_farewell(struct nj_ingest *in, uint32_t patience_ms)
{
	int err = NJ_OK;
	for (uint32_t waited_ms = 0; err >= 0 && waited_ms < patience_ms; waited_ms += FAREWELL_MS) {
		repeat_last_words(in);
		if (in->sessions_n == 0)
			return;
		err = nj_ingest_step(in, FAREWELL_MS, NULL);
	}
}

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

struct nj_ingest_counts nj_ingest_counts(const struct nj_ingest *in)
{
	struct nj_ingest_counts counts = in->counts;
	struct nj_link_counts link = nj_link_counts(in->link);
	counts.misshapen = link.malformed;
	counts.connections = link.connections;
	counts.handshakes = link.handshakes;
	counts.keys_refused = link.keys_refused;
	counts.handshakes_failed = link.handshakes_failed;
	counts.held_off = link.held_off;
	return counts;
}

const char *nj_ingest_endpoint(const struct nj_ingest *in)
{
	return nj_link_endpoint(in->link);
}

/* =============================== life =============================== */

static int open_journal(struct nj_ingest *in, struct nj_message *message)
{
	const struct nj_journal_options options = {.path = in->options.journal_path,
						   .bytes_max = in->options.journal_bytes_max};
	int err = nj_journal_open(&options, message, &in->journal);
	if (err < 0)
		return err;
	return nj_series_table_new(nj_journal_db(in->journal), in->options.sensors_max, message, &in->series);
}

/* *ret_secret* is the caller's to wipe. */
static int link_options(struct nj_ingest *in, const struct nj_ingest_options *options, struct nj_message *message,
			struct nj_curve_key *ret_secret, struct nj_link_options *ret_options)
{
	bool keyed = options->secret_key != NULL;
	if (keyed != (options->authorized_sensors != NULL))
		return nj_fail(message, NJ_ERR_USAGE, "encryption needs both secret_key and authorized_sensors");
	*ret_options = (struct nj_link_options){.endpoint = options->listen,
						.listen = true,
						.plain_tcp = options->plain_tcp,
						.queue_max = QUEUE_MAX,
						.frame_bytes_max = NJ_BATCH_BYTES_MAX,
						.linger_ms = LINGER_MS,
						.secret_key = keyed ? ret_secret : NULL,
						.admit = keyed ? admit : NULL,
						.admit_context = in,
						.connections_max = options->connections_max};
	return keyed ? nj_curve_file_load(options->secret_key, NJ_CURVE_SECRET, message, ret_secret) : NJ_OK;
}

int nj_ingest_check(const struct nj_ingest_options *options, struct nj_message *message)
{
	struct nj_curve_key secret;
	struct nj_link_options link;
	struct nj_authorized *authorized = NULL;
	int err = link_options(NULL, options, message, &secret, &link);
	if (err == NJ_OK)
		err = nj_link_check(&link, message);
	nj_curve_key_wipe(&secret);
	if (err == NJ_OK && options->authorized_sensors != NULL)
		err = nj_authorized_load(options->authorized_sensors, message, &authorized);
	nj_authorized_free(&authorized);
	return err;
}

int nj_ingest_authorize(struct nj_ingest *in, struct nj_message *message)
{
	struct nj_authorized *fresh = NULL;
	if (in->options.authorized_sensors == NULL)
		return 0;
	int err = nj_authorized_load(in->options.authorized_sensors, message, &fresh);
	if (err < 0)
		return err;
	nj_authorized_free(&in->authorized);
	in->authorized = fresh;
	return (int)nj_authorized_n(fresh);
}

static int open_link(struct nj_ingest *in, struct nj_message *message)
{
	struct nj_curve_key secret;
	struct nj_link_options options;
	struct nj_link_context *context = in->options.link_context;
	int err = link_options(in, &in->options, message, &secret, &options);
	if (err == NJ_OK)
		err = nj_ingest_authorize(in, message);
	if (err >= 0)
		err = context == NULL ? nj_link_context_new(message, &in->own_context) : NJ_OK;
	if (err == NJ_OK)
		err = nj_link_open(context != NULL ? context : in->own_context, &options, message, &in->link);
	nj_curve_key_wipe(&secret);
	return err;
}

int nj_ingest_open(const struct nj_ingest_options *options, const struct nj_ingest_listener *listener,
		   struct nj_message *message, struct nj_ingest **ret_ingest)
{
	assert(options->sensors_max > 0);
	assert(options->credit > 0);
	struct nj_ingest *in = calloc(1, sizeof *in);
	if (in == NULL)
		return nj_fail(message, NJ_ERR_MEMORY, "ingest: out of memory");
	in->options = *options;
	in->listener = *listener;
	nj_feature_table_ids(&in->self.tables);
	in->self.key_id = options->key_id;
	in->sessions = calloc(options->sensors_max, sizeof *in->sessions);
	in->group = calloc(GROUP_MAX, sizeof *in->group);
	int err = NJ_OK;
	if (in->sessions == NULL || in->group == NULL || nj_arena_init(&in->arena, options->arena_bytes) < 0)
		err = nj_fail(message, NJ_ERR_MEMORY, "ingest: out of memory");
	if (err == NJ_OK)
		err = open_journal(in, message);
	if (err == NJ_OK)
		err = open_link(in, message);
	if (err < 0)
		nj_ingest_close(&in);
	else
		*ret_ingest = in;
	return err;
}

void nj_ingest_close(struct nj_ingest **ingest)
{
	struct nj_ingest *in = *ingest;
	if (in == NULL)
		return;
	nj_link_close(&in->link);
	nj_link_context_free(&in->own_context);
	nj_authorized_free(&in->authorized);
	nj_series_table_free(&in->series);
	nj_journal_close(&in->journal);
	nj_arena_fini(&in->arena);
	free(in->sessions);
	free(in->group);
	free(in);
	*ingest = NULL;
}
