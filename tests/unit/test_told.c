/* How far a reading has been told: what a run committed is passed over by the next one on the same input, and nothing
 * else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/journal.h"
#include "sensor/told.h"

static struct nj_journal *journal;

static int up(void **state)
{
	(void)state;
	const struct nj_journal_options options = {.path = ":memory:", .bytes_max = 1000};
	return nj_journal_open(&options, NULL, &journal);
}

static int down(void **state)
{
	(void)state;
	nj_journal_close(&journal);
	return 0;
}

static struct nj_told *open_told(uint64_t reading, uint64_t expected_acked)
{
	struct nj_told *told = NULL;
	uint64_t acked = 99;
	assert_int_equal(nj_told_new(nj_journal_db(journal), reading, NULL, &told, &acked), 0);
	assert_int_equal(acked, expected_acked);
	return told;
}

static struct nj_agent_id agent(uint8_t n)
{
	return (struct nj_agent_id){.addr.byte = {[15] = n}};
}

static bool window(const struct nj_told *told, uint64_t start_ns, uint8_t n)
{
	const struct nj_window window = {.start_ns = start_ns, .agent = agent(n)};
	return nj_told_window(told, &window);
}

static void save(struct nj_told **told, uint64_t acked)
{
	assert_int_equal(nj_told_save(*told, acked, NULL), 0);
	nj_told_free(told);
	assert_null(*told);
}

static void nothing_is_told_at_first(void **state)
{
	(void)state;
	struct nj_told *told = open_told(7, 0);
	assert_false(window(told, 0, 0));
	assert_false(nj_told_tick(told, 0, true));
	save(&told, 0);
	told = open_told(7, 0); /* a run that had told nothing */
	struct nj_agent_id last = agent(1);
	nj_told_note(told, 100, &last, false, false);
	save(&told, 0);
	told = open_told(8, 0); /* another input */
	assert_false(window(told, 100, 1));
	nj_told_free(&told);
}

static void a_window_cut_in_the_middle_goes_on_there(void **state)
{
	(void)state;
	struct nj_told *told = open_told(7, 0);
	struct nj_agent_id last = agent(5);
	nj_told_note(told, 90, &last, true, false);
	nj_told_note(told, 100, &last, false, false);
	save(&told, 3);
	told = open_told(7, 3);
	assert_true(window(told, 90, 200));
	assert_true(nj_told_tick(told, 90, false));
	assert_true(window(told, 100, 5));
	assert_false(window(told, 100, 6));
	assert_false(nj_told_tick(told, 100, false));
	assert_false(window(told, 110, 1));
	save(&told, 4); /* a run that came no further forgets nothing */
	told = open_told(7, 4);
	assert_true(window(told, 100, 5));
	assert_false(window(told, 100, 6));
	nj_told_free(&told);
}

static void an_end_is_told_once(void **state)
{
	(void)state;
	struct nj_told *told = open_told(7, 0);
	nj_told_note(told, 100, NULL, true, false);
	save(&told, 0);
	told = open_told(7, 0);
	assert_true(nj_told_tick(told, 100, false));
	assert_false(nj_told_tick(told, 100, true)); /* it ends earlier than it did */
	nj_told_note(told, 100, NULL, true, true);
	save(&told, 0);
	told = open_told(7, 0);
	assert_true(nj_told_tick(told, 100, true));
	nj_told_free(&told);
}

static void what_cannot_be_read_again_is_never_passed_over(void **state)
{
	(void)state;
	struct nj_told *told = open_told(0, 0);
	nj_told_note(told, 100, NULL, true, false);
	save(&told, 6);
	told = open_told(0, 6);
	assert_false(window(told, 90, 1));
	assert_false(nj_told_tick(told, 100, false));
	nj_told_free(&told);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_told_at_first),
		TEST(a_window_cut_in_the_middle_goes_on_there),
		TEST(an_end_is_told_once),
		TEST(what_cannot_be_read_again_is_never_passed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
