/* How large a snapshot is and how long ingest stands still while it is written, by number of agents: one in five opens
 * flows, uploads, asks names and calls again and again, the others only answer, as in an office; and, for the bound,
 * all of them busy. By hand: bench_snapshot FOLDER [AGENTS...]; the folder's disk is part of what is measured. */
#include "aggregator/snapshot.h"
#include "tests/unit/sample_rounds.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 6

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct nj_addr numbered(uint32_t n)
{
	return sample_addr_plus("10.0.0.0", n);
}

static void fill_window(struct nj_window *w, uint32_t agent, bool busy)
{
	if (!busy) {
		struct nj_contact *c = sample_contact(w, numbered(agent / 7 + 1), 443, 6, SAMPLE_ANSWERED);
		c->role = NJ_ROLE_SERVER;
		return;
	}
	for (uint32_t i = 0; i < 6; i++) {
		struct nj_contact *c = sample_contact(w, sample_addr_plus("198.51.100.0", (agent + i) % 200), 443, 6,
						      i == 5 ? SAMPLE_REFUSED : SAMPLE_ANSWERED);
		sample_burst(c, (uint16_t)(100 * i));
		sample_bytes(w, c, 20000, 4000);
	}
}

static struct sample_bench *populate(uint32_t agents, uint32_t busy_each)
{
	struct sample_options options = {.agents_max = agents};
	struct sample_bench *b = sample_bench_new(&options);
	for (uint32_t round = 0; round < ROUNDS; round++)
		for (uint32_t agent = 0; agent < agents;) {
			for (uint32_t n = 0; n < 256 && agent < agents; n++, agent++)
				fill_window(sample_window(b, numbered(agent)), agent, agent % busy_each == 0);
			sample_judge(b, agent < agents ? 0 : 500);
		}
	return b;
}

static int ignore_desk(void *context, const struct nj_snapshot_item *item, struct nj_message *message)
{
	(void)context;
	(void)item;
	(void)message;
	return 0;
}

static void measure(const char *path, uint32_t agents, uint32_t busy_each)
{
	struct sample_bench *b = populate(agents, busy_each);
	struct nj_message message = {""};
	struct nj_snapshot_writer *writer;
	uint64_t bytes = 0;
	double start = now_s();
	int error = nj_snapshot_create(path, &message, &writer);
	if (error == 0) {
		nj_desk_save(b->desk, writer);
		nj_engine_save(b->engine, writer);
	}
	double written = now_s();
	if (error == 0)
		error = nj_snapshot_finish(&writer, &message, &bytes);
	double durable = now_s();
	struct sample_options options = {.agents_max = agents};
	struct sample_bench *fresh = sample_bench_new(&options);
	struct nj_snapshot_taker taker[NJ_ENGINE_TAKERS_MAX + 1];
	uint32_t n = nj_engine_takers(fresh->engine, taker);
	taker[n++] = (struct nj_snapshot_taker){.name = "nobody", .take = ignore_desk};
	double again = now_s();
	if (error == 0)
		error = nj_snapshot_read(path, taker, n, &message);
	nj_engine_restored(fresh->engine);
	double restored = now_s();
	if (error != 0)
		printf("%s\n", message.text);
	printf("%7u agents, 1 of %u busy: %8.1f MB, %6.0f B an agent; written in %.2f s, durable after %.2f s; "
	       "restored in "
	       "%.2f s\n",
	       agents, busy_each, (double)bytes / 1e6, (double)bytes / agents, written - start, durable - start,
	       restored - again);
	sample_bench_free(b);
	sample_bench_free(fresh);
	unlink(path);
}

int main(int argc, char **argv)
{
	char path[512];
	if (argc < 2) {
		fprintf(stderr, "usage: bench_snapshot FOLDER [AGENTS...]\n");
		return 2;
	}
	snprintf(path, sizeof path, "%s/bench.snapshot", argv[1]);
	for (int i = 2; i < argc || i == 2; i++) {
		uint32_t agents = argc > 2 ? (uint32_t)strtoul(argv[i], NULL, 10) : 10000;
		measure(path, agents, 5);
		measure(path, agents, 1);
	}
	return 0;
}
