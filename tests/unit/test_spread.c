/* The program that spreads live frames, run by an interpreter of classic BPF written here from the kernel's
 * documentation, over frames as captures have them: whatever must meet meets, whatever need not spreads. */
#include "sensor/spread.h"
#include "tests/unit/draw.h"
#include "tests/unit/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct sock_filter steps[NJ_SPREAD_STEPS_MAX];
static uint32_t steps_n, longest;

static uint32_t big_endian(const uint8_t *at, uint32_t bytes)
{
	uint32_t value = 0;
	for (uint32_t i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

/* The frame as the kernel shows it: one VLAN tag taken off, the rest behind the network header. */
struct view {
	const uint8_t *network;
	uint32_t bytes;
	uint32_t protocol;
};

static bool fetch(const struct view *v, uint16_t code, uint32_t offset, uint32_t *ret_a)
{
	uint32_t bytes = BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
	if (offset == (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL))
		return *ret_a = v->protocol, true;
	uint32_t at = offset - (uint32_t)SKF_NET_OFF;
	if (at > v->bytes || v->bytes - at < bytes)
		return false;
	*ret_a = big_endian(v->network + at, bytes);
	return true;
}

static uint32_t calculate(uint16_t operation, uint32_t a, uint32_t b)
{
	switch (operation) {
	case BPF_ADD:
		return a + b;
	case BPF_MUL:
		return a * b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << b;
	case BPF_RSH:
		return a >> b;
	}
	fail_msg("no such operation: %x", operation);
	return 0;
}

static bool holds(uint16_t operation, uint32_t a, uint32_t b)
{
	return operation == BPF_JEQ    ? a == b
	       : operation == BPF_JGE  ? a >= b
	       : operation == BPF_JSET ? (a & b) != 0
				       : a > b;
}

static uint32_t run(const struct view *v)
{
	uint32_t a = 0, x = 0, cell[BPF_MEMWORDS] = {0}, taken = 0;
	for (uint32_t at = 0; at < steps_n; at++) {
		const struct sock_filter *s = &steps[at];
		uint32_t operand = BPF_SRC(s->code) == BPF_X ? x : s->k;
		longest = ++taken > longest ? taken : longest;
		switch (BPF_CLASS(s->code)) {
		case BPF_LD:
			if (BPF_MODE(s->code) == BPF_IMM)
				a = s->k;
			else if (BPF_MODE(s->code) == BPF_MEM)
				a = cell[s->k];
			else if (!fetch(v, s->code, s->k + (BPF_MODE(s->code) == BPF_IND ? x : 0), &a))
				return 0;
			break;
		case BPF_LDX:
			x = cell[s->k];
			break;
		case BPF_ST:
			cell[s->k] = a;
			break;
		case BPF_ALU:
			a = calculate(BPF_OP(s->code), a, operand);
			break;
		case BPF_JMP:
			at += BPF_OP(s->code) == BPF_JA ? s->k : holds(BPF_OP(s->code), a, operand) ? s->jt : s->jf;
			break;
		case BPF_MISC:
			x = a;
			break;
		case BPF_RET:
			return BPF_RVAL(s->code) == BPF_A ? a : s->k;
		default:
			fail_msg("no such class: %x", s->code);
		}
	}
	fail_msg("the program runs past its end");
	return 0;
}

static uint32_t spread(const uint8_t *frame, uint32_t bytes)
{
	struct view v = {frame + 14, bytes - 14, big_endian(frame + 12, 2)};
	if (v.protocol == 0x8100 || v.protocol == 0x88a8) /* the kernel takes the first one off */
		v = (struct view){frame + 18, bytes - 18, big_endian(frame + 16, 2)};
	return run(&v);
}

static uint32_t spread_of(const struct frame_buffer *f)
{
	return spread(f->byte, f->bytes);
}

static int setup(void **state)
{
	(void)state;
	steps_n = nj_spread_program(steps);
	return 0;
}

#define A 0x0a141e0bu
#define B 0xcb00710au
#define R 0x0a141e01u

static uint32_t of_udp(uint32_t from, uint32_t to, uint16_t sport, uint16_t dport)
{
	struct frame_buffer f;
	frame_udp(&f, from, sport, to, dport, "words", 5);
	return spread_of(&f);
}

static void test_directions_and_ports_meet(void **state)
{
	(void)state;
	uint32_t hash = of_udp(A, B, 1000, 53);
	assert_int_not_equal(hash, 0);
	assert_int_equal(of_udp(B, A, 53, 1000), hash);
	assert_int_equal(of_udp(A, B, 7, 9), hash);
	struct frame_buffer f;
	struct tcp tcp = {B, A, 443, 5555, NJ_TCP_ACK, 1, 1};
	frame_tcp(&f, &tcp, "words", 5);
	assert_int_equal(spread_of(&f), hash);
	assert_int_not_equal(of_udp(A, B + 1, 1000, 53), hash);
}

static void test_errors_meet_their_flow(void **state)
{
	(void)state;
	struct frame_buffer f, about;
	frame_udp(&about, A, 1000, B, 53, "words", 5);
	static const uint8_t errors[] = {3, 4, 5, 11, 12};
	for (unsigned i = 0; i < sizeof errors; i++) {
		frame_icmp(&f, R, A, errors[i], 1, 0, about.byte + 14, 28);
		assert_int_equal(spread_of(&f), of_udp(A, B, 1, 2));
	}
	frame_icmp(&f, R, A, 8, 0, 0, about.byte + 14, 28); /* an echo speaks for itself */
	assert_int_equal(spread_of(&f), of_udp(R, A, 1, 2));
}

static void test_fragments_meet(void **state)
{
	(void)state;
	struct frame_buffer f;
	frame_udp(&f, A, 4789, B, 4789, "words", 5);
	uint32_t hash = of_udp(A, B, 1, 2);
	f.byte[20] = 0x20; /* more follow */
	assert_int_equal(spread_of(&f), hash);
	f.byte[20] = 0;
	f.byte[21] = 5; /* and a later one */
	assert_int_equal(spread_of(&f), hash);
}

static uint32_t insert(uint8_t *out, const struct frame_buffer *f, const char *header, uint32_t bytes)
{
	memcpy(out, f->byte, 12);
	memcpy(out + 12, header, bytes);
	memcpy(out + 12 + bytes, f->byte + 12, f->bytes - 12);
	return f->bytes + bytes;
}

static void test_tags_do_not_matter(void **state)
{
	(void)state;
	uint8_t tagged[200];
	struct frame_buffer f;
	frame_udp(&f, A, 1, B, 2, "words", 5);
	uint32_t hash = spread_of(&f);
	assert_int_equal(spread(tagged, insert(tagged, &f, "\x81\0\0\x07", 4)), hash);
	assert_int_equal(spread(tagged, insert(tagged, &f, "\x88\xa8\0\x07\x81\0\0\x08", 8)), hash);
	assert_int_equal(spread(tagged, insert(tagged, &f, "\x88\xa8\0\x07\x81\0\0\x08\x81\0\0\x09", 12)), hash);
	assert_int_equal(spread(tagged, insert(tagged, &f, "\x88\x47\0\x01\x01\x40", 6)),
			 0); /* MPLS: not seen through */
}

/* An outer UDP packet from one tunnel end to another around *inner*. */
static uint32_t tunnelled(const struct frame_buffer *inner, uint32_t from, uint32_t to, uint16_t sport, uint16_t dport,
			  const char *header, uint32_t header_bytes)
{
	uint8_t payload[300];
	struct frame_buffer f;
	memcpy(payload, header, header_bytes);
	memcpy(payload + header_bytes, inner->byte, inner->bytes);
	frame_udp(&f, from, sport, to, dport, payload, header_bytes + inner->bytes);
	return spread_of(&f);
}

static void test_the_inner_pair_counts_in_a_tunnel(void **state)
{
	(void)state;
	struct frame_buffer there, back, error;
	frame_udp(&there, A, 1, B, 2, "words", 5);
	frame_udp(&back, B, 2, A, 1, "words", 5);
	frame_icmp(&error, R, A, 3, 1, 0, there.byte + 14, 28);
	uint32_t hash = of_udp(A, B, 1, 2);
	static const char vxlan[] = "\x08\0\0\0\0\0\x05\0", geneve[] = "\0\0\x65\x58\0\0\x05\0",
			  options[] = "\x02\0\x65\x58\0\0\x05\0opt1opt2", other[] = "\0\0\x08\0\0\0\x05\0";
	assert_int_equal(tunnelled(&there, 1, 2, 50001, 4789, vxlan, 8), hash);
	assert_int_equal(tunnelled(&back, 2, 1, 50077, 4789, vxlan, 8), hash);
	assert_int_equal(tunnelled(&back, 2, 1, 50077, 8472, vxlan, 8), hash);
	assert_int_equal(tunnelled(&error, 2, 1, 50078, 4789, vxlan, 8), hash);
	assert_int_equal(tunnelled(&there, 1, 2, 50001, 6081, geneve, 8), hash);
	assert_int_equal(tunnelled(&there, 1, 2, 50001, 6081, options, 16), hash);
	assert_int_equal(tunnelled(&there, 1, 2, 50001, 6081, other, 8),
			 of_udp(1, 2, 1, 2)); /* IP inside: not entered */
	assert_int_equal(tunnelled(&there, 1, 2, 50001, 4790, vxlan, 8), of_udp(1, 2, 1, 2));
}

static uint32_t v6(uint8_t *f, uint8_t from, uint8_t to, uint8_t protocol, const void *payload, uint32_t bytes)
{
	memset(f, 0, 54);
	f[12] = 0x86;
	f[13] = 0xdd;
	f[14] = 0x60;
	f[20] = protocol;
	f[22] = f[38] = 0x20;
	f[37] = from;
	f[53] = to;
	memcpy(f + 54, payload, bytes);
	return 54 + bytes;
}

static void test_ipv6(void **state)
{
	(void)state;
	uint8_t f[300], about[300], error[64] = {1, 0};
	uint32_t hash = spread(f, v6(f, 1, 2, 17, "\0\1\0\2\0\x0d\0\0words", 13));
	assert_int_not_equal(hash, 0);
	assert_int_equal(spread(f, v6(f, 2, 1, 6, "............", 12)), hash);
	assert_int_not_equal(spread(f, v6(f, 2, 3, 6, "............", 12)), hash);
	v6(about, 1, 2, 17, "", 0);
	memcpy(error + 8, about + 14, 40);
	assert_int_equal(spread(f, v6(f, 9, 1, 58, error, 48)), hash);
	error[0] = 128;
	assert_int_equal(spread(f, v6(f, 9, 1, 58, error, 48)), spread(about, v6(about, 1, 9, 6, "", 0)));
	uint8_t inside[200] = "\0\0\x12\xb5\0\0\0\0\x08\0\0\0\0\0\x05\0"; /* UDP to 4789, VXLAN */
	struct frame_buffer inner;
	inside[0] = 0x30;
	frame_udp(&inner, A, 1, B, 2, "words", 5);
	memcpy(inside + 16, inner.byte, inner.bytes);
	assert_int_equal(spread(f, v6(f, 5, 6, 17, inside, 16 + inner.bytes)), of_udp(A, B, 1, 2));
}

static void test_arp_meets(void **state)
{
	(void)state;
	uint8_t ask[42] = {[12] = 0x08, [13] = 0x06, [28] = 10, [31] = 1, [38] = 10, [41] = 2},
		answer[42] = {[12] = 0x08, [13] = 0x06, [28] = 10, [31] = 2, [38] = 10, [41] = 1};
	assert_int_not_equal(spread(ask, sizeof ask), 0);
	assert_int_equal(spread(ask, sizeof ask), spread(answer, sizeof answer));
}

/* Cut anywhere, filled with anything: a result, and never a step too many. */
static void test_hostile_frames_end(void **state)
{
	(void)state;
	struct draw draw = draw_seed(11);
	uint8_t f[200];
	static const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x0806};
	for (int i = 0; i < 100000; i++) {
		for (unsigned k = 0; k < sizeof f; k++)
			f[k] = (uint8_t)draw_below(&draw, 256);
		uint16_t type = types[draw_below(&draw, 4)];
		f[12] = (uint8_t)(type >> 8);
		f[13] = (uint8_t)type;
		f[14] = (uint8_t)(draw_below(&draw, 2) ? 0x45 : f[14]);
		f[23] = (uint8_t)(draw_below(&draw, 2) ? 17 : 1);
		spread(f, 18 + (uint32_t)draw_below(&draw, sizeof f - 18));
	}
	assert_true(longest < 100);
}

/* A network of neighbours: no worker has more than a fifth above its share. */
static void test_neighbours_spread(void **state)
{
	(void)state;
	for (uint32_t workers = 2; workers <= 8; workers++) {
		uint32_t got[8] = {0}, n = 0;
		for (uint32_t client = 1; client < 200; client++)
			for (uint32_t server = 1; server < 30; server++, n++)
				got[of_udp(0x0a140a00u + client, 0x0a141400u + server, 1, 2) % workers]++;
		for (uint32_t i = 0; i < workers; i++)
			assert_in_range(got[i], n / workers * 4 / 5, n / workers * 6 / 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directions_and_ports_meet),
		cmocka_unit_test(test_errors_meet_their_flow),
		cmocka_unit_test(test_fragments_meet),
		cmocka_unit_test(test_tags_do_not_matter),
		cmocka_unit_test(test_the_inner_pair_counts_in_a_tunnel),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_arp_meets),
		cmocka_unit_test(test_hostile_frames_end),
		cmocka_unit_test(test_neighbours_spread),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
