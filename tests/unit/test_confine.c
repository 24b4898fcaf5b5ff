/* Which paths a daemon may still reach: gathered from its options, and none of its options forgotten. What confinement
 * then does is tried by tests/e2e/escape.c. */
#include "aggregator/aggregator_confine.h"
#include "sensor/sensor_confine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct nj_landlock_rule *rule_of(const struct nj_confine *c, const char *path)
{
	for (uint32_t i = 0; i < c->paths_n; i++)
		if (strcmp(c->rules[i].path, path) == 0)
			return &c->rules[i];
	return NULL;
}

static void test_what_opens_what(void **state)
{
	(void)state;
	struct nj_confine c;
	nj_confine_init(&c, NJ_SECCOMP_AGGREGATOR);
	nj_confine_allow(&c, "", true);
	nj_confine_allow_beside(&c, ":memory:", true);
	nj_confine_allow_endpoint(&c, "tcp://127.0.0.1:7117", true);
	assert_int_equal(c.paths_n, 0);
	nj_confine_allow(&c, "/etc/a.key", false);
	nj_confine_allow_beside(&c, "/var/lib/a/journal", true);
	nj_confine_allow_beside(&c, "/journal", false);
	nj_confine_allow_beside(&c, "journal", false);
	nj_confine_allow_endpoint(&c, "ipc:///run/a/socket", true);
	assert_int_equal(c.paths_n, 5);
	assert_false(rule_of(&c, "/etc/a.key")->write);
	assert_true(rule_of(&c, "/var/lib/a")->write);
	assert_false(rule_of(&c, "/")->write);
	assert_false(rule_of(&c, ".")->write);
	assert_true(rule_of(&c, "/run/a")->write);
}

/* One folder for several files: it is named once, and writing wins. */
static void test_a_folder_named_twice(void **state)
{
	(void)state;
	struct nj_confine c;
	nj_confine_init(&c, NJ_SECCOMP_AGGREGATOR);
	nj_confine_allow_beside(&c, "/srv/inventory", false);
	nj_confine_allow_beside(&c, "/srv/store", true);
	nj_confine_allow_beside(&c, "/srv/baseline", false);
	assert_int_equal(c.paths_n, 1);
	assert_true(rule_of(&c, "/srv")->write);
}

/* Before anything is given up, so that the message can still be acted upon. */
static void test_too_many_open_nothing(void **state)
{
	(void)state;
	struct nj_confine c;
	struct nj_message message = {""};
	char path[NJ_CONFINE_PATH_BYTES + 8];
	nj_confine_init(&c, NJ_SECCOMP_SENSOR);
	for (int i = 0; i <= NJ_CONFINE_PATHS_MAX; i++) {
		snprintf(path, sizeof path, "/folder%d", i);
		nj_confine_allow(&c, path, false);
	}
	assert_int_equal(nj_confine_start(&c, "", true, &message), NJ_ERR_LIMIT);
	nj_confine_init(&c, NJ_SECCOMP_SENSOR);
	memset(path, 'a', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	nj_confine_allow(&c, path, false);
	assert_int_equal(nj_confine_start(&c, "", true, &message), NJ_ERR_LIMIT);
}

static void test_words(void **state)
{
	(void)state;
	char text[400], small[20];
	struct nj_confine c;
	nj_confine_init(&c, NJ_SECCOMP_SENSOR_LIVE);
	nj_confine_allow(&c, "/etc/nightjar", false);
	nj_confine_allow(&c, "/var/lib/nightjar", true);
	c.own_n = c.paths_n;
	strcpy(c.privilege.user, "tap");
	c.landlock_wanted = true;
	c.landlock_version = 3;
	c.mode = NJ_SECCOMP_LOG;
	c.calls_n = 7;
	nj_confine_text(&c, text, sizeof text);
	assert_string_equal(text, "user tap, no capabilities, 7 system calls (others only logged), files below "
				  "/etc/nightjar (read), /var/lib/nightjar (write)");
	c.privilege.is_root = c.privilege.has_net_raw = true;
	c.landlock_version = 0;
	c.mode = NJ_SECCOMP_KILL;
	nj_confine_text(&c, text, sizeof text);
	assert_string_equal(text,
			    "user tap without its powers, capability net_raw alone, 7 system calls, files by their "
			    "permissions only (this kernel offers no Landlock)");
	nj_confine_text(&c, small, sizeof small);
	assert_string_equal(small, "user tap without it");
}

/* Texts that are not paths. Whoever adds an option that is one more of these names it here; whoever adds a path adds
 * it to sensor_confine.c or aggregator_confine.c, without which its file is out of reach. */
static const char *const not_paths[] = {"sensor",     "tap_group", "reading", "hash_key",
					"interfaces", "bpf",       "cpus",    "user"};

static bool is_path(const struct nj_option *option)
{
	if (option->type != NJ_OPTION_TEXT && option->type != NJ_OPTION_LIST)
		return false;
	for (size_t i = 0; i < sizeof not_paths / sizeof not_paths[0]; i++)
		if (strcmp(option->name, not_paths[i]) == 0)
			return false;
	return true;
}

/* The path that stands for an option: in a folder of its own. */
static void path_for(const struct nj_option *option, char *path, size_t size)
{
	bool is_endpoint = strncmp(option->otherwise, "tcp://", 6) == 0;
	snprintf(path, size, "%s/of/%s/file", is_endpoint ? "ipc://" : "", option->name);
}

static uint32_t fill(const struct nj_schema *schema, void *config)
{
	char path[128];
	uint32_t n = 0;
	nj_config_defaults(schema, config);
	for (size_t i = 0; i < schema->options_n; i++) {
		if (!is_path(&schema->options[i]))
			continue;
		path_for(&schema->options[i], path, sizeof path);
		assert_int_equal(nj_config_set_option(schema, schema->options[i].name, path, config, NULL), NJ_OK);
		n++;
	}
	return n;
}

static void check_all(const struct nj_schema *schema, const struct nj_confine *c)
{
	char path[128], folder[128];
	for (size_t i = 0; i < schema->options_n; i++) {
		if (!is_path(&schema->options[i]))
			continue;
		snprintf(path, sizeof path, "/of/%s/file", schema->options[i].name);
		snprintf(folder, sizeof folder, "/of/%s", schema->options[i].name);
		if (rule_of(c, path) == NULL && rule_of(c, folder) == NULL)
			fail_msg("option %s: its file cannot be reached once the daemon is confined",
				 schema->options[i].name);
	}
}

static void test_no_option_is_forgotten(void **state)
{
	(void)state;
	struct nj_sensor_config sensor;
	struct nj_aggregator_config aggregator;
	struct nj_confine c;
	assert_true(fill(&nj_sensor_schema, &sensor) >= 5);
	nj_sensor_confine(&sensor, "/etc/nightjar/sensor.yaml", true, &c);
	check_all(&nj_sensor_schema, &c);
	assert_false(rule_of(&c, "/etc/nightjar")->write);
	assert_true(rule_of(&c, "/of/journal")->write);
	assert_null(rule_of(&c, "/"));
	assert_true(fill(&nj_aggregator_schema, &aggregator) >= 6);
	nj_aggregator_confine(&aggregator, NULL, "/run/endpoint", &c);
	check_all(&nj_aggregator_schema, &c);
	assert_true(rule_of(&c, "/of/store")->write);
	assert_true(rule_of(&c, "/of/listen")->write);
	assert_true(rule_of(&c, "/run")->write);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_opens_what),        cmocka_unit_test(test_a_folder_named_twice),
		cmocka_unit_test(test_too_many_open_nothing),  cmocka_unit_test(test_words),
		cmocka_unit_test(test_no_option_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
