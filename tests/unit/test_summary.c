/* The terminal summary against golden files at three widths, with and without colour, and the promises no golden file
 * shows: no control character of a stranger gets through, no line is wider than the terminal. */
#include "cli/summary.h"

#include "tests/unit/golden.h"
#include "tests/unit/sample_findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *program;

static char *render(unsigned width, bool colour, bool utf8, bool with_alerts, uint32_t top)
{
	char *text = NULL;
	size_t size = 0;
	static struct nj_findings findings;
	struct nj_facts facts;
	assert_int_equal(nj_findings_init(&findings, false), NJ_OK);
	sample_findings(&findings, with_alerts);
	sample_facts(&facts);
	struct nj_console console = {
		.out = open_memstream(&text, &size), .err = stderr, .colour = colour, .utf8 = utf8, .width = width};
	assert_non_null(console.out);
	nj_summary_print(&console, &facts, &findings, top);
	assert_int_equal(fclose(console.out), 0);
	nj_findings_fini(&findings);
	return text;
}

static void check(unsigned width, bool colour, bool with_alerts, uint32_t top, const char *name)
{
	char *text = render(width, colour, true, with_alerts, top);
	bool equal = golden_equal(program, name, text);
	free(text);
	assert_true(equal);
}

static void golden_80(void **state)
{
	(void)state;
	check(80, false, true, 20, "summary-80.txt");
}

static void golden_120_colour(void **state)
{
	(void)state;
	check(120, true, true, 20, "summary-120-colour.txt");
}

static void golden_short(void **state)
{
	(void)state;
	check(100, false, true, 1, "summary-100-top1.txt");
}

static void golden_none(void **state)
{
	(void)state;
	check(80, false, false, 20, "summary-80-none.txt");
}

/* Words no wrapping can break may stand out; everything the summary composes must fit. */
static void lines_fit(void **state)
{
	(void)state;
	for (unsigned width = 70; width <= 160; width += 10) {
		char *text = render(width, false, true, true, 2);
		for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
			if (nj_utf8_length(line) > width && strstr(line, "</script>") == NULL &&
			    strstr(line, "nightjar ") == NULL)
				fail_msg("%u columns: %u in: %s", width, nj_utf8_length(line), line);
		}
		free(text);
	}
}

static void no_foreign_control_character(void **state)
{
	(void)state;
	char *text = render(120, false, true, true, 20);
	assert_non_null(strstr(text, "onerror")); /* the hostile name is there */
	for (const char *c = text; *c != '\0'; c++)
		assert_true((unsigned char)*c >= 0x20 || *c == '\n');
	free(text);
}

static void ascii_where_utf8_is_not_spoken(void **state)
{
	(void)state;
	char *text = render(120, false, false, true, 20);
	assert_null(strstr(text, "\xe2\x96\x88"));
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_80),
		cmocka_unit_test(golden_120_colour),
		cmocka_unit_test(golden_short),
		cmocka_unit_test(golden_none),
		cmocka_unit_test(lines_fit),
		cmocka_unit_test(no_foreign_control_character),
		cmocka_unit_test(ascii_where_utf8_is_not_spoken),
	};
	program = argv[0];
	golden_accept = argc > 1 && strcmp(argv[1], "--accept") == 0;
	return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
