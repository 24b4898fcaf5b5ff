/* The whole aggregator behind its link: real shippers over inproc and ipc, one thread that lets each side work in turn.
 * One sensor against three, one shard against four, undisturbed against killed and started again: the same alerts, once
 * each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/aggregator.h"
#include "aggregator/store.h"
#include "common/link.h"
#include "common/wire.h"
#include "sensor/shipper.h"
#include "tests/unit/sample_rounds.h"

#include <unistd.h>

#define ROUNDS 60
#define TURNS  20000 /* far more than any exchange here needs; a hang fails instead of waiting */

static char folder[] = "/tmp/nightjar-test-aggregator-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

struct collected {
	char *line[256];
	uint32_t n;
	uint32_t windows, ticks;
};

static void on_alert(void *context, const struct nj_alert *alert)
{
	struct collected *c = context;
	struct nj_alert same = *alert;
	snprintf(same.sensor, sizeof same.sensor, "any"); /* who told is the one thing that differs */
	assert_true(c->n < 256);
	c->line[c->n] = nj_alert_json(&same);
	assert_non_null(c->line[c->n]);
	c->n++;
}

static void on_window(void *context, const struct nj_window *window)
{
	(void)window;
	((struct collected *)context)->windows++;
}

static void on_tick(void *context, uint64_t start_ns, const struct nj_sensor_account *account)
{
	(void)start_ns;
	(void)account;
	((struct collected *)context)->ticks++;
}

static void drop_lines(struct collected *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		free(c->line[i]);
	*c = (struct collected){.n = 0};
}

struct scene {
	struct nj_link_context *link;
	struct nj_aggregator *aggregator;
	struct nj_shipper *shippers[3];
	uint32_t sensors;
	char listen[128], journal[128], store[128];
	uint32_t shards;
	struct collected *into;
	struct nj_arena arena;
	struct raw *raw; /* speaks instead of the shippers */
};

/* A sensor without a journal: what falls into its gap is lost, and it says so when it greets again. */
struct raw {
	struct nj_link *link;
	struct nj_wire_writer *writer;
	uint64_t sequence, gap_first, gap_end;
};

static void start_aggregator(struct scene *s)
{
	struct nj_message message;
	struct nj_aggregator_options options;
	nj_aggregator_options_init(&options);
	options.listen = s->listen;
	options.link_context = s->link;
	options.journal_path = s->journal[0] != '\0' ? s->journal : ":memory:";
	options.store_path = s->store[0] != '\0' ? s->store : NULL;
	options.sensors_expected = s->sensors;
	options.shards = s->shards;
	options.agents_max = 256;
	struct nj_aggregator_listener listener = {
		.context = s->into, .alert = on_alert, .window = on_window, .tick = on_tick};
	int error = nj_aggregator_new(&options, &listener, &message, &s->aggregator);
	if (error != 0)
		fail_msg("%s", message.text);
}

static void start_scene(struct scene *s, uint32_t sensors, uint32_t shards, const char *name, bool on_disk,
			struct collected *into)
{
	struct nj_message message;
	memset(s, 0, sizeof *s);
	s->sensors = sensors;
	s->shards = shards;
	s->into = into;
	snprintf(s->listen, sizeof s->listen, "inproc://test-aggregator-%s", name);
	if (on_disk) {
		/* inproc connections do not come back when the listener goes */
		snprintf(s->listen, sizeof s->listen, "ipc://%s/%s.socket", folder, name);
		snprintf(s->journal, sizeof s->journal, "%s/%s.journal", folder, name);
		snprintf(s->store, sizeof s->store, "%s/%s.store", folder, name);
	}
	assert_int_equal(nj_arena_init(&s->arena, 32u << 20), 0);
	assert_int_equal(nj_link_context_new(&message, &s->link), 0);
	start_aggregator(s);
	for (uint32_t i = 0; i < sensors; i++) {
		static const char *const names[] = {"north", "south", "west"};
		struct nj_hash_key key;
		struct nj_shipper_options options;
		nj_hash_key_derive("", &key);
		nj_shipper_options_init(&options);
		options.sensor = names[i];
		options.aggregator = s->listen;
		options.link_context = s->link;
		options.journal_path = ":memory:";
		options.key_id = key.id;
		options.silence_ms = 20;
		int error = nj_shipper_new(&options, &message, &s->shippers[i]);
		if (error != 0)
			fail_msg("%s", message.text);
	}
}

static void end_scene(struct scene *s)
{
	for (uint32_t i = 0; i < s->sensors; i++)
		nj_shipper_free(&s->shippers[i]);
	nj_aggregator_free(&s->aggregator);
	nj_link_context_free(&s->link);
	nj_arena_fini(&s->arena);
}

/* Each side in turn, until all that was told has been taken; the last step's verdict. */
static int settle(struct scene *s)
{
	struct nj_message message;
	int more = 1;
	for (int turn = 0; turn < TURNS; turn++) {
		uint64_t spooled = 0;
		for (uint32_t i = 0; i < s->sensors; i++) {
			assert_int_equal(nj_shipper_pump(s->shippers[i], 1), 0);
			spooled += nj_shipper_counts(s->shippers[i]).windows_spooled;
		}
		more = nj_aggregator_step(s->aggregator, 1, &message);
		if (more < 0)
			fail_msg("%s", message.text);
		if (more == 0 || (spooled == 0 && turn > 20))
			return more;
	}
	fail_msg("sensors and aggregator did not come to rest");
	return -1;
}

static void raw_greet(struct raw *raw)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_hash_key key;
	nj_hash_key_derive("", &key);
	struct nj_wire_hello hello = {.sensor = "raw",
				      .tap_group = "raw",
				      .boot = 5,
				      .oldest = raw->sequence,
				      .dropped = raw->sequence,
				      .self.key_id = key.id};
	nj_feature_table_ids(&hello.self.tables);
	assert_int_equal(nj_link_send(raw->link, NULL, buffer, nj_wire_hello_encode(&hello, buffer)), 0);
}

static int raw_window(void *context, const struct nj_window *window)
{
	nj_wire_writer_add(((struct raw *)context)->writer, window);
	return 0;
}

static int raw_tick(void *context, uint64_t start_ns, uint32_t width_ms, const struct nj_sensor_account *account,
		    bool finish)
{
	struct raw *raw = context;
	struct nj_hash_key key;
	nj_hash_key_derive("", &key);
	struct nj_batch head = {.sensor = "raw",
				.tap_group = "raw",
				.key_id = key.id,
				.boot = 5,
				.sequence = raw->sequence,
				.start_ns = start_ns,
				.width_ms = width_ms,
				.flags = NJ_BATCH_TICK | (finish ? NJ_BATCH_FINISH : 0),
				.account = *account};
	const uint8_t *data;
	size_t size;
	assert_int_equal(nj_wire_writer_finish(raw->writer, &head, &data, &size), 0);
	if (raw->sequence == 0 || raw->sequence == raw->gap_end)
		raw_greet(raw);
	if (raw->sequence < raw->gap_first || raw->sequence >= raw->gap_end)
		assert_int_equal(nj_link_send(raw->link, NULL, data, size), 0);
	raw->sequence++;
	return 0;
}

/* What happened in a round, contact by contact; the share of one sensor of *sensors* (each contact is seen by one of
 * them). */
static void tell_round(struct scene *s, uint32_t sensor, uint32_t round, bool last)
{
	struct nj_window_sink sink = s->raw != NULL ? (struct nj_window_sink){s->raw, raw_window, raw_tick}
						    : nj_shipper_sink(s->shippers[sensor]);
	static struct sample_bench bench; /* only its windows and its arena are used */
	bench.arena = s->arena;
	bench.start_ns = SAMPLE_T0_NS + round * SAMPLE_WIDTH_NS;
	bench.windows_n = 0;
	nj_arena_reset(&bench.arena);
	for (uint32_t agent = 1; agent <= 8; agent++) {
		struct nj_window *w = sample_window(&bench, sample_addr_plus("10.20.1.0", agent));
		struct nj_window *whole = w;
		uint32_t n = agent == 3 && round >= 20 && round < 30 ? 60 : 4;
		for (uint32_t i = 0; i < n; i++) {
			if (i % s->sensors != sensor)
				continue;
			bool scan = n == 60;
			struct nj_contact *c = sample_contact(whole,
							      sample_addr_plus(scan ? "10.20.4.0" : "198.51.100.0",
									       scan ? round * 60 + i : agent * 8 + i),
							      443, 6,
							      scan         ? SAMPLE_REFUSED
							      : round == 0 ? SAMPLE_ANSWERED
									   : SAMPLE_GOES_ON);
			c->first_ns = bench.start_ns + 1000000 * (i + 1); /* the same whoever sees it */
			c->last_ns = c->first_ns + 1;
			c->flow_port = (uint16_t)(40000 + i);
			sample_bytes(whole, c, agent == 5 && round > 40 ? 2000000 : 500, 700);
		}
		qsort(w->contacts, w->contacts_n, sizeof *w->contacts, sample_compare_contacts);
	}
	for (uint32_t i = 0; i < bench.windows_n; i++)
		if (bench.windows[i].contacts_n > 0)
			assert_int_equal(sink.window(sink.context, &bench.windows[i]), 0);
	struct nj_sensor_account account = {
		.frames_seen = 100, .frames_decoded = 100, .windows_closed = bench.windows_n};
	assert_int_equal(sink.tick(sink.context, bench.start_ns, 10000, &account, last), 0);
}

static void run(uint32_t sensors, uint32_t shards, const char *name, struct collected *into)
{
	struct scene s;
	start_scene(&s, sensors, shards, name, false, into);
	for (uint32_t round = 0; round < ROUNDS; round++)
		for (uint32_t sensor = 0; sensor < sensors; sensor++)
			tell_round(&s, sensor, round, round + 1 == ROUNDS);
	assert_int_equal(settle(&s), 0);
	struct nj_aggregator_counts counts = nj_aggregator_counts(s.aggregator);
	assert_int_equal(counts.alerts_raised, counts.alerts_paged + counts.alerts_queued + counts.alerts_merged);
	assert_int_equal(counts.alerts_paged + counts.alerts_queued, into->n);
	assert_int_equal(counts.windows_merged, into->windows);
	assert_int_equal(counts.windows_late, 0);
	assert_int_equal(counts.gaps, 0);
	assert_int_equal(into->ticks, ROUNDS);
	struct nj_message message;
	assert_int_equal(nj_aggregator_step(s.aggregator, 0, &message), 0); /* finished stays finished */
	end_scene(&s);
}

static void same(const struct collected *a, const struct collected *b)
{
	assert_int_equal(a->n, b->n);
	for (uint32_t i = 0; i < a->n; i++)
		assert_string_equal(a->line[i], b->line[i]);
}

static void partition_does_not_matter(void **state)
{
	(void)state;
	struct collected one = {.n = 0}, three = {.n = 0}, shards = {.n = 0};
	run(1, 1, "one", &one);
	run(3, 1, "three", &three);
	run(1, 4, "shards", &shards);
	assert_true(one.n >= 2); /* a scan and an upload */
	same(&one, &three);
	same(&one, &shards);
	assert_int_equal(one.windows, three.windows);
	drop_lines(&one);
	drop_lines(&three);
	drop_lines(&shards);
}

/* Five rounds just before the scan are lost: its alert says so, one of some minutes later does not. */
static void a_gap_shows(void **state)
{
	(void)state;
	struct collected heard = {.n = 0};
	struct nj_message message;
	struct scene s;
	struct raw raw = {.gap_first = 15, .gap_end = 20};
	start_scene(&s, 1, 1, "gap", false, &heard);
	const struct nj_link_options options = {
		.endpoint = s.listen, .queue_max = 1000, .frame_bytes_max = NJ_BATCH_BYTES_MAX};
	assert_int_equal(nj_link_open(s.link, &options, &message, &raw.link), 0);
	assert_int_equal(nj_wire_writer_new(&raw.writer), 0);
	s.raw = &raw;
	int more = 1;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		tell_round(&s, 0, round, round + 1 == ROUNDS);
		more = nj_aggregator_step(s.aggregator, 0, &message);
		assert_true(more >= 0);
	}
	assert_int_equal(more, 0);
	struct nj_aggregator_counts counts = nj_aggregator_counts(s.aggregator);
	assert_int_equal(counts.batches_received, ROUNDS - 5);
	assert_int_equal(counts.gaps, 5);
	bool scan = false, later = false;
	for (uint32_t i = 0; i < heard.n; i++) {
		bool lossy = strstr(heard.line[i], "% of the frames were lost meanwhile") != NULL;
		scan |= lossy && strstr(heard.line[i], "10.20.1.3") != NULL;
		later |= !lossy && strstr(heard.line[i], "10.20.1.5") != NULL; /* the upload */
	}
	assert_true(scan);
	assert_true(later);
	drop_lines(&heard);
	nj_link_close(&raw.link);
	nj_wire_writer_free(&raw.writer);
	end_scene(&s);
}

static int add_line(void *context, const char *json)
{
	struct collected *c = context;
	c->line[c->n] = strdup(json);
	assert_non_null(c->line[c->n]);
	c->n++;
	return 0;
}

static void read_store(const char *path, struct collected *into)
{
	struct nj_message message;
	struct nj_store *store;
	uint64_t row, rows;
	assert_int_equal(nj_store_open_read(path, &message, &store), 0);
	assert_int_equal(nj_store_verify(store, &message, &row, &rows), 0);
	assert_int_equal(nj_store_read_alerts(store, 0, NJ_SEVERITY_LOW, &message, add_line, into), 0);
	nj_store_close(&store);
}

/* Killed after every few rounds - freed without a farewell, so that nothing uncommitted survives - and started again on
 * the same files. */
static void killed_and_started_again(void **state)
{
	(void)state;
	struct collected heard = {.n = 0}, stored[2] = {{.n = 0}, {.n = 0}};
	for (int disturbed = 0; disturbed < 2; disturbed++) {
		struct scene s;
		start_scene(&s, 1, 1, disturbed ? "disturbed" : "undisturbed", true, &heard);
		for (uint32_t round = 0; round < ROUNDS; round++) {
			tell_round(&s, 0, round, round + 1 == ROUNDS);
			if (disturbed && round % 7 == 6 && round + 1 < ROUNDS) {
				(void)settle(&s);
				nj_aggregator_free(&s.aggregator);
				start_aggregator(&s);
			}
		}
		assert_int_equal(settle(&s), 0);
		drop_lines(&heard);
		end_scene(&s);
		read_store(s.store, &stored[disturbed]);
	}
	assert_true(stored[0].n >= 2);
	same(&stored[0], &stored[1]);
	drop_lines(&stored[0]);
	drop_lines(&stored[1]);
}

static void a_baseline_is_learned_and_read_back(void **state)
{
	(void)state;
	struct collected none = {.n = 0};
	struct scene s;
	struct nj_message message;
	char path[128];
	snprintf(path, sizeof path, "%s/baseline.yaml", folder);
	start_scene(&s, 1, 1, "baseline", false, &none);
	for (uint32_t round = 0; round < 10; round++)
		tell_round(&s, 0, round, round == 9);
	assert_int_equal(settle(&s), 0);
	assert_int_equal(nj_aggregator_save_baseline(s.aggregator, path, &message), 0);
	end_scene(&s);
	struct nj_prior prior;
	assert_int_equal(nj_prior_load(path, &message, &prior), 0);
	assert_string_equal(prior.source, "learned baseline");
	drop_lines(&none);
}

static int count_sensor(void *context, const char *json)
{
	*(unsigned *)context += strstr(json, "\"sensor\":\"north\"") != NULL && strstr(json, "journal") != NULL;
	return 0;
}

/* A heartbeat that tells of losses: an operational alert in store and listener, beside the budget; the store knows the
 * sensor. */
static void sensors_are_watched(void **state)
{
	(void)state;
	struct scene s;
	struct collected into = {0};
	struct nj_message message;
	uint64_t now_ns = 1800000000000000000ull;
	start_scene(&s, 1, 1, "watched", true, &into);
	struct nj_sensor_health health = {
		.frames_seen = 50000, .kernel_drops = 50000, .uptime_ms = 9, .sent_ns = now_ns};
	for (int turn = 0; turn < TURNS && nj_aggregator_counts(s.aggregator).operational == 0; turn++) {
		assert_int_equal(nj_aggregator_clock(s.aggregator, now_ns, &message), 0);
		assert_int_equal(nj_shipper_pump(s.shippers[0], 1), 0);
		assert_int_equal(nj_shipper_heartbeat(s.shippers[0], &health), 0);
		assert_true(nj_aggregator_step(s.aggregator, 1, &message) >= 0);
	}
	struct nj_aggregator_counts counts = nj_aggregator_counts(s.aggregator);
	assert_true(counts.operational == 1 && counts.alerts_raised == 0 && into.n == 1);
	assert_non_null(strstr(into.line[0], "\"detector\":\"sensor-health\""));
	assert_int_equal(nj_aggregator_clock(s.aggregator, now_ns, &message), 0);
	struct nj_store *store;
	unsigned sensors = 0;
	uint64_t row, rows;
	assert_int_equal(nj_store_open_read(s.store, &message, &store), 0);
	assert_int_equal(nj_store_read_sensors(store, &message, count_sensor, &sensors), 0);
	assert_int_equal(sensors, 1);
	assert_int_equal(nj_store_verify(store, &message, &row, &rows), 0);
	assert_int_equal(rows, 1);
	nj_store_close(&store);
	drop_lines(&into);
	end_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sensors_are_watched),
		cmocka_unit_test(partition_does_not_matter),
		cmocka_unit_test(a_gap_shows),
		cmocka_unit_test(killed_and_started_again),
		cmocka_unit_test(a_baseline_is_learned_and_read_back),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
