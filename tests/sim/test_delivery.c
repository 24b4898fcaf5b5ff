/* Delivery through a hostile network: real shippers and real ingests over a link that delays, loses, doubles, reorders,
 * breaks and is cut, with aggregators that stop for a while, restarts of either side at any step, one to three
 * aggregators to turn to, and journals that overflow. Time is simulated. In every run each batch has effect exactly
 * once, at one aggregator, in order there; only what a full journal dropped has none; and the counts of both sides
 * conserve.
 *
 *   test_delivery                      the short set that ctest runs
 *   test_delivery --runs N --seed S    N runs from seed S on
 *
 * A failure prints its seed; --runs 1 --seed S makes it again. */
#include "sensor/shipper_parts.h"

#include "aggregator/ingest.h"
#include "common/wire.h"

#include "tests/sim/fake_link.h"
#include "tests/unit/any_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define SENSORS      3
#define AGGREGATORS  3
#define TICKS_MAX    120
#define TICK_MS      10000
#define STEPS_MAX    200000
#define HEAL_STEPS   20000
#define SHORT_RUNS   80
#define HUNGRY_EVERY 40 /* runs of which one has full journals */

struct side {
	struct nj_shipper *shipper;
	char name[24], journal[80];
	uint8_t effects[TICKS_MAX]; /* how often each batch had effect, wherever */
	uint64_t next[AGGREGATORS]; /* sequence after the last that had effect there */
	uint64_t dropped;           /* batches, by earlier lives of the shipper's journal: none, it is durable */
	unsigned ticks;
	uint64_t due_ms;
};

struct place {
	struct nj_ingest *ingest;
	char endpoint[24], journal[80];
	uint64_t stopped_until_ms, cut_until_ms; /* 0: it runs, it is joined */
};

/* What a seed decides. */
struct weather {
	unsigned aggregators, ticks, windows_max, restart_per_mille, stop_per_mille, cut_per_mille, step_ms;
	bool hungry;
};

static struct side sides[SENSORS];
static struct place places[AGGREGATORS];
static struct weather weather;
static char folder[40];
static struct nj_arena arena;
static unsigned seed_now;
static struct {
	uint64_t runs, batches, dropped, restarts, stops, cuts, failovers, discarded, held, simulated_ms;
} told;

static int on_batch(void *context, const struct nj_batch *batch, uint64_t position)
{
	(void)position;
	unsigned where = (unsigned)((struct place *)context - places);
	struct side *side = &sides[batch->sensor[4] - '0'];
	if (batch->sequence >= TICKS_MAX || batch->sequence < side->next[where])
		fail_msg("seed %u: %s told %llu to %s after %llu", seed_now, batch->sensor,
			 (unsigned long long)batch->sequence, places[where].endpoint,
			 (unsigned long long)side->next[where]);
	if (++side->effects[batch->sequence] > 1)
		fail_msg("seed %u: batch %llu of %s had effect twice, now at %s", seed_now,
			 (unsigned long long)batch->sequence, batch->sensor, places[where].endpoint);
	side->next[where] = batch->sequence + 1;
	return NJ_OK;
}

static void open_place(struct place *place)
{
	struct nj_ingest_options options;
	struct nj_ingest_listener listener = {.context = place, .batch = on_batch};
	struct nj_message message;
	nj_ingest_options_init(&options);
	options.listen = place->endpoint;
	options.journal_path = place->journal;
	options.key_id = ANY_KEY_ID;
	options.credit = 6;
	options.sensors_max = 16;
	options.arena_bytes = weather.hungry ? NJ_WIRE_ARENA_BYTES : 4 << 20;
	if (nj_ingest_open(&options, &listener, &message, &place->ingest) != NJ_OK)
		fail_msg("seed %u: %s", seed_now, message.text);
}

static void open_side(struct side *side)
{
	struct nj_shipper_options options;
	struct nj_message message;
	nj_shipper_options_init(&options);
	options.sensor = side->name;
	options.aggregator = places[0].endpoint;
	for (unsigned i = 1; i < weather.aggregators; i++)
		options.others[options.others_n++] = places[i].endpoint;
	options.journal_path = side->journal;
	options.journal_bytes_max = weather.hungry ? NJ_BATCH_BYTES_MAX : 64 << 20;
	options.key_id = ANY_KEY_ID;
	if (nj_shipper_new(&options, &message, &side->shipper) != NJ_OK)
		fail_msg("seed %u: %s", seed_now, message.text);
	nj_shipper_clock(side->shipper, fake_link_now_ms);
}

static void check_laws(void)
{
	for (unsigned i = 0; i < weather.aggregators; i++) {
		struct nj_ingest_counts c = nj_ingest_counts(places[i].ingest);
		if (c.frames + c.released != c.received + c.held + c.repeated + c.out_of_order + c.malformed +
						     c.greetings + c.heartbeats + c.settlements + c.refused ||
		    c.malformed != 0)
			fail_msg("seed %u: the counts of %s do not conserve, %llu frames malformed", seed_now,
				 places[i].endpoint, (unsigned long long)c.malformed);
	}
	for (int i = 0; i < SENSORS; i++) {
		struct nj_shipper_counts s = nj_shipper_counts(sides[i].shipper);
		if (s.windows_taken != s.windows_shipped + s.windows_spooled + s.windows_dropped_full ||
		    s.windows_dropped_error != 0 || (!weather.hungry && s.windows_dropped_full != 0))
			fail_msg("seed %u: the counts of %s do not conserve", seed_now, sides[i].name);
	}
}

static void feed(struct side *side, struct any *any)
{
	struct nj_window_sink sink = nj_shipper_sink(side->shipper);
	uint64_t start_ns = ANY_START_NS + side->ticks * 10000000000ull;
	uint32_t windows_n = any_below(any, weather.windows_max);
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
		err = sink.tick(sink.context, start_ns, TICK_MS, &account, false);
	assert_int_equal(err, NJ_OK);
}

static void turn_place(struct place *place)
{
	struct nj_message message;
	if (fake_link_now_ms < place->stopped_until_ms)
		return;
	if (nj_ingest_step(place->ingest, 0, &message) < 0)
		fail_msg("seed %u: %s", seed_now, message.text);
}

static void turn_side(struct side *side, struct any *any)
{
	nj_shipper_clock(side->shipper, fake_link_now_ms);
	if (side->ticks < weather.ticks && fake_link_now_ms >= side->due_ms) {
		side->due_ms += TICK_MS;
		feed(side, any);
	}
	struct nj_sensor_health health = {.sent_ns = fake_link_now_ms};
	if (any_below(any, 20) == 0)
		assert_int_equal(nj_shipper_heartbeat(side->shipper, &health), NJ_OK);
	int err = nj_shipper_pump(side->shipper, 0);
	if (err != NJ_OK)
		fail_msg("seed %u: %s", seed_now, nj_shipper_message(side->shipper));
}

static void note_ends(const struct side *side)
{
	struct nj_shipper_counts c = nj_shipper_counts(side->shipper);
	told.failovers += c.failovers;
}

static void restart_something(struct any *any)
{
	uint32_t which = any_below(any, SENSORS + weather.aggregators);
	told.restarts++;
	if (which < SENSORS) {
		note_ends(&sides[which]);
		nj_shipper_free(&sides[which].shipper);
		open_side(&sides[which]);
		return;
	}
	struct place *place = &places[which - SENSORS];
	struct nj_ingest_counts c = nj_ingest_counts(place->ingest);
	told.held += c.held;
	told.discarded += c.discarded;
	nj_ingest_close(&place->ingest);
	open_place(place);
}

static void happen(struct any *any)
{
	struct place *place = &places[any_below(any, weather.aggregators)];
	if (any_below(any, 1000) < weather.restart_per_mille)
		restart_something(any);
	if (any_below(any, 1000) < weather.stop_per_mille) {
		told.stops++;
		place->stopped_until_ms = fake_link_now_ms + any_below(any, 120000);
	}
	if (place->cut_until_ms == 0 && any_below(any, 1000) < weather.cut_per_mille) {
		told.cuts++;
		place->cut_until_ms = fake_link_now_ms + any_below(any, 180000) + 1;
		fake_link_cut(place->endpoint);
	}
	for (unsigned i = 0; i < weather.aggregators; i++)
		if (places[i].cut_until_ms != 0 && fake_link_now_ms >= places[i].cut_until_ms) {
			places[i].cut_until_ms = 0;
			fake_link_join(places[i].endpoint, any_below(any, 2) == 0);
		}
}

static bool all_settled(void)
{
	for (int i = 0; i < SENSORS; i++)
		if (sides[i].ticks < weather.ticks || !nj_shipper_is_settled(sides[i].shipper))
			return false;
	return true;
}

static void step(struct any *any, bool calm)
{
	fake_link_now_ms += 1 + any_below(any, weather.step_ms);
	for (int i = 0; i < SENSORS; i++)
		turn_side(&sides[i], any);
	for (unsigned i = 0; i < weather.aggregators; i++)
		turn_place(&places[i]);
	if (!calm)
		happen(any);
	check_laws();
}

static struct weather forecast(struct any *any, unsigned seed)
{
	struct weather w = {.aggregators = 1 + any_below(any, AGGREGATORS),
			    .ticks = 20 + any_below(any, TICKS_MAX - 20),
			    .windows_max = 4,
			    .restart_per_mille = any_below(any, 2) == 0 ? any_below(any, 8) : 0,
			    .stop_per_mille = any_below(any, 6),
			    .cut_per_mille = any_below(any, 6),
			    .step_ms = 200 + any_below(any, 800)};
	if (seed % HUNGRY_EVERY == 0) {
		w.hungry = true;
		w.windows_max = 250;
		w.cut_per_mille = 15;
	}
	fake_link_fate = (struct fake_link_fate){.seed = seed + 1,
						 .lost = any_below(any, 20),
						 .doubled = any_below(any, 20),
						 .overtaken = any_below(any, 20),
						 .broken = any_below(any, 6),
						 .delay_ms = any_below(any, 2) == 0 ? any_below(any, 4000) : 0};
	if (any_below(any, 4) == 0) /* as it should be */
		fake_link_fate.lost = fake_link_fate.doubled = fake_link_fate.overtaken = fake_link_fate.broken = 0;
	return w;
}

static void open_all(unsigned seed)
{
	bool durable = weather.restart_per_mille > 0;
	for (unsigned i = 0; i < weather.aggregators; i++) {
		places[i] = (struct place){0};
		snprintf(places[i].endpoint, sizeof places[i].endpoint, "place-%u", i);
		snprintf(places[i].journal, sizeof places[i].journal, durable ? "%s/place-%u-%u" : ":memory:", folder,
			 i, seed);
		fake_link_join(places[i].endpoint, false);
		open_place(&places[i]);
	}
	for (int i = 0; i < SENSORS; i++) {
		sides[i] = (struct side){.due_ms = fake_link_now_ms};
		snprintf(sides[i].name, sizeof sides[i].name, "tap-%d", i);
		snprintf(sides[i].journal, sizeof sides[i].journal, durable ? "%s/tap-%d-%u" : ":memory:", folder, i,
			 seed);
		open_side(&sides[i]);
	}
}

static void close_all(void)
{
	char command[80];
	for (int i = 0; i < SENSORS; i++) {
		note_ends(&sides[i]);
		nj_shipper_free(&sides[i].shipper);
	}
	for (unsigned i = 0; i < weather.aggregators; i++) {
		struct nj_ingest_counts c = nj_ingest_counts(places[i].ingest);
		told.held += c.held;
		told.discarded += c.discarded;
		nj_ingest_close(&places[i].ingest);
	}
	snprintf(command, sizeof command, "rm -f %s/*", folder);
	if (weather.restart_per_mille > 0)
		assert_int_equal(system(command), 0);
}

static void check_effects(void)
{
	for (int i = 0; i < SENSORS; i++) {
		struct nj_sensor_health health = {0};
		uint64_t without = 0;
		nj_shipper_health(sides[i].shipper, &health);
		for (unsigned t = 0; t < weather.ticks; t++)
			without += sides[i].effects[t] == 0;
		/* What was dropped while it was on its way may have arrived all the same: fewer, never more. */
		if (without > health.journal_dropped)
			fail_msg("seed %u: %llu batches of %s have no effect, %llu were dropped", seed_now,
				 (unsigned long long)without, sides[i].name,
				 (unsigned long long)health.journal_dropped);
		told.batches += weather.ticks;
		told.dropped += without;
	}
}

static void one_run(unsigned seed)
{
	struct any any = {.seed = seed, .arena = &arena, .keys = 100, .list_max = 3};
	uint64_t begun_ms = fake_link_now_ms;
	int steps = 0, heal = 0;
	seed_now = seed;
	weather = forecast(&any, seed);
	if (weather.hungry)
		any.list_max = 16;
	open_all(seed);
	while (sides[SENSORS - 1].ticks < weather.ticks && steps++ < STEPS_MAX)
		step(&any, false);
	for (unsigned i = 0; i < weather.aggregators; i++) {
		places[i].stopped_until_ms = 0;
		fake_link_join(places[i].endpoint, false);
	}
	while (!all_settled() && heal++ < HEAL_STEPS)
		step(&any, true);
	if (!all_settled())
		fail_msg("seed %u: not settled after %d calm steps", seed, heal);
	for (int i = 0; i < 10; i++) /* the last settlement is worked through */
		step(&any, true);
	check_effects();
	told.runs++;
	told.simulated_ms += fake_link_now_ms - begun_ms;
	close_all();
}

static unsigned runs = SHORT_RUNS, first_seed = 1;

static void test_exactly_once_in_effect(void **state)
{
	(void)state;
	for (unsigned i = 0; i < runs; i++)
		one_run(first_seed + i);
	const struct fake_link_counts *c = &fake_link_counts;
	printf("%llu runs, %.1f simulated hours; %llu batches, %llu of them dropped by full journals; %llu restarts, "
	       "%llu "
	       "stops, %llu cuts, %llu failovers; %llu held, %llu discarded\n",
	       (unsigned long long)told.runs, (double)told.simulated_ms / 3.6e6, (unsigned long long)told.batches,
	       (unsigned long long)told.dropped, (unsigned long long)told.restarts, (unsigned long long)told.stops,
	       (unsigned long long)told.cuts, (unsigned long long)told.failovers, (unsigned long long)told.held,
	       (unsigned long long)told.discarded);
	printf("%llu frames sent, %llu lost, %llu doubled, %llu overtaken, %llu connections broken\n",
	       (unsigned long long)c->sent, (unsigned long long)c->lost, (unsigned long long)c->doubled,
	       (unsigned long long)c->overtaken, (unsigned long long)c->broken);
	if (runs >= SHORT_RUNS) /* the weather was what it should be */
		assert_true(c->lost > 1000 && c->doubled > 1000 && c->overtaken > 100 && c->broken > 500 &&
			    told.failovers > 100 && told.discarded > 10 && told.dropped > 10 && told.restarts > 100);
}

static int setup(void **state)
{
	(void)state;
	/* In memory where that can be had: restarts are of processes, not of disks, and synchronising would take all
	 * the time. */
	snprintf(folder, sizeof folder, "%s/nj_test_delivery_XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	return mkdtemp(folder) == NULL || nj_arena_init(&arena, 16 << 20) < 0;
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
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--runs") == 0)
			runs = (unsigned)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			first_seed = (unsigned)strtoul(argv[i + 1], NULL, 10);
		else
			return 2;
	}
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_exactly_once_in_effect)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
