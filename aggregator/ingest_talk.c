/* Who is on the other end of the link, and what is said to it: the peers that have greeted, the sensor each frame's key
 * stands for, acknowledgements and refusals. What a batch or a greeting changes is decided in other files; nothing here
 * touches the journal. */
#include "aggregator/ingest_parts.h"

#include <stdio.h>
#include <string.h>

/* =============================== sessions =============================== */

struct nj_ingest_session *nj_ingest_session_find(struct nj_ingest *in, const struct nj_link_peer *peer)
{
	for (uint32_t i = 0; i < in->sessions_n; i++)
		if (nj_link_peer_equal(&in->sessions[i].peer, peer))
			return &in->sessions[i];
	return NULL;
}

static struct nj_ingest_session *new_session(struct nj_ingest *in)
{
	if (in->sessions_n < in->options.sensors_max)
		return &in->sessions[in->sessions_n++];
	struct nj_ingest_session *at = &in->sessions[0];
	for (uint32_t i = 1; i < in->sessions_n; i++)
		at = in->sessions[i].used < at->used ? &in->sessions[i] : at;
	return at;
}

struct nj_ingest_session *nj_ingest_session_open(struct nj_ingest *in, const struct nj_link_peer *peer,
						 const struct nj_wire_hello *hello)
{
	struct nj_ingest_session *session = nj_ingest_session_find(in, peer);
	if (session == NULL)
		session = new_session(in);
	*session = (struct nj_ingest_session){.peer = *peer,
					      .boot = hello->boot,
					      .used = in->steps,
					      .greeting = hello->greeting,
					      .several = hello->several};
	memcpy(session->sensor, hello->sensor, sizeof session->sensor);
	return session;
}

/* =============================== answers =============================== */

/* An answer that cannot be sent is lost: the sensor will ask. */
static int answer(struct nj_ingest *in, const struct nj_link_peer *peer, const uint8_t *data, size_t size)
{
	return nj_link_send(in->link, peer, data, size);
}

/* Held batches use up the credit, so that a sensor which does not settle is not taken from without end. */
int nj_ingest_acknowledge(struct nj_ingest *in, const struct nj_ingest_session *session, const struct nj_series *series,
			  bool rewind)
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

void nj_ingest_refuse(struct nj_ingest *in, const struct nj_link_peer *peer, enum nj_wire_refusal code,
		      const char *reason)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_wire_refuse words = {.code = code};
	snprintf(words.reason, sizeof words.reason, "%.255s", reason);
	answer(in, peer, buffer, nj_wire_refuse_encode(&words, buffer));
}

void nj_ingest_refuse_malformed(struct nj_ingest *in, const struct nj_link_peer *peer, const char *reason)
{
	in->counts.malformed++;
	nj_ingest_refuse(in, peer, NJ_WIRE_REFUSED_MALFORMED, reason);
}

void nj_ingest_refuse_stranger(struct nj_ingest *in, const struct nj_link_peer *peer)
{
	in->counts.refused++;
	nj_ingest_refuse(in, peer, NJ_WIRE_REFUSED_STRANGER, "greet first");
}

/* =============================== identity =============================== */

/* False: the key was revoked since its connection was made. Such a sensor is told to greet again, as it does anyway
 * from time to time: its key may come back. */
bool nj_ingest_identify(struct nj_ingest *in, const struct nj_link_frame *frame)
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
	nj_ingest_refuse(in, &frame->peer, NJ_WIRE_REFUSED_STRANGER,
			 "the key of this sensor is not authorised any more");
	return false;
}

bool nj_ingest_speaks_for(const struct nj_ingest *in, const char *sensor)
{
	return in->speaker == NULL || strcmp(in->speaker, sensor) == 0;
}

void nj_ingest_refuse_lie(struct nj_ingest *in, const struct nj_link_peer *peer, const char *sensor)
{
	char reason[128];
	snprintf(reason, sizeof reason, "its key is that of sensor %s, not of %s", in->speaker, sensor);
	in->counts.lying++;
	nj_ingest_refuse(in, peer, NJ_WIRE_REFUSED_IDENTITY, reason);
}

bool nj_ingest_admit(void *context, const struct nj_curve_key *key)
{
	const struct nj_ingest *in = context;
	return nj_authorized_sensor(in->authorized, key) != NULL;
}

/* =============================== several at once =============================== */

/* One word to each who sent something since the last time: the newest. */
void nj_ingest_acknowledge_owed(struct nj_ingest *in)
{
	for (uint32_t i = 0; i < in->sessions_n; i++) {
		struct nj_ingest_session *session = &in->sessions[i];
		const struct nj_series *series =
			session->owed ? nj_series_find(in->series, session->sensor, session->boot) : NULL;
		if (series != NULL)
			nj_ingest_acknowledge(in, session, series, false);
		session->owed = false;
	}
}

/* To each sensor its last word again; who cannot be reached has gone and is forgotten. */
void nj_ingest_repeat_last_words(struct nj_ingest *in)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < in->sessions_n; i++) {
		struct nj_ingest_session session = in->sessions[i];
		const struct nj_series *series = nj_series_find(in->series, session.sensor, session.boot);
		if (series != NULL && nj_ingest_acknowledge(in, &session, series, false) != NJ_ERR_NOT_FOUND)
			in->sessions[kept++] = session;
	}
	in->sessions_n = kept;
}
