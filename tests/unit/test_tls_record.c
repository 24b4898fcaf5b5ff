/* Streams of records whose boundaries are known, cut into pieces at every offset; holes; captures cut short; and
 * conversations whose requests were counted by hand. */
#include "sensor/tls_record.h"
#include "tests/unit/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MS      1000000ull
#define LOG_MAX 256

static struct {
	unsigned n;
	uint8_t type[LOG_MAX];
	uint32_t size[LOG_MAX];
} seen;

static void put_record(struct bytes *b, uint8_t type, uint16_t size)
{
	put_number(b, type, 1);
	put_number(b, 0x0303, 2);
	put_number(b, size, 2);
	put_fill(b, 0x17, size); /* content that looks like the start of a header everywhere */
}

static void push(struct nj_tls_record *record, const uint8_t *data, uint32_t captured, uint32_t wire)
{
	uint8_t *copy = exact_copy(data, captured), type;
	uint32_t size;
	struct nj_tls_piece piece = {copy, captured, wire};
	while (nj_tls_record_next(record, &piece, &type, &size)) {
		assert_true(seen.n < LOG_MAX);
		seen.type[seen.n] = type;
		seen.size[seen.n++] = size;
	}
	free(copy);
}

static const uint16_t sizes[] = {300, 1, 53, 16640, 7};

static void put_stream(struct bytes *b)
{
	b->n = 0;
	for (unsigned i = 0; i < 5; i++)
		put_record(b, i == 0 ? 22 : 23, sizes[i]);
}

static void check_stream(unsigned from)
{
	assert_int_equal(seen.n, 5 - from);
	for (unsigned i = from; i < 5; i++) {
		assert_int_equal(seen.type[i - from], i == 0 ? 22 : 23);
		assert_int_equal(seen.size[i - from], sizes[i]);
	}
}

static void pieces_of_every_size(void **state)
{
	(void)state;
	static struct bytes b;
	put_stream(&b);
	for (size_t piece = 1; piece < 1500; piece += piece < 20 ? 1 : 97) {
		struct nj_tls_record record = {0};
		seen.n = 0;
		for (size_t at = 0; at < b.n; at += piece) {
			uint32_t n = (uint32_t)(b.n - at < piece ? b.n - at : piece);
			push(&record, b.at + at, n, n);
		}
		check_stream(0);
	}
}

/* With only the first bytes of each piece captured, every record whose header was captured is seen; one step is never
 * taken for another. */
static void a_capture_cut_short(void **state)
{
	(void)state;
	static struct bytes b;
	put_stream(&b);
	struct nj_tls_record record = {0};
	seen.n = 0;
	for (size_t at = 0; at < b.n;) { /* one piece a record: the header is always within the first 60 bytes */
		uint32_t n = 5u + (uint32_t)(b.at[at + 3] << 8 | b.at[at + 4]);
		push(&record, b.at + at, n < 60 ? n : 60, n);
		at += n;
	}
	check_stream(0);
	assert_int_equal(record.state, NJ_TLS_IN_STEP);
	/* two records in one piece: the second header is not captured */
	record = (struct nj_tls_record){0};
	seen.n = 0;
	push(&record, b.at, 60, 400);
	assert_int_equal(seen.n, 1);
	assert_int_equal(record.state, NJ_TLS_SEARCHING);
	/* a header cut by the capture itself */
	record = (struct nj_tls_record){0};
	push(&record, b.at, 3, 400);
	assert_int_equal(record.state, NJ_TLS_SEARCHING);
}

static void a_hole_inside_a_record_loses_nothing(void **state)
{
	(void)state;
	static struct bytes b;
	put_stream(&b);
	struct nj_tls_record record = {0};
	seen.n = 0;
	push(&record, b.at, 100, 100);
	nj_tls_record_gap(&record, 205); /* to the record's very end */
	push(&record, b.at + 305, (uint32_t)b.n - 305, (uint32_t)b.n - 305);
	check_stream(0);
}

static void a_hole_across_records_finds_the_next(void **state)
{
	(void)state;
	static struct bytes b;
	put_stream(&b);
	struct nj_tls_record record = {0};
	seen.n = 0;
	push(&record, b.at, 100, 100);
	nj_tls_record_gap(&record, 206); /* one byte into the next header */
	assert_int_equal(record.state, NJ_TLS_SEARCHING);
	push(&record, b.at + 306, (uint32_t)b.n - 306, (uint32_t)b.n - 306);
	assert_int_equal(record.state, NJ_TLS_IN_STEP);
	assert_int_equal(seen.n, 1 + 3);
	assert_int_equal(seen.size[1], 53);
	assert_int_equal(seen.size[3], 7);
	/* a hole of unknown length */
	nj_tls_record_gap(&record, UINT32_MAX);
	assert_int_equal(record.state, NJ_TLS_SEARCHING);
}

/* What looks like a record but is not followed by one is passed over. */
static void a_false_start_is_passed_over(void **state)
{
	(void)state;
	static struct bytes b;
	struct nj_tls_record record = {.state = NJ_TLS_SEARCHING};
	b.n = 0;
	put_bytes(&b, "xx\x17\x03\x03\x00\x04", 7);
	put_fill(&b, 'y', 20);
	put_record(&b, 23, 40);
	put_record(&b, 23, 50);
	seen.n = 0;
	push(&record, b.at, (uint32_t)b.n, (uint32_t)b.n);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.size[0], 40);
	assert_int_equal(seen.size[1], 50);
}

static void a_search_gives_up(void **state)
{
	(void)state;
	static struct bytes b;
	struct nj_tls_record record = {0};
	b.n = 0;
	put_fill(&b, 'z', 60000);
	seen.n = 0;
	for (unsigned i = 0; i < 5; i++)
		push(&record, b.at, 60000, 60000);
	assert_int_equal(record.state, NJ_TLS_LOST);
	put_stream(&b);
	push(&record, b.at, (uint32_t)b.n, (uint32_t)b.n);
	nj_tls_record_gap(&record, 5);
	assert_int_equal(record.state, NJ_TLS_LOST);
	assert_int_equal(seen.n, 0);
}

static void what_is_no_header(void **state)
{
	(void)state;
	static const uint8_t heads[][5] = {
		{19, 3, 3, 0, 9}, {25, 3, 3, 0, 9}, {23, 2, 3, 0, 9},
		{23, 3, 5, 0, 9}, {23, 3, 3, 0, 0}, {23, 3, 3, 0x41, 0x01},
	};
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		struct nj_tls_record record = {0};
		seen.n = 0;
		push(&record, heads[i], 5, 5);
		assert_int_equal(record.state, NJ_TLS_SEARCHING);
		assert_int_equal(seen.n, 0);
	}
}

/* Requests. Each conversation is a list of records, sent whole. */

static struct {
	unsigned began, ended, records;
	struct nj_tls_request request[LOG_MAX];
} log_;

static void note_record(void *context, uint64_t t_ns, bool from_client, uint32_t size)
{
	(void)context, (void)t_ns, (void)from_client, (void)size;
	log_.records++;
}

static void note_began(void *context, uint64_t t_ns)
{
	(void)context, (void)t_ns;
	log_.began++;
}

static void note_ended(void *context, const struct nj_tls_request *request)
{
	assert_ptr_equal(context, &log_);
	log_.request[log_.ended++] = *request;
}

static const struct nj_tls_sink sink = {&log_, note_record, note_began, note_ended};

struct step {
	uint64_t t_ms;
	char from; /* 'c' or 's' */
	uint16_t size;
};

static void converse(struct nj_tls_track *track, const struct step *steps, size_t n)
{
	static struct bytes b;
	memset(&log_, 0, sizeof log_);
	for (size_t i = 0; i < n; i++) {
		b.n = 0;
		put_record(&b, 23, steps[i].size);
		nj_tls_track_push(track, steps[i].from == 'c', steps[i].t_ms * MS, b.at, (uint32_t)b.n, (uint32_t)b.n,
				  &sink);
	}
	nj_tls_track_finish(track, &sink);
}

#define CONVERSE(track, ...)                                                                                           \
	do {                                                                                                           \
		const struct step steps[] = {__VA_ARGS__};                                                             \
		converse(track, steps, sizeof steps / sizeof steps[0]);                                                \
	} while (0)

static void requests_and_their_answers(void **state)
{
	(void)state;
	struct nj_tls_track track;
	nj_tls_track_init(&track, false);
	CONVERSE(&track, {1, 's', 500}, {2, 'c', 69}, {2, 'c', 300}, {100, 'c', 200}, {150, 's', 1000}, {160, 's', 24},
		 {400, 'c', 90}, {401, 's', 80}, {402, 'c', 91}, {403, 's', 81});
	assert_int_equal(log_.began, 3);
	assert_int_equal(log_.ended, 3);
	assert_int_equal(log_.records, 9); /* the Finished message is no data */
	const struct nj_tls_request *r = log_.request;
	assert_int_equal(r[0].start_ns, 2 * MS);
	assert_int_equal(r[0].burst_us, 98000);
	assert_int_equal(r[0].wait_ms, 50);
	assert_int_equal(r[0].request_bytes, 500);
	assert_int_equal(r[0].response_bytes, 1024);
	assert_int_equal(r[1].start_ns, 400 * MS);
	assert_int_equal(r[1].request_bytes, 90);
	assert_int_equal(r[1].response_bytes, 80);
	assert_int_equal(r[2].request_bytes, 91);
	assert_int_equal(r[2].response_bytes, 81);
}

static void silence_parts_requests_without_answer(void **state)
{
	(void)state;
	struct nj_tls_track track;
	nj_tls_track_init(&track, false);
	CONVERSE(&track, {0, 'c', 100}, {199, 'c', 100}, {398, 'c', 100}, {598, 'c', 100});
	assert_int_equal(log_.ended, 2);
	assert_int_equal(log_.request[0].request_bytes, 300);
	assert_int_equal(log_.request[0].burst_us, 398000);
	assert_int_equal(log_.request[0].wait_ms, 0);
	assert_int_equal(log_.request[0].response_bytes, 0);
	assert_int_equal(log_.request[1].request_bytes, 100);
}

/* HTTP/2: updates of the window go both ways and make neither requests nor answers; an upload stays one request. */
static void steering_is_not_counted(void **state)
{
	(void)state;
	struct nj_tls_track track;
	nj_tls_track_init(&track, false);
	CONVERSE(&track, {0, 'c', 30}, {1, 'c', 16401}, {20, 's', 30}, {21, 'c', 16401}, {40, 's', 30},
		 {41, 'c', 16401}, {90, 's', 200}, {91, 'c', 30}, {95, 's', 300});
	assert_int_equal(log_.began, 1);
	assert_int_equal(log_.ended, 1);
	assert_int_equal(log_.request[0].request_bytes, 3 * 16401);
	assert_int_equal(log_.request[0].response_bytes, 500);
	assert_int_equal(log_.request[0].wait_ms, 49);
}

static void only_the_first_record_can_be_a_finished_message(void **state)
{
	(void)state;
	struct nj_tls_track track;
	nj_tls_track_init(&track, false);
	CONVERSE(&track, {0, 'c', 53}, {1, 's', 250}, {2, 'c', 53}, {3, 's', 250});
	assert_int_equal(log_.ended, 1);
	assert_int_equal(log_.request[0].response_bytes, 250);
	nj_tls_track_init(&track, true);
	CONVERSE(&track, {0, 'c', 53}, {1, 's', 250});
	assert_int_equal(log_.ended, 1);
}

static void sums_saturate(void **state)
{
	(void)state;
	struct nj_tls_track track;
	nj_tls_track_init(&track, false);
	track.request_bytes = UINT32_MAX - 10;
	CONVERSE(&track, {0, 'c', 100}, {1, 's', 100});
	assert_int_equal(log_.request[0].request_bytes, UINT32_MAX);
}

static void finishing_twice_ends_once_and_the_flow_goes_on(void **state)
{
	(void)state;
	struct nj_tls_track track;
	nj_tls_track_init(&track, false);
	CONVERSE(&track, {0, 'c', 100});
	nj_tls_track_finish(&track, &sink);
	assert_int_equal(log_.ended, 1);
	CONVERSE(&track, {1, 's', 70}, {2, 'c', 110}, {3, 's', 70});
	assert_int_equal(log_.ended, 1);
	assert_int_equal(log_.request[0].request_bytes, 110);
	const struct nj_tls_sink deaf = {NULL, NULL, NULL, NULL};
	static struct bytes b;
	put_record(&b, 23, 100);
	nj_tls_track_push(&track, true, 4, b.at, (uint32_t)b.n, (uint32_t)b.n, &deaf);
	nj_tls_track_finish(&track, &deaf);
}

/* Garbage in pieces of any kind: the sums cannot exceed what was sent by more than the headers announced. */
static void damage_never_breaks_the_bounds(void **state)
{
	(void)state;
	static struct bytes b;
	uint64_t seed = 20261124;
	struct nj_tls_track track;
	nj_tls_track_init(&track, false);
	for (unsigned round = 0; round < 3000; round++) {
		memset(&log_, 0, sizeof log_);
		b.n = 0;
		for (unsigned i = 0; i < 4; i++)
			put_record(&b, 20 + next_random(&seed) % 5, (uint16_t)(1 + next_random(&seed) % 400));
		damage(b.at, b.n, &seed);
		uint32_t n = (uint32_t)(1 + next_random(&seed) % b.n), wire = n + next_random(&seed) % 3 * 100;
		uint8_t *copy = exact_copy(b.at, n);
		bool from_client = next_random(&seed) & 1;
		if (next_random(&seed) % 8 == 0)
			nj_tls_track_gap(&track, from_client, next_random(&seed) % 500);
		nj_tls_track_push(&track, from_client, round * MS, copy, n, wire, &sink);
		free(copy);
		assert_true(track.record[0].head_n < 5);
		assert_true(track.record[1].head_n < 5);
		if (track.record[0].state == NJ_TLS_LOST && track.record[1].state == NJ_TLS_LOST)
			nj_tls_track_init(&track, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_every_size),
		cmocka_unit_test(a_capture_cut_short),
		cmocka_unit_test(a_hole_inside_a_record_loses_nothing),
		cmocka_unit_test(a_hole_across_records_finds_the_next),
		cmocka_unit_test(a_false_start_is_passed_over),
		cmocka_unit_test(a_search_gives_up),
		cmocka_unit_test(what_is_no_header),
		cmocka_unit_test(requests_and_their_answers),
		cmocka_unit_test(silence_parts_requests_without_answer),
		cmocka_unit_test(steering_is_not_counted),
		cmocka_unit_test(only_the_first_record_can_be_a_finished_message),
		cmocka_unit_test(sums_saturate),
		cmocka_unit_test(finishing_twice_ends_once_and_the_flow_goes_on),
		cmocka_unit_test(damage_never_breaks_the_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
