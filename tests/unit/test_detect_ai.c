/* Agents that work, agents that attack, and models used as a way out or a mailbox. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sample_loop.h"

static void office(struct sample_bench *b, int rounds)
{
	for (int r = 0; r < rounds; r++) {
		for (uint32_t i = 0; i < 20; i++)
			for (uint32_t s = 0; s < 3; s++)
				sample_contact(sample_window(b, sample_addr_plus("10.20.3.10", i * 3 + s)),
					       sample_addr_plus("10.20.20.10", s), 443, 6, SAMPLE_ANSWERED);
		sample_judge(b, 6);
	}
}

static void play(struct sample_bench *b, struct sample_loop *loop, int windows)
{
	for (int i = 0; i < windows; i++) {
		sample_loop_window(b, loop);
		sample_judge(b, 1);
	}
}

/* Reads the directory first, then goes from host to host; some doors ask for a password, some are shut. */
static struct nj_contact *attacks(struct sample_loop *loop, struct nj_window *window, uint32_t turn)
{
	static const uint16_t ports[4] = {445, 22, 5985, 1433};
	(void)loop;
	window->features.auth_failed += turn % 3 == 0;
	return sample_loop_contact(window, sample_addr_plus("10.20.60.1", turn), ports[turn % 4],
				   turn % 5 == 4 ? SAMPLE_REFUSED : SAMPLE_ANSWERED);
}

static const struct sample_loop model = {
	.agent = "10.20.1.5", .brain = "203.0.113.5", .name = "api.example-llm.com", .flags = NJ_EXCHANGE_KNOWN_NAME};

static void turns_tell_the_attacker(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	office(b, 12);
	struct sample_loop loop = model;
	loop.act = attacks;
	play(b, &loop, 30);
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "ai-turns", &alert), 1);
	assert_non_null(strstr(alert->summary, "loops with api.example-llm.com"));
	assert_non_null(strstr(alert->summary, "services at home it had not met"));
	assert_string_equal(alert->technique[1], "AML.T0103");
	sample_bench_free(b);
}

static void and_not_the_working_agent(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	office(b, 12);
	struct sample_loop loop = model;
	loop.act = sample_codes;
	play(b, &loop, 200);
	assert_true(loop.turns > 200);
	assert_int_equal(b->alerts_n, 0);
	sample_bench_free(b);
}

/* The same acts by somebody who does not loop: other detectors may tell, this one has nothing to say. */
static void without_a_loop_there_are_no_turns(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	office(b, 12);
	for (uint32_t i = 0; i < 30; i++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		sample_act(w, sample_contact(w, sample_addr_plus("10.20.60.1", i), 445, 6, SAMPLE_ANSWERED), 5000,
			   6000);
		sample_judge(b, 1);
	}
	assert_int_equal(sample_alerts(b, "ai-turns", NULL), 0);
	sample_bench_free(b);
}

/* ---- uploads */

static void chat(struct sample_bench *b, uint64_t up, int turns)
{
	for (int i = 0; i < turns; i++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		struct nj_exchange *x = sample_exchange(w, sample_addr("203.0.113.5"), 500, 4000);
		x->flags |= NJ_EXCHANGE_KNOWN_NAME;
		x->bytes_up = up;
		snprintf(x->name, sizeof x->name, "api.example-llm.com");
		sample_bytes(w, sample_contact(w, sample_addr("203.0.113.5"), 443, 6, SAMPLE_GOES_ON), up, 2000);
		sample_judge(b, 1);
	}
}

static void documents_into_a_model_are_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	chat(b, 8000, 20);
	chat(b, 40000000, 6); /* 240 MB in six questions, where 8 kB are usual */
	const struct nj_alert *alert;
	assert_true(sample_alerts(b, "exfil-model", &alert) >= 1);
	assert_non_null(strstr(alert->summary, "to the model at api.example-llm.com"));
	sample_bench_free(b);
}

static void growth_and_a_picture_are_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	chat(b, 8000, 10);
	for (uint64_t up = 10000; up < 16000000; up += up / 8)
		chat(b, up, 1); /* a conversation that grows to sixteen megabytes */
	chat(b, 8000, 10);
	chat(b, 3000000, 1); /* a picture */
	chat(b, 8000, 10);
	assert_int_equal(sample_alerts(b, "exfil-model", NULL), 0);
	sample_bench_free(b);
}

/* ---- mailbox */

static void poll_model(struct sample_bench *b, double jitter, uint64_t growth, int windows)
{
	uint64_t random = 88172645463325252ull, up = 2000;
	double next_s = 0;
	for (int i = 0; i < windows; i++) {
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		double begin_s = 10.0 * i;
		while (next_s < begin_s + 9) {
			int64_t ms = (int64_t)((next_s - begin_s) * 1000);
			struct nj_exchange *x = sample_exchange(w, sample_addr("203.0.113.5"), ms, ms + 800);
			x->flags |= NJ_EXCHANGE_KNOWN_NAME;
			x->bytes_up = up += growth;
			snprintf(x->name, sizeof x->name, "api.example-llm.com");
			double u = (double)(sample_random(&random) >> 11) * 0x1p-53;
			next_s += 7 * (1 + jitter * (2 * u - 1));
		}
		next_s = next_s < begin_s + 10 ? begin_s + 10 : next_s;
		sample_judge(b, 1);
	}
}

static void a_mailbox_is_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	poll_model(b, 0.02, 0, 60);
	const struct nj_alert *alert;
	assert_true(sample_alerts(b, "ai-mailbox", &alert) >= 1);
	assert_string_equal(alert->technique[1], "AML.T0096");
	sample_bench_free(b);
}

static void a_conversation_by_the_clock_is_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	poll_model(b, 0.02, 15, 60); /* as regular, but it grows, by less than a hundredth each time */
	assert_int_equal(sample_alerts(b, "ai-mailbox", NULL), 0);
	sample_bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns_tell_the_attacker),
		cmocka_unit_test(and_not_the_working_agent),
		cmocka_unit_test(without_a_loop_there_are_no_turns),
		cmocka_unit_test(documents_into_a_model_are_told),
		cmocka_unit_test(growth_and_a_picture_are_not),
		cmocka_unit_test(a_mailbox_is_told),
		cmocka_unit_test(a_conversation_by_the_clock_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
