/* What is written is read back equal; every truncation is refused; random damage never gets past the bounds; neighbours
 * in version are understood, others refused by name. */
#include "common/hash.h"
#include "common/wire.h"

#include "tests/unit/any_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct nj_arena arena, decoded;
static struct nj_wire_writer *writer;
static struct nj_wire_self self = {.key_id = ANY_KEY_ID};

static int setup(void **state)
{
	(void)state;
	nj_feature_table_ids(&self.tables);
	return nj_arena_init(&arena, 64 << 20) || nj_arena_init(&decoded, NJ_WIRE_ARENA_BYTES) ||
	       nj_wire_writer_new(&writer);
}

static int teardown(void **state)
{
	(void)state;
	nj_arena_fini(&arena);
	nj_arena_fini(&decoded);
	nj_wire_writer_free(&writer);
	return 0;
}

static struct any start(unsigned seed)
{
	nj_arena_reset(&arena);
	nj_arena_reset(&decoded);
	return (struct any){.seed = seed, .arena = &arena, .keys = 4000, .list_max = seed % 5 == 0 ? 16 : 5};
}

static void check_same(const struct nj_batch *a, const struct nj_batch *b, unsigned seed)
{
	bool same = strcmp(a->sensor, b->sensor) == 0 && strcmp(a->tap_group, b->tap_group) == 0 &&
		    a->table_id == b->table_id && a->key_id == b->key_id && a->boot == b->boot &&
		    a->sequence == b->sequence && a->start_ns == b->start_ns && a->width_ms == b->width_ms &&
		    a->flags == b->flags && a->windows_n == b->windows_n &&
		    memcmp(&a->account, &b->account, sizeof a->account) == 0;
	for (uint32_t i = 0; same && i < a->windows_n; i++)
		if (!nj_window_equal(&a->windows[i], &b->windows[i]))
			fail_msg("seed %u: window %u differs", seed, i);
	if (!same)
		fail_msg("seed %u: heads differ", seed);
}

static void test_round_trip(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 200; seed++) {
		struct any any = start(seed);
		struct nj_batch batch = any_batch(&any, 40), back;
		struct nj_message message;
		size_t size;
		const uint8_t *data = any_encode(writer, &batch, &size);
		if (nj_wire_batch_decode(data, size, &self, &decoded, &message, &back) != NJ_OK)
			fail_msg("seed %u: %s", seed, message.text);
		check_same(&batch, &back, seed);
	}
}

static void test_texts_beyond_the_table(void **state)
{
	(void)state;
	struct any any = start(1);
	struct nj_batch batch = any_batch(&any, 0), back;
	batch.windows_n = 80;
	batch.windows = nj_arena_take(&arena, batch.windows_n * sizeof *batch.windows);
	for (uint32_t i = 0; i < batch.windows_n; i++) {
		struct nj_window *w = &batch.windows[i];
		*w = (struct nj_window){.start_ns = ANY_START_NS, .width_ms = 10000, .domains_n = NJ_DOMAINS_MAX};
		w->agent.segment = i;
		w->domains = nj_arena_take(&arena, NJ_DOMAINS_MAX * sizeof *w->domains);
		for (uint32_t j = 0; j < NJ_DOMAINS_MAX; j++)
			snprintf(w->domains[j].name, sizeof w->domains[j].name, "%03u-%u.example", j, i % 70);
	}
	struct nj_message message;
	size_t size;
	const uint8_t *data = any_encode(writer, &batch, &size);
	if (nj_wire_batch_decode(data, size, &self, &decoded, &message, &back) != NJ_OK)
		fail_msg("%s", message.text);
	check_same(&batch, &back, 1);
}

static void test_every_truncation_is_refused(void **state)
{
	(void)state;
	struct any any = start(5);
	struct nj_batch batch = any_batch(&any, 3), back;
	while (batch.windows_n < 2)
		batch = any_batch(&any, 3);
	struct nj_message message;
	size_t size;
	const uint8_t *data = any_encode(writer, &batch, &size);
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *copy = malloc(cut + 1);
		memcpy(copy, data, cut);
		nj_arena_reset(&decoded);
		if (nj_wire_batch_decode(copy, cut, &self, &decoded, &message, &back) == NJ_OK)
			fail_msg("%zu of %zu bytes were taken for a batch", cut, size);
		free(copy);
	}
}

static void test_damage_stays_within_bounds(void **state)
{
	(void)state;
	unsigned taken = 0;
	for (unsigned seed = 1; seed <= 20000; seed++) {
		static uint8_t copy[1 << 20];
		static const uint8_t *data;
		static size_t size;
		struct any any = start(seed);
		if (seed % 200 == 1) {
			struct nj_batch batch = any_batch(&any, 3);
			data = any_encode(writer, &batch, &size);
		}
		memcpy(copy, data, size);
		for (uint32_t flips = 1 + any_below(&any, 3); flips > 0; flips--)
			copy[any_below(&any, (uint32_t)size)] = (uint8_t)any_below(&any, 256);
		struct nj_batch back;
		struct nj_message message;
		if (nj_wire_batch_decode(copy, size, NULL, &decoded, &message, &back) != NJ_OK)
			continue;
		taken++;
		assert_true(back.windows_n <= NJ_BATCH_WINDOWS_MAX);
		for (uint32_t i = 0; i < back.windows_n; i++) {
			const struct nj_window *w = &back.windows[i];
			assert_true(nj_window_is_capped(w));
			for (uint32_t j = 1; j < w->contacts_n; j++)
				assert_true(nj_contact_compare(&w->contacts[j - 1], &w->contacts[j]) < 0);
		}
	}
	assert_true(taken > 100); /* or the test would test nothing but the first check */
}

static void refuse_bytes(const char *bytes, size_t size, int error, const char *words)
{
	struct nj_batch back;
	struct nj_message message = {""};
	nj_arena_reset(&decoded);
	assert_int_equal(nj_wire_batch_decode(bytes, size, &self, &decoded, &message, &back), error);
	if (strstr(message.text, words) == NULL)
		fail_msg("'%s' lacks '%s'", message.text, words);
}

static void test_claimed_lengths_allocate_nothing(void **state)
{
	(void)state;
	refuse_bytes("\xdd\xff\xff\xff\xff\x02\x01\x00", 8, NJ_ERR_FORMAT, "past the end");
	refuse_bytes("", 0, NJ_ERR_FORMAT, "too early");
	refuse_bytes("\x93\x02\x09\x01", 4, NJ_ERR_VERSION, "wire version 9.1, this is 1.1");
	refuse_bytes("\x93\x01\x01\x00", 4, NJ_ERR_FORMAT, "another kind");
	refuse_bytes("\x93\x02\x01\x00", 4, NJ_ERR_FORMAT, "a name holds");
}

static void test_small_arena_is_told_apart(void **state)
{
	(void)state;
	struct any any = start(5);
	struct nj_batch batch = any_batch(&any, 30), back;
	while (batch.windows_n == 0)
		batch = any_batch(&any, 30);
	struct nj_arena small;
	struct nj_message message;
	size_t size;
	const uint8_t *data = any_encode(writer, &batch, &size);
	assert_int_equal(nj_arena_init(&small, 1024), NJ_OK);
	assert_int_equal(nj_wire_batch_decode(data, size, &self, &small, &message, &back), NJ_ERR_MEMORY);
	nj_arena_fini(&small);
}

static void test_fields_of_a_later_release_are_skipped(void **state)
{
	(void)state;
	struct any any = start(9);
	struct nj_batch batch = any_batch(&any, 3), back;
	struct nj_message message;
	size_t size;
	const uint8_t *data = any_encode(writer, &batch, &size);
	/* {"x": ext, [nil, double, bytes]: fixext}: every kind of value, nested, as a key too. */
	static const char more[] =
		"\x82\xa1x\xc7\x02\x05zz\x93\xc0\xcb\0\0\0\0\0\0\0\0\xc4\x01z\xd8\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	uint8_t *longer = malloc(size + sizeof more);
	assert_int_equal(data[0], 0x9e);
	memcpy(longer, data, size);
	memcpy(longer + size, more, sizeof more); /* the literal's NUL is the fixext's last byte */
	longer[0] = 0x9f;
	size += sizeof more;
	if (nj_wire_batch_decode(longer, size, &self, &decoded, &message, &back) != NJ_OK)
		fail_msg("%s", message.text);
	check_same(&batch, &back, 9);
	assert_int_equal(nj_wire_batch_decode(longer, size - 1, &self, &decoded, &message, &back), NJ_ERR_FORMAT);
	longer[0] = 0x9e;
	assert_int_equal(nj_wire_batch_decode(longer, size, &self, &decoded, &message, &back), NJ_ERR_FORMAT);
	free(longer);
}

static void test_small_messages(void **state)
{
	(void)state;
	uint8_t buffer[NJ_WIRE_SMALL_MAX];
	struct nj_message message;
	struct nj_wire_hello hello = {.sensor = "tap-1",
				      .tap_group = "rack.7",
				      .self = self,
				      .boot = UINT64_MAX,
				      .oldest = 7},
			     hello_back;
	size_t size = nj_wire_hello_encode(&hello, buffer);
	enum nj_wire_kind kind;
	uint32_t major;
	assert_true(nj_wire_peek(buffer, size, &kind, &major));
	assert_true(kind == NJ_WIRE_HELLO && major == NJ_WIRE_MAJOR);
	assert_int_equal(nj_wire_hello_decode(buffer, size, &message, &hello_back), NJ_OK);
	assert_string_equal(hello_back.sensor, "tap-1");
	assert_string_equal(hello_back.software, "nightjar " NJ_VERSION);
	assert_memory_equal(&hello_back.self, &self, sizeof self);
	assert_true(hello_back.boot == UINT64_MAX && hello_back.oldest == 7);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(nj_wire_hello_decode(buffer, cut, &message, &hello_back), NJ_ERR_FORMAT);

	struct nj_wire_ack ack = {.boot = 5,
				  .next = 1ull << 40,
				  .credit = 32,
				  .rewind = true,
				  .settled = 9,
				  .greeting = 1ull << 63},
			   ack_back;
	size = nj_wire_ack_encode(&ack, buffer);
	assert_int_equal(nj_wire_ack_decode(buffer, size, &message, &ack_back), NJ_OK);
	assert_true(ack_back.boot == 5 && ack_back.next == 1ull << 40 && ack_back.credit == 32 && ack_back.rewind);
	assert_true(ack_back.settled == 9 && ack_back.greeting == 1ull << 63 && ack_back.minor == NJ_WIRE_MINOR);
	assert_int_equal(nj_wire_hello_decode(buffer, size, &message, &hello_back), NJ_ERR_FORMAT);

	/* What a peer of 1.0 sends ends earlier: zero is what it means. */
	static const char old_ack[] = "\x97\x03\x01\x00\x05\x07\x20\x01";
	assert_int_equal(nj_wire_ack_decode(old_ack, sizeof old_ack - 1, &message, &ack_back), NJ_OK);
	assert_true(ack_back.minor == 0 && ack_back.next == 7 && ack_back.settled == 0 && ack_back.greeting == 0);

	struct nj_wire_settled settled = {.boot = UINT64_MAX, .settled = 1ull << 33}, settled_back;
	size = nj_wire_settled_encode(&settled, buffer);
	assert_int_equal(nj_wire_settled_decode(buffer, size, &message, &settled_back), NJ_OK);
	assert_true(settled_back.boot == UINT64_MAX && settled_back.settled == 1ull << 33);

	struct nj_wire_refuse refuse = {.code = NJ_WIRE_REFUSED_KEY}, refuse_back;
	memset(refuse.reason, 'x', sizeof refuse.reason - 1);
	size = nj_wire_refuse_encode(&refuse, buffer);
	assert_int_equal(nj_wire_refuse_decode(buffer, size, &message, &refuse_back), NJ_OK);
	assert_string_equal(refuse_back.reason, refuse.reason);
	assert_int_equal(refuse_back.code, NJ_WIRE_REFUSED_KEY);
	assert_false(nj_wire_peek("\x93\x07\x01\x00", 4, &kind, &major));
	assert_false(nj_wire_peek("\xc0", 1, &kind, &major));
}

static bool same_health(const struct nj_sensor_health *a, const struct nj_sensor_health *b)
{
	uint8_t x[NJ_WIRE_HEARTBEAT_MAX], y[NJ_WIRE_HEARTBEAT_MAX];
	size_t n = nj_wire_heartbeat_encode(a, x);
	return n == nj_wire_heartbeat_encode(b, y) && memcmp(x, y, n) == 0;
}

static void test_heartbeat(void **state)
{
	(void)state;
	uint8_t buffer[NJ_WIRE_HEARTBEAT_MAX];
	struct nj_message message;
	struct any any = start(17);
	struct nj_sensor_health health = any_health(&any), back;
	size_t size = nj_wire_heartbeat_encode(&health, buffer);
	enum nj_wire_kind kind;
	uint32_t major;
	assert_true(nj_wire_peek(buffer, size, &kind, &major) && kind == NJ_WIRE_HEARTBEAT);
	assert_int_equal(nj_wire_heartbeat_decode(buffer, size, &message, &back), NJ_OK);
	assert_true(same_health(&health, &back));
	assert_true(back.memory_bound_bytes == health.memory_bound_bytes && back.boot == health.boot);
	assert_string_equal(back.drops[1].name, health.drops[1].name);
	assert_int_equal(back.interfaces[0].gap_ms, health.interfaces[0].gap_ms);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(nj_wire_heartbeat_decode(buffer, cut, &message, &back), NJ_ERR_FORMAT);
	/* The fullest there can be has room. */
	health.interfaces_n = NJ_HEALTH_INTERFACES_MAX;
	health.drops_n = NJ_DROP_REASONS_MAX;
	for (uint32_t i = 0; i < NJ_DROP_REASONS_MAX; i++) {
		memset(health.drops[i].name, 'x', NJ_DROP_NAME_MAX - 1);
		health.drops[i].frames = UINT64_MAX;
	}
	size = nj_wire_heartbeat_encode(&health, buffer);
	assert_int_equal(nj_wire_heartbeat_decode(buffer, size, &message, &back), NJ_OK);
	assert_int_equal(back.drops[NJ_DROP_REASONS_MAX - 1].frames, UINT64_MAX);
}

static void refused(struct nj_wire_hello hello, enum nj_wire_refusal code, const char *words)
{
	struct nj_wire_refuse refuse;
	assert_false(nj_wire_agree(&hello, &self, &refuse));
	assert_int_equal(refuse.code, code);
	if (strstr(refuse.reason, words) == NULL)
		fail_msg("'%s' lacks '%s'", refuse.reason, words);
}

static void test_refusals_name_both_sides(void **state)
{
	(void)state;
	struct nj_wire_refuse ignored;
	struct nj_wire_hello hello = {
		.major = NJ_WIRE_MAJOR, .minor = 9, .software = "nightjar 9.9", .sensor = "tap-1", .self = self};
	assert_true(nj_wire_agree(&hello, &self, &ignored));
	struct nj_wire_hello other = hello;
	other.major = 2;
	refused(other, NJ_WIRE_REFUSED_VERSION,
		"sensor tap-1 (nightjar 9.9) speaks wire version 2.9, this aggregator (nightjar " NJ_VERSION ") 1.1");
	other = hello;
	other.self.tables = (struct nj_table_ids){1, {0xabcd}};
	refused(other, NJ_WIRE_REFUSED_TABLE, "has feature table 0000abcd");
	other = hello;
	other.self.key_id = 1;
	refused(other, NJ_WIRE_REFUSED_KEY, "hashes with key 00000001");

	struct any any = start(3);
	struct nj_batch batch = any_batch(&any, 1), back;
	struct nj_message message;
	batch.key_id = 1;
	size_t size;
	const uint8_t *data = any_encode(writer, &batch, &size);
	assert_int_equal(nj_wire_batch_decode(data, size, &self, &decoded, &message, &back), NJ_ERR_VERSION);
	assert_non_null(strstr(message.text, "hashes with key 00000001"));
	/* A greeting of another major need not resemble ours beyond the name. */
	struct nj_wire_hello foreign;
	static const char bytes[] = "\x96\x01\x07\x00\xa3"
				    "abc\xa3tap\xc3";
	assert_int_equal(nj_wire_hello_decode(bytes, sizeof bytes - 1, &message, &foreign), NJ_OK);
	assert_int_equal(foreign.major, 7);
	assert_string_equal(foreign.sensor, "tap");
}

static void test_bounds_of_a_writer(void **state)
{
	(void)state;
	struct any any = start(6);
	any.list_max = 3000;
	struct nj_window w = any_window(&any);
	struct nj_hash_key key;
	nj_hash_key_derive("", &key);
	while (!nj_window_cap(&w, nj_hash64, &key, &arena) || w.contacts_n < NJ_CONTACTS_MAX)
		w = any_window(&any);
	struct nj_batch head = {.sensor = "s",
				.tap_group = "s",
				.key_id = ANY_KEY_ID,
				.start_ns = ANY_START_NS,
				.width_ms = 10000},
			back;
	for (uint32_t i = 0; nj_wire_writer_fits(writer, &w); i++) {
		w.agent.segment = i;
		nj_wire_writer_add(writer, &w);
	}
	uint32_t windows_n = nj_wire_writer_windows(writer);
	assert_true(windows_n > 50);
	const uint8_t *data;
	size_t size;
	struct nj_message message;
	assert_int_equal(nj_wire_writer_finish(writer, &head, &data, &size), NJ_OK);
	assert_true(size <= NJ_BATCH_BYTES_MAX);
	assert_int_equal(nj_wire_batch_decode(data, size, &self, &decoded, &message, &back), NJ_OK);
	assert_int_equal(back.windows_n, windows_n);
	struct nj_window tiny = {.start_ns = ANY_START_NS, .width_ms = 10000};
	for (uint32_t i = 0; nj_wire_writer_fits(writer, &tiny); i++) {
		tiny.agent.segment = i;
		nj_wire_writer_add(writer, &tiny);
	}
	assert_int_equal(nj_wire_writer_windows(writer), NJ_BATCH_WINDOWS_MAX);
	assert_int_equal(nj_wire_writer_finish(writer, &head, &data, &size), NJ_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_texts_beyond_the_table),
		cmocka_unit_test(test_every_truncation_is_refused),
		cmocka_unit_test(test_damage_stays_within_bounds),
		cmocka_unit_test(test_claimed_lengths_allocate_nothing),
		cmocka_unit_test(test_small_arena_is_told_apart),
		cmocka_unit_test(test_fields_of_a_later_release_are_skipped),
		cmocka_unit_test(test_small_messages),
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_refusals_name_both_sides),
		cmocka_unit_test(test_bounds_of_a_writer),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
