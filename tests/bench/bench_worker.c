/* How much the sensor's own path costs: reads a capture once, runs a pipeline with a sink that only counts, and prints
 * packets a second, nanoseconds a packet and bytes a flow. bench_worker FILE [WORKERS] [flows]; with "flows" flow
 * records are made too. Compare with tests/bench/floor.c on the same file. */
#include "common/inventory.h"
#include "sensor/capture.h"
#include "sensor/classify.h"
#include "sensor/pipeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct counts {
	uint64_t windows, contacts, ticks, flows;
};

static int count_window(void *context, const struct nj_window *window)
{
	struct counts *counts = context;
	counts->windows++;
	counts->contacts += window->contacts_n;
	return 0;
}

static int count_tick(void *context, uint64_t start_ns, uint32_t width_ms, const struct nj_sensor_account *account,
		      bool finish)
{
	(void)start_ns, (void)width_ms, (void)account, (void)finish;
	((struct counts *)context)->ticks++;
	return 0;
}

static void count_flow(void *context, const struct nj_flow_record *flow)
{
	(void)flow;
	((struct counts *)context)->flows++;
}

static double seconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(const struct nj_message *message)
{
	fprintf(stderr, "%s\n", message->text);
	return NJ_EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return NJ_EXIT_USAGE;
	struct nj_message message = {0};
	struct nj_pipeline_options options = {.workers = argc > 2 ? (uint32_t)atoi(argv[2]) : 1};
	struct nj_networks home;
	struct counts counts = {0};
	struct nj_capture *source;
	struct nj_pipeline *pipeline;
	const char *paths[] = {argv[1]};
	nj_worker_options_init(&options.worker);
	nj_networks_private(&home);
	options.worker.home = &home;
	nj_hash_key_derive("", &options.worker.hash_key);
	if (nj_capture_open_files(&(struct nj_capture_inputs){.paths = paths, .paths_n = 1}, &message, &source) < 0)
		return fail(&message);
	struct nj_window_sink sink = {&counts, count_window, count_tick};
	bool records = argc > 3 && strcmp(argv[3], "flows") == 0;
	if (nj_pipeline_new(&options, source, &sink, records ? count_flow : NULL, &counts, &message, &pipeline) < 0)
		return fail(&message);
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	int more;
	while ((more = nj_pipeline_step(pipeline, 10000, &message)) > 0)
		;
	if (more < 0)
		return fail(&message);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	struct nj_pipeline_totals totals;
	nj_pipeline_totals(pipeline, &totals);
	double frames = (double)totals.account.frames_seen;
	uint64_t memory = nj_worker_memory_bytes(&options.worker);
	printf("%u workers: %" PRIu64 " frames %" PRIu64 " flows %.3f s wall %.3f s cpu, %.0f ns a packet, %.0f kpps\n",
	       options.workers, totals.account.frames_seen, totals.account.flows_opened, wall, cpu, wall / frames * 1e9,
	       frames / wall / 1e3);
	printf("%" PRIu64 " windows %" PRIu64 " contacts %" PRIu64 " ticks %" PRIu64 " records %" PRIu64
	       " evicted %" PRIu64 " lost\n",
	       counts.windows, counts.contacts, counts.ticks, counts.flows, totals.account.flows_evicted,
	       totals.account.contacts_lost);
	printf("memory of a worker %.1f MB, %.0f bytes a flow; nDPI %s itself %.1f MB\n", (double)memory / 1e6,
	       (double)memory / options.worker.flows_max, nj_classify_library_version(),
	       (double)nj_classify_library_bytes() / 1e6);
	nj_pipeline_free(&pipeline);
	nj_capture_close(&source);
	return NJ_EXIT_DONE;
}
