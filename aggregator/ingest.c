/* The life of the listening side: what it is made of, opened and closed; one step, which hands each frame to the file
 * that knows what to do with it and flushes what they left; its counts. */
#include "aggregator/ingest_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX   64 /* frames a peer, in the link */
#define CREDIT      32
#define FAREWELL_MS 50   /* between two last words */
#define LINGER_MS   1000 /* for the last acknowledgements, when the aggregator ends */
#define SENSORS_MAX 4096
#define JOURNAL_MAX (1ull << 30)
#define CONNECTIONS 1024

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
	uint64_t tables = options->sensors_max * sizeof(struct nj_ingest_session) +
			  nj_series_memory_bytes(options->sensors_max) +
			  NJ_INGEST_GROUP_MAX * sizeof(struct nj_ingest_taken);
	uint64_t in_memory = strcmp(options->journal_path, ":memory:") == 0 ? options->journal_bytes_max : 0;
	return sizeof(struct nj_ingest) + tables + options->arena_bytes + in_memory;
}

/* =============================== frames =============================== */

static void take_heartbeat(struct nj_ingest *in, const struct nj_link_frame *frame)
{
	struct nj_sensor_health health;
	struct nj_message wrong;
	struct nj_ingest_session *session = nj_ingest_session_find(in, &frame->peer);
	if (session == NULL) {
		nj_ingest_refuse_stranger(in, &frame->peer);
		return;
	}
	int err = nj_wire_heartbeat_decode(frame->data, frame->size, &wrong, &health);
	if (err == NJ_OK && (strcmp(health.sensor, session->sensor) != 0 || health.boot != session->boot))
		err = nj_fail(&wrong, NJ_ERR_FORMAT, "a heartbeat of sensor %s came from sensor %s", health.sensor,
			      session->sensor);
	if (err < 0) {
		nj_ingest_refuse_malformed(in, &frame->peer, wrong.text);
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
	if (!nj_ingest_identify(in, frame))
		return NJ_OK;
	bool readable = nj_wire_peek(frame->data, frame->size, &kind, &major);
	if (readable && kind == NJ_WIRE_HELLO)
		return nj_ingest_take_hello(in, frame, message);
	const struct nj_ingest_session *session = in->speaker != NULL ? nj_ingest_session_find(in, &frame->peer) : NULL;
	/* The key may have got another name since the greeting. */
	if (session != NULL && !nj_ingest_speaks_for(in, session->sensor)) {
		nj_ingest_refuse_lie(in, &frame->peer, session->sensor);
		return NJ_OK;
	}
	if (readable && kind == NJ_WIRE_BATCH)
		return nj_ingest_take_batch(in, frame, message);
	if (readable && kind == NJ_WIRE_SETTLED)
		return nj_ingest_take_settled(in, frame, message);
	if (readable && kind == NJ_WIRE_HEARTBEAT) {
		take_heartbeat(in, frame);
		return NJ_OK;
	}
	nj_ingest_refuse_malformed(in, &frame->peer, "nothing that a sensor says");
	return NJ_OK;
}

/* =============================== verbs =============================== */

int nj_ingest_step(struct nj_ingest *in, int timeout_ms, struct nj_message *message)
{
	struct nj_link_frame frame;
	int err = NJ_OK;
	in->handed = 0;
	in->steps++;
	for (uint32_t i = 0; i < NJ_INGEST_GROUP_MAX && err == NJ_OK; i++) {
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
		err = nj_ingest_flush(in, message);
	else if (err == NJ_OK)
		nj_ingest_acknowledge_owed(in);
	return err < 0 ? err : in->handed;
}

void nj_ingest_farewell(struct nj_ingest *in, uint32_t patience_ms)
{
	int err = NJ_OK;
	for (uint32_t waited_ms = 0; err >= 0 && waited_ms < patience_ms; waited_ms += FAREWELL_MS) {
		nj_ingest_repeat_last_words(in);
		if (in->sessions_n == 0)
			return;
		err = nj_ingest_step(in, FAREWELL_MS, NULL);
	}
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
						.admit = keyed ? nj_ingest_admit : NULL,
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
	in->group = calloc(NJ_INGEST_GROUP_MAX, sizeof *in->group);
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
