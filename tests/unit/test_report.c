/* The report page: that it is whole, that hostile names stay text, that its policy names the very style and script it
 * holds, that the same facts give the same bytes. With NJ_REPORT_OUT=FILE the page of the made-up run is also written
 * there, to be looked at. */
#include "cli/report.h"

#include "common/json.h"
#include "tests/unit/golden.h"
#include "tests/unit/sample_findings.h"

#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char *render(bool with_alerts)
{
	static struct nj_findings findings;
	struct nj_facts facts;
	assert_int_equal(nj_findings_init(&findings, true), NJ_OK);
	sample_findings(&findings, with_alerts);
	sample_facts(&facts);
	char *text = nj_report_text(&facts, &findings);
	nj_findings_fini(&findings);
	assert_non_null(text);
	return text;
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;
	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

static void every_slot_is_filled(void **state)
{
	(void)state;
	for (int with_alerts = 0; with_alerts < 2; with_alerts++) {
		char *text = render(with_alerts);
		assert_null(strstr(text, "{{"));
		assert_null(strstr(text, "}}{"));
		assert_int_equal(count(text, "<article"), with_alerts ? 3 : 0);
		assert_int_equal(count(text, "<article"), count(text, "</article>"));
		assert_int_equal(count(text, "<svg"), count(text, "</svg>"));
		assert_string_equal(text + strlen(text) - 8, "</html>\n");
		free(text);
	}
}

static void hostile_names_stay_text(void **state)
{
	(void)state;
	char *text = render(true);
	assert_null(strstr(text, "<img"));
	assert_int_equal(count(text, "</script"), 2); /* the data's and the script's own */
	assert_non_null(strstr(text, "&lt;/script&gt;&lt;img"));
	assert_non_null(strstr(text, "\\u003c/script\\u003e"));
	for (const char *c = text; *c != '\0'; c++)
		assert_true((unsigned char)*c >= 0x20 || *c == '\n');
	free(text);
}

static void nothing_is_fetched(void **state)
{
	(void)state;
	char *text = render(true);
	assert_null(strstr(text, "http://www.w3.org/2000/svg\"><image"));
	assert_null(strstr(text, "https://"));
	assert_int_equal(count(text, "http://"), count(text, "http://www.w3.org/2000/svg"));
	assert_null(strstr(text, "@import"));
	assert_null(strstr(text, " style=")); /* the policy would refuse it */
	assert_non_null(strstr(text, "default-src 'none'"));
	assert_null(strstr(text, "unsafe"));
	free(text);
}

/* The data a script or a reader takes out is valid JSON and says what the alerts say. */
static void data_is_json(void **state)
{
	(void)state;
	char *text = render(true);
	const char *start = strstr(text, "id=\"nightjar-data\">");
	assert_non_null(start);
	start += strlen("id=\"nightjar-data\">");
	const char *end = strstr(start, "</script>");
	assert_non_null(end);
	struct nj_json *root;
	struct nj_message message;
	assert_int_equal(nj_json_parse("data", start, (size_t)(end - start), &message, &root), NJ_OK);
	assert_int_equal(nj_json_size(nj_json_get(root, "alerts")), 3);
	const struct nj_json *alert = nj_json_at(nj_json_get(root, "alerts"), 0);
	assert_string_equal(nj_json_text(nj_json_get(alert, "severity"), ""), "critical");
	assert_true(nj_json_size(nj_json_get(root, "plots")) >= 3);
	nj_json_free(&root);
	free(text);
}

static void same_facts_same_bytes(void **state)
{
	(void)state;
	char *one = render(true), *two = render(true);
	assert_string_equal(one, two);
	free(one);
	free(two);
}

static void written_whole_or_not_at_all(void **state)
{
	(void)state;
	struct nj_findings *findings = calloc(1, sizeof *findings);
	struct nj_facts facts;
	struct nj_message message;
	char path[] = "/tmp/nj_report_XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(nj_findings_init(findings, true), NJ_OK);
	sample_findings(findings, true);
	sample_facts(&facts);
	assert_int_equal(nj_report_write(path, &facts, findings, &message), NJ_OK);
	assert_int_equal(nj_report_write("/nowhere/at/all.html", &facts, findings, &message), NJ_ERR_NOT_FOUND);
	assert_non_null(strstr(message.text, "/nowhere/at/all.html"));
	assert_int_equal(unlink(path), 0);
	/* A pipe stays the pipe it is: it is written to, not replaced. */
	assert_int_equal(mkfifo(path, 0600), 0);
	int reader = open(path, O_RDWR);
	struct stat status;
	assert_true(reader >= 0);
	assert_true(fcntl(reader, F_SETPIPE_SZ, 1 << 20) >= 1 << 17);
	assert_int_equal(nj_report_write(path, &facts, findings, &message), NJ_OK);
	assert_int_equal(stat(path, &status), 0);
	assert_true(S_ISFIFO(status.st_mode));
	close(reader);
	assert_int_equal(unlink(path), 0);
	if (getenv("NJ_REPORT_OUT") != NULL)
		assert_int_equal(nj_report_write(getenv("NJ_REPORT_OUT"), &facts, findings, &message), NJ_OK);
	nj_findings_fini(findings);
	free(findings);
}

/* Every technique id in the detectors' sources has its words here. Tests run in the source folder. */
static void techniques_have_words(void **state)
{
	(void)state;
	glob_t files;
	unsigned ids = 0;
	assert_int_equal(glob("aggregator/*.c", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		char *text = golden_read(files.gl_pathv[i]);
		assert_non_null(text);
		for (char *at = text; (at = strchr(at, '"')) != NULL; at++) {
			char id[16];
			size_t length = strspn(at + 1, "TAML.0123456789");
			if (at[1 + length] != '"' || length < 5 || length >= sizeof id ||
			    (strncmp(at + 1, "T1", 2) != 0 && strncmp(at + 1, "AML.T", 5) != 0))
				continue;
			snprintf(id, sizeof id, "%.*s", (int)length, at + 1);
			if (nj_technique_words(id)[0] == '\0')
				fail_msg("%s names %s, which cli/technique.c does not know", files.gl_pathv[i], id);
			ids++;
		}
		free(text);
	}
	globfree(&files);
	assert_true(ids > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_slot_is_filled),  cmocka_unit_test(hostile_names_stay_text),
		cmocka_unit_test(nothing_is_fetched),    cmocka_unit_test(data_is_json),
		cmocka_unit_test(same_facts_same_bytes), cmocka_unit_test(written_whole_or_not_at_all),
		cmocka_unit_test(techniques_have_words),
	};
	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
