/* Law 3, in one process: an aggregator that is thrown away after every few batches - no farewell, nothing committed
 * that was not - and started again on the same files, each time with another number of shards, keeps the alerts of one
 * that was left alone, once each, and learns the same baseline to the byte.
 *
 * Real captures become batches once; then they are fed through a link by hand, from one sensor or dealt to three that
 * advance unevenly, so that windows wait for the slower ones when a snapshot is taken. Snapshots come after every k-th
 * round for several k; the journal forgets behind them. Files are damaged between two lives, too.
 *
 * NJ_CAPTURE=PATH runs that one alone, NJ_SEED=N deals differently; a failure prints both. */
#include "aggregator/aggregator.h"
#include "aggregator/snapshot.h"
#include "aggregator/store.h"
#include "common/inventory.h"
#include "common/link.h"
#include "common/wire.h"
#include "sensor/capture.h"
#include "sensor/pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ENDPOINT    "inproc://recovery"
#define SENSORS_MAX 3
#define TURNS       200000 /* far more than any run needs; a hang fails instead of waiting */
#define AGENTS_MAX  512

static char folder[] =
	"/dev/shm/nj_recovery_XXXXXX"; /* a process is lost here, not power: no need to wait for a disk */
static uint64_t seed = 1;
static struct nj_networks home;

/* ------------------------------------------------------------------ batches of a capture */

struct frames {
	uint8_t **data;
	size_t *size;
	uint32_t n, max;
	struct nj_wire_writer *writer;
};

struct recording {
	struct frames sensor[SENSORS_MAX];
	uint32_t sensors;
	struct nj_hash_key key;
};

static void keep_frame(struct frames *f, const uint8_t *data, size_t size)
{
	if (f->n == f->max) {
		f->max = 2 * f->max + 64;
		f->data = realloc(f->data, f->max * sizeof *f->data);
		f->size = realloc(f->size, f->max * sizeof *f->size);
		assert_non_null(f->data);
		assert_non_null(f->size);
	}
	f->data[f->n] = malloc(size);
	assert_non_null(f->data[f->n]);
	memcpy(f->data[f->n], data, size);
	f->size[f->n++] = size;
}

static int on_window(void *context, const struct nj_window *window)
{
	struct recording *r = context;
	uint32_t sensor = window->agent.addr.byte[15] % r->sensors;
	assert_true(nj_wire_writer_fits(r->sensor[sensor].writer, window));
	nj_wire_writer_add(r->sensor[sensor].writer, window);
	return 0;
}

static int on_tick(void *context, uint64_t start_ns, uint32_t width_ms, const struct nj_sensor_account *account,
		   bool finish)
{
	struct recording *r = context;
	for (uint32_t i = 0; i < r->sensors; i++) {
		const uint8_t *data;
		size_t size;
		struct nj_batch head = {.key_id = r->key.id,
					.boot = 40 + i,
					.sequence = r->sensor[i].n,
					.start_ns = start_ns,
					.width_ms = width_ms,
					.flags = NJ_BATCH_TICK | (finish ? NJ_BATCH_FINISH : 0)};
		snprintf(head.sensor, sizeof head.sensor, "part-%u", i);
		snprintf(head.tap_group, sizeof head.tap_group, "part-%u", i);
		if (i == 0)
			head.account = *account;
		assert_int_equal(nj_wire_writer_finish(r->sensor[i].writer, &head, &data, &size), 0);
		keep_frame(&r->sensor[i], data, size);
	}
	return 0;
}

static void record(const char *path, uint32_t sensors, struct recording *r)
{
	struct nj_capture_inputs inputs = {.paths = &path, .paths_n = 1};
	struct nj_pipeline_options options = {.workers = 1};
	struct nj_message message = {""};
	struct nj_capture *source;
	struct nj_pipeline *pipeline;
	memset(r, 0, sizeof *r);
	r->sensors = sensors;
	nj_hash_key_derive("", &r->key);
	for (uint32_t i = 0; i < sensors; i++)
		assert_int_equal(nj_wire_writer_new(&r->sensor[i].writer), 0);
	struct nj_window_sink sink = {.context = r, .window = on_window, .tick = on_tick};
	nj_worker_options_init(&options.worker);
	options.worker.flows_max = 1u << 15;
	options.worker.home = &home;
	options.worker.hash_key = r->key;
	if (nj_capture_open_files(&inputs, &message, &source) != 0)
		fail_msg("%s", message.text);
	assert_int_equal(nj_pipeline_new(&options, source, &sink, NULL, NULL, &message, &pipeline), 0);
	int more;
	while ((more = nj_pipeline_step(pipeline, 1000, &message)) > 0)
		;
	assert_int_equal(more, 0);
	nj_pipeline_free(&pipeline);
	nj_capture_close(&source);
}

static void drop_recording(struct recording *r)
{
	for (uint32_t i = 0; i < r->sensors; i++) {
		for (uint32_t f = 0; f < r->sensor[i].n; f++)
			free(r->sensor[i].data[f]);
		free(r->sensor[i].data);
		free(r->sensor[i].size);
		nj_wire_writer_free(&r->sensor[i].writer);
	}
}

/* ------------------------------------------------------------------ a life and the next */

struct plan {
	const char *name;
	uint32_t snapshot_rounds;
	uint32_t batches_a_life;                             /* 0: one life */
	uint32_t shards[3];                                  /* in turn */
	void (*between)(const char *journal, uint32_t life); /* what happens to the files; or NULL */
};

struct life {
	const struct plan *plan;
	const struct recording *recording;
	char journal[128], store[128], baseline[128];
	struct nj_link_context *context;
	struct nj_aggregator *aggregator;
	struct nj_link *link[SENSORS_MAX];
	uint32_t sent[SENSORS_MAX], acked[SENSORS_MAX];
	uint32_t number;
	uint64_t taken, random, snapshots, notices;
};

static uint64_t draw(struct life *l)
{
	l->random = l->random * 6364136223846793005ull + 1442695040888963407ull;
	return l->random >> 33;
}

static void greet(struct life *l, uint32_t sensor)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_wire_hello hello = {.boot = 40 + sensor, .oldest = 0, .self.key_id = l->recording->key.id};
	snprintf(hello.sensor, sizeof hello.sensor, "part-%u", sensor);
	snprintf(hello.tap_group, sizeof hello.tap_group, "part-%u", sensor);
	nj_feature_table_ids(&hello.self.tables);
	assert_int_equal(nj_link_send(l->link[sensor], NULL, buffer, nj_wire_hello_encode(&hello, buffer)), 0);
	l->sent[sensor] = UINT32_MAX; /* until it is answered */
}

static void begin_life(struct life *l)
{
	struct nj_aggregator_options options;
	struct nj_message message = {""};
	nj_aggregator_options_init(&options);
	assert_int_equal(nj_link_context_new(&message, &l->context), 0);
	options.listen = ENDPOINT;
	options.link_context = l->context;
	options.journal_path = l->journal;
	options.store_path = l->store;
	options.sensors_expected = l->recording->sensors;
	options.shards = l->plan->shards[l->number % 3];
	options.agents_max = AGENTS_MAX;
	options.snapshot_rounds = l->plan->snapshot_rounds;
	if (nj_aggregator_new(&options, NULL, &message, &l->aggregator) != 0)
		fail_msg("%s, life %u: %s", l->plan->name, l->number, message.text);
	l->notices += nj_aggregator_notice(l->aggregator)[0] != '\0';
	if (getenv("NJ_NOTICES") != NULL)
		print_message("%s, life %u: %s\n", l->plan->name, l->number, nj_aggregator_notice(l->aggregator));
	for (uint32_t i = 0; i < l->recording->sensors; i++) {
		const struct nj_link_options link = {
			.endpoint = ENDPOINT, .queue_max = 64, .frame_bytes_max = NJ_BATCH_BYTES_MAX};
		assert_int_equal(nj_link_open(l->context, &link, &message, &l->link[i]), 0);
		greet(l, i);
	}
}

static void end_life(struct life *l)
{
	l->taken += nj_aggregator_counts(l->aggregator).batches_received;
	l->snapshots += nj_aggregator_snapshots(l->aggregator).written;
	assert_int_equal(nj_aggregator_snapshots(l->aggregator).failed, 0);
	for (uint32_t i = 0; i < l->recording->sensors; i++)
		nj_link_close(&l->link[i]);
	nj_aggregator_free(&l->aggregator);
	nj_link_context_free(&l->context);
	l->number++;
}

static void hear(struct life *l, uint32_t sensor)
{
	struct nj_link_frame frame;
	while (nj_link_receive(l->link[sensor], 0, &frame) == 0) {
		struct nj_wire_ack ack;
		assert_int_equal(nj_wire_ack_decode(frame.data, frame.size, NULL, &ack), 0);
		assert_true(ack.next <= l->recording->sensor[sensor].n);
		l->acked[sensor] = (uint32_t)ack.next;
		if (ack.rewind)
			l->sent[sensor] = (uint32_t)ack.next;
	}
}

/* A few batches of one sensor, none of another: they do not advance evenly. */
static void tell(struct life *l, uint32_t sensor)
{
	const struct frames *f = &l->recording->sensor[sensor];
	for (uint64_t n = draw(l) % 4; n > 0 && l->sent[sensor] < f->n && l->sent[sensor] < l->acked[sensor] + 16;
	     n--) {
		assert_int_equal(
			nj_link_send(l->link[sensor], NULL, f->data[l->sent[sensor]], f->size[l->sent[sensor]]), 0);
		l->sent[sensor]++;
	}
}

static void live(struct life *l)
{
	struct nj_message message = {""};
	begin_life(l);
	for (uint32_t turn = 0; turn < TURNS; turn++) {
		for (uint32_t i = 0; i < l->recording->sensors; i++) {
			hear(l, i);
			tell(l, i);
		}
		int more = nj_aggregator_step(l->aggregator, 1, &message);
		if (more < 0)
			fail_msg("%s, life %u: %s", l->plan->name, l->number, message.text);
		if (more == 0) {
			assert_int_equal(nj_aggregator_save_baseline(l->aggregator, l->baseline, &message), 0);
			end_life(l);
			return;
		}
		if (l->plan->batches_a_life > 0 &&
		    nj_aggregator_counts(l->aggregator).batches_received >= l->plan->batches_a_life) {
			end_life(l);
			if (l->plan->between != NULL)
				l->plan->between(l->journal, l->number);
			begin_life(l);
		}
	}
	fail_msg("%s did not come to an end", l->plan->name);
}

/* ------------------------------------------------------------------ what is left of it */

struct outcome {
	char *text; /* alerts, one a line; roll-ups of all agents */
	size_t size;
	uint32_t alerts;
	char baseline[128];
	FILE *out;
	struct nj_store *store;
};

static int add_alert(void *context, const char *json)
{
	struct outcome *o = context;
	o->alerts++;
	fprintf(o->out, "%s\n", json);
	return 0;
}

static int add_rollup(void *context, const struct nj_store_rollup *r)
{
	struct outcome *o = context;
	fprintf(o->out, "%u %llu %llu %llu %llu %llu\n", r->width_s, (unsigned long long)r->start_ns,
		(unsigned long long)r->windows, (unsigned long long)r->bytes_out_external,
		(unsigned long long)r->bytes_in_internal, (unsigned long long)r->contacts);
	return 0;
}

static int add_agent(void *context, const struct nj_store_agent *agent)
{
	struct outcome *o = context;
	char text[NJ_ADDR_TEXT_MAX];
	fprintf(o->out, "%s %llu windows\n", nj_addr_text(&agent->agent.addr, text),
		(unsigned long long)agent->windows);
	return nj_store_read_rollups(o->store, &agent->agent, 60, NULL, add_rollup, o);
}

static void read_outcome(const struct life *l, struct outcome *o)
{
	struct nj_message message = {""};
	uint64_t row, rows;
	memset(o, 0, sizeof *o);
	snprintf(o->baseline, sizeof o->baseline, "%s", l->baseline);
	o->out = open_memstream(&o->text, &o->size);
	assert_non_null(o->out);
	assert_int_equal(nj_store_open_read(l->store, &message, &o->store), 0);
	assert_int_equal(nj_store_verify(o->store, &message, &row, &rows), 0);
	assert_int_equal(nj_store_read_alerts(o->store, 0, NJ_SEVERITY_LOW, &message, add_alert, o), 0);
	assert_int_equal(nj_store_read_agents(o->store, &message, add_agent, o), 0);
	nj_store_close(&o->store);
	fclose(o->out);
}

static char *slurp(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	char *text = calloc(1, 1u << 20);
	*ret_size = fread(text, 1, (1u << 20) - 1, file);
	fclose(file);
	return text;
}

static void run(const struct plan *plan, const struct recording *recording, struct outcome *ret_outcome,
		struct life *ret_life)
{
	static uint32_t runs;
	struct life l = {.plan = plan, .recording = recording, .random = seed * 7919 + runs};
	snprintf(l.journal, sizeof l.journal, "%s/%u.journal", folder, runs);
	snprintf(l.store, sizeof l.store, "%s/%u.store", folder, runs);
	snprintf(l.baseline, sizeof l.baseline, "%s/%u.baseline", folder, runs++);
	live(&l);
	read_outcome(&l, ret_outcome);
	*ret_life = l;
}

static void show_difference(const char *capture, const char *plan, const struct outcome *a, const struct outcome *b)
{
	size_t at = 0, line = 0;
	for (; at < a->size && at < b->size && a->text[at] == b->text[at]; at++)
		line = a->text[at] == '\n' ? at + 1 : line;
	print_error("%s, %s: undisturbed has\n%.600s\nand the other\n%.600s\n", capture, plan, a->text + line,
		    b->text + (line < b->size ? line : b->size));
	fail_msg("to see it again: NJ_CAPTURE=%s NJ_SEED=%llu build/tests/test_recovery", capture,
		 (unsigned long long)seed);
}

static void expect_same(const char *capture, const char *plan, const struct outcome *a, const struct outcome *b)
{
	size_t a_size, b_size;
	if (a->size != b->size || memcmp(a->text, b->text, a->size) != 0)
		show_difference(capture, plan, a, b);
	char *learned = slurp(a->baseline, &a_size), *again = slurp(b->baseline, &b_size);
	assert_true(a_size > 500);
	if (a_size != b_size || memcmp(learned, again, a_size) != 0)
		fail_msg("%s, %s: another baseline; NJ_SEED=%llu", capture, plan, (unsigned long long)seed);
	free(learned);
	free(again);
}

/* ------------------------------------------------------------------ what happens between two lives */

/* Every 97th byte of the given stretch. */
static void damage(const char *path, long from, long bytes)
{
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	for (long at = from > 0 ? from : 0; at < from + bytes; at += 97) {
		fseek(file, at, SEEK_SET);
		int byte = fgetc(file);
		if (byte == EOF)
			break;
		fseek(file, at, SEEK_SET);
		fputc(byte ^ 0x5a, file);
	}
	fclose(file);
}

/* The newest snapshot is damaged or cut: the one before it serves. */
static void damage_snapshot(const char *journal, uint32_t life)
{
	char path[160];
	struct stat facts;
	snprintf(path, sizeof path, "%s.snapshot", journal);
	if (stat(path, &facts) != 0)
		return;
	if (life % 3 == 0)
		damage(path, facts.st_size / 2, 1);
	else if (life % 3 == 1)
		assert_int_equal(truncate(path, facts.st_size * 2 / 3), 0);
}

/* All of a journal is lost: the snapshot says how far the series had come, and the sensors send again from there. */
static void lose_journal(const char *journal, uint32_t life)
{
	static const char *const parts[] = {"", "-wal", "-shm"};
	char path[160];
	struct stat facts;
	snprintf(path, sizeof path, "%s.snapshot", journal);
	if (life % 2 == 0 || stat(path, &facts) != 0)
		return;
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s%s", journal, parts[i]);
		unlink(path);
	}
}

/* Its last page, another one near the end, or the very first. */
static void damage_journal(const char *journal, uint32_t life)
{
	char snapshot[160];
	struct stat facts;
	snprintf(snapshot, sizeof snapshot, "%s.snapshot", journal);
	bool vouched = stat(snapshot, &facts) == 0;
	assert_int_equal(stat(journal, &facts), 0);
	if (life % 4 == 3 && vouched)
		damage(journal, 0, 4096);
	else if (life % 4 == 1)
		damage(journal, facts.st_size - 1500, 1);
	else
		damage(journal, facts.st_size - 4096 * (1 + life % 4), 4096);
}

/* ------------------------------------------------------------------ the law */

static const char *const captures[] = {
	"quickstart.pcapng.zst", "scan-horizontal.pcap.zst", "dns-tunnel-dns2tcp.pcap.zst",
	"exfil-volume.pcap.zst", "beacon-20.pcap.zst",       "benign-office.pcap.zst",
};

static const struct plan undisturbed = {"undisturbed", 0, 0, {1, 1, 1}, NULL};

static const struct plan plans[] = {
	{"restarted from the journal alone", 0, 9, {1, 1, 1}, NULL},
	{"a snapshot every round", 1, 3, {1, 8, 3}, NULL},
	{"every 2nd round", 2, 7, {8, 1, 8}, NULL},
	{"every 5th round", 5, 11, {8, 8, 1}, NULL},
	{"damaged snapshots", 2, 8, {1, 2, 1}, damage_snapshot},
	{"lost journals", 2, 10, {1, 1, 4}, lose_journal},
	{"damaged journals", 3, 8, {2, 1, 1}, damage_journal},
};

static void check_capture(const char *path, uint32_t sensors, uint32_t *alerts, uint32_t *mended)
{
	struct recording recording;
	struct outcome whole, other;
	struct life life;
	record(path, sensors, &recording);
	run(&undisturbed, &recording, &whole, &life);
	*alerts += whole.alerts;
	for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
		run(&plans[i], &recording, &other, &life);
		expect_same(path, plans[i].name, &whole, &other);
		if (recording.sensor[0].n > 2 * plans[i].batches_a_life) {
			assert_true(life.number > 2);
			assert_true(plans[i].snapshot_rounds == 0 || life.snapshots > 0);
			*mended += plans[i].between != NULL && life.notices > 0;
		}
		free(other.text);
	}
	free(whole.text);
	drop_recording(&recording);
}

static void killed_at_any_round_is_as_undisturbed(void **state)
{
	(void)state;
	const char *only = getenv("NJ_CAPTURE");
	uint32_t alerts = 0, mended = 0;
	for (size_t i = 0; i < sizeof captures / sizeof *captures; i++) {
		char path[512];
		snprintf(path, sizeof path, "tests/captures/%s", captures[i]);
		check_capture(only != NULL ? only : path, i % 2 == 0 ? 1 : 3, &alerts, &mended);
		if (only != NULL)
			break;
	}
	assert_true((alerts > 0 && mended > 4) || only != NULL);
}

static int set_up(void **state)
{
	(void)state;
	const char *text = getenv("NJ_SEED");
	struct nj_inventory *inventory;
	seed = text != NULL ? strtoull(text, NULL, 10) : 1;
	assert_int_equal(nj_inventory_new(&inventory), 0);
	home = *nj_inventory_home(inventory);
	nj_inventory_free(&inventory);
	if (mkdtemp(folder) != NULL)
		return 0;
	strcpy(folder, "/tmp/nj_recovery_XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_any_round_is_as_undisturbed)};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
