/* AI agents on the terminal and as JSON: what strangers named stays harmless, and the order is the one people read in.
 */
#include "cli/ai_told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct nj_ai_row row(void)
{
	struct nj_ai_row row = {.key = 7,
				.kind = NJ_AI_AGENT,
				.outside = true,
				.port = 443,
				.first_ns = UINT64_C(1795551371000000000),
				.last_ns = UINT64_C(1795551971000000000),
				.turns = 1234,
				.bytes_up = 5600000,
				.bytes_down = 250000,
				.p_llm = 1,
				.agentic = 0.973,
				.peer = "api.example-llm.com",
				.client = "t13d1812h1_85036bcba153_d41ae481755e",
				.api = "anthropic",
				.tools = "read_file, run_tests"};
	row.agent.addr = (struct nj_addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 20, 40, 11}};
	return row;
}

static char *printed(const struct nj_ai_row *told, unsigned width, bool json)
{
	char *text = NULL;
	size_t size = 0;
	struct nj_json_out out = {0};
	struct nj_console console = {.out = open_memstream(&text, &size), .err = stderr, .width = width};
	assert_non_null(console.out);
	if (json)
		nj_ai_print_json(&console, &out, told);
	else
		nj_ai_print_row(&console, told, "coder-1");
	nj_json_out_fini(&out);
	assert_int_equal(fclose(console.out), 0);
	return text;
}

static void a_row_says_who_and_how_sure(void **state)
{
	(void)state;
	struct nj_ai_row told = row();
	char *narrow = printed(&told, 80, false), *wide = printed(&told, 160, false);
	assert_non_null(strstr(narrow, "10.20.40.11"));
	assert_non_null(strstr(narrow, "api.example-llm.com"));
	assert_non_null(strstr(narrow, "1,234"));
	assert_non_null(strstr(narrow, "0.97"));
	assert_non_null(strstr(narrow, "unregistered  coder-1"));
	assert_null(strstr(narrow, "read_file")); /* no room */
	assert_non_null(
		strstr(wide, "anthropic  client t13d1812h1_85036bcba153_d41ae481755e  tools read_file, run_tests"));
	free(narrow);
	free(wide);
}

static void json_has_every_field(void **state)
{
	(void)state;
	static const char *const parts[] = {"\"address\":\"10.20.40.11\"",
					    "\"kind\":\"agent\"",
					    "\"peer\":\"api.example-llm.com\"",
					    "\"port\":443",
					    "\"external\":true",
					    "\"registered\":false",
					    "\"turns\":1234",
					    "\"bytes_up\":5600000",
					    "\"agentic\":0.973",
					    "\"api\":\"anthropic\"",
					    "\"tools\":\"read_file, run_tests\"",
					    "\"first\":\"2026-11-24T"};
	struct nj_ai_row told = row();
	char *text = printed(&told, 80, true);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strstr(text, parts[i]) == NULL)
			fail_msg("%s is not in %s", parts[i], text);
	assert_int_equal(text[strlen(text) - 1], '\n');
	free(text);
}

static void strangers_cannot_drive_the_terminal(void **state)
{
	(void)state;
	struct nj_ai_row told = row();
	snprintf(told.peer, sizeof told.peer, "evil\x1b[31m\n");
	snprintf(told.tools, sizeof told.tools, "a\x07\r");
	for (int json = 0; json < 2; json++) {
		char *text = printed(&told, 160, json);
		for (const char *c = text; c[0] != '\0' && c[1] != '\0'; c++)
			assert_true((unsigned char)*c >= ' ');
		free(text);
	}
}

static void those_that_loop_come_first(void **state)
{
	(void)state;
	struct nj_ai_row rows[4];
	for (int i = 0; i < 4; i++)
		rows[i] = row();
	rows[0].kind = NJ_AI_MODEL_USE;
	rows[0].turns = 9999;
	rows[1].kind = NJ_AI_REMOTE;
	rows[1].turns = 20;
	rows[2].turns = 30;
	rows[3].turns = 30;
	rows[3].agent.addr.byte[15] = 3;
	qsort(rows, 4, sizeof *rows, nj_ai_by_weight);
	assert_int_equal(rows[0].agent.addr.byte[15], 3);
	assert_int_equal(rows[1].turns, 30);
	assert_int_equal(rows[2].kind, NJ_AI_REMOTE);
	assert_int_equal(rows[3].kind, NJ_AI_MODEL_USE);
	assert_string_equal(nj_ai_kind_text(77), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_says_who_and_how_sure),
		cmocka_unit_test(json_has_every_field),
		cmocka_unit_test(strangers_cannot_drive_the_terminal),
		cmocka_unit_test(those_that_loop_come_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
