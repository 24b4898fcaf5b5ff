/* Random batches for tests: windows of ascending agents, written with the ordinary writer. */
#ifndef NJ_TESTS_ANY_BATCH_H
#define NJ_TESTS_ANY_BATCH_H

#include "common/wire.h"

#include "tests/unit/any_window.h"

#define ANY_KEY_ID 0x4ca10d0

static inline struct nj_batch any_batch(struct any *any, uint32_t windows_max)
{
	struct nj_batch b = {.sensor = "tap-1",
			     .tap_group = "rack.7",
			     .key_id = ANY_KEY_ID,
			     .boot = any_count(any) + 1,
			     .start_ns = ANY_START_NS,
			     .width_ms = 10000};
	b.table_id = NJ_FEATURE_TABLE_ID;
	b.sequence = any_count(any);
	b.windows_n = any_below(any, windows_max + 1);
	b.windows = nj_arena_take(any->arena, (b.windows_n + 1) * sizeof *b.windows);
	for (uint32_t i = 0; i < b.windows_n; i++) {
		b.windows[i] = any_window(any);
		b.windows[i].agent.addr.byte[14] = (uint8_t)(i >> 8);
		b.windows[i].agent.addr.byte[15] = (uint8_t)i;
		if (i % 7 == 6)
			b.windows[i].agent = (struct nj_agent_id){.addr = {{0x20, 1, 0x0d, 0xb8, [15] = (uint8_t)i}}};
		b.windows[i].agent.segment = i % 7 == 6 ? 0x01000000 + i : 0;
	}
	qsort(b.windows, b.windows_n, sizeof *b.windows, (int (*)(const void *, const void *))nj_agent_id_compare);
	if (any_below(any, 2) == 1) {
		struct nj_sensor_account *a = &b.account;
		b.flags = NJ_BATCH_TICK;
		*a = (struct nj_sensor_account){
			.frames_seen = any_count(any), .frames_decoded = any_count(any), .bytes_seen = any_count(any)};
		a->flows_active = any_count(any);
		a->windows_closed = any_count(any);
		a->clock_clamps = any_count(any);
		a->drops_n = any_below(any, 4);
		for (uint32_t i = 0; i < a->drops_n; i++) {
			snprintf(a->drops[i].name, sizeof a->drops[i].name, "reason_%u", i);
			a->drops[i].frames = any_count(any);
		}
	}
	return b;
}

static inline struct nj_sensor_health any_health(struct any *any)
{
	struct nj_sensor_health h = {.sensor = "tap-1", .software = "nightjar 9.9.9", .boot = any_count(any) + 1};
	uint64_t *const counts[] = {&h.next,
				    &h.oldest,
				    &h.spooled_batches,
				    &h.journal_bytes,
				    &h.journal_bytes_max,
				    &h.journal_dropped,
				    &h.windows_taken,
				    &h.windows_dropped_full,
				    &h.windows_dropped_error,
				    &h.failovers,
				    &h.sent_ns,
				    &h.uptime_ms,
				    &h.event_ns,
				    &h.frames_seen,
				    &h.kernel_drops,
				    &h.interface_drops,
				    &h.cpu_permille,
				    &h.memory_bytes,
				    &h.memory_bound_bytes};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		*counts[i] = any_count(any);
	h.interfaces_n = 2;
	for (uint32_t i = 0; i < h.interfaces_n; i++) {
		snprintf(h.interfaces[i].name, sizeof h.interfaces[i].name, "tap%u", i);
		h.interfaces[i].state = (uint8_t)any_below(any, 3);
		h.interfaces[i].frames = any_count(any);
		h.interfaces[i].gaps = any_count(any);
		h.interfaces[i].gap_ms = any_count(any);
	}
	h.drops_n = 3;
	for (uint32_t i = 0; i < h.drops_n; i++) {
		snprintf(h.drops[i].name, sizeof h.drops[i].name, "reason_%u", i);
		h.drops[i].frames = any_count(any);
	}
	return h;
}

/* Writes all of it; the bytes are borrowed from the writer. */
static inline const uint8_t *any_encode(struct nj_wire_writer *writer, const struct nj_batch *batch, size_t *ret_size)
{
	const uint8_t *data;
	for (uint32_t i = 0; i < batch->windows_n; i++)
		nj_wire_writer_add(writer, &batch->windows[i]);
	if (nj_wire_writer_finish(writer, batch, &data, ret_size) != NJ_OK)
		abort();
	return data;
}

#endif
