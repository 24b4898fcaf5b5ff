/* Options of nightjar-aggregator become the aggregator's; impossible ones are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/aggregator.h"
#include "aggregator/aggregator_config.h"

#include <string.h>

static void defaults_agree(void **state)
{
	(void)state;
	struct nj_aggregator_config config;
	struct nj_aggregator_options options, own;
	nj_config_defaults(&nj_aggregator_schema, &config);
	nj_aggregator_config_options(&config, &options);
	nj_aggregator_options_init(&own);
	assert_string_equal(options.listen, own.listen);
	assert_string_equal(options.journal_path, own.journal_path);
	assert_null(options.store_path);
	assert_null(options.baseline_path);
	assert_int_equal(options.agents_max, own.agents_max);
	assert_int_equal(options.fleet_entries_max, own.fleet_entries_max);
	assert_int_equal(options.journal_bytes_max, own.journal_bytes_max);
	assert_int_equal(options.pending_bytes_max, own.pending_bytes_max);
	assert_true(options.alerts_per_day == own.alerts_per_day);
	assert_int_equal(options.hash_key.id, own.hash_key.id);
	assert_int_equal(nj_aggregator_memory_bytes(&options), nj_aggregator_memory_bytes(&own));
}

/* A journal counts for what it may hold in memory, and not at all on disk. */
static void memory_follows_the_journal(void **state)
{
	(void)state;
	struct nj_aggregator_options options;
	nj_aggregator_options_init(&options);
	uint64_t bytes = nj_aggregator_memory_bytes(&options);
	uint64_t journal = options.journal_bytes_max;
	options.journal_bytes_max = 8u << 20;
	assert_int_equal(bytes - nj_aggregator_memory_bytes(&options), journal - options.journal_bytes_max);
	options.journal_path = "/nowhere/journal";
	assert_int_equal(bytes - nj_aggregator_memory_bytes(&options), journal);
}

static void values_arrive(void **state)
{
	(void)state;
	struct nj_message message;
	struct nj_aggregator_config config;
	struct nj_aggregator_options options;
	static const char *const sets[] = {"listen=tcp://127.0.0.1:9",
					   "store=/tmp/s",
					   "sensors=3",
					   "hold=2min",
					   "shards=4",
					   "agents_max=100",
					   "alerts_per_day=1.5",
					   "journal_bytes_max=2M",
					   "hash_key=secret"};
	nj_config_defaults(&nj_aggregator_schema, &config);
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
		assert_int_equal(nj_config_set(&nj_aggregator_schema, sets[i], &config, &message), 0);
	nj_aggregator_config_options(&config, &options);
	assert_string_equal(options.listen, "tcp://127.0.0.1:9");
	assert_string_equal(options.store_path, "/tmp/s");
	assert_int_equal(options.sensors_expected, 3);
	assert_int_equal(options.hold_s, 120);
	assert_int_equal(options.shards, 4);
	assert_int_equal(options.journal_bytes_max, 2 << 20);
	assert_true(options.alerts_per_day == 1.5);
	struct nj_hash_key other;
	nj_hash_key_derive("", &other);
	assert_true(options.hash_key.id != other.id);
	assert_true(nj_config_set(&nj_aggregator_schema, "shards=65", &config, &message) < 0);
	assert_true(nj_config_set(&nj_aggregator_schema, "alerts_per_day=0", &config, &message) < 0);
}

static void impossible_options_are_refused(void **state)
{
	(void)state;
	struct nj_message message;
	struct nj_aggregator *aggregator = NULL;
	struct nj_aggregator_options options;
#define REFUSED(member, value)                                                                                         \
	nj_aggregator_options_init(&options);                                                                          \
	options.member = value;                                                                                        \
	assert_int_equal(nj_aggregator_new(&options, NULL, &message, &aggregator), NJ_ERR_USAGE);                      \
	assert_null(aggregator);                                                                                       \
	assert_true(message.text[0] != '\0');
	REFUSED(shards, 0)
	REFUSED(shards, 1000)
	REFUSED(agents_max, 1)
	REFUSED(sensors_expected, 0)
	REFUSED(alerts_per_day, -1)
	REFUSED(alerts_per_day, 0)
#undef REFUSED
	nj_aggregator_options_init(&options);
	options.baseline_path = "/nonexistent/baseline.yaml";
	assert_true(nj_aggregator_new(&options, NULL, &message, &aggregator) < 0);
	assert_non_null(strstr(message.text, "/nonexistent/baseline.yaml"));
	assert_null(aggregator);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_agree),
		cmocka_unit_test(memory_follows_the_journal),
		cmocka_unit_test(values_arrive),
		cmocka_unit_test(impossible_options_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
