/* The store: exactly once, a chain that shows what was edited, roll-ups that add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aggregator/profile.h"
#include "aggregator/store.h"
#include "common/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static int setup(void **state)
{
	(void)state;
	strcpy(path, "/tmp/nightjar-test-store-XXXXXX");
	int fd = mkstemp(path);
	if (fd < 0 || close(fd) != 0)
		return -1;
	return unlink(path);
}

static int teardown(void **state)
{
	(void)state;
	char side[80];
	unlink(path);
	snprintf(side, sizeof side, "%s-wal", path);
	unlink(side);
	snprintf(side, sizeof side, "%s-shm", path);
	unlink(side);
	return 0;
}

static struct nj_message message;

static struct nj_alert alert_of(uint64_t id, uint64_t time_ns)
{
	struct nj_alert alert = {.id = id,
				 .time_ns = time_ns,
				 .start_ns = time_ns,
				 .end_ns = time_ns,
				 .severity = NJ_SEVERITY_HIGH,
				 .score = 6,
				 .p = 1e-6};
	alert.agent.addr.byte[15] = 7;
	strcpy(alert.detector, "scan");
	strcpy(alert.technique[0], "T1046");
	alert.techniques_n = 1;
	snprintf(alert.summary, sizeof alert.summary, "alert number %llu says \"merged\":0", (unsigned long long)id);
	strcpy(alert.sensor, "sample");
	strcpy(alert.visibility.baseline, "prior");
	return alert;
}

static struct nj_store *open_store(void)
{
	struct nj_store *store;
	int error = nj_store_open(path, &message, &store);
	if (error != 0)
		fail_msg("%s", message.text);
	return store;
}

struct lines {
	uint32_t n;
	char last[8192];
};

static int count_line(void *context, const char *json)
{
	struct lines *lines = context;
	lines->n++;
	snprintf(lines->last, sizeof lines->last, "%s", json);
	return 0;
}

static void alerts_are_kept_once(void **state)
{
	(void)state;
	struct nj_store *store = open_store();
	struct nj_alert first = alert_of(0xfedcba9876543210, 1000), second = alert_of(2, 2000);
	uint64_t position;
	assert_int_equal(nj_store_covered(store, &position), 0);
	assert_int_equal(nj_store_alert(store, &first, &message), 0);
	assert_int_equal(nj_store_commit(store, 10, 3, &message), 0);
	assert_int_equal(nj_store_alert(store, &second, &message), 0);
	nj_store_close(&store); /* a crash: the second was never committed */
	assert_null(store);
	store = open_store();
	assert_int_equal(nj_store_covered(store, &position), 10);
	assert_int_equal(position, 3);
	assert_int_equal(nj_store_alert(store, &first, &message), 0); /* judged again */
	assert_int_equal(nj_store_alert(store, &second, &message), 0);
	assert_int_equal(nj_store_merged(store, second.id, 5, &message), 0);
	assert_int_equal(nj_store_merged(store, second.id, 4, &message), 0); /* told again by a replay: never less */
	assert_int_equal(nj_store_commit(store, 20, 5, &message), 0);
	struct lines lines = {0};
	assert_int_equal(nj_store_read_alerts(store, 0, NJ_SEVERITY_LOW, &message, count_line, &lines), 0);
	assert_int_equal(lines.n, 2);
	assert_non_null(strstr(lines.last, "\"merged\":5"));
	assert_non_null(strstr(lines.last, "says \\\"merged\\\":0")); /* the summary's own words are untouched */
	lines.n = 0;
	assert_int_equal(nj_store_read_alerts(store, 1500, NJ_SEVERITY_LOW, &message, count_line, &lines), 0);
	assert_int_equal(lines.n, 1);
	assert_int_equal(nj_store_read_alerts(store, 0, NJ_SEVERITY_CRITICAL, &message, count_line, &lines), 0);
	assert_int_equal(lines.n, 1);
	uint64_t row, rows;
	assert_int_equal(nj_store_verify(store, &message, &row, &rows), 0);
	assert_int_equal(rows, 2);
	nj_store_close(&store);
}

static void tamper(const char *sql)
{
	struct nj_db_options options = {
		.kind = "store", .application_id = NJ_STORE_APPLICATION_ID, .version = NJ_STORE_VERSION, .schema = ""};
	struct nj_db *db;
	assert_int_equal(nj_db_open(path, &options, &message, &db), 0);
	assert_int_equal(nj_db_run(db, sql, &message), 0);
	nj_db_close(&db);
}

static void the_chain_shows_what_was_done_to_it(void **state)
{
	(void)state;
	static const struct {
		const char *sql;
		uint64_t row;
	} cases[] = {
		{"UPDATE alert SET json = replace(json, 'alert number 3', 'alert number 4') WHERE row = 3", 3},
		{"DELETE FROM alert WHERE row = 2", 2},
		{"DELETE FROM alert WHERE row = 5", 4}, /* the tail is cut: four rows found of five */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(setup(NULL), 0);
		struct nj_store *store = open_store();
		for (uint64_t id = 1; id <= 5; id++) {
			struct nj_alert alert = alert_of(id, id);
			assert_int_equal(nj_store_alert(store, &alert, &message), 0);
		}
		assert_int_equal(nj_store_commit(store, 1, 1, &message), 0);
		uint64_t row, rows;
		assert_int_equal(nj_store_verify(store, &message, &row, &rows), 0);
		nj_store_close(&store);
		tamper(cases[i].sql);
		store = open_store();
		assert_int_equal(nj_store_verify(store, &message, &row, &rows), 1);
		assert_int_equal(row, cases[i].row);
		assert_int_equal(rows, 5);
		nj_store_close(&store);
		teardown(NULL);
	}
	assert_int_equal(setup(NULL), 0);
}

static struct nj_window window_at(uint64_t start_ns, uint8_t agent, uint64_t bytes)
{
	struct nj_window window = {.start_ns = start_ns, .width_ms = 10000};
	window.agent.addr.byte[10] = window.agent.addr.byte[11] = 0xff;
	window.agent.addr.byte[15] = agent;
	window.features.bytes_out_external = bytes;
	window.features.flows_opened = 2;
	window.features.flows_refused = 1;
	return window;
}

struct rollups {
	uint32_t n;
	struct nj_store_rollup last;
};

static int keep_rollup(void *context, const struct nj_store_rollup *rollup)
{
	struct rollups *rollups = context;
	rollups->n++;
	rollups->last = *rollup;
	return 0;
}

static void rollups_add_up(void **state)
{
	(void)state;
	struct nj_store *store = open_store();
	uint64_t t0 = 20000 * NJ_DAY_NS;
	struct nj_window window;
	for (uint64_t i = 0; i < 720; i++) /* two hours of ten seconds, two agents */
		for (uint8_t agent = 1; agent <= 2; agent++) {
			window = window_at(t0 + i * 10 * NJ_SECOND_NS, agent, 100 * agent);
			assert_int_equal(nj_store_window(store, &window, &message), 0);
			if (i == 333)
				assert_int_equal(nj_store_commit(store, window.start_ns - 1, i, &message), 0);
		}
	assert_int_equal(nj_store_commit(store, window.start_ns, 9, &message), 0);
	assert_int_equal(nj_store_window(store, &window, &message), 0); /* covered: judged again after a crash */
	assert_int_equal(nj_store_commit(store, window.start_ns, 9, &message), 0);
	static const uint32_t expected[4] = {120, 24, 2, 1};
	for (int w = 0; w < 4; w++) {
		struct rollups rollups = {0};
		assert_int_equal(nj_store_read_rollups(store, &window.agent, nj_store_widths_s[w], &message,
						       keep_rollup, &rollups),
				 0);
		assert_int_equal(rollups.n, expected[w]);
		assert_int_equal(rollups.last.windows, 720 / expected[w]);
		assert_int_equal(rollups.last.bytes_out_external, 720 / expected[w] * 200);
		assert_int_equal(rollups.last.flows_failed, 720 / expected[w]);
	}
	window = window_at(t0 + NJ_DAY_NS, 1, UINT64_MAX); /* hostile sums stay integers */
	for (uint64_t i = 0; i < 100; i++) {
		window.start_ns += NJ_MINUTE_NS;
		assert_int_equal(nj_store_window(store, &window, &message), 0);
	}
	assert_int_equal(nj_store_commit(store, window.start_ns, 9, &message), 0);
	nj_store_close(&store);
}

static int count_agent(void *context, const struct nj_store_agent *agent)
{
	struct nj_store_agent *last = context;
	*last = *agent;
	last->windows += 1000; /* seen */
	return 0;
}

static void agents_are_kept(void **state)
{
	(void)state;
	struct nj_store *store = open_store();
	struct nj_profile profile = {.first_ns = 1790000000123456789,
				     .last_ns = UINT64_MAX,
				     .windows = 3,
				     .bytes_out = UINT64_MAX,
				     .flows = 4};
	profile.agent.addr = window_at(0, 9, 0).agent.addr;
	strcpy(profile.client, "t13d1516h2_8daaf6152771_02713d6af862");
	assert_int_equal(nj_store_agent(store, &profile, &message), 0);
	profile.client[0] = '\0';
	profile.windows = 4;
	assert_int_equal(nj_store_agent(store, &profile, &message), 0);
	assert_int_equal(nj_store_commit(store, 1, 1, &message), 0);
	nj_store_close(&store);
	assert_int_equal(nj_store_open_read(path, &message, &store), 0);
	struct nj_store_agent agent = {0};
	assert_int_equal(nj_store_read_agents(store, &message, count_agent, &agent), 0);
	assert_int_equal(agent.windows, 1004);
	assert_int_equal(agent.first_ns, 1790000000123456789);
	assert_int_equal(agent.last_ns, INT64_MAX);
	assert_int_equal(nj_addr_compare(&agent.agent.addr, &profile.agent.addr), 0);
	assert_int_equal(strncmp(agent.client, "t13d", 4), 0);
	nj_store_close(&store);
}

struct ai_seen {
	struct nj_ai_row row[4];
	int n;
};

static int on_ai(void *context, const struct nj_ai_row *row)
{
	struct ai_seen *seen = context;
	assert_true(seen->n < 4);
	seen->row[seen->n++] = *row;
	return 0;
}

/* The latest state of each (agent, brain) stays; a store of a release without the table reads as one without AI
 * agents, and gets the table when it is written to again. */
static void ai_agents_are_kept(void **state)
{
	(void)state;
	struct nj_store *store;
	struct nj_ai_row row = {.key = UINT64_C(0x8000000000000042),
				.kind = NJ_AI_AGENT,
				.outside = true,
				.port = 443,
				.first_ns = 5,
				.last_ns = 9,
				.turns = 7,
				.bytes_up = 1000,
				.bytes_down = 2000,
				.p_llm = 0.9,
				.agentic = 0.25,
				.peer = "api.example.com",
				.client = "t13d1812h1_85036bcba153_d41ae481755e",
				.api = "anthropic",
				.tools = "read_file"};
	row.agent.addr = (struct nj_addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 7}};
	assert_int_equal(nj_store_open(path, &message, &store), 0);
	assert_int_equal(nj_store_ai(store, &row, &message), 0);
	row.turns = 8;
	row.registered = true;
	row.tools[0] = '\0'; /* none in this state of it: what was known stays */
	assert_int_equal(nj_store_ai(store, &row, &message), 0);
	row.key = 2;
	row.turns = 99;
	assert_int_equal(nj_store_ai(store, &row, &message), 0);
	assert_int_equal(nj_store_commit(store, 10, 1, &message), 0);
	nj_store_close(&store);
	struct ai_seen seen = {0};
	assert_int_equal(nj_store_open_read(path, &message, &store), 0);
	assert_int_equal(nj_store_read_ai(store, &message, on_ai, &seen), 0);
	nj_store_close(&store);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.row[0].turns, 99);
	assert_int_equal(seen.row[1].turns, 8);
	assert_true(seen.row[1].key == UINT64_C(0x8000000000000042));
	assert_true(seen.row[1].registered);
	assert_true(seen.row[1].agentic > 0.2499 && seen.row[1].agentic < 0.2501);
	assert_string_equal(seen.row[1].tools, "read_file");
	assert_string_equal(seen.row[1].peer, "api.example.com");
	struct nj_db *db;
	struct nj_db_options options = {
		.kind = "store", .application_id = NJ_STORE_APPLICATION_ID, .version = NJ_STORE_VERSION, .schema = ""};
	assert_int_equal(nj_db_open(path, &options, &message, &db), 0);
	assert_int_equal(nj_db_run(db, "DROP TABLE ai_agent", &message), 0);
	nj_db_close(&db);
	seen.n = 0;
	assert_int_equal(nj_store_open_read(path, &message, &store), 0);
	assert_int_equal(nj_store_read_ai(store, &message, on_ai, &seen), 0);
	nj_store_close(&store);
	assert_int_equal(seen.n, 0);
	assert_int_equal(nj_store_open(path, &message, &store), 0);
	assert_int_equal(nj_store_ai(store, &row, &message), 0);
	assert_int_equal(nj_store_commit(store, 11, 2, &message), 0);
	nj_store_close(&store);
}

static int take_line(void *context, const char *json)
{
	assert_true(strncmp(json, "{\"id\":\"", 7) == 0);
	return --*(int *)context < 0 ? NJ_ERR_IO : 0;
}

static void each_alert_is_told_once(void **state)
{
	(void)state;
	struct nj_store *store;
	int left = 2;
	assert_int_equal(nj_store_open(path, &message, &store), 0);
	for (uint64_t id = 1; id <= 5; id++) {
		struct nj_alert alert = alert_of(id, id * 1000);
		assert_int_equal(nj_store_alert(store, &alert, &message), 0);
	}
	assert_int_equal(nj_store_commit(store, 1, 1, &message), 0);
	/* The third cannot be taken: it comes again, and what came before does not. */
	assert_int_equal(nj_store_tell(store, take_line, &left, &message), NJ_ERR_IO);
	nj_store_close(&store);
	assert_int_equal(nj_store_open(path, &message, &store), 0);
	left = 100;
	assert_int_equal(nj_store_has_told(store, 3, &message), 0); /* the reader has the third after all */
	assert_int_equal(nj_store_has_told(store, 1, &message), 0); /* which takes nothing back */
	assert_int_equal(nj_store_has_told(store, 77, &message), 0);
	assert_int_equal(nj_store_tell(store, take_line, &left, &message), 0);
	assert_int_equal(left, 98);
	assert_int_equal(nj_store_tell(store, take_line, &left, &message), 0);
	assert_int_equal(left, 98);
	nj_store_close(&store);
}

static void a_damaged_store_is_refused_by_name(void **state)
{
	(void)state;
	struct nj_store *store = NULL;
	assert_int_equal(nj_store_open(path, &message, &store), 0);
	for (uint64_t id = 1; id <= 200; id++) {
		struct nj_alert alert = alert_of(id, id * 1000);
		assert_int_equal(nj_store_alert(store, &alert, &message), 0);
	}
	assert_int_equal(nj_store_commit(store, 1, 1, &message), 0);
	nj_store_close(&store);
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, -4096, SEEK_END), 0); /* the head of the last page */
	for (int i = 0; i < 16; i++)
		fputc(0x5a, file);
	fclose(file);
	assert_int_equal(nj_store_open(path, &message, &store), NJ_ERR_FORMAT);
	assert_null(store);
	assert_non_null(strstr(message.text, path));
	assert_non_null(strstr(message.text, "damaged store"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(alerts_are_kept_once, setup, teardown),
		cmocka_unit_test_setup_teardown(the_chain_shows_what_was_done_to_it, setup, teardown),
		cmocka_unit_test_setup_teardown(rollups_add_up, setup, teardown),
		cmocka_unit_test_setup_teardown(agents_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(ai_agents_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(each_alert_is_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_store_is_refused_by_name, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
