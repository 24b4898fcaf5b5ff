/* Delivery through a hostile network: real shippers and a real ingest over a link that loses, doubles, reorders and
 * breaks, with restarts of either side at random. In every run each batch arrives once and in order, and the counts of
 * both sides conserve. A failure prints its seed; run that one with: test_delivery SEED. */
#include "sensor/shipper.h"

#include "aggregator/ingest.h"
#include "common/wire.h"

#include "tests/sim/fake_link.h"
#include "tests/unit/any_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define SENSORS       3
#define TICKS         25
#define QUIET_SEEDS   200 /* in memory, without restarts */
#define RESTART_SEEDS 12  /* journals on disk */
#define SILENCE_MS    200 /* four looks of 50 ms */

struct side {
	struct nj_shipper *shipper;
	char name[16], journal[80];
	uint64_t next, batches, windows; /* heard by the listener */
	unsigned ticks;
};

static struct side sides[SENSORS];
static struct nj_ingest *ingest;
static char folder[40], aggregator_journal[80];
static struct nj_arena arena;
static unsigned seed_now, only_seed;

static int on_batch(void *context, const struct nj_batch *batch, uint64_t position)
{
	(void)context;
	(void)position;
	struct side *side = &sides[batch->sensor[4] - '0'];
	if (batch->sequence != side->next)
		fail_msg("seed %u: %s told %llu after %llu", seed_now, batch->sensor,
			 (unsigned long long)batch->sequence, (unsigned long long)side->next);
	side->next++;
	side->batches++;
	side->windows += batch->windows_n;
	return NJ_OK;
}

static void open_ingest(void)
{
	struct nj_ingest_options options;
	struct nj_message message;
	nj_ingest_options_init(&options);
	options.listen = "fake";
	options.journal_path = aggregator_journal;
	options.key_id = ANY_KEY_ID;
	options.credit = 6;
	options.sensors_max = 16;
	options.arena_bytes = 4 << 20;
	if (nj_ingest_open(&options, &(struct nj_ingest_listener){.batch = on_batch}, &message, &ingest) != NJ_OK)
		fail_msg("seed %u: %s", seed_now, message.text);
}

static void open_side(struct side *side)
{
	struct nj_shipper_options options;
	struct nj_message message;
	nj_shipper_options_init(&options);
	options.sensor = side->name;
	options.aggregator = "fake";
	options.journal_path = side->journal;
	options.key_id = ANY_KEY_ID;
	options.silence_ms = SILENCE_MS;
	if (nj_shipper_new(&options, &message, &side->shipper) != NJ_OK)
		fail_msg("seed %u: %s", seed_now, message.text);
}

static void check_laws(void)
{
	struct nj_ingest_counts c = nj_ingest_counts(ingest);
	if (c.frames != c.received + c.repeated + c.out_of_order + c.malformed + c.greetings + c.refused ||
	    c.malformed != 0 || c.gaps != 0)
		fail_msg("seed %u: the ingest's counts do not conserve", seed_now);
	for (int i = 0; i < SENSORS; i++) {
		struct nj_shipper_counts s = nj_shipper_counts(sides[i].shipper);
		if (s.windows_taken != s.windows_shipped + s.windows_spooled ||
		    s.windows_dropped_full + s.windows_dropped_error != 0)
			fail_msg("seed %u: the counts of %s do not conserve", seed_now, sides[i].name);
	}
}

static void feed(struct side *side, struct any *any)
{
	struct nj_window_sink sink = nj_shipper_sink(side->shipper);
	uint64_t start_ns = ANY_START_NS + side->ticks * 10000000000ull;
	uint32_t windows_n = any_below(any, 4);
	int err = NJ_OK;
	nj_arena_reset(&arena);
	for (uint32_t i = 0; i < windows_n && err == NJ_OK; i++) {
		struct nj_window window = any_window(any);
		window.start_ns = start_ns;
		window.agent.addr.byte[15] = (uint8_t)i;
		err = sink.window(sink.context, &window);
	}
	const struct nj_sensor_account account = {.windows_closed = windows_n};
	side->ticks++;
	if (err == NJ_OK)
		err = sink.tick(sink.context, start_ns, 10000, &account, false);
	assert_int_equal(err, NJ_OK);
}

static void turn_ingest(void)
{
	struct nj_message message;
	if (nj_ingest_step(ingest, 0, &message) < 0)
		fail_msg("seed %u: %s", seed_now, message.text);
}

static void restart_something(struct any *any)
{
	uint32_t which = any_below(any, SENSORS + 1);
	if (which == SENSORS) {
		nj_ingest_close(&ingest);
		open_ingest();
		return;
	}
	nj_shipper_free(&sides[which].shipper);
	open_side(&sides[which]);
}

static bool all_delivered(void)
{
	for (int i = 0; i < SENSORS; i++)
		if (sides[i].ticks < TICKS || sides[i].next < sides[i].ticks ||
		    nj_shipper_counts(sides[i].shipper).windows_spooled > 0)
			return false;
	return true;
}

static void one_run(unsigned seed, bool restarts)
{
	seed_now = seed;
	struct any any = {.seed = seed, .arena = &arena, .keys = 100, .list_max = 3};
	fake_link_fate = (struct fake_link_fate){seed + 1, any_below(&any, 30), any_below(&any, 30),
						 any_below(&any, 30), any_below(&any, 10)};
	snprintf(aggregator_journal, sizeof aggregator_journal, restarts ? "%s/aggregator-%u" : ":memory:", folder,
		 seed);
	open_ingest();
	for (int i = 0; i < SENSORS; i++) {
		sides[i] = (struct side){0};
		snprintf(sides[i].name, sizeof sides[i].name, "tap-%d", i);
		snprintf(sides[i].journal, sizeof sides[i].journal, restarts ? "%s/tap-%d-%u" : ":memory:", folder, i,
			 seed);
		open_side(&sides[i]);
	}
	int steps = 0;
	for (; !all_delivered() && steps < 20000; steps++) {
		struct side *side = &sides[any_below(&any, SENSORS)];
		uint32_t choice = any_below(&any, 10);
		if (choice < 3 && side->ticks < TICKS)
			feed(side, &any);
		else if (choice < 7)
			assert_int_equal(nj_shipper_pump(side->shipper, 50), NJ_OK);
		else
			turn_ingest();
		if (restarts && any_below(&any, 60) == 0)
			restart_something(&any);
		check_laws();
	}
	if (!all_delivered())
		fail_msg("seed %u: not delivered after %d steps", seed, steps);
	for (int i = 0; i < SENSORS; i++)
		nj_shipper_free(&sides[i].shipper);
	nj_ingest_close(&ingest);
}

static void test_without_restarts(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= QUIET_SEEDS; seed++)
		if (only_seed == 0 || only_seed == seed)
			one_run(seed, false);
	struct fake_link_counts *c = &fake_link_counts;
	assert_true(only_seed != 0 || (c->lost > 1000 && c->doubled > 1000 && c->overtaken > 100 && c->broken > 1000));
	printf("%llu frames sent, %llu lost, %llu doubled, %llu overtaken, %llu connections broken\n",
	       (unsigned long long)c->sent, (unsigned long long)c->lost, (unsigned long long)c->doubled,
	       (unsigned long long)c->overtaken, (unsigned long long)c->broken);
}

static void test_with_restarts(void **state)
{
	(void)state;
	for (unsigned seed = QUIET_SEEDS + 1; seed <= QUIET_SEEDS + RESTART_SEEDS; seed++)
		if (only_seed == 0 || only_seed == seed)
			one_run(seed, true);
}

static int setup(void **state)
{
	(void)state;
	/* In memory where that can be had: restarts are of processes, not of disks, and synchronising would take all
	 * the time. */
	snprintf(folder, sizeof folder, "%s/nj_test_delivery_XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	return mkdtemp(folder) == NULL || nj_arena_init(&arena, 4 << 20) < 0;
}

static int teardown(void **state)
{
	(void)state;
	char command[80];
	nj_arena_fini(&arena);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

int main(int argc, char **argv)
{
	only_seed = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_without_restarts),
					   cmocka_unit_test(test_with_restarts)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
