/* A scripted sensor speaks to the ingest frame by frame: greetings, order, repeats, gaps, lies and nonsense, restarts.
 * The laws are checked after each script: frames are all accounted for, and received + gaps = next sequence. */
#include "aggregator/ingest.h"
#include "common/link.h"
#include "common/wire.h"

#include "tests/unit/any_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define ENDPOINT    "inproc://ingest"
#define PATIENCE_MS 5000

struct heard {
	uint64_t sequence, position;
	uint32_t windows_n;
};

static struct nj_link_context *context;
static struct nj_link *sensor;
static struct nj_ingest *ingest;
static struct nj_wire_writer *writer;
static struct nj_arena arena;
static struct heard heard[100];
static unsigned heard_n;
static int verdict;
static uint64_t boot = 77;

static int on_batch(void *context_, const struct nj_batch *batch, uint64_t position)
{
	(void)context_;
	heard[heard_n++] = (struct heard){batch->sequence, position, batch->windows_n};
	return verdict;
}

static void open_ingest(const char *journal)
{
	struct nj_ingest_options options;
	struct nj_message message;
	nj_ingest_options_init(&options);
	options.listen = ENDPOINT;
	options.link_context = context;
	options.journal_path = journal;
	options.key_id = ANY_KEY_ID;
	options.credit = 5;
	if (nj_ingest_open(&options, &(struct nj_ingest_listener){.batch = on_batch}, &message, &ingest) != NJ_OK)
		fail_msg("%s", message.text);
}

static void open_sensor(void)
{
	const struct nj_link_options options = {
		.endpoint = ENDPOINT, .queue_max = 100, .frame_bytes_max = NJ_BATCH_BYTES_MAX};
	assert_int_equal(nj_link_open(context, &options, NULL, &sensor), NJ_OK);
}

static int setup(void **state)
{
	(void)state;
	heard_n = 0;
	verdict = NJ_OK;
	if (nj_link_context_new(NULL, &context) < 0 || nj_wire_writer_new(&writer) < 0 ||
	    nj_arena_init(&arena, 16 << 20) < 0)
		return 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nj_link_close(&sensor);
	nj_ingest_close(&ingest);
	nj_link_context_free(&context);
	nj_wire_writer_free(&writer);
	nj_arena_fini(&arena);
	return 0;
}

static int step(int timeout_ms)
{
	struct nj_message message;
	return nj_ingest_step(ingest, timeout_ms, &message);
}

static void send_bytes(const void *data, size_t size)
{
	assert_int_equal(nj_link_send(sensor, NULL, data, size), NJ_OK);
}

static void send_hello(const char *name, uint64_t oldest, uint32_t key_id)
{
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_wire_hello hello = {.boot = boot, .oldest = oldest, .dropped = oldest, .self = {.key_id = key_id}};
	snprintf(hello.sensor, sizeof hello.sensor, "%s", name);
	snprintf(hello.tap_group, sizeof hello.tap_group, "%s", name);
	nj_feature_table_ids(&hello.self.tables);
	send_bytes(buffer, nj_wire_hello_encode(&hello, buffer));
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
	send_bytes(data, size);
}

static void expect_ack(uint64_t next, bool rewind)
{
	struct nj_link_frame frame;
	struct nj_wire_ack ack;
	struct nj_message message;
	assert_int_equal(nj_link_receive(sensor, PATIENCE_MS, &frame), NJ_OK);
	if (nj_wire_ack_decode(frame.data, frame.size, &message, &ack) != NJ_OK)
		fail_msg("%s", message.text);
	assert_int_equal(ack.boot, boot);
	assert_int_equal(ack.next, next);
	assert_int_equal(ack.credit, 5);
	assert_int_equal(ack.rewind, rewind);
}

static void expect_refusal(enum nj_wire_refusal code, const char *words)
{
	struct nj_link_frame frame;
	struct nj_wire_refuse refuse;
	assert_int_equal(nj_link_receive(sensor, PATIENCE_MS, &frame), NJ_OK);
	assert_int_equal(nj_wire_refuse_decode(frame.data, frame.size, NULL, &refuse), NJ_OK);
	assert_int_equal(refuse.code, code);
	if (strstr(refuse.reason, words) == NULL)
		fail_msg("'%s' lacks '%s'", refuse.reason, words);
}

static void expect_silence(void)
{
	struct nj_link_frame frame;
	assert_int_equal(nj_link_receive(sensor, 0, &frame), NJ_ERR_AGAIN);
}

static void check_laws(uint64_t next)
{
	struct nj_ingest_counts c = nj_ingest_counts(ingest);
	assert_int_equal(c.frames, c.received + c.repeated + c.out_of_order + c.malformed + c.greetings + c.refused);
	assert_int_equal(c.received + c.gaps, next);
}

static void test_order_repeats_and_gaps(void **state)
{
	(void)state;
	open_ingest(":memory:");
	open_sensor();
	send_batch(0);
	assert_int_equal(step(PATIENCE_MS), 0);
	expect_refusal(NJ_WIRE_REFUSED_STRANGER, "greet first");
	send_hello("tap-1", 0, ANY_KEY_ID);
	assert_int_equal(step(PATIENCE_MS), 0);
	expect_ack(0, true);
	for (uint64_t i = 0; i < 3; i++)
		send_batch(i);
	assert_int_equal(step(PATIENCE_MS), 3);
	expect_ack(3, false); /* one word for all three */
	expect_silence();
	send_batch(1);
	assert_int_equal(step(PATIENCE_MS), 0);
	expect_ack(3, false);
	send_batch(5);
	send_batch(6);
	assert_int_equal(step(PATIENCE_MS), 0);
	expect_ack(3, true); /* told once */
	expect_silence();
	send_hello("tap-1", 5, ANY_KEY_ID);
	send_batch(5);
	assert_int_equal(step(PATIENCE_MS), 1);
	expect_ack(5, true);
	expect_ack(6, false);
	struct nj_ingest_counts c = nj_ingest_counts(ingest);
	assert_true(c.received == 4 && c.repeated == 1 && c.out_of_order == 2 && c.gaps == 2 && c.greetings == 2 &&
		    c.refused == 1);
	assert_int_equal(heard_n, 4);
	assert_true(heard[3].sequence == 5 && heard[3].position == 3);
	check_laws(6);
}

static void test_refusals_have_no_effect(void **state)
{
	(void)state;
	open_ingest(":memory:");
	open_sensor();
	send_hello("tap-1", 0, 1);
	step(PATIENCE_MS);
	expect_refusal(NJ_WIRE_REFUSED_KEY, "sensor tap-1 (nightjar");
	send_hello("no spaces", 0, ANY_KEY_ID);
	step(PATIENCE_MS);
	expect_refusal(NJ_WIRE_REFUSED_MALFORMED, "a name holds");
	send_bytes("nonsense", 8);
	step(PATIENCE_MS);
	expect_refusal(NJ_WIRE_REFUSED_MALFORMED, "nothing that a sensor says");
	send_hello("tap-2", 0, ANY_KEY_ID); /* but its batches say tap-1 */
	send_batch(0);
	step(PATIENCE_MS);
	expect_ack(0, true);
	expect_refusal(NJ_WIRE_REFUSED_MALFORMED, "a batch of sensor tap-1 came from sensor tap-2");
	send_hello("tap-1", 0, ANY_KEY_ID);
	send_batch(0);
	send_bytes("\x9e\x02\x01\x00", 4);
	send_bytes("", 0);
	assert_int_equal(step(PATIENCE_MS), 1);
	expect_ack(0, true);
	expect_refusal(NJ_WIRE_REFUSED_MALFORMED, "");
	expect_refusal(NJ_WIRE_REFUSED_MALFORMED, "");
	expect_ack(1, false);
	assert_int_equal(nj_ingest_counts(ingest).malformed, 5);
	check_laws(1);
}

static void test_restart_goes_on_where_the_journal_ends(void **state)
{
	(void)state;
	char folder[] = "/tmp/nj_test_ingest_XXXXXX", path[64], command[80];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/journal", folder);
	open_ingest(path);
	open_sensor();
	send_hello("tap-1", 2, ANY_KEY_ID);
	send_batch(2);
	send_batch(3);
	assert_int_equal(step(PATIENCE_MS), 2);
	/* The engine fails on the next: it is journaled all the same. */
	verdict = NJ_ERR_IO;
	send_batch(4);
	assert_int_equal(step(PATIENCE_MS), NJ_ERR_IO);
	nj_link_close(&sensor);
	nj_ingest_close(&ingest);

	verdict = NJ_OK;
	heard_n = 0;
	open_ingest(path);
	struct nj_message message;
	uint64_t next;
	assert_int_equal(nj_ingest_replay(ingest, 0, &message, &next), NJ_OK);
	assert_int_equal(next, 3);
	assert_int_equal(heard_n, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(heard[i].position == i && heard[i].sequence == i + 2);
	open_sensor();
	send_hello("tap-1", 4, ANY_KEY_ID);
	send_batch(4);
	send_batch(5);
	assert_int_equal(step(PATIENCE_MS), 1);
	expect_ack(5, true);
	expect_ack(6, false);
	assert_int_equal(nj_ingest_counts(ingest).repeated, 1);
	assert_int_equal(nj_ingest_forget(ingest, 3, &message), NJ_OK);
	heard_n = 0;
	assert_int_equal(nj_ingest_replay(ingest, 0, &message, &next), NJ_OK);
	assert_true(heard_n == 1 && heard[0].position == 3 && next == 4);
	/* Another boot of the same sensor is another series. */
	boot = 78;
	send_hello("tap-1", 0, ANY_KEY_ID);
	step(PATIENCE_MS);
	expect_ack(0, true);
	boot = 77;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

/* A last acknowledgement may be lost with its connection: it is said again while there is somebody to hear it, and no
 * longer. */
static void test_farewell_repeats_the_last_word(void **state)
{
	(void)state;
	open_ingest(":memory:");
	open_sensor();
	send_hello("tap-1", 0, ANY_KEY_ID);
	send_batch(0);
	while (heard_n < 1)
		assert_true(step(PATIENCE_MS) >= 0);
	expect_ack(0, true);
	expect_ack(1, false);
	expect_silence();
	nj_ingest_farewell(ingest, 1); /* one round */
	expect_ack(1, false);
	send_hello("tap-1", 0, ANY_KEY_ID); /* it missed that too, and asks */
	nj_ingest_farewell(ingest, 1);
	expect_ack(1, false);
	expect_ack(1, true);
	nj_link_close(&sensor);
	nj_ingest_farewell(ingest, UINT32_MAX); /* would go on for weeks if it were not for the sensor's having gone */
}

static void test_small_arena_splits_groups(void **state)
{
	(void)state;
	struct nj_ingest_options options;
	nj_ingest_options_init(&options);
	options.listen = ENDPOINT;
	options.link_context = context;
	options.key_id = ANY_KEY_ID;
	options.credit = 5;
	options.sensors_max = 1;
	options.arena_bytes = 90 << 10; /* the decoder's text table and few windows */
	assert_int_equal(nj_ingest_open(&options, &(struct nj_ingest_listener){.batch = on_batch}, NULL, &ingest),
			 NJ_OK);
	open_sensor();
	send_hello("tap-1", 0, ANY_KEY_ID);
	for (uint64_t i = 0; i < 30; i++)
		send_batch(i);
	assert_int_equal(step(PATIENCE_MS), 30);
	assert_int_equal(heard_n, 30);
	/* What is dropped gives its room back. */
	for (uint64_t i = 0; i < 30; i++)
		send_batch(i);
	assert_int_equal(step(PATIENCE_MS), 0);
	assert_int_equal(nj_ingest_counts(ingest).malformed, 0);
	assert_int_equal(nj_ingest_counts(ingest).repeated, 30);
	/* With room for one sensor, a second one takes its place; the first is remembered by the journal. */
	send_hello("tap-9", 7, ANY_KEY_ID);
	send_hello("tap-1", 0, ANY_KEY_ID);
	send_batch(30);
	assert_int_equal(step(PATIENCE_MS), 1);
	assert_int_equal(heard[30].sequence, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order_repeats_and_gaps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals_have_no_effect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart_goes_on_where_the_journal_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_farewell_repeats_the_last_word, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_arena_splits_groups, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
