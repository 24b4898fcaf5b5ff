/* The command line that both daemons share: own switches, lists that grow, reading it again, what is refused. Signals
 * are tested on the programs themselves (tests/e2e). */
#include "common/daemon.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OPTIONS(OPT)                                                                                                   \
	OPT(worker_count, COUNT, "threads", 1, 8, "1", "count")                                                        \
	OPT(ports, LIST, "", 0, 4, "", "list")                                                                         \
	OPT(place, TEXT, "", 0, 30, "here", "text")

struct config {
	OPTIONS(NJ_OPTION_FIELD)
};
#define ROW(...) NJ_OPTION_ROW(struct config, __VA_ARGS__)
static const struct nj_option rows[] = {OPTIONS(ROW)};
static const struct nj_schema schema = {rows, sizeof rows / sizeof *rows};

static bool flag;
static const char *text;
static const struct nj_daemon_switch switches[] = {
	{.name = "worker-count"},        {.name = "port", .list = "ports"}, {.name = "flag", .flag = &flag},
	{.name = "text", .text = &text}, {.name = "read", .operand = true},
};

static int parse(struct nj_daemon *d, struct config *config, int argc, char **argv, struct nj_message *message)
{
	flag = false;
	text = NULL;
	*d = (struct nj_daemon){.program = "test",
				.usage = "usage",
				.schema = &schema,
				.config = config,
				.config_size = sizeof *config,
				.switches = switches,
				.switches_n = sizeof switches / sizeof switches[0],
				.argc = argc,
				.argv = argv};
	return nj_daemon_parse(d, message);
}

#define PARSE(...)                                                                                                     \
	char *argv[] = {"test", __VA_ARGS__, NULL};                                                                    \
	struct nj_message message = {.text = ""};                                                                      \
	struct config config = {0};                                                                                    \
	struct nj_daemon d;                                                                                            \
	int err = parse(&d, &config, (int)(sizeof argv / sizeof argv[0]) - 1, argv, &message)

static void test_switches(void **state)
{
	(void)state;
	PARSE("--worker-count", "3", "--flag", "--text", "words", "--check", "--read", "a", "b", "--set", "place=there",
	      "c");
	assert_int_equal(err, NJ_OK);
	assert_int_equal(config.worker_count, 3);
	assert_string_equal(config.place, "there");
	assert_true(flag);
	assert_string_equal(text, "words");
	assert_true(d.check);
	assert_false(d.dump || d.help || d.version);
	assert_int_equal(d.operands_n, 3);
	assert_string_equal(d.operands[2], "c");
	nj_daemon_fini(&d);
}

static void test_a_list_grows_on_the_command_line(void **state)
{
	(void)state;
	PARSE("--set", "ports=old", "--port", "a", "--port", "b,c");
	assert_int_equal(err, NJ_OK);
	assert_int_equal(config.ports.n, 3);
	assert_string_equal(config.ports.text[0], "a");
	assert_string_equal(config.ports.text[2], "c");
	nj_daemon_fini(&d);
}

static void test_too_long_a_list_is_refused(void **state)
{
	(void)state;
	PARSE("--port", "a,b,c,d", "--port", "e");
	assert_int_equal(err, NJ_ERR_USAGE);
	assert_non_null(strstr(message.text, "ports: more than 4"));
	nj_daemon_fini(&d);
}

static void refused(const char *word, const char *value, const char *said)
{
	PARSE((char *)word, (char *)value);
	assert_int_equal(err, NJ_ERR_USAGE);
	assert_non_null(strstr(message.text, said));
	nj_daemon_fini(&d);
}

static void test_wrong_words_are_named(void **state)
{
	(void)state;
	refused("--nonsense", "1", "--nonsense: unknown option");
	refused("--flag", "x.pcap", "x.pcap: what is it for?");
	refused("--flag", "--text", "--text: unknown option or missing value");
	refused("--worker-count", "99", "worker_count: 99 is outside 1..8");
	refused("--set", "worker_count", "is not NAME=VALUE");
}

static void write_file(const char *path, const char *content)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void test_reload_reads_the_file_again_in_the_same_order(void **state)
{
	(void)state;
	char path[64];
	snprintf(path, sizeof path, "/tmp/nj_test_daemon_%d.yaml", (int)getpid());
	write_file(path, "worker_count: 2\nplace: first\n");
	PARSE("--config", path, "--worker-count", "5", "--flag");
	assert_int_equal(err, NJ_OK);
	flag = false;
	write_file(path, "worker_count: 3\nplace: second\n");
	struct config again = {0};
	assert_int_equal(nj_daemon_reload(&d, &again, &message), NJ_OK);
	assert_int_equal(again.worker_count, 5);
	assert_string_equal(again.place, "second");
	assert_string_equal(config.place, "first");
	assert_false(flag);
	assert_string_equal(nj_config_difference(&schema, &config, &again, NULL), "place");
	assert_null(nj_config_difference(&schema, &config, &again, "place"));
	write_file(path, "place: third\nplaec: 7\n");
	struct config kept = again;
	assert_int_equal(nj_daemon_reload(&d, &again, &message), NJ_ERR_USAGE);
	assert_non_null(strstr(message.text, ":2: unknown key 'plaec'"));
	assert_memory_equal(&again, &kept, sizeof kept);
	unlink(path);
	nj_daemon_fini(&d);
}

static void test_signals_are_asked_for(void **state)
{
	(void)state;
	nj_daemon_watch_signals();
	assert_false(nj_daemon_reload_wanted());
	raise(SIGHUP);
	assert_true(nj_daemon_reload_wanted());
	assert_false(nj_daemon_reload_wanted());
	assert_false(nj_daemon_stopping());
	raise(SIGTERM);
	assert_true(nj_daemon_stopping());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_a_list_grows_on_the_command_line),
		cmocka_unit_test(test_too_long_a_list_is_refused),
		cmocka_unit_test(test_wrong_words_are_named),
		cmocka_unit_test(test_reload_reads_the_file_again_in_the_same_order),
		cmocka_unit_test(test_signals_are_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
