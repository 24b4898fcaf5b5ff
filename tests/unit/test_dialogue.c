/* Requests and answers by who speaks when: bursts, silences, streams, single answers, steering records, session
 * tickets, and what a window is told of an answer that goes on. */
#include "sensor/dialogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000ull
#define T0 1785542400000000000ull

static struct nj_dialogue d;
static struct nj_exchange told[64];
static unsigned told_n;

static void start(uint16_t flags)
{
	memset(&d, 0xa5, sizeof d); /* states of the pool are not cleared */
	nj_dialogue_init(&d, flags);
	told_n = 0;
}

static void tell(void)
{
	assert_true(told_n < 64);
	if (d.news)
		nj_dialogue_tell(&d, &told[told_n++]);
}

static void at(uint64_t ms, char who, uint32_t bytes)
{
	if (nj_dialogue_begins(&d, T0 + ms * MS, who == 'c', bytes))
		tell();
	nj_dialogue_add(&d, T0 + ms * MS, who == 'c', bytes);
}

/* *n* tokens from *ms* on, 20 ms and a bit apart; gives the time behind the last. */
static uint64_t tokens(uint64_t ms, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		at(ms, 's', 170 + i % 9);
		ms += 11 + i * 7 % 23;
	}
	return ms;
}

static void a_model_answers_in_a_stream(void **state)
{
	(void)state;
	start(NJ_EXCHANGE_ENCRYPTED);
	at(0, 'c', 300);
	at(1, 'c', 16401);
	at(60, 'c', 9000); /* an upload with a pause */
	uint64_t end = tokens(900, 120);
	at(end, 's', 30); /* PING */
	at(end + 100, 'c', 2000);
	assert_int_equal(told_n, 1);
	const struct nj_exchange *e = &told[0];
	assert_true(e->start_ns == T0);
	assert_true(e->bytes_up == 25701);
	assert_int_equal(e->records_up, 3);
	assert_int_equal(e->burst_ms, 60);
	assert_int_equal(e->wait_ms, 840);
	assert_int_equal(e->records_down, 120);
	assert_int_equal(e->form, NJ_FORM_STREAMED);
	assert_in_range(e->score, 900, 1000);
	assert_in_range(e->record_p50_bytes, 170, 178);
	assert_true(e->end_ns > T0 + 900 * MS && e->end_ns < T0 + end * MS);
	assert_int_equal(e->flags, NJ_EXCHANGE_ENCRYPTED);
}

static void an_api_answers_at_once(void **state)
{
	(void)state;
	start(0);
	at(0, 'c', 5000);
	at(4000, 's', 900);
	at(4002, 's', 1400);
	tell();
	assert_int_equal(told[0].form, NJ_FORM_SINGLE);
	assert_int_equal(told[0].score, 0);
	assert_int_equal(told[0].flags, NJ_EXCHANGE_API_SHAPE);
	assert_true(told[0].bytes_down == 2300);
	assert_int_equal(told[0].answer_ms, 2);
}

static void steering_is_no_speech(void **state)
{
	(void)state;
	start(0);
	at(0, 'c', 40); /* nothing begins */
	at(1, 's', 500);
	tell();
	assert_int_equal(told_n, 0);
	at(10, 'c', 600);
	at(11, 's', 30); /* SETTINGS ACK */
	at(500, 's', 200);
	at(520, 'c', 56); /* two WINDOW_UPDATE */
	at(540, 's', 200);
	tell();
	assert_int_equal(told_n, 1);
	assert_int_equal(told[0].wait_ms, 490);
	assert_int_equal(told[0].records_down, 2);
	assert_true(told[0].bytes_up == 600);
	d.small_is_control = true; /* QUIC: an acknowledgement is a datagram */
	at(600, 's', 70);
	assert_false(d.news);
}

/* Two session tickets come while the model still reads. */
static void tickets_are_no_answer(void **state)
{
	(void)state;
	start(NJ_EXCHANGE_ENCRYPTED);
	at(0, 'c', 9000);
	at(20, 's', 250);
	at(20, 's', 250);
	at(21, 's', 44); /* SETTINGS */
	tell();          /* a window ends here */
	assert_int_equal(told[0].wait_ms, 20);
	uint64_t end = tokens(1500, 50);
	at(end, 'c', 9500);
	assert_int_equal(told_n, 2);
	assert_true(told[1].start_ns == told[0].start_ns);
	assert_int_equal(told[1].wait_ms, 1500);
	assert_int_equal(told[1].records_down, 50);
	/* The second exchange of a connection has no tickets before it. */
	at(end + 20, 's', 250);
	at(end + 600, 's', 250);
	tell();
	assert_int_equal(told[2].wait_ms, 20);
	/* Nor has clear text. */
	start(0);
	at(0, 'c', 9000);
	at(20, 's', 250);
	at(1500, 's', 250);
	tell();
	assert_int_equal(told[0].wait_ms, 20);
}

static void an_answer_is_told_as_far_as_it_has_come(void **state)
{
	(void)state;
	start(0);
	at(0, 'c', 3000);
	tell();
	assert_int_equal(told_n, 0); /* nothing yet */
	uint64_t end = tokens(500, 30);
	tell();
	tell();
	assert_int_equal(told_n, 1); /* once */
	tokens(end + 5000, 30);      /* it had thought for a while */
	tell();
	assert_int_equal(told_n, 2);
	assert_true(told[1].start_ns == told[0].start_ns && told[1].bytes_down > told[0].bytes_down);
	assert_int_equal(told[1].records_down, 60);
	at(end + 60000, 's', 200); /* a keep-alive, long after */
	tell();
	assert_int_equal(told_n, 2);
}

static void an_unanswered_request_is_forgotten_when_another_begins(void **state)
{
	(void)state;
	start(0);
	at(0, 'c', 3000);
	at(999, 'c', 100); /* still the same */
	at(3000, 'c', 500);
	at(3100, 's', 700);
	tell();
	assert_int_equal(told_n, 1);
	assert_true(told[0].start_ns == T0 + 3000 * MS);
	assert_true(told[0].bytes_up == 500);
}

/* Whatever comes, sums hold and nothing asserts. */
static void any_series_adds_up(void **state)
{
	(void)state;
	unsigned seed = 3;
	for (unsigned run = 0; run < 200; run++) {
		uint64_t ms = 0, up = 0, down = 0, told_up = 0, told_down = 0;
		start((uint16_t)(run % 2));
		for (unsigned i = 0; i < 500; i++) {
			uint32_t bytes = (uint32_t)rand_r(&seed) % (i % 3 ? 300 : 17000);
			bool client = rand_r(&seed) % 3 == 0;
			ms += (uint64_t)rand_r(&seed) % (i % 17 ? 50 : 40000);
			up += client ? bytes : 0;
			down += client ? 0 : bytes;
			at(ms, client ? 'c' : 's', bytes);
			if (i % 50 == 0)
				tell();
			for (; told_n > 0; told_n--) {
				const struct nj_exchange *e = &told[told_n - 1];
				assert_true(e->end_ns >= e->start_ns + (uint64_t)(e->burst_ms + e->wait_ms) * MS);
				assert_true(e->score <= NJ_SCORE_ONE);
				told_up = e->bytes_up > told_up ? e->bytes_up : told_up;
				told_down = e->bytes_down > told_down ? e->bytes_down : told_down;
			}
		}
		assert_true(told_up > 0 && told_up <= up && told_down > 0 && told_down <= down);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_model_answers_in_a_stream),
		cmocka_unit_test(an_api_answers_at_once),
		cmocka_unit_test(steering_is_no_speech),
		cmocka_unit_test(tickets_are_no_answer),
		cmocka_unit_test(an_answer_is_told_as_far_as_it_has_come),
		cmocka_unit_test(an_unanswered_request_is_forgotten_when_another_begins),
		cmocka_unit_test(any_series_adds_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
