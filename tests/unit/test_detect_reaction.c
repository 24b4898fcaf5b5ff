/* Who is cut off and comes back another way, and who just has an outage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/sample_loop.h"

static const struct sample_loop implant = {.agent = "10.20.1.5", .brain = "203.0.113.66", .act = sample_codes};

/* Thirty other hosts, so that a share of them means something. */
static void office(struct sample_bench *b)
{
	for (uint32_t i = 0; i < 30; i++)
		sample_contact(sample_window(b, sample_addr_plus("10.20.3.10", i)), sample_addr("203.0.113.200"), 443,
			       6, SAMPLE_ANSWERED);
	sample_judge(b, 1);
}

static void play(struct sample_bench *b, struct sample_loop *loop, int windows)
{
	for (int i = 0; i < windows; i++) {
		sample_loop_window(b, loop);
		sample_judge(b, 1);
	}
}

static void cut_off(struct sample_bench *b)
{
	struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
	sample_contact(w, sample_addr("203.0.113.66"), 443, 6, SAMPLE_REFUSED);
	sample_judge(b, 1);
}

static void another_route_is_told(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct sample_loop before = implant, after = implant;
	office(b);
	play(b, &before, 10);
	cut_off(b);
	after.brain = "203.0.113.67";
	play(b, &after, 10);
	const struct nj_alert *alert;
	assert_int_equal(sample_alerts(b, "reaction", &alert), 1);
	assert_non_null(strstr(alert->summary, "the same program went on with 203.0.113.67"));
	assert_int_equal(alert->peers_n, 2);
	sample_bench_free(b);
}

/* The new server is one that all the others use as well: fail-over. */
static void failing_over_to_what_all_use_is_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct sample_loop before = implant, after = implant;
	office(b);
	play(b, &before, 10);
	cut_off(b);
	after.brain = "203.0.113.200";
	play(b, &after, 10);
	assert_int_equal(sample_alerts(b, "reaction", NULL), 0);
	sample_bench_free(b);
}

static void an_outage_alone_is_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct sample_loop loop = implant;
	office(b);
	play(b, &loop, 10);
	cut_off(b);
	play(b, &loop, 10);
	assert_int_equal(sample_alerts(b, "reaction", NULL), 0);
	sample_bench_free(b);
}

/* A second brain without anything having happened to the first. */
static void another_peer_without_a_check_is_not(void **state)
{
	(void)state;
	struct sample_options options = {0};
	struct sample_bench *b = sample_bench_new(&options);
	struct sample_loop first = implant, second = implant;
	office(b);
	play(b, &first, 10);
	second.brain = "203.0.113.67";
	play(b, &second, 10);
	assert_int_equal(sample_alerts(b, "reaction", NULL), 0);
	sample_bench_free(b);
}

static void slowing_down_after_a_look_at_the_watchers_is_told(void **state)
{
	(void)state;
	char path[] = "/tmp/nj_test_detect_reaction_XXXXXX";
	static const char text[] = "home_networks: [10.0.0.0/8]\nmonitors: [10.20.30.5]\n";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
	close(fd);
	for (int watched = 0; watched < 2; watched++) {
		struct sample_options options = {.inventory = path};
		struct sample_bench *b = sample_bench_new(&options);
		struct sample_loop loop = implant;
		office(b);
		play(b, &loop, 10);
		struct nj_window *w = sample_window(b, sample_addr("10.20.1.5"));
		sample_contact(w, sample_addr(watched ? "10.20.30.5" : "10.20.30.6"), 22, 6, SAMPLE_ANSWERED);
		sample_judge(b, 1);
		for (int i = 0; i < 12; i++) { /* a turn every forty seconds, where one took five */
			struct nj_window *slow = sample_window(b, sample_addr("10.20.1.5"));
			struct nj_exchange *x = sample_exchange(slow, sample_addr(loop.brain), 500, 3000);
			snprintf(x->client, sizeof x->client, "t13d1812h1_85036bcba153_d41ae481755e");
			x->client_kind = NJ_CLIENT_JA4;
			sample_judge(b, 4);
		}
		const struct nj_alert *alert;
		assert_int_equal(sample_alerts(b, "reaction", &alert), watched);
		if (watched)
			assert_non_null(strstr(alert->summary, "a turn took 40.0 s instead of"));
		sample_bench_free(b);
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_route_is_told),
		cmocka_unit_test(failing_over_to_what_all_use_is_not),
		cmocka_unit_test(an_outage_alone_is_not),
		cmocka_unit_test(another_peer_without_a_check_is_not),
		cmocka_unit_test(slowing_down_after_a_look_at_the_watchers_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
