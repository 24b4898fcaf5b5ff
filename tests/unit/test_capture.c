/* Reading captures: every format written here byte by byte, plain and compressed; cut at every byte; damage; merging,
 * clock, filter, folders, pipes, and more files than may be open at once. */
#include "sensor/capture.h"
#include "sensor/savefile.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#define S  1000000000ull
#define T0 1700000000ull /* seconds */

static char folder[] = "/tmp/nightjar-capture-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static int remove_folder(void **state)
{
	(void)state;
	return chdir("/") == 0 ? nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

/* ---- bytes to files ---- */

struct bytes {
	uint8_t at[1 << 17];
	size_t n;
	bool big; /* big-endian */
};

static struct bytes file; /* the one being written */

static void begin(bool big)
{
	file.n = 0;
	file.big = big;
}

static void put(const void *bytes, size_t n)
{
	assert_true(file.n + n <= sizeof file.at);
	memcpy(file.at + file.n, bytes, n);
	file.n += n;
}

static void put32(uint32_t v)
{
	const uint8_t big[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v},
		      little[4] = {big[3], big[2], big[1], big[0]};
	put(file.big ? big : little, 4);
}

static void put16(uint16_t v)
{
	const uint8_t big[2] = {(uint8_t)(v >> 8), (uint8_t)v}, little[2] = {big[1], big[0]};
	put(file.big ? big : little, 2);
}

static void save(const char *path)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(file.at, 1, file.n, f), file.n);
	assert_int_equal(fclose(f), 0);
}

static void put_pcap_header(uint32_t magic, uint32_t link_type)
{
	put32(magic);
	put16(2);
	put16(4);
	put32(0);
	put32(0);
	put32(65535);
	put32(link_type);
}

static void put_pcap_frame(uint64_t seconds, uint32_t fraction, const char *text, uint32_t wire)
{
	put32((uint32_t)seconds);
	put32(fraction);
	put32((uint32_t)strlen(text));
	put32(wire);
	put(text, strlen(text));
}

/* A pcap of frames at the given microseconds after T0, each with the text. */
static void save_times(const char *path, const uint64_t *us, size_t n, const char *text)
{
	begin(false);
	put_pcap_header(0xa1b2c3d4, 1);
	for (size_t i = 0; i < n; i++)
		put_pcap_frame(T0 + us[i] / 1000000, us[i] % 1000000, text, 60);
	save(path);
}

static void put_block(uint32_t type, const void *body, uint32_t n)
{
	uint32_t padded = (n + 3) & ~3u;
	put32(type);
	put32(12 + padded);
	put(body, n);
	put("\0\0\0", padded - n);
	put32(12 + padded);
}

static void put_section(void)
{
	put32(0x0a0d0d0a);
	put32(28);
	put32(0x1a2b3c4d);
	put16(1);
	put16(0);
	put32(UINT32_MAX);
	put32(UINT32_MAX);
	put32(28);
}

static void put_interface(uint16_t link_type, int resolution, int64_t offset_s)
{
	put32(1);
	put32(20 + 8 + 12 + 4);
	put16(link_type);
	put16(0);
	put32(0);
	put16(9);
	put16(1);
	const uint8_t r[4] = {(uint8_t)resolution};
	put(r, 4);
	put16(14);
	put16(8);
	uint32_t low = (uint32_t)(uint64_t)offset_s, high = (uint32_t)((uint64_t)offset_s >> 32);
	put32(file.big ? high : low);
	put32(file.big ? low : high);
	put32(0);
	put32(20 + 8 + 12 + 4);
}

static void put_enhanced(uint32_t interface, uint64_t ticks, const char *text, uint32_t wire)
{
	uint32_t n = (uint32_t)strlen(text), padded = (n + 3) & ~3u;
	put32(6);
	put32(32 + padded);
	put32(interface);
	put32((uint32_t)(ticks >> 32));
	put32((uint32_t)ticks);
	put32(n);
	put32(wire);
	put(text, n);
	put("\0\0\0", padded - n);
	put32(32 + padded);
}

/* ---- reading ---- */

static struct nj_capture *open_with(const char *const *paths, uint32_t n, const char *filter)
{
	struct nj_capture_inputs inputs = {.paths = paths, .paths_n = n, .filter = filter};
	struct nj_message message;
	struct nj_capture *capture = NULL;
	if (nj_capture_open_files(&inputs, &message, &capture) != NJ_OK)
		fail_msg("%s", message.text);
	return capture;
}

static struct nj_capture *open_one(const char *path)
{
	return open_with(&path, 1, NULL);
}

static void expect_frame(struct nj_capture *capture, uint64_t t_ns, const char *text, uint32_t wire, int link_type)
{
	struct nj_frame frame;
	assert_int_equal(nj_capture_next(capture, &frame), 1);
	assert_int_equal(frame.t_ns, t_ns);
	assert_int_equal(frame.captured_bytes, strlen(text));
	assert_memory_equal(frame.data, text, strlen(text));
	assert_int_equal(frame.wire_bytes, wire);
	assert_int_equal(frame.link_type, link_type);
}

static void expect_end(struct nj_capture **capture)
{
	struct nj_frame frame;
	struct nj_capture_stats stats;
	assert_int_equal(nj_capture_next(*capture, &frame), 0);
	assert_int_equal(nj_capture_next(*capture, &frame), 0);
	nj_capture_stats(*capture, &stats);
	assert_int_equal(stats.bytes_consumed, stats.bytes_total);
	nj_capture_close(capture);
	assert_null(*capture);
	nj_capture_close(capture);
}

static void expect_report(const struct nj_capture *capture, uint32_t index, uint64_t frames, bool failed,
			  const char *text)
{
	struct nj_capture_report report;
	nj_capture_report(capture, index, &report);
	assert_int_equal(report.frames, frames);
	assert_int_equal(report.failed, failed);
	if (strstr(report.error, text) == NULL || (text[0] == '\0' && report.error[0] != '\0'))
		fail_msg("%s: \"%s\" expected, got \"%s\"", report.path, text, report.error);
}

static uint64_t count_frames(struct nj_capture *capture)
{
	struct nj_frame frame;
	uint64_t n = 0;
	while (nj_capture_next(capture, &frame) == 1)
		n++;
	return n;
}

/* ---- formats ---- */

static void test_pcap_of_every_kind(void **state)
{
	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		bool nano = kind & 1;
		begin(kind >= 2);
		put_pcap_header(nano ? 0xa1b23c4d : 0xa1b2c3d4,
				0xf0000000u | 113); /* high bits: frame check sequence */
		put_pcap_frame(T0, 5, "first", 60);
		put_pcap_frame(T0 + 1, 999999, "", 0);
		put_pcap_frame(T0 + 2, 7, "longer than the wire", 3);
		save("x");
		struct nj_capture *capture = open_one("x");
		expect_frame(capture, T0 * S + (nano ? 5 : 5000), "first", 60, 113);
		expect_frame(capture, (T0 + 1) * S + (nano ? 999999 : 999999000), "", 0, 113);
		expect_frame(capture, (T0 + 2) * S + (nano ? 7 : 7000), "longer than the wire", 20, 113);
		expect_report(capture, 0, 3, false, "");
		expect_end(&capture);
	}
}

static void test_pcap_with_longer_record_headers(void **state)
{
	(void)state;
	begin(false);
	put_pcap_header(0xa1b2cd34, 1);
	for (int i = 0; i < 2; i++) {
		put32(T0);
		put32(i);
		put32(3);
		put32(60);
		put("\1\0\0\0\0\10\0\0abc", 11);
	}
	save("x");
	struct nj_capture *capture = open_one("x");
	expect_frame(capture, T0 * S, "abc", 60, 1);
	expect_frame(capture, T0 * S + 1000, "abc", 60, 1);
	expect_end(&capture);
}

/* What libpcap refuses: interfaces of different link types and resolutions, and sections of different byte orders. */
static void test_pcapng_interfaces_and_sections(void **state)
{
	(void)state;
	begin(false);
	put_section();
	put_interface(1, 6, 0);
	put_interface(101, 9, 0);
	put_interface(276, 0x80 | 10, 0); /* 1/1024 s */
	put_interface(1, 12, T0);         /* picoseconds, and where they start: 64 bits of them are 213 days */
	put_block(5, "statistics, of no use here", 26);
	put_enhanced(0, T0 * 1000000 + 1, "micro", 60);
	put_enhanced(1, T0 * S + 1500, "nano", 4);
	put_block(0x0bad, "unknown", 7);
	put_enhanced(2, T0 * 1024 + 512, "binary", 6);
	put_enhanced(3, 1000000000000 + 5000, "pico", 4);
	const uint8_t simple[] = {8, 0, 0, 0, 's', 'i', 'm', 'p', 'l', 'e', '!', '!'};
	put_block(3, simple, sizeof simple);
	uint64_t ticks = (T0 + 2) * 1000000;
	put32(2); /* the obsolete packet block */
	put32(32 + 4);
	put16(0);
	put16(0);
	put32((uint32_t)(ticks >> 32));
	put32((uint32_t)ticks);
	put32(3);
	put32(60);
	put("old\0", 4);
	put32(32 + 4);
	file.big = true;
	put_section();
	put_interface(113, 9, 0);
	put_enhanced(0, (T0 + 3) * S, "other order", 11);
	save("x");
	struct nj_capture *capture = open_one("x");
	expect_frame(capture, T0 * S + 1000, "micro", 60, 1);
	expect_frame(capture, T0 * S + 1500, "nano", 4, 101);
	expect_frame(capture, T0 * S + S / 2, "binary", 6, 276);
	expect_frame(capture, (T0 + 1) * S + 5, "pico", 4, 1);
	expect_frame(capture, (T0 + 1) * S + 5, "simple!!", 8, 1);
	expect_frame(capture, (T0 + 2) * S, "old", 60, 1);
	expect_frame(capture, (T0 + 3) * S, "other order", 11, 113);
	expect_report(capture, 0, 7, false, "");
	expect_end(&capture);
}

/* ---- compression ---- */

static void make_long_pcap(unsigned frames)
{
	begin(false);
	put_pcap_header(0xa1b2c3d4, 1);
	for (unsigned i = 0; i < frames; i++) {
		char text[64];
		snprintf(text, sizeof text, "frame number %u of a long capture", i);
		put_pcap_frame(T0 + i, 0, text, 60);
	}
}

static size_t gzip(const uint8_t *in, size_t n, uint8_t *out, size_t room)
{
	z_stream z = {0};
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (uint8_t *)(uintptr_t)in;
	z.avail_in = (uInt)n;
	z.next_out = out;
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return room - z.avail_out;
}

static void expect_long_pcap(const char *path, unsigned frames)
{
	struct nj_capture *capture = open_one(path);
	for (unsigned i = 0; i < frames; i++) {
		char text[64];
		snprintf(text, sizeof text, "frame number %u of a long capture", i);
		expect_frame(capture, (T0 + i) * S, text, 60, 1);
	}
	expect_report(capture, 0, frames, false, "");
	expect_end(&capture);
}

static void test_gzip_and_zstd(void **state)
{
	(void)state;
	static uint8_t packed[1 << 17];
	make_long_pcap(2000);
	struct bytes *plain = malloc(sizeof *plain);
	assert_non_null(plain);
	*plain = file;
	save("plain");
	expect_long_pcap("plain", 2000);
	file.n = gzip(plain->at, plain->n, packed, sizeof packed);
	memcpy(file.at, packed, file.n);
	save("x.txt"); /* told by its bytes, not its name */
	expect_long_pcap("x.txt", 2000);
	size_t half = plain->n / 2, first = gzip(plain->at, half, packed, sizeof packed); /* two members */
	file.n = first + gzip(plain->at + half, plain->n - half, packed + first, sizeof packed - first);
	memcpy(file.at, packed, file.n);
	save("x");
	expect_long_pcap("x", 2000);
	file.n = ZSTD_compress(packed, sizeof packed, plain->at, plain->n, 3);
	memcpy(file.at, packed, file.n);
	save("x");
	expect_long_pcap("x", 2000);

	file.n -= 100; /* cut short: what came before is there */
	save("x");
	struct nj_capture *capture = open_one("x");
	uint64_t n = count_frames(capture);
	expect_report(capture, 0, n, true, "compressed data ends early at byte");
	nj_capture_close(&capture);
	file.n = gzip(plain->at, plain->n, packed, sizeof packed);
	memcpy(file.at, packed, file.n);
	file.at[file.n - 6] ^= 1; /* its check sum */
	save("x");
	capture = open_one("x");
	assert_int_equal(count_frames(capture), 2000);
	expect_report(capture, 0, 2000, true, "damaged gzip data before byte");
	nj_capture_close(&capture);
	free(plain);
}

/* ---- damage ---- */

static void test_pcap_cut_at_every_byte(void **state)
{
	(void)state;
	make_long_pcap(4);
	size_t whole = file.n;
	const size_t frame_bytes = (whole - 24) / 4;
	for (size_t n = 0; n <= whole; n++) {
		file.n = n;
		save("x");
		struct nj_capture *capture = open_one("x");
		uint64_t frames = n < 24 ? 0 : (n - 24) / frame_bytes;
		bool sound = n >= 24 && (n - 24) % frame_bytes == 0;
		assert_int_equal(count_frames(capture), frames);
		expect_report(capture, 0, frames, !sound,
			      sound    ? ""
			      : n == 0 ? "empty"
			      : n < 4  ? "no capture file"
				       : "cut short at byte");
		nj_capture_close(&capture);
	}
}

static void test_pcapng_cut_at_every_byte(void **state)
{
	(void)state;
	begin(false);
	put_section();
	put_interface(1, 9, 0);
	put_block(4, "names, passed over", 18);
	put_enhanced(0, T0 * S, "first", 60);
	size_t first = file.n;
	put_enhanced(0, T0 * S, "second", 60);
	size_t whole = file.n;
	for (size_t n = 4; n <= whole; n++) {
		file.n = n;
		save("x");
		struct nj_capture *capture = open_one("x");
		uint64_t frames = (n >= first) + (n >= whole);
		bool sound = n == 28 || n == 28 + 44 || n == 28 + 44 + 32 || n == first || n == whole;
		assert_int_equal(count_frames(capture), frames);
		expect_report(capture, 0, frames, !sound, sound ? "" : "cut short at byte");
		nj_capture_close(&capture);
	}
}

/* Overwrites four bytes of a two-frame pcapng and says how many frames and which words come out. */
static void expect_damaged_pcapng(size_t at, uint32_t value, uint64_t frames, const char *text)
{
	begin(false);
	put_section();
	put_interface(1, 9, 0);
	put_enhanced(0, T0 * S, "first", 60);
	put_enhanced(0, T0 * S, "second", 60);
	size_t whole = file.n;
	file.n = at;
	put32(value);
	file.n = whole;
	save("x");
	struct nj_capture *capture = open_one("x");
	assert_int_equal(count_frames(capture), frames);
	expect_report(capture, 0, frames, true, text);
	nj_capture_close(&capture);
}

static void test_damaged_pcapng(void **state)
{
	(void)state;
	const size_t interface = 28, first = interface + 44, second = first + 40;
	expect_damaged_pcapng(8, 0x12345678, 0, "byte-order mark");
	expect_damaged_pcapng(12, 2, 0, "pcapng version 2.0 at byte 0");
	expect_damaged_pcapng(4, 8, 0, "damaged at byte 0, frame 1: block of length 8");
	expect_damaged_pcapng(interface + 18, 0x00ff0009, 0, "damaged at byte 28"); /* an option past the block's end */
	expect_damaged_pcapng(interface + 20, 0x7f, 0, "a wrong option in the block of interface 0");
	expect_damaged_pcapng(second + 4, 42, 1, "damaged at byte 112, frame 2: block of length 42");
	expect_damaged_pcapng(second + 4, 0x7ffffff0, 1, "block of length 2147483632");
	expect_damaged_pcapng(second + 4, 28, 1, "lengths disagree");
	expect_damaged_pcapng(second + 8, 1, 1, "no such interface: 1");
	expect_damaged_pcapng(second + 20, 9, 1, "captured length 9");
	expect_damaged_pcapng(second + 36, 36, 1, "lengths disagree, the second is 36");
}

static void test_damaged_pcap(void **state)
{
	(void)state;
	make_long_pcap(3);
	size_t third = 24 + 2 * (file.n - 24) / 3;
	size_t whole = file.n;
	file.n = third + 8;
	put32(NJ_SAVEFILE_FRAME_BYTES_MAX + 1);
	file.n = whole;
	save("x");
	struct nj_capture *capture = open_one("x");
	assert_int_equal(count_frames(capture), 2);
	char text[80];
	snprintf(text, sizeof text, "damaged at byte %zu, frame 3: captured length 262145", third);
	expect_report(capture, 0, 2, true, text);
	nj_capture_close(&capture);
}

static void test_what_cannot_be_read_is_told(void **state)
{
	(void)state;
	begin(false);
	put("this is no capture", 18);
	save("garbage");
	const uint64_t us[] = {1, 2};
	save_times("good", us, 2, "x");
	const char *paths[] = {"missing", "garbage", "good", "good/below"};
	struct nj_capture *capture = open_with(paths, 4, NULL);
	struct nj_capture_stats stats;
	assert_int_equal(count_frames(capture), 2);
	expect_report(capture, 0, 0, true, "cannot open: No such file or directory");
	expect_report(capture, 1, 0, true, "no capture file: it begins with 74 68 69 73, neither pcap nor pcapng");
	expect_report(capture, 2, 2, false, "");
	expect_report(capture, 3, 0, true, "cannot open: Not a directory");
	nj_capture_stats(capture, &stats);
	assert_int_equal(stats.inputs_n, 4);
	assert_int_equal(stats.inputs_failed, 3);
	assert_int_equal(stats.frames, 2);
	nj_capture_close(&capture);
}

static void test_wrong_usage_is_refused(void **state)
{
	(void)state;
	const uint64_t us[] = {1};
	save_times("good", us, 1, "x");
	const char *paths[] = {"good"}, *empty[] = {""};
	struct nj_message message;
	struct nj_capture *capture = NULL;
	struct nj_capture_inputs inputs = {.paths = paths, .paths_n = 0};
	assert_int_equal(nj_capture_open_files(&inputs, &message, &capture), NJ_ERR_USAGE);
	inputs = (struct nj_capture_inputs){.paths = empty, .paths_n = 1};
	assert_int_equal(nj_capture_open_files(&inputs, &message, &capture), NJ_ERR_USAGE);
	inputs = (struct nj_capture_inputs){.paths = paths, .paths_n = 1, .filter = "tcp or nonsense"};
	assert_int_equal(nj_capture_open_files(&inputs, &message, &capture), NJ_ERR_USAGE);
	assert_non_null(strstr(message.text, "filter \"tcp or nonsense\": "));
	assert_null(capture);
}

/* ---- merging and the clock ---- */

static void test_merge_by_time_then_by_order(void **state)
{
	(void)state;
	const uint64_t a[] = {10, 30, 50, 50}, b[] = {20, 30, 60}, c[] = {5, 30, 70};
	save_times("a", a, 4, "a");
	save_times("b", b, 3, "b");
	save_times("c", c, 3, "c");
	const char *paths[] = {"b", "a", "c"};
	struct nj_capture *capture = open_with(paths, 3, NULL);
	static const struct {
		uint64_t us;
		const char *text;
	} expected[] = {{5, "c"},  {10, "a"}, {20, "b"}, {30, "b"}, {30, "a"},
			{30, "c"}, {50, "a"}, {50, "a"}, {60, "b"}, {70, "c"}};
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		expect_frame(capture, T0 * S + expected[i].us * 1000, expected[i].text, 60, 1);
	struct nj_capture_stats stats;
	nj_capture_stats(capture, &stats);
	assert_int_equal(stats.clock_clamps, 0);
	expect_end(&capture);
}

/* A file still waiting whose first frame has the time of the one to come: its place in the list decides, not that it
 * waits. */
static void test_a_waiting_file_may_go_first(void **state)
{
	(void)state;
	const uint64_t a[] = {30}, b[] = {20, 30};
	save_times("a", a, 1, "a");
	save_times("b", b, 2, "b");
	const char *paths[] = {"a", "b"};
	struct nj_capture *capture = open_with(paths, 2, NULL);
	expect_frame(capture, T0 * S + 20000, "b", 60, 1);
	expect_frame(capture, T0 * S + 30000, "a", 60, 1);
	expect_frame(capture, T0 * S + 30000, "b", 60, 1);
	expect_end(&capture);
}

static void test_clock_never_goes_back(void **state)
{
	(void)state;
	const uint64_t a[] = {100, 40, 110}, b[] = {50, 105};
	save_times("a", a, 3, "a");
	save_times("b", b, 2, "b");
	const char *paths[] = {"a", "b"};
	struct nj_capture *capture = open_with(paths, 2, NULL);
	expect_frame(capture, T0 * S + 50000, "b", 60, 1);
	expect_frame(capture, T0 * S + 100000, "a", 60, 1);
	expect_frame(capture, T0 * S + 100000, "a", 60, 1); /* 40, clamped */
	expect_frame(capture, T0 * S + 105000, "b", 60, 1);
	expect_frame(capture, T0 * S + 110000, "a", 60, 1);
	struct nj_capture_stats stats;
	nj_capture_stats(capture, &stats);
	assert_int_equal(stats.clock_clamps, 1);
	expect_end(&capture);
}

/* One absurd time does not drag the others along; a real gap stays. */
static void test_a_lone_jump_is_put_right(void **state)
{
	(void)state;
	const uint64_t day = 86400000000, first[] = {400 * day, 10, 20}, middle[] = {10, 20, 400 * day, 30},
		       gap[] = {10, 2 * day, 2 * day + 5}, last[] = {10, 400 * day};
	struct nj_capture_stats stats;
	save_times("x", first, 3, "x");
	struct nj_capture *capture = open_one("x");
	expect_frame(capture, T0 * S + 10000, "x", 60, 1);
	expect_frame(capture, T0 * S + 10000, "x", 60, 1);
	expect_frame(capture, T0 * S + 20000, "x", 60, 1);
	nj_capture_stats(capture, &stats);
	assert_int_equal(stats.clock_jumps, 1);
	expect_end(&capture);
	save_times("x", middle, 4, "x");
	capture = open_one("x");
	expect_frame(capture, T0 * S + 10000, "x", 60, 1);
	expect_frame(capture, T0 * S + 20000, "x", 60, 1);
	expect_frame(capture, T0 * S + 20000, "x", 60, 1);
	expect_frame(capture, T0 * S + 30000, "x", 60, 1);
	nj_capture_stats(capture, &stats);
	assert_int_equal(stats.clock_jumps, 1);
	assert_int_equal(stats.clock_clamps, 0);
	expect_end(&capture);
	save_times("x", gap, 3, "x");
	capture = open_one("x");
	expect_frame(capture, T0 * S + 10000, "x", 60, 1);
	expect_frame(capture, T0 * S + 2 * day * 1000, "x", 60, 1);
	expect_frame(capture, T0 * S + 2 * day * 1000 + 5000, "x", 60, 1);
	nj_capture_stats(capture, &stats);
	assert_int_equal(stats.clock_jumps, 0);
	expect_end(&capture);
	save_times("x", last, 2, "x");
	capture = open_one("x");
	expect_frame(capture, T0 * S + 10000, "x", 60, 1);
	expect_frame(capture, T0 * S + 400 * day * 1000, "x", 60, 1);
	expect_end(&capture);
}

static void test_a_time_that_cannot_be(void **state)
{
	(void)state;
	begin(false);
	put_section();
	put_interface(1, 6, 0);
	put_enhanced(0, T0 * 1000000, "good", 60);
	put_enhanced(0, UINT64_MAX, "absurd", 60);
	put_enhanced(0, T0 * 1000000 + 5, "good", 60);
	save("x");
	struct nj_capture *capture = open_one("x");
	expect_frame(capture, T0 * S, "good", 60, 1);
	expect_frame(capture, T0 * S, "absurd", 60, 1);
	expect_frame(capture, T0 * S + 5000, "good", 60, 1);
	struct nj_capture_stats stats;
	nj_capture_stats(capture, &stats);
	assert_int_equal(stats.clock_jumps, 1);
	expect_end(&capture);
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* 1,200 files that all overlap: every one is read to its end in the right order with few of them open. */
static void test_more_files_than_may_be_open(void **state)
{
	(void)state;
	enum { FILES = 1200, FRAMES = 3 };
	static char names[FILES][16];
	static const char *paths[FILES];
	for (unsigned i = 0; i < FILES; i++) {
		uint64_t us[FRAMES];
		for (unsigned k = 0; k < FRAMES; k++)
			us[k] = k * 100000 + (i * 7919) % FILES;
		snprintf(names[i], sizeof names[i], "f%u", i);
		paths[i] = names[i];
		save_times(names[i], us, FRAMES, names[i]);
	}
	unsigned before = open_descriptors(), most = 0;
	struct nj_capture *capture = open_with(paths, FILES, NULL);
	struct nj_capture_stats stats;
	struct nj_frame frame;
	uint64_t last = 0, n = 0;
	while (nj_capture_next(capture, &frame) == 1) {
		assert_true(n == 0 || frame.t_ns > last || n % FILES == 0);
		last = frame.t_ns;
		if (n++ % 100 == 0) {
			unsigned now = open_descriptors();
			most = now > most ? now : most;
		}
	}
	assert_int_equal(n, FILES * FRAMES);
	assert_in_range(most - before, 1, NJ_CAPTURE_OPEN_MAX);
	nj_capture_stats(capture, &stats);
	assert_int_equal(stats.clock_clamps, 0);
	assert_int_equal(stats.inputs_failed, 0);
	assert_int_equal(stats.bytes_consumed, stats.bytes_total);
	nj_capture_close(&capture);
	assert_int_equal(open_descriptors(), before);
	for (unsigned i = 0; i < FILES; i++)
		unlink(names[i]);
}

/* A frame longer than a file's read-ahead, and files that lose and regain their descriptor between two halves of a
 * record. */
static void test_large_frames_survive_reopening(void **state)
{
	(void)state;
	enum { FILES = 80, FRAMES = 3 };
	static char text[40000];
	static char names[FILES][16];
	static const char *paths[FILES];
	for (unsigned i = 0; i < FILES; i++) {
		memset(text, 'a' + (int)(i % 26), sizeof text - 1);
		snprintf(names[i], sizeof names[i], "f%u", i);
		paths[i] = names[i];
		begin(false);
		put_pcap_header(0xa1b2c3d4, 1);
		for (unsigned k = 0; k < FRAMES; k++)
			put_pcap_frame(T0 + k, i, text, sizeof text - 1);
		save(names[i]);
	}
	struct nj_capture *capture = open_with(paths, FILES, NULL);
	for (unsigned k = 0; k < FRAMES; k++)
		for (unsigned i = 0; i < FILES; i++) {
			memset(text, 'a' + (int)(i % 26), sizeof text - 1);
			expect_frame(capture, (T0 + k) * S + i * 1000, text, sizeof text - 1, 1);
		}
	expect_end(&capture);
	for (unsigned i = 0; i < FILES; i++)
		unlink(names[i]);
}

/* ---- where files are found ---- */

static void test_folders_are_searched_in_order(void **state)
{
	(void)state;
	const uint64_t us[] = {7};
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(mkdir("d/b", 0700), 0);
	assert_int_equal(symlink("..", "d/loop"), 0);
	save_times("d/c", us, 1, "c");
	save_times("d/a", us, 1, "a");
	save_times("d/b/x", us, 1, "bx");
	save_times("d/.hidden", us, 1, "h");
	begin(false);
	put("# not a capture", 15);
	save("d/README");
	file.n = 0;
	save("d/nothing");
	struct nj_capture *capture = open_one("d/");
	expect_frame(capture, T0 * S + 7000, "a", 60, 1);
	expect_frame(capture, T0 * S + 7000, "bx", 60, 1);
	expect_frame(capture, T0 * S + 7000, "c", 60, 1);
	struct nj_capture_stats stats;
	struct nj_capture_report report;
	nj_capture_stats(capture, &stats);
	assert_int_equal(stats.inputs_n, 5);
	assert_int_equal(stats.inputs_failed, 0);
	assert_int_equal(stats.inputs_skipped, 2);
	nj_capture_report(capture, 0, &report);
	assert_string_equal(report.path, "d/README");
	assert_true(report.skipped);
	nj_capture_report(capture, 2, &report);
	assert_string_equal(report.path, "d/b/x");
	assert_int_equal(count_frames(capture), 0);
	nj_capture_close(&capture);
}

/* Standard input and another pipe, read only once, merged with a file. */
static void test_pipes(void **state)
{
	(void)state;
	const uint64_t a[] = {10, 40}, b[] = {20, 50}, c[] = {30, 60};
	int first[2], second[2], standard = dup(STDIN_FILENO);
	assert_int_equal(pipe(first), 0);
	assert_int_equal(pipe(second), 0);
	save_times("x", a, 2, "a");
	assert_int_equal(write(first[1], file.at, file.n), file.n);
	save_times("x", b, 2, "b");
	assert_int_equal(write(second[1], file.at, file.n), file.n);
	close(first[1]);
	close(second[1]);
	save_times("x", c, 2, "c");
	dup2(first[0], STDIN_FILENO);
	close(first[0]);
	char name[32];
	snprintf(name, sizeof name, "/dev/fd/%d", second[0]);
	const char *paths[] = {"-", name, "x"};
	struct nj_capture *capture = open_with(paths, 3, NULL);
	static const struct {
		uint64_t us;
		const char *text;
	} expected[] = {{10, "a"}, {20, "b"}, {30, "c"}, {40, "a"}, {50, "b"}, {60, "c"}};
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		expect_frame(capture, T0 * S + expected[i].us * 1000, expected[i].text, 60, 1);
	struct nj_frame frame;
	struct nj_capture_stats stats;
	assert_int_equal(nj_capture_next(capture, &frame), 0);
	nj_capture_stats(capture, &stats);
	assert_int_equal(stats.bytes_total, 0); /* nobody knows */
	assert_int_equal(stats.inputs_failed, 0);
	nj_capture_close(&capture);
	close(second[0]);
	dup2(standard, STDIN_FILENO);
	close(standard);
}

static void test_stop_ends_the_stream(void **state)
{
	(void)state;
	const uint64_t us[] = {1, 2, 3};
	save_times("x", us, 3, "x");
	struct nj_capture *capture = open_one("x");
	struct nj_frame frame;
	struct nj_capture_stats stats;
	assert_int_equal(nj_capture_next(capture, &frame), 1);
	nj_capture_stop(capture);
	assert_int_equal(nj_capture_next(capture, &frame), 0);
	nj_capture_stats(capture, &stats);
	assert_int_equal(stats.frames, 1);
	assert_int_equal(stats.inputs_failed, 0);
	nj_capture_close(&capture);
}

/* ---- filter ---- */

static void test_filter_by_link_type(void **state)
{
	(void)state;
	static const char tcp_443[] = "\x45\x00\x00\x28\x00\x00\x00\x00\x40\x06\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02"
				      "\x9c\x40\x01\xbb\0\0\0\0\0\0\0\0\x50\x02\0\0\0\0\0\0";
	static const char tcp_80[] = "\x45\x00\x00\x28\x00\x00\x00\x00\x40\x06\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02"
				     "\x9c\x40\x00\x50\0\0\0\0\0\0\0\0\x50\x02\0\0\0\0\0\0";
	begin(false);
	put_section();
	put_interface(101, 6, 0);
	put_interface(1, 6, 0);
	for (unsigned i = 0; i < 4; i++) {
		uint8_t body[20 + 54] = {0};
		uint32_t link = i / 2, ether = link == 1 ? 14 : 0, n = ether + 40;
		memcpy(body, &link, 4);
		uint64_t ticks = T0 * 1000000 + i;
		uint32_t high = (uint32_t)(ticks >> 32), low = (uint32_t)ticks;
		memcpy(body + 4, &high, 4);
		memcpy(body + 8, &low, 4);
		memcpy(body + 12, &n, 4);
		memcpy(body + 16, &n, 4);
		if (ether > 0)
			body[20 + 12] = 8;
		memcpy(body + 20 + ether, i % 2 == 0 ? tcp_443 : tcp_80, 40);
		put_block(6, body, 20 + n);
	}
	save("x");
	const char *path = "x";
	struct nj_capture *capture = open_with(&path, 1, "tcp dst port 443");
	struct nj_frame frame;
	struct nj_capture_stats stats;
	assert_int_equal(nj_capture_next(capture, &frame), 1);
	assert_int_equal(frame.link_type, 101);
	assert_int_equal(nj_capture_next(capture, &frame), 1);
	assert_int_equal(frame.link_type, 1);
	assert_int_equal(nj_capture_next(capture, &frame), 0);
	nj_capture_stats(capture, &stats);
	assert_int_equal(stats.frames, 2);
	assert_int_equal(stats.filtered, 2);
	nj_capture_close(&capture);
	capture =
		open_with(&path, 1, "ether host 00:00:00:00:00:00"); /* means nothing for raw IP: takes none of those */
	assert_int_equal(count_frames(capture), 2);
	nj_capture_close(&capture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap_of_every_kind),
		cmocka_unit_test(test_pcap_with_longer_record_headers),
		cmocka_unit_test(test_pcapng_interfaces_and_sections),
		cmocka_unit_test(test_gzip_and_zstd),
		cmocka_unit_test(test_pcap_cut_at_every_byte),
		cmocka_unit_test(test_pcapng_cut_at_every_byte),
		cmocka_unit_test(test_damaged_pcapng),
		cmocka_unit_test(test_damaged_pcap),
		cmocka_unit_test(test_what_cannot_be_read_is_told),
		cmocka_unit_test(test_wrong_usage_is_refused),
		cmocka_unit_test(test_merge_by_time_then_by_order),
		cmocka_unit_test(test_a_waiting_file_may_go_first),
		cmocka_unit_test(test_clock_never_goes_back),
		cmocka_unit_test(test_a_lone_jump_is_put_right),
		cmocka_unit_test(test_a_time_that_cannot_be),
		cmocka_unit_test(test_more_files_than_may_be_open),
		cmocka_unit_test(test_large_frames_survive_reopening),
		cmocka_unit_test(test_folders_are_searched_in_order),
		cmocka_unit_test(test_pipes),
		cmocka_unit_test(test_stop_ends_the_stream),
		cmocka_unit_test(test_filter_by_link_type),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
