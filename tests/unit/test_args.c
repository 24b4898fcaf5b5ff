/* The command line: what is understood, what is refused and in which words. */
#include "cli/args.h"
#include "cli/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct nj_arguments arguments;
static struct nj_message message;

/* Splits *line* at blanks and parses it. */
static int parse(const char *line)
{
	static char copy[512];
	static char *argv[32];
	int argc = 0;
	snprintf(copy, sizeof copy, "nightjar %s", line);
	for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	message.text[0] = '\0';
	return nj_arguments_parse(argc, argv, &message, &arguments);
}

static void refused(const char *line, const char *words)
{
	assert_int_equal(parse(line), NJ_ERR_USAGE);
	if (strstr(message.text, words) == NULL)
		fail_msg("'%s' said: %s", line, message.text);
	assert_null(strchr(message.text, '\n'));
}

static void options_and_operands_mix(void **state)
{
	(void)state;
	assert_int_equal(parse("replay a.pcap --json -w4 --report=out.html - -q --fail-on high -- --b.pcap"), NJ_OK);
	assert_int_equal(arguments.verb, NJ_VERB_REPLAY);
	assert_true(arguments.json && arguments.quiet);
	assert_int_equal(arguments.workers, 4);
	assert_string_equal(arguments.report, "out.html");
	assert_int_equal(arguments.fail_on, NJ_SEVERITY_HIGH);
	assert_int_equal(arguments.operands_n, 3);
	assert_string_equal(arguments.operands[1], "-");
	assert_string_equal(arguments.operands[2], "--b.pcap");
}

static void defaults_hold(void **state)
{
	(void)state;
	assert_int_equal(parse("replay a"), NJ_OK);
	assert_int_equal(arguments.workers, 1);
	assert_int_equal(arguments.window, 10000);
	assert_int_equal(arguments.max_memory, 4294967296);
	assert_string_equal(arguments.color, "auto");
	assert_int_equal(arguments.until, UINT64_MAX);
	assert_int_equal(arguments.fail_on, 0);
}

static void sizes_and_times(void **state)
{
	(void)state;
	assert_int_equal(parse("replay a --max-memory 512M --window 2m --budget 0.5"), NJ_OK);
	assert_int_equal(arguments.max_memory, 512u << 20);
	assert_int_equal(arguments.window, 120000);
	assert_true(arguments.budget == 0.5);
	assert_int_equal(parse("replay a --window 1500ms"), NJ_OK);
	assert_int_equal(arguments.window, 1500);
}

static void a_mistake_is_named_and_the_nearest_suggested(void **state)
{
	(void)state;
	refused("replay --jsno a", "unknown option --jsno; did you mean --json?");
	refused("replay --fail_on high a", "did you mean --fail-on?");
	refused("replay --markdown x a", "is an option of 'nightjar evaluate'");
	refused("replay -Z a", "unknown option -Z");
	refused("repaly a", "did you mean 'replay'?");
	refused("capture.pcap", "nightjar replay capture.pcap");
	refused("dance", "'nightjar help' lists the verbs");
	refused("replay --frobnicate a", "'nightjar help replay'");
	refused("replay", "what to read is missing");
	refused("evaluate a b", "'b' is one operand too many");
	refused("", "a verb is missing");
	refused("replay a --report", "--report needs a value: --report FILE");
	refused("replay a --json=yes", "--json takes no value");
}

static void a_value_out_of_range_is_refused(void **state)
{
	(void)state;
	refused("replay a --workers 0", "--workers 0: must be from 1 to 64");
	refused("replay a --workers 65", "must be from 1 to 64");
	refused("replay a --workers -1", "not a number");
	refused("replay a --workers 4x", "not a number");
	refused("replay a --workers 1.5", "not a number");
	refused("replay a --workers 99999999999999999999", "not a number");
	refused("replay a --budget nan", "not a number");
	refused("replay a --budget inf", "not a number");
	refused("replay a --window 5y", "not a time like 10s");
	refused("replay a --window 1ms", "must be from 1s to 600s");
	refused("replay a --max-memory lots", "not a size like 512M");
	refused("replay a --fail-on awful", "must be low, medium, high or critical");
	refused("replay a --color blue", "auto|always|never");
	refused("alerts --store x --since yesterday", "not a time");
	assert_int_equal(parse("replay a --report= "), NJ_ERR_USAGE);
}

static void times_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t t_ns;
	} good[] = {
		{"0", 0},
		{"1795550400", 1795550400000000000u},
		{"1970-01-01", 0},
		{"2026-11-24T20:00:00Z", 1795550400000000000u},
		{"2026-11-24T21:00:00+01:00", 1795550400000000000u},
		{"2026-11-24 20:00:00.25", 1795550400250000000u},
		{"2000-02-29T00:00:00Z", 951782400000000000u},
	};
	static const char *const bad[] = {"",
					  "x",
					  "1969-12-31",
					  "2026-13-01",
					  "2026-11-24T25:00:00Z",
					  "2026-11-24T20:00:00Q",
					  "2026-11-24T20",
					  "1e99",
					  "-5"};
	uint64_t t_ns;
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		if (!nj_time_parse(good[i].text, &t_ns) || t_ns != good[i].t_ns)
			fail_msg("%s", good[i].text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (nj_time_parse(bad[i], &t_ns))
			fail_msg("%s was taken for a time", bad[i]);
	}
}

/* Every option of every verb stands in its help, and no line is wider than asked for. */
static void help_is_complete_and_fits(void **state)
{
	(void)state;
	for (unsigned v = 0; v <= NJ_VERBS_N; v++) {
		for (unsigned width = 60; width <= 120; width += 20) {
			char *text = nj_verb_help((enum nj_verb)v, width);
			assert_non_null(text);
			if (v == NJ_VERB_REPLAY)
				assert_non_null(strstr(text, "--fail-on SEVERITY"));
			for (char *line = strtok(text, "\n"); line != NULL && width >= 80; line = strtok(NULL, "\n")) {
				if (nj_utf8_length(line) > width + 12)
					fail_msg("%u: %s", width, line);
			}
			free(text);
		}
	}
}

static void verbs_have_names(void **state)
{
	enum nj_verb verb;
	(void)state;
	for (unsigned v = 0; v < NJ_VERBS_N; v++) {
		assert_true(nj_verb_parse(nj_verb_name((enum nj_verb)v), &verb));
		assert_int_equal(verb, v);
	}
	assert_false(nj_verb_parse("", &verb));
	assert_int_equal(parse("--version"), NJ_OK);
	assert_int_equal(arguments.verb, NJ_VERB_VERSION);
	assert_int_equal(parse("replay --help"), NJ_OK);
	assert_true(arguments.help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_operands_mix),
		cmocka_unit_test(defaults_hold),
		cmocka_unit_test(sizes_and_times),
		cmocka_unit_test(a_mistake_is_named_and_the_nearest_suggested),
		cmocka_unit_test(a_value_out_of_range_is_refused),
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(help_is_complete_and_fits),
		cmocka_unit_test(verbs_have_names),
	};
	return cmocka_run_group_tests_name("args", tests, NULL, NULL);
}
