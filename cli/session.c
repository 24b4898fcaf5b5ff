/* See session.h. Two threads: the sensor's reads, decodes and ships; the caller's receives, judges and shows progress.
 * They share nothing but the link, the pulse and one flag each way: "I have failed, do not wait for me". */
#include "cli/session.h"

#include "common/link.h"
#include "sensor/shipper.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#define ENDPOINT     "inproc://nightjar"
#define STEP_MS      50
#define COMMIT_TICKS 256 /* the file can be read again: nothing hangs on when the journal commits */

/* Both journals lie in memory and only carry what is on its way: a full one makes the sensor wait. */
#define SENSOR_JOURNAL_BYTES     (64u << 20)
#define AGGREGATOR_JOURNAL_BYTES (128u << 20)

struct session {
	const struct nj_session_plan *plan;
	struct nj_console *console;
	struct nj_inventory *inventory;
	struct nj_link_context *context;
	struct nj_aggregator *aggregator;
	struct nj_shipper *shipper;
	struct nj_reading reading;
	uint64_t aggregator_bytes;
	_Atomic bool sensor_failed, aggregator_failed;
	int sensor_error;
	struct nj_message sensor_message;
};

static int open_aggregator(struct session *session, struct nj_message *message)
{
	const struct nj_arguments *arguments = session->plan->arguments;
	struct nj_aggregator_options options;
	nj_aggregator_options_init(&options);
	options.listen = ENDPOINT;
	options.link_context = session->context;
	options.journal_path = ":memory:";
	options.journal_bytes_max = AGGREGATOR_JOURNAL_BYTES;
	options.store_path = session->plan->store;
	options.baseline_path = session->plan->baseline;
	options.inventory = session->inventory;
	nj_hash_key_derive("", &options.hash_key);
	options.shards = (uint32_t)arguments->shards;
	options.agents_max = (uint32_t)arguments->agents_max;
	options.alerts_per_day = arguments->budget;
	options.learn_only = session->plan->save_baseline != NULL;
	session->aggregator_bytes = nj_aggregator_memory_bytes(&options);
	return nj_aggregator_new(&options, session->plan->listener, message, &session->aggregator);
}

static int open_shipper(struct session *session, struct nj_message *message)
{
	struct nj_shipper_options options;
	struct nj_hash_key key;
	nj_hash_key_derive("", &key);
	nj_shipper_options_init(&options);
	options.sensor = "replay";
	options.aggregator = ENDPOINT;
	options.link_context = session->context;
	options.journal_path = ":memory:";
	options.journal_bytes_max = SENSOR_JOURNAL_BYTES;
	options.key_id = key.id;
	options.wait_when_full = true;
	options.commit_ticks = COMMIT_TICKS;
	session->aggregator_bytes += nj_shipper_memory_bytes(&options);
	return nj_shipper_new(&options, message, &session->shipper);
}

static int open_session(struct session *session, struct nj_message *message)
{
	int error = nj_reading_inventory(session->plan->arguments, message, &session->inventory);
	if (error == NJ_OK)
		error = nj_link_context_new(message, &session->context);
	if (error == NJ_OK)
		error = open_aggregator(session, message);
	if (error == NJ_OK)
		error = open_shipper(session, message);
	if (error != NJ_OK)
		return error;
	struct nj_reading_plan plan = {.arguments = session->plan->arguments,
				       .paths = session->plan->paths,
				       .paths_n = session->plan->paths_n,
				       .windows = nj_shipper_sink(session->shipper),
				       .flow = session->plan->flow,
				       .flow_context = session->plan->flow_context,
				       .inventory = session->inventory,
				       .other_bytes = session->aggregator_bytes};
	return nj_reading_open(&session->reading, &plan, message);
}

/* The link's context goes last: it waits for its sockets. */
static void close_session(struct session *session)
{
	nj_reading_close(&session->reading);
	nj_shipper_free(&session->shipper);
	nj_aggregator_free(&session->aggregator);
	nj_link_context_free(&session->context);
	nj_inventory_free(&session->inventory);
}

static void *run_sensor(void *context)
{
	struct session *session = context;
	int more = 1;
	while (more > 0 && !atomic_load(&session->aggregator_failed)) {
		if (session->plan->enough != NULL && atomic_load(session->plan->enough))
			nj_capture_stop(session->reading.capture);
		more = nj_reading_step(&session->reading, &session->sensor_message);
	}
	bool shipping = more < 0 && session->sensor_message.text[0] == '\0';
	if (more == 0) {
		more = nj_shipper_finish(session->shipper);
		shipping = true;
	}
	if (more < 0) {
		session->sensor_error = more;
		if (shipping)
			nj_fail(&session->sensor_message, more, "%s", nj_shipper_message(session->shipper));
		atomic_store(&session->sensor_failed, true);
	}
	return NULL;
}

static int run_aggregator(struct session *session, struct nj_message *message)
{
	struct nj_progress progress;
	struct nj_console *console = session->console;
	struct nj_reading_pulse *pulse = &session->reading.pulse;
	int more;
	nj_progress_init(&progress, console->err, console->live && !session->plan->quiet, console->err_width,
			 console->clock_ns());
	while ((more = nj_aggregator_step(session->aggregator, STEP_MS, message)) > 0 &&
	       !atomic_load(&session->sensor_failed)) {
		struct nj_progress_state state = {.bytes_done = pulse->bytes_done,
						  .bytes_total = pulse->bytes_total,
						  .packets = pulse->packets,
						  .alerts = nj_aggregator_counts(session->aggregator).alerts_raised};
		nj_progress_show(&progress, &state, console->clock_ns());
	}
	nj_progress_clear(&progress);
	if (more < 0)
		atomic_store(&session->aggregator_failed, true);
	return more < 0 ? more : NJ_OK;
}

static int run_both(struct session *session, struct nj_message *message)
{
	pthread_t sensor;
	if (pthread_create(&sensor, NULL, run_sensor, session) != 0)
		return nj_fail(message, NJ_ERR_MEMORY, "the sensor's thread could not be started");
	int error = run_aggregator(session, message);
	pthread_join(sensor, NULL);
	if (error == NJ_OK && session->sensor_error != NJ_OK) {
		*message = session->sensor_message;
		error = session->sensor_error;
	}
	return error;
}

int nj_session_run(const struct nj_session_plan *plan, struct nj_console *console, struct nj_message *message,
		   struct nj_facts *ret_facts)
{
	struct session session = {.plan = plan, .console = console};
	int error = open_session(&session, message);
	if (error == NJ_OK)
		error = run_both(&session, message);
	if (error == NJ_OK && plan->save_baseline != NULL)
		error = nj_aggregator_save_baseline(session.aggregator, plan->save_baseline, message);
	if (error == NJ_OK) {
		nj_reading_facts(&session.reading, ret_facts);
		ret_facts->shipped = nj_shipper_counts(session.shipper);
		ret_facts->counts = nj_aggregator_counts(session.aggregator);
		ret_facts->memory_bytes = nj_reading_memory_bytes(&session.reading) + session.aggregator_bytes;
	}
	if (session.reading.capture != NULL && !plan->damage_untold)
		(void)nj_reading_tell_damage(&session.reading, console);
	close_session(&session);
	return error;
}
