/* One table of every type: defaults, file, command line, ranges, and a dump that loads to the same values. */
#include "common/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OPTIONS(OPT)                                                                                                   \
	OPT(flows, COUNT, "flows", 1, 1000, "100", "table size")                                                       \
	OPT(idle, DURATION, "s", 1, 3600, "60", "silence")                                                             \
	OPT(window, DURATION, "ms", 1000, 60000, "10000", "width")                                                     \
	OPT(spool, BYTES, "B", 1024, 1e12, "64M", "journal bound")                                                     \
	OPT(budget, REAL, "1/d", 0.1, 1000, "2.5", "alerts a day")                                                     \
	OPT(strict, FLAG, "", 0, 0, "false", "be strict")                                                              \
	OPT(calls, CHOICE, "off|log|kill", 0, 0, "kill", "what to do")                                                 \
	OPT(sensor, TEXT, "", 0, 8, "", "name")                                                                        \
	OPT(peers, LIST, "", 1, 3, "a,b", "endpoints")

struct config {
	OPTIONS(NJ_OPTION_FIELD)
};

#define ROW(...) NJ_OPTION_ROW(struct config, __VA_ARGS__)
static const struct nj_option rows[] = {OPTIONS(ROW)};
static const struct nj_schema schema = {rows, sizeof rows / sizeof *rows};

static void write_file(char *path, const char *text)
{
	strcpy(path, "/tmp/nj_test_config_XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	FILE *file = fdopen(fd, "w");
	fputs(text, file);
	fclose(file);
}

static int load(const char *text, struct config *config, struct nj_message *message)
{
	char path[64];
	write_file(path, text);
	int err = nj_config_load(&schema, path, config, sizeof *config, message);
	unlink(path);
	return err;
}

static void test_defaults(void **state)
{
	(void)state;
	struct config c;
	nj_config_defaults(&schema, &c);
	assert_int_equal(c.flows, 100);
	assert_int_equal(c.idle, 60);
	assert_int_equal(c.window, 10000);
	assert_int_equal(c.spool, 64 << 20);
	assert_true(c.budget == 2.5);
	assert_false(c.strict);
	assert_int_equal(c.calls, 2);
	assert_string_equal(c.sensor, "");
	assert_int_equal(c.peers.n, 2);
	assert_string_equal(c.peers.text[1], "b");
}

static void test_file_and_command_line(void **state)
{
	(void)state;
	struct config c;
	struct nj_message m;
	nj_config_defaults(&schema, &c);
	assert_int_equal(
		load("idle: 2 min\nwindow: 20s\nspool: 2 GiB\nstrict: on\nsensor: tap-1\npeers: [x]\n", &c, &m), NJ_OK);
	assert_int_equal(c.idle, 120);
	assert_int_equal(c.window, 20000);
	assert_true(c.spool == 2ull << 30);
	assert_true(c.strict);
	assert_string_equal(c.sensor, "tap-1");
	assert_int_equal(c.peers.n, 1);
	assert_int_equal(c.flows, 100);
	assert_int_equal(nj_config_set(&schema, "flows=7", &c, &m), NJ_OK);
	assert_int_equal(nj_config_set(&schema, "peers=p,q,r", &c, &m), NJ_OK);
	assert_int_equal(c.flows, 7);
	assert_string_equal(c.peers.text[2], "r");
	assert_int_equal(nj_config_set(&schema, "flows", &c, &m), NJ_ERR_USAGE);
	assert_int_equal(nj_config_set(&schema, "flow=7", &c, &m), NJ_ERR_USAGE);
	assert_string_equal(m.text, "unknown option 'flow'");
}

static void refuse(const char *text, const char *expected)
{
	struct config c, before;
	struct nj_message m = {""};
	memset(&c, 0, sizeof c);
	nj_config_defaults(&schema, &c);
	before = c;
	assert_int_equal(load(text, &c, &m), NJ_ERR_USAGE);
	if (strstr(m.text, expected) == NULL)
		fail_msg("'%s' lacks '%s'", m.text, expected);
	assert_memory_equal(&c, &before, sizeof c);
}

static void test_refused_whole_and_by_line(void **state)
{
	(void)state;
	refuse("flows: 5\nflwos: 5\n", ":2: unknown key 'flwos'");
	refuse("flows: 0\n", ":1: flows: 0 is outside 1..1000 flows");
	refuse("flows: 1001\n", "outside");
	refuse("flows: 1e99\n", "outside");
	refuse("flows: 1.5\n", "not a number of flows");
	refuse("flows: 0x10\n", "not a number");
	refuse("flows: nan\n", "not a number");
	refuse("flows:\n", "not a number");
	refuse("flows: 5 kg\n", "not a number");
	refuse("idle: 1 ms\n", "not a number of s");
	refuse("budget: inf\n", "not a number");
	refuse("strict: maybe\n", "neither true nor false");
	refuse("calls: lo\n", ":1: calls: 'lo' is none of off|log|kill");
	refuse("calls: log|kill\n", "is none of");
	refuse("calls: ''\n", "is none of");
	refuse("sensor: much-too-long\n", "0 to 8 characters");
	refuse("sensor: [a]\n", "expects one value");
	refuse("peers: []\n", "at least 1");
	refuse("peers: [a, b, c, d]\n", "more than 3 elements");
	refuse("peers: [[a]]\n", "plain text");
	refuse("- flows\n", ":1: must be a map");
}

static void test_dump_loads_to_the_same(void **state)
{
	(void)state;
	struct config c, again;
	struct nj_message m;
	memset(&c, 0, sizeof c);
	nj_config_defaults(&schema, &c);
	assert_int_equal(
		load("sensor: 'a\"\\: #'\npeers: ['x y', \"\\t\"]\nbudget: 0.1\nspool: 123456789\ncalls: log\n", &c,
		     &m),
		NJ_OK);
	char path[64];
	write_file(path, "");
	FILE *file = fopen(path, "w");
	nj_config_dump(&schema, &c, file);
	fclose(file);
	memset(&again, 0, sizeof again);
	nj_config_defaults(&schema, &again);
	assert_int_equal(nj_config_load(&schema, path, &again, sizeof again, &m), NJ_OK);
	unlink(path);
	assert_string_equal(again.sensor, c.sensor);
	assert_string_equal(again.peers.text[1], "\t");
	assert_int_equal(c.calls, 1);
	assert_int_equal(again.calls, 1);
	assert_true(again.budget == c.budget && again.spool == c.spool && again.strict == c.strict);
}

static void test_help_names_every_option(void **state)
{
	(void)state;
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	nj_config_help(&schema, file);
	fclose(file);
	for (size_t i = 0; i < schema.options_n; i++)
		assert_non_null(strstr(text, rows[i].name));
	assert_non_null(strstr(text, "1 to 3600 s, default 60"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_file_and_command_line),
		cmocka_unit_test(test_refused_whole_and_by_line),
		cmocka_unit_test(test_dump_loads_to_the_same),
		cmocka_unit_test(test_help_names_every_option),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
