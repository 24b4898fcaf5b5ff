/* Reassembly: orders, duplicates, overlaps, timeouts, limits, nested tunnels, short captures. After every frame the
 * counts must add up, and a seeded run of random fragments is compared with a plain model that keeps everything. */
#include "sensor/capture.h"
#include "sensor/decode.h"
#include "sensor/fragment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define S 1000000000ull

static struct nj_hash_key hash_key;

static int derive_key(void **state)
{
	(void)state;
	nj_hash_key_derive("", &hash_key);
	return 0;
}

static struct nj_fragment *make(uint32_t datagrams_max, uint32_t blocks_max)
{
	struct nj_fragment_options options;
	struct nj_fragment *fragment = NULL;
	nj_fragment_options_init(&options);
	options.hash_key = &hash_key;
	options.datagrams_max = datagrams_max;
	options.blocks_max = blocks_max;
	assert_int_equal(nj_fragment_new(&options, &fragment), 0);
	return fragment;
}

static void check_counts(const struct nj_fragment *fragment)
{
	const struct nj_frame_counts *c = nj_fragment_counts(fragment);
	uint64_t sum = c->decoded + c->held;
	for (int i = 1; i < NJ_DROPS_N; i++)
		sum += c->dropped[i];
	assert_int_equal(sum, c->seen);
}

static uint64_t dropped(const struct nj_fragment *fragment, enum nj_drop drop)
{
	return nj_fragment_counts(fragment)->dropped[drop];
}

/* Ends the test of a table: what is held is counted, and nothing else is left. */
static void finish(struct nj_fragment **fragment)
{
	nj_fragment_finish(*fragment);
	check_counts(*fragment);
	assert_int_equal(nj_fragment_counts(*fragment)->held, 0);
	nj_fragment_free(fragment);
	assert_null(*fragment);
	nj_fragment_free(fragment);
}

/* ---- datagrams and their pieces ---- */

struct datagram {
	uint8_t bytes[66000]; /* IP payload: UDP header and data */
	size_t n;
	uint16_t id;
	bool six;
};

static void make_datagram(struct datagram *d, uint16_t id, size_t data_bytes)
{
	d->id = id;
	d->six = false;
	d->n = data_bytes + 8;
	const uint8_t udp[8] = {0x14, 0xe9, 0x00, 0x35, (uint8_t)(d->n >> 8), (uint8_t)d->n};
	memcpy(d->bytes, udp, 8);
	for (size_t i = 8; i < d->n; i++)
		d->bytes[i] = (uint8_t)(i * 7 + i / 251 + id);
}

static size_t put_header(const struct datagram *d, uint8_t *out, size_t start, size_t n, bool more)
{
	if (d->six) {
		uint8_t h[48] = {0x60, 0,        0,        0,        (uint8_t)((n + 8) >> 8), (uint8_t)(n + 8), 44,
				 64,   [23] = 1, [39] = 2, [40] = 17};
		h[42] = (uint8_t)(start >> 8);
		h[43] = (uint8_t)(start | more);
		h[46] = (uint8_t)(d->id >> 8);
		h[47] = (uint8_t)d->id;
		memcpy(out, h, 48);
		return 48;
	}
	size_t field = start / 8 | (more ? 0x2000 : 0);
	const uint8_t h[20] = {0x45,
			       0,
			       (uint8_t)((n + 20) >> 8),
			       (uint8_t)(n + 20),
			       (uint8_t)(d->id >> 8),
			       (uint8_t)d->id,
			       (uint8_t)(field >> 8),
			       (uint8_t)field,
			       64,
			       17,
			       0,
			       0,
			       10,
			       0,
			       0,
			       1,
			       10,
			       0,
			       0,
			       2};
	memcpy(out, h, 20);
	return 20;
}

/* Pushes bytes [start, start + n) of the datagram; *lost* bytes of it were cut off by the capture. */
static bool push_cut(struct nj_fragment *fragment, const struct datagram *d, size_t start, size_t n, uint64_t t_ns,
		     uint32_t lost, struct nj_packet *ret)
{
	static uint8_t frame_bytes[66000];
	size_t header = put_header(d, frame_bytes, start, n, start + n < d->n);
	memcpy(frame_bytes + header, d->bytes + start, n);
	struct nj_frame frame = {.t_ns = t_ns,
				 .data = frame_bytes,
				 .captured_bytes = (uint32_t)(header + n) - lost,
				 .wire_bytes = (uint32_t)(header + n),
				 .link_type = NJ_LINK_RAW};
	bool whole = nj_fragment_decode(fragment, &frame, ret);
	check_counts(fragment);
	return whole;
}

static bool push(struct nj_fragment *fragment, const struct datagram *d, size_t start, size_t n, uint64_t t_ns,
		 struct nj_packet *ret)
{
	return push_cut(fragment, d, start, n, t_ns, 0, ret);
}

static void check_whole(const struct datagram *d, const struct nj_packet *p, uint32_t frames)
{
	assert_int_equal(p->protocol, 17);
	assert_int_equal(p->src_port, 5353);
	assert_int_equal(p->dst_port, 53);
	assert_int_equal(p->ip_version, d->six ? 6 : 4);
	assert_int_equal(p->ttl, 64);
	assert_int_equal(p->frames, frames);
	assert_int_equal(p->payload_wire_bytes, d->n - 8);
	assert_int_equal(p->payload_bytes, d->n - 8);
	assert_memory_equal(p->payload, d->bytes + 8, d->n - 8);
	assert_int_equal(p->ip_bytes, d->n + (d->six ? 40 : 20));
}

static struct datagram one;

static void test_in_order_and_in_reverse(void **state)
{
	(void)state;
	struct nj_fragment *f = make(8, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	for (int six = 0; six < 2; six++) {
		make_datagram(&one, (uint16_t)(6 + six), 4000);
		one.six = six;
		assert_false(push(f, &one, 0, 1480, 1, &p));
		assert_false(push(f, &one, 1480, 1480, 2, &p));
		assert_int_equal(nj_fragment_counts(f)->held, 2);
		assert_true(push(f, &one, 2960, one.n - 2960, 3, &p));
		check_whole(&one, &p, 3);
		assert_int_equal(p.t_ns, 3);
		assert_int_equal(p.wire_bytes, one.n + 3 * (six ? 48 : 20));
		assert_int_equal(nj_fragment_counts(f)->held, 0);

		make_datagram(&one, (uint16_t)(8 + six), 65507);
		one.six = six;
		uint32_t frames = 0;
		for (size_t at = (one.n - 1) / 1480 * 1480;;
		     at -= 1480) { /* the largest there is, last fragment first */
			size_t n = one.n - at < 1480 ? one.n - at : 1480;
			frames++;
			assert_int_equal(push(f, &one, at, n, 4, &p), at == 0);
			if (at == 0)
				break;
		}
		check_whole(&one, &p, frames);
	}
	finish(&f);
}

static void test_jumbo_pieces_take_several_blocks(void **state)
{
	(void)state;
	struct nj_fragment *f = make(8, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	make_datagram(&one, 6, 30000);
	assert_false(push(f, &one, 8976, 8976, 1, &p));
	assert_false(push(f, &one, 26928, one.n - 26928, 1, &p));
	assert_false(push(f, &one, 0, 8976, 1, &p));
	assert_true(push(f, &one, 17952, 8976, 1, &p));
	check_whole(&one, &p, 4);
	finish(&f);
}

static void test_frames_without_fragments_pass(void **state)
{
	(void)state;
	struct nj_fragment *f = make(1, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	make_datagram(&one, 6, 100);
	assert_true(push(f, &one, 0, one.n, 1, &p));
	assert_int_equal(p.payload_bytes, 100);
	assert_int_equal(p.frames, 1);
	assert_int_equal(nj_fragment_counts(f)->decoded, 1);
	finish(&f);
}

static void test_ids_addresses_and_segments_do_not_mix(void **state)
{
	(void)state;
	struct nj_fragment *f = make(8, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	static struct datagram other;
	make_datagram(&one, 6, 2000);
	make_datagram(&other, 7, 2000);
	assert_false(push(f, &one, 0, 1480, 1, &p));
	assert_false(push(f, &other, 1480, other.n - 1480, 1, &p));
	assert_true(push(f, &one, 1480, one.n - 1480, 1, &p));
	check_whole(&one, &p, 2);
	assert_true(push(f, &other, 0, 1480, 1, &p));
	check_whole(&other, &p, 2);
	finish(&f);
}

/* ---- what does not fit together ---- */

static void test_duplicates_are_dropped_alone(void **state)
{
	(void)state;
	struct nj_fragment *f = make(8, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	make_datagram(&one, 6, 9000);
	assert_false(push(f, &one, 0, 4496, 1, &p));
	assert_false(push(f, &one, 0, 4496, 2, &p));
	assert_int_equal(dropped(f, NJ_DROP_fragment_duplicate), 1);
	assert_true(push(f, &one, 4496, one.n - 4496, 3, &p));
	check_whole(&one, &p, 2);
	finish(&f);
}

/* Teardrop and its kin: the datagram, and what comes of it later, is dropped; the key is free again after the timeout.
 */
static void test_overlaps_poison_the_datagram(void **state)
{
	(void)state;
	static const struct {
		size_t start, n;
		bool changed;
	} second[] = {{8, 1480, false}, {0, 1480, true}, {0, 1472, false}, {800, 8, false}, {1472, 480, false}};
	for (size_t i = 0; i < sizeof second / sizeof *second; i++) {
		struct nj_fragment *f = make(8, NJ_FRAGMENT_BLOCKS_MIN);
		struct nj_packet p;
		make_datagram(&one, 6, 4000);
		assert_false(push(f, &one, 0, 1480, 1, &p));
		one.bytes[100] ^= second[i].changed;
		assert_false(push(f, &one, second[i].start, second[i].n, 2, &p));
		assert_int_equal(dropped(f, NJ_DROP_fragment_overlap), 2);
		assert_int_equal(nj_fragment_counts(f)->held, 0);
		assert_false(push(f, &one, 1480, one.n - 1480, 3, &p));
		assert_int_equal(dropped(f, NJ_DROP_fragment_overlap), 3);
		assert_false(push(f, &one, 0, 1480, 30 * S + 1, &p));
		assert_true(push(f, &one, 1480, one.n - 1480, 30 * S + 2, &p));
		check_whole(&one, &p, 2);
		finish(&f);
	}
}

static void test_two_ends_poison_the_datagram(void **state)
{
	(void)state;
	struct nj_fragment *f = make(8, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	static struct datagram shorter;
	make_datagram(&one, 6, 4000);
	make_datagram(&shorter, 6, 1992);
	assert_false(push(f, &one, 2960, one.n - 2960, 1, &p));
	assert_false(push(f, &shorter, 1480, shorter.n - 1480, 2, &p)); /* an end before the end */
	assert_int_equal(dropped(f, NJ_DROP_fragment_overlap), 2);
	make_datagram(&one, 7, 4000);
	make_datagram(&shorter, 7, 1992);
	assert_false(push(f, &shorter, 1480, shorter.n - 1480, 3, &p));
	assert_false(push(f, &one, 2960, 8, 4, &p)); /* something behind the end */
	assert_int_equal(dropped(f, NJ_DROP_fragment_overlap), 4);
	finish(&f);
}

static void test_ping_of_death(void **state)
{
	(void)state;
	struct nj_fragment *f = make(8, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	make_datagram(&one, 6, 65700);
	assert_false(push(f, &one, 64000, 1480, 1, &p));
	assert_false(push(f, &one, 65120, 480, 1, &p));
	assert_int_equal(dropped(f, NJ_DROP_fragment_range), 1);
	finish(&f);
}

/* ---- bounds ---- */

static void test_timeout(void **state)
{
	(void)state;
	struct nj_fragment *f = make(8, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	make_datagram(&one, 6, 4000);
	assert_false(push(f, &one, 0, 1480, 10 * S, &p));
	assert_false(push(f, &one, 1480, 1480, 39 * S, &p));
	nj_fragment_expire(f, 40 * S - 1);
	assert_int_equal(nj_fragment_counts(f)->held, 2);
	nj_fragment_expire(f, 40 * S);
	assert_int_equal(nj_fragment_counts(f)->held, 0);
	assert_int_equal(dropped(f, NJ_DROP_fragment_incomplete), 2);
	assert_false(push(f, &one, 2960, one.n - 2960, 40 * S, &p)); /* too late: the beginning of a new one */
	finish(&f);
}

/* The fragment's own time expires, too, and the drop is the same whether or not a window's end came first. */
static void test_timeout_by_the_next_fragment(void **state)
{
	(void)state;
	struct nj_fragment *f = make(8, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	make_datagram(&one, 6, 2000);
	assert_false(push(f, &one, 0, 1480, 10 * S, &p));
	assert_false(push(f, &one, 1480, one.n - 1480, 40 * S, &p));
	assert_int_equal(dropped(f, NJ_DROP_fragment_incomplete), 1);
	assert_int_equal(nj_fragment_counts(f)->held, 1);
	finish(&f);
}

static void test_oldest_gives_way_to_a_new_datagram(void **state)
{
	(void)state;
	struct nj_fragment *f = make(4, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	for (uint16_t id = 0; id < 5; id++) {
		make_datagram(&one, id, 2000);
		assert_false(push(f, &one, 0, 1480, id, &p));
	}
	assert_int_equal(dropped(f, NJ_DROP_fragment_limit), 1);
	make_datagram(&one, 1, 2000); /* the second is still there */
	assert_true(push(f, &one, 1480, one.n - 1480, 6, &p));
	check_whole(&one, &p, 2);
	make_datagram(&one, 0, 2000); /* the first is not */
	assert_false(push(f, &one, 1480, one.n - 1480, 7, &p));
	finish(&f);
}

static void test_oldest_gives_way_when_blocks_run_out(void **state)
{
	(void)state;
	struct nj_fragment *f = make(64, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	for (uint16_t id = 0; id < 8; id++) { /* 7 datagrams of 28 blocks are 196 > 192 */
		make_datagram(&one, id, 60000);
		assert_false(push(f, &one, 0, 56000, id, &p));
	}
	assert_int_equal(dropped(f, NJ_DROP_fragment_limit), 2);
	make_datagram(&one, 7, 60000);
	assert_true(push(f, &one, 56000, one.n - 56000, 9, &p));
	check_whole(&one, &p, 2);
	finish(&f);
}

static void test_too_many_pieces(void **state)
{
	(void)state;
	struct nj_fragment *f = make(64, 4096);
	struct nj_packet p;
	make_datagram(&one, 6, 4000);
	for (size_t i = 0; i < NJ_FRAGMENT_PIECES_MAX; i++)
		assert_false(push(f, &one, i * 8, 8, i, &p));
	assert_int_equal(nj_fragment_counts(f)->held, NJ_FRAGMENT_PIECES_MAX);
	assert_false(push(f, &one, NJ_FRAGMENT_PIECES_MAX * 8, 8, 500, &p));
	assert_int_equal(dropped(f, NJ_DROP_fragment_limit), NJ_FRAGMENT_PIECES_MAX + 1);
	finish(&f);
}

static void test_short_snapshot_length(void **state)
{
	(void)state;
	struct nj_fragment *f = make(8, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	make_datagram(&one, 6, 4000);
	assert_false(push_cut(f, &one, 1480, 1480, 1, 1000, &p));
	assert_false(push_cut(f, &one, 2960, one.n - 2960, 2, 0, &p));
	assert_true(push_cut(f, &one, 0, 1480, 3, 0, &p));
	assert_int_equal(p.payload_wire_bytes, 4000);
	assert_int_equal(p.payload_bytes, 1480 - 8 + 480);
	assert_memory_equal(p.payload, one.bytes + 8, p.payload_bytes);

	make_datagram(&one, 7, 4000);
	assert_false(push_cut(f, &one, 0, 1480, 1, 1476, &p)); /* not even the UDP header */
	assert_false(push_cut(f, &one, 1480, one.n - 1480, 1, 0, &p));
	assert_int_equal(dropped(f, NJ_DROP_truncated), 2);
	finish(&f);
}

/* ---- tunnels ---- */

/* A tunnel's packet is split, and so was the packet it carries: both are put together, and the packet counts all
 * frames. */
static void test_fragments_within_fragments(void **state)
{
	(void)state;
	struct nj_fragment *f = make(8, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	uint32_t frames = 0;
	bool whole = false;
	make_datagram(&one, 6, 5000);
	for (size_t at = 0; at < one.n; at += 1480) {
		static struct datagram outer;
		size_t n = one.n - at < 1480 ? one.n - at : 1480;
		outer = (struct datagram){.id = (uint16_t)(100 + at)};
		outer.n = put_header(&one, outer.bytes, at, n, at + n < one.n) + n;
		memcpy(outer.bytes + 20, one.bytes + at, n);
		for (size_t i = 0; i < outer.n; i += 1400) {
			size_t piece = outer.n - i < 1400 ? outer.n - i : 1400;
			uint8_t frame_bytes[1500];
			size_t header = put_header(&outer, frame_bytes, i, piece, i + piece < outer.n);
			frame_bytes[9] = 4; /* IP in IP */
			frame_bytes[15] = 101;
			memcpy(frame_bytes + header, outer.bytes + i, piece);
			struct nj_frame frame = {.t_ns = 1,
						 .data = frame_bytes,
						 .captured_bytes = (uint32_t)(header + piece),
						 .wire_bytes = (uint32_t)(header + piece),
						 .link_type = NJ_LINK_RAW};
			assert_false(whole);
			whole = nj_fragment_decode(f, &frame, &p);
			check_counts(f);
			frames++;
		}
	}
	assert_true(whole);
	check_whole(&one, &p, frames);
	assert_int_equal(p.encapsulations, 1);
	assert_int_equal(nj_fragment_counts(f)->decoded, frames);
	finish(&f);
}

static void test_segment_of_a_tunnel_is_kept(void **state)
{
	(void)state;
	struct nj_fragment *f = make(8, NJ_FRAGMENT_BLOCKS_MIN);
	struct nj_packet p;
	make_datagram(&one, 6, 2000);
	for (int half = 0; half < 2; half++) {
		uint8_t bytes[2048] = {[12] = 0x81, 0x00, 0x00, 0x07, 0x08, 0x00};
		size_t start = half * 1480u, n = half == 0 ? 1480 : one.n - 1480,
		       header = 18 + put_header(&one, bytes + 18, start, n, half == 0);
		memcpy(bytes + header, one.bytes + start, n);
		struct nj_frame frame = {.t_ns = 1,
					 .data = bytes,
					 .captured_bytes = (uint32_t)(header + n),
					 .wire_bytes = (uint32_t)(header + n),
					 .link_type = NJ_LINK_ETHERNET};
		assert_int_equal(nj_fragment_decode(f, &frame, &p), half);
	}
	check_whole(&one, &p, 2);
	assert_int_equal(p.segment, nj_segment_make(NJ_SEGMENT_VLAN, 7));
	assert_int_equal(p.encapsulations, 1);
	finish(&f);
}

/* ---- against a plain model ---- */

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Fragments of 40 datagrams in random order, some lost, some twice: exactly those datagrams come out whose every piece
 * was pushed, once, right. */
static void test_random_orders(void **state)
{
	(void)state;
	uint32_t seed = 4711;
	for (int round = 0; round < 30; round++) {
		enum { DATAGRAMS = 40, PIECES = 6 };
		struct nj_fragment *f = make(DATAGRAMS, 4096);
		struct nj_packet p;
		bool lost[DATAGRAMS] = {false};
		uint16_t order[DATAGRAMS * PIECES];
		unsigned expected = 0, came = 0;
		for (uint16_t i = 0; i < DATAGRAMS * PIECES; i++)
			order[i] = i;
		for (size_t i = DATAGRAMS * PIECES - 1; i > 0; i--) {
			size_t j = random_next(&seed) % (i + 1);
			uint16_t other = order[i];
			order[i] = order[j];
			order[j] = other;
		}
		for (size_t i = 0; i < DATAGRAMS * PIECES; i++) {
			uint16_t id = order[i] / PIECES, piece = order[i] % PIECES;
			size_t bytes = 3000 + id * 13u, step = (bytes + 8) / PIECES / 8 * 8, start = piece * step;
			make_datagram(&one, id, bytes);
			size_t n = piece == PIECES - 1 ? one.n - start : step;
			if (random_next(&seed) % 50 == 0) {
				lost[id] = true;
				continue;
			}
			if (push(f, &one, start, n, i, &p)) {
				check_whole(&one, &p, PIECES);
				assert_false(lost[id]);
				came++;
			} else if (random_next(&seed) % 10 == 0) {
				uint64_t before = dropped(f, NJ_DROP_fragment_duplicate);
				assert_false(push(f, &one, start, n, i, &p));
				assert_int_equal(dropped(f, NJ_DROP_fragment_duplicate), before + 1);
			}
		}
		for (int i = 0; i < DATAGRAMS; i++)
			expected += !lost[i];
		assert_int_equal(came, expected);
		finish(&f);
	}
}

/* Memory is what was announced: calloc'ed sizes by malloc's own account would be larger, so the formula is checked
 * against the structures. */
static void test_memory_grows_as_told(void **state)
{
	(void)state;
	struct nj_fragment_options options;
	nj_fragment_options_init(&options);
	uint64_t base = nj_fragment_memory_bytes(&options);
	options.blocks_max += 100;
	assert_int_equal(nj_fragment_memory_bytes(&options) - base, 100 * 2048);
	options.datagrams_max *= 2;
	assert_int_equal(nj_fragment_memory_bytes(&options) - base, 100 * 2048 + 1024 * (96 + 4));
}

/* ---- law 1 on every capture at hand ---- */

static void test_conservation_on_shared_captures(void **state)
{
	(void)state;
	const char *shared = getenv("NJ_SHARED");
	char path[512];
	snprintf(path, sizeof path, "%s/captures", shared != NULL ? shared : "../shared");
	if (access(path, R_OK) != 0) {
		fprintf(stderr, "SKIPPED: no captures in %s (NJ_SHARED)\n", path);
		skip();
	}
	const char *paths[] = {path};
	struct nj_capture_inputs inputs = {.paths = paths, .paths_n = 1};
	struct nj_message message;
	struct nj_capture *capture;
	struct nj_capture_stats stats;
	struct nj_frame frame;
	struct nj_packet p;
	struct nj_fragment *f = make(1024, 4096);
	assert_int_equal(nj_capture_open_files(&inputs, &message, &capture), 0);
	while (nj_capture_next(capture, &frame) == 1) {
		bool decoded = nj_fragment_decode(f, &frame, &p);
		if (nj_fragment_counts(f)->seen % 64 == 0)
			check_counts(f);
		if (decoded && p.payload != NULL) /* the sanitizers look whether it can be read */
			assert_true(p.payload[0] + p.payload[p.payload_bytes - 1] >= 0);
	}
	nj_capture_stats(capture, &stats);
	assert_true(stats.inputs_n > 1000);
	assert_int_equal(stats.frames, nj_fragment_counts(f)->seen);
	assert_true(nj_fragment_counts(f)->decoded * 10 > stats.frames * 8);
	finish(&f);
	nj_capture_close(&capture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order_and_in_reverse),
		cmocka_unit_test(test_jumbo_pieces_take_several_blocks),
		cmocka_unit_test(test_frames_without_fragments_pass),
		cmocka_unit_test(test_ids_addresses_and_segments_do_not_mix),
		cmocka_unit_test(test_duplicates_are_dropped_alone),
		cmocka_unit_test(test_overlaps_poison_the_datagram),
		cmocka_unit_test(test_two_ends_poison_the_datagram),
		cmocka_unit_test(test_ping_of_death),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_timeout_by_the_next_fragment),
		cmocka_unit_test(test_oldest_gives_way_to_a_new_datagram),
		cmocka_unit_test(test_oldest_gives_way_when_blocks_run_out),
		cmocka_unit_test(test_too_many_pieces),
		cmocka_unit_test(test_short_snapshot_length),
		cmocka_unit_test(test_fragments_within_fragments),
		cmocka_unit_test(test_segment_of_a_tunnel_is_kept),
		cmocka_unit_test(test_random_orders),
		cmocka_unit_test(test_memory_grows_as_told),
		cmocka_unit_test(test_conservation_on_shared_captures),
	};
	return cmocka_run_group_tests(tests, derive_key, NULL);
}
