/* Shipper and ingest, turned by one thread so that every run is the same run: deliveries through restarts of either
 * side, a full journal, a refusing aggregator. What is claimed: every batch arrives once, in order, and windows taken =
 * shipped + spooled + dropped at every moment. */
#include "sensor/shipper_parts.h"

#include "aggregator/ingest.h"
#include "common/link.h"
#include "common/wire.h"

#include "tests/unit/any_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/nj_test_shipper_XXXXXX";
static char sensor_path[64], aggregator_path[64],
	endpoint[64]; /* ipc: unlike inproc it connects again after a restart */
static struct nj_link_context *context;
static struct nj_ingest *ingest, *second;
static struct nj_shipper *shipper;
static struct nj_arena arena;
static uint64_t received, windows_received, ticks_received, sequence_expected, boot_expected;
static bool finished;

static int on_batch(void *context_, const struct nj_batch *batch, uint64_t position)
{
	(void)context_;
	(void)position;
	if (batch->boot != boot_expected)
		sequence_expected = batch->sequence;
	boot_expected = batch->boot;
	if (batch->sequence < sequence_expected)
		fail_msg("sequence %llu came again", (unsigned long long)batch->sequence);
	sequence_expected = batch->sequence + 1;
	received++;
	windows_received += batch->windows_n;
	ticks_received += (batch->flags & NJ_BATCH_TICK) != 0;
	finished |= (batch->flags & NJ_BATCH_FINISH) != 0;
	return NJ_OK;
}

static void open_ingest(uint32_t key_id)
{
	struct nj_ingest_options options;
	struct nj_message message;
	nj_ingest_options_init(&options);
	options.listen = endpoint;
	options.link_context = context;
	options.journal_path = aggregator_path;
	options.key_id = key_id;
	options.credit = 4;
	if (nj_ingest_open(&options, &(struct nj_ingest_listener){.batch = on_batch}, &message, &ingest) != NJ_OK)
		fail_msg("%s", message.text);
}

static void open_shipper(uint64_t journal_bytes_max, uint32_t commit_ticks)
{
	struct nj_shipper_options options;
	struct nj_message message;
	nj_shipper_options_init(&options);
	options.sensor = "tap-1";
	options.aggregator = endpoint;
	options.link_context = context;
	options.journal_path = sensor_path;
	options.journal_bytes_max = journal_bytes_max;
	options.key_id = ANY_KEY_ID;
	options.commit_ticks = commit_ticks;
	options.silence_ms = 100;
	options.finish_ms = 200;
	if (nj_shipper_new(&options, &message, &shipper) != NJ_OK)
		fail_msg("%s", message.text);
}

static int setup(void **state)
{
	static int n;
	(void)state;
	snprintf(sensor_path, sizeof sensor_path, "%s/sensor-%d", folder, n);
	snprintf(aggregator_path, sizeof aggregator_path, "%s/aggregator-%d", folder, n);
	snprintf(endpoint, sizeof endpoint, "ipc://%s/socket-%d", folder, n++);
	received = windows_received = ticks_received = sequence_expected = boot_expected = 0;
	finished = false;
	return nj_link_context_new(NULL, &context) < 0 || nj_arena_init(&arena, 64 << 20) < 0;
}

static int teardown(void **state)
{
	(void)state;
	nj_shipper_free(&shipper);
	nj_ingest_close(&ingest);
	nj_ingest_close(&second);
	nj_link_context_free(&context);
	nj_arena_fini(&arena);
	return 0;
}

static void check_law(void)
{
	struct nj_shipper_counts c = nj_shipper_counts(shipper);
	assert_int_equal(c.windows_taken,
			 c.windows_shipped + c.windows_spooled + c.windows_dropped_full + c.windows_dropped_error);
}

static uint64_t start_of(unsigned tick)
{
	return ANY_START_NS + tick * 10000000000ull;
}

/* One tick's windows, as a pipeline would give them. */
static int feed(unsigned tick, uint32_t windows_n, bool finish)
{
	struct nj_window_sink sink = nj_shipper_sink(shipper);
	int err = NJ_OK;
	nj_arena_reset(&arena);
	struct any any = {.seed = tick + 1, .arena = &arena, .keys = 500, .list_max = 6};
	for (uint32_t i = 0; i < windows_n && err == NJ_OK; i++) {
		struct nj_window window = any_window(&any);
		window.start_ns = start_of(tick);
		window.agent.addr.byte[14] = (uint8_t)(i >> 8);
		window.agent.addr.byte[15] = (uint8_t)i;
		err = sink.window(sink.context, &window);
	}
	struct nj_sensor_account account = {.windows_closed = windows_n};
	if (err == NJ_OK)
		err = sink.tick(sink.context, start_of(tick), 10000, &account, finish);
	check_law();
	return err;
}

/* Both sides in turn until everything is delivered. */
static void deliver(void)
{
	struct nj_message message;
	for (int turn = 0; turn < 2000 && nj_shipper_counts(shipper).windows_spooled > 0; turn++) {
		assert_int_equal(nj_shipper_pump(shipper, 0), NJ_OK);
		if (nj_ingest_step(ingest, 5, &message) < 0)
			fail_msg("%s", message.text);
		assert_int_equal(nj_shipper_pump(shipper, 5), NJ_OK);
		check_law();
	}
	assert_int_equal(nj_shipper_counts(shipper).windows_spooled, 0);
}

static void test_everything_arrives_once(void **state)
{
	(void)state;
	open_ingest(ANY_KEY_ID);
	open_shipper(64 << 20, 1);
	uint64_t windows = 0;
	for (unsigned tick = 0; tick < 40; tick++) {
		uint32_t n = tick % 7 == 0 ? 0 : tick * 3;
		assert_int_equal(feed(tick, n, tick == 39), NJ_OK);
		windows += n;
	}
	deliver();
	struct nj_shipper_counts c = nj_shipper_counts(shipper);
	assert_true(windows_received == windows && c.windows_shipped == windows && c.windows_taken == windows);
	assert_true(ticks_received == 40 && finished && received == c.batches_shipped);
	assert_int_equal(c.batches_resent, 0);
	assert_int_equal(nj_ingest_counts(ingest).gaps, 0);
}

static void test_a_large_tick_is_several_batches(void **state)
{
	(void)state;
	open_ingest(ANY_KEY_ID);
	open_shipper(64 << 20, 8);
	assert_int_equal(feed(0, 3000, true), NJ_OK);
	deliver();
	assert_true(received >= 3 && ticks_received == 1 && windows_received == 3000);
}

static void test_aggregator_restarts(void **state)
{
	(void)state;
	open_ingest(ANY_KEY_ID);
	open_shipper(64 << 20, 1);
	struct nj_message message;
	for (unsigned tick = 0; tick < 30; tick++) {
		assert_int_equal(feed(tick, 5, false), NJ_OK);
		assert_true(nj_ingest_step(ingest, 1, &message) >= 0);
		if (tick % 4 == 3) {
			nj_ingest_close(&ingest);
			open_ingest(ANY_KEY_ID);
		}
	}
	deliver();
	assert_true(windows_received == 150 && ticks_received == 30 && sequence_expected == 30);
	assert_int_equal(nj_shipper_counts(shipper).windows_shipped, 150);
}

static void test_sensor_restarts(void **state)
{
	(void)state;
	open_ingest(ANY_KEY_ID);
	struct nj_message message;
	for (unsigned tick = 0; tick < 30; tick++) {
		if (tick % 3 == 0) {
			nj_shipper_free(&shipper);
			open_shipper(64 << 20, 1);
		}
		assert_int_equal(feed(tick, 5, false), NJ_OK);
		if (tick % 5 == 0)
			assert_true(nj_ingest_step(ingest, 1, &message) >= 0);
	}
	deliver();
	assert_true(windows_received == 150 && ticks_received == 30 && sequence_expected == 30);
	assert_int_equal(nj_ingest_counts(ingest).gaps, 0);
}

static void test_full_journal_drops_oldest_and_says_so(void **state)
{
	(void)state;
	open_shipper(NJ_BATCH_BYTES_MAX, 1);
	unsigned ticks = 0;
	while (nj_shipper_counts(shipper).windows_dropped_full < 1000)
		assert_int_equal(feed(ticks++, 400, false), NJ_OK);
	/* Committed and reopened, the numbers still add up. */
	struct nj_shipper_counts before = nj_shipper_counts(shipper);
	nj_shipper_free(&shipper);
	open_shipper(NJ_BATCH_BYTES_MAX, 1);
	assert_int_equal(nj_shipper_counts(shipper).windows_spooled, before.windows_spooled);
	open_ingest(ANY_KEY_ID);
	deliver();
	struct nj_ingest_counts c = nj_ingest_counts(ingest);
	assert_int_equal(windows_received, before.windows_spooled);
	assert_int_equal(c.received + c.gaps, sequence_expected);
	assert_int_equal(sequence_expected, ticks);
	assert_true(c.gaps > 0);
}

static void test_drops_while_connected(void **state)
{
	(void)state;
	open_ingest(ANY_KEY_ID);
	open_shipper(NJ_BATCH_BYTES_MAX, 1);
	struct nj_message message;
	unsigned ticks = 0;
	assert_int_equal(feed(ticks++, 1, false), NJ_OK);
	for (int i = 0; i < 5; i++) {
		assert_true(nj_ingest_step(ingest, 5, &message) >= 0);
		assert_int_equal(nj_shipper_pump(shipper, 1), NJ_OK);
	}
	while (nj_shipper_counts(shipper).windows_dropped_full < 1000) /* the aggregator does not listen */
		assert_int_equal(feed(ticks++, 400, false), NJ_OK);
	deliver();
	struct nj_ingest_counts c = nj_ingest_counts(ingest);
	struct nj_shipper_counts s = nj_shipper_counts(shipper);
	assert_int_equal(c.received + c.gaps, ticks);
	/* What was on its way when it was dropped may have arrived: then it is counted on both sides. */
	assert_true(s.windows_shipped + s.windows_dropped_full == s.windows_taken);
	assert_true(windows_received >= s.windows_shipped);
}

static void test_waits_for_room_and_gives_up(void **state)
{
	(void)state;
	struct nj_shipper_options options;
	nj_shipper_options_init(&options);
	options.sensor = "tap-1";
	options.aggregator = endpoint;
	options.link_context = context;
	options.journal_bytes_max = NJ_BATCH_BYTES_MAX;
	options.wait_when_full = true;
	options.finish_ms = 100;
	options.key_id = ANY_KEY_ID;
	assert_int_equal(nj_shipper_new(&options, NULL, &shipper), NJ_OK);
	int err = NJ_OK;
	for (unsigned tick = 0; tick < 1000 && err == NJ_OK; tick++)
		err = feed(tick, 400, false);
	assert_int_equal(err, NJ_ERR_AGAIN);
	assert_non_null(strstr(nj_shipper_message(shipper), "room in the journal"));
	assert_int_equal(nj_shipper_counts(shipper).windows_dropped_full, 0);
	assert_int_equal(nj_shipper_finish(shipper), NJ_ERR_AGAIN);
	assert_non_null(strstr(nj_shipper_message(shipper), "last acknowledgement"));
}

static void test_refused_for_good(void **state)
{
	(void)state;
	open_ingest(1);
	open_shipper(64 << 20, 1);
	struct nj_message message;
	assert_int_equal(feed(0, 2, false), NJ_OK);
	int err = NJ_OK;
	for (int i = 0; i < 200 && err == NJ_OK; i++) {
		err = nj_shipper_pump(shipper, 5);
		assert_int_equal(nj_ingest_step(ingest, 5, &message), 0);
	}
	assert_int_equal(err, NJ_ERR_VERSION);
	assert_non_null(strstr(nj_shipper_message(shipper), "refuses: sensor tap-1 (nightjar"));
	assert_int_equal(feed(1, 2, false), NJ_ERR_VERSION);
	assert_int_equal(nj_shipper_finish(shipper), NJ_ERR_VERSION);
	assert_int_equal(received, 0);
}

/* Two places to deliver to. The first goes in the middle of an exchange, with batches on their way; what it took and
 * could not acknowledge any more has no effect there. It comes back, and is turned to again when it has answered for
 * long enough. */
static uint8_t effects[64];

static int on_effect(void *context_, const struct nj_batch *batch, uint64_t position)
{
	(void)context_;
	(void)position;
	effects[batch->sequence]++;
	return NJ_OK;
}

static void open_place(struct nj_ingest **ret_ingest, const char *name)
{
	struct nj_ingest_options options;
	struct nj_ingest_listener listener = {.batch = on_effect};
	struct nj_message message;
	char listen[80], path[80];
	nj_ingest_options_init(&options);
	snprintf(listen, sizeof listen, "%s-%s", endpoint, name);
	snprintf(path, sizeof path, "%s-%s", aggregator_path, name);
	options.listen = listen;
	options.link_context = context;
	options.journal_path = path;
	options.key_id = ANY_KEY_ID;
	options.credit = 4;
	if (nj_ingest_open(&options, &listener, &message, ret_ingest) != NJ_OK)
		fail_msg("%s", message.text);
}

static uint64_t now_ms;

static unsigned fed;

static bool all_effective(void)
{
	for (unsigned i = 0; i < fed; i++)
		if (effects[i] == 0)
			return false;
	return true;
}

static bool turned_once(void)
{
	return nj_shipper_counts(shipper).failovers == 1;
}

static bool turned_twice(void)
{
	return nj_shipper_counts(shipper).failovers == 2;
}

/* Everybody in turn, so much of the shipper's time each, until *done*. Sockets take time of their own: none of the
 * shipper's passes while only they are waited for. */
static void turn_until(bool (*done)(void), uint64_t step_ms)
{
	for (int turn = 0; !done(); turn++, now_ms += step_ms) {
		assert_true(turn < 20000);
		struct nj_message message;
		nj_shipper_clock(shipper, now_ms);
		assert_int_equal(nj_shipper_pump(shipper, 2), NJ_OK);
		if (ingest != NULL)
			assert_true(nj_ingest_step(ingest, 1, &message) >= 0);
		if (second != NULL)
			assert_true(nj_ingest_step(second, 1, &message) >= 0);
		check_law();
	}
}

/* The connection ends before the last word on it was read. */
static void break_link(const char *first_endpoint)
{
	const struct nj_link_options options = {
		.endpoint = first_endpoint, .queue_max = 8, .frame_bytes_max = NJ_BATCH_BYTES_MAX};
	nj_link_close(&shipper->outlets[0].link);
	assert_int_equal(nj_link_open(context, &options, NULL, &shipper->outlets[0].link), NJ_OK);
}

static void test_turns_to_another_and_back(void **state)
{
	(void)state;
	struct nj_shipper_options options;
	struct nj_message message;
	char first_endpoint[80], second_endpoint[80];
	memset(effects, 0, sizeof effects);
	snprintf(first_endpoint, sizeof first_endpoint, "%s-first", endpoint);
	snprintf(second_endpoint, sizeof second_endpoint, "%s-second", endpoint);
	nj_shipper_options_init(&options);
	options.sensor = "tap-1";
	options.aggregator = first_endpoint;
	options.others[options.others_n++] = second_endpoint;
	options.link_context = context;
	options.journal_path = sensor_path;
	options.key_id = ANY_KEY_ID;
	options.silence_ms = 300;
	options.failover_ms = 1000;
	options.failback_ms = 2000;
	assert_int_equal(nj_shipper_new(&options, &message, &shipper), NJ_OK);
	open_place(&ingest, "first");
	open_place(&second, "second");
	for (unsigned tick = 0; tick < 5; tick++) {
		assert_int_equal(feed(tick, 3, false), NJ_OK);
		fed = tick + 1;
		turn_until(all_effective, 0);
	}
	/* It takes one more and goes: the word for it is never read. */
	assert_int_equal(feed(5, 3, false), NJ_OK);
	for (int i = 0; i < 1000 && nj_ingest_counts(ingest).held < 6; i++)
		assert_true(nj_ingest_step(ingest, 5, &message) >= 0);
	assert_int_equal(nj_ingest_counts(ingest).held, 6);
	break_link(first_endpoint);
	nj_ingest_close(&ingest);
	turn_until(turned_once, 10);
	for (unsigned tick = 6; tick < 9; tick++) {
		assert_int_equal(feed(tick, 3, false), NJ_OK);
		fed = tick + 1;
		turn_until(all_effective, 0);
	}
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(effects[i], 1);
	open_place(&ingest, "first");
	turn_until(turned_twice, 10);
	assert_int_equal(nj_ingest_counts(ingest).discarded, 1);
	for (unsigned tick = 9; tick < 12; tick++) {
		assert_int_equal(feed(tick, 3, false), NJ_OK);
		fed = tick + 1;
		turn_until(all_effective, 0);
	}
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(effects[i], 1);
	assert_int_equal(nj_ingest_counts(ingest).received, 3);
}

/* Damage in the middle of an entry (its page is whole) and in the pages themselves: set aside, told, and a new series
 * begins. A file of somebody else is refused and left as it is. */
static void damage(const char *path, bool pages)
{
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	long size = ftell(file);
	assert_true(size > 16384);
	long from = pages ? 4096 : size - 300, until = pages ? size : size - 260;
	assert_int_equal(fseek(file, from, SEEK_SET), 0);
	for (long at = from; at < until; at++)
		assert_int_not_equal(fputc(0x5a, file), EOF);
	fclose(file);
}

static void test_damaged_journal_is_set_aside(void **state)
{
	(void)state;
	char aside[96];
	snprintf(aside, sizeof aside, "%s.damaged", sensor_path);
	for (int pages = 0; pages < 2; pages++) {
		open_shipper(64 << 20, 1);
		assert_string_equal(nj_shipper_notice(shipper), "");
		for (unsigned tick = 0; tick < 30; tick++)
			assert_int_equal(feed(tick, 40, false), NJ_OK);
		uint64_t boot = nj_journal_state(shipper->journal).boot;
		nj_shipper_free(&shipper);
		damage(sensor_path, pages == 1);
		open_shipper(64 << 20, 1);
		assert_non_null(strstr(nj_shipper_notice(shipper), "is damaged"));
		assert_int_equal(access(aside, R_OK), 0);
		assert_true(nj_journal_state(shipper->journal).boot != boot);
		assert_int_equal(nj_shipper_counts(shipper).journal_errors, 1);
		assert_int_equal(nj_shipper_counts(shipper).windows_spooled, 0);
		assert_int_equal(feed(0, 3, false), NJ_OK);
		nj_shipper_free(&shipper);
		assert_int_equal(remove(sensor_path), 0);
	}
	FILE *file = fopen(sensor_path, "wb");
	assert_non_null(file);
	fputs("somebody's diary", file);
	fclose(file);
	struct nj_shipper_options options;
	nj_shipper_options_init(&options);
	options.sensor = "tap-1";
	options.aggregator = endpoint;
	options.link_context = context;
	options.journal_path = sensor_path;
	assert_int_equal(nj_shipper_new(&options, NULL, &shipper), NJ_ERR_FORMAT);
	assert_int_equal(access(sensor_path, R_OK), 0);
}

static void test_options(void **state)
{
	(void)state;
	struct nj_shipper_options options;
	struct nj_message message;
	nj_shipper_options_init(&options);
	options.aggregator = endpoint;
	options.link_context = context;
	options.sensor = "no spaces";
	assert_int_equal(nj_shipper_new(&options, &message, &shipper), NJ_ERR_USAGE);
	options.sensor = "tap";
	options.journal_bytes_max = 5;
	assert_int_equal(nj_shipper_new(&options, &message, &shipper), NJ_ERR_USAGE);
	options.journal_bytes_max = 1 << 30;
	options.aggregator = "tcp://192.0.2.1:1";
	assert_int_equal(nj_shipper_new(&options, &message, &shipper), NJ_ERR_USAGE);
	assert_null(shipper);
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
		cmocka_unit_test_setup_teardown(test_everything_arrives_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_large_tick_is_several_batches, setup, teardown),
		cmocka_unit_test_setup_teardown(test_aggregator_restarts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sensor_restarts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_journal_drops_oldest_and_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drops_while_connected, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waits_for_room_and_gives_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_for_good, setup, teardown),
		cmocka_unit_test_setup_teardown(test_turns_to_another_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_journal_is_set_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options, setup, teardown),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
