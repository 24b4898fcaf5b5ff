/* The shipped prior, and baselines from outside: what is read, what is refused with its line, what is written reads
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/prior.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/nightjar-test-prior-XXXXXX";

static int setup(void **state)
{
	(void)state;
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_text(const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Every number of the table stands in the shipped file with the value of the table: the file is the documentation. */
static void the_shipped_file_and_the_table_agree(void **state)
{
	(void)state;
	struct nj_message message;
	struct nj_prior prior;
	assert_int_equal(nj_prior_shipped(&message, &prior), 0);
	assert_string_equal(prior.source, "prior");
	FILE *file = fopen("models/prior.yaml", "r");
	assert_non_null(file);
	static char text[65536];
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
#define AGREES(name, value, least, largest, meaning)                                                                   \
	if (strstr(text, "\n  " #name ":") == NULL)                                                                    \
		fail_msg("%s is missing in models/prior.yaml", #name);                                                 \
	assert_true(prior.name >= (least));                                                                            \
	assert_true(prior.name <= (largest));
	NJ_PRIOR_NUMBERS(AGREES)
#undef AGREES
}

static void what_is_written_reads_back(void **state)
{
	(void)state;
	struct nj_message message;
	struct nj_prior prior, back;
	assert_int_equal(nj_prior_shipped(&message, &prior), 0);
	strcpy(prior.source, "learned baseline");
	prior.answered_home = 0.875;
	prior.tail[NJ_DETECTOR_SCAN][0] = 1000;
	prior.tail[NJ_DETECTOR_BEACON][127] = 3;
	assert_int_equal(nj_prior_save(&prior, path, &message), 0);
	assert_int_equal(nj_prior_load(path, &message, &back), 0);
	assert_string_equal(back.source, prior.source);
	assert_true(back.answered_home == 0.875);
	assert_memory_equal(back.tail, prior.tail, sizeof prior.tail);
	assert_true(nj_prior_save(&prior, "/nonexistent/baseline.yaml", &message) < 0);
	assert_non_null(strstr(message.text, "/nonexistent/baseline.yaml"));
}

static void what_is_not_given_keeps_the_shipped_value(void **state)
{
	(void)state;
	struct nj_message message;
	struct nj_prior shipped, prior;
	assert_int_equal(nj_prior_shipped(&message, &shipped), 0);
	write_text("prior:\n  version: 1\n  pcr_mean: 0.25\n");
	assert_int_equal(nj_prior_load(path, &message, &prior), 0);
	assert_true(prior.pcr_mean == 0.25);
	assert_true(prior.names_level == shipped.names_level);
}

static void nonsense_is_refused_with_its_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"", ":1:"},
		{"other: 1\n", "one key"},
		{"prior:\n  version: 2\n", ":2:"},
		{"prior:\n  version: 1\n  no_such_number: 1\n", ":3: unknown key 'no_such_number'"},
		{"prior:\n  answered_home: 2\n", ":2: answered_home must be a number from 0.5 to 0.98"},
		{"prior:\n  answered_home: nan\n", ":2:"},
		{"prior:\n  answered_home: [1]\n", ":2:"},
		{"prior:\n  tails: { nothing: { 1: 1 } }\n", "no detector is called 'nothing'"},
		{"prior:\n  tails: { scan: { 128: 1 } }\n", "a bucket from 0 to 127"},
		{"prior:\n  tails: { scan: { 1: -1 } }\n", "a bucket"},
		{"prior:\n  tails: { scan: 3 }\n", "a map of buckets"},
		{"prior:\n  tails: [scan]\n", ":2:"},
		{"prior:\n  source: \"a name that is longer than thirty-one characters\"\n", ":2:"},
	};
	struct nj_message message;
	struct nj_prior prior, before;
	assert_int_equal(nj_prior_shipped(&message, &prior), 0);
	before = prior;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		write_text(cases[i].text);
		assert_int_equal(nj_prior_load(path, &message, &prior), NJ_ERR_USAGE);
		if (strstr(message.text, cases[i].says) == NULL || strncmp(message.text, path, strlen(path)) != 0)
			fail_msg("'%s' says '%s', expected the path and '%s'", cases[i].text, message.text,
				 cases[i].says);
		assert_memory_equal(&prior, &before, sizeof prior);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shipped_file_and_the_table_agree),
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(what_is_not_given_keeps_the_shipped_value),
		cmocka_unit_test(nonsense_is_refused_with_its_line),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
