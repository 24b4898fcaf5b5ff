/* One sensor as a whole: capture file in, windows out, with one worker and with several; sinks that refuse; wrong
 * options. */
#include "common/inventory.h"
#include "sensor/capture.h"
#include "sensor/capture_writer.h"
#include "sensor/pipeline.h"
#include "tests/unit/draw.h"
#include "tests/unit/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define S  1000000000ull
#define T0 (1700000000ull * S)

static char path[64];

/* Conversations among a few hosts, with silences of many windows, an ICMP error now and then, and one frame that does
 * not decode. */
static int capture_make(void **state)
{
	(void)state;
	struct nj_capture_writer *writer;
	struct draw draw = draw_seed(5);
	struct frame_buffer f;
	uint64_t t_ns = T0;
	snprintf(path, sizeof path, "/tmp/nj_test_pipeline_%d.pcapng", (int)getpid());
	assert_int_equal(nj_capture_writer_open(path, NULL, NULL, &writer), 0);
	for (int i = 0; i < 3000; i++) {
		uint32_t a = 0x0a000000u + (uint32_t)draw_below(&draw, 6),
			 b = 0x0a000100u + (uint32_t)draw_below(&draw, 6);
		uint16_t port = (uint16_t)(40000 + draw_below(&draw, 4));
		struct tcp tcp = {a, b, port, 80, draw_below(&draw, 3) ? NJ_TCP_ACK : NJ_TCP_SYN, (uint32_t)i, 1};
		t_ns += draw_below(&draw, 100) == 0 ? 150 * S : draw_below(&draw, S / 5);
		if (draw_below(&draw, 5) == 0) {
			frame_udp(&f, a, port, b, 53, "not dns", 7);
		} else {
			frame_tcp(&f, &tcp, "payload", (uint32_t)draw_below(&draw, 8));
		}
		struct nj_frame frame = {
			.t_ns = t_ns, .data = f.byte, .captured_bytes = f.bytes, .wire_bytes = f.bytes, .link_type = 1};
		if (i == 1500)
			frame.captured_bytes = 20;
		assert_int_equal(nj_capture_writer_put(writer, &frame, NULL), 0);
		if (draw_below(&draw, 20) == 0) {
			uint8_t about[28];
			memcpy(about, f.byte + 14, sizeof about);
			frame_icmp(&f, 0x0a0000fe, a, 3, 3, 0, about, sizeof about);
			frame = (struct nj_frame){.t_ns = t_ns,
						  .data = f.byte,
						  .captured_bytes = f.bytes,
						  .wire_bytes = f.bytes,
						  .link_type = 1};
			assert_int_equal(nj_capture_writer_put(writer, &frame, NULL), 0);
		}
	}
	assert_int_equal(nj_capture_writer_close(&writer), 0);
	return 0;
}

static int capture_remove(void **state)
{
	(void)state;
	return unlink(path);
}

struct run {
	uint64_t windows, ticks, flows, hash, finishes, last_start_ns, refuse_after;
	struct nj_pipeline_totals totals;
};

static void mix(struct run *run, const void *data, size_t bytes)
{
	static const struct nj_hash_key key;
	run->hash = (run->hash ^ nj_hash64(data, bytes, &key)) * 0x9e3779b97f4a7c15ull;
}

static int on_window(void *context, const struct nj_window *w)
{
	struct run *run = context;
	if (run->refuse_after > 0 && run->windows == run->refuse_after)
		return NJ_ERR_LINK;
	run->windows++;
	assert_true(w->start_ns > run->last_start_ns || run->ticks == 0); /* never a window after its tick */
	mix(run, &w->agent, sizeof w->agent);
	mix(run, &w->start_ns, sizeof w->start_ns);
	mix(run, &w->features, sizeof w->features);
	for (uint32_t i = 0; i < w->contacts_n; i++) {
		mix(run, &w->contacts[i].peer, sizeof w->contacts[i].peer);
		mix(run, &w->contacts[i].packets_out, sizeof w->contacts[i].packets_out);
		mix(run, &w->contacts[i].opened, sizeof w->contacts[i].opened);
		mix(run, &w->contacts[i].refused, sizeof w->contacts[i].refused);
		mix(run, w->contacts[i].burst_ms, sizeof w->contacts[i].burst_ms);
	}
	return 0;
}

static int on_tick(void *context, uint64_t start_ns, uint32_t width_ms, const struct nj_sensor_account *account,
		   bool finish)
{
	struct run *run = context;
	assert_int_equal(width_ms, 10000);
	assert_true(run->ticks == 0 || start_ns > run->last_start_ns);
	mix(run, &start_ns, sizeof start_ns);
	mix(run, &account->frames_seen, sizeof account->frames_seen);
	mix(run, &account->windows_closed, sizeof account->windows_closed);
	mix(run, &account->flows_active, sizeof account->flows_active);
	run->last_start_ns = start_ns;
	run->ticks++;
	run->finishes += finish;
	return 0;
}

static void on_flow(void *context, const struct nj_flow_record *flow)
{
	(void)flow;
	((struct run *)context)->flows++;
}

static int run_with(struct run *run, uint32_t workers, struct nj_message *message)
{
	struct nj_capture *source;
	struct nj_pipeline *pipeline = NULL;
	struct nj_networks home;
	struct nj_pipeline_options options = {.workers = workers};
	struct nj_window_sink sink = {run, on_window, on_tick};
	const char *paths[] = {path};
	nj_networks_private(&home);
	nj_worker_options_init(&options.worker);
	options.worker.home = &home;
	options.worker.flows_max = 1000;
	options.worker.ledger_entries_max = 4096;
	options.worker.classifying_max = 256;
	options.worker.inspecting_max = 64;
	nj_hash_key_derive("", &options.worker.hash_key);
	assert_int_equal(
		nj_capture_open_files(&(struct nj_capture_inputs){.paths = paths, .paths_n = 1}, NULL, &source), 0);
	int err = nj_pipeline_new(&options, source, &sink, on_flow, run, message, &pipeline);
	while (err >= 0 && (err = nj_pipeline_step(pipeline, 7, message)) > 0)
		;
	if (pipeline != NULL)
		nj_pipeline_totals(pipeline, &run->totals);
	nj_pipeline_free(&pipeline);
	nj_capture_close(&source);
	return err;
}

static void workers_change_nothing(void **state)
{
	(void)state;
	struct run one = {0};
	assert_int_equal(run_with(&one, 1, NULL), 0);
	assert_true(one.windows > 100);
	assert_int_equal(one.finishes, 1);
	assert_int_equal(one.totals.account.windows_closed, one.windows);
	assert_int_equal(one.totals.account.frames_seen, one.totals.account.frames_decoded + 1);
	assert_int_equal(one.totals.account.drops_n, 1);
	assert_string_equal(one.totals.account.drops[0].name, "truncated");
	assert_int_equal(one.totals.first_ns / S / 10, T0 / S / 10);
	assert_true(one.totals.last_ns > one.totals.first_ns + 1000 * S);
	static const uint32_t workers[] = {2, 3, 8};
	for (unsigned i = 0; i < sizeof workers / sizeof workers[0]; i++) {
		struct run many = {0};
		assert_int_equal(run_with(&many, workers[i], NULL), 0);
		assert_int_equal(many.windows, one.windows);
		assert_int_equal(many.ticks, one.ticks);
		assert_int_equal(many.flows, one.flows);
		assert_int_equal(many.hash, one.hash);
		assert_int_equal(many.finishes, 1);
	}
}

static void a_sink_that_refuses_ends_the_run(void **state)
{
	(void)state;
	for (uint32_t workers = 1; workers <= 2; workers++) {
		struct run run = {.refuse_after = 10};
		assert_int_equal(run_with(&run, workers, NULL), NJ_ERR_LINK);
		assert_int_equal(run.windows, 10);
		assert_int_equal(run.finishes, 0);
	}
}

static void wrong_numbers_of_workers_are_refused(void **state)
{
	(void)state;
	struct run run = {0};
	struct nj_message message = {0};
	assert_int_equal(run_with(&run, 0, &message), NJ_ERR_USAGE);
	assert_non_null(strstr(message.text, "64"));
	assert_int_equal(run_with(&run, 65, &message), NJ_ERR_USAGE);
}

static void memory_grows_with_workers(void **state)
{
	(void)state;
	struct nj_pipeline_options options = {.workers = 1};
	nj_worker_options_init(&options.worker);
	uint64_t one = nj_pipeline_memory_bytes(&options);
	options.workers = 4;
	assert_true(one > nj_worker_memory_bytes(&options.worker));
	assert_true(nj_pipeline_memory_bytes(&options) > 4 * nj_worker_memory_bytes(&options.worker));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_change_nothing),
		cmocka_unit_test(a_sink_that_refuses_ends_the_run),
		cmocka_unit_test(wrong_numbers_of_workers_are_refused),
		cmocka_unit_test(memory_grows_with_workers),
	};
	return cmocka_run_group_tests(tests, capture_make, capture_remove);
}
