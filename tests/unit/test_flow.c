/* The flow table against a simple model, the expiry wheel, and the counting of TCP bytes. */
#include "sensor/flow.h"
#include "tests/unit/draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S     1000000000ull
#define WIDTH (10 * S)

static struct nj_hash_key key;

static struct nj_flows table(uint32_t flows_max)
{
	struct nj_flows flows;
	struct nj_flows_options options = {
		.flows_max = flows_max, .idle_ns = {300 * S, 60 * S, 30 * S, 10 * S}, .width_ns = WIDTH};
	assert_int_equal(nj_flows_init(&flows, &options), 0);
	return flows;
}

static struct nj_packet packet_of(uint32_t conversation, bool back)
{
	uint8_t a[4] = {10, 0, 0, (uint8_t)conversation}, b[4] = {10, 0, 1, (uint8_t)(conversation >> 8)};
	struct nj_packet p = {.src = nj_addr_v4(a),
			      .dst = nj_addr_v4(b),
			      .src_port = 1000,
			      .dst_port = 80,
			      .protocol = NJ_PROTOCOL_TCP};
	if (back)
		p = (struct nj_packet){
			.src = p.dst, .dst = p.src, .src_port = 80, .dst_port = 1000, .protocol = NJ_PROTOCOL_TCP};
	return p;
}

static struct nj_hash128 id_of(const struct nj_packet *packet, struct nj_flow_key *ret_key, unsigned *ret_side)
{
	nj_flow_key_make(packet, 0, ret_key, ret_side);
	return nj_hash128(ret_key, sizeof *ret_key, &key);
}

static struct nj_flow_hot *add(struct nj_flows *flows, uint32_t conversation, uint64_t t_ns)
{
	struct nj_flow_key k;
	unsigned side;
	struct nj_packet p = packet_of(conversation, false);
	struct nj_hash128 id = id_of(&p, &k, &side);
	return nj_flows_add(flows, id, &k, t_ns);
}

static void both_directions_have_one_key(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2000; i++) {
		struct nj_packet there = packet_of(i, false), back = packet_of(i, true);
		struct nj_flow_key a, b;
		unsigned side_a, side_b;
		struct nj_hash128 id_a = id_of(&there, &a, &side_a), id_b = id_of(&back, &b, &side_b);
		assert_memory_equal(&a, &b, sizeof a);
		assert_int_equal(id_a.low, id_b.low);
		assert_int_not_equal(side_a, side_b);
		assert_true(nj_addr_equal(&a.addr[side_a], &there.src));
	}
}

static void segment_and_subject_make_another_key(void **state)
{
	(void)state;
	struct nj_packet p = packet_of(1, false);
	struct nj_flow_key a, b;
	unsigned side;
	nj_flow_key_make(&p, 0, &a, &side);
	nj_flow_key_make(&p, 7, &b, &side);
	assert_memory_not_equal(&a, &b, sizeof a);
	p.segment = nj_segment_make(NJ_SEGMENT_VLAN, 3);
	nj_flow_key_make(&p, 0, &b, &side);
	assert_memory_not_equal(&a, &b, sizeof a);
}

/* Adds, finds and expires at random; a flat array says what should be there. */
static void table_agrees_with_a_model(void **state)
{
	(void)state;
	enum { CONVERSATIONS = 300, ROUNDS = 40000 };
	struct nj_flows flows = table(200);
	uint64_t last[CONVERSATIONS] = {0}; /* 0: not there */
	uint64_t t_ns = 1000 * S, window = t_ns / WIDTH;
	uint32_t n = 0;
	struct draw seed = draw_seed(42);
	for (int round = 0; round < ROUNDS; round++) {
		t_ns += draw_bits(&seed) % (S / 10);
		for (; (window + 1) * WIDTH <= t_ns; window++) {
			for (uint32_t at; (at = nj_flows_expired(&flows, window)) != NJ_FLOW_NONE;) {
				struct nj_flow_hot *hot = nj_flows_hot(&flows, at);
				const uint8_t *a = flows.flow[at].key.addr[0].byte,
					      *b = flows.flow[at].key.addr[1].byte;
				uint32_t who = a[14] == 0 ? a[15] | (uint32_t)b[15] << 8 : b[15] | (uint32_t)a[15] << 8;
				assert_int_equal(hot->last_ns, last[who]);
				assert_true(hot->last_ns + 300 * S < (window + 1) * WIDTH);
				last[who] = 0;
				n--;
				nj_flows_remove(&flows, hot);
			}
			for (uint32_t c = 0; c < CONVERSATIONS; c++)
				assert_true(last[c] == 0 || last[c] + 300 * S >= (window + 1) * WIDTH);
		}
		uint32_t c = (uint32_t)(draw_bits(&seed) % CONVERSATIONS);
		if (round % 4000 < 2000)
			c %= 60; /* the others fall silent and must go */
		struct nj_packet p = packet_of(c, draw_bits(&seed) % 2);
		struct nj_flow_key k;
		unsigned side;
		struct nj_hash128 id = id_of(&p, &k, &side);
		struct nj_flow_hot *hot = nj_flows_find(&flows, id);
		assert_int_equal(hot != NULL, last[c] != 0);
		if (hot == NULL) {
			hot = nj_flows_add(&flows, id, &k, t_ns);
			if (hot == NULL) {
				assert_int_equal(n, 200);
				continue;
			}
			n++;
		}
		hot->last_ns = t_ns;
		last[c] = t_ns;
		assert_int_equal(nj_flows_n(&flows), n);
		assert_ptr_equal(nj_flows_hot(&flows, hot->flow), hot);
	}
	nj_flows_fini(&flows);
}

static void closed_and_unanswered_flows_go_first(void **state)
{
	(void)state;
	struct nj_flows flows = table(64);
	for (uint32_t i = 0; i < 64; i++) {
		struct nj_flow_hot *hot = add(&flows, i, 1000 * S + i * S / 10);
		assert_non_null(hot);
		hot->state = (uint32_t)(i % 4 == 3   ? NJ_IDLE_CLOSED
					: i % 4 == 1 ? NJ_IDLE_UDP
						     : NJ_IDLE_TCP)
			     << NJ_FLOW_IDLE_SHIFT;
	}
	assert_null(add(&flows, 99, 1007 * S));
	unsigned idle_tcp_early = 0;
	for (uint32_t i = 0; i < 64; i++) {
		struct nj_flow_hot *hot = nj_flows_hot(&flows, nj_flows_oldest(&flows));
		idle_tcp_early += i < 24 && nj_flow_idle(hot->state) == NJ_IDLE_TCP;
		nj_flows_remove(&flows, hot);
		assert_int_equal(nj_flows_n(&flows), 63 - i);
	}
	assert_int_equal(idle_tcp_early, 0);
	nj_flows_fini(&flows);
}

static void touched_list_forgets_in_place(void **state)
{
	(void)state;
	struct nj_flows flows = table(16);
	uint32_t flow[5];
	for (uint32_t i = 0; i < 5; i++) {
		struct nj_flow_hot *hot = add(&flows, i, S);
		flow[i] = hot->flow;
		nj_flows_touch(&flows, hot);
	}
	nj_flows_untouch(&flows, nj_flows_hot(&flows, flow[1]));
	nj_flows_untouch(&flows, nj_flows_hot(&flows, flow[4]));
	assert_int_equal(flows.touched_n, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(flows.flow[flows.touched[i]].touched_at, i);
		assert_true(flows.touched[i] != flow[1] && flows.touched[i] != flow[4]);
	}
	nj_flows_fini(&flows);
}

static void restart_keeps_the_place_and_nothing_else(void **state)
{
	(void)state;
	struct nj_flows flows = table(16);
	struct nj_flow_hot *hot = add(&flows, 1, S);
	uint32_t at = hot->flow;
	hot->packets[0] = 5;
	hot->state = NJ_FLOW_CLOSED;
	flows.flow[at].packets[1] = 7;
	flows.flow[at].bursts = 3;
	nj_flows_restart(&flows, hot, 9 * S);
	assert_int_equal(hot->flow, at);
	assert_int_equal(hot->packets[0], 0);
	assert_int_equal(hot->state, 0);
	assert_int_equal(hot->last_ns, 9 * S);
	assert_int_equal(flows.flow[at].packets[1], 0);
	assert_int_equal(flows.flow[at].bursts, 0);
	assert_int_equal(flows.flow[at].first_ns, 9 * S);
	nj_flows_fini(&flows);
}

/* Segments of a stream in a window of disorder small enough for two holes: each byte counts exactly once, around the
 * wrap of sequence numbers too. */
static void bytes_count_once(void **state)
{
	(void)state;
	struct draw seed = draw_seed(7);
	for (int trial = 0; trial < 2000; trial++) {
		struct nj_flow_hot hot = {0};
		struct nj_flow flow = {0};
		enum { SEGMENTS = 30 };
		uint32_t start = (uint32_t)draw_bits(&seed), size[SEGMENTS], at[SEGMENTS], order[SEGMENTS],
			 next = start;
		for (int i = 0; i < SEGMENTS; i++) {
			size[i] = 1 + (uint32_t)(draw_bits(&seed) % 1460);
			at[i] = next;
			next += size[i];
			order[i] = (uint32_t)i;
		}
		for (int i = 1; i + 1 < SEGMENTS;
		     i += 3) /* neighbours swapped: one hole at a time; the first stays first */
			if (draw_bits(&seed) % 2) {
				uint32_t swap = order[i];
				order[i] = order[i + 1];
				order[i + 1] = swap;
			}
		uint64_t fresh = 0;
		for (int i = 0; i < SEGMENTS; i++) {
			fresh += nj_flow_new_bytes(&hot, &flow, 0, at[order[i]], size[order[i]]);
			if (draw_bits(&seed) % 4 == 0) /* again */
				assert_int_equal(nj_flow_new_bytes(&hot, &flow, 0, at[order[i]], size[order[i]]), 0);
		}
		assert_int_equal(fresh, next - start);
		assert_int_equal(hot.next_sequence[0], next);
		assert_int_equal(hot.state & NJ_FLOW_GAP, 0);
	}
}

static void partial_overlap_counts_what_is_new(void **state)
{
	(void)state;
	struct nj_flow_hot hot = {0};
	struct nj_flow flow = {0};
	assert_int_equal(nj_flow_new_bytes(&hot, &flow, 1, 1000, 100), 100);
	assert_int_equal(nj_flow_new_bytes(&hot, &flow, 1, 1050, 100), 50);
	assert_int_equal(nj_flow_new_bytes(&hot, &flow, 1, 1250, 50), 50);   /* hole 1150..1250 */
	assert_int_equal(nj_flow_new_bytes(&hot, &flow, 1, 1140, 60), 50);   /* 1150..1200 */
	assert_int_equal(nj_flow_new_bytes(&hot, &flow, 1, 1190, 200), 140); /* 1200..1250 and 1300..1390 */
	assert_int_equal(hot.state & (NJ_FLOW_GAP << 1), 0);
	assert_int_equal(nj_flow_new_bytes(&hot, &flow, 1, 1390 + (1u << 30), 10), 10); /* another series */
	assert_int_equal(nj_flow_new_bytes(&hot, &flow, 1, 1400 + (1u << 30), 10), 10);
}

static void memory_is_what_it_says(void **state)
{
	(void)state;
	struct nj_flows_options options = {.flows_max = 1000, .idle_ns = {S, S, S, S}, .width_ns = S};
	uint64_t one = nj_flows_memory_bytes(&options);
	assert_true(one >= 1000 * (64 * 4 / 3 + sizeof(struct nj_flow)));
	assert_true(one <= 1000 * (64 * 4 / 3 + sizeof(struct nj_flow) + 32) + 8192);
}

int main(void)
{
	nj_hash_key_derive("test", &key);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions_have_one_key),
		cmocka_unit_test(segment_and_subject_make_another_key),
		cmocka_unit_test(table_agrees_with_a_model),
		cmocka_unit_test(closed_and_unanswered_flows_go_first),
		cmocka_unit_test(touched_list_forgets_in_place),
		cmocka_unit_test(restart_keeps_the_place_and_nothing_else),
		cmocka_unit_test(bytes_count_once),
		cmocka_unit_test(partial_overlap_counts_what_is_new),
		cmocka_unit_test(memory_is_what_it_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
