/* Laws 1 and 2 of the sensor on every capture at hand: nothing vanishes uncounted, and neither the number of workers
 * nor the times of ticks change a byte. The captures are read as one stream merged in time order, malformed ones
 * included. Captures are those of NJ_SHARED/captures (default ../shared) and tests/captures; without any the test says
 * so and is skipped. */
#include "common/inventory.h"
#include "sensor/capture.h"
#include "sensor/pipeline.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct run {
	struct nj_window *windows; /* deep copies, in the order they came */
	struct nj_flow_record *flows;
	struct nj_sensor_account *accounts;
	uint64_t *starts;
	size_t windows_n, windows_max, flows_n, flows_max, ticks_n, ticks_max;
	uint64_t windows_since_tick;
	struct nj_pipeline_totals totals;
	struct nj_capture_stats stats;
	unsigned finishes;
};

static void *grown(void *array, size_t n, size_t *max, size_t size)
{
	if (n < *max)
		return array;
	*max = *max * 2 + 64;
	array = realloc(array, *max * size);
	assert_non_null(array);
	return array;
}

static void *copied(const void *data, size_t bytes)
{
	if (data == NULL || bytes == 0)
		return NULL;
	void *copy = malloc(bytes);
	assert_non_null(copy);
	return memcpy(copy, data, bytes);
}

/* What must hold inside one window. */
static void check_window(const struct nj_window *w)
{
	uint64_t out = w->features.rest_bytes_out, in = w->features.rest_bytes_in, answered = w->features.rest_answered;
	for (uint32_t i = 0; i < w->contacts_n; i++) {
		const struct nj_contact *c = &w->contacts[i];
		out += c->bytes_out;
		in += c->bytes_in;
		answered += c->role == NJ_ROLE_CLIENT ? c->answered : 0;
		assert_true(i == 0 || nj_contact_compare(&w->contacts[i - 1], c) < 0);
		assert_true(c->first_ns >= w->start_ns && c->last_ns < w->start_ns + w->width_ms * 1000000ull);
		assert_true(c->first_ns <= c->last_ns);
		assert_true(c->bursts_n <= NJ_CONTACT_BURSTS_MAX && c->bursts_n <= c->bursts);
		assert_true((c->bursts_n > 0) == (c->began != 0));
		assert_true(c->packets_out + c->packets_in == 0 || c->ended != 0);
	}
	if (w->features.contacts_lost == 0) {
		assert_int_equal(out, w->features.bytes_out_external + w->features.bytes_out_internal);
		assert_int_equal(in, w->features.bytes_in_external + w->features.bytes_in_internal);
		assert_true(answered >= w->features.flows_answered); /* rest_answered counts both roles */
	}
	assert_true(nj_window_is_capped(w));
}

static int keep_window(void *context, const struct nj_window *window)
{
	struct run *run = context;
	check_window(window);
	run->windows = grown(run->windows, run->windows_n, &run->windows_max, sizeof *run->windows);
	struct nj_window *w = &run->windows[run->windows_n];
	*w = *window;
	w->contacts = copied(window->contacts, window->contacts_n * sizeof *window->contacts);
	w->domains = copied(window->domains, window->domains_n * sizeof *window->domains);
	w->clients = copied(window->clients, window->clients_n * sizeof *window->clients);
	w->exchanges = copied(window->exchanges, window->exchanges_n * sizeof *window->exchanges);
	w->tools = copied(window->tools, window->tools_n * sizeof *window->tools);
#define BYTES_DISTINCT                  NJ_DISTINCT_REGISTERS
#define BYTES_HISTOGRAM                 (NJ_HISTOGRAM_BUCKETS * sizeof(uint32_t))
#define COPY(name, kind, unit, meaning) w->name = copied(window->name, BYTES_##kind);
	NJ_FEATURE_VECTORS(COPY)
#undef COPY
	if (run->windows_n > 0 && run->windows[run->windows_n - 1].start_ns == w->start_ns)
		assert_true(nj_agent_id_compare(&run->windows[run->windows_n - 1].agent, &w->agent) < 0);
	run->windows_n++;
	run->windows_since_tick++;
	return 0;
}

static int keep_tick(void *context, uint64_t start_ns, uint32_t width_ms, const struct nj_sensor_account *a,
		     bool finish)
{
	struct run *run = context;
	uint64_t dropped = 0;
	(void)width_ms;
	for (uint32_t i = 0; i < a->drops_n; i++)
		dropped += a->drops[i].frames;
	assert_int_equal(a->frames_seen, a->frames_decoded + dropped);
	assert_int_equal(a->windows_closed, run->windows_since_tick + a->windows_dropped);
	run->windows_since_tick = 0;
	assert_true(run->ticks_n == 0 || start_ns > run->starts[run->ticks_n - 1]);
	size_t max = run->ticks_max;
	run->starts = grown(run->starts, run->ticks_n, &max, sizeof *run->starts);
	run->accounts = grown(run->accounts, run->ticks_n, &run->ticks_max, sizeof *run->accounts);
	run->starts[run->ticks_n] = start_ns;
	run->accounts[run->ticks_n++] = *a;
	run->finishes += finish;
	return 0;
}

static void keep_flow(void *context, const struct nj_flow_record *flow)
{
	struct run *run = context;
	run->flows = grown(run->flows, run->flows_n, &run->flows_max, sizeof *run->flows);
	run->flows[run->flows_n++] = *flow;
}

static const char *captures(void)
{
	static char path[4096];
	const char *shared = getenv("NJ_SHARED");
	snprintf(path, sizeof path, "%s/captures", shared != NULL ? shared : "../shared");
	return path;
}

static void run_free(struct run *run)
{
	for (size_t i = 0; i < run->windows_n; i++) {
		struct nj_window *w = &run->windows[i];
		free(w->contacts);
		free(w->domains);
		free(w->clients);
		free(w->exchanges);
		free(w->tools);
#define FREE(name, kind, unit, meaning) free(w->name);
		NJ_FEATURE_VECTORS(FREE)
#undef FREE
	}
	free(run->windows);
	free(run->flows);
	free(run->accounts);
	free(run->starts);
}

static int flow_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nj_flow_record));
}

static void run_captures(struct run *run, uint32_t workers)
{
	const char *paths[] = {captures(), "tests/captures"};
	struct nj_capture_inputs inputs = {.paths = paths, .paths_n = access(paths[1], R_OK) == 0 ? 2 : 1};
	struct nj_message message = {0};
	struct nj_networks home;
	struct nj_pipeline_options options = {.workers = workers};
	struct nj_capture *source;
	struct nj_pipeline *pipeline;
	struct nj_window_sink sink = {run, keep_window, keep_tick};
	nj_networks_private(&home);
	nj_worker_options_init(&options.worker);
	options.worker.home = &home;
	nj_hash_key_derive("", &options.worker.hash_key);
	assert_int_equal(nj_capture_open_files(&inputs, &message, &source), 0);
	assert_int_equal(nj_pipeline_new(&options, source, &sink, keep_flow, run, &message, &pipeline), 0);
	int more;
	while ((more = nj_pipeline_step(pipeline, 1000, &message)) > 0)
		;
	assert_int_equal(more, 0);
	nj_pipeline_totals(pipeline, &run->totals);
	nj_capture_stats(source, &run->stats);
	nj_pipeline_free(&pipeline);
	nj_capture_close(&source);
	qsort(run->flows, run->flows_n, sizeof *run->flows, flow_compare);
}

/* Law 1: every frame decoded or dropped by a reason, every flow opened has ended, every packet belongs to a flow. */
static void check_conservation(const struct run *run)
{
	const struct nj_sensor_account *a = &run->totals.account;
	uint64_t dropped = 0, packets = 0, held_together = 0;
	for (uint32_t i = 0; i < a->drops_n; i++)
		dropped += a->drops[i].frames;
	for (size_t i = 0; i < run->flows_n; i++)
		packets += run->flows[i].packets_out + run->flows[i].packets_in;
	assert_int_equal(a->frames_seen, run->stats.frames);
	assert_int_equal(a->frames_seen, a->frames_decoded + dropped);
	assert_int_equal(a->flows_opened, a->flows_ended);
	assert_int_equal(a->flows_ended, run->flows_n);
	assert_int_equal(a->windows_closed, run->windows_n);
	assert_int_equal(run->finishes, 1);
	assert_true(packets <= a->frames_decoded);
	held_together = a->frames_decoded - packets; /* frames beyond the first of a reassembled datagram */
	printf("%" PRIu64 " frames, %" PRIu64 " dropped, %" PRIu64
	       " reassembled, %zu flows, %zu windows in %zu ticks, %" PRIu64 " contacts lost\n",
	       a->frames_seen, dropped, held_together, run->flows_n, run->windows_n, run->ticks_n, a->contacts_lost);
	assert_int_equal(a->contacts_lost, 0);
	assert_int_equal(a->flows_evicted, 0);
}

static void flow_print(const struct nj_flow_record *f)
{
	char client[NJ_ADDR_TEXT_MAX], server[NJ_ADDR_TEXT_MAX];
	fprintf(stderr,
		"%s:%u %s:%u protocol %u outcome %u end %u at %" PRIu64 "..%" PRIu64 " packets %" PRIu64 " %" PRIu64
		" bytes %" PRIu64 " %" PRIu64 " again %" PRIu64 " app %s risks %" PRIx64
		" name %s dns %s requests %u\n",
		nj_addr_text(&f->client, client), f->client_port, nj_addr_text(&f->server, server), f->server_port,
		f->protocol, f->outcome, f->end_reason, f->first_ns, f->last_ns, f->packets_out, f->packets_in,
		f->bytes_out, f->bytes_in, f->retransmitted_bytes, f->app, f->ndpi_risks, f->server_name, f->dns_name,
		f->requests);
}

static void check_equal(const struct run *one, const struct run *many, uint32_t workers)
{
	assert_int_equal(one->windows_n, many->windows_n);
	for (size_t i = 0; i < one->windows_n; i++)
		if (!nj_window_equal(&one->windows[i], &many->windows[i])) {
			char text[NJ_ADDR_TEXT_MAX];
			fail_msg("window %zu of %s at %" PRIu64 " differs between 1 and %u workers", i,
				 nj_addr_text(&one->windows[i].agent.addr, text), one->windows[i].start_ns, workers);
		}
	assert_int_equal(one->flows_n, many->flows_n);
	for (size_t i = 0; i < one->flows_n; i++)
		if (memcmp(&one->flows[i], &many->flows[i], sizeof one->flows[i]) != 0) {
			flow_print(&one->flows[i]);
			flow_print(&many->flows[i]);
			fail_msg("flow %zu differs between 1 and %u workers", i, workers);
		}
	assert_int_equal(one->ticks_n, many->ticks_n);
	for (size_t i = 0; i < one->ticks_n; i++) {
		assert_int_equal(one->starts[i], many->starts[i]);
		assert_int_equal(one->accounts[i].frames_seen, many->accounts[i].frames_seen);
		assert_int_equal(one->accounts[i].flows_ended, many->accounts[i].flows_ended);
		assert_int_equal(one->accounts[i].flows_active, many->accounts[i].flows_active);
		assert_int_equal(one->accounts[i].drops_n, many->accounts[i].drops_n);
	}
}

static void partition_changes_nothing(void **state)
{
	(void)state;
	if (access(captures(), R_OK) != 0) {
		fprintf(stderr, "SKIPPED: no captures at %s; set NJ_SHARED to the folder that has them\n", captures());
		skip();
	}
	struct run one = {0};
	run_captures(&one, 1);
	check_conservation(&one);
	static const uint32_t workers[] = {2, 4};
	for (unsigned i = 0; i < sizeof workers / sizeof workers[0]; i++) {
		struct run many = {0};
		run_captures(&many, workers[i]);
		check_conservation(&many);
		check_equal(&one, &many, workers[i]);
		run_free(&many);
	}
	run_free(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(partition_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
