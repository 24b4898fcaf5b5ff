/* Decoding: a hand-made frame for every link type and encapsulation, each cut at every byte and mutated under a seed;
 * carriers whose inside is garbage; lengths that lie; depth. Frames are built from the inside out: each function puts a
 * header in front of what is there, so that lengths are always right unless a test breaks them. */
#include "sensor/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PILE_BYTES 2048

struct pile {
	uint8_t room[PILE_BYTES];
	size_t at; /* the frame is room[at..] */
};

static uint8_t *front(struct pile *p, const void *header, size_t n)
{
	assert_true(p->at >= n);
	p->at -= n;
	memcpy(p->room + p->at, header, n);
	return p->room + p->at;
}

static size_t size_of(const struct pile *p)
{
	return PILE_BYTES - p->at;
}

static void set16(uint8_t *at, size_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void start(struct pile *p, const char *payload)
{
	p->at = PILE_BYTES;
	front(p, payload, strlen(payload));
}

static void put_tcp(struct pile *p)
{
	const uint8_t h[24] = {0x9c, 0x40, 0x01, 0xbb, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
			       0x60, 0x18, 0x20, 0,    0,    0,    0,    0,    2,    4,    5,    0xb4};
	front(p, h, sizeof h);
}

static void put_udp(struct pile *p, uint16_t src_port, uint16_t dst_port)
{
	uint8_t h[8] = {0};
	set16(h, src_port);
	set16(h + 2, dst_port);
	set16(h + 4, size_of(p) + 8);
	front(p, h, sizeof h);
}

static void put_ipv4(struct pile *p, uint8_t protocol, uint8_t last)
{
	uint8_t h[20] = {0x45, 0, 0,  0, 0x12, 0x34, 0x40, 0, 61, protocol,
			 0,    0, 10, 0, 0,    last, 10,   0, 0,  (uint8_t)(last + 1)};
	set16(h + 2, size_of(p) + 20);
	front(p, h, sizeof h);
}

static void put_ipv6(struct pile *p, uint8_t next, uint8_t last)
{
	uint8_t h[40] = {0x60, 0,    0,    0,           0,           0,    next, 62,   0x20,
			 0x01, 0x0d, 0xb8, [23] = last, [24] = 0x20, 0x01, 0x0d, 0xb8, [39] = (uint8_t)(last + 1)};
	set16(h + 4, size_of(p));
	front(p, h, sizeof h);
}

static void put_ethernet(struct pile *p, uint16_t type)
{
	uint8_t h[14] = {0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2};
	set16(h + 12, type);
	front(p, h, sizeof h);
}

static void put_tag(struct pile *p, uint16_t id, uint16_t inner_type)
{
	uint8_t h[4];
	set16(h, 0x6000u | id);
	set16(h + 2, inner_type);
	front(p, h, sizeof h);
}

static void put_bytes(struct pile *p, const char *hex)
{
	uint8_t bytes[64];
	size_t n = 0;
	for (const char *at = hex; *at != '\0'; at += *at == ' ' ? 1 : 2)
		if (*at != ' ')
			assert_int_equal(sscanf(at, "%2hhx", &bytes[n++]), 1);
	front(p, bytes, n);
}

/* The inside of everything: IPv4 with TCP, 10.0.0.1:40000 -> 10.0.0.2:443, payload "hello". */
static void start_inner(struct pile *p)
{
	start(p, "hello");
	put_tcp(p);
	put_ipv4(p, 6, 1);
}

static void start_inner_frame(struct pile *p)
{
	start_inner(p);
	put_ethernet(p, 0x0800);
}

static void put_outer(struct pile *p, uint8_t protocol)
{
	put_ipv4(p, protocol, 101);
	put_ethernet(p, 0x0800);
}

static void put_outer_udp(struct pile *p, uint16_t port)
{
	put_udp(p, 50000, port);
	put_outer(p, 17);
}

/* ---- one frame a case ---- */

static void build_ethernet(struct pile *p)
{
	start_inner_frame(p);
}
static void build_snap(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "aa aa 03 00 00 00 08 00");
	put_ethernet(p, (uint16_t)size_of(p));
}
static void build_llc_ip(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "06 06 03");
	put_ethernet(p, (uint16_t)size_of(p));
}
static void build_vlan(struct pile *p)
{
	start_inner(p);
	put_tag(p, 7, 0x0800);
	put_ethernet(p, 0x8100);
}
static void build_priority_tag(struct pile *p)
{
	start_inner(p);
	put_tag(p, 0, 0x0800);
	put_ethernet(p, 0x8100);
}
static void build_qinq(struct pile *p)
{
	start_inner(p);
	put_tag(p, 7, 0x0800);
	put_tag(p, 3, 0x8100);
	put_ethernet(p, 0x88a8);
}
static void build_qinq_old(struct pile *p)
{
	start_inner(p);
	put_tag(p, 7, 0x0800);
	put_tag(p, 3, 0x8100);
	put_ethernet(p, 0x9100);
}
static void build_three_tags(struct pile *p)
{
	start_inner(p);
	put_tag(p, 7, 0x0800);
	put_tag(p, 3, 0x8100);
	put_tag(p, 9, 0x8100);
	put_ethernet(p, 0x88a8);
}
static void build_mpls(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "00 01 00 40 00 02 01 40");
	put_ethernet(p, 0x8847);
}
static void build_mpls_ethernet(struct pile *p)
{
	start_inner_frame(p);
	put_bytes(p, "00 01 01 40");
	put_ethernet(p, 0x8847);
}
static void build_mpls_control_word(struct pile *p)
{
	start_inner_frame(p);
	put_bytes(p, "00 01 01 40 00 00 00 05");
	put_ethernet(p, 0x8847);
}
static void build_pppoe(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "11 00 00 2a 00 00 00 21");
	set16(p->room + p->at + 4, size_of(p) - 6);
	put_ethernet(p, 0x8864);
}
static void build_ppp(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "ff 03 00 21");
}
static void build_ppp_compressed(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "21");
}
static void build_ppp_mpls(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "ff 03 02 81 00 01 01 40");
}
static void build_hdlc(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "0f 00 08 00");
}
static void build_raw(struct pile *p)
{
	start_inner(p);
}
static void build_null_little(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "02 00 00 00");
}
static void build_null_big(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "00 00 00 02");
}
static void build_sll(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "00 00 00 01 00 06 02 00 00 00 00 01 00 00 08 00");
}
static void build_sll_vlan(struct pile *p)
{
	start_inner(p);
	put_tag(p, 7, 0x0800);
	put_bytes(p, "00 00 00 01 00 06 02 00 00 00 00 01 00 00 81 00");
}
static void build_sll2(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "08 00 00 00 00 00 00 03 00 01 00 06 02 00 00 00 00 01 00 00");
}
static void build_gre(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "00 00 08 00");
	put_outer(p, 47);
}
static void build_gre_options(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "b0 00 08 00 aa bb 00 00 00 00 00 05 00 00 00 09");
	put_outer(p, 47);
}
static void build_gre_bridge(struct pile *p)
{
	start_inner_frame(p);
	put_bytes(p, "20 00 65 58 00 00 00 05");
	put_outer(p, 47);
}
static void build_erspan_1(struct pile *p)
{
	start_inner_frame(p);
	put_bytes(p, "00 00 88 be");
	put_outer(p, 47);
}
static void build_erspan_2(struct pile *p)
{
	start_inner_frame(p);
	put_bytes(p, "10 00 88 be 00 00 00 01 10 07 00 64 00 00 00 00");
	put_outer(p, 47);
}
static void build_erspan_3(struct pile *p)
{
	start_inner_frame(p);
	put_bytes(p, "10 00 22 eb 00 00 00 01 20 07 00 64 00 00 00 00 00 00 00 01 01 02 03 04 05 06 07 08");
	put_outer(p, 47);
}
static void build_erspan_3_ip(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "10 00 22 eb 00 00 00 01 20 00 00 64 00 00 00 00 00 00 08 00");
	put_outer(p, 47);
}
static void build_vxlan(struct pile *p)
{
	start_inner_frame(p);
	put_bytes(p, "08 00 00 00 00 13 88 00");
	put_outer_udp(p, 4789);
}
static void build_vxlan_linux(struct pile *p)
{
	start_inner_frame(p);
	put_bytes(p, "08 00 00 00 00 13 88 00");
	put_outer_udp(p, 8472);
}
static void build_vxlan_vlan(struct pile *p)
{
	build_vlan(p);
	put_bytes(p, "08 00 00 00 00 13 88 00");
	put_outer_udp(p, 4789);
}
static void build_vlan_vxlan(struct pile *p)
{
	start_inner_frame(p);
	put_bytes(p, "08 00 00 00 00 13 88 00");
	put_udp(p, 50000, 4789);
	put_ipv4(p, 17, 101);
	put_tag(p, 7, 0x0800);
	put_ethernet(p, 0x8100);
}
static void build_geneve(struct pile *p)
{
	start_inner_frame(p);
	put_bytes(p, "02 00 65 58 00 13 88 00 01 02 80 01 00 00 00 00");
	put_outer_udp(p, 6081);
}
static void build_geneve_ip(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "00 00 08 00 00 13 88 00");
	put_outer_udp(p, 6081);
}
static void build_gtp(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "30 ff 00 32 00 00 00 05");
	put_outer_udp(p, 2152);
}
static void build_gtp_extension(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "34 ff 00 00 00 00 00 05 00 00 00 85 01 00 09 00");
	set16(p->room + p->at + 2, size_of(p) - 8);
	put_outer_udp(p, 2152);
}
static void build_ipip(struct pile *p)
{
	start_inner(p);
	put_outer(p, 4);
}
static void build_4in6(struct pile *p)
{
	start_inner(p);
	put_ipv6(p, 4, 101);
	put_ethernet(p, 0x86dd);
}
static void build_mpls_in_ip(struct pile *p)
{
	start_inner(p);
	put_bytes(p, "00 01 01 40");
	put_outer(p, 137);
}
static void build_ah(struct pile *p)
{
	start(p, "hello");
	put_tcp(p);
	put_bytes(p, "06 04 00 00 00 00 00 01 00 00 00 02 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac");
	put_ipv4(p, 51, 1);
	put_ethernet(p, 0x0800);
}

static const struct encapsulation {
	const char *name;
	void (*build)(struct pile *p);
	int link_type;
	nj_segment segment;
	uint8_t encapsulations;
} encapsulations[] = {
	{"Ethernet", build_ethernet, 1, 0, 0},
	{"SNAP", build_snap, 1, 0, 0},
	{"LLC IP", build_llc_ip, 1, 0, 0},
	{"802.1Q", build_vlan, 1, 1u << 24 | 7, 1},
	{"priority tag", build_priority_tag, 1, 0, 1},
	{"QinQ", build_qinq, 1, 2u << 24 | 3 << 12 | 7, 2},
	{"QinQ 9100", build_qinq_old, 1, 2u << 24 | 3 << 12 | 7, 2},
	{"three tags", build_three_tags, 1, 2u << 24 | 3 << 12 | 7, 3},
	{"MPLS", build_mpls, 1, 0, 1},
	{"MPLS Ethernet", build_mpls_ethernet, 1, 0, 2},
	{"MPLS control word", build_mpls_control_word, 1, 0, 2},
	{"PPPoE", build_pppoe, 1, 0, 1},
	{"PPP", build_ppp, 9, 0, 0},
	{"PPP compressed", build_ppp_compressed, 9, 0, 0},
	{"PPP MPLS", build_ppp_mpls, 9, 0, 1},
	{"HDLC in PPP", build_hdlc, 9, 0, 0},
	{"HDLC", build_hdlc, 104, 0, 0},
	{"raw", build_raw, 101, 0, 0},
	{"raw 12", build_raw, 12, 0, 0},
	{"raw 14", build_raw, 14, 0, 0},
	{"raw IPv4", build_raw, 228, 0, 0},
	{"loopback little-endian", build_null_little, 0, 0, 0},
	{"loopback big-endian", build_null_big, 0, 0, 0},
	{"loopback network order", build_null_big, 108, 0, 0},
	{"Linux cooked", build_sll, 113, 0, 0},
	{"Linux cooked VLAN", build_sll_vlan, 113, 1u << 24 | 7, 1},
	{"Linux cooked 2", build_sll2, 276, 0, 0},
	{"GRE", build_gre, 1, 0, 1},
	{"GRE with all options", build_gre_options, 1, 0, 1},
	{"GRE bridge", build_gre_bridge, 1, 0, 2},
	{"ERSPAN I", build_erspan_1, 1, 0, 1},
	{"ERSPAN II", build_erspan_2, 1, 1u << 24 | 7, 1},
	{"ERSPAN III", build_erspan_3, 1, 1u << 24 | 7, 1},
	{"ERSPAN III IP", build_erspan_3_ip, 1, 0, 1},
	{"VXLAN", build_vxlan, 1, 3u << 24 | 5000, 1},
	{"VXLAN on Linux's port", build_vxlan_linux, 1, 3u << 24 | 5000, 1},
	{"VXLAN, VLAN inside", build_vxlan_vlan, 1, 1u << 24 | 7, 2},
	{"VXLAN, VLAN outside", build_vlan_vxlan, 1, 3u << 24 | 5000, 2},
	{"GENEVE", build_geneve, 1, 3u << 24 | 5000, 2},
	{"GENEVE IP", build_geneve_ip, 1, 3u << 24 | 5000, 1},
	{"GTP-U", build_gtp, 1, 0, 1},
	{"GTP-U extension", build_gtp_extension, 1, 0, 1},
	{"IP in IP", build_ipip, 1, 0, 1},
	{"IPv4 in IPv6", build_4in6, 1, 0, 1},
	{"MPLS in IP", build_mpls_in_ip, 1, 0, 1},
	{"AH", build_ah, 1, 0, 0},
};

#define ENCAPSULATIONS_N (sizeof encapsulations / sizeof *encapsulations)

static struct nj_frame frame_of(const struct pile *p, int link_type)
{
	return (struct nj_frame){.t_ns = 77,
				 .data = p->room + p->at,
				 .captured_bytes = (uint32_t)size_of(p),
				 .wire_bytes = (uint32_t)size_of(p),
				 .link_type = link_type};
}

static struct nj_addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	const uint8_t byte[4] = {a, b, c, d};
	return nj_addr_v4(byte);
}

/* What must hold of any packet, whatever the frame. */
static void check_packet(const struct nj_frame *frame, enum nj_drop drop, const struct nj_packet *p)
{
	const uint8_t *end = frame->data + frame->captured_bytes;
	if (drop != NJ_DROP_NONE && drop != NJ_DROP_FRAGMENT) {
		assert_true(drop < NJ_DROPS_N);
		return;
	}
	assert_int_equal(p->t_ns, frame->t_ns);
	assert_int_equal(p->wire_bytes, frame->wire_bytes);
	assert_int_equal(p->frames, 1);
	assert_true(p->payload_bytes <= p->payload_wire_bytes);
	assert_true((p->payload == NULL) == (p->payload_bytes == 0));
	if (p->payload != NULL)
		assert_true(p->payload >= frame->data && p->payload + p->payload_bytes <= end);
	assert_true((p->ip == NULL) == (p->ip_version == 0));
	if (p->ip != NULL)
		assert_true(p->ip >= frame->data && p->ip + p->ip_bytes <= end && p->ip[0] >> 4 == p->ip_version);
	assert_true(p->encapsulations <= NJ_DECODE_DEPTH_MAX);
	assert_true(drop == NJ_DROP_FRAGMENT || p->fragment_more + p->fragment_offset == 0);
}

static void check_inner(const char *name, const struct nj_packet *p)
{
	struct nj_addr src = v4(10, 0, 0, 1), dst = v4(10, 0, 0, 2);
	if (!nj_addr_equal(&p->src, &src) || !nj_addr_equal(&p->dst, &dst) || p->protocol != 6)
		fail_msg("%s: not the inner packet", name);
	assert_int_equal(p->ip_version, 4);
	assert_int_equal(p->ttl, 61);
	assert_int_equal(p->src_port, 40000);
	assert_int_equal(p->dst_port, 443);
	assert_int_equal(p->tcp_sequence, 0x11223344);
	assert_int_equal(p->tcp_acknowledgement, 0x55667788);
	assert_int_equal(p->tcp_flags, NJ_TCP_PSH | NJ_TCP_ACK);
	assert_int_equal(p->payload_wire_bytes, 5);
}

static void test_every_encapsulation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENCAPSULATIONS_N; i++) {
		const struct encapsulation *e = &encapsulations[i];
		struct pile pile;
		struct nj_packet packet;
		e->build(&pile);
		struct nj_frame frame = frame_of(&pile, e->link_type);
		enum nj_drop drop = nj_decode(&frame, &packet);
		if (drop != NJ_DROP_NONE)
			fail_msg("%s: %s", e->name, nj_drop_name(drop));
		check_packet(&frame, drop, &packet);
		check_inner(e->name, &packet);
		if (packet.segment != e->segment || packet.encapsulations != e->encapsulations)
			fail_msg("%s: segment %08x, %u encapsulations", e->name, packet.segment, packet.encapsulations);
		assert_int_equal(packet.payload_bytes, 5);
		assert_memory_equal(packet.payload, "hello", 5);
		assert_int_equal(packet.ip_bytes, e->build == build_ah ? 73 : 49);
	}
}

/* A copy of exact size, so that a sanitizer sees any step past the end. */
static enum nj_drop decode_copy(const struct nj_frame *frame, uint32_t captured_bytes, uint32_t wire_bytes,
				struct nj_packet *ret)
{
	uint8_t *copy = malloc(captured_bytes > 0 ? captured_bytes : 1);
	assert_non_null(copy);
	memcpy(copy, frame->data, captured_bytes);
	struct nj_frame cut = *frame;
	cut.data = copy;
	cut.captured_bytes = captured_bytes;
	cut.wire_bytes = wire_bytes;
	enum nj_drop drop = nj_decode(&cut, ret);
	check_packet(&cut, drop, ret);
	free(copy);
	return drop;
}

/* A short snapshot length: up to the transport header's end it is truncated, or the carrier stands; from there on the
 * packet is whole but for its payload. */
static void test_cut_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENCAPSULATIONS_N; i++) {
		const struct encapsulation *e = &encapsulations[i];
		struct pile pile;
		e->build(&pile);
		struct nj_frame frame = frame_of(&pile, e->link_type);
		uint32_t header_end = frame.wire_bytes - 5 - 4; /* without the TCP options */
		for (uint32_t n = 0; n <= frame.wire_bytes; n++) {
			struct nj_packet packet;
			enum nj_drop drop = decode_copy(&frame, n, frame.wire_bytes, &packet);
			if (n >= header_end) {
				assert_int_equal(drop, NJ_DROP_NONE);
				check_inner(e->name, &packet);
				assert_int_equal(packet.payload_bytes, n < header_end + 4 ? 0 : n - header_end - 4);
			} else if (drop == NJ_DROP_NONE) {
				assert_true(packet.protocol != 6);
			}
			(void)decode_copy(&frame, n, n, &packet);
		}
	}
}

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void test_mutations(void **state)
{
	(void)state;
	uint32_t seed = 20261124;
	for (size_t i = 0; i < ENCAPSULATIONS_N; i++) {
		struct pile pile;
		encapsulations[i].build(&pile);
		for (int round = 0; round < 3000; round++) {
			struct pile mutant = pile;
			struct nj_packet packet;
			for (uint32_t n = 1 + random_next(&seed) % 4; n > 0; n--)
				mutant.room[mutant.at + random_next(&seed) % size_of(&mutant)] =
					(uint8_t)random_next(&seed);
			struct nj_frame frame = frame_of(&mutant, encapsulations[i].link_type);
			uint32_t captured =
				frame.captured_bytes -
				(random_next(&seed) % 4 == 0 ? random_next(&seed) % frame.captured_bytes : 0);
			(void)decode_copy(&frame, captured, frame.wire_bytes, &packet);
		}
	}
}

/* ---- IPv6 ---- */

static enum nj_drop decode_pile(const struct pile *p, struct nj_packet *ret)
{
	struct nj_frame frame = frame_of(p, NJ_LINK_ETHERNET);
	return decode_copy(&frame, frame.captured_bytes, frame.wire_bytes, ret);
}

static void assert_v6(const struct nj_packet *p, uint8_t last)
{
	struct nj_addr src = {{0x20, 0x01, 0x0d, 0xb8, [15] = last}},
		       dst = {{0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)(last + 1)}};
	assert_int_equal(p->ip_version, 6);
	assert_int_equal(p->ttl, 62);
	assert_true(nj_addr_equal(&p->src, &src));
	assert_true(nj_addr_equal(&p->dst, &dst));
}

static void test_ipv6_extension_headers(void **state)
{
	(void)state;
	struct pile p;
	struct nj_packet packet;
	start(&p, "hello");
	put_udp(&p, 5353, 53);
	put_bytes(&p, "11 04 00 00 00 00 00 01 00 00 00 02 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac"); /* AH */
	put_bytes(&p, "33 00 00 00 00 00 00 09"); /* an atomic fragment */
	put_bytes(&p, "2c 00 01 04 00 00 00 00"); /* destination options */
	put_bytes(&p, "3c 02 00 00 00 00 00 00 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 09"); /* routing */
	put_bytes(&p, "2b 00 01 04 00 00 00 00");                                                 /* hop-by-hop */
	put_ipv6(&p, 0, 1);
	put_ethernet(&p, 0x86dd);
	assert_int_equal(decode_pile(&p, &packet), NJ_DROP_NONE);
	assert_v6(&packet, 1);
	assert_int_equal(packet.protocol, 17);
	assert_int_equal(packet.src_port, 5353);
	assert_int_equal(packet.dst_port, 53);
	assert_int_equal(packet.payload_bytes, 5);
	assert_int_equal(packet.encapsulations, 0);
	struct nj_frame frame = frame_of(&p, NJ_LINK_ETHERNET);
	for (uint32_t n = 0; n < frame.captured_bytes; n++) {
		enum nj_drop drop = decode_copy(&frame, n, frame.wire_bytes, &packet);
		assert_int_equal(drop, n < frame.captured_bytes - 5 ? NJ_DROP_truncated : NJ_DROP_NONE);
	}
}

static void test_6in4_and_6in6(void **state)
{
	(void)state;
	struct pile p;
	struct nj_packet packet;
	start(&p, "hello");
	put_udp(&p, 5353, 53);
	put_ipv6(&p, 17, 1);
	struct pile six = p;
	put_outer(&p, 41);
	assert_int_equal(decode_pile(&p, &packet), NJ_DROP_NONE);
	assert_v6(&packet, 1);
	assert_int_equal(packet.encapsulations, 1);
	put_ipv6(&six, 41, 101);
	put_ethernet(&six, 0x86dd);
	assert_int_equal(decode_pile(&six, &packet), NJ_DROP_NONE);
	assert_v6(&packet, 1);
	assert_int_equal(packet.dst_port, 53);
}

static void test_loopback_families_of_ipv6(void **state)
{
	(void)state;
	static const uint8_t families[] = {10, 23, 24, 28, 30};
	for (size_t i = 0; i < sizeof families; i++) {
		struct pile p;
		struct nj_packet packet;
		start(&p, "hello");
		put_udp(&p, 1, 2);
		put_ipv6(&p, 17, 1);
		const uint8_t h[4] = {families[i]};
		front(&p, h, 4);
		struct nj_frame frame = frame_of(&p, NJ_LINK_NULL);
		assert_int_equal(nj_decode(&frame, &packet), NJ_DROP_NONE);
		assert_v6(&packet, 1);
	}
}

/* ---- other transports ---- */

static void test_sctp_icmp_arp_and_unknown_protocols(void **state)
{
	(void)state;
	struct pile p;
	struct nj_packet packet;
	start(&p, "chunk");
	put_bytes(&p, "0b 59 0b 5a 00 00 00 01 00 00 00 00");
	put_outer(&p, 132);
	assert_int_equal(decode_pile(&p, &packet), NJ_DROP_NONE);
	assert_int_equal(packet.protocol, NJ_PROTOCOL_SCTP);
	assert_int_equal(packet.src_port, 2905);
	assert_int_equal(packet.dst_port, 2906);
	assert_int_equal(packet.payload_bytes, 5);

	start(&p, "abcdefgh");
	put_bytes(&p, "08 01 00 00 12 34 00 01");
	put_outer(&p, 1);
	assert_int_equal(decode_pile(&p, &packet), NJ_DROP_NONE);
	assert_int_equal(packet.icmp_type, 8);
	assert_int_equal(packet.icmp_code, 1);
	assert_int_equal(packet.src_port + packet.dst_port, 0);
	assert_int_equal(packet.payload_wire_bytes, 8);

	start(&p, "");
	put_bytes(&p, "80 00 00 00 12 34 00 01");
	put_ipv6(&p, 58, 1);
	put_ethernet(&p, 0x86dd);
	assert_int_equal(decode_pile(&p, &packet), NJ_DROP_NONE);
	assert_int_equal(packet.icmp_type, 128);
	assert_null(packet.payload);

	start(&p, "");
	put_bytes(&p, "00 01 08 00 06 04 00 02 02 00 00 00 00 01 0a 00 00 01 02 00 00 00 00 02 0a 00 00 02");
	put_ethernet(&p, 0x0806);
	assert_int_equal(decode_pile(&p, &packet), NJ_DROP_NONE);
	check_packet(&(struct nj_frame){.t_ns = 77,
					.data = p.room + p.at,
					.captured_bytes = (uint32_t)size_of(&p),
					.wire_bytes = (uint32_t)size_of(&p)},
		     NJ_DROP_NONE, &packet);
	assert_int_equal(packet.protocol, NJ_PROTOCOL_ARP);
	assert_int_equal(packet.arp_operation, 2);
	struct nj_addr src = v4(10, 0, 0, 1), dst = v4(10, 0, 0, 2);
	assert_true(nj_addr_equal(&packet.src, &src));
	assert_true(nj_addr_equal(&packet.dst, &dst));

	static const uint8_t others[] = {2, 50, 89, 103, 112, 253};
	for (size_t i = 0; i < sizeof others; i++) {
		start(&p, "whatever this is");
		put_outer(&p, others[i]);
		assert_int_equal(decode_pile(&p, &packet), NJ_DROP_NONE);
		assert_int_equal(packet.protocol, others[i]);
		assert_int_equal(packet.src_port + packet.dst_port, 0);
		assert_int_equal(packet.payload_bytes, 16);
	}
}

/* ---- carriers whose inside is nothing ---- */

static void test_carrier_stands_when_its_inside_is_garbage(void **state)
{
	(void)state;
	static const uint16_t ports[] = {4789, 8472, 6081, 2152};
	struct pile p;
	struct nj_packet packet;
	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
		start(&p, "no tunnel at all, just some text of a length that would do");
		put_outer_udp(&p, ports[i]);
		assert_int_equal(decode_pile(&p, &packet), NJ_DROP_NONE);
		assert_int_equal(packet.protocol, 17);
		assert_int_equal(packet.dst_port, ports[i]);
		assert_int_equal(packet.payload_bytes, 58);
		assert_int_equal(packet.segment, 0);
		assert_int_equal(packet.encapsulations, 0);
	}
	static const char *const insides[] = {"30 81 88 0b 00 04 00 05 00 00 00 01 ff 03 00 21", /* PPTP */
					      "00 00 00 00",                                     /* a keepalive */
					      "40 00 08 00 00 00 00 00",                         /* source routing */
					      "00 00 88 be"};                                    /* ERSPAN of nothing */
	for (size_t i = 0; i < sizeof insides / sizeof *insides; i++) {
		start(&p, "text");
		put_bytes(&p, insides[i]);
		put_outer(&p, 47);
		assert_int_equal(decode_pile(&p, &packet), NJ_DROP_NONE);
		assert_int_equal(packet.protocol, 47);
		assert_int_equal(packet.encapsulations, 0);
	}
	start(&p, "text");
	put_outer(&p, 4);
	assert_int_equal(decode_pile(&p, &packet), NJ_DROP_NONE);
	assert_int_equal(packet.protocol, 4);
}

/* A carrier with a tunnel from the other side: only the destination port counts. */
static void test_tunnels_go_by_destination_port(void **state)
{
	(void)state;
	struct pile p;
	struct nj_packet packet;
	start_inner_frame(&p);
	put_bytes(&p, "08 00 00 00 00 13 88 00");
	put_udp(&p, 4789, 50000);
	put_outer(&p, 17);
	assert_int_equal(decode_pile(&p, &packet), NJ_DROP_NONE);
	assert_int_equal(packet.protocol, 17);
}

/* ---- lengths that lie ---- */

/* Decodes Ethernet, IPv4, TCP or UDP with one 16-bit or 8-bit field overwritten. */
static enum nj_drop with_field(uint8_t protocol, size_t offset, unsigned bits, uint16_t value, struct nj_packet *ret)
{
	struct pile p;
	start(&p, "hello");
	if (protocol == 6)
		put_tcp(&p);
	else
		put_udp(&p, 1000, 2000);
	put_outer(&p, protocol);
	if (bits == 8)
		p.room[p.at + offset] = (uint8_t)value;
	else
		set16(p.room + p.at + offset, value);
	return decode_pile(&p, ret);
}

static void test_lengths_that_lie(void **state)
{
	(void)state;
	struct nj_packet packet;
	assert_int_equal(with_field(6, 14, 8, 0x55, &packet), NJ_DROP_bad_ip); /* version 5 */
	assert_int_equal(with_field(6, 14, 8, 0x44, &packet), NJ_DROP_bad_ip); /* header of 16 bytes */
	assert_int_equal(with_field(6, 16, 16, 19, &packet), NJ_DROP_bad_ip);  /* shorter than its header */
	assert_int_equal(with_field(6, 16, 16, 30, &packet), NJ_DROP_bad_transport_length);
	assert_int_equal(with_field(6, 46, 8, 0x40, &packet),
			 NJ_DROP_bad_transport_length); /* TCP header of 16 bytes */
	assert_int_equal(with_field(6, 46, 8, 0xf0, &packet),
			 NJ_DROP_bad_transport_length); /* longer than its packet */
	assert_int_equal(with_field(17, 38, 16, 7, &packet), NJ_DROP_bad_transport_length);
	assert_int_equal(with_field(17, 38, 16, 14, &packet), NJ_DROP_bad_transport_length);

	assert_int_equal(with_field(17, 38, 16, 10, &packet),
			 NJ_DROP_NONE); /* UDP shorter than IP: the rest is padding */
	assert_int_equal(packet.payload_wire_bytes, 2);
	assert_int_equal(with_field(6, 16, 16, 0, &packet), NJ_DROP_NONE); /* segmentation left to the card */
	assert_int_equal(packet.payload_wire_bytes, 5);
	assert_int_equal(with_field(6, 16, 16, 65535, &packet),
			 NJ_DROP_NONE); /* more than the frame: never more than was on the wire */
	assert_int_equal(packet.payload_wire_bytes, 5);
}

static void test_padding_is_no_payload(void **state)
{
	(void)state;
	struct pile p;
	struct nj_packet packet;
	start(&p, "padding padding padding");
	p.at = PILE_BYTES - 23;
	size_t padding = size_of(&p);
	const uint8_t tcp[20] = {0x9c, 0x40, 0x01, 0xbb, [12] = 0x50, 0x02};
	front(&p, tcp, sizeof tcp);
	put_ipv4(&p, 6, 1);
	set16(p.room + p.at + 2, 40);
	put_ethernet(&p, 0x0800);
	assert_int_equal(decode_pile(&p, &packet), NJ_DROP_NONE);
	assert_int_equal(padding, 23);
	assert_int_equal(packet.payload_wire_bytes, 0);
	assert_int_equal(packet.ip_bytes, 40);
	assert_int_equal(packet.tcp_flags, NJ_TCP_SYN);
}

static void test_ipv6_lengths(void **state)
{
	(void)state;
	struct pile p, q;
	struct nj_packet packet;
	start(&p, "hello");
	put_udp(&p, 1, 2);
	put_bytes(&p, "11 08 01 04 00 00 00 00"); /* claims 72 bytes */
	put_ipv6(&p, 60, 1);
	q = p;
	put_ethernet(&p, 0x86dd);
	assert_int_equal(decode_pile(&p, &packet), NJ_DROP_bad_ip);
	q.room[q.at + 41] = 0;
	set16(q.room + q.at + 4, 0); /* a jumbogram, or segmentation left to the card */
	put_ethernet(&q, 0x86dd);
	assert_int_equal(decode_pile(&q, &packet), NJ_DROP_NONE);
	assert_int_equal(packet.payload_wire_bytes, 5);
}

/* ---- what is not IP, too deep, or of unknown link ---- */

static void test_not_ip(void **state)
{
	(void)state;
	static const struct {
		uint16_t type;
		const char *bytes;
		enum nj_drop drop;
	} cases[] = {
		{0x88cc, "02 07 04 02 00 00 00 00 01", NJ_DROP_non_ip},          /* LLDP */
		{0x0026, "42 42 03 00 00 00 00 00", NJ_DROP_non_ip},             /* spanning tree */
		{0x0026, "aa aa 03 00 00 0c 20 00", NJ_DROP_non_ip},             /* SNAP of a vendor */
		{0x8863, "11 09 00 00 00 00", NJ_DROP_non_ip},                   /* PPPoE discovery */
		{0x8864, "11 00 00 01 00 06 c0 21 01 01 00 04", NJ_DROP_non_ip}, /* PPP control */
		{0x8847, "00 01 01 40 10 00 00 21", NJ_DROP_non_ip},             /* MPLS, associated channel */
		{0x0806, "00 01 86 dd 06 10 00 01", NJ_DROP_bad_arp},
		{0x0800, "60 00 00 00 00 00 3b 40 00 00 00 00 00 00 00 00 00 00 00 00 00 00", NJ_DROP_bad_ip},
		{0x0800, "45", NJ_DROP_bad_ip},
		{0x8100, "00", NJ_DROP_truncated},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pile p;
		struct nj_packet packet;
		start(&p, "");
		put_bytes(&p, cases[i].bytes);
		put_ethernet(&p, cases[i].type);
		assert_int_equal(decode_pile(&p, &packet), cases[i].drop);
	}
	struct nj_frame frame = {.data = (const uint8_t *)"\x00\x00\x00\x07",
				 .captured_bytes = 4,
				 .wire_bytes = 4,
				 .link_type = NJ_LINK_NULL};
	struct nj_packet packet;
	assert_int_equal(nj_decode(&frame, &packet), NJ_DROP_non_ip);
	frame.link_type = 105; /* 802.11 */
	assert_int_equal(nj_decode(&frame, &packet), NJ_DROP_link_type);
}

static void test_depth_is_bounded(void **state)
{
	(void)state;
	struct pile p;
	struct nj_packet packet;
	for (int n = NJ_DECODE_DEPTH_MAX - 1; n <= NJ_DECODE_DEPTH_MAX + 1; n++) {
		enum nj_drop expected = n <= NJ_DECODE_DEPTH_MAX ? NJ_DROP_NONE : NJ_DROP_depth;
		start_inner(&p);
		for (int i = 0; i < n; i++)
			put_tag(&p, (uint16_t)(i + 1), i == 0 ? 0x0800 : 0x8100);
		put_ethernet(&p, 0x8100);
		assert_int_equal(decode_pile(&p, &packet), expected);

		start_inner(&p);
		for (int i = 0; i < n; i++)
			put_ipv4(&p, 4, 101);
		put_ethernet(&p, 0x0800);
		assert_int_equal(decode_pile(&p, &packet), expected);

		start(&p, "hello");
		put_udp(&p, 1, 2);
		for (int i = 0; i < n; i++)
			put_bytes(&p, i == 0 ? "11 00 01 04 00 00 00 00" : "3c 00 01 04 00 00 00 00");
		put_ipv6(&p, 60, 1);
		put_ethernet(&p, 0x86dd);
		assert_int_equal(decode_pile(&p, &packet), expected);
	}
}

/* ---- fragments ---- */

static void test_fragments_are_described(void **state)
{
	(void)state;
	struct pile p;
	struct nj_packet packet;
	start(&p, "16 bytes of data");
	put_ipv4(&p, 17, 1);
	set16(p.room + p.at + 6, 0x2000 | 185); /* more, at 1480 */
	put_tag(&p, 7, 0x0800);
	put_ethernet(&p, 0x8100);
	assert_int_equal(decode_pile(&p, &packet), NJ_DROP_FRAGMENT);
	assert_int_equal(packet.fragment_id, 0x1234);
	assert_int_equal(packet.fragment_offset, 1480);
	assert_int_equal(packet.fragment_more, 1);
	assert_int_equal(packet.protocol, 17);
	assert_int_equal(packet.src_port + packet.dst_port, 0);
	assert_int_equal(packet.payload_bytes, 16);
	assert_int_equal(packet.segment, 1u << 24 | 7);

	start(&p, "last fragment");
	put_bytes(&p, "11 00 00 10 00 00 ab cd"); /* at 16, last */
	put_ipv6(&p, 44, 1);
	put_ethernet(&p, 0x86dd);
	assert_int_equal(decode_pile(&p, &packet), NJ_DROP_FRAGMENT);
	assert_v6(&packet, 1);
	assert_int_equal(packet.fragment_id, 0xabcd);
	assert_int_equal(packet.fragment_offset, 16);
	assert_int_equal(packet.fragment_more, 0);
	assert_int_equal(packet.protocol, 17);
}

static void test_impossible_fragments(void **state)
{
	(void)state;
	static const struct {
		const char *data;
		uint16_t field;
	} cases[] = {
		{"15 bytes of dat", 0x2000},  /* more to come after an odd length */
		{"12 bytes of ", 0x2000},     /* or one that is no multiple of 8 */
		{"", 0x2001},                 /* nothing in it */
		{"16 bytes of data", 0x1fff}, /* past the end: 65528 + 16 */
		{"16 bytes of data", 0x3fff},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pile p;
		struct nj_packet packet;
		start(&p, cases[i].data);
		put_ipv4(&p, 17, 1);
		set16(p.room + p.at + 6, cases[i].field);
		put_ethernet(&p, 0x0800);
		assert_int_equal(decode_pile(&p, &packet), NJ_DROP_fragment_range);
	}
}

/* Every reason has a name that fits an account's record, and a meaning; no two names are equal. */
static void test_drop_names(void **state)
{
	(void)state;
	for (int i = 1; i < NJ_DROPS_N; i++) {
		const char *name = nj_drop_name((enum nj_drop)i);
		assert_true(strlen(name) > 0 && strlen(name) < 32);
		assert_true(strlen(nj_drop_meaning((enum nj_drop)i)) > 10);
		for (int j = 1; j < i; j++)
			assert_string_not_equal(name, nj_drop_name((enum nj_drop)j));
	}
	assert_string_equal(nj_drop_name(NJ_DROP_NONE), "");
	assert_string_equal(nj_drop_name(NJ_DROP_FRAGMENT), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_encapsulation),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_ipv6_extension_headers),
		cmocka_unit_test(test_6in4_and_6in6),
		cmocka_unit_test(test_loopback_families_of_ipv6),
		cmocka_unit_test(test_sctp_icmp_arp_and_unknown_protocols),
		cmocka_unit_test(test_carrier_stands_when_its_inside_is_garbage),
		cmocka_unit_test(test_tunnels_go_by_destination_port),
		cmocka_unit_test(test_lengths_that_lie),
		cmocka_unit_test(test_padding_is_no_payload),
		cmocka_unit_test(test_ipv6_lengths),
		cmocka_unit_test(test_not_ip),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_fragments_are_described),
		cmocka_unit_test(test_impossible_fragments),
		cmocka_unit_test(test_drop_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
