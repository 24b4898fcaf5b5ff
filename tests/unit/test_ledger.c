/* The ledger: what is entered in any order comes out once, summed, sorted; full tables count. */
#include "sensor/ledger.h"
#include "tests/unit/draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct nj_hash_key key;

struct seen {
	uint64_t windows, contacts, packets, domains, clients;
	struct nj_agent_id last;
	uint64_t mode, bytes_external, opened, accepted;
	uint32_t histogram;
	uint8_t register_max;
	char domain[4][NJ_DOMAIN_TEXT_MAX];
};

static void look(void *context, const struct nj_window *w)
{
	struct seen *seen = context;
	assert_true(seen->windows == 0 || nj_agent_id_compare(&seen->last, &w->agent) < 0);
	seen->last = w->agent;
	seen->windows++;
	seen->contacts += w->contacts_n;
	seen->domains += w->domains_n;
	seen->clients += w->clients_n;
	seen->mode = w->features.response_mode_count;
	seen->bytes_external += w->features.bytes_out_external;
	seen->opened += w->features.flows_opened;
	seen->accepted += w->features.flows_accepted;
	for (uint32_t i = 0; i < w->contacts_n; i++) {
		assert_true(i == 0 || nj_contact_compare(&w->contacts[i - 1], &w->contacts[i]) < 0);
		seen->packets += w->contacts[i].packets_out;
	}
	for (uint32_t i = 0; i < w->domains_n && i < 4; i++)
		memcpy(seen->domain[i], w->domains[i].name, sizeof seen->domain[i]);
	for (int i = 0; w->request_size != NULL && i < NJ_HISTOGRAM_BUCKETS; i++)
		seen->histogram += w->request_size[i];
	for (int i = 0; w->principals != NULL && i < NJ_DISTINCT_REGISTERS; i++)
		seen->register_max = w->principals[i] > seen->register_max ? w->principals[i] : seen->register_max;
}

static struct nj_ledger *ledger_of(uint32_t entries)
{
	struct nj_ledger *ledger;
	assert_int_equal(nj_ledger_new(entries, &key, &ledger), 0);
	return ledger;
}

static struct nj_addr addr_of(uint32_t number)
{
	uint8_t v4[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
	return nj_addr_v4(v4);
}

static uint32_t agent_of(struct nj_ledger *ledger, uint32_t number)
{
	struct nj_addr addr = addr_of(number);
	return nj_ledger_agent(ledger, &addr, number % 3, nj_ledger_addr_hash(ledger, &addr, number % 3));
}

static struct nj_contact *contact_of(struct nj_ledger *ledger, uint32_t agent, uint32_t peer, uint16_t port,
				     uint8_t role, const char *app)
{
	char padded[NJ_APP_TEXT_MAX] = {0};
	struct nj_ledger_contact_key k = {
		.peer = addr_of(peer), .port = port, .protocol = 6, .role = role, .agent = agent};
	k.peer_hash = nj_ledger_addr_hash(ledger, &k.peer, 0);
	strcpy(padded, app);
	return nj_ledger_contact(ledger, &k, padded);
}

static void entries_add_up_and_come_sorted(void **state)
{
	(void)state;
	static const char *const apps[] = {"TLS", "DNS", "Unknown", ""};
	struct nj_ledger *ledger = ledger_of(16384);
	struct draw draw = draw_seed(3);
	for (int window = 0; window < 3; window++) {
		struct seen seen = {0};
		static bool there[20][40][3][2][4];
		uint64_t distinct = 0;
		memset(there, 0, sizeof there);
		for (int i = 0; i < 20000; i++) {
			uint32_t a = (uint32_t)draw_below(&draw, 20), p = (uint32_t)draw_below(&draw, 40),
				 port = (uint32_t)draw_below(&draw, 3);
			uint32_t role = 1 + (uint32_t)draw_below(&draw, 2), app = (uint32_t)draw_below(&draw, 4);
			if (a > 3 && p > 9)
				continue; /* few agents with many contacts, many with few */
			struct nj_contact *c =
				contact_of(ledger, agent_of(ledger, a), p, (uint16_t)port, (uint8_t)role, apps[app]);
			assert_non_null(c);
			c->packets_out++;
			c->external = p > 20;
			c->bytes_out += p > 20;
			c->opened++;
			c->first_ns = 5;
			distinct += !there[a][p][port][role - 1][app];
			there[a][p][port][role - 1][app] = true;
		}
		nj_ledger_sweep(ledger, 0, 10000, look, &seen);
		assert_int_equal(seen.windows, 20);
		assert_int_equal(seen.contacts, distinct);
		assert_int_equal(seen.opened + seen.accepted, seen.packets);
		assert_true(seen.bytes_external > 0);
		assert_int_equal(nj_ledger_agents_n(ledger), 0);
	}
	nj_ledger_free(&ledger);
	assert_null(ledger);
}

static void full_tables_count_what_they_lose(void **state)
{
	(void)state;
	struct nj_ledger *ledger = ledger_of(64);
	struct seen seen = {0};
	uint32_t agent = agent_of(ledger, 1);
	for (uint32_t i = 0; i < 100; i++)
		(void)contact_of(ledger, agent, i, 80, 1, "x");
	assert_int_equal(nj_ledger_lost(ledger), 36);
	assert_int_equal(nj_ledger_features(ledger, agent)->contacts_lost, 36);
	assert_non_null(contact_of(ledger, agent, 5, 80, 1, "x")); /* what is there stays reachable */
	nj_ledger_sweep(ledger, 0, 10000, look, &seen);
	assert_int_equal(seen.contacts, 64);
	assert_int_equal(nj_ledger_lost(ledger), 0);
	uint32_t none = 0;
	for (uint32_t i = 0; i < 100; i++)
		none += agent_of(ledger, i) == NJ_LEDGER_NONE;
	assert_int_equal(none, 100 - (64 / 2 + 16));
	assert_null(contact_of(ledger, NJ_LEDGER_NONE, 1, 1, 1, ""));
	nj_ledger_features(ledger, NJ_LEDGER_NONE)->dns_queries++; /* goes nowhere */
	nj_ledger_free(&ledger);
}

static void domains_clients_answers_and_vectors(void **state)
{
	(void)state;
	struct nj_ledger *ledger = ledger_of(1024);
	struct seen seen = {0};
	struct nj_addr server = addr_of(9);
	uint32_t agent = agent_of(ledger, 3);
	char longest[300];
	memset(longest, 'a', sizeof longest);
	strcpy(longest + 250, ".example.org");
	nj_ledger_domain(ledger, agent, "b.com")->queries++;
	nj_ledger_domain(ledger, agent, "a.com")->queries++;
	nj_ledger_domain(ledger, agent, "b.com")->queries++;
	nj_ledger_domain(ledger, agent, longest)->queries++;
	nj_ledger_client(ledger, agent, NJ_CLIENT_HTTP, "curl")->flows++;
	nj_ledger_client(ledger, agent, NJ_CLIENT_JA4, "curl")->flows++;
	for (int i = 0; i < 7; i++)
		nj_ledger_answer(ledger, agent, &server, 80, 1000 + (uint64_t)i); /* within a sixteenth of an octave */
	nj_ledger_answer(ledger, agent, &server, 80, 1100);
	nj_ledger_answer(ledger, agent, &server, 81, 1000);
	nj_ledger_histogram(ledger, agent, NJ_LEDGER_request_size, 77);
	nj_ledger_distinct(ledger, agent, NJ_LEDGER_principals, "bob", 3);
	nj_ledger_sweep(ledger, 0, 10000, look, &seen);
	assert_int_equal(seen.domains, 3);
	assert_string_equal(seen.domain[0], "a.com");
	assert_string_equal(seen.domain[2], "b.com");
	assert_int_equal(strlen(seen.domain[1]), NJ_DOMAIN_TEXT_MAX - 1);
	assert_string_equal(seen.domain[1] + NJ_DOMAIN_TEXT_MAX - 1 - 12, ".example.org");
	assert_int_equal(seen.clients, 2);
	assert_int_equal(seen.mode, 7);
	assert_int_equal(seen.histogram, 1);
	assert_true(seen.register_max > 0);
	nj_ledger_free(&ledger);
}

static void bursts_keep_the_earliest(void **state)
{
	(void)state;
	struct nj_contact c = {0};
	static const uint16_t in[] = {500, 100, 900, 300, 200, 100, 50};
	static const uint16_t out[] = {50, 100, 100, 200};
	for (unsigned i = 0; i < sizeof in / sizeof in[0]; i++)
		nj_ledger_burst(&c, in[i]);
	assert_int_equal(c.bursts_n, NJ_CONTACT_BURSTS_MAX);
	assert_memory_equal(c.burst_ms, out, sizeof out);
}

struct talk {
	uint32_t exchanges, tools, calls, score_max;
};

static void listen(void *context, const struct nj_window *w)
{
	struct talk *talk = context;
	talk->exchanges += w->exchanges_n;
	talk->tools += w->tools_n;
	for (uint32_t i = 0; i < w->exchanges_n; i++) {
		assert_true(i == 0 || nj_exchange_compare(&w->exchanges[i - 1], &w->exchanges[i]) < 0);
		talk->score_max = w->exchanges[i].score > talk->score_max ? w->exchanges[i].score : talk->score_max;
	}
	for (uint32_t i = 0; i < w->tools_n; i++) {
		assert_true(i == 0 || nj_tool_compare(&w->tools[i - 1], &w->tools[i]) < 0);
		talk->calls += w->tools[i].calls;
	}
}

/* Two exchanges of one instant become one, since a list must ascend; calls of one tool add up. */
static void exchanges_and_tools_come_sorted_and_once(void **state)
{
	(void)state;
	struct nj_ledger *ledger = ledger_of(4096);
	for (unsigned round = 0; round < 2; round++) { /* the second finds it empty */
		struct talk talk = {0};
		for (uint32_t i = 0; i < 600; i++) {
			struct nj_addr addr = addr_of(i % 3);
			uint32_t agent = nj_ledger_agent(ledger, &addr, 0, nj_ledger_addr_hash(ledger, &addr, 0));
			struct nj_exchange e = {
				.start_ns = 1 + (i * 7919 % 600) / 6, .port = 443, .score = (uint16_t)i};
			struct nj_tool t = {.port = 3000, .kind = NJ_TOOL_MCP, .calls = 1, .first_ns = i};
			t.name[0] = (char)('a' + i % 20);
			if (i < 500)
				nj_ledger_exchange(ledger, agent, &e);
			nj_ledger_tool(ledger, agent, &t);
		}
		assert_int_equal(nj_ledger_lost(ledger), 0);
		nj_ledger_sweep(ledger, 0, 10000, listen, &talk);
		assert_in_range(talk.exchanges, 200, 300); /* 100 instants at each of three agents, two on each */
		assert_int_equal(talk.score_max, 499);
		assert_int_equal(talk.tools, 60);
		assert_int_equal(talk.calls, 600);
	}
	struct nj_addr addr = addr_of(1);
	uint32_t agent = nj_ledger_agent(ledger, &addr, 0, nj_ledger_addr_hash(ledger, &addr, 0));
	for (uint32_t i = 0; i < 5000; i++) {
		struct nj_exchange e = {.start_ns = i + 1};
		struct nj_tool t = {.port = (uint16_t)i, .calls = 1};
		nj_ledger_exchange(ledger, agent, &e);
		nj_ledger_tool(ledger, agent, &t);
	}
	struct talk talk = {0};
	uint64_t lost = nj_ledger_lost(ledger);
	nj_ledger_sweep(ledger, 0, 10000, listen, &talk);
	assert_int_equal(lost + talk.exchanges + talk.tools, 10000);
	nj_ledger_free(&ledger);
}

int main(void)
{
	nj_hash_key_derive("test", &key);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_add_up_and_come_sorted),
		cmocka_unit_test(full_tables_count_what_they_lose),
		cmocka_unit_test(domains_clients_answers_and_vectors),
		cmocka_unit_test(exchanges_and_tools_come_sorted_and_once),
		cmocka_unit_test(bursts_keep_the_earliest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
