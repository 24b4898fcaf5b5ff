/* `nightjar sensors` over a store with three sensors: the troubled one first, JSON as it was stored, an older store
 * without the table tells none. */
#include "cli/verbs.h"

#include "aggregator/store.h"
#include "aggregator/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/nj_test_sensors_XXXXXX", path[64];

static void put(struct nj_store *store, const char *name, uint32_t conditions, bool finished)
{
	struct nj_message message;
	struct nj_watched sensor = {.first_ns = 1800000000000000000ull,
				    .heard_ns = 1800000000000000000ull,
				    .heartbeat_ns = 1800000000000000000ull,
				    .conditions = conditions,
				    .finished = finished,
				    .dropped_share = 0.25,
				    .health = {.frames_seen = 1234567, .journal_bytes = 1, .journal_bytes_max = 2}};
	snprintf(sensor.sensor, sizeof sensor.sensor, "%s", name);
	char *json = nj_watched_json(&sensor);
	assert_non_null(json);
	assert_int_equal(nj_store_sensor(store, name, json, &message), 0);
	free(json);
}

/* What the verb prints. *returns owned*. */
static char *run(bool json, enum nj_exit expected)
{
	static struct nj_arguments arguments;
	struct nj_console console;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	arguments = (struct nj_arguments){.verb = NJ_VERB_SENSORS, .store = path, .json = json, .limit = 100};
	nj_console_init(&console, out, out, "never");
	assert_int_equal(nj_sensors_run(&arguments, &console), expected);
	fclose(out);
	return text;
}

static void test_told(void **state)
{
	(void)state;
	struct nj_store *store;
	struct nj_message message;
	assert_int_equal(nj_store_open(path, &message, &store), 0);
	put(store, "alpha", 0, false);
	put(store, "bravo", 1u << NJ_CONDITION_SILENT | 1u << NJ_CONDITION_CLOCK, false);
	put(store, "charlie", 0, true);
	put(store, "alpha", 0, false); /* again: the newest counts */
	assert_int_equal(nj_store_commit(store, 0, 0, &message), 0);
	nj_store_close(&store);
	char *text = run(false, NJ_EXIT_DONE);
	const char *alpha = strstr(text, "\nalpha "), *bravo = strstr(text, "\nbravo "),
		   *charlie = strstr(text, "\ncharlie ");
	assert_true(bravo != NULL && alpha != NULL && charlie != NULL && bravo < alpha && alpha < charlie);
	assert_non_null(strstr(text, "silent, clock"));
	assert_non_null(strstr(text, "finished"));
	assert_non_null(strstr(text, "25.0 %"));
	assert_non_null(strstr(text, "50 %"));
	assert_null(strstr(alpha + 1, "\nalpha "));
	free(text);
	text = run(true, NJ_EXIT_DONE);
	assert_non_null(strstr(text, "{\"sensor\":\"bravo\""));
	assert_true(text[0] == '{' && strstr(text, "\"conditions\":[\"silent\",\"clock\"]") != NULL);
	free(text);
}

static void test_no_store(void **state)
{
	(void)state;
	char kept[sizeof path];
	memcpy(kept, path, sizeof path);
	snprintf(path, sizeof path, "%s/none", folder);
	char *text = run(false, NJ_EXIT_FAILURE);
	assert_non_null(strstr(text, "nightjar sensors: "));
	free(text);
	memcpy(path, kept, sizeof path);
}

static int setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/store", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	char command[80];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_told), cmocka_unit_test(test_no_store)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
