/* The sensor's options as a live sensor takes them, and which of them may change while it runs. */
#include "sensor/live.h"
#include "sensor/sensor_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct nj_sensor_config config_of(const char *const *assignments)
{
	struct nj_sensor_config config;
	memset(&config, 0, sizeof config);
	nj_config_defaults(&nj_sensor_schema, &config);
	for (; *assignments != NULL; assignments++)
		assert_int_equal(nj_config_set(&nj_sensor_schema, *assignments, &config, NULL), NJ_OK);
	return config;
}

#define CONFIG(...) config_of((const char *const[]){__VA_ARGS__, NULL})

static void test_live_options(void **state)
{
	(void)state;
	struct nj_sensor_config config = CONFIG("interfaces=eth0,eth1", "workers=2", "cpus=3,1", "ring_bytes=8M",
						"snap_bytes=200", "read_timeout=20", "promiscuous=false", "bpf=tcp");
	struct nj_sensor_lists lists;
	struct nj_live_options o;
	assert_int_equal(nj_sensor_config_live(&config, &lists, &o, NULL), NJ_OK);
	assert_int_equal(o.interfaces_n, 2);
	assert_string_equal(o.interfaces[1], "eth1");
	assert_int_equal(o.cpus_n, 2);
	assert_int_equal(o.cpus[0], 3);
	assert_int_equal(o.workers, 2);
	assert_int_equal(o.ring_bytes, 8u << 20);
	assert_int_equal(o.snap_bytes, 200);
	assert_int_equal(o.read_timeout_ms, 20);
	assert_false(o.promiscuous);
	assert_string_equal(o.filter, "tcp");
	assert_int_equal(o.worker.flows_max, config.flows_max);
}

static void test_a_processor_is_a_number(void **state)
{
	(void)state;
	static const char *const wrong[] = {"cpus=one", "cpus=-1", "cpus=1x", "cpus= 1", "cpus=99999999999"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct nj_sensor_config config = CONFIG(wrong[i]);
		struct nj_sensor_lists lists;
		struct nj_live_options o;
		struct nj_message message = {.text = ""};
		assert_int_equal(nj_sensor_config_live(&config, &lists, &o, &message), NJ_ERR_USAGE);
		assert_non_null(strstr(message.text, "is not the number of a processor"));
	}
}

static void test_rings_count_in_memory(void **state)
{
	(void)state;
	struct nj_sensor_lists lists;
	struct nj_live_options one, four;
	struct nj_sensor_config small = CONFIG("interfaces=a", "ring_bytes=1M"),
				large = CONFIG("interfaces=a,b", "ring_bytes=9M", "workers=2");
	assert_int_equal(nj_sensor_config_live(&small, &lists, &one, NULL), NJ_OK);
	uint64_t bytes = nj_live_memory_bytes(&one);
	assert_int_equal(nj_sensor_config_live(&large, &lists, &four, NULL), NJ_OK);
	assert_true(nj_live_memory_bytes(&four) >= bytes + (4 * 9 - 1) * (1u << 20));
}

static void test_what_needs_a_restart(void **state)
{
	(void)state;
	struct nj_sensor_config running = CONFIG("interfaces=eth0"),
				live = CONFIG("interfaces=eth0", "bpf=tcp", "inventory=x", "stats=7"),
				more = CONFIG("interfaces=eth0", "bpf=tcp", "flows_max=5000"),
				other = CONFIG("interfaces=eth0,eth1");
	assert_null(nj_sensor_config_needs_restart(&running, &running));
	assert_null(nj_sensor_config_needs_restart(&running, &live));
	assert_string_equal(nj_sensor_config_needs_restart(&running, &more), "flows_max");
	assert_string_equal(nj_sensor_config_needs_restart(&running, &other), "interfaces");
}

static void refused(const struct nj_live_options *options, const char *words)
{
	struct nj_message message = {.text = ""};
	struct nj_window_sink sink = {.context = NULL};
	struct nj_live *live;
	assert_int_equal(nj_live_open(options, &sink, 1, 1, &message, &live), NJ_ERR_USAGE);
	assert_non_null(strstr(message.text, words));
}

static void test_live_refuses_what_makes_no_sense(void **state)
{
	(void)state;
	static const char *const twice[] = {"lo", "lo"}, *const longer[] = {"a-name-of-16-byte"};
	static const uint32_t cpu = 60000;
	struct nj_sensor_lists lists;
	struct nj_live_options good, o;
	struct nj_sensor_config config = CONFIG("interfaces=lo");
	assert_int_equal(nj_sensor_config_live(&config, &lists, &good, NULL), NJ_OK);
	o = good, o.interfaces = twice, o.interfaces_n = 2;
	refused(&o, "lo: named twice");
	o = good, o.interfaces = longer;
	refused(&o, "is no name of an interface");
	o = good, o.interfaces_n = 0;
	refused(&o, "1 to 16 can be watched, not 0");
	o = good, o.workers = 65;
	refused(&o, "workers must be within 1..64, not 65");
	o = good, o.cpus = &cpu, o.cpus_n = 1;
	refused(&o, "cpus: 60000 is not among");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_live_options),
		cmocka_unit_test(test_a_processor_is_a_number),
		cmocka_unit_test(test_rings_count_in_memory),
		cmocka_unit_test(test_what_needs_a_restart),
		cmocka_unit_test(test_live_refuses_what_makes_no_sense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
