/* The journal's law, next = forgotten + dropped + held, through random histories against a model; what was committed
 * survives SIGKILL at any instant, in order and whole; the bound drops the oldest and counts; damage is refused. */
#include "common/journal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define KILL_ROUNDS 25

static char folder[] = "/tmp/nj_test_journal_XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void fresh_path(void)
{
	static int n;
	snprintf(path, sizeof path, "%s/%d", folder, n++);
}

static struct nj_journal *must_open(const char *at, uint64_t bytes_max)
{
	struct nj_journal *journal = NULL;
	struct nj_message message;
	if (nj_journal_open(&(struct nj_journal_options){.path = at, .bytes_max = bytes_max}, &message, &journal) !=
	    NJ_OK)
		fail_msg("%s", message.text);
	return journal;
}

/* An entry's bytes follow from its number, so that a reader can check them. */
static size_t make_entry(uint64_t sequence, uint8_t *bytes)
{
	size_t size = 1 + sequence * 2654435761u % 5000;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(sequence + i);
	return size;
}

static int append(struct nj_journal *journal, struct nj_message *message)
{
	uint8_t bytes[5001];
	size_t size = make_entry(nj_journal_state(journal).next, bytes);
	return nj_journal_append(journal, bytes, size, message);
}

/* Every entry from oldest to next is there, in order, with its own bytes. */
static void check_whole(struct nj_journal *journal)
{
	struct nj_journal_state st = nj_journal_state(journal);
	struct nj_message message;
	uint64_t bytes = 0, sequence;
	uint8_t expected[5001];
	const void *data;
	size_t size;
	for (uint64_t at = st.oldest; at < st.next; at++) {
		assert_int_equal(nj_journal_read(journal, at, &message, &sequence, &data, &size), 1);
		assert_int_equal(sequence, at);
		assert_int_equal(size, make_entry(at, expected));
		assert_memory_equal(data, expected, size);
		bytes += size;
	}
	assert_int_equal(nj_journal_read(journal, st.next, &message, &sequence, &data, &size), 0);
	assert_int_equal(bytes, st.bytes);
	assert_int_equal(st.next, st.forgotten + st.dropped + (st.next - st.oldest));
}

static void test_in_order_and_kept(void **state)
{
	(void)state;
	fresh_path();
	struct nj_message m;
	struct nj_journal *j = must_open(path, 1 << 20);
	struct nj_journal_state st = nj_journal_state(j);
	assert_true(st.boot != 0 && st.next == 0 && st.oldest == 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(append(j, &m), NJ_OK);
	assert_int_equal(nj_journal_forget(j, 20, &m), NJ_OK);
	assert_int_equal(nj_journal_forget(j, 10, &m), NJ_OK);
	check_whole(j);
	nj_journal_close(&j);
	assert_null(j);
	j = must_open(path, 1 << 20);
	struct nj_journal_state again = nj_journal_state(j);
	assert_true(again.boot == st.boot && again.next == 50 && again.oldest == 20 && again.forgotten == 20 &&
		    again.dropped == 0);
	check_whole(j);
	/* All forgotten: the next number is still the next. */
	assert_int_equal(nj_journal_forget(j, UINT64_MAX, &m), NJ_OK);
	nj_journal_close(&j);
	j = must_open(path, 1 << 20);
	again = nj_journal_state(j);
	assert_true(again.next == 50 && again.oldest == 50 && again.bytes == 0);
	assert_int_equal(append(j, &m), NJ_OK);
	check_whole(j);
	nj_journal_close(&j);
	struct nj_journal *other = must_open(":memory:", 1 << 20);
	assert_true(nj_journal_state(other).boot != st.boot);
	nj_journal_close(&other);
}

static void test_uncommitted_is_gone(void **state)
{
	(void)state;
	fresh_path();
	struct nj_message m;
	struct nj_journal *j = must_open(path, 1 << 20);
	assert_int_equal(append(j, &m), NJ_OK);
	assert_int_equal(nj_journal_begin(j, &m), NJ_OK);
	assert_int_equal(append(j, &m), NJ_OK);
	assert_int_equal(append(j, &m), NJ_OK);
	assert_int_equal(nj_journal_state(j).next, 3);
	nj_journal_close(&j);
	j = must_open(path, 1 << 20);
	assert_int_equal(nj_journal_state(j).next, 1);
	check_whole(j);
	nj_journal_close(&j);
}

static void test_bound_drops_oldest(void **state)
{
	(void)state;
	struct nj_message m;
	struct nj_journal *j = must_open(":memory:", 20000);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(append(j, &m), NJ_OK);
		assert_true(nj_journal_state(j).bytes <= 20000);
	}
	struct nj_journal_state st = nj_journal_state(j);
	assert_true(st.dropped > 150 && st.dropped + (st.next - st.oldest) == 200);
	check_whole(j);
	static uint8_t large[20001];
	assert_true(nj_journal_has_room(j, 20000 - st.bytes));
	assert_false(nj_journal_has_room(j, 20001 - st.bytes));
	assert_int_equal(nj_journal_append(j, large, 20001, &m), NJ_ERR_LIMIT);
	assert_int_equal(nj_journal_state(j).next, 200);
	assert_int_equal(nj_journal_append(j, large, 20000, &m), NJ_OK);
	st = nj_journal_state(j);
	assert_true(st.oldest == 200 && st.next == 201 && st.dropped == 200);
	nj_journal_close(&j);
}

static void test_random_histories(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 60; seed++) {
		unsigned random = seed;
		struct nj_message m;
		struct nj_journal *j = must_open(":memory:", 30000);
		bool open = false;
		for (int step = 0; step < 100; step++) {
			struct nj_journal_state st = nj_journal_state(j);
			switch (rand_r(&random) % 8) {
			case 0:
				assert_int_equal(open ? nj_journal_commit(j, &m) : nj_journal_begin(j, &m), NJ_OK);
				open = !open;
				break;
			case 1:
				assert_int_equal(nj_journal_forget(j, st.oldest + (uint64_t)rand_r(&random) % 5, &m),
						 NJ_OK);
				break;
			default:
				assert_int_equal(append(j, &m), NJ_OK);
			}
			st = nj_journal_state(j);
			if (st.next != st.forgotten + st.dropped + st.next - st.oldest || st.bytes > 30000)
				fail_msg("seed %u, step %d: the law does not hold", seed, step);
		}
		check_whole(j);
		nj_journal_close(&j);
	}
}

/* Appends and forgets for ever; after each commit says how far it has come. */
static void write_until_killed(unsigned seed, int report)
{
	struct nj_message m;
	struct nj_journal *j = NULL;
	if (nj_journal_open(&(struct nj_journal_options){.path = path, .bytes_max = 200000}, &m, &j) < 0)
		_exit(1);
	for (;;) {
		int group = 1 + rand_r(&seed) % 6;
		int err = nj_journal_begin(j, &m);
		for (int i = 0; i < group && err == NJ_OK; i++)
			err = append(j, &m);
		if (err == NJ_OK && rand_r(&seed) % 3 == 0)
			err = nj_journal_forget(j, nj_journal_state(j).oldest + 2, &m);
		if (err == NJ_OK)
			err = nj_journal_commit(j, &m);
		struct nj_journal_state st = nj_journal_state(j);
		if (err < 0 || write(report, &st, sizeof st) != sizeof st)
			_exit(1);
	}
}

static void test_survives_kill(void **state)
{
	(void)state;
	fresh_path();
	uint64_t boot = 0;
	for (unsigned round = 1; round <= KILL_ROUNDS; round++) {
		int pipe_fd[2];
		assert_int_equal(pipe(pipe_fd), 0);
		pid_t child = fork();
		if (child == 0)
			write_until_killed(round, pipe_fd[1]);
		close(pipe_fd[1]);
		struct nj_journal_state last = {0}, read_state;
		unsigned random = round, reports = 1 + (unsigned)rand_r(&random) % 12;
		for (unsigned i = 0;
		     i < reports && read(pipe_fd[0], &read_state, sizeof read_state) == sizeof read_state; i++)
			last = read_state;
		kill(child, SIGKILL);
		int status;
		waitpid(child, &status, 0);
		while (read(pipe_fd[0], &read_state, sizeof read_state) == sizeof read_state)
			last = read_state;
		close(pipe_fd[0]);
		assert_true(WIFSIGNALED(status));
		struct nj_journal *j = must_open(path, 200000);
		struct nj_journal_state st = nj_journal_state(j);
		assert_true(boot == 0 || st.boot == boot);
		boot = st.boot;
		if (st.next < last.next || st.forgotten < last.forgotten)
			fail_msg("round %u: committed up to %llu, found %llu", round, (unsigned long long)last.next,
				 (unsigned long long)st.next);
		check_whole(j);
		nj_journal_close(&j);
	}
}

static void test_damage_is_refused(void **state)
{
	(void)state;
	fresh_path();
	struct nj_message m;
	struct nj_journal *j = must_open(path, 1 << 20);
	for (int i = 0; i < 100; i++)
		assert_int_equal(append(j, &m), NJ_OK);
	nj_journal_close(&j);
	int fd = open(path, O_RDWR);
	static const char noise[4096] = "noise";
	assert_int_equal(pwrite(fd, noise, sizeof noise, 6 * 4096), sizeof noise);
	close(fd);
	int err = nj_journal_open(&(struct nj_journal_options){.path = path, .bytes_max = 1 << 20}, &m, &j);
	assert_int_equal(err, NJ_ERR_FORMAT);
	assert_non_null(strstr(m.text, path));
	assert_null(j);
}

/* What recovery does to a journal that has lost, or must give up, its young end. */
static void test_ends_where_it_is_told_to(void **state)
{
	(void)state;
	struct nj_message m;
	uint8_t bytes[8192];
	uint64_t held = 0, after = 0;
	fresh_path();
	struct nj_journal *j = must_open(path, 1 << 20);
	for (int i = 0; i < 10; i++)
		assert_int_equal(append(j, &m), NJ_OK);
	assert_int_equal(nj_journal_forget(j, 3, &m), NJ_OK);
	assert_int_equal(nj_journal_bytes_from(j, 0, &m, &held), NJ_OK);
	assert_int_equal(held, nj_journal_state(j).bytes);
	assert_int_equal(nj_journal_bytes_from(j, 7, &m, &after), NJ_OK);
	assert_int_equal(after, make_entry(7, bytes) + make_entry(8, bytes) + make_entry(9, bytes));
	assert_int_equal(nj_journal_cut(j, 7, &m), NJ_OK);
	check_whole(j);
	assert_int_equal(nj_journal_state(j).next, 7);
	assert_int_equal(nj_journal_state(j).bytes, held - after);
	assert_int_equal(append(j, &m), NJ_OK); /* the number is given again */
	check_whole(j);
	assert_int_equal(nj_journal_move_on(j, 5, &m), NJ_OK); /* is that far already */
	assert_int_equal(nj_journal_state(j).next, 8);
	assert_int_equal(nj_journal_move_on(j, 20, &m), NJ_OK);
	nj_journal_close(&j);
	j = must_open(path, 1 << 20);
	struct nj_journal_state st = nj_journal_state(j);
	assert_true(st.oldest == 20 && st.next == 20 && st.bytes == 0 && st.dropped == 12 && st.forgotten == 8);
	assert_int_equal(append(j, &m), NJ_OK);
	check_whole(j);
	nj_journal_close(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order_and_kept),
		cmocka_unit_test(test_uncommitted_is_gone),
		cmocka_unit_test(test_bound_drops_oldest),
		cmocka_unit_test(test_random_histories),
		cmocka_unit_test(test_survives_kill),
		cmocka_unit_test(test_damage_is_refused),
		cmocka_unit_test(test_ends_where_it_is_told_to),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
