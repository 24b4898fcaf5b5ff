/* Payload to parsers: one flow, packets given as decoded, facts and features looked at. */
#include "sensor/inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S 1000000000ull

struct rig {
	struct nj_hash_key key;
	struct nj_flows flows;
	struct nj_texts texts;
	struct nj_note note;
	struct nj_ledger *ledger;
	struct nj_inspect *inspect;
	struct nj_flow_hot *hot;
	struct nj_flow *flow;
	struct nj_packet first;
	uint64_t t_ns;
};

static void flow_add(struct rig *r, uint8_t protocol, uint16_t client_port, uint16_t server_port)
{
	static const uint8_t client[4] = {10, 0, 0, 1}, server[4] = {10, 0, 0, 2};
	struct nj_flow_key key;
	unsigned side;
	r->first = (struct nj_packet){.protocol = protocol,
				      .src = nj_addr_v4(client),
				      .dst = nj_addr_v4(server),
				      .src_port = client_port,
				      .dst_port = server_port};
	nj_flow_key_make(&r->first, 0, &key, &side);
	r->hot = nj_flows_add(&r->flows, nj_hash128(&key, sizeof key, &r->key), &key, r->t_ns);
	assert_non_null(r->hot);
	r->flow = &r->flows.flow[r->hot->flow];
	r->hot->state =
		(side ? NJ_FLOW_CLIENT_1 : 0) | (protocol == NJ_PROTOCOL_TCP ? NJ_FLOW_TCP | 3u * NJ_FLOW_BEGAN : 0);
	for (unsigned s = 0; s < 2; s++)
		r->flow->addr_hash[s] = nj_ledger_addr_hash(r->ledger, &r->flow->key.addr[s], 0);
	nj_inspect_open(r->hot, &r->first);
}

static struct rig *rig_new(uint32_t states)
{
	struct rig *r = calloc(1, sizeof *r);
	assert_non_null(r);
	r->t_ns = 100 * S;
	nj_hash_key_derive("test", &r->key);
	struct nj_flows_options options = {.flows_max = 64, .idle_ns = {S, S, S, S}, .width_ns = S};
	assert_int_equal(nj_flows_init(&r->flows, &options), 0);
	assert_int_equal(nj_texts_init(&r->texts, 64, &r->key), 0);
	assert_int_equal(nj_ledger_new(256, &r->key, &r->ledger), 0);
	assert_int_equal(nj_note_init(&r->note, r->ledger, &r->texts, &r->key), 0);
	assert_int_equal(nj_inspect_new(states, &r->flows, &r->note, &r->inspect), 0);
	return r;
}

static void rig_free(struct rig *r)
{
	nj_inspect_free(&r->inspect);
	nj_note_fini(&r->note);
	nj_ledger_free(&r->ledger);
	nj_texts_fini(&r->texts);
	nj_flows_fini(&r->flows);
	free(r);
}

/* Bytes at an offset of a direction's stream, as the worker hands them on: only when wanted. */
static void give(struct rig *r, bool from_client, uint32_t offset, const void *data, size_t bytes)
{
	unsigned side = ((r->hot->state & NJ_FLOW_CLIENT_1) != 0) == from_client;
	struct nj_packet p = r->first;
	p.t_ns = r->t_ns += 10000000;
	p.payload = data;
	p.payload_bytes = (uint32_t)bytes;
	p.payload_wire_bytes = (uint32_t)bytes;
	p.tcp_sequence = r->flow->initial_sequence[side] + 1 + offset;
	r->hot->bytes[side] += (uint32_t)bytes;
	if (r->hot->state & (uint32_t)NJ_FLOW_INSPECT << side)
		nj_inspect_packet(r->inspect, r->hot, r->flow, side, &p, (uint32_t)bytes);
}

static const struct nj_features *client_features(struct rig *r)
{
	struct nj_addr client = r->first.src;
	return nj_ledger_features(r->ledger,
				  nj_ledger_agent(r->ledger, &client, 0, nj_ledger_addr_hash(r->ledger, &client, 0)));
}

static bool is_wanted(const struct rig *r)
{
	return (r->hot->state & 3u * NJ_FLOW_INSPECT) != 0;
}

/* A TLS 1.3 ClientHello for "localhost" with ALPN h2; made by hand. Returns its length. */
static size_t hello_make(uint8_t *out)
{
	static const uint8_t extensions[] = {0,   0, 0,  14, 0, 12, 0, 0, 9,   'l', 'o', 'c', 'A', 'l', 'h', 'o', 's',
					     't', 0, 16, 0,  5, 0,  3, 2, 'h', '2', 0,   43,  0,   3,   2,   3,   4};
	uint8_t *at = out;
	size_t body = 2 + 32 + 1 + 2 + 4 + 2 + 2 + sizeof extensions;
	const uint8_t head[] = {22, 3, 1, 0, (uint8_t)(body + 4), 1, 0, 0, (uint8_t)body, 3, 3};
	memcpy(at, head, sizeof head);
	at += sizeof head;
	memset(at, 7, 32);
	at += 32;
	static const uint8_t lists[] = {0, 0, 4, 0x13, 1, 0x13, 2, 1, 0, 0, sizeof extensions};
	memcpy(at, lists, sizeof lists);
	at += sizeof lists;
	memcpy(at, extensions, sizeof extensions);
	return (size_t)(at - out) + sizeof extensions;
}

static void tls_hello_in_any_pieces_and_requests(void **state)
{
	(void)state;
	uint8_t hello[256], record[256] = {23, 3, 3, 0, 200};
	size_t size = hello_make(hello);
	for (int way = 0; way < 3; way++) {
		struct rig *r = rig_new(4);
		flow_add(r, NJ_PROTOCOL_TCP, 40000, 443);
		if (way == 0) {
			give(r, true, 0, hello, size);
		} else if (way == 1) { /* first byte alone, then the rest */
			give(r, true, 0, hello, 1);
			give(r, true, 1, hello + 1, size - 1);
		} else { /* the end before the beginning */
			give(r, true, 30, hello + 30, size - 30);
			give(r, true, 0, hello, 30);
		}
		assert_string_equal(nj_texts_get(&r->texts, r->flow->server_name), "localhost");
		assert_string_equal(nj_texts_get(&r->texts, r->flow->alpn), "h2");
		assert_int_equal(r->flow->client_kind, NJ_CLIENT_JA4);
		assert_memory_equal(nj_texts_get(&r->texts, r->flow->fingerprint), "t13d0203h2_", 11);
		assert_int_equal(client_features(r)->tls_flows, 1);
		if (way ==
		    2) { /* a hole in the records was told where there was none in the end: counting may start late */
			rig_free(r);
			continue;
		}
		uint32_t out = (uint32_t)size, in = 0;
		for (int i = 0; i < 3; i++) {
			give(r, true, out, record, 205);
			out += 205;
			r->t_ns += S / 2;
			give(r, false, in, record, 205);
			in += 205;
			r->t_ns += S / 2;
		}
		assert_int_equal(r->flow->requests_window, 3);
		nj_inspect_finish(r->inspect, r->hot, r->flow);
		assert_int_equal(r->flow->inspection, NJ_FLOW_NONE);
		assert_false(is_wanted(r));
		rig_free(r);
	}
}

/* Of a flow whose first bytes mean nothing some of the client's packets are looked at, for a TLS hello to come; no
 * state is kept for that. */
static void unknown_bytes_cost_a_few_looks(void **state)
{
	(void)state;
	struct rig *r = rig_new(1);
	flow_add(r, NJ_PROTOCOL_TCP, 40000, 3306);
	assert_true(is_wanted(r));
	give(r, false, 0, "\x4a\x00\x00\x00\x0a", 5);
	assert_int_equal(r->flow->inspection, NJ_FLOW_NONE);
	assert_false(r->hot->state & (uint32_t)NJ_FLOW_INSPECT
					     << !((r->hot->state & NJ_FLOW_CLIENT_1) != 0)); /* the server's */
	for (uint32_t n = 0; n < 12; n++) {
		assert_true(is_wanted(r));
		give(r, true, n * 5, "\x4a\x00\x00\x00\x0a", 5);
		assert_int_equal(r->flow->inspection, NJ_FLOW_NONE);
	}
	assert_false(is_wanted(r));
	rig_free(r);
}

static size_t kexinit_make(uint8_t *out)
{
	static const char *const names[10] = {
		"curve25519-sha256", "ssh-ed25519", "aes128-ctr", "aes128-ctr", "hmac-sha2-256",
		"hmac-sha2-256",     "none",        "none",       "",           ""};
	size_t at = 6 + 16;
	memset(out, 0, 512);
	for (int i = 0; i < 10; i++) {
		out[at + 3] = (uint8_t)strlen(names[i]);
		memcpy(out + at + 4, names[i], strlen(names[i]));
		at += 4 + strlen(names[i]);
	}
	at += 5;
	unsigned padding = 8 - (unsigned)at % 8 + 8;
	at += padding;
	out[2] = (uint8_t)((at - 4) >> 8);
	out[3] = (uint8_t)(at - 4);
	out[4] = (uint8_t)padding;
	out[5] = 20;
	return at;
}

static void ssh_fingerprints_and_login_by_volume(void **state)
{
	(void)state;
	static const char banner[] = "SSH-2.0-Test_1.0\r\n";
	uint8_t keys[512];
	size_t size = kexinit_make(keys);
	for (int through = 0; through < 2; through++) {
		struct rig *r = rig_new(4);
		flow_add(r, NJ_PROTOCOL_TCP, 40000, 2222);
		give(r, false, 0, banner, sizeof banner - 1);
		give(r, true, 0, banner, sizeof banner - 1);
		give(r, true, sizeof banner - 1, keys, size);
		assert_true(is_wanted(r));
		give(r, false, sizeof banner - 1, keys, size);
		assert_false(is_wanted(r)); /* nothing left to learn */
		assert_int_equal(r->flow->client_kind, NJ_CLIENT_HASSH);
		assert_int_equal(strlen(nj_texts_get(&r->texts, r->flow->fingerprint)), 32);
		assert_string_equal(nj_texts_get(&r->texts, r->flow->client_text), "Test_1.0");
		assert_int_equal(client_features(r)->ssh_flows, 1);
		nj_note_ssh_login(&r->note, r->hot, r->flow, false);
		assert_int_equal(client_features(r)->auth_succeeded, 0);
		r->hot->bytes[!(r->hot->state & NJ_FLOW_CLIENT_1)] += through ? 5000 : 100;
		nj_note_ssh_login(&r->note, r->hot, r->flow, true);
		nj_note_ssh_login(&r->note, r->hot, r->flow, true); /* judged once */
		assert_int_equal(client_features(r)->auth_succeeded, through);
		assert_int_equal(client_features(r)->auth_failed, !through);
		rig_free(r);
	}
}

static void dns_messages_over_tcp_wherever_cut(void **state)
{
	(void)state;
	static const uint8_t two[] = {0,   29,  0,   1,   1,   0,   0,   1,   0,   0,   0, 0, 0, 0, 7,   'e',
				      'x', 'a', 'm', 'p', 'l', 'e', 3,   'c', 'o', 'm', 0, 0, 1, 0, 1,   0,
				      29,  0,   2,   1,   0,   0,   1,   0,   0,   0,   0, 0, 0, 7, 'e', 'x',
				      'a', 'm', 'p', 'l', 'f', 3,   'c', 'o', 'm', 0,   0, 1, 0, 1};
	for (size_t cut = 1; cut < sizeof two; cut++) {
		struct rig *r = rig_new(4);
		flow_add(r, NJ_PROTOCOL_TCP, 40000, 53);
		give(r, true, 0, two, cut);
		give(r, true, (uint32_t)cut, two + cut, sizeof two - cut);
		assert_int_equal(client_features(r)->dns_queries, 2);
		assert_int_equal(client_features(r)->dns_malformed, 0);
		rig_free(r);
	}
}

static void an_empty_pool_takes_from_the_oldest(void **state)
{
	(void)state;
	uint8_t hello[256];
	size_t size = hello_make(hello);
	struct rig *r = rig_new(2);
	uint32_t flow[3];
	for (uint16_t i = 0; i < 3; i++) {
		flow_add(r, NJ_PROTOCOL_TCP, (uint16_t)(40000 + i), 443);
		flow[i] = r->hot->flow;
		give(r, true, 0, hello, size);
	}
	assert_int_equal(nj_inspect_gave_up(r->inspect), 1);
	assert_int_equal(r->flows.flow[flow[0]].inspection, NJ_FLOW_NONE);
	assert_int_not_equal(r->flows.flow[flow[1]].inspection, NJ_FLOW_NONE);
	assert_int_equal(nj_flows_hot(&r->flows, flow[0])->state & 3u * NJ_FLOW_INSPECT, 0);
	rig_free(r);
}

static void an_endless_opening_is_given_up(void **state)
{
	(void)state;
	struct rig *r = rig_new(2);
	flow_add(r, NJ_PROTOCOL_TCP, 40000, 80);
	give(r, true, 0, "GET / HTTP/1.1\r\n", 16);
	for (uint32_t i = 0; i < 200; i++)
		give(r, true, 16 + i * 8, "X-Y: z\r\n", 8);
	give(r, false, 0, "HTTP/1.1 500 no\r\n\r\n", 19);
	assert_int_equal(client_features(r)->http_errors, 1); /* the answer is read all the same */
	assert_int_equal(r->flow->requests_window, 1);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls_hello_in_any_pieces_and_requests),
		cmocka_unit_test(unknown_bytes_cost_a_few_looks),
		cmocka_unit_test(ssh_fingerprints_and_login_by_volume),
		cmocka_unit_test(dns_messages_over_tcp_wherever_cut),
		cmocka_unit_test(an_empty_pool_takes_from_the_oldest),
		cmocka_unit_test(an_endless_opening_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
