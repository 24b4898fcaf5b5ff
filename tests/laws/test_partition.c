/* Law 2 over the whole way, sensor to alert: however a capture is partitioned, the aggregator merges the same agent
 * windows to the byte and raises the same alerts. A capture goes through worker threads, shipper, link, journal, merge,
 * engine shards and desk once plainly (one worker, one sensor, one shard) and then in the other ways of the table
 * below; with several sensors it is first split by nj_worker_pick() into as many pcapng files, as taps that each see
 * some of the conversations would have recorded it. Sensors run at the same time, each on a thread of its own: which of
 * them is ahead is left to chance.
 *
 * What may differ is who told: an alert names its sensor, and "3 sensors" is the truth there. Everything else of the
 * alert object must be equal, ids included.
 *
 * Captures are those of tests/captures, and of NJ_SHARED/captures (default ../shared) a sample drawn by NJ_SEED
 * (default 1) of at most NJ_SAMPLE_BYTES (default 6 MB; "all" takes every one). NJ_CAPTURE=PATH runs that one alone,
 * and is what a failure prints. */
#include "aggregator/aggregator.h"
#include "common/inventory.h"
#include "common/json_out.h"
#include "common/link.h"
#include "common/window_json.h"
#include "common/wire.h"
#include "sensor/capture.h"
#include "sensor/capture_writer.h"
#include "sensor/pipeline.h"
#include "sensor/shipper.h"

#include <dirent.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ENDPOINT     "inproc://partition"
#define SENSORS_MAX  3
#define FLOWS_MAX    (1u << 15)
#define CAPTURES_MAX 4096
#define SAMPLE_BYTES (6u << 20)

/* How a capture is cut up. The first is what the others are held against. */
static const struct way {
	const char *name;
	uint32_t workers, sensors, shards;
} ways[] = {
	{"one worker, one sensor, one shard", 1, 1, 1},
	{"2 workers", 2, 1, 1},
	{"4 workers, 8 shards", 4, 1, 8},
	{"3 sensors, 8 shards", 1, 3, 8},
};

#define WAYS_N (sizeof ways / sizeof ways[0])

struct told_window {
	struct nj_agent_id agent;
	uint64_t start_ns, hash; /* of its bytes on the wire */
	size_t bytes;
};

struct outcome {
	struct told_window *windows;
	size_t windows_n, windows_max;
	char **alerts; /* JSON, without the sensor */
	size_t alerts_n, alerts_max;
	struct nj_sensor_account account; /* summed over ticks */
	struct nj_aggregator_counts counts;
	struct nj_shipper_counts shipped[SENSORS_MAX];
	struct nj_pipeline_totals totals[SENSORS_MAX];
	struct nj_wire_writer *writer;
	struct nj_hash_key key;
	size_t watch; /* the window to keep as JSON: one more than its index */
	char *watched;
};

/* One sensor's thread. */
struct sensor {
	pthread_t thread;
	const struct way *way;
	const char *path;
	char name[NJ_SENSOR_ID_MAX];
	struct nj_link_context *context;
	struct outcome *outcome;
	uint32_t index;
	int error;
	struct nj_message message;
};

static struct nj_networks home;

/* ------------------------------------------------------------------ what comes out */

static void *grown(void *array, size_t n, size_t *max, size_t size)
{
	if (n < *max)
		return array;
	*max = *max * 2 + 64;
	array = realloc(array, *max * size);
	assert_non_null(array);
	return array;
}

static void keep_window(void *context, const struct nj_window *window)
{
	struct outcome *outcome = context;
	static const struct nj_batch head = {.sensor = "law"};
	const uint8_t *data;
	size_t size;
	assert_true(nj_wire_writer_fits(outcome->writer, window));
	nj_wire_writer_add(outcome->writer, window);
	struct nj_batch batch = head;
	batch.start_ns = window->start_ns;
	batch.width_ms = window->width_ms;
	assert_int_equal(nj_wire_writer_finish(outcome->writer, &batch, &data, &size), 0);
	outcome->windows = grown(outcome->windows, outcome->windows_n, &outcome->windows_max, sizeof *outcome->windows);
	outcome->windows[outcome->windows_n++] = (struct told_window){.agent = window->agent,
								      .start_ns = window->start_ns,
								      .hash = nj_hash64(data, size, &outcome->key),
								      .bytes = size};
	if (outcome->windows_n != outcome->watch)
		return;
	struct nj_json_out out = {0};
	nj_window_json(&out, NULL, window);
	outcome->watched = nj_json_out_take(&out);
}

static void keep_alert(void *context, const struct nj_alert *alert)
{
	struct outcome *outcome = context;
	struct nj_alert nameless = *alert;
	memset(nameless.sensor, 0, sizeof nameless.sensor);
	outcome->alerts = grown(outcome->alerts, outcome->alerts_n, &outcome->alerts_max, sizeof *outcome->alerts);
	outcome->alerts[outcome->alerts_n] = nj_alert_json(&nameless);
	assert_non_null(outcome->alerts[outcome->alerts_n++]);
}

static void keep_tick(void *context, uint64_t start_ns, const struct nj_sensor_account *account)
{
	struct outcome *outcome = context;
	(void)start_ns;
	outcome->account.frames_seen += account->frames_seen;
	outcome->account.frames_decoded += account->frames_decoded;
	outcome->account.bytes_seen += account->bytes_seen;
	outcome->account.flows_opened += account->flows_opened;
	outcome->account.flows_ended += account->flows_ended;
	outcome->account.windows_closed += account->windows_closed;
	outcome->account.contacts_lost += account->contacts_lost;
}

static void outcome_fini(struct outcome *outcome)
{
	for (size_t i = 0; i < outcome->alerts_n; i++)
		free(outcome->alerts[i]);
	free(outcome->alerts);
	free(outcome->windows);
	free(outcome->watched);
	nj_wire_writer_free(&outcome->writer);
}

/* ------------------------------------------------------------------ a run */

static int pump(struct sensor *sensor, struct nj_shipper *shipper, struct nj_capture *source)
{
	struct nj_pipeline_options options = {.workers = sensor->way->workers};
	struct nj_window_sink sink = nj_shipper_sink(shipper);
	struct nj_pipeline *pipeline;
	nj_worker_options_init(&options.worker);
	options.worker.flows_max = FLOWS_MAX;
	options.worker.home = &home;
	options.worker.hash_key = sensor->outcome->key;
	int more = nj_pipeline_new(&options, source, &sink, NULL, NULL, &sensor->message, &pipeline);
	if (more != 0)
		return more;
	do
		more = nj_pipeline_step(pipeline, 1000, &sensor->message);
	while (more > 0);
	if (more == 0)
		more = nj_shipper_finish(shipper);
	nj_pipeline_totals(pipeline, &sensor->outcome->totals[sensor->index]);
	nj_pipeline_free(&pipeline);
	return more;
}

static void *run_sensor(void *context)
{
	struct sensor *sensor = context;
	struct nj_shipper_options options;
	struct nj_capture_inputs inputs = {.paths = &sensor->path, .paths_n = 1};
	struct nj_shipper *shipper = NULL;
	struct nj_capture *source = NULL;
	nj_shipper_options_init(&options);
	options.sensor = sensor->name;
	options.aggregator = ENDPOINT;
	options.link_context = sensor->context;
	options.journal_path = ":memory:";
	options.key_id = sensor->outcome->key.id;
	options.wait_when_full = true;
	options.commit_ticks = 64;
	sensor->error = nj_shipper_new(&options, &sensor->message, &shipper);
	if (sensor->error == 0)
		sensor->error = nj_capture_open_files(&inputs, &sensor->message, &source);
	if (sensor->error == 0)
		sensor->error = pump(sensor, shipper, source);
	if (shipper != NULL) {
		sensor->outcome->shipped[sensor->index] = nj_shipper_counts(shipper);
		if (sensor->error != 0 && sensor->message.text[0] == '\0')
			(void)nj_fail(&sensor->message, sensor->error, "%s", nj_shipper_message(shipper));
	}
	nj_capture_close(&source);
	nj_shipper_free(&shipper);
	return NULL;
}

static struct nj_aggregator *start_aggregator(const struct way *way, struct nj_link_context *context,
					      struct outcome *outcome)
{
	struct nj_aggregator_listener listener = {
		.context = outcome, .alert = keep_alert, .window = keep_window, .tick = keep_tick};
	struct nj_aggregator_options options;
	struct nj_aggregator *aggregator;
	struct nj_message message = {""};
	nj_aggregator_options_init(&options);
	options.listen = ENDPOINT;
	options.link_context = context;
	options.hash_key = outcome->key;
	options.sensors_expected = way->sensors;
	options.shards = way->shards;
	if (nj_aggregator_new(&options, &listener, &message, &aggregator) != 0)
		fail_msg("%s", message.text);
	return aggregator;
}

static bool any_failed(const struct sensor *sensors, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (__atomic_load_n(&sensors[i].error, __ATOMIC_ACQUIRE) < 0)
			return true;
	return false;
}

/* *paths*: one file a sensor. */
static void run(const struct way *way, char paths[][4096], struct outcome *outcome)
{
	struct sensor sensors[SENSORS_MAX] = {0};
	struct nj_message message = {""};
	struct nj_link_context *context;
	nj_hash_key_derive("", &outcome->key);
	assert_int_equal(nj_wire_writer_new(&outcome->writer), 0);
	assert_int_equal(nj_link_context_new(&message, &context), 0);
	struct nj_aggregator *aggregator = start_aggregator(way, context, outcome);
	for (uint32_t i = 0; i < way->sensors; i++) {
		sensors[i] = (struct sensor){
			.way = way, .path = paths[i], .context = context, .outcome = outcome, .index = i};
		snprintf(sensors[i].name, sizeof sensors[i].name, "part-%u", i + 1);
		assert_int_equal(pthread_create(&sensors[i].thread, NULL, run_sensor, &sensors[i]), 0);
	}
	int more;
	do
		more = nj_aggregator_step(aggregator, 20, &message);
	while (more > 0 && !any_failed(sensors, way->sensors));
	for (uint32_t i = 0; i < way->sensors; i++)
		pthread_join(sensors[i].thread, NULL);
	for (uint32_t i = 0; i < way->sensors; i++)
		if (sensors[i].error != 0)
			fail_msg("%s: sensor %u of %s: %s", paths[i], i + 1, way->name, sensors[i].message.text);
	if (more < 0)
		fail_msg("aggregator of %s: %s", way->name, message.text);
	outcome->counts = nj_aggregator_counts(aggregator);
	nj_aggregator_free(&aggregator);
	nj_link_context_free(&context);
}

/* ------------------------------------------------------------------ splitting */

static char folder[] = "/tmp/nj_partition_XXXXXX";

static void split(const char *path, uint32_t parts, char paths[][4096])
{
	struct nj_capture_writer *writers[SENSORS_MAX];
	struct nj_capture_inputs inputs = {.paths = &path, .paths_n = 1};
	struct nj_message message = {""};
	struct nj_capture *source;
	struct nj_frame frame;
	for (uint32_t i = 0; i < parts; i++) {
		snprintf(paths[i], sizeof paths[i], "%s/part-%u.pcapng", folder, i + 1);
		assert_int_equal(nj_capture_writer_open(paths[i], NULL, &message, &writers[i]), 0);
	}
	assert_int_equal(nj_capture_open_files(&inputs, &message, &source), 0);
	int more;
	while ((more = nj_capture_next(source, &frame)) > 0)
		assert_int_equal(nj_capture_writer_put(writers[nj_worker_pick(&frame, parts)], &frame, NULL), 0);
	assert_int_equal(more, 0);
	nj_capture_close(&source);
	for (uint32_t i = 0; i < parts; i++)
		assert_int_equal(nj_capture_writer_close(&writers[i]), 0);
}

/* ------------------------------------------------------------------ the laws */

/* Law 1, from the first counter to the last. */
static void check_counts(const char *path, const struct way *way, const struct outcome *outcome)
{
	uint64_t frames = 0, closed = 0, taken = 0, dropped = 0, batches = 0;
	for (uint32_t i = 0; i < way->sensors; i++) {
		const struct nj_sensor_account *a = &outcome->totals[i].account;
		const struct nj_shipper_counts *s = &outcome->shipped[i];
		uint64_t drops = 0;
		for (uint32_t d = 0; d < a->drops_n; d++)
			drops += a->drops[d].frames;
		assert_int_equal(a->frames_seen, a->frames_decoded + drops);
		assert_int_equal(a->windows_closed, s->windows_taken + a->windows_dropped);
		assert_int_equal(s->windows_taken, s->windows_shipped + s->windows_spooled + s->windows_dropped_full +
							   s->windows_dropped_error);
		assert_int_equal(s->windows_spooled, 0);
		frames += a->frames_seen;
		closed += a->windows_closed;
		taken += s->windows_shipped;
		dropped += s->windows_dropped_full + s->windows_dropped_error + a->windows_dropped;
		batches += s->batches_shipped;
	}
	const struct nj_aggregator_counts *c = &outcome->counts;
	assert_int_equal(closed, taken + dropped);
	assert_int_equal(c->windows_received, taken);
	assert_int_equal(c->batches_received + c->gaps, batches);
	assert_int_equal(c->windows_late, 0);
	assert_int_equal(c->windows_merged, outcome->windows_n);
	assert_int_equal(c->alerts_raised, c->alerts_paged + c->alerts_queued + c->alerts_merged);
	assert_int_equal(c->alerts_paged + c->alerts_queued, outcome->alerts_n);
	assert_int_equal(outcome->account.frames_seen, frames);
	assert_int_equal(outcome->account.windows_closed, closed);
	if (c->batches_refused != 0)
		fail_msg("%s, %s: %" PRIu64 " batches refused", path, way->name, c->batches_refused);
}

static void print_window(const char *path, const struct way *way, size_t index)
{
	char paths[SENSORS_MAX][4096];
	struct outcome again = {.watch = index + 1};
	snprintf(paths[0], sizeof paths[0], "%s", path);
	if (way->sensors > 1)
		split(path, way->sensors, paths);
	run(way, paths, &again);
	fprintf(stderr, "%s:\n%s\n", way->name, again.watched != NULL ? again.watched : "(no such window)");
	outcome_fini(&again);
}

static void check_windows(const char *path, const struct way *way, const struct outcome *one,
			  const struct outcome *many)
{
	size_t n = one->windows_n < many->windows_n ? one->windows_n : many->windows_n, i = 0;
	while (i < n && one->windows[i].hash == many->windows[i].hash &&
	       one->windows[i].bytes == many->windows[i].bytes)
		i++;
	if (i == n && one->windows_n == many->windows_n)
		return;
	print_window(path, &ways[0], i);
	print_window(path, way, i);
	fail_msg("NJ_CAPTURE=%s: window %zu of %zu differs, of %zu with %s", path, i, one->windows_n, many->windows_n,
		 way->name);
}

static void check_alerts(const char *path, const struct way *way, const struct outcome *one, const struct outcome *many)
{
	for (size_t i = 0; i < one->alerts_n && i < many->alerts_n; i++)
		if (strcmp(one->alerts[i], many->alerts[i]) != 0)
			fail_msg("NJ_CAPTURE=%s: alert %zu differs with %s:\n%s\n%s", path, i, way->name,
				 one->alerts[i], many->alerts[i]);
	if (one->alerts_n != many->alerts_n)
		fail_msg("NJ_CAPTURE=%s: %zu alerts, %zu with %s", path, one->alerts_n, many->alerts_n, way->name);
	assert_int_equal(one->counts.alerts_raised, many->counts.alerts_raised);
	assert_int_equal(one->counts.alerts_merged, many->counts.alerts_merged);
	assert_int_equal(one->counts.agents, many->counts.agents);
}

static void check_capture(const char *path, size_t *windows, size_t *alerts)
{
	struct outcome one = {0};
	for (unsigned w = 0; w < WAYS_N; w++) {
		const struct way *way = &ways[w];
		struct outcome many = {0};
		char paths[SENSORS_MAX][4096];
		snprintf(paths[0], sizeof paths[0], "%s", path);
		if (way->sensors > 1)
			split(path, way->sensors, paths);
		run(way, paths, w == 0 ? &one : &many);
		check_counts(path, way, w == 0 ? &one : &many);
		if (w == 0)
			continue;
		check_windows(path, way, &one, &many);
		check_alerts(path, way, &one, &many);
		assert_int_equal(one.account.frames_seen, many.account.frames_seen);
		assert_int_equal(one.account.frames_decoded, many.account.frames_decoded);
		outcome_fini(&many);
	}
	*windows += one.windows_n;
	*alerts += one.alerts_n;
	outcome_fini(&one);
}

/* ------------------------------------------------------------------ captures at hand */

static struct nj_hash_key draw_key;

struct found {
	char path[4096];
	uint64_t lot;
	size_t bytes;
};

static struct found *found;
static size_t found_n, found_max;

static int find(const char *path, const struct stat *status, int type, struct FTW *where)
{
	const char *name = path + where->base;
	if (type != FTW_F || (strstr(name, ".pcap") == NULL && strstr(name, ".cap") == NULL))
		return 0;
	found = grown(found, found_n, &found_max, sizeof *found);
	struct found *f = &found[found_n++];
	snprintf(f->path, sizeof f->path, "%s", path);
	f->lot = nj_hash64(name, strlen(name), &draw_key);
	f->bytes = (size_t)status->st_size;
	return 0;
}

static int by_lot(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	return x->lot != y->lot ? (x->lot < y->lot ? -1 : 1) : strcmp(x->path, y->path);
}

/* Sorted by lot, so that the same seed draws the same sample on every machine. */
static void find_captures(const char *at)
{
	found_n = 0;
	(void)nftw(at, find, 16, 0);
	qsort(found, found_n, sizeof *found, by_lot);
}

static void check_found(const char *what, size_t bytes_max)
{
	size_t windows = 0, alerts = 0, bytes = 0, n = 0;
	for (; n < found_n; n++) {
		if (bytes + found[n].bytes > bytes_max)
			continue;
		bytes += found[n].bytes;
		check_capture(found[n].path, &windows, &alerts);
		found[n].bytes = SIZE_MAX; /* done */
	}
	size_t done = 0;
	for (n = 0; n < found_n; n++)
		done += found[n].bytes == SIZE_MAX;
	printf("%s: %zu of %zu captures, %zu windows and %zu alerts the same in %zu ways\n", what, done, found_n,
	       windows, alerts, WAYS_N);
}

static void own_captures(void **state)
{
	(void)state;
	const char *one = getenv("NJ_CAPTURE");
	size_t windows = 0, alerts = 0;
	if (one != NULL) {
		check_capture(one, &windows, &alerts);
		printf("%s: %zu windows and %zu alerts the same in %zu ways\n", one, windows, alerts, WAYS_N);
		return;
	}
	find_captures("tests/captures");
	assert_true(found_n > 0);
	check_found("tests/captures", SIZE_MAX);
}

static void shared_captures(void **state)
{
	(void)state;
	char path[4096];
	const char *shared = getenv("NJ_SHARED"), *most = getenv("NJ_SAMPLE_BYTES"), *seed = getenv("NJ_SEED");
	snprintf(path, sizeof path, "%s/captures", shared != NULL ? shared : "../shared");
	if (getenv("NJ_CAPTURE") != NULL)
		skip();
	if (access(path, R_OK) != 0) {
		fprintf(stderr, "SKIPPED: no captures at %s; set NJ_SHARED to the folder that has them\n", path);
		skip();
	}
	nj_hash_key_derive(seed != NULL ? seed : "1", &draw_key);
	find_captures(path);
	size_t bytes_max = most == NULL ? SAMPLE_BYTES : strcmp(most, "all") == 0 ? SIZE_MAX : strtoull(most, NULL, 10);
	printf("sample of seed %s\n", seed != NULL ? seed : "1");
	check_found(path, bytes_max);
}

static int setup(void **state)
{
	(void)state;
	nj_networks_private(&home);
	nj_hash_key_derive("1", &draw_key);
	return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= SENSORS_MAX; i++) {
		char path[64];
		snprintf(path, sizeof path, "%s/part-%u.pcapng", folder, i);
		(void)unlink(path);
	}
	free(found);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_captures),
		cmocka_unit_test(shared_captures),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
