/* Batches of a sensor that has several aggregators: held without effect until the sensor settles them, discarded when
 * another took them, through restarts of the aggregator. And peers of wire version 1.0, which know nothing of all that.
 * The law after each script: received + gaps + elsewhere = next. */
#include "aggregator/ingest.h"
#include "aggregator/series.h"
#include "common/link.h"
#include "common/wire.h"

#include "tests/unit/any_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define ENDPOINT    "inproc://series"
#define PATIENCE_MS 5000
#define CREDIT      5

static struct nj_link_context *context;
static struct nj_link *sensor;
static struct nj_ingest *ingest;
static struct nj_wire_writer *writer;
static struct nj_arena arena;
static uint64_t heard[200];
static unsigned heard_n;
static uint64_t lost;
static struct nj_sensor_health health;
static uint64_t boot = 77;
static char folder[] = "/tmp/nj_test_series_XXXXXX", journal[64];
static int journals;

static int on_batch(void *context_, const struct nj_batch *batch, uint64_t position)
{
	(void)context_;
	(void)position;
	heard[heard_n++] = batch->sequence;
	return NJ_OK;
}

static void on_heartbeat(void *context_, const struct nj_sensor_health *told)
{
	(void)context_;
	health = *told;
}

static void on_gap(void *context_, const char *name, uint64_t batches)
{
	(void)context_;
	assert_string_equal(name, "tap-1");
	lost += batches;
}

static void open_ingest(void)
{
	struct nj_ingest_options options;
	struct nj_ingest_listener listener = {.batch = on_batch, .heartbeat = on_heartbeat, .gap = on_gap};
	struct nj_message message;
	nj_ingest_options_init(&options);
	options.listen = ENDPOINT;
	options.link_context = context;
	options.journal_path = journal;
	options.key_id = ANY_KEY_ID;
	options.credit = CREDIT;
	if (nj_ingest_open(&options, &listener, &message, &ingest) != NJ_OK)
		fail_msg("%s", message.text);
	const struct nj_link_options link = {
		.endpoint = ENDPOINT, .queue_max = 100, .frame_bytes_max = NJ_BATCH_BYTES_MAX};
	assert_int_equal(nj_link_open(context, &link, NULL, &sensor), NJ_OK);
}

static void close_ingest(void)
{
	nj_link_close(&sensor);
	nj_ingest_close(&ingest);
}

static int setup(void **state)
{
	(void)state;
	heard_n = 0;
	lost = 0;
	boot = 77;
	snprintf(journal, sizeof journal, "%s/%d", folder, journals++);
	if (nj_link_context_new(NULL, &context) < 0 || nj_wire_writer_new(&writer) < 0 ||
	    nj_arena_init(&arena, 16 << 20) < 0)
		return 1;
	open_ingest();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_ingest();
	nj_link_context_free(&context);
	nj_wire_writer_free(&writer);
	nj_arena_fini(&arena);
	return 0;
}

static void step(void)
{
	struct nj_message message;
	if (nj_ingest_step(ingest, PATIENCE_MS, &message) < 0)
		fail_msg("%s", message.text);
}

static struct nj_wire_hello hello_of(uint64_t oldest, uint64_t settled)
{
	struct nj_wire_hello hello = {.sensor = "tap-1",
				      .tap_group = "tap-1",
				      .boot = boot,
				      .oldest = oldest,
				      .several = true,
				      .settled = settled,
				      .greeting = 9,
				      .self = {.key_id = ANY_KEY_ID}};
	nj_feature_table_ids(&hello.self.tables);
	return hello;
}

/* The newest: there is one at least. */
static struct nj_wire_ack next_ack(void)
{
	struct nj_link_frame frame;
	struct nj_wire_ack ack;
	struct nj_message message;
	assert_int_equal(nj_link_receive(sensor, PATIENCE_MS, &frame), NJ_OK);
	do
		if (nj_wire_ack_decode(frame.data, frame.size, &message, &ack) != NJ_OK)
			fail_msg("%s", message.text);
	while (nj_link_receive(sensor, 0, &frame) == NJ_OK);
	return ack;
}

static struct nj_wire_ack greet(const struct nj_wire_hello *hello)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	assert_int_equal(nj_link_send(sensor, NULL, buffer, nj_wire_hello_encode(hello, buffer)), NJ_OK);
	step();
	return next_ack();
}

static void send_batch(uint64_t sequence)
{
	size_t size;
	nj_arena_reset(&arena);
	struct any any = {.seed = (unsigned)sequence, .arena = &arena, .keys = 100, .list_max = 4};
	struct nj_batch batch = any_batch(&any, 3);
	batch.boot = boot;
	batch.sequence = sequence;
	const uint8_t *data = any_encode(writer, &batch, &size);
	assert_int_equal(nj_link_send(sensor, NULL, data, size), NJ_OK);
}

static struct nj_wire_ack send_batches(uint64_t from, uint64_t until)
{
	for (uint64_t i = from; i < until; i++)
		send_batch(i);
	step();
	return next_ack();
}

static struct nj_wire_ack settle(uint64_t settled)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_wire_settled words = {.boot = boot, .settled = settled};
	assert_int_equal(nj_link_send(sensor, NULL, buffer, nj_wire_settled_encode(&words, buffer)), NJ_OK);
	step();
	return next_ack();
}

static void expect_heard(uint64_t from, uint64_t until)
{
	assert_int_equal(heard_n, until - from);
	for (unsigned i = 0; i < heard_n; i++)
		assert_int_equal(heard[i], from + i);
	heard_n = 0;
}

static void check_laws(void)
{
	struct nj_ingest_counts c = nj_ingest_counts(ingest);
	assert_int_equal(c.frames + c.released, c.received + c.held + c.repeated + c.out_of_order + c.malformed +
							c.greetings + c.heartbeats + c.settlements + c.refused);
}

static void test_held_until_settled(void **state)
{
	(void)state;
	struct nj_wire_hello hello = hello_of(0, 0);
	struct nj_wire_ack ack = greet(&hello);
	assert_true(ack.next == 0 && ack.greeting == 9 && ack.minor == NJ_WIRE_MINOR);
	ack = send_batches(0, 4);
	assert_true(ack.next == 4 && ack.settled == 0 && ack.credit == CREDIT - 4);
	expect_heard(0, 0);
	ack = settle(3);
	assert_true(ack.next == 4 && ack.settled == 3 && ack.credit == CREDIT - 1);
	expect_heard(0, 3);
	ack = settle(2); /* late: nothing goes back */
	assert_int_equal(ack.settled, 3);
	ack = settle(UINT64_MAX); /* no further than what is here */
	assert_int_equal(ack.settled, 4);
	expect_heard(3, 4);
	struct nj_ingest_counts c = nj_ingest_counts(ingest);
	assert_true(c.held == 4 && c.released == 4 && c.received == 4 && c.discarded == 0 && c.settlements == 3);
	check_laws();
}

static void test_taken_elsewhere_has_no_effect_here(void **state)
{
	(void)state;
	struct nj_wire_hello hello = hello_of(0, 0);
	greet(&hello);
	send_batches(0, 5);
	/* The sensor heard the word for 0 and 1 and left; another took 2 and 3. */
	hello = hello_of(4, 2);
	struct nj_wire_ack ack = greet(&hello);
	assert_true(ack.next == 5 && ack.settled == 2);
	expect_heard(0, 2);
	settle(5);
	expect_heard(4, 5);
	/* It left again at 5; another took up to 20, and 7 of them were lost on the way. */
	hello = hello_of(20, 5);
	hello.dropped = 7;
	ack = greet(&hello);
	assert_true(ack.next == 20 && lost == 7);
	send_batches(20, 21);
	settle(21);
	expect_heard(20, 21);
	struct nj_ingest_counts c = nj_ingest_counts(ingest);
	assert_true(c.discarded == 2 && c.gaps == 7 && c.received == 4);
	check_laws();
}

static void test_held_survives_a_restart(void **state)
{
	(void)state;
	struct nj_message message;
	uint64_t next;
	struct nj_wire_hello hello = hello_of(0, 0);
	greet(&hello);
	send_batches(0, 4);
	settle(1);
	expect_heard(0, 1);
	close_ingest();
	open_ingest();
	assert_int_equal(nj_ingest_replay(ingest, 0, &message, &next), NJ_OK);
	expect_heard(0, 1);
	hello = hello_of(1, 1);
	struct nj_wire_ack ack = greet(&hello);
	assert_true(ack.next == 4 && ack.settled == 1 && ack.credit == CREDIT - 3);
	settle(4);
	expect_heard(1, 4);
	close_ingest();
	open_ingest();
	assert_int_equal(nj_ingest_replay(ingest, 0, &message, &next), NJ_OK);
	expect_heard(0, 4);
}

/* Without its journal a sensor cannot say what became of them; and one that has no other aggregator any more need not.
 */
static void test_what_nobody_will_settle(void **state)
{
	(void)state;
	struct nj_wire_hello hello = hello_of(0, 0);
	greet(&hello);
	send_batches(0, 3);
	boot = 78;
	hello = hello_of(0, 0);
	greet(&hello);
	expect_heard(0, 3);
	send_batches(0, 2);
	expect_heard(0, 0);
	hello.several = false;
	struct nj_wire_ack ack = greet(&hello);
	assert_true(ack.next == 2 && ack.settled == 2 && ack.credit == CREDIT);
	expect_heard(0, 2);
	check_laws();
}

static void test_no_credit_without_settling(void **state)
{
	(void)state;
	struct nj_wire_hello hello = hello_of(0, 0);
	greet(&hello);
	struct nj_wire_ack ack = send_batches(0, 40);
	assert_true(ack.credit == 0 && ack.next == 2 * CREDIT); /* sent without credit, kept within bounds */
	assert_int_equal(nj_ingest_counts(ingest).held, 2 * CREDIT);
	ack = settle(2 * CREDIT);
	assert_int_equal(ack.credit, CREDIT);
	expect_heard(0, 2 * CREDIT);
	check_laws();
}

static void test_heartbeats(void **state)
{
	(void)state;
	uint8_t buffer[NJ_WIRE_HEARTBEAT_MAX];
	struct nj_wire_hello hello = hello_of(0, 0);
	struct nj_link_frame frame;
	struct any any = {.seed = 4, .arena = &arena};
	struct nj_sensor_health told = any_health(&any);
	told.boot = boot;
	greet(&hello);
	assert_int_equal(nj_link_send(sensor, NULL, buffer, nj_wire_heartbeat_encode(&told, buffer)), NJ_OK);
	step();
	assert_true(health.frames_seen == told.frames_seen && health.drops_n == told.drops_n);
	assert_int_equal(nj_link_receive(sensor, 0, &frame), NJ_ERR_AGAIN); /* nothing to answer */
	/* One that speaks for another sensor, and one of a stranger. */
	snprintf(told.sensor, sizeof told.sensor, "tap-2");
	assert_int_equal(nj_link_send(sensor, NULL, buffer, nj_wire_heartbeat_encode(&told, buffer)), NJ_OK);
	step();
	assert_int_equal(nj_link_receive(sensor, PATIENCE_MS, &frame), NJ_OK);
	struct nj_ingest_counts c = nj_ingest_counts(ingest);
	assert_true(c.heartbeats == 1 && c.malformed == 1);
	assert_string_equal(health.sensor, "tap-1");
	check_laws();
}

/* A HELLO as 1.0 sent it: ten fields, minor 0. Its jumps are gaps, its batches have effect at once. */
static void test_a_sensor_of_1_0(void **state)
{
	(void)state;
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_wire_hello hello = hello_of(3, 0);
	hello.several = false;
	hello.greeting = 0;
	size_t size = nj_wire_hello_encode(&hello, buffer) - 4; /* dropped, several, settled, greeting: a byte each */
	assert_true(buffer[0] == 0x9e && buffer[3] == NJ_WIRE_MINOR);
	buffer[0] = 0x9a;
	buffer[3] = 0;
	assert_int_equal(nj_link_send(sensor, NULL, buffer, size), NJ_OK);
	step();
	struct nj_wire_ack ack = next_ack();
	assert_true(ack.next == 3 && lost == 3);
	send_batches(3, 5);
	expect_heard(3, 5);
	assert_int_equal(nj_ingest_counts(ingest).gaps, 3);
	check_laws();
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
	(void)state;
	char command[80];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_held_until_settled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken_elsewhere_has_no_effect_here, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held_survives_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_nobody_will_settle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_credit_without_settling, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heartbeats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_sensor_of_1_0, setup, teardown),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
