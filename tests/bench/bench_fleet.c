/* Simulated sensors for an aggregator: real shippers, a thread each, that feed windows of ordinary agents (four
 * answered contacts each) as fast as they are taken. Says what was shipped. Driven by bench/fleet.py.
 *
 *   bench_fleet ENDPOINT SENSORS AGENTS ROUNDS [KEYS]
 *
 * Sensors are called bench-0, bench-1 ...; each sees its share of the agents, all of which are active in every round of
 * ten seconds. KEYS is a folder with bench-N.key for each and aggregator.pub. */
#include "common/hash.h"
#include "common/link.h"
#include "common/window.h"
#include "sensor/shipper.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENSORS_MAX   256
#define CONTACTS      4
#define SERVERS       64
#define WIDTH_MS      10000u
#define WIDTH_NS      (WIDTH_MS * 1000000ull)
#define T0_NS         1800000000000000000ull
#define JOURNAL_BYTES (32u << 20)

struct bench {
	const char *endpoint, *keys;
	uint32_t sensors, agents, rounds;
	struct nj_link_context *context;
};

struct simulated {
	const struct bench *bench;
	uint32_t number;
	pthread_t thread;
	uint64_t shipped, bytes;
	bool failed;
};

static struct nj_addr address(uint8_t first, uint32_t low)
{
	struct nj_addr addr = {{0}};
	addr.byte[10] = addr.byte[11] = 0xff;
	addr.byte[12] = first;
	for (unsigned i = 0; i < 3; i++)
		addr.byte[13 + i] = (uint8_t)(low >> (16 - 8 * i));
	return addr;
}

/* Contacts ascend by peer, as the wire wants them. */
static void make_contact(struct nj_contact *contact, uint64_t start_ns, uint32_t agent, uint32_t round, unsigned index)
{
	*contact = (struct nj_contact){
		.peer = address(203, 0x007100 + index * (SERVERS / CONTACTS) + agent % (SERVERS / CONTACTS)),
		.port = 443,
		.protocol = 6,
		.role = NJ_ROLE_CLIENT,
		.external = 1,
		.flow_port = (uint16_t)(32768 + (agent * 7 + round * CONTACTS + index) % 28000),
		.opened = 1,
		.answered = 1,
		.packets_out = 12,
		.packets_in = 20,
		.bytes_out = 1500 + (agent * 37 + round * 11) % 1000,
		.bytes_in = 20000 + (agent * 53 + round * 7) % 9000,
		.first_ns = start_ns + 1000000ull * (1 + index),
		.last_ns = start_ns + 900000000ull * (1 + index)};
	contact->flow_bytes = contact->bytes_out + contact->bytes_in;
	strcpy(contact->app, "TLS");
}

static void make_window(struct nj_window *window, struct nj_contact *contacts, uint64_t start_ns, uint32_t agent,
			uint32_t round)
{
	*window = (struct nj_window){.agent.addr = address(10, agent),
				     .start_ns = start_ns,
				     .width_ms = WIDTH_MS,
				     .contacts = contacts,
				     .contacts_n = CONTACTS};
	struct nj_features *f = &window->features;
	for (unsigned i = 0; i < CONTACTS; i++) {
		make_contact(&contacts[i], start_ns, agent, round, i);
		f->bytes_out_external += contacts[i].bytes_out;
		f->bytes_in_external += contacts[i].bytes_in;
	}
	f->flows_opened = f->flows_answered = CONTACTS;
	f->first_ns = contacts[0].first_ns;
	f->last_ns = contacts[CONTACTS - 1].last_ns;
}

static int feed_round(const struct simulated *s, const struct nj_window_sink *sink, uint32_t round)
{
	const struct bench *b = s->bench;
	struct nj_window window;
	struct nj_contact contacts[CONTACTS];
	uint64_t start_ns = T0_NS + round * WIDTH_NS;
	uint32_t from = (uint32_t)((uint64_t)b->agents * s->number / b->sensors);
	uint32_t until = (uint32_t)((uint64_t)b->agents * (s->number + 1) / b->sensors);
	struct nj_sensor_account account = {.windows_closed = until - from};
	int err = NJ_OK;
	for (uint32_t agent = from; agent < until && err == NJ_OK; agent++) {
		make_window(&window, contacts, start_ns, agent, round);
		err = sink->window(sink->context, &window);
	}
	return err == NJ_OK ? sink->tick(sink->context, start_ns, WIDTH_MS, &account, round + 1 == b->rounds) : err;
}

static int ship(struct simulated *s, const struct nj_shipper_options *options)
{
	struct nj_message message = {""};
	struct nj_shipper *shipper = NULL;
	int err = nj_shipper_new(options, &message, &shipper);
	if (err < 0) {
		fprintf(stderr, "%s\n", message.text);
		return err;
	}
	struct nj_window_sink sink = nj_shipper_sink(shipper);
	for (uint32_t round = 0; round < s->bench->rounds && err == NJ_OK; round++)
		err = feed_round(s, &sink, round);
	if (err == NJ_OK)
		err = nj_shipper_finish(shipper);
	if (err < 0)
		fprintf(stderr, "%s: %s\n", options->sensor, nj_shipper_message(shipper));
	struct nj_shipper_counts counts = nj_shipper_counts(shipper);
	s->shipped = counts.windows_shipped;
	s->bytes = counts.bytes_sent;
	nj_shipper_free(&shipper);
	return err;
}

static void *run(void *argument)
{
	struct simulated *s = argument;
	const struct bench *b = s->bench;
	struct nj_shipper_options options;
	struct nj_hash_key key;
	char name[32], secret[4096], public[4096];
	nj_hash_key_derive("", &key);
	nj_shipper_options_init(&options);
	snprintf(name, sizeof name, "bench-%u", s->number);
	snprintf(secret, sizeof secret, "%s/%s.key", b->keys != NULL ? b->keys : "", name);
	snprintf(public, sizeof public, "%s/aggregator.pub", b->keys != NULL ? b->keys : "");
	options.sensor = name;
	options.aggregator = b->endpoint;
	options.link_context = b->context;
	options.plain_tcp = b->keys == NULL;
	options.secret_key = b->keys != NULL ? secret : NULL;
	options.aggregator_key = b->keys != NULL ? public : NULL;
	options.journal_bytes_max = JOURNAL_BYTES;
	options.key_id = key.id;
	options.wait_when_full = true;
	options.commit_ticks = 64;
	options.finish_ms = 600000;
	s->failed = ship(s, &options) < 0;
	return NULL;
}

static int run_all(struct bench *b)
{
	static struct simulated all[SENSORS_MAX];
	uint64_t shipped = 0, bytes = 0;
	bool failed = false;
	for (uint32_t i = 0; i < b->sensors; i++) {
		all[i] = (struct simulated){.bench = b, .number = i};
		if (pthread_create(&all[i].thread, NULL, run, &all[i]) != 0)
			return 1;
	}
	for (uint32_t i = 0; i < b->sensors; i++) {
		pthread_join(all[i].thread, NULL);
		shipped += all[i].shipped;
		bytes += all[i].bytes;
		failed |= all[i].failed;
	}
	printf("%llu windows, %llu bytes\n", (unsigned long long)shipped, (unsigned long long)bytes);
	return failed || shipped != (uint64_t)b->agents * b->rounds;
}

int main(int argc, char **argv)
{
	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: %s ENDPOINT SENSORS AGENTS ROUNDS [KEYS]\n", argv[0]);
		return 2;
	}
	struct bench bench = {.endpoint = argv[1],
			      .keys = argc == 6 ? argv[5] : NULL,
			      .sensors = (uint32_t)atoi(argv[2]),
			      .agents = (uint32_t)atoi(argv[3]),
			      .rounds = (uint32_t)atoi(argv[4])};
	if (bench.sensors == 0 || bench.sensors > SENSORS_MAX || nj_link_context_new(NULL, &bench.context) < 0)
		return 2;
	int code = run_all(&bench);
	nj_link_context_free(&bench.context);
	return code;
}
