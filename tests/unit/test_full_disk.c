/* A live sensor whose disk fills up: the windows that cannot be kept are counted, nothing else stops, and when there is
 * room again it goes on and delivers. On a small tmpfs of its own, in a mount namespace of its own: needs root, is
 * skipped without, and says so. */
#include "sensor/shipper_parts.h"

#include "aggregator/ingest.h"
#include "tests/unit/any_batch.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/nj_test_full_disk_XXXXXX";
static struct nj_link_context *context;
static struct nj_shipper *shipper;
static struct nj_ingest *ingest;
static struct nj_arena arena;
static uint64_t windows_received;

static int on_batch(void *context_, const struct nj_batch *batch, uint64_t position)
{
	(void)context_;
	(void)position;
	windows_received += batch->windows_n;
	return NJ_OK;
}

static bool mount_small(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", folder, "tmpfs", 0, "size=1m") == 0;
}

static void feed(unsigned tick)
{
	struct nj_window_sink sink = nj_shipper_sink(shipper);
	struct any any = {.seed = tick + 1, .arena = &arena, .keys = 500, .list_max = 6};
	nj_arena_reset(&arena);
	for (uint32_t i = 0; i < 40; i++) {
		struct nj_window window = any_window(&any);
		window.start_ns = ANY_START_NS + tick * 10000000000ull;
		window.agent.addr.byte[15] = (uint8_t)i;
		assert_int_equal(sink.window(sink.context, &window), NJ_OK);
	}
	struct nj_sensor_account account = {.windows_closed = 40};
	assert_int_equal(sink.tick(sink.context, ANY_START_NS + tick * 10000000000ull, 10000, &account, false), NJ_OK);
	struct nj_shipper_counts c = nj_shipper_counts(shipper);
	assert_int_equal(c.windows_taken,
			 c.windows_shipped + c.windows_spooled + c.windows_dropped_full + c.windows_dropped_error);
	assert_int_equal(c.windows_taken, 40 * (tick + 1));
}

static void open_all(const char *journal, const char *endpoint)
{
	struct nj_shipper_options options;
	struct nj_ingest_options take;
	struct nj_message message;
	nj_shipper_options_init(&options);
	options.sensor = "tap-1";
	options.aggregator = endpoint;
	options.link_context = context;
	options.journal_path = journal;
	options.key_id = ANY_KEY_ID;
	options.silence_ms = 100;
	if (nj_shipper_new(&options, &message, &shipper) != NJ_OK)
		fail_msg("%s", message.text);
	nj_ingest_options_init(&take);
	take.listen = endpoint;
	take.link_context = context;
	take.key_id = ANY_KEY_ID;
	if (nj_ingest_open(&take, &(struct nj_ingest_listener){.batch = on_batch}, &message, &ingest) != NJ_OK)
		fail_msg("%s", message.text);
}

static void test_full_disk(void **state)
{
	(void)state;
	char journal[64], endpoint[] = "inproc://full-disk";
	unsigned tick = 0;
	if (geteuid() != 0 || !mount_small()) {
		fprintf(stderr, "SKIPPED: mounting a small tmpfs needs root; a full disk was NOT tested\n");
		skip();
	}
	snprintf(journal, sizeof journal, "%s/journal", folder);
	assert_int_equal(nj_link_context_new(NULL, &context), NJ_OK);
	open_all(journal, endpoint);
	while (nj_shipper_counts(shipper).windows_dropped_error < 400) {
		feed(tick++);
		assert_true(tick < 1000);
	}
	struct nj_shipper_counts full = nj_shipper_counts(shipper);
	assert_true(full.journal_errors > 0 && full.windows_spooled > 0 && full.windows_dropped_full == 0);
	/* Room again: what comes now is kept, and all that was kept is delivered. */
	assert_int_equal(mount("tmpfs", folder, "tmpfs", MS_REMOUNT, "size=64m"), 0);
	for (unsigned end = tick + 10; tick < end;)
		feed(tick++);
	assert_int_equal(nj_shipper_counts(shipper).windows_dropped_error, full.windows_dropped_error);
	struct nj_message message;
	for (int turn = 0; turn < 5000 && nj_shipper_counts(shipper).windows_spooled > 0; turn++) {
		assert_int_equal(nj_shipper_pump(shipper, 1), NJ_OK);
		assert_true(nj_ingest_step(ingest, 1, &message) >= 0);
	}
	struct nj_shipper_counts end = nj_shipper_counts(shipper);
	assert_int_equal(end.windows_spooled, 0);
	assert_int_equal(end.windows_shipped, windows_received);
	assert_int_equal(windows_received + full.windows_dropped_error, end.windows_taken);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL || nj_arena_init(&arena, 16 << 20) < 0;
}

static int teardown(void **state)
{
	(void)state;
	nj_shipper_free(&shipper);
	nj_ingest_close(&ingest);
	if (context != NULL)
		nj_link_context_free(&context);
	nj_arena_fini(&arena);
	umount2(folder, MNT_DETACH);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_full_disk)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
