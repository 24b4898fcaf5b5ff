/* Synthetic rounds for the tests of the aggregator: windows built contact by contact, an engine and a desk that judge
 * them, and the alerts that come out. All static: each test program has its own. */
#ifndef NJ_TESTS_UNIT_SAMPLE_ROUNDS_H
#define NJ_TESTS_UNIT_SAMPLE_ROUNDS_H

#include "aggregator/desk.h"
#include "aggregator/engine.h"
#include "common/inventory.h"
#include "models/dnsinfo.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_WINDOWS_MAX 4096
#define SAMPLE_ALERTS_MAX  512
#define SAMPLE_T0_NS       1800000000000000000ull /* a multiple of ten seconds */
#define SAMPLE_WIDTH_NS    10000000000ull

struct sample_bench {
	struct nj_inventory *inventory;
	struct nj_prior prior;
	struct nj_hash_key key;
	struct nj_engine *engine;
	struct nj_desk *desk;
	struct nj_arena arena;
	struct nj_window windows[SAMPLE_WINDOWS_MAX];
	uint32_t windows_n;
	uint64_t start_ns;
	struct nj_sensor_account account;
	struct nj_alert alerts[SAMPLE_ALERTS_MAX];
	uint32_t alerts_n;
	uint32_t merged;
};

__attribute__((unused)) static struct nj_addr sample_addr(const char *text)
{
	struct nj_addr addr;
	if (!nj_addr_parse(text, &addr))
		assert(!"no address");
	return addr;
}

/* base + n in the last four bytes. */
__attribute__((unused)) static struct nj_addr sample_addr_plus(const char *base, uint32_t n)
{
	struct nj_addr addr = sample_addr(base);
	uint32_t low = (uint32_t)addr.byte[12] << 24 | (uint32_t)addr.byte[13] << 16 | (uint32_t)addr.byte[14] << 8 |
		       addr.byte[15];
	low += n;
	for (int i = 0; i < 4; i++)
		addr.byte[12 + i] = (uint8_t)(low >> (24 - 8 * i));
	return addr;
}

static void sample_on_alert(void *context, const struct nj_alert *alert)
{
	struct sample_bench *bench = context;
	if (bench->alerts_n < SAMPLE_ALERTS_MAX)
		bench->alerts[bench->alerts_n++] = *alert;
}

static void sample_on_merged(void *context, uint64_t alert_id, uint32_t merged)
{
	struct sample_bench *bench = context;
	(void)alert_id;
	(void)merged;
	bench->merged++;
}

struct sample_options {
	const char *inventory; /* YAML file, or NULL */
	uint32_t shards, agents_max;
	double alerts_per_day;
	bool learn_only;
};

__attribute__((unused)) static struct sample_bench *sample_bench_new(const struct sample_options *options)
{
	struct nj_message message = {.text = ""};
	struct sample_bench *bench = calloc(1, sizeof *bench);
	assert(bench != NULL);
	int error = options->inventory != NULL ? nj_inventory_load(options->inventory, &message, &bench->inventory)
					       : nj_inventory_new(&bench->inventory);
	if (error == 0)
		error = nj_prior_shipped(&message, &bench->prior);
	if (error != 0)
		fprintf(stderr, "%s\n", message.text);
	assert(error == 0);
	nj_hash_key_derive("", &bench->key);
	uint32_t agents_max = options->agents_max != 0 ? options->agents_max : 4096;
	struct nj_engine_options engine = {.shards = options->shards != 0 ? options->shards : 1,
					   .agents_max = agents_max,
					   .fleet_entries_max = 1 << 14,
					   .inventory = bench->inventory,
					   .prior = &bench->prior,
					   .hash_key = &bench->key,
					   .learn_only = options->learn_only};
	struct nj_desk_options desk = {.alerts_per_day = options->alerts_per_day > 0 ? options->alerts_per_day : 20,
				       .agents_max = agents_max,
				       .inventory = bench->inventory,
				       .prior = &bench->prior,
				       .hash_key = &bench->key,
				       .learn_only = options->learn_only};
	error = nj_engine_new(&engine, &bench->engine);
	assert(error == 0);
	error = nj_desk_new(&desk, &bench->desk);
	assert(error == 0);
	error = nj_arena_init(&bench->arena, 64u << 20);
	assert(error == 0);
	nj_desk_listen(bench->desk, sample_on_alert, sample_on_merged, bench);
	bench->start_ns = SAMPLE_T0_NS;
	return bench;
}

__attribute__((unused)) static void sample_bench_free(struct sample_bench *bench)
{
	nj_engine_free(&bench->engine);
	nj_desk_free(&bench->desk);
	nj_inventory_free(&bench->inventory);
	nj_arena_fini(&bench->arena);
	free(bench);
}

/* A new window of the present round; its contacts are added next. */
__attribute__((unused)) static struct nj_window *sample_window(struct sample_bench *bench, struct nj_addr agent)
{
	assert(bench->windows_n < SAMPLE_WINDOWS_MAX);
	struct nj_window *window = &bench->windows[bench->windows_n++];
	memset(window, 0, sizeof *window);
	window->agent.addr = agent;
	window->start_ns = bench->start_ns;
	window->width_ms = 10000;
	window->contacts = nj_arena_take(&bench->arena, NJ_CONTACTS_MAX * sizeof *window->contacts);
	window->domains = nj_arena_take(&bench->arena, NJ_DOMAINS_MAX * sizeof *window->domains);
	assert(window->contacts != NULL);
	window->exchanges = nj_arena_take(&bench->arena, NJ_EXCHANGES_MAX * sizeof *window->exchanges);
	window->tools = nj_arena_take(&bench->arena, NJ_TOOLS_MAX * sizeof *window->tools);
	assert(window->domains != NULL);
	assert(window->exchanges != NULL);
	assert(window->tools != NULL);
	window->features.first_ns = bench->start_ns + 1;
	window->features.last_ns = bench->start_ns + SAMPLE_WIDTH_NS - 1;
	return window;
}

enum sample_end { SAMPLE_ANSWERED, SAMPLE_REFUSED, SAMPLE_UNANSWERED, SAMPLE_RESET, SAMPLE_GOES_ON };

/* A client's contact; *returns borrowed until* the round is judged. */
__attribute__((unused)) static struct nj_contact *sample_contact(struct nj_window *window, struct nj_addr peer,
								 uint16_t port, uint8_t protocol, enum sample_end end)
{
	assert(window->contacts_n < NJ_CONTACTS_MAX);
	struct nj_contact *contact = &window->contacts[window->contacts_n];
	struct nj_networks home;
	nj_networks_private(&home);
	memset(contact, 0, sizeof *contact);
	contact->peer = peer;
	contact->port = port;
	contact->protocol = protocol;
	contact->role = NJ_ROLE_CLIENT;
	contact->external = !nj_networks_contain(&home, &peer);
	contact->flow_port = (uint16_t)(40000 + window->contacts_n);
	contact->opened = end != SAMPLE_GOES_ON;
	contact->answered = end == SAMPLE_ANSWERED;
	contact->refused = end == SAMPLE_REFUSED;
	contact->unanswered = end == SAMPLE_UNANSWERED;
	contact->reset = end == SAMPLE_RESET;
	contact->packets_out = 1;
	contact->first_ns = window->start_ns + 1000000ull * (1 + window->contacts_n);
	contact->last_ns = contact->first_ns + 1000;
	window->features.flows_opened += contact->opened;
	window->features.flows_answered += contact->answered;
	window->features.flows_refused += contact->refused;
	window->features.flows_unanswered += contact->unanswered;
	window->features.flows_reset += contact->reset;
	window->contacts_n++;
	return contact;
}

__attribute__((unused)) static void sample_bytes(struct nj_window *window, struct nj_contact *contact, uint64_t out,
						 uint64_t in)
{
	contact->bytes_out += out;
	contact->bytes_in += in;
	if (contact->external) {
		window->features.bytes_out_external += out;
		window->features.bytes_in_external += in;
	} else {
		window->features.bytes_out_internal += out;
		window->features.bytes_in_internal += in;
	}
}

/* A burst of an open contact at *ms* of the window. */
__attribute__((unused)) static void sample_burst(struct nj_contact *contact, uint16_t ms)
{
	contact->bursts++;
	if (contact->bursts_n < NJ_CONTACT_BURSTS_MAX)
		contact->burst_ms[contact->bursts_n++] = ms;
}

/* An exchange of the window's agent with a server outside: from *start_ms* to *end_ms* of the window (may be negative).
 */
__attribute__((unused)) static struct nj_exchange *sample_exchange(struct nj_window *window, struct nj_addr peer,
								   int64_t start_ms, int64_t end_ms)
{
	assert(window->exchanges_n < NJ_EXCHANGES_MAX);
	struct nj_exchange *exchange = &window->exchanges[window->exchanges_n++];
	memset(exchange, 0, sizeof *exchange);
	exchange->start_ns = (uint64_t)((int64_t)window->start_ns + start_ms * 1000000);
	exchange->end_ns = (uint64_t)((int64_t)window->start_ns + end_ms * 1000000);
	exchange->peer = peer;
	exchange->port = 443;
	exchange->flow_port = 50000;
	exchange->protocol = 6;
	exchange->form = NJ_FORM_SINGLE;
	exchange->bytes_up = 3000;
	exchange->bytes_down = 1500;
	exchange->flags = NJ_EXCHANGE_ENCRYPTED | NJ_EXCHANGE_EXTERNAL;
	return exchange;
}

/* The contact did something from *start_ms* to *end_ms* of the window. */
__attribute__((unused)) static void sample_act(const struct nj_window *window, struct nj_contact *contact,
					       uint32_t start_ms, uint32_t end_ms)
{
	contact->began |= UINT64_C(1) << nj_window_slot(window->width_ms, start_ms);
	contact->ended |= UINT64_C(1) << nj_window_slot(window->width_ms, end_ms);
	contact->first_ns = window->start_ns + start_ms * UINT64_C(1000000);
}

static int sample_compare_windows(const void *a, const void *b)
{
	const struct nj_window *x = a, *y = b;
	return nj_agent_id_compare(&x->agent, &y->agent);
}

static int sample_compare_contacts(const void *a, const void *b)
{
	return nj_contact_compare(a, b);
}

static void sample_judged(void *context, const struct nj_judged *judged)
{
	struct sample_bench *bench = context;
	nj_desk_judged(bench->desk, judged);
}

/* Judges the round and begins the next, *rounds* later. */
__attribute__((unused)) static void sample_judge(struct sample_bench *bench, uint64_t rounds)
{
	qsort(bench->windows, bench->windows_n, sizeof *bench->windows, sample_compare_windows);
	for (uint32_t i = 0; i < bench->windows_n; i++)
		qsort(bench->windows[i].contacts, bench->windows[i].contacts_n, sizeof *bench->windows[i].contacts,
		      sample_compare_contacts);
	struct nj_round round = {.start_ns = bench->start_ns,
				 .width_ms = 10000,
				 .windows = bench->windows,
				 .windows_n = bench->windows_n,
				 .sensor = "sample",
				 .account = bench->account};
	nj_desk_begin(bench->desk, &round);
	int error = nj_engine_judge(bench->engine, &round, sample_judged, bench);
	assert(error == 0);
	bench->start_ns += rounds * SAMPLE_WIDTH_NS;
	bench->windows_n = 0;
	nj_arena_reset(&bench->arena);
}

/* Number of alerts of a detector so far, and the last of them. */
__attribute__((unused)) static uint32_t sample_alerts(const struct sample_bench *bench, const char *detector,
						      const struct nj_alert **ret_last)
{
	static const struct nj_alert none; /* so that a test that finds no alert fails by words, not by a crash */
	uint32_t n = 0;
	if (ret_last != NULL)
		*ret_last = &none;
	for (uint32_t i = 0; i < bench->alerts_n; i++) {
		if (strcmp(bench->alerts[i].detector, detector) != 0)
			continue;
		n++;
		if (ret_last != NULL)
			*ret_last = &bench->alerts[i];
	}
	return n;
}

/* xorshift64*: reproducible, and the same everywhere. */
__attribute__((unused)) static uint64_t sample_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ull;
}

#endif
